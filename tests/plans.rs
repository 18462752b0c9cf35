//! Plans: what differs is shown and nothing is changed; what is applied is what was shown, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use awsim::faults::{Kind, Plan as Fault};
use landfall_model::cell::CellStatus;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::plan::{CellOutcome, Moved, PlanScope, PlanState, TargetStage};
use landfall_server::store::{Account, NewPlan, Plan, PlanCell, Store};
use landfall_tests::database::{Database, pause};
use landfall_tests::world::{
    Running, World, ask, governed, landing_zone_in, management_governed, soon, state_of,
};
use serde_json::json;
use uuid::Uuid;

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// An organization in sync with two governed accounts.
struct Scene {
    world: World,
    database: Database,
    running: Running,
    accounts: [Account; 2],
}

impl Scene {
    async fn new() -> Self {
        let world = World::with(&landing_zone_in(&REGIONS)).await;
        let database = Database::sqlite().await;
        let store = &database.store;
        let running = Running::start(&world, store).await;
        let asked = [ask(&world, store, "A").await, ask(&world, store, "B").await];
        let mut accounts = Vec::new();
        for account in asked {
            accounts.push(governed(store, &account).await);
        }
        in_sync(store, TargetId::Organization).await;
        management_governed(store).await;
        Scene {
            world,
            running,
            accounts: accounts.try_into().expect("two"),
            database,
        }
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    fn number(&self, index: usize) -> String {
        let account = &self.accounts[index];
        account.account_id.clone().expect("it is governed").into()
    }

    /// Stops an account's recorder behind Landfall's back.
    fn stop_recorder(&self, index: usize, region: &str) {
        self.world.tamper(&json!({
            "service": "config", "action": "stop_recorder", "account": self.number(index), "region": region,
        }));
    }

    fn suspend_detector(&self, index: usize, region: &str) {
        self.world.tamper(&json!({
            "service": "guardduty", "action": "suspend_detector", "account": self.number(index), "region": region,
        }));
    }

    /// Asks for a plan over everything, and waits for it.
    async fn plan(&self) -> Plan {
        let mut targets = vec![TargetId::Organization];
        targets.extend(self.accounts.iter().map(Account::target));
        self.plan_of(&targets, &PlanScope::default()).await
    }

    async fn plan_of(&self, targets: &[TargetId], scope: &PlanScope) -> Plan {
        let new = NewPlan {
            id: Uuid::now_v7(),
            scope,
            targets,
            made_by: "ann",
        };
        let now = jiff::Timestamp::now();
        self.store().add_plan(&new, now).await.expect("it is taken");
        self.when_not(new.id, PlanState::Planning).await
    }

    async fn apply(&self, plan: &Plan) -> Plan {
        assert!(self.ask_to_apply(plan).await);
        self.when_not(plan.id, PlanState::Applying).await
    }

    async fn ask_to_apply(&self, plan: &Plan) -> bool {
        let now = jiff::Timestamp::now();
        let asked = self.store().apply_plan(plan.id, "bob", now).await;
        asked.expect("the store answers")
    }

    async fn when_not(&self, id: Uuid, state: PlanState) -> Plan {
        soon(async || {
            let plan = self.store().plan(id).await.expect("the store answers");
            plan.filter(|plan| plan.state() != state)
        })
        .await
        .unwrap_or_else(|| panic!("the plan is {} for ever", state.name()))
    }

    async fn cells(&self, plan: &Plan) -> Vec<PlanCell> {
        let cells = self.store().plan_cells(plan.id, &[], None, 500).await;
        cells.expect("the store answers").items
    }

    /// Which cells a plan would change, and how.
    async fn changes(&self, plan: &Plan) -> BTreeMap<(TargetId, String), Vec<String>> {
        let changes = self.cells(plan).await.into_iter().map(|cell| {
            assert_eq!(cell.error, None);
            let sentences = cell.changes.into_iter().map(|change| change.sentence);
            ((cell.target, cell.key.to_string()), sentences.collect())
        });
        changes.collect()
    }

    async fn stage(&self, plan: &Plan, index: usize) -> (TargetStage, Option<String>) {
        let targets = self.store().plan_targets(plan.id, None, 500).await;
        let of = self.accounts[index].target();
        let target = targets.expect("the store answers").items.into_iter();
        let target = target.into_iter().find(|target| target.target == of);
        let target = target.expect("the account is in the plan");
        (target.stage, target.reason)
    }
}

/// Waits until every cell of a target is in sync and nobody works on it.
pub(super) async fn in_sync(store: &Store, id: TargetId) {
    let seen = soon(async || {
        let cells = store.cells(id).await.expect("the store answers");
        let target = store.target(id).await.expect("the store answers")?;
        let all = cells.iter().all(|cell| cell.status() == CellStatus::InSync);
        (all && !cells.is_empty() && target.leased_by.is_none()).then_some(())
    });
    if seen.await.is_none() {
        panic!("never in sync:\n{}", state_of(store).await);
    }
}

/// How many more calls there were of each mutating operation.
fn since(world: &World, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let now = world.mutating_calls().into_iter();
    now.map(|(operation, calls)| {
        let more = calls - before.get(&operation).copied().unwrap_or_default();
        (operation, more)
    })
    .filter(|(_, more)| *more > 0)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_just_what_differs_and_applying_it_changes_just_that() {
    let scene = Scene::new().await;
    let calls = scene.world.mutating_calls();
    let [a, b] = [scene.accounts[0].target(), scene.accounts[1].target()];

    let none = scene.plan().await;
    assert_eq!(none.state(), PlanState::Planned);
    assert_eq!(scene.changes(&none).await, BTreeMap::new());
    let cells = none.counts.cells_in_sync;
    assert!(cells > 30, "{:?}", none.counts);

    scene.stop_recorder(0, "eu-west-1");
    scene.suspend_detector(1, "us-east-1");
    let plan = scene.plan().await;
    let changes = scene.changes(&plan).await;
    let differing: BTreeSet<(TargetId, &str)> = changes
        .keys()
        .map(|(target, key)| (*target, key.as_str()))
        .collect();
    assert!(
        differing.contains(&(a, "config.recorder in eu-west-1")),
        "{changes:?}"
    );
    assert!(
        differing.contains(&(b, "guardduty.detector in us-east-1")),
        "{changes:?}"
    );
    let recorder = &changes[&(a, "config.recorder in eu-west-1".to_owned())];
    assert_eq!(recorder, &["start the recorder default"]);
    assert!(
        differing.iter().all(|(target, key)| match *target == a {
            true => key.ends_with("in eu-west-1"),
            false => *target == b && key.ends_with("in us-east-1"),
        }),
        "nothing else differs: {changes:?}"
    );
    assert_eq!(plan.counts.cells_in_sync + differing.len() as u64, cells);
    assert_eq!(
        since(&scene.world, &calls),
        BTreeMap::new(),
        "looking changes nothing"
    );

    // The same again, in one Region and for one control.
    let scope = PlanScope {
        regions: BTreeSet::from(["eu-west-1".parse().unwrap()]),
        controls: BTreeSet::from(["config.recorder".parse().unwrap()]),
        ..PlanScope::default()
    };
    let small = scene.plan_of(&[a, b], &scope).await;
    assert_eq!(scene.changes(&small).await.len(), 1);
    assert_eq!(
        small.counts.cells_in_sync, 1,
        "the other account's recorder"
    );

    // A restart between plan and apply loses nothing.
    let Scene { running, .. } = scene;
    running.stop().await;
    let scene = Scene {
        running: Running::start(&scene.world, &scene.database.store).await,
        ..scene
    };
    let store = &scene.database.store;
    let applied = scene.apply(&plan).await;
    assert_eq!(
        applied.state(),
        PlanState::Applied,
        "{:?}",
        scene.cells(&plan).await
    );
    for cell in scene.cells(&plan).await {
        assert_eq!(cell.outcome, Some(CellOutcome::Applied), "{}", cell.key);
    }
    let did = since(&scene.world, &calls);
    let expected = BTreeMap::from([
        ("config:StartConfigurationRecorder".to_owned(), 1),
        ("guardduty:StartMonitoringMembers".to_owned(), 1),
    ]);
    assert_eq!(did, expected);
    for target in [a, b] {
        in_sync(store, target).await;
    }
    for cell in store.cells(a).await.unwrap() {
        let is_repaired = cell.key.to_string() == "config.recorder in eu-west-1";
        let repairs = cell.repairs.in_a_row;
        assert_eq!(
            repairs,
            u32::from(is_repaired),
            "{}: a plan's repair counts",
            cell.key
        );
    }
    let events = store.events(a, 0, 1_000).await.unwrap();
    let change = events
        .iter()
        .rev()
        .find(|event| event.kind == EventKind::ChangeApplied);
    let change = change.expect("history has it");
    assert_eq!(
        (change.actor.as_str(), &change.detail["plan"]),
        ("bob", &json!(plan.id))
    );

    // Once more: nothing to do, and the old plan is not applied twice.
    let calls = scene.world.mutating_calls();
    assert!(!scene.ask_to_apply(&plan).await);
    let again = scene.plan().await;
    assert_eq!(
        (again.counts.changes, again.counts.cells_in_sync),
        (0, cells)
    );
    // The small one planned what is done by now.
    let refused = scene.apply(&small).await;
    assert_eq!(refused.state(), PlanState::Refused);
    assert_eq!(since(&scene.world, &calls), BTreeMap::new());
    scene.running.stop().await;
    scene.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_something_moved_nothing_is_changed() {
    let scene = Scene::new().await;
    let store = scene.store();
    for index in [0, 1] {
        scene.stop_recorder(index, "us-east-1");
        scene.stop_recorder(index, "eu-west-1");
    }
    let plan = scene.plan().await;
    assert_eq!(
        scene.changes(&plan).await.len(),
        4,
        "{:?}",
        scene.changes(&plan).await
    );
    // One of the first account's two cells moves: the changes would be the same for the other.
    scene.world.tamper(&json!({
        "service": "config", "action": "edit_channel", "frequency": "One_Hour",
        "account": scene.number(0), "region": "us-east-1",
    }));
    let calls = scene.world.mutating_calls();
    let applied = scene.apply(&plan).await;
    assert_eq!(applied.state(), PlanState::Refused);
    let (stage, reason) = scene.stage(&plan, 0).await;
    assert_eq!(stage, TargetStage::Refused);
    assert!(reason.unwrap().starts_with("1 of 2 cells"));
    assert_eq!(scene.stage(&plan, 1).await.0, TargetStage::Applied);
    let did = since(&scene.world, &calls);
    let expected = BTreeMap::from([("config:StartConfigurationRecorder".to_owned(), 2)]);
    assert_eq!(did, expected, "only on the other account");
    let moved: Vec<PlanCell> = scene
        .cells(&plan)
        .await
        .into_iter()
        .filter(|cell| matches!(cell.outcome, Some(CellOutcome::Moved { .. })))
        .collect();
    assert_eq!(moved.len(), 1);
    let Some(CellOutcome::Moved { what, now }) = &moved[0].outcome else {
        unreachable!("it was filtered")
    };
    assert_eq!((*what, now.len()), (Moved::Changes, 2), "{now:?}");

    // A paused account is planned, and not changed.
    let target = scene.accounts[0].target();
    let now = jiff::Timestamp::now();
    assert!(
        store
            .pause(target, &pause("4711", "ann", now))
            .await
            .unwrap()
    );
    let plan = scene.plan_of(&[target], &PlanScope::default()).await;
    assert_eq!(plan.counts.cells_to_change, 2);
    assert_eq!(store.paused_in_plan(plan.id).await.unwrap().len(), 1);
    let calls = scene.world.mutating_calls();
    // Past the API, which refuses it: the account might be paused between the two.
    assert_eq!(scene.apply(&plan).await.state(), PlanState::Refused);
    assert_eq!(since(&scene.world, &calls), BTreeMap::new());
    scene.running.stop().await;
    scene.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_or_changed_is_said_and_delays_nobody() {
    let scene = Scene::new().await;
    let refuse = |operation: &str, index: usize| Fault {
        service: "config".to_owned(),
        operation: Some(operation.to_owned()),
        account: Some(scene.number(index)),
        region: Some("eu-west-1".to_owned()),
        count: None,
        skip: 0,
        probability: None,
        kind: Kind::AccessDenied,
    };
    let faults = || scene.world.sim.shared();
    for index in [0, 1] {
        scene.stop_recorder(index, "eu-west-1");
    }
    faults()
        .faults()
        .plan(refuse("DescribeConfigurationRecorders", 0));
    let plan = scene.plan().await;
    assert_eq!(plan.state(), PlanState::Planned);
    assert_eq!((plan.counts.cells_to_change, plan.counts.changes), (1, 1));
    assert!(plan.counts.cells_unseen >= 1, "{:?}", plan.counts);
    let unseen = scene.cells(&plan).await;
    let unseen = unseen
        .iter()
        .find(|cell| cell.error.is_some())
        .expect("one");
    assert_eq!(unseen.target, scene.accounts[0].target());
    assert_eq!(unseen.key.region.as_str(), "eu-west-1");

    // The only change fails: the plan says so, and it is not tried again.
    faults()
        .faults()
        .plan(refuse("StartConfigurationRecorder", 1));
    let failed = scene.apply(&plan).await;
    assert_eq!(failed.state(), PlanState::Failed);
    let (stage, reason) = scene.stage(&plan, 1).await;
    assert_eq!(stage, TargetStage::Failed);
    assert_eq!(
        reason.as_deref(),
        Some("1 of 1 cells were not changed as planned")
    );
    let cells = scene.cells(&plan).await;
    let tried = cells.iter().find(|cell| cell.error.is_none()).expect("one");
    match &tried.outcome {
        Some(CellOutcome::Failed { error }) => {
            assert_eq!(error.operation, "config:StartConfigurationRecorder");
        }
        other => panic!("{other:?}"),
    }
    scene.running.stop().await;
}
