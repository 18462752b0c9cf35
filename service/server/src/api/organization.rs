//! The organization itself is looked after as an account is: it has cells, and a next time.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use landfall_model::ids::TargetId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::cells::{self, CellError};
use super::problem::{Problem, ProblemDocument};
use super::standing::Paused;
use crate::store::Purpose;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The organization, as the landing zone wants it and as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    pub management_account: String,
    /// Absent until it is vended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_archive_account: Option<String>,
    /// Absent until it is vended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_account: Option<String>,
    pub home_region: String,
    pub governed_regions: Vec<String>,
    /// The OUs that accounts can be asked for in.
    pub requestable_units: Vec<String>,
    /// What the landing zone says, as a hash.
    pub landing_zone_revision: String,
    /// When it is looked at next; absent until the engine knows of it.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why the last look did not get through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<CellError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// How many of its cells have each status.
    pub cells: BTreeMap<String, u64>,
}

/// Look at the organization
#[utoipa::path(
    get,
    path = "/organization",
    operation_id = "show_organization",
    tag = "organization",
    responses(
        (status = 200, body = Organization),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
) -> Result<Reply<Organization>, Problem> {
    authorize(&principal, Action::Read)?;
    let zone = &api.landing_zone;
    let target = api.store.target(TargetId::Organization).await?;
    let cells = api.store.cells(TargetId::Organization).await?;
    Ok(Reply(Organization {
        management_account: zone.management_account.to_string(),
        log_archive_account: foundation(&api, Purpose::LogArchive).await?,
        security_account: foundation(&api, Purpose::Security).await?,
        home_region: zone.home_region.to_string(),
        governed_regions: zone
            .governed_regions
            .iter()
            .map(ToString::to_string)
            .collect(),
        requestable_units: zone
            .requestable_units()
            .iter()
            .map(ToString::to_string)
            .collect(),
        landing_zone_revision: zone.revision().to_string(),
        due_at: target.as_ref().map(|target| target.due_at),
        last_error: target
            .as_ref()
            .and_then(|target| target.last_error.clone())
            .map(CellError::from),
        paused: target.and_then(|target| target.paused).map(Paused::from),
        cells: cells::counts(&cells),
    }))
}

async fn foundation(api: &Api, purpose: Purpose) -> Result<Option<String>, Problem> {
    let account = api.store.account_by_purpose(purpose).await?;
    Ok(account
        .and_then(|account| account.account_id)
        .map(String::from))
}
