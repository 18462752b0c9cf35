//! Exemptions from service control policies: who may ask, who may agree, and what is refused with which figures.

use jiff::SignedDuration;
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::ExemptionForm;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::auth::Role;
use super::super::document;
use super::reads::{governed, governed_in};
use super::scps::rollout_from;
use super::{LANDING_ZONE, now};
use crate::scp_check::files::ScpFiles;

const ACCOUNT: &str = "222222222222";

/// A form that keeps every rule.
fn form() -> Value {
    json!({
        "policy": "deny-unused-regions",
        "account_id": ACCOUNT,
        "principals": ["role/TeamX*"],
        "reason": "the line to the data centre",
        "expires_at": now() + SignedDuration::from_hours(24),
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut form = form();
    form[member] = value;
    form
}

#[tokio::test]
async fn while_a_rollout_is_under_way_what_stands_counts_too() {
    let (server, _) = governed().await;
    let zone = LandingZone::parse("landing-zone.toml", LANDING_ZONE).unwrap();
    let mut settled = ScpFiles::embedded().parse(&zone).unwrap();
    // Of these two, which the files do not have any more, one is as long as AWS takes it.
    for (name, length) in [("short", 10), ("long", 10_100)] {
        let action = "x".repeat(length);
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": name, "Effect": "Deny", "Action": format!("s3:{action}"), "Resource": "*"}
        ]});
        let applications = settled
            .attachments
            .get_mut(&"Applications".parse().unwrap());
        applications.unwrap().push(name.to_owned());
        settled
            .documents
            .insert(name.to_owned(), document.to_string());
        settled.exemptable.insert(name.to_owned());
    }
    settled.packed(zone.scps).unwrap();
    let of_short = with("policy", json!("short"));
    let unknown = server.post("/scp-exemptions", &of_short).await;
    assert!(
        unknown.text.contains("there is no policy `short`"),
        "{}",
        unknown.text
    );
    rollout_from(&server, &settled).await;
    let proposed = server.post("/scp-exemptions", &of_short).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let of_long = with("policy", json!("long"));
    let long = server.post("/scp-exemptions", &of_long).await;
    assert_eq!(long.status, 422, "{}", long.text);
    assert_eq!(
        long.body["errors"][0]["pointer"], "/principals",
        "{}",
        long.text
    );
    // What is still to come can be asked for, too.
    let to_come = server.post("/scp-exemptions", &form()).await;
    assert_eq!(to_come.status, 201, "{}", to_come.text);
}

#[tokio::test]
async fn an_exemption_is_approved_by_somebody_else() {
    let (server, _) = governed().await;
    let ann = server.token("ann", Role::Engineer).await;
    let sam = server.token("sam", Role::Security).await;
    let proposed = server.post_as(&ann, "/scp-exemptions", &form()).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    assert_eq!(proposed.body["state"], "proposed");
    assert_eq!(
        proposed.body["principals"],
        json!(["arn:aws:iam::222222222222:role/TeamX*"])
    );
    let id = proposed.body["id"].as_str().unwrap();
    let decide = |verb: &str| format!("/scp-exemptions/{id}/{verb}");
    let again = server.post_as(&sam, "/scp-exemptions", &form()).await;
    again.is_problem(409, "asked-already");
    assert_eq!(again.body["existing_id"], id, "{}", again.text);
    server
        .post_as(&ann, &decide("approve"), &json!({}))
        .await
        .is_problem(403, "forbidden");
    server
        .post_as(&sam, &decide("reject"), &json!({}))
        .await
        .is_problem(422, "invalid-fields");
    let approved = server
        .post_as(&sam, &decide("approve"), &json!({ "reason": "fine" }))
        .await;
    assert_eq!(approved.body["state"], "in_force", "{}", approved.text);
    assert_eq!(approved.body["approved"]["by"], "sam");
    server
        .post_as(&sam, &decide("approve"), &json!({}))
        .await
        .is_problem(409, "wrong-state");
    let revoked = server.post_as(&ann, &decide("revoke"), &json!({})).await;
    assert_eq!(revoked.body["state"], "revoked", "{}", revoked.text);

    let own = server.post_as(&sam, "/scp-exemptions", &form()).await;
    let own = own.body["id"].as_str().unwrap();
    server
        .post_as(&sam, &format!("/scp-exemptions/{own}/approve"), &json!({}))
        .await
        .is_problem(403, "own-exemption");
    server
        .post_as(&ann, &format!("/scp-exemptions/{own}/revoke"), &json!({}))
        .await
        .is_problem(403, "forbidden");
    for (filter, count) in [
        ("", 1),
        ("?ended=true", 2),
        ("?state=revoked", 1),
        (
            "?ended=true&account_id=222222222222&policy=deny-unused-regions",
            2,
        ),
        ("?policy=deny-root-user", 0),
    ] {
        let list = server.get(&format!("/scp-exemptions{filter}")).await;
        let items = list.body["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(count), "{filter}: {}", list.text);
    }
    let shown = server.get(&format!("/scp-exemptions/{id}")).await;
    assert_eq!(shown.body["reason"], "the line to the data centre");
    let nobody = format!("/scp-exemptions/{}", Uuid::now_v7());
    server.get(&nobody).await.is_problem(404, "not-found");
    server
        .get("/scp-exemptions?state=over")
        .await
        .is_problem(400, "bad-parameter");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() {
    let (server, _) = governed().await;
    for (form, pointer, says) in [
        (
            with("policy", json!("protect-baseline")),
            "/policy",
            "deny-unused-regions",
        ),
        (
            with("policy", json!("deny-direct")),
            "/policy",
            "there is no policy",
        ),
        (
            with("account_id", json!("333333333333")),
            "/account_id",
            "there is no account 333333333333",
        ),
        (
            with("principals", json!(["arn:aws:iam::333333333333:role/X"])),
            "/principals/0",
            "arn:aws:iam::222222222222:",
        ),
        (
            with("expires_at", json!(now())),
            "/expires_at",
            "in the future",
        ),
        (
            json!({ "policy": "deny-unused-regions", "organizational_unit": "Applications/Sandbox", "reason": "x", "expires_at": now() + SignedDuration::from_hours(24) }),
            "/policy",
            "from Applications, and sparing",
        ),
    ] {
        let answer = server.post("/scp-exemptions", &form).await;
        answer.is_problem(422, "invalid-fields");
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], pointer, "{}", answer.text);
        assert!(answer.text.contains(says), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_figures() {
    // So that the Regions' statement has room for some principals, and not for many.
    let zone = super::LANDING_ZONE.replace("characters = 10240", "characters = 2600");
    let (server, _) = governed_in(&zone).await;
    assert_eq!(server.post("/scp-exemptions", &form()).await.status, 201);
    let many: Vec<String> = (0..10)
        .map(|n| format!("role/{}-{n}", "a-team-with-a-long-name".repeat(5)))
        .collect();
    let answer = server
        .post("/scp-exemptions", &with("principals", json!(many)))
        .await;
    answer.is_problem(422, "invalid-fields");
    assert_eq!(answer.body["errors"][0]["pointer"], "/principals");
    assert!(answer.text.contains("characters long"), "{}", answer.text);
}

#[test]
fn the_documented_form_is_the_form() {
    let form = ExemptionForm {
        account_id: Some(String::new()),
        organizational_unit: Some(String::new()),
        expires_at: Some(now()),
        ..ExemptionForm::default()
    };
    let document = serde_json::to_value(document()).unwrap();
    let documented = &document["components"]["schemas"]["ExemptionForm"]["properties"];
    let fields =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let (mut written, mut told) = (
        fields(&serde_json::to_value(form).unwrap()),
        fields(documented),
    );
    written.sort();
    told.sort();
    assert_eq!(written, told);
}
