//! Plans: look before you leap. A plan is asked for and read here; the engine makes and applies it.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use landfall_model::consent;
use landfall_model::plan::{HOLDS, PlanRules, PlanState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::extract::{OptionalJson, Path, Query};
use super::page::{self, Page};
use super::plan_scope::PlanForm;
use super::problem::{Kind, Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::{self, NewPlan};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(apply))
}

/// A plan, and how far it has come.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub id: Uuid,
    #[schema(schema_with = schema::plan_state)]
    pub state: PlanState,
    pub scope: PlanForm,
    pub made_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// From then on it can no longer be applied.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    pub approval: Approval,
    /// Who had it applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    pub counts: Counts,
}

/// Whether somebody besides its maker has to agree to a plan, and who did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Whether it changes more accounts than one person may.
    pub needed: bool,
    /// How many accounts one person may have changed.
    pub accounts_alone: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
}

/// What a plan's targets and cells add up to. The organization counts as one target, as each account does.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    pub targets: u64,
    /// How many targets are in each stage.
    pub stages: BTreeMap<String, u64>,
    pub targets_to_change: u64,
    pub cells_in_sync: u64,
    /// Accepted deviations, which are not looked at.
    pub cells_waived: u64,
    pub cells_to_change: u64,
    pub cells_not_looked_at: u64,
    pub changes: u64,
    /// Cells whose changes were all applied.
    pub cells_applied: u64,
}

impl Plan {
    fn new(plan: store::Plan, rules: &PlanRules, governed: u64) -> Self {
        let state = plan.state();
        let accounts_alone = rules.alone(governed);
        let (approved_by, approved_at) = plan.approved.map(|deed| (deed.by, deed.at)).unzip();
        let (applied_by, applied_at) = plan.applied.map(|deed| (deed.by, deed.at)).unzip();
        let counts = plan.counts;
        Plan {
            id: plan.id,
            state,
            scope: plan.scope.into(),
            made_by: plan.made.by,
            made_at: plan.made.at,
            expires_at: plan.made.at + HOLDS,
            approval: Approval {
                needed: counts.targets_to_change > accounts_alone,
                accounts_alone,
                approved_by,
                approved_at,
            },
            applied_by,
            applied_at,
            counts: Counts {
                targets: counts.stages.iter().map(|(_, targets)| targets).sum(),
                stages: counts
                    .stages
                    .into_iter()
                    .map(|(stage, targets)| (stage.name().to_owned(), targets))
                    .collect(),
                targets_to_change: counts.targets_to_change,
                cells_in_sync: counts.cells_in_sync,
                cells_waived: counts.cells_waived,
                cells_to_change: counts.cells_to_change,
                cells_not_looked_at: counts.cells_unseen,
                changes: counts.changes,
                cells_applied: counts.cells_applied,
            },
        }
    }
}

/// Make a plan
///
/// The cells in scope are looked at, and nothing is changed. Look at the plan again until its state is `planned`.
#[utoipa::path(
    post,
    path = "/plans",
    operation_id = "create_plan",
    tag = "plans",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body make one plan")),
    request_body = Option<PlanForm>,
    responses(
        (status = 202, body = Plan, headers(("Location" = String, description = "The plan"))),
        (status = 422, description = "Something is named that is not there", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(api): State<Api>,
    principal: Principal,
    OptionalJson(form): OptionalJson<PlanForm>,
) -> Result<Response, Problem> {
    authorize(&principal, Action::MakePlan)?;
    let (scope, targets) = api.plan_targets(&form).await?;
    // On a server's very first start the engine may not have got so far.
    api.store.ensure_organization(api.now()).await?;
    let id = Uuid::now_v7();
    let new = NewPlan {
        id,
        scope: &scope,
        targets: &targets,
        made_by: &principal.name,
    };
    api.store.add_plan(&new, api.now()).await?;
    accepted(api.plan(id).await?)
}

fn accepted(plan: Plan) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(&format!("/api/v1/plans/{}", plan.id))
        .expect("a path with a UUID is a header's value");
    let body = Reply(plan);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], body).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PlanQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// List plans, newest first
#[utoipa::path(
    get,
    path = "/plans",
    operation_id = "list_plans",
    tag = "plans",
    params(PlanQuery),
    responses(
        (status = 200, body = Page<Plan>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<PlanQuery>,
) -> Result<Reply<Page<Plan>>, Problem> {
    authorize(&principal, Action::Read)?;
    let cursor: Option<Uuid> = page::parse("cursor", query.cursor.as_deref())?;
    let cursor = cursor.map(|id| id.to_string());
    let limit = page::limit(query.limit)?;
    let page = api.store.plans(cursor.as_deref(), limit).await?;
    let governed = api.store.governed_accounts().await?;
    let rules = &api.landing_zone.plans;
    Ok(Reply(Page {
        items: page
            .items
            .into_iter()
            .map(|plan| Plan::new(plan, rules, governed))
            .collect(),
        next_cursor: page.next,
    }))
}

/// Look at a plan
///
/// What it would change is in `targets` and `changes`.
#[utoipa::path(
    get,
    path = "/plans/{id}",
    operation_id = "show_plan",
    tag = "plans",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Plan),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Reply<Plan>, Problem> {
    authorize(&principal, Action::Read)?;
    api.plan(id).await.map(Reply)
}

/// Agree to a plan that somebody else made
///
/// A plan that changes more accounts than one person may needs this before it can be applied.
#[utoipa::path(
    post,
    path = "/plans/{id}/approve",
    operation_id = "approve_plan",
    tag = "plans",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Plan),
        (status = 403, description = "Whoever made the plan cannot approve it", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It is not yet made, no longer holds, or was applied", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn approve(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Reply<Plan>, Problem> {
    authorize(&principal, Action::Decide)?;
    let plan = api.plan(id).await?;
    if consent::is_same(&plan.made_by, &principal.name) {
        return Err(Problem::new(
            Kind::Forbidden,
            format!(
                "`{}` made this plan; somebody else has to approve it.",
                principal.name
            ),
        ));
    }
    api.can_be_applied(&plan)?;
    // Approving what is approved changes nothing: the first name stands.
    api.store
        .approve_plan(id, &principal.name, api.now())
        .await?;
    api.plan(id).await.map(Reply)
}

/// Apply a plan exactly, or not at all
///
/// Every target is looked at again first. When something is not as it was when the plan was made, nothing of that target
/// is changed. A plan can be applied once.
#[utoipa::path(
    post,
    path = "/plans/{id}/apply",
    operation_id = "apply_plan",
    tag = "plans",
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, body = Plan, headers(("Location" = String, description = "The plan"))),
        (status = 409, description = "It is not yet made, needs approval, no longer holds, was applied, or an account is paused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn apply(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    authorize(&principal, Action::ApplyPlan)?;
    let plan = api.plan(id).await?;
    api.can_be_applied(&plan)?;
    if plan.counts.cells_to_change == 0 {
        return Err(wrong_state("The plan would change nothing."));
    }
    if plan.approval.needed && plan.approval.approved_by.is_none() {
        return Err(Problem::new(
            Kind::ApprovalNeeded,
            format!(
                "The plan changes {} accounts, and one person alone may have {} changed. Somebody besides `{}` has to approve it: `landfall plan approve {id}`.",
                plan.counts.targets_to_change, plan.approval.accounts_alone, plan.made_by
            ),
        ));
    }
    let paused = api.store.paused_in_plan(id).await?;
    if !paused.is_empty() {
        let names: Vec<String> = paused
            .into_iter()
            .map(|target| match target.account {
                Some((number, name)) => format!("{number} ({name})"),
                None => "the organization".to_owned(),
            })
            .collect();
        return Err(Problem::new(
            Kind::AccountPaused,
            format!(
                "Nothing is changed while an account is paused: {}. Resume it (`landfall account resume`) and apply again, or make a plan without it.",
                names.join(", ")
            ),
        ));
    }
    if !api.store.apply_plan(id, &principal.name, api.now()).await? {
        // Somebody else was faster.
        api.can_be_applied(&api.plan(id).await?)?;
    }
    accepted(api.plan(id).await?)
}

impl Api {
    /// A plan, or the problem that there is none.
    pub(super) async fn plan(&self, id: Uuid) -> Result<Plan, Problem> {
        let plan = self.store.plan(id).await?;
        let plan = plan.ok_or_else(|| Problem::not_found(format_args!("plan {id}")))?;
        let governed = self.store.governed_accounts().await?;
        Ok(Plan::new(plan, &self.landing_zone.plans, governed))
    }

    /// The problem with a plan that is not there to be applied.
    fn can_be_applied(&self, plan: &Plan) -> Result<(), Problem> {
        if let (Some(by), Some(at)) = (&plan.applied_by, plan.applied_at) {
            return Err(wrong_state(&format!(
                "The plan was applied at {at:.0} by `{by}`, and a plan is applied once. Make a new one for what differs now."
            )));
        }
        match plan.state {
            PlanState::Planned => {}
            PlanState::Planning => {
                return Err(wrong_state(
                    "The plan is still being made. Look at it again until its state is `planned`.",
                ));
            }
            PlanState::Failed => {
                return Err(wrong_state(
                    "Nothing of the plan's scope could be looked at. Its targets say why; make a new one.",
                ));
            }
            PlanState::Applying | PlanState::Applied | PlanState::Refused => {
                return Err(wrong_state("The plan was applied already."));
            }
        }
        if plan.expires_at <= self.now() {
            return Err(Problem::new(
                Kind::PlanExpired,
                format!(
                    "The plan held until {:.0}. Make a new one and compare.",
                    plan.expires_at
                ),
            ));
        }
        Ok(())
    }
}

fn wrong_state(detail: &str) -> Problem {
    Problem::new(Kind::WrongState, detail)
}
