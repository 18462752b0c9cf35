//! SQS: standard queues. Messages are kept in the order in which they came, but nobody may rely on it.
//!
//! FIFO queues, message attributes and MD5 sums are not built. A call on another account's queue is decided by that
//! queue's policy (Amazon SQS Developer Guide, "Basic examples of Amazon SQS policies").

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_policy::{Context, PrincipalView, Request};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::authorize::{self, Question};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::regions;
use crate::world::World;

mod attributes;
mod messages;
mod queues;
mod redrive;
#[cfg(test)]
mod tests;

use queues::Queue;

/// Whose queue, where, and its name.
type Key = (AccountId, Region, String);

#[derive(Default)]
pub struct State {
    queues: BTreeMap<Key, Queue>,
    arrivals: Arc<Notify>,
}

/// Answers at once, `ReceiveMessage` too: who may wait for messages asks [`wait`] how long, and asks again.
pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateQueue" => queues::create(world, call),
        "DeleteQueue" => queues::delete(world, call),
        "GetQueueUrl" => queues::url_of(world, call),
        "ListQueues" => Ok(queues::list(world, call)),
        "GetQueueAttributes" => attributes::get(world, call),
        "SetQueueAttributes" => attributes::set(world, call),
        "PurgeQueue" => messages::purge(world, call),
        "SendMessage" => messages::send(world, call),
        "ReceiveMessage" => messages::receive(world, call),
        "DeleteMessage" => messages::delete(world, call),
        "DeleteMessageBatch" => messages::delete_batch(world, call),
        "ChangeMessageVisibility" => messages::change_visibility(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The queue's ARN for all operations but `ListQueues` (service authorization reference, Amazon SQS).
pub fn resource(call: &Call<'_>) -> String {
    let key = match (call.text("QueueUrl"), call.text("QueueName")) {
        (Some(url), _) => key_of(call, url).ok(),
        (None, Some(name)) => Some((owner(call), call.region, name.to_owned())),
        (None, None) => None,
    };
    key.map_or_else(|| "*".to_owned(), |key| arn(&key))
}

/// How long a `ReceiveMessage` that found nothing may still wait, and what tells that something has come.
pub fn wait(world: &World, call: &Call<'_>) -> Option<(SignedDuration, Arc<Notify>)> {
    if (call.service, call.operation) != ("sqs", "ReceiveMessage") {
        return None;
    }
    let queue = world
        .sqs
        .queues
        .get(&key_of(call, call.required("QueueUrl")).ok()?)?;
    let seconds = call.integer("WaitTimeSeconds");
    let seconds = seconds.unwrap_or(queue.settings.number("ReceiveMessageWaitTimeSeconds"));
    Some((
        SignedDuration::from_secs(seconds),
        world.sqs.arrivals.clone(),
    ))
}

/// Has an AWS service send a message for the resource `source`: whether the queue is there and its policy lets it.
/// The message can be received from `visible_at` on.
pub fn send_as_service(
    world: &mut World,
    service: &str,
    (source, source_account): (&str, AccountId),
    queue: &str,
    body: &str,
    (now, visible_at): (Timestamp, Timestamp),
) -> bool {
    let Some(key) = key_of_arn(queue) else {
        return false;
    };
    let principal = PrincipalView::service(service);
    let context = Context::of(&principal)
        .with("aws:SourceArn", source)
        .with("aws:SourceAccount", source_account.to_string())
        .with("aws:SecureTransport", "true");
    let context = match world.organizations.created_at(source_account) {
        Some(_) => context.with("aws:SourceOrgID", world.organizations.organization_id()),
        None => context,
    };
    let request = Request {
        principal: &principal,
        action: "sqs:SendMessage",
        resource: queue,
        context: &context,
    };
    let allowed = world.sqs.queues.get(&key).is_some_and(|queue| {
        let policy = queue.settings.policy.as_ref();
        policy.is_some_and(|policy| policy.policy.allows(&request))
    });
    if allowed {
        messages::put(world, &key, service, body, now, visible_at);
    }
    allowed
}

/// The account that a call names instead of its own.
fn owner(call: &Call<'_>) -> AccountId {
    let named = call.text("QueueOwnerAWSAccountId");
    named
        .and_then(|id| id.parse().ok())
        .unwrap_or(call.account())
}

fn arn((account, region, name): &Key) -> String {
    format!("arn:aws:sqs:{region}:{account}:{name}")
}

fn url((account, region, name): &Key) -> String {
    format!("https://sqs.{region}.amazonaws.com/{account}/{name}")
}

fn key_of_arn(arn: &str) -> Option<Key> {
    let mut parts = arn.strip_prefix("arn:aws:sqs:")?.splitn(3, ':');
    let region = regions::find(parts.next()?)?;
    Some((
        parts.next()?.parse().ok()?,
        region,
        parts.next()?.to_owned(),
    ))
}

/// The queue that a URL names: the last two parts of its path are account and name. The endpoint that was called has
/// the Region.
fn key_of(call: &Call<'_>, url: &str) -> Result<Key, AwsError> {
    let invalid = || {
        let message = format!("The address {url} is not valid for this endpoint.");
        AwsError::new("InvalidAddress", message)
    };
    let (front, name) = url
        .trim_end_matches('/')
        .rsplit_once('/')
        .ok_or_else(invalid)?;
    let (host, account) = front.rsplit_once('/').ok_or_else(invalid)?;
    let account = account.parse().map_err(|()| invalid())?;
    let elsewhere = host
        .strip_prefix("https://sqs.")
        .and_then(|host| host.strip_suffix(".amazonaws.com"))
        .is_some_and(|region| region != call.region);
    if elsewhere {
        return Err(invalid());
    }
    Ok((account, call.region, name.to_owned()))
}

/// The queue that a call is about, once its owner lets the caller at it.
fn queue<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Queue, AwsError> {
    let key = key_of(call, call.required("QueueUrl"))?;
    check_owner(world, call, &key)?;
    world.sqs.queues.get_mut(&key).ok_or_else(no_queue)
}

/// Lets the account's own callers through, and others where the queue's policy does.
fn check_owner(world: &World, call: &Call<'_>, key: &Key) -> Result<(), AwsError> {
    if key.0 == call.account() {
        return Ok(());
    }
    let queue = world.sqs.queues.get(key).ok_or_else(no_queue)?;
    let denied = |message: String| AwsError::new("AccessDenied", message).status(403);
    let action = format!("sqs:{}", call.operation);
    let policy = queue.settings.policy.as_ref();
    let policy = policy.ok_or_else(|| denied(format!("Access to {} is denied.", arn(key))))?;
    let question = Question {
        principal: call.principal,
        action: &action,
        resource: &arn(key),
        context: Context::new(),
        resource_policy: Some((&policy.policy, key.0)),
        resource_must_allow: true,
    };
    authorize::may(world, call.region, call.now, question).map_err(denied)
}

fn no_queue() -> AwsError {
    AwsError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterValue", message)
}

/// What operations answer whose output has no members.
fn done() -> Answer {
    Ok(Value::Object(serde_json::Map::new()))
}

/// Messages that wait in a queue, received or not: for tests and `/_awsim/queues`.
pub fn report(world: &World) -> Value {
    let queues = world.sqs.queues.iter();
    let row =
        |(key, queue): (&Key, &Queue)| json!({"url": url(key), "messages": queue.messages.len()});
    queues.map(row).collect()
}
