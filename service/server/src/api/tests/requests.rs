//! Asking for accounts and deciding.

use axum::body::Body;
use http::{Method, header};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use landfall_model::account::{Failure, Phase};
use landfall_model::cloud_error::Help;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::request::RequestForm;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::auth::Role;
use super::super::document;
use super::{BOOTSTRAP, Server, call, form, form_with, now};
use crate::store::{LeaseState, NewEvent};

impl Server {
    /// Moves a request to a phase, as the engine does.
    pub(super) async fn enter(&self, id: &str, phase: Phase, failure: Option<&Failure>) {
        let id: Uuid = id.parse().unwrap();
        let now = now() + SignedDuration::from_secs(1);
        let leases = self
            .store
            .claim(Uuid::now_v7(), now, 100, SignedDuration::from_mins(1))
            .await
            .unwrap();
        for lease in leases {
            if lease.target == TargetId::Account(id) {
                let event = NewEvent::new(
                    lease.target,
                    EventKind::PhaseEntered,
                    phase.name().to_owned(),
                );
                let state = self
                    .store
                    .enter_phase(&lease, phase, failure, &event, now)
                    .await
                    .unwrap();
                assert_eq!(state, LeaseState::Held);
            }
            let state = self.store.release(lease, now, false, None).await.unwrap();
            assert_eq!(state, LeaseState::Held);
        }
    }
}

#[tokio::test]
async fn a_request_is_accepted_and_found_again() {
    let server = Server::start().await;
    let made = server.post("/account-requests", &form()).await;
    assert_eq!(made.status, 202, "{}", made.text);
    assert_eq!(made.body["phase"], "requested");
    assert_eq!(made.body["requested_by"], "bootstrap");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(
        made.headers[header::LOCATION],
        format!("/api/v1/account-requests/{id}")
    );
    assert_eq!(
        made.body["email"],
        format!("aws+{}@example.com", &id[24..]),
        "made from the landing zone's template"
    );
    let found = server.get(&format!("/account-requests/{id}")).await;
    assert_eq!(found.body, made.body);
    let events = server.get(&format!("/account-requests/{id}/events")).await;
    assert_eq!(events.body["items"][0]["kind"], "requested");
    assert_eq!(events.body["items"][0]["actor"], "bootstrap");
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let server = Server::start().await;
    let answer = server
        .post(
            "/account-requests",
            &json!({ "organizational_unit": "Nowhere" }),
        )
        .await;
    answer.is_problem(422, "invalid-fields");
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 6, "{}", answer.text);
    let unit = errors
        .iter()
        .find(|error| error["pointer"] == "/organizational_unit")
        .unwrap();
    assert!(
        unit["rule"]
            .as_str()
            .unwrap()
            .contains("Applications/Sandbox"),
        "{unit}"
    );
}

#[tokio::test]
async fn an_email_is_one_requests_own() {
    let server = Server::start().await;
    let body = form_with("email", "root@example.com");
    let first = server.post("/account-requests", &body).await;
    let second = server.post("/account-requests", &body).await;
    second.is_problem(409, "email-taken");
    assert_eq!(second.body["account_request_id"], first.body["id"]);
    let url = second.body["account_request_url"].as_str().unwrap();
    assert!(url.ends_with(first.body["id"].as_str().unwrap()));
}

#[tokio::test]
async fn the_same_key_makes_one_request() {
    let server = Server::start().await;
    let first = server.post_once("k-1", "/account-requests", &form()).await;
    let again = server.post_once("k-1", "/account-requests", &form()).await;
    assert_eq!((again.status.as_u16(), &again.body), (202, &first.body));
    assert_eq!(
        again.headers[header::LOCATION],
        first.headers[header::LOCATION]
    );
    let other = server
        .post_once("k-1", "/account-requests", &form_with("name", "Other"))
        .await;
    other.is_problem(422, "idempotency-key-reused");
    let list = server.get("/account-requests").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let long = server
        .post_once(&"k".repeat(256), "/account-requests", &form())
        .await;
    long.is_problem(400, "bad-parameter");
}

#[tokio::test]
async fn the_same_key_decides_once() {
    let server = Server::start().await;
    let made = server.post("/account-requests", &form()).await;
    let path = format!(
        "/account-requests/{}/cancel",
        made.body["id"].as_str().unwrap()
    );
    let reason = json!({ "reason": "not needed" });
    let first = server.post_once("c-1", &path, &reason).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.body["phase"], "rejected");
    assert_eq!(first.body["failure"]["message"], "not needed");
    let again = server.post_once("c-1", &path, &reason).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    server
        .post_once("c-1", &path, &json!({}))
        .await
        .is_problem(422, "idempotency-key-reused");
    let new = server.post_once("c-2", &path, &reason).await;
    new.is_problem(409, "wrong-phase");
    assert_eq!(new.body["phase"], "rejected");
    let corrected = server.post_once("c-2", "/account-requests", &form()).await;
    assert_eq!(
        corrected.status, 202,
        "a refused call leaves its key free: {}",
        corrected.text
    );
}

#[tokio::test]
async fn decisions_are_for_those_who_may() {
    let server = Server::start().await;
    let (ann, bob) = (
        server.token("ann", Role::Engineer).await,
        server.token("bob", Role::Engineer).await,
    );
    let security = server.token("sec", Role::Security).await;
    let made = server.post_as(&ann, "/account-requests", &form()).await;
    let path = format!("/account-requests/{}", made.body["id"].as_str().unwrap());
    let reason = json!({ "reason": "because" });
    for verb in ["approve", "reject"] {
        server
            .post_as(&ann, &format!("{path}/{verb}"), &reason)
            .await
            .is_problem(403, "forbidden");
    }
    server
        .post_as(&bob, &format!("{path}/cancel"), &reason)
        .await
        .is_problem(403, "forbidden");
    let early = server
        .post_as(&security, &format!("{path}/approve"), &reason)
        .await;
    early.is_problem(409, "wrong-phase");
    server
        .enter(
            made.body["id"].as_str().unwrap(),
            Phase::AwaitingApproval,
            None,
        )
        .await;
    let bare = server
        .post_as(&security, &format!("{path}/reject"), &json!({}))
        .await;
    bare.is_problem(422, "invalid-fields");
    assert_eq!(bare.body["errors"][0]["pointer"], "/reason");
    let approved = server
        .post_as(&security, &format!("{path}/approve"), &reason)
        .await;
    assert_eq!(approved.body["phase"], "creating", "{}", approved.text);
    server
        .post_as(&ann, &format!("{path}/cancel"), &reason)
        .await
        .is_problem(409, "wrong-phase");
    let history = server.get(&format!("{path}/events")).await;
    let approval = history.body["items"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(
        (&approval["kind"], &approval["actor"]),
        (&json!("approved"), &json!("sec"))
    );
}

#[tokio::test]
async fn a_failed_request_is_corrected_and_tried_again() {
    let server = Server::start().await;
    server
        .post(
            "/account-requests",
            &form_with("email", "other@example.com"),
        )
        .await;
    let made = server
        .post(
            "/account-requests",
            &form_with("email", "taken@example.com"),
        )
        .await;
    let id = made.body["id"].as_str().unwrap();
    let path = format!("/account-requests/{id}/retry");
    server
        .post(&path, &json!({}))
        .await
        .is_problem(409, "wrong-phase");
    let failure = Failure {
        reason: "EMAIL_ALREADY_EXISTS".to_owned(),
        message: "The root e-mail is taken.".to_owned(),
        who_can_help: Help::Requester,
    };
    server.enter(id, Phase::Failed, Some(&failure)).await;
    let failed = server.get(&format!("/account-requests/{id}")).await;
    assert_eq!(failed.body["failure"]["who_can_help"], "requester");

    let bad = server
        .post(&path, &json!({ "email": "no", "name": "" }))
        .await;
    bad.is_problem(422, "invalid-fields");
    assert_eq!(bad.body["errors"].as_array().unwrap().len(), 2);
    server
        .post(&path, &json!({ "email": "other@example.com" }))
        .await
        .is_problem(409, "email-taken");
    let again = server
        .post(&path, &json!({ "email": "free@example.com" }))
        .await;
    assert_eq!(again.status, 202, "{}", again.text);
    assert_eq!(again.body["phase"], "requested");
    assert_eq!(again.body["email"], "free@example.com");
    assert_eq!(
        again.body["name"], "Payments production",
        "what is left out stays"
    );
    assert_eq!(again.body.get("failure"), None);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Server::start().await;
    for n in 0..5 {
        let made = server
            .post(
                "/account-requests",
                &form_with("name", format!("Account {n}")),
            )
            .await;
        assert_eq!(made.status, 202);
    }
    let mut names = Vec::new();
    let mut path = "/account-requests?limit=2&phase=requested".to_owned();
    loop {
        let page = server.get(&path).await;
        let items = page.body["items"].as_array().unwrap().clone();
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page.body["next_cursor"].as_str() {
            Some(cursor) => {
                path = format!("/account-requests?limit=2&phase=requested&cursor={cursor}")
            }
            None => break,
        }
    }
    assert_eq!(
        names,
        [
            "Account 4",
            "Account 3",
            "Account 2",
            "Account 1",
            "Account 0"
        ]
    );
}

#[tokio::test]
async fn a_wrong_place_among_events_is_blamed_on_what_says_it() {
    let server = Server::start().await;
    let made = server.post("/account-requests", &form()).await;
    let id = made.body["id"].as_str().unwrap();
    for (header, cursor, blamed) in [
        (Some("yesterday"), "1", "`Last-Event-ID` is wrong"),
        (None, "yesterday", "`cursor` is wrong"),
    ] {
        let path = format!("/account-requests/{id}/events?cursor={cursor}");
        let mut request = call(Method::GET, &path, BOOTSTRAP);
        if let Some(header) = header {
            request = request.header("last-event-id", header);
        }
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        answer.is_problem(400, "bad-parameter");
        assert!(answer.text.contains(blamed), "{}", answer.text);
    }
}

#[tokio::test]
async fn events_come_as_they_happen_and_from_where_one_left_off() {
    let server = Server::start().await;
    let made = server.post("/account-requests", &form()).await;
    let id = made.body["id"].as_str().unwrap();
    let open = async |last: Option<&str>| {
        let mut request = call(
            Method::GET,
            &format!("/account-requests/{id}/events"),
            BOOTSTRAP,
        )
        .header(header::ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = server.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        response.into_body()
    };
    let mut stream = open(None).await;
    let first = next(&mut stream).await;
    assert!(first.contains("event: requested"), "{first}");
    let seq = first
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();

    server.enter(id, Phase::Creating, None).await;
    let second = next(&mut stream).await;
    assert!(second.contains("event: phase_entered"), "{second}");

    let mut resumed = open(Some(seq)).await;
    assert_eq!(
        next(&mut resumed).await,
        second,
        "what was seen does not come again"
    );
    server.shutdown.cancel();
    assert!(
        stream.frame().await.is_none(),
        "a stopping server ends its streams"
    );
}

async fn next(stream: &mut Body) -> String {
    let frame = tokio::time::timeout(std::time::Duration::from_secs(10), stream.frame()).await;
    let data = frame
        .expect("an event comes")
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

#[test]
fn the_documented_form_is_the_form() {
    let form = RequestForm {
        email: Some("a@example.com".to_owned()),
        tags: [("a".to_owned(), "b".to_owned())].into(),
        ..RequestForm::default()
    };
    let fields = serde_json::to_value(form).unwrap();
    let document = serde_json::to_value(document()).unwrap();
    let documented = &document["components"]["schemas"]["AccountRequestForm"]["properties"];
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&fields), keys(documented));
}
