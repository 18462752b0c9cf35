//! Service control policies: what stands where, and checks of others.

use std::collections::BTreeMap;

use http::{Method, header};
use landfall_model::baseline::Baseline;
use landfall_model::landing_zone::LandingZone;
use landfall_model::request::RequestForm;
use landfall_model::rollout::Wanted;
use landfall_model::scp::{PREFIX, ScpSet};
use serde_json::{Value, json};
use uuid::Uuid;

use super::reads::governed;
use super::{BOOTSTRAP, LANDING_ZONE, Server, call, now};
use crate::catalogue::Catalogue;
use crate::scp_check::files::ScpFiles;
use crate::store::{Added, NewRequest, Purpose, Role};

/// The embedded files as somebody would post them.
fn files() -> BTreeMap<String, String> {
    let embedded = ScpFiles::embedded();
    let all = embedded
        .documents
        .into_iter()
        .chain(embedded.tables)
        .chain(embedded.attachments);
    all.map(|(name, text)| (name.trim_start_matches("scp/").to_owned(), text))
        .collect()
}

fn record(region: &str) -> Value {
    json!({
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDA", "arn": "arn:aws:iam::222222222222:user/alice",
            "accountId": "222222222222", "userName": "alice",
        },
        "eventTime": "2026-11-02T10:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
        "awsRegion": region, "sourceIPAddress": "203.0.113.7", "eventID": "e-1", "eventType": "AwsApiCall",
        "recipientAccountId": "222222222222", "eventCategory": "Management",
    })
}

#[tokio::test]
async fn policies_are_listed_with_where_they_stand() {
    let server = Server::start().await;
    let answer = server.get("/scps").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let items = answer.body["items"].as_array().unwrap();
    let quarantine = items
        .iter()
        .find(|item| item["name"] == "quarantine")
        .unwrap();
    assert_eq!(quarantine["attached_to"], json!(["Quarantine"]));
    assert_eq!(quarantine["file"], "scp/quarantine.json");
    assert_eq!(quarantine["document"]["Version"], "2012-10-17");
    let of_aws = |item: &Value| item["name"].as_str().unwrap().starts_with(PREFIX);
    assert!(!items.iter().any(of_aws), "{}", answer.text);
}

#[tokio::test]
async fn the_server_s_own_policies_pass_and_any_reader_may_ask() {
    let server = Server::start().await;
    let engineer = server.token("ann", Role::Engineer).await;
    let answer = server.post_as(&engineer, "/scps/check", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["can_be_attached"], true, "{}", answer.text);
    assert_eq!(answer.body["compared_with"], "FullAWSAccess alone");
    assert_eq!(answer.body["bars"], json!([]));
}

#[tokio::test]
async fn posted_policies_are_compared_with_the_server_s() {
    let server = Server::start().await;
    let mut posted = files();
    let body = json!({"files": posted, "records": [record("ap-southeast-3"), {"no": "record"}]});
    let answer = server.post("/scps/check", &body).await;
    assert_eq!(answer.body["can_be_attached"], true, "{}", answer.text);
    assert_eq!(answer.body["compared_with"], "the policies of this server");
    let totals = &answer.body["impact"]["totals"];
    // Nobody told the server of the account.
    assert_eq!(totals["records"], 2);
    assert_eq!(totals["unjudged"]["unknown_account"], 1);
    assert_eq!(totals["unjudged"]["unreadable"], 1);

    let quarantine = posted.get_mut("quarantine.json").unwrap();
    *quarantine = quarantine.replace("${execution_role}", "Nobody");
    let answer = server.post("/scps/check", &json!({"files": posted})).await;
    assert_eq!(answer.body["can_be_attached"], false, "{}", answer.text);
    assert_eq!(answer.body["lockouts"][0]["policy"], "quarantine");
    assert_eq!(answer.body["lockouts"][0]["already"], false);
    assert!(answer.body["decisions"]["failed"][0]["file"] == "decisions/quarantine.toml");
}

/// As if `settled` stood everywhere, and a rollout were to bring the server's own.
pub(super) async fn rollout_from(server: &Server, settled: &ScpSet) {
    let zone = LandingZone::parse("landing-zone.toml", LANDING_ZONE).unwrap();
    let catalogue = Catalogue::load(&zone, None, None).unwrap();
    let all: Vec<&Baseline> = catalogue.baselines.iter().collect();
    let store = &server.store;
    store.ensure_organization(now()).await.unwrap();
    store.keep_revisions(&all, now()).await.unwrap();
    for set in [settled, &catalogue.scps] {
        store.keep_scps(set, now()).await.unwrap();
        let wanted = Wanted::new(&zone, &catalogue.baselines, set);
        let begun = store.begin_rollout(&wanted, false, now()).await.unwrap();
        assert!(begun.is_some());
    }
}

#[tokio::test]
async fn while_a_rollout_is_under_way_posted_policies_are_compared_with_what_stands() {
    let (server, _) = governed().await;
    let body = json!({"files": files(), "records": [record("ap-southeast-3")]});
    let denied = async || {
        let answer = server.post("/scps/check", &body).await;
        let denied = answer.body["impact"]["totals"]["denied"].clone();
        (denied, answer.body["compared_with"].to_string())
    };
    assert_eq!(denied().await.0, 0);
    let zone = LandingZone::parse("landing-zone.toml", LANDING_ZONE).unwrap();
    let mut settled = ScpFiles::embedded().parse(&zone).unwrap();
    for names in settled.attachments.values_mut() {
        names.retain(|name| name != "deny-unused-regions");
    }
    rollout_from(&server, &settled).await;
    let (denied, compared_with) = denied().await;
    assert_eq!(denied, 1);
    assert!(
        compared_with.contains("as they stand now"),
        "{compared_with}"
    );
}

#[tokio::test]
async fn the_answer_is_a_page_where_one_is_wanted() {
    let server = Server::start().await;
    let request = call(Method::POST, "/scps/check", BOOTSTRAP)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "text/html")
        .header("idempotency-key", "k")
        .body("{}".into());
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY));
    assert!(answer.text.contains("<h1>Nothing bars"), "{}", answer.text);
    // The same key with another question is answered too: nothing is remembered.
    let answer = server
        .post_once("k", "/scps/check", &json!({"records": []}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn what_cannot_be_checked_is_an_error_with_its_place() {
    let server = Server::start().await;
    for (body, pointer) in [
        (
            json!({"files": {"further/x.json": "{}"}}),
            "/files/further~1x.json",
        ),
        (json!({"file": {}}), "/file"),
        (json!({"files": {"x.json": {}}}), "/files/x.json"),
        (json!({"records": {}}), "/records"),
        (json!({"records": [{}, ["1.08", {}]]}), "/records/1"),
    ] {
        let answer = server.post("/scps/check", &body).await;
        answer.is_problem(422, "invalid-fields");
        assert_eq!(
            answer.body["errors"][0]["pointer"], pointer,
            "{}",
            answer.text
        );
    }
    // Files that are wrong are what a check is for.
    let answer = server
        .post("/scps/check", &json!({"files": {"x.json": "{"}}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.body["findings"].as_array().unwrap().len(),
        2,
        "{}",
        answer.text
    );
    // More than other bodies may have.
    let records: Vec<Value> = (0..1_000).map(|_| record("eu-west-1")).collect();
    let body = json!({"records": records});
    assert!(body.to_string().len() > super::super::extract::BODY_LIMIT);
    let answer = server.post("/scps/check", &body).await;
    assert_eq!(
        answer.body["impact"]["totals"]["records"], 1_000,
        "{}",
        answer.text
    );
}

/// What is wrong with a question about log files is said before anybody is asked.
#[tokio::test]
async fn days_that_make_no_sense_are_refused_with_their_place() {
    let (server, _) = governed().await;
    for (body, pointer, rule) in [
        (json!({"days": 0}), "/days", "must be 1 to 90"),
        (json!({"days": 91}), "/days", "must be 1 to 90"),
        (json!({"days": -1}), "/days", ""),
        (
            json!({"days": 3, "records": [record("eu-west-1")]}),
            "/days",
            "send one of them",
        ),
        (
            json!({"accounts": ["222222222222"]}),
            "/accounts",
            "send days with it",
        ),
        (
            json!({"days": 3, "accounts": ["222222222222", "222222222223"]}),
            "/accounts/1",
            "no account of Landfall's",
        ),
        (
            json!({"cursor": "2026-11-22/2026-11-20/eu-west-1/222222222222"}),
            "/cursor",
            "send the same days",
        ),
        (
            json!({"days": 1, "cursor": "2026-11-22/2026-11-20/eu-west-1/222222222222"}),
            "/cursor",
            "send the same days",
        ),
        (
            json!({"days": 3, "cursor": "next"}),
            "/cursor",
            "next_cursor",
        ),
        (
            json!({"days": 3, "accounts": ["payments"]}),
            "/accounts/0",
            "no account of Landfall's",
        ),
    ] {
        let answer = server.post("/scps/check", &body).await;
        answer.is_problem(422, "invalid-fields");
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], pointer, "{}", answer.text);
        let said = error["rule"].as_str().unwrap();
        assert!(said.contains(rule), "{}", answer.text);
    }
}

#[tokio::test]
async fn where_aws_cannot_be_asked_the_check_goes_on() {
    let server = Server::start().await;
    let answer = server.post("/scps/check", &json!({"validate": true})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["can_be_attached"], true);
    let left_out = answer.body["not_looked_at"].to_string();
    assert!(left_out.contains("no way to AWS"), "{left_out}");
}

/// Log files tell who does what, in every account.
#[tokio::test]
async fn engineers_have_no_log_files_read() {
    let server = Server::start().await;
    for (name, role, status, problem) in [
        ("ann", Role::Engineer, 403, "forbidden"),
        ("sid", Role::Security, 409, "no-logs"),
        ("pat", Role::Platform, 409, "no-logs"),
    ] {
        let token = server.token(name, role).await;
        let answer = server
            .post_as(&token, "/scps/check", &json!({"days": 3}))
            .await;
        answer.is_problem(status, problem);
    }
}

#[tokio::test]
async fn without_a_log_bucket_there_is_nothing_to_read() {
    let server = Server::start().await;
    let days = json!({"days": 3});
    let answer = server.post("/scps/check", &days).await;
    answer.is_problem(409, "no-logs");
    assert!(
        answer.text.contains("no log archive account"),
        "{}",
        answer.text
    );

    let zone = LandingZone::parse("landing-zone.toml", LANDING_ZONE).unwrap();
    let form = RequestForm {
        organizational_unit: "Applications/Sandbox".to_owned(),
        ..serde_json::from_value(super::form()).unwrap()
    };
    let request = form.check(&zone).unwrap();
    let new = NewRequest {
        id: Uuid::now_v7(),
        request: &request,
        email: "aws+log-archive@example.com".parse().unwrap(),
        purpose: Purpose::LogArchive,
        requested_by: "test",
        existing: Some("333333333333".parse().unwrap()),
        idempotency: None,
    };
    let added = server.store.add_request(&new, now()).await.unwrap();
    assert!(matches!(added, Added::New(_)), "{added:?}");
    let answer = server.post("/scps/check", &days).await;
    answer.is_problem(409, "no-logs");
    assert!(
        answer.text.contains("no organization trail yet"),
        "{}",
        answer.text
    );
}
