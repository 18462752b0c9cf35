//! Plans: what is asked for wrongly, and when one may not be applied. The engine's part is done by hand.

use jiff::{SignedDuration, Timestamp};
use landfall_controls::control::PlannedChange;
use landfall_model::cell::CellKey;
use landfall_model::ids::{Revision, TargetId};
use landfall_model::landing_zone::LandingZone;
use landfall_model::plan::{HOLDS, PlanScope};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::auth::Role;
use super::{Server, now, reads};
use crate::catalogue::Catalogue;
use crate::store::{NewPlan, PlannedCell, Seen, TargetPlan};

impl Server {
    /// Does what the engine does for plans: each target would be changed in one cell.
    async fn look_for_plans(&self) {
        let zone = LandingZone::parse("landing-zone.toml", super::LANDING_ZONE).unwrap();
        let baselines = Catalogue::load(&zone, None, None).unwrap().baselines;
        let cells = [PlannedCell {
            key: CellKey {
                region: "eu-west-1".parse().unwrap(),
                control: "guardduty.detector".parse().unwrap(),
            },
            revision: Some(Revision::of(b"1")),
            seen: Seen::Differs {
                observed: Revision::of(b"2"),
                changes: vec![PlannedChange {
                    sentence: "turn GuardDuty on".to_owned(),
                    change: json!("create"),
                }],
            },
        }];
        let minute = SignedDuration::from_mins(1);
        let claim = self
            .store
            .claim_for_plans(Uuid::now_v7(), now(), 100, minute);
        for lease in claim.await.unwrap() {
            while let Some(work) = self.store.plan_work(&lease).await.unwrap() {
                let seen = TargetPlan {
                    baseline: baselines.get("foundation").unwrap(),
                    cells_in_sync: 3,
                    cells_waived: 0,
                    cells: &cells,
                };
                let _ = self.store.put_plan(&lease, work.plan, &seen).await.unwrap();
            }
            let _ = self.store.give_back(lease).await.unwrap();
        }
    }

    /// A plan of this account that was made at a moment.
    async fn planned(&self, account: &str, made_at: Timestamp) -> String {
        let id = Uuid::now_v7();
        let new = NewPlan {
            id,
            scope: &PlanScope::default(),
            targets: &[TargetId::Account(account.parse().unwrap())],
            made_by: "ann",
        };
        self.store.add_plan(&new, made_at).await.unwrap();
        self.look_for_plans().await;
        format!("/plans/{id}")
    }
}

#[tokio::test]
async fn a_plan_asked_for_twice_is_one_and_found_in_the_same_place() {
    let (server, _) = reads::governed().await;
    let first = server.post_once("once", "/plans", &json!({})).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let again = server.post_once("once", "/plans", &json!({})).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    let place = |answer: &super::Answer| answer.headers.get("location").cloned();
    assert!(place(&first).is_some());
    assert_eq!(place(&again), place(&first));
}

#[tokio::test]
async fn names_that_are_not_there_are_pointed_at_with_what_there_is() {
    let (server, _) = reads::governed().await;
    let answer = server
        .post(
            "/plans",
            &json!({
                "accounts": ["222222222222", "222", "333333333333"],
                "organizational_units": ["Applications/Prod"],
                "regions": ["eu-central-1", "eu-central-9"],
                "controls": ["guardduty.detectors"],
            }),
        )
        .await;
    answer.is_problem(422, "invalid-fields");
    let errors = answer.body["errors"].as_array().unwrap();
    let said: Vec<(&str, &str)> = errors
        .iter()
        .map(|error| {
            (
                error["pointer"].as_str().unwrap(),
                error["rule"].as_str().unwrap(),
            )
        })
        .collect();
    for (index, (pointer, there_is)) in [
        ("/accounts/1", "there are 111111111111, 222222222222"),
        ("/accounts/2", "`333333333333`"),
        ("/organizational_units/0", "Applications/Production"),
        ("/regions/1", "us-east-1"),
        ("/controls/0", "guardduty.detector, guardduty.membership"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(said[index].0, pointer);
        assert!(said[index].1.contains(there_is), "{}", said[index].1);
    }
    for (body, pointer, says) in [
        (
            json!({"organizational_units": ["Restricted"]}),
            "/organizational_units",
            "no account",
        ),
        (
            json!({"accounts": ["222222222222"], "controls": ["organizations.units"]}),
            "/controls",
            "belong to the organization",
        ),
        (
            json!({"accounts": ["111111111111"], "controls": ["guardduty.detector"]}),
            "/controls",
            "belong to accounts",
        ),
        (json!({"region": ["eu-west-1"]}), "/region", "regions"),
    ] {
        let answer = server.post("/plans", &body).await;
        answer.is_problem(422, "invalid-fields");
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], pointer, "{}", answer.text);
        assert!(
            error["rule"].as_str().unwrap().contains(says),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_plan_is_asked_for_made_and_read() {
    let (server, _) = reads::governed().await;
    let asked = server.post("/plans", &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let id = asked.body["id"].as_str().unwrap();
    assert_eq!(asked.headers["location"], format!("/api/v1/plans/{id}"));
    assert_eq!(asked.body["state"], "planning");
    assert_eq!(
        asked.body["counts"]["targets"], 2,
        "the account and the organization"
    );
    server
        .post(&format!("/plans/{id}/apply"), &json!({}))
        .await
        .is_problem(409, "wrong-state");

    for (body, targets) in [
        (json!({"accounts": ["111111111111"]}), 1),
        (json!({"organizational_units": ["Applications"]}), 1),
        (
            json!({"accounts": ["111111111111"], "organizational_units": ["Applications"]}),
            2,
        ),
        (json!({"controls": ["organizations.units"]}), 1),
    ] {
        let asked = server.post("/plans", &body).await;
        assert_eq!(asked.body["counts"]["targets"], targets, "{}", asked.text);
        for (list, names) in body.as_object().unwrap() {
            assert_eq!(&asked.body["scope"][list], names);
        }
    }
    server.look_for_plans().await;
    let plan = server.get(&format!("/plans/{id}")).await;
    assert_eq!(plan.body["state"], "planned");
    assert_eq!(plan.body["counts"]["changes"], 2);
    assert_eq!(plan.body["counts"]["cells_in_sync"], 6);
    let targets = server.get(&format!("/plans/{id}/targets?limit=1")).await;
    assert_eq!(targets.body["items"][0]["baseline"], "foundation");
    let cursor = targets.body["next_cursor"].as_str().unwrap();
    let rest = server
        .get(&format!("/plans/{id}/targets?cursor={cursor}"))
        .await;
    assert_eq!(rest.body["items"].as_array().unwrap().len(), 1);
    let changes = server.get(&format!("/plans/{id}/changes?limit=1")).await;
    assert!(changes.body["next_cursor"].is_string());
    for (account, organization) in [("222222222222", false), ("111111111111", true)] {
        let changes = server
            .get(&format!("/plans/{id}/changes?account_id={account}"))
            .await;
        let items = changes.body["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{}", changes.text);
        assert_eq!(items[0]["account_id"] == Value::Null, organization);
        assert_eq!(
            items[0]["changes"][0],
            json!({"effect": "create", "sentence": "turn GuardDuty on", "change": "create"})
        );
    }
    let list = server.get("/plans?limit=2").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    assert!(list.body["next_cursor"].is_string());
}

#[tokio::test]
async fn a_plan_is_applied_once_and_not_by_everybody() {
    let (server, account) = reads::governed().await;
    let plan = server.planned(&account, now()).await;
    let engineer = server.token("eve", Role::Engineer).await;
    let security = server.token("sue", Role::Security).await;
    let apply = format!("{plan}/apply");
    server
        .post_as(&engineer, "/plans", &json!({}))
        .await
        .is_problem(403, "forbidden");
    server
        .post_as(&security, &apply, &json!({}))
        .await
        .is_problem(403, "forbidden");
    let applied = server.post(&apply, &json!({})).await;
    assert_eq!(applied.status, 202, "{}", applied.text);
    assert_eq!(applied.body["state"], "applying");
    assert_eq!(applied.body["applied_by"], "bootstrap");
    let again = server.post(&apply, &json!({})).await;
    again.is_problem(409, "wrong-state");
    assert!(again.body["detail"].as_str().unwrap().contains("bootstrap"));
    let none = format!("/plans/{}", Uuid::nil());
    for path in [
        none.clone(),
        format!("{none}/targets"),
        format!("{none}/changes"),
    ] {
        server.get(&path).await.is_problem(404, "not-found");
    }
    for verb in ["apply", "approve"] {
        server
            .post(&format!("{none}/{verb}"), &json!({}))
            .await
            .is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn an_old_plan_and_one_of_a_paused_account_are_refused() {
    let (server, account) = reads::governed().await;
    let old = server.planned(&account, now() - HOLDS).await;
    let answer = server.post(&format!("{old}/apply"), &json!({})).await;
    answer.is_problem(409, "plan-expired");
    let security = server.token("sue", Role::Security).await;
    server
        .post_as(&security, &format!("{old}/approve"), &json!({}))
        .await
        .is_problem(409, "plan-expired");

    let plan = server.planned(&account, now()).await;
    let reason = json!({"reason": "Incident 4711"});
    server.post("/accounts/222222222222/pause", &reason).await;
    let answer = server.post(&format!("{plan}/apply"), &json!({})).await;
    answer.is_problem(409, "account-paused");
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("222222222222"),
        "{}",
        answer.text
    );
    server
        .post("/accounts/222222222222/resume", &json!({}))
        .await;
    let answer = server.post(&format!("{plan}/apply"), &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn a_big_plan_needs_somebody_else() {
    let zone = super::LANDING_ZONE.replace("accounts_alone = 3", "accounts_alone = 0");
    let (server, account) = reads::governed_in(&zone).await;
    let plan = server.planned(&account, now()).await;
    let ann = server.token("ann", Role::Administrator).await;
    let bob = server.token("bob", Role::Security).await;
    let eve = server.token("eve", Role::Engineer).await;
    let shown = server.get(&plan).await;
    assert_eq!(
        shown.body["approval"],
        json!({"needed": true, "accounts_alone": 0})
    );
    let (approve, apply) = (format!("{plan}/approve"), format!("{plan}/apply"));
    server
        .post(&apply, &json!({}))
        .await
        .is_problem(409, "approval-needed");
    for token in [&ann, &eve] {
        server
            .post_as(token, &approve, &json!({}))
            .await
            .is_problem(403, "forbidden");
    }
    let approved = server.post_as(&bob, &approve, &json!({})).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    assert_eq!(approved.body["approval"]["approved_by"], "bob");
    let answer = server.post_as(&ann, &apply, &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}
