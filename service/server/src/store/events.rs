//! History: appended in the transaction that it tells of, never changed.
//!
//! Whoever appends holds the lock on the target's row, so a target's events are committed in the order of their numbers:
//! a reader that remembers the last number it saw misses none.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::broadcast;

use landfall_model::event::EventKind;
use landfall_model::ids::{ControlId, Region, TargetId};

use super::db::Tx;
use super::error::StoreError;
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Store, Tell, chunks};

/// The actor of what Landfall does by itself.
pub const LANDFALL: &str = "landfall";

/// Something to remember.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub target: TargetId,
    pub kind: EventKind,
    pub region: Option<Region>,
    pub control: Option<ControlId>,
    /// A person's or a token's name, or `LANDFALL`.
    pub actor: String,
    /// What happened, for people.
    pub sentence: String,
    /// The same for programs; `null` when the sentence says it all.
    pub detail: Json,
}

impl NewEvent {
    /// Something that Landfall did by itself.
    pub fn new(target: TargetId, kind: EventKind, sentence: String) -> Self {
        NewEvent::by(LANDFALL, target, kind, sentence)
    }

    /// Something that somebody did.
    pub fn by(actor: &str, target: TargetId, kind: EventKind, sentence: String) -> Self {
        NewEvent {
            target,
            kind,
            region: None,
            control: None,
            actor: actor.to_owned(),
            sentence,
            detail: Json::Null,
        }
    }
}

/// What of a target's history is asked for: what concerns this Region, this control, both, or all of it.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    pub region: Option<Region>,
    pub control: Option<ControlId>,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Grows with every event; a place in the history.
    pub seq: i64,
    pub at: Timestamp,
    pub target: TargetId,
    pub kind: EventKind,
    pub region: Option<Region>,
    pub control: Option<ControlId>,
    pub actor: String,
    pub sentence: String,
    pub detail: Json,
}

impl Stored for Event {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Event {
            seq: row.integer("seq")?,
            at: row.time("at")?,
            target: row.name("target_id")?,
            kind: row.word("kind")?,
            region: row.maybe_name("region")?,
            control: row.maybe_name("control")?,
            actor: row.text("actor")?,
            sentence: row.text("sentence")?,
            detail: row.json("detail")?,
        })
    }
}

impl Store {
    /// Adds one line to a target's history. A target that does not exist is a `Conflict`.
    pub async fn append_event(&self, event: &NewEvent, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        lease::lock(&mut tx, event.target).await?;
        append(&mut tx, std::slice::from_ref(event), now).await?;
        self.commit(tx, &[Tell::Events(event.target)]).await
    }

    /// Adds lines to the history of a lease's target.
    pub async fn record_events(
        &self,
        lease: &Lease,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        append(&mut tx, events, now).await?;
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }

    /// Up to `limit` events of a target after a place in its history, oldest first; 0 is the beginning.
    pub async fn events(
        &self,
        target: TargetId,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let events = query(
            "select seq, at, target_id, kind, region, control, actor, sentence, detail
             from event where target_id = $1 and seq > $2 order by seq limit $3",
        );
        self.db()
            .all(events.bind(target).bind(after_seq).bind(limit))
            .await
    }

    /// Up to `limit` events of a target that a filter lets through, newest first; `before_seq`: older than that one alone.
    pub async fn history(
        &self,
        target: TargetId,
        filter: &HistoryFilter,
        before_seq: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let mut events = Builder::new(
            "select seq, at, target_id, kind, region, control, actor, sentence, detail from event where target_id = ",
        );
        events.value(target);
        if let Some(region) = &filter.region {
            events.push(" and region = ").value(region.as_str());
        }
        if let Some(control) = &filter.control {
            events.push(" and control = ").value(control.as_str());
        }
        if let Some(seq) = before_seq {
            events.push(" and seq < ").value(seq);
        }
        events.push(" order by seq desc limit ").value(limit);
        self.db().all(events.query()).await
    }

    /// The latest events of all targets, newest first: what is going on.
    pub async fn latest_events(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        let events = query(
            "select seq, at, target_id, kind, region, control, actor, sentence, detail
             from event order by seq desc limit $1",
        );
        self.db().all(events.bind(limit)).await
    }

    /// Tells of targets that may have new events, on whichever replica they came about. Subscribe first, then read with
    /// `events`, then wait; a receiver that lagged reads again.
    pub fn subscribe_events(&self) -> broadcast::Receiver<TargetId> {
        self.0.signals.changed.subscribe()
    }
}

/// Appends in a transaction that holds the lock on the events' target.
pub(super) async fn append(
    tx: &mut Tx,
    events: &[NewEvent],
    now: Timestamp,
) -> Result<(), StoreError> {
    for events in chunks(events) {
        let mut insert = Builder::new(
            "insert into event (at, target_id, kind, region, control, actor, sentence, detail) values ",
        );
        insert.rows(events.iter().map(|event| {
            [
                now.into(),
                event.target.into(),
                event.kind.name().into(),
                event.region.as_ref().map(Region::as_str).into(),
                event.control.as_ref().map(ControlId::as_str).into(),
                event.actor.as_str().into(),
                event.sentence.as_str().into(),
                Value::json(&event.detail),
            ]
        }));
        tx.execute(insert.query()).await?;
    }
    Ok(())
}
