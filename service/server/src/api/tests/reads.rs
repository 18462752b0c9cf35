//! Accounts, cells, the organization and the CMDB, as the engine fills them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use landfall_model::account::Phase;
use landfall_model::asset::Asset;
use landfall_model::cell::{Cell, CellKey};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::event::EventKind;
use landfall_model::ids::{Revision, TargetId};
use serde_json::json;
use uuid::Uuid;

use super::super::auth::Role;
use super::{LANDING_ZONE, Server, form, now};
use crate::store::{AssetReport, LeaseState, NewEvent, Results};

const ARN: &str = "arn:aws:guardduty:eu-west-1:222222222222:detector/12abc";

/// A server with one governed account that has two cells and one asset.
pub(super) async fn governed() -> (Server, String) {
    governed_in(LANDING_ZONE).await
}

/// The same with a landing zone of the test's own.
pub(super) async fn governed_in(zone: &str) -> (Server, String) {
    let server = Server::start_in(zone).await;
    let made = server.post("/account-requests", &form()).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    server.enter(&id, Phase::Creating, None).await;
    let now = now() + SignedDuration::from_secs(2);
    let leases = server
        .store
        .claim(Uuid::now_v7(), now, 9, SignedDuration::from_mins(1))
        .await
        .unwrap();
    let lease = leases.into_iter().next().unwrap();
    assert_eq!(lease.target, TargetId::Account(id.parse().unwrap()));
    let number = "222222222222".parse().unwrap();
    let _ = server.store.adopt(&lease, &number).await.unwrap();
    let entered = NewEvent::new(lease.target, EventKind::PhaseEntered, String::new());
    for phase in [Phase::Placing, Phase::Baselining] {
        let entering = server.store.enter_phase(&lease, phase, None, &entered, now);
        let _ = entering.await.unwrap();
    }
    let cell = |region: &str, drift: Vec<String>| Cell {
        known: true,
        drift,
        ..Cell::unseen(
            CellKey {
                region: region.parse().unwrap(),
                control: "guardduty.detector".parse().unwrap(),
            },
            Revision::of(b"1"),
            now,
        )
    };
    let cells = [
        cell("eu-west-1", vec![]),
        cell("us-east-1", vec!["enable the detector".to_owned()]),
    ];
    let _ = server
        .store
        .put_results(
            &lease,
            &Results {
                cells: &cells,
                ..Results::default()
            },
            now,
        )
        .await
        .unwrap();
    let report = AssetReport {
        source: "guardduty.detector/eu-west-1".to_owned(),
        assets: vec![Asset {
            arn: ARN.to_owned(),
            kind: "AWS::GuardDuty::Detector".to_owned(),
            account_id: "222222222222".parse().unwrap(),
            region: Some("eu-west-1".parse().unwrap()),
            name: "12abc".to_owned(),
            configuration: json!({ "enabled": true }),
        }],
    };
    let tags = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    let _ = server
        .store
        .put_results(
            &lease,
            &Results {
                assets: &[report],
                owner: "pay@example.com",
                tags: &tags,
                ..Results::default()
            },
            now,
        )
        .await
        .unwrap();
    let _ = server.store.release(lease, now, true, None).await.unwrap();
    (server, id)
}

#[tokio::test]
async fn an_account_tells_what_happened_to_it_newest_first() {
    let (server, id) = governed().await;
    let forwards = server.get(&format!("/account-requests/{id}/events")).await;
    let seqs = |body: &serde_json::Value| -> Vec<i64> {
        let items = body["items"].as_array().unwrap().iter();
        items.map(|event| event["seq"].as_i64().unwrap()).collect()
    };
    let mut all = seqs(&forwards.body);
    all.reverse();
    assert!(all.len() >= 3, "{}", forwards.text);
    let first = server.get("/accounts/222222222222/events?limit=2").await;
    assert_eq!(seqs(&first.body), all[..2]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = server
        .get(&format!("/accounts/222222222222/events?cursor={cursor}"))
        .await;
    assert_eq!(seqs(&rest.body), all[2..]);
    let of_a_control = "/accounts/222222222222/events?control=config.recorder";
    assert_eq!(seqs(&server.get(of_a_control).await.body), [0i64; 0]);
    for (path, says) in [
        ("/accounts/222222222222/events?region=Ireland", "region"),
        ("/accounts/222222222222/events?cursor=x", "cursor"),
        ("/accounts/222222222222/events?limit=0", "limit"),
    ] {
        let refused = server.get(path).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.text);
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    assert_eq!(
        server.get("/accounts/999999999999/events").await.status,
        404
    );
    let organization = server.get("/organization/events").await;
    assert_eq!(
        organization.body["items"],
        json!([]),
        "{}",
        organization.text
    );
}

#[tokio::test]
async fn an_account_shows_how_it_stands() {
    let (server, id) = governed().await;
    let list = server.get("/accounts").await;
    assert_eq!(list.body["items"][0]["account_id"], "222222222222");
    let account = server.get("/accounts/222222222222").await;
    assert_eq!(account.body["request_id"], id.as_str());
    assert_eq!(account.body["cells"]["in_sync"], 1, "{}", account.text);
    assert_eq!(account.body["cells"]["drifted"], 1);
    assert_eq!(account.body["cells"]["stuck"], 0);
    let metrics = server.metrics().await;
    let sample = "landfall_cells{control=\"guardduty.detector\",status=\"drifted\"} 1";
    assert!(metrics.contains(sample), "{metrics}");
    assert!(!metrics.contains("222222222222"), "labels are closed sets");
}

#[tokio::test]
async fn cells_have_a_derived_status() {
    let (server, _) = governed().await;
    let cells = server.get("/accounts/222222222222/cells").await;
    let statuses: Vec<&str> = cells.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| cell["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["in_sync", "drifted"]);
    assert_eq!(cells.body["items"][1]["drift"][0], "enable the detector");
    let drifted = server
        .get("/accounts/222222222222/cells?status=drifted")
        .await;
    assert_eq!(drifted.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(drifted.body["items"][0]["region"], "us-east-1");
    assert_eq!(
        drifted.body["counts"]["in_sync"], 1,
        "the counts are of all"
    );
    for (mistyped, says) in [
        (
            "accounts/222222222222/cells?control=guardduty.detectors",
            "guardduty.detector,",
        ),
        (
            "accounts/222222222222/cells?region=eu-west-11",
            "eu-west-1,",
        ),
        ("accounts/222222222222/cells?status=insync", "in_sync"),
        ("organization/cells?control=typo", "organizations.units"),
        (
            "accounts/222222222222/events?control=guardduty.detectors",
            "guardduty.detector,",
        ),
        ("organization/events?region=eu-west-11", "eu-west-1,"),
    ] {
        let answer = server.get(&format!("/{mistyped}")).await;
        answer.is_problem(400, "bad-parameter");
        assert!(answer.text.contains(says), "{mistyped}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_account_is_paused_with_a_reason_and_resumed() {
    let (server, _) = governed().await;
    let bare = server
        .post("/accounts/222222222222/pause", &json!({}))
        .await;
    bare.is_problem(422, "invalid-fields");
    let engineer = server.token("eve", Role::Engineer).await;
    let reason = json!({ "reason": "an audit" });
    server
        .post_as(&engineer, "/accounts/222222222222/pause", &reason)
        .await
        .is_problem(403, "forbidden");
    let paused = server.post("/accounts/222222222222/pause", &reason).await;
    assert_eq!(
        paused.body["paused"]["reason"], "an audit",
        "{}",
        paused.text
    );
    assert_eq!(paused.body["paused"]["by"], "bootstrap");
    let resumed = server
        .post("/accounts/222222222222/resume", &json!({}))
        .await;
    assert_eq!(resumed.status, 200);
    assert_eq!(resumed.body.get("paused"), None);
}

#[tokio::test]
async fn a_pause_may_have_an_end_which_lies_ahead() {
    let (server, _) = governed().await;
    let pause = "/accounts/222222222222/pause";
    for until in ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let form = json!({ "reason": "an audit", "until": until });
        let refused = server.post(pause, &form).await;
        refused.is_problem(422, "invalid-fields");
        assert_eq!(refused.body["errors"][0]["pointer"], "/until");
    }
    let until = (now() + jiff::SignedDuration::from_hours(2)).to_string();
    let form = json!({ "reason": "an audit", "until": until });
    let paused = server.post(pause, &form).await;
    assert_eq!(
        paused.body["paused"]["until"].as_str().map(|at| &at[..19]),
        Some(&until[..19]),
        "{}",
        paused.text
    );
    let metrics = server.metrics().await;
    assert!(
        metrics.contains("\nlandfall_paused_accounts 1\n"),
        "{metrics}"
    );
    for (phase, accounts) in [("baselining", 1), ("failed", 0)] {
        let sample = format!("\nlandfall_accounts{{phase=\"{phase}\"}} {accounts}\n");
        assert!(metrics.contains(&sample), "{metrics}");
    }
}

#[tokio::test]
async fn assets_are_found_shown_and_looked_up() {
    let (server, _) = governed().await;
    let id = ARN.replace(':', "%3A").replace('/', "%2F");
    for filter in [
        "type=AWS::GuardDuty::Detector",
        "account_id=222222222222",
        "region=eu-west-1",
        "owner=pay@example.com",
        "name=12",
        "tag=team=payments",
    ] {
        let found = server.get(&format!("/assets?{filter}")).await;
        assert_eq!(
            found.body["items"][0]["id"], ARN,
            "{filter}: {}",
            found.text
        );
    }
    for filter in ["type=AWS::S3::Bucket", "region=us-east-1", "tag=team=x"] {
        let found = server.get(&format!("/assets?{filter}")).await;
        assert_eq!(found.body["items"], json!([]), "{filter}");
    }
    let shown = server.get(&format!("/assets/{id}")).await;
    assert_eq!(
        shown.body["configuration"]["enabled"], true,
        "{}",
        shown.text
    );
    let history = server.get(&format!("/assets/{id}/history")).await;
    assert_eq!(history.body["items"].as_array().unwrap().len(), 1);

    let keys = [ARN, "12abc", "222222222222", "arn:aws:s3:::unknown"];
    let found = server
        .post("/assets/lookup", &json!({ "keys": keys }))
        .await;
    let items = found.body["items"].as_array().unwrap();
    for (item, matched_by) in items.iter().zip([
        json!("arn"),
        json!("resource_id"),
        json!("account"),
        json!(null),
    ]) {
        assert_eq!(item["matched_by"], matched_by, "{item}");
        if !matched_by.is_null() {
            assert_eq!(item["owner"], "pay@example.com");
            assert_eq!(item["organizational_unit"], "Applications/Production");
            assert_eq!(item["environment"], "production");
        }
    }
    let none = server.post("/assets/lookup", &json!({ "keys": [] })).await;
    none.is_problem(422, "invalid-fields");
}

#[tokio::test]
async fn the_organization_shows_what_the_landing_zone_says() {
    let server = Server::start().await;
    let organization = server.get("/organization").await;
    assert_eq!(
        organization.body["management_account"], "111111111111",
        "{}",
        organization.text
    );
    assert_eq!(
        organization.body["governed_regions"]
            .as_array()
            .unwrap()
            .len(),
        17
    );
    let cells = server.get("/organization/cells").await;
    assert_eq!(cells.body["items"], json!([]));
}

#[tokio::test]
async fn what_stops_an_account_is_told_wherever_the_account_is() {
    let (server, account) = governed().await;
    let due_at = now() + SignedDuration::from_mins(5);
    let error = StoredError {
        kind: CloudErrorKind::Quota,
        operation: "organizations:CreateAccount".to_owned(),
        message: "ACCOUNT_NUMBER_LIMIT_EXCEEDED".to_owned(),
        request_id: None,
    };
    let claim = server.store.claim(
        Uuid::now_v7(),
        now() + SignedDuration::from_secs(3),
        1,
        SignedDuration::from_mins(1),
    );
    let lease = claim.await.unwrap().remove(0);
    let state = server
        .store
        .release(lease, due_at, false, Some(&error))
        .await
        .unwrap();
    assert_eq!(state, LeaseState::Held);
    let request = format!("/account-requests/{account}");
    for path in [
        request.as_str(),
        "/account-requests",
        "/accounts",
        "/accounts/222222222222",
    ] {
        let answer = server.get(path).await.body;
        let told = answer["items"].get(0).unwrap_or(&answer);
        assert_eq!(told["last_error"]["operation"], error.operation, "{path}");
        assert_eq!(told["last_error"]["who_can_help"], "aws_support");
        assert!(
            told["last_error"]["advice"]
                .as_str()
                .unwrap()
                .contains("quota")
        );
        let next: jiff::Timestamp = told["due_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(next.as_millisecond(), due_at.as_millisecond());
    }
}
