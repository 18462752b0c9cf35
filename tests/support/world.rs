//! A simulated AWS and the way to it, for tests that run controls or the engine in this process.

use crate::database::Database;
use awsim::faults::{Kind, Plan};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use awsim::world::Settings;
use awsim::{MANAGEMENT_ACCESS_KEY, Options, Sim};
use jiff::SignedDuration;
use landfall_controls::cloud::{Access, Cloud};
use landfall_controls::queue::QueueAddress;
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::closure::ClosurePace;
use landfall_model::creation::CreationPace;
use landfall_model::ids::{AccountId, TargetId};
use landfall_model::landing_zone::LandingZone;
use landfall_model::request::RequestForm;
use landfall_server::catalogue::Catalogue;
use landfall_server::engine::clock::{Clock, SystemClock};
use landfall_server::engine::{Engine, Settings as EngineSettings};
use landfall_server::store::{Account, AccountFilter, Added, NewRequest, Purpose, Store};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The landing zone of the documentation.
pub const LANDING_ZONE: &str = include_str!("../../deploy/landing-zone.toml");

/// The landing zone of the documentation, but governing fewer Regions: for what does not depend on how many.
pub fn landing_zone_in(regions: &[&str]) -> String {
    let (before, rest) = LANDING_ZONE
        .split_once("governed_regions = [")
        .expect("the landing zone governs Regions");
    let (_, after) = rest.split_once(']').expect("the list has an end");
    format!("{before}governed_regions = {regions:?}{after}")
}

/// A simulated AWS with a bare organization, and what Landfall knows at start.
pub struct World {
    pub sim: Sim,
    pub zone: Arc<LandingZone>,
    pub catalogue: Catalogue,
    pub cloud: Cloud,
}

/// Simulated waits are shortened by this: what takes AWS a minute takes a test some milliseconds.
pub const TIME_SCALE: u32 = 600;

impl World {
    /// With the landing zone of the documentation.
    pub async fn new() -> Self {
        World::with(LANDING_ZONE).await
    }

    /// With a landing zone of the test's own.
    pub async fn with(landing_zone: &str) -> Self {
        let settings = Settings {
            seed: 1,
            create_account: SignedDuration::from_secs(10),
            time_scale: TIME_SCALE,
        };
        let sim = Sim::start(Options {
            settings,
            ..Options::default()
        })
        .expect("awsim starts");
        let zone = LandingZone::parse("landing-zone.toml", landing_zone)
            .expect("the landing zone is right");
        let catalogue = Catalogue::load(&zone, None, None)
            .expect("the embedded baselines and policies are right");
        let cloud = open(&sim, &zone).await;
        World {
            sim,
            zone: Arc::new(zone),
            catalogue,
            cloud,
        }
    }

    /// The same AWS seen by a process that was just started.
    pub async fn fresh_cloud(&self) -> Cloud {
        open(&self.sim, &self.zone).await
    }

    /// Calls so far that may have changed something, by `service:Operation`; assuming roles does not count.
    pub fn mutating_calls(&self) -> BTreeMap<String, u64> {
        let calls = self.sim.shared().calls();
        let mut by_operation = BTreeMap::new();
        for (kind, count) in calls.counts() {
            let read = ["Get", "List", "Describe", "Head", "AssumeRole", "Lookup"]
                .iter()
                .any(|verb| kind.operation.starts_with(verb));
            if !read {
                *by_operation
                    .entry(format!("{}:{}", kind.service, kind.operation))
                    .or_default() += count;
            }
        }
        by_operation
    }

    /// How often each operation of a service was called, by its name or by what its IAM actions begin with.
    pub fn calls_of(&self, service: &str) -> BTreeMap<String, u64> {
        let mut by_operation = BTreeMap::new();
        for (kind, count) in self.sim.shared().calls().counts() {
            if kind.service == service || awsim::services::prefix(kind.service) == service {
                *by_operation.entry(kind.operation.to_owned()).or_default() += count;
            }
        }
        by_operation
    }

    /// Disturbs the simulated AWS behind Landfall's back: see `/_awsim/tamper`. What it answers is the action's.
    pub fn tamper(&self, request: &serde_json::Value) -> serde_json::Value {
        let shared = self.sim.shared();
        let now = shared.clock.now();
        awsim::services::tamper(&mut shared.world(), request, now)
            .unwrap_or_else(|error| panic!("tamper {request}: {error}"))
    }

    /// The call by which a person would tamper so, as CloudTrail tells of it: the service and the call's name.
    pub fn call_behind(&self, request: &serde_json::Value) -> Option<(&'static str, String)> {
        let shared = self.sim.shared();
        let now = shared.clock.now();
        let deed = awsim::services::cloudtrail::deed(&shared.world(), request, now)?;
        Some((deed.source(), deed.event_name()))
    }

    /// What must hold after every test: awsim built all that was asked of it, and made no mistake of its own.
    pub fn assert_sound(&self) {
        let calls = self.sim.shared().calls();
        assert!(
            calls.unbuilt().is_empty(),
            "operations that awsim has not built: {:?}",
            calls.unbuilt()
        );
        assert!(
            calls.mistakes().is_empty(),
            "answers of awsim that do not fit the model: {:?}",
            calls.mistakes()
        );
    }
}

/// The way to a simulated AWS whose time is shortened.
async fn open(sim: &Sim, zone: &LandingZone) -> Cloud {
    let access = Access {
        endpoint_url: Some(sim.url()),
        credentials: Some((MANAGEMENT_ACCESS_KEY.to_owned(), "any".to_owned())),
    };
    let cloud = Cloud::open(zone, 128, access).await;
    cloud.limiter().hasten(sim.shared().traffic().time_scale);
    cloud
}

async fn engine(
    world: &World,
    store: &Store,
    clock: Arc<dyn Clock>,
    settings: EngineSettings,
) -> Engine {
    Engine::new(
        store.clone(),
        world.fresh_cloud().await,
        world.zone.clone(),
        Arc::new(world.catalogue.baselines.clone()),
        Arc::new(world.catalogue.scps.clone()),
        clock,
        EngineSettings {
            closure_pace: ClosurePace::AWS.hastened(TIME_SCALE),
            ..settings
        },
        Uuid::now_v7(),
    )
}

/// An engine at work on a world.
pub struct Running {
    pub store: Store,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Starts an engine on a store.
    pub async fn start(world: &World, store: &Store) -> Self {
        Running::start_by(world, store, Arc::new(SystemClock)).await
    }

    /// Starts an engine that takes the time from a clock of the test's own.
    pub async fn start_by(world: &World, store: &Store, clock: Arc<dyn Clock>) -> Self {
        Running::start_with(world, store, clock, EngineSettings::default()).await
    }

    /// Starts an engine that makes accounts faster than AWS lets anybody: for tests that need many.
    pub async fn start_hastened(world: &World, store: &Store, clock: Arc<dyn Clock>) -> Self {
        let settings = EngineSettings {
            pace: CreationPace::AWS.hastened(20),
            ..EngineSettings::default()
        };
        Running::start_with(world, store, clock, settings).await
    }

    /// Starts an engine with settings of the test's own.
    pub async fn start_with(
        world: &World,
        store: &Store,
        clock: Arc<dyn Clock>,
        settings: EngineSettings,
    ) -> Self {
        let engine = engine(world, store, clock, settings).await;
        Running::work(engine, store, CancellationToken::new())
    }

    /// Starts an engine that also listens for AWS's events.
    pub async fn start_listening(world: &World, store: &Store, queue: QueueAddress) -> Self {
        let shutdown = CancellationToken::new();
        let settings = EngineSettings::default();
        let engine = engine(world, store, Arc::new(SystemClock), settings).await;
        tokio::spawn(engine.clone().listen(queue, shutdown.clone()));
        Running::work(engine, store, shutdown)
    }

    fn work(engine: Engine, store: &Store, shutdown: CancellationToken) -> Self {
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { engine.run(stop).await.expect("the engine runs") });
        Running {
            store: store.clone(),
            shutdown,
            task,
        }
    }

    /// Lets the passes in flight end.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the engine does not panic");
    }

    /// Ends it where it stands, like a crash.
    pub async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A request that keeps every rule.
pub fn form(name: &str) -> RequestForm {
    RequestForm {
        name: name.to_owned(),
        owner_email: "owner@example.com".to_owned(),
        organizational_unit: "Applications/Production".to_owned(),
        cost_center: "4711".to_owned(),
        environment: "production".to_owned(),
        justification: "a test".to_owned(),
        email: None,
        tags: BTreeMap::new(),
    }
}

/// Asks for an account, as the API does.
pub async fn ask(world: &World, store: &Store, name: &str) -> Account {
    ask_in(world, store, name, "Applications/Production").await
}

/// Asks for an account in an OU.
pub async fn ask_in(world: &World, store: &Store, name: &str, unit: &str) -> Account {
    let id = Uuid::now_v7();
    let form = RequestForm {
        organizational_unit: unit.to_owned(),
        ..form(name)
    };
    let request = form.check(&world.zone).expect("the form is right");
    let short = id.simple().to_string();
    let email = world
        .zone
        .generated_email(&short[short.len() - 12..])
        .expect("the template makes an e-mail");
    let new = NewRequest {
        id,
        request: &request,
        email,
        purpose: Purpose::Application,
        requested_by: "test",
        existing: None,
        idempotency: None,
    };
    match store
        .add_request(&new, jiff::Timestamp::now())
        .await
        .expect("the store takes it")
    {
        Added::New(account) => account,
        other => panic!("the request was not taken: {other:?}"),
    }
}

/// What the store knows of the targets that are not in order: for the message of a test that failed.
pub async fn state_of(store: &Store) -> String {
    let mut text = String::new();
    let accounts = store
        .accounts(&AccountFilter::default(), None, 100)
        .await
        .expect("accounts")
        .items;
    let targets = accounts.iter().map(|account| {
        (
            account.target(),
            format!("{} ({})", account.request.name, account.phase.name()),
        )
    });
    for (id, name) in targets.chain([(TargetId::Organization, "the organization".to_owned())]) {
        let target = store.target(id).await.expect("the target can be read");
        text += &format!(
            "{name}: {:?}\n",
            target.and_then(|target| target.last_error)
        );
        for cell in store.cells(id).await.expect("cells") {
            if cell.status() != CellStatus::InSync {
                text += &format!(
                    "  {} {:?} {:?} {:?}\n",
                    cell.key,
                    cell.status(),
                    cell.drift,
                    cell.error
                );
            }
        }
    }
    text
}

/// A world in which two Regions are governed, and an empty database: most stories do not depend on how many there are.
pub async fn in_two_regions() -> (World, Database) {
    let world = World::with(&landing_zone_in(&["us-east-1", "eu-west-1"])).await;
    (world, Database::sqlite().await)
}

/// Waits until every cell of the organization is in sync.
pub async fn organization_in_sync(store: &Store) {
    eventually("the organization in sync", async || {
        let cells = store.cells(TargetId::Organization).await.expect("cells");
        (!cells.is_empty() && cells.iter().all(|cell| cell.status() == CellStatus::InSync))
            .then_some(())
    })
    .await;
}

/// An account as the store knows it now.
pub async fn now(store: &Store, account: &Account) -> Account {
    let account = store.account(account.id).await.expect("the store answers");
    account.expect("it is there")
}

/// Waits until an account is in a phase.
pub async fn in_phase(store: &Store, account: &Account, phase: Phase) -> Account {
    let reached = soon(async || {
        let account = store
            .account(account.id)
            .await
            .expect("the store answers")
            .expect("it is there");
        assert!(
            account.phase == phase || !account.phase.is_final(),
            "{:?}: {:?}",
            account.phase,
            account.failure
        );
        (account.phase == phase).then_some(account)
    });
    match reached.await {
        Some(account) => account,
        None => panic!(
            "{} never gets {}:\n{}",
            account.request.name,
            phase.name(),
            state_of(store).await
        ),
    }
}

/// What AWS says of an account: its state, and the path of its OU.
pub fn in_aws(world: &World, number: &AccountId) -> (String, String) {
    let report = awsim::services::organizations::accounts_report(&world.sim.shared().world());
    let row = report
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["id"] == number.as_str())
        .unwrap_or_else(|| panic!("no account {number}"));
    let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
    (text("state"), text("path"))
}

/// A fault that befalls every call of an operation, or of a whole service.
pub fn every(service: &str, operation: Option<&str>, kind: Kind) -> Plan {
    Plan {
        service: service.to_owned(),
        operation: operation.map(str::to_owned),
        account: None,
        region: None,
        count: None,
        skip: 0,
        probability: None,
        kind,
    }
}

/// Waits until an account is governed.
pub async fn governed(store: &Store, account: &Account) -> Account {
    let governed = soon(async || {
        let account = store
            .account(account.id)
            .await
            .expect("the store answers")?;
        assert!(!account.phase.is_final(), "{:?}", account.failure);
        (account.phase == Phase::Governed).then_some(account)
    });
    match governed.await {
        Some(account) => account,
        None => panic!(
            "{} was never governed:\n{}",
            account.request.name,
            state_of(store).await
        ),
    }
}

/// Waits until the management account is governed.
pub async fn management_governed(store: &Store) -> Account {
    let governed = soon(async || {
        let account = store.account_by_purpose(Purpose::Management).await;
        let account = account.expect("the store answers")?;
        (account.phase == Phase::Governed).then_some(account)
    });
    match governed.await {
        Some(account) => account,
        None => panic!(
            "the management account was never governed:\n{}",
            state_of(store).await
        ),
    }
}

/// Every member that AWS has is one that the store knows: none was made twice.
pub async fn no_stranger(world: &World, store: &Store) {
    let known = store
        .accounts(&AccountFilter::default(), None, 500)
        .await
        .expect("the store answers")
        .items;
    let made = known
        .iter()
        .filter(|account| account.purpose != Purpose::Management);
    let in_aws = world.sim.shared().world().organizations.accounts();
    assert_eq!(in_aws.len(), made.count() + 1, "and the management account");
}

/// Looks again and again until something holds: level-triggered, with a long bound.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    soon(look)
        .await
        .unwrap_or_else(|| panic!("never seen: {what}"))
}

/// The same, for who has more to say when it never holds.
pub async fn soon<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(480);
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if tokio::time::Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
