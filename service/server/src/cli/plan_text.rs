//! A plan as people read it: by account, the same changes of many Regions in one place, and a sum at the end.

use std::collections::{BTreeMap, BTreeSet};

use landfall_model::plan::PlanState;

use crate::api::plan_changes::{Change, PlanTarget, PlannedCell};
use crate::api::plan_scope::PlanForm;
use crate::api::plans::Plan;

/// More Regions than this are counted, not named.
const NAMED: usize = 3;

/// What the same thing is said of: a control, its changes or why there are none, and what became of them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    control: &'a str,
    changes: Vec<(char, &'a str)>,
    error: Option<String>,
    outcome: Option<(&'a str, &'a [String])>,
}

impl<'a> Group<'a> {
    fn of(cell: &'a PlannedCell) -> Self {
        let line = |change: &'a Change| (change.effect.symbol(), change.sentence.as_str());
        Group {
            control: &cell.control,
            changes: cell.changes.iter().map(line).collect(),
            error: cell
                .error
                .as_ref()
                .map(|error| format!("{}: {} {}", error.operation, error.message, error.advice)),
            outcome: cell
                .outcome
                .as_ref()
                .map(|outcome| (outcome.sentence.as_str(), outcome.remaining.as_slice())),
        }
    }

    fn lines(&self, regions: &BTreeSet<&str>, lines: &mut Vec<String>) {
        let place = place(regions);
        if let Some(error) = &self.error {
            lines.push(format!(
                "  ! {} {place} could not be looked at: {error}",
                self.control
            ));
            return;
        }
        lines.push(match self.outcome {
            Some((outcome, _)) => format!("  {} {place}: {outcome}", self.control),
            None => format!("  {} {place}", self.control),
        });
        for (symbol, sentence) in &self.changes {
            lines.push(format!("    {symbol} {sentence}"));
        }
        for sentence in self.outcome.iter().flat_map(|(_, remaining)| *remaining) {
            lines.push(format!("    now: {sentence}"));
        }
    }
}

/// The whole plan.
pub(super) fn lines(plan: &Plan, targets: &[PlanTarget], cells: &[PlannedCell]) -> Vec<String> {
    let mut lines = Vec::new();
    for target in targets {
        let mut groups: BTreeMap<Group<'_>, BTreeSet<&str>> = BTreeMap::new();
        for cell in cells
            .iter()
            .filter(|cell| cell.account_id == target.account_id)
        {
            groups
                .entry(Group::of(cell))
                .or_default()
                .insert(&cell.region);
        }
        if groups.is_empty() && target.reason.is_none() {
            continue;
        }
        lines.push(heading(target));
        if let Some(reason) = &target.reason {
            lines.push(format!("  ! {}: {reason}", target.stage.name()));
        }
        for (group, regions) in groups {
            group.lines(&regions, &mut lines);
        }
        lines.push(String::new());
    }
    lines.push(sum(plan, cells));
    lines.extend(what_next(plan));
    lines
}

fn heading(target: &PlanTarget) -> String {
    let name = match &target.account_id {
        Some(number) => format!("{number} {}", target.name),
        None => target.name.clone(),
    };
    match (&target.baseline, &target.baseline_revision) {
        (Some(baseline), Some(revision)) => format!("{name} (baseline {baseline} {revision})"),
        _ => name,
    }
}

fn place(regions: &BTreeSet<&str>) -> String {
    if regions.len() > NAMED {
        return format!("in {} Regions", regions.len());
    }
    let names: Vec<&str> = regions.iter().copied().collect();
    format!("in {}", names.join(", "))
}

/// `Plan: 34 changes in 2 accounts × 17 Regions; 8 463 cells in sync; 1 could not be looked at`
fn sum(plan: &Plan, cells: &[PlannedCell]) -> String {
    let counts = &plan.counts;
    let changing = || cells.iter().filter(|cell| cell.error.is_none());
    let accounts: BTreeSet<_> = changing().map(|cell| &cell.account_id).collect();
    let regions: BTreeSet<_> = changing().map(|cell| &cell.region).collect();
    let mut parts = vec![match counts.changes {
        0 => "no changes".to_owned(),
        changes => format!(
            "{} in {} × {}",
            many(changes, "change", "changes"),
            many(accounts.len() as u64, "account", "accounts"),
            many(regions.len() as u64, "Region", "Regions"),
        ),
    }];
    parts.push(format!(
        "{} in sync",
        many(counts.cells_in_sync, "cell", "cells")
    ));
    if counts.cells_waived > 0 {
        parts.push(format!("{} waived", digits(counts.cells_waived)));
    }
    if counts.cells_not_looked_at > 0 {
        parts.push(format!(
            "{} could not be looked at",
            digits(counts.cells_not_looked_at)
        ));
    }
    if let Some(unseen) = counts.stages.get("unseen") {
        parts.push(format!(
            "{} could not be entered",
            many(*unseen, "account", "accounts")
        ));
    }
    format!("Plan: {}", parts.join("; "))
}

fn what_next(plan: &Plan) -> Vec<String> {
    let id = plan.id;
    match plan.state {
        PlanState::Planned if plan.counts.changes == 0 => Vec::new(),
        PlanState::Planned => {
            let mut lines = Vec::new();
            if plan.approval.needed {
                lines.push(match &plan.approval.approved_by {
                    Some(by) => format!("Approved by {by}."),
                    None => format!(
                        "It changes more than {}, so somebody besides {} has to approve it: landfall plan approve {id}",
                        many(plan.approval.accounts_alone, "account", "accounts"),
                        plan.made_by
                    ),
                });
            }
            lines.push(format!(
                "Apply it until {:.0}: landfall apply {id}",
                plan.expires_at
            ));
            lines
        }
        PlanState::Planning | PlanState::Applying => vec![progress(plan)],
        PlanState::Applied => vec![format!(
            "Applied: {} changed.",
            many(plan.counts.cells_applied, "cell", "cells")
        )],
        PlanState::Refused => vec![
            "Refused where something was not as it was when the plan was made. Make a new plan and compare: landfall plan"
                .to_owned(),
        ],
        PlanState::Failed => vec![
            "Not all of it could be done; the lines above say why. Make a new plan for what is left: landfall plan"
                .to_owned(),
        ],
    }
}

/// How far a plan has come that is being made or applied.
pub(super) fn progress(plan: &Plan) -> String {
    let counts = &plan.counts;
    let in_stage = |stage: &str| counts.stages.get(stage).copied().unwrap_or_default();
    match plan.state {
        PlanState::Planning => format!(
            "Looked at {} of {}; {} so far",
            digits(counts.targets - in_stage("looking")),
            many(counts.targets, "account", "accounts"),
            many(counts.changes, "change", "changes"),
        ),
        _ => format!(
            "Applied {} of {}; {} to go",
            digits(counts.cells_applied),
            many(counts.cells_to_change, "cell", "cells"),
            many(in_stage("applying"), "account", "accounts"),
        ),
    }
}

/// What a plan looks at, in a few words.
pub(super) fn scope(scope: &PlanForm) -> String {
    let lists = [
        &scope.accounts,
        &scope.organizational_units,
        &scope.regions,
        &scope.controls,
    ];
    let named: Vec<&str> = lists.into_iter().flatten().map(String::as_str).collect();
    match named.as_slice() {
        [] => "everything".to_owned(),
        names if names.len() > 4 => {
            format!("{} and {} more", names[..3].join(" "), names.len() - 3)
        }
        names => names.join(" "),
    }
}

fn many(number: u64, one: &str, more: &str) -> String {
    format!(
        "{} {}",
        digits(number),
        if number == 1 { one } else { more }
    )
}

/// `8 463`
fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use landfall_model::plan::{Effect, TargetStage};
    use serde_json::{Value, json};

    use super::*;
    use crate::api::plan_changes::Outcome;

    fn plan(state: &str, counts: &Value) -> Plan {
        let mut all = json!({
            "targets": 3, "stages": {"planned": 3}, "targets_to_change": 2, "cells_in_sync": 8463, "cells_waived": 0,
            "cells_to_change": 18, "cells_not_looked_at": 0, "changes": 34, "cells_applied": 0,
        });
        for (name, value) in counts.as_object().unwrap() {
            all[name] = value.clone();
        }
        serde_json::from_value(json!({
            "id": "00000000-0000-0000-0000-000000000001", "state": state, "scope": {}, "made_by": "ann",
            "made_at": "2026-11-22T10:00:00Z", "expires_at": "2026-11-23T10:00:00Z",
            "approval": {"needed": false, "accounts_alone": 3}, "counts": all,
        }))
        .unwrap()
    }

    fn target(number: Option<&str>, name: &str) -> PlanTarget {
        PlanTarget {
            account_id: number.map(str::to_owned),
            name: name.to_owned(),
            stage: TargetStage::Planned,
            baseline: Some("foundation".to_owned()),
            baseline_revision: Some("0123456789abcdef".to_owned()),
            cells_in_sync: 9,
            cells_waived: 0,
            reason: None,
        }
    }

    fn cell(number: Option<&str>, region: &str, control: &str, sentences: &[&str]) -> PlannedCell {
        PlannedCell {
            account_id: number.map(str::to_owned),
            region: region.to_owned(),
            control: control.to_owned(),
            revision: None,
            changes: sentences
                .iter()
                .map(|sentence| Change {
                    effect: Effect::of(sentence),
                    sentence: (*sentence).to_owned(),
                    change: Value::Null,
                })
                .collect(),
            error: None,
            outcome: None,
        }
    }

    #[test]
    fn the_same_changes_of_many_regions_are_said_once() {
        let one = Some("222222222222");
        let regions = ["eu-west-1", "eu-west-2", "eu-west-3", "us-east-1"];
        let mut cells: Vec<PlannedCell> = regions
            .iter()
            .map(|region| cell(one, region, "guardduty.detector", &["turn GuardDuty on"]))
            .collect();
        cells.push(cell(
            one,
            "us-east-1",
            "config.recorder",
            &[
                "set the recorder default to all",
                "start the recorder default",
            ],
        ));
        cells.push(cell(
            None,
            "us-east-1",
            "organizations.policies",
            &["detach x from Admin"],
        ));
        let targets = [
            target(one, "Payments"),
            target(Some("333333333333"), "In sync"),
            target(None, "the organization"),
        ];
        let text = lines(&plan("planned", &json!({})), &targets, &cells);
        assert_eq!(
            text,
            [
                "222222222222 Payments (baseline foundation 0123456789abcdef)",
                "  config.recorder in us-east-1",
                "    ~ set the recorder default to all",
                "    ~ start the recorder default",
                "  guardduty.detector in 4 Regions",
                "    + turn GuardDuty on",
                "",
                "the organization (baseline foundation 0123456789abcdef)",
                "  organizations.policies in us-east-1",
                "    - detach x from Admin",
                "",
                "Plan: 34 changes in 2 accounts × 4 Regions; 8 463 cells in sync",
                "Apply it until 2026-11-23T10:00:00Z: landfall apply 00000000-0000-0000-0000-000000000001",
            ]
        );
    }

    #[test]
    fn what_could_not_be_looked_at_and_what_became_of_changes_is_said() {
        let one = Some("222222222222");
        let mut unseen = cell(one, "eu-west-1", "guardduty.detector", &[]);
        unseen.error = Some(
            serde_json::from_value(json!({
                "kind": "access_denied", "operation": "guardduty:ListDetectors", "message": "no.",
                "who_can_help": "platform_team", "advice": "Look at the SCPs.",
            }))
            .unwrap(),
        );
        let text = lines(
            &plan(
                "planned",
                &json!({"changes": 0, "cells_not_looked_at": 1, "cells_waived": 2}),
            ),
            &[target(one, "Payments")],
            &[unseen],
        );
        assert_eq!(
            text[1..],
            [
                "  ! guardduty.detector in eu-west-1 could not be looked at: guardduty:ListDetectors: no. Look at the SCPs.",
                "",
                "Plan: no changes; 8 463 cells in sync; 2 waived; 1 could not be looked at",
            ]
        );

        let mut moved = cell(
            one,
            "eu-west-1",
            "guardduty.detector",
            &["turn GuardDuty on"],
        );
        moved.outcome = Some(Outcome {
            outcome: "moved".to_owned(),
            sentence: "not changed: other changes would be needed now".to_owned(),
            remaining: vec!["resume it".to_owned()],
        });
        let mut refused = target(one, "Payments");
        refused.stage = TargetStage::Refused;
        refused.reason = Some("1 of 1 cells".to_owned());
        let text = lines(
            &plan("refused", &json!({"changes": 1})),
            &[refused],
            &[moved],
        );
        assert_eq!(
            text[1..5],
            [
                "  ! refused: 1 of 1 cells",
                "  guardduty.detector in eu-west-1: not changed: other changes would be needed now",
                "    + turn GuardDuty on",
                "    now: resume it",
            ]
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(digits(number), text);
        }
    }

    #[test]
    fn progress_and_approval_are_said() {
        let mut plan = plan(
            "planning",
            &json!({"stages": {"looking": 2, "planned": 1}, "changes": 1}),
        );
        assert_eq!(
            progress(&plan),
            "Looked at 1 of 3 accounts; 1 change so far"
        );
        plan.state = PlanState::Planned;
        plan.approval.needed = true;
        assert!(what_next(&plan)[0].contains("landfall plan approve"));
        plan.approval.approved_by = Some("bob".to_owned());
        assert_eq!(what_next(&plan)[0], "Approved by bob.");
        assert_eq!(scope(&plan.scope), "everything");
    }
}
