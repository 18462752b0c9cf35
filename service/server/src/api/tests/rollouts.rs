//! Rollouts and baselines as callers see them.

use landfall_model::baseline::Baseline;
use landfall_model::landing_zone::LandingZone;
use landfall_model::rollout::Wanted;
use serde_json::json;

use super::{Server, now};
use crate::api::auth::Role;
use crate::catalogue::Catalogue;

/// What the engine does at its start, twice: the second time with production's files changed.
async fn two_rollouts(server: &Server) -> (String, String) {
    let text = include_str!("../../../../../deploy/landing-zone.toml");
    let zone = LandingZone::parse("landing-zone.toml", text).unwrap();
    let catalogue = Catalogue::load(&zone, None, None).unwrap();
    let all: Vec<&Baseline> = catalogue.baselines.iter().collect();
    server.store.ensure_organization(now()).await.unwrap();
    server.store.keep_revisions(&all, now()).await.unwrap();
    let wanted = Wanted::new(&zone, &catalogue.baselines, &catalogue.scps);
    let first = server
        .store
        .begin_rollout(&wanted, true, now())
        .await
        .unwrap();
    let text = text.replace("baseline = \"production\"", "baseline = \"admin\"");
    let zone = LandingZone::parse("landing-zone.toml", &text).unwrap();
    let wanted = Wanted::new(&zone, &catalogue.baselines, &catalogue.scps);
    let second = server
        .store
        .begin_rollout(&wanted, true, now())
        .await
        .unwrap();
    (
        first.unwrap().id.to_string(),
        second.unwrap().id.to_string(),
    )
}

#[tokio::test]
async fn a_rollout_is_listed_shown_and_decided_on() {
    let server = Server::start().await;
    assert_eq!(server.get("/rollouts").await.body["items"], json!([]));
    let (first, second) = two_rollouts(&server).await;
    let list = server.get("/rollouts").await.body;
    assert_eq!(
        list["items"][0]["id"],
        second.as_str(),
        "newest first: {list}"
    );
    let page = server.get("/rollouts?limit=1").await.body;
    let rest = format!("/rollouts?cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(
        server.get(&rest).await.body["items"][0]["id"],
        first.as_str()
    );

    let shown = server.get(&format!("/rollouts/{second}")).await.body;
    assert_eq!(
        (&shown["state"], &shown["behind"]),
        (&json!("running"), &json!(0))
    );
    for (verb, state) in [
        ("pause", "paused"),
        ("resume", "running"),
        ("roll-back", "rolling_back"),
    ] {
        let path = format!("/rollouts/{second}/{verb}");
        let answer = server.post(&path, &json!({ "reason": "a test" })).await;
        assert_eq!(answer.body["state"], state, "{}", answer.text);
        assert_eq!(answer.body["changed_by"], "bootstrap");
        assert_eq!(answer.body["reason"], "a test");
    }
    let metrics = server.get("/rollouts").await;
    assert_eq!(metrics.body["items"][0]["state"], "rolling_back");
}

#[tokio::test]
async fn a_rollout_tells_where_the_policies_that_it_changes_stand() {
    let server = Server::start().await;
    let text = include_str!("../../../../../deploy/landing-zone.toml");
    let zone = LandingZone::parse("landing-zone.toml", text).unwrap();
    let catalogue = Catalogue::load(&zone, None, None).unwrap();
    let mut before = catalogue.scps.clone();
    let sandbox = "Applications/Sandbox".parse().unwrap();
    before.attachments.remove(&sandbox);
    let all: Vec<&Baseline> = catalogue.baselines.iter().collect();
    server.store.ensure_organization(now()).await.unwrap();
    server.store.keep_revisions(&all, now()).await.unwrap();
    for set in [&before, &catalogue.scps] {
        server.store.keep_scps(set, now()).await.unwrap();
        let wanted = Wanted::new(&zone, &catalogue.baselines, set);
        let begun = server.store.begin_rollout(&wanted, true, now()).await;
        begun.unwrap().expect("it is another than before");
    }
    let latest = server.get("/rollouts").await.body["items"][0]["id"].clone();
    let path = format!("/rollouts/{}", latest.as_str().unwrap());
    let shown = server.get(&path).await.body;
    let behind = json!([{ "target": "Applications/Sandbox", "state": "behind", "accounts": 0 }]);
    assert_eq!(shown["policies"], behind, "{shown:#}");
}

#[tokio::test]
async fn what_cannot_be_decided_says_why() {
    let server = Server::start().await;
    let (first, second) = two_rollouts(&server).await;
    let reason = json!({ "reason": "a test" });
    for (id, verb, kind, status, says) in [
        (
            &second,
            "start",
            "wrong-state",
            409,
            "only one that is proposed",
        ),
        (&second, "resume", "wrong-state", 409, "paused or stopped"),
        (&first, "pause", "wrong-state", 409, "only one that runs"),
        (&first, "roll-back", "wrong-state", 409, "A later rollout"),
    ] {
        let answer = server
            .post(&format!("/rollouts/{id}/{verb}"), &reason)
            .await;
        answer.is_problem(status, kind);
        assert!(answer.text.contains(says), "{}", answer.text);
    }
    let nothing = "/rollouts/00000000-0000-0000-0000-000000000000";
    server.get(nothing).await.is_problem(404, "not-found");
    server
        .post(&format!("{nothing}/pause"), &reason)
        .await
        .is_problem(404, "not-found");
    server
        .get("/rollouts/7")
        .await
        .is_problem(400, "bad-parameter");
    server
        .get("/rollouts?cursor=7")
        .await
        .is_problem(400, "bad-parameter");
    let roll_back = format!("/rollouts/{second}/roll-back");
    server
        .post(&roll_back, &json!({}))
        .await
        .is_problem(422, "invalid-fields");
    let engineer = server.token("eve", Role::Engineer).await;
    server
        .post_as(&engineer, &roll_back, &reason)
        .await
        .is_problem(403, "forbidden");
}

#[tokio::test]
async fn baselines_say_where_each_value_comes_from() {
    let server = Server::start().await;
    let list = server.get("/baselines").await.body;
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|baseline| baseline["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "admin",
            "foundation",
            "management",
            "none",
            "organization",
            "production",
            "sandbox"
        ]
    );
    let sandbox = server.get("/baselines/sandbox").await.body;
    assert_eq!(sandbox["extends"], "foundation");
    assert_eq!(
        sandbox["organizational_units"],
        json!(["Applications/Sandbox"])
    );
    let recorder = sandbox["controls"]
        .as_array()
        .unwrap()
        .iter()
        .find(|control| control["id"] == "config.recorder")
        .unwrap();
    assert_eq!(recorder["file"], "baselines/foundation.toml");
    let from = |name: &str| {
        let parameters = recorder["parameters"].as_array().unwrap();
        let parameter = parameters
            .iter()
            .find(|parameter| parameter["name"] == name);
        parameter.unwrap()["file"].clone()
    };
    assert_eq!(from("recording_frequency"), "baselines/sandbox.toml");
    assert_eq!(from("snapshot_frequency"), "baselines/foundation.toml");
    assert_eq!(recorder["regions"].as_array().unwrap().len(), 17);
    server
        .get("/baselines/nothing")
        .await
        .is_problem(404, "not-found");
}
