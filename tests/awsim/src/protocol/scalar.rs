//! Numbers, flags, timestamps and blobs as text, which is how XML, forms, headers and paths carry them.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Number, Value};

use super::model::{Kind, TimestampFormat};

/// Reads text as a value of a scalar kind; `None` where it is not one.
pub(super) fn from_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text { .. } | Kind::Blob => Some(text.into()),
        Kind::Integer => text.trim().parse::<i64>().ok().map(Value::from),
        Kind::Float => text
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number),
        Kind::Boolean => match text.trim() {
            "true" | "True" | "TRUE" => Some(true.into()),
            "false" | "False" | "FALSE" => Some(false.into()),
            _ => None,
        },
        Kind::Timestamp(_) => timestamp_from_text(text.trim()).map(|at| at.to_string().into()),
        Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. } => None,
    }
}

/// AWS takes every form of a time everywhere.
fn timestamp_from_text(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| text.parse().ok().and_then(timestamp_from_seconds))
        .or_else(|| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()))
}

pub(super) fn timestamp_from_seconds(seconds: f64) -> Option<Timestamp> {
    let milliseconds = (seconds * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i64 saturates, and jiff refuses it"
    )]
    Timestamp::from_millisecond(milliseconds as i64).ok()
}

/// Writes a scalar as text. `None` where the value is not of the kind.
pub(super) fn to_text(kind: &Kind, value: &Value, timestamps: TimestampFormat) -> Option<String> {
    match (kind, value) {
        (Kind::Text { .. } | Kind::Blob, Value::String(text)) => Some(text.clone()),
        (Kind::Integer | Kind::Float, Value::Number(number)) => Some(number.to_string()),
        (Kind::Boolean, Value::Bool(flag)) => Some(flag.to_string()),
        (Kind::Timestamp(format), Value::String(text)) => {
            let at: Timestamp = text.parse().ok()?;
            Some(match format.unwrap_or(timestamps) {
                TimestampFormat::Unix => seconds(at).to_string(),
                TimestampFormat::Iso8601 => iso8601(at),
                TimestampFormat::Rfc822 => rfc822(at)?,
            })
        }
        _ => None,
    }
}

/// Seconds since the epoch to the millisecond, as the JSON protocols carry times.
pub(super) fn seconds(at: Timestamp) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of any year to come fit a double's 53 bits"
    )]
    let milliseconds = at.as_millisecond() as f64;
    milliseconds / 1000.0
}

pub(super) fn iso8601(at: Timestamp) -> String {
    at.strftime(if at.subsec_millisecond() == 0 {
        "%Y-%m-%dT%H:%M:%SZ"
    } else {
        "%Y-%m-%dT%H:%M:%S.%3fZ"
    })
    .to_string()
}

fn rfc822(at: Timestamp) -> Option<String> {
    rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        for text in [
            "2026-11-22T01:02:03Z",
            "1795309323",
            "1795309323.0",
            "Sun, 22 Nov 2026 01:02:03 GMT",
        ] {
            assert_eq!(
                from_text(&Kind::Timestamp(None), text),
                Some("2026-11-22T01:02:03Z".into()),
                "{text}"
            );
        }
        assert_eq!(from_text(&Kind::Timestamp(None), "soon"), None);
    }

    #[test]
    fn times_are_written_in_each_protocols_form() {
        let at = Value::from("2026-11-22T01:02:03.5Z");
        for (format, text) in [
            (TimestampFormat::Unix, "1795309323.5"),
            (TimestampFormat::Iso8601, "2026-11-22T01:02:03.500Z"),
            (TimestampFormat::Rfc822, "Sun, 22 Nov 2026 01:02:03 GMT"),
        ] {
            assert_eq!(
                to_text(&Kind::Timestamp(None), &at, format).as_deref(),
                Some(text)
            );
        }
    }
}
