//! Accepted deviations: proposed by one, approved by another, ended by time.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use landfall_controls::registry;
use landfall_model::consent::{Consent, ConsentState, Decision};
use landfall_model::request::FieldError;
use landfall_model::waiver::{Beneficiary, Waiver as Stored};
use landfall_model::waiver_form::WaiverForm;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::consent::{self, Word};
use super::decisions::{NeededReason, Reason};
use super::extract::{Json, OptionalJson, Path, Query};
use super::page::{self, Page};
use super::problem::{Kind, Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::WaiverFilter;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(revoke))
}

/// An accepted deviation, or one that somebody would like to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Waiver {
    pub id: Uuid,
    /// Where it is in its life.
    #[schema(schema_with = schema::consent_state)]
    pub state: ConsentState,
    /// The account whose deviation it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The OU whose accounts' deviation it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// Also of the accounts of the OUs below.
    #[serde(default)]
    pub and_below: bool,
    /// It is the organization's own.
    #[serde(default)]
    pub organization: bool,
    /// Every Region where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub control: String,
    pub reason: String,
    /// Who answers for the deviation.
    pub owner_email: String,
    pub requested_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Word>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Word>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Word>,
}

impl Waiver {
    fn of(waiver: Stored, now: Timestamp) -> Self {
        let state = waiver.consent.state(now);
        let consent = waiver.consent;
        let and_below = matches!(waiver.beneficiary, Beneficiary::Subtree(_));
        let organization = waiver.beneficiary == Beneficiary::Organization;
        let (account_id, organizational_unit) = match waiver.beneficiary {
            Beneficiary::Organization => (None, None),
            Beneficiary::Account(account) => (Some(account.into()), None),
            Beneficiary::Unit(unit) | Beneficiary::Subtree(unit) => (None, Some(unit.into())),
        };
        Waiver {
            id: waiver.id,
            state,
            account_id,
            organizational_unit,
            and_below,
            organization,
            region: waiver.region.map(String::from),
            control: waiver.control.into(),
            reason: waiver.reason,
            owner_email: waiver.owner_email.into(),
            requested_by: consent.requested_by,
            requested_at: consent.requested_at,
            expires_at: consent.expires_at,
            approved: consent.approved.map(Word::from),
            rejected: consent.rejected.map(Word::from),
            revoked: consent.revoked.map(Word::from),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WaiverQuery {
    /// Only in this state. Without it, those that are proposed or in force.
    state: Option<String>,
    /// Also those that came to an end: rejected, revoked, expired.
    #[serde(default)]
    ended: bool,
    /// Only those that name this account.
    account_id: Option<String>,
    /// Only those that name this OU.
    organizational_unit: Option<String>,
    /// Only those that name this Region.
    region: Option<String>,
    /// Only those of this control.
    control: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// List waivers, newest first
#[utoipa::path(
    get,
    path = "/waivers",
    operation_id = "list_waivers",
    tag = "waivers",
    params(WaiverQuery),
    responses(
        (status = 200, body = Page<Waiver>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<WaiverQuery>,
) -> Result<Reply<Page<Waiver>>, Problem> {
    authorize(&principal, Action::Read)?;
    let filter = WaiverFilter {
        states: consent::states(query.state.as_deref(), query.ended)?,
        account_id: page::parse("account_id", query.account_id.as_deref())?,
        organizational_unit: page::parse(
            "organizational_unit",
            query.organizational_unit.as_deref(),
        )?,
        region: page::parse("region", query.region.as_deref())?,
        control: page::parse("control", query.control.as_deref())?,
    };
    let cursor: Option<Uuid> = page::parse("cursor", query.cursor.as_deref())?;
    let cursor = cursor.map(|id| id.to_string());
    let limit = page::limit(query.limit)?;
    let now = api.now();
    let page = api
        .store
        .waivers(&filter, now, cursor.as_deref(), limit)
        .await?;
    Ok(Reply(Page {
        items: page
            .items
            .into_iter()
            .map(|waiver| Waiver::of(waiver, now))
            .collect(),
        next_cursor: page.next,
    }))
}

/// What is proposed. Wrong fields are all named at once.
#[derive(Debug, ToSchema)]
#[schema(as = WaiverForm)]
#[expect(
    dead_code,
    reason = "the schema of landfall_model::waiver_form::WaiverForm, which a test compares"
)]
struct Form {
    /// The account whose deviation it is. One of this, `organizational_unit` and `organization` is given.
    #[schema(example = "222222222222")]
    account_id: Option<String>,
    /// The OU whose accounts' deviation it is.
    #[schema(example = "Applications/Sandbox")]
    organizational_unit: Option<String>,
    /// Also of the accounts of the OUs below.
    #[schema(default = false)]
    and_below: Option<bool>,
    /// It is the organization's own.
    #[schema(default = false)]
    organization: Option<bool>,
    /// Left out for every Region, and for what is not regional.
    #[schema(example = "eu-west-1")]
    region: Option<String>,
    #[schema(example = "config.recorder")]
    control: String,
    /// Why the deviation is acceptable.
    reason: String,
    /// Who answers for it.
    #[schema(example = "payments@example.com")]
    owner_email: String,
    /// When it ends by itself: within the days that the landing zone sets, 180 unless it says otherwise.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Ask for a deviation to be accepted
///
/// Somebody else has to approve it before it has any effect.
#[utoipa::path(
    post,
    path = "/waivers",
    operation_id = "propose_waiver",
    tag = "waivers",
    request_body = Form,
    responses(
        (status = 201, body = Waiver),
        (status = 409, description = "Another that is in force or proposed says as much: `existing_id`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn propose(
    State(api): State<Api>,
    principal: Principal,
    Json(form): Json<WaiverForm>,
) -> Result<(StatusCode, Reply<Waiver>), Problem> {
    authorize(&principal, Action::ProposeWaiver)?;
    let now = api.now();
    let scope_of = |id: &_| registry::control(id).map(|control| control.descriptor().scope);
    let proposal = form
        .check(&api.landing_zone, scope_of, now)
        .map_err(Problem::invalid)?;
    if let Beneficiary::Account(number) = &proposal.beneficiary
        && api.store.account_by_number(number).await?.is_none()
    {
        return Err(Problem::invalid(vec![FieldError {
            pointer: "/account_id".to_owned(),
            rule: format!("there is no account {number}"),
        }]));
    }
    let waiver = Stored {
        id: Uuid::now_v7(),
        beneficiary: proposal.beneficiary,
        region: proposal.region,
        control: proposal.control,
        reason: proposal.reason,
        owner_email: proposal.owner_email,
        consent: Consent::asked(principal.name, now, proposal.expires_at),
    };
    let proposed = api.store.propose_waiver(&waiver).await?;
    consent::proposed(proposed, "waiver", |it| (it.id, &it.consent), now)?;
    Ok((StatusCode::CREATED, Reply(Waiver::of(waiver, now))))
}

/// Look at a waiver
#[utoipa::path(
    get,
    path = "/waivers/{id}",
    operation_id = "show_waiver",
    tag = "waivers",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Waiver),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Reply<Waiver>, Problem> {
    authorize(&principal, Action::Read)?;
    let waiver = api.waiver(id).await?;
    Ok(Reply(Waiver::of(waiver, api.now())))
}

/// Accept a deviation
///
/// Not by the one who proposed it. The cells concerned are looked at at once, and left as they are until the waiver ends.
#[utoipa::path(
    post,
    path = "/waivers/{id}/approve",
    operation_id = "approve_waiver",
    tag = "waivers",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = Waiver),
        (status = 403, description = "It is one's own, or the role may not decide", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It is not proposed any more", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn approve(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<Waiver>, Problem> {
    authorize(&principal, Action::DecideWaiver)?;
    let reason = reason.checked()?;
    decide(&api, id, Decision::Approve, &principal, &reason).await
}

/// Turn a waiver down
#[utoipa::path(
    post,
    path = "/waivers/{id}/reject",
    operation_id = "reject_waiver",
    tag = "waivers",
    params(("id" = Uuid, Path)),
    request_body = NeededReason,
    responses(
        (status = 200, body = Waiver),
        (status = 409, description = "It is not proposed any more", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn reject(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<NeededReason>,
) -> Result<Reply<Waiver>, Problem> {
    authorize(&principal, Action::DecideWaiver)?;
    let reason = reason.needed()?;
    decide(&api, id, Decision::Reject, &principal, &reason).await
}

/// Take a waiver back before it ends
///
/// What it covered is drift again at once. Who proposed it may always do so.
#[utoipa::path(
    post,
    path = "/waivers/{id}/revoke",
    operation_id = "revoke_waiver",
    tag = "waivers",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = Waiver),
        (status = 409, description = "It has ended", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn revoke(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<Waiver>, Problem> {
    let waiver = api.waiver(id).await?;
    let requested_by = &waiver.consent.requested_by;
    authorize(&principal, Action::RevokeWaiver { requested_by })?;
    let reason = reason.checked()?;
    decide(&api, id, Decision::Revoke, &principal, &reason).await
}

async fn decide(
    api: &Api,
    id: Uuid,
    decision: Decision,
    principal: &Principal,
    reason: &str,
) -> Result<Reply<Waiver>, Problem> {
    let now = api.now();
    let decided = api
        .store
        .decide_waiver(id, decision, &principal.name, reason, now)
        .await?;
    let about = ("waiver", Kind::OwnWaiver, id);
    let waiver = consent::settled(decided, decision, about)?;
    Ok(Reply(Waiver::of(waiver, now)))
}

impl Api {
    async fn waiver(&self, id: Uuid) -> Result<Stored, Problem> {
        let waiver = self.store.waiver(id).await?;
        waiver.ok_or_else(|| Problem::not_found(format_args!("waiver {id}")))
    }
}
