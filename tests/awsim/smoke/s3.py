"""S3 as boto3 and the AWS CLI see it."""

import json
import os
import subprocess
import sys

import boto3
from botocore.exceptions import ClientError

REGION = "eu-central-1"
BUCKET = "smoke-logs"


def refused(code, call, **arguments):
    """Wants AWS's refusal `code`."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"wanted {code}")


def aws(endpoint, *arguments):
    """What the AWS CLI makes of a call."""
    answer = subprocess.run(
        ["aws", "--endpoint-url", endpoint, "--region", REGION, "--output", "json", *arguments],
        check=True, capture_output=True, text=True)
    return json.loads(answer.stdout) if answer.stdout.strip() else None


def buckets(s3, endpoint):
    here = {"LocationConstraint": REGION}
    refused("IllegalLocationConstraintException", s3.create_bucket, Bucket=BUCKET)
    refused("InvalidBucketName", s3.create_bucket, Bucket="a..b", CreateBucketConfiguration=here)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=here)
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=BUCKET, CreateBucketConfiguration=here)
    assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION
    missing = refused("404", s3.head_bucket, Bucket="smoke-nobody")
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404, missing
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
    listed = s3.list_buckets()
    assert [bucket["Name"] for bucket in listed["Buckets"]] == [BUCKET], listed
    assert listed["Buckets"][0]["CreationDate"].tzinfo is not None
    assert s3.get_bucket_acl(Bucket=BUCKET)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert aws(endpoint, "s3api", "list-buckets")["Buckets"][0]["Name"] == BUCKET

    other = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    other.create_bucket(Bucket="smoke-us")
    other.create_bucket(Bucket="smoke-us")
    assert other.get_bucket_location(Bucket="smoke-us")["LocationConstraint"] is None
    # boto3 follows the redirect to the bucket's Region.
    assert other.get_bucket_versioning(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"] == 200
    other.delete_bucket(Bucket="smoke-us")


def settings(s3, endpoint):
    rule = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}, rule
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]})
    rule = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["BucketKeyEnabled"] is True, rule
    s3.delete_bucket_encryption(Bucket=BUCKET)

    block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert all(block.values()) and len(block) == 4, block
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={**block, "BlockPublicAcls": False})
    assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is False
    s3.delete_public_access_block(Bucket=BUCKET)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=BUCKET)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)

    rules = s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}], rules
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    s3.delete_bucket_ownership_controls(Bucket=BUCKET)
    refused("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=BUCKET)
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": rules})

    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert aws(endpoint, "s3api", "get-bucket-versioning", "--bucket", BUCKET)["Status"] == "Enabled"

    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=BUCKET)
    tags = [{"Key": "team", "Value": "platform & co"}]
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=BUCKET)

    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=BUCKET)
    lifecycle = [{
        "ID": "keep", "Status": "Enabled", "Filter": {"Prefix": "AWSLogs/"},
        "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}], "Expiration": {"Days": 365},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}]
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": lifecycle})
    assert s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"] == lifecycle
    s3.delete_bucket_lifecycle(Bucket=BUCKET)

    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=BUCKET)
    logging = {"TargetBucket": BUCKET, "TargetPrefix": "access/"}
    s3.put_bucket_logging(Bucket=BUCKET, BucketLoggingStatus={"LoggingEnabled": logging})
    assert s3.get_bucket_logging(Bucket=BUCKET)["LoggingEnabled"] == logging
    s3.put_bucket_logging(Bucket=BUCKET, BucketLoggingStatus={})


def policies(s3, endpoint):
    def document(principal, **more):
        return json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{BUCKET}", **more}]})

    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=BUCKET)
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket=BUCKET, Policy="{}")
    refused("AccessDenied", s3.put_bucket_policy, Bucket=BUCKET, Policy=document("*"))
    trail = document({"Service": "cloudtrail.amazonaws.com"})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=trail)
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == trail
    assert s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"] == {"IsPublic": False}
    assert json.loads(aws(endpoint, "s3api", "get-bucket-policy", "--bucket", BUCKET)["Policy"]) == json.loads(trail)
    s3.delete_bucket_policy(Bucket=BUCKET)


def objects(s3, endpoint):
    for key in ("AWSLogs/a b.json", "AWSLogs/ü&<.json", "top"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"one", ContentType="application/json", Metadata={"source": "smoke"})
    s3.put_object(Bucket=BUCKET, Key="top", Body=b"two")
    answer = s3.get_object(Bucket=BUCKET, Key="top")
    assert answer["Body"].read() == b"two" and answer["ContentLength"] == 3, answer
    head = s3.head_object(Bucket=BUCKET, Key="AWSLogs/a b.json")
    assert head["Metadata"] == {"source": "smoke"} and head["ContentType"] == "application/json", head
    refused("NoSuchKey", s3.get_object, Bucket=BUCKET, Key="none")
    refused("404", s3.head_object, Bucket=BUCKET, Key="none")
    page = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [o["Key"] for o in page["Contents"]] == ["top"], page
    assert page["CommonPrefixes"] == [{"Prefix": "AWSLogs/"}], page
    keys = [o["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}) for o in p["Contents"]]
    assert keys == ["AWSLogs/a b.json", "AWSLogs/ü&<.json", "top"], keys
    assert aws(endpoint, "s3api", "list-objects-v2", "--bucket", BUCKET, "--prefix", "top")["Contents"][0]["Size"] == 3
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=BUCKET)
    s3.delete_object(Bucket=BUCKET, Key="top")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]})
    s3.delete_bucket(Bucket=BUCKET)
    refused("NoSuchBucket", s3.get_bucket_versioning, Bucket=BUCKET)


def main(endpoint):
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    buckets(s3, endpoint)
    settings(s3, endpoint)
    policies(s3, endpoint)
    objects(s3, endpoint)
    print("s3: ok")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AWSIMMANAGEMENT0000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4566")
