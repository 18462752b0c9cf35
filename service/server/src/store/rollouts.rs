//! Rollouts: how what accounts are to have becomes what they are pinned to.
//!
//! There is one latest rollout, and only that one moves. Whoever moves it, the engine or a person, holds the
//! organization's row, so that replicas and people take turns; the engine does so under the organization's lease.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::rollout::{RolloutDecision, RolloutState, Wanted};

use super::db::Tx;
use super::error::StoreError;
use super::events::{self, LANDFALL, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Builder, Query, Row, Stored, Value, query};
use super::{Page, Store, Tell, scp_pins};

/// A change of what accounts are to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Grows with time: the latest has the highest.
    pub id: Uuid,
    pub state: RolloutState,
    pub wanted: Wanted,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    /// Who brought it where it is: a person's name, or `LANDFALL`.
    pub changed_by: String,
    /// Why it is where it is.
    pub reason: String,
}

/// The latest rollout, and what the last one wanted that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    pub latest: Rollout,
    pub settled: Wanted,
}

/// What became of a person's decision.
#[derive(Clone, Debug, PartialEq)]
pub enum RolloutDecided {
    Done(Box<Rollout>),
    /// It is in a state where this cannot be decided.
    WrongState(RolloutState),
    /// A later rollout has taken its place.
    NotTheLatest,
    /// There was none before it that could come back.
    NothingBefore,
    NotFound,
}

const SELECT: &str =
    "select id, state, wanted, created_at, changed_at, changed_by, reason from rollout";

impl Stored for Rollout {
    const TABLE: &'static str = "rollout";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Rollout {
            id: row.name("id")?,
            state: row.word("state")?,
            wanted: row.json("wanted")?,
            created_at: row.time("created_at")?,
            changed_at: row.time("changed_at")?,
            changed_by: row.text("changed_by")?,
            reason: row.text("reason")?,
        })
    }
}

impl Store {
    /// Begins a rollout of what is wanted now, unless the latest one wants the same. One that was not done is
    /// superseded. The very first is done at once: what accounts had before there were pins, nobody knows.
    pub async fn begin_rollout(
        &self,
        wanted: &Wanted,
        automatic: bool,
        now: Timestamp,
    ) -> Result<Option<Rollout>, StoreError> {
        let mut tx = self.db().begin().await?;
        lease::lock(&mut tx, TargetId::Organization).await?;
        let latest = tx.one::<Rollout>(latest()).await?;
        let (state, reason) = match &latest {
            Some(latest) if latest.wanted == *wanted => {
                tx.rollback().await?;
                return Ok(None);
            }
            None => (
                RolloutState::Done,
                "the first start: accounts are pinned to what the files say",
            ),
            Some(_) if automatic => (RolloutState::Running, "a start brought other files"),
            Some(_) => (
                RolloutState::Proposed,
                "a start brought other files; somebody has to start the rollout",
            ),
        };
        let new = Rollout {
            id: Uuid::now_v7(),
            state,
            wanted: wanted.clone(),
            created_at: now,
            changed_at: now,
            changed_by: LANDFALL.to_owned(),
            reason: reason.to_owned(),
        };
        if let Some(latest) = &latest
            && latest.state.is_superseded_by_a_later_one()
        {
            let reason = format!("rollout {} began before it was done", new.id);
            change(
                &mut tx,
                latest,
                RolloutState::Superseded,
                LANDFALL,
                &reason,
                now,
            )
            .await?;
        }
        let insert = query(
            "insert into rollout (id, state, wanted, created_at, changed_at, changed_by, reason)
             values ($1, $2, $3, $4, $4, $5, $6)",
        )
        .bind(new.id)
        .bind(new.state.name())
        .bind(Value::json(&new.wanted))
        .bind(now)
        .bind(LANDFALL)
        .bind(reason);
        tx.execute(insert).await?;
        if let Some(latest) = &latest {
            let settled = tx.one::<Rollout>(done_before(new.id)).await?;
            let settled = settled.as_ref().unwrap_or(latest);
            let before = [&latest.wanted, &settled.wanted];
            scp_pins::pin_new_units(&mut tx, &new, &before, now).await?;
        }
        events::append(&mut tx, &[event(&new)], now).await?;
        lease::wake_in(&mut tx, TargetId::Organization, now, 0).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(TargetId::Organization)])
            .await?;
        Ok(Some(new))
    }

    /// The latest rollout and what is settled; `None` before the first start.
    pub async fn course(&self) -> Result<Option<Course>, StoreError> {
        let Some(latest) = self.db().one::<Rollout>(latest()).await? else {
            return Ok(None);
        };
        let settled = if latest.state == RolloutState::Done {
            latest.wanted.clone()
        } else {
            self.db()
                .one::<Rollout>(done_before(latest.id))
                .await?
                .map_or_else(|| latest.wanted.clone(), |done| done.wanted)
        };
        Ok(Some(Course { latest, settled }))
    }

    /// What was wanted after what is settled, whatever became of it.
    pub(super) async fn wanted_since_settled(&self) -> Result<Vec<Wanted>, StoreError> {
        let mut since = Builder::new(SELECT);
        since.push(
            " where not exists (select 1 from rollout done where done.state = 'done' and done.id >= rollout.id)",
        );
        let since: Vec<Rollout> = self.db().all(since.query()).await?;
        Ok(since.into_iter().map(|rollout| rollout.wanted).collect())
    }

    pub async fn rollout(&self, id: Uuid) -> Result<Option<Rollout>, StoreError> {
        self.db().one(one(id)).await
    }

    /// Rollouts, newest first. `cursor` is the `next` of the page before.
    pub async fn rollouts(
        &self,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Rollout>, StoreError> {
        let mut list = Builder::new(SELECT);
        if let Some(cursor) = cursor {
            list.push(" where id < ").value(cursor);
        }
        list.push(" order by id desc limit ")
            .value(limit.saturating_add(1));
        let rollouts = self.db().all(list.query()).await?;
        Ok(Page::of(rollouts, limit, |rollout: &Rollout| {
            rollout.id.to_string()
        }))
    }

    /// Ends or stops a rollout, if it is still where it was.
    pub async fn end_rollout(
        &self,
        lease: &Lease,
        rollout: &Rollout,
        state: RolloutState,
        reason: &str,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        if is_still(&mut tx, rollout).await? {
            change(&mut tx, rollout, state, LANDFALL, reason, now).await?;
            if state == RolloutState::Done {
                scp_pins::forget(&mut tx).await?;
            }
            self.commit(tx, &[Tell::Events(TargetId::Organization)])
                .await?;
        }
        Ok(LeaseState::Held)
    }

    /// Takes a person's decision about the latest rollout; the engine acts on it at once.
    pub async fn decide_rollout(
        &self,
        id: Uuid,
        decision: RolloutDecision,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<RolloutDecided, StoreError> {
        let mut tx = self.db().begin().await?;
        lease::lock(&mut tx, TargetId::Organization).await?;
        let Some(rollout) = tx.one::<Rollout>(one(id)).await? else {
            return Ok(RolloutDecided::NotFound);
        };
        let Some(state) = rollout.state.after(decision) else {
            return Ok(RolloutDecided::WrongState(rollout.state));
        };
        let latest = tx.one::<Rollout>(latest()).await?;
        if latest.is_some_and(|latest| latest.id != id) {
            return Ok(RolloutDecided::NotTheLatest);
        }
        if decision == RolloutDecision::RollBack
            && tx.one::<Rollout>(done_before(id)).await?.is_none()
        {
            return Ok(RolloutDecided::NothingBefore);
        }
        let decided = change(&mut tx, &rollout, state, actor, reason, now).await?;
        lease::wake_in(&mut tx, TargetId::Organization, now, 0).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(TargetId::Organization)])
            .await?;
        Ok(RolloutDecided::Done(Box::new(decided)))
    }
}

fn latest() -> Query {
    let mut latest = Builder::new(SELECT);
    latest.push(" order by id desc limit 1");
    latest.query()
}

fn one(id: Uuid) -> Query {
    let mut one = Builder::new(SELECT);
    one.push(" where id = ").value(id);
    one.query()
}

/// The last one before `id` that was done.
pub(super) fn done_before(id: Uuid) -> Query {
    let mut done = Builder::new(SELECT);
    done.push(" where state = 'done' and id < ")
        .value(id)
        .push(" order by id desc limit 1");
    done.query()
}

/// Whether a rollout is still as it was read; the organization's row is held.
pub(super) async fn is_still(tx: &mut Tx, rollout: &Rollout) -> Result<bool, StoreError> {
    let now = tx.one::<Rollout>(one(rollout.id)).await?;
    Ok(now.is_some_and(|now| now.state == rollout.state))
}

/// Brings a rollout to a state and tells so in the organization's history.
pub(super) async fn change(
    tx: &mut Tx,
    rollout: &Rollout,
    state: RolloutState,
    actor: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Rollout, StoreError> {
    let changed = Rollout {
        state,
        changed_at: now,
        changed_by: actor.to_owned(),
        reason: reason.to_owned(),
        ..rollout.clone()
    };
    let update = query(
        "update rollout set state = $1, changed_at = $2, changed_by = $3, reason = $4 where id = $5",
    )
    .bind(state.name())
    .bind(now)
    .bind(actor)
    .bind(reason)
    .bind(rollout.id);
    tx.execute(update).await?;
    events::append(tx, &[event(&changed)], now).await?;
    Ok(changed)
}

fn event(rollout: &Rollout) -> NewEvent {
    let state = rollout.state.name().replace('_', " ");
    let sentence = match rollout.reason.as_str() {
        "" => format!("Rollout {} is {state}", rollout.id),
        reason => format!("Rollout {} is {state}: {reason}", rollout.id),
    };
    let target = TargetId::Organization;
    NewEvent {
        detail: json!({ "rollout": rollout.id, "state": rollout.state }),
        ..NewEvent::by(&rollout.changed_by, target, EventKind::Rollout, sentence)
    }
}
