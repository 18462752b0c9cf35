//! New service control policies go to the canary OU first, and no further while its accounts suffer.

use std::path::Path;
use std::sync::Arc;

use awsim::faults::{Kind, Plan};
use jiff::SignedDuration;
use landfall_model::creation::CreationPace;
use landfall_model::landing_zone::LandingZone;
use landfall_model::rollout::{RolloutDecision, RolloutState};
use landfall_server::catalogue::Catalogue;
use landfall_server::engine::Settings;
use landfall_server::engine::clock::Clock;
use landfall_server::store::{Account, Rollout, RolloutDecided, Store};
use landfall_tests::clock::Forward;
use landfall_tests::database::Database;
use landfall_tests::rollouts;
use landfall_tests::world::{
    Running, TIME_SCALE, World, ask_in, eventually, every, governed, landing_zone_in,
    management_governed, organization_in_sync,
};
use tempfile::TempDir;

/// What the new policy denies, and no other.
const NEW: &str = "sns:DeleteTopic";

const SANDBOX: &str = "Applications/Sandbox";
/// Nobody is there.
const DEVELOPMENT: &str = "Applications/Development";
const PRODUCTION: &str = "Applications/Production";

/// The policies of the repository and one more, with other words in `attachments.toml` that say where it stands.
fn edited(words: &str, others: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory for policies");
    let own = Path::new("../scp");
    for entry in std::fs::read_dir(own).expect("the policies are there") {
        let path = entry.expect("they can be listed").path();
        if path
            .extension()
            .is_some_and(|ending| ending == "toml" || ending == "json")
        {
            let mut text = std::fs::read_to_string(&path).expect("they can be read");
            if path.ends_with("attachments.toml") {
                assert!(text.contains(words));
                text = text.replace(words, others);
            }
            let name = path.file_name().expect("a file has a name");
            std::fs::write(directory.path().join(name), text).expect("the directory is ours");
        }
    }
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"KeepTopics","Effect":"Deny","Action":"{NEW}","Resource":"*",
        "Condition":{{"ArnNotLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/${{execution_role}}"}}}}}}]}}"#
    );
    std::fs::write(directory.path().join("keep-topics.json"), policy)
        .expect("the directory is ours");
    directory
}

/// An organization with an account in the canary OU and one in another, governed under the policies as they are.
struct Story {
    world: World,
    database: Database,
    clock: Arc<Forward>,
    canary: Account,
    other: Account,
}

impl Story {
    async fn begin(soak_minutes: u32) -> Self {
        let soak = format!("scp_soak_minutes = {soak_minutes}");
        let zone = landing_zone_in(&["us-east-1"]).replace("scp_soak_minutes = 0", &soak);
        let world = World::with(&zone).await;
        let database = Database::sqlite().await;
        let clock = Arc::new(Forward::default());
        let store = &database.store;
        let running = start(&world, store, &clock).await;
        let canary = ask_in(&world, store, "Canary", SANDBOX).await;
        let other = ask_in(&world, store, "Other", PRODUCTION).await;
        let canary = governed(store, &canary).await;
        let other = governed(store, &other).await;
        organization_in_sync(store).await;
        management_governed(store).await;
        running.stop().await;
        Story {
            world,
            database,
            clock,
            canary,
            other,
        }
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    /// The next start has one policy more, on `Applications`.
    fn edit_applications(&mut self) {
        let words = "\"Applications\" = [\n";
        self.edit(words, &format!("{words}    \"keep-topics\",\n"));
    }

    fn edit(&mut self, words: &str, others: &str) {
        let directory = edited(words, others);
        self.world.catalogue = Catalogue::load(&self.world.zone, None, Some(directory.path()))
            .expect("the policies are well formed");
    }

    async fn start(&self) -> Running {
        start(&self.world, self.store(), &self.clock).await
    }

    async fn reaches(&self, state: RolloutState) -> Rollout {
        rollouts::reaches(self.store(), state).await
    }

    /// Where the new policy stands in AWS.
    async fn denying(&self) -> Vec<String> {
        let shared = self.world.sim.shared();
        let report = awsim::services::organizations::policies_report(&shared.world());
        let cells = self
            .store()
            .cells(landfall_model::ids::TargetId::Organization)
            .await
            .expect("the store answers");
        let mut cells = cells.iter();
        let policies = cells.find(|cell| cell.key.control.as_str() == "organizations.policies");
        let observed = policies.and_then(|cell| cell.observed.clone());
        let observed = observed.expect("the policies were looked at").to_value();
        let name = |id: &str| {
            let mut targets = observed["targets"].as_array().into_iter().flatten();
            let target = targets.find(|target| target["id"] == id);
            let name = target.and_then(|target| target["name"].as_str());
            name.unwrap_or(id).to_owned()
        };
        let rows = report.as_array().expect("a list").iter();
        let new = rows.filter(|row| {
            row["content"]
                .as_str()
                .is_some_and(|text| text.contains(NEW))
        });
        let targets = new.flat_map(|row| row["targets"].as_array().into_iter().flatten());
        let mut names: Vec<String> = targets
            .map(|id| name(id.as_str().expect("an id")))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    async fn denied_on(&self, targets: &[&str]) {
        let what = format!("the new policy on {targets:?}");
        eventually(&what, async || {
            (self.denying().await == targets).then_some(())
        })
        .await;
    }

    /// Every target that the rollout reached has the new policies in AWS.
    async fn seen(&self, reached: &[&str]) {
        eventually(&format!("{reached:?} seen"), async || {
            let pins = self.store().scp_course().await.expect("it answers").pins;
            reached
                .iter()
                .all(|target| {
                    let pin = pins.get(&target.parse().expect("a target"));
                    pin.is_some_and(|pin| pin.seen_at.is_some())
                })
                .then_some(())
        })
        .await;
    }
}

async fn start(world: &World, store: &Store, clock: &Arc<Forward>) -> Running {
    let settings = Settings {
        pace: CreationPace::AWS.hastened(TIME_SCALE),
        ..Settings::default()
    };
    Running::start_with(world, store, clock.clone(), settings).await
}

/// Time for a step that must not be taken.
async fn a_while() {
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_policies_stand_on_the_canary_for_a_while_and_then_go_from_ou_to_ou() {
    let mut story = Story::begin(60).await;
    story.edit_applications();
    let running = story.start().await;
    story.denied_on(&[SANDBOX]).await;
    story.seen(&[SANDBOX]).await;
    running.crash().await;
    let running = story.start().await;
    a_while().await;
    assert_eq!(
        story.denying().await,
        [SANDBOX],
        "nobody else until it stood long enough"
    );
    let history = story.store().events(story.canary.target(), 0, 10_000).await;
    let told = history
        .expect("the store answers")
        .into_iter()
        .any(|event| {
            event
                .sentence
                .starts_with("The service control policies of Applications/Sandbox changed")
        });
    assert!(told, "the account's history says so");

    story.clock.forward(SignedDuration::from_mins(61));
    let below = [DEVELOPMENT, PRODUCTION, SANDBOX];
    story.denied_on(&below).await;
    story.seen(&[PRODUCTION]).await;
    a_while().await;
    assert_eq!(story.denying().await, below);
    // What stood on those below for the sake of the one above goes when AWS was seen to have it there, and not before.
    story.clock.forward(SignedDuration::from_mins(61));
    eventually("it stands on Applications alone", async || {
        let denying = story.denying().await;
        let pins = story.store().scp_course().await.expect("it answers").pins;
        let above = pins.get(&"Applications".parse().expect("a target"));
        let unseen = !pins.is_empty() && above.is_none_or(|above| above.seen_at.is_none());
        let below = below.iter().all(|unit| denying.iter().any(|it| it == unit));
        assert!(below || !unseen, "{denying:?} before it was seen");
        (denying == ["Applications"]).then_some(())
    })
    .await;
    story.reaches(RolloutState::Done).await;
    assert_eq!(story.denying().await, ["Applications"]);
    let pins = story.store().scp_course().await.expect("it answers").pins;
    assert!(pins.is_empty(), "{pins:?}");
    organization_in_sync(story.store()).await;
    running.stop().await;

    let calls = story.world.mutating_calls();
    let running = story.start().await;
    a_while().await;
    running.stop().await;
    assert_eq!(story.world.mutating_calls(), calls, "it is settled");
    story.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_break_the_canary_stop_there_and_are_taken_back() {
    let mut story = Story::begin(0).await;
    story.edit_applications();
    // As if the new policy denied it, in a way that nobody foresaw.
    story.world.sim.shared().faults().plan(Plan {
        account: story.canary.account_id.as_ref().map(ToString::to_string),
        ..every("iam", Some("GetAccountPasswordPolicy"), Kind::AccessDenied)
    });
    let running = story.start().await;
    let stopped = story.reaches(RolloutState::Stopped).await;
    assert!(
        stopped.reason.contains("1 of 1 accounts"),
        "{}",
        stopped.reason
    );
    a_while().await;
    assert_eq!(story.denying().await, [SANDBOX]);
    running.stop().await;
    let running = story.start().await;
    a_while().await;
    assert_eq!(story.denying().await, [SANDBOX], "a restart does not go on");

    let decided = story
        .store()
        .decide_rollout(
            stopped.id,
            RolloutDecision::RollBack,
            "test",
            "a test",
            story.clock.now(),
        )
        .await;
    assert!(
        matches!(decided, Ok(RolloutDecided::Done(_))),
        "{decided:?}"
    );
    story.reaches(RolloutState::RolledBack).await;
    story.denied_on(&[]).await;
    running.stop().await;
    let other = story.store().events(story.other.target(), 0, 10_000).await;
    let told = other.expect("the store answers").into_iter();
    let mut told = told.filter(|event| event.sentence.contains("service control policies"));
    assert!(told.next().is_none(), "the other account never noticed");
    story.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_unit_has_its_own_policies_before_anybody_starts_the_rollout() {
    let mut story = Story::begin(60).await;
    let zone = landing_zone_in(&["us-east-1"]).replace(
        "[[organizational_unit]]\npath = \"Restricted\"",
        "[[organizational_unit]]\npath = \"Applications/New\"\n\n[[organizational_unit]]\npath = \"Restricted\"",
    );
    let zone = zone.replace("automatic = true", "automatic = false");
    let zone = LandingZone::parse("landing-zone.toml", &zone).expect("it is right");
    assert!(!zone.rollout.automatic);
    story.world.zone = Arc::new(zone);
    story.edit(
        "\"Applications/Sandbox\" = [",
        "\"Applications/New\" = [\"keep-topics\"]\n\"Applications/Sandbox\" = [\"keep-topics\",",
    );
    let running = story.start().await;
    story.denied_on(&["Applications/New"]).await;
    a_while().await;
    assert_eq!(story.denying().await, ["Applications/New"]);
    assert_eq!(
        rollouts::latest(story.store()).await.state,
        RolloutState::Proposed
    );
    running.stop().await;
    story.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_that_knows_of_waves_takes_what_the_files_say_as_settled() {
    let mut story = Story::begin(60).await;
    let forget = "update rollout set wanted = json_remove(wanted, '$.scps')";
    story.database.sql(forget).await.expect("the row is there");
    story.edit_applications();
    let running = story.start().await;
    story.reaches(RolloutState::Done).await;
    story.denied_on(&["Applications"]).await;
    running.stop().await;
}
