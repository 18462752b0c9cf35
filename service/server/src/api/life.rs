//! What people want done with an account that exists: move it, close it. Only the wish is recorded here; the engine acts.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use landfall_model::ids::OuPath;
use landfall_model::landing_zone::OrganizationalUnit;
use landfall_model::request::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::accounts::{AccountState, no_account};
use super::auth::{Action, Principal, authorize};
use super::decisions::{NeededReason, Reason};
use super::extract::{Json, OptionalJson, Path};
use super::problem::{Kind, Problem, ProblemDocument};
use crate::store::{self, Judged, NewWish, Purpose, Verdict, Wished};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(move_account))
        .routes(routes!(close))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(cancel))
}

/// Where an account is to go, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveForm {
    /// One of the landing zone's OUs.
    #[schema(example = "Applications/Production")]
    pub organizational_unit: String,
    /// Why, for the history.
    #[serde(default)]
    #[schema(required = true)]
    pub reason: String,
}

impl Api {
    /// The OU of the landing zone that a field names, or the rule that it breaks. `taken` are OUs that it must not be.
    pub(super) fn unit(
        &self,
        named: &str,
        taken: &[&OuPath],
    ) -> Result<&OrganizationalUnit, Problem> {
        let zone = &self.landing_zone;
        let choices = || {
            zone.organizational_units
                .iter()
                .map(|unit| unit.path.as_str())
                .filter(|path| taken.iter().all(|taken| taken.as_str() != *path))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let wrong = |rule: String| {
            Problem::invalid(vec![FieldError {
                pointer: "/organizational_unit".to_owned(),
                rule,
            }])
        };
        let unit = named
            .parse::<OuPath>()
            .ok()
            .and_then(|path| zone.unit(&path))
            .ok_or_else(|| {
                wrong(format!(
                    "there is no organizational unit `{named}` in the landing zone; there are {}",
                    choices()
                ))
            })?;
        if taken.contains(&&unit.path) {
            return Err(wrong(format!(
                "nothing is moved into {}; choose one of {}",
                unit.path,
                choices()
            )));
        }
        Ok(unit)
    }

    /// An account of an application; the landing zone's own are neither moved nor closed.
    async fn movable(&self, number: &str, verb: &str) -> Result<store::Account, Problem> {
        if number == self.landing_zone.management_account.as_str() {
            return Err(Problem::new(
                Kind::ProtectedAccount,
                format!("{number} is the organization's management account: nobody can {verb} it."),
            ));
        }
        let account = self.account_by_number(number).await?;
        match account.purpose {
            Purpose::Application => Ok(account),
            Purpose::LogArchive | Purpose::Security | Purpose::Management => Err(Problem::new(
                Kind::ProtectedAccount,
                format!(
                    "{number} is the landing zone's {} account: Landfall does not {verb} what it needs itself. Name another account in the landing zone first.",
                    account.purpose.name().replace('_', " ")
                ),
            )),
        }
    }
}

/// Move an account into another OU
///
/// The next passes move it and put the baseline of that OU on. Where the OU wants approval, the move waits until
/// somebody else approves it.
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/move",
    operation_id = "move_account",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = MoveForm,
    responses(
        (status = 202, body = AccountState),
        (status = 409, description = "Something else is wanted of the account, or it is in a phase without a place", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "There is no such OU", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn move_account(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    Json(form): Json<MoveForm>,
) -> Result<Response, Problem> {
    let account = api.movable(&account_id, "move").await?;
    let requested_by = &account.requested_by;
    authorize(&principal, Action::ChangeRequest { requested_by })?;
    let reason = NeededReason {
        reason: form.reason,
    }
    .needed()?;
    let zone = &api.landing_zone;
    let unit = api.unit(
        &form.organizational_unit,
        &[&zone.quarantine, &zone.suspended],
    )?;
    let new = NewWish {
        goal: Some(&unit.path),
        reason: &reason,
        asked_by: &principal.name,
        needs_agreement: unit.approval,
    };
    wish(&api, &account, new).await
}

/// Close an account
///
/// Another person has to approve it. Then the account is moved to the OU for suspended accounts and closed, as fast as
/// AWS's quota allows. What is known of it is kept.
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/close",
    operation_id = "close_account",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = NeededReason,
    responses(
        (status = 202, body = AccountState),
        (status = 409, description = "Something else is wanted of the account, or it is one that the landing zone needs", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn close(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    OptionalJson(reason): OptionalJson<NeededReason>,
) -> Result<Response, Problem> {
    let account = api.movable(&account_id, "close").await?;
    let requested_by = &account.requested_by;
    authorize(&principal, Action::ChangeRequest { requested_by })?;
    let reason = reason.needed()?;
    let new = NewWish {
        goal: None,
        reason: &reason,
        asked_by: &principal.name,
        needs_agreement: true,
    };
    wish(&api, &account, new).await
}

async fn wish(api: &Api, account: &store::Account, new: NewWish<'_>) -> Result<Response, Problem> {
    match api.store.wish_for(account.id, &new, api.now()).await? {
        Wished::Done(account) => {
            let body = Reply(api.account_state(account).await?);
            Ok((StatusCode::ACCEPTED, body).into_response())
        }
        Wished::WrongPhase(phase) => Err(Problem::wrong_phase(
            phase,
            format!(
                "The account is {}; only one that is placed, baselined or governed can be moved or closed.",
                phase.name()
            ),
        )),
        Wished::Another(wish) => Err(Problem::new(
            Kind::AnotherWish,
            format!(
                "{} asked to {} the account already, at {:.0}. Approve, reject or cancel that first.",
                wish.asked_by,
                wish.action.name(),
                wish.asked_at
            ),
        )),
        Wished::NotFound => Err(no_account(&account.id.to_string())),
    }
}

/// Agree to what somebody else wants done with an account
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/approve",
    operation_id = "approve_account_change",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = AccountState),
        (status = 403, description = "You asked for it yourself", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "Nothing waits for approval", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn approve(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<AccountState>, Problem> {
    authorize(&principal, Action::Decide)?;
    judge(&api, &account_id, Verdict::Agree, &principal, reason).await
}

/// Turn down what somebody wants done with an account
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/reject",
    operation_id = "reject_account_change",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = NeededReason,
    responses(
        (status = 200, body = AccountState),
        (status = 409, description = "Nothing is wanted of the account, or it is too late", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn reject(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    OptionalJson(reason): OptionalJson<NeededReason>,
) -> Result<Reply<AccountState>, Problem> {
    authorize(&principal, Action::Decide)?;
    let reason = Reason {
        reason: reason.needed()?,
    };
    judge(&api, &account_id, Verdict::Refuse, &principal, reason).await
}

/// Take back what one wanted done with an account
///
/// An approved closure can be taken back until AWS has begun it.
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/cancel",
    operation_id = "cancel_account_change",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits")),
    request_body = Option<Reason>,
    responses(
        (status = 200, body = AccountState),
        (status = 409, description = "Nothing is wanted of the account, or it is too late", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn cancel(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    OptionalJson(reason): OptionalJson<Reason>,
) -> Result<Reply<AccountState>, Problem> {
    let account = api.account_by_number(&account_id).await?;
    let wish = api.store.wish(account.id).await?;
    let asked_by = wish.map_or(account.requested_by, |wish| wish.asked_by);
    let requested_by = &asked_by;
    authorize(&principal, Action::ChangeRequest { requested_by })?;
    judge(&api, &account_id, Verdict::TakeBack, &principal, reason).await
}

async fn judge(
    api: &Api,
    number: &str,
    verdict: Verdict,
    principal: &Principal,
    reason: Reason,
) -> Result<Reply<AccountState>, Problem> {
    let account = api.account_by_number(number).await?;
    let reason = reason.checked()?;
    let judged = api
        .store
        .judge(account.id, verdict, &principal.name, &reason, api.now())
        .await?;
    match judged {
        Judged::Done(account) => Ok(Reply(api.account_state(account).await?)),
        Judged::NoWish => Err(Problem::new(
            Kind::NothingToDecide,
            format!("Nothing that was asked of account {number} waits for a decision."),
        )),
        Judged::OwnWish => Err(Problem::new(
            Kind::Forbidden,
            "You asked for this yourself: another person has to approve it.",
        )),
        Judged::TooLate(state) => Err(Problem::new(
            Kind::NothingToDecide,
            format!("It is too late. {}", state.sentence()),
        )),
        Judged::NotFound => Err(no_account(number)),
    }
}
