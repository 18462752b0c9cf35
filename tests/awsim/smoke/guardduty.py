"""GuardDuty as boto3 and the AWS CLI see it: detectors, and both ways to membership."""

import json
import os
import subprocess
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

REGIONS = ["us-east-1", "eu-west-1"]


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


def detectors(guardduty, endpoint):
    created = guardduty.create_detector(
        Enable=True, FindingPublishingFrequency="FIFTEEN_MINUTES", Tags={"team": "platform"},
        Features=[{"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": [
            {"Name": "EC2_AGENT_MANAGEMENT", "Status": "ENABLED"}]}])["DetectorId"]
    assert guardduty.list_detectors()["DetectorIds"] == [created]
    refused("BadRequestException", guardduty.create_detector, Enable=True)
    refused("BadRequestException", guardduty.get_detector, DetectorId="0" * 32)

    guardduty.update_detector(DetectorId=created, Features=[{"Name": "S3_DATA_EVENTS", "Status": "DISABLED"}])
    detector = guardduty.get_detector(DetectorId=created)
    features = {feature["Name"]: feature for feature in detector["Features"]}
    assert features["S3_DATA_EVENTS"]["Status"] == "DISABLED", features
    assert features["RUNTIME_MONITORING"]["Status"] == "ENABLED", features
    assert features["CLOUD_TRAIL"]["UpdatedAt"].tzinfo is not None, features
    assert detector["DataSources"]["S3Logs"]["Status"] == "DISABLED", detector
    assert detector["FindingPublishingFrequency"] == "FIFTEEN_MINUTES" and detector["Tags"] == {"team": "platform"}

    arn = f"arn:aws:guardduty:us-east-1:111111111111:detector/{created}"
    guardduty.tag_resource(ResourceArn=arn, Tags={"stage": "prod"})
    guardduty.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert guardduty.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"stage": "prod"}
    assert aws(endpoint, "guardduty", "get-detector", "--detector-id", created)["Status"] == "ENABLED"
    assert aws(endpoint, "guardduty", "list-detectors")["DetectorIds"] == [created]


def by_organization(endpoint):
    security, there = account(endpoint, "guardduty-security")
    member, in_member = account(endpoint, "guardduty-member")
    first, second = (boto3.client("guardduty", endpoint_url=endpoint, region_name=region) for region in REGIONS)
    first.enable_organization_admin_account(AdminAccountId=security)
    refused("BadRequestException", second.enable_organization_admin_account, AdminAccountId=security)
    wait(endpoint, 1)
    aws(endpoint, "guardduty", "enable-organization-admin-account", "--admin-account-id", security, "--region", REGIONS[1])
    assert first.list_organization_admin_accounts()["AdminAccounts"] == [
        {"AdminAccountId": security, "AdminStatus": "ENABLED"}]

    guardduty = there("guardduty")
    own = guardduty.list_detectors()["DetectorIds"][0]
    guardduty.update_organization_configuration(
        DetectorId=own, AutoEnableOrganizationMembers="NEW", Features=[{"Name": "RDS_LOGIN_EVENTS", "AutoEnable": "NEW"}])
    settings = guardduty.describe_organization_configuration(DetectorId=own)
    assert settings["AutoEnableOrganizationMembers"] == "NEW" and not settings["MemberAccountLimitReached"], settings

    left_out = guardduty.create_members(DetectorId=own, AccountDetails=[
        {"AccountId": member, "Email": "guardduty-member@example.com"}, {"AccountId": "999999999999", "Email": "a@example.com"}])
    assert [entry["AccountId"] for entry in left_out["UnprocessedAccounts"]] == ["999999999999"], left_out
    listed = guardduty.get_paginator("list_members").paginate(DetectorId=own).build_full_result()["Members"]
    assert [(entry["AccountId"], entry["RelationshipStatus"]) for entry in listed] == [(member, "Enabled")], listed
    theirs = in_member("guardduty")
    detector = theirs.list_detectors()["DetectorIds"][0]
    assert listed[0]["DetectorId"] == detector
    assert theirs.get_administrator_account(DetectorId=detector)["Administrator"]["AccountId"] == security
    refused("BadRequestException", theirs.disassociate_from_administrator_account, DetectorId=detector)
    refused("BadRequestException", theirs.update_detector, DetectorId=detector, Enable=False)

    guardduty.update_member_detectors(
        DetectorId=own, AccountIds=[member], Features=[{"Name": "S3_DATA_EVENTS", "Status": "ENABLED"}])
    seen = guardduty.get_member_detectors(DetectorId=own, AccountIds=[member])["MemberDataSourceConfigurations"][0]
    on = {feature["Name"] for feature in seen["Features"] if feature["Status"] == "ENABLED"}
    assert on == {"RDS_LOGIN_EVENTS", "S3_DATA_EVENTS"}, seen
    guardduty.stop_monitoring_members(DetectorId=own, AccountIds=[member])
    assert guardduty.get_members(DetectorId=own, AccountIds=[member])["Members"][0]["RelationshipStatus"] == "Disabled"
    guardduty.start_monitoring_members(DetectorId=own, AccountIds=[member])
    guardduty.disassociate_members(DetectorId=own, AccountIds=[member])
    assert guardduty.list_members(DetectorId=own, OnlyAssociated="false")["Members"][0]["RelationshipStatus"] == "Removed"
    assert "Administrator" not in theirs.get_administrator_account(DetectorId=detector)


def by_invitation(endpoint):
    """In a Region without a delegated administrator."""
    region = "eu-central-1"
    _, there = account(endpoint, "guardduty-inviter")
    member, in_member = account(endpoint, "guardduty-guest")
    guardduty, theirs = there("guardduty", region), in_member("guardduty", region)
    own = guardduty.create_detector(Enable=True)["DetectorId"]
    guardduty.create_members(DetectorId=own, AccountDetails=[{"AccountId": member, "Email": "guardduty-guest@example.com"}])
    assert guardduty.invite_members(DetectorId=own, AccountIds=[member], Message="join")["UnprocessedAccounts"] == []
    status = guardduty.get_members(DetectorId=own, AccountIds=[member])["Members"][0]["RelationshipStatus"]
    assert status == "EmailVerificationInProgress", status
    wait(endpoint, 5)
    invitation = theirs.list_invitations()["Invitations"][0]
    assert theirs.get_invitations_count()["InvitationsCount"] == 1
    detector = theirs.create_detector(Enable=True)["DetectorId"]
    accept = {"DetectorId": detector, "AdministratorId": invitation["AccountId"]}
    refused("BadRequestException", theirs.accept_administrator_invitation, InvitationId="0" * 32, **accept)
    theirs.accept_administrator_invitation(InvitationId=invitation["InvitationId"], **accept)
    administrator = theirs.get_administrator_account(DetectorId=detector)["Administrator"]
    assert administrator["InvitationId"] == invitation["InvitationId"], administrator
    refused("BadRequestException", guardduty.delete_detector, DetectorId=own)
    theirs.disassociate_from_administrator_account(DetectorId=detector)
    assert guardduty.get_members(DetectorId=own, AccountIds=[member])["Members"][0]["RelationshipStatus"] == "Resigned"


def main(endpoint):
    detectors(boto3.client("guardduty", endpoint_url=endpoint), endpoint)
    by_organization(endpoint)
    by_invitation(endpoint)
    print("guardduty: ok")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AWSIMMANAGEMENT0000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"))
