//! What people decide about requests. A decision takes the target away from whoever works on it, so that a pass which
//! began before it cannot undo it; in the phases where people decide, nothing is under way in AWS.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::account::{Failure, Phase};
use landfall_model::cloud_error::Help;
use landfall_model::event::EventKind;
use landfall_model::ids::{Email, TargetId};
use landfall_model::request::AccountRequest;

use super::accounts::{self, Account};
use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease;
use super::requests;
use super::sql::{Value, query};
use super::{Store, Tell};

/// What can be decided about a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    /// By an approver.
    Reject,
    /// By the one who asked.
    Cancel,
}

impl Decision {
    fn may_be_taken_in(self, phase: Phase) -> bool {
        match self {
            Decision::Approve => phase == Phase::AwaitingApproval,
            Decision::Reject | Decision::Cancel => {
                matches!(phase, Phase::Requested | Phase::AwaitingApproval)
            }
        }
    }
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once in a call and taken apart at once; `Done` is the usual case"
)]
pub enum Decided {
    /// It stands; the request as it is now.
    Done(Account),
    /// The request is in a phase where this cannot be decided.
    WrongPhase(Phase),
    NotFound,
    /// The root e-mail belongs to this request or account by now.
    EmailTaken {
        by: Uuid,
    },
}

impl Store {
    /// Takes a decision about a request. An approved one goes on to `Creating`; a rejected or cancelled one ends in
    /// `Rejected` with the reason.
    pub async fn decide(
        &self,
        id: Uuid,
        decision: Decision,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let target = TargetId::Account(id);
        let mut tx = self.db().begin().await?;
        let Some(before) = lock(&mut tx, id).await? else {
            return Ok(Decided::NotFound);
        };
        if !decision.may_be_taken_in(before.phase) {
            tx.rollback().await?;
            return Ok(Decided::WrongPhase(before.phase));
        }
        let (kind, word) = match decision {
            Decision::Approve => (EventKind::Approved, "Approved"),
            Decision::Reject => (EventKind::Rejected, "Rejected"),
            Decision::Cancel => (EventKind::Cancelled, "Cancelled"),
        };
        let ended = |reason_word: &str| Failure {
            reason: reason_word.to_owned(),
            message: reason.to_owned(),
            who_can_help: Help::Requester,
        };
        let change = match decision {
            Decision::Approve => accounts::phase_change(target, Phase::Creating, None, now),
            Decision::Reject => {
                accounts::phase_change(target, Phase::Rejected, Some(&ended("REJECTED")), now)
            }
            Decision::Cancel => {
                accounts::phase_change(target, Phase::Rejected, Some(&ended("CANCELLED")), now)
            }
        };
        tx.execute(change).await?;
        let sentence = match reason {
            "" => word.to_owned(),
            reason => format!("{word}: {reason}"),
        };
        self.decided(tx, NewEvent::by(actor, target, kind, sentence), id, now)
            .await
    }

    /// Begins a failed request anew, as it was or corrected. One whose account exists goes on where accounts are placed.
    pub async fn retry(
        &self,
        id: Uuid,
        corrected: Option<(&AccountRequest, &Email)>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let target = TargetId::Account(id);
        let mut tx = self.db().begin().await?;
        let Some(before) = lock(&mut tx, id).await? else {
            return Ok(Decided::NotFound);
        };
        if before.phase != Phase::Failed {
            tx.rollback().await?;
            return Ok(Decided::WrongPhase(before.phase));
        }
        let (request, email) = corrected.unwrap_or((&before.request, &before.email));
        match begin_anew(&mut tx, &before, request, email, now).await {
            Ok(()) => {}
            Err(error) if requests::is_email_conflict(&error) => {
                tx.rollback().await?;
                return match self.email_holder(email).await? {
                    Some(by) => Ok(Decided::EmailTaken { by }),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        }
        let sentence = match corrected {
            Some(_) => "Corrected and tried again".to_owned(),
            None => "Tried again".to_owned(),
        };
        let event = NewEvent::by(actor, target, EventKind::Retried, sentence);
        self.decided(tx, event, id, now).await
    }

    async fn decided(
        &self,
        mut tx: Tx,
        event: NewEvent,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        lease::revoke(&mut tx, event.target, now).await?;
        events::append(&mut tx, std::slice::from_ref(&event), now).await?;
        let account = tx.one(accounts::account_query(id)).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(event.target)])
            .await?;
        account
            .map(Decided::Done)
            .ok_or_else(|| accounts::vanished(id))
    }
}

async fn lock(tx: &mut Tx, id: Uuid) -> Result<Option<Account>, StoreError> {
    if !lease::lock(tx, TargetId::Account(id)).await? {
        return Ok(None);
    }
    tx.one(accounts::account_query(id)).await
}

async fn begin_anew(
    tx: &mut Tx,
    before: &Account,
    request: &AccountRequest,
    email: &Email,
    now: Timestamp,
) -> Result<(), StoreError> {
    let phase = match before.account_id {
        Some(_) => Phase::Placing,
        None => Phase::Requested,
    };
    let anew = query(
        "update account set name = $1, email = $2, owner_email = $3, organizational_unit = $4, cost_center = $5,
            environment = $6, justification = $7, tags = $8, phase = $9, phase_since = $10, failure = null,
            creation_intended_at = null, creation_status_id = null
         where id = $11",
    )
    .bind(request.name.as_str())
    .bind(email.as_str())
    .bind(request.owner_email.as_str())
    .bind(request.organizational_unit.as_str())
    .bind(request.cost_center.as_str())
    .bind(request.environment.as_str())
    .bind(request.justification.as_str())
    .bind(Value::json(&request.tags))
    .bind(phase.name())
    .bind(now)
    .bind(before.id);
    tx.execute(anew).await?;
    Ok(())
}
