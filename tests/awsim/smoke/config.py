"""AWS Config as boto3 and the AWS CLI see it: a member's recorder and channel, and the organization's aggregator."""

import json
import os
import subprocess
import urllib.request

import boto3
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
REGION = "eu-central-1"
BUCKET = "smoke-config-logs"
SERVICE = "config.amazonaws.com"

organizations = boto3.client("organizations", region_name="us-east-1")


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


def create_account(name):
    begun = organizations.create_account(Email=f"{name}@example.com", AccountName=name)
    control("clock", {"advance_seconds": 600})
    request = begun["CreateAccountStatus"]["Id"]
    status = organizations.describe_create_account_status(CreateAccountRequestId=request)
    return status["CreateAccountStatus"]["AccountId"]


def credentials(account, **more):
    """The keys of a session inside an account."""
    session = boto3.client("sts", region_name=REGION).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="smoke", **more)
    return session["Credentials"]


def inside(service, keys, region=REGION):
    return boto3.client(
        service, region_name=region, aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])


def aws(keys, *arguments):
    """What the AWS CLI makes of a call inside an account."""
    environment = {
        **os.environ, "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"], "AWS_SESSION_TOKEN": keys["SessionToken"]}
    answer = subprocess.run(
        ["aws", "--region", REGION, "--output", "json", "configservice", *arguments],
        check=True, capture_output=True, text=True, env=environment)
    return json.loads(answer.stdout) if answer.stdout.strip() else None


def open_bucket(s3, account):
    """Lets Config write for one account."""
    principal, bucket = {"Service": SERVICE}, f"arn:aws:s3:::{BUCKET}"
    source = {"StringEquals": {"aws:SourceAccount": account}}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
         "Resource": bucket, "Condition": source},
        {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject",
         "Resource": f"{bucket}/AWSLogs/{account}/Config/*",
         "Condition": {"StringEquals": {**source["StringEquals"], "s3:x-amz-acl": "bucket-owner-full-control"}}},
    ]}))


member = create_account("smoke-config-member")
keys = credentials(member)
config = inside("config", keys)
s3 = boto3.client("s3", region_name=REGION)
s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
role = f"arn:aws:iam::{member}:role/aws-service-role/{SERVICE}/AWSServiceRoleForConfig"
recorder = {"name": "default", "roleARN": role, "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True}}
channel = {"name": "default", "s3BucketName": BUCKET, "configSnapshotDeliveryProperties": {"deliveryFrequency": "Six_Hours"}}

# Recorder, channel, start: in this order, and each with what it needs.
assert config.describe_configuration_recorders()["ConfigurationRecorders"] == []
refused("InvalidRoleException", config.put_configuration_recorder, ConfigurationRecorder=recorder)
inside("iam", keys).create_service_linked_role(AWSServiceName=SERVICE)
refused("NoAvailableConfigurationRecorderException", config.put_delivery_channel, DeliveryChannel=channel)
contradiction = {**recorder, "recordingGroup": {"allSupported": True, "resourceTypes": ["AWS::S3::Bucket"]}}
refused("InvalidRecordingGroupException", config.put_configuration_recorder, ConfigurationRecorder=contradiction)
only_config = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "config:*", "Resource": "*"}]}
narrow = inside("config", credentials(member, Policy=json.dumps(only_config)))
refused("AccessDeniedException", narrow.put_configuration_recorder, ConfigurationRecorder=recorder)
config.put_configuration_recorder(ConfigurationRecorder=recorder)
refused("MaxNumberOfConfigurationRecordersExceededException",
        config.put_configuration_recorder, ConfigurationRecorder={**recorder, "name": "second"})
refused("NoAvailableDeliveryChannelException", config.start_configuration_recorder, ConfigurationRecorderName="default")
refused("NoSuchBucketException", config.put_delivery_channel, DeliveryChannel={**channel, "s3BucketName": "smoke-nowhere"})
refused("InsufficientDeliveryPolicyException", config.put_delivery_channel, DeliveryChannel=channel)
open_bucket(s3, member)
config.put_delivery_channel(DeliveryChannel=channel)
refused("MaxNumberOfDeliveryChannelsExceededException", config.put_delivery_channel, DeliveryChannel={**channel, "name": "second"})
config.start_configuration_recorder(ConfigurationRecorderName="default")

# What is there is what was put.
[described] = config.describe_configuration_recorders()["ConfigurationRecorders"]
assert described["roleARN"] == role and described["recordingGroup"]["includeGlobalResourceTypes"], described
assert config.describe_delivery_channels()["DeliveryChannels"] == [channel]
[status] = config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
assert status["recording"] and status["lastStartTime"].tzinfo is not None, status
control("clock", {"advance_seconds": 60})
[status] = aws(keys, "describe-configuration-recorder-status")["ConfigurationRecordersStatus"]
assert status["lastStatus"] == "SUCCESS", status
[delivery] = config.describe_delivery_channel_status()["DeliveryChannelsStatus"]
assert delivery["configStreamDeliveryInfo"]["lastStatus"] == "SUCCESS", delivery
assert inside("config", keys, "us-west-2").describe_delivery_channels()["DeliveryChannels"] == []
refused("NoSuchConfigurationRecorderException", config.describe_configuration_recorders, ConfigurationRecorderNames=["other"])

# Rules, retention and tags.
source = {"Owner": "AWS", "SourceIdentifier": "S3_BUCKET_VERSIONING_ENABLED"}
config.put_config_rule(ConfigRule={"ConfigRuleName": "versioning", "Source": source}, Tags=[{"Key": "owner", "Value": "platform"}])
[rule] = config.describe_config_rules()["ConfigRules"]
assert config.list_tags_for_resource(ResourceArn=rule["ConfigRuleArn"])["Tags"] == [{"Key": "owner", "Value": "platform"}]
config.tag_resource(ResourceArn=described["arn"], Tags=[{"Key": "stage", "Value": "smoke"}])
config.delete_config_rule(ConfigRuleName="versioning")
config.put_retention_configuration(RetentionPeriodInDays=365)
assert config.describe_retention_configurations()["RetentionConfigurations"] == [{"Name": "default", "RetentionPeriodInDays": 365}]

# The aggregator belongs to the delegated administrator.
aggregator = {"ConfigurationAggregatorName": "organization",
              "OrganizationAggregationSource": {"RoleArn": role, "AllAwsRegions": True}}
refused("OrganizationAccessDeniedException", config.put_configuration_aggregator, **aggregator)
organizations.enable_aws_service_access(ServicePrincipal=SERVICE)
organizations.register_delegated_administrator(AccountId=member, ServicePrincipal=SERVICE)
made = config.put_configuration_aggregator(**aggregator)["ConfigurationAggregator"]
assert config.describe_configuration_aggregators()["ConfigurationAggregators"] == [made]
sources = config.describe_configuration_aggregator_sources_status(ConfigurationAggregatorName="organization")
assert (member, "SUCCEEDED") in [(s["SourceId"], s["LastUpdateStatus"]) for s in sources["AggregatedSourceStatusList"]], sources
config.delete_configuration_aggregator(ConfigurationAggregatorName="organization")
refused("NoSuchConfigurationAggregatorException", config.delete_configuration_aggregator, ConfigurationAggregatorName="organization")

# Tampering shows, and a running recorder keeps its channel.
refused("LastDeliveryChannelDeleteFailedException", config.delete_delivery_channel, DeliveryChannelName="default")
control("tamper", {"service": "config", "action": "stop_recorder", "account": member, "region": REGION})
[status] = aws(keys, "describe-configuration-recorder-status")["ConfigurationRecordersStatus"]
assert status["recording"] is False and "lastStopTime" in status, status
assert aws(keys, "delete-delivery-channel", "--delivery-channel-name", "default") is None
config.delete_configuration_recorder(ConfigurationRecorderName="default")
assert aws(keys, "describe-configuration-recorders") == {"ConfigurationRecorders": []}
print("config: boto3 and the AWS CLI agree")
