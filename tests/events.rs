//! From somebody's call to the repair: tamper, event, queue, look.

#![expect(
    clippy::unwrap_used,
    reason = "where a test unwraps in vain it has failed, and says where"
)]

use std::time::Duration;

use awsim::Traffic;
use awsim::faults::{Delivery, Kind, Plan};
use jiff::Timestamp;
use landfall_model::account::Phase;
use landfall_model::cell::{Cell, CellKey, CellStatus};
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_server::store::{Account, Event, Store, Touch};
use landfall_tests::database::Database;
use landfall_tests::events;
use landfall_tests::world::{Running, World, ask, eventually, landing_zone_in, soon, state_of};
use serde_json::{Value, json};

const EVE: &str = "arn:aws:iam::111122223333:user/eve";
const REGION: &str = "eu-west-1";

/// A landing zone in two Regions with one governed account, all in sync, and events on their way.
struct Scene {
    world: World,
    database: Database,
    account: Account,
    running: Running,
}

impl Scene {
    async fn new() -> Self {
        let world = World::with(&landing_zone_in(&["us-east-1", REGION])).await;
        let database = Database::sqlite().await;
        let store = &database.store;
        let running = Running::start(&world, store).await;
        let asked = ask(&world, store, "Payments").await;
        let account = eventually("a governed account", async || {
            let account = store.account(asked.id).await.unwrap().unwrap();
            (account.phase == Phase::Governed).then_some(account)
        })
        .await;
        let at_rest = soon(async || {
            let mut targets = vec![TargetId::Organization, account.target()];
            for purpose in [
                landfall_server::store::Purpose::Security,
                landfall_server::store::Purpose::LogArchive,
                landfall_server::store::Purpose::Management,
            ] {
                targets.push(store.account_by_purpose(purpose).await.unwrap()?.target());
            }
            for target in targets {
                let cells = store.cells(target).await.unwrap();
                if cells.is_empty() || cells.iter().any(|cell| cell.status() != CellStatus::InSync)
                {
                    return None;
                }
            }
            Some(())
        });
        if at_rest.await.is_none() {
            panic!("never in sync:\n{}", state_of(store).await);
        }
        running.stop().await;
        events::wire(&world, store).await;
        let running = Running::start_listening(&world, store, events::queue()).await;
        Scene {
            world,
            database,
            account,
            running,
        }
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    /// Has Eve do something in the account.
    fn tamper(&self, mut request: Value) -> Timestamp {
        let number = self.account.account_id.as_ref().unwrap().to_string();
        request["by"] = EVE.into();
        request["source_ip"] = "203.0.113.7".into();
        if request.get("account").is_none() && request["service"] != "organizations" {
            request["account"] = number.into();
        }
        if request.get("region").is_none() {
            request["region"] = REGION.into();
        }
        let now = Timestamp::now();
        self.world.tamper(&request);
        now
    }

    /// Waits until a cell was found to differ and put right since `since`, and nothing else of the target differs; the line
    /// of history that says so.
    async fn repaired(&self, target: TargetId, key: &CellKey, since: Timestamp) -> Event {
        let repaired = soon(async || {
            let cells = self.store().cells(target).await.unwrap();
            let cell = cells.iter().find(|cell| cell.key == *key)?;
            let looked = cell.observed_at.is_some_and(|at| at > since);
            let found = self.found(target, key, since).await;
            let in_sync = |cell: &Cell| cell.status() == CellStatus::InSync;
            (looked && cells.iter().all(in_sync))
                .then_some(found)
                .flatten()
        });
        match repaired.await {
            Some(event) => event,
            None => panic!("{key} is not repaired:\n{}", state_of(self.store()).await),
        }
    }

    /// What history tells of a cell after a line.
    async fn told(&self, target: TargetId, key: &CellKey, after: i64) -> Vec<EventKind> {
        let events = self.store().events(target, after, 10_000).await.unwrap();
        let of_cell = |event: &&Event| {
            event.control.as_ref() == Some(&key.control)
                && event.region.as_ref() == Some(&key.region)
        };
        let kinds = events.iter().filter(of_cell).map(|event| event.kind);
        kinds.collect()
    }

    /// The last drift that history tells of a cell.
    async fn found(&self, target: TargetId, key: &CellKey, since: Timestamp) -> Option<Event> {
        let events = self.store().events(target, 0, 10_000).await.unwrap();
        events.into_iter().rev().find(|event| {
            event.kind == EventKind::DriftFound
                && event.at > since
                && event.control.as_ref() == Some(&key.control)
                && event.region.as_ref() == Some(&key.region)
        })
    }

    fn plan(&self, delivery: Delivery) {
        let plan = Plan {
            service: "events".to_owned(),
            operation: None,
            account: None,
            region: None,
            count: None,
            skip: 0,
            probability: None,
            kind: Kind::Delivery(delivery),
        };
        self.world.sim.shared().faults().plan(plan);
    }

    async fn end(self) {
        self.running.stop().await;
        self.world.assert_sound();
        self.database.remove().await;
    }
}

fn key(control: &str, region: &str) -> CellKey {
    CellKey {
        region: region.parse().unwrap(),
        control: control.parse().unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_disturbs_an_account_is_named_and_the_account_put_right_at_once() {
    let scene = Scene::new().await;
    let member = scene.account.target();
    let bucket = {
        let zone = &scene.world.zone;
        let log_archive = scene
            .store()
            .account_by_purpose(landfall_server::store::Purpose::LogArchive)
            .await
            .unwrap()
            .and_then(|account| account.account_id)
            .unwrap();
        zone.log_bucket(&log_archive)
    };
    let organization = TargetId::Organization;
    let management = scene
        .store()
        .account_by_purpose(landfall_server::store::Purpose::Management)
        .await
        .unwrap()
        .unwrap()
        .target();
    for (target, control, region, event, request) in [
        (
            member,
            "guardduty.detector",
            REGION,
            "UpdateDetector",
            json!({"service": "guardduty", "action": "suspend_detector"}),
        ),
        // After the others of GuardDuty: a new detector has to become a member again, which would resume one that is
        // suspended meanwhile before anybody looks at it.
        (
            member,
            "guardduty.detector",
            REGION,
            "DeleteDetector",
            json!({"service": "guardduty", "action": "delete_detector"}),
        ),
        (
            member,
            "config.recorder",
            REGION,
            "StopConfigurationRecorder",
            json!({"service": "config", "action": "stop_recorder"}),
        ),
        (
            member,
            "securityhub.hub",
            REGION,
            "DisableSecurityHub",
            json!({"service": "securityhub", "action": "disable_hub"}),
        ),
        (
            member,
            "iam.password-policy",
            "us-east-1",
            "DeleteAccountPasswordPolicy",
            json!({"service": "iam", "action": "delete_password_policy"}),
        ),
        (
            management,
            "config.recorder",
            REGION,
            "StopConfigurationRecorder",
            json!({"service": "config", "action": "stop_recorder", "account": "111111111111"}),
        ),
        (
            organization,
            "organizations.trusted-access",
            "us-east-1",
            "DisableAWSServiceAccess",
            json!({"service": "organizations", "action": "disable_trusted_access", "service_principal": "account.amazonaws.com"}),
        ),
        (
            organization,
            "s3.log-bucket",
            "us-east-1",
            "DeleteBucketPublicAccessBlock",
            json!({"service": "s3", "action": "remove_public_access_block", "bucket": bucket}),
        ),
        (
            organization,
            "cloudtrail.organization-trail",
            "us-east-1",
            "StopLogging",
            json!({"service": "cloudtrail", "action": "stop_logging", "account": "111111111111"}),
        ),
    ] {
        let key = key(control, region);
        let since = scene.tamper(request);
        let found = scene.repaired(target, &key, since).await;
        let took = Timestamp::now().duration_since(since);
        assert!(
            took.as_secs() < 60,
            "{key}: found by the sweep, and not by the event?"
        );
        assert!(
            found.sentence.contains(&format!("{EVE} called {event}")),
            "{}",
            found.sentence
        );
        assert_eq!(found.detail["changed_by"]["source_ip"], "203.0.113.7");
        assert!(found.detail["revision"].is_string(), "{}", found.detail);
        let touch = scene
            .store()
            .last_touch(target, &key.region, &key.control)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((&*touch.actor, &*touch.event), (EVE, event));
        let told = scene.told(target, &key, found.seq).await;
        assert_eq!(told.first(), Some(&EventKind::ChangeApplied), "{key}");
        assert_eq!(told.last(), Some(&EventKind::InSync), "{key}");
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_a_cell_is_looked_at_is_looked_at_again() {
    let scene = Scene::new().await;
    let member = scene.account.target();
    let key = key("guardduty.detector", REGION);
    let calls = |operation: &str| {
        let calls = scene.world.calls_of("guardduty");
        calls.get(operation).copied().unwrap_or_default()
    };
    let touch = async |event: &str| {
        let now = Timestamp::now();
        let touch = Touch {
            key: key.clone(),
            event: event.to_owned(),
            actor: EVE.to_owned(),
            source_ip: None,
            at: now,
        };
        assert!(scene.store().touch(member, &[touch], now).await.unwrap());
    };
    // A look is two calls, and slow.
    scene.world.sim.shared().set_traffic(Traffic {
        latency: true,
        throttle: false,
        time_scale: 1,
    });
    let (lists, details) = (calls("ListDetectors"), calls("GetDetector"));
    touch("UpdateDetector").await;
    eventually("a look has begun", async || {
        (calls("ListDetectors") > lists).then_some(())
    })
    .await;
    touch("DeleteDetector").await;
    assert_eq!(calls("GetDetector"), details, "the look is not over yet");
    eventually("another look", async || {
        (calls("GetDetector") >= details + 2).then_some(())
    })
    .await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_lost_doubled_or_out_of_order_change_nothing_but_the_time() {
    let scene = Scene::new().await;
    let member = scene.account.target();
    let key = key("guardduty.detector", REGION);
    let suspend = || json!({"service": "guardduty", "action": "suspend_detector"});

    scene.plan(Delivery::Duplicated);
    let before = scene.world.mutating_calls();
    let since = scene.tamper(suspend());
    scene.repaired(member, &key, since).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // A member's detector is resumed by its administrator.
    let resumed = |calls: &std::collections::BTreeMap<String, u64>| {
        calls
            .get("guardduty:StartMonitoringMembers")
            .copied()
            .unwrap_or_default()
    };
    let after = scene.world.mutating_calls();
    assert_eq!(
        resumed(&after),
        resumed(&before) + 1,
        "one event that came twice is repaired once"
    );

    scene.world.sim.shared().faults().clear();
    scene.plan(Delivery::Reordered);
    for _ in 0..2 {
        let since = scene.tamper(suspend());
        scene.repaired(member, &key, since).await;
    }

    // Lost: nobody hears of it, and nothing false is written down. The next look finds it, whoever asks for that.
    let key = self::key("config.recorder", REGION);
    let stop = || json!({"service": "config", "action": "stop_recorder"});
    scene.world.sim.shared().faults().clear();
    scene.plan(Delivery::Lost);
    let since = scene.tamper(stop());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(scene.found(member, &key, since).await.is_none());
    scene.world.sim.shared().faults().clear();
    let again = scene.tamper(stop());
    scene.repaired(member, &key, again).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_dropped_and_blocks_nobody() {
    let scene = Scene::new().await;
    let member = scene.account.target();
    let eve = json!({"userIdentity": {"arn": EVE}, "eventName": "DeleteDetector", "eventTime": "2026-11-22T00:00:00Z"});
    let of = |account: &str, detail: &Value| {
        json!({"source": "aws.guardduty", "detail-type": "AWS API Call via CloudTrail", "account": account,
            "region": REGION, "time": "2026-11-22T00:00:00Z", "detail": detail}).to_string()
    };
    let mut refused = eve.clone();
    refused["errorCode"] = "AccessDenied".into();
    let number = scene.account.account_id.as_ref().unwrap().to_string();
    for body in [
        "not JSON".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        of("42", &eve),
        of("999999999999", &eve),
        of(&number, &refused),
        of(&number, &json!({"eventName": "RunInstances"})),
        "\u{1F480}".repeat(10_000),
    ] {
        events::send(&scene.world, scene.store(), &body).await;
    }
    let key = key("guardduty.detector", REGION);
    let since = scene.tamper(json!({"service": "guardduty", "action": "suspend_detector"}));
    scene.repaired(member, &key, since).await;
    eventually("an empty queue", async || {
        (events::left(&scene.world) == 0).then_some(())
    })
    .await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn landfalls_own_repair_does_not_call_for_another() {
    let scene = Scene::new().await;
    let member = scene.account.target();
    let key = key("guardduty.detector", REGION);
    let since = scene.tamper(json!({"service": "guardduty", "action": "delete_detector"}));
    scene.repaired(member, &key, since).await;
    eventually("an empty queue", async || {
        (events::left(&scene.world) == 0).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    for touch in scene
        .store()
        .touches_of(member)
        .await
        .unwrap()
        .into_values()
    {
        assert_eq!(touch.actor, EVE, "{touch:?}");
    }
    scene.end().await;
}
