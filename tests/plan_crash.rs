//! The process is killed while a plan is made and while it is applied: it goes on, and does nothing twice.

use std::net::SocketAddr;
use std::time::Duration;

use awsim::world::Settings;
use awsim::{Options, Sim};
use jiff::SignedDuration;
use landfall_model::ids::TargetId;
use landfall_model::plan::PlanState;
use landfall_tests::database::Database;
use landfall_tests::process::{Serve, call};
use landfall_tests::world::{governed, landing_zone_in, soon};
use serde_json::{Value, json};
use uuid::Uuid;

use super::plans::in_sync;

/// How many times as fast as AWS time passes for the process that is killed.
const TIME_SCALE: u32 = 20;

/// Calls the API until it answers as it should.
async fn ok(server: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Value {
    let answer = call(server, method, path, None, body).await;
    let answer = answer.expect("the server answers");
    assert!(answer.status < 300, "{path}: {}", answer.body);
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_plan_is_made_and_applied_it_goes_on() {
    let sim = Sim::start(Options {
        settings: Settings {
            seed: 1,
            create_account: SignedDuration::from_secs(20),
            time_scale: TIME_SCALE,
        },
        ..Options::default()
    })
    .expect("awsim starts");
    let database = Database::sqlite().await;
    let store = &database.store;
    let mut serve = Serve::new(&sim, database.url());
    let regions = ["us-east-1", "us-east-2", "eu-west-1", "eu-west-2"];
    let zone = serve.file("some-regions.toml", &landing_zone_in(&regions));
    serve
        .set("LANDFALL_LANDING_ZONE", zone.to_string_lossy())
        .set("LANDFALL_AWS_TIME_SCALE", TIME_SCALE.to_string())
        .set("LANDFALL_LEASE", "1s");
    let mut process = serve.start();
    let server = process.ready().await;
    let form = json!({
        "name": "Payments", "owner_email": "owner@example.com", "organizational_unit": "Applications/Production",
        "cost_center": "4711", "environment": "production", "justification": "a test",
    });
    let request = ok(server, "POST", "/account-requests", Some(&form)).await;
    let id: Uuid = request["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let account = store.account(id).await.expect("the store answers");
    let account = governed(store, &account.expect("it is there")).await;
    in_sync(store, account.target()).await;
    in_sync(store, TargetId::Organization).await;
    let number = account
        .account_id
        .clone()
        .expect("it is governed")
        .to_string();
    for region in regions {
        for (service, action) in [
            ("config", "stop_recorder"),
            ("guardduty", "suspend_detector"),
        ] {
            let shared = sim.shared();
            let request = json!({
                "service": service, "action": action, "account": number, "region": region,
            });
            let now = shared.clock.now();
            awsim::services::tamper(&mut shared.world(), &request, now).expect("it is there");
        }
    }
    // Killed while it looks: the plan is made all the same.
    let plan = ok(
        server,
        "POST",
        "/plans",
        Some(&json!({"accounts": [number]})),
    )
    .await;
    process.kill().await;
    let id: Uuid = plan["id"].as_str().expect("an id").parse().expect("an id");
    let state = async || {
        let plan = store.plan(id).await.expect("the store answers");
        plan.expect("it is there").state()
    };
    eprintln!("killed while {}", state().await.name());
    process = serve.start();
    soon(async || (state().await == PlanState::Planned).then_some(()))
        .await
        .unwrap_or_else(|| panic!("never made:\n{}", serve.log()));
    let server = process.ready().await;
    let made = ok(server, "GET", &format!("/plans/{id}"), None).await;
    assert_eq!(made["counts"]["targets_to_change"], 1, "{made}");

    // Killed while it applies, again and again.
    ok(server, "POST", &format!("/plans/{id}/apply"), None).await;
    let mut kills = 0;
    while state().await == PlanState::Applying && kills < 20 {
        // Later each time, so that some kill meets the middle of it.
        tokio::time::sleep(Duration::from_millis(2 + 4 * kills)).await;
        process.kill().await;
        kills += 1;
        process = serve.start();
        process.ready().await;
        // The lease of the one that was killed has to end first.
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
    let cells = store
        .plan_cells(id, &[], None, 100)
        .await
        .expect("the store answers");
    assert_eq!(
        state().await,
        PlanState::Applied,
        "after {kills} kills: {:#?}\n{}",
        cells.items,
        serve.log()
    );
    assert!(kills > 0);
    eprintln!("applied after {kills} kills");
    in_sync(store, account.target()).await;
    let server = process.ready().await;
    let again = ok(
        server,
        "POST",
        "/plans",
        Some(&json!({"accounts": [number]})),
    )
    .await;
    let again: Uuid = again["id"].as_str().expect("an id").parse().expect("an id");
    let again = soon(async || {
        let plan = store.plan(again).await.expect("the store answers")?;
        (plan.state() == PlanState::Planned).then_some(plan)
    })
    .await
    .expect("it is made");
    assert_eq!(again.counts.changes, 0);
    process.stop().await;
    database.remove().await;
}
