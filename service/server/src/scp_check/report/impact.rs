//! What a check says of recorded calls.

use std::collections::BTreeMap;

use landfall_policy::replay::{Change, Totals};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{counted, counted_u64, grouped};

/// What becomes of recorded calls.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Impact {
    /// Every record is counted in exactly one of these.
    #[schema(value_type = Object)]
    pub totals: Totals,
    /// What each cause changes, surely denied calls first.
    pub causes: Vec<CauseImpact>,
    /// Calls that are decided otherwise: surely denied ones first, then those that may be, then those that are allowed anew;
    /// of each the most frequent first.
    pub calls: Vec<Calls>,
    /// Calls that are decided otherwise and stand in no row of `calls`, since there are too many rows: how many of each
    /// `change`.
    pub left_out: BTreeMap<String, u64>,
    /// Events of which nobody knows the action, the most frequent first.
    pub unknown_events: Vec<UnknownEvents>,
    /// Events younger than this date may be unknown.
    #[schema(example = "2026-11-20")]
    pub actions_known_until: String,
    /// The time of the first record, as recorded; empty if none has one.
    #[serde(default)]
    #[schema(example = "2026-10-23T00:04:11Z")]
    pub first_seen: String,
    #[serde(default)]
    pub last_seen: String,
    /// How many records are of data events, which a trail has where somebody asked for them.
    #[serde(default)]
    pub data_events: u64,
    /// Actions that these policies newly deny and that calls need besides their own, each with what for: they are in no record.
    #[serde(default)]
    #[schema(example = json!(["`iam:PassRole` to hand on a role"]))]
    pub denied_besides: Vec<String>,
    /// Kinds of data on which these policies newly deny calls: they are in records of data events alone.
    #[serde(default)]
    #[schema(example = json!(["objects in S3"]))]
    pub denied_data: Vec<String>,
    /// What could not be read to its end.
    pub unread: Vec<String>,
    /// What was read of the log bucket, where the calls are from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_files: Option<LogFiles>,
}

/// Log files of the organization trail that the server read itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogFiles {
    #[schema(example = "landfall-logs-222222222222")]
    pub bucket: String,
    /// The first day that was asked for, by UTC.
    #[schema(example = "2026-10-23")]
    pub from: String,
    /// The last one: the day of the check.
    #[schema(example = "2026-11-22")]
    pub to: String,
    /// How many files were read.
    pub files: u64,
    /// How many bytes that was, packed as they lie there.
    pub bytes: u64,
    /// The accounts that they are of.
    #[schema(example = json!(["222222222222"]))]
    pub accounts: Vec<String>,
    /// What was not read and why, in a sentence each. It stands under `not_looked_at` too.
    pub left_out: Vec<String>,
    /// The same for what a bound of this reading kept from being read.
    pub cut_off: Vec<String>,
    /// Where another check goes on, with this as `cursor`; absent when all was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-22/2026-11-20/eu-west-1/222222222222")]
    pub next_cursor: Option<String>,
}

/// What one cause changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseImpact {
    #[schema(value_type = String, example = "denied")]
    pub change: Change,
    #[schema(example = "statement `DenyUnusedRegions` of `deny-unused-regions`")]
    pub cause: String,
    pub calls: u64,
    pub principals: usize,
    pub accounts: usize,
}

/// Calls of one principal that are decided otherwise for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Calls {
    /// `denied`, `uncertain` (that depends on what the record does not tell), `allowed`, `may_be_allowed`.
    #[schema(value_type = String, example = "denied")]
    pub change: Change,
    #[schema(example = "222222222222")]
    pub account: String,
    /// The ARN of the user or role.
    pub principal: String,
    /// All that the call needs.
    pub actions: Vec<String>,
    /// Where it was called.
    pub regions: Vec<String>,
    pub calls: u64,
    /// The time of the first call, as recorded; empty if no record has one.
    pub first_seen: String,
    pub last_seen: String,
    /// What denies, or denied.
    pub causes: Vec<String>,
    /// What the verdict depends on: condition keys, or `the resource`. Empty if it is certain.
    pub depends_on: Vec<String>,
    /// The id of one of the events.
    pub example: String,
}

/// Events of which nobody knows the action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownEvents {
    #[schema(example = "s3.amazonaws.com")]
    pub source: String,
    pub name: String,
    pub events: u64,
}

impl Impact {
    /// What these policies do that these records cannot tell, in sentences (ADR replay-does-not-guess).
    pub fn untold(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.denied_besides.is_empty() {
            lines.push(format!(
                "What a call needs besides its own action is in no record. These policies deny such: {}. Whom that meets was not judged.",
                self.denied_besides.join(", ")
            ));
        }
        if !self.denied_data.is_empty() {
            let judged = match self.data_events {
                0 => "none of these records is of one, so that none of them was judged".to_owned(),
                some => format!(
                    "{} of these records are, and no other was judged",
                    grouped(some)
                ),
            };
            lines.push(format!(
                "These policies deny calls on {}. A trail has those only where it records data events: {judged}.",
                self.denied_data.join(", ")
            ));
        }
        if !self.first_seen.is_empty() {
            lines.push(format!(
                "The records are of {}: what is done at other times was not judged.",
                period(&self.first_seen, &self.last_seen)
            ));
        }
        lines
    }

    /// What became of the records, in sentences: the changes first, then what needs no look, then what was not judged.
    pub fn summary(&self) -> Vec<String> {
        let totals = &self.totals;
        let mut lines = vec![format!(
            "Of {}: {} would have been denied, {} might have been, {} would be allowed anew.",
            counted_u64(totals.records, "record", "records"),
            grouped(totals.denied),
            grouped(totals.uncertain),
            grouped(totals.allowed),
        )];
        if let Some(logs) = &self.log_files {
            lines.insert(0, logs.sentence());
        }
        let unbound = &totals.unbound;
        let listed = |parts: &[(u64, &str)]| {
            let parts: Vec<String> = parts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{} {what}", grouped(*count)))
                .collect();
            parts.join(", ")
        };
        let rest = listed(&[
            (totals.unchanged, "decided as before"),
            (totals.refused, "refused by AWS at the time"),
            (totals.not_calls, "not calls that IAM decides"),
            (unbound.services, "by AWS services"),
            (unbound.service_linked_roles, "by service-linked roles"),
            (unbound.management_account, "by the management account"),
            (unbound.federated, "by somebody who signs in"),
        ]);
        if !rest.is_empty() {
            lines.push(format!("Not affected: {rest}."));
        }
        let unjudged = &totals.unjudged;
        let rest = listed(&[
            (
                unjudged.unknown_account,
                "of accounts of which nobody said where they stand",
            ),
            (unjudged.unknown_event, "of events whose action is unknown"),
            (unjudged.other_account, "by principals of other accounts"),
            (unjudged.unknown_principal, "that do not tell who called"),
            (unjudged.unreadable, "that cannot be read"),
        ]);
        if !rest.is_empty() {
            lines.push(format!("Not judged: {rest}."));
        }
        lines
    }
}

impl LogFiles {
    /// How much was read, and whether there is more to say.
    fn sentence(&self) -> String {
        let LogFiles {
            bucket, from, to, ..
        } = self;
        let all = match self.left_out.len() + self.cut_off.len() {
            0 => "",
            _ => "; see also what was not looked at",
        };
        format!(
            "Read from {bucket}: {} of {}, {from} to {to}{all}.",
            counted_u64(self.files, "log file", "log files"),
            counted(self.accounts.len(), "account", "accounts"),
        )
    }
}

impl Calls {
    /// What becomes of the calls and why, in words.
    pub fn verdict(&self) -> String {
        let causes = self.causes.join(", ");
        let unless = self.depends_on.join(" or ");
        match self.change {
            Change::Denied => format!("denied: {causes}"),
            Change::Uncertain => format!("denied unless {unless} spares it: {causes}"),
            Change::Allowed => format!("allowed, and was denied: {causes}"),
            Change::MayBeAllowed => {
                format!("allowed if {unless} spares it, and was denied: {causes}")
            }
        }
    }

    /// From the first call's day to the last one's.
    pub fn period(&self) -> String {
        period(&self.first_seen, &self.last_seen)
    }
}

/// From the day of one time to that of another.
fn period(first: &str, last: &str) -> String {
    let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
    let (first, last) = (day(first), day(last));
    if first == last {
        first
    } else {
        format!("{first} to {last}")
    }
}

/// The rows of each principal: first of those to whom most calls are surely denied, as the rows are ordered by what becomes of
/// the calls, then of those to whom something may be denied, and so on.
pub fn by_principal(calls: &[Calls]) -> Vec<(&str, Vec<&Calls>)> {
    let mut principals: Vec<(&str, Vec<&Calls>)> = Vec::new();
    let mut indexes = BTreeMap::new();
    for row in calls {
        let index = *indexes.entry(row.principal.as_str()).or_insert_with(|| {
            principals.push((&row.principal, Vec::new()));
            principals.len() - 1
        });
        if let Some((_, rows)) = principals.get_mut(index) {
            rows.push(row);
        }
    }
    principals.sort_by_key(|(_, rows)| {
        let calls: u64 = rows.iter().map(|row| row.calls).sum();
        (rows.first().map(|row| row.change), std::cmp::Reverse(calls))
    });
    principals
}

/// A change of a call's fate, in words.
pub fn change_name(change: Change) -> &'static str {
    match change {
        Change::Denied => "denied",
        Change::Uncertain => "perhaps denied",
        Change::Allowed => "allowed anew",
        Change::MayBeAllowed => "perhaps allowed anew",
    }
}
