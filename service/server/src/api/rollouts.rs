//! Rollouts: how a new baseline reaches accounts, and what people decide about it. The engine acts on it.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use jiff::Timestamp;
use landfall_model::ids::OuPath;
use landfall_model::rollout::{RolloutDecision, RolloutState, ScpMember, Standing, Wave};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Action, Principal, authorize};
use super::baselines::BaselineRevision;
use super::decisions::{NeededReason, Reason};
use super::extract::{OptionalJson, Path, Query};
use super::page::{self, Page};
use super::problem::{Kind, Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::{self, RolloutDecided};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(start))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(roll_back))
}

/// A change of what accounts are to have.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    pub id: Uuid,
    #[schema(schema_with = schema::rollout_state)]
    pub state: RolloutState,
    /// Why it is in this state.
    pub reason: String,
    /// Who brought it there: a token's name, or `landfall`.
    pub changed_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// What accounts are to have in the end.
    pub baselines: Vec<BaselineRevision>,
}

impl From<store::Rollout> for Rollout {
    fn from(rollout: store::Rollout) -> Self {
        let pins = rollout.wanted.pins();
        Rollout {
            id: rollout.id,
            state: rollout.state,
            baselines: pins.into_iter().cloned().map(Into::into).collect(),
            reason: rollout.reason,
            changed_by: rollout.changed_by,
            changed_at: rollout.changed_at,
            created_at: rollout.created_at,
        }
    }
}

/// A rollout, and how its accounts stand.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RolloutStanding {
    #[serde(flatten)]
    pub rollout: Rollout,
    /// How many accounts of each wave stand how. Accounts are counted under a wave once it has reached them.
    pub waves: Vec<WaveStanding>,
    /// How many accounts it has not reached.
    pub behind: u64,
    /// Accounts that it broke: in sync before, and blocked or stuck now.
    pub failed: Vec<FailedAccount>,
    /// The root and the OUs whose service control policies it changes.
    pub policies: Vec<PolicyStanding>,
}

/// A target of service control policies in a rollout.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PolicyStanding {
    /// The path of an organizational unit, or `the root`.
    #[schema(example = "Applications/Sandbox")]
    pub target: String,
    /// `behind`; `attaching`: AWS was not seen to have them yet; `attached`.
    #[schema(value_type = String, example = "attached")]
    pub state: PolicyState,
    /// When AWS was first seen to have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub attached_at: Option<Timestamp>,
    /// How many accounts it binds.
    pub accounts: usize,
}

/// How far a rollout is with a target's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyState {
    Behind,
    Attaching,
    Attached,
}

impl PolicyState {
    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            PolicyState::Behind => "behind",
            PolicyState::Attaching => "attaching",
            PolicyState::Attached => "attached",
        }
    }
}

impl From<ScpMember> for PolicyStanding {
    fn from(member: ScpMember) -> Self {
        PolicyStanding {
            state: match (member.reached, member.seen_at) {
                (false, _) => PolicyState::Behind,
                (true, None) => PolicyState::Attaching,
                (true, Some(_)) => PolicyState::Attached,
            },
            target: member.target.to_string(),
            attached_at: member.seen_at,
            accounts: member.accounts,
        }
    }
}

/// The accounts of a wave that a rollout has reached.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaveStanding {
    #[schema(value_type = String, example = "canary")]
    pub wave: Wave,
    /// By standing: `converging`, `in_sync`, `excused`, `failed`.
    pub accounts: BTreeMap<String, u64>,
}

/// An account that a rollout broke.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FailedAccount {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The request that it came of.
    pub request_id: Uuid,
    pub name: String,
    pub organizational_unit: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RolloutQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items on a page, 1 to 500.
    limit: Option<u32>,
}

/// List rollouts, newest first
#[utoipa::path(
    get,
    path = "/rollouts",
    operation_id = "list_rollouts",
    tag = "rollouts",
    params(RolloutQuery),
    responses(
        (status = 200, body = Page<Rollout>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<RolloutQuery>,
) -> Result<Reply<Page<Rollout>>, Problem> {
    authorize(&principal, Action::Read)?;
    let cursor: Option<Uuid> = page::parse("cursor", query.cursor.as_deref())?;
    let cursor = cursor.map(|id| id.to_string());
    let limit = page::limit(query.limit)?;
    let page = api.store.rollouts(cursor.as_deref(), limit).await?;
    Ok(Reply(page.into()))
}

/// Look at a rollout, and how its accounts stand
#[utoipa::path(
    get,
    path = "/rollouts/{id}",
    operation_id = "show_rollout",
    tag = "rollouts",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = RolloutStanding),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn show(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Reply<RolloutStanding>, Problem> {
    authorize(&principal, Action::Read)?;
    let rollout = api.store.rollout(id).await?.ok_or_else(|| unknown(id))?;
    standing(&api, rollout).await.map(Reply)
}

async fn standing(api: &Api, rollout: store::Rollout) -> Result<RolloutStanding, Problem> {
    let mut behind = 0;
    let mut failed = Vec::new();
    let mut waves: BTreeMap<Wave, BTreeMap<String, u64>> = BTreeMap::new();
    let accounts = api.store.rollout_accounts(rollout.id).await?;
    let policies = policies(api, &rollout, &accounts).await?;
    for account in accounts {
        let Some(standing) = account.standing(&rollout.wanted) else {
            continue;
        };
        if standing == Standing::Behind {
            behind += 1;
            continue;
        }
        if let Some(wave) = account.wave {
            let counts = waves.entry(wave).or_default();
            *counts.entry(standing.name().to_owned()).or_default() += 1;
        }
        if standing == Standing::Failed {
            failed.push(FailedAccount {
                account_id: account.account_id.map(String::from),
                request_id: account.id,
                name: account.name,
                organizational_unit: account.organizational_unit.into(),
            });
        }
    }
    // What is over is told by its reason: since then, accounts may have got something else.
    let is_over = matches!(
        rollout.state,
        RolloutState::Superseded | RolloutState::RolledBack
    );
    Ok(RolloutStanding {
        rollout: rollout.into(),
        waves: waves
            .into_iter()
            .map(|(wave, accounts)| WaveStanding { wave, accounts })
            .collect(),
        behind: if is_over { 0 } else { behind },
        failed,
        policies,
    })
}

/// What a rollout that is under way changes. What is over has no pins any more that would tell.
async fn policies(
    api: &Api,
    rollout: &store::Rollout,
    accounts: &[store::RolloutAccount],
) -> Result<Vec<PolicyStanding>, Problem> {
    let under_way = match rollout.state {
        RolloutState::Proposed
        | RolloutState::Running
        | RolloutState::Paused
        | RolloutState::Stopped => true,
        RolloutState::RollingBack
        | RolloutState::RolledBack
        | RolloutState::Done
        | RolloutState::Superseded => false,
    };
    if !under_way {
        return Ok(Vec::new());
    }
    let course = api.store.scp_course().await?;
    let units = accounts.iter().map(|account| &account.organizational_unit);
    let units: Vec<&OuPath> = units.collect();
    let files = &api.scps.0;
    let all = ScpMember::all(rollout.id, &course, &api.landing_zone, files, &units);
    let changed = all.into_iter().filter(|member| member.changes);
    Ok(changed.map(PolicyStanding::from).collect())
}

/// Start a rollout that was proposed, or one that was rolled back again
#[utoipa::path(
    post,
    path = "/rollouts/{id}/start",
    operation_id = "start_rollout",
    tag = "rollouts",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = RolloutStanding),
        (status = 409, description = "It runs, or is not the latest", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn start(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<RolloutStanding>, Problem> {
    decide(
        &api,
        &principal,
        id,
        RolloutDecision::Start,
        reason.checked(),
    )
    .await
}

/// Keep a rollout from reaching further accounts
///
/// Those that it has reached keep what it brought.
#[utoipa::path(
    post,
    path = "/rollouts/{id}/pause",
    operation_id = "pause_rollout",
    tag = "rollouts",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = RolloutStanding),
        (status = 409, description = "It does not run", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn pause(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<RolloutStanding>, Problem> {
    decide(
        &api,
        &principal,
        id,
        RolloutDecision::Pause,
        reason.checked(),
    )
    .await
}

/// Let a rollout go on that is paused or stopped
///
/// One that stopped stops again while more accounts are blocked or stuck than its error budget allows.
#[utoipa::path(
    post,
    path = "/rollouts/{id}/resume",
    operation_id = "resume_rollout",
    tag = "rollouts",
    params(("id" = Uuid, Path)),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = RolloutStanding),
        (status = 409, description = "It is neither paused nor stopped", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn resume(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<RolloutStanding>, Problem> {
    decide(
        &api,
        &principal,
        id,
        RolloutDecision::Resume,
        reason.checked(),
    )
    .await
}

/// Give all accounts back what they had before a rollout
#[utoipa::path(
    post,
    path = "/rollouts/{id}/roll-back",
    operation_id = "roll_back_rollout",
    tag = "rollouts",
    params(("id" = Uuid, Path)),
    request_body = NeededReason,
    responses(
        (status = 200, body = RolloutStanding),
        (status = 409, description = "It is not the latest, or there is nothing to go back to", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn roll_back(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(reason): OptionalJson<NeededReason>,
) -> Result<Reply<RolloutStanding>, Problem> {
    decide(
        &api,
        &principal,
        id,
        RolloutDecision::RollBack,
        reason.needed(),
    )
    .await
}

async fn decide(
    api: &Api,
    principal: &Principal,
    id: Uuid,
    decision: RolloutDecision,
    reason: Result<String, Problem>,
) -> Result<Reply<RolloutStanding>, Problem> {
    authorize(principal, Action::RollOut)?;
    let decided = api
        .store
        .decide_rollout(id, decision, &principal.name, &reason?, api.now())
        .await?;
    let wrong = |detail: String| Err(Problem::new(Kind::WrongState, detail));
    match decided {
        RolloutDecided::Done(rollout) => standing(api, *rollout).await.map(Reply),
        RolloutDecided::NotFound => Err(unknown(id)),
        RolloutDecided::WrongState(state) => wrong(format!(
            "The rollout is {}; {}.",
            state.name().replace('_', " "),
            match decision {
                RolloutDecision::Start =>
                    "only one that is proposed or was rolled back can be started",
                RolloutDecision::Pause => "only one that runs can be paused",
                RolloutDecision::Resume => "only one that is paused or stopped can be resumed",
                RolloutDecision::RollBack => "it cannot be rolled back any more",
            }
        )),
        RolloutDecided::NotTheLatest => wrong(
            "A later rollout has taken its place; only the latest one can be decided on.".to_owned(),
        ),
        RolloutDecided::NothingBefore => wrong(
            "It was the first: there is nothing to go back to. Change the baselines and restart the server.".to_owned(),
        ),
    }
}

fn unknown(id: Uuid) -> Problem {
    Problem::not_found(format_args!("rollout {id}"))
}
