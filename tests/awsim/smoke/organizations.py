import contextlib
import json

from botocore.exceptions import ClientError
from smoke import MANAGEMENT, main, refused

SCPS = "SERVICE_CONTROL_POLICY"


def deny(action):
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def listed(organizations, operation, **arguments):
    """All items of a list, over its pages."""
    pages = organizations.get_paginator(operation).paginate(**arguments)
    return list(pages.search(pages.result_keys[0].expression))


def create(awsim, email, **arguments):
    """What became of a creation."""
    organizations = awsim.client("organizations")
    begun = organizations.create_account(Email=email, AccountName="Smoke", **arguments)["CreateAccountStatus"]
    assert begun["State"] == "IN_PROGRESS" and begun["Id"].startswith("car-"), begun
    awsim.advance(60)
    return organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])["CreateAccountStatus"]


def root_of(organizations):
    return organizations.list_roots()["Roots"][0]["Id"]


def unit_of(organizations, name):
    unit = organizations.create_organizational_unit(ParentId=root_of(organizations), Name=name)
    return unit["OrganizationalUnit"]["Id"]


@contextlib.contextmanager
def refused_for(reason):
    """The block must be refused for this reason."""
    try:
        yield
    except ClientError as error:
        assert error.response.get("Reason") == reason, error.response
        return
    raise AssertionError(f"nothing was refused, {reason} was expected")


def test_a_bare_organization(awsim):
    organizations = awsim.client("organizations")
    organization = organizations.describe_organization()["Organization"]
    assert organization["MasterAccountId"] == MANAGEMENT and organization["FeatureSet"] == "ALL", organization
    (root,) = organizations.list_roots()["Roots"]
    assert root["PolicyTypes"] == [], root
    assert awsim.cli("organizations", "describe-organization")["Organization"]["Id"] == organization["Id"]
    with refused("InvalidSignatureException"):
        awsim.client("organizations", "eu-west-1").list_roots()


def test_create_account(awsim):
    organizations = awsim.client("organizations")
    tags = [{"Key": "request", "Value": "r-1"}]
    made = create(awsim, "one@example.com", Tags=tags, IamUserAccessToBilling="DENY")
    assert made["State"] == "SUCCEEDED", made
    assert listed(organizations, "list_tags_for_resource", ResourceId=made["AccountId"]) == tags
    account = organizations.describe_account(AccountId=made["AccountId"])["Account"]
    assert (account["Status"], account["State"], account["JoinedMethod"]) == ("ACTIVE", "ACTIVE", "CREATED"), account
    assert create(awsim, "one@example.com")["FailureReason"] == "EMAIL_ALREADY_EXISTS"
    assert create(awsim, ".dot@example.com")["FailureReason"] == "INVALID_EMAIL"
    awsim.control("POST", "tamper", {"service": "organizations", "action": "take_email", "email": "x@example.com"})
    assert create(awsim, "x@example.com")["FailureReason"] == "EMAIL_ALREADY_EXISTS"
    assert len(listed(organizations, "list_create_account_status", States=["FAILED"])) == 3
    with refused("InvalidInputException"):
        organizations.create_account(Email="no address", AccountName="x")
    for n in range(5):
        organizations.create_account(Email=f"flight{n}@example.com", AccountName="x")
    with refused("TooManyRequestsException"):
        organizations.create_account(Email="flight5@example.com", AccountName="x")


def test_a_page_may_be_empty_and_go_on(awsim):
    organizations = awsim.client("organizations")
    for n in range(21):
        create(awsim, f"many{n}@example.com")
    first = organizations.list_accounts()
    assert first["Accounts"] == [] and first["NextToken"], first
    assert len(listed(organizations, "list_accounts")) == 22
    assert len(awsim.cli("organizations", "list-accounts")["Accounts"]) == 22
    with refused_for("INVALID_NEXT_TOKEN"):
        organizations.list_accounts(NextToken="made up")


def test_the_tree(awsim):
    organizations = awsim.client("organizations")
    account, root, unit = awsim.account("workload"), root_of(organizations), unit_of(organizations, "Production")
    with refused("DuplicateOrganizationalUnitException"):
        unit_of(organizations, "Production")
    move = {"AccountId": account, "SourceParentId": root, "DestinationParentId": unit}
    with refused("SourceParentNotFoundException"):
        organizations.move_account(**move | {"SourceParentId": "r-none"})
    organizations.move_account(**move)
    with refused("DuplicateAccountException"):
        organizations.move_account(**move)
    parents = organizations.list_parents(ChildId=account)["Parents"]
    assert parents == [{"Id": unit, "Type": "ORGANIZATIONAL_UNIT"}], parents
    assert [a["Id"] for a in listed(organizations, "list_accounts_for_parent", ParentId=unit)] == [account]
    assert listed(organizations, "list_children", ParentId=unit, ChildType="ACCOUNT")[0]["Id"] == account
    with refused("OrganizationalUnitNotEmptyException"):
        organizations.delete_organizational_unit(OrganizationalUnitId=unit)
    organizations.update_organizational_unit(OrganizationalUnitId=unit, Name="Renamed")
    row = next(row for row in awsim.control("GET", "accounts") if row["id"] == account)
    assert row["path"] == "Renamed", row


def test_policies(awsim):
    organizations = awsim.client("organizations")
    root, unit = root_of(organizations), unit_of(organizations, "Production")
    scp = {"Name": "Stay", "Description": "", "Type": SCPS, "Content": deny("organizations:LeaveOrganization")}
    policy = organizations.create_policy(**scp)["Policy"]["PolicySummary"]["Id"]
    with refused("DuplicatePolicyException"):
        organizations.create_policy(**scp)
    with refused("MalformedPolicyDocumentException"):
        organizations.create_policy(**scp | {"Name": "Other", "Content": "{}"})
    with refused_for("POLICY_CONTENT_LIMIT_EXCEEDED"):
        organizations.create_policy(**scp | {"Name": "Other", "Content": scp["Content"] + " " * 10_240})
    attachment = {"PolicyId": policy, "TargetId": unit}
    with refused("PolicyTypeNotEnabledException"):
        organizations.attach_policy(**attachment)
    organizations.enable_policy_type(RootId=root, PolicyType=SCPS)
    organizations.attach_policy(**attachment)
    with refused("DuplicatePolicyAttachmentException"):
        organizations.attach_policy(**attachment)
    with refused("PolicyInUseException"):
        organizations.delete_policy(PolicyId=policy)
    attached = listed(organizations, "list_policies_for_target", TargetId=unit, Filter=SCPS)
    assert [p["Name"] for p in attached] == ["FullAWSAccess", "Stay"], attached
    assert organizations.list_targets_for_policy(PolicyId=policy)["Targets"][0]["Name"] == "Production"
    organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    with refused_for("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"):
        organizations.detach_policy(**attachment)
    changed = organizations.update_policy(PolicyId=policy, Content=deny("iam:*"))
    assert changed["Policy"]["Content"] == organizations.describe_policy(PolicyId=policy)["Policy"]["Content"]
    assert len(awsim.cli("organizations", "list-policies", "--filter", SCPS)["Policies"]) == 2


def test_an_edited_policy_binds_at_once(awsim):
    organizations = awsim.client("organizations")
    account = awsim.account("workload")
    iam = awsim.client("iam", credentials=awsim.assume(account))
    organizations.enable_policy_type(RootId=root_of(organizations), PolicyType=SCPS)
    scp = {"Name": "Stay", "Description": "", "Type": SCPS, "Content": deny("organizations:LeaveOrganization")}
    policy = organizations.create_policy(**scp)["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=root_of(organizations))
    iam.list_roles()
    edit = {"service": "organizations", "action": "edit_scp", "policy": "Stay", "content": deny("iam:ListRoles")}
    awsim.control("POST", "tamper", edit)
    with refused("AccessDenied"):
        iam.list_roles()
    awsim.client("iam").list_roles()  # no SCP binds the management account


def test_delegated_administrators(awsim):
    organizations = awsim.client("organizations")
    account = awsim.account("security")
    mine = awsim.client("organizations", credentials=awsim.assume(account))
    assert mine.describe_organization()
    with refused("AccessDeniedException"):
        mine.list_accounts()
    service = {"ServicePrincipal": "config.amazonaws.com"}
    with refused_for("SERVICE_ACCESS_NOT_ENABLED"):
        organizations.register_delegated_administrator(AccountId=account, **service)
    organizations.enable_aws_service_access(**service)
    organizations.register_delegated_administrator(AccountId=account, **service)
    assert [a["Id"] for a in listed(organizations, "list_delegated_administrators")] == [account]
    assert len(listed(organizations, "list_delegated_services_for_account", AccountId=account)) == 1
    assert len(listed(organizations, "list_aws_service_access_for_organization")) == 1
    assert len(listed(mine, "list_accounts")) == 2


def test_close_account(awsim):
    organizations = awsim.client("organizations")
    account = awsim.account("workload")
    iam = awsim.client("iam", credentials=awsim.assume(account))
    organizations.close_account(AccountId=account)
    assert organizations.describe_account(AccountId=account)["Account"]["State"] == "PENDING_CLOSURE"
    awsim.advance(300)
    assert organizations.describe_account(AccountId=account)["Account"]["State"] == "CLOSED"
    with refused("AccountAlreadyClosedException"):
        organizations.close_account(AccountId=account)
    try:
        iam.list_roles()
    except ClientError:
        return
    raise AssertionError("a closed account answers")


main(globals())
