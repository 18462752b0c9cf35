"""Organizations as boto3 and the AWS CLI see it: a landing zone's first hour. Wants a fresh awsim."""

import json
import os
import subprocess
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

DENY = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}],
})
SCP = {"Name": "Stay", "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": DENY}


def refused(code, call, reason=None, **arguments):
    """Wants AWS's refusal `code`, with `reason` where one is given."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert reason in (None, error.response.get("Reason")), error.response
        return
    raise AssertionError(f"wanted {code}")


def control(endpoint, path, body=None):
    """What the simulator itself answers."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{endpoint}/_awsim/{path}", data) as response:
        return json.load(response)


def listed(organizations, operation, **arguments):
    """All items of a list, over its pages."""
    pages = organizations.get_paginator(operation).paginate(**arguments)
    return list(pages.search(pages.result_keys[0].expression))


def create(organizations, endpoint, email, **arguments):
    """What became of a creation two minutes later."""
    begun = organizations.create_account(Email=email, AccountName="Smoke", **arguments)["CreateAccountStatus"]
    assert begun["State"] == "IN_PROGRESS" and begun["Id"].startswith("car-"), begun
    control(endpoint, "clock", {"advance_seconds": 120})
    return organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])["CreateAccountStatus"]


def accounts(organizations, endpoint):
    organization = organizations.describe_organization()["Organization"]
    assert organization["MasterAccountId"] == "111111111111" and organization["FeatureSet"] == "ALL", organization
    made = create(
        organizations, endpoint, "one@example.com",
        Tags=[{"Key": "request", "Value": "r-1"}], IamUserAccessToBilling="DENY")
    assert made["State"] == "SUCCEEDED", made
    assert create(organizations, endpoint, "one@example.com")["FailureReason"] == "EMAIL_ALREADY_EXISTS"
    assert create(organizations, endpoint, ".dot@example.com")["FailureReason"] == "INVALID_EMAIL"
    refused("InvalidInputException", organizations.create_account, Email="no address", AccountName="x")
    tags = listed(organizations, "list_tags_for_resource", ResourceId=made["AccountId"])
    assert tags == [{"Key": "request", "Value": "r-1"}], tags
    account = organizations.describe_account(AccountId=made["AccountId"])["Account"]
    assert (account["Status"], account["State"], account["JoinedMethod"]) == ("ACTIVE", "ACTIVE", "CREATED"), account
    for n in range(22):
        assert create(organizations, endpoint, f"many{n}@example.com")["State"] == "SUCCEEDED"
    assert len(listed(organizations, "list_accounts")) == 24
    first = organizations.list_accounts()
    assert first["Accounts"] == [] and first["NextToken"], "a page may be empty and go on"
    assert len(listed(organizations, "list_create_account_status", States=["FAILED"])) == 2
    told = subprocess.run(
        ["aws", "--endpoint-url", endpoint, "--output", "json", "organizations", "list-accounts"],
        check=True, capture_output=True, text=True)
    assert len(json.loads(told.stdout)["Accounts"]) == 24
    return made["AccountId"]


def tree(organizations, root, account):
    named = {"ParentId": root, "Name": "Production"}
    unit = organizations.create_organizational_unit(**named)["OrganizationalUnit"]["Id"]
    refused("DuplicateOrganizationalUnitException", organizations.create_organizational_unit, **named)
    move = {"AccountId": account, "SourceParentId": root, "DestinationParentId": unit}
    organizations.move_account(**move)
    refused("DuplicateAccountException", organizations.move_account, **move)
    parents = listed(organizations, "list_parents", ChildId=account)
    assert parents == [{"Id": unit, "Type": "ORGANIZATIONAL_UNIT"}], parents
    assert [a["Id"] for a in listed(organizations, "list_accounts_for_parent", ParentId=unit)] == [account]
    refused(
        "OrganizationalUnitNotEmptyException", organizations.delete_organizational_unit, OrganizationalUnitId=unit)
    return unit


def policies(organizations, root, unit):
    policy = organizations.create_policy(**SCP)["Policy"]["PolicySummary"]["Id"]
    refused("DuplicatePolicyException", organizations.create_policy, **SCP)
    refused("MalformedPolicyDocumentException", organizations.create_policy, **{**SCP, "Name": "x", "Content": "{}"})
    attachment = {"PolicyId": policy, "TargetId": unit}
    refused("PolicyTypeNotEnabledException", organizations.attach_policy, **attachment)
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    organizations.attach_policy(**attachment)
    refused("DuplicatePolicyAttachmentException", organizations.attach_policy, **attachment)
    refused("PolicyInUseException", organizations.delete_policy, PolicyId=policy)
    attached = listed(organizations, "list_policies_for_target", TargetId=unit, Filter="SERVICE_CONTROL_POLICY")
    assert [p["Name"] for p in attached] == ["FullAWSAccess", "Stay"], attached
    assert listed(organizations, "list_targets_for_policy", PolicyId=policy)[0]["Name"] == "Production"
    full = {"PolicyId": "p-FullAWSAccess", "TargetId": unit}
    organizations.detach_policy(**full)
    refused(
        "ConstraintViolationException", organizations.detach_policy,
        reason="MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", **attachment)
    organizations.attach_policy(**full)


def member(endpoint, account):
    """The member's administrator, in the role that Organizations left there."""
    sts = boto3.client("sts", endpoint_url=endpoint, region_name="us-east-1")
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    keys = sts.assume_role(RoleArn=role, RoleSessionName="smoke")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
    return [session.client(service, endpoint_url=endpoint) for service in ("iam", "organizations")]


def enforcement(endpoint, iam, organizations):
    """An SCP denies the member what it denies, at once, and the management account nothing."""
    edit = {"service": "organizations", "action": "edit_scp", "policy": "Stay"}
    assert any(role["RoleName"] == "OrganizationAccountAccessRole" for role in iam.list_roles()["Roles"])
    control(endpoint, "tamper", {**edit, "content": DENY.replace("organizations:LeaveOrganization", "iam:ListRoles")})
    refused("AccessDenied", iam.list_roles)
    boto3.client("iam", endpoint_url=endpoint).list_roles()
    control(endpoint, "tamper", {**edit, "content": DENY})
    iam.list_roles()
    assert organizations.describe_organization()
    refused("AccessDeniedException", organizations.list_accounts)


def delegation(organizations, account):
    service = {"ServicePrincipal": "config.amazonaws.com"}
    register = organizations.register_delegated_administrator
    refused("ConstraintViolationException", register, reason="SERVICE_ACCESS_NOT_ENABLED", AccountId=account, **service)
    organizations.enable_aws_service_access(**service)
    register(AccountId=account, **service)
    assert [a["Id"] for a in listed(organizations, "list_delegated_administrators")] == [account]
    assert len(listed(organizations, "list_delegated_services_for_account", AccountId=account)) == 1
    assert len(listed(organizations, "list_aws_service_access_for_organization")) == 1


def closing(organizations, endpoint, account, iam):
    organizations.close_account(AccountId=account)
    assert organizations.describe_account(AccountId=account)["Account"]["State"] == "PENDING_CLOSURE"
    control(endpoint, "clock", {"advance_seconds": 600})
    assert organizations.describe_account(AccountId=account)["Account"]["State"] == "CLOSED"
    refused("AccountAlreadyClosedException", organizations.close_account, AccountId=account)
    try:
        iam.list_roles()
        raise AssertionError("a closed account answers")
    except ClientError:
        pass
    row = next(row for row in control(endpoint, "accounts") if row["id"] == account)
    assert (row["state"], row["path"]) == ("CLOSED", "Production"), row


def main(endpoint):
    organizations = boto3.client("organizations", endpoint_url=endpoint)
    (root,) = listed(organizations, "list_roots")
    assert root["PolicyTypes"] == [], root
    account = accounts(organizations, endpoint)
    unit = tree(organizations, root["Id"], account)
    policies(organizations, root["Id"], unit)
    iam, its_organizations = member(endpoint, account)
    enforcement(endpoint, iam, its_organizations)
    delegation(organizations, account)
    closing(organizations, endpoint, account, iam)
    elsewhere = boto3.client("organizations", endpoint_url=endpoint, region_name="eu-west-1")
    refused("InvalidSignatureException", elsewhere.list_roots)
    print("organizations: ok")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AWSIMMANAGEMENT0000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4566")
