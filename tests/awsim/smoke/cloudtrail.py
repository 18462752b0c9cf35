"""CloudTrail as boto3 and the AWS CLI see it: the organization trail, from the management account and from a member."""

import json
import os
import subprocess
import urllib.request

import boto3
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOME, AWAY = "eu-central-1", "us-west-2"
BUCKET, TRAIL = "smoke-trail-logs", "smoke-organization"
SERVICE = "cloudtrail.amazonaws.com"

organizations = boto3.client("organizations", region_name="us-east-1")
cloudtrail = boto3.client("cloudtrail", region_name=HOME)
management = boto3.client("sts", region_name=HOME).get_caller_identity()["Account"]


def control(path, body):
    """Asks the simulator itself."""
    with urllib.request.urlopen(f"{ENDPOINT}/_awsim/{path}", json.dumps(body).encode()) as response:
        return json.load(response)


def refused(code, call, **arguments):
    """Wants AWS's refusal `code`."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"wanted {code}")


def aws(*arguments):
    """What the AWS CLI makes of a call."""
    answer = subprocess.run(
        ["aws", "--region", HOME, "--output", "json", "cloudtrail", *arguments],
        check=True, capture_output=True, text=True)
    return json.loads(answer.stdout) if answer.stdout.strip() else None


def create_account(name):
    begun = organizations.create_account(Email=f"{name}@example.com", AccountName=name)
    control("clock", {"advance_seconds": 600})
    request = begun["CreateAccountStatus"]["Id"]
    status = organizations.describe_create_account_status(CreateAccountRequestId=request)
    return status["CreateAccountStatus"]["AccountId"]


def inside(account, region, **more):
    """CloudTrail, called from inside an account."""
    session = boto3.client("sts", region_name=HOME).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="smoke", **more)
    keys = session["Credentials"]
    return boto3.client(
        "cloudtrail", region_name=region, aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])


def open_bucket(s3, name):
    """Lets CloudTrail write for an organization trail of this name."""
    organization = organizations.describe_organization()["Organization"]["Id"]
    source = {"aws:SourceArn": f"arn:aws:cloudtrail:{HOME}:{management}:trail/{name}"}
    objects = [f"arn:aws:s3:::{BUCKET}/AWSLogs/{folder}/*" for folder in (management, organization)]
    principal = {"Service": SERVICE}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": "s3:GetBucketAcl",
         "Resource": f"arn:aws:s3:::{BUCKET}", "Condition": {"StringEquals": source}},
        {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": objects,
         "Condition": {"StringEquals": {**source, "s3:x-amz-acl": "bucket-owner-full-control"}}},
    ]}))


member = create_account("smoke-trail-member")
s3 = boto3.client("s3", region_name=HOME)
s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HOME})
wanted = {"Name": TRAIL, "S3BucketName": BUCKET, "IsMultiRegionTrail": True, "IsOrganizationTrail": True}

# What must be there first.
refused("CloudTrailAccessNotEnabledException", cloudtrail.create_trail, **wanted)
organizations.enable_aws_service_access(ServicePrincipal=SERVICE)
refused("S3BucketDoesNotExistException", cloudtrail.create_trail, **{**wanted, "S3BucketName": "smoke-nowhere"})
refused("InsufficientS3BucketPolicyException", cloudtrail.create_trail, **wanted)
refused("InvalidTrailNameException", cloudtrail.create_trail, **{**wanted, "Name": "no good"})
refused("NotOrganizationMasterAccountException", inside(member, HOME).create_trail, **wanted)
open_bucket(s3, TRAIL)
trail = cloudtrail.create_trail(**wanted, EnableLogFileValidation=True, TagsList=[{"Key": "owner", "Value": "platform"}])
arn = trail["TrailARN"]
assert trail["IsOrganizationTrail"] and trail["LogFileValidationEnabled"], trail
refused("TrailAlreadyExistsException", cloudtrail.create_trail, **wanted)

# It logs when it is told to.
status = cloudtrail.get_trail_status(Name=TRAIL)
assert status["IsLogging"] is False and "StartLoggingTime" not in status, status
cloudtrail.start_logging(Name=arn)
control("clock", {"advance_seconds": 600})
status = cloudtrail.get_trail_status(Name=TRAIL)
assert status["IsLogging"] and status["LatestDeliveryTime"] > status["StartLoggingTime"], status

# Members see it in every Region, by ARN, and cannot touch it.
for account in (member, create_account("smoke-trail-later")):
    for region in (HOME, AWAY):
        there = inside(account, region)
        seen = there.describe_trails()["trailList"]
        assert [(t["TrailARN"], t["HomeRegion"], t["IsOrganizationTrail"]) for t in seen] == [(arn, HOME, True)], seen
        assert there.describe_trails(includeShadowTrails=False)["trailList"] == []
        assert there.get_trail(Name=arn)["Trail"]["Name"] == TRAIL
        assert there.get_trail_status(Name=arn)["IsLogging"] is True
        assert there.list_trails()["Trails"][0]["TrailARN"] == arn
        refused("TrailNotFoundException", there.get_trail_status, Name=TRAIL)
        refused("CloudTrailARNInvalidException", there.list_tags, ResourceIdList=[arn])
    refused("NotOrganizationMasterAccountException", inside(account, HOME).stop_logging, Name=arn)
    refused("NotOrganizationMasterAccountException", inside(account, HOME).delete_trail, Name=arn)

# It is changed at home.
away = boto3.client("cloudtrail", region_name=AWAY)
refused("InvalidHomeRegionException", away.stop_logging, Name=arn)
assert cloudtrail.update_trail(Name=arn, EnableLogFileValidation=False)["LogFileValidationEnabled"] is False
management_events = [{"Field": "eventCategory", "Equals": ["Management"]}]
cloudtrail.put_event_selectors(TrailName=TRAIL, AdvancedEventSelectors=[{"FieldSelectors": management_events}])
assert cloudtrail.get_event_selectors(TrailName=arn)["AdvancedEventSelectors"][0]["FieldSelectors"] == management_events
refused("InvalidEventSelectorsException", cloudtrail.put_event_selectors, TrailName=TRAIL, EventSelectors=[{}] * 6)
cloudtrail.add_tags(ResourceId=arn, TagsList=[{"Key": "stage", "Value": "smoke"}])
cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": "owner"}])
tags = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
assert tags == [{"ResourceId": arn, "TagsList": [{"Key": "stage", "Value": "smoke"}]}], tags
assert cloudtrail.lookup_events()["Events"] == []

# A delegated administrator uses the ARN, and his own permissions must cover what CloudTrail asks for him.
organizations.register_delegated_administrator(AccountId=member, ServicePrincipal=SERVICE)
administrator = inside(member, HOME)
refused("TrailNotFoundException", administrator.stop_logging, Name=TRAIL)
administrator.stop_logging(Name=arn)
assert cloudtrail.get_trail_status(Name=arn)["IsLogging"] is False
only_cloudtrail = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "cloudtrail:*", "Resource": "*"}]}
narrow = inside(member, HOME, Policy=json.dumps(only_cloudtrail))
refused("InsufficientDependencyServiceAccessPermissionException", narrow.update_trail, Name=arn, EnableLogFileValidation=True)

# The AWS CLI agrees, and tampering shows.
assert aws("describe-trails")["trailList"][0]["TrailARN"] == arn
assert aws("start-logging", "--name", TRAIL) is None
assert aws("get-trail-status", "--name", arn)["IsLogging"] is True
control("tamper", {"service": "cloudtrail", "action": "stop_logging"})
assert aws("get-trail-status", "--name", arn)["IsLogging"] is False
aws("delete-trail", "--name", TRAIL)
refused("TrailNotFoundException", cloudtrail.get_trail, Name=TRAIL)
assert inside(member, AWAY).describe_trails()["trailList"] == []
print("cloudtrail: boto3 and the AWS CLI agree")
