//! Errors as programs and people get them: problem documents (RFC 9457).
//!
//! A handler returns a [`Problem`]; `observe::finish` writes it out, with the request's id, and turns whatever else
//! ended in an error (an unknown path, a time-out, a panic) into one too. So every error of the service has one form.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use landfall_model::account::Phase;
use landfall_model::request::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::StoreError;

/// What went wrong, as a stable word. Programs may depend on it: a kind is never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MalformedJson,
    BadParameter,
    Unauthenticated,
    Forbidden,
    NotFound,
    NoSuchPath,
    MethodNotAllowed,
    EmailTaken,
    WrongPhase,
    OwnWaiver,
    OwnExemption,
    AskedAlready,
    WrongState,
    PlanExpired,
    ApprovalNeeded,
    AccountPaused,
    AnotherWish,
    NothingToDecide,
    ProtectedAccount,
    AccountKnown,
    NotEnrollable,
    NoLogs,
    RequestInProgress,
    TooLarge,
    UnsupportedMediaType,
    InvalidFields,
    IdempotencyKeyReused,
    Internal,
    Unavailable,
    TimedOut,
}

impl Kind {
    pub const ALL: [Kind; 30] = [
        Kind::MalformedJson,
        Kind::BadParameter,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::NoSuchPath,
        Kind::MethodNotAllowed,
        Kind::EmailTaken,
        Kind::WrongPhase,
        Kind::OwnWaiver,
        Kind::OwnExemption,
        Kind::AskedAlready,
        Kind::WrongState,
        Kind::PlanExpired,
        Kind::ApprovalNeeded,
        Kind::AccountPaused,
        Kind::AnotherWish,
        Kind::NothingToDecide,
        Kind::ProtectedAccount,
        Kind::AccountKnown,
        Kind::NotEnrollable,
        Kind::NoLogs,
        Kind::RequestInProgress,
        Kind::TooLarge,
        Kind::UnsupportedMediaType,
        Kind::InvalidFields,
        Kind::IdempotencyKeyReused,
        Kind::Internal,
        Kind::Unavailable,
        Kind::TimedOut,
    ];

    /// Its `type`, status and title.
    pub fn parts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Kind::MalformedJson => (
                "/problems/malformed-json",
                S::BAD_REQUEST,
                "The body is not JSON",
            ),
            Kind::BadParameter => (
                "/problems/bad-parameter",
                S::BAD_REQUEST,
                "A parameter of the URL or a header is wrong",
            ),
            Kind::Unauthenticated => (
                "/problems/unauthenticated",
                S::UNAUTHORIZED,
                "No valid token",
            ),
            Kind::Forbidden => ("/problems/forbidden", S::FORBIDDEN, "Not allowed"),
            Kind::NotFound => ("/problems/not-found", S::NOT_FOUND, "Not found"),
            Kind::NoSuchPath => ("/problems/no-such-path", S::NOT_FOUND, "No such path"),
            Kind::MethodNotAllowed => (
                "/problems/method-not-allowed",
                S::METHOD_NOT_ALLOWED,
                "The path does not take this method",
            ),
            Kind::EmailTaken => (
                "/problems/email-taken",
                S::CONFLICT,
                "The e-mail belongs to another request",
            ),
            Kind::WrongPhase => (
                "/problems/wrong-phase",
                S::CONFLICT,
                "Not possible in this phase",
            ),
            Kind::OwnWaiver => (
                "/problems/own-waiver",
                S::FORBIDDEN,
                "Nobody approves their own waiver",
            ),
            Kind::OwnExemption => (
                "/problems/own-exemption",
                S::FORBIDDEN,
                "Nobody approves their own exemption",
            ),
            Kind::AskedAlready => (
                "/problems/asked-already",
                S::CONFLICT,
                "Somebody asked for as much already",
            ),
            Kind::WrongState => (
                "/problems/wrong-state",
                S::CONFLICT,
                "Not possible in this state",
            ),
            Kind::PlanExpired => (
                "/problems/plan-expired",
                S::CONFLICT,
                "The plan no longer holds",
            ),
            Kind::ApprovalNeeded => (
                "/problems/approval-needed",
                S::CONFLICT,
                "Somebody else has to approve it",
            ),
            Kind::AccountPaused => (
                "/problems/account-paused",
                S::CONFLICT,
                "An account is paused",
            ),
            Kind::AnotherWish => (
                "/problems/another-wish",
                S::CONFLICT,
                "Something else is wanted of the account",
            ),
            Kind::NothingToDecide => (
                "/problems/nothing-to-decide",
                S::CONFLICT,
                "Nothing waits for a decision",
            ),
            Kind::ProtectedAccount => (
                "/problems/protected-account",
                S::CONFLICT,
                "The landing zone needs this account",
            ),
            Kind::AccountKnown => (
                "/problems/account-known",
                S::CONFLICT,
                "Landfall knows the account already",
            ),
            Kind::NotEnrollable => (
                "/problems/not-enrollable",
                S::CONFLICT,
                "Something has to be mended first",
            ),
            Kind::NoLogs => (
                "/problems/no-logs",
                S::CONFLICT,
                "There are no log files yet",
            ),
            Kind::RequestInProgress => (
                "/problems/request-in-progress",
                S::CONFLICT,
                "The same request is being answered",
            ),
            Kind::TooLarge => (
                "/problems/too-large",
                S::PAYLOAD_TOO_LARGE,
                "The body is too large",
            ),
            Kind::UnsupportedMediaType => (
                "/problems/unsupported-media-type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body is not sent as JSON",
            ),
            Kind::InvalidFields => (
                "/problems/invalid-fields",
                S::UNPROCESSABLE_ENTITY,
                "Fields break rules",
            ),
            Kind::IdempotencyKeyReused => (
                "/problems/idempotency-key-reused",
                S::UNPROCESSABLE_ENTITY,
                "The idempotency key was used for something else",
            ),
            Kind::Internal => (
                "/problems/internal",
                S::INTERNAL_SERVER_ERROR,
                "Landfall failed",
            ),
            Kind::Unavailable => (
                "/problems/unavailable",
                S::SERVICE_UNAVAILABLE,
                "Not available now",
            ),
            Kind::TimedOut => (
                "/problems/timed-out",
                S::SERVICE_UNAVAILABLE,
                "No answer in time",
            ),
        }
    }

    /// The kind of an error that some layer gave only a status, and what to say about it.
    pub(super) fn of_status(status: StatusCode) -> (Kind, &'static str) {
        match status {
            StatusCode::NOT_FOUND => (
                Kind::NoSuchPath,
                "There is nothing at this path; /docs lists the paths there are.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => (
                Kind::MethodNotAllowed,
                "The Allow header names the methods that this path takes.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => (
                Kind::TooLarge,
                "A body may have at most 256 KiB, with recorded calls to check 16 MiB; send less. `landfall scp check` takes any number of calls.",
            ),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => (
                Kind::TimedOut,
                "The answer took too long. Try again; a POST with the same Idempotency-Key is not done twice.",
            ),
            status if status.is_client_error() => {
                (Kind::BadParameter, "The request cannot be understood.")
            }
            _ => (
                Kind::Internal,
                "The fault is Landfall's. Report it with the request id; the log says more under the same id.",
            ),
        }
    }
}

/// An error on its way to the caller.
#[derive(Clone, Debug)]
pub struct Problem {
    pub kind: Kind,
    /// What happened here, and what to do.
    detail: String,
    errors: Vec<FieldError>,
    /// The request that stands in the way.
    other: Option<Uuid>,
    /// The waiver or exemption that says as much.
    existing: Option<Uuid>,
    phase: Option<Phase>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            other: None,
            existing: None,
            phase: None,
            headers: Vec::new(),
        }
    }

    /// A thing that is not there; `what` reads "account request 1234".
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Problem::new(
            Kind::NotFound,
            format!("There is no {what}. Look for it in the list."),
        )
    }

    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{} {}.", one.pointer, one.rule),
            many => format!(
                "{} fields break rules; `errors` names each one. Correct them and send the request again.",
                many.len()
            ),
        };
        Problem {
            errors,
            ..Problem::new(Kind::InvalidFields, detail)
        }
    }

    pub fn email_taken(by: Uuid) -> Self {
        Problem {
            other: Some(by),
            ..Problem::new(
                Kind::EmailTaken,
                format!(
                    "Request {by} already has this root e-mail, and AWS wants a different one for each account. Look at {}, or choose another e-mail.",
                    request_url(by)
                ),
            )
        }
    }

    pub fn account_known(by: Uuid) -> Self {
        Problem {
            other: Some(by),
            ..Problem::new(
                Kind::AccountKnown,
                format!(
                    "Landfall knows this account already: look at {}.",
                    request_url(by)
                ),
            )
        }
    }

    /// A waiver or exemption that says no more than another one.
    pub fn asked_already(existing: Uuid, detail: impl Into<String>) -> Self {
        Problem {
            existing: Some(existing),
            ..Problem::new(Kind::AskedAlready, detail)
        }
    }

    pub fn wrong_phase(phase: Phase, detail: impl Into<String>) -> Self {
        Problem {
            phase: Some(phase),
            ..Problem::new(Kind::WrongPhase, detail)
        }
    }

    pub fn bad_parameter(parameter: &str, rule: impl std::fmt::Display) -> Self {
        Problem::new(Kind::BadParameter, format!("`{parameter}` {rule}."))
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The document, for the request with this id.
    pub(super) fn document(&self, request_id: &str) -> ProblemDocument {
        let (kind, status, title) = self.kind.parts();
        ProblemDocument {
            kind: kind.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            errors: self
                .errors
                .clone()
                .into_iter()
                .map(WrongField::from)
                .collect(),
            account_request_id: self.other,
            account_request_url: self.other.map(request_url),
            existing_id: self.existing,
            phase: self.phase.map(|phase| phase.name().to_owned()),
        }
    }
}

/// Where a request is found.
pub(super) fn request_url(id: Uuid) -> String {
    format!("/api/v1/account-requests/{id}")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, status, _) = self.kind.parts();
        let mut response = status.into_response();
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The caller learns whether it is worth trying again; the cause goes to the log.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        match error {
            StoreError::Unavailable { .. } => Problem::new(
                Kind::Unavailable,
                "The database does not answer. Try again in a moment; a POST with the same Idempotency-Key is not done twice.",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("5")),
            StoreError::Conflict { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Schema { .. }
            | StoreError::Newer { .. }
            | StoreError::Url { .. }
            | StoreError::Fault { .. } => {
                let (kind, detail) = Kind::of_status(StatusCode::INTERNAL_SERVER_ERROR);
                Problem::new(kind, detail)
            }
        }
    }
}

/// An error (RFC 9457), sent as `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// What kind of problem: stable, to be compared by programs.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid-fields")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What happened here, and what to do about it.
    pub detail: String,
    /// Under this id the log says more.
    pub request_id: String,
    /// Each wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WrongField>,
    /// The request that stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_request_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_request_url: Option<String>,
    /// The waiver or exemption that says as much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing_id: Option<Uuid>,
    /// The phase that does not allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WrongField {
    /// A JSON pointer into the body.
    #[schema(example = "/owner_email")]
    pub pointer: String,
    /// The rule, and what would keep it.
    pub rule: String,
}

impl From<FieldError> for WrongField {
    fn from(error: FieldError) -> Self {
        WrongField {
            pointer: error.pointer,
            rule: error.rule,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_type_of_its_own_and_an_error_status() {
        let types: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.parts().0).collect();
        assert_eq!(types.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let (uri, status, title) = kind.parts();
            assert!(uri.starts_with("/problems/") && !title.is_empty());
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn the_documentation_lists_every_kind() {
        let rules = include_str!("../../../../docs/api.md");
        for kind in Kind::ALL {
            let (uri, status, _) = kind.parts();
            let row = format!("| `{uri}` | {} |", status.as_u16());
            assert!(rules.contains(&row), "docs/api.md lacks {row}");
        }
    }

    #[test]
    fn a_taken_email_names_the_other_request_and_where_it_is() {
        let other = Uuid::from_u128(7);
        let document = Problem::email_taken(other).document("r-1");
        assert_eq!(document.account_request_id, Some(other));
        assert_eq!(
            document.account_request_url.as_deref(),
            Some("/api/v1/account-requests/00000000-0000-0000-0000-000000000007")
        );
        assert_eq!(document.request_id, "r-1");
    }
}
