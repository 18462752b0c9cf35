//! Touches as a pass takes them in: cells that are to be looked at now, and whom history names for what differs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use landfall_model::cell::{Cell, CellKey};
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};

use super::PassError;
use super::attempt::event;
use super::cells::Work;
use crate::store::{Lease, NewEvent, Store, Touch};

/// How much earlier than the last look a change may seem to be and still be news to it: AWS tells whole seconds, by its
/// own clock.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

/// Hears of touches of one pass's target, from its beginning to its end: somebody may change an account while it is worked
/// on.
pub(super) struct Hearing<'a> {
    store: &'a Store,
    lease: &'a Lease,
    heard: broadcast::Receiver<TargetId>,
}

impl<'a> Hearing<'a> {
    /// Take what is there already after this, and nothing is missed.
    pub(super) fn of(store: &'a Store, lease: &'a Lease) -> Self {
        Hearing {
            store,
            lease,
            heard: store.hear_touches(),
        }
    }

    /// Waits until something of the target was touched, or may have been.
    pub(super) async fn heard(&mut self) {
        loop {
            match self.heard.recv().await {
                Ok(target) if target != self.lease.target => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The store is closed; whatever the pass does next says so.
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }

    /// The touches since this was last asked.
    pub(super) async fn take(&mut self, now: Timestamp) -> Result<Vec<Touch>, PassError> {
        let touched = self.store.take_touches(self.lease, now).await?;
        touched.ok_or(PassError::LeaseLost)
    }
}

/// Who last touched each cell of a pass's target.
pub(super) struct Touches(Mutex<BTreeMap<CellKey, Touch>>);

impl Touches {
    pub(super) async fn of(store: &Store, target: TargetId) -> Result<Self, PassError> {
        Ok(Touches(Mutex::new(store.touches_of(target).await?)))
    }

    pub(super) fn add(&self, touches: Vec<Touch>) {
        let keyed = touches.into_iter().map(|touch| (touch.key.clone(), touch));
        self.lock().extend(keyed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CellKey, Touch>> {
        // Nothing that holds the lock panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has touched a cell since it was last looked at. A change before that has nothing to do with what differs now.
    fn since(&self, key: &CellKey, last_look: Timestamp) -> Option<Touch> {
        let touch = self.lock().get(key).cloned();
        touch.filter(|touch| touch.at + CLOCKS_DIFFER > last_look)
    }

    /// What history says of a cell that was in sync at `last_look` and is not now.
    pub(super) fn drift_found(
        &self,
        work: &Work<'_>,
        cell: &Cell,
        last_look: Option<Timestamp>,
    ) -> NewEvent {
        let key = &cell.key;
        // Nobody can have changed what was never seen.
        let touch = last_look.and_then(|at| self.since(key, at));
        let mut sentence = format!("{key} differs: {}", cell.drift.join("; "));
        if let Some(Touch {
            actor, event, at, ..
        }) = &touch
        {
            sentence += &format!(". {actor} called {event} at {at}");
        }
        let mut found = event(work, key, EventKind::DriftFound, sentence);
        if let Some(touch) = &touch {
            found.detail["changed_by"] = changed_by(touch);
        }
        found
    }
}

fn changed_by(touch: &Touch) -> Value {
    json!({
        "actor": touch.actor,
        "source_ip": touch.source_ip,
        "at": touch.at,
        "event": touch.event,
    })
}
