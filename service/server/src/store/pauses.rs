//! Pauses: a target that somebody wants left alone, for a while or until somebody ends it.

use jiff::Timestamp;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;

use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{SELECT, Target};
use super::sql::{BadColumn, Builder, Query, Row, Stored, query};
use super::{Store, Tell};

/// Why nobody works on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
    /// When it ends by itself; `None` when somebody has to end it.
    pub until: Option<Timestamp>,
}

/// How many targets are paused, and since when the longest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseCount {
    pub targets: u64,
    pub oldest: Option<Timestamp>,
}

impl Stored for PauseCount {
    const TABLE: &'static str = "target";
    const KEY: &'static str = "oldest";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(PauseCount {
            targets: row.number("n")?,
            oldest: row.maybe_time("oldest")?,
        })
    }
}

impl Pause {
    /// Of a row of targets; `None` when it is not paused.
    pub(super) fn read(row: &Row) -> Result<Option<Self>, BadColumn> {
        let Some(at) = row.maybe_time("paused_at")? else {
            return Ok(None);
        };
        Ok(Some(Pause {
            at,
            by: row.text("paused_by")?,
            reason: row.text("paused_reason")?,
            until: row.maybe_time("paused_until")?,
        }))
    }
}

impl Store {
    /// Keeps everybody from working on a target, until somebody resumes it or, where `until` is given, until then. A pass
    /// that is under way ends as it would; no other begins. `false` when there is no such target, or it is paused already.
    pub async fn pause(&self, target: TargetId, pause: &Pause) -> Result<bool, StoreError> {
        let Pause {
            at,
            by,
            reason,
            until,
        } = pause;
        let change = query(
            "update target set paused_at = $1, paused_by = $2, paused_reason = $3, paused_until = $4
             where id = $5 and paused_at is null",
        )
        .bind(*at)
        .bind(by.as_str())
        .bind(reason.as_str())
        .bind(*until)
        .bind(target);
        let sentence = match until {
            Some(until) => format!("Paused until {until:.0}: {reason}"),
            None => format!("Paused: {reason}"),
        };
        let event = NewEvent::by(by, target, EventKind::Paused, sentence);
        self.change_target(change, &event, *at).await
    }

    /// Ends a pause; the target is due now, with all of its cells that are not in sync. `false` when it is not paused.
    pub async fn resume(
        &self,
        target: TargetId,
        actor: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let event = NewEvent::by(actor, target, EventKind::Resumed, "Resumed".to_owned());
        let mut resume = resume_at(now);
        resume
            .push(" where paused_at is not null and id = ")
            .value(target);
        self.change_target(resume.query(), &event, now).await
    }

    /// Ends the pauses whose time is over.
    pub async fn end_pauses(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut over = Builder::new(SELECT);
        over.push(" where paused_until <= ").value(now);
        let over: Vec<Target> = self.db().all(over.query()).await?;
        for target in over.into_iter().map(|target| target.id) {
            let sentence = "Resumed: the time of the pause is over".to_owned();
            let event = NewEvent::new(target, EventKind::Resumed, sentence);
            let mut resume = resume_at(now);
            // Another replica may have ended it, or somebody, who may have paused it again.
            resume
                .push(" where paused_until <= ")
                .value(now)
                .push(" and id = ")
                .value(target);
            self.change_target(resume.query(), &event, now).await?;
        }
        Ok(())
    }

    pub async fn pause_count(&self) -> Result<PauseCount, StoreError> {
        let count = query(
            "select count(*) as n, min(paused_at) as oldest from target where paused_at is not null",
        );
        Ok(self.db().one(count).await?.unwrap_or_default())
    }

    async fn change_target(
        &self,
        change: Query,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let changed = tx.execute(change).await? > 0;
        if changed {
            events::append(&mut tx, std::slice::from_ref(event), now).await?;
        }
        self.commit(tx, &[Tell::Due, Tell::Events(event.target)])
            .await?;
        Ok(changed)
    }
}

/// The beginning of a statement that ends pauses.
fn resume_at(now: Timestamp) -> Builder {
    let mut resume = Builder::new(
        "update target set paused_at = null, paused_by = null, paused_reason = null, paused_until = null,
            generation = generation + 1, due_at = case when leased_by is null then ",
    );
    resume.value(now).push(" else due_at end");
    resume
}
