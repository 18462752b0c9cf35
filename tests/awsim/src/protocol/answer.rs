//! From an answer or a refusal to a response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use serde_json::{Map, Value, json};

use super::model::{
    Kind, Location, Member, Model, Operation, Protocol, Structure, TimestampFormat,
};
use super::{body_json, body_xml, scalar};
use crate::call::AwsError;

/// Writes an operation's output. The error names a member that the operation does not have or that is not of its type:
/// a mistake of awsim's own.
pub fn answer(
    model: &Model,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> Result<Response<Bytes>, String> {
    let none = Map::new();
    let fields = match output {
        Value::Object(fields) => fields,
        Value::Null => &none,
        other => {
            return Err(format!(
                "{} answers {other}, which is no structure",
                operation.name
            ));
        }
    };
    let Some(structure) = model.structure(operation.output) else {
        let body = match model.protocol {
            Protocol::Query => query_body(model, operation, None, fields, request_id)?,
            Protocol::Ec2 => ec2_body(model, operation, None, fields, request_id)?,
            Protocol::Json | Protocol::RestJson | Protocol::RestXml => String::new(),
        };
        return Ok(respond(model, operation.status, request_id, body.into()));
    };
    let (body, content_type) = body(model, operation, structure, fields, request_id)?;
    let mut response = respond(model, operation.status, request_id, body);
    if let Some(content_type) = content_type {
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(content_type),
        );
    }
    for member in &structure.members {
        if let Some(value) = fields.get(&member.name).filter(|value| !value.is_null()) {
            write_header(model, member, value, &mut response)?;
        }
    }
    Ok(response)
}

fn body(
    model: &Model,
    operation: &Operation,
    structure: &Structure,
    fields: &Map<String, Value>,
    request_id: &str,
) -> Result<(Bytes, Option<&'static str>), String> {
    if let Some(member) = structure.payload.map(|payload| &structure.members[payload]) {
        return payload(model, member, fields.get(&member.name));
    }
    let body = match model.protocol {
        Protocol::Json | Protocol::RestJson => Value::Object(body_json::write_structure(
            model,
            &operation.name,
            structure,
            fields,
        )?)
        .to_string(),
        Protocol::Query => query_body(model, operation, Some(structure), fields, request_id)?,
        Protocol::Ec2 => ec2_body(model, operation, Some(structure), fields, request_id)?,
        Protocol::RestXml => s3_body(model, operation, structure, fields)?,
    };
    Ok((body.into(), None))
}

/// An output of which one member is the whole body.
fn payload(
    model: &Model,
    member: &Member,
    value: Option<&Value>,
) -> Result<(Bytes, Option<&'static str>), String> {
    let value = match value {
        None | Some(Value::Null) => return Ok((Bytes::new(), None)),
        Some(value) => value,
    };
    let wrong = || format!("{}: {value} cannot be a body", member.name);
    match &model.shape(member.reference.shape).kind {
        Kind::Blob => {
            let base64 = value.as_str().ok_or_else(wrong)?;
            Ok((
                BASE64.decode(base64).map_err(|_| wrong())?.into(),
                Some("binary/octet-stream"),
            ))
        }
        Kind::Text { .. } => Ok((
            value.as_str().ok_or_else(wrong)?.to_owned().into(),
            Some("application/json"),
        )),
        _ if model.protocol == Protocol::RestXml => {
            let mut writer = body_xml::Writer::new(model);
            let shape = model.shape(member.reference.shape);
            let name = member.reference.wire_name.as_deref().unwrap_or(&shape.name);
            if let (Kind::Structure(structure), Value::Object(fields)) = (&shape.kind, value) {
                writer.open(name, Some(namespace(model)));
                writer.members(&shape.name, structure, fields)?;
                writer.close(name);
            } else {
                writer.value(name, &member.reference, value)?;
            }
            Ok((writer.out.into(), None))
        }
        _ => Ok((
            body_json::write(model, member.reference.shape, value)?
                .to_string()
                .into(),
            None,
        )),
    }
}

fn write_header(
    model: &Model,
    member: &Member,
    value: &Value,
    response: &mut Response<Bytes>,
) -> Result<(), String> {
    let wrong = || format!("{}: {value} cannot be a header", member.name);
    let mut insert = |name: &str, text: &str| {
        let name = HeaderName::try_from(name).map_err(|_| wrong())?;
        response
            .headers_mut()
            .insert(name, HeaderValue::try_from(text).map_err(|_| wrong())?);
        Ok(())
    };
    match member.reference.location {
        Location::Header => {
            let kind = &model.shape(member.reference.shape).kind;
            let text = match (kind, value) {
                (Kind::List { .. }, Value::Array(items)) => items
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(","),
                _ => scalar::to_text(kind, value, TimestampFormat::Rfc822).ok_or_else(wrong)?,
            };
            insert(member.wire_name(), &text)
        }
        Location::Headers => {
            let entries = value.as_object().ok_or_else(wrong)?;
            entries.iter().try_for_each(|(key, text)| {
                insert(
                    &format!("{}{key}", member.wire_name()),
                    text.as_str().ok_or_else(wrong)?,
                )
            })
        }
        Location::StatusCode => {
            let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
            *response.status_mut() = status
                .and_then(|status| http::StatusCode::from_u16(status).ok())
                .ok_or_else(wrong)?;
            Ok(())
        }
        Location::Body | Location::Uri | Location::QueryString => Ok(()),
    }
}

fn query_body(
    model: &Model,
    operation: &Operation,
    structure: Option<&Structure>,
    fields: &Map<String, Value>,
    request_id: &str,
) -> Result<String, String> {
    let mut writer = body_xml::Writer::new(model);
    let root = format!("{}Response", operation.name);
    writer.open(&root, model.xml_namespace.as_deref());
    if let Some(structure) = structure {
        let wrapper = operation.result_wrapper.as_deref();
        if let Some(wrapper) = wrapper {
            writer.open(wrapper, None);
        }
        writer.members(&operation.name, structure, fields)?;
        if let Some(wrapper) = wrapper {
            writer.close(wrapper);
        }
    }
    writer.open("ResponseMetadata", None);
    writer.text_element("RequestId", request_id);
    writer.close("ResponseMetadata");
    writer.close(&root);
    Ok(writer.out)
}

/// EC2's answers: the id of the request first, and the output beside it. One without an output says that it was done.
fn ec2_body(
    model: &Model,
    operation: &Operation,
    structure: Option<&Structure>,
    fields: &Map<String, Value>,
    request_id: &str,
) -> Result<String, String> {
    let mut writer = body_xml::Writer::new(model);
    let root = format!("{}Response", operation.name);
    writer.open(&root, model.xml_namespace.as_deref());
    writer.text_element("requestId", request_id);
    match structure {
        Some(structure) => writer.members(&operation.name, structure, fields)?,
        None => writer.text_element("return", "true"),
    }
    writer.close(&root);
    Ok(writer.out)
}

const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

fn namespace(model: &Model) -> &'static str {
    match model.service {
        "s3control" => "http://awss3control.amazonaws.com/doc/2018-08-20/",
        _ => S3_NAMESPACE,
    }
}

fn s3_body(
    model: &Model,
    operation: &Operation,
    structure: &Structure,
    fields: &Map<String, Value>,
) -> Result<String, String> {
    let mut writer = body_xml::Writer::new(model);
    if operation.name == "GetBucketLocation" {
        // The one answer whose root element is its only member. `us-east-1` is written as nothing at all.
        let region = fields
            .get("LocationConstraint")
            .and_then(Value::as_str)
            .unwrap_or_default();
        writer.open("LocationConstraint", Some(S3_NAMESPACE));
        writer.out.push_str(region);
        writer.close("LocationConstraint");
        return Ok(writer.out);
    }
    if structure
        .members
        .iter()
        .all(|member| member.reference.location != Location::Body)
    {
        writer.out.clear();
        writer.members(&operation.name, structure, fields)?;
        return Ok(writer.out);
    }
    let root = s3_root(operation);
    writer.open(&root, Some(namespace(model)));
    writer.members(&operation.name, structure, fields)?;
    writer.close(&root);
    Ok(writer.out)
}

/// The root element of an S3 answer, which botocore's model leaves out and other clients insist on.
fn s3_root(operation: &Operation) -> String {
    let root = match operation.name.as_str() {
        "ListBuckets" => "ListAllMyBucketsResult",
        "ListDirectoryBuckets" => "ListAllMyDirectoryBucketsResult",
        "ListObjects" | "ListObjectsV2" => "ListBucketResult",
        "ListObjectVersions" => "ListVersionsResult",
        "ListMultipartUploads" => "ListMultipartUploadsResult",
        "ListParts" => "ListPartsResult",
        "CreateMultipartUpload" => "InitiateMultipartUploadResult",
        "CompleteMultipartUpload" => "CompleteMultipartUploadResult",
        "DeleteObjects" => "DeleteResult",
        "GetBucketAcl" | "GetObjectAcl" => "AccessControlPolicy",
        "GetBucketTagging" | "GetObjectTagging" => "Tagging",
        "GetBucketVersioning" => "VersioningConfiguration",
        "GetBucketLogging" => "BucketLoggingStatus",
        "GetBucketLifecycle" | "GetBucketLifecycleConfiguration" => "LifecycleConfiguration",
        "GetBucketCors" => "CORSConfiguration",
        "GetBucketWebsite" => "WebsiteConfiguration",
        "GetBucketRequestPayment" => "RequestPaymentConfiguration",
        "GetBucketAccelerateConfiguration" => "AccelerateConfiguration",
        "GetBucketNotificationConfiguration" => "NotificationConfiguration",
        name => return format!("{name}Result"),
    };
    root.to_owned()
}

/// Writes a refusal. `resource` is the path asked for, which S3 repeats.
pub fn refuse(
    model: &Model,
    error: &AwsError,
    request_id: &str,
    resource: &str,
) -> Response<Bytes> {
    let shape = model.error(&error.code);
    let status = match shape.and_then(|shape| shape.error.as_ref()?.status) {
        Some(status) if error.status == 400 => status,
        _ => error.status,
    };
    let body = match model.protocol {
        Protocol::Json | Protocol::RestJson => json_error(error, shape, model.protocol),
        Protocol::Query => query_error(model, error, status, request_id),
        Protocol::Ec2 => ec2_error(model, error, request_id),
        // Of the services with REST and XML S3 alone has a form of its own.
        Protocol::RestXml if model.service == "s3" => s3_error(model, error, request_id, resource),
        Protocol::RestXml => query_error(model, error, status, request_id),
    };
    let mut response = respond(model, status, request_id, body.into());
    // By this header clients find the Region to go to, for a HEAD has no body to read.
    if model.protocol == Protocol::RestXml
        && let Some((_, Value::String(region))) =
            error.members.iter().find(|(name, _)| *name == "Region")
        && let Ok(region) = HeaderValue::try_from(region)
    {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
    if model.protocol == Protocol::RestJson
        && let Ok(code) = HeaderValue::try_from(&error.code)
    {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    if model.query_compatible
        && let Ok(code) = HeaderValue::try_from(super::query_error::header(&error.code, status))
    {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}

fn json_error(error: &AwsError, shape: Option<&Structure>, protocol: Protocol) -> String {
    let wire_name = |name: &str| {
        let member = shape.and_then(|shape| {
            shape
                .members
                .iter()
                .find(|member| member.name.eq_ignore_ascii_case(name))
        });
        member.map_or_else(|| name.to_owned(), |member| member.wire_name().to_owned())
    };
    let mut body = Map::new();
    if protocol == Protocol::Json {
        body.insert("__type".to_owned(), error.code.as_str().into());
    }
    let message = if shape.is_some() {
        wire_name("Message")
    } else {
        "message".to_owned()
    };
    body.insert(message, error.message.as_str().into());
    for (name, value) in &error.members {
        body.insert(wire_name(name), value.clone());
    }
    json!(body).to_string()
}

fn query_error(model: &Model, error: &AwsError, status: u16, request_id: &str) -> String {
    let mut writer = body_xml::Writer::new(model);
    writer.open("ErrorResponse", model.xml_namespace.as_deref());
    writer.open("Error", None);
    writer.text_element("Type", if status < 500 { "Sender" } else { "Receiver" });
    writer.text_element("Code", &error.code);
    writer.text_element("Message", &error.message);
    for (name, value) in &error.members {
        writer.text_element(name, value.as_str().unwrap_or(&value.to_string()));
    }
    writer.close("Error");
    writer.text_element("RequestId", request_id);
    writer.close("ErrorResponse");
    writer.out
}

fn ec2_error(model: &Model, error: &AwsError, request_id: &str) -> String {
    let mut writer = body_xml::Writer::new(model);
    for name in ["Response", "Errors", "Error"] {
        writer.open(name, None);
    }
    writer.text_element("Code", &error.code);
    writer.text_element("Message", &error.message);
    writer.close("Error");
    writer.close("Errors");
    writer.text_element("RequestID", request_id);
    writer.close("Response");
    writer.out
}

fn s3_error(model: &Model, error: &AwsError, request_id: &str, resource: &str) -> String {
    let mut writer = body_xml::Writer::new(model);
    writer.open("Error", None);
    writer.text_element("Code", &error.code);
    writer.text_element("Message", &error.message);
    for (name, value) in &error.members {
        writer.text_element(name, value.as_str().unwrap_or(&value.to_string()));
    }
    writer.text_element("Resource", resource);
    writer.text_element("RequestId", request_id);
    writer.text_element("HostId", request_id);
    writer.close("Error");
    writer.out
}

fn respond(model: &Model, status: u16, request_id: &str, body: Bytes) -> Response<Bytes> {
    let (content_type, id_header) = match model.protocol {
        Protocol::Json if model.json_version == "1.0" => {
            ("application/x-amz-json-1.0", "x-amzn-requestid")
        }
        Protocol::Json => ("application/x-amz-json-1.1", "x-amzn-requestid"),
        Protocol::RestJson => ("application/json", "x-amzn-requestid"),
        Protocol::Query | Protocol::Ec2 => ("text/xml", "x-amzn-requestid"),
        Protocol::RestXml => ("application/xml", "x-amz-request-id"),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(request_id) {
        headers.insert(id_header, id);
    }
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(content_type),
    );
    response
}
