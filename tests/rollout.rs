//! A new baseline reaches accounts in waves; a broken one does not get far; what was rolled out comes back.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_model::cell::CellStatus;
use landfall_model::creation::CreationPace;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::rollout::{Pin, RolloutDecision, RolloutState};
use landfall_server::catalogue::Catalogue;
use landfall_server::engine::Settings;
use landfall_server::engine::clock::SystemClock;
use landfall_server::store::{Account, Event, Rollout, RolloutDecided, Store};
use landfall_tests::database::Database;
use landfall_tests::rollouts;
use landfall_tests::world::{
    Running, TIME_SCALE, World, ask_in, eventually, governed, landing_zone_in, management_governed,
};
use tempfile::TempDir;

/// What every account inherits from `foundation`, as it is.
const FEATURES: &str = "features = [\"S3_DATA_EVENTS\"]";
/// Another feature: every account has one more thing to do.
const MORE: &str = "features = [\"S3_DATA_EVENTS\", \"RUNTIME_MONITORING\"]";
/// One that GuardDuty does not have: every account gets blocked.
const BROKEN: &str = "features = [\"S3_DATA_EVENTS\", \"TELEPATHY\"]";

/// The baselines of the repository, with one thing changed in `foundation`.
fn edited(features: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory for baselines");
    let own = Path::new("../baselines");
    for entry in std::fs::read_dir(own).expect("the baselines are there") {
        let path = entry.expect("they can be listed").path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let mut text = std::fs::read_to_string(&path).expect("they can be read");
            // The organization's own baseline has the same line, and no waves.
            if path.ends_with("foundation.toml") {
                assert!(text.contains(FEATURES));
                text = text.replace(FEATURES, features);
            }
            let name = path.file_name().expect("a file has a name");
            std::fs::write(directory.path().join(name), text).expect("the directory is ours");
        }
    }
    directory
}

/// An organization with an account in the canary OU and some in another, all governed with the baselines as they are.
struct Story {
    world: World,
    database: Database,
    canary: Account,
    others: Vec<Account>,
}

impl Story {
    async fn begin(automatic: bool, others: usize) -> Self {
        let zone = landing_zone_in(&["us-east-1", "eu-central-1"])
            .replace("automatic = true", &format!("automatic = {automatic}"));
        let world = World::with(&zone).await;
        let database = Database::sqlite().await;
        let store = &database.store;
        let running = start(&world, store).await;
        let canary = ask_in(&world, store, "Canary", "Applications/Sandbox").await;
        let mut accounts = Vec::new();
        for n in 0..others {
            let name = format!("Account {n}");
            accounts.push(ask_in(&world, store, &name, "Applications/Production").await);
        }
        let all = accounts.iter().chain([&canary]);
        for account in all {
            governed(store, account).await;
        }
        management_governed(store).await;
        running.stop().await;
        Story {
            world,
            database,
            canary,
            others: accounts,
        }
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    /// The next start has other files.
    fn edit(&mut self, features: &str) {
        let directory = edited(features);
        self.world.catalogue = Catalogue::load(&self.world.zone, Some(directory.path()), None)
            .expect("the baselines are well formed");
    }

    async fn start(&self) -> Running {
        start(&self.world, self.store()).await
    }

    async fn latest(&self) -> Rollout {
        rollouts::latest(self.store()).await
    }

    async fn reaches(&self, state: RolloutState) -> Rollout {
        rollouts::reaches(self.store(), state).await
    }

    async fn decide(&self, decision: RolloutDecision) {
        let id = self.latest().await.id;
        let now = Timestamp::now();
        let decided = self
            .store()
            .decide_rollout(id, decision, "test", "a test", now)
            .await
            .expect("the store answers");
        assert!(matches!(decided, RolloutDecided::Done(_)), "{decided:?}");
    }

    async fn pin(&self, account: &Account) -> Pin {
        let pins = self.store().pins(&[account.target()]).await;
        pins.expect("the store answers")[&account.target()].clone()
    }

    /// What the files say now of an account.
    fn said(&self, baseline: &str) -> Pin {
        let baselines = &self.world.catalogue.baselines;
        Pin::to(baselines.get(baseline).expect("it is there"))
    }

    async fn in_sync(&self, account: &Account) {
        let what = format!("{} in sync", account.request.name);
        eventually(&what, async || {
            let cells = self.store().cells(account.target()).await.expect("cells");
            cells
                .iter()
                .all(|cell| cell.status() == CellStatus::InSync)
                .then_some(())
        })
        .await;
    }

    async fn history(&self, target: TargetId) -> Vec<Event> {
        let events = self.store().events(target, 0, 10_000).await;
        events.expect("the store answers")
    }

    /// The place in history where an account was pinned last.
    async fn pinned_at(&self, account: &Account) -> i64 {
        let history = self.history(account.target()).await;
        let mut pinned = history.iter().rev();
        pinned
            .find(|event| event.kind == EventKind::Pinned)
            .expect("it was pinned")
            .seq
    }
}

async fn start(world: &World, store: &Store) -> Running {
    let settings = Settings {
        pace: CreationPace::AWS.hastened(TIME_SCALE),
        ..Settings::default()
    };
    Running::start_with(world, store, Arc::new(SystemClock), settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_baseline_waits_for_its_start_then_goes_by_waves_through_a_pause_and_a_crash() {
    let mut story = Story::begin(false, 3).await;
    let before = story.pin(&story.canary).await;
    assert_eq!(before, story.said("sandbox"));
    story.edit(MORE);
    let running = story.start().await;
    story.reaches(RolloutState::Proposed).await;
    assert_eq!(story.pin(&story.canary).await, before, "nobody started it");

    story.decide(RolloutDecision::Start).await;
    eventually("the canary is pinned", async || {
        (story.pin(&story.canary).await == story.said("sandbox")).then_some(())
    })
    .await;
    story.decide(RolloutDecision::Pause).await;
    running.crash().await;
    let running = story.start().await;
    story.in_sync(&story.canary).await;
    // Time for a step that must not be taken.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    for account in &story.others {
        assert_ne!(story.pin(account).await, story.said("production"));
    }

    story.decide(RolloutDecision::Resume).await;
    story.reaches(RolloutState::Done).await;
    let history = story.history(story.canary.target()).await;
    let canary_pinned = story.pinned_at(&story.canary).await;
    let changed = history
        .iter()
        .filter(|event| event.seq > canary_pinned && event.kind == EventKind::ChangeApplied)
        .collect::<Vec<_>>();
    assert!(!changed.is_empty(), "the canary got the feature");
    let sandbox = story.said("sandbox");
    assert!(
        changed
            .iter()
            .all(|event| event.detail["revision"] == sandbox.revision.as_str()),
        "history names the revision: {changed:?}"
    );
    let canary_done = changed.last().expect("it is not empty").seq;
    let mut pinned = Vec::new();
    for account in &story.others {
        assert_eq!(story.pin(account).await, story.said("production"));
        story.in_sync(account).await;
        pinned.push(story.pinned_at(account).await);
    }
    assert!(
        pinned.iter().all(|seq| *seq > canary_done),
        "no other before the canary was in sync: {canary_done} {pinned:?}"
    );
    let waves: Vec<String> = story
        .history(TargetId::Organization)
        .await
        .into_iter()
        .filter_map(|event| event.detail["wave"].as_str().map(str::to_owned))
        .collect();
    // The log archive and the security account go too, and the management account last: six besides the canary, one at a
    // time.
    assert_eq!(
        waves,
        ["canary", "second", "rest", "rest", "rest", "rest", "rest"]
    );
    running.stop().await;

    // A start in steady state begins nothing and changes nothing.
    let calls = story.world.mutating_calls();
    let running = story.start().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    running.stop().await;
    assert_eq!(story.latest().await.state, RolloutState::Done);
    assert_eq!(story.world.mutating_calls(), calls);
    story.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_baseline_stops_at_the_canary_and_is_rolled_back() {
    let mut story = Story::begin(true, 2).await;
    let (of_canary, of_others) = (story.said("sandbox"), story.said("production"));
    story.edit(BROKEN);
    let running = story.start().await;
    let stopped = story.reaches(RolloutState::Stopped).await;
    assert!(
        stopped.reason.contains("1 of 1 accounts"),
        "{}",
        stopped.reason
    );
    for account in &story.others {
        assert_eq!(story.pin(account).await, of_others);
        story.in_sync(account).await;
    }
    // An account that is asked for now gets what is settled.
    let late = ask_in(
        &story.world,
        story.store(),
        "Late",
        "Applications/Production",
    )
    .await;
    governed(story.store(), &late).await;
    assert_eq!(story.pin(&late).await, of_others);
    running.stop().await;

    // Whoever starts again with the same files does not begin again.
    let running = story.start().await;
    story.reaches(RolloutState::Stopped).await;
    story.decide(RolloutDecision::RollBack).await;
    story.reaches(RolloutState::RolledBack).await;
    assert_eq!(story.pin(&story.canary).await, of_canary);
    story.in_sync(&story.canary).await;
    running.stop().await;
    let running = story.start().await;
    assert_eq!(story.reaches(RolloutState::RolledBack).await.id, stopped.id);

    // With the files put right there is nothing to do, and that is settled.
    running.stop().await;
    story.edit(FEATURES);
    let running = story.start().await;
    let done = story.reaches(RolloutState::Done).await;
    assert_ne!(done.id, stopped.id);
    assert_eq!(story.pin(&story.canary).await, of_canary);
    running.stop().await;
    story.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_no_control_understands_any_more_gives_way_at_once() {
    let mut story = Story::begin(false, 1).await;
    let old = story.pin(&story.others[0]).await;
    let content = "update baseline_revision set content = '{\"config.recorder\":{\"parameters\":{\"speed\":9}}}'";
    let change = format!(
        "{content} where name = '{}' and revision = '{}'",
        old.baseline, old.revision
    );
    story.database.sql(&change).await.expect("the row is there");
    // Another program reads it, of a later version: it remembers no revision.
    story.database.store = story.database.another_store().await;
    story.edit(MORE);
    let running = story.start().await;
    eventually("the account is pinned to what can be run", async || {
        (story.pin(&story.others[0]).await == story.said("production")).then_some(())
    })
    .await;
    story.in_sync(&story.others[0]).await;
    assert_eq!(story.latest().await.state, RolloutState::Proposed);
    assert_ne!(
        story.pin(&story.canary).await,
        story.said("sandbox"),
        "the others wait"
    );
    for target in [story.others[0].target(), TargetId::Organization] {
        let history = story.history(target).await;
        let told = history
            .iter()
            .any(|event| event.sentence.contains("cannot be run any more"));
        assert!(told, "{target}: {history:?}");
    }
    running.stop().await;
}
