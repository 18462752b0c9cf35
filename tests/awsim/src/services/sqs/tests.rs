//! Queues and messages, by their services' own words.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::send_as_service;
use crate::call::{AccountId, Answer};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

const REGION: &str = "eu-west-1";

fn call(scene: &mut Scene, operation: &'static str, input: Value) -> Answer {
    scene.call(("sqs", operation), MANAGEMENT_ACCOUNT, REGION, input)
}

fn queue(scene: &mut Scene, name: &str, attributes: &Value) -> String {
    let input = json!({"QueueName": name, "Attributes": attributes});
    let answer = call(scene, "CreateQueue", input).unwrap();
    answer["QueueUrl"].as_str().unwrap().to_owned()
}

fn send(scene: &mut Scene, url: &str, body: &str) {
    call(
        scene,
        "SendMessage",
        json!({"QueueUrl": url, "MessageBody": body}),
    )
    .unwrap();
}

/// Bodies and receipts of what can be received now.
fn receive(scene: &mut Scene, url: &str) -> Vec<(String, String)> {
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let answer = call(scene, "ReceiveMessage", input).unwrap();
    let text = |message: &Value, member: &str| message[member].as_str().unwrap().to_owned();
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .map(|message| (text(message, "Body"), text(message, "ReceiptHandle")))
        .collect()
}

#[test]
fn a_message_that_is_not_deleted_comes_again() {
    let mut scene = Scene::new();
    let url = queue(&mut scene, "events", &json!({"VisibilityTimeout": "30"}));
    assert_eq!(
        url,
        "https://sqs.eu-west-1.amazonaws.com/111111111111/events"
    );
    send(&mut scene, &url, "one");
    let first = receive(&mut scene, &url);
    assert_eq!(first[0].0, "one");
    assert!(receive(&mut scene, &url).is_empty());

    scene.after(SignedDuration::from_secs(31));
    let again = receive(&mut scene, &url);
    let delete = |receipt: &str| json!({"QueueUrl": url, "ReceiptHandle": receipt});
    // The receipt of the first time deletes nothing any more; that of the second does.
    call(&mut scene, "DeleteMessage", delete(&first[0].1)).unwrap();
    scene.after(SignedDuration::from_secs(31));
    assert_eq!(receive(&mut scene, &url).len(), 1);
    call(&mut scene, "DeleteMessage", delete(&again[0].1)).unwrap();
    scene.after(SignedDuration::from_secs(31));
    let third = receive(&mut scene, &url);
    call(&mut scene, "DeleteMessage", delete(&third[0].1)).unwrap();
    scene.after(SignedDuration::from_secs(31));
    assert!(receive(&mut scene, &url).is_empty());
    let refused = call(&mut scene, "DeleteMessage", delete("nonsense")).unwrap_err();
    assert_eq!(refused.code, "ReceiptHandleIsInvalid");
}

#[test]
fn visibility_can_be_changed_while_a_message_is_in_flight() {
    let mut scene = Scene::new();
    let url = queue(&mut scene, "events", &json!({}));
    send(&mut scene, &url, "one");
    let receipt = receive(&mut scene, &url)[0].1.clone();
    let change = json!({"QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": 0});
    call(&mut scene, "ChangeMessageVisibility", change.clone()).unwrap();
    let refused = call(&mut scene, "ChangeMessageVisibility", change).unwrap_err();
    assert_eq!(refused.code, "MessageNotInflight");
    assert_eq!(receive(&mut scene, &url).len(), 1);
}

#[test]
fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let mut scene = Scene::new();
    let dead = queue(&mut scene, "dead", &json!({}));
    let policy = json!({"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111111111111:dead", "maxReceiveCount": 2});
    let attributes = json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0"});
    let url = queue(&mut scene, "events", &attributes);
    send(&mut scene, &url, "poison");
    for _ in 0..2 {
        assert_eq!(receive(&mut scene, &url).len(), 1);
    }
    assert!(receive(&mut scene, &url).is_empty());
    assert_eq!(receive(&mut scene, &dead)[0].0, "poison");

    let nowhere = policy.to_string().replace("dead\"", "none\"");
    let set = json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": nowhere}});
    assert_eq!(
        call(&mut scene, "SetQueueAttributes", set)
            .unwrap_err()
            .code,
        "InvalidAttributeValue"
    );
}

#[test]
fn a_service_sends_where_the_policy_of_the_queue_lets_it() {
    let mut scene = Scene::new();
    let url = queue(&mut scene, "events", &json!({}));
    let arn = "arn:aws:sqs:eu-west-1:111111111111:events";
    let rule = "arn:aws:events:eu-west-1:111111111111:rule/hub/all";
    let sent = |scene: &mut Scene, rule: &str| {
        let now = scene.now;
        let source = (rule, MANAGEMENT_ACCOUNT);
        send_as_service(
            &mut scene.world,
            "events.amazonaws.com",
            source,
            arn,
            "{}",
            (now, now),
        )
    };
    assert!(!sent(&mut scene, rule));
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]});
    let set = json!({"QueueUrl": url, "Attributes": {"Policy": policy.to_string()}});
    call(&mut scene, "SetQueueAttributes", set).unwrap();
    assert!(sent(&mut scene, rule));
    assert!(!sent(
        &mut scene,
        "arn:aws:events:eu-west-1:222222222222:rule/other"
    ));
    assert_eq!(receive(&mut scene, &url).len(), 1);
}

#[test]
fn another_account_needs_the_policy_of_the_queue() {
    let mut scene = Scene::new();
    let other = scene.account("other");
    let url = queue(&mut scene, "events", &json!({}));
    let receive = |scene: &mut Scene, account: AccountId| {
        scene.call(
            ("sqs", "ReceiveMessage"),
            account,
            REGION,
            json!({"QueueUrl": url}),
        )
    };
    assert_eq!(receive(&mut scene, other).unwrap_err().code, "AccessDenied");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": other.to_string()}, "Action": "sqs:ReceiveMessage", "Resource": "*"}]});
    let set = json!({"QueueUrl": url, "Attributes": {"Policy": policy.to_string()}});
    call(&mut scene, "SetQueueAttributes", set).unwrap();
    assert_eq!(receive(&mut scene, other), Ok(json!({})));
}

#[test]
fn what_sqs_refuses_is_refused() {
    let mut scene = Scene::new();
    let url = queue(&mut scene, "events", &json!({"VisibilityTimeout": "60"}));
    assert_eq!(
        queue(&mut scene, "events", &json!({"VisibilityTimeout": "60"})),
        url
    );
    let elsewhere = url.replace("eu-west-1", "us-east-1");
    let nothing = url.replace("/events", "/none");
    for (operation, input, code) in [
        (
            "CreateQueue",
            json!({"QueueName": "events", "Attributes": {"VisibilityTimeout": "61"}}),
            "QueueNameExists",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "a b"}),
            "InvalidParameterValue",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "b", "Attributes": {"VisibilityTimeout": "-1"}}),
            "InvalidAttributeValue",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "b", "Attributes": {"Policy": "{"}}),
            "InvalidAttributeValue",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": nothing}),
            "QueueDoesNotExist",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": elsewhere}),
            "InvalidAddress",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url, "MaxNumberOfMessages": 11}),
            "InvalidParameterValue",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url, "WaitTimeSeconds": 21}),
            "InvalidParameterValue",
        ),
        (
            "GetQueueUrl",
            json!({"QueueName": "none"}),
            "QueueDoesNotExist",
        ),
        (
            "DeleteMessageBatch",
            json!({"QueueUrl": url, "Entries": []}),
            "EmptyBatchRequest",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": ""}),
            "InvalidParameterValue",
        ),
    ] {
        let refused = call(&mut scene, operation, input.clone()).unwrap_err();
        assert_eq!(refused.code, code, "{operation} {input}");
    }
    call(&mut scene, "PurgeQueue", json!({"QueueUrl": url})).unwrap();
    let refused = call(&mut scene, "PurgeQueue", json!({"QueueUrl": url})).unwrap_err();
    assert_eq!(refused.code, "PurgeQueueInProgress");
}
