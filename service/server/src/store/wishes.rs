//! What people want done with an account: to move it, or to close it. Where another has to agree, the wish stands until
//! somebody decides; the account is looked after meanwhile as ever.
//!
//! A decision takes the target away from whoever works on it, so that a pass which began before it cannot undo it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use landfall_model::account::Phase;
use landfall_model::aws_state::AwsState;
use landfall_model::consent;
use landfall_model::event::EventKind;
use landfall_model::ids::{OuPath, TargetId};

use super::accounts::{self, Account};
use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Store, Tell};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishAction {
    Move,
    Close,
}

impl WishAction {
    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            WishAction::Move => "move",
            WishAction::Close => "close",
        }
    }
}

/// Something that is wanted of an account and not done yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    pub account: Uuid,
    pub action: WishAction,
    /// Where to; of a move only.
    pub organizational_unit: Option<OuPath>,
    pub reason: String,
    pub asked_by: String,
    pub asked_at: Timestamp,
    /// Who agreed, and when.
    pub agreed: Option<(String, Timestamp)>,
    /// What AWS makes it wait for.
    pub waits_for: Option<String>,
}

/// A wish to remember. A move has a goal, a closure has none.
#[derive(Clone, Debug)]
pub struct NewWish<'a> {
    pub goal: Option<&'a OuPath>,
    pub reason: &'a str,
    pub asked_by: &'a str,
    /// Whether another has to agree; a closure always needs it.
    pub needs_agreement: bool,
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once in a call and taken apart at once; `Done` is the usual case"
)]
pub enum Wished {
    /// It stands, or is on its way; the account as it is now.
    Done(Account),
    /// The account is in a phase where this cannot be wanted.
    WrongPhase(Phase),
    /// Something else is wanted of the account already.
    Another(Wish),
    NotFound,
}

/// A decision about a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// By somebody else than the one who asked.
    Agree,
    Refuse,
    /// By the one who asked, or somebody who runs the landing zone.
    TakeBack,
}

/// What became of a decision about a wish.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once in a call and taken apart at once; `Done` is the usual case"
)]
pub enum Judged {
    Done(Account),
    /// Nothing is wanted of the account that could be decided.
    NoWish,
    /// Nobody agrees to what they asked for themselves.
    OwnWish,
    /// AWS is at it already.
    TooLate(AwsState),
    NotFound,
}

const SELECT: &str = "select target_id, action, organizational_unit, reason, asked_by, asked_at, agreed_by, agreed_at,
    waits_for from wish";

impl Stored for Wish {
    const TABLE: &'static str = "wish";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Wish {
            account: row.name("target_id")?,
            action: row.word("action")?,
            organizational_unit: row.maybe_name("organizational_unit")?,
            reason: row.text("reason")?,
            asked_by: row.text("asked_by")?,
            asked_at: row.time("asked_at")?,
            agreed: row
                .maybe_text("agreed_by")?
                .zip(row.maybe_time("agreed_at")?),
            waits_for: row.maybe_text("waits_for")?,
        })
    }
}

impl Store {
    /// What is wanted of an account and not done yet.
    pub async fn wish(&self, account: Uuid) -> Result<Option<Wish>, StoreError> {
        self.db().one(wish_query(account)).await
    }

    /// What is wanted of several, in no order.
    pub async fn wishes(
        &self,
        accounts: impl Iterator<Item = Uuid>,
    ) -> Result<Vec<Wish>, StoreError> {
        let mut some = Builder::new(SELECT);
        some.push(" where target_id in (")
            .list(accounts.map(Value::from))
            .push(")");
        self.db().all(some.query()).await
    }

    /// Remembers what somebody wants done with an account. A move that needs nobody's agreement is wanted at once.
    pub async fn wish_for(
        &self,
        account: Uuid,
        new: &NewWish<'_>,
        now: Timestamp,
    ) -> Result<Wished, StoreError> {
        let target = TargetId::Account(account);
        let mut tx = self.db().begin().await?;
        let Some(before) = lock(&mut tx, account).await? else {
            return Ok(Wished::NotFound);
        };
        if !matches!(
            before.phase,
            Phase::Placing | Phase::Baselining | Phase::Governed
        ) {
            tx.rollback().await?;
            return Ok(Wished::WrongPhase(before.phase));
        }
        if let Some(other) = tx.one::<Wish>(wish_query(account)).await? {
            tx.rollback().await?;
            return Ok(Wished::Another(other));
        }
        let reason = new.reason;
        let event = match new.goal {
            Some(unit) => NewEvent::by(
                new.asked_by,
                target,
                EventKind::MoveAsked,
                format!("Asked to move the account to {unit}: {reason}"),
            ),
            None => NewEvent::by(
                new.asked_by,
                target,
                EventKind::CloseAsked,
                format!("Asked to close the account: {reason}"),
            ),
        };
        match new.goal {
            Some(unit) if !new.needs_agreement => {
                place(&mut tx, account, unit).await?;
                lease::revoke(&mut tx, target, now).await?;
            }
            goal => remember(&mut tx, account, new, goal, now).await?,
        }
        events::append(&mut tx, &[event], now).await?;
        let after = tx.one(accounts::account_query(account)).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(target)]).await?;
        after
            .map(Wished::Done)
            .ok_or_else(|| accounts::vanished(account))
    }

    /// Decides about what is wanted of an account. An agreed move is wanted at once; an agreed closure begins. A closure
    /// that AWS has not begun can still be taken back.
    pub async fn judge(
        &self,
        account: Uuid,
        verdict: Verdict,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Judged, StoreError> {
        let target = TargetId::Account(account);
        let mut tx = self.db().begin().await?;
        let Some(before) = lock(&mut tx, account).await? else {
            return Ok(Judged::NotFound);
        };
        let wish: Option<Wish> = tx.one(wish_query(account)).await?;
        let refusal = match (&wish, verdict) {
            (None, _) => Some(Judged::NoWish),
            (Some(wish), Verdict::Agree) if wish.agreed.is_some() => Some(Judged::NoWish),
            (Some(wish), Verdict::Agree) if consent::is_same(&wish.asked_by, actor) => {
                Some(Judged::OwnWish)
            }
            (Some(wish), Verdict::Refuse | Verdict::TakeBack)
                if wish.agreed.is_some() && !before.aws_state.is_looked_after() =>
            {
                Some(Judged::TooLate(before.aws_state))
            }
            (Some(_), _) => None,
        };
        let (Some(wish), None) = (wish, &refusal) else {
            tx.rollback().await?;
            return Ok(refusal.unwrap_or(Judged::NoWish));
        };
        match (verdict, wish.action) {
            (Verdict::Agree, WishAction::Move) => {
                forget(&mut tx, account).await?;
                if let Some(unit) = &wish.organizational_unit {
                    place(&mut tx, account, unit).await?;
                }
            }
            (Verdict::Agree, WishAction::Close) => {
                let agree =
                    query("update wish set agreed_by = $1, agreed_at = $2 where target_id = $3");
                tx.execute(agree.bind(actor).bind(now).bind(account))
                    .await?;
                tx.execute(accounts::phase_change(target, Phase::Closing, None, now))
                    .await?;
            }
            (Verdict::Refuse | Verdict::TakeBack, _) => {
                forget(&mut tx, account).await?;
                if before.phase == Phase::Closing {
                    tx.execute(accounts::phase_change(target, Phase::Placing, None, now))
                        .await?;
                }
            }
        }
        let (kind, word) = match verdict {
            Verdict::Agree => (EventKind::Approved, "Approved"),
            Verdict::Refuse => (EventKind::Rejected, "Rejected"),
            Verdict::TakeBack => (EventKind::Cancelled, "Cancelled"),
        };
        let what = match (wish.action, &wish.organizational_unit) {
            (WishAction::Move, Some(unit)) => format!("the move to {unit}"),
            (WishAction::Move, None) => "the move".to_owned(),
            (WishAction::Close, _) => "the closure".to_owned(),
        };
        let sentence = match reason {
            "" => format!("{word} {what}"),
            reason => format!("{word} {what}: {reason}"),
        };
        lease::revoke(&mut tx, target, now).await?;
        let event = NewEvent::by(actor, target, kind, sentence);
        events::append(&mut tx, &[event], now).await?;
        let after = tx.one(accounts::account_query(account)).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(target)]).await?;
        after
            .map(Judged::Done)
            .ok_or_else(|| accounts::vanished(account))
    }

    /// Records what AWS makes a wish wait for; `event` is written when that is news.
    pub async fn record_waiting(
        &self,
        lease: &Lease,
        waits_for: &str,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let waits = query(
            "update wish set waits_for = $1 where target_id = $2 and (waits_for is null or waits_for <> $1)",
        );
        let news = tx.execute(waits.bind(waits_for).bind(lease.target)).await?;
        if news > 0 {
            events::append(&mut tx, std::slice::from_ref(event), now).await?;
        }
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }
}

fn wish_query(account: Uuid) -> super::sql::Query {
    let mut one = Builder::new(SELECT);
    one.push(" where target_id = ").value(account);
    one.query()
}

/// Forgets what is wanted of an account, since it is done or is not wanted any more.
pub(super) async fn forget(tx: &mut Tx, account: Uuid) -> Result<(), StoreError> {
    let forget = query("delete from wish where target_id = $1");
    tx.execute(forget.bind(account)).await?;
    Ok(())
}

async fn place(tx: &mut Tx, account: Uuid, unit: &OuPath) -> Result<(), StoreError> {
    let place = query("update account set organizational_unit = $1 where id = $2");
    tx.execute(place.bind(unit.as_str()).bind(account)).await?;
    Ok(())
}

async fn remember(
    tx: &mut Tx,
    account: Uuid,
    new: &NewWish<'_>,
    goal: Option<&OuPath>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let action = match goal {
        Some(_) => WishAction::Move,
        None => WishAction::Close,
    };
    let remember = query(
        "insert into wish (target_id, action, organizational_unit, reason, asked_by, asked_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(account)
    .bind(action.name())
    .bind(goal.map(OuPath::as_str))
    .bind(new.reason)
    .bind(new.asked_by)
    .bind(now);
    tx.execute(remember).await?;
    Ok(())
}

async fn lock(tx: &mut Tx, id: Uuid) -> Result<Option<Account>, StoreError> {
    if !lease::lock(tx, TargetId::Account(id)).await? {
        return Ok(None);
    }
    tx.one(accounts::account_query(id)).await
}
