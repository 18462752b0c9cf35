#!/usr/bin/env python3
"""Writes operations.txt from the service models that come with botocore, and from iam.txt: see README.md.

    pip install botocore && ./operations.py > operations.txt
"""

import gzip
import html
import json
import pathlib
import re
from collections import Counter

import botocore

DATA = pathlib.Path(botocore.__file__).parent / "data"

# A text names an action for another reason than that the caller needs it.
UNTRUE = {
    ("lakeformation", "AssumeDecoratedRoleWithSAML"),  # what the role that is assumed must allow
}


def actions_of_services():
    actions, prefix = {}, ""
    for line in (pathlib.Path(__file__).parent / "iam.txt").read_text().splitlines():
        word, *rest = line.split()
        if word == "s":
            prefix = rest[0]
            actions[prefix] = set()
        elif word == "a":
            actions[prefix].update(rest[1:])
    return actions


def models():
    """The newest model of each service, by botocore's name."""
    for folder in sorted(path for path in DATA.iterdir() if path.is_dir()):
        versions = sorted(folder.glob("*/service-2.json*"))
        if versions:
            text = versions[-1].read_bytes()
            yield folder.name, json.loads(gzip.decompress(text) if versions[-1].suffix == ".gz" else text)


def prefix_of(model, iam):
    """The prefix of the actions that authorise a service's operations, if two sources agree on it."""
    endpoint = model["metadata"]["endpointPrefix"]
    signed = model["metadata"].get("signingName", endpoint)
    operations = set(model["operations"])
    if endpoint in iam:
        return endpoint
    if signed in iam and operations & iam[signed]:
        return signed
    whole = [prefix for prefix, actions in iam.items() if operations <= actions]
    return whole[0] if len(whole) == 1 and len(operations) >= 5 else None


def needed(text, prefix, actions):
    """The one action of the service that the API reference says an operation needs permission for."""
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    named = set()
    for sentence in re.split(r"(?<=[.:])\s+", text):
        found = actions.intersection(re.findall(rf"(?<![\w-]){prefix}:(\w+)", sentence))
        if found and not re.search(r"permission|IAM action|Action element|allowed to perform", sentence):
            return None
        named |= found
    return f"{prefix}:{named.pop()}" if len(named) == 1 else None


def main():
    iam = actions_of_services()
    sources, operations = {}, {}
    for service, model in models():
        prefix = prefix_of(model, iam)
        # CloudTrail names the events of s3-control as those of s3, in its own way: events.txt.
        if prefix is None or service == "s3control":
            continue
        endpoint = model["metadata"]["endpointPrefix"]
        if endpoint != prefix:
            sources.setdefault(endpoint, set()).add(prefix)
        for name, operation in model["operations"].items():
            if name in iam[prefix]:
                continue
            if service in ("apigateway", "apigatewayv2"):
                action = f"apigateway:{operation['http']['method']}"
            else:
                action = needed(operation.get("documentation", ""), prefix, iam[prefix])
            if (service, name) not in UNTRUE:
                operations.setdefault((prefix, name), set()).add(action)
    print("# How operations of AWS's services are authorised, where that is not by an action of the same name.")
    print("# Made by operations.py; do not edit.")
    print(f"source botocore {botocore.__version__}")
    for endpoint, prefixes in sorted(sources.items()):
        if len(prefixes) == 1:
            print("p", endpoint, *prefixes)
    for (prefix, name), actions in sorted(operations.items()):
        if len(actions) == 1 and None not in actions:
            print("e", prefix, name, *actions)


main()
