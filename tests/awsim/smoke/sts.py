import json

from smoke import MANAGEMENT, main, refused


def test_identity(awsim):
    identity = awsim.client("sts", "eu-west-1").get_caller_identity()
    assert identity["Account"] == MANAGEMENT, identity
    assert awsim.cli("sts", "get-caller-identity")["Arn"] == identity["Arn"]


def test_unknown_credentials(awsim):
    unknown = {"AccessKeyId": "AKIAUNKNOWN", "SecretAccessKey": "any"}
    with refused("InvalidClientTokenId"):
        awsim.client("sts", credentials=unknown).get_caller_identity()
    with refused("UnrecognizedClientException"):
        awsim.client("config", credentials=unknown).describe_configuration_recorders()
    with refused("UnrecognizedClientException"):
        awsim.client("guardduty", credentials=unknown).list_detectors()
    with refused("InvalidAccessKeyId"):
        awsim.client("s3", credentials=unknown).list_buckets()


def test_assume_role_into_a_new_account(awsim):
    account = awsim.account("workload")
    credentials = awsim.assume(account)
    assert awsim.client("sts", credentials=credentials).get_caller_identity()["Account"] == account
    identity = awsim.cli("sts", "get-caller-identity", credentials=credentials)
    assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/OrganizationAccountAccessRole/smoke", identity
    # Every protocol takes the session's signature.
    awsim.client("s3", credentials=credentials).list_buckets()
    awsim.client("iam", credentials=credentials).list_roles()
    awsim.client("config", "eu-west-1", credentials=credentials).describe_configuration_recorders()
    awsim.client("guardduty", "eu-west-1", credentials=credentials).list_detectors()


def test_signatures_are_verified(awsim):
    credentials = awsim.assume(awsim.account("workload"))
    forged = dict(credentials, SecretAccessKey="forged")
    with refused("SignatureDoesNotMatch"):
        awsim.client("sts", credentials=forged).get_caller_identity()
    with refused("InvalidSignatureException"):
        awsim.client("config", credentials=forged).describe_configuration_recorders()
    with refused("InvalidClientTokenId"):
        awsim.client("sts", credentials=dict(credentials, SessionToken="other")).get_caller_identity()


def test_a_young_role_cannot_be_assumed(awsim):
    organizations = awsim.client("organizations")
    status = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"]
    assert status["State"] == "IN_PROGRESS", status
    awsim.advance(5)
    status = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
    assert status["State"] == "SUCCEEDED", status
    with refused("AccessDenied", "is not authorized to perform: sts:AssumeRole on resource"):
        awsim.assume(status["AccountId"])
    awsim.advance(60)
    awsim.assume(status["AccountId"])


def test_a_session_policy_and_an_scp_bind(awsim):
    account = awsim.account("workload")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    narrow = awsim.assume(account, Policy=json.dumps(policy))
    awsim.client("s3", credentials=narrow).list_buckets()
    with refused("AccessDenied", "because no session policy allows the iam:ListRoles action"):
        awsim.client("iam", credentials=narrow).list_roles()

    organizations = awsim.client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    policy["Statement"][0]["Effect"] = "Deny"
    scp = organizations.create_policy(
        Name="no-s3", Description="", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(policy)
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=scp, TargetId=account)
    credentials = awsim.assume(account)
    with refused("AccessDenied", "with an explicit deny in a service control policy"):
        awsim.client("s3", credentials=credentials).list_buckets()
    awsim.client("iam", credentials=credentials).list_roles()


def test_bad_input(awsim):
    with refused("ValidationError", "roleSessionName"):
        awsim.client("sts").assume_role(RoleArn=f"arn:aws:iam::{MANAGEMENT}:role/x", RoleSessionName="a b")
    with refused("MalformedPolicyDocument"):
        awsim.assume(MANAGEMENT, "LandfallManagement", Policy="{}")
    with refused("AccessDenied"):
        awsim.assume("999999999999")


def test_faults_and_counters(awsim):
    fault = {"service": "sts", "operation": "GetCallerIdentity", "count": 1, "kind": "throttle"}
    planned = awsim.control("POST", "faults", fault)["id"]
    sts = awsim.client("sts")
    with refused("Throttling"):
        sts.get_caller_identity()
    sts.get_caller_identity()
    assert awsim.control("GET", "faults")["faults"][0]["fired"] == 1
    awsim.control("DELETE", f"faults/{planned}")
    outcomes = {call["outcome"]: call["count"] for call in awsim.control("GET", "calls")["calls"]}
    assert outcomes == {"Throttling": 1, "ok": 1}, outcomes


main(globals())
