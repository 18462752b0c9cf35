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
    /// for what is to come from above: they get it when those above do.
    pub fn in_force<'t>(
        &self,
        targets: impl IntoIterator<Item = &'t ScpTarget>,
        files: &ScpSet,
        settings: ScpSettings,
        mut sparing: impl FnMut(&ScpSet) -> ScpSet,
    ) -> (InForce, Vec<ScpTarget>) {
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut crowded = Vec::new();
        for target in targets {
            let set = self.set_of(target, files);
            let known = parts.iter().position(|part| part.original == set);
            let index = known.unwrap_or_else(|| {
                parts.push(Part::new(set, sparing(set)));
                parts.len() - 1
            });
            let ahead = self.ahead_of(target, files);
            let Some(part) = parts.get_mut(index) else {
                continue;
            };
            if !part.add(target, &ahead, settings) {
                crowded.push(target.clone());
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

    /// Has the set stand on a target, with what it says `ahead` on others above. `false` where there is no room for that.
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
        let mut fits = true;
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
            let with = self.only(target, names, spared);
            fits = with.packed(settings).is_ok();
            if fits {
                alone = with;
            }
        }
        let stands = |names: &Vec<String>| own.is_some() || !names.is_empty();
        let attachments = alone.attachments.into_iter();
        let attachments = attachments.filter(|(_, names)| stands(names));
        self.here.attachments.extend(attachments);
        self.here.spared.extend(alone.spared);
        fits
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
mod tests {
    use super::*;

    fn denies(action: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"One","Effect":"Deny","Action":"{action}","Resource":"*"}}]}}"#
        )
    }

    /// `A=x,y` attaches x and y to A.
    fn set(attachments: &str, documents: &[(&str, &str)]) -> ScpSet {
        let attachments = attachments.split_whitespace().map(|word| {
            let (target, names) = word.split_once('=').unwrap();
            let names = names.split(',').filter(|name| !name.is_empty());
            (target.parse().unwrap(), names.map(str::to_owned).collect())
        });
        let documents = documents.iter();
        ScpSet {
            attachments: attachments.collect(),
            documents: documents
                .map(|(name, action)| ((*name).to_owned(), denies(action)))
                .collect(),
            ..ScpSet::default()
        }
    }

    fn pin(set: &ScpSet, rollout: u128) -> ScpPin {
        ScpPin {
            revision: set.revision(),
            rollout: Uuid::from_u128(rollout),
            wave: Some(Wave::Canary),
            pinned_at: Timestamp::UNIX_EPOCH,
            seen_at: Some(Timestamp::UNIX_EPOCH),
        }
    }

    /// From `old` to `new`, which these targets have by now. AWS was not seen to have it on those that end in `?`.
    fn course(old: &ScpSet, new: &ScpSet, reached: &[&str]) -> ScpCourse {
        let sets = [old, new].map(|set| (set.revision(), Arc::new(set.clone())));
        let reached = reached.iter().map(|word| {
            let mut pin = pin(new, 1);
            pin.seen_at = pin.seen_at.filter(|_| !word.ends_with('?'));
            (word.trim_end_matches('?').parse().unwrap(), pin)
        });
        ScpCourse {
            settled: Some(old.revision()),
            wanted: Some(new.revision()),
            pins: reached.collect(),
            sets: sets.into(),
        }
    }

    const TARGETS: [&str; 4] = ["/", "A", "A/P", "A/S"];

    /// What is denied on each target itself.
    fn denied(course: &ScpCourse, files: &ScpSet, settings: ScpSettings) -> Vec<String> {
        let targets = TARGETS.map(|word| word.parse().unwrap());
        let (in_force, _) = course.in_force(&targets, files, settings, ScpSet::clone);
        let packed = in_force.packed(settings).unwrap();
        let of = |target: &ScpTarget| {
            let names = packed.attachments.get(target)?.iter();
            let actions = names.flat_map(|name| {
                let content = &packed.documents[name].content;
                let content: serde_json::Value = serde_json::from_str(content).unwrap();
                let statements = content["Statement"].clone();
                let statements = match statements {
                    serde_json::Value::Array(all) => all,
                    one => vec![one],
                };
                let actions = statements.into_iter().flat_map(|one| match &one["Action"] {
                    serde_json::Value::Array(all) => all.clone(),
                    one => vec![one.clone()],
                });
                actions
                    .map(|action| action.as_str().unwrap().replace("s3:", ""))
                    .collect::<Vec<_>>()
            });
            let actions: BTreeSet<String> = actions.collect();
            let actions: Vec<String> = actions.into_iter().collect();
            Some(format!("{}={}", target.word(), actions.join(",")))
        };
        targets.iter().filter_map(of).collect()
    }

    #[test]
    fn a_unit_gets_at_once_what_is_to_come_from_above() {
        let old = set(
            "/=r A=a A/S=s",
            &[("r", "s3:R1"), ("a", "s3:A1"), ("s", "s3:S1")],
        );
        let new = set(
            "/=r A=a,b A/P=p A/S=s",
            &[
                ("r", "s3:R2"),
                ("a", "s3:A1"),
                ("b", "s3:B2"),
                ("p", "s3:P2"),
                ("s", "s3:S2"),
            ],
        );
        for (reached, expected) in [
            (&[][..], ["/=R1", "A=A1", "A/S=S1"].as_slice()),
            (&["A/S?"], &["/=R1", "A=A1", "A/S=B2,R2,S2"]),
            (&["A/S"], &["/=R1", "A=A1", "A/S=B2,R2,S2"]),
            (
                &["A/S", "A/P"],
                &["/=R1", "A=A1", "A/P=B2,P2,R2", "A/S=B2,R2,S2"],
            ),
            // What is to go from `A` below may be gone before AWS has what comes there instead.
            (
                &["A/S", "A/P", "A?"],
                &["/=R1", "A=A1,B2,R2", "A/P=B2,P2,R2", "A/S=B2,R2,S2"],
            ),
            (
                &["A/S", "A/P", "A"],
                &["/=R1", "A=A1,B2,R2", "A/P=P2,R2", "A/S=R2,S2"],
            ),
            (
                &["A/S", "A/P", "A", "/?"],
                &["/=R2", "A=A1,B2,R2", "A/P=P2,R2", "A/S=R2,S2"],
            ),
            (
                &["A/S", "A/P", "A", "/"],
                &["/=R2", "A=A1,B2", "A/P=P2", "A/S=S2"],
            ),
        ] {
            let course = course(&old, &new, reached);
            let denied = denied(&course, &new, ScpSettings::default());
            assert_eq!(denied, expected, "{reached:?}");
        }
    }

    #[test]
    fn what_has_no_room_yet_comes_with_those_above() {
        // Each of the two fills a policy.
        let long = |letter: &str| format!("s3:{}", letter.repeat(4_900));
        let (own, above) = (long("o"), long("a"));
        let old = set("A= A/S=", &[]);
        let new = set("A=above A/S=own", &[("own", &own), ("above", &above)]);
        let settings = ScpSettings {
            characters: 5_120,
            attached: 3,
            ..ScpSettings::default()
        };
        let course = course(&old, &new, &["A/S"]);
        let targets = TARGETS.map(|word| word.parse().unwrap());
        let (in_force, crowded) = course.in_force(&targets, &new, settings, ScpSet::clone);
        assert_eq!(crowded, ["A/S".parse().unwrap()]);
        let packed = in_force.packed(settings).unwrap();
        assert_eq!(packed.attachments[&"A/S".parse().unwrap()].len(), 1);
        let roomy = ScpSettings {
            attached: 4,
            ..settings
        };
        assert_eq!(course.in_force(&targets, &new, roomy, ScpSet::clone).1, []);
    }

    #[test]
    fn who_is_exempted_above_is_exempted_where_the_policy_stands_ahead() {
        let old = set("A= A/S=", &[]);
        let new = set("A=above", &[("above", "s3:A")]);
        let spared = |set: &ScpSet| {
            let mut set = set.clone();
            let principals = BTreeSet::from(["arn:aws:iam::222222222222:role/X".to_owned()]);
            if set.attachments.contains_key(&"A".parse().unwrap()) {
                let of_policy = [("above".to_owned(), principals)].into();
                set.spared.insert("A".parse().unwrap(), of_policy);
            }
            set
        };
        let course = course(&old, &new, &["A/S"]);
        let targets = TARGETS.map(|word| word.parse().unwrap());
        let settings = ScpSettings::default();
        let (in_force, _) = course.in_force(&targets, &new, settings, spared);
        let packed = in_force.packed(settings).unwrap();
        let name = packed.attachments[&"A/S".parse().unwrap()].first().unwrap();
        let content = &packed.documents[name].content;
        assert!(content.contains("role/X"), "{content}");
    }

    #[test]
    fn what_a_later_rollout_has_not_reached_keeps_what_an_earlier_one_brought() {
        let old = set("A=a", &[("a", "s3:A1")]);
        let between = set("A=a", &[("a", "s3:A2")]);
        let new = set("A=a", &[("a", "s3:A3")]);
        let mut course = course(&old, &new, &[]);
        course
            .sets
            .insert(between.revision(), Arc::new(between.clone()));
        let a: ScpTarget = "A".parse().unwrap();
        course.pins.insert(a.clone(), pin(&between, 1));
        let settings = ScpSettings::default();
        assert_eq!(denied(&course, &new, settings), ["A=A2"]);
        let second = Uuid::from_u128(2);
        assert!(course.changes(&a, second, &new));
        course.pins.insert(a.clone(), pin(&new, 2));
        assert_eq!(denied(&course, &new, settings), ["A=A3"]);
        assert!(course.changes(&a, second, &new), "it has brought a change");
    }

    #[test]
    fn a_new_unit_has_its_own_at_once_and_is_reached_for_what_is_above() {
        let old = set("A=a", &[("a", "s3:A1")]);
        let new = set("A=a A/S=s", &[("a", "s3:A2"), ("s", "s3:S2")]);
        let mut course = course(&old, &new, &[]);
        let unit: ScpTarget = "A/S".parse().unwrap();
        let rollout = Uuid::from_u128(1);
        let settings = ScpSettings::default();
        assert!(course.changes(&unit, rollout, &new));
        let mut brought = pin(&new, 1);
        brought.wave = None;
        course.pins.insert(unit.clone(), brought);
        assert_eq!(denied(&course, &new, settings), ["A=A1", "A/S=S2"]);
        assert!(course.changes(&unit, rollout, &new), "by what is above");
        course.pins.insert(unit.clone(), pin(&new, 1));
        assert_eq!(denied(&course, &new, settings), ["A=A1", "A/S=A2,S2"]);
        // Where nothing is to come from above, there is nothing to reach.
        let alone = set("A=a A/S=s", &[("a", "s3:A1"), ("s", "s3:S2")]);
        let mut course = super::tests::course(&old, &alone, &[]);
        let mut brought = pin(&alone, 1);
        brought.wave = None;
        course.pins.insert(unit.clone(), brought);
        assert!(!course.changes(&unit, rollout, &alone));
    }

    #[test]
    fn what_comes_back_above_stands_below_until_it_was_seen_there() {
        let old = set("A=a", &[("a", "s3:A1")]);
        let between = set("A=a", &[("a", "s3:A2")]);
        // The files of before: `A` has those of between, or has them no more.
        let mut course = course(&old, &old, &[]);
        let between_one = Arc::new(between.clone());
        course.sets.insert(between.revision(), between_one);
        let below: ScpTarget = "A/S".parse().unwrap();
        course.pins.insert(below, pin(&old, 2));
        let above: ScpTarget = "A".parse().unwrap();
        let settings = ScpSettings::default();
        for (rollout, seen, expected) in [
            (1, true, ["A=A2", "A/S=A1"].as_slice()),
            (2, false, &["A=A1", "A/S=A1"]),
            (2, true, &["A=A1"]),
        ] {
            let set = if rollout == 1 { &between } else { &old };
            let mut there = pin(set, rollout);
            there.seen_at = there.seen_at.filter(|_| seen);
            course.pins.insert(above.clone(), there);
            assert_eq!(
                denied(&course, &old, settings),
                expected,
                "{rollout} {seen}"
            );
        }
    }

    #[test]
    fn what_nobody_knows_is_what_the_files_say() {
        let files = set("A=a", &[("a", "s3:A1")]);
        let settings = ScpSettings::default();
        assert_eq!(denied(&ScpCourse::default(), &files, settings), ["A=A1"]);
        let a: ScpTarget = "A".parse().unwrap();
        assert!(!ScpCourse::default().changes(&a, Uuid::nil(), &files));
        let stored = ScpSet::stored(files.content()).unwrap();
        assert_eq!(stored, files);
        assert_eq!(stored.revision(), files.revision());
    }
}
