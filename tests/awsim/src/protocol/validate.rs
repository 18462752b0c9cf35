//! The model's own rules for an input: what is required, enumerations, patterns, lengths and ranges.

use serde_json::Value;

use super::error;
use super::model::{Kind, Model, Operation, ShapeId};
use crate::call::AwsError;

/// One broken rule.
#[derive(Debug)]
pub(super) struct Violation {
    /// Where, as AWS writes it: `tags.1.member.key`.
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) rule: Rule,
}

#[derive(Debug, PartialEq)]
pub(super) enum Rule {
    Required,
    Allowed(Vec<String>),
    Pattern(String),
    MinLength(f64),
    MaxLength(f64),
    MinValue(f64),
    MaxValue(f64),
}

/// Holds a decoded input against the model; the error is the one that the service itself would answer.
pub fn validate(model: &Model, operation: &Operation, input: &Value) -> Result<(), AwsError> {
    let mut violations = Vec::new();
    if let Some(shape) = operation.input {
        check(model, shape, input, "", &mut violations);
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(error::invalid(model, &violations))
    }
}

fn check(model: &Model, id: ShapeId, value: &Value, path: &str, violations: &mut Vec<Violation>) {
    let shape = model.shape(id);
    let mut broken = |rule: Rule| {
        violations.push(Violation {
            path: path.to_owned(),
            value: value.clone(),
            rule,
        })
    };
    let mut length = |length: usize| {
        #[expect(clippy::cast_precision_loss, reason = "no request is as long as 2^53")]
        let length = length as f64;
        if let Some(min) = shape.min.filter(|min| length < *min) {
            broken(Rule::MinLength(min));
        }
        if let Some(max) = shape.max.filter(|max| length > *max) {
            broken(Rule::MaxLength(max));
        }
    };
    match (&shape.kind, value) {
        (Kind::Structure(structure), Value::Object(fields)) => {
            for member in &structure.members {
                let path = join(path, &lower_first(&member.name));
                match fields.get(&member.name) {
                    Some(value) => check(model, member.reference.shape, value, &path, violations),
                    None if member.required => {
                        violations.push(Violation {
                            path,
                            value: Value::Null,
                            rule: Rule::Required,
                        });
                    }
                    None => {}
                }
            }
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            length(items.len());
            for (n, item) in items.iter().enumerate() {
                check(
                    model,
                    member.shape,
                    item,
                    &join(path, &format!("{}.member", n + 1)),
                    violations,
                );
            }
        }
        (Kind::Map { key, value: of, .. }, Value::Object(entries)) => {
            length(entries.len());
            for (name, value) in entries {
                let path = join(path, name);
                check(
                    model,
                    key.shape,
                    &Value::from(name.as_str()),
                    &path,
                    violations,
                );
                check(model, of.shape, value, &path, violations);
            }
        }
        (Kind::Text { allowed, pattern }, Value::String(text)) => {
            length(text.chars().count());
            if !allowed.is_empty() && !allowed.contains(text) {
                violations.push(Violation {
                    path: path.to_owned(),
                    value: value.clone(),
                    rule: Rule::Allowed(allowed.clone()),
                });
            } else if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.fits(text)) {
                let rule = Rule::Pattern(pattern.source.clone());
                violations.push(Violation {
                    path: path.to_owned(),
                    value: value.clone(),
                    rule,
                });
            }
        }
        (Kind::Blob, Value::String(base64)) => length(base64.len() / 4 * 3),
        (Kind::Integer | Kind::Float, Value::Number(number)) => {
            let number = number.as_f64().unwrap_or_default();
            if let Some(min) = shape.min.filter(|min| number < *min) {
                broken(Rule::MinValue(min));
            }
            if let Some(max) = shape.max.filter(|max| number > *max) {
                broken(Rule::MaxValue(max));
            }
        }
        _ => {}
    }
}

fn join(path: &str, part: &str) -> String {
    if path.is_empty() {
        part.to_owned()
    } else {
        format!("{path}.{part}")
    }
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_service_refuses_in_its_own_words() {
        let cases = [
            (
                "organizations",
                "CreateAccount",
                json!({"AccountName": "a"}),
                "InvalidInputException",
                "required",
            ),
            (
                "organizations",
                "CreateAccount",
                json!({"AccountName": "\u{e4}", "Email": "ops@example.com"}),
                "InvalidInputException",
                "pattern",
            ),
            (
                "sts",
                "AssumeRole",
                json!({"RoleArn": "arn:aws:iam::111122223333:role/r", "RoleSessionName": "a b"}),
                "ValidationError",
                r"Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
            ),
            (
                "sts",
                "AssumeRole",
                json!({"RoleArn": "arn:aws:iam::111122223333:role/r", "RoleSessionName": "ab", "DurationSeconds": 899}),
                "ValidationError",
                "greater than or equal to 900",
            ),
            (
                "config",
                "PutConfigurationRecorder",
                json!({}),
                "ValidationException",
                "'configurationRecorder' failed to satisfy constraint: Member must not be null",
            ),
            (
                "guardduty",
                "CreateDetector",
                json!({}),
                "BadRequestException",
                "enable",
            ),
            (
                "guardduty",
                "CreateDetector",
                json!({"Enable": true, "FindingPublishingFrequency": "NEVER"}),
                "BadRequestException",
                "findingPublishingFrequency",
            ),
            (
                "securityhub",
                "EnableSecurityHub",
                json!({"ControlFindingGenerator": 1}),
                "",
                "",
            ),
            (
                "s3",
                "PutBucketVersioning",
                json!({"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}),
                "MalformedXML",
                "",
            ),
        ];
        for (service, name, input, code, part) in cases {
            let model = Model::by_signing_name(service).unwrap();
            match validate(model, model.operation(name).unwrap(), &input) {
                Ok(()) => assert_eq!(code, "", "{service} {name}"),
                Err(error) => {
                    assert_eq!(error.code, code, "{service} {name} {error:?}");
                    assert!(error.message.contains(part), "{}", error.message);
                }
            }
        }
    }

    #[test]
    fn nested_values_are_checked() {
        let model = Model::by_signing_name("iam").unwrap();
        let input = json!({"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "", "Value": "v"}]});
        let error = validate(model, model.operation("CreateRole").unwrap(), &input).unwrap_err();
        assert!(
            error.message.contains("'tags.1.member.key'"),
            "{}",
            error.message
        );
    }
}
