//! Cells: each Region × control of a target, with the status that follows from what was seen.

use std::collections::BTreeMap;

use axum::extract::State;
use jiff::Timestamp;
use landfall_model::cell::{Cell, CellStatus};
use landfall_model::cloud_error::{Help, StoredError};
use landfall_model::ids::TargetId;
use landfall_model::json_text::JsonText;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::extract::{Path, Query};
use super::names;
use super::problem::{Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::Touch;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(of_account))
        .routes(routes!(of_organization))
}

/// A control in a Region, and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Cell)]
pub struct CellState {
    /// The home Region for what is not regional.
    pub region: String,
    pub control: String,
    #[schema(schema_with = schema::cell_status)]
    pub status: String,
    /// The status as one character, for grids.
    pub symbol: char,
    /// What would have to change, as sentences.
    pub drift: Vec<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted_since: Option<Timestamp>,
    /// Since when somebody wants it repaired.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_asked_at: Option<Timestamp>,
    /// The waiver under which it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver_id: Option<Uuid>,
    /// The control that has to be in sync first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CellError>,
    /// What AWS had when somebody looked last, in the control's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// Looks since it was last in sync.
    pub attempts: u32,
    /// When it is looked at again.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// The desired state that it was compared with.
    pub revision: String,
    /// The last change by somebody else that an event told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<ChangedBy>,
}

/// Who made a call that may have changed a cell. It stays when the cell is in sync again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangedBy {
    /// The ARN of who called.
    #[schema(example = "arn:aws:iam::111122223333:user/eve")]
    pub actor: String,
    /// Where from: an address, or the AWS service that called on somebody's behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// When, by AWS's clock, which tells whole seconds.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The name of the call.
    #[schema(example = "DeleteDetector")]
    pub event: String,
}

impl From<Touch> for ChangedBy {
    fn from(touch: Touch) -> Self {
        ChangedBy {
            actor: touch.actor,
            source_ip: touch.source_ip,
            at: touch.at,
            event: touch.event,
        }
    }
}

/// Why AWS did not do what it was asked, and who can help.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CellError {
    #[schema(example = "access_denied")]
    pub kind: String,
    /// The IAM action that failed.
    #[schema(example = "guardduty:CreateDetector")]
    pub operation: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_request_id: Option<String>,
    #[schema(schema_with = schema::help)]
    pub who_can_help: Help,
    /// What that person should do.
    pub advice: String,
}

impl From<StoredError> for CellError {
    fn from(error: StoredError) -> Self {
        CellError {
            kind: error.kind.name().to_owned(),
            operation: error.operation,
            message: error.message,
            aws_request_id: error.request_id,
            who_can_help: error.kind.help(),
            advice: error.kind.advice().to_owned(),
        }
    }
}

impl From<Cell> for CellState {
    fn from(cell: Cell) -> Self {
        let status = cell.status();
        CellState {
            region: cell.key.region.into(),
            control: cell.key.control.into(),
            status: status.name().to_owned(),
            symbol: status.symbol(),
            drift: cell.drift,
            drifted_since: cell.drifted_since,
            repair_asked_at: cell.repair_asked_at,
            waiver_id: cell.waiver.map(|waiver| waiver.id),
            waiting_for: cell.waiting_for.map(String::from),
            error: cell.error.map(CellError::from),
            observed: cell.observed.as_ref().map(JsonText::to_value),
            observed_at: cell.observed_at,
            attempts: cell.attempts,
            due_at: cell.due_at,
            revision: cell.revision.to_string(),
            changed_by: None,
        }
    }
}

/// The cells of a target, and how many there are of each status.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cells {
    /// By Region, then by control.
    pub items: Vec<CellState>,
    /// How many cells have each status, the filter aside.
    pub counts: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CellQuery {
    /// Only this Region.
    region: Option<String>,
    /// Only this control.
    control: Option<String>,
    /// Only this status.
    status: Option<String>,
}

/// How many of `cells` have each status; every status has a number.
pub(super) fn counts(cells: &[Cell]) -> BTreeMap<String, u64> {
    let mut counts = no_cells();
    for cell in cells {
        *counts.entry(cell.status().name().to_owned()).or_default() += 1;
    }
    counts
}

/// None of each status.
pub(super) fn no_cells() -> BTreeMap<String, u64> {
    CellStatus::NAMES
        .iter()
        .map(|name| ((*name).to_owned(), 0))
        .collect()
}

/// Each Region × control of an account, with its status
#[utoipa::path(
    get,
    path = "/accounts/{account_id}/cells",
    operation_id = "list_account_cells",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits"), CellQuery),
    responses(
        (status = 200, body = Cells),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn of_account(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    Query(query): Query<CellQuery>,
) -> Result<axum::Json<Cells>, Problem> {
    authorize(&principal, Action::Read)?;
    let account = api.account_by_number(&account_id).await?;
    list(&api, TargetId::Account(account.id), query).await
}

/// Each Region × control of the organization itself, with its status
#[utoipa::path(
    get,
    path = "/organization/cells",
    operation_id = "list_organization_cells",
    tag = "organization",
    params(CellQuery),
    responses(
        (status = 200, body = Cells),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn of_organization(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<CellQuery>,
) -> Result<axum::Json<Cells>, Problem> {
    authorize(&principal, Action::Read)?;
    list(&api, TargetId::Organization, query).await
}

/// That a query's status is one.
pub(super) fn check_status(status: Option<&str>) -> Result<(), Problem> {
    match status {
        Some(status) if !CellStatus::NAMES.contains(&status) => Err(Problem::bad_parameter(
            "status",
            format!("is one of {}", CellStatus::NAMES.join(", ")),
        )),
        _ => Ok(()),
    }
}

async fn list(api: &Api, target: TargetId, query: CellQuery) -> Result<axum::Json<Cells>, Problem> {
    check_status(query.status.as_deref())?;
    let region = api.region_filter(query.region.as_deref())?;
    let control = names::control_filter(query.control.as_deref())?;
    let mut cells = api.store.cells(target).await?;
    let counts = counts(&cells);
    cells.retain(|cell| {
        region
            .as_ref()
            .is_none_or(|region| cell.key.region == *region)
            && control
                .as_ref()
                .is_none_or(|control| cell.key.control == *control)
            && query
                .status
                .as_deref()
                .is_none_or(|status| cell.status().name() == status)
    });
    cells.sort_by(|a, b| a.key.cmp(&b.key));
    let mut touches = api.store.touches_of(target).await?;
    let state = |cell: Cell| CellState {
        changed_by: touches.remove(&cell.key).map(ChangedBy::from),
        ..CellState::from(cell)
    };
    Ok(axum::Json(Cells {
        items: cells.into_iter().map(state).collect(),
        counts,
    }))
}
