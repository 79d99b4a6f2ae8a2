"""Writes src/aws/ec2-shapes.json: how the XML that EC2 answers becomes the JSON that the AWS CLI
prints. The names are those of the service model in botocore, which the CLI prints by too.

Run by `make ec2-shapes`; a test compares the file with what this prints.

A shape is {"XML name": ["JSON name", shape]} for a structure, [shape] for a list, and "text",
"integer", "number", "boolean" or "time" for a value.
"""

import json
import re
import sys
from pathlib import Path

import botocore.session

OPERATIONS = sorted(set(re.findall(r'"((?:Describe|Get)[A-Z]\w+)"', Path("src/aws/calls.rs").read_text())))
VALUES = {
    "string": "text",
    "integer": "integer",
    "long": "integer",
    "double": "number",
    "float": "number",
    "boolean": "boolean",
    "timestamp": "time",
}


def shape_of(shape):
    if shape.type_name == "structure":
        return {
            member.serialization.get("name", name): [name, shape_of(member)]
            for name, member in sorted(shape.members.items())
        }
    if shape.type_name == "list":
        return [shape_of(shape.member)]
    return VALUES[shape.type_name]


def main():
    ec2 = botocore.session.get_session().get_service_model("ec2")
    known = set(ec2.operation_names)
    shapes = {name: shape_of(ec2.operation_model(name).output_shape) for name in OPERATIONS if name in known}
    lines = (f"{json.dumps(name)}: {json.dumps(shape, separators=(',', ':'))}" for name, shape in shapes.items())
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
