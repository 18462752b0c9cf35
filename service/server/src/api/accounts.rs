//! Accounts that exist in AWS.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use landfall_model::account::Phase;
use landfall_model::aws_state::AwsState;
use landfall_model::request::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::baselines::BaselineRevision;
use super::decisions::NeededReason;
use super::extract::{OptionalJson, Path, Query};
use super::page::{self, Page};
use super::problem::{Problem, ProblemDocument};
use super::standing::Standing;
use super::{Api, cells, schema};
use crate::store::{self, AccountFilter, CellCount, Pause, Purpose};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    #[schema(example = "222222222222")]
    pub account_id: String,
    /// The request that it came of.
    pub request_id: Uuid,
    #[schema(schema_with = schema::phase)]
    pub phase: Phase,
    #[schema(value_type = String, format = DateTime)]
    pub phase_since: Timestamp,
    pub name: String,
    pub owner_email: String,
    /// The root e-mail.
    pub email: String,
    pub organizational_unit: String,
    pub cost_center: String,
    pub environment: String,
    pub tags: BTreeMap<String, String>,
    /// What it is for: an application, or the landing zone itself.
    #[schema(value_type = String, example = "application")]
    pub purpose: Purpose,
    /// When it first carried its whole baseline.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governed_at: Option<Timestamp>,
    /// What AWS says of it: `active`, `pending_activation`, `suspended`, `pending_closure`, `closed`, or `left` when it is
    /// not a member of the organization any more. Landfall looks after active accounts.
    #[schema(value_type = String, example = "active")]
    #[serde(default)]
    pub aws_state: AwsState,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_state_since: Option<Timestamp>,
    /// Whether it was there before Landfall was asked for it.
    #[serde(default)]
    pub enrolled: bool,
    #[serde(flatten)]
    pub standing: Standing,
}

impl Account {
    /// An account as callers see it; `None` while AWS has given it no number.
    fn new(account: store::Account, standing: Standing) -> Option<Self> {
        Some(Account {
            account_id: account.account_id?.into(),
            request_id: account.id,
            phase: account.phase,
            phase_since: account.phase_since,
            name: account.request.name,
            owner_email: account.request.owner_email.into(),
            email: account.email.into(),
            organizational_unit: account.request.organizational_unit.into(),
            cost_center: account.request.cost_center,
            environment: account.request.environment,
            tags: account.request.tags,
            purpose: account.purpose,
            governed_at: account.governed_at,
            aws_state: account.aws_state,
            aws_state_since: account.aws_state_since,
            enrolled: account.enrolled,
            standing,
        })
    }
}

/// An account, and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountState {
    #[serde(flatten)]
    pub account: Account,
    /// The baseline that it is to have; absent until its baseline is put on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineRevision>,
    /// How many of its cells have each status.
    pub cells: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AccountQuery {
    /// Only accounts in this phase.
    phase: Option<String>,
    /// Only accounts of this OU and of those below it.
    organizational_unit: Option<String>,
    /// Only accounts of this owner.
    owner_email: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// List accounts, newest first
#[utoipa::path(
    get,
    path = "/accounts",
    operation_id = "list_accounts",
    tag = "accounts",
    params(AccountQuery),
    responses(
        (status = 200, body = Page<Account>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<AccountQuery>,
) -> Result<Reply<Page<Account>>, Problem> {
    authorize(&principal, Action::Read)?;
    let filter = AccountFilter {
        phase: page::phase(query.phase.as_deref())?,
        organizational_unit: api
            .unit_filter(query.organizational_unit.as_deref())
            .await?,
        owner: page::parse("owner_email", query.owner_email.as_deref())?,
        has_account_id: Some(true),
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
            .filter_map(|account| {
                let standing = standings.remove(&account.id).unwrap_or_default();
                Account::new(account, standing)
            })
            .collect(),
        next_cursor: page.next,
    }))
}

/// Look at an account
#[utoipa::path(
    get,
    path = "/accounts/{account_id}",
    operation_id = "show_account",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    responses(
        (status = 200, body = AccountState),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
) -> Result<Reply<AccountState>, Problem> {
    authorize(&principal, Action::Read)?;
    state(&api, &account_id).await.map(Reply)
}

async fn state(api: &Api, account_id: &str) -> Result<AccountState, Problem> {
    let account = api.account_by_number(account_id).await?;
    api.account_state(account).await
}

/// Every status has a number, so that a reader need not know which there are.
pub(super) fn by_status(counts: Vec<CellCount>) -> BTreeMap<String, u64> {
    let mut by_status = cells::no_cells();
    for count in counts {
        *by_status.entry(count.status.to_owned()).or_default() += count.cells;
    }
    by_status
}

/// Why an account is to be left alone, and for how long.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseForm {
    #[serde(default)]
    #[schema(example = "Incident 4711", required = true)]
    pub reason: String,
    /// When the pause ends by itself, within a year; without it somebody has to resume the account.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// The longest pause that ends by itself.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24 * 366);

impl PauseForm {
    fn checked(self, principal: &Principal, now: Timestamp) -> Result<Pause, Problem> {
        let reason = NeededReason {
            reason: self.reason,
        }
        .needed()?;
        let fits = |until: Timestamp| now < until && until.duration_since(now) <= LONGEST_PAUSE;
        if self.until.is_some_and(|until| !fits(until)) {
            return Err(Problem::invalid(vec![FieldError {
                pointer: "/until".to_owned(),
                rule: format!("must be after now, {now:.0}, and within a year"),
            }]));
        }
        Ok(Pause {
            at: now,
            by: principal.name.clone(),
            reason,
            until: self.until,
        })
    }
}

/// Keep Landfall from changing an account
///
/// What is under way ends as it would; nothing else begins until `resume`, or until the time that was given. Pausing what
/// is paused changes nothing: the first reason stands.
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/pause",
    operation_id = "pause_account",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = PauseForm,
    responses(
        (status = 200, body = AccountState),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn pause(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    OptionalJson(form): OptionalJson<PauseForm>,
) -> Result<Reply<AccountState>, Problem> {
    authorize(&principal, Action::PauseAccount)?;
    let target = api.account_by_number(&account_id).await?.target();
    let pause = form.checked(&principal, api.now())?;
    api.store.pause(target, &pause).await?;
    state(&api, &account_id).await.map(Reply)
}

/// Let Landfall look after an account again
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/resume",
    operation_id = "resume_account",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    responses(
        (status = 200, body = AccountState),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn resume(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
) -> Result<Reply<AccountState>, Problem> {
    authorize(&principal, Action::PauseAccount)?;
    let target = api.account_by_number(&account_id).await?.target();
    api.store.resume(target, &principal.name, api.now()).await?;
    state(&api, &account_id).await.map(Reply)
}

impl Api {
    /// An account as callers see it alone.
    pub(super) async fn account_state(
        &self,
        account: store::Account,
    ) -> Result<AccountState, Problem> {
        let id = account.id;
        let counts = self.store.account_cell_counts(id).await?;
        let standing = self.standing(&account).await?;
        let pinned = self.store.pins(&[account.target()]).await?;
        let account = Account::new(account, standing);
        Ok(AccountState {
            account: account.ok_or_else(|| no_account(&id.to_string()))?,
            baseline: pinned.into_values().next().map(BaselineRevision::from),
            cells: by_status(counts),
        })
    }

    /// An account by AWS's number, or the problem that there is none.
    pub(super) async fn account_by_number(&self, number: &str) -> Result<store::Account, Problem> {
        let id = number.parse().map_err(|error| {
            Problem::bad_parameter("account_id", format_args!("is wrong: {error}"))
        })?;
        let account = self.store.account_by_number(&id).await?;
        account.ok_or_else(|| no_account(number))
    }
}

pub(super) fn no_account(number: &str) -> Problem {
    Problem::not_found(format_args!("account {number}"))
}
