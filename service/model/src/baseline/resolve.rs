//! A baseline over the one that it extends, checked against the controls and the landing zone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::entry::{Entry, Level, Regions};
use super::file::{File, Said};
use super::{Baseline, Definition, FOUNDATION, LeftOut, ORGANIZATION, Slot, holds_in};
use crate::control::Scope;
use crate::ids::{ControlId, Region};
use crate::landing_zone::{LandingZone, SettingsError};

/// How many baselines may stand above one: with more, nobody could tell where a value comes from.
const DEEPEST: usize = 4;

type Check<'a> = &'a dyn Fn(&ControlId, &Value) -> Result<Scope, String>;

/// What a baseline has so far, while it is put together.
#[derive(Clone, Default)]
struct Resolved {
    controls: BTreeMap<ControlId, Entry>,
    without: BTreeMap<ControlId, LeftOut>,
    origins: BTreeMap<(ControlId, Slot), String>,
}

/// Resolves every baseline; parents first, so that a mistake is reported where it is and not where it is inherited.
pub(super) fn all(
    files: &BTreeMap<String, File<'_>>,
    zone: &LandingZone,
    check: Check<'_>,
) -> Result<BTreeMap<String, Definition>, SettingsError> {
    let mut resolved: BTreeMap<&str, Resolved> = BTreeMap::new();
    for file in files.values() {
        for name in lineage(file, files)? {
            if !resolved.contains_key(name) {
                let file = &files[name];
                let parent = file.extends.as_deref().map(|parent| &resolved[parent]);
                let own = over(file, parent.cloned().unwrap_or_default())?;
                judge(file, &own, zone, check)?;
                resolved.insert(name, own);
            }
        }
    }
    Ok(resolved
        .into_iter()
        .map(|(name, own)| {
            let file = &files[name];
            let definition = Definition {
                baseline: Baseline::new(name.to_owned(), own.controls),
                description: file.description.clone(),
                file: file.file.to_owned(),
                extends: file.extends.clone(),
                without: own.without,
                origins: own.origins,
            };
            (name.to_owned(), definition)
        })
        .collect())
}

/// A baseline's ancestors, the topmost first, and itself last.
fn lineage<'a>(
    file: &'a File<'_>,
    files: &'a BTreeMap<String, File<'_>>,
) -> Result<Vec<&'a str>, SettingsError> {
    let mut names = vec![file.name.as_str()];
    let mut last = file;
    while let Some(parent) = &last.extends {
        if names.contains(&parent.as_str()) {
            let rule = format!(
                "baselines extend each other in a circle: {} -> {parent}",
                names.join(" -> ")
            );
            return Err(file.broken(0, "extends", rule));
        }
        let Some(above) = files.get(parent) else {
            let rule = format!("there is no baseline {parent} to extend");
            return Err(last.broken(0, "extends", rule));
        };
        names.push(parent);
        if names.len() > DEEPEST + 1 {
            let rule = format!(
                "more than {DEEPEST} baselines stand above this one: {}",
                names.join(" -> ")
            );
            return Err(file.broken(0, "extends", rule));
        }
        last = above;
    }
    names.reverse();
    Ok(names)
}

/// What a file says over what it inherits.
fn over(file: &File<'_>, inherited: Resolved) -> Result<Resolved, SettingsError> {
    let mut own = inherited;
    for left_out in &file.without {
        let id = left_out.id.get_ref();
        let at = left_out.id.span().start;
        let wrong = if left_out.reason.trim().is_empty() {
            Some(format!(
                "control {id} is left out without a reason: say why, for those who ask later"
            ))
        } else if file.controls.iter().any(|said| said.id == *id) {
            Some(format!(
                "control {id} is both left out and given parameters"
            ))
        } else if own.controls.remove(id).is_none() {
            Some(format!(
                "control {id} cannot be left out: this baseline inherits no such control"
            ))
        } else {
            None
        };
        if let Some(rule) = wrong {
            return Err(file.broken(at, "", rule));
        }
        own.origins.retain(|(control, _), _| control != id);
        let why = LeftOut {
            reason: left_out.reason.trim().to_owned(),
            file: file.file.to_owned(),
        };
        own.without.insert(id.clone(), why);
    }
    for said in &file.controls {
        let entry = match own.controls.get(&said.id) {
            Some(inherited) => said.entry.over(inherited, said.says),
            None => said.entry.clone(),
        };
        own.controls.insert(said.id.clone(), entry);
        own.without.remove(&said.id);
        for slot in slots(said) {
            let here = file.file.to_owned();
            match slot {
                Slot::Control => {
                    own.origins.entry((said.id.clone(), slot)).or_insert(here);
                }
                Slot::Regions | Slot::Repair | Slot::Parameter(..) => {
                    own.origins.insert((said.id.clone(), slot), here);
                }
            }
        }
    }
    Ok(own)
}

/// Everything that a file says of a control.
fn slots(said: &Said) -> Vec<Slot> {
    let mut slots = vec![Slot::Control];
    if said.says.regions {
        slots.push(Slot::Regions);
    }
    if said.says.repair {
        slots.push(Slot::Repair);
    }
    for (level, parameters) in said.entry.levels() {
        let of_level = |name: &String| Slot::Parameter(level.clone(), name.clone());
        slots.extend(parameters.keys().map(of_level));
    }
    slots
}

/// Checks what a file says, in the light of what it inherits.
fn judge(
    file: &File<'_>,
    own: &Resolved,
    zone: &LandingZone,
    check: Check<'_>,
) -> Result<(), SettingsError> {
    for said in &file.controls {
        let id = &said.id;
        let broken = |needle: &str, rule: String| Err(file.broken(said.at, needle, rule));
        let entry = &own.controls[id];
        let mut scope = None;
        for (level, parameters) in entry.variants() {
            match check(id, &parameters) {
                Ok(of_control) => scope = Some(of_control),
                Err(wrong) => {
                    return match level {
                        Level::Everywhere => broken("", format!("control {id}: {wrong}")),
                        Level::OrganizationalUnit(_) | Level::Region(_) => broken(
                            &level.to_string(),
                            format!("control {id} in {level}: {wrong}"),
                        ),
                    };
                }
            }
        }
        let Some(scope) = scope else { continue };
        let for_organization = file.name == ORGANIZATION;
        if scope.is_organization() != for_organization {
            let rule = if for_organization {
                format!(
                    "control {id} is for accounts: give it in {FOUNDATION}, or another baseline of accounts"
                )
            } else {
                format!("control {id} is the organization's own: give it in {ORGANIZATION}")
            };
            return broken("", rule);
        }
        if let Some(path) = said.entry.organizational_unit.keys().next()
            && for_organization
        {
            let rule = format!(
                "control {id} is the organization's own, which stands in no organizational unit"
            );
            return broken(path.as_str(), rule);
        }
        for path in said.entry.organizational_unit.keys() {
            if zone.unit(path).is_none() {
                let rule =
                    format!("control {id}: the landing zone has no organizational unit {path}");
                return broken(path.as_str(), rule);
            }
        }
        let named: BTreeSet<&Region> = said.entry.region.keys().chain(limits(said)).collect();
        for region in named {
            if !scope.is_regional() {
                let rule = format!(
                    "control {id} is not regional: it holds once for an account, so nothing can be said of {region}"
                );
                return broken(region.as_str(), rule);
            }
            if !zone.governed_regions.contains(region) {
                let rule = format!(
                    "control {id}: {region} is not one of the landing zone's governed_regions"
                );
                return broken(region.as_str(), rule);
            }
        }
        if let Some(region) = said.entry.region.keys().find(|r| !entry.regions.hold(r)) {
            let rule = format!("control {id} has parameters for {region}, where it does not hold");
            return broken(region.as_str(), rule);
        }
        if holds_in(entry, zone).is_empty() {
            let rule = format!(
                "control {id} holds in none of the landing zone's governed_regions: leave it out, with [[without]] where it is inherited"
            );
            return broken("regions", rule);
        }
    }
    Ok(())
}

/// The Regions that a file names to say where a control holds.
fn limits(said: &Said) -> impl Iterator<Item = &Region> {
    match &said.entry.regions {
        Regions::All => None,
        Regions::Only(regions) | Regions::Except(regions) => Some(regions),
    }
    .into_iter()
    .flatten()
}
