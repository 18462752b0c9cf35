//! What every request passes on its way in and out: it gets an id, a span, a line in the access log and a place in the
//! metrics; and an error leaves as a problem document, whichever layer it came from.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use tracing::Instrument;
use uuid::Uuid;

use super::auth::Principal;
use super::problem::{Kind, Problem};

/// The header that carries the request's id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = method_name(request.method());
    let uri_path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", |path| path.as_str())
        .to_owned();
    let span = tracing::info_span!("request", request_id = %id, method, route);

    let response = next.run(request).instrument(span.clone()).await;
    let _entered = span.enter();
    let principal = response.extensions().get::<Principal>().cloned();
    let response = finish(response, &id);

    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let principal = principal.map_or_else(String::new, |principal| principal.name);
    tracing::info!(
        status,
        elapsed_ms = elapsed.as_micros() as f64 / 1e3,
        principal,
        path = uri_path,
        "{method} {route} answered {status}"
    );
    let class = match status {
        ..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    let labels = [
        ("method", method.to_owned()),
        ("route", route),
        ("status", class.to_owned()),
    ];
    metrics::counter!("landfall_http_requests_total", &labels).increment(1);
    metrics::histogram!("landfall_http_request_seconds", &labels[..2])
        .record(elapsed.as_secs_f64());
    response
}

/// The caller's own id where it is one we can log, a new one otherwise.
fn request_id(request: &Request) -> String {
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (8..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The method for logs and metrics: a closed set, since callers may invent methods.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Writes a problem out, and makes one of every other error.
fn finish(mut response: Response, id: &str) -> Response {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = response
            .extensions_mut()
            .remove::<Problem>()
            .unwrap_or_else(|| {
                let (kind, detail) = Kind::of_status(status);
                Problem::new(kind, detail)
            });
        let document = problem.document(id);
        let headers = std::mem::take(response.headers_mut());
        let (_, status, _) = problem.kind.parts();
        response = (status, axum::Json(document)).into_response();
        for (name, value) in &headers {
            if name != CONTENT_TYPE && name != http::header::CONTENT_LENGTH {
                response.headers_mut().append(name, value.clone());
            }
        }
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        let never = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, never);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A panic in a handler: the caller gets a problem, the log the message.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that CatchPanicLayer wants"
)]
pub(super) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = message, "a handler panicked");
    http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
