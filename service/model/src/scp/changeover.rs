//! How the policies of targets take the place of others.
//!
//! What is new is attached before what is old is detached, everywhere. Where a target has no room for both, it goes step by
//! step: an old policy makes room as soon as everything that it says, and that is to be said in the end too, is said by others
//! that are attached. What binds an account is said on the whole way from the root to it, so a policy that moves from an OU to
//! one below or above leaves the one when it stands on the other. Whatever old and new both forbid to an account is forbidden
//! at every moment, and AWS's limit is never exceeded; where no such way leads to the end, there is none, and everything is left
//! as it is.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use landfall_policy::Policy;
use landfall_policy::pack::{Forecast, Part, Target, parts};

use super::ScpTarget;

/// The policies of one target, as they are and as they are to be.
#[derive(Clone, Debug)]
pub struct Changeover<'a, 'p> {
    /// The path of an OU, the number of an account, or the root.
    pub target: &'a str,
    /// Where it stands. `None` where the landing zone does not know it: it gives up what it has when all others are done.
    pub place: Option<&'a ScpTarget>,
    /// How many policies AWS takes on it.
    pub limit: usize,
    /// The names of those that are not Landfall's. They stay, and count.
    pub others: Vec<&'a str>,
    /// Landfall's by name; `None` for one whose content nobody understands.
    pub attached: BTreeMap<&'a str, Option<&'p Policy>>,
    /// What is to be attached in the end.
    pub wanted: BTreeMap<&'a str, &'p Policy>,
}

/// A policy on a target, which is told by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment<'a> {
    pub target: usize,
    pub policy: &'a str,
}

/// One call to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Attach(Attachment<'a>),
    Detach {
        old: Attachment<'a>,
        /// Those that have to be attached by then, there, above or below, because they say what this one said.
        beside: BTreeSet<Attachment<'a>>,
    },
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// What is wanted does not fit beside what is not Landfall's.
    #[error(
        "{forecast}. Landfall needs {needed} beside the others, and one that stays free for changes: detach {over} that are not \
         Landfall's, or attach less there in scp/attachments.toml"
    )]
    TooMany {
        forecast: Forecast,
        needed: usize,
        over: usize,
    },
    /// Old and new do not fit side by side, and none of the old can go before all of the new are there.
    #[error(
        "{forecast}. To change Landfall's over without a gap takes {missing} more free: detach as many that are not Landfall's for \
         the time of the change, or attach less there in scp/attachments.toml"
    )]
    Crowded { forecast: Forecast, missing: usize },
}

/// The steps from what is attached to the targets to what is wanted.
///
/// # Errors
///
/// With figures, where they cannot be taken.
pub fn steps<'a>(targets: &[Changeover<'a, '_>]) -> Result<Vec<Step<'a>>, NoRoom> {
    for target in targets {
        target.fits()?;
    }
    let mut board = Board::new(targets);
    let mut steps = Vec::new();
    loop {
        for target in 0..targets.len() {
            while let Some(new) = board.attachable(target) {
                board.attached[target].insert(new.policy);
                steps.push(Step::Attach(new));
            }
        }
        let crowded =
            || (0..targets.len()).filter(|target| board.missing(*target).next().is_some());
        let Some(first) = crowded().next() else {
            break;
        };
        let Some(old) = crowded().find_map(|target| board.spare(target)) else {
            return Err(NoRoom::Crowded {
                forecast: targets[first].forecast(board.attached[first].len()),
                missing: board.missing(first).count(),
            });
        };
        steps.push(board.detach(old));
    }
    let known = |target: &usize| targets[*target].place.is_some();
    let (known, unknown): (Vec<usize>, Vec<usize>) = (0..targets.len()).partition(known);
    for target in known.into_iter().chain(unknown) {
        let mut stray: Vec<&str> = board.stray(target).collect();
        // AWS leaves nothing without a policy: one that would be the last stays.
        if targets[target].others.is_empty() && targets[target].wanted.is_empty() {
            stray.pop();
        }
        for policy in stray {
            steps.push(board.detach(Attachment { target, policy }));
        }
    }
    Ok(steps)
}

impl<'a, 'p> Changeover<'a, 'p> {
    fn fits(&self) -> Result<(), NoRoom> {
        let needed = self.wanted.len();
        let mut wanted = self.wanted.keys();
        let stands = wanted.all(|name| self.attached.contains_key(name));
        if stands || needed + self.others.len() < self.limit {
            return Ok(());
        }
        Err(NoRoom::TooMany {
            forecast: self.forecast(self.attached.len()),
            needed,
            over: needed + self.others.len() + 1 - self.limit,
        })
    }

    fn policy(&self, name: &str) -> Option<&'p Policy> {
        let attached = || self.attached.get(name).copied().flatten();
        self.wanted.get(name).copied().or_else(attached)
    }

    fn forecast(&self, ours: usize) -> Forecast {
        Forecast {
            target: Target {
                name: self.target.to_owned(),
                ours,
                foreign: self.others.iter().map(|name| (*name).to_owned()).collect(),
            },
            limit: self.limit,
        }
    }
}

/// All targets while the steps are found. Targets are told by their index.
struct Board<'c, 'a, 'p> {
    targets: &'c [Changeover<'a, 'p>],
    /// Landfall's on each, after the steps so far.
    attached: Vec<BTreeSet<&'a str>>,
    /// Of each, those that bind its accounts: itself and those above.
    ways: Vec<Vec<usize>>,
    /// What binds the accounts of each before and after.
    kept: Vec<OnceCell<Vec<Part>>>,
}

impl<'c, 'a, 'p> Board<'c, 'a, 'p> {
    fn new(targets: &'c [Changeover<'a, 'p>]) -> Self {
        let way = |index: usize| {
            let above = targets[index]
                .place
                .map(ScpTarget::above)
                .unwrap_or_default();
            let binds = |other: &usize| {
                let place = targets[*other].place;
                *other == index || place.is_some_and(|place| above.contains(place))
            };
            (0..targets.len()).filter(binds).collect()
        };
        Board {
            targets,
            attached: targets
                .iter()
                .map(|target| target.attached.keys().copied().collect())
                .collect(),
            ways: (0..targets.len()).map(way).collect(),
            kept: targets.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    fn missing(&self, target: usize) -> impl Iterator<Item = &'a str> {
        let wanted = self.targets[target].wanted.keys().copied();
        wanted.filter(move |name| !self.attached[target].contains(name))
    }

    fn stray(&self, target: usize) -> impl Iterator<Item = &'a str> {
        let attached = self.attached[target].iter().copied();
        attached.filter(move |name| !self.targets[target].wanted.contains_key(name))
    }

    /// What to attach next where there is room: where there is not room for all, what lets an old policy go, if any does.
    fn attachable(&mut self, target: usize) -> Option<Attachment<'a>> {
        let changeover = &self.targets[target];
        let taken = changeover.others.len() + self.attached[target].len();
        let room = changeover.limit.saturating_sub(taken);
        if room == 0 {
            return None;
        }
        let missing: Vec<&'a str> = self.missing(target).collect();
        let first = missing.first().copied();
        let helps = |policy: &&'a str| {
            self.attached[target].insert(policy);
            let helps = self.spare(target).is_some();
            self.attached[target].remove(policy);
            helps
        };
        let policy = match room >= missing.len() {
            true => first,
            false => missing.into_iter().find(helps).or(first),
        };
        policy.map(|policy| Attachment { target, policy })
    }

    /// An old policy that can make room.
    fn spare(&self, target: usize) -> Option<Attachment<'a>> {
        let mut stray = self
            .stray(target)
            .map(|policy| Attachment { target, policy });
        stray.find(|old| self.can_go(*old))
    }

    /// Whether nothing that binds an account now and is to bind it in the end falls when this one goes.
    fn can_go(&self, old: Attachment<'_>) -> bool {
        let mut content = self.targets[old.target].attached.values();
        if content.any(Option::is_none) {
            return false;
        }
        let mut bound =
            (0..self.targets.len()).filter(|bound| self.ways[*bound].contains(&old.target));
        bound.all(|bound| {
            let rest: Vec<&Policy> = self.ways[bound]
                .iter()
                .flat_map(|on| self.attached[*on].iter().map(move |name| (*on, *name)))
                .filter(|(on, name)| (*on, *name) != (old.target, old.policy))
                .filter_map(|(on, name)| self.targets[on].policy(name))
                .collect();
            let kept = self.kept[bound].get_or_init(|| self.kept(bound));
            kept.iter().all(|part| stands(part, &rest))
        })
    }

    /// What binds the accounts of a target before and after.
    fn kept(&self, bound: usize) -> Vec<Part> {
        let way = || self.ways[bound].iter().map(|on| &self.targets[*on]);
        let old = way().flat_map(|target| target.attached.values());
        let old: Vec<&Policy> = old.copied().flatten().collect();
        let new = way().flat_map(|target| target.wanted.values());
        let new: Vec<&Policy> = new.copied().collect();
        let all = old.iter().chain(&new).flat_map(|policy| parts(policy));
        all.filter(|part| stands(part, &old) && stands(part, &new))
            .collect()
    }

    fn detach(&mut self, old: Attachment<'a>) -> Step<'a> {
        self.attached[old.target].remove(old.policy);
        let beside = (0..self.targets.len())
            .flat_map(|on| self.successors(old, on))
            .collect();
        Step::Detach { old, beside }
    }

    /// What is attached to a target and wanted there, and may say what an old policy said: anything where that stood, and above
    /// and below what was not there before.
    fn successors(&self, old: Attachment<'a>, on: usize) -> Vec<Attachment<'a>> {
        let target = &self.targets[on];
        let wanted = self.attached[on].iter().copied();
        let wanted = wanted.filter(|name| target.wanted.contains_key(name));
        let attachment = |policy| Attachment { target: on, policy };
        if on == old.target {
            return wanted.map(attachment).collect();
        }
        if !self.ways[on].contains(&old.target) && !self.ways[old.target].contains(&on) {
            return Vec::new();
        }
        let mut new = wanted
            .filter(|name| !target.attached.contains_key(name))
            .peekable();
        if new.peek().is_none() {
            return Vec::new();
        }
        let policy = self.targets[old.target].policy(old.policy);
        let said = policy.map(parts).unwrap_or_default();
        let says = |name: &&str| {
            let policy = target.policy(name);
            policy.is_some_and(|policy| said.iter().any(|part| part.stands_in(policy)))
        };
        new.filter(says).map(attachment).collect()
    }
}

fn stands(part: &Part, by: &[&Policy]) -> bool {
    by.iter().any(|policy| part.stands_in(policy))
}

#[cfg(test)]
mod tests;
