//! AWS's service models as data: what can be asked, in what form, and what may come back.
//!
//! `models/SERVICE.json` (see `models/README.md`) is read once, on a service's first request, into shapes that
//! refer to each other by index. Everything in a [`Model`] lives as long as the process.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::Regex;
use serde::Deserialize;

use super::model_file::parse;

/// How a service talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, everything else in a JSON body.
    Json,
    RestJson,
    /// A form with `Action`, answered in XML.
    Query,
    /// EC2's dialect of Query: other names, no wrapper around the output, errors of its own form.
    Ec2,
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
    /// Whether the service once spoke the Query protocol, and still names errors as it did there.
    pub query_compatible: bool,
    pub(super) operations: Vec<Operation>,
    pub(super) operations_by_name: HashMap<String, usize>,
    pub(super) shapes: Vec<Shape>,
    /// Error shapes by the code that clients see.
    pub(super) errors: HashMap<String, ShapeId>,
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
pub struct ShapeId(pub(super) usize);

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
    pub(super) fn new(source: String) -> Self {
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

static SOURCES: [Source; 14] = [
    source(
        "access-analyzer",
        include_str!("../../models/accessanalyzer.json"),
    ),
    source("account", include_str!("../../models/account.json")),
    source("cloudtrail", include_str!("../../models/cloudtrail.json")),
    source("config", include_str!("../../models/config.json")),
    source("ec2", include_str!("../../models/ec2.json")),
    source("events", include_str!("../../models/events.json")),
    source("guardduty", include_str!("../../models/guardduty.json")),
    source("iam", include_str!("../../models/iam.json")),
    source(
        "organizations",
        include_str!("../../models/organizations.json"),
    ),
    source("s3", include_str!("../../models/s3.json")),
    source("s3control", include_str!("../../models/s3control.json")),
    source("securityhub", include_str!("../../models/securityhub.json")),
    source("sqs", include_str!("../../models/sqs.json")),
    source("sts", include_str!("../../models/sts.json")),
];

impl Model {
    /// The model behind the service name of a signature's credential scope; S3 Control, which signs as S3 does, stands
    /// under a name of its own.
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

    const SKIPPED: [&str; 7] = [
        "cloudtrail PartitionKeyName",
        "cloudtrail PartitionKeyType",
        "config QueryArn",
        "events PathParameter",
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
