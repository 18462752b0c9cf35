//! Where an account stands: the policies that bind it, before and after.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::attached::{At, Levels, statement, statements};
use crate::partial::Denier;
use crate::{Effect, Statement, cover};

/// The organization that the records are from.
#[derive(Clone, Debug, Default)]
pub struct Organization {
    /// `o-…`, the value of `aws:PrincipalOrgID`. `None` if nobody knows.
    pub id: Option<String>,
    /// SCPs do not bind it.
    pub management_account: Option<String>,
    /// Where each account stands. Calls from others are counted and not judged.
    pub accounts: BTreeMap<String, Arc<Place>>,
    /// The tags of users and roles by ARN, where they are known: the values of `aws:PrincipalTag/…`.
    pub principal_tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// What binds the accounts of one organizational unit, or one account with policies of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// `o-…/r-…/ou-…/`, the value of `aws:PrincipalOrgPaths`. `None` if nobody knows.
    pub org_path: Option<String>,
    /// The policies that were in force when the records were made.
    pub before: Levels,
    /// Those that would be.
    pub after: Levels,
}

/// What can be told of a place without any record.
#[derive(Debug)]
pub(super) struct Settled {
    statements: HashSet<At>,
    levels: Vec<bool>,
}

impl Settled {
    /// A call that went through was denied by no statement of `before`. So no statement of `after` denies it that denies no more
    /// than one of those, whatever the record does not tell; and a level that allows what it allowed does so.
    pub(super) fn of(place: &Place) -> Self {
        let denies = |levels| {
            let all = statements(levels);
            all.filter(|(_, statement)| statement.effect() == Effect::Deny)
        };
        let covered = denies(&place.after)
            .filter(|(_, new)| denies(&place.before).any(|(_, old)| cover::statement(old, new)));
        let same_length = place.before.len() == place.after.len();
        let levels = (0..place.after.len()).map(|level| {
            let mut old = allows(&place.before, level);
            same_length
                && old.all(|old| allows(&place.after, level).any(|new| cover::statement(new, old)))
        });
        Settled {
            statements: covered.map(|(at, _)| at).collect(),
            levels: levels.collect(),
        }
    }

    pub(super) fn holds(&self, denier: Denier) -> bool {
        match denier {
            Denier::Statement(at) => self.statements.contains(&at),
            Denier::Level(level) => self.levels.get(level) == Some(&true),
        }
    }
}

fn allows(levels: &Levels, level: usize) -> impl Iterator<Item = &Statement> {
    let of_level = statements(levels).filter(move |(at, _)| at.level == level);
    of_level
        .filter_map(|(at, _)| statement(levels, at))
        .filter(|statement| statement.effect() == Effect::Allow)
}
