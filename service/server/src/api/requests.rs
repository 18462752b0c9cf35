//! Requests for accounts: ask and look.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Reply};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use landfall_model::account::{self, Phase};
use landfall_model::cloud_error::Help;
use landfall_model::ids::Email;
use landfall_model::request::{FieldError, RequestForm};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::extract::{Json, Path, Query};
use super::idempotency::{self, Call};
use super::page::{self, Page};
use super::problem::{Problem, ProblemDocument, request_url};
use super::standing::Standing;
use super::{Api, schema};
use crate::store::{Account, AccountFilter, Added, Idempotency, NewRequest, Purpose};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show))
}

/// A request for an account, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountRequest {
    pub id: Uuid,
    #[schema(schema_with = schema::phase)]
    pub phase: Phase,
    #[schema(value_type = String, format = DateTime)]
    pub phase_since: Timestamp,
    /// AWS's number, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    pub name: String,
    pub owner_email: String,
    /// The account's root e-mail.
    pub email: String,
    pub organizational_unit: String,
    pub cost_center: String,
    pub environment: String,
    pub justification: String,
    pub tags: BTreeMap<String, String>,
    /// Who asked: a token's name.
    pub requested_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// When the account first carried its whole baseline.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governed_at: Option<Timestamp>,
    /// Why it ended without an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(flatten)]
    pub standing: Standing,
}

/// Why a request ended without an account, and who can change that.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// A stable word, AWS's own where it gave one.
    #[schema(example = "EMAIL_ALREADY_EXISTS")]
    pub reason: String,
    /// What happened, and what to do.
    pub message: String,
    #[schema(schema_with = schema::help)]
    pub who_can_help: Help,
}

impl From<account::Failure> for Failure {
    fn from(failure: account::Failure) -> Self {
        Failure {
            reason: failure.reason,
            message: failure.message,
            who_can_help: failure.who_can_help,
        }
    }
}

impl AccountRequest {
    pub(super) fn new(account: Account, standing: Standing) -> Self {
        AccountRequest {
            id: account.id,
            phase: account.phase,
            phase_since: account.phase_since,
            account_id: account.account_id.map(String::from),
            name: account.request.name,
            owner_email: account.request.owner_email.into(),
            email: account.email.into(),
            organizational_unit: account.request.organizational_unit.into(),
            cost_center: account.request.cost_center,
            environment: account.request.environment,
            justification: account.request.justification,
            tags: account.request.tags,
            requested_by: account.requested_by,
            requested_at: account.requested_at,
            governed_at: account.governed_at,
            failure: account.failure.map(Failure::from),
            standing,
        }
    }
}

/// What is asked for. Wrong fields are all named at once.
#[derive(Debug, ToSchema)]
#[schema(as = AccountRequestForm)]
#[expect(
    dead_code,
    reason = "the schema of landfall_model::request::RequestForm, which a test compares"
)]
struct Form {
    /// The account's name: 1 to 50 printable ASCII characters.
    #[schema(example = "Payments production")]
    name: String,
    /// Who answers for the account.
    #[schema(example = "payments@example.com")]
    owner_email: String,
    /// One of the OUs that can be asked for.
    #[schema(example = "Applications/Production")]
    organizational_unit: String,
    #[schema(example = "4711")]
    cost_center: String,
    #[schema(example = "production")]
    environment: String,
    justification: String,
    /// The account's root e-mail; made from the landing zone's template when it is left out.
    email: Option<String>,
    /// At most 45 tags.
    tags: Option<BTreeMap<String, String>>,
}

/// Ask for an account
///
/// The request is remembered and answered at once; the account is made afterwards. Follow `events`, or look again.
#[utoipa::path(
    post,
    path = "/account-requests",
    operation_id = "create_account_request",
    tag = "account requests",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body make one request")),
    request_body = Form,
    responses(
        (status = 202, body = AccountRequest, headers(("Location" = String, description = "The request"))),
        (status = 409, description = "The e-mail belongs to another request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Fields break rules", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(api): State<Api>,
    principal: Principal,
    call: Option<Extension<Call>>,
    Json(form): Json<RequestForm>,
) -> Result<Response, Problem> {
    authorize(&principal, Action::RequestAccount)?;
    let request = form.check(&api.landing_zone).map_err(Problem::invalid)?;
    let id = Uuid::now_v7();
    let email = match &request.email {
        Some(email) => email.clone(),
        None => api.generated_email(id)?,
    };
    let new = NewRequest {
        id,
        request: &request,
        email,
        purpose: Purpose::Application,
        requested_by: &principal.name,
        existing: None,
        idempotency: call.as_deref().map(|call| Idempotency {
            principal: &call.principal,
            key: &call.key,
            fingerprint: &call.fingerprint,
        }),
    };
    match api.store.add_request(&new, api.now()).await? {
        Added::New(account) | Added::Repeated(account) => {
            Ok(accepted(api.request_of(account).await?))
        }
        Added::KeyReused => Err(idempotency::key_reused()),
        Added::EmailTaken { by } | Added::AccountTaken { by } => Err(Problem::email_taken(by)),
    }
}

/// It is remembered, and will be done.
pub(super) fn accepted(request: AccountRequest) -> Response {
    let location = HeaderValue::from_str(&request_url(request.id))
        .expect("a path with a UUID is a header's value");
    (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Reply(request),
    )
        .into_response()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RequestQuery {
    /// Only requests in this phase.
    phase: Option<String>,
    /// Only requests for this OU and those below it.
    organizational_unit: Option<String>,
    /// Only requests of this owner.
    owner_email: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// List requests, newest first
#[utoipa::path(
    get,
    path = "/account-requests",
    operation_id = "list_account_requests",
    tag = "account requests",
    params(RequestQuery),
    responses(
        (status = 200, body = Page<AccountRequest>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<RequestQuery>,
) -> Result<Reply<Page<AccountRequest>>, Problem> {
    authorize(&principal, Action::Read)?;
    let filter = AccountFilter {
        phase: page::phase(query.phase.as_deref())?,
        organizational_unit: api
            .unit_filter(query.organizational_unit.as_deref())
            .await?,
        owner: page::parse("owner_email", query.owner_email.as_deref())?,
        has_account_id: None,
    };
    let cursor: Option<Uuid> = page::parse("cursor", query.cursor.as_deref())?;
    let cursor = cursor.map(|id| id.to_string());
    let limit = page::limit(query.limit)?;
    let page = api
        .store
        .accounts(&filter, cursor.as_deref(), limit)
        .await?;
    let mut standings = api.standings(&page.items).await?;
    Ok(Reply(Page {
        items: page
            .items
            .into_iter()
            .map(|account| {
                let standing = standings.remove(&account.id).unwrap_or_default();
                AccountRequest::new(account, standing)
            })
            .collect(),
        next_cursor: page.next,
    }))
}

/// Look at a request
#[utoipa::path(
    get,
    path = "/account-requests/{id}",
    operation_id = "show_account_request",
    tag = "account requests",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = AccountRequest),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Reply<AccountRequest>, Problem> {
    authorize(&principal, Action::Read)?;
    let account = api.account(id).await?;
    Ok(Reply(api.request_of(account).await?))
}

impl Api {
    /// A request, or the problem that there is none.
    pub(super) async fn account(&self, id: Uuid) -> Result<Account, Problem> {
        let account = self.store.account(id).await?;
        account.ok_or_else(|| Problem::not_found(format_args!("account request {id}")))
    }

    /// A request as callers see it.
    pub(super) async fn request_of(&self, account: Account) -> Result<AccountRequest, Problem> {
        let standing = self.standing(&account).await?;
        Ok(AccountRequest::new(account, standing))
    }

    /// The root e-mail of a request that names none. The end of its id is random, the beginning is the time.
    fn generated_email(&self, id: Uuid) -> Result<Email, Problem> {
        let hex = id.simple().to_string();
        self.landing_zone
            .generated_email(&hex[hex.len() - 12..])
            .map_err(|error| {
                Problem::invalid(vec![FieldError {
                    pointer: "/email".to_owned(),
                    rule: format!(
                        "must be given, since the landing zone's template makes none: {error}"
                    ),
                }])
            })
    }
}
