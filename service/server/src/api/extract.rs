//! What a request carries, taken apart; whatever is wrong with it is named as exactly as can be told.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use landfall_model::request::FieldError;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::Segment;

use super::problem::{Kind, Problem};

/// What a body may have at most, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// The same for a check of service control policies, which recorded calls may come along with.
pub const CHECK_BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The end of the path of such a check.
pub(super) const CHECK: &str = "/scps/check";

fn limit(path: &str) -> usize {
    if path.ends_with(CHECK) {
        CHECK_BODY_LIMIT
    } else {
        BODY_LIMIT
    }
}

/// Reads the body of a request for `path`, of at most the [`limit`] there.
pub(super) async fn read(path: &str, body: axum::body::Body) -> Result<Bytes, Problem> {
    match Limited::new(body, limit(path)).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(
            Kind::BadParameter,
            "The body ended before all of it was there. Send the request again.",
        )),
    }
}

fn too_large() -> Problem {
    let (kind, detail) = Kind::of_status(http::StatusCode::PAYLOAD_TOO_LARGE);
    Problem::new(kind, detail)
}

/// A JSON body. Unlike axum's it tells malformed JSON (400, with the position) from wrong fields (422, with a pointer).
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts) {
            return Err(Problem::new(
                Kind::UnsupportedMediaType,
                "Send the body as JSON, with the header `Content-Type: application/json`.",
            ));
        }
        let declared = parts.headers.get(CONTENT_LENGTH);
        if declared
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
            .is_some_and(|length| length > limit(parts.uri.path()))
        {
            return Err(too_large());
        }
        parse(&read(parts.uri.path(), body).await?).map(Json)
    }
}

/// A JSON body that may be left out, or be `null`: then it is the type's default.
pub struct OptionalJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(parts.uri.path(), body).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(OptionalJson(T::default()));
        }
        let request = Request::from_parts(parts, bytes.into());
        Json::from_request(request, state)
            .await
            .map(|Json(value)| OptionalJson(value))
    }
}

fn is_json(parts: &Parts) -> bool {
    let Some(value) = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
    else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    use serde_json::error::Category;

    // First of all whether it is JSON: what is wrong in its middle may only seem so because its end is missing.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return Err(malformed(&error));
    }
    // serde takes a list for an object whose fields come in order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::invalid(vec![FieldError {
            pointer: String::new(),
            rule: format!("must be {OBJECT}, not a list"),
        }]));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => match reader.end() {
            Ok(()) => return Ok(value),
            Err(trailing) => return Err(malformed(&trailing)),
        },
        Err(error) => error,
    };
    match error.inner().classify() {
        Category::Data => Err(Problem::invalid(vec![FieldError {
            pointer: pointer(error.path(), error.inner()),
            rule: rule(error.inner()),
        }])),
        Category::Syntax | Category::Eof | Category::Io => Err(malformed(error.inner())),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(
        Kind::MalformedJson,
        format!(
            "Line {}, column {}: {}.",
            error.line(),
            error.column(),
            rule(error)
        ),
    )
}

/// serde's words without the position that it appends, and without the names that types have in this program.
fn rule(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => &text,
    };
    let rust = ["struct ", "a map", "internally tagged enum "];
    match text.split_once("expected ") {
        Some((before, expected)) if rust.iter().any(|word| expected.starts_with(word)) => {
            format!("{before}expected {OBJECT}")
        }
        Some((before, expected)) if expected.starts_with("enum ") => {
            format!("{before}expected a string")
        }
        _ => text.to_owned(),
    }
}

/// What a body is.
const OBJECT: &str = "an object";

fn pointer(path: &serde_path_to_error::Path, error: &serde_json::Error) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Seq { index } => index.to_string(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    // An unknown field is met while its name is read, before it is part of the path; a missing one never is.
    let text = error.to_string();
    if let Some(field) = ["unknown field `", "missing field `"]
        .iter()
        .find_map(|said| text.strip_prefix(said)?.split('`').next())
        && !pointer.ends_with(&format!("/{field}"))
    {
        pointer.push('/');
        pointer.push_str(field);
    }
    pointer
}

/// axum's `Path`, with our errors.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(Problem::new(Kind::BadParameter, format!("{error}.")))
            }
            Err(other) => Err(Problem::new(Kind::BadParameter, other.body_text())),
        }
    }
}

/// axum's `Query`, with our errors. The parameter types refuse what they do not know, so that a mistyped filter is
/// an error and not a longer list.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                let cause = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string);
                Err(Problem::new(
                    Kind::BadParameter,
                    format!("The query does not fit: {cause}."),
                ))
            }
            Err(other) => Err(Problem::new(Kind::BadParameter, other.body_text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use landfall_model::request::RequestForm;

    use super::*;

    fn problem(body: &str) -> super::super::problem::ProblemDocument {
        parse::<RequestForm>(body.as_bytes())
            .unwrap_err()
            .document("r")
    }

    #[test]
    fn malformed_json_is_told_with_its_position() {
        let problem = problem("{\n  \"name\": x}");
        assert_eq!(problem.status, 400);
        assert!(
            problem.detail.starts_with("Line 2, column 11: "),
            "{}",
            problem.detail
        );
        assert_eq!(super::tests::problem("{} {}").status, 400);
        assert_eq!(super::tests::problem("").status, 400);
    }

    #[test]
    fn a_body_is_an_object_and_no_type_of_this_program() {
        for (body, status, rule) in [
            (r#"["n", "e"]"#, 422, "must be an object, not a list"),
            ("[]", 422, "must be an object, not a list"),
            ("7", 422, "invalid type: integer `7`, expected an object"),
            ("null", 422, "invalid type: null, expected an object"),
            (
                r#"{"tags": 1}"#,
                422,
                "invalid type: integer `1`, expected an object",
            ),
            (r#"{"a":"#, 400, ""),
            ("[1,", 400, ""),
        ] {
            let problem = problem(body);
            assert_eq!(problem.status, status, "{body}: {problem:?}");
            let said = problem.errors.first().map_or("", |error| &error.rule);
            assert_eq!(said, rule, "{body}");
        }
    }

    #[tokio::test]
    async fn a_body_that_may_be_left_out_may_be_null() {
        for (body, read) in [
            ("", Some(0)),
            (" null\n", Some(0)),
            (r#"{"n": 7}"#, Some(7)),
            ("[7]", None),
        ] {
            let request = Request::builder()
                .header(CONTENT_TYPE, "application/json")
                .body(body.into())
                .unwrap();
            let number = OptionalJson::<BTreeMap<String, u8>>::from_request(request, &())
                .await
                .ok()
                .map(|OptionalJson(map)| map.get("n").copied().unwrap_or_default());
            assert_eq!(number, read, "{body}");
        }
    }

    #[test]
    fn a_wrong_type_and_an_unknown_field_are_pointed_at() {
        for (body, pointer, rule) in [
            (
                r#"{"name": 1}"#,
                "/name",
                "invalid type: integer `1`, expected a string",
            ),
            (r#"{"tags": {"a/b": 1}}"#, "/tags/a~1b", "invalid type"),
            (
                r#"{"nme": "x"}"#,
                "/nme",
                "unknown field `nme`, expected one of `name`",
            ),
        ] {
            let problem = problem(body);
            assert_eq!(problem.status, 422, "{body}");
            assert_eq!(problem.errors[0].pointer, pointer);
            assert!(
                problem.errors[0].rule.starts_with(rule),
                "{:?}",
                problem.errors
            );
            assert!(
                !problem.errors[0].rule.contains("at line"),
                "{:?}",
                problem.errors
            );
        }
        assert!(parse::<BTreeMap<String, String>>(b"{}").is_ok());
    }
}
