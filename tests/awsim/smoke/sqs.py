import json
import threading
import time

from smoke import MANAGEMENT, main, refused


def test_messages(awsim):
    sqs = awsim.client("sqs")
    url = sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    assert url == f"https://sqs.us-east-1.amazonaws.com/{MANAGEMENT}/events", url
    assert sqs.get_queue_url(QueueName="events")["QueueUrl"] == url
    sqs.send_message(QueueUrl=url, MessageBody="one")
    [message] = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["Body"] == "one" and message["Attributes"]["ApproximateReceiveCount"] == "1", message
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    entries = [{"Id": "1", "ReceiptHandle": message["ReceiptHandle"]}]
    assert not sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Failed"]
    awsim.advance(100)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_receiver_waits(awsim):
    sqs = awsim.client("sqs")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    began = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert 0.9 < time.monotonic() - began < 3
    threading.Timer(0.3, lambda: sqs.send_message(QueueUrl=url, MessageBody="late")).start()
    began = time.monotonic()
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]["Body"] == "late"
    assert 0.2 < time.monotonic() - began < 3


def test_attributes(awsim):
    sqs = awsim.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    dead = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})
    url = sqs.create_queue(QueueName="events", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["RedrivePolicy"] == redrive and attributes["MessageRetentionPeriod"] == "345600", attributes
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "1209600"})
    told = awsim.cli("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "MessageRetentionPeriod")
    assert told == {"Attributes": {"MessageRetentionPeriod": "1209600"}}, told


def test_refusals(awsim):
    sqs = awsim.client("sqs")
    with refused("AWS.SimpleQueueService.NonExistentQueue", "does not exist"):
        sqs.get_queue_url(QueueName="none")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    with refused("QueueAlreadyExists"):
        sqs.create_queue(QueueName="events", Attributes={"DelaySeconds": "1"})
    member = awsim.account("member")
    with refused("AccessDenied"):
        awsim.client("sqs", credentials=awsim.assume(member)).receive_message(QueueUrl=url)


main(globals())
