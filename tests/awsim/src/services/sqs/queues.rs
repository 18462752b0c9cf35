//! Queues: making, finding and deleting them.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::attributes::Settings;
use super::messages::Message;
use super::{Key, done, invalid_parameter, key_of, no_queue, owner, queue, url};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

pub(super) struct Queue {
    pub(super) settings: Settings,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) messages: VecDeque<Message>,
    /// When it was last purged: again only after a minute.
    pub(super) purged: Option<Timestamp>,
}

/// `CreateQueue`. Asked for again with the same attributes it answers the queue that is there.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("QueueName");
    if name.ends_with(".fifo") {
        return Err(AwsError::not_built());
    }
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !(1..=80).contains(&name.len()) || !name.bytes().all(valid) {
        return Err(invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    let key: Key = (call.account(), call.region, name.to_owned());
    let given = call.input.get("Attributes");
    let mut settings = Settings::default();
    settings.set(world, call.region, given)?;
    match world.sqs.queues.get(&key) {
        Some(there) if !there.settings.has(given) => {
            return Err(AwsError::new(
                "QueueNameExists",
                "A queue already exists with the same name and a different value for attribute",
            ));
        }
        Some(_) => {}
        None => {
            let queue = Queue {
                settings,
                created: call.now,
                modified: call.now,
                messages: VecDeque::new(),
                purged: None,
            };
            world.sqs.queues.insert(key.clone(), queue);
        }
    }
    Ok(json!({"QueueUrl": url(&key)}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    queue(world, call)?;
    let key = key_of(call, call.required("QueueUrl"))?;
    world.sqs.queues.remove(&key);
    done()
}

pub(super) fn url_of(world: &World, call: &Call<'_>) -> Answer {
    let key: Key = (
        owner(call),
        call.region,
        call.required("QueueName").to_owned(),
    );
    super::check_owner(world, call, &key)?;
    if world.sqs.queues.contains_key(&key) {
        Ok(json!({"QueueUrl": url(&key)}))
    } else {
        Err(no_queue())
    }
}

/// The caller's own queues, all on one page: there are few.
pub(super) fn list(world: &World, call: &Call<'_>) -> Value {
    let prefix = call.text("QueueNamePrefix").unwrap_or_default();
    let mine = world.sqs.queues.keys().filter(|(account, region, name)| {
        (*account, *region) == (call.account(), call.region) && name.starts_with(prefix)
    });
    let urls: Vec<String> = mine.map(url).collect();
    if urls.is_empty() {
        json!({})
    } else {
        json!({"QueueUrls": urls})
    }
}
