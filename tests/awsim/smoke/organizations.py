"""Organizations through boto3 and the AWS CLI: a landing zone's first hour."""

import json
import os
import subprocess
import urllib.request

import boto3

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
organizations = boto3.client("organizations", region_name="us-east-1")


def control(path, body=None):
    """Asks the simulator itself."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{ENDPOINT}/_awsim/{path}", data) as response:
        return json.load(response)


def refused(code, call, reason=None, **arguments):
    """Makes a call that AWS would refuse, and checks with which code and reason."""
    try:
        call(**arguments)
    except organizations.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        if reason:
            assert error.response["Reason"] == reason, error.response
        return
    raise AssertionError(f"{call} was accepted")


def listed(operation, **arguments):
    """All items of a list, over its pages."""
    pages = organizations.get_paginator(operation).paginate(**arguments)
    return list(pages.search(pages.result_keys[0].expression))


def create(email, **arguments):
    """An account, once it is there."""
    begun = organizations.create_account(Email=email, AccountName="Smoke", **arguments)["CreateAccountStatus"]
    assert begun["State"] == "IN_PROGRESS" and begun["Id"].startswith("car-")
    control("clock", {"advance_seconds": 120})
    status = organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])
    return status["CreateAccountStatus"]


organization = organizations.describe_organization()["Organization"]
assert organization["MasterAccountId"] == "111111111111" and organization["FeatureSet"] == "ALL"
(root,) = listed("list_roots")
assert root["PolicyTypes"] == []

# Accounts.
made = create("one@example.com", Tags=[{"Key": "request", "Value": "r-1"}], IamUserAccessToBilling="DENY")
assert made["State"] == "SUCCEEDED", made
account = made["AccountId"]
assert create("one@example.com")["FailureReason"] == "EMAIL_ALREADY_EXISTS"
assert create(".dot@example.com")["FailureReason"] == "INVALID_EMAIL"
refused("InvalidInputException", organizations.create_account, Email="no address", AccountName="x")
assert listed("list_tags_for_resource", ResourceId=account) == [{"Key": "request", "Value": "r-1"}]
described = organizations.describe_account(AccountId=account)["Account"]
assert (described["Status"], described["State"], described["JoinedMethod"]) == ("ACTIVE", "ACTIVE", "CREATED")
for n in range(22):
    assert create(f"many{n}@example.com")["State"] == "SUCCEEDED"
assert len(listed("list_accounts")) == 24
first = organizations.list_accounts()
assert first["Accounts"] == [] and first["NextToken"], "a page may be empty and go on"
assert len(listed("list_create_account_status", States=["FAILED"])) == 2

# The tree.
production = organizations.create_organizational_unit(ParentId=root["Id"], Name="Production")["OrganizationalUnit"]
refused(
    "DuplicateOrganizationalUnitException",
    organizations.create_organizational_unit,
    ParentId=root["Id"],
    Name="Production",
)
move = {"AccountId": account, "SourceParentId": root["Id"], "DestinationParentId": production["Id"]}
organizations.move_account(**move)
refused("DuplicateAccountException", organizations.move_account, **move)
assert listed("list_parents", ChildId=account) == [{"Id": production["Id"], "Type": "ORGANIZATIONAL_UNIT"}]
assert [a["Id"] for a in listed("list_accounts_for_parent", ParentId=production["Id"])] == [account]
refused(
    "OrganizationalUnitNotEmptyException",
    organizations.delete_organizational_unit,
    OrganizationalUnitId=production["Id"],
)

# Service control policies.
deny = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}]}
)
scp = {"Name": "Stay", "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": deny}
policy = organizations.create_policy(**scp)["Policy"]["PolicySummary"]
refused("DuplicatePolicyException", organizations.create_policy, **scp)
refused("MalformedPolicyDocumentException", organizations.create_policy, **{**scp, "Name": "x", "Content": "{}"})
attachment = {"PolicyId": policy["Id"], "TargetId": production["Id"]}
refused("PolicyTypeNotEnabledException", organizations.attach_policy, **attachment)
organizations.enable_policy_type(RootId=root["Id"], PolicyType="SERVICE_CONTROL_POLICY")
organizations.attach_policy(**attachment)
refused("DuplicatePolicyAttachmentException", organizations.attach_policy, **attachment)
refused("PolicyInUseException", organizations.delete_policy, PolicyId=policy["Id"])
attached = listed("list_policies_for_target", TargetId=production["Id"], Filter="SERVICE_CONTROL_POLICY")
assert [p["Name"] for p in attached] == ["FullAWSAccess", "Stay"]
assert listed("list_targets_for_policy", PolicyId=policy["Id"])[0]["Name"] == "Production"
organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=production["Id"])
refused(
    "ConstraintViolationException",
    organizations.detach_policy,
    reason="MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
    **attachment,
)

# Trusted access and delegation.
delegation = {"AccountId": account, "ServicePrincipal": "config.amazonaws.com"}
refused(
    "ConstraintViolationException",
    organizations.register_delegated_administrator,
    reason="SERVICE_ACCESS_NOT_ENABLED",
    **delegation,
)
organizations.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
organizations.register_delegated_administrator(**delegation)
assert [a["Id"] for a in listed("list_delegated_administrators")] == [account]
assert len(listed("list_delegated_services_for_account", AccountId=account)) == 1
assert len(listed("list_aws_service_access_for_organization")) == 1

# Closing.
organizations.close_account(AccountId=account)
assert organizations.describe_account(AccountId=account)["Account"]["State"] == "PENDING_CLOSURE"
control("clock", {"advance_seconds": 600})
assert organizations.describe_account(AccountId=account)["Account"]["State"] == "CLOSED"
refused("AccountAlreadyClosedException", organizations.close_account, AccountId=account)

# The other Regions' endpoints are not Organizations'.
elsewhere = boto3.client("organizations", region_name="eu-west-1")
refused("InvalidSignatureException", elsewhere.list_roots)

# The command line pages through empty pages, too.
told = subprocess.run(
    ["aws", "organizations", "list-accounts", "--region", "us-east-1", "--query", "Accounts[].Id", "--output", "json"],
    check=True,
    capture_output=True,
)
assert len(json.loads(told.stdout)) == 24
