"""Prints a YAML file as JSON. Short forms of ROS's functions become long ones; a key that stands twice is an error."""

import json
import sys

import yaml


class Reader(yaml.SafeLoader):
    """Reads what ROS and Serverless Devs read."""


def mapping(reader, node):
    keys = [reader.construct_object(key) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"{twice} stand twice", node.start_mark)
    return yaml.SafeLoader.construct_mapping(reader, node, deep=True)


def function(reader, suffix, node):
    name = suffix if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: reader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: reader.construct_sequence(node, deep=True)}
    return {name: mapping(reader, node)}


Reader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
Reader.add_multi_constructor("!", function)

with open(sys.argv[1], encoding="utf-8") as file:
    json.dump(yaml.load(file, Reader), sys.stdout)
