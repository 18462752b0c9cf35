//! What differs from its baseline now, and the wish to have it repaired.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use landfall_model::cell::{CellKey, CellStatus};
use landfall_model::ids::TargetId;
use landfall_model::json_text::JsonText;
use landfall_model::request::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::cells::{self, CellError, ChangedBy};
use super::extract::{OptionalJson, Path, Query};
use super::names;
use super::page;
use super::problem::{Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::{DriftFilter, DriftedCell, RepairScope, Unseen};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(repair_account))
        .routes(routes!(repair_organization))
}

/// A control in a Region that is not as its baseline wants it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Drift {
    /// Absent for what is the organization's own.
    #[schema(example = "222222222222")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// Who answers for the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<String>,
    /// The home Region for what is not regional.
    pub region: String,
    pub control: String,
    #[schema(schema_with = schema::cell_status)]
    pub status: String,
    /// What would have to change, as sentences.
    pub expected: Vec<String>,
    /// What it must have, in the control's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Value>,
    /// What AWS had when somebody looked last, in the control's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted_since: Option<Timestamp>,
    /// Tries since it was last in sync.
    pub attempts: u32,
    /// Repairs that did not last, each soon after the one before. From three on the cell is contested.
    pub repairs: u32,
    /// Since when somebody wants it repaired.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_asked_at: Option<Timestamp>,
    /// Why the last look or change failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CellError>,
    /// The waiver under which it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver_id: Option<Uuid>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived_until: Option<Timestamp>,
    /// When it is looked at again.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// The last change by somebody else that an event told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<ChangedBy>,
}

impl From<DriftedCell> for Drift {
    fn from(drifted: DriftedCell) -> Self {
        let cell = drifted.of.cell;
        let status = cell.status();
        let account = drifted.account;
        Drift {
            account_name: account.as_ref().map(|account| account.name.clone()),
            organizational_unit: account
                .as_ref()
                .map(|account| account.organizational_unit.to_string()),
            owner_email: account
                .as_ref()
                .map(|account| account.owner_email.to_string()),
            account_id: account.map(|account| account.account_id.into()),
            region: cell.key.region.into(),
            control: cell.key.control.into(),
            status: status.name().to_owned(),
            expected: cell.drift,
            desired: cell.desired.as_ref().map(JsonText::to_value),
            observed: cell.observed.as_ref().map(JsonText::to_value),
            observed_at: cell.observed_at,
            drifted_since: cell.drifted_since,
            attempts: cell.attempts,
            repairs: cell.repairs.in_a_row,
            repair_asked_at: cell.repair_asked_at,
            error: cell.error.map(CellError::from),
            waiver_id: cell.waiver.map(|waiver| waiver.id),
            waived_until: cell.waiver.map(|waiver| waiver.until),
            due_at: cell.due_at,
            changed_by: None,
        }
    }
}

/// One page of what differs, and how much of it could not be told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DriftPage {
    pub items: Vec<Drift>,
    /// Send it back as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// On the first page: what the list cannot tell of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<UnseenCells>,
}

/// Cells that would be in the list if they differ, and of which nobody knows: they could not be looked at, or were not when it
/// was time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnseenCells {
    pub cells: u64,
    /// How many of them are `blocked`, `stuck`, `waiting` and `unknown`, and how many others are `overdue`: their account is
    /// paused, or nobody comes to look at them. What there is none of is left out.
    pub counts: BTreeMap<String, u64>,
    /// Whose they are: accounts, and `organization` for its own.
    pub accounts: BTreeSet<String>,
}

impl UnseenCells {
    fn of(unseen: &[Unseen]) -> Self {
        let mut all = UnseenCells::default();
        for some in unseen {
            all.cells += some.cells;
            *all.counts.entry(some.status.to_owned()).or_default() += some.cells;
            let account = some.account_id.as_ref();
            all.accounts
                .insert(account.map_or_else(|| ORGANIZATION.to_owned(), ToString::to_string));
        }
        all
    }
}

/// What stands for the organization where an account is named.
pub(crate) const ORGANIZATION: &str = "organization";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DriftQuery {
    /// Only this account, or `organization` for what is the organization's own.
    account_id: Option<String>,
    /// Only accounts of this OU and of those below it.
    organizational_unit: Option<String>,
    /// Only this Region.
    region: Option<String>,
    /// Only this control.
    control: Option<String>,
    /// Only this status.
    status: Option<String>,
    /// Also what is accepted by a waiver.
    #[serde(default)]
    waived: bool,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// What differs from its baseline now, the longest drifted first
///
/// Of governed accounts and of the organization itself; what an account lacks while it is vended is not drift.
/// `unseen` counts what could not be looked at, or was not when it was time: an empty list means that nothing differs only where it counts nothing.
#[utoipa::path(
    get,
    path = "/drift",
    operation_id = "list_drift",
    tag = "drift",
    params(DriftQuery),
    responses(
        (status = 200, body = DriftPage),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<DriftQuery>,
) -> Result<Reply<DriftPage>, Problem> {
    authorize(&principal, Action::Read)?;
    cells::check_status(query.status.as_deref())?;
    let target = match query.account_id.as_deref() {
        None => None,
        Some(ORGANIZATION) => Some(TargetId::Organization),
        Some(number) => Some(api.account_by_number(number).await?.target()),
    };
    let filter = DriftFilter {
        target,
        organizational_unit: api
            .unit_filter(query.organizational_unit.as_deref())
            .await?,
        region: api.region_filter(query.region.as_deref())?,
        control: names::control_filter(query.control.as_deref())?,
        waived: query.waived || query.status.as_deref() == Some(CellStatus::Waived.name()),
        status: query.status,
    };
    let limit = page::limit(query.limit)?;
    let page = api
        .store
        .drifted_cells(&filter, query.cursor.as_deref(), limit)
        .await?;
    let keys: Vec<(TargetId, CellKey)> = (page.items.iter())
        .map(|drifted| (drifted.of.target, drifted.of.cell.key.clone()))
        .collect();
    let unseen = match query.cursor {
        Some(_) => None,
        None => {
            let unseen = api.store.unseen_cells(&filter, api.now()).await?;
            Some(UnseenCells::of(&unseen))
        }
    };
    let mut touches = api.store.last_touches(&keys).await?;
    let items = page
        .items
        .into_iter()
        .zip(&keys)
        .map(|(drifted, key)| Drift {
            changed_by: touches.remove(key).map(ChangedBy::from),
            ..Drift::from(drifted)
        });
    Ok(Reply(DriftPage {
        items: items.collect(),
        next_cursor: page.next,
        unseen,
    }))
}

/// Which cells are to be repaired; a list that is left out or empty means all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RepairForm {
    #[schema(example = json!(["guardduty.detector"]))]
    pub controls: Vec<String>,
    #[schema(example = json!(["eu-west-1"]))]
    pub regions: Vec<String>,
}

impl RepairForm {
    /// The scope, all of whose names stand for cells of the target.
    async fn check(self, api: &Api, target: TargetId) -> Result<RepairScope, Problem> {
        let cells = api.store.cells(target).await?;
        let controls: BTreeSet<&str> = cells.iter().map(|c| c.key.control.as_str()).collect();
        let regions: BTreeSet<&str> = cells.iter().map(|c| c.key.region.as_str()).collect();
        let mut errors = Vec::new();
        let controls = known("controls", self.controls, &controls, &mut errors);
        let regions = known("regions", self.regions, &regions, &mut errors);
        if errors.is_empty() {
            Ok(RepairScope { controls, regions })
        } else {
            Err(Problem::invalid(errors))
        }
    }
}

/// The names that are among those there are; an error points at each other one.
fn known<T: std::str::FromStr>(
    field: &str,
    names: Vec<String>,
    there: &BTreeSet<&str>,
    errors: &mut Vec<FieldError>,
) -> Vec<T> {
    let mut known = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        match name.parse() {
            Ok(parsed) if there.contains(name.as_str()) => known.push(parsed),
            _ => {
                let there: Vec<&str> = there.iter().copied().collect();
                errors.push(FieldError {
                    pointer: format!("/{field}/{index}"),
                    rule: match there.as_slice() {
                        [] => "there are no cells yet".to_owned(),
                        there => format!("`{name}` is not one of {}", there.join(", ")),
                    },
                });
            }
        }
    }
    known
}

/// What a wish for repair met.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RepairReply {
    /// The cells that are looked at now, and repaired where they differ.
    pub cells: u64,
    /// The cells that are left alone: a waiver accepts them as they are. Revoke it first.
    pub waived: u64,
}

/// Repair what differs in an account, also where its baseline wants to be asked
///
/// The cells are looked at at once; those that are in sync stay as they are. Follow them with
/// `GET /accounts/{account_id}/cells`.
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/repair",
    operation_id = "repair_account",
    tag = "drift",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = Option<RepairForm>,
    responses(
        (status = 202, body = RepairReply),
        (status = 409, description = "The account has no baseline to be repaired to", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn repair_account(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    OptionalJson(form): OptionalJson<RepairForm>,
) -> Result<(StatusCode, Reply<RepairReply>), Problem> {
    authorize(&principal, Action::Repair)?;
    let account = api.account_by_number(&account_id).await?;
    if !account.phase.has_cells() {
        return Err(Problem::wrong_phase(
            account.phase,
            format!(
                "The account is {}; only what is baselining or governed can be repaired.",
                account.phase.name().replace('_', " ")
            ),
        ));
    }
    repair(&api, account.target(), form, &principal).await
}

/// Repair what differs in the organization itself
#[utoipa::path(
    post,
    path = "/organization/repair",
    operation_id = "repair_organization",
    tag = "drift",
    request_body = Option<RepairForm>,
    responses(
        (status = 202, body = RepairReply),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn repair_organization(
    State(api): State<Api>,
    principal: Principal,
    OptionalJson(form): OptionalJson<RepairForm>,
) -> Result<(StatusCode, Reply<RepairReply>), Problem> {
    authorize(&principal, Action::Repair)?;
    repair(&api, TargetId::Organization, form, &principal).await
}

async fn repair(
    api: &Api,
    target: TargetId,
    form: RepairForm,
    principal: &Principal,
) -> Result<(StatusCode, Reply<RepairReply>), Problem> {
    let scope = form.check(api, target).await?;
    let asked = api
        .store
        .ask_repair(target, &scope, &principal.name, api.now())
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Reply(RepairReply {
            cells: asked.cells,
            waived: asked.waived,
        }),
    ))
}
