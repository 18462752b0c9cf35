//! Messages: sent, received for a while, deleted or seen again.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Key, done, invalid_parameter, key_of, no_queue, queue, redrive};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

#[derive(Clone)]
pub(super) struct Message {
    id: String,
    body: String,
    sender: String,
    pub(super) sent: Timestamp,
    /// Until then nobody receives it.
    pub(super) visible_at: Timestamp,
    pub(super) received: u32,
    first_received: Option<Timestamp>,
    /// What its last receiver was given.
    receipt: Option<String>,
}

/// How every receipt handle begins; what does not begin so was never one.
const RECEIPT: &str = "AQEB";

/// The most messages in one answer or one batch.
const MOST: usize = 10;

/// Puts a message into a queue, to be received from `visible_at` on.
pub(super) fn put(
    world: &mut World,
    key: &Key,
    sender: &str,
    body: &str,
    now: Timestamp,
    visible_at: Timestamp,
) -> String {
    let id = uuid(world);
    let message = Message {
        id: id.clone(),
        body: body.to_owned(),
        sender: sender.to_owned(),
        sent: now,
        visible_at,
        received: 0,
        first_received: None,
        receipt: None,
    };
    if let Some(queue) = world.sqs.queues.get_mut(key) {
        queue.messages.push_back(message);
    }
    world.sqs.arrivals.notify_waiters();
    id
}

fn uuid(world: &mut World) -> String {
    [8, 4, 4, 4, 12].map(|n| world.random_hex(n)).join("-")
}

pub(super) fn send(world: &mut World, call: &Call<'_>) -> Answer {
    let settings = &queue(world, call)?.settings;
    let body = call.required("MessageBody");
    let longest = settings.number("MaximumMessageSize");
    if body.is_empty() || i64::try_from(body.len()).is_ok_and(|length| length > longest) {
        return Err(invalid_parameter(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {longest} bytes and not empty."
        )));
    }
    let delay = call
        .integer("DelaySeconds")
        .unwrap_or(settings.number("DelaySeconds"));
    if !(0..=900).contains(&delay) {
        return Err(invalid_parameter(
            "Value for parameter DelaySeconds is invalid.",
        ));
    }
    let key = key_of(call, call.required("QueueUrl"))?;
    let visible_at = call.now + SignedDuration::from_secs(delay);
    let sender = call.principal.unique_id.clone();
    let id = put(world, &key, &sender, body, call.now, visible_at);
    Ok(json!({"MessageId": id}))
}

pub(super) fn receive(world: &mut World, call: &Call<'_>) -> Answer {
    let most = call.integer("MaxNumberOfMessages").unwrap_or(1);
    let most = usize::try_from(most)
        .ok()
        .filter(|most| (1..=MOST).contains(most));
    let most = most.ok_or_else(|| {
        invalid_parameter("Value for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")
    })?;
    if call
        .integer("WaitTimeSeconds")
        .is_some_and(|wait| !(0..=20).contains(&wait))
    {
        return Err(invalid_parameter(
            "Value for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
        ));
    }
    queue(world, call)?;
    let key = key_of(call, call.required("QueueUrl"))?;
    redrive::settle(world, &key, call.now);
    let receipts: Vec<String> = (0..most).map(|_| world.random_hex(60)).collect();
    let queue = world.sqs.queues.get_mut(&key).ok_or_else(no_queue)?;
    let hidden = call
        .integer("VisibilityTimeout")
        .unwrap_or(queue.settings.number("VisibilityTimeout"));
    let visible = queue
        .messages
        .iter_mut()
        .filter(|message| message.visible_at <= call.now);
    let mut answer = Vec::new();
    for (message, receipt) in visible.zip(receipts) {
        let receipt = format!("{RECEIPT}{receipt}");
        message.received += 1;
        message.first_received.get_or_insert(call.now);
        message.receipt = Some(receipt.clone());
        message.visible_at = call.now + SignedDuration::from_secs(hidden);
        let mut told =
            json!({"MessageId": message.id, "ReceiptHandle": receipt, "Body": message.body});
        let attributes = message.attributes(call);
        if !attributes.is_empty() {
            told["Attributes"] = attributes.into();
        }
        answer.push(told);
    }
    Ok(if answer.is_empty() {
        json!({})
    } else {
        json!({"Messages": answer})
    })
}

impl Message {
    /// The attributes that a call asks for.
    fn attributes(&self, call: &Call<'_>) -> Map<String, Value> {
        let asked = |name: &str| {
            let names = ["MessageSystemAttributeNames", "AttributeNames"];
            let mut names = names.iter().flat_map(|member| call.list(member));
            names.any(|asked| asked == "All" || asked == name)
        };
        let first = self.first_received.unwrap_or(self.sent);
        let all = [
            ("SenderId", self.sender.clone()),
            ("SentTimestamp", self.sent.as_millisecond().to_string()),
            ("ApproximateReceiveCount", self.received.to_string()),
            (
                "ApproximateFirstReceiveTimestamp",
                first.as_millisecond().to_string(),
            ),
        ];
        let asked = all.into_iter().filter(|(name, _)| asked(name));
        asked
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    }
}

/// Deletes the message of a receipt. One that is gone already, or was received again since, is no error.
fn delete_one(world: &mut World, call: &Call<'_>, receipt: &str) -> Result<(), AwsError> {
    let queue = queue(world, call)?;
    check_receipt(receipt)?;
    queue
        .messages
        .retain(|message| message.receipt.as_deref() != Some(receipt));
    Ok(())
}

fn check_receipt(receipt: &str) -> Result<(), AwsError> {
    if receipt.starts_with(RECEIPT) {
        return Ok(());
    }
    let message = format!("The input receipt handle \"{receipt}\" is not a valid receipt handle.");
    Err(AwsError::new("ReceiptHandleIsInvalid", message))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    delete_one(world, call, call.required("ReceiptHandle"))?;
    done()
}

pub(super) fn delete_batch(world: &mut World, call: &Call<'_>) -> Answer {
    let entries = call.list("Entries");
    let refuse = |code: &str, message: &str| Err(AwsError::new(code, message));
    if entries.is_empty() {
        return refuse(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.",
        );
    }
    if entries.len() > MOST {
        return refuse(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        );
    }
    let id = |entry: &Value| entry["Id"].as_str().unwrap_or_default().to_owned();
    let ids: std::collections::BTreeSet<String> = entries.iter().map(id).collect();
    if ids.len() < entries.len() {
        return refuse(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries have the same Id.",
        );
    }
    queue(world, call)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match delete_one(world, call, entry["ReceiptHandle"].as_str().unwrap_or_default()) {
            Ok(()) => successful.push(json!({"Id": id(entry)})),
            Err(error) => failed.push(
                json!({"Id": id(entry), "SenderFault": true, "Code": error.code, "Message": error.message}),
            ),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

pub(super) fn change_visibility(world: &mut World, call: &Call<'_>) -> Answer {
    let seconds = call.integer("VisibilityTimeout").unwrap_or_default();
    let receipt = call.required("ReceiptHandle");
    let queue = queue(world, call)?;
    check_receipt(receipt)?;
    if !(0..=43_200).contains(&seconds) {
        return Err(invalid_parameter(
            "Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.",
        ));
    }
    let mut messages = queue.messages.iter_mut();
    let message = messages.find(|message| message.receipt.as_deref() == Some(receipt));
    let message = message.ok_or_else(|| {
        invalid_parameter(
            "Reason: Message does not exist or is not available for visibility timeout change.",
        )
    })?;
    if message.visible_at <= call.now {
        return Err(AwsError::new(
            "MessageNotInflight",
            "The message referred to isn't in flight.",
        ));
    }
    message.visible_at = call.now + SignedDuration::from_secs(seconds);
    world.sqs.arrivals.notify_waiters();
    done()
}

pub(super) fn purge(world: &mut World, call: &Call<'_>) -> Answer {
    let queue = queue(world, call)?;
    let minute = SignedDuration::from_secs(60);
    if queue
        .purged
        .is_some_and(|at| call.now.duration_since(at) < minute)
    {
        let message = "Only one PurgeQueue operation on a queue is allowed every 60 seconds.";
        return Err(AwsError::new("PurgeQueueInProgress", message));
    }
    queue.purged = Some(call.now);
    queue.messages.clear();
    done()
}
