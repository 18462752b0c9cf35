//! Event patterns: what an event must look like for a rule to match it (EventBridge User Guide, "Creating Amazon
//! EventBridge event patterns"). Of comparisons `prefix`, `suffix`, `equals-ignore-case`, `exists`, `anything-but` of plain
//! values, and `$or` are built.

use serde_json::{Map, Value, json};

use crate::call::{Answer, AwsError, Call};

/// The longest pattern ("Amazon EventBridge quotas").
const LONGEST: usize = 2_048;

#[derive(Clone)]
pub(super) struct Pattern {
    text: String,
    fields: Map<String, Value>,
}

impl Pattern {
    /// # Errors
    ///
    /// `InvalidEventPatternException`
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let invalid = |why: &str| {
            let message = format!("Event pattern is not valid. Reason: {why}");
            AwsError::new("InvalidEventPatternException", message)
        };
        if text.len() > LONGEST {
            return Err(invalid(&format!("longer than {LONGEST} characters")));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) if !fields.is_empty() => {
                check(&fields).map_err(|why| invalid(&why))?;
                Ok(Pattern {
                    text: text.to_owned(),
                    fields,
                })
            }
            _ => Err(invalid("Event pattern must be a JSON object")),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, event: &Value) -> bool {
        all(&self.fields, event)
    }
}

fn check(fields: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in fields {
        match value {
            Value::Array(alternatives) if name == "$or" => {
                for alternative in alternatives {
                    check(alternative.as_object().ok_or("$or must hold objects")?)?;
                }
            }
            Value::Object(fields) if !fields.is_empty() => check(fields)?,
            Value::Array(values) if !values.is_empty() => {
                for value in values {
                    check_value(name, value)?;
                }
            }
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

fn check_value(name: &str, value: &Value) -> Result<(), String> {
    let comparison = match value {
        Value::Object(comparison) => comparison,
        Value::Array(_) => return Err(format!("Inside \"{name}\": arrays do not nest")),
        _ => return Ok(()),
    };
    let mut entries = comparison.iter();
    match (entries.next(), entries.next()) {
        (Some((operator, value)), None) => {
            let known = match operator.as_str() {
                "prefix" | "suffix" | "equals-ignore-case" => value.is_string(),
                "exists" => value.is_boolean(),
                "anything-but" => !value.is_object(),
                _ => false,
            };
            if known {
                Ok(())
            } else {
                Err(format!("Unrecognized match type {operator}"))
            }
        }
        _ => Err(format!(
            "Inside \"{name}\": only one key allowed in match expression"
        )),
    }
}

fn all(fields: &Map<String, Value>, event: &Value) -> bool {
    fields.iter().all(|(name, wanted)| {
        let found = event.get(name);
        match wanted {
            Value::Array(alternatives) if name == "$or" => {
                let mut alternatives = alternatives.iter().filter_map(Value::as_object);
                alternatives.any(|fields| all(fields, event))
            }
            Value::Object(fields) => all(fields, found.unwrap_or(&Value::Null)),
            Value::Array(values) => values.iter().any(|value| one(value, found)),
            _ => false,
        }
    })
}

/// Whether one of a field's wanted values is there. Of an array in the event any item will do.
fn one(wanted: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = wanted.get("exists").and_then(Value::as_bool) {
        return found.is_some() == exists;
    }
    match found {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| same(wanted, item)),
        Some(value) => same(wanted, value),
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    let Some((operator, operand)) = wanted.as_object().and_then(|wanted| wanted.iter().next())
    else {
        return wanted == found;
    };
    let texts = || Some((operand.as_str()?, found.as_str()?));
    match operator.as_str() {
        "prefix" => texts().is_some_and(|(part, text)| text.starts_with(part)),
        "suffix" => texts().is_some_and(|(part, text)| text.ends_with(part)),
        "equals-ignore-case" => texts().is_some_and(|(one, other)| one.eq_ignore_ascii_case(other)),
        _ => match operand {
            Value::Array(values) => !values.contains(found),
            value => value != found,
        },
    }
}

pub(super) fn test(call: &Call<'_>) -> Answer {
    let pattern = Pattern::parse(call.required("EventPattern"))?;
    let event = serde_json::from_str(call.required("Event"));
    let event: Value = event.map_err(|_| super::invalid("Parameter Event is not valid."))?;
    Ok(json!({"Result": pattern.matches(&event)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        let event = json!({"source": "aws.guardduty", "account": "1", "detail": {"eventName": "DeleteDetector", "tags": ["a", "b"], "n": 1}});
        for (pattern, matches) in [
            (json!({"source": ["aws.guardduty"]}), true),
            (
                json!({"source": ["aws.config", "aws.guardduty"], "detail": {"eventName": ["DeleteDetector"]}}),
                true,
            ),
            (
                json!({"source": ["aws.guardduty"], "detail": {"eventName": ["UpdateDetector"]}}),
                false,
            ),
            (
                json!({"detail": {"eventName": [{"prefix": "Delete"}]}}),
                true,
            ),
            (
                json!({"detail": {"eventName": [{"suffix": "Members"}]}}),
                false,
            ),
            (
                json!({"detail": {"eventName": [{"anything-but": ["DeleteDetector"]}]}}),
                false,
            ),
            (
                json!({"detail": {"eventName": [{"anything-but": "Other"}]}}),
                true,
            ),
            (json!({"detail": {"errorCode": [{"exists": false}]}}), true),
            (json!({"detail": {"eventName": [{"exists": false}]}}), false),
            (json!({"detail": {"tags": ["b"], "n": [1]}}), true),
            (
                json!({"$or": [{"source": ["aws.s3"]}, {"account": ["1"]}]}),
                true,
            ),
            (
                json!({"source": [{"equals-ignore-case": "AWS.GuardDuty"}]}),
                true,
            ),
        ] {
            let parsed = Pattern::parse(&pattern.to_string()).unwrap();
            assert_eq!(parsed.matches(&event), matches, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"source": "aws.s3"}"#,
            r#"{"a": []}"#,
            r#"{"a": [{"numeric": [">", 1]}]}"#,
        ] {
            let refused = Pattern::parse(text).err().map(|error| error.code);
            assert_eq!(
                refused.as_deref(),
                Some("InvalidEventPatternException"),
                "{text}"
            );
        }
        let long = json!({"source": ["x".repeat(LONGEST)]}).to_string();
        assert!(Pattern::parse(&long).is_err());
    }
}
