"""Judges evaluated ROS templates by the official types, with their constraints on properties.

Reads a list of templates: {"resources": {name: {"Type", "Properties"}}, "attributes": [[type, attribute]]}. Prints a
list of what is wrong with each. A template is right where every resource is rendered as it was given.
"""

import contextlib
import importlib
import inspect
import json
import os
import sys
import tempfile
import typing

os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "1"
# The interpreter beneath speaks on standard output too; only the verdicts may.
verdicts_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import ros_cdk_core as core  # noqa: E402


def resource_type(kind):
    """The class of `ALIYUN::FC3::Function`, and the module that it stands in."""
    _, product, name = kind.split("::")
    module = importlib.import_module(f"ros_cdk_{product.lower()}")
    return getattr(module, f"Ros{name}"), getattr(module, f"Ros{name}Props")


def spelled(name):
    """`VSwitchIds` and `v_switch_ids` are one name."""
    return name.replace("_", "").lower()


def structs(hint):
    """The structures among the types that a property may have."""
    if inspect.isclass(hint):
        return [hint] if hint.__name__.endswith("Property") else []
    return [found for inner in typing.get_args(hint) for found in structs(inner)]


def built(value, hint):
    found = structs(hint)
    if not found:
        return value
    if isinstance(value, list):
        return [built(item, hint) for item in value]
    return struct(found[0], value)


def struct(kind, properties):
    """The structure of these properties. An unknown one is an error, as a missing one is."""
    hints = typing.get_type_hints(kind.__init__, vars(sys.modules[kind.__module__]))
    known = {spelled(name): name for name in inspect.signature(kind.__init__).parameters if name != "self"}
    given = {}
    for name, value in properties.items():
        if spelled(name) not in known:
            raise TypeError(f"{kind.__qualname__} knows no {name}")
        argument = known[spelled(name)]
        given[argument] = built(value, hints[argument])
    return kind(**given)


def mistakes(template):
    for kind, attribute in template.get("attributes", []):
        names = [name for name in dir(resource_type(kind)[0]) if name.startswith("attr_")]
        if spelled(attribute) not in [spelled(name.removeprefix("attr_")) for name in names]:
            yield f"{kind} has no attribute {attribute}"
    with tempfile.TemporaryDirectory() as folder:
        app = core.App(outdir=folder)
        stack = core.Stack(app, "judged")
        try:
            for name, resource in template["resources"].items():
                kind, props = resource_type(resource["Type"])
                kind(stack, name, struct(props, resource["Properties"]), True)
            app.synth()
        except Exception as error:  # Each refusal has a type of its own.
            yield f"{type(error).__name__}: {error}".partition("\nObject creation stack")[0]
            return
        with open(os.path.join(folder, "judged.template.json"), encoding="utf-8") as file:
            rendered = json.load(file)["Resources"]
        for name, resource in template["resources"].items():
            if rendered[name]["Properties"] != resource["Properties"]:
                yield f"{name} is rendered as {rendered[name]['Properties']}"


verdicts = [list(mistakes(template)) for template in json.load(sys.stdin)]
with contextlib.closing(verdicts_to):
    json.dump(verdicts, verdicts_to)
