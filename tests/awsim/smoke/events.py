import json
import pathlib

from smoke import MANAGEMENT, main, refused

TEMPLATES = pathlib.Path(__file__).parents[3] / "deploy" / "events"


def record(awsim):
    """An organization trail: without one, EventBridge hears of nothing."""
    awsim.client("organizations").enable_aws_service_access(ServicePrincipal="cloudtrail.amazonaws.com")
    s3, cloudtrail = awsim.client("s3"), awsim.client("cloudtrail")
    s3.create_bucket(Bucket="trail-logs")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": ["arn:aws:s3:::trail-logs", "arn:aws:s3:::trail-logs/*"],
    }
    s3.put_bucket_policy(Bucket="trail-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    cloudtrail.create_trail(Name="all", S3BucketName="trail-logs", IsMultiRegionTrail=True, IsOrganizationTrail=True)
    cloudtrail.start_logging(Name="all")


def test_rules(awsim):
    events = awsim.client("events", "eu-west-1")
    pattern = json.dumps({"source": ["aws.guardduty"]})
    arn = events.put_rule(Name="r", EventPattern=pattern)["RuleArn"]
    assert arn == f"arn:aws:events:eu-west-1:{MANAGEMENT}:rule/r", arn
    queue = f"arn:aws:sqs:eu-west-1:{MANAGEMENT}:q"
    assert events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": queue}])["FailedEntryCount"] == 0
    assert events.list_targets_by_rule(Rule="r")["Targets"] == [{"Id": "1", "Arn": queue}]
    assert [rule["Name"] for rule in events.list_rules()["Rules"]] == ["r"]
    assert events.describe_rule(Name="r")["EventPattern"] == pattern
    with refused("InvalidEventPatternException"):
        events.put_rule(Name="s", EventPattern="{}")
    with refused("ResourceNotFoundException"):
        events.describe_rule(Name="none")
    organization = awsim.client("organizations").describe_organization()["Organization"]["Id"]
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": organization}
    events.put_permission(StatementId="all", Action="events:PutEvents", Principal="*", Condition=condition)
    assert organization in events.describe_event_bus()["Policy"]


def test_what_a_member_does_reaches_the_hub(awsim):
    record(awsim)
    organization = awsim.client("organizations").describe_organization()["Organization"]["Id"]
    member = awsim.account("member")

    def deploy(name, parameters, **where):
        template = json.loads((TEMPLATES / name).read_text())
        return awsim.control("POST", "stacks", {"template": template, "parameters": parameters, **where})

    hub = deploy("hub.json", {"OrganizationId": organization}, accounts=[MANAGEMENT], regions=["us-east-1"])
    deploy("rules.json", {"BusArn": hub["BusArn"]}, regions=["us-east-1", "eu-central-1"])
    later = awsim.account("later")

    sqs, url = awsim.client("sqs"), hub["QueueUrl"]
    for account in (member, later):
        credentials = awsim.assume(account)
        guardduty = awsim.client("guardduty", "eu-central-1", credentials)
        detector = guardduty.create_detector(Enable=True)["DetectorId"]
        guardduty.delete_detector(DetectorId=detector)
        [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
        event = json.loads(message["Body"])
        assert (event["account"], event["region"], event["source"]) == (account, "eu-central-1", "aws.guardduty"), event
        detail = event["detail"]
        assert detail["eventName"] == "DeleteDetector" and detail["requestParameters"] == {"detectorId": detector}
        role = f"arn:aws:sts::{account}:assumed-role/OrganizationAccountAccessRole/smoke"
        assert detail["userIdentity"]["arn"] == role, detail
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        # A read, and what is refused, are not told of.
        guardduty.list_detectors()
        with refused("BadRequestException"):
            guardduty.delete_detector(DetectorId=detector)
        assert "Messages" not in sqs.receive_message(QueueUrl=url)


main(globals())
