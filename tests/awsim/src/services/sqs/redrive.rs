//! Dead-letter queues: where a message goes that was received too often (Amazon SQS Developer Guide, "Using dead-letter
//! queues in Amazon SQS").

use jiff::Timestamp;
use serde_json::Value;

use super::messages::Message;
use super::{Key, key_of_arn};
use crate::call::Region;
use crate::world::World;

#[derive(Clone)]
pub(super) struct Redrive {
    target: Key,
    most: u32,
}

impl Redrive {
    /// `{"deadLetterTargetArn": …, "maxReceiveCount": …}`, of a queue in the same Region.
    pub(super) fn read(world: &World, region: Region, text: &str) -> Result<Self, &'static str> {
        let policy: Value = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
        let target = policy["deadLetterTargetArn"].as_str().and_then(key_of_arn);
        let target = target.ok_or("deadLetterTargetArn is not the ARN of a queue")?;
        // AWS takes the number as a string too.
        let most = &policy["maxReceiveCount"];
        let most = most.as_u64().or_else(|| most.as_str()?.parse().ok());
        let most = most.and_then(|most| u32::try_from(most).ok());
        let most = most.filter(|most| (1..=1_000).contains(most));
        let most = most.ok_or("maxReceiveCount is not a number from 1 to 1000")?;
        if target.1 != region || !world.sqs.queues.contains_key(&target) {
            return Err("the dead-letter queue does not exist in this Region");
        }
        Ok(Redrive { target, most })
    }
}

/// Takes away what is older than the queue keeps, and moves what was received too often.
pub(super) fn settle(world: &mut World, key: &Key, now: Timestamp) {
    let Some(queue) = world.sqs.queues.get_mut(key) else {
        return;
    };
    let keeps = queue.settings.number("MessageRetentionPeriod");
    let old = |message: &Message| now.duration_since(message.sent).as_secs() > keeps;
    queue.messages.retain(|message| !old(message));
    let Some(redrive) = queue.settings.redrive.clone() else {
        return;
    };
    let spent = |message: &Message| message.visible_at <= now && message.received >= redrive.most;
    let mut dead = Vec::new();
    for message in std::mem::take(&mut queue.messages) {
        if spent(&message) {
            dead.push(message);
        } else {
            queue.messages.push_back(message);
        }
    }
    if let Some(target) = world.sqs.queues.get_mut(&redrive.target) {
        target.messages.extend(dead);
    }
}
