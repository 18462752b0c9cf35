//! Whether Landfall can still do its work, everywhere: every action of every control, in every unit and governed Region.

use std::collections::{BTreeMap, BTreeSet};

use landfall_controls::registry;
use landfall_model::ids::{AccountId, OuPath};
use landfall_model::landing_zone::LandingZone;
use landfall_policy::lockout::{ANY_ACCOUNT, Check, Keeper, Lockout, Unit, check};
use landfall_policy::{Cause, Policy};

use super::policies::{Policies, units};
use super::report::LockedOut;

/// All that Landfall's execution role must be able to do. Controls of the organization work in the foundation accounts with the
/// same role; what they do in the management account no SCP restricts, and it does no harm to ask for it.
pub(super) fn actions() -> BTreeSet<&'static str> {
    registry::controls()
        .values()
        .flat_map(|control| control.descriptor().actions)
        .copied()
        .collect()
}

/// The execution role, in every account.
pub(super) fn role(zone: &LandingZone) -> String {
    format!("arn:aws:iam::*:role/{}", zone.roles.execution)
}

/// Everything that Landfall could not do any more, or perhaps not.
pub(super) fn lockouts(
    before: &Policies,
    after: &Policies,
    zone: &LandingZone,
    organization: Option<&str>,
    accounts: &BTreeMap<AccountId, Option<OuPath>>,
) -> Vec<LockedOut> {
    let texts: Vec<String> = before
        .documents()
        .chain(after.documents())
        .map(Policy::to_minified)
        .collect();
    let standing = |unit: Option<&OuPath>| {
        let here = accounts.iter().filter(|(_, path)| path.as_ref() == unit);
        here.map(|(account, _)| account.to_string())
            .filter(|account| texts.iter().any(|text| may_name(text, account)))
            .collect()
    };
    let units: Vec<Unit> = units(zone)
        .map(|(unit, name)| Unit {
            name,
            org_path: None,
            accounts: standing(unit),
            before: before.levels(unit),
            after: after.levels(unit),
        })
        .collect();
    let keeper = Keeper {
        role: role(zone),
        actions: actions().into_iter().map(str::to_owned).collect(),
        known: BTreeMap::new(),
    };
    let regions: Vec<String> = zone
        .governed_regions
        .iter()
        .map(ToString::to_string)
        .collect();
    grouped(check(&Check {
        organization,
        units: &units,
        keepers: &[keeper],
        regions: &regions,
    }))
}

/// Whether a policy may speak of an account in particular: by its number, or by a pattern of digits. Others are decided like any
/// account that nobody names, which is checked in each unit; asking for hundreds of them would only take long.
fn may_name(text: &str, account: &str) -> bool {
    let pattern = |pair: &[u8]| match pair {
        [one, other] => {
            let wild = |byte: &u8| matches!(byte, b'*' | b'?');
            (one.is_ascii_digit() && wild(other)) || (wild(one) && other.is_ascii_digit())
        }
        _ => false,
    };
    text.contains(account) || text.as_bytes().windows(2).any(pattern)
}

/// What lockouts of one group have in common besides units, Regions and actions.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Reason {
    cause: String,
    policy: Option<String>,
    unless: Vec<String>,
    role: String,
    already: bool,
    instead: String,
}

/// Thousands of lockouts as a few: first those that differ in the Region alone become one, then in the action, then in unit and
/// account. So each group means all of its actions in all of its Regions and units, and nothing that was not found.
fn grouped(lockouts: Vec<Lockout>) -> Vec<LockedOut> {
    type Place = (String, String);
    let mut regions: BTreeMap<(Reason, Place, String), BTreeSet<String>> = BTreeMap::new();
    for lockout in lockouts {
        let reason = Reason {
            cause: lockout.cause.to_string(),
            policy: match lockout.cause {
                Cause::Statement { policy, .. } => Some(policy),
                Cause::NoAllow { .. } => None,
            },
            unless: lockout.unless,
            role: lockout.role,
            already: lockout.already,
            instead: lockout.instead,
        };
        regions
            .entry((reason, (lockout.unit, lockout.account), lockout.action))
            .or_default()
            .insert(lockout.region);
    }
    let mut actions: BTreeMap<(Reason, Place, BTreeSet<String>), BTreeSet<String>> =
        BTreeMap::new();
    for ((reason, place, action), regions) in regions {
        actions
            .entry((reason, place, regions))
            .or_default()
            .insert(action);
    }
    let mut places: BTreeMap<(Reason, BTreeSet<String>, BTreeSet<String>), Vec<Place>> =
        BTreeMap::new();
    for ((reason, place, regions), actions) in actions {
        places
            .entry((reason, regions, actions))
            .or_default()
            .push(place);
    }
    let mut groups = Vec::new();
    for ((reason, regions, actions), places) in places {
        let (everywhere, somewhere): (Vec<Place>, Vec<Place>) = places
            .into_iter()
            .partition(|(_, account)| account == ANY_ACCOUNT);
        let group = |places: Vec<Place>| {
            let (units, accounts): (BTreeSet<String>, BTreeSet<String>) =
                places.into_iter().unzip();
            LockedOut {
                cause: reason.cause.clone(),
                policy: reason.policy.clone(),
                depends_on: reason.unless.clone(),
                role: reason.role.clone(),
                units: units.into_iter().collect(),
                accounts: accounts
                    .into_iter()
                    .filter(|account| account != ANY_ACCOUNT)
                    .collect(),
                regions: regions.iter().cloned().collect(),
                actions: actions.iter().cloned().collect(),
                already: reason.already,
                instead: reason.instead.clone(),
            }
        };
        let parts = [everywhere, somewhere].into_iter();
        groups.extend(parts.filter(|places| !places.is_empty()).map(group));
    }
    groups.sort_by_key(|group| {
        let cases = group.actions.len() * group.regions.len() * group.units.len();
        (
            group.already,
            !group.depends_on.is_empty(),
            std::cmp::Reverse(cases),
        )
    });
    groups
}

impl LockedOut {
    /// `denies 132 actions to …` or, where the verdict depends on something, `may deny …`.
    pub fn sentence(&self) -> String {
        let verb = if self.depends_on.is_empty() {
            "denies"
        } else {
            "may deny"
        };
        let actions = match self.actions.as_slice() {
            [one] => one.clone(),
            several => format!("{} actions", several.len()),
        };
        format!("{} {verb} {actions} to {}", self.cause, self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::may_name;

    #[test]
    fn accounts_are_told_by_number_or_pattern() {
        for (text, told) in [
            ("arn:aws:iam::222222222222:role/x", true),
            ("arn:aws:iam::2222*:role/x", true),
            ("arn:aws:iam::????????2222:role/x", true),
            ("arn:aws:iam::333333333333:role/x", false),
            ("arn:aws:iam::*:role/x", false),
        ] {
            assert_eq!(may_name(text, "222222222222"), told, "{text}");
        }
    }
}
