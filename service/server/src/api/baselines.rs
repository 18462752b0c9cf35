//! Baselines: what accounts must have, where each value comes from, and how many accounts have which revision.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use landfall_controls::registry;
use landfall_model::baseline::{Definition, Level, Slot, holds_in};
use landfall_model::ids::ControlId;
use landfall_model::repair::Repair;
use landfall_model::rollout::Pin;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::extract::Path;
use super::page::Page;
use super::problem::{Problem, ProblemDocument};
use crate::store::PinCount;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

/// A baseline at a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BaselineRevision {
    #[schema(example = "production")]
    pub name: String,
    /// A hash of what it says, with all that it inherits.
    #[schema(example = "5f0c954b1a0e7d32")]
    pub revision: String,
}

impl From<Pin> for BaselineRevision {
    fn from(pin: Pin) -> Self {
        BaselineRevision {
            name: pin.baseline,
            revision: pin.revision.to_string(),
        }
    }
}

/// A baseline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Baseline {
    pub name: String,
    pub description: String,
    /// Of what the files said when this server started.
    pub revision: String,
    /// The file that defines it.
    pub file: String,
    /// The baseline whose controls hold here too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// The OUs whose accounts have it.
    pub organizational_units: Vec<String>,
    /// How many accounts have which of its revisions.
    pub accounts: BTreeMap<String, u64>,
}

/// A baseline with everything that it says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BaselineContent {
    #[serde(flatten)]
    pub baseline: Baseline,
    pub controls: Vec<BaselineControl>,
    /// Inherited controls that do not hold here.
    pub without: Vec<LeftOut>,
}

/// A control of a baseline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BaselineControl {
    #[schema(example = "guardduty.detector")]
    pub id: String,
    /// What is guaranteed.
    pub title: String,
    /// The file that the control comes from.
    pub file: String,
    /// The governed Regions in which it holds; absent where it holds once for an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// The file that says so, where not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions_file: Option<String>,
    /// Whether drift is repaired by itself (`auto`), or once somebody asks (`ask`).
    #[schema(value_type = String, example = "auto")]
    pub repair: Repair,
    /// The file that says so, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_file: Option<String>,
    pub parameters: Vec<BaselineParameter>,
}

/// A value that a baseline gives a control.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BaselineParameter {
    pub name: String,
    pub value: Value,
    /// Only in this OU and those below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// Only in this Region; it goes before what an OU says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The file that it comes from.
    pub file: String,
}

/// A control that is left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    pub id: String,
    pub reason: String,
    pub file: String,
}

/// List baselines, by name
#[utoipa::path(
    get,
    path = "/baselines",
    operation_id = "list_baselines",
    tag = "baselines",
    responses(
        (status = 200, body = Page<Baseline>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
) -> Result<Reply<Page<Baseline>>, Problem> {
    authorize(&principal, Action::Read)?;
    let counts = api.store.pin_counts().await?;
    let items = api
        .baselines
        .definitions()
        .map(|definition| baseline(&api, definition, &counts))
        .collect();
    Ok(Reply(Page {
        items,
        next_cursor: None,
    }))
}

/// Look at what a baseline says, and where each value comes from
#[utoipa::path(
    get,
    path = "/baselines/{name}",
    operation_id = "show_baseline",
    tag = "baselines",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = BaselineContent),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Reply<BaselineContent>, Problem> {
    authorize(&principal, Action::Read)?;
    let Some(definition) = api.baselines.definition(&name) else {
        return Err(Problem::not_found(format_args!("baseline {name}")));
    };
    let counts = api.store.pin_counts().await?;
    let controls = definition.baseline.controls.keys();
    Ok(Reply(BaselineContent {
        baseline: baseline(&api, definition, &counts),
        controls: controls.map(|id| control(&api, definition, id)).collect(),
        without: definition
            .without
            .iter()
            .map(|(id, left_out)| LeftOut {
                id: id.to_string(),
                reason: left_out.reason.clone(),
                file: left_out.file.clone(),
            })
            .collect(),
    }))
}

fn baseline(api: &Api, definition: &Definition, counts: &[PinCount]) -> Baseline {
    let name = &definition.baseline.name;
    let units = &api.landing_zone.organizational_units;
    Baseline {
        name: name.clone(),
        description: definition.description.clone(),
        revision: definition.baseline.revision.to_string(),
        file: definition.file.clone(),
        extends: definition.extends.clone(),
        organizational_units: units
            .iter()
            .filter(|unit| unit.baseline == *name)
            .map(|unit| unit.path.to_string())
            .collect(),
        accounts: counts
            .iter()
            .filter(|count| count.pin.baseline == *name)
            .map(|count| (count.pin.revision.to_string(), count.targets))
            .collect(),
    }
}

fn control(api: &Api, definition: &Definition, id: &ControlId) -> BaselineControl {
    let entry = &definition.baseline.controls[id];
    let origin = |slot: Slot| definition.origins.get(&(id.clone(), slot)).cloned();
    let descriptor = registry::control(id)
        .expect("baselines are checked against the registry when they are read")
        .descriptor();
    let regions = || {
        holds_in(entry, &api.landing_zone)
            .into_iter()
            .map(ToString::to_string)
            .collect()
    };
    let parameters = entry.levels().flat_map(|(level, parameters)| {
        parameters.iter().map(move |(name, value)| {
            let slot = Slot::Parameter(level.clone(), name.clone());
            let (organizational_unit, region) = match &level {
                Level::Everywhere => (None, None),
                Level::OrganizationalUnit(path) => (Some(path.to_string()), None),
                Level::Region(region) => (None, Some(region.to_string())),
            };
            BaselineParameter {
                name: name.clone(),
                value: value.clone(),
                organizational_unit,
                region,
                file: origin(slot).unwrap_or_default(),
            }
        })
    });
    BaselineControl {
        id: id.to_string(),
        title: descriptor.title.to_owned(),
        file: origin(Slot::Control).unwrap_or_default(),
        regions: descriptor.scope.is_regional().then(regions),
        regions_file: origin(Slot::Regions),
        repair: entry.repair,
        repair_file: origin(Slot::Repair),
        parameters: parameters.collect(),
    }
}
