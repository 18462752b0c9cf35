#!/usr/bin/env python3
"""Writes SERVICE.json here from the service models that come with botocore.

    pip install botocore && ./extract.py              # every service below
    ./extract.py sqs                                   # only some

Only facts are taken (operations, HTTP bindings, shapes, constraints, error codes), none of the documentation.
A service whose whole model is too large names in WHOLE[...] the operations that awsim builds: of all others only
the name and the HTTP binding stay, so that a call to one is still known for what it is.
"""

import gzip
import json
import pathlib
import sys

import botocore

EVENTS = (
    "CreateEventBus", "DeleteEventBus", "DeleteRule", "DescribeEventBus", "DescribeRule", "DisableRule", "EnableRule",
    "ListEventBuses", "ListRules", "ListTargetsByRule", "PutEvents", "PutPermission", "PutRule", "PutTargets",
    "RemovePermission", "RemoveTargets", "TestEventPattern",
)

# Service folder in botocore -> None for everything, or the operations whose shapes stay.
WHOLE = {
    "accessanalyzer": ["CreateAnalyzer", "DeleteAnalyzer", "GetAnalyzer", "ListAnalyzers", "ListTagsForResource", "TagResource", "UntagResource", "ValidatePolicy"],
    "account": None,
    "cloudtrail": None,
    "config": None,
    "ec2": (
        "CreateDefaultVpc",
        "CreateTags",
        "DeleteInternetGateway",
        "DeleteSubnet",
        "DeleteVpc",
        "DescribeInternetGateways",
        "DescribeNetworkAcls",
        "DescribeNetworkInterfaces",
        "DescribeRouteTables",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
        "DetachInternetGateway",
        "DisableEbsEncryptionByDefault",
        "DisableImageBlockPublicAccess",
        "DisableSerialConsoleAccess",
        "DisableSnapshotBlockPublicAccess",
        "EnableEbsEncryptionByDefault",
        "EnableImageBlockPublicAccess",
        "EnableSerialConsoleAccess",
        "EnableSnapshotBlockPublicAccess",
        "GetEbsEncryptionByDefault",
        "GetImageBlockPublicAccessState",
        "GetInstanceMetadataDefaults",
        "GetSerialConsoleAccessStatus",
        "GetSnapshotBlockPublicAccessState",
        "ModifyInstanceMetadataDefaults",
    ),
    "events": EVENTS,
    "guardduty": None,
    "iam": None,
    "organizations": None,
    "s3": None,
    "s3control": ["DeletePublicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock"],
    "securityhub": None,
    "sqs": None,
    "sts": None,
}

METADATA = ("apiVersion", "jsonVersion", "protocol", "signingName", "endpointPrefix", "targetPrefix", "xmlNamespace",
            "awsQueryCompatible")
SHAPE = ("type", "enum", "pattern", "min", "max", "flattened", "payload", "timestampFormat", "document", "union")
REFERENCE = ("shape", "location", "locationName", "flattened", "xmlAttribute", "xmlNamespace", "streaming")


def only(source, keys):
    return {key: source[key] for key in keys if key in source}


def shape(source):
    out = only(source, SHAPE)
    if source.get("required"):
        out["required"] = source["required"]
    if "members" in source:
        out["members"] = {name: only(member, REFERENCE) for name, member in source["members"].items()}
    for reference in ("member", "key", "value"):
        if reference in source:
            out[reference] = only(source[reference], REFERENCE)
    if "locationName" in source:
        out["locationName"] = source["locationName"]
    if source.get("exception"):
        out["error"] = only(source.get("error", {}), ("code", "httpStatusCode"))
    return out


def operation(source, whole):
    http = source["http"]
    out = {"method": http["method"], "uri": http["requestUri"]}
    if http.get("responseCode", 200) != 200:
        out["status"] = http["responseCode"]
    if source.get("deprecated"):
        out["deprecated"] = True
    if whole:
        for side in ("input", "output"):
            if side in source:
                out[side] = source[side]["shape"]
        if "resultWrapper" in source.get("output", {}):
            out["resultWrapper"] = source["output"]["resultWrapper"]
        out["errors"] = [error["shape"] for error in source.get("errors", [])]
    return out


def reachable(shapes, roots):
    seen, waiting = set(), list(roots)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        source = shapes[name]
        references = list(source.get("members", {}).values())
        references += [source[key] for key in ("member", "key", "value") if key in source]
        waiting += [reference["shape"] for reference in references]
    return seen


def extract(service):
    folder = pathlib.Path(botocore.__file__).parent / "data" / service
    version = max(path.name for path in folder.iterdir() if path.is_dir())
    with gzip.open(folder / version / "service-2.json.gz") as file:
        source = json.load(file)
    built = WHOLE[service]
    operations = {
        name: operation(source["operations"][name], built is None or name in built)
        for name in sorted(source["operations"])
    }
    roots = set()
    for entry in operations.values():
        roots |= {entry[side] for side in ("input", "output") if side in entry} | set(entry.get("errors", []))
    roots |= {name for name, entry in source["shapes"].items() if entry.get("exception")}
    names = sorted(reachable(source["shapes"], roots))
    return {
        "source": f"botocore {botocore.__version__}, {service} {version}",
        "metadata": only(source["metadata"], METADATA),
        "operations": operations,
        "shapes": {name: shape(source["shapes"][name]) for name in names},
    }


def write(model, path):
    """One operation or shape a line: small, and a new version of the model is a diff that can be read."""
    line = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    with path.open("w") as file:
        file.write(f'{{"source":{line(model["source"])},\n"metadata":{line(model["metadata"])}')
        for part in ("operations", "shapes"):
            rows = ",\n".join(f"{line(name)}:{line(value)}" for name, value in model[part].items())
            file.write(f',\n"{part}":{{\n{rows}\n}}')
        file.write("\n}\n")


for service in sys.argv[1:] or WHOLE:
    write(extract(service), pathlib.Path(__file__).parent / f"{service}.json")
