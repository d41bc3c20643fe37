"""Prints template.yaml as JSON, read and expanded by SAM's own translator: what CloudFormation would be given."""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.yamlhelper import yaml_parse  # noqa: E402: the translator wants a region when it is loaded
from samtranslator.translator.transform import transform  # noqa: E402


class NoManagedPolicies:
    """The template names none; the translator would ask AWS for their list."""

    def load(self):
        return {}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam deploy` puts the zip's address here.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
