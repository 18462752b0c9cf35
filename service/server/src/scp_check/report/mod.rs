//! What a check found, for programs as it stands here and for people as `cli` and `page` write it: the verdict, what bars
//! attaching, the impact, the sizes, the findings.

use landfall_policy::lint;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod impact;

pub use impact::{Calls, CauseImpact, Impact, LogFiles, UnknownEvents, by_principal, change_name};

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
