//! EventBridge: event buses, rules, and what becomes of an event.
//!
//! ```text
//! a call ──► default bus of its account and Region ──► rules ──► SQS queue
//!                                                        └─────► bus of another account or Region ──► rules ──► SQS queue
//! ```
//!
//! Of targets, queues and event buses are built; events go from bus to bus once ("Sending and receiving events between AWS
//! accounts in Amazon EventBridge"). Schedules, archives, transformations and tags are not built.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::faults::Faults;
use crate::regions;
use crate::world::World;

mod buses;
mod delivery;
mod pattern;
mod rules;
mod targets;
#[cfg(test)]
mod tests;

use buses::Bus;
pub use delivery::{Event, publish};

/// The principal that EventBridge acts as.
const SERVICE: &str = "events.amazonaws.com";

/// Whose bus, where, and its name.
type Key = (AccountId, Region, String);

#[derive(Default)]
pub struct State {
    /// Every account has a bus `default` in every Region, which stands here once somebody made a rule on it.
    buses: BTreeMap<Key, Bus>,
    /// What befalls events on their way: those faults of the simulator that are about delivery.
    faults: Option<Arc<Mutex<Faults>>>,
    /// What became of events, by outcome.
    outcomes: BTreeMap<&'static str, u64>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateEventBus" => buses::create(world, call),
        "DeleteEventBus" => buses::delete(world, call),
        "DescribeEventBus" => buses::describe(world, call),
        "ListEventBuses" => Ok(buses::list(world, call)),
        "PutPermission" => buses::put_permission(world, call),
        "RemovePermission" => buses::remove_permission(world, call),
        "PutRule" => rules::put(world, call),
        "DeleteRule" => rules::delete(world, call),
        "DescribeRule" => rules::describe(world, call),
        "ListRules" => rules::list(world, call),
        "EnableRule" => rules::enable(world, call, true),
        "DisableRule" => rules::enable(world, call, false),
        "PutTargets" => targets::put(world, call),
        "RemoveTargets" => targets::remove(world, call),
        "ListTargetsByRule" => targets::list(world, call),
        "PutEvents" => delivery::put(world, call),
        "TestEventPattern" => pattern::test(call),
        _ => Err(AwsError::not_built()),
    }
}

/// The rule's or the bus's ARN (service authorization reference, Amazon EventBridge).
pub fn resource(call: &Call<'_>) -> String {
    let rule = match call.operation {
        "PutRule" | "DeleteRule" | "DescribeRule" | "EnableRule" | "DisableRule" => "Name",
        "PutTargets" | "RemoveTargets" | "ListTargetsByRule" => "Rule",
        "CreateEventBus" | "DeleteEventBus" | "DescribeEventBus" => {
            let named = call.text("Name").unwrap_or(buses::DEFAULT);
            return buses::key_of(call, Some(named))
                .map_or_else(|_| "*".to_owned(), |key| buses::arn(&key));
        }
        _ => return "*".to_owned(),
    };
    match buses::key_of(call, call.text("EventBusName")) {
        Ok(key) => rules::arn(&key, call.required(rule)),
        Err(_) => "*".to_owned(),
    }
}

/// Has events befallen by the faults that are planned for their delivery.
pub fn heed(world: &mut World, faults: Arc<Mutex<Faults>>) {
    world.events.faults = Some(faults);
}

/// What became of events so far.
pub fn report(world: &World) -> Value {
    json!(world.events.outcomes)
}

fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new("ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationException", message)
}

/// What operations answer whose output has no members.
fn done() -> Answer {
    Ok(json!({}))
}

/// `arn:aws:events:REGION:ACCOUNT:event-bus/NAME`
fn bus_of_arn(arn: &str) -> Option<Key> {
    let mut parts = arn.strip_prefix("arn:aws:events:")?.splitn(3, ':');
    let region = regions::find(parts.next()?)?;
    let account = parts.next()?.parse().ok()?;
    let name = parts.next()?.strip_prefix("event-bus/")?;
    Some((account, region, name.to_owned()))
}
