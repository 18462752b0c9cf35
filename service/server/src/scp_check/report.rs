//! What a check found, for programs as it stands here and for people as `cli` and `page` write it: the verdict, what bars
//! attaching, the impact, the sizes, the findings.

use std::collections::BTreeMap;

use landfall_policy::lint;
use landfall_policy::replay::{Change, Totals};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What service control policies would do if they were attached.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScpReport {
    /// Whether nothing bars attaching them.
    pub can_be_attached: bool,
    /// What bars it, in a sentence each. The details stand below.
    pub bars: Vec<String>,
    /// What is taken to be in force.
    #[schema(example = "FullAWSAccess alone")]
    pub compared_with: String,
    pub subject: Subject,
    /// What Landfall could not do any more.
    pub lockouts: Vec<LockedOut>,
    pub decisions: Decisions,
    /// What they would have done to recorded calls, where any were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
    /// What the root and each OU would have.
    pub sizes: Vec<TargetSize>,
    /// What is wrong with the files, or could be said better.
    pub findings: Vec<FileFinding>,
    /// What was not looked at, and why.
    pub not_looked_at: Vec<String>,
}

/// How much was checked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    pub policies: usize,
    pub statements: usize,
    /// OUs, and the root.
    pub units: usize,
    pub regions: usize,
    /// The role that must not be locked out.
    pub role: String,
    /// What it must be able to do.
    pub actions: usize,
    /// Accounts of which it is known where they stand.
    pub accounts: usize,
}

/// How bad a finding is, in the words of Access Analyzer's `ValidatePolicy`. An error bars attaching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    SecurityWarning,
    Warning,
    Suggestion,
}

impl Severity {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::SecurityWarning => "security warning",
            Severity::Warning => "warning",
            Severity::Suggestion => "suggestion",
        }
    }
}

impl From<lint::Severity> for Severity {
    fn from(severity: lint::Severity) -> Self {
        match severity {
            lint::Severity::Error => Severity::Error,
            lint::Severity::SecurityWarning => Severity::SecurityWarning,
            lint::Severity::Warning => Severity::Warning,
            lint::Severity::Suggestion => Severity::Suggestion,
        }
    }
}

/// One thing to mend in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileFinding {
    #[schema(example = "quarantine.json")]
    pub file: String,
    /// Where it stands, as a JSON pointer; empty for the file as a whole. A list is counted with the governed Regions filled in.
    #[schema(example = "/Statement/0/Action/1")]
    pub pointer: String,
    /// The line, where the file could not be read beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub severity: Severity,
    /// A stable name of what was found.
    #[schema(example = "unknown-action")]
    pub code: String,
    pub problem: String,
    /// What to write instead; empty where the problem says it.
    pub instead: String,
    pub found_by: FoundBy,
    /// What Access Analyzer calls it, where that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "INVALID_ACTION")]
    pub aws_code: Option<String>,
    /// Where AWS documents it, where Access Analyzer found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn_more: Option<String>,
}

/// Who found something in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    Landfall,
    /// AWS's `ValidatePolicy`.
    AccessAnalyzer,
    Both,
}

impl FileFinding {
    /// By what names it is known, and to whom.
    pub fn names(&self) -> String {
        match (self.found_by, &self.aws_code) {
            (FoundBy::AccessAnalyzer, _) => format!("{} of Access Analyzer", self.code),
            (FoundBy::Both, Some(theirs)) => format!("{}, {theirs} of Access Analyzer", self.code),
            (FoundBy::Landfall | FoundBy::Both, _) => self.code.clone(),
        }
    }

    /// `quarantine.json:3` or `quarantine.json /Statement/0`.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None if self.pointer.is_empty() => self.file.clone(),
            None => format!("{} {}", self.file, self.pointer),
        }
    }
}

/// Actions that one statement denies to Landfall in one set of units and Regions: each in each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockedOut {
    /// What denies.
    #[schema(example = "statement `DenyAllUntilGoverned` of `quarantine`")]
    pub cause: String,
    /// The policy that denies, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What the verdict depends on: condition keys, or `the resource`. Empty if it is denied for certain.
    pub depends_on: Vec<String>,
    pub role: String,
    pub units: Vec<String>,
    /// The accounts, where it is not so in every account of the units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
    pub actions: Vec<String>,
    /// Whether what is in force does as much.
    pub already: bool,
    /// What to write.
    pub instead: String,
}

/// What a root or an OU would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetSize {
    #[schema(example = "Applications")]
    pub target: String,
    /// The files whose statements stand here.
    pub policies: Vec<String>,
    /// How many characters they have without white space.
    pub characters: usize,
    /// How many policies they are once they are packed; absent where they cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed_policies: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed_characters: Option<usize>,
    /// Policies that are not Landfall's and stay.
    pub others: Vec<String>,
    /// How many policies AWS takes here.
    pub limit: usize,
    /// How many more could be attached.
    pub free: usize,
    /// Why they do not fit, with figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What became of the tables of decisions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Decisions {
    pub tables: usize,
    /// Combinations of principal, action, resource and Region.
    pub cases: usize,
    pub failed: Vec<FailedDecision>,
    /// Policies that have no table.
    pub without_table: Vec<String>,
}

/// A policy does not decide as its table says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedDecision {
    pub file: String,
    /// The row.
    pub name: String,
    pub principal: String,
    pub action: String,
    pub resource: String,
    pub region: String,
    /// `allow` or `deny`.
    pub expected: String,
    /// The statement that denies, where one does and none should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<String>,
}

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
    /// How many accounts they are of.
    pub accounts: usize,
    /// What was not read and why, in a sentence each. It stands under `not_looked_at` too.
    pub left_out: Vec<String>,
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

impl ScpReport {
    /// The verdict in a line.
    pub fn verdict(&self) -> String {
        if self.can_be_attached {
            return "Nothing bars attaching these policies".to_owned();
        }
        format!("Do not attach these policies: {}", self.bars.join("; "))
    }

    /// How much was checked, in a sentence.
    pub fn scope(&self) -> String {
        let Subject {
            policies,
            statements,
            units,
            regions,
            actions,
            role,
            ..
        } = &self.subject;
        format!(
            "{} with {}, in {} and {}; {} of {role}. Taken to be in force: {}.",
            counted(*policies, "policy", "policies"),
            counted(*statements, "statement", "statements"),
            counted(*units, "unit", "units"),
            counted(*regions, "governed Region", "governed Regions"),
            counted(*actions, "action", "actions"),
            self.compared_with
        )
    }

    /// Findings of the files that bar attaching, and the others.
    pub fn findings_by_weight(&self) -> (Vec<&FileFinding>, Vec<&FileFinding>) {
        let bars = |finding: &&FileFinding| finding.severity == Severity::Error;
        self.findings.iter().partition(bars)
    }
}

impl Impact {
    /// What recorded calls cannot tell, whatever policies are checked with them (ADR replay-does-not-guess).
    pub const UNTOLD: [&str; 3] = [
        "Each call is judged by its own actions. What it needs besides is in no record: `iam:PassRole` for a role that it hands on, \
         `ec2:CreateTags` for tags given at creation, `kms:Decrypt` and `kms:GenerateDataKey` for a key behind a bucket, a volume or a queue. \
         A policy that denies only these shows no impact here.",
        "Calls that a trail does not record cannot be judged: reading and writing of objects, items and messages, and invoking of functions, \
         unless the trail records data events.",
        "What is done once a quarter is not in the records of a month.",
    ];

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
        let all = match self.left_out.len() {
            0 => "",
            _ => "; see also what was not looked at",
        };
        format!(
            "Read from {bucket}: {} of {}, {from} to {to}{all}.",
            counted_u64(self.files, "log file", "log files"),
            counted(self.accounts, "account", "accounts"),
        )
    }
}

impl LockedOut {
    /// `in Quarantine, in all 17 governed Regions`
    pub fn place(&self, subject: &Subject) -> String {
        let units = if self.units.len() == subject.units && self.accounts.is_empty() {
            "everywhere".to_owned()
        } else {
            format!("in {}", self.units.join(", "))
        };
        let accounts = match self.accounts.as_slice() {
            [] => String::new(),
            some => format!(", for {}", some.join(", ")),
        };
        let regions = match self.regions.as_slice() {
            all if all.len() == subject.regions => "in every governed Region".to_owned(),
            some => format!("in {}", some.join(", ")),
        };
        format!("{units}{accounts}, {regions}")
    }
}

impl FailedDecision {
    /// What was decided, and what the table wants.
    pub fn sentence(&self) -> String {
        let FailedDecision {
            principal,
            action,
            resource,
            region,
            expected,
            denied_by,
            ..
        } = self;
        let by = denied_by.as_ref().map_or_else(
            || "nothing denies it".to_owned(),
            |statement| format!("{statement} denies it"),
        );
        format!("{action} on {resource} in {region} by {principal}: expected {expected}, but {by}")
    }
}

impl TargetSize {
    /// What AWS gets, in words.
    pub fn packed(&self) -> String {
        match (self.packed_policies, self.packed_characters) {
            (Some(0), _) => "nothing".to_owned(),
            (Some(policies), Some(characters)) => format!(
                "{} of {characters}",
                counted(policies, "policy", "policies")
            ),
            _ => "does not fit".to_owned(),
        }
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
        let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
        let (first, last) = (day(&self.first_seen), day(&self.last_seen));
        if first == last {
            first
        } else {
            format!("{first} to {last}")
        }
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

/// `1 file`, `1,200 files`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    counted_u64(u64::try_from(count).unwrap_or(u64::MAX), one, many)
}

pub fn counted_u64(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{} {noun}", grouped(count))
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "file", "files"), "1 file");
        assert_eq!(counted(0, "file", "files"), "0 files");
    }
}
