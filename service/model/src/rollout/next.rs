//! The one step of a rollout that is worth taking now.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{RolloutSettings, RolloutState, Standing, Wave};
use crate::ids::OuPath;
use crate::landing_zone::LandingZone;
use crate::scp::{ScpCourse, ScpSet, ScpTarget};

/// An account in a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: Uuid,
    /// Whether it stands in a canary OU.
    pub canary: bool,
    /// Whether it goes when all others are done: the management account.
    pub last: bool,
    /// The wave in which the rollout pinned it.
    pub wave: Option<Wave>,
    pub standing: Standing,
}

/// The root or an OU of the landing zone, in a rollout that brings other service control policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScpMember {
    pub target: ScpTarget,
    /// Whether it is, or stands below, a canary OU.
    pub canary: bool,
    /// How many accounts it binds.
    pub accounts: usize,
    /// How many of them stand right there. The others got what changes with an OU below.
    pub own_accounts: usize,
    /// Whether what is wanted binds them otherwise than what was before.
    pub changes: bool,
    /// Whether the rollout has reached it.
    pub reached: bool,
    /// When AWS was first seen to have what the rollout brought.
    pub seen_at: Option<Timestamp>,
}

impl ScpMember {
    /// Every target of the landing zone; none where the rollout brings no policies. `files` say what nobody remembers, and
    /// `accounts` are the OUs of the accounts that it concerns.
    pub fn all(
        rollout: Uuid,
        course: &ScpCourse,
        zone: &LandingZone,
        files: &ScpSet,
        accounts: &[&OuPath],
    ) -> Vec<Self> {
        if course.wanted.is_none() {
            return Vec::new();
        }
        let member = |target: ScpTarget| {
            let pin = course
                .pins
                .get(&target)
                .filter(|pin| pin.rollout == rollout);
            let changes = course.changes(&target, rollout, files);
            // A new OU has its own, and what is to come from above not yet.
            let pin = pin.filter(|pin| pin.wave.is_some() || !changes);
            ScpMember {
                canary: match &target {
                    ScpTarget::Root => false,
                    ScpTarget::Unit(unit) => zone.rollout.is_canary(unit),
                },
                accounts: accounts.iter().filter(|unit| target.binds(unit)).count(),
                own_accounts: accounts
                    .iter()
                    .filter(|unit| target == ScpTarget::Unit((**unit).clone()))
                    .count(),
                changes,
                reached: pin.is_some(),
                seen_at: pin.and_then(|pin| pin.seen_at),
                target,
            }
        };
        zone.scp_targets().into_iter().map(member).collect()
    }

    /// Somebody may notice: there is something to wait for, and to learn.
    fn is_felt(&self) -> bool {
        self.changes && self.own_accounts > 0
    }
}

/// The one thing to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutStep {
    /// Nothing, until accounts get on or somebody decides.
    Wait,
    /// Pin these.
    Pin { wave: Wave, accounts: Vec<Uuid> },
    /// Let these have the new policies. Without a wave they are what they were.
    Attach {
        wave: Option<Wave>,
        targets: Vec<ScpTarget>,
    },
    /// The error budget is used up: so many failed, of so many that were pinned.
    Stop { failed: usize, pinned: usize },
    /// Pin all accounts to what they had before.
    PinBack,
    /// Every account has it.
    Finish,
}

/// What to do next with the rollout `id`.
pub fn next(
    id: Uuid,
    state: RolloutState,
    members: &[Member],
    targets: &[ScpMember],
    settings: &RolloutSettings,
    now: Timestamp,
) -> RolloutStep {
    match state {
        RolloutState::Running => next_wave(id, members, targets, settings, now),
        RolloutState::RollingBack => RolloutStep::PinBack,
        RolloutState::Proposed
        | RolloutState::Paused
        | RolloutState::Stopped
        | RolloutState::RolledBack
        | RolloutState::Done
        | RolloutState::Superseded => RolloutStep::Wait,
    }
}

fn next_wave(
    id: Uuid,
    members: &[Member],
    targets: &[ScpMember],
    settings: &RolloutSettings,
    now: Timestamp,
) -> RolloutStep {
    let failed = count(members, Standing::Failed);
    let pinned = members.iter().filter(|m| m.wave.is_some()).count();
    if failed * 100 > pinned * settings.error_budget_percent as usize {
        return RolloutStep::Stop { failed, pinned };
    }
    let behind = || targets.iter().filter(|target| !target.reached);
    let same: Vec<ScpTarget> = behind()
        .filter(|target| !target.changes)
        .map(|target| target.target.clone())
        .collect();
    if !same.is_empty() {
        return RolloutStep::Attach {
            wave: None,
            targets: same,
        };
    }
    let step = next_accounts(id, members, settings);
    let canaries: Vec<ScpTarget> = behind()
        .filter(|target| target.canary)
        .map(|target| target.target.clone())
        .collect();
    let (wave, next) = match step {
        RolloutStep::Pin {
            wave: Wave::Canary, ..
        } => return step,
        _ if !canaries.is_empty() => (Wave::Canary, canaries),
        RolloutStep::Finish => (Wave::Rest, next_targets(targets)),
        _ => (Wave::Rest, Vec::new()),
    };
    if !settled(targets, settings, now) {
        return RolloutStep::Wait;
    }
    match next.is_empty() {
        true => step,
        false if count(members, Standing::Converging) > 0 => RolloutStep::Wait,
        false => RolloutStep::Attach {
            wave: Some(wave),
            targets: next,
        },
    }
}

/// Whether the policies that were brought so far have stood in AWS for long enough.
fn settled(targets: &[ScpMember], settings: &RolloutSettings, now: Timestamp) -> bool {
    let soak = SignedDuration::from_mins(settings.scp_soak_minutes.into());
    let mut reached = targets.iter().filter(|target| target.reached);
    reached.all(|target| match target.seen_at {
        None => false,
        Some(at) => !target.is_felt() || at + soak <= now,
    })
}

/// All targets behind that bind no account, or else the one that binds the fewest. Those below come before those above, which
/// bind theirs too.
fn next_targets(targets: &[ScpMember]) -> Vec<ScpTarget> {
    let behind = || targets.iter().filter(|target| !target.reached);
    let empty: Vec<ScpTarget> = behind()
        .filter(|target| target.accounts == 0)
        .map(|target| target.target.clone())
        .collect();
    if !empty.is_empty() {
        return empty;
    }
    let next = behind().min_by_key(|target| {
        let depth = Reverse(target.target.above().len());
        (target.accounts, depth, &target.target)
    });
    next.map(|target| target.target.clone())
        .into_iter()
        .collect()
}

fn count(members: &[Member], standing: Standing) -> usize {
    members.iter().filter(|m| m.standing == standing).count()
}

fn next_accounts(id: Uuid, members: &[Member], settings: &RolloutSettings) -> RolloutStep {
    let begun = || members.iter().filter_map(|m| m.wave);
    let on_their_way = count(members, Standing::Converging);
    let with = |standing| members.iter().filter(move |m| m.standing == standing);
    let mut behind: Vec<&Member> = with(Standing::Behind).collect();
    if behind.is_empty() {
        return match on_their_way {
            0 => RolloutStep::Finish,
            _ => RolloutStep::Wait,
        };
    }
    if behind.iter().any(|m| !m.last) {
        behind.retain(|m| !m.last);
    } else if on_their_way > 0 {
        return RolloutStep::Wait;
    }
    let share = (members.len() * settings.second_wave_percent as usize)
        .div_ceil(100)
        .max(1);
    let furthest = begun().max();
    let in_second = begun().filter(|wave| *wave == Wave::Second).count();
    let canaries = furthest <= Some(Wave::Canary) && behind.iter().any(|m| m.canary);
    let (wave, most) = if canaries {
        behind.retain(|m| m.canary);
        (Wave::Canary, usize::MAX)
    } else if furthest < Some(Wave::Rest) && in_second < share && behind.iter().any(|m| !m.last) {
        (Wave::Second, share - in_second)
    } else {
        (Wave::Rest, usize::MAX)
    };
    if furthest.is_some_and(|furthest| furthest < wave) && on_their_way > 0 {
        return RolloutStep::Wait;
    }
    let room = share.saturating_sub(on_their_way).min(most);
    if room == 0 {
        return RolloutStep::Wait;
    }
    // Not always the same accounts first, yet the same whoever asks.
    behind.sort_by_cached_key(|m| {
        let mut hash = blake3::Hasher::new();
        hash.update(id.as_bytes()).update(m.id.as_bytes());
        *hash.finalize().as_bytes()
    });
    let accounts = behind.iter().take(room).map(|m| m.id).collect();
    RolloutStep::Pin { wave, accounts }
}
