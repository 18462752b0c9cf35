//! The Query protocol's forms: `Tags.member.1.Key=…`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::model::{Kind, Model, Reference, ShapeId, Structure};
use super::scalar;

pub(super) type Form = BTreeMap<String, String>;

pub(super) fn parse(text: &[u8]) -> Form {
    url::form_urlencoded::parse(text).into_owned().collect()
}

/// Reads an operation's input out of a form; the error names the parameter that is not of its type.
pub(super) fn read_input(
    model: &Model,
    structure: &Structure,
    form: &Form,
) -> Result<Value, String> {
    read_structure(model, structure, form, "").map(Value::Object)
}

fn read_structure(
    model: &Model,
    structure: &Structure,
    form: &Form,
    prefix: &str,
) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    for member in &structure.members {
        let name = match prefix {
            "" => member.wire_name().to_owned(),
            _ => format!("{prefix}.{}", member.wire_name()),
        };
        if let Some(value) = read(model, &member.reference, form, &name)? {
            out.insert(member.name.clone(), value);
        }
    }
    Ok(out)
}

/// The value under a name, or `None` where the form has nothing of that name.
fn read(
    model: &Model,
    reference: &Reference,
    form: &Form,
    name: &str,
) -> Result<Option<Value>, String> {
    let shape = model.shape(reference.shape);
    if !is_there(form, name) {
        return Ok(None);
    }
    match &shape.kind {
        Kind::Structure(structure) => {
            read_structure(model, structure, form, name).map(|out| Some(Value::Object(out)))
        }
        Kind::List { member, flattened } => {
            let base = match *flattened || reference.flattened {
                true => name.to_owned(),
                false => format!("{name}.{}", member.wire_name.as_deref().unwrap_or("member")),
            };
            let mut items = Vec::new();
            while let Some(item) =
                read(model, member, form, &format!("{base}.{}", items.len() + 1))?
            {
                items.push(item);
            }
            Ok(Some(Value::Array(items)))
        }
        Kind::Map {
            key,
            value,
            flattened,
        } => {
            let base = match *flattened || reference.flattened {
                true => name.to_owned(),
                false => format!("{name}.entry"),
            };
            let mut out = Map::new();
            for n in 1.. {
                let key = format!("{base}.{n}.{}", key.wire_name.as_deref().unwrap_or("key"));
                let Some(key) = form.get(&key) else { break };
                let name = format!(
                    "{base}.{n}.{}",
                    value.wire_name.as_deref().unwrap_or("value")
                );
                if let Some(value) = read(model, value, form, &name)? {
                    out.insert(key.clone(), value);
                }
            }
            Ok(Some(Value::Object(out)))
        }
        kind => match form.get(name) {
            None => Ok(None),
            Some(text) => scalar::from_text(kind, text)
                .map(Some)
                .ok_or_else(|| name.to_owned()),
        },
    }
}

/// Whether the form has the name itself or anything below it.
fn is_there(form: &Form, name: &str) -> bool {
    let below = format!("{name}.");
    form.contains_key(name)
        || form
            .range(below.clone()..)
            .next()
            .is_some_and(|(key, _)| key.starts_with(&below))
}

/// The input structure of an operation that the form is for.
pub(super) fn input_of(
    model: &Model,
    input: Option<ShapeId>,
    form: &Form,
) -> Result<Value, String> {
    match model.structure(input) {
        Some(structure) => read_input(model, structure, form),
        None => Ok(Value::Object(Map::new())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_structures_and_scalars_are_read() {
        let model = Model::by_signing_name("sts").unwrap();
        let form = parse(
            b"Action=AssumeRole&RoleArn=arn%3Aaws&RoleSessionName=a+b&DurationSeconds=900\
              &Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.2.Key=l&Tags.member.2.Value=",
        );
        let input = input_of(model, model.operation("AssumeRole").unwrap().input, &form).unwrap();
        assert_eq!(
            input,
            json!({
                "RoleArn": "arn:aws", "RoleSessionName": "a b", "DurationSeconds": 900,
                "Tags": [{"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}],
            })
        );
        let form = parse(b"DurationSeconds=soon");
        assert_eq!(
            input_of(model, model.operation("AssumeRole").unwrap().input, &form),
            Err("DurationSeconds".to_owned())
        );
    }
}
