//! What is done about drift: it waits for a person where the baseline says so, it is repaired on demand, a fight is slowed
//! down, and what is accepted is left alone for as long as it is accepted.

use std::sync::Arc;

use awsim::faults::{Kind, Plan};
use jiff::SignedDuration;
use landfall_model::cell::{Cell, CellStatus};
use landfall_model::consent::{Consent, Decision, Objection};
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::repair::{CONTESTED_AFTER, PEACE};
use landfall_model::waiver::{Beneficiary, Waiver};
use landfall_server::catalogue::Catalogue;
use landfall_server::engine::Settings;
use landfall_server::engine::clock::Clock;
use landfall_server::store::{Account, AskedRepair, DriftFilter, RepairScope, Settled, Store};
use landfall_tests::clock::Forward;
use landfall_tests::database::{Database, pause};
use landfall_tests::process::Serve;
use landfall_tests::world::{Running, World, ask, eventually, governed, landing_zone_in};
use serde_json::json;
use uuid::Uuid;

pub(super) const REGION: &str = "eu-west-1";
pub(super) const CONTROL: &str = "guardduty.detector";

/// How often cells are looked at here: so seldom that nothing happens by itself in a test, but for the clock.
pub(super) const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A governed account in two Regions, and somebody who suspends its detector in one of them.
pub(super) struct Scene {
    pub(super) world: World,
    database: Database,
    pub(super) clock: Arc<Forward>,
    pub(super) running: Running,
    pub(super) account: Account,
}

impl Scene {
    pub(super) async fn set(world: World) -> Self {
        let database = Database::sqlite().await;
        let clock = Arc::new(Forward::default());
        let running = start(&world, &database.store, &clock).await;
        let account = ask(&world, &database.store, "Payments").await;
        let account = governed(&database.store, &account).await;
        Scene {
            world,
            database,
            clock,
            running,
            account,
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.database.store
    }

    async fn restart(self) -> Self {
        self.running.stop().await;
        let running = start(&self.world, &self.database.store, &self.clock).await;
        Scene { running, ..self }
    }

    fn tamper(&self) {
        self.tamper_in(REGION);
    }

    pub(super) fn tamper_in(&self, region: &str) {
        let number = self.account.account_id.clone().expect("it is governed");
        self.world.tamper(&json!({
            "service": "guardduty", "action": "suspend_detector", "account": number, "region": region,
        }));
    }

    pub(super) async fn cell(&self) -> Cell {
        let cells = self.store().cells(self.account.target()).await;
        cells
            .expect("the store answers")
            .into_iter()
            .find(|cell| cell.key.region.as_str() == REGION && cell.key.control.as_str() == CONTROL)
            .expect("the baseline wants it")
    }

    /// Lets time pass and waits for a look at the cell after it.
    pub(super) async fn later(&self, by: SignedDuration) -> Cell {
        self.clock.forward(by);
        let now = self.clock.now();
        let woken = self.store().wake(self.account.target(), now).await;
        woken.expect("the store answers");
        eventually("a look at the cell", async || {
            let cell = self.cell().await;
            let looked = cell.known && cell.observed_at.is_some_and(|at| at >= now);
            (looked && !matches!(cell.status(), CellStatus::Converging)).then_some(cell)
        })
        .await
    }

    async fn in_sync(&self, what: &str) -> Cell {
        eventually(what, async || {
            let cell = self.cell().await;
            (cell.status() == CellStatus::InSync).then_some(cell)
        })
        .await
    }

    async fn drift(&self, waived: bool) -> usize {
        let filter = DriftFilter {
            target: Some(self.account.target()),
            waived,
            ..DriftFilter::default()
        };
        let page = self.store().drifted_cells(&filter, None, 10).await;
        page.expect("the store answers").items.len()
    }

    async fn ask_repair(&self) -> AskedRepair {
        let scope = RepairScope {
            controls: vec![CONTROL.parse().expect("a control")],
            regions: Vec::new(),
        };
        let target = self.account.target();
        let asked = self
            .store()
            .ask_repair(target, &scope, "alice", self.clock.now())
            .await;
        asked.expect("the store answers")
    }

    pub(super) async fn decide(
        &self,
        waiver: &Waiver,
        decision: Decision,
        by: &str,
    ) -> Settled<Waiver> {
        let now = self.clock.now();
        let decided = self
            .store()
            .decide_waiver(waiver.id, decision, by, "", now)
            .await;
        decided.expect("the store answers")
    }

    /// A waiver for everybody below `Applications`, proposed by alice.
    pub(super) async fn propose(&self, control: &str, lasts: SignedDuration) -> Waiver {
        let now = self.clock.now();
        let waiver = Waiver {
            id: Uuid::now_v7(),
            beneficiary: Beneficiary::Subtree("Applications".parse().expect("an OU")),
            region: Some(REGION.parse().expect("a Region")),
            control: control.parse().expect("a control"),
            reason: "a test".to_owned(),
            owner_email: "owner@example.com".parse().expect("an e-mail"),
            consent: Consent::asked("alice", now, now + lasts),
        };
        let proposed = self.store().propose_waiver(&waiver).await;
        proposed.expect("the store takes it");
        waiver
    }
}

async fn start(world: &World, store: &Store, clock: &Arc<Forward>) -> Running {
    let settings = Settings {
        look_every: LOOK_EVERY,
        ..Settings::default()
    };
    Running::start_with(world, store, clock.clone(), settings).await
}

pub(super) async fn in_two_regions() -> World {
    World::with(&landing_zone_in(&["us-east-1", REGION])).await
}

/// A world whose baseline asks before it repairs the detector.
pub(super) async fn that_asks() -> World {
    let mut world = in_two_regions().await;
    let directory = tempfile::tempdir().expect("a directory");
    let baselines = "../baselines";
    for file in std::fs::read_dir(baselines).expect("the baselines") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).expect("text");
            let id = format!("id = \"{CONTROL}\"");
            let text = text.replace(&id, &format!("{id}\nrepair = \"ask\""));
            let name = path.file_name().expect("it has one");
            std::fs::write(directory.path().join(name), text).expect("it can be written");
        }
    }
    let catalogue = Catalogue::load(&world.zone, Some(directory.path()), None);
    world.catalogue = catalogue.expect("the baselines are right");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_that_asks_is_put_on_by_vending_and_repaired_when_somebody_wants_it() {
    let scene = Scene::set(that_asks().await).await;
    assert_eq!(
        scene.cell().await.status(),
        CellStatus::InSync,
        "a new account gets what it never had"
    );
    scene.tamper();
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Drifted, "{cell:?}");
    assert!(!cell.drift.is_empty() && cell.desired.is_some() && cell.drifted_since.is_some());
    let scene = scene.restart().await;
    let again = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(again.status(), CellStatus::Drifted, "nobody has asked");
    assert_eq!(again.drifted_since, cell.drifted_since);
    assert_eq!(scene.drift(false).await, 1);

    let asked = scene.ask_repair().await;
    assert_eq!((asked.cells, asked.waived), (2, 0), "in both Regions");
    let cell = scene.in_sync("repaired on demand").await;
    assert_eq!((cell.repair_asked_at, cell.desired), (None, None));
    assert_eq!(scene.drift(false).await, 0);
    let events = scene.store().events(scene.account.target(), 0, 500).await;
    let events = events.expect("the store answers");
    let wish = events
        .iter()
        .find(|event| event.kind == EventKind::RepairRequested)
        .expect("the history has it");
    assert_eq!(wish.actor, "alice");
    assert!(wish.sentence.contains(CONTROL), "{}", wish.sentence);
    // The wish was for that once.
    scene.tamper();
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Drifted);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fight_is_slowed_down_and_forgotten_after_peace() {
    let mut scene = Scene::set(in_two_regions().await).await;
    for repairs in 1..=CONTESTED_AFTER {
        scene.tamper();
        scene.later(LOOK_EVERY * 2).await;
        let cell = scene.in_sync("repaired by itself").await;
        assert_eq!(cell.repairs.in_a_row, repairs);
    }
    scene.tamper();
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Contested, "{cell:?}");
    scene = scene.restart().await;
    let cell = scene.later(LOOK_EVERY).await;
    assert_eq!(
        cell.status(),
        CellStatus::Contested,
        "the pause is not over"
    );
    scene.later(SignedDuration::from_mins(5)).await;
    let cell = scene.in_sync("repaired after the pause").await;
    assert_eq!(cell.repairs.in_a_row, CONTESTED_AFTER + 1);

    scene.tamper();
    let cell = scene.later(SignedDuration::from_mins(6)).await;
    assert_eq!(
        cell.status(),
        CellStatus::Contested,
        "the next pause is longer"
    );
    scene.ask_repair().await;
    scene.in_sync("a person need not wait").await;

    let cell = scene.later(PEACE).await;
    assert_eq!(cell.repairs.in_a_row, 0, "it stayed in sync");
    scene.tamper();
    scene.later(LOOK_EVERY * 2).await;
    let cell = scene.in_sync("repaired at once again").await;
    assert_eq!(cell.repairs.in_a_row, 1);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_left_alone_until_its_time_is_over() {
    let scene = Scene::set(in_two_regions().await).await;
    let waiver = scene.propose(CONTROL, SignedDuration::from_hours(48)).await;
    assert_eq!(
        scene.decide(&waiver, Decision::Approve, "alice").await,
        Settled::Refused(Objection::Own)
    );
    let approved = scene.decide(&waiver, Decision::Approve, "bob").await;
    assert!(matches!(approved, Settled::Done(_)), "{approved:?}");
    eventually("the cell knows its waiver", async || {
        let cell = scene.cell().await;
        (cell.waiver.map(|of| of.id) == Some(waiver.id)).then_some(())
    })
    .await;
    assert_eq!(scene.cell().await.status(), CellStatus::InSync);
    scene.tamper();
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Waived, "{cell:?}");
    assert!(!cell.drift.is_empty());
    assert_eq!((scene.drift(false).await, scene.drift(true).await), (0, 1));
    let asked = scene.ask_repair().await;
    assert_eq!(
        (asked.cells, asked.waived),
        (1, 1),
        "the other Region has no waiver"
    );
    let scene = scene.restart().await;
    let cell = scene.later(SignedDuration::from_hours(47)).await;
    assert_eq!(cell.status(), CellStatus::Waived);
    assert!(cell.due_at <= waiver.consent.expires_at);
    // Nobody wakes anything: it is due by itself.
    scene.clock.forward(SignedDuration::from_hours(1));
    let cell = scene.in_sync("repaired when the waiver had expired").await;
    assert_eq!(cell.waiver, None);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_waiver_ends_at_once() {
    let scene = Scene::set(in_two_regions().await).await;
    let waiver = scene.propose(CONTROL, SignedDuration::from_hours(48)).await;
    scene.decide(&waiver, Decision::Approve, "bob").await;
    scene.tamper();
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Waived, "{cell:?}");
    scene.decide(&waiver, Decision::Revoke, "alice").await;
    let cell = scene.in_sync("repaired after the revocation").await;
    assert_eq!(cell.waiver, None);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vending_does_not_wait_for_what_is_accepted() {
    let scene = Scene::set(in_two_regions().await).await;
    // Nobody but Landfall makes one, unlike a detector, which may come with the organization's settings.
    let control = "accessanalyzer.analyzer";
    let waiver = scene.propose(control, SignedDuration::from_hours(48)).await;
    scene.decide(&waiver, Decision::Approve, "bob").await;
    scene.world.sim.shared().faults().plan(Plan {
        service: "access-analyzer".to_owned(),
        operation: Some("CreateAnalyzer".to_owned()),
        account: None,
        region: Some(REGION.to_owned()),
        count: None,
        skip: 0,
        probability: None,
        kind: Kind::AccessDenied,
    });
    let account = ask(&scene.world, scene.store(), "Ledger").await;
    governed(scene.store(), &account).await;
    let cells = scene.store().cells(account.target()).await;
    let statuses: Vec<CellStatus> = cells
        .expect("the store answers")
        .iter()
        .filter(|cell| cell.key.region.as_str() == REGION && cell.key.control.as_str() == control)
        .map(Cell::status)
        .collect();
    assert_eq!(statuses, [CellStatus::Waived]);
    scene.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_say_what_differs_and_end_accordingly() {
    let scene = Scene::set(that_asks().await).await;
    scene.tamper();
    let cell = scene.later(LOOK_EVERY * 2).await;
    assert_eq!(cell.status(), CellStatus::Drifted, "{cell:?}");
    // The server has an engine of its own, whose baseline does not ask.
    let now = scene.clock.now();
    for target in [scene.account.target(), TargetId::Organization] {
        let paused = scene
            .store()
            .pause(target, &pause("a test", "test", now))
            .await;
        assert!(paused.expect("the store answers"));
    }
    let Scene {
        world,
        database,
        running,
        account,
        ..
    } = scene;
    running.stop().await;
    let serve = Serve::new(&world.sim, database.url());
    let mut process = serve.start();
    let server = process.ready().await;
    let number = account.account_id.expect("it is governed").to_string();
    let client = async |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (status, said, wrong) = serve.client(server, &arguments).await;
        (status, said + &wrong)
    };
    for (line, status, words) in [
        ("drift", 2, CONTROL),
        ("drift --json", 2, "\"expected\""),
        ("drift --region us-east-1", 0, "Nothing differs."),
        ("drift --status nonsense", 1, "is one of"),
        ("drift --regoin us-east-1", 1, "--region"),
        ("waiver list", 0, "There are no such waivers."),
        (
            "waiver propose --ou Applications --and-below --control guardduty.detector --reason vendor --owner a@example.com --days 30",
            0,
            "proposed",
        ),
        (
            "waiver propose --ou Applications --control guardduty.detector --reason vendor --owner a@example.com",
            1,
            "--days",
        ),
        (
            "waiver list --control guardduty.detector",
            0,
            "Applications and below",
        ),
    ] {
        let (ended, said) = client(line).await;
        assert_eq!(ended, status, "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    }
    let (status, waivers) = client("waiver list --json").await;
    let waivers: serde_json::Value = serde_json::from_str(&waivers).expect("JSON");
    let id = waivers[0]["id"].as_str().expect("it has one");
    assert_eq!(status, 0);
    let (status, said) = client(&format!("waiver approve {id}")).await;
    assert_eq!(status, 1, "it is the same token's: {said}");
    assert!(said.contains("somebody else has to approve"), "{said}");
    let (status, said) = client(&format!("waiver revoke {id}")).await;
    assert!(status == 0 && said.contains("revoked"), "{said}");
    let (status, said) = client(&format!("account repair {number} --control {CONTROL}")).await;
    assert!(status == 0 && said.contains("2 cells"), "{said}");
    let (status, said) = client(&format!("account repair {number} --control x.y")).await;
    assert!(status == 1 && said.contains("is not one of"), "{said}");
    process.stop().await;
}
