//! Every error has one form, whichever layer it comes from.

use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};

use super::super::{document, extract, reference};
use super::{BOOTSTRAP, Server, call, form};

#[tokio::test]
async fn no_operation_answers_without_a_token() {
    let server = Server::start().await;
    let document = serde_json::to_value(document()).unwrap();
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            for token in [None, Some("Bearer nobody's"), Some("Basic YTpi")] {
                let mut request = Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(
                        path.replace("{id}", "00000000-0000-0000-0000-000000000001")
                            .replace("{account_id}", "222222222222"),
                    );
                if let Some(token) = token {
                    request = request.header(header::AUTHORIZATION, token);
                }
                let answer = server.send(request.body(Body::empty()).unwrap()).await;
                answer.is_problem(401, "unauthenticated");
                assert!(
                    answer.headers[header::WWW_AUTHENTICATE]
                        .to_str()
                        .unwrap()
                        .starts_with("Bearer")
                );
            }
            operations += 1;
        }
    }
    assert!(
        operations >= 21,
        "the document lists {operations} operations"
    );
}

#[tokio::test]
async fn what_needs_no_token_answers() {
    let server = Server::start().await;
    for (path, says) in [
        ("/healthz", "alive"),
        ("/readyz", "ready"),
        ("/metrics", "landfall_due_lag_seconds"),
        ("/openapi.json", "\"openapi\""),
        ("/docs", "create"),
        ("/", "/docs"),
    ] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = server.send(request).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.text.contains(says), "{path}: {}", answer.text);
        assert!(answer.headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_problems() {
    let server = Server::start().await;
    server.get("/nothing").await.is_problem(404, "no-such-path");
    let outside = Request::builder()
        .uri("/nothing")
        .body(Body::empty())
        .unwrap();
    server.send(outside).await.is_problem(404, "no-such-path");
    let wrong = call(Method::PUT, "/account-requests", BOOTSTRAP).body(Body::empty());
    let answer = server.send(wrong.unwrap()).await;
    answer.is_problem(405, "method-not-allowed");
    let allow = answer.headers[header::ALLOW].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_told_why() {
    let server = Server::start().await;
    let send = async |kind: &str, body: String| {
        let request = call(Method::POST, "/account-requests", BOOTSTRAP)
            .header(header::CONTENT_TYPE, kind)
            .body(body.into());
        server.send(request.unwrap()).await
    };
    let json = "application/json";
    let answer = send(json, "{\"name\": ".to_owned()).await;
    answer.is_problem(400, "malformed-json");
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .starts_with("Line 1, column "),
        "{}",
        answer.text
    );
    send("text/plain", form().to_string())
        .await
        .is_problem(415, "unsupported-media-type");
    send(json, " ".repeat(extract::BODY_LIMIT + 1))
        .await
        .is_problem(413, "too-large");
    let answer = send(json, "{\"nme\": 1}".to_owned()).await;
    answer.is_problem(422, "invalid-fields");
    assert_eq!(answer.body["errors"][0]["pointer"], "/nme");
    assert!(
        answer.body["errors"][0]["rule"]
            .as_str()
            .unwrap()
            .contains("expected one of `name`")
    );
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = Server::start().await;
    for (path, says) in [
        ("/account-requests/17", "17"),
        ("/account-requests?limit=0", "limit"),
        ("/account-requests?limit=x", "limit: invalid digit"),
        ("/account-requests?phase=done", "awaiting_approval"),
        ("/account-requests?cursor=!", "cursor"),
        ("/account-requests?colour=red", "colour"),
        ("/accounts/22", "twelve digits"),
        ("/assets?region=europe", "region"),
        ("/assets?tag=team", "key=value"),
        ("/organization/cells?status=good", "in_sync"),
    ] {
        let answer = server.get(path).await;
        answer.is_problem(400, "bad-parameter");
        assert!(
            answer.body["detail"].as_str().unwrap().contains(says),
            "{path}: {}",
            answer.text
        );
    }
    for path in [
        "/account-requests/00000000-0000-0000-0000-000000000001",
        "/account-requests/00000000-0000-0000-0000-000000000001/events",
        "/accounts/222222222222",
        "/accounts/222222222222/cells",
        "/assets/arn%3Aaws%3As3%3A%3A%3Anone",
        "/assets/arn%3Aaws%3As3%3A%3A%3Anone/history",
    ] {
        server.get(path).await.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_503_and_says_when_to_come_back() {
    let server = Server::start().await;
    server.store.close().await;
    let answer = server.get("/account-requests").await;
    answer.is_problem(503, "unavailable");
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    assert!(
        !answer.text.contains("pool"),
        "causes stay in the log: {}",
        answer.text
    );
    let ready = Request::builder()
        .uri("/readyz")
        .body(Body::empty())
        .unwrap();
    server.send(ready).await.is_problem(503, "unavailable");
    let alive = Request::builder()
        .uri("/healthz")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(alive).await.status, 200);
}

#[tokio::test]
async fn the_callers_request_id_is_kept_where_it_is_one() {
    let server = Server::start().await;
    for (given, kept) in [
        ("trace-0123456789", true),
        ("x", false),
        ("a b c d e f g h", false),
    ] {
        let request = call(Method::GET, "/nothing", BOOTSTRAP)
            .header("x-request-id", given)
            .body(Body::empty());
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.headers["x-request-id"] == given, kept, "{given}");
        answer.is_problem(404, "no-such-path");
    }
}

#[test]
fn the_checked_in_document_is_the_document() {
    let path = "../../docs/openapi.json";
    let now = reference::json(&document());
    if std::env::var_os("LANDFALL_WRITE_DOCS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == now,
        "docs/openapi.json is behind: run this test with LANDFALL_WRITE_DOCS=1 and look at the difference"
    );
}

#[test]
fn every_operation_says_what_it_is_for_and_what_its_errors_are() {
    let document = serde_json::to_value(document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{place}");
            assert!(operation["operationId"].is_string(), "{place}");
            let refused = &operation["responses"]["4XX"]["content"]["application/problem+json"];
            assert_eq!(
                refused["schema"]["$ref"], "#/components/schemas/Problem",
                "{place}"
            );
        }
    }
    assert_eq!(document["security"], json!([{ "bearer": [] }]));
    assert_ne!(
        document["components"]["schemas"]["AccountRequestForm"],
        Value::Null
    );
}
