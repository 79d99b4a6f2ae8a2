"""Reads a file as the program does that it is for, and prints the texts in it as a JSON list, in order.

    read_texts.py yaml|cloudformation|csv|graphml|dot|sql FILE
"""

import json
import sys


def leaves(value):
    """The texts of a document, keys apart."""
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif isinstance(value, str):
        yield str(value)


def keys(value):
    if isinstance(value, dict):
        yield from (str(key) for key in value)
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(one)


def yaml(path):
    import yaml

    # CloudFormation reads YAML 1.1, and so does this.
    return leaves(yaml.safe_load(open(path, encoding="utf-8")))


def cloudformation(path):
    from cfnlint.decode import decode

    template, matches = decode(path)
    assert not matches, matches
    functions = {key for key in keys(template) if key.startswith("Fn::") or key in {"Condition", "Transform"}}
    assert not functions, functions
    return leaves(template)


def csv(path):
    import csv

    rows = list(csv.reader(open(path, encoding="utf-8", newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    return (cell for row in rows for cell in row)


def graphml(path):
    import networkx

    graph = networkx.read_graphml(path, force_multigraph=True)
    return (label for _, label in graph.nodes(data="label"))


def dot(path):
    import pydot

    (graph,) = pydot.graph_from_dot_file(path)
    labels = (node.get("label") for node in graph.get_nodes())
    # As Graphviz reads a quoted text.
    return (label[1:-1].replace('\\"', '"').replace("\\\\", "\\").replace("&amp;", "&") for label in labels if label)


def sql(path):
    import duckdb

    rows = duckdb.connect().execute(open(path, encoding="utf-8").read()).fetchall()
    return (cell for row in rows for cell in row if isinstance(cell, str))


form, path = sys.argv[1:]
print(json.dumps(list({"yaml": yaml, "cloudformation": cloudformation, "csv": csv, "graphml": graphml, "dot": dot, "sql": sql}[form](path))))
