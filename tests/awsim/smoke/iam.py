"""IAM as boto3 and the AWS CLI see it."""

import json
import os
import subprocess
import sys

import boto3
from botocore.exceptions import ClientError

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}],
})
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


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


def roles(iam, endpoint):
    role = iam.create_role(
        RoleName="Smoke", Path="/smoke/", AssumeRolePolicyDocument=TRUST, Description="A role & more <here>",
        Tags=[{"Key": "team", "Value": "platform"}], MaxSessionDuration=7200)["Role"]
    assert role["Arn"] == "arn:aws:iam::111111111111:role/smoke/Smoke", role
    assert role["CreateDate"].tzinfo is not None
    role = iam.get_role(RoleName="Smoke")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": "111111111111"}, role
    assert role["Description"] == "A role & more <here>" and role["MaxSessionDuration"] == 7200, role
    assert role["Tags"] == [{"Key": "team", "Value": "platform"}], role
    refused("EntityAlreadyExists", iam.create_role, RoleName="Smoke", AssumeRolePolicyDocument=TRUST)
    missing = refused("NoSuchEntity", iam.get_role, RoleName="Nobody")
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404, missing
    refused("MalformedPolicyDocument", iam.create_role, RoleName="Bad", AssumeRolePolicyDocument="{}")

    iam.put_role_policy(RoleName="Smoke", PolicyName="read", PolicyDocument=json.dumps(READ))
    assert iam.get_role_policy(RoleName="Smoke", PolicyName="read")["PolicyDocument"] == READ
    assert iam.list_role_policies(RoleName="Smoke")["PolicyNames"] == ["read"]
    audit = "arn:aws:iam::aws:policy/SecurityAudit"
    iam.attach_role_policy(RoleName="Smoke", PolicyArn=audit)
    assert iam.list_attached_role_policies(RoleName="Smoke")["AttachedPolicies"] == [
        {"PolicyName": "SecurityAudit", "PolicyArn": audit}]
    refused("DeleteConflict", iam.delete_role, RoleName="Smoke")
    seen = [r["RoleName"] for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1}) for r in page["Roles"]]
    assert "Smoke" in seen and "LandfallManagement" in seen and len(seen) == len(set(seen)), seen
    assert aws(endpoint, "iam", "get-role", "--role-name", "Smoke")["Role"]["RoleName"] == "Smoke"

    iam.detach_role_policy(RoleName="Smoke", PolicyArn=audit)
    iam.delete_role_policy(RoleName="Smoke", PolicyName="read")
    iam.delete_role(RoleName="Smoke")


def service_linked_roles(iam, endpoint):
    role = iam.create_service_linked_role(AWSServiceName="config.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForConfig" and role["Path"] == "/aws-service-role/config.amazonaws.com/", role
    taken = refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="config.amazonaws.com")
    assert "has been taken in this account" in taken["Error"]["Message"], taken
    refused("UnmodifiableEntity", iam.delete_role, RoleName="AWSServiceRoleForConfig")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForConfig")["DeletionTaskId"]
    status = aws(endpoint, "iam", "get-service-linked-role-deletion-status", "--deletion-task-id", task)
    assert status["Status"] in ("IN_PROGRESS", "SUCCEEDED"), status


def policies(iam):
    arn = iam.create_policy(PolicyName="SmokeRead", PolicyDocument=json.dumps(READ))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(READ), SetAsDefault=True)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == READ
    local = iam.list_policies(Scope="Local")["Policies"]
    assert [policy["Arn"] for policy in local] == [arn], local
    aws_owned = {p["PolicyName"] for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for p in page["Policies"]}
    assert {"AdministratorAccess", "ReadOnlyAccess", "SecurityAudit"} <= aws_owned
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)


def account(iam, endpoint):
    refused("NoSuchEntity", iam.get_account_password_policy)
    iam.update_account_password_policy(MinimumPasswordLength=14, RequireSymbols=True, MaxPasswordAge=90)
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert policy["MinimumPasswordLength"] == 14 and policy["ExpirePasswords"] is True, policy
    assert aws(endpoint, "iam", "get-account-password-policy")["PasswordPolicy"]["MaxPasswordAge"] == 90
    iam.delete_account_password_policy()

    details = iam.get_account_authorization_details()
    assert [user["UserName"] for user in details["UserDetailList"]] == ["admin"], details
    management = next(role for role in details["RoleDetailList"] if role["RoleName"] == "LandfallManagement")
    assert management["RolePolicyList"][0]["PolicyDocument"]["Version"] == "2012-10-17", management
    assert iam.get_account_summary()["SummaryMap"]["Users"] == 1

    iam.create_account_alias(AccountAlias="smoke")
    assert aws(endpoint, "iam", "list-account-aliases")["AccountAliases"] == ["smoke"]
    iam.delete_account_alias(AccountAlias="smoke")


def users(iam, endpoint):
    assert iam.get_user()["User"]["UserName"] == "admin"
    iam.create_user(UserName="smoke")
    iam.attach_user_policy(UserName="smoke", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    key = iam.create_access_key(UserName="smoke")["AccessKey"]
    other = boto3.client(
        "iam", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    assert other.get_user()["User"]["UserName"] == "smoke"
    refused("DeleteConflict", iam.delete_user, UserName="smoke")
    iam.detach_user_policy(UserName="smoke", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_access_key(UserName="smoke", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="smoke")


def main(endpoint):
    iam = boto3.client("iam", endpoint_url=endpoint, region_name="us-east-1")
    roles(iam, endpoint)
    service_linked_roles(iam, endpoint)
    policies(iam)
    account(iam, endpoint)
    users(iam, endpoint)
    print("iam: ok")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AWSIMMANAGEMENT0000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4566")
