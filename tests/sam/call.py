"""Calls one operation of AWS and prints its answer: call.py SERVICE OPERATION JSON, where and as whom by variables."""

import json
import sys

import boto3


def main():
    service, operation, arguments = sys.argv[1:]
    answer = getattr(boto3.client(service), operation)(**json.loads(arguments))
    answer.pop("ResponseMetadata", None)
    if hasattr(answer.get("Payload"), "read"):
        answer["Payload"] = answer["Payload"].read().decode()
    json.dump(answer, sys.stdout, default=str)


if __name__ == "__main__":
    main()
