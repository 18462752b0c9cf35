from smoke import MANAGEMENT, main, refused

REGION = "eu-south-1"


def member(awsim):
    """A new member of an organization that trusts Account Management, as the `AccountId` argument of a call."""
    awsim.client("organizations").enable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    return {"AccountId": awsim.account("workload")}


def test_who_may_name_a_member(awsim):
    account = awsim.client("account")
    workload = {"AccountId": awsim.account("workload")}
    with refused("AccessDeniedException", "must first enable trusted access"):
        account.list_regions(**workload)
    awsim.client("organizations").enable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    account.list_regions(**workload)
    with refused("AccessDeniedException", "standalone context"):
        account.list_regions(AccountId=MANAGEMENT)
    mine = awsim.client("account", credentials=awsim.assume(workload["AccountId"]))
    assert mine.get_account_information()["AccountId"] == workload["AccountId"]
    with refused("AccessDeniedException"):
        mine.list_regions(AccountId=MANAGEMENT)


def test_regions(awsim):
    account, workload = awsim.client("account"), member(awsim)
    pages = account.get_paginator("list_regions").paginate(**workload, PaginationConfig={"PageSize": 10})
    states = {region["RegionName"]: region["RegionOptStatus"] for page in pages for region in page["Regions"]}
    assert list(states.values()).count("ENABLED_BY_DEFAULT") == 17 and states[REGION] == "DISABLED", states
    with refused("ValidationException", "current opt-in status"):
        account.enable_region(RegionName="us-east-1", **workload)
    account.enable_region(RegionName=REGION, **workload)
    with refused("ConflictException"):
        account.disable_region(RegionName=REGION, **workload)
    credentials = awsim.assume(workload["AccountId"])
    for state, answers in (("ENABLING", False), ("ENABLED", True)):
        told = account.get_region_opt_status(RegionName=REGION, **workload)["RegionOptStatus"]
        assert told == state, told
        try:
            awsim.client("config", REGION, credentials=credentials).describe_configuration_recorders()
            assert answers, "a Region answers that is not enabled"
        except awsim.client("config").exceptions.ClientError as error:
            assert not answers, error
        awsim.advance(300)
    for region in ("af-south-1", "ap-east-1", "ap-south-2", "ca-west-1", "eu-central-2", "eu-south-2"):
        account.enable_region(RegionName=region, **workload)
    with refused("TooManyRequestsException"):
        account.enable_region(RegionName="il-central-1", **workload)
    assert len(awsim.cli("account", "list-regions")["Regions"]) == 34


def test_contacts(awsim):
    account, workload = awsim.client("account"), member(awsim)
    security = {"AlternateContactType": "SECURITY", **workload}
    with refused("ResourceNotFoundException"):
        account.get_alternate_contact(**security)
    contact = {
        "AlternateContactType": "SECURITY",
        "EmailAddress": "security@example.com",
        "Name": "Security team",
        "PhoneNumber": "+1 555 555 0101",
        "Title": "On call",
    }
    account.put_alternate_contact(**contact, **workload)
    assert account.get_alternate_contact(**security)["AlternateContact"] == contact
    account.delete_alternate_contact(**security)
    with refused("ResourceNotFoundException"):
        account.delete_alternate_contact(**security)
    told = account.get_contact_information(**workload)["ContactInformation"]
    account.put_contact_information(ContactInformation={**told, "City": "Elsewhere"}, **workload)
    assert account.get_contact_information(**workload)["ContactInformation"] == {**told, "City": "Elsewhere"}


def test_names(awsim):
    account, workload = awsim.client("account"), member(awsim)
    account.put_account_name(AccountName="Renamed", **workload)
    assert account.get_account_information(**workload)["AccountName"] == "Renamed"
    described = awsim.client("organizations").describe_account(**workload)["Account"]
    assert described["Name"] == "Renamed", described
    assert account.get_primary_email(**workload)["PrimaryEmail"] == described["Email"]


main(globals())
