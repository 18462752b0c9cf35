//! AWS's service models as data: what can be asked, in what form, and what may come back.
//!
//! `models/SERVICE.json` (see `models/README.md`) is read once, on a service's first request, into shapes that
//! refer to each other by index. Everything in a [`Model`] lives as long as the process.

use std::collections::HashMap;
use std::sync::OnceLock;

use indexmap::IndexMap;
use regex::Regex;
use serde::Deserialize;

/// How a service talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, everything else in a JSON body.
    Json,
    RestJson,
    /// A form with `Action`, answered in XML.
    Query,
    RestXml,
}

/// One service.
pub struct Model {
    /// The model's own name, as in [`Call::service`](crate::call::Call::service).
    pub service: &'static str,
    pub protocol: Protocol,
    /// `application/x-amz-json-` this; 1.1 unless the model says 1.0.
    pub json_version: String,
    pub target_prefix: String,
    pub api_version: String,
    pub xml_namespace: Option<String>,
    operations: Vec<Operation>,
    operations_by_name: HashMap<String, usize>,
    shapes: Vec<Shape>,
    /// Error shapes by the code that clients see.
    errors: HashMap<String, ShapeId>,
}

pub struct Operation {
    pub name: String,
    pub method: String,
    /// `/{Bucket}/{Key+}`
    pub path: Vec<Segment>,
    /// What the URI template asks of the query string, `?list-type=2`.
    pub fixed_query: Vec<(String, Option<String>)>,
    /// The status of a good answer.
    pub status: u16,
    pub deprecated: bool,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    /// The element that the Query protocol puts around the output.
    pub result_wrapper: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Segment {
    Literal(String),
    Label(String),
    /// `{Key+}`: the rest of the path, slashes and all.
    Greedy(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(usize);

pub struct Shape {
    pub name: String,
    pub kind: Kind,
    /// Smallest length or value.
    pub min: Option<f64>,
    /// Greatest length or value.
    pub max: Option<f64>,
}

pub enum Kind {
    Structure(Structure),
    List {
        member: Reference,
        flattened: bool,
    },
    Map {
        key: Reference,
        value: Reference,
        flattened: bool,
    },
    Text {
        allowed: Vec<String>,
        pattern: Option<Pattern>,
    },
    Integer,
    Float,
    Boolean,
    Timestamp(Option<TimestampFormat>),
    Blob,
}

pub struct Structure {
    pub members: Vec<Member>,
    /// The member that is the whole body.
    pub payload: Option<usize>,
    /// Free-form JSON, taken as it comes.
    pub document: bool,
    pub error: Option<ErrorFacts>,
}

pub struct ErrorFacts {
    pub status: Option<u16>,
}

pub struct Member {
    pub name: String,
    pub required: bool,
    pub reference: Reference,
}

impl Member {
    /// The member's name on the wire.
    pub fn wire_name(&self) -> &str {
        self.reference.wire_name.as_deref().unwrap_or(&self.name)
    }
}

/// A use of a shape, with what is particular to that use.
pub struct Reference {
    pub shape: ShapeId,
    pub location: Location,
    pub wire_name: Option<String>,
    pub flattened: bool,
    pub xml_attribute: bool,
    pub xml_namespace: Option<XmlNamespace>,
}

#[derive(Clone, Deserialize)]
pub struct XmlNamespace {
    pub prefix: Option<String>,
    pub uri: String,
}

/// Where in a request or an answer a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    Uri,
    QueryString,
    Header,
    /// All headers with a prefix, as a map.
    Headers,
    StatusCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Seconds since the epoch, with a fraction.
    Unix,
    Iso8601,
    /// As in HTTP headers.
    Rfc822,
}

/// A pattern of the model, compiled when it is first needed.
pub struct Pattern {
    pub source: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn new(source: String) -> Self {
        Pattern {
            source,
            compiled: OnceLock::new(),
        }
    }

    /// The expression, or `None` for the few in Java's own dialect that `regex` does not take.
    fn expression(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| Regex::new(&format!("^(?:{})$", self.source)).ok())
            .as_ref()
    }

    /// Whether the whole text is of the pattern, as AWS means it even where the pattern carries no anchors.
    pub fn fits(&self, text: &str) -> bool {
        self.expression()
            .is_none_or(|expression| expression.is_match(text))
    }
}

struct Source {
    service: &'static str,
    json: &'static str,
    model: OnceLock<Model>,
}

const fn source(service: &'static str, json: &'static str) -> Source {
    Source {
        service,
        json,
        model: OnceLock::new(),
    }
}

static SOURCES: [Source; 9] = [
    source("account", include_str!("../../models/account.json")),
    source("cloudtrail", include_str!("../../models/cloudtrail.json")),
    source("config", include_str!("../../models/config.json")),
    source("guardduty", include_str!("../../models/guardduty.json")),
    source("iam", include_str!("../../models/iam.json")),
    source(
        "organizations",
        include_str!("../../models/organizations.json"),
    ),
    source("s3", include_str!("../../models/s3.json")),
    source("securityhub", include_str!("../../models/securityhub.json")),
    source("sts", include_str!("../../models/sts.json")),
];

impl Model {
    /// The model behind the service name of a signature's credential scope.
    pub fn by_signing_name(name: &str) -> Option<&'static Model> {
        let source = SOURCES.iter().find(|source| source.service == name)?;
        Some(
            source
                .model
                .get_or_init(|| parse(source.service, source.json)),
        )
    }

    /// The names of all services that have a model here.
    pub fn services() -> impl Iterator<Item = &'static str> {
        SOURCES.iter().map(|source| source.service)
    }

    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations_by_name
            .get(name)
            .map(|&index| &self.operations[index])
    }

    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// The structure behind an operation's input or output.
    pub fn structure(&self, id: Option<ShapeId>) -> Option<&Structure> {
        match &self.shape(id?).kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }

    /// The structure of an error, by the code that clients see.
    pub fn error(&self, code: &str) -> Option<&Structure> {
        self.structure(self.errors.get(code).copied())
    }

    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }
}

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

fn parse(service: &'static str, json: &str) -> Model {
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
            _ => Protocol::RestXml,
        },
        json_version: raw.metadata.json_version,
        target_prefix: raw.metadata.target_prefix,
        api_version: raw.metadata.api_version,
        xml_namespace: raw.metadata.xml_namespace,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_read() {
        for service in Model::services() {
            let model = Model::by_signing_name(service).unwrap();
            assert!(!model.operations().is_empty(), "{service}");
            for operation in model.operations() {
                assert!(
                    operation.input.is_none() || model.structure(operation.input).is_some(),
                    "{service} {}",
                    operation.name
                );
                assert_eq!(
                    model.operation(&operation.name).unwrap().name,
                    operation.name
                );
            }
        }
    }

    /// Patterns in Java's dialect are not enforced. Those that there are stand here, so that a new one is noticed.
    #[test]
    fn all_but_a_few_patterns_are_enforced() {
        let mut skipped = Vec::new();
        for service in Model::services() {
            let model = Model::by_signing_name(service).unwrap();
            for shape in model.shapes() {
                if let Kind::Text {
                    pattern: Some(pattern),
                    ..
                } = &shape.kind
                    && pattern.expression().is_none()
                {
                    skipped.push(format!("{service} {}", shape.name));
                }
            }
        }
        assert_eq!(skipped, SKIPPED);
    }

    const SKIPPED: [&str; 6] = [
        "cloudtrail PartitionKeyName",
        "cloudtrail PartitionKeyType",
        "config QueryArn",
        "guardduty TagKey",
        "iam accountAliasType",
        "securityhub TagKey",
    ];

    #[test]
    fn a_pattern_covers_the_whole_text() {
        let pattern = Pattern::new(r"[\w+=,.@-]*".to_owned());
        assert!(pattern.fits("landfall@1"));
        assert!(!pattern.fits("land fall"));
    }
}
