//! Touches as a pass takes them in: cells that are to be looked at now, and whom history names for what differs.

use jiff::{SignedDuration, Timestamp};
use landfall_model::cell::{Cell, CellKey};
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Engine, PassError};
use crate::store::{Lease, NewEvent, Store, Touch};

/// How much earlier than the last look a change may seem to be and still be news to it: AWS tells whole seconds, by its
/// own clock.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

/// The touches of one pass's target, from its beginning to its end: somebody may change an account while it is worked on.
pub(super) struct Touches<'a> {
    store: &'a Store,
    lease: &'a Lease,
    heard: broadcast::Receiver<TargetId>,
}

impl<'a> Touches<'a> {
    /// Listens. Take what is there already after this, and nothing is missed.
    pub(super) fn hear(store: &'a Store, lease: &'a Lease) -> Self {
        Touches {
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

    /// The cells that were touched since this was last asked.
    pub(super) async fn take(&mut self, now: Timestamp) -> Result<Vec<CellKey>, PassError> {
        let touched = self.store.take_touches(self.lease, now).await?;
        touched.ok_or(PassError::LeaseLost)
    }
}

impl Engine {
    /// What history says of a cell that was in sync at `last_look` and is not now.
    pub(super) async fn drift_found(
        &self,
        target: TargetId,
        cell: &Cell,
        last_look: Option<Timestamp>,
    ) -> Result<NewEvent, PassError> {
        let key = &cell.key;
        let touch = match last_look {
            Some(at) => self.touch_since(target, key, at).await?,
            // Nobody can have changed what was never seen.
            None => None,
        };
        let drift = cell.drift.join("; ");
        let sentence = match &touch {
            Some(Touch {
                actor, event, at, ..
            }) => {
                format!("{key} differs: {drift}. {actor} called {event} at {at}")
            }
            None => format!("{key} differs: {drift}"),
        };
        Ok(NewEvent {
            region: Some(key.region.clone()),
            control: Some(key.control.clone()),
            detail: touch.map_or(
                Value::Null,
                |touch| json!({"changed_by": changed_by(&touch)}),
            ),
            ..NewEvent::new(target, EventKind::DriftFound, sentence)
        })
    }
}

impl Engine {
    /// Who has touched a cell since it was last looked at. A change before that has nothing to do with what differs now.
    async fn touch_since(
        &self,
        target: TargetId,
        key: &CellKey,
        last_look: Timestamp,
    ) -> Result<Option<Touch>, PassError> {
        // In a task of its own. A pass looks at hundreds of cells and now and then awaits something else than them: whoever
        // is not polled meanwhile must not keep one of the few connections, for which that something may be waiting.
        let (store, of) = (self.store.clone(), key.clone());
        let touch = tokio::spawn(async move {
            let CellKey { region, control } = &of;
            store.last_touch(target, region, control).await
        });
        let touch = touch.await.expect("a read does not panic")?;
        Ok(touch.filter(|touch| touch.at + CLOCKS_DIFFER > last_look))
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
