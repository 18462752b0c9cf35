//! Which policies stand where, while one set takes another's place.
//!
//! A rollout brings a new set to one target after another; a target that it has not reached keeps what it has, as it was stored.
//! An OU that is reached gets everything that the new set says on the way from the root to it, at once: what is to come to the OUs
//! above binds this one first, and the others below them not yet. When those above are reached in their turn, nothing changes
//! for it any more; what it had for their sake goes when AWS was seen to have it on them, and not before: where there is no free
//! place above, what is old has to go there before what is new comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::exemption::Spared;
use super::{PackedSet, ScpSet, ScpSettings, ScpTarget, Unpackable};
use crate::ids::Revision;
use crate::rollout::Wave;

/// What a rollout has brought to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScpPin {
    pub revision: Revision,
    pub rollout: Uuid,
    /// `None` where it changed nothing for anybody: it says what was there, or the OU is new.
    pub wave: Option<Wave>,
    pub pinned_at: Timestamp,
    /// When AWS was first seen to have it.
    pub seen_at: Option<Timestamp>,
}

/// Every set that matters now, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScpCourse {
    /// What the last rollout wanted that was done. `None`: nobody knows, and what is wanted counts as settled.
    pub settled: Option<Revision>,
    /// What the latest rollout wants.
    pub wanted: Option<Revision>,
    /// Targets that have something else than what is settled.
    pub pins: BTreeMap<ScpTarget, ScpPin>,
    /// What these revisions say, as far as anybody knows: those that matter now, and all that were wanted since what is settled.
    pub sets: BTreeMap<Revision, Arc<ScpSet>>,
}

/// The policies as they are to stand now: sets of which each has targets of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InForce {
    sets: Vec<ScpSet>,
}

impl From<ScpSet> for InForce {
    /// One set, everywhere.
    fn from(set: ScpSet) -> Self {
        InForce { sets: vec![set] }
    }
}

impl InForce {
    /// The sets, each on targets of its own.
    pub fn sets(&self) -> &[ScpSet] {
        &self.sets
    }

    /// Packs what each target is to have.
    ///
    /// # Errors
    ///
    /// As [`ScpSet::packed`].
    pub fn packed(&self, settings: ScpSettings) -> Result<PackedSet, Unpackable> {
        let mut all = PackedSet::default();
        for set in &self.sets {
            // Policies are named by what is in them, so what two sets share is one policy.
            let packed = set.packed(settings)?;
            all.documents.extend(packed.documents);
            all.attachments.extend(packed.attachments);
        }
        Ok(all)
    }
}

impl ScpCourse {
    /// The set that a target is to have; `files` where nobody knows.
    fn set_of<'a>(&'a self, target: &ScpTarget, files: &'a ScpSet) -> &'a ScpSet {
        let pinned = self.pins.get(target).map(|pin| &pin.revision);
        let revision = pinned.or(self.settled.as_ref()).or(self.wanted.as_ref());
        revision
            .and_then(|revision| self.sets.get(revision))
            .map_or(files, Arc::as_ref)
    }

    /// What the latest rollout wants; `files` where nobody knows.
    fn wanted_set<'a>(&'a self, files: &'a ScpSet) -> &'a ScpSet {
        self.wanted
            .as_ref()
            .and_then(|revision| self.sets.get(revision))
            .map_or(files, Arc::as_ref)
    }

    /// Whether a rollout changes what binds the accounts of a target. What it has brought already is compared with what was
    /// settled before.
    pub fn changes(&self, target: &ScpTarget, rollout: Uuid, files: &ScpSet) -> bool {
        let wanted = self.wanted_set(files);
        let settled = self
            .settled
            .as_ref()
            .and_then(|settled| self.sets.get(settled))
            .map(Arc::as_ref);
        target.above().iter().chain([target]).any(|target| {
            let before = match self.pins.get(target) {
                Some(pin) if pin.rollout == rollout && pin.wave.is_some() => {
                    settled.unwrap_or(wanted)
                }
                Some(_) | None => self.set_of(target, files),
            };
            before.said(target) != wanted.said(target)
        })
    }

    /// What the target's set says on those above it and does not surely stand there yet.
    fn ahead_of<'a>(&'a self, target: &ScpTarget, files: &'a ScpSet) -> Vec<(ScpTarget, &'a str)> {
        // Without a wave, what is above has yet to come to it.
        let Some(pin) = self.pins.get(target).filter(|pin| pin.wave.is_some()) else {
            return Vec::new();
        };
        let set = self.set_of(target, files);
        let mut ahead = Vec::new();
        for above in target.above() {
            let there = self.pins.get(&above);
            let seen = there.is_none_or(|there| there.seen_at.is_some());
            // The ids of rollouts grow with time.
            if seen && there.is_some_and(|there| there.rollout >= pin.rollout) {
                continue;
            }
            // Of a target that has just been reached AWS may have anything that was wanted of it before.
            let may_stand: Vec<&ScpSet> = match seen {
                true => vec![self.set_of(&above, files)],
                false => self.sets.values().map(Arc::as_ref).collect(),
            };
            let stands = |(name, document): (&str, &str)| {
                let mut sets = may_stand.iter();
                sets.all(|set| set.said(&above).get(name) == Some(&document))
            };
            let new = set.said(&above).into_iter().filter(|one| !stands(*one));
            ahead.extend(new.map(|(name, _)| (above.clone(), name)));
        }
        ahead
    }

    /// What is to stand on the targets that there are. `sparing` edits a set for exemptions. With it the targets that have no room
    /// for what is to come from above: they get it when those above do, and keep until then what they had of it.
    pub fn in_force<'t>(
        &self,
        targets: impl IntoIterator<Item = &'t ScpTarget>,
        files: &ScpSet,
        settings: ScpSettings,
        mut sparing: impl FnMut(&ScpSet) -> ScpSet,
    ) -> (InForce, Vec<ScpTarget>) {
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut add = |set, target: &ScpTarget, ahead: &[(ScpTarget, &str)]| {
            let known = parts.iter().position(|part| part.original == set);
            let index = known.unwrap_or_else(|| {
                parts.push(Part::new(set, sparing(set)));
                parts.len() - 1
            });
            let part = parts.get_mut(index);
            part.is_some_and(|part| part.add(target, ahead, settings))
        };
        let settled = self.settled.as_ref();
        let settled = settled.and_then(|settled| self.sets.get(settled));
        let mut crowded = Vec::new();
        for target in targets {
            let set = self.set_of(target, files);
            let ahead = self.ahead_of(target, files);
            if add(set, target, &ahead) {
                continue;
            }
            crowded.push(target.clone());
            // What moves from here to those above is not there yet.
            let had = |name: &str| {
                let mut sets = self.sets.values();
                sets.any(|set| set.said(target).contains_key(name))
            };
            let moved: Vec<_> = ahead.into_iter().filter(|(_, name)| had(name)).collect();
            if !add(set, target, &moved) {
                let before = settled.map_or(set, Arc::as_ref);
                add(before, target, &[]);
            }
        }
        let sets = parts.into_iter().map(|part| part.here).collect();
        (InForce { sets }, crowded)
    }
}

/// A set and those of its targets that have it now.
struct Part<'a> {
    original: &'a ScpSet,
    /// The same, sparing whoever is exempted.
    everywhere: ScpSet,
    /// Only where it is to stand.
    here: ScpSet,
}

impl<'a> Part<'a> {
    fn new(original: &'a ScpSet, everywhere: ScpSet) -> Self {
        let here = ScpSet {
            attachments: BTreeMap::new(),
            spared: BTreeMap::new(),
            ..everywhere.clone()
        };
        Part {
            original,
            everywhere,
            here,
        }
    }

    /// Has the set stand on a target, with what it says `ahead` on others above. `false` where there is no room for that, and
    /// nothing is added then.
    fn add(
        &mut self,
        target: &ScpTarget,
        ahead: &[(ScpTarget, &str)],
        settings: ScpSettings,
    ) -> bool {
        let own = self.everywhere.attachments.get(target);
        let mut names = own.cloned().unwrap_or_default();
        let mut spared = self
            .everywhere
            .spared
            .get(target)
            .cloned()
            .unwrap_or_default();
        let mut alone = self.only(target, names.clone(), spared.clone());
        if !ahead.is_empty() {
            for (above, name) in ahead {
                if !names.iter().any(|known| known == name) {
                    names.push((*name).to_owned());
                }
                let there = self.everywhere.spared.get(above);
                if let Some(principals) = there.and_then(|spared| spared.get(*name)) {
                    let of_policy = spared.entry((*name).to_owned()).or_default();
                    of_policy.extend(principals.iter().cloned());
                }
            }
            alone = self.only(target, names, spared);
            if alone.packed(settings).is_err() {
                return false;
            }
        }
        let stands = |names: &Vec<String>| own.is_some() || !names.is_empty();
        let attachments = alone.attachments.into_iter();
        let attachments = attachments.filter(|(_, names)| stands(names));
        self.here.attachments.extend(attachments);
        self.here.spared.extend(alone.spared);
        true
    }

    /// The set on one target alone.
    fn only(&self, target: &ScpTarget, names: Vec<String>, spared: Spared) -> ScpSet {
        let documents = self.everywhere.documents.iter();
        ScpSet {
            documents: documents
                .filter(|(name, _)| names.contains(name))
                .map(|(name, document)| (name.clone(), document.clone()))
                .collect(),
            attachments: [(target.clone(), names)].into(),
            exemptable: BTreeSet::new(),
            spared: [(target.clone(), spared)].into(),
        }
    }
}

#[cfg(test)]
mod tests;
