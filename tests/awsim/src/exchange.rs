//! The way of one request: who signed it, what it asks, whether it may, what comes of it.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::Value;

use crate::call::{Answer, AwsError, Call, Principal, Region};
use crate::identity::{Signature, identify, query_of};
use crate::protocol::model::{Model, Operation};
use crate::protocol::{self, Credentials, Request};
use crate::regions;
use crate::server::{Cut, Shared};
use crate::services;

/// Answers a request to a service.
pub(crate) async fn exchange(shared: &Shared, parts: Parts, body: Bytes) -> Result<Response<Bytes>, Cut> {
    let request_id = shared.request_id();
    let Some(signature) = Signature::read(&parts) else {
        let model = unsigned_model(&parts, &body);
        let error = protocol::bad_credentials(model, Credentials::Missing);
        return Ok(protocol::refuse(
            model,
            &error,
            &request_id,
            parts.uri.path(),
        ));
    };
    let Some(model) = Model::by_signing_name(&signature.service) else {
        shared
            .calls()
            .record_unbuilt(&signature.service, target_of(&parts));
        let model = unsigned_model(&parts, &body);
        let error = protocol::unknown_operation(model, target_of(&parts));
        return Ok(protocol::refuse(
            model,
            &error,
            &request_id,
            parts.uri.path(),
        ));
    };
    let resource = parts.uri.path().to_owned();
    let mut told = Told {
        operation: None,
        principal: None,
        region: regions::GLOBAL,
    };
    let answer = call(shared, model, &signature, parts, body, &mut told);
    let name = told
        .operation
        .map_or("", |operation| operation.name.as_str());
    let (response, outcome) = match (told.operation, answer) {
        (Some(operation), Ok(output)) => {
            match protocol::answer(model, operation, &output, &request_id) {
                Ok(response) => (response, "ok".to_owned()),
                Err(mistake) => {
                    let error =
                        AwsError::new("InternalFailure", format!("awsim's own mistake: {mistake}"))
                            .status(500);
                    shared
                        .calls()
                        .record_mistake(format!("{}:{name}: {mistake}", model.service));
                    (
                        protocol::refuse(model, &error, &request_id, &resource),
                        error.code,
                    )
                }
            }
        }
        (_, Err(error)) if error == AwsError::not_built() => {
            shared.calls().record_unbuilt(model.service, name);
            let error = protocol::unknown_operation(model, name);
            (
                protocol::refuse(model, &error, &request_id, &resource),
                error.code,
            )
        }
        (_, Err(error)) => (
            protocol::refuse(model, &error, &request_id, &resource),
            error.code,
        ),
        (None, Ok(_)) => return Err(Cut),
    };
    let account = told.principal.map(|principal| principal.account);
    shared
        .calls()
        .record(model.service, name, account, told.region, &outcome);
    Ok(response)
}

/// What became known of a call on its way, for the counters.
struct Told {
    operation: Option<&'static Operation>,
    principal: Option<Principal>,
    region: Region,
}

fn call(
    shared: &Shared,
    model: &'static Model,
    signature: &Signature,
    parts: Parts,
    body: Bytes,
    told: &mut Told,
) -> Answer {
    told.region = signature.region().ok_or_else(|| {
        let error = protocol::bad_credentials(model, Credentials::BadSignature);
        AwsError {
            message: "Credential should be scoped to a valid region. ".to_owned(),
            ..error
        }
    })?;
    let now = shared.clock.now();
    let (principal, secret) = identify(&shared.world(), signature, now)
        .map_err(|what| protocol::bad_credentials(model, what))?;
    told.principal = Some(principal.clone());
    if secret.is_some_and(|secret| !signature.is_of(&secret, &parts, &body)) {
        return Err(protocol::bad_credentials(model, Credentials::BadSignature));
    }
    let request = request_of(model, parts, body)?;
    let operation = protocol::operation(model, &request).map_err(|name| {
        shared.calls().record_unbuilt(model.service, &name);
        protocol::unknown_operation(model, &name)
    })?;
    told.operation = Some(operation);
    let input = protocol::decode(model, operation, &request)?;
    protocol::validate(model, operation, &input)?;
    let mut world = shared.world();
    world.settle(now);
    let call = Call {
        service: model.service,
        operation: &operation.name,
        principal: &principal,
        region: told.region,
        now,
        input,
    };
    if !world.answers(principal.account, call.region) {
        return Err(protocol::bad_credentials(
            model,
            Credentials::AccountInactive,
        ));
    }
    services::answer(&mut world, &call)
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
