//! Exemptions from service control policies: asked for by one, approved by another, ended by time.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use landfall_model::consent::{Consent, ConsentState, Decision};
use landfall_model::ids::OuPath;
use landfall_model::request::FieldError;
use landfall_model::scp::{Exempted, Exemption as Stored, ExemptionForm, InForce, ScpSet};
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
use crate::store::ExemptionFilter;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(revoke))
}

/// Principals that a service control policy spares for a while, or that somebody would like it to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Exemption {
    pub id: Uuid,
    /// Where it is in its life.
    #[schema(schema_with = schema::consent_state)]
    pub state: ConsentState,
    /// The policy as the folder `scp` names it.
    pub policy: String,
    /// The account whose principals are spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The OU whose accounts' principals are spared, and those of the OUs below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// ARNs, with `*` and `?`.
    pub principals: Vec<String>,
    pub reason: String,
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
    /// When the policies in AWS were first seen to spare them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub effective_at: Option<Timestamp>,
    /// When the policies in AWS were first seen to deny them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

impl Exemption {
    fn of(exemption: Stored, now: Timestamp) -> Self {
        let state = exemption.consent.state(now);
        let consent = exemption.consent;
        let (account_id, organizational_unit) = match exemption.exempted {
            Exempted::Account(account) => (Some(account.into()), None),
            Exempted::Unit(unit) => (None, Some(unit.into())),
        };
        Exemption {
            id: exemption.id,
            state,
            policy: exemption.policy,
            account_id,
            organizational_unit,
            principals: exemption.principals,
            reason: exemption.reason,
            requested_by: consent.requested_by,
            requested_at: consent.requested_at,
            expires_at: consent.expires_at,
            approved: consent.approved.map(Word::from),
            rejected: consent.rejected.map(Word::from),
            revoked: consent.revoked.map(Word::from),
            effective_at: exemption.effective_at,
            ended_at: exemption.ended_at,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExemptionQuery {
    /// Only in this state. Without it, those that are proposed or in force.
    state: Option<String>,
    /// Also those that came to an end: rejected, revoked, expired.
    #[serde(default)]
    ended: bool,
    /// Only those from this policy.
    policy: Option<String>,
    /// Only those that name this account.
    account_id: Option<String>,
    /// Only those that name this OU.
    organizational_unit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// List exemptions, newest first
#[utoipa::path(
    get,
    path = "/scp-exemptions",
    operation_id = "list_scp_exemptions",
    tag = "scps",
    params(ExemptionQuery),
    responses(
        (status = 200, body = Page<Exemption>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<ExemptionQuery>,
) -> Result<Reply<Page<Exemption>>, Problem> {
    authorize(&principal, Action::Read)?;
    let filter = ExemptionFilter {
        states: consent::states(query.state.as_deref(), query.ended)?,
        policy: query.policy,
        account_id: page::parse("account_id", query.account_id.as_deref())?,
        organizational_unit: page::parse(
            "organizational_unit",
            query.organizational_unit.as_deref(),
        )?,
    };
    let cursor: Option<Uuid> = page::parse("cursor", query.cursor.as_deref())?;
    let cursor = cursor.map(|id| id.to_string());
    let limit = page::limit(query.limit)?;
    let now = api.now();
    let page = api
        .store
        .exemptions(&filter, now, cursor.as_deref(), limit)
        .await?;
    let items = page.items.into_iter();
    Ok(Reply(Page {
        items: items
            .map(|exemption| Exemption::of(exemption, now))
            .collect(),
        next_cursor: page.next,
    }))
}

/// What is asked for. Wrong fields are all named at once.
#[derive(Debug, ToSchema)]
#[schema(as = ExemptionForm)]
#[expect(
    dead_code,
    reason = "the schema of landfall_model::scp::ExemptionForm, which a test compares"
)]
struct Form {
    /// The policy as the folder `scp` names it; `scp/exemptions.toml` says which may be named.
    #[schema(example = "deny-unused-regions")]
    policy: String,
    /// The account whose principals are to be spared. One of this and `organizational_unit` is given.
    #[schema(example = "222222222222")]
    account_id: Option<String>,
    /// The OU whose accounts' principals are to be spared, and those of the OUs below.
    #[schema(example = "Applications/Sandbox")]
    organizational_unit: Option<String>,
    /// `role/NAME`, `user/NAME`, `root`, or the same as ARNs, with `*` and `?`. Everybody where there are none.
    #[schema(example = json!(["role/TeamX*"]), default = json!([]))]
    principals: Option<Vec<String>>,
    /// Why they are to do what everybody else must not.
    reason: String,
    /// When it ends by itself: within the days that the landing zone sets, 90 unless it says otherwise.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Ask for an exemption from a service control policy
///
/// Somebody else has to approve it before it has any effect. An exemption that would not fit into the policies is refused with figures.
#[utoipa::path(
    post,
    path = "/scp-exemptions",
    operation_id = "propose_scp_exemption",
    tag = "scps",
    request_body = Form,
    responses(
        (status = 201, body = Exemption),
        (status = 409, description = "Another that is in force or proposed says as much: `existing_id`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn propose(
    State(api): State<Api>,
    principal: Principal,
    Json(form): Json<ExemptionForm>,
) -> Result<(StatusCode, Reply<Exemption>), Problem> {
    authorize(&principal, Action::ProposeWaiver)?;
    let now = api.now();
    let in_force = api.in_force(&api.store.scp_course().await?, ScpSet::clone);
    let scps = saying(&form.policy, &api.scps.0, &in_force);
    let proposal = form
        .check(&api.landing_zone, scps, now)
        .map_err(Problem::invalid)?;
    let exemption = Stored {
        id: Uuid::now_v7(),
        policy: proposal.policy,
        exempted: proposal.exempted,
        principals: proposal.principals,
        reason: proposal.reason,
        consent: Consent::asked(principal.name, now, proposal.expires_at),
        effective_at: None,
        ended_at: None,
    };
    api.measure(&exemption, now).await?;
    let proposed = api.store.propose_exemption(&exemption).await?;
    consent::proposed(proposed, "exemption", |it| (it.id, &it.consent), now)?;
    Ok((StatusCode::CREATED, Reply(Exemption::of(exemption, now))))
}

/// Look at an exemption
#[utoipa::path(
    get,
    path = "/scp-exemptions/{id}",
    operation_id = "show_scp_exemption",
    tag = "scps",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Exemption),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Reply<Exemption>, Problem> {
    authorize(&principal, Action::Read)?;
    let exemption = api.exemption(id).await?;
    Ok(Reply(Exemption::of(exemption, api.now())))
}

/// Agree to an exemption
///
/// Not by the one who asked for it. The policies are changed at once, and changed back when it ends.
#[utoipa::path(
    post,
    path = "/scp-exemptions/{id}/approve",
    operation_id = "approve_scp_exemption",
    tag = "scps",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = Exemption),
        (status = 403, description = "It is one's own, or the role may not decide", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It is not proposed any more", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "It does not fit into the policies any more", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn approve(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<Exemption>, Problem> {
    authorize(&principal, Action::DecideWaiver)?;
    let reason = reason.checked()?;
    let exemption = api.exemption(id).await?;
    let now = api.now();
    if exemption.consent.state(now) == ConsentState::Proposed {
        api.measure(&exemption, now).await?;
    }
    decide(&api, id, Decision::Approve, &principal, &reason).await
}

/// Turn an exemption down
#[utoipa::path(
    post,
    path = "/scp-exemptions/{id}/reject",
    operation_id = "reject_scp_exemption",
    tag = "scps",
    params(("id" = Uuid, Path)),
    request_body = NeededReason,
    responses(
        (status = 200, body = Exemption),
        (status = 409, description = "It is not proposed any more", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn reject(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<NeededReason>,
) -> Result<Reply<Exemption>, Problem> {
    authorize(&principal, Action::DecideWaiver)?;
    let reason = reason.needed()?;
    decide(&api, id, Decision::Reject, &principal, &reason).await
}

/// Take an exemption back before it ends
///
/// The policies are changed back at once. Who asked for it may always do so.
#[utoipa::path(
    post,
    path = "/scp-exemptions/{id}/revoke",
    operation_id = "revoke_scp_exemption",
    tag = "scps",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = Exemption),
        (status = 409, description = "It has ended", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn revoke(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<Exemption>, Problem> {
    let exemption = api.exemption(id).await?;
    let requested_by = &exemption.consent.requested_by;
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
) -> Result<Reply<Exemption>, Problem> {
    let now = api.now();
    let decided = api
        .store
        .decide_exemption(id, decision, &principal.name, reason, now)
        .await?;
    let about = ("exemption", Kind::OwnExemption, id);
    let exemption = consent::settled(decided, decision, about)?;
    Ok(Reply(Exemption::of(exemption, now)))
}

impl Api {
    async fn exemption(&self, id: Uuid) -> Result<Stored, Problem> {
        let exemption = self.store.exemption(id).await?;
        exemption.ok_or_else(|| Problem::not_found(format_args!("exemption {id}")))
    }

    /// Whether an exemption has something to change, and fits into the policies beside those that are in force.
    async fn measure(&self, exemption: &Stored, now: Timestamp) -> Result<(), Problem> {
        let wrong = |pointer: &str, rule: String| {
            let pointer = pointer.to_owned();
            Err(Problem::invalid(vec![FieldError { pointer, rule }]))
        };
        let unit = match &exemption.exempted {
            Exempted::Unit(_) => None,
            Exempted::Account(number) => match self.store.account_by_number(number).await? {
                Some(account) if account.phase.is_final() => {
                    return wrong("/account_id", format!("the account {number} is closed"));
                }
                Some(account) => Some(account.request.organizational_unit),
                None => return wrong("/account_id", format!("there is no account {number}")),
            },
        };
        let course = self.store.scp_course().await?;
        let in_force = self.in_force(&course, ScpSet::clone);
        let scps = saying(&exemption.policy, &self.scps.0, &in_force);
        if let Err(rule) = scps.reach(&exemption.policy, &exemption.exempted, unit.as_ref()) {
            return wrong("/policy", rule);
        }
        let at_work = self.store.exemptions_at_work(now).await?;
        let in_force = at_work
            .iter()
            .filter(|one| one.exemption.consent.state(now) == ConsentState::InForce);
        let with: Vec<(&Stored, Option<&OuPath>)> = in_force
            .map(|one| (&one.exemption, one.unit.as_ref()))
            .chain([(exemption, unit.as_ref())])
            .collect();
        // It has to fit now, and when a rollout is done that is under way.
        let sparing = |set: &ScpSet| set.sparing(with.iter().copied());
        let (now, then) = (
            self.in_force(&course, sparing),
            sparing(&self.scps.0).into(),
        );
        let fits = |policies: InForce| policies.packed(self.landing_zone.scps).map(|_| ());
        match fits(now).and_then(|()| fits(then)) {
            Ok(()) => Ok(()),
            Err(error) => wrong("/principals", error.to_string()),
        }
    }
}

/// What is asked what a policy is and where it stands: the files, or what a rollout has not replaced yet, where that alone has it.
fn saying<'a>(policy: &str, files: &'a ScpSet, in_force: &'a InForce) -> &'a ScpSet {
    let has = |set: &&ScpSet| {
        let mut attachments = set.attachments.values().flatten();
        attachments.any(|name| name == policy)
    };
    let mut sets = std::iter::once(files).chain(in_force.sets());
    sets.find(has).unwrap_or(files)
}
