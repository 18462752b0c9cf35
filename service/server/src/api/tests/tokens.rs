//! Bearer tokens by HTTP.

use axum::body::Body;
use http::Method;
use serde_json::json;

use super::super::auth::Role;
use super::{BOOTSTRAP, Server, call};

#[tokio::test]
async fn a_token_lets_in_until_it_is_revoked() {
    let server = Server::start().await;
    let made = server
        .post("/tokens", &json!({ "name": "ci", "role": "engineer" }))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.headers["cache-control"], "no-store");
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with(made.body["prefix"].as_str().unwrap()));
    let as_ci = async |path: &str| {
        server
            .send(call(Method::GET, path, secret).body(Body::empty()).unwrap())
            .await
    };
    assert_eq!(as_ci("/accounts").await.status, 200);
    as_ci("/tokens").await.is_problem(403, "forbidden");

    let list = server.get("/tokens").await;
    assert_eq!(list.body["items"][0]["name"], "ci");
    assert!(!list.text.contains(secret), "a token is told once");

    let path = format!("/tokens/{}", made.body["id"].as_str().unwrap());
    let revoke = async || {
        server
            .send(
                call(Method::DELETE, &path, BOOTSTRAP)
                    .body(Body::empty())
                    .unwrap(),
            )
            .await
    };
    assert_eq!(revoke().await.status, 204);
    as_ci("/accounts").await.is_problem(401, "unauthenticated");
    revoke().await.is_problem(404, "not-found");
}

#[tokio::test]
async fn names_that_history_would_mix_up_are_refused() {
    let server = Server::start().await;
    for (name, status) in [
        ("Security", 201),
        // Another token for the same person.
        ("Security", 201),
        ("security", 422),
        (" SECURITY ", 422),
        ("bootstrap", 422),
        ("Landfall", 422),
        ("landfall-ci", 201),
    ] {
        let made = server
            .post("/tokens", &json!({ "name": name, "role": "engineer" }))
            .await;
        assert_eq!(made.status, status, "{name}: {}", made.text);
    }
}

#[tokio::test]
async fn a_repeated_call_does_not_tell_the_token_again() {
    let server = Server::start().await;
    let body = json!({ "name": "ci", "role": "platform" });
    let first = server.post_once("t-1", "/tokens", &body).await;
    let again = server.post_once("t-1", "/tokens", &body).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.body["id"], first.body["id"]);
    assert_eq!(again.body.get("secret"), None, "a secret is not stored");
}

#[tokio::test]
async fn wrong_tokens_are_not_made() {
    let server = Server::start().await;
    for (body, pointer) in [
        (json!({ "name": "", "role": "engineer" }), "/name"),
        (json!({ "name": "x", "role": "king" }), "/role"),
        (
            json!({ "name": "x", "role": "engineer", "expires_in_days": 0 }),
            "/expires_in_days",
        ),
    ] {
        let answer = server.post("/tokens", &body).await;
        answer.is_problem(422, "invalid-fields");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
    let engineer = server.token("eve", Role::Engineer).await;
    let answer = server
        .post_as(
            &engineer,
            "/tokens",
            &json!({ "name": "x", "role": "administrator" }),
        )
        .await;
    answer.is_problem(403, "forbidden");
}
