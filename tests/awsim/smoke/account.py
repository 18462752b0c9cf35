"""Account Management as boto3 and the AWS CLI see it: opt-in Regions, contacts, names."""

import json
import os
import subprocess
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

REGION = "eu-south-1"


def refused(code, status, call, **arguments):
    """Wants AWS's refusal `code` with its HTTP status."""
    try:
        call(**arguments)
    except ClientError as error:
        told = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert told == (code, status), error
        return
    raise AssertionError(f"wanted {code}")


def advance(endpoint, seconds):
    """Lets simulated time pass."""
    body = json.dumps({"advance_seconds": seconds}).encode()
    urllib.request.urlopen(f"{endpoint}/_awsim/clock", body).close()


def create(organizations, endpoint):
    """A new member, as the `AccountId` argument of a call."""
    begun = organizations.create_account(Email="regions@example.com", AccountName="Regions")["CreateAccountStatus"]
    advance(endpoint, 120)
    status = organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])["CreateAccountStatus"]
    return {"AccountId": status["AccountId"]}


def access(organizations, account, member):
    """The management account speaks for a member only with trusted access, and never for itself by id."""
    organizations.disable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    refused("AccessDeniedException", 403, account.list_regions, **member)
    organizations.enable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    refused("AccessDeniedException", 403, account.list_regions, AccountId="111111111111")


def regions(account, endpoint, member):
    pages = account.get_paginator("list_regions").paginate(**member, PaginationConfig={"PageSize": 10})
    states = {region["RegionName"]: region["RegionOptStatus"] for page in pages for region in page["Regions"]}
    assert list(states.values()).count("ENABLED_BY_DEFAULT") == 17 and states[REGION] == "DISABLED", states
    refused("ValidationException", 400, account.enable_region, RegionName="us-east-1", **member)
    account.enable_region(RegionName=REGION, **member)
    refused("ConflictException", 409, account.disable_region, RegionName=REGION, **member)
    for state in ("ENABLING", "ENABLED"):
        told = account.get_region_opt_status(RegionName=REGION, **member)["RegionOptStatus"]
        assert told == state, told
        advance(endpoint, 300)
    told = subprocess.run(
        ["aws", "--endpoint-url", endpoint, "--output", "json", "account", "list-regions"],
        check=True, capture_output=True, text=True)
    assert len(json.loads(told.stdout)["Regions"]) == 34


def contacts(account, member):
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


def names(organizations, account, member):
    account.put_account_name(AccountName="Renamed", **member)
    assert account.get_account_information(**member)["AccountName"] == "Renamed"
    assert organizations.describe_account(**member)["Account"]["Name"] == "Renamed"


def main(endpoint):
    account = boto3.client("account", endpoint_url=endpoint)
    organizations = boto3.client("organizations", endpoint_url=endpoint)
    member = create(organizations, endpoint)
    access(organizations, account, member)
    regions(account, endpoint, member)
    contacts(account, member)
    names(organizations, account, member)
    print("account: ok")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "AWSIMMANAGEMENT0000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "any")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4566")
