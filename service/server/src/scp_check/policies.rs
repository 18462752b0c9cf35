//! What stands where: the policies of each level from the root down to an account.

use std::collections::{BTreeMap, BTreeSet};
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
    documents: Vec<Arc<Attached>>,
    attachments: BTreeMap<ScpTarget, Vec<Arc<Attached>>>,
}

impl Policies {
    /// Those of sets that have targets of their own each, beside AWS's own.
    pub(super) fn of<'a>(sets: impl IntoIterator<Item = &'a ScpSet>) -> Self {
        let mut policies = Policies::none();
        for set in sets {
            let documents = set.documents.iter().filter_map(|(name, text)| {
                // The set was parsed as a whole before: each of its documents is a policy.
                let policy = Policy::parse(text).ok()?;
                Some((name.as_str(), Arc::new(Attached::new(name, policy))))
            });
            let documents: BTreeMap<&str, Arc<Attached>> = documents.collect();
            for (target, names) in &set.attachments {
                let attached = names.iter();
                let attached = attached.filter_map(|name| documents.get(name.as_str()).cloned());
                let there = policies.attachments.entry(target.clone()).or_default();
                there.extend(attached);
            }
            policies.documents.extend(documents.into_values());
        }
        policies
    }

    /// Nothing but AWS's own.
    pub(super) fn none() -> Self {
        let full = Policy::parse(ALLOW_ALL).expect("AWS's own policy is one");
        Policies {
            full: Arc::new(Attached::new(FULL_AWS_ACCESS, full)),
            documents: Vec::new(),
            attachments: BTreeMap::new(),
        }
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = &Policy> {
        self.documents.iter().map(|attached| &attached.policy)
    }

    /// Every policy with each target that it stands on.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&ScpTarget, &Policy)> {
        let everywhere = self.attachments.iter();
        everywhere.flat_map(|(target, there)| there.iter().map(move |one| (target, &one.policy)))
    }

    /// The names of all that stand anywhere.
    pub(super) fn attached(&self) -> BTreeSet<&str> {
        let everywhere = self.attachments.values().flatten();
        everywhere.map(|attached| attached.name.as_str()).collect()
    }

    /// Those that stand on a target itself.
    fn on(&self, target: &ScpTarget) -> &[Arc<Attached>] {
        self.attachments.get(target).map_or(&[], Vec::as_slice)
    }

    /// Their names.
    pub(super) fn names_on(&self, target: &ScpTarget) -> Vec<String> {
        let names = self.on(target).iter();
        names.map(|attached| attached.name.clone()).collect()
    }

    /// The same with what they say.
    pub(super) fn sources(&self, target: &ScpTarget) -> Vec<Source> {
        let source = |attached: &Arc<Attached>| Source {
            name: attached.name.clone(),
            policy: attached.policy.clone(),
        };
        self.on(target).iter().map(source).collect()
    }

    /// What binds an account of a unit (`None`: right below the root), from the root to the account itself, which has AWS's own
    /// policy alone.
    pub(super) fn levels(&self, unit: Option<&OuPath>) -> Levels {
        let units = unit.map(OuPath::with_ancestors).unwrap_or_default();
        let targets = units.into_iter().map(ScpTarget::Unit);
        let mut levels: Levels = std::iter::once(ScpTarget::Root)
            .chain(targets)
            .map(|target| {
                let ours = self.on(&target).iter().cloned();
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
