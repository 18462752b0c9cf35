//! JSON bodies: member names go between wire and model, times between numbers and RFC 3339.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::model::{Kind, Location, Model, ShapeId, Structure, TimestampFormat};
use super::scalar;

/// Reads a body's value of a shape. The error says what was found where something else belongs.
/// Members that the model does not have are left out, as AWS ignores them; `null` is as good as absent.
pub(super) fn read(model: &Model, shape: ShapeId, value: Value) -> Result<Value, String> {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(fields)) => {
            read_structure(model, structure, fields).map(Value::Object)
        }
        (Kind::List { member, .. }, Value::Array(items)) => items
            .into_iter()
            .map(|item| read(model, member.shape, item))
            .collect(),
        (Kind::Map { value: of, .. }, Value::Object(fields)) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            fields
                .map(|(key, value)| Ok((key, read(model, of.shape, value)?)))
                .collect()
        }
        (Kind::Text { .. } | Kind::Blob, value @ Value::String(_))
        | (Kind::Boolean, value @ Value::Bool(_)) => Ok(value),
        (Kind::Integer, Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(_), _) => Ok(Value::Number(number)),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the float is whole and within i64"
            )]
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => {
                Ok((float as i64).into())
            }
            _ => Err("a decimal number found where an integer is expected".to_owned()),
        },
        (Kind::Float, value @ Value::Number(_)) => Ok(value),
        (Kind::Timestamp(_), Value::Number(number)) => {
            let at = number.as_f64().and_then(scalar::timestamp_from_seconds);
            at.map(|at| at.to_string().into())
                .ok_or_else(|| "a time out of range".to_owned())
        }
        (kind @ Kind::Timestamp(_), Value::String(text)) => scalar::from_text(kind, &text)
            .ok_or_else(|| format!("'{text}' found where a time is expected")),
        (kind, value) => Err(format!(
            "{} found where {} is expected",
            name_of(&value),
            expected(kind)
        )),
    }
}

/// The members of a structure that stand in the body.
pub(super) fn read_structure(
    model: &Model,
    structure: &Structure,
    mut fields: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    if structure.document {
        return Ok(fields);
    }
    let mut out = Map::new();
    for member in structure
        .members
        .iter()
        .filter(|member| member.reference.location == Location::Body)
    {
        match fields.remove(member.wire_name()) {
            None | Some(Value::Null) => {}
            Some(value) => {
                out.insert(
                    member.name.clone(),
                    read(model, member.reference.shape, value)?,
                );
            }
        }
    }
    Ok(out)
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "start of list",
        Value::Object(_) => "start of structure or map",
    }
}

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure(_) => "a structure",
        Kind::List { .. } => "a list",
        Kind::Map { .. } => "a map",
        Kind::Text { .. } => "a string",
        Kind::Integer => "an integer",
        Kind::Float => "a number",
        Kind::Boolean => "a boolean",
        Kind::Timestamp(_) => "a time",
        Kind::Blob => "base64 text",
    }
}

/// Writes a service's value for the body. The error names a member that the model does not have or that is not of its
/// type: a mistake of awsim's own, which no client should have to find.
pub(super) fn write(model: &Model, shape: ShapeId, value: &Value) -> Result<Value, String> {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(fields)) => {
            write_structure(model, &model.shape(shape).name, structure, fields).map(Value::Object)
        }
        (Kind::List { member, .. }, Value::Array(items)) => items
            .iter()
            .map(|item| write(model, member.shape, item))
            .collect(),
        (Kind::Map { value: of, .. }, Value::Object(fields)) => fields
            .iter()
            .map(|(key, value)| Ok((key.clone(), write(model, of.shape, value)?)))
            .collect(),
        (kind @ Kind::Timestamp(format), Value::String(text)) => match format {
            None | Some(TimestampFormat::Unix) => {
                let at: Timestamp = text.parse().map_err(|_| format!("'{text}' is no time"))?;
                Ok(scalar::seconds(at).into())
            }
            Some(format) => scalar::to_text(kind, value, *format)
                .map(Value::String)
                .ok_or_else(|| format!("'{text}' is no time")),
        },
        (Kind::Text { .. } | Kind::Blob, Value::String(_))
        | (Kind::Integer | Kind::Float, Value::Number(_))
        | (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (kind, value) => Err(format!(
            "{}: {} found where {} is expected",
            model.shape(shape).name,
            name_of(value),
            expected(kind)
        )),
    }
}

pub(super) fn write_structure(
    model: &Model,
    name: &str,
    structure: &Structure,
    fields: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    if structure.document {
        return Ok(fields.clone());
    }
    let mut out = Map::new();
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let Some(member) = structure
            .members
            .iter()
            .find(|member| member.name == *field)
        else {
            return Err(format!("{name} has no member {field}"));
        };
        if member.reference.location == Location::Body {
            let value = write(model, member.reference.shape, value)
                .map_err(|why| format!("{name}.{field}: {why}"))?;
            out.insert(member.wire_name().to_owned(), value);
        }
    }
    Ok(out)
}
