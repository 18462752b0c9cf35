//! A plan: what would have to change in a scope. Found by looking, kept, and applied only when somebody says so.
//!
//! Each target goes its own way through its stages; what the plan as a whole is follows from them.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::cell::CellKey;
use crate::cloud_error::StoredError;
use crate::ids::{AccountId, ControlId, OuPath, Region};

/// How long after it was made a plan may be applied.
pub const HOLDS: SignedDuration = SignedDuration::from_hours(24);

/// Which cells a plan looks at. An empty set leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanScope {
    /// The management account stands for the organization.
    pub accounts: BTreeSet<AccountId>,
    /// With all OUs below them.
    pub organizational_units: BTreeSet<OuPath>,
    pub regions: BTreeSet<Region>,
    pub controls: BTreeSet<ControlId>,
}

impl PlanScope {
    /// Whether a cell of one of the plan's targets is looked at.
    pub fn covers(&self, key: &CellKey) -> bool {
        (self.regions.is_empty() || self.regions.contains(&key.region))
            && (self.controls.is_empty() || self.controls.contains(&key.control))
    }

    /// Whether accounts in this OU are among the plan's targets.
    pub fn covers_unit(&self, unit: &OuPath) -> bool {
        unit.with_ancestors()
            .iter()
            .any(|above| self.organizational_units.contains(above))
    }
}

/// How far a target of a plan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetStage {
    /// Nobody has looked yet.
    Looking,
    /// It was looked at.
    Planned,
    /// It could not be looked at as a whole.
    Unseen,
    /// Its changes are to be applied.
    Applying,
    /// Every change was applied.
    Applied,
    /// Something had moved: nothing was changed.
    Refused,
    /// Not every change could be applied.
    Failed,
}

impl TargetStage {
    pub const ALL: [TargetStage; 7] = [
        TargetStage::Looking,
        TargetStage::Planned,
        TargetStage::Unseen,
        TargetStage::Applying,
        TargetStage::Applied,
        TargetStage::Refused,
        TargetStage::Failed,
    ];

    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            TargetStage::Looking => "looking",
            TargetStage::Planned => "planned",
            TargetStage::Unseen => "unseen",
            TargetStage::Applying => "applying",
            TargetStage::Applied => "applied",
            TargetStage::Refused => "refused",
            TargetStage::Failed => "failed",
        }
    }
}

/// What a plan as a whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    /// Not every target was looked at yet.
    Planning,
    /// It can be read, and applied while it holds.
    Planned,
    Applying,
    /// Everything in it was applied.
    Applied,
    /// Of some target nothing was applied, because it had moved; all others are done.
    Refused,
    /// No target could be looked at, or some changes could not be applied.
    Failed,
}

impl PlanState {
    pub const NAMES: [&'static str; 6] = [
        "planning", "planned", "applying", "applied", "refused", "failed",
    ];

    /// What follows from the stages of a plan's targets. `asked`: whether somebody said that it be applied.
    pub fn of(asked: bool, stages: impl IntoIterator<Item = TargetStage>) -> PlanState {
        let stages: BTreeSet<TargetStage> = stages.into_iter().collect();
        let some = |stage| stages.contains(&stage);
        match asked {
            false if some(TargetStage::Looking) => PlanState::Planning,
            false if some(TargetStage::Unseen) && !some(TargetStage::Planned) => PlanState::Failed,
            false => PlanState::Planned,
            true if some(TargetStage::Applying) => PlanState::Applying,
            true if some(TargetStage::Failed) => PlanState::Failed,
            true if some(TargetStage::Refused) => PlanState::Refused,
            true => PlanState::Applied,
        }
    }

    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            PlanState::Planning => "planning",
            PlanState::Planned => "planned",
            PlanState::Applying => "applying",
            PlanState::Applied => "applied",
            PlanState::Refused => "refused",
            PlanState::Failed => "failed",
        }
    }
}

/// What was found different when a planned cell was looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// Something else is wanted: another baseline, or another place.
    Desired,
    /// Other changes would be needed.
    Changes,
    /// AWS has something else, although the changes are the same.
    Observed,
    /// The deviation is accepted now.
    Waived,
}

impl Moved {
    /// What it means, as the end of a sentence about a cell.
    pub fn words(self) -> &'static str {
        match self {
            Moved::Desired => "something else is wanted now",
            Moved::Changes => "other changes would be needed now",
            Moved::Observed => "AWS shows something else now",
            Moved::Waived => "the deviation is accepted now",
        }
    }
}

/// What became of a cell's changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CellOutcome {
    /// The changes were applied, and the cell is in sync.
    Applied,
    /// The changes were applied, and the cell still differs: AWS needs time, or a further step shows only now.
    Differs { remaining: Vec<String> },
    /// Nothing was applied: the cell was not as it was when the plan was made.
    Moved { what: Moved, now: Vec<String> },
    /// AWS refused or failed; earlier changes of the cell may have been applied.
    Failed { error: StoredError },
    /// Nothing was applied: this control has to be in sync first, and its changes were not all applied.
    Skipped { after: ControlId },
}

impl CellOutcome {
    /// The word in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            CellOutcome::Applied => "applied",
            CellOutcome::Differs { .. } => "differs",
            CellOutcome::Moved { .. } => "moved",
            CellOutcome::Failed { .. } => "failed",
            CellOutcome::Skipped { .. } => "skipped",
        }
    }

    /// Whether every change was applied.
    pub fn is_applied(&self) -> bool {
        match self {
            CellOutcome::Applied | CellOutcome::Differs { .. } => true,
            CellOutcome::Moved { .. }
            | CellOutcome::Failed { .. }
            | CellOutcome::Skipped { .. } => false,
        }
    }
}

/// What a change does to what is there, roughly: how a plan marks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Create,
    Change,
    Remove,
}

impl Effect {
    /// By the verb that a change's sentence begins with.
    pub fn of(sentence: &str) -> Effect {
        let verb = sentence.split(' ').next().unwrap_or_default();
        match verb {
            "create" | "add" | "attach" | "invite" => Effect::Create,
            "delete" | "remove" | "detach" | "take" => Effect::Remove,
            _ if sentence.starts_with("turn GuardDuty on")
                || sentence.starts_with("turn Security Hub on") =>
            {
                Effect::Create
            }
            _ => Effect::Change,
        }
    }

    /// The mark in front of a line.
    pub fn symbol(self) -> char {
        match self {
            Effect::Create => '+',
            Effect::Change => '~',
            Effect::Remove => '-',
        }
    }
}

/// When a plan needs somebody besides the one who made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanRules {
    /// The share of the governed accounts, 0 to 1, that one person alone may have changed by a plan.
    pub approval_above: f64,
    /// So many accounts one person may always have changed, however few are governed.
    pub accounts_alone: u64,
}

impl Default for PlanRules {
    fn default() -> Self {
        PlanRules {
            approval_above: 0.1,
            accounts_alone: 3,
        }
    }
}

impl PlanRules {
    /// How many targets a plan may change without approval.
    pub fn alone(&self, governed: u64) -> u64 {
        // Numbers of accounts are far below what a float holds exactly.
        let share = (self.approval_above * governed as f64).floor() as u64;
        share.max(self.accounts_alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_what_its_targets_are() {
        use TargetStage::{Applied, Applying, Failed, Looking, Planned, Refused, Unseen};
        for (asked, stages, state) in [
            (false, vec![], PlanState::Planned),
            (false, vec![Looking, Planned], PlanState::Planning),
            (false, vec![Planned, Planned], PlanState::Planned),
            (false, vec![Planned, Unseen], PlanState::Planned),
            (false, vec![Unseen, Unseen], PlanState::Failed),
            (true, vec![Planned, Applied, Applying], PlanState::Applying),
            (true, vec![Planned, Unseen, Applied], PlanState::Applied),
            (true, vec![Applied, Refused], PlanState::Refused),
            (true, vec![Applied, Refused, Failed], PlanState::Failed),
            (true, vec![Failed, Applying], PlanState::Applying),
        ] {
            assert_eq!(
                PlanState::of(asked, stages.clone()),
                state,
                "{asked} {stages:?}"
            );
            assert!(PlanState::NAMES.contains(&state.name()));
        }
    }

    #[test]
    fn names_are_the_words_of_json() {
        for stage in TargetStage::ALL {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
        let skipped = CellOutcome::Skipped {
            after: "a.b".parse().unwrap(),
        };
        for outcome in [CellOutcome::Applied, skipped] {
            let json = serde_json::to_value(&outcome).unwrap();
            assert_eq!(json["outcome"], outcome.name());
            assert_eq!(
                serde_json::from_value::<CellOutcome>(json).unwrap(),
                outcome
            );
        }
    }

    #[test]
    fn a_scope_covers_what_it_names_and_everything_where_it_names_nothing() {
        let key = CellKey {
            region: "eu-west-1".parse().unwrap(),
            control: "config.recorder".parse().unwrap(),
        };
        let set = |text: &str| BTreeSet::from([text.parse().unwrap()]);
        let all = PlanScope::default();
        assert!(all.covers(&key));
        for (region, control, covered) in [
            ("eu-west-1", "config.recorder", true),
            ("eu-west-2", "config.recorder", false),
            ("eu-west-1", "guardduty.detector", false),
        ] {
            let scope = PlanScope {
                regions: set(region),
                controls: BTreeSet::from([control.parse().unwrap()]),
                ..PlanScope::default()
            };
            assert_eq!(scope.covers(&key), covered, "{region} {control}");
        }
        let scope = PlanScope {
            organizational_units: BTreeSet::from(["Applications".parse().unwrap()]),
            ..all
        };
        for (unit, covered) in [
            ("Applications", true),
            ("Applications/Production", true),
            ("ApplicationsOfOld", false),
            ("Admin", false),
        ] {
            assert_eq!(scope.covers_unit(&unit.parse().unwrap()), covered, "{unit}");
        }
    }

    #[test]
    fn a_small_plan_needs_nobody_else() {
        let rules = PlanRules::default();
        for (governed, alone) in [(0, 3), (29, 3), (40, 4), (49, 4), (500, 50)] {
            assert_eq!(rules.alone(governed), alone, "{governed}");
        }
        let strict = PlanRules {
            approval_above: 0.0,
            accounts_alone: 0,
        };
        assert_eq!(strict.alone(500), 0);
    }

    #[test]
    fn a_change_is_marked_by_its_verb() {
        for (sentence, symbol) in [
            ("create the log bucket landfall-logs", '+'),
            ("turn GuardDuty on", '+'),
            ("turn on S3_DATA_EVENTS", '~'),
            ("detach landfall-x from Admin", '-'),
            ("remove the password policy", '-'),
            ("start the recorder default", '~'),
        ] {
            assert_eq!(Effect::of(sentence).symbol(), symbol, "{sentence}");
        }
    }
}
