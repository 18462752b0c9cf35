//! What stands where: the policies of each level from the root down to an account.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_model::ids::OuPath;
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::{FULL_AWS_ACCESS, ScpSet, ScpTarget};
use landfall_policy::pack::Source;
use landfall_policy::{Attached, Levels, Policy};

/// What AWS's own policy says.
pub(super) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What the root is called in reports.
pub(super) const ROOT: &str = "the root";

/// Policies by the names of their files, and where they stand.
#[derive(Debug)]
pub(super) struct Policies {
    full: Arc<Attached>,
    documents: BTreeMap<String, Arc<Attached>>,
    attachments: BTreeMap<ScpTarget, Vec<String>>,
}

impl Policies {
    /// Those of a set, beside AWS's own.
    pub(super) fn of(set: &ScpSet) -> Self {
        let full = Policy::parse(ALLOW_ALL).expect("AWS's own policy is one");
        let documents = set.documents.iter().filter_map(|(name, text)| {
            // The set was parsed as a whole before: each of its documents is a policy.
            let policy = Policy::parse(text).ok()?;
            Some((name.clone(), Arc::new(Attached::new(name, policy))))
        });
        Policies {
            full: Arc::new(Attached::new(FULL_AWS_ACCESS, full)),
            documents: documents.collect(),
            attachments: set.attachments.clone(),
        }
    }

    /// Nothing but AWS's own.
    pub(super) fn none() -> Self {
        Policies::of(&ScpSet::default())
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.documents
            .iter()
            .map(|(name, attached)| (name.as_str(), &attached.policy))
    }

    /// The names of those that stand on a target itself.
    pub(super) fn on(&self, target: &ScpTarget) -> &[String] {
        self.attachments.get(target).map_or(&[], Vec::as_slice)
    }

    /// The same with what they say.
    pub(super) fn sources(&self, target: &ScpTarget) -> Vec<Source> {
        let names = self.on(target).iter();
        names
            .filter_map(|name| {
                let policy = self.documents.get(name)?.policy.clone();
                Some(Source {
                    name: name.clone(),
                    policy,
                })
            })
            .collect()
    }

    /// What binds an account of a unit (`None`: right below the root), from the root to the account itself, which has AWS's own
    /// policy alone.
    pub(super) fn levels(&self, unit: Option<&OuPath>) -> Levels {
        let units = unit.map(OuPath::with_ancestors).unwrap_or_default();
        let targets = units.into_iter().map(ScpTarget::Unit);
        let mut levels: Levels = std::iter::once(ScpTarget::Root)
            .chain(targets)
            .map(|target| {
                let names = self.on(&target).iter();
                let ours = names.filter_map(|name| self.documents.get(name).cloned());
                std::iter::once(Arc::clone(&self.full))
                    .chain(ours)
                    .collect()
            })
            .collect();
        levels.push(vec![Arc::clone(&self.full)]);
        levels
    }
}

/// The root and every OU of the landing zone, with the names that they have in reports.
pub(super) fn units(zone: &LandingZone) -> impl Iterator<Item = (Option<&OuPath>, String)> {
    let units = zone.organizational_units.iter();
    std::iter::once((None, ROOT.to_owned()))
        .chain(units.map(|unit| (Some(&unit.path), unit.path.to_string())))
}

/// What policies are attached to.
pub(super) fn target(unit: Option<&OuPath>) -> ScpTarget {
    unit.map_or(ScpTarget::Root, |path| ScpTarget::Unit(path.clone()))
}
