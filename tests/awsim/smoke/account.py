"""Account Management through boto3 and the AWS CLI: opt-in Regions and contacts."""

import json
import os
import subprocess
import urllib.request

import boto3

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
account = boto3.client("account", region_name="us-east-1")
organizations = boto3.client("organizations", region_name="us-east-1")


def control(path, body):
    """Asks the simulator itself."""
    with urllib.request.urlopen(f"{ENDPOINT}/_awsim/{path}", json.dumps(body).encode()) as response:
        return json.load(response)


def refused(code, status, call, **arguments):
    """Makes a call that AWS would refuse, and checks with which code and HTTP status."""
    try:
        call(**arguments)
    except account.exceptions.ClientError as error:
        told = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert told == (code, status), error
        return
    raise AssertionError(f"{call} was accepted")


begun = organizations.create_account(Email="regions@example.com", AccountName="Regions")
control("clock", {"advance_seconds": 120})
request = begun["CreateAccountStatus"]["Id"]
status = organizations.describe_create_account_status(CreateAccountRequestId=request)
member = {"AccountId": status["CreateAccountStatus"]["AccountId"]}

# The management account speaks for a member only with trusted access, and never for itself by id.
organizations.disable_aws_service_access(ServicePrincipal="account.amazonaws.com")
refused("AccessDeniedException", 403, account.list_regions, **member)
organizations.enable_aws_service_access(ServicePrincipal="account.amazonaws.com")
refused("AccessDeniedException", 403, account.list_regions, AccountId="111111111111")

# Regions.
pages = account.get_paginator("list_regions").paginate(**member, PaginationConfig={"PageSize": 10})
regions = {region["RegionName"]: region["RegionOptStatus"] for page in pages for region in page["Regions"]}
assert list(regions.values()).count("ENABLED_BY_DEFAULT") == 17
assert regions["eu-south-1"] == "DISABLED"
refused("ValidationException", 400, account.enable_region, RegionName="us-east-1", **member)
account.enable_region(RegionName="eu-south-1", **member)
refused("ConflictException", 409, account.disable_region, RegionName="eu-south-1", **member)


def opt_status():
    return account.get_region_opt_status(RegionName="eu-south-1", **member)["RegionOptStatus"]


assert opt_status() == "ENABLING"
control("clock", {"advance_seconds": 300})
assert opt_status() == "ENABLED"

# Contacts.
security = {"AlternateContactType": "SECURITY", **member}
refused("ResourceNotFoundException", 404, account.get_alternate_contact, **security)
contact = {
    "AlternateContactType": "SECURITY",
    "EmailAddress": "security@example.com",
    "Name": "Security team",
    "PhoneNumber": "+1 555 555 0101",
    "Title": "On call",
}
account.put_alternate_contact(**contact, **member)
assert account.get_alternate_contact(**security)["AlternateContact"] == contact
account.delete_alternate_contact(**security)
refused("ResourceNotFoundException", 404, account.delete_alternate_contact, **security)
assert account.get_contact_information(**member)["ContactInformation"]["CountryCode"] == "US"

# Names.
account.put_account_name(AccountName="Renamed", **member)
assert account.get_account_information(**member)["AccountName"] == "Renamed"
assert organizations.describe_account(**member)["Account"]["Name"] == "Renamed"

told = subprocess.run(
    ["aws", "account", "list-regions", "--region", "us-east-1", "--query", "length(Regions)", "--output", "json"],
    check=True,
    capture_output=True,
)
assert json.loads(told.stdout) == 34
