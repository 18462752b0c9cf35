//! The forms of Query, `Tags.member.1.Key=…`, and of EC2's dialect of it, `Tag.1.Key=…`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::model::{Kind, Member, Model, Protocol, Reference, ShapeId, Structure};
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
        let name = wire_name(model, member);
        let name = match prefix {
            "" => name.into_owned(),
            _ => format!("{prefix}.{name}"),
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
            let base = match *flattened || reference.flattened || model.protocol == Protocol::Ec2 {
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

/// A member's name in a form. EC2's begin with a capital letter, whatever their answers' elements do.
fn wire_name<'a>(model: &Model, member: &'a Member) -> Cow<'a, str> {
    let name = member.wire_name();
    if model.protocol == Protocol::Ec2 && name.starts_with(|first: char| first.is_ascii_lowercase())
    {
        let (first, rest) = name.split_at(1);
        return format!("{}{rest}", first.to_ascii_uppercase()).into();
    }
    name.into()
}

/// A parameter that the operation does not have: EC2 alone refuses those, the other services overlook them.
pub(super) fn unknown_parameter<'a>(
    model: &Model,
    input: Option<ShapeId>,
    form: &'a Form,
) -> Option<&'a str> {
    let of_every_call =
        |name: &str| matches!(name, "Action" | "Version") || name.starts_with("X-Amz-");
    let names = form.keys().map(String::as_str);
    names
        .filter(|name| !of_every_call(name))
        .find(|name| !input.is_some_and(|input| leads_to_value(model, input, name.split('.'))))
}

/// Whether a dotted name leads through structures and lists to a scalar.
fn leads_to_value<'a>(
    model: &Model,
    shape: ShapeId,
    mut path: impl Iterator<Item = &'a str>,
) -> bool {
    let mut shape = shape;
    loop {
        let step = path.next();
        shape = match (&model.shape(shape).kind, step) {
            (Kind::Structure(structure), Some(name)) => {
                let members = &mut structure.members.iter();
                match members.find(|member| wire_name(model, member) == name) {
                    Some(member) => member.reference.shape,
                    None => return false,
                }
            }
            (Kind::List { member, .. }, Some(n)) if n.parse::<u32>().is_ok() => member.shape,
            (Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. }, _) => return false,
            (_, step) => return step.is_none(),
        };
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

    #[test]
    fn ec2_numbers_its_lists_without_a_word_between() {
        let model = Model::by_signing_name("ec2").unwrap();
        let input = |operation| model.operation(operation).unwrap().input;
        let form = parse(b"Filter.1.Name=vpc-id&Filter.1.Value.1=a&Filter.1.Value.2=b&Filter.2.Name=x&MaxResults=5&DryRun=true");
        assert_eq!(
            input_of(model, input("DescribeSubnets"), &form).unwrap(),
            json!({
                "Filters": [{"Name": "vpc-id", "Values": ["a", "b"]}, {"Name": "x"}],
                "MaxResults": 5, "DryRun": true,
            })
        );
        let unknown = |operation, text: &str| {
            unknown_parameter(model, input(operation), &parse(text.as_bytes())).map(str::to_owned)
        };
        for (operation, text, expected) in [
            (
                "DescribeSubnets",
                "Action=x&Version=y&Filter.1.Value.12=a&SubnetId.1=b",
                None,
            ),
            (
                "DescribeSubnets",
                "Filters.1.Name=a",
                Some("Filters.1.Name"),
            ),
            (
                "DescribeSubnets",
                "Filter.1.Value=a",
                Some("Filter.1.Value"),
            ),
            (
                "DescribeSubnets",
                "Filter.one.Name=a",
                Some("Filter.one.Name"),
            ),
            ("DescribeSubnets", "MaxResults.1=5", Some("MaxResults.1")),
            ("DetachInternetGateway", "InternetGatewayId=a&VpcId=b", None),
            (
                "DetachInternetGateway",
                "internetGatewayId=a",
                Some("internetGatewayId"),
            ),
        ] {
            assert_eq!(unknown(operation, text).as_deref(), expected, "{text}");
        }
    }
}
