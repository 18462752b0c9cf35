//! What people decide about requests. Only the decision is recorded here; the engine acts on it.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use landfall_model::request::{FieldError, RequestForm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::extract::{OptionalJson, Path};
use super::problem::{Problem, ProblemDocument};
use super::requests::AccountRequest;
use crate::store::{Account, Decided, Decision};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(cancel))
        .routes(routes!(retry))
}

/// A decision, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why, for the history.
    #[serde(default)]
    pub reason: String,
}

impl Reason {
    /// The text, which a line of history has room for.
    pub(super) fn checked(self) -> Result<String, Problem> {
        let reason = self.reason.trim().to_owned();
        if reason.chars().count() > 1_000 {
            return Err(wrong_reason("must be at most 1000 characters"));
        }
        Ok(reason)
    }
}

/// Why something is wanted that nobody is to meet without a reason.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NeededReason {
    /// Why, for the history and for those whom it concerns.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
}

impl NeededReason {
    /// As [`Reason::checked`]; an empty one is not enough.
    pub(super) fn needed(self) -> Result<String, Problem> {
        let reason = Reason {
            reason: self.reason,
        };
        let reason = reason.checked()?;
        if reason.is_empty() {
            return Err(wrong_reason("must be given"));
        }
        Ok(reason)
    }
}

fn wrong_reason(rule: &str) -> Problem {
    Problem::invalid(vec![FieldError {
        pointer: "/reason".to_owned(),
        rule: rule.to_owned(),
    }])
}

/// Let a request go ahead
#[utoipa::path(
    post,
    path = "/account-requests/{id}/approve",
    operation_id = "approve_account_request",
    tag = "account requests",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = AccountRequest),
        (status = 409, description = "It does not wait for approval", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn approve(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<AccountRequest>, Problem> {
    authorize(&principal, Action::Decide)?;
    decide(&api, id, Decision::Approve, &principal, &reason.checked()?).await
}

/// Turn a request down
#[utoipa::path(
    post,
    path = "/account-requests/{id}/reject",
    operation_id = "reject_account_request",
    tag = "account requests",
    params(("id" = Uuid, Path)),
    request_body = NeededReason,
    responses(
        (status = 200, body = AccountRequest),
        (status = 409, description = "It is too late", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn reject(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<NeededReason>,
) -> Result<Reply<AccountRequest>, Problem> {
    authorize(&principal, Action::Decide)?;
    decide(&api, id, Decision::Reject, &principal, &reason.needed()?).await
}

/// Take a request back
#[utoipa::path(
    post,
    path = "/account-requests/{id}/cancel",
    operation_id = "cancel_account_request",
    tag = "account requests",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = AccountRequest),
        (status = 409, description = "It is too late", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn cancel(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<AccountRequest>, Problem> {
    let account = api.account(id).await?;
    let requested_by = &account.requested_by;
    authorize(&principal, Action::ChangeRequest { requested_by })?;
    decide(&api, id, Decision::Cancel, &principal, &reason.checked()?).await
}

async fn decide(
    api: &Api,
    id: Uuid,
    decision: Decision,
    principal: &Principal,
    reason: &str,
) -> Result<Reply<AccountRequest>, Problem> {
    let possible = match decision {
        Decision::Approve => "only a request that waits for approval can be approved",
        Decision::Reject => "a request can be rejected until its account is made",
        Decision::Cancel => "a request can be cancelled until its account is made",
    };
    let decided = api
        .store
        .decide(id, decision, &principal.name, reason, api.now())
        .await?;
    answer(api, id, decided, possible).await
}

async fn answer(
    api: &Api,
    id: Uuid,
    decided: Decided,
    possible: &str,
) -> Result<Reply<AccountRequest>, Problem> {
    match decided {
        Decided::Done(account) => Ok(Reply(api.request_of(account).await?)),
        Decided::NotFound => Err(Problem::not_found(format_args!("account request {id}"))),
        Decided::EmailTaken { by } => Err(Problem::email_taken(by)),
        Decided::WrongPhase(phase) => Err(Problem::wrong_phase(
            phase,
            format!(
                "The request is {}; {possible}.",
                phase.name().replace('_', " ")
            ),
        )),
    }
}

/// What is corrected; a field that is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Corrections {
    pub name: Option<String>,
    pub owner_email: Option<String>,
    pub organizational_unit: Option<String>,
    pub cost_center: Option<String>,
    pub environment: Option<String>,
    pub justification: Option<String>,
    pub email: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
}

impl Corrections {
    /// The request as it was, with what is corrected.
    fn over(self, before: &Account) -> RequestForm {
        let was = before.request.clone();
        RequestForm {
            name: self.name.unwrap_or(was.name),
            owner_email: self.owner_email.unwrap_or(was.owner_email.into()),
            organizational_unit: self
                .organizational_unit
                .unwrap_or(was.organizational_unit.into()),
            cost_center: self.cost_center.unwrap_or(was.cost_center),
            environment: self.environment.unwrap_or(was.environment),
            justification: self.justification.unwrap_or(was.justification),
            email: Some(self.email.unwrap_or(before.email.to_string())),
            tags: self.tags.unwrap_or(was.tags),
        }
    }
}

/// Try a failed request again, with corrections if need be
#[utoipa::path(
    post,
    path = "/account-requests/{id}/retry",
    operation_id = "retry_account_request",
    tag = "account requests",
    params(("id" = Uuid, Path)),
    request_body = Option<Corrections>,
    responses(
        (status = 202, body = AccountRequest),
        (status = 409, description = "It did not fail, or the e-mail belongs to another request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn retry(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(corrections): OptionalJson<Corrections>,
) -> Result<Response, Problem> {
    let account = api.account(id).await?;
    let requested_by = &account.requested_by;
    authorize(&principal, Action::ChangeRequest { requested_by })?;
    let corrected = if corrections == Corrections::default() {
        None
    } else {
        let form = corrections.over(&account);
        Some(form.check(&api.landing_zone).map_err(Problem::invalid)?)
    };
    let email = corrected
        .as_ref()
        .and_then(|request| request.email.as_ref());
    let corrected = corrected.as_ref().zip(email);
    let decided = api
        .store
        .retry(id, corrected, &principal.name, api.now())
        .await?;
    let body = answer(
        &api,
        id,
        decided,
        "only a failed request can be tried again",
    )
    .await?;
    Ok((StatusCode::ACCEPTED, body).into_response())
}
