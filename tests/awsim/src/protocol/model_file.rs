//! The embedded model files as `models/extract.py` writes them, and how they become a [`Model`].

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::Deserialize;

use super::model::{
    ErrorFacts, Kind, Location, Member, Model, Operation, Pattern, Protocol, Reference, Segment,
    Shape, ShapeId, Structure, TimestampFormat, XmlNamespace,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawModel {
    metadata: RawMetadata,
    operations: IndexMap<String, RawOperation>,
    shapes: IndexMap<String, RawShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata {
    protocol: String,
    api_version: String,
    #[serde(default)]
    json_version: String,
    #[serde(default)]
    target_prefix: String,
    xml_namespace: Option<String>,
    /// An empty object where the service once spoke the Query protocol.
    aws_query_compatible: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOperation {
    method: String,
    uri: String,
    status: Option<u16>,
    #[serde(default)]
    deprecated: bool,
    input: Option<String>,
    output: Option<String>,
    result_wrapper: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawShape {
    r#type: String,
    #[serde(default)]
    r#enum: Vec<String>,
    pattern: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(default)]
    flattened: bool,
    #[serde(default)]
    document: bool,
    payload: Option<String>,
    timestamp_format: Option<String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: IndexMap<String, RawReference>,
    member: Option<RawReference>,
    key: Option<RawReference>,
    value: Option<RawReference>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawError {
    code: Option<String>,
    http_status_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    shape: String,
    location: Option<String>,
    location_name: Option<String>,
    #[serde(default)]
    flattened: bool,
    #[serde(default)]
    xml_attribute: bool,
    xml_namespace: Option<XmlNamespace>,
}

/// Reads a model file. It is one of those embedded, so it is as `extract.py` wrote it.
pub(super) fn parse(service: &'static str, json: &str) -> Model {
    let raw: RawModel = serde_json::from_str(json)
        .expect("extract.py wrote the embedded models, and a test reads each");
    let ids: HashMap<String, ShapeId> = raw
        .shapes
        .keys()
        .enumerate()
        .map(|(i, name)| (name.clone(), ShapeId(i)))
        .collect();
    let errors = raw
        .shapes
        .iter()
        .filter_map(|(name, shape)| {
            let error = shape.error.as_ref()?;
            Some((
                error.code.clone().unwrap_or_else(|| name.clone()),
                ids[name],
            ))
        })
        .collect();
    let shapes = raw
        .shapes
        .into_iter()
        .map(|(name, shape)| parse_shape(name, shape, &ids))
        .collect();
    let operations: Vec<Operation> = raw
        .operations
        .into_iter()
        .map(|(name, operation)| parse_operation(name, operation, &ids))
        .collect();
    Model {
        service,
        protocol: match raw.metadata.protocol.as_str() {
            "json" => Protocol::Json,
            "rest-json" => Protocol::RestJson,
            "query" => Protocol::Query,
            "ec2" => Protocol::Ec2,
            _ => Protocol::RestXml,
        },
        json_version: raw.metadata.json_version,
        target_prefix: raw.metadata.target_prefix,
        api_version: raw.metadata.api_version,
        xml_namespace: raw.metadata.xml_namespace,
        query_compatible: raw.metadata.aws_query_compatible.is_some(),
        operations_by_name: operations
            .iter()
            .enumerate()
            .map(|(i, operation)| (operation.name.clone(), i))
            .collect(),
        operations,
        shapes,
        errors,
    }
}

fn parse_operation(name: String, raw: RawOperation, ids: &HashMap<String, ShapeId>) -> Operation {
    let (path, query) = raw.uri.split_once('?').unwrap_or((&raw.uri, ""));
    let segment = |text: &str| match text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        Some(label) => match label.strip_suffix('+') {
            Some(label) => Segment::Greedy(label.to_owned()),
            None => Segment::Label(label.to_owned()),
        },
        None => Segment::Literal(text.to_owned()),
    };
    let fixed = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (pair.to_owned(), None),
    };
    let id = |shape: Option<String>| shape.map(|shape| ids[&shape]);
    Operation {
        path: path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(segment)
            .collect(),
        fixed_query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(fixed)
            .collect(),
        name,
        method: raw.method,
        status: raw.status.unwrap_or(200),
        deprecated: raw.deprecated,
        input: id(raw.input),
        output: id(raw.output),
        result_wrapper: raw.result_wrapper,
    }
}

fn parse_shape(name: String, raw: RawShape, ids: &HashMap<String, ShapeId>) -> Shape {
    let reference = |raw: RawReference| Reference {
        shape: ids[&raw.shape],
        location: match raw.location.as_deref() {
            Some("uri") => Location::Uri,
            Some("querystring") => Location::QueryString,
            Some("header") => Location::Header,
            Some("headers") => Location::Headers,
            Some("statusCode") => Location::StatusCode,
            _ => Location::Body,
        },
        wire_name: raw.location_name,
        flattened: raw.flattened,
        xml_attribute: raw.xml_attribute,
        xml_namespace: raw.xml_namespace,
    };
    let part = |raw: Option<RawReference>| {
        reference(raw.expect("a list has a member, a map a key and a value"))
    };
    let kind = match raw.r#type.as_str() {
        "structure" => {
            let payload = raw
                .payload
                .and_then(|payload| raw.members.get_index_of(&payload));
            let required = raw.required;
            let member = |(name, raw): (String, RawReference)| Member {
                required: required.contains(&name),
                reference: reference(raw),
                name,
            };
            Kind::Structure(Structure {
                members: raw.members.into_iter().map(member).collect(),
                payload,
                document: raw.document,
                error: raw.error.map(|error| ErrorFacts {
                    status: error.http_status_code,
                }),
            })
        }
        "list" => Kind::List {
            member: part(raw.member),
            flattened: raw.flattened,
        },
        "map" => Kind::Map {
            key: part(raw.key),
            value: part(raw.value),
            flattened: raw.flattened,
        },
        "integer" | "long" | "short" | "byte" | "bigInteger" => Kind::Integer,
        "float" | "double" | "bigDecimal" => Kind::Float,
        "boolean" => Kind::Boolean,
        "timestamp" => Kind::Timestamp(match raw.timestamp_format.as_deref() {
            Some("iso8601") => Some(TimestampFormat::Iso8601),
            Some("rfc822") => Some(TimestampFormat::Rfc822),
            Some("unixTimestamp") => Some(TimestampFormat::Unix),
            _ => None,
        }),
        "blob" => Kind::Blob,
        _ => Kind::Text {
            allowed: raw.r#enum,
            pattern: raw.pattern.map(Pattern::new),
        },
    };
    Shape {
        name,
        kind,
        min: raw.min,
        max: raw.max,
    }
}
