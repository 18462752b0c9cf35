//! `/_awsim/…`: what tests and people ask of the simulator itself, outside of AWS.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::exchange::json_response;
use crate::server::Shared;

/// Answers a control request; `path` is what follows `/_awsim`.
pub(crate) fn answer(shared: &Shared, parts: &Parts, path: &str, body: &Bytes) -> Response<Bytes> {
    let answer = match (&parts.method, path) {
        (&Method::GET, "/calls") => Ok(calls(shared)),
        (&Method::DELETE, "/calls") => {
            *shared.calls() = crate::calls::Calls::default();
            Ok(json!({}))
        }
        (&Method::POST, "/reset") => {
            shared.reset();
            Ok(json!({}))
        }
        (&Method::GET, "/clock") => Ok(clock(shared)),
        (&Method::POST, "/clock") => advance(shared, body),
        _ => {
            return json_response(
                404,
                &json!({"error": format!("no {} /_awsim{path}", parts.method)}),
            );
        }
    };
    match answer {
        Ok(value) => json_response(200, &value),
        Err(why) => json_response(400, &json!({"error": why})),
    }
}

fn calls(shared: &Shared) -> Value {
    let calls = shared.calls();
    json!({
        "total": calls.total(),
        "calls": calls.counts().collect::<Vec<_>>(),
        "unbuilt": calls.unbuilt(),
        "mistakes": calls.mistakes(),
    })
}

fn clock(shared: &Shared) -> Value {
    json!({"now": shared.clock.now().to_string()})
}

fn advance(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let seconds = body
        .get("advance_seconds")
        .and_then(Value::as_f64)
        .ok_or("advance_seconds must be a number")?;
    shared
        .clock
        .advance(SignedDuration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?);
    Ok(clock(shared))
}
