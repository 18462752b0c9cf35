//! What a plan does with cells that no pass repairs by itself: one whose baseline asks first is changed by applying a plan,
//! for that is the asking; one that a waiver accepts is counted, and never changed.

use std::collections::{BTreeMap, BTreeSet};

use landfall_model::cell::CellStatus;
use landfall_model::consent::Decision;
use landfall_model::plan::{CellOutcome, Moved, PlanScope, PlanState};
use landfall_server::engine::clock::Clock;
use landfall_server::store::{NewPlan, Plan, PlanCell};
use landfall_tests::world::eventually;
use uuid::Uuid;

use super::drift::{CONTROL, LOOK_EVERY, REGION, Scene, that_asks};

/// The other Region.
const HOME: &str = "us-east-1";

impl Scene {
    /// A plan for the control, in both Regions.
    async fn plan(&self) -> Plan {
        let scope = PlanScope {
            controls: BTreeSet::from([CONTROL.parse().expect("a control")]),
            ..PlanScope::default()
        };
        let new = NewPlan {
            id: Uuid::now_v7(),
            scope: &scope,
            targets: &[self.account.target()],
            made_by: "ann",
        };
        let added = self.store().add_plan(&new, self.clock.now()).await;
        added.expect("it is taken");
        self.when_not(new.id, PlanState::Planning).await
    }

    async fn apply(&self, plan: &Plan) -> Plan {
        let now = self.clock.now();
        let asked = self.store().apply_plan(plan.id, "bob", now).await;
        assert!(asked.expect("the store answers"));
        self.when_not(plan.id, PlanState::Applying).await
    }

    async fn when_not(&self, id: Uuid, state: PlanState) -> Plan {
        eventually("the plan's next state", async || {
            let plan = self.store().plan(id).await.expect("the store answers");
            plan.filter(|plan| plan.state() != state)
        })
        .await
    }

    async fn planned_cells(&self, plan: &Plan) -> Vec<PlanCell> {
        let cells = self.store().plan_cells(plan.id, &[], None, 100).await;
        cells.expect("the store answers").items
    }

    /// The status of the control's cell in each Region.
    async fn statuses(&self) -> BTreeMap<String, CellStatus> {
        let cells = self.store().cells(self.account.target()).await;
        let cells = cells.expect("the store answers").into_iter();
        cells
            .filter(|cell| cell.key.control.as_str() == CONTROL)
            .map(|cell| (cell.key.region.to_string(), cell.status()))
            .collect()
    }

    /// How often a detector was resumed.
    fn resumed(&self) -> u64 {
        let calls = self.world.calls_of("guardduty");
        calls.get("StartMonitoringMembers").copied().unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_first_is_changed_by_applying_a_plan() {
    let scene = Scene::set(that_asks().await).await;
    let before = scene.resumed();
    scene.tamper_in(REGION);
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Drifted, "{cell:?}");

    let plan = scene.plan().await;
    let counts = &plan.counts;
    assert_eq!((counts.cells_to_change, counts.cells_in_sync), (1, 1));
    assert_eq!(scene.resumed(), before, "looking changes nothing");
    let applied = scene.apply(&plan).await;
    let cells = scene.planned_cells(&plan).await;
    assert_eq!(applied.state(), PlanState::Applied, "{cells:?}");
    assert_eq!(cells[0].outcome, Some(CellOutcome::Applied));
    assert_eq!(scene.resumed(), before + 1);
    let cell = scene.cell().await;
    assert_eq!(cell.status(), CellStatus::InSync, "{cell:?}");

    // That was for that once.
    scene.tamper_in(REGION);
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Drifted, "{cell:?}");
    assert_eq!(scene.resumed(), before + 1);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_waiver_accepts_is_counted_and_not_changed() {
    let scene = Scene::set(that_asks().await).await;
    let lasts = LOOK_EVERY * 600;
    let waiver = scene.propose(CONTROL, lasts).await;
    scene.decide(&waiver, Decision::Approve, "bob").await;
    let before = scene.resumed();
    for region in [REGION, HOME] {
        scene.tamper_in(region);
    }
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Waived, "{cell:?}");

    let plan = scene.plan().await;
    let counts = &plan.counts;
    assert_eq!((counts.cells_to_change, counts.cells_waived), (1, 1));
    let cells = scene.planned_cells(&plan).await;
    assert_eq!(cells.len(), 1, "{cells:?}");
    assert_eq!(cells[0].key.region.as_str(), HOME);
    assert_eq!(scene.apply(&plan).await.state(), PlanState::Applied);
    assert_eq!(scene.resumed(), before + 1, "in the other Region alone");
    let expected = [(REGION, CellStatus::Waived), (HOME, CellStatus::InSync)];
    let expected = expected.map(|(region, status)| (region.to_owned(), status));
    assert_eq!(scene.statuses().await, expected.into());

    // A waiver that comes between plan and apply: nothing of the account is changed.
    scene.decide(&waiver, Decision::Revoke, "alice").await;
    scene.tamper_in(HOME);
    let plan = scene.plan().await;
    assert_eq!(plan.counts.cells_to_change, 2, "{:?}", plan.counts);
    let waiver = scene.propose(CONTROL, lasts).await;
    scene.decide(&waiver, Decision::Approve, "bob").await;
    assert_eq!(scene.apply(&plan).await.state(), PlanState::Refused);
    assert_eq!(scene.resumed(), before + 1);
    let moved = scene.planned_cells(&plan).await.into_iter();
    let moved: Vec<_> = moved
        .filter_map(|cell| Some((cell.key.region.to_string(), cell.outcome?)))
        .collect();
    let waived = CellOutcome::Moved {
        what: Moved::Waived,
        now: Vec::new(),
    };
    assert_eq!(moved, [(REGION.to_owned(), waived)]);
    scene.running.stop().await;
}
