//! The service control policies that bind an account, with the names that people know them by.

use std::sync::Arc;

use serde::Serialize;

use crate::pack::{Origin, PackedPolicy, Source};
use crate::{Policy, Statement};

/// One policy that is attached, or would be.
#[derive(Clone, Debug, PartialEq)]
pub struct Attached {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub policy: Policy,
    /// For each statement, where it came from before it was packed. Empty where nothing was packed.
    pub origins: Vec<Vec<Origin>>,
}

/// The policies of each level, from the root to the account.
pub type Levels = Vec<Vec<Arc<Attached>>>;

impl Attached {
    /// A policy that is attached as it was written.
    pub fn new(name: &str, policy: Policy) -> Self {
        Attached {
            name: name.to_owned(),
            policy,
            origins: Vec::new(),
        }
    }

    /// A policy that [`crate::pack::pack`] made.
    pub fn packed(name: &str, packed: PackedPolicy) -> Self {
        Attached {
            name: name.to_owned(),
            policy: packed.policy,
            origins: packed.origins,
        }
    }
}

impl From<Source> for Attached {
    fn from(source: Source) -> Self {
        Attached::new(&source.name, source.policy)
    }
}

/// Where a statement stands in [`Levels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) level: usize,
    pub(crate) policy: usize,
    pub(crate) statement: usize,
}

/// All statements with their places.
pub(crate) fn statements(levels: &Levels) -> impl Iterator<Item = (At, &Statement)> {
    levels.iter().enumerate().flat_map(|(level, policies)| {
        policies.iter().enumerate().flat_map(move |(policy, one)| {
            let statements = one.policy.statements().iter().enumerate();
            statements.map(move |(statement, it)| {
                let at = At {
                    level,
                    policy,
                    statement,
                };
                (at, it)
            })
        })
    })
}

pub(crate) fn statement(levels: &Levels, at: At) -> Option<&Statement> {
    let policy = levels.get(at.level)?.get(at.policy)?;
    policy.policy.statements().get(at.statement)
}

/// What denies, in words that its author knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Cause {
    /// A statement that denies.
    Statement {
        /// Levels count from the root, which is 0.
        level: usize,
        /// The name of its policy.
        policy: String,
        /// Its index in the policy.
        statement: usize,
        /// Its Sid, where it has one.
        sid: Option<String>,
        /// The statements that it was packed from; empty if it was not packed.
        origins: Vec<Origin>,
    },
    /// No policy of this level allows it.
    NoAllow {
        /// Levels count from the root, which is 0.
        level: usize,
    },
}

impl Cause {
    pub(crate) fn statement(levels: &Levels, at: At) -> Self {
        let policy = levels
            .get(at.level)
            .and_then(|policies| policies.get(at.policy));
        let sid = statement(levels, at).and_then(Statement::sid);
        let origins = policy.and_then(|policy| policy.origins.get(at.statement));
        Cause::Statement {
            level: at.level,
            policy: policy.map_or_else(String::new, |policy| policy.name.clone()),
            statement: at.statement,
            sid: sid.map(str::to_owned),
            origins: origins.cloned().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::NoAllow { level: 0 } => f.write_str("no policy of the root allows it"),
            Cause::NoAllow { level } => write!(f, "no policy at level {level} allows it"),
            Cause::Statement {
                origins, policy, ..
            } if !origins.is_empty() => {
                for (index, origin) in origins.iter().enumerate() {
                    let and = if index == 0 { "" } else { " with " };
                    write!(f, "{and}{origin}")?;
                }
                write!(f, " (packed into `{policy}`)")
            }
            Cause::Statement {
                sid: Some(sid),
                policy,
                ..
            } => write!(f, "statement `{sid}` of `{policy}`"),
            Cause::Statement {
                statement, policy, ..
            } => write!(f, "statement {statement} of `{policy}`"),
        }
    }
}
