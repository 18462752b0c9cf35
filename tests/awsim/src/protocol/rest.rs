//! The REST protocols' HTTP bindings: which operation a method and a path mean, and where the input's members stand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::model::{Kind, Location, Member, Model, Operation, Protocol, Segment, Structure};
use super::request::{Request, json_object};
use super::{body_json, body_xml, scalar};

/// The operation that fits a request best.
///
/// S3 has many operations on one path, told apart by the query string (`?acl`, `?uploadId=…`) and now and then by a
/// header (`x-amz-copy-source`). So among all whose method, path and fixed query fit, the one wins of whose required
/// query and header members the request has all, and the most.
pub(super) fn route<'a>(model: &'a Model, request: &Request) -> Option<&'a Operation> {
    let fits = |operation: &&Operation| {
        operation.method == request.method.as_str()
            && match_path(&operation.path, &request.path).is_some()
            && operation.fixed_query.iter().all(|(name, value)| {
                match (request.query(name), value) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(there), Some(value)) => there == value,
                }
            })
    };
    let rank = |operation: &&Operation| {
        let required = required_outside_body(model, operation);
        let there = required
            .iter()
            .filter(|member| is_there(request, member))
            .count();
        let named = request
            .query("x-id")
            .is_some_and(|name| name == operation.name);
        (
            named,
            there == required.len(),
            operation.fixed_query.len() + there,
            !operation.deprecated,
        )
    };
    // `max_by_key` keeps the last of equals; the first in the model's order is the plainer operation.
    model
        .operations()
        .iter()
        .rev()
        .filter(fits)
        .max_by_key(rank)
}

fn required_outside_body<'a>(model: &'a Model, operation: &Operation) -> Vec<&'a Member> {
    let members = model
        .structure(operation.input)
        .map_or(&[][..], |structure| &structure.members);
    let outside = [Location::QueryString, Location::Header];
    members
        .iter()
        .filter(|member| member.required && outside.contains(&member.reference.location))
        .collect()
}

fn is_there(request: &Request, member: &Member) -> bool {
    match member.reference.location {
        Location::QueryString => request.query(member.wire_name()).is_some(),
        _ => request.headers.contains_key(member.wire_name()),
    }
}

/// The labels of a path that fits, decoded.
fn match_path<'a>(segments: &'a [Segment], path: &str) -> Option<Vec<(&'a str, String)>> {
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    let mut labels = Vec::new();
    for segment in segments {
        let (part, after) = match segment {
            Segment::Greedy(_) => (rest, ""),
            _ => rest.split_once('/').unwrap_or((rest, "")),
        };
        let text = percent_decode(part);
        match segment {
            Segment::Literal(literal) if *literal == text => {}
            Segment::Label(name) | Segment::Greedy(name) if !text.is_empty() => {
                labels.push((name.as_str(), text))
            }
            _ => return None,
        }
        rest = after;
    }
    rest.is_empty().then_some(labels)
}

pub(super) fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let code = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads the input out of path, query string, headers and body. The error names what is not of its type.
pub(super) fn decode(
    model: &Model,
    operation: &Operation,
    request: &Request,
) -> Result<Value, String> {
    let Some(structure) = model.structure(operation.input) else {
        return Ok(Value::Object(Map::new()));
    };
    let labels = match_path(&operation.path, &request.path).unwrap_or_default();
    let mut out = match structure.payload {
        Some(payload) => read_payload(model, &structure.members[payload], request)?,
        None => read_body(model, structure, request)?,
    };
    for member in &structure.members {
        let name = member.wire_name();
        let value = match member.reference.location {
            Location::Body | Location::StatusCode => continue,
            Location::Uri => {
                let label = labels
                    .iter()
                    .find(|(label, _)| *label == name || *label == member.name);
                label
                    .map(|(_, text)| read_text(model, member, &[text]))
                    .transpose()?
            }
            Location::QueryString => read_query(model, member, request)?,
            Location::Header => request
                .header(name)
                .map(|text| read_text(model, member, &[text]))
                .transpose()?,
            Location::Headers => read_headers(name, request),
        };
        if let Some(value) = value {
            out.insert(member.name.clone(), value);
        }
    }
    Ok(Value::Object(out))
}

fn read_body(
    model: &Model,
    structure: &Structure,
    request: &Request,
) -> Result<Map<String, Value>, String> {
    let in_body = structure
        .members
        .iter()
        .any(|member| member.reference.location == Location::Body);
    match model.protocol {
        _ if !in_body => Ok(Map::new()),
        Protocol::RestXml if request.body.is_empty() => Ok(Map::new()),
        Protocol::RestXml => {
            let root = body_xml::parse(&request.body).ok_or("the body is not XML")?;
            body_xml::read_structure(model, structure, &root)
        }
        _ => body_json::read_structure(model, structure, json_object(&request.body)?),
    }
}

fn read_payload(
    model: &Model,
    member: &Member,
    request: &Request,
) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    let value = match &model.shape(member.reference.shape).kind {
        Kind::Blob => BASE64.encode(&request.body).into(),
        _ if request.body.is_empty() => return Ok(out),
        Kind::Text { .. } => String::from_utf8_lossy(&request.body).into_owned().into(),
        _ if model.protocol == Protocol::RestXml => {
            let root = body_xml::parse(&request.body).ok_or("the body is not XML")?;
            body_xml::read(model, &member.reference, &root)?
        }
        _ => body_json::read(
            model,
            member.reference.shape,
            Value::Object(json_object(&request.body)?),
        )?,
    };
    out.insert(member.name.clone(), value);
    Ok(out)
}

/// A member out of the texts that stand for it: one for a scalar, any number for a list.
fn read_text<T: AsRef<str>>(model: &Model, member: &Member, texts: &[T]) -> Result<Value, String> {
    let read = |kind: &Kind, text: &str| {
        scalar::from_text(kind, text).ok_or_else(|| member.wire_name().to_owned())
    };
    match (&model.shape(member.reference.shape).kind, texts) {
        (Kind::List { member: item, .. }, [text])
            if member.reference.location == Location::Header =>
        {
            text.as_ref()
                .split(',')
                .map(|text| read(&model.shape(item.shape).kind, text.trim()))
                .collect()
        }
        (Kind::List { member: item, .. }, texts) => texts
            .iter()
            .map(|text| read(&model.shape(item.shape).kind, text.as_ref()))
            .collect(),
        (kind, [text, ..]) => read(kind, text.as_ref()),
        (_, []) => Err(member.wire_name().to_owned()),
    }
}

fn read_query(model: &Model, member: &Member, request: &Request) -> Result<Option<Value>, String> {
    let name = member.wire_name();
    let texts: Vec<&str> = request
        .query
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, text)| text.as_str())
        .collect();
    if texts.is_empty() {
        Ok(None)
    } else {
        read_text(model, member, &texts).map(Some)
    }
}

fn read_headers(prefix: &str, request: &Request) -> Option<Value> {
    let prefix = prefix.to_ascii_lowercase();
    let headers = request.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(&prefix)?;
        Some((name.to_owned(), Value::from(value.to_str().ok()?)))
    });
    let found: Map<String, Value> = headers.collect();
    (!found.is_empty()).then_some(Value::Object(found))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;

    fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                http::HeaderName::try_from(*name).unwrap(),
                value.parse().unwrap(),
            );
        }
        Request {
            method: method.parse::<Method>().unwrap(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn s3_operations_are_told_apart() {
        let model = Model::by_signing_name("s3").unwrap();
        type Case = (
            &'static str,
            &'static str,
            &'static [(&'static str, &'static str)],
            &'static str,
        );
        let cases: &[Case] = &[
            ("GET", "/", &[], "ListBuckets"),
            ("GET", "/?x-id=ListBuckets", &[], "ListBuckets"),
            ("PUT", "/b", &[], "CreateBucket"),
            ("PUT", "/b/", &[], "CreateBucket"),
            ("HEAD", "/b", &[], "HeadBucket"),
            ("GET", "/b", &[], "ListObjects"),
            ("GET", "/b?list-type=2&prefix=a", &[], "ListObjectsV2"),
            ("GET", "/b?location", &[], "GetBucketLocation"),
            (
                "GET",
                "/b?lifecycle",
                &[],
                "GetBucketLifecycleConfiguration",
            ),
            (
                "GET",
                "/b?inventory",
                &[],
                "ListBucketInventoryConfigurations",
            ),
            (
                "GET",
                "/b?inventory&id=1",
                &[],
                "GetBucketInventoryConfiguration",
            ),
            ("PUT", "/b?policy", &[], "PutBucketPolicy"),
            ("PUT", "/b/k/l", &[], "PutObject"),
            ("PUT", "/b/k", &[("x-amz-copy-source", "b/j")], "CopyObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", &[], "UploadPart"),
            ("GET", "/b/k?uploadId=u", &[], "ListParts"),
            ("POST", "/b?delete", &[], "DeleteObjects"),
        ];
        for (method, target, headers, name) in cases {
            let found = route(model, &request(method, target, headers, ""));
            assert_eq!(
                found.map(|operation| operation.name.as_str()),
                Some(*name),
                "{method} {target}"
            );
        }
        assert!(route(model, &request("PATCH", "/b", &[], "")).is_none());
    }

    #[test]
    fn members_come_from_everywhere() {
        let model = Model::by_signing_name("s3").unwrap();
        let request = request(
            "PUT",
            "/b?encryption",
            &[("x-amz-expected-bucket-owner", "111122223333")],
            "<X><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></X>",
        );
        assert_eq!(
            decode(model, route(model, &request).unwrap(), &request).unwrap(),
            json!({
                "Bucket": "b",
                "ExpectedBucketOwner": "111122223333",
                "ServerSideEncryptionConfiguration": {"Rules": [
                    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": true},
                ]},
            })
        );
    }

    #[test]
    fn guardduty_labels_queries_and_wire_names() {
        let model = Model::by_signing_name("guardduty").unwrap();
        let list = request(
            "GET",
            "/detector/12abc/member?maxResults=5&onlyAssociated=false",
            &[],
            "",
        );
        let operation = route(model, &list).unwrap();
        assert_eq!(operation.name, "ListMembers");
        assert_eq!(
            decode(model, operation, &list).unwrap(),
            json!({"DetectorId": "12abc", "MaxResults": 5, "OnlyAssociated": "false"})
        );
        let create = request(
            "POST",
            "/detector/a%2Fb/member",
            &[],
            r#"{"accountDetails":[{"accountId":"1","email":"e"}],"x":1}"#,
        );
        assert_eq!(
            decode(model, route(model, &create).unwrap(), &create).unwrap(),
            json!({"DetectorId": "a/b", "AccountDetails": [{"AccountId": "1", "Email": "e"}]})
        );
    }
}
