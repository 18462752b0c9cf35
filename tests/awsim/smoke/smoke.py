"""A running awsim, AWS's clients for it, and the few lines that the smoke tests share."""

import contextlib
import json
import os
import subprocess
import sys
import traceback
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MANAGEMENT = "111111111111"


class Awsim:
    """The simulated AWS that `run` has started."""

    def __init__(self, url):
        self.url = url

    def client(self, service, region="us-east-1", credentials=None, **config):
        """A client as the administrator of the management account, or with what `assume` answered."""
        credentials = credentials or {"AccessKeyId": "AWSIMMANAGEMENT0000", "SecretAccessKey": "any"}
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def control(self, method, path, body=None):
        """`/_awsim/…`"""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_awsim/{path}", method=method, data=data)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def advance(self, seconds):
        self.control("POST", "clock", {"advance_seconds": seconds})

    def account(self, name):
        """The id of a new account whose role can be assumed."""
        organizations = self.client("organizations")
        status = organizations.create_account(Email=f"{name}@example.com", AccountName=name)["CreateAccountStatus"]
        self.advance(300)
        status = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])
        return status["CreateAccountStatus"]["AccountId"]

    def assume(self, account, role="OrganizationAccountAccessRole", credentials=None, **more):
        sts = self.client("sts", credentials=credentials)
        arn = f"arn:aws:iam::{account}:role/{role}"
        return sts.assume_role(RoleArn=arn, RoleSessionName="smoke", **more)["Credentials"]

    def cli(self, *arguments, credentials=None):
        """What the AWS CLI prints, as JSON."""
        credentials = credentials or {"AccessKeyId": "AWSIMMANAGEMENT0000", "SecretAccessKey": "any"}
        environment = dict(
            os.environ,
            AWS_ACCESS_KEY_ID=credentials["AccessKeyId"],
            AWS_SECRET_ACCESS_KEY=credentials["SecretAccessKey"],
            AWS_DEFAULT_REGION="us-east-1",
            AWS_CONFIG_FILE=os.devnull,
        )
        if "SessionToken" in credentials:
            environment["AWS_SESSION_TOKEN"] = credentials["SessionToken"]
        command = ["aws", "--endpoint-url", self.url, "--output", "json", *arguments]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout) if answer.stdout.strip() else None


@contextlib.contextmanager
def refused(code, *parts):
    """The block must be refused with this code, in a message with these parts."""
    try:
        yield
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        for part in parts:
            assert part in str(error), error
        return
    raise AssertionError(f"nothing was refused, {code} was expected")


def main(tests):
    """Runs every function whose name begins with `test_`, each on a new world."""
    awsim = Awsim(os.environ["AWS_ENDPOINT_URL"])
    failed = 0
    for name, test in tests.items():
        if not name.startswith("test_"):
            continue
        awsim.control("POST", "reset")
        try:
            test(awsim)
            print(f"   ok {name}")
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc()
        mistakes = awsim.control("GET", "calls")["mistakes"]
        if mistakes:
            failed += 1
            print(f"FAILED {name}: answers that do not fit the model: {mistakes}")
    sys.exit(1 if failed else 0)
