//! Writing the statements of many policies into as few, and as short, as will do.
//!
//! AWS limits how many policies a root, unit or account may have and how long each may be. People want to write one file for each
//! purpose, with a name and a Sid for each rule. So what is attached is packed from what is written:
//!
//! 1. every statement is brought into one form: lists sorted, what another pattern of the list covers left out, no Sid;
//! 2. a statement that another covers is left out;
//! 3. statements that differ in one list alone become one: in their actions, their resources or the values of a condition;
//! 4. what is left is dealt to policies, the longest first.
//!
//! The result decides every request as the sources did, whatever the request: steps 2 and 3 rely on the language alone, never on
//! which action works on which resource. It does not depend on the order of the sources, their statements or their lists. And
//! each packed statement knows the statements that it came from, so that a denial can be explained in the words of its author.

mod bins;
mod draft;
mod forecast;
mod parts;

pub use forecast::{Forecast, Target, forecast};
pub use parts::{Part, parts};

use std::fmt;

use serde::Serialize;

use crate::lint::Limits;
use crate::{Policy, Version};
use draft::Draft;

/// A policy as somebody wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The name of its file.
    pub name: String,
    /// What it says.
    pub policy: Policy,
}

/// A statement of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The name of the source.
    pub source: String,
    /// Its index in the source.
    pub statement: usize,
    /// Its Sid, where it has one.
    pub sid: Option<String>,
}

/// One policy to attach.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedPolicy {
    /// The text to send, without white space.
    pub text: String,
    /// The same, to decide with.
    pub policy: Policy,
    /// For each statement, where it came from. Never empty, sorted.
    pub origins: Vec<Vec<Origin>>,
}

/// What the sources became.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// At most as many as there was room for.
    pub policies: Vec<PackedPolicy>,
}

impl Packed {
    /// The length of all policies together.
    pub fn characters(&self) -> usize {
        self.policies
            .iter()
            .map(|policy| policy.text.chars().count())
            .sum()
    }

    /// Where a statement came from. Empty if there is no such statement.
    pub fn origins(&self, policy: usize, statement: usize) -> &[Origin] {
        self.policies
            .get(policy)
            .and_then(|policy| policy.origins.get(statement))
            .map_or(&[], Vec::as_slice)
    }
}

/// Why the sources cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// AWS reads such a document by other rules, so that its statements cannot stand beside others.
    #[error("`{source_name}` is not of version 2012-10-17: write that version")]
    Version {
        /// The name of the source.
        source_name: String,
    },
    /// One statement alone is longer than a policy may be, and has no list that could be cut.
    #[error("{origins} is {characters} characters long, and a policy has room for {room}: write it as several statements", origins = Named(origins))]
    Statement {
        /// Where it came from.
        origins: Vec<Origin>,
        /// Its length.
        characters: usize,
        /// What a policy of one statement has room for.
        room: usize,
    },
    /// There are more policies than may be attached.
    #[error("{statements} statements of {characters} characters need {needed} policies of {limit} characters, and there is room for {room}: \
             leave something out, attach it elsewhere, or free {missing} attachments", missing = needed - room)]
    TooMany {
        /// After packing.
        statements: usize,
        /// Of all packed policies together.
        characters: usize,
        /// How many policies they fill.
        needed: usize,
        /// How many may be attached.
        room: usize,
        /// What one policy may have.
        limit: usize,
    },
}

struct Named<'a>(&'a [Origin]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, origin) in self.0.iter().enumerate() {
            let and = if index == 0 { "" } else { " with " };
            write!(f, "{and}{origin}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sid {
            Some(sid) => write!(f, "statement `{sid}` of `{}`", self.source),
            None => write!(f, "statement {} of `{}`", self.statement, self.source),
        }
    }
}

/// What stands around the statements of a policy.
const FRAME: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// Packs `sources` into at most `limits.attached` policies of at most `limits.characters`. Whoever keeps other policies on the
/// target says by how many fewer.
///
/// # Errors
///
/// With figures, where they do not fit.
pub fn pack(sources: &[Source], limits: Limits) -> Result<Packed, PackError> {
    let mut drafts = Vec::new();
    for source in sources {
        if source.policy.version() != Some(Version::V2012) {
            return Err(PackError::Version {
                source_name: source.name.clone(),
            });
        }
        let statements = source.policy.statements().iter().enumerate();
        drafts.extend(statements.map(|(index, statement)| {
            let origin = Origin {
                source: source.name.clone(),
                statement: index,
                sid: statement.sid().map(str::to_owned),
            };
            Draft::of(statement, origin)
        }));
    }
    let drafts = draft::shorten(drafts);
    let room = limits.characters.saturating_sub(FRAME.len());
    let mut pieces = Vec::new();
    for draft in drafts {
        match draft.split(room) {
            Some(parts) => pieces.extend(parts),
            None => {
                return Err(PackError::Statement {
                    characters: draft.length(),
                    origins: draft.into_origins(),
                    room,
                });
            }
        }
    }
    pieces.sort_by_cached_key(Draft::text);
    let lengths: Vec<usize> = pieces.iter().map(Draft::length).collect();
    let bins = bins::deal(&lengths, room);
    let characters = bins
        .iter()
        .map(|bin| FRAME.len() + bins::length(bin, &lengths))
        .sum();
    if bins.len() > limits.attached {
        return Err(PackError::TooMany {
            statements: pieces.len(),
            characters,
            needed: bins.len(),
            room: limits.attached,
            limit: limits.characters,
        });
    }
    let mut pieces: Vec<Option<Draft>> = pieces.into_iter().map(Some).collect();
    let policies = bins
        .iter()
        .map(|bin| {
            let drafts = bin
                .iter()
                .filter_map(|index| pieces.get_mut(*index).and_then(Option::take));
            let (statements, origins) = drafts
                .map(|draft| (draft.text(), draft.into_origins()))
                .unzip::<String, Vec<Origin>, Vec<_>, Vec<_>>();
            let text = FRAME.replace("[]", &format!("[{}]", statements.join(",")));
            let policy =
                Policy::parse(&text).expect("it is put together from statements that parsed");
            PackedPolicy {
                text,
                policy,
                origins,
            }
        })
        .collect();
    Ok(Packed { policies })
}
