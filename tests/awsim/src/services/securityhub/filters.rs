//! `GetFindings`' filters: which member of a finding each looks at, and how its values are joined.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::call::AwsError;

/// What kind of condition a filter's values are.
#[derive(Clone, Copy)]
enum Kind {
    /// `{Value, Comparison}`
    Text,
    /// `{Gte, Gt, Lte, Lt, Eq}`
    Number,
    /// `{Start, End}` or `{DateRange: {Value, Unit: DAYS}}`
    Date,
    /// `{Key, Value, Comparison}`
    Entry,
    /// `{Value}`, a word of the finding's title or description
    Keyword,
}

/// The filters that are built, with the path of what they look at. Lists on the way mean any of their elements.
const FILTERS: [(&str, Kind, &[&str]); 37] = [
    ("ProductArn", Kind::Text, &["ProductArn"]),
    ("AwsAccountId", Kind::Text, &["AwsAccountId"]),
    ("Id", Kind::Text, &["Id"]),
    ("GeneratorId", Kind::Text, &["GeneratorId"]),
    ("Region", Kind::Text, &["Region"]),
    ("Type", Kind::Text, &["Types"]),
    ("FirstObservedAt", Kind::Date, &["FirstObservedAt"]),
    ("LastObservedAt", Kind::Date, &["LastObservedAt"]),
    ("CreatedAt", Kind::Date, &["CreatedAt"]),
    ("UpdatedAt", Kind::Date, &["UpdatedAt"]),
    ("SeverityLabel", Kind::Text, &["Severity", "Label"]),
    (
        "SeverityNormalized",
        Kind::Number,
        &["Severity", "Normalized"],
    ),
    ("SeverityProduct", Kind::Number, &["Severity", "Product"]),
    ("Confidence", Kind::Number, &["Confidence"]),
    ("Criticality", Kind::Number, &["Criticality"]),
    ("Title", Kind::Text, &["Title"]),
    ("Description", Kind::Text, &["Description"]),
    ("SourceUrl", Kind::Text, &["SourceUrl"]),
    ("ProductName", Kind::Text, &["ProductName"]),
    ("CompanyName", Kind::Text, &["CompanyName"]),
    ("ProductFields", Kind::Entry, &["ProductFields"]),
    ("UserDefinedFields", Kind::Entry, &["UserDefinedFields"]),
    ("ResourceType", Kind::Text, &["Resources", "Type"]),
    ("ResourceId", Kind::Text, &["Resources", "Id"]),
    ("ResourcePartition", Kind::Text, &["Resources", "Partition"]),
    ("ResourceRegion", Kind::Text, &["Resources", "Region"]),
    ("ResourceTags", Kind::Entry, &["Resources", "Tags"]),
    ("ComplianceStatus", Kind::Text, &["Compliance", "Status"]),
    (
        "ComplianceSecurityControlId",
        Kind::Text,
        &["Compliance", "SecurityControlId"],
    ),
    (
        "ComplianceAssociatedStandardsId",
        Kind::Text,
        &["Compliance", "AssociatedStandards", "StandardsId"],
    ),
    ("VerificationState", Kind::Text, &["VerificationState"]),
    ("WorkflowState", Kind::Text, &["WorkflowState"]),
    ("WorkflowStatus", Kind::Text, &["Workflow", "Status"]),
    ("RecordState", Kind::Text, &["RecordState"]),
    ("NoteText", Kind::Text, &["Note", "Text"]),
    (
        "RecommendationText",
        Kind::Text,
        &["Remediation", "Recommendation", "Text"],
    ),
    ("Keyword", Kind::Keyword, &[]),
];

pub(super) struct Filter<'i> {
    kind: Kind,
    path: &'static [&'static str],
    conditions: &'i [Value],
}

impl<'i> Filter<'i> {
    /// A filter that is not built is refused, since leaving it out would show findings that nobody asked for.
    pub(super) fn new(name: &str, conditions: &'i Value) -> Result<Self, AwsError> {
        let conditions = conditions.as_array().map_or(&[][..], Vec::as_slice);
        let known = FILTERS.iter().find(|(known, ..)| *known == name);
        known
            .map(|&(_, kind, path)| Filter {
                kind,
                path,
                conditions,
            })
            .ok_or_else(AwsError::not_built)
    }

    /// Conditions that say what may be are joined by OR, those that say what must not be by AND, and both kinds by
    /// AND (API reference, `StringFilter`).
    pub(super) fn takes(&self, finding: &Value, now: Timestamp) -> bool {
        let mut values = Vec::new();
        collect(finding, self.path, &mut values);
        let (excluding, including): (Vec<&Value>, Vec<&Value>) = self
            .conditions
            .iter()
            .partition(|condition| is_excluding(condition));
        excluding
            .iter()
            .all(|condition| !self.holds(condition, finding, &values, now))
            && (including.is_empty()
                || including
                    .iter()
                    .any(|condition| self.holds(condition, finding, &values, now)))
    }

    /// Whether any of the values is what the condition describes, be it to include or to exclude.
    fn holds(&self, condition: &Value, finding: &Value, values: &[&Value], now: Timestamp) -> bool {
        match self.kind {
            Kind::Text => values.iter().any(|value| text_matches(condition, value)),
            Kind::Number => values.iter().any(|value| number_matches(condition, value)),
            Kind::Date => values
                .iter()
                .any(|value| date_matches(condition, value, now)),
            Kind::Entry => {
                let key = condition["Key"].as_str().unwrap_or_default();
                values.iter().any(|value| {
                    value
                        .get(key)
                        .is_some_and(|value| text_matches(condition, value))
                })
            }
            Kind::Keyword => {
                let word = condition["Value"]
                    .as_str()
                    .unwrap_or_default()
                    .to_lowercase();
                let has = |member: &str| {
                    finding[member]
                        .as_str()
                        .unwrap_or_default()
                        .to_lowercase()
                        .contains(&word)
                };
                has("Title") || has("Description")
            }
        }
    }
}

fn is_excluding(condition: &Value) -> bool {
    condition["Comparison"]
        .as_str()
        .is_some_and(|comparison| comparison.contains("NOT"))
}

fn text_matches(condition: &Value, value: &Value) -> bool {
    let Some(value) = value.as_str() else {
        return false;
    };
    let wanted = condition["Value"].as_str().unwrap_or_default();
    match condition["Comparison"].as_str() {
        Some("PREFIX" | "PREFIX_NOT_EQUALS") => value.starts_with(wanted),
        Some("CONTAINS" | "NOT_CONTAINS") => value.contains(wanted),
        Some("CONTAINS_WORD") => value
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| word == wanted),
        _ => value == wanted,
    }
}

fn number_matches(condition: &Value, value: &Value) -> bool {
    let Some(value) = value.as_f64() else {
        return false;
    };
    let bound = |member: &str, holds: fn(&f64, &f64) -> bool| {
        condition[member]
            .as_f64()
            .is_none_or(|bound| holds(&value, &bound))
    };
    bound("Gte", f64::ge)
        && bound("Gt", f64::gt)
        && bound("Lte", f64::le)
        && bound("Lt", f64::lt)
        && bound("Eq", |value, bound| (value - bound).abs() < f64::EPSILON)
}

fn date_matches(condition: &Value, value: &Value, now: Timestamp) -> bool {
    let time = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<Timestamp>().ok())
    };
    let Some(value) = time(value) else {
        return false;
    };
    let days = condition["DateRange"]["Value"].as_i64();
    let oldest = days.map(|days| now - SignedDuration::from_hours(24 * days));
    time(&condition["Start"]).is_none_or(|start| value >= start)
        && time(&condition["End"]).is_none_or(|end| value <= end)
        && oldest.is_none_or(|oldest| value >= oldest && value <= now)
}

/// The values at the end of a path, through every element of lists on the way.
fn collect<'f>(value: &'f Value, path: &[&str], into: &mut Vec<&'f Value>) {
    match (value, path) {
        (Value::Array(elements), _) => elements
            .iter()
            .for_each(|element| collect(element, path, into)),
        (_, []) => into.push(value),
        (_, [member, rest @ ..]) => {
            if let Some(value) = value.get(member) {
                collect(value, rest, into);
            }
        }
    }
}

/// How two findings stand to each other by a filter's field, for sorting.
pub(super) fn compare(a: &Value, b: &Value, field: &str) -> Ordering {
    let path = FILTERS
        .iter()
        .find(|(known, ..)| *known == field)
        .map_or(&[][..], |(_, _, path)| path);
    let first = |finding| {
        let mut values = Vec::new();
        if !path.is_empty() {
            collect(finding, path, &mut values);
        }
        values.into_iter().next()
    };
    match (first(a), first(b)) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a
            .as_f64()
            .partial_cmp(&b.as_f64())
            .unwrap_or(Ordering::Equal),
        (a, b) => a.and_then(Value::as_str).cmp(&b.and_then(Value::as_str)),
    }
}
