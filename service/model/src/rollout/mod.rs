//! How new baselines and service control policies reach accounts: a few first, and the others when those are well.
//!
//! Every account is pinned to a revision of a baseline. A start with other files changes no pin: it begins a rollout, which pins
//! accounts in three waves (those in canary OUs, a share of the others, the rest) and never has more of them on their way
//! than the share; the management account, of which there is no second, goes when all others are done. Policies bind whole OUs: the canary OUs get new ones when their accounts are well with the new
//! baselines, and the other targets when all accounts are, one after another, the one with the fewest accounts first and
//! the root last. `next` is the whole of its decisions: a pure function from where the rollout is, and how its accounts and
//! targets stand, to the one step that is worth taking now.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::Purpose;
use crate::baseline::{Baseline, Baselines, FOUNDATION, ORGANIZATION};
use crate::ids::{OuPath, Revision};
use crate::landing_zone::LandingZone;
use crate::scp::{self, ScpSet};

mod next;

pub use next::{Member, RolloutStep, ScpMember, next};

/// What the landing zone says of rollouts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutSettings {
    /// Whether a rollout begins by itself; otherwise it is proposed and somebody starts it.
    pub automatic: bool,
    /// The OUs whose accounts, and those of the OUs below, are the first wave.
    pub canary: Vec<OuPath>,
    /// How many of a hundred accounts are the second wave, and are on their way at once.
    pub second_wave_percent: u32,
    /// How many of a hundred accounts that got the new revision may be blocked or stuck by it.
    pub error_budget_percent: u32,
    /// For how many minutes new service control policies stand on some targets before they go on to others: time for people to
    /// notice what Landfall does not see.
    pub scp_soak_minutes: u32,
}

impl Default for RolloutSettings {
    fn default() -> Self {
        RolloutSettings {
            automatic: true,
            canary: Vec::new(),
            second_wave_percent: 10,
            error_budget_percent: 5,
            scp_soak_minutes: 0,
        }
    }
}

impl RolloutSettings {
    /// Whether an OU is, or stands below, one of the canaries.
    pub fn is_canary(&self, unit: &OuPath) -> bool {
        unit.with_ancestors()
            .iter()
            .any(|above| self.canary.contains(above))
    }
}

/// A baseline at a revision: what an account is pinned to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pin {
    pub baseline: String,
    pub revision: Revision,
}

impl Pin {
    pub fn to(baseline: &Baseline) -> Self {
        Pin {
            baseline: baseline.name.clone(),
            revision: baseline.revision.clone(),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.baseline, self.revision)
    }
}

/// What accounts are to have in the end, by OU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    units: BTreeMap<OuPath, Pin>,
    /// In OUs that the landing zone does not have (any more).
    elsewhere: Pin,
    /// The management account. `None` in rollouts from before it had a baseline.
    #[serde(default)]
    management: Option<Pin>,
    /// The service control policies. `None` where no control keeps them, and in rollouts from before they went by waves.
    #[serde(default)]
    pub scps: Option<Revision>,
}

impl Wanted {
    /// As the landing zone, the baselines and the service control policies say. All that it names has to be there, which is
    /// checked at start.
    pub fn new(zone: &LandingZone, baselines: &Baselines, scps: &ScpSet) -> Self {
        let pin = |name: &str| {
            let baseline = baselines.get(name);
            Pin::to(baseline.expect("the landing zone's baselines are checked at start"))
        };
        Wanted {
            units: zone
                .organizational_units
                .iter()
                .map(|unit| (unit.path.clone(), pin(&unit.baseline)))
                .collect(),
            elsewhere: pin(FOUNDATION),
            management: Some(pin(&zone.management.baseline)),
            scps: baselines
                .get(ORGANIZATION)
                .is_some_and(|baseline| baseline.has(scp::CONTROL))
                .then(|| scps.revision()),
        }
    }

    /// What an account is to have, by what it is for and where it belongs; `None` where nothing is said of it.
    pub fn of(&self, purpose: Purpose, unit: &OuPath) -> Option<&Pin> {
        match purpose {
            Purpose::Management => self.management.as_ref(),
            Purpose::Application | Purpose::LogArchive | Purpose::Security => {
                Some(self.units.get(unit).unwrap_or(&self.elsewhere))
            }
        }
    }

    /// The OUs that the landing zone had, and neither of the others.
    pub fn new_units<'a>(&'a self, others: &'a [&'a Wanted]) -> impl Iterator<Item = &'a OuPath> {
        let known = |unit: &&OuPath| others.iter().any(|one| one.units.contains_key(*unit));
        self.units.keys().filter(move |unit| !known(unit))
    }

    /// Each baseline, once.
    pub fn pins(&self) -> Vec<&Pin> {
        let mut pins: Vec<&Pin> = self
            .units
            .values()
            .chain([&self.elsewhere])
            .chain(&self.management)
            .collect();
        pins.sort();
        pins.dedup();
        pins
    }
}

/// Where a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Somebody has to start it.
    Proposed,
    Running,
    /// Somebody paused it: no further account is pinned.
    Paused,
    /// It used up its error budget: no further account is pinned.
    Stopped,
    /// Somebody wants back what was before.
    RollingBack,
    RolledBack,
    /// Every account has it.
    Done,
    /// A later start brought other baselines before it was done.
    Superseded,
}

impl RolloutState {
    pub const ALL: [RolloutState; 8] = [
        RolloutState::Proposed,
        RolloutState::Running,
        RolloutState::Paused,
        RolloutState::Stopped,
        RolloutState::RollingBack,
        RolloutState::RolledBack,
        RolloutState::Done,
        RolloutState::Superseded,
    ];

    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            RolloutState::Proposed => "proposed",
            RolloutState::Running => "running",
            RolloutState::Paused => "paused",
            RolloutState::Stopped => "stopped",
            RolloutState::RollingBack => "rolling_back",
            RolloutState::RolledBack => "rolled_back",
            RolloutState::Done => "done",
            RolloutState::Superseded => "superseded",
        }
    }

    /// Whether a later rollout takes its place: what is over stays as it ended.
    pub fn is_superseded_by_a_later_one(self) -> bool {
        match self {
            RolloutState::Proposed
            | RolloutState::Running
            | RolloutState::Paused
            | RolloutState::Stopped
            | RolloutState::RollingBack => true,
            RolloutState::RolledBack | RolloutState::Done | RolloutState::Superseded => false,
        }
    }

    /// Where a person's decision leads; `None` where it cannot be taken.
    pub fn after(self, decision: RolloutDecision) -> Option<RolloutState> {
        use RolloutDecision as D;
        use RolloutState as S;
        match (decision, self) {
            (D::Start, S::Proposed | S::RolledBack) => Some(S::Running),
            (D::Pause, S::Running) => Some(S::Paused),
            (D::Resume, S::Paused | S::Stopped) => Some(S::Running),
            (D::RollBack, S::Proposed | S::Running | S::Paused | S::Stopped | S::Done) => {
                Some(S::RollingBack)
            }
            (
                D::Start,
                S::Running | S::Paused | S::Stopped | S::RollingBack | S::Done | S::Superseded,
            )
            | (
                D::Pause,
                S::Proposed
                | S::Paused
                | S::Stopped
                | S::RollingBack
                | S::RolledBack
                | S::Done
                | S::Superseded,
            )
            | (
                D::Resume,
                S::Proposed | S::Running | S::RollingBack | S::RolledBack | S::Done | S::Superseded,
            )
            | (D::RollBack, S::RollingBack | S::RolledBack | S::Superseded) => None,
        }
    }
}

/// What a person may decide about a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutDecision {
    /// Begin what was proposed, or begin again what was rolled back.
    Start,
    Pause,
    Resume,
    RollBack,
}

impl RolloutDecision {
    pub const ALL: [RolloutDecision; 4] = [
        RolloutDecision::Start,
        RolloutDecision::Pause,
        RolloutDecision::Resume,
        RolloutDecision::RollBack,
    ];
}

/// Which accounts go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wave {
    /// The accounts of the canary OUs.
    Canary,
    /// A share of the others.
    Second,
    Rest,
}

impl Wave {
    pub const ALL: [Wave; 3] = [Wave::Canary, Wave::Second, Wave::Rest];

    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Wave::Canary => "canary",
            Wave::Second => "second",
            Wave::Rest => "rest",
        }
    }
}

/// How an account stands in a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not pinned to the new revision yet.
    Behind,
    /// Pinned, and being brought there.
    Converging,
    InSync,
    /// Nobody waits for it: blocked, stuck or paused for reasons that are older than the rollout, or what differs is left
    /// until somebody asks for its repair.
    Excused,
    /// It was in sync before, and is blocked or stuck now.
    Failed,
}

impl Standing {
    pub const ALL: [Standing; 5] = [
        Standing::Behind,
        Standing::Converging,
        Standing::InSync,
        Standing::Excused,
        Standing::Failed,
    ];

    /// The word in JSON and in a metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Behind => "behind",
            Standing::Converging => "converging",
            Standing::InSync => "in_sync",
            Standing::Excused => "excused",
            Standing::Failed => "failed",
        }
    }

    /// What was seen of an account, as a standing.
    pub fn of(seen: Seen) -> Self {
        if !seen.pinned {
            Standing::Behind
        } else if seen.broken && seen.was_in_sync {
            Standing::Failed
        } else if seen.complete && !seen.broken {
            Standing::InSync
        } else if seen.broken || seen.paused || seen.left {
            Standing::Excused
        } else {
            Standing::Converging
        }
    }
}

/// What is seen of an account in a rollout.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Whether it is pinned to what the rollout wants.
    pub pinned: bool,
    /// Whether it was complete and not broken when it was pinned.
    pub was_in_sync: bool,
    /// Whether a whole pass was completed for what is wanted now.
    pub complete: bool,
    /// Whether somebody has to do something about it, or it is stuck.
    pub broken: bool,
    pub paused: bool,
    /// Whether everything was tried, and what still differs is left as it is: its baseline wants to be asked first, or
    /// somebody keeps undoing the repair.
    pub left: bool,
}

/// What an account is to be pinned to now; `None` when it stays as it is.
///
/// `latest` is the latest rollout's state and what it wants, `settled` what the last one wanted that was done, and
/// `runnable` whether the controls that there are now take the pinned revision's parameters.
pub fn repin(
    (purpose, unit): (Purpose, &OuPath),
    pin: Option<&Pin>,
    runnable: bool,
    latest: (RolloutState, &Wanted),
    settled: &Wanted,
) -> Option<Pin> {
    let (state, latest) = (latest.0, latest.1.of(purpose, unit)?);
    let settled = if state == RolloutState::Done {
        latest
    } else {
        settled.of(purpose, unit).unwrap_or(latest)
    };
    let wanted = match pin {
        None => settled,
        // Nobody can be asked to do what nobody understands any more.
        Some(_) if !runnable => latest,
        Some(pin) if state == RolloutState::Done && pin != settled => settled,
        // It was moved: whatever the rollout brings to its new OU comes by the rollout.
        Some(pin) if pin.baseline != settled.baseline && pin.baseline != latest.baseline => settled,
        Some(pin) => pin,
    };
    (pin != Some(wanted)).then(|| wanted.clone())
}

#[cfg(test)]
mod tests;
