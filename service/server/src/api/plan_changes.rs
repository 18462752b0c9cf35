//! What a plan found: its targets, and the cells that differ or could not be looked at.

use axum::Json as Reply;
use axum::extract::State;
use landfall_controls::control::PlannedChange;
use landfall_controls::external_id;
use landfall_model::ids::TargetId;
use landfall_model::plan::{CellOutcome, Effect, TargetStage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::cells::CellError;
use super::extract::{Path, Query};
use super::page::{self, Page};
use super::problem::{Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::{self, Purpose};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(targets))
        .routes(routes!(changes))
}

/// An account, or the organization, that a plan looks at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanTarget {
    /// Left out for the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    pub name: String,
    #[schema(schema_with = schema::plan_stage)]
    pub stage: TargetStage,
    /// The baseline that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_revision: Option<String>,
    pub cells_in_sync: u64,
    /// Accepted deviations, which are not looked at.
    pub cells_waived: u64,
    /// Why it could not be looked at, was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<store::PlanTarget> for PlanTarget {
    fn from(target: store::PlanTarget) -> Self {
        let (account_id, name) = match target.account {
            Some((number, name)) => (Some(number.into()), name),
            None => (None, "the organization".to_owned()),
        };
        let (baseline, revision) = target.baseline.unzip();
        PlanTarget {
            account_id,
            name,
            stage: target.stage,
            baseline,
            baseline_revision: revision.map(|revision| revision.to_string()),
            cells_in_sync: target.cells_in_sync,
            cells_waived: target.cells_waived,
            reason: target.reason,
        }
    }
}

/// A cell that would be changed, or that could not be looked at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedCell {
    /// Left out for the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    pub region: String,
    pub control: String,
    /// The desired state, as a hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// In the order in which they are applied.
    pub changes: Vec<Change>,
    /// Why it could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CellError>,
    /// What became of the changes, once the plan was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// `create`, `change` or `remove`.
    #[schema(value_type = String, example = "create")]
    pub effect: Effect,
    #[schema(example = "turn GuardDuty on")]
    pub sentence: String,
    /// The step itself, in the control's words.
    #[schema(value_type = Object)]
    pub change: Value,
}

/// What became of a cell's changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// `applied`, `differs`, `moved`, `failed` or `skipped`.
    pub outcome: String,
    /// The same for people.
    pub sentence: String,
    /// What would have to change now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<String>,
}

impl From<CellOutcome> for Outcome {
    fn from(outcome: CellOutcome) -> Self {
        let name = outcome.name().to_owned();
        let (sentence, remaining) = match outcome {
            CellOutcome::Applied => ("applied, and in sync".to_owned(), Vec::new()),
            CellOutcome::Differs { remaining } => {
                ("applied, and more differs now".to_owned(), remaining)
            }
            CellOutcome::Moved { what, now } => (format!("not changed: {}", what.words()), now),
            CellOutcome::Failed { error } => (
                format!("failed: {}: {}", error.operation, error.message),
                Vec::new(),
            ),
            CellOutcome::Skipped { after } => (
                format!("not changed: {after} comes first, and was not changed as planned"),
                Vec::new(),
            ),
        };
        Outcome {
            outcome: name,
            sentence,
            remaining,
        }
    }
}

impl From<PlannedChange> for Change {
    fn from(change: PlannedChange) -> Self {
        Change {
            effect: Effect::of(&change.sentence),
            sentence: change.sentence,
            // It is kept as it is to be applied; it is shown to everybody.
            change: external_id::veiled(change.change),
        }
    }
}

impl From<store::PlanCell> for PlannedCell {
    fn from(cell: store::PlanCell) -> Self {
        PlannedCell {
            account_id: cell.account.map(String::from),
            region: cell.key.region.into(),
            control: cell.key.control.into(),
            revision: cell.revision.map(|revision| revision.to_string()),
            changes: cell.changes.into_iter().map(Change::from).collect(),
            error: cell.error.map(CellError::from),
            outcome: cell.outcome.map(Outcome::from),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TargetQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// The accounts that a plan looks at
#[utoipa::path(
    get,
    path = "/plans/{id}/targets",
    operation_id = "list_plan_targets",
    tag = "plans",
    params(("id" = Uuid, Path), TargetQuery),
    responses(
        (status = 200, body = Page<PlanTarget>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn targets(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(query): Query<TargetQuery>,
) -> Result<Reply<Page<PlanTarget>>, Problem> {
    authorize(&principal, Action::Read)?;
    api.plan(id).await?;
    let cursor: Option<TargetId> = page::parse("cursor", query.cursor.as_deref())?;
    let cursor = cursor.map(|id| id.to_string());
    let limit = page::limit(query.limit)?;
    let page = api.store.plan_targets(id, cursor.as_deref(), limit).await?;
    Ok(Reply(page.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChangeQuery {
    /// Only this account; the management account stands for the organization, too.
    account_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// What a plan would change
///
/// The cells that differ, with every step, and those that could not be looked at. Cells in sync are only counted.
#[utoipa::path(
    get,
    path = "/plans/{id}/changes",
    operation_id = "list_plan_changes",
    tag = "plans",
    params(("id" = Uuid, Path), ChangeQuery),
    responses(
        (status = 200, body = Page<PlannedCell>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn changes(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(query): Query<ChangeQuery>,
) -> Result<Reply<Page<PlannedCell>>, Problem> {
    authorize(&principal, Action::Read)?;
    api.plan(id).await?;
    let targets = match query.account_id {
        None => Vec::new(),
        // What the organization has, it has there.
        Some(number) if number == api.landing_zone.management_account.as_str() => {
            let own = api.store.account_by_purpose(Purpose::Management).await?;
            let own = own.map(|account| account.target());
            std::iter::once(TargetId::Organization).chain(own).collect()
        }
        Some(number) => vec![api.account_by_number(&number).await?.target()],
    };
    let limit = page::limit(query.limit)?;
    let page = api
        .store
        .plan_cells(id, &targets, query.cursor.as_deref(), limit)
        .await?;
    Ok(Reply(page.into()))
}
