//! What was asked, how often and with what outcome: the test oracle for "how many calls did that take".

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::call::{AccountId, Region};

/// Calls that have all of these in common are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    pub service: &'static str,
    /// Empty where the request named none that there is.
    pub operation: &'static str,
    /// `None` where the caller could not be told.
    pub account: Option<AccountId>,
    pub region: Region,
    /// `ok`, the error's code, or the fault that cut the connection.
    pub outcome: Cow<'static, str>,
}

/// Counters since the start or the last clearing.
#[derive(Default)]
pub struct Calls {
    counts: HashMap<Kind, u64>,
    /// Operations asked for that awsim has not built or does not know.
    unbuilt: BTreeMap<String, u64>,
    /// Answers that did not fit the service's model: mistakes of awsim's own.
    mistakes: BTreeMap<String, u64>,
}

impl Calls {
    pub fn record(&mut self, kind: Kind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    pub fn record_unbuilt(&mut self, service: &str, operation: &str) {
        *self
            .unbuilt
            .entry(format!("{service}:{operation}"))
            .or_default() += 1;
    }

    pub fn record_mistake(&mut self, what: String) {
        *self.mistakes.entry(what).or_default() += 1;
    }

    /// Everything counted, in no order.
    pub fn counts(&self) -> &HashMap<Kind, u64> {
        &self.counts
    }

    /// Operations asked for that awsim has not built or does not know.
    pub fn mistakes(&self) -> &BTreeMap<String, u64> {
        &self.mistakes
    }

    pub fn unbuilt(&self) -> &BTreeMap<String, u64> {
        &self.unbuilt
    }

    /// All of it as `GET /_awsim/calls` answers it, sorted.
    pub fn report(&self) -> Value {
        let sorted: BTreeMap<&Kind, u64> = self
            .counts
            .iter()
            .map(|(kind, &count)| (kind, count))
            .collect();
        let row = |(kind, count): (&Kind, u64)| {
            json!({
                "service": kind.service,
                "operation": kind.operation,
                "account": kind.account.map_or_else(String::new, |account| account.to_string()),
                "region": kind.region,
                "outcome": kind.outcome,
                "count": count,
            })
        };
        json!({
            "total": self.counts.values().sum::<u64>(),
            "calls": sorted.into_iter().map(row).collect::<Vec<_>>(),
            "unbuilt": self.unbuilt,
            "mistakes": self.mistakes,
        })
    }
}
