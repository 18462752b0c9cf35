//! AWS Config: the recorder and its delivery channel, aggregators, rules.
//!
//! Everything belongs to one account and Region, and little of it is there: a cell is made by the first call that
//! writes. What an account sees of its neighbours goes through an aggregator alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

mod aggregator;
mod channel;
mod delivery;
mod recorder;
mod recording_group;
mod retention;
mod role;
mod rule;
mod tags;
mod tamper;
#[cfg(test)]
mod tests;

pub use tamper::tamper;

/// The principal that AWS Config acts as, and the name of its trusted access.
const SERVICE: &str = "config.amazonaws.com";

#[derive(Default)]
pub struct State {
    cells: BTreeMap<(AccountId, Region), Cell>,
}

/// What one account has in one Region.
#[derive(Default)]
struct Cell {
    recorder: Option<recorder::Recorder>,
    channel: Option<channel::Channel>,
    /// Days that configuration items are kept, where the default was changed.
    retention: Option<i64>,
    aggregators: BTreeMap<String, aggregator::Aggregator>,
    rules: BTreeMap<String, rule::Rule>,
    /// By ARN, whatever it is that carries the tags.
    tags: BTreeMap<String, tags::Tags>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "PutConfigurationRecorder" => recorder::put(world, call),
        "DeleteConfigurationRecorder" => recorder::delete(world, call),
        "StartConfigurationRecorder" => recorder::start(world, call),
        "StopConfigurationRecorder" => recorder::stop(world, call),
        "DescribeConfigurationRecorders" => recorder::describe(world, call),
        "DescribeConfigurationRecorderStatus" => recorder::describe_status(world, call),
        "PutDeliveryChannel" => channel::put(world, call),
        "DeleteDeliveryChannel" => channel::delete(world, call),
        "DescribeDeliveryChannels" => channel::describe(world, call),
        "DescribeDeliveryChannelStatus" => channel::describe_status(world, call),
        "PutConfigurationAggregator" => aggregator::put(world, call),
        "DeleteConfigurationAggregator" => aggregator::delete(world, call),
        "DescribeConfigurationAggregators" => aggregator::describe(world, call),
        "DescribeConfigurationAggregatorSourcesStatus" => aggregator::describe_sources(world, call),
        "PutRetentionConfiguration" => retention::put(world, call),
        "DeleteRetentionConfiguration" => retention::delete(world, call),
        "DescribeRetentionConfigurations" => retention::describe(world, call),
        "PutConfigRule" => rule::put(world, call),
        "DeleteConfigRule" => rule::delete(world, call),
        "DescribeConfigRules" => rule::describe(world, call),
        "TagResource" => tags::tag(world, call),
        "UntagResource" => tags::untag(world, call),
        "ListTagsForResource" => tags::list(world, call),
        _ => Err(AwsError::not_built()),
    }
}

impl State {
    /// Whether a recorder is recording in this account and Region: Security Hub's standards need it.
    pub fn is_recording(&self, account: AccountId, region: Region) -> bool {
        self.cell(account, region).is_some_and(Cell::is_recording)
    }

    fn cell(&self, account: AccountId, region: Region) -> Option<&Cell> {
        self.cells.get(&(account, region))
    }

    /// The cell that a call acts in, if anything was ever written there.
    fn here(&self, call: &Call<'_>) -> Option<&Cell> {
        self.cell(call.account(), call.region)
    }

    /// The cell that a call writes to.
    fn here_mut(&mut self, call: &Call<'_>) -> &mut Cell {
        self.cells.entry((call.account(), call.region)).or_default()
    }
}

impl Cell {
    fn is_recording(&self) -> bool {
        self.recorder.as_ref().is_some_and(|r| r.recording)
    }

    /// Whether something that can carry tags has this ARN.
    fn has_arn(&self, account: AccountId, region: &str, arn: &str) -> bool {
        self.recorder
            .as_ref()
            .is_some_and(|r| r.arn(account, region) == arn)
            || self.aggregators.values().any(|a| a.arn == arn)
            || self.rules.values().any(|r| r.arn == arn)
    }
}

/// What operations answer whose output has no members.
fn done() -> Answer {
    Ok(json!({}))
}

/// The strings of a list.
fn texts(list: &[Value]) -> Vec<&str> {
    list.iter().filter_map(Value::as_str).collect()
}
