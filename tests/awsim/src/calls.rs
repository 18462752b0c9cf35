//! What was asked, how often and with what outcome: the test oracle for "how many calls did that take".

use std::collections::BTreeMap;

use serde::Serialize;

use crate::call::{AccountId, Region};

/// Calls that have all of these in common are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Kind {
    pub service: String,
    pub operation: String,
    /// Twelve digits, or empty where the caller could not be told.
    pub account: String,
    pub region: String,
    /// `ok`, or the error's code.
    pub outcome: String,
}

#[derive(Serialize)]
pub struct Count {
    #[serde(flatten)]
    pub kind: Kind,
    pub count: u64,
}

/// Counters since the start or the last clearing.
#[derive(Default)]
pub struct Calls {
    counts: BTreeMap<Kind, u64>,
    /// Operations asked for that awsim has not built or does not know.
    unbuilt: BTreeMap<String, u64>,
    /// Answers that did not fit the service's model: mistakes of awsim's own.
    mistakes: BTreeMap<String, u64>,
}

impl Calls {
    pub fn record(
        &mut self,
        service: &str,
        operation: &str,
        account: Option<AccountId>,
        region: Region,
        outcome: &str,
    ) {
        let kind = Kind {
            service: service.to_owned(),
            operation: operation.to_owned(),
            account: account.map_or_else(String::new, |account| account.to_string()),
            region: region.to_owned(),
            outcome: outcome.to_owned(),
        };
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

    /// Everything counted, sorted.
    pub fn counts(&self) -> impl Iterator<Item = Count> {
        self.counts.iter().map(|(kind, &count)| Count {
            kind: kind.clone(),
            count,
        })
    }

    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub fn unbuilt(&self) -> &BTreeMap<String, u64> {
        &self.unbuilt
    }

    pub fn mistakes(&self) -> &BTreeMap<String, u64> {
        &self.mistakes
    }
}
