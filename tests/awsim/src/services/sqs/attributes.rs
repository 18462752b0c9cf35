//! What may be set about a queue, and what it tells of itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::messages::Message;
use super::redrive::Redrive;
use super::{arn, done, key_of, queue};
use crate::call::{Answer, AwsError, Call, Region};
use crate::services::iam::document::Document;
use crate::world::World;

/// Attributes that are numbers: the least, the most, and what a new queue has (SQS API, `SetQueueAttributes`).
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1_024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];

/// Attributes that are taken as they are and change nothing here.
const KEPT: [&str; 2] = ["SqsManagedSseEnabled", "RedriveAllowPolicy"];

#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) policy: Option<Document>,
    pub(super) redrive: Option<Redrive>,
    texts: BTreeMap<String, String>,
}

impl Settings {
    /// A number, as it was set or as new queues have it.
    pub(super) fn number(&self, name: &str) -> i64 {
        let set = self.texts.get(name).and_then(|text| text.parse().ok());
        let default = || NUMBERS.iter().find(|(number, ..)| *number == name);
        set.or_else(|| default().map(|(.., default)| *default))
            .unwrap_or_default()
    }

    /// Takes attributes over; all of them or, when one is wrong, none.
    pub(super) fn set(
        &mut self,
        world: &World,
        region: Region,
        given: Option<&Value>,
    ) -> Result<(), AwsError> {
        let mut settings = self.clone();
        for (name, value) in pairs(given) {
            let invalid = |why: &str| {
                let message = format!("Invalid value for the parameter {name}. Reason: {why}");
                AwsError::new("InvalidAttributeValue", message)
            };
            let number = NUMBERS.iter().find(|(number, ..)| number == name);
            match (name.as_str(), number) {
                ("Policy" | "RedrivePolicy", _) if value.is_empty() => {}
                ("Policy", _) => {
                    let document = Document::resource(value, |arn| world.iam.principal_exists(arn));
                    settings.policy = Some(document.map_err(|why| invalid(&why))?);
                }
                ("RedrivePolicy", _) => {
                    let redrive = Redrive::read(world, region, value).map_err(invalid)?;
                    settings.redrive = Some(redrive);
                }
                (_, Some((_, least, most, _))) => {
                    let number: Option<i64> = value.parse().ok();
                    number
                        .filter(|number| (least..=most).contains(&number))
                        .ok_or_else(|| invalid("out of range"))?;
                }
                (kept, None) if KEPT.contains(&kept) => {}
                _ => {
                    let message = format!("Unknown Attribute {name}.");
                    return Err(AwsError::new("InvalidAttributeName", message));
                }
            }
            if value.is_empty() {
                match name.as_str() {
                    "Policy" => settings.policy = None,
                    _ => settings.redrive = None,
                }
                settings.texts.remove(name);
            } else {
                settings.texts.insert(name.clone(), value.to_owned());
            }
        }
        *self = settings;
        Ok(())
    }

    /// Whether all that is given is as it is set.
    pub(super) fn has(&self, given: Option<&Value>) -> bool {
        pairs(given).all(|(name, value)| match self.texts.get(name) {
            Some(text) => text == value,
            None => self.number(name).to_string() == value,
        })
    }
}

fn pairs(given: Option<&Value>) -> impl Iterator<Item = (&String, &str)> {
    let given = given.and_then(Value::as_object).into_iter().flatten();
    given.map(|(name, value)| (name, value.as_str().unwrap_or_default()))
}

pub(super) fn set(world: &mut World, call: &Call<'_>) -> Answer {
    let mut settings = queue(world, call)?.settings.clone();
    settings.set(world, call.region, call.input.get("Attributes"))?;
    let queue = queue(world, call)?;
    queue.settings = settings;
    queue.modified = call.now;
    done()
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    let arn = arn(&key_of(call, call.required("QueueUrl"))?);
    let queue = queue(world, call)?;
    let count = |test: &dyn Fn(&&Message) -> bool| queue.messages.iter().filter(test).count();
    let mut all: Map<String, Value> = NUMBERS
        .iter()
        .map(|(name, ..)| {
            (
                (*name).to_owned(),
                queue.settings.number(name).to_string().into(),
            )
        })
        .collect();
    let texts = queue.settings.texts.iter();
    all.extend(texts.map(|(name, text)| (name.clone(), text.as_str().into())));
    let received = |message: &&Message| message.visible_at > call.now && message.received > 0;
    let delayed = |message: &&Message| message.visible_at > call.now && message.received == 0;
    for (name, value) in [
        ("QueueArn", arn),
        ("CreatedTimestamp", queue.created.as_second().to_string()),
        (
            "LastModifiedTimestamp",
            queue.modified.as_second().to_string(),
        ),
        (
            "ApproximateNumberOfMessages",
            count(&|message| message.visible_at <= call.now).to_string(),
        ),
        (
            "ApproximateNumberOfMessagesNotVisible",
            count(&received).to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            count(&delayed).to_string(),
        ),
    ] {
        all.insert(name.to_owned(), value.into());
    }
    let asked: Vec<&str> = call
        .list("AttributeNames")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !asked.contains(&"All") {
        all.retain(|name, _| asked.contains(&name.as_str()));
    }
    Ok(if all.is_empty() {
        json!({})
    } else {
        json!({"Attributes": all})
    })
}
