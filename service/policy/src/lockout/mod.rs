//! Whether those who must keep working still can, under service control policies that are not attached yet.
//!
//! Whoever attaches policies with a role that the same policies bind can lock that role out, and then cannot take them back. So
//! before anything is attached, each action that the role must be able to do is decided in each Region, for each unit: in every
//! account that is known, and in one that no policy names, which stands for those to come.
//!
//! What is not known of the role's requests (their resources, their tags) counts against the policy: a statement that may deny
//! is a finding. A statement that spares the role needs no such knowledge.
//!
//! AWS services and service-linked roles are not bound by SCPs, nor is the management account: no check asks for them.

mod advice;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::attached::{Levels, statement};
use crate::lint::regions::only_region;
use crate::partial::{self, Concerned, Denier, Judgement, Knowledge, Shape};
use crate::{Cause, glob};

/// What stands for accounts that no policy names.
pub const ANY_ACCOUNT: &str = "*";

/// A role that must keep working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// Its ARN in every account: `arn:aws:iam::*:role/LandfallExecution`.
    pub role: String,
    /// What it must be able to do, `service:Action`.
    pub actions: Vec<String>,
    /// What else is known of its requests, by condition key: its tags, say.
    pub known: BTreeMap<String, String>,
}

/// A unit whose accounts the policies bind, or one account with policies of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    /// `Applications/Sandbox`
    pub name: String,
    /// The value of `aws:PrincipalOrgPaths` there. `None` if nobody knows.
    pub org_path: Option<String>,
    /// The accounts that are there now.
    pub accounts: Vec<String>,
    /// What is attached from the root down.
    pub before: Levels,
    /// What would be.
    pub after: Levels,
}

/// All that is checked.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// `o-…`. `None` if nobody knows.
    pub organization: Option<&'a str>,
    /// Every unit that has accounts or may get some.
    pub units: &'a [Unit],
    /// Who must keep working.
    pub keepers: &'a [Keeper],
    /// The governed Regions. Services that answer in one Region alone are checked there.
    pub regions: &'a [String],
}

/// Something that a keeper could not do any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lockout {
    /// The unit's name.
    pub unit: String,
    /// [`ANY_ACCOUNT`], or the only account of the unit that has it.
    pub account: String,
    /// The keeper's role.
    pub role: String,
    /// `service:Action`
    pub action: String,
    /// In which Region it is called.
    pub region: String,
    /// What denies.
    pub cause: Cause,
    /// What the verdict depends on: condition keys, or `the resource`. Empty if it is denied for certain.
    pub unless: Vec<String>,
    /// Whether the policies before do as much. They still must be mended.
    pub already: bool,
    /// What to write.
    pub instead: String,
}

impl std::fmt::Display for Lockout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Lockout {
            unit,
            account,
            role,
            action,
            region,
            cause,
            instead,
            ..
        } = self;
        let verb = if self.unless.is_empty() {
            "denies"
        } else {
            "may deny"
        };
        write!(
            f,
            "{cause} {verb} {action} in {region} to {role} in `{unit}`"
        )?;
        if account != ANY_ACCOUNT {
            write!(f, ", account {account}")?;
        }
        if !self.unless.is_empty() {
            write!(f, ", which depends on {}", self.unless.join(" and "))?;
        }
        write!(f, ": {instead}")
    }
}

/// Everything that a keeper could not do, or perhaps not. The policies may be attached if there is nothing.
pub fn check(check: &Check<'_>) -> Vec<Lockout> {
    let mut lockouts = BTreeSet::new();
    for unit in check.units {
        let unnamed = unnamed_account(unit);
        for keeper in check.keepers {
            for asked in Asked::all(check, unit, keeper) {
                let everywhere = asked.lockouts(&unnamed, ANY_ACCOUNT);
                for account in &unit.accounts {
                    let here = asked.lockouts(account, account);
                    lockouts.extend(here.into_iter().filter(|here| {
                        !everywhere
                            .iter()
                            .any(|there| there.cause == here.cause && there.region == here.region)
                    }));
                }
                lockouts.extend(everywhere);
            }
        }
    }
    lockouts.into_iter().collect()
}

/// An account id that stands in no policy.
fn unnamed_account(unit: &Unit) -> String {
    let texts: Vec<String> = unit
        .before
        .iter()
        .chain(&unit.after)
        .flatten()
        .map(|attached| attached.policy.to_minified())
        .collect();
    let taken = |id: &String| {
        unit.accounts.contains(id) || texts.iter().any(|text| text.contains(id.as_str()))
    };
    (0_u64..)
        .map(|number| format!("{:012}", 987_654_321_098 - number))
        .find(|id| !taken(id))
        .unwrap_or_default()
}

/// Actions of one keeper in one unit that are decided alike: the same statements speak of them, they are called on the same
/// resources, and as much is known of their requests. A catalogue has hundreds of actions, and a dozen of these.
struct Asked<'a> {
    check: &'a Check<'a>,
    unit: &'a Unit,
    keeper: &'a Keeper,
    alike: Alike<'a>,
    actions: Vec<&'a str>,
    regions: Vec<&'a str>,
    shapes: Vec<Shape>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    /// The service's prefix.
    prefix: &'a str,
    before: Concerned,
    after: Concerned,
    /// The keys that the statements ask for.
    keys: BTreeSet<String>,
    /// Those of them that requests for these actions never have, as far as the catalogue knows.
    never: BTreeSet<String>,
}

impl<'a> Asked<'a> {
    fn all(check: &'a Check<'a>, unit: &'a Unit, keeper: &'a Keeper) -> Vec<Self> {
        let mut groups: BTreeMap<Alike<'a>, Vec<&'a str>> = BTreeMap::new();
        for action in &keeper.actions {
            let folded = glob::fold(action);
            let before = Concerned::by(&unit.before, &folded);
            let after = Concerned::by(&unit.after, &folded);
            let mut keys = before.asks(&unit.before);
            keys.extend(after.asks(&unit.after));
            let never = keys.iter().filter(|key| !partial::may_have(action, key));
            let alike = Alike {
                prefix: action.split_once(':').map_or(action, |(prefix, _)| prefix),
                before,
                after,
                never: never.cloned().collect(),
                keys,
            };
            groups.entry(alike).or_default().push(action);
        }
        let all = groups.into_iter().map(|(alike, actions)| Asked {
            check,
            unit,
            keeper,
            regions: match only_region(alike.prefix) {
                Some(region) => vec![region],
                None => check.regions.iter().map(String::as_str).collect(),
            },
            shapes: Shape::anything_of(alike.prefix),
            alike,
            actions,
        });
        all.collect()
    }

    /// `shown`: what to call the account.
    fn lockouts(&self, account: &str, shown: &str) -> Vec<Lockout> {
        let role = self
            .keeper
            .role
            .replacen("::*:", &format!("::{account}:"), 1);
        // Where no statement asks for the Region, all are alike.
        let asks = self.alike.keys.contains("aws:requestedregion");
        let apart = if asks { self.regions.len() } else { 1 };
        let tried = self.regions.iter().take(apart);
        let mut lockouts: Vec<Lockout> = tried
            .flat_map(|region| self.lockouts_in(region, &role, account, shown))
            .collect();
        let first = lockouts.clone();
        for region in self.regions.iter().skip(apart) {
            lockouts.extend(first.iter().cloned().map(|lockout| Lockout {
                region: (*region).to_owned(),
                ..lockout
            }));
        }
        lockouts
    }

    fn lockouts_in(&self, region: &str, role: &str, account: &str, shown: &str) -> Vec<Lockout> {
        let knowledge = self.knowledge(role, account, region);
        let judge = |concerned: &Concerned, levels: &Levels| {
            concerned.judge(levels, &knowledge, &self.shapes, |_| false)
        };
        let doubts = match judge(&self.alike.after, &self.unit.after) {
            Judgement::Allowed => return Vec::new(),
            Judgement::Denied(denier) => vec![(denier, BTreeSet::new())],
            Judgement::Uncertain(doubts) => doubts,
        };
        let already = judge(&self.alike.before, &self.unit.before) != Judgement::Allowed;
        let found = doubts.into_iter().flat_map(|(denier, unless)| {
            let cause = match denier {
                Denier::Statement(at) => Cause::statement(&self.unit.after, at),
                Denier::Level(level) => Cause::NoAllow { level },
            };
            let unless: Vec<String> = unless.into_iter().collect();
            self.actions.iter().map(move |action| Lockout {
                unit: self.unit.name.clone(),
                account: shown.to_owned(),
                role: self.keeper.role.clone(),
                action: (*action).to_owned(),
                region: region.to_owned(),
                instead: self.instead(action, denier),
                cause: cause.clone(),
                unless: unless.clone(),
                already,
            })
        });
        found.collect()
    }

    fn instead(&self, action: &str, denier: Denier) -> String {
        match denier {
            Denier::Level(level) => advice::to_allow(action, level),
            Denier::Statement(at) => match statement(&self.unit.after, at) {
                Some(statement) => advice::to_spare(&self.keeper.role, statement),
                None => String::new(),
            },
        }
    }

    /// What is known of the keeper's requests: sessions of a role, over TLS, that no service makes.
    fn knowledge(&self, role: &str, account: &str, region: &str) -> Knowledge {
        let mut knowledge = Knowledge::default();
        for key in &self.alike.keys {
            let mut further = self.keeper.known.iter();
            let value = match key.as_str() {
                "aws:principalarn" => Some(role),
                "aws:principalaccount" => Some(account),
                "aws:principaltype" => Some("AssumedRole"),
                "aws:requestedregion" => Some(region),
                "aws:principalorgid" => self.check.organization,
                "aws:principalorgpaths" => self.unit.org_path.as_deref(),
                "aws:securetransport" => Some("true"),
                "aws:principalisawsservice" | "aws:viaawsservice" => Some("false"),
                key => further
                    .find(|(known, _)| known.eq_ignore_ascii_case(key))
                    .map(|(_, value)| value.as_str()),
            };
            let absent = matches!(
                key.as_str(),
                "aws:username"
                    | "aws:principalservicename"
                    | "aws:principalservicenameslist"
                    | "aws:calledvia"
                    | "aws:calledviafirst"
                    | "aws:calledvialast"
            );
            match value {
                Some(value) => knowledge.context.set(key, value),
                None if absent || self.alike.never.contains(key) => {}
                None => {
                    knowledge.unknown.insert(key.clone());
                }
            }
        }
        knowledge
    }
}
