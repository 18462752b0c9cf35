//! The CMDB: what there is, whose it is, and what it was.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use landfall_model::request::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::extract::{Json, Path, Query};
use super::page::{self, Page};
use super::problem::{Problem, ProblemDocument};
use crate::store::{self, AssetFilter, AssetRow, AssetVersion};

/// How many things may be looked up at once.
const MOST_KEYS: usize = 500;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(history))
        .routes(routes!(lookup))
}

/// A resource in AWS that Landfall made or governs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Asset {
    /// Its ARN.
    pub id: String,
    /// CloudFormation's name of the type.
    #[serde(rename = "type")]
    #[schema(example = "AWS::GuardDuty::Detector")]
    pub kind: String,
    pub account_id: String,
    /// Absent for what is global.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    pub tags: BTreeMap<String, String>,
    pub configuration: Value,
    /// Which control in which Region reported it.
    pub source: String,
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// Since when it is no longer there.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
}

impl From<AssetRow> for Asset {
    fn from(row: AssetRow) -> Self {
        Asset {
            id: row.asset.arn,
            kind: row.asset.kind,
            account_id: row.asset.account_id.into(),
            region: row.asset.region.map(String::from),
            name: row.asset.name,
            owner: row.owner,
            tags: row.tags,
            configuration: row.asset.configuration,
            source: row.source,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            gone_at: row.gone_at,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AssetQuery {
    /// Only this type, `AWS::GuardDuty::Detector`.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    kind: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
    /// Only what this owner answers for.
    owner: Option<String>,
    /// Only names that begin so; case does not matter.
    name: Option<String>,
    /// Only what has this tag: `key=value`.
    tag: Option<String>,
    /// Also what is no longer there.
    #[serde(default)]
    gone: bool,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// Search assets, in the order of their ARNs
#[utoipa::path(
    get,
    path = "/assets",
    operation_id = "list_assets",
    tag = "assets",
    params(AssetQuery),
    responses(
        (status = 200, body = Page<Asset>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<AssetQuery>,
) -> Result<Reply<Page<Asset>>, Problem> {
    authorize(&principal, Action::Read)?;
    let limit = page::limit(query.limit)?;
    let cursor = query.cursor.clone();
    let filter = filter(query)?;
    let page = api.store.assets(&filter, cursor.as_deref(), limit).await?;
    Ok(Reply(page.into()))
}

fn filter(query: AssetQuery) -> Result<AssetFilter, Problem> {
    let tag = match query.tag {
        None => None,
        Some(tag) => match tag.split_once('=') {
            Some((key, value)) => Some((key.to_owned(), value.to_owned())),
            None => return Err(Problem::bad_parameter("tag", "has the form key=value")),
        },
    };
    Ok(AssetFilter {
        kind: query.kind,
        account_id: page::parse("account_id", query.account_id.as_deref())?,
        region: page::parse("region", query.region.as_deref())?,
        owner: query.owner,
        name_prefix: query.name,
        tag,
        gone: query.gone,
    })
}

/// Look at an asset
#[utoipa::path(
    get,
    path = "/assets/{id}",
    operation_id = "show_asset",
    tag = "assets",
    params(("id" = String, Path, description = "The ARN, percent-encoded")),
    responses(
        (status = 200, body = Asset),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Reply<Asset>, Problem> {
    authorize(&principal, Action::Read)?;
    let row = api.store.asset(&id).await?;
    row.map(|row| Reply(row.into()))
        .ok_or_else(|| no_asset(&id))
}

fn no_asset(id: &str) -> Problem {
    Problem::not_found(format_args!("asset {id}"))
}

/// What an asset was from a moment on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Version {
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// Absent when it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
}

impl From<AssetVersion> for Version {
    fn from(version: AssetVersion) -> Self {
        Version {
            seen_at: version.seen_at,
            configuration: version.configuration,
        }
    }
}

/// What an asset was, oldest first
#[utoipa::path(
    get,
    path = "/assets/{id}/history",
    operation_id = "show_asset_history",
    tag = "assets",
    params(("id" = String, Path, description = "The ARN, percent-encoded")),
    responses(
        (status = 200, body = Page<Version>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn history(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Reply<Page<Version>>, Problem> {
    authorize(&principal, Action::Read)?;
    let versions = api.store.asset_history(&id).await?;
    if versions.is_empty() {
        return Err(no_asset(&id));
    }
    Ok(Reply(Page {
        items: versions.into_iter().map(Version::from).collect(),
        next_cursor: None,
    }))
}

/// What somebody wants to know the owner of.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupForm {
    /// ARNs, account ids and ids of resources; at most 500.
    #[schema(example = json!(["arn:aws:guardduty:eu-west-1:222222222222:detector/12abc", "222222222222"]))]
    pub keys: Vec<String>,
}

/// Whose something is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Match {
    /// What was asked.
    pub key: String,
    /// How it was found; absent when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<MatchedBy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The assets that it names; several where an id is not unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asset_ids: Vec<String>,
}

/// How a key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// It is the ARN of a known asset.
    Arn,
    /// It is the id at the end of a known asset's ARN.
    ResourceId,
    /// It is, or names, a known account.
    Account,
}

impl From<store::Lookup> for Match {
    fn from(found: store::Lookup) -> Self {
        let matched_by = match (found.assets.first(), &found.account) {
            (Some(row), _) if row.asset.arn == found.key => Some(MatchedBy::Arn),
            (Some(row), _) if row.asset.account_id.as_str() != found.key => {
                Some(MatchedBy::ResourceId)
            }
            (_, Some(_)) => Some(MatchedBy::Account),
            (Some(_), None) => Some(MatchedBy::ResourceId),
            (None, None) => None,
        };
        let row = found.assets.first();
        let account = found.account.as_ref();
        Match {
            matched_by,
            owner: row
                .map(|row| row.owner.clone())
                .or_else(|| account.map(|account| account.request.owner_email.to_string())),
            account_id: row.map(|row| row.asset.account_id.to_string()).or_else(|| {
                account.and_then(|account| Some(account.account_id.as_ref()?.to_string()))
            }),
            account_name: account.map(|account| account.request.name.clone()),
            organizational_unit: account
                .map(|account| account.request.organizational_unit.to_string()),
            environment: account.map(|account| account.request.environment.clone()),
            asset_ids: found.assets.into_iter().map(|row| row.asset.arn).collect(),
            key: found.key,
        }
    }
}

/// The answers, in the order of the keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Matches {
    pub items: Vec<Match>,
}

/// Whose is this?
#[utoipa::path(
    post,
    path = "/assets/lookup",
    operation_id = "lookup_assets",
    tag = "assets",
    request_body = LookupForm,
    responses(
        (status = 200, body = Matches),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn lookup(
    State(api): State<Api>,
    principal: Principal,
    Json(form): Json<LookupForm>,
) -> Result<Reply<Matches>, Problem> {
    authorize(&principal, Action::Read)?;
    if form.keys.is_empty() || form.keys.len() > MOST_KEYS {
        return Err(Problem::invalid(vec![FieldError {
            pointer: "/keys".to_owned(),
            rule: format!("must hold 1 to {MOST_KEYS} keys"),
        }]));
    }
    let found = api.store.lookup(&form.keys).await?;
    Ok(Reply(Matches {
        items: found.into_iter().map(Match::from).collect(),
    }))
}
