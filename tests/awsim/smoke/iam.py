"""IAM as boto3 and the AWS CLI see it."""

import json

from smoke import main, refused

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}],
})
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


def test_roles(awsim):
    iam = awsim.client("iam")
    role = iam.create_role(
        RoleName="Smoke", Path="/smoke/", AssumeRolePolicyDocument=TRUST, Description="A role & more <here>",
        Tags=[{"Key": "team", "Value": "platform"}], MaxSessionDuration=7200)["Role"]
    assert role["Arn"] == "arn:aws:iam::111111111111:role/smoke/Smoke", role
    assert role["CreateDate"].tzinfo is not None
    role = iam.get_role(RoleName="Smoke")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": "111111111111"}, role
    assert role["Description"] == "A role & more <here>" and role["MaxSessionDuration"] == 7200, role
    assert role["Tags"] == [{"Key": "team", "Value": "platform"}], role
    with refused("EntityAlreadyExists"):
        iam.create_role(RoleName="Smoke", AssumeRolePolicyDocument=TRUST)
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="Nobody")
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="Bad", AssumeRolePolicyDocument="{}")

    iam.put_role_policy(RoleName="Smoke", PolicyName="read", PolicyDocument=json.dumps(READ))
    assert iam.get_role_policy(RoleName="Smoke", PolicyName="read")["PolicyDocument"] == READ
    assert iam.list_role_policies(RoleName="Smoke")["PolicyNames"] == ["read"]
    audit = "arn:aws:iam::aws:policy/SecurityAudit"
    iam.attach_role_policy(RoleName="Smoke", PolicyArn=audit)
    assert iam.list_attached_role_policies(RoleName="Smoke")["AttachedPolicies"] == [
        {"PolicyName": "SecurityAudit", "PolicyArn": audit}]
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="Smoke")
    seen = [r["RoleName"] for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1}) for r in page["Roles"]]
    assert "Smoke" in seen and "LandfallManagement" in seen and len(seen) == len(set(seen)), seen
    assert awsim.cli("iam", "get-role", "--role-name", "Smoke")["Role"]["RoleName"] == "Smoke"

    iam.detach_role_policy(RoleName="Smoke", PolicyArn=audit)
    iam.delete_role_policy(RoleName="Smoke", PolicyName="read")
    iam.delete_role(RoleName="Smoke")


def test_service_linked_roles(awsim):
    iam = awsim.client("iam")
    role = iam.create_service_linked_role(AWSServiceName="config.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForConfig" and role["Path"] == "/aws-service-role/config.amazonaws.com/", role
    with refused("InvalidInput", "has been taken in this account"):
        iam.create_service_linked_role(AWSServiceName="config.amazonaws.com")
    with refused("UnmodifiableEntity"):
        iam.delete_role(RoleName="AWSServiceRoleForConfig")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForConfig")["DeletionTaskId"]
    status = awsim.cli("iam", "get-service-linked-role-deletion-status", "--deletion-task-id", task)
    assert status["Status"] in ("IN_PROGRESS", "SUCCEEDED"), status


def test_policies(awsim):
    iam = awsim.client("iam")
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


def test_account(awsim):
    iam = awsim.client("iam")
    with refused("NoSuchEntity"):
        iam.get_account_password_policy()
    iam.update_account_password_policy(MinimumPasswordLength=14, RequireSymbols=True, MaxPasswordAge=90)
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert policy["MinimumPasswordLength"] == 14 and policy["ExpirePasswords"] is True, policy
    assert awsim.cli("iam", "get-account-password-policy")["PasswordPolicy"]["MaxPasswordAge"] == 90
    iam.delete_account_password_policy()

    details = iam.get_account_authorization_details()
    assert [user["UserName"] for user in details["UserDetailList"]] == ["admin"], details
    management = next(role for role in details["RoleDetailList"] if role["RoleName"] == "LandfallManagement")
    assert management["RolePolicyList"][0]["PolicyDocument"]["Version"] == "2012-10-17", management
    assert iam.get_account_summary()["SummaryMap"]["Users"] == 1

    iam.create_account_alias(AccountAlias="smoke")
    assert awsim.cli("iam", "list-account-aliases")["AccountAliases"] == ["smoke"]
    iam.delete_account_alias(AccountAlias="smoke")


def test_users(awsim):
    iam = awsim.client("iam")
    assert iam.get_user()["User"]["UserName"] == "admin"
    iam.create_user(UserName="smoke")
    iam.attach_user_policy(UserName="smoke", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    key = iam.create_access_key(UserName="smoke")["AccessKey"]
    other = awsim.client("iam", credentials=key)
    assert other.get_user()["User"]["UserName"] == "smoke"
    with refused("AccessDenied", "because no identity-based policy allows"):
        other.create_user(UserName="another")
    with refused("DeleteConflict"):
        iam.delete_user(UserName="smoke")
    bounded = iam.create_user(UserName="bounded", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    assert "PermissionsBoundary" in bounded["User"], bounded
    iam.attach_user_policy(UserName="bounded", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key_of_bounded = iam.create_access_key(UserName="bounded")["AccessKey"]
    with refused("AccessDenied", "permissions boundary"):
        awsim.client("iam", credentials=key_of_bounded).list_roles()
    awsim.client("s3", credentials=key_of_bounded).list_buckets()
    iam.detach_user_policy(UserName="smoke", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_access_key(UserName="smoke", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="smoke")


def test_a_role_can_be_assumed_some_seconds_later(awsim):
    iam = awsim.client("iam")
    audit = "arn:aws:iam::aws:policy/SecurityAudit"
    iam.create_role(RoleName="Auditor", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="Auditor", PolicyArn=audit)
    with refused("AccessDenied"):
        awsim.assume("111111111111", "Auditor")
    awsim.advance(60)
    auditor = awsim.client("iam", credentials=awsim.assume("111111111111", "Auditor"))
    auditor.list_roles()
    with refused("AccessDenied"):
        auditor.create_user(UserName="another")
    iam.put_role_permissions_boundary(RoleName="Auditor", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    with refused("AccessDenied", "permissions boundary"):
        auditor.list_roles()


def test_tampering(awsim):
    iam = awsim.client("iam")
    iam.create_service_linked_role(AWSServiceName="config.amazonaws.com")
    awsim.control("POST", "tamper", {
        "service": "iam", "action": "delete_role", "account": "111111111111", "role": "AWSServiceRoleForConfig"})
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="AWSServiceRoleForConfig")


main(globals())
