//! `/_awsim/…`: what tests and people ask of the simulator itself, outside of AWS.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::exchange::json_response;
use crate::latencies::LATENCIES;
use crate::limits::LIMITS;
use crate::server::Shared;
use crate::services;
use crate::stacks;

/// Answers a control request; `path` is what follows `/_awsim`.
pub(crate) fn answer(shared: &Shared, parts: &Parts, path: &str, body: &Bytes) -> Response<Bytes> {
    let answer = match (&parts.method, path) {
        (&Method::GET, "/calls") => Ok(shared.calls().report()),
        (&Method::DELETE, "/calls") => {
            *shared.calls() = crate::calls::Calls::default();
            Ok(json!({}))
        }
        (&Method::POST, "/reset") => {
            shared.reset();
            Ok(json!({}))
        }
        (&Method::GET, "/accounts") => Ok(accounts(shared)),
        (&Method::GET, "/limits") => Ok(limits(shared)),
        (&Method::GET, "/faults") => Ok(json!({"faults": shared.faults().list()})),
        (&Method::POST, "/faults") => plan_fault(shared, body),
        (&Method::DELETE, "/faults") => {
            shared.faults().clear();
            Ok(json!({}))
        }
        (&Method::DELETE, path) if path.starts_with("/faults/") => remove_fault(shared, path),
        (&Method::POST, "/stacks") => deploy(shared, body),
        (&Method::GET, "/events") => Ok(services::events::report(&shared.world())),
        (&Method::GET, "/queues") => Ok(services::sqs::report(&shared.world())),
        (&Method::POST, "/tamper") => tamper(shared, body),
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

fn accounts(shared: &Shared) -> Value {
    let mut world = shared.world();
    world.settle(shared.clock.now());
    services::organizations::accounts_report(&world)
}

fn limits(shared: &Shared) -> Value {
    let traffic = shared.traffic();
    json!({
        "throttle": traffic.throttle,
        "latency": traffic.latency,
        "time_scale": traffic.time_scale,
        "limits": LIMITS,
        "latencies": LATENCIES,
    })
}

fn plan_fault(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    let plan = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(json!({"id": shared.faults().plan(plan)}))
}

fn remove_fault(shared: &Shared, path: &str) -> Result<Value, String> {
    let id = path.trim_start_matches("/faults/");
    let removed = id.parse().is_ok_and(|id| shared.faults().remove(id));
    if removed {
        Ok(json!({}))
    } else {
        Err(format!("no fault {id}"))
    }
}

fn tamper(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    let request: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut world = shared.world();
    let now = shared.clock.now();
    world.settle(now);
    services::tamper(&mut world, &request, now)
}

fn deploy(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    let deployment = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut world = shared.world();
    let now = shared.clock.now();
    world.settle(now);
    stacks::deploy(&mut world, deployment, now)
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
