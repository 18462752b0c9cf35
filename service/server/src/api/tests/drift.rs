//! Drift, repair on demand, and waivers.

use jiff::{SignedDuration, Timestamp};
use landfall_model::account::Phase;
use landfall_model::cell::{Cell, CellKey, CellWaiver};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::event::EventKind;
use landfall_model::ids::Revision;
use landfall_model::json_text::JsonText;
use landfall_model::waiver_form::WaiverForm;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::auth::Role;
use super::super::document;
use super::reads::governed;
use super::{Server, now};
use crate::store::{NewEvent, Results};

const ACCOUNT: &str = "222222222222";

/// A governed account whose detector differs in two Regions, in one of them under a waiver.
async fn drifted() -> (Server, Uuid) {
    let (server, _) = governed().await;
    let waiver = server.post("/waivers", &waiver()).await;
    let waiver: Uuid = waiver.body["id"].as_str().unwrap().parse().unwrap();
    let now = now() + SignedDuration::from_hours(2);
    let minute = SignedDuration::from_mins(1);
    let leases = server.store.claim(Uuid::now_v7(), now, 9, minute).await;
    let lease = leases.unwrap().into_iter().next().unwrap();
    let entered = NewEvent::new(lease.target, EventKind::PhaseEntered, String::new());
    let entering = server
        .store
        .enter_phase(&lease, Phase::Governed, None, &entered, now);
    let _ = entering.await.unwrap();
    let cell = |region: &str, waiver: Option<CellWaiver>| Cell {
        known: true,
        drift: vec!["enable the detector".to_owned()],
        drifted_since: Some(now),
        desired: Some(JsonText::of(&json!({ "enabled": true }))),
        observed: Some(JsonText::of(&json!({ "enabled": false }))),
        observed_at: Some(now),
        waiver,
        ..Cell::unseen(
            CellKey {
                region: region.parse().unwrap(),
                control: "guardduty.detector".parse().unwrap(),
            },
            Revision::of(b"1"),
            now,
        )
    };
    let until = now;
    let cells = [
        cell("eu-west-1", Some(CellWaiver { id: waiver, until })),
        cell("us-east-1", None),
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
    let _ = server.store.release(lease, now, true, None).await.unwrap();
    (server, waiver)
}

fn in_days(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

/// A proposal that keeps every rule.
fn waiver() -> Value {
    json!({
        "account_id": ACCOUNT,
        "control": "guardduty.detector",
        "region": "eu-west-1",
        "reason": "the vendor watches it",
        "owner_email": "pay@example.com",
        "expires_at": in_days(30),
    })
}

#[tokio::test]
async fn an_empty_list_of_drift_says_what_nobody_could_look_at() {
    let (server, _) = drifted().await;
    let clear = server.get("/drift").await;
    assert_eq!(clear.body["unseen"]["cells"], 0, "{}", clear.text);
    let minute = SignedDuration::from_mins(1);
    let now = now() + SignedDuration::from_hours(4);
    let leases = server.store.claim(Uuid::now_v7(), now, 9, minute).await;
    let lease = leases.unwrap().into_iter().next().unwrap();
    let cell = |region: &str| {
        let key = CellKey {
            region: region.parse().unwrap(),
            control: "guardduty.detector".parse().unwrap(),
        };
        Cell::unseen(key, Revision::of(b"1"), now)
    };
    let denied = |region: &str, kind| Cell {
        error: Some(StoredError {
            kind,
            operation: "guardduty:ListDetectors".to_owned(),
            message: "no".to_owned(),
            request_id: None,
        }),
        attempts: 1,
        ..cell(region)
    };
    let cells = [
        denied("eu-west-2", CloudErrorKind::AccessDenied),
        denied("eu-west-3", CloudErrorKind::AccessDenied),
        // It is asked again in a moment.
        denied("eu-north-1", CloudErrorKind::Throttled),
        cell("us-west-1"),
    ];
    let results = Results {
        cells: &cells,
        ..Results::default()
    };
    let _ = server
        .store
        .put_results(&lease, &results, now)
        .await
        .unwrap();
    for (filter, unseen) in [
        (
            "",
            json!({ "cells": 3, "counts": { "blocked": 2, "unknown": 1 }, "accounts": [ACCOUNT] }),
        ),
        (
            "region=eu-west-2&status=drifted",
            json!({ "cells": 1, "counts": { "blocked": 1 }, "accounts": [ACCOUNT] }),
        ),
        (
            "region=eu-west-1",
            json!({ "cells": 0, "counts": {}, "accounts": [] }),
        ),
    ] {
        let answer = server.get(&format!("/drift?{filter}")).await;
        assert_eq!(answer.body["unseen"], unseen, "{filter}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_mistyped_filter_is_no_empty_list() {
    let (server, _) = drifted().await;
    for (path, names) in [
        ("/drift?organizational_unit=Nope", "Applications/Production"),
        ("/drift?control=config.recordr", "config.recorder"),
        ("/drift?region=eu-west-9", "eu-west-1"),
        ("/accounts?organizational_unit=Nope", "Applications"),
        ("/account-requests?organizational_unit=Nope", "Applications"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        assert!(answer.text.contains(names), "{path}: {}", answer.text);
    }
    for path in [
        "/accounts?organizational_unit=Applications",
        "/account-requests?organizational_unit=Applications/Production",
    ] {
        let answer = server.get(path).await;
        let items = answer.body["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(1), "{path}: {}", answer.text);
    }
    // Only whole names: an OU whose name begins alike is another one.
    let other = server.get("/accounts?organizational_unit=Restricted").await;
    assert_eq!(other.body["items"], json!([]), "{}", other.text);
}

#[tokio::test]
async fn drift_says_whose_it_is_and_what_is_expected() {
    let (server, waiver) = drifted().await;
    let drift = server.get("/drift").await;
    let items = drift.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{}", drift.text);
    let one = &items[0];
    assert_eq!(one["account_id"], ACCOUNT);
    assert_eq!(one["account_name"], "Payments production");
    assert_eq!(one["owner_email"], "pay@example.com");
    assert_eq!(one["organizational_unit"], "Applications/Production");
    assert_eq!(
        (&one["status"], &one["region"]),
        (&json!("drifted"), &json!("us-east-1"))
    );
    assert_eq!(one["expected"], json!(["enable the detector"]));
    assert_eq!(one["desired"], json!({ "enabled": true }));
    assert_eq!(one["observed"], json!({ "enabled": false }));
    assert!(one["drifted_since"].is_string() && one["waiver_id"].is_null());

    for (filter, count) in [
        ("waived=true", 2),
        ("status=waived", 1),
        ("status=drifted", 1),
        ("status=stuck", 0),
        ("account_id=222222222222", 1),
        ("account_id=organization", 0),
        ("organizational_unit=Applications/Production", 1),
        ("organizational_unit=Applications", 1),
        ("organizational_unit=Applications/Development", 0),
        ("region=us-east-1&control=guardduty.detector", 1),
        ("region=us-east-2", 0),
    ] {
        let answer = server.get(&format!("/drift?{filter}")).await;
        let items = answer.body["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(count), "{filter}: {}", answer.text);
    }
    let waived = server.get("/drift?status=waived").await;
    assert_eq!(waived.body["items"][0]["waiver_id"], waiver.to_string());
    let first = server.get("/drift?waived=true&limit=1").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = server
        .get(&format!(
            "/drift?waived=true&limit=1&cursor={}",
            cursor.replace('|', "%7C")
        ))
        .await;
    assert_ne!(
        first.body["items"][0]["region"],
        second.body["items"][0]["region"]
    );
    assert!(second.body["next_cursor"].is_null(), "{}", second.text);
}

#[tokio::test]
async fn a_wrong_filter_is_named() {
    let (server, _) = drifted().await;
    for filter in ["status=broken", "region=Frankfurt", "acount_id=1"] {
        server
            .get(&format!("/drift?{filter}"))
            .await
            .is_problem(400, "bad-parameter");
    }
    server
        .get("/drift?account_id=999999999999")
        .await
        .is_problem(404, "not-found");
    server
        .get("/waivers?state=over")
        .await
        .is_problem(400, "bad-parameter");
}

#[tokio::test]
async fn a_repair_is_wanted_by_who_may_of_what_there_is() {
    let (server, _) = drifted().await;
    let repair = "/accounts/222222222222/repair";
    let answer = server.post(repair, &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.body, json!({ "cells": 1, "waived": 1 }));
    let cells = server.get("/accounts/222222222222/cells").await;
    let wished = |region: &str| {
        let cells = cells.body["items"].as_array().unwrap();
        let cell = cells.iter().find(|cell| cell["region"] == region).unwrap();
        cell["repair_asked_at"].is_string()
    };
    assert!(wished("us-east-1") && !wished("eu-west-1"));

    let wrong = json!({ "controls": ["guardduty.detectr"], "regions": ["eu-west-9"] });
    let answer = server.post(repair, &wrong).await;
    answer.is_problem(422, "invalid-fields");
    assert_eq!(answer.body["errors"][0]["pointer"], "/controls/0");
    assert_eq!(answer.body["errors"][1]["pointer"], "/regions/0");
    let answer = server.post(repair, &json!({ "control": [] })).await;
    answer.is_problem(422, "invalid-fields");
    server
        .post("/accounts/999999999999/repair", &json!({}))
        .await
        .is_problem(404, "not-found");
    let engineer = server.token("ann", Role::Engineer).await;
    server
        .post_as(&engineer, repair, &json!({}))
        .await
        .is_problem(403, "forbidden");
    let answer = server.post("/organization/repair", &json!({})).await;
    assert_eq!(answer.body["cells"], 0, "{}", answer.text);
}

#[tokio::test]
async fn a_waiver_is_approved_by_somebody_else() {
    let (server, _) = governed().await;
    let ann = server.token("ann", Role::Engineer).await;
    let security = server.token("sam", Role::Security).await;
    let proposed = server.post_as(&ann, "/waivers", &waiver()).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    assert_eq!(proposed.body["state"], "proposed");
    assert_eq!(proposed.body["requested_by"], "ann");
    let id = proposed.body["id"].as_str().unwrap();
    let decide = |verb: &str| format!("/waivers/{id}/{verb}");
    let again = server.post_as(&security, "/waivers", &waiver()).await;
    again.is_problem(409, "asked-already");
    assert_eq!(again.body["existing_id"], id, "{}", again.text);
    server
        .post_as(&ann, &decide("approve"), &json!({}))
        .await
        .is_problem(403, "forbidden");
    server
        .post_as(&security, &decide("reject"), &json!({}))
        .await
        .is_problem(422, "invalid-fields");
    let approved = server
        .post_as(&security, &decide("approve"), &json!({ "reason": "fine" }))
        .await;
    assert_eq!(approved.body["state"], "in_force", "{}", approved.text);
    assert_eq!(approved.body["approved"]["by"], "sam");
    server
        .post_as(&security, &decide("reject"), &json!({ "reason": "no" }))
        .await
        .is_problem(409, "wrong-state");
    let revoked = server.post_as(&ann, &decide("revoke"), &json!({})).await;
    assert_eq!(revoked.body["state"], "revoked", "{}", revoked.text);
    assert_eq!(revoked.body["approved"]["reason"], "fine", "history stays");

    let own = server.post_as(&security, "/waivers", &waiver()).await;
    let own = own.body["id"].as_str().unwrap();
    server
        .post_as(&security, &format!("/waivers/{own}/approve"), &json!({}))
        .await
        .is_problem(403, "own-waiver");
    server
        .post_as(&ann, &format!("/waivers/{own}/revoke"), &json!({}))
        .await
        .is_problem(403, "forbidden");

    for (filter, count) in [
        ("", 1),
        ("?ended=true", 2),
        ("?state=revoked", 1),
        ("?ended=true&account_id=222222222222&region=eu-west-1", 2),
        ("?control=config.recorder", 0),
    ] {
        let list = server.get(&format!("/waivers{filter}")).await;
        let items = list.body["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(count), "{filter}: {}", list.text);
    }
    let shown = server.get(&format!("/waivers/{id}")).await;
    assert_eq!(shown.body["reason"], "the vendor watches it");
    server
        .get(&format!("/waivers/{}", Uuid::now_v7()))
        .await
        .is_problem(404, "not-found");
}

#[test]
fn the_documented_proposal_is_the_proposal() {
    let form = WaiverForm {
        account_id: Some(String::new()),
        organizational_unit: Some(String::new()),
        region: Some(String::new()),
        ..WaiverForm::default()
    };
    let fields = serde_json::to_value(form).unwrap();
    let document = serde_json::to_value(document()).unwrap();
    let documented = &document["components"]["schemas"]["WaiverForm"]["properties"];
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&fields), keys(documented));
}

#[tokio::test]
async fn a_wrong_proposal_names_its_fields() {
    let (server, _) = governed().await;
    for (field, value, pointer) in [
        ("account_id", json!("999999999999"), "/account_id"),
        ("control", json!("guardduty.detectr"), "/control"),
        ("control", json!("organizations.units"), "/control"),
        ("region", json!("cn-north-1"), "/region"),
        ("expires_at", json!(in_days(200)), "/expires_at"),
        ("expires_at", json!("tomorrow"), "/expires_at"),
        ("reason", json!(""), "/reason"),
        ("until", json!(1), "/until"),
    ] {
        let mut form = waiver();
        form[field] = value;
        let answer = server.post("/waivers", &form).await;
        answer.is_problem(422, "invalid-fields");
        let pointers: Vec<&Value> = answer.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| &error["pointer"])
            .collect();
        assert!(pointers.contains(&&json!(pointer)), "{}", answer.text);
    }
}
