"""Security Hub as boto3 and the AWS CLI see it: hubs, standards, members, findings."""

import json
import os
import subprocess
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

REGIONS = ["us-east-1", "eu-west-1"]
FSBP = "arn:aws:securityhub:us-east-1::standards/aws-foundational-security-best-practices/v/1.0.0"
CIS_1_2 = "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0"


def refused(code, status, call, **arguments):
    """Wants AWS's refusal `code` with its HTTP status."""
    try:
        call(**arguments)
    except ClientError as error:
        told = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert told == (code, status), error
        return
    raise AssertionError(f"wanted {code}")


def aws(endpoint, *arguments):
    """What the AWS CLI makes of a call."""
    answer = subprocess.run(
        ["aws", "--endpoint-url", endpoint, "--output", "json", *arguments], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout) if answer.stdout.strip() else None


def wait(endpoint, seconds):
    """Moves the simulator's clock."""
    body = json.dumps({"advance_seconds": seconds}).encode()
    with urllib.request.urlopen(f"{endpoint}/_awsim/clock", body) as response:
        return json.load(response)


def account(endpoint, name):
    """A new account: its id, and what makes clients for a service in it."""
    organizations = boto3.client("organizations", endpoint_url=endpoint)
    status = organizations.create_account(Email=f"{name}@example.com", AccountName=name)["CreateAccountStatus"]
    wait(endpoint, 120)
    status = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
    role = f"arn:aws:iam::{status['AccountId']}:role/OrganizationAccountAccessRole"
    keys = boto3.client("sts", endpoint_url=endpoint).assume_role(RoleArn=role, RoleSessionName="smoke")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    def client(service, region="us-east-1"):
        return session.client(service, endpoint_url=endpoint, region_name=region)

    return status["AccountId"], client


def hub(securityhub, endpoint):
    refused("InvalidAccessException", 401, securityhub.describe_hub)
    securityhub.enable_security_hub(EnableDefaultStandards=False, Tags={"team": "platform"})
    refused("ResourceConflictException", 409, securityhub.enable_security_hub)
    securityhub.update_security_hub_configuration(AutoEnableControls=False)
    described = securityhub.describe_hub()
    assert not described["AutoEnableControls"] and described["ControlFindingGenerator"] == "SECURITY_CONTROL", described
    assert aws(endpoint, "securityhub", "describe-hub")["HubArn"] == described["HubArn"]
    arn = described["HubArn"]
    securityhub.tag_resource(ResourceArn=arn, Tags={"stage": "prod"})
    securityhub.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert securityhub.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"stage": "prod"}


def record(client, account):
    """Lets Config record in an account."""
    bucket = f"smoke-config-{account}"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "config.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:ListBucket", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}))
    role = client("iam").create_service_linked_role(AWSServiceName="config.amazonaws.com")["Role"]["Arn"]
    config = client("config")
    config.put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": role})
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": bucket})
    config.start_configuration_recorder(ConfigurationRecorderName="default")


def standards(endpoint):
    owner, client = account(endpoint, "securityhub-standards")
    securityhub = client("securityhub")
    securityhub.enable_security_hub(EnableDefaultStandards=False)
    known = {standard["StandardsArn"]: standard for page in
             securityhub.get_paginator("describe_standards").paginate(PaginationConfig={"PageSize": 3})
             for standard in page["Standards"]}
    assert {arn for arn, standard in known.items() if standard["EnabledByDefault"]} == {FSBP, CIS_1_2}, known

    def enable(arn):
        return securityhub.batch_enable_standards(
            StandardsSubscriptionRequests=[{"StandardsArn": arn}])["StandardsSubscriptions"][0]

    def status(subscription):
        arns = [subscription["StandardsSubscriptionArn"]]
        return securityhub.get_enabled_standards(StandardsSubscriptionArns=arns)["StandardsSubscriptions"][0]

    early = enable(CIS_1_2)
    assert early["StandardsStatus"] == "PENDING", early
    record(client, owner)
    late = enable(FSBP)
    wait(endpoint, 30)
    assert status(late)["StandardsStatus"] == "READY", status(late)
    assert status(early)["StandardsStatusReason"]["StatusReasonCode"] == "NO_AVAILABLE_CONFIGURATION_RECORDER"
    refused("InvalidInputException", 400, enable, arn=FSBP.replace("us-east-1", "eu-west-1"))

    def disable(subscription):
        arns = [subscription["StandardsSubscriptionArn"]]
        return securityhub.batch_disable_standards(StandardsSubscriptionArns=arns)["StandardsSubscriptions"][0]

    assert disable(early)["StandardsStatus"] == "DELETING"
    wait(endpoint, 10)
    assert [it["StandardsArn"] for it in securityhub.get_enabled_standards()["StandardsSubscriptions"]] == [FSBP]
    enable(CIS_1_2)
    wait(endpoint, 30)
    assert status(early)["StandardsStatus"] == "READY"


def organization(endpoint):
    security, there = account(endpoint, "securityhub-security")
    member, in_member = account(endpoint, "securityhub-member")
    first, second = (boto3.client("securityhub", endpoint_url=endpoint, region_name=region) for region in REGIONS)
    first.enable_organization_admin_account(AdminAccountId=security)
    refused("ResourceConflictException", 409, second.enable_organization_admin_account, AdminAccountId=security)
    wait(endpoint, 1)
    aws(endpoint, "securityhub", "enable-organization-admin-account", "--admin-account-id", security, "--region", REGIONS[1])
    assert second.list_organization_admin_accounts()["AdminAccounts"] == [{"AccountId": security, "Status": "ENABLED"}]

    securityhub, theirs = there("securityhub"), in_member("securityhub")
    securityhub.update_organization_configuration(AutoEnable=True, AutoEnableStandards="NONE")
    settings = securityhub.describe_organization_configuration()
    assert settings["AutoEnable"] and settings["AutoEnableStandards"] == "NONE", settings
    refused("InvalidAccessException", 401, first.describe_organization_configuration)
    left_out = securityhub.create_members(AccountDetails=[{"AccountId": member}, {"AccountId": "999999999999"}])
    assert [entry["AccountId"] for entry in left_out["UnprocessedAccounts"]] == ["999999999999"], left_out
    listed = securityhub.get_paginator("list_members").paginate().build_full_result()["Members"]
    assert [(entry["AccountId"], entry["MemberStatus"]) for entry in listed] == [(member, "Enabled")], listed
    assert listed[0]["UpdatedAt"].tzinfo is not None, listed
    assert theirs.get_administrator_account()["Administrator"]["AccountId"] == security
    assert len(theirs.get_enabled_standards()["StandardsSubscriptions"]) == 2
    refused("InvalidInputException", 400, theirs.disable_security_hub)
    findings(securityhub, theirs, member)
    securityhub.disassociate_members(AccountIds=[member])
    members = securityhub.get_members(AccountIds=[member])["Members"]
    assert members[0]["MemberStatus"] == "Removed", members


def findings(securityhub, theirs, member):
    product = f"arn:aws:securityhub:us-east-1:{member}:product/{member}/default"
    batch = [{
        "SchemaVersion": "2018-10-08", "Id": f"finding-{label}", "ProductArn": product, "GeneratorId": "smoke",
        "AwsAccountId": member, "Types": ["Software and Configuration Checks"], "Severity": {"Label": label},
        "CreatedAt": "2026-01-01T00:00:00Z", "UpdatedAt": "2026-01-01T00:00:00Z", "Title": "Open", "Description": "Open.",
        "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::open"}]} for label in ("LOW", "HIGH", "CRITICAL")]
    assert theirs.batch_import_findings(Findings=batch)["SuccessCount"] == 3
    refused("AccessDeniedException", 403, securityhub.batch_import_findings, Findings=batch)
    found = securityhub.get_findings(
        Filters={"SeverityNormalized": [{"Gte": 70}], "AwsAccountId": [{"Value": member, "Comparison": "EQUALS"}]},
        SortCriteria=[{"Field": "SeverityNormalized", "SortOrder": "desc"}])["Findings"]
    assert [finding["Severity"]["Label"] for finding in found] == ["CRITICAL", "HIGH"], found
    pages = theirs.get_paginator("get_findings").paginate(PaginationConfig={"PageSize": 2})
    assert sum(len(page["Findings"]) for page in pages) == 3


def aggregator(securityhub):
    made = securityhub.create_finding_aggregator(RegionLinkingMode="SPECIFIED_REGIONS", Regions=["eu-west-1"])
    arn = made["FindingAggregatorArn"]
    refused("InvalidInputException", 400, securityhub.create_finding_aggregator, RegionLinkingMode="ALL_REGIONS")
    assert securityhub.list_finding_aggregators()["FindingAggregators"] == [{"FindingAggregatorArn": arn}]
    securityhub.update_finding_aggregator(FindingAggregatorArn=arn, RegionLinkingMode="ALL_REGIONS")
    assert securityhub.get_finding_aggregator(FindingAggregatorArn=arn)["RegionLinkingMode"] == "ALL_REGIONS"
    securityhub.delete_finding_aggregator(FindingAggregatorArn=arn)
    refused("ResourceNotFoundException", 404, securityhub.get_finding_aggregator, FindingAggregatorArn=arn)


def invitation(endpoint):
    """In a Region without a delegated administrator."""
    region = "eu-central-1"
    inviter, there = account(endpoint, "securityhub-inviter")
    guest, in_guest = account(endpoint, "securityhub-guest")
    securityhub, theirs = there("securityhub", region), in_guest("securityhub", region)
    for client in (securityhub, theirs):
        client.enable_security_hub(EnableDefaultStandards=False)
    securityhub.create_members(AccountDetails=[{"AccountId": guest, "Email": "securityhub-guest@example.com"}])
    assert securityhub.invite_members(AccountIds=[guest])["UnprocessedAccounts"] == []
    offer = theirs.list_invitations()["Invitations"][0]
    accept = {"AdministratorId": inviter}
    refused("ResourceNotFoundException", 404, theirs.accept_administrator_invitation, InvitationId="made-up", **accept)
    theirs.accept_administrator_invitation(InvitationId=offer["InvitationId"], **accept)
    assert securityhub.list_members()["Members"][0]["MemberStatus"] == "Enabled"
    theirs.disassociate_from_administrator_account()
    assert securityhub.list_members(OnlyAssociated=False)["Members"][0]["MemberStatus"] == "Resigned"


def main(endpoint):
    securityhub = boto3.client("securityhub", endpoint_url=endpoint)
    hub(securityhub, endpoint)
    aggregator(securityhub)
    standards(endpoint)
    organization(endpoint)
    invitation(endpoint)
    securityhub.disable_security_hub()
    print("securityhub: ok")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AWSIMMANAGEMENT0000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"))
