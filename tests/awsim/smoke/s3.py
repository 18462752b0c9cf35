"""S3 as boto3 and the AWS CLI see it."""

import json

from smoke import main, refused

REGION = "eu-central-1"
BUCKET = "smoke-logs"


def bucket(awsim, credentials=None):
    """A client of S3 in REGION, and the bucket BUCKET."""
    s3 = awsim.client("s3", REGION, credentials)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return s3


def test_buckets(awsim):
    s3 = awsim.client("s3", REGION)
    here = {"LocationConstraint": REGION}
    with refused("IllegalLocationConstraintException"):
        s3.create_bucket(Bucket=BUCKET)
    with refused("InvalidBucketName"):
        s3.create_bucket(Bucket="a..b", CreateBucketConfiguration=here)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=here)
    with refused("BucketAlreadyOwnedByYou"):
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=here)
    assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION
    with refused("404"):
        s3.head_bucket(Bucket="smoke-nobody")
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
    listed = s3.list_buckets()
    assert [bucket["Name"] for bucket in listed["Buckets"]] == [BUCKET], listed
    assert listed["Buckets"][0]["CreationDate"].tzinfo is not None
    assert s3.get_bucket_acl(Bucket=BUCKET)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert awsim.cli("--region", REGION, "s3api", "list-buckets")["Buckets"][0]["Name"] == BUCKET

    other = awsim.client("s3", "us-east-1")
    other.create_bucket(Bucket="smoke-us")
    other.create_bucket(Bucket="smoke-us")
    assert other.get_bucket_location(Bucket="smoke-us")["LocationConstraint"] is None
    # boto3 follows the redirect to the bucket's Region.
    assert other.get_bucket_versioning(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"] == 200
    other.delete_bucket(Bucket="smoke-us")


def test_settings(awsim):
    s3 = bucket(awsim)
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
    with refused("NoSuchPublicAccessBlockConfiguration"):
        s3.get_public_access_block(Bucket=BUCKET)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)

    rules = s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}], rules
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    s3.delete_bucket_ownership_controls(Bucket=BUCKET)
    with refused("OwnershipControlsNotFoundError"):
        s3.get_bucket_ownership_controls(Bucket=BUCKET)
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": rules})

    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert awsim.cli("--region", REGION, "s3api", "get-bucket-versioning", "--bucket", BUCKET)["Status"] == "Enabled"

    with refused("NoSuchTagSet"):

        s3.get_bucket_tagging(Bucket=BUCKET)
    tags = [{"Key": "team", "Value": "platform & co"}]
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=BUCKET)

    with refused("NoSuchLifecycleConfiguration"):

        s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)
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


def test_policies(awsim):
    s3 = bucket(awsim)
    def document(principal, **more):
        return json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{BUCKET}", **more}]})

    with refused("NoSuchBucketPolicy"):

        s3.get_bucket_policy(Bucket=BUCKET)
    with refused("MalformedPolicy"):
        s3.put_bucket_policy(Bucket=BUCKET, Policy="{}")
    with refused("AccessDenied"):
        s3.put_bucket_policy(Bucket=BUCKET, Policy=document("*"))
    trail = document({"Service": "cloudtrail.amazonaws.com"})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=trail)
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == trail
    assert s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"] == {"IsPublic": False}
    assert json.loads(awsim.cli("--region", REGION, "s3api", "get-bucket-policy", "--bucket", BUCKET)["Policy"]) == json.loads(trail)
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_objects(awsim):
    # As a session, so that the signatures over these keys are verified.
    s3 = bucket(awsim, awsim.assume(awsim.account("member")))
    for key in ("AWSLogs/a b.json", "AWSLogs/ü&<.json", "top"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"one", ContentType="application/json", Metadata={"source": "smoke"})
    s3.put_object(Bucket=BUCKET, Key="top", Body=b"two")
    answer = s3.get_object(Bucket=BUCKET, Key="top")
    assert answer["Body"].read() == b"two" and answer["ContentLength"] == 3, answer
    head = s3.head_object(Bucket=BUCKET, Key="AWSLogs/a b.json")
    assert head["Metadata"] == {"source": "smoke"} and head["ContentType"] == "application/json", head
    with refused("NoSuchKey"):
        s3.get_object(Bucket=BUCKET, Key="none")
    with refused("404"):
        s3.head_object(Bucket=BUCKET, Key="none")
    page = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [o["Key"] for o in page["Contents"]] == ["top"], page
    assert page["CommonPrefixes"] == [{"Prefix": "AWSLogs/"}], page
    keys = [o["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}) for o in p["Contents"]]
    assert keys == ["AWSLogs/a b.json", "AWSLogs/ü&<.json", "top"], keys
    with refused("BucketNotEmpty"):
        s3.delete_bucket(Bucket=BUCKET)
    s3.delete_object(Bucket=BUCKET, Key="top")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]})
    s3.delete_bucket(Bucket=BUCKET)
    with refused("NoSuchBucket"):
        s3.get_bucket_versioning(Bucket=BUCKET)


def test_the_command_line(awsim):
    s3 = bucket(awsim)
    s3.put_object(Bucket=BUCKET, Key="top", Body=b"two")
    listed = awsim.cli("--region", REGION, "s3api", "list-objects-v2", "--bucket", BUCKET, "--prefix", "top")
    assert listed["Contents"][0]["Size"] == 3, listed
    head = awsim.cli("--region", REGION, "s3api", "head-object", "--bucket", BUCKET, "--key", "top")
    assert head["ContentLength"] == 3, head


def test_another_account(awsim):
    s3 = bucket(awsim)
    member = awsim.account("member")
    other = awsim.client("s3", REGION, awsim.assume(member))
    with refused("BucketAlreadyExists"):
        other.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    with refused("AccessDenied"):
        other.list_objects_v2(Bucket=BUCKET)
    organization = awsim.client("organizations").describe_organization()["Organization"]["Id"]
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}}}]}))
    other.list_objects_v2(Bucket=BUCKET)
    with refused("AccessDenied"):
        other.put_object(Bucket=BUCKET, Key="x", Body=b"x")


def test_tampering(awsim):
    s3 = bucket(awsim)
    awsim.control("POST", "tamper", {"service": "s3", "action": "remove_public_access_block", "bucket": BUCKET})
    with refused("NoSuchPublicAccessBlockConfiguration"):
        s3.get_public_access_block(Bucket=BUCKET)


main(globals())
