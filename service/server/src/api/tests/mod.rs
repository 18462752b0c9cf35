//! The whole router over SQLite in a directory of its own: what callers get, error by error.

mod bodies;
mod drift;
mod errors;
mod exemptions;
mod life;
mod plans;
mod reads;
mod requests;
mod rollouts;
mod scps;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use landfall_model::landing_zone::LandingZone;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use super::auth::{self, Role};
use super::{Api, router};
use crate::catalogue::Catalogue;
use crate::engine::clock::{Clock, SystemClock};
use crate::store::{NewToken, Store};

pub(super) const BOOTSTRAP: &str = "a-bootstrap-token-of-enough-length";

pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// The landing zone of the documentation.
pub(super) const LANDING_ZONE: &str = include_str!("../../../../../deploy/landing-zone.toml");

/// A server without a socket.
pub(super) struct Server {
    router: Router,
    pub(super) store: Store,
    pub(super) shutdown: CancellationToken,
    _directory: TempDir,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Server {
    pub(super) async fn start() -> Server {
        Server::start_in(LANDING_ZONE).await
    }

    /// With a landing zone of the test's own.
    pub(super) async fn start_in(zone: &str) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("landfall.db");
        let store = Store::open(&format!("sqlite://{}", file.display()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let zone = LandingZone::parse("landing-zone.toml", zone).unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let shutdown = CancellationToken::new();
        let catalogue = Catalogue::load(&zone, None, None).unwrap();
        let api = Api::new(
            store.clone(),
            Arc::new(zone),
            Arc::new(catalogue.baselines),
            Some(&SecretString::from(BOOTSTRAP)),
            Arc::new(SystemClock),
            metrics,
            shutdown.clone(),
        )
        .with_scps(catalogue.scps, catalogue.scp_files);
        Server {
            router: router(api),
            store,
            shutdown,
            _directory: directory,
        }
    }

    /// A token with this role.
    pub(super) async fn token(&self, name: &str, role: Role) -> String {
        let secret = SecretString::from(format!("lf_{name}"));
        let new = NewToken {
            id: Uuid::now_v7(),
            prefix: "lf_".to_owned(),
            hash: auth::hash(&secret).to_hex().to_string(),
            name: name.to_owned(),
            role,
            expires_at: None,
        };
        self.store.create_token(&new, now()).await.unwrap();
        format!("lf_{name}")
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// The response as it begins: for streams.
    pub(super) async fn open(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(
            call(Method::GET, path, BOOTSTRAP)
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    /// The metrics as a scraper reads them.
    pub(super) async fn metrics(&self) -> String {
        let request = Request::get("/metrics").body(Body::empty());
        self.send(request.unwrap()).await.text
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(BOOTSTRAP, path, body).await
    }

    pub(super) async fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let request = call(Method::POST, path, token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into());
        self.send(request.unwrap()).await
    }

    pub(super) async fn post_once(&self, key: &str, path: &str, body: &Value) -> Answer {
        let request = call(Method::POST, path, BOOTSTRAP)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(body.to_string().into());
        self.send(request.unwrap()).await
    }
}

/// The path is under `/api/v1`.
pub(super) fn call(method: Method, path: &str, token: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
}

impl Answer {
    /// That this is a problem document of a kind, with all that every one has.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(
            self.body["type"],
            format!("/problems/{kind}"),
            "{}",
            self.text
        );
        assert_eq!(self.body["status"], status);
        for field in ["title", "detail", "request_id"] {
            assert!(
                !self.body[field].as_str().unwrap_or_default().is_empty(),
                "{}",
                self.text
            );
        }
        assert_eq!(
            self.headers["x-request-id"],
            self.body["request_id"].as_str().unwrap()
        );
    }
}

/// A request for an account that keeps every rule.
pub(super) fn form() -> Value {
    json!({
        "name": "Payments production",
        "owner_email": "pay@example.com",
        "organizational_unit": "Applications/Production",
        "cost_center": "4711",
        "environment": "production",
        "justification": "Card payments",
    })
}

/// The form with another value for one field.
pub(super) fn form_with(field: &str, value: impl Into<Value>) -> Value {
    let mut form = form();
    form[field] = value.into();
    form
}
