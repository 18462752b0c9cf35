import urllib.error

from botocore.exceptions import ConnectionClosedError

from smoke import MANAGEMENT, main, refused


def closed(call):
    try:
        call()
    except ConnectionClosedError:
        return
    raise AssertionError("the connection was not closed")


def test_faults_before_and_after_the_deed(awsim):
    guardduty = awsim.client("guardduty", "eu-west-1")
    fault = {"service": "guardduty", "operation": "CreateDetector", "count": 1, "region": "eu-west-1"}
    awsim.control("POST", "faults", dict(fault, kind="timeout_before"))
    closed(lambda: guardduty.create_detector(Enable=True))
    assert guardduty.list_detectors()["DetectorIds"] == []
    awsim.control("POST", "faults", dict(fault, kind="timeout_after"))
    closed(lambda: guardduty.create_detector(Enable=True))
    assert len(guardduty.list_detectors()["DetectorIds"]) == 1


def test_each_kind_of_fault(awsim):
    organizations = awsim.client("organizations")
    for kind, code in [
        ("throttle", "TooManyRequestsException"),
        ("error_5xx", "ServiceException"),
        ("access_denied", "AccessDeniedException"),
        ({"code": "OddException", "status": 400, "message": "odd"}, "OddException"),
    ]:
        awsim.control("POST", "faults", {"service": "organizations", "count": 1, "kind": kind})
        with refused(code):
            organizations.list_accounts()
    assert [fault["fired"] for fault in awsim.control("GET", "faults")["faults"]] == [1, 1, 1, 1]
    organizations.list_accounts()


def test_a_stale_read(awsim):
    guardduty = awsim.client("guardduty", "eu-west-1")
    fault = {"service": "guardduty", "operation": "ListDetectors", "count": 1, "kind": "stale_read"}
    awsim.control("POST", "faults", fault)
    guardduty.list_detectors()
    guardduty.create_detector(Enable=True)
    assert guardduty.list_detectors()["DetectorIds"] == []
    assert len(guardduty.list_detectors()["DetectorIds"]) == 1


def test_tampering(awsim):
    guardduty = awsim.client("guardduty", "eu-west-1")
    guardduty.create_detector(Enable=True)
    where = {"service": "guardduty", "account": MANAGEMENT, "region": "eu-west-1"}
    awsim.control("POST", "tamper", dict(where, action="delete_detector"))
    assert guardduty.list_detectors()["DetectorIds"] == []
    try:
        awsim.control("POST", "tamper", dict(where, action="no such action"))
    except urllib.error.HTTPError as error:
        assert error.code == 400
    else:
        raise AssertionError("an unknown action was accepted")


def test_what_is_not_built_is_listed(awsim):
    with refused("UnknownOperationException"):
        awsim.client("config").describe_organization_conformance_packs()
    assert awsim.control("GET", "calls")["unbuilt"] == {"config:DescribeOrganizationConformancePacks": 1}
    awsim.control("DELETE", "calls")
    assert awsim.control("GET", "calls")["total"] == 0


def test_accounts_clock_and_limits(awsim):
    account = awsim.account("workload")
    accounts = {entry["id"]: entry for entry in awsim.control("GET", "accounts")}
    assert accounts[account]["email"] == "workload@example.com", accounts
    assert accounts[account]["state"] == "ACTIVE", accounts
    before = awsim.control("GET", "clock")["now"]
    awsim.advance(86400)
    assert awsim.control("GET", "clock")["now"][:10] > before[:10]
    limits = awsim.control("GET", "limits")
    assert any("CreateAccount" in limit["operations"] and limit["rate"] == 0.1 for limit in limits["limits"])


main(globals())
