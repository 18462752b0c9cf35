//! What is wrong with a policy that AWS would nevertheless take, or would refuse: found offline, with what to write instead.
//!
//! It covers what `access-analyzer:ValidatePolicy` finds in SCPs as far as that can be decided without asking AWS, and some
//! that it does not: statements that another makes needless, conditions that contradict each other, denials of Regions that
//! forget global services. Severities are those of `ValidatePolicy`, so that its findings can stand in one list with these.
//!
//! [`crate::catalogue`] says which actions and condition keys there are. An action younger than its date is reported as
//! unknown.

mod actions;
mod conditions;
mod contradictions;
mod effects;
mod nearest;
pub(crate) mod regions;
mod resources;

use std::fmt;

pub use nearest::nearest;

use crate::element::Node;
use crate::validate::Kind;
use crate::{Policy, PolicyError, Statement, Version};

/// How bad a finding is, in the words of `ValidatePolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// AWS refuses it, or it does not do what it says.
    Error,
    /// It allows more, or protects less, than it seems to.
    SecurityWarning,
    /// It does other than it seems to.
    Warning,
    /// It could be said better.
    Suggestion,
}

impl Severity {
    /// `ERROR`, `SECURITY_WARNING`, `WARNING` or `SUGGESTION`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::SecurityWarning => "SECURITY_WARNING",
            Severity::Warning => "WARNING",
            Severity::Suggestion => "SUGGESTION",
        }
    }
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable name of the check, `unknown-action`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands, as a JSON pointer (RFC 6901) into the document as it was written.
    pub pointer: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "the document"
        } else {
            &self.pointer
        };
        let Finding {
            code,
            severity,
            problem,
            instead,
            ..
        } = self;
        write!(
            f,
            "{} {code} at {place}: {problem}: {instead}",
            severity.as_str()
        )
    }
}

/// What a policy may have at most, and how much of it is used before somebody should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Characters of one policy. For SCPs AWS takes 10,240 (5,120 before May 2026), and counts white space.
    pub characters: usize,
    /// Policies attached to one root, unit or account. For SCPs AWS takes 10 (5 before May 2026).
    pub attached: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            characters: 10_240,
            attached: 10,
        }
    }
}

impl Limits {
    /// What organizations had before May 2026, and RCPs still have.
    pub const OLDER: Limits = Limits {
        characters: 5_120,
        attached: 5,
    };
}

/// Everything that is found in a document of this kind, in the order of the document.
///
/// # Errors
///
/// Where the document is not the policy language at all: there is nothing to look at.
pub fn lint(text: &str, kind: Kind, limits: Limits) -> Result<Vec<Finding>, PolicyError> {
    let node = Node::parse(text)?;
    let policy = Policy::from_node(&node)?;
    let mut lint = Lint {
        node: &node,
        policy: &policy,
        kind,
        findings: Vec::new(),
    };
    lint.document(limits);
    for (index, statement) in policy.statements().iter().enumerate() {
        let place = Place {
            index,
            statement,
            invalid: lint.is_invalid(index),
        };
        lint.sid(place);
        lint.actions(place);
        lint.resources(place);
        lint.conditions(place);
        lint.contradictions(place);
        lint.regions(place);
        lint.linked_roles(place);
    }
    lint.effects();
    let mut findings = lint.findings;
    findings.sort_by_cached_key(|finding| order(&finding.pointer));
    Ok(findings)
}

/// Pointers by their parts, numbers as numbers.
fn order(pointer: &str) -> Vec<(usize, String)> {
    pointer
        .split('/')
        .map(|part| match part.parse() {
            Ok(number) => (number, String::new()),
            Err(_) => (usize::MAX, part.to_owned()),
        })
        .collect()
}

struct Lint<'a> {
    node: &'a Node,
    policy: &'a Policy,
    kind: Kind,
    findings: Vec<Finding>,
}

/// A statement and where it stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    index: usize,
    statement: &'a Statement,
    /// Whether AWS refuses its actions, so that there is no use in looking them up.
    invalid: bool,
}

impl Lint<'_> {
    fn add(
        &mut self,
        (code, severity): (&'static str, Severity),
        pointer: String,
        problem: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.findings.push(Finding {
            code,
            severity,
            pointer,
            problem: problem.into(),
            instead: instead.into(),
        });
    }

    fn pointer(&self, statement: usize, names: &[&str], value: Option<usize>) -> String {
        pointer(self.node, statement, names, value)
    }

    fn document(&mut self, limits: Limits) {
        for error in self.policy.problems(self.kind) {
            let (problem, instead) = match error.problem.split_once(": ") {
                Some((problem, instead)) => (problem.to_owned(), instead.to_owned()),
                None => (error.problem, String::new()),
            };
            let mut pointer = error.pointer;
            if let Some(rest) = pointer.strip_prefix("/Statement/0")
                && !matches!(self.node.field("Statement"), Some(Node::List(_)))
            {
                pointer = format!("/Statement{rest}");
            }
            self.add(("invalid", Severity::Error), pointer, problem, instead);
        }
        let of_organizations = matches!(self.kind, Kind::ServiceControl | Kind::ResourceControl);
        if self.policy.version() != Some(Version::V2012) {
            let severity = if of_organizations {
                Severity::Error
            } else {
                Severity::Warning
            };
            let written = self.node.field("Version").is_some();
            self.add(
                ("version", severity),
                if written { "/Version" } else { "" }.to_owned(),
                if of_organizations {
                    "Organizations takes no other version than 2012-10-17"
                } else {
                    "in any other version than 2012-10-17 variables are read as text"
                },
                "write `\"Version\": \"2012-10-17\"`",
            );
        }
        let length = self.policy.to_minified().chars().count();
        if of_organizations && length > limits.characters {
            self.add(
                ("too-long", Severity::Error),
                String::new(),
                format!(
                    "without white space it has {length} characters, and AWS takes {}",
                    limits.characters
                ),
                "move statements into another policy, or let them be packed",
            );
        } else if of_organizations && length * 10 > limits.characters * 9 {
            self.add(
                ("nearly-full", Severity::Suggestion),
                String::new(),
                format!(
                    "without white space it has {length} of {} characters that AWS takes",
                    limits.characters
                ),
                "write further statements into another policy",
            );
        }
    }

    fn sid(&mut self, place: Place<'_>) {
        if place.statement.sid().is_none_or(str::is_empty) {
            self.add(
                ("sid-missing", Severity::Suggestion),
                self.pointer(place.index, &[], None),
                "the statement has no Sid, so nobody can name it in a report, a waiver or a review",
                "write one of letters and digits that says what the statement is for",
            );
        }
    }

    fn is_invalid(&self, index: usize) -> bool {
        let action = ["Action", "NotAction"].map(|name| self.pointer(index, &[name], None));
        self.findings.iter().any(|finding| {
            finding.code == "invalid" && action.iter().any(|at| finding.pointer.starts_with(at))
        })
    }
}

/// `/Statement/0/Action/1` for `["Action"]` and the second value: without the number where a single statement or value
/// stands without brackets.
fn pointer(document: &Node, statement: usize, names: &[&str], value: Option<usize>) -> String {
    let mut pointer = "/Statement".to_owned();
    let mut node = document.field("Statement");
    if let Some(Node::List(statements)) = node {
        pointer.push_str(&format!("/{statement}"));
        node = statements.get(statement);
    }
    for name in names {
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        node = node.and_then(|node| node.field(name));
    }
    if let (Some(value), Some(Node::List(_))) = (value, node) {
        pointer.push_str(&format!("/{value}"));
    }
    pointer
}
