//! The way of one request: who signed it, what it asks, whether it may, what comes of it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::{Map, Value};

use crate::authorize::authorize;
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::calls;
use crate::faults::{self, Target};
use crate::identity::{Signature, identify, query_of};
use crate::latencies;
use crate::limits;
use crate::protocol::model::{Model, Operation};
use crate::protocol::{self, Credentials, Request};
use crate::regions;
use crate::server::{Cut, Shared};
use crate::services::{self, cloudtrail};
use crate::world::World;

/// Answers a request to a service.
pub(crate) async fn exchange(
    shared: &Shared,
    parts: Parts,
    body: Bytes,
) -> Result<Response<Bytes>, Cut> {
    let id = shared.request_id();
    let path = parts.uri.path().to_owned();
    let Some(signature) = Signature::read(&parts) else {
        let model = unsigned_model(&parts, &body);
        let error = protocol::bad_credentials(model, Credentials::Missing);
        return Ok(protocol::refuse(model, &error, &id.text, &path));
    };
    let Some(model) = Model::by_signing_name(service_of(&signature, &parts)) else {
        let name = target_of(&parts);
        shared.calls().record_unbuilt(&signature.service, name);
        let model = unsigned_model(&parts, &body);
        let error = protocol::unknown_operation(model, name);
        return Ok(protocol::refuse(model, &error, &id.text, &path));
    };
    let mut told = Told {
        operation: None,
        account: None,
        region: regions::GLOBAL,
    };
    let answer = call(shared, model, &signature, parts, body, &mut told).await;
    let traffic = shared.traffic();
    if traffic.latency {
        let latency = latencies::latency(model.service, told.name(), id.chance);
        tokio::time::sleep(latency / traffic.time_scale).await;
    }
    let (response, outcome) = match answer {
        Ok((operation, output)) => match protocol::answer(model, operation, &output, &id.text) {
            Ok(response) => (response, Cow::Borrowed("ok")),
            Err(mistake) => {
                let message = format!("awsim's own mistake: {mistake}");
                let error = AwsError::new("InternalFailure", message).status(500);
                let what = format!("{}:{}: {mistake}", model.service, operation.name);
                shared.calls().record_mistake(what);
                let response = protocol::refuse(model, &error, &id.text, &path);
                (response, error.code.into())
            }
        },
        Err(Stop::Refused(error)) => {
            let error = if error == AwsError::not_built() {
                shared.calls().record_unbuilt(model.service, told.name());
                protocol::unknown_operation(model, told.name())
            } else {
                error
            };
            let response = protocol::refuse(model, &error, &id.text, &path);
            (response, error.code.into())
        }
        Err(Stop::Cut(outcome)) => {
            told.count(shared, model, outcome.into());
            return Err(Cut);
        }
    };
    told.count(shared, model, outcome);
    Ok(response)
}

/// The service that a request is for. S3 Control signs as S3 does; each of its operations takes this header.
fn service_of<'a>(signature: &'a Signature, parts: &Parts) -> &'a str {
    if signature.service == "s3" && parts.headers.contains_key("x-amz-account-id") {
        return "s3control";
    }
    &signature.service
}

/// What became known of a call on its way, for the counters.
struct Told {
    operation: Option<&'static Operation>,
    account: Option<AccountId>,
    region: Region,
}

impl Told {
    fn name(&self) -> &'static str {
        self.operation.map_or("", |operation| &operation.name)
    }

    fn count(&self, shared: &Shared, model: &Model, outcome: Cow<'static, str>) {
        shared.calls().record(calls::Kind {
            service: model.service,
            operation: self.name(),
            account: self.account,
            region: self.region,
            outcome,
        });
    }
}

/// Why a call has no answer.
enum Stop {
    Refused(AwsError),
    /// The connection is to be cut; counted under this outcome.
    Cut(&'static str),
}

impl From<AwsError> for Stop {
    fn from(error: AwsError) -> Self {
        Stop::Refused(error)
    }
}

async fn call(
    shared: &Shared,
    model: &'static Model,
    signature: &Signature,
    parts: Parts,
    body: Bytes,
    told: &mut Told,
) -> Result<(&'static Operation, Value), Stop> {
    told.region = signature.region().ok_or_else(|| {
        let error = protocol::bad_credentials(model, Credentials::BadSignature);
        AwsError {
            message: "Credential should be scoped to a valid region.".to_owned(),
            ..error
        }
    })?;
    let (principal, secret) = identify(&shared.world(), signature)
        .map_err(|what| protocol::bad_credentials(model, what))?;
    told.account = Some(principal.account);
    if secret.is_some_and(|secret| !signature.is_of(&secret, &parts, &body)) {
        return Err(protocol::bad_credentials(model, Credentials::BadSignature).into());
    }
    let request = request_of(model, parts, body)?;
    let operation = protocol::operation(model, &request).map_err(|name| {
        shared.calls().record_unbuilt(model.service, &name);
        protocol::unknown_operation(model, &name)
    })?;
    told.operation = Some(operation);

    let now = shared.clock.now();
    let target = Target {
        service: model.service,
        operation: &operation.name,
        account: principal.account,
        region: told.region,
    };
    let fault = shared.faults().strike(target);
    if let Some(fault) = &fault {
        befall(model, fault)?;
    }
    let traffic = shared.traffic();
    if traffic.throttle {
        let name = (model.service, operation.name.as_str());
        if !shared.throttle().take(
            name,
            principal.account,
            told.region,
            now,
            traffic.time_scale,
        ) {
            return Err(limits::throttled(model.service).into());
        }
    }
    let input = protocol::decode(model, operation, &request)?;
    protocol::validate(model, operation, &input)?;
    let mut call = Call {
        service: model.service,
        operation: &operation.name,
        principal: &principal,
        region: told.region,
        now,
        input,
    };
    let answer = act_or_wait(shared, model, &mut call).await;
    let answer = shared.faults().stale(target, &call.input, answer);
    if fault == Some(faults::Kind::TimeoutAfter) {
        return Err(Stop::Cut("timeout_after"));
    }
    Ok((operation, answer?))
}

/// What a fault does to a call that has not acted yet.
fn befall(model: &Model, fault: &faults::Kind) -> Result<(), Stop> {
    let error = match fault {
        faults::Kind::TimeoutAfter | faults::Kind::StaleRead | faults::Kind::Delivery(_) => {
            return Ok(());
        }
        faults::Kind::TimeoutBefore => return Err(Stop::Cut("timeout_before")),
        faults::Kind::Throttle => limits::throttled(model.service),
        faults::Kind::Error5xx => protocol::internal_failure(model),
        faults::Kind::AccessDenied => {
            protocol::access_denied(model, "Access denied by a planned fault")
        }
        faults::Kind::Error {
            code,
            status,
            message,
        } => AwsError::new(code, message.as_str()).status(*status),
    };
    Err(error.into())
}

/// How often a call that waits for messages looks for those whose time has come: nothing announces them.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Has the call answered. A `ReceiveMessage` that finds nothing waits for messages as long as it says, by the wall clock
/// as its caller does.
async fn act_or_wait(shared: &Shared, model: &Model, call: &mut Call<'_>) -> Answer {
    let Some((wait, arrivals)) = services::sqs::wait(&shared.world(), call) else {
        return act(shared, model, call);
    };
    let deadline = Instant::now() + Duration::try_from(wait).unwrap_or_default();
    loop {
        // Before looking, so that a message that comes meanwhile is not missed.
        let mut arrival = std::pin::pin!(arrivals.notified());
        arrival.as_mut().enable();
        call.now = shared.clock.now();
        let answer = act(shared, model, call);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || answer != Ok(Value::Object(Map::new())) {
            return answer;
        }
        tokio::select! {
            () = arrival => {}
            () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
        }
    }
}

/// Authorizes the call and has its service answer it, in one consistent world.
fn act(shared: &Shared, model: &Model, call: &Call<'_>) -> Answer {
    let mut world = shared.world();
    world.settle(call.now);
    if !world.organizations.is_active(call.account()) {
        return Err(protocol::bad_credentials(
            model,
            Credentials::AccountInactive,
        ));
    }
    // A Region that is not enabled knows nothing of the account's credentials.
    if !world.answers(call.account(), call.region) {
        return Err(protocol::bad_credentials(model, Credentials::Unknown));
    }
    let allowed = |world: &World| {
        authorize(world, call).map_err(|message| protocol::access_denied(model, message))
    };
    if !cloudtrail::is_told(call.service, call.operation) {
        allowed(&world)?;
        return services::answer(&mut world, call);
    }
    let region = cloudtrail::region_of(call.service, call.region);
    let recorded = cloudtrail::is_recorded(&world, call.account(), region);
    let answer = allowed(&world).and_then(|()| services::answer(&mut world, call));
    cloudtrail::tell_call(&mut world, call, recorded, &answer);
    answer
}

/// Evens out what differs by client.
fn request_of(model: &Model, parts: Parts, body: Bytes) -> Result<Request, AwsError> {
    let body = protocol::unchunk(&parts.headers, body).ok_or_else(|| {
        AwsError::new(
            "IncompleteBody",
            "The chunks of the request body are broken.",
        )
    })?;
    let query = query_of(&parts);
    let host = parts
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let path = match bucket_of(host).filter(|_| model.service == "s3") {
        Some(bucket) => format!("/{bucket}{}", parts.uri.path()),
        None => parts.uri.path().to_owned(),
    };
    Ok(Request {
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
    })
}

/// The bucket in a virtual host: `BUCKET.localhost:4566`, `BUCKET.s3.eu-west-1.amazonaws.com`.
fn bucket_of(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let (bucket, _) = host
        .split_once(".s3.")
        .or_else(|| host.split_once(".s3-"))
        .unwrap_or((host, ""));
    let bucket = bucket.strip_suffix(".localhost").unwrap_or(bucket);
    (bucket != host && bucket != "s3" && !bucket.is_empty()).then_some(bucket)
}

/// The protocol that a request without a usable scope seems to be in, told from its form.
fn unsigned_model(parts: &Parts, body: &Bytes) -> &'static Model {
    let content_type = parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_form =
        content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let service = match () {
        () if parts.headers.contains_key("x-amz-target") => "organizations",
        () if is_form || body.starts_with(b"Action=") => "sts",
        () if content_type.is_some_and(|value| value.starts_with("application/json")) => "account",
        () => "s3",
    };
    Model::by_signing_name(service).expect("a service that has a model")
}

fn target_of(parts: &Parts) -> &str {
    parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .unwrap_or(parts.uri.path())
}

/// An answer as the control endpoints give it.
pub(crate) fn json_response(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_stand_in_the_host() {
        for (host, bucket) in [
            ("127.0.0.1:4566", None),
            ("localhost:4566", None),
            ("logs.localhost:4566", Some("logs")),
            ("logs.example.localhost", Some("logs.example")),
            ("logs.s3.eu-west-1.amazonaws.com", Some("logs")),
            ("s3.eu-west-1.amazonaws.com", None),
            ("s3.localhost", None),
        ] {
            assert_eq!(bucket_of(host), bucket, "{host}");
        }
    }
}
