//! Drift, and by whom: the line of history that says both.

use jiff::{SignedDuration, Timestamp};
use landfall_model::cell::Cell;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use serde_json::{Value, json};

use super::{Engine, PassError};
use crate::store::{NewEvent, Touch};

/// How much earlier than the last look a change may seem to be and still be news to it: AWS tells whole seconds, by its
/// own clock.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

impl Engine {
    /// What history says of a cell that was in sync at `last_look` and is not now.
    pub(super) async fn drift_found(
        &self,
        target: TargetId,
        cell: &Cell,
        last_look: Option<Timestamp>,
    ) -> Result<NewEvent, PassError> {
        let key = &cell.key;
        let touch = self
            .store
            .last_touch(target, &key.region, &key.control)
            .await?;
        // Who changed it before it was last seen in sync has nothing to do with this.
        let touch = touch.filter(|touch| last_look.is_some_and(|at| touch.at + CLOCKS_DIFFER > at));
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

fn changed_by(touch: &Touch) -> Value {
    json!({
        "actor": touch.actor,
        "source_ip": touch.source_ip,
        "at": touch.at,
        "event": touch.event,
    })
}
