//! `Idempotency-Key`: a POST that is sent again is not done again.
//!
//! The first answer to a key is remembered with a hash of what was asked, and the same question gets it again. Only
//! answers that did something are remembered: a question that was refused may be corrected under the same key.
//! Requests for accounts go further: `Store::add_request` remembers the key in the transaction that makes the
//! request, so that not even a crash between the two makes a second account.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;

use super::Api;
use super::auth::Principal;
use super::extract;
use super::problem::{Kind, Problem};
use crate::store::StoredReply;

/// Which call this is, for handlers that remember it themselves.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) principal: String,
    pub(super) key: String,
    /// A hash of method, path and body.
    pub(super) fingerprint: String,
}

/// What to remember of an answer, where that is not the answer itself: secrets are told once.
#[derive(Clone)]
pub(super) struct Remember(pub(super) Value);

/// The keys of calls that are being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<BTreeSet<(String, String)>>>);

/// A call being answered; dropping it, however the answer ends, lets the next one in.
struct Answering<'a>(&'a InFlight, (String, String));

impl InFlight {
    fn begin(&self, call: &Call) -> Option<Answering<'_>> {
        let key = (call.principal.clone(), call.key.clone());
        // A set of keys is whole even if somebody panicked while holding it.
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.clone()).then(|| Answering(self, key))
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        let Answering(InFlight(keys), key) = self;
        keys.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// The layer. It stands behind `authenticate`: one's keys are one's own.
pub(super) async fn once(
    State(api): State<Api>,
    principal: Principal,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    // A check changes nothing, so that it may be done again, and its answer is too long to keep.
    let checks = request.uri().path().ends_with(extract::CHECK);
    if request.method() != Method::POST || checks {
        return Ok(next.run(request).await);
    }
    let Some(key) = key(request.headers())? else {
        return Ok(next.run(request).await);
    };
    let (parts, body) = request.into_parts();
    let body = extract::read(parts.uri.path(), body).await?;
    let mut hash = blake3::Hasher::new();
    hash.update(parts.method.as_str().as_bytes());
    hash.update(b" ");
    hash.update(parts.uri.path().as_bytes());
    hash.update(b"\n");
    hash.update(&body);
    let call = Call {
        principal: principal.id,
        key,
        fingerprint: hash.finalize().to_hex().to_string(),
    };
    let Some(_answering) = api.in_flight.begin(&call) else {
        return Err(Problem::new(
            Kind::RequestInProgress,
            "A call with the same Idempotency-Key is being answered. Send it again in a moment to get its answer.",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")));
    };
    if let Some(reply) = api.store.idempotent(&call.principal, &call.key).await? {
        return replay(&call, reply);
    }
    let mut request = Request::from_parts(parts, body.into());
    request.extensions_mut().insert(call.clone());
    let response = next.run(request).await;
    remember(&api, &call, response).await
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    if (1..=255).contains(&key.len()) {
        return Ok(Some(key.to_owned()));
    }
    Err(Problem::bad_parameter(
        "Idempotency-Key",
        "must be 1 to 255 visible ASCII characters, for instance a UUID",
    ))
}

pub(super) fn key_reused() -> Problem {
    Problem::new(
        Kind::IdempotencyKeyReused,
        "The Idempotency-Key came before with another path or body. Use a new key for a new call.",
    )
}

fn replay(call: &Call, reply: StoredReply) -> Result<Response, Problem> {
    if reply.fingerprint != call.fingerprint {
        return Err(key_reused());
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = (status, axum::Json(reply.body)).into_response();
    let location = reply
        .location
        .and_then(|url| HeaderValue::from_str(&url).ok());
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn remember(api: &Api, call: &Call, response: Response) -> Result<Response, Problem> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            tracing::error!(%error, "an answer broke off while it was made");
            let (kind, detail) = Kind::of_status(StatusCode::INTERNAL_SERVER_ERROR);
            return Err(Problem::new(kind, detail));
        }
    };
    let body = match parts.extensions.get::<Remember>() {
        Some(Remember(body)) => body.clone(),
        None => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    let location = parts.headers.get(header::LOCATION);
    let reply = StoredReply {
        fingerprint: call.fingerprint.clone(),
        status: parts.status.as_u16(),
        location: location.and_then(|url| Some(url.to_str().ok()?.to_owned())),
        body,
    };
    let remembered = api
        .store
        .remember_reply(&call.principal, &call.key, &reply, api.now())
        .await;
    if let Err(error) = remembered {
        // It is done all the same, and saying otherwise would have it done twice.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "an answer is not remembered under its idempotency key"
        );
    }
    Ok(Response::from_parts(parts, bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_by_one_at_a_time_and_is_free_again_afterwards() {
        let in_flight = InFlight::default();
        let call = Call {
            principal: "ann".to_owned(),
            key: "k".to_owned(),
            fingerprint: String::new(),
        };
        let first = in_flight.begin(&call);
        assert!(first.is_some());
        assert!(in_flight.begin(&call).is_none());
        let other = Call {
            principal: "bob".to_owned(),
            ..call.clone()
        };
        assert!(in_flight.begin(&other).is_some());
        drop(first);
        assert!(in_flight.begin(&call).is_some());
    }
}
