//! From a request to an operation and its input.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::model::{Model, Operation, Protocol};
use super::{body_json, error, form, rest};
use crate::call::AwsError;

/// A request as it came, with what differs by client evened out: the bucket of a virtual host stands in the path,
/// chunk frames are off the body.
pub struct Request {
    pub method: Method,
    /// Still percent-encoded.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The Query protocol's parameters, which clients send as a body and some people in the URL.
    fn form(&self) -> form::Form {
        let mut form = form::parse(&self.body);
        form.extend(self.query.iter().cloned());
        form
    }
}

/// Whether a target's prefix names the service. CloudTrail's has a package in front, which Smithy's clients leave out.
fn names(prefix: &str, target_prefix: &str) -> bool {
    prefix == target_prefix || target_prefix.rsplit('.').next() == Some(prefix)
}

/// The operation that is asked for, or the name of one that the service does not have.
pub fn operation<'a>(model: &'a Model, request: &Request) -> Result<&'a Operation, String> {
    match model.protocol {
        Protocol::Json => {
            let target = request.header("x-amz-target").unwrap_or_default();
            let name = target
                .rsplit_once('.')
                .filter(|(prefix, _)| names(prefix, &model.target_prefix))
                .map(|(_, name)| name);
            name.and_then(|name| model.operation(name))
                .ok_or_else(|| target.to_owned())
        }
        Protocol::Query | Protocol::Ec2 => {
            let form = request.form();
            let action = form.get("Action").map_or("", String::as_str);
            let known = form
                .get("Version")
                .is_some_and(|version| *version == model.api_version);
            let found = if known { model.operation(action) } else { None };
            found.ok_or_else(|| action.to_owned())
        }
        Protocol::RestJson | Protocol::RestXml => rest::route(model, request)
            .ok_or_else(|| format!("{} {}", request.method, request.path)),
    }
}

/// The operation's input under the model's member names, each member of the model's type.
/// Whether it keeps the model's other rules is for [`validate`](super::validate()) to say.
pub fn decode(model: &Model, operation: &Operation, request: &Request) -> Result<Value, AwsError> {
    let decoded = match model.protocol {
        Protocol::Json => match model.structure(operation.input) {
            None => Ok(Value::Object(Map::new())),
            Some(structure) => json_object(&request.body)
                .and_then(|fields| body_json::read_structure(model, structure, fields))
                .map(Value::Object),
        },
        Protocol::Query => form::input_of(model, operation.input, &request.form()),
        Protocol::Ec2 => {
            let form = request.form();
            if let Some(name) = form::unknown_parameter(model, operation.input, &form) {
                return Err(error::unknown_parameter(name));
            }
            form::input_of(model, operation.input, &form)
        }
        Protocol::RestJson | Protocol::RestXml => rest::decode(model, operation, request),
    };
    decoded.map_err(|what| error::malformed(model, &what))
}

pub(super) fn json_object(body: &[u8]) -> Result<Map<String, Value>, String> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("no structure found where a structure is expected".to_owned()),
        Err(_) => Err("the body is not JSON".to_owned()),
    }
}
