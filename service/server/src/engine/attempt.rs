//! One try at a cell: look, plan, apply, look again.
//!
//! A pass tries hundreds of cells at once, and now and then awaits something else than them. Whoever is not polled
//! meanwhile must not hold a connection for which that something may be waiting, so a try reaches the database through the
//! journal alone.

use std::sync::Arc;

use jiff::SignedDuration;
use landfall_controls::control::{AnyControl, Desired, Look, PlannedChange};
use landfall_controls::session::Session;
use landfall_model::cell::{Cell, CellKey, CellStatus};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::event::EventKind;
use landfall_model::repair::Repairs;
use landfall_model::rollout::Pin;
use serde_json::{Value, json};
use tracing::info;

use super::cells::Work;
use super::journal::{Entry, Journal, Line};
use super::touched::Touches;
use super::{Engine, PassError};
use crate::store::{NewEvent, Unchanged};

/// A cell that is being worked on, and what is to be written down about it next.
pub(super) struct Attempt<'a> {
    pub(super) engine: &'a Engine,
    pub(super) work: &'a Work<'a>,
    pub(super) journal: &'a Journal,
    pub(super) touches: &'a Touches,
    pub(super) control: &'static dyn AnyControl,
    /// What the cell must have, if that is known already.
    pub(super) desired: Option<Desired>,
    pub(super) session: Session,
    pub(super) cell: Cell,
    /// The cell as it stands in the database, if it does.
    pub(super) stored: Option<Arc<Cell>>,
    /// Whether it was ever seen to differ.
    pub(super) differed: bool,
    pub(super) entry: Entry,
}

impl Attempt<'_> {
    /// What AWS says no to stands in the cell; only a lost lease or a database fault ends the pass.
    pub(super) async fn run(mut self: Box<Self>, parameters: &Value) -> Result<Cell, PassError> {
        let now = self.engine.clock.now();
        let waiver = &mut self.cell.waiver;
        *waiver = waiver.filter(|waiver| waiver.until > now);
        let was_in_sync = self.cell.status() == CellStatus::InSync;
        let last_error = self.cell.error.take();
        match self.converge(parameters).await {
            Ok(()) => {}
            Err(PassError::Cloud(error)) => {
                self.again(error.kind);
                let stored = error.to_stored();
                let is_news = last_error.is_none_or(|last| {
                    (last.kind, &last.operation) != (stored.kind, &stored.operation)
                });
                if is_news {
                    let key = &self.cell.key;
                    info!(kind = error.kind.name(), %error, "{key} is not done yet");
                    self.tell(EventKind::Failed, format!("{key}: {error}"));
                }
                self.cell.error = Some(stored);
            }
            Err(fatal) => return Err(fatal),
        }
        if let Some(waiver) = self.cell.waiver {
            self.cell.due_at = self.cell.due_at.min(waiver.until);
        }
        let status = self.cell.status();
        if status == CellStatus::InSync && (self.differed || !was_in_sync) {
            self.tell(EventKind::InSync, format!("{} is in sync", self.cell.key));
        }
        metrics::counter!("landfall_reconcile_total", "control" => self.cell.key.control.to_string(), "outcome" => status.name()).increment(1);
        self.write().await
    }

    /// Observes, plans and applies until nothing differs, or only changes remain that were just applied.
    async fn converge(&mut self, parameters: &Value) -> Result<(), PassError> {
        let desired = match self.desired.take() {
            Some(desired) => desired,
            None => self.control.desired(parameters, self.session.place())?,
        };
        let mut applied: Vec<PlannedChange> = Vec::new();
        loop {
            let look = self.control.look(&self.session, &desired).await?;
            let changes = self.seen(&desired, look);
            let now = self.engine.clock.now();
            if changes.is_empty()
                || !self
                    .engine
                    .is_to_be_repaired(self.work, &mut self.cell, now)
            {
                return Ok(());
            }
            let fresh: Vec<PlannedChange> = changes
                .into_iter()
                .filter(|change| !applied.contains(change))
                .collect();
            if fresh.is_empty() {
                // AWS took the changes and does not show them yet.
                self.again(CloudErrorKind::NotReady);
                return Ok(());
            }
            self.carry_out(&fresh).await?;
            applied.extend(fresh);
        }
    }

    /// Puts into the cell what a look at it showed: the changes that would bring it in sync.
    pub(super) fn seen(&mut self, desired: &Desired, look: Look) -> Vec<PlannedChange> {
        let now = self.engine.clock.now();
        let next_look = now + self.engine.settings.look_every;
        let cell = &mut self.cell;
        let last_look = cell.observed_at;
        if cell.revision != desired.revision {
            // Nobody undid anything: something else is wanted.
            cell.repairs = Repairs::default();
        }
        cell.revision = desired.revision.clone();
        cell.known = true;
        cell.observed = Some(look.observed);
        cell.observed_at = Some(now);
        cell.drift = look
            .changes
            .iter()
            .map(|change| change.sentence.clone())
            .collect();
        self.entry.assets = Some((
            format!("{}/{}", cell.key.control, cell.key.region),
            look.assets,
        ));
        if look.changes.is_empty() {
            cell.drifted_since = None;
            cell.desired = None;
            cell.repair_asked_at = None;
            cell.repairs.in_sync(now);
            cell.attempts = 0;
            cell.due_at = next_look;
            return look.changes;
        }
        self.differed = true;
        cell.desired = Some(desired.to_json());
        if cell.drifted_since.is_none() {
            cell.drifted_since = Some(now);
            let found = self.touches.drift_found(self.work, &self.cell, last_look);
            self.entry.events.push(found);
        }
        look.changes
    }

    /// Applies changes, one after the other.
    pub(super) async fn carry_out(&mut self, changes: &[PlannedChange]) -> Result<(), PassError> {
        let cell = &mut self.cell;
        if !self.work.vending {
            // Whoever wants it, a pass or a plan: a cell that has to be repaired again and again is contested.
            let now = self.engine.clock.now();
            cell.repairs.begin(cell.drifted_since.unwrap_or(now), now);
        }
        // From here on the cell may be anything, and that is known before AWS is told.
        cell.known = false;
        let unknown = Entry {
            cell: Some(Line::Cell(Box::new(self.cell.clone()))),
            events: std::mem::take(&mut self.entry.events),
            assets: None,
        };
        self.stored = None;
        self.journal.write(unknown).await?;
        for change in changes {
            self.control.apply(&self.session, change).await?;
            let sentence = format!("{}: {}", self.cell.key, change.sentence);
            self.tell(EventKind::ChangeApplied, sentence);
        }
        Ok(())
    }

    /// Has the cell tried again when what kept it should be over.
    pub(super) fn again(&mut self, because: CloudErrorKind) {
        let cell = &mut self.cell;
        cell.attempts += 1;
        let delay = SignedDuration::try_from(because.retry(cell.attempts).delay());
        cell.due_at = self.engine.clock.now() + delay.unwrap_or(SignedDuration::MAX);
    }

    /// Puts a line about the cell into the history.
    pub(super) fn tell(&mut self, kind: EventKind, sentence: String) {
        let event = event(self.work, &self.cell.key, kind, sentence);
        self.entry.events.push(event);
    }

    /// Writes down what came of it: the cell as it is known now.
    pub(super) async fn write(mut self: Box<Self>) -> Result<Cell, PassError> {
        let cell = &self.cell;
        let as_before = match (&self.stored, cell.observed_at, &cell.waiver) {
            // When a cell with a waiver is due is its own affair.
            (Some(stored), Some(observed_at), None) if cell.is_as(stored) => Some(observed_at),
            _ => None,
        };
        let entry = std::mem::take(&mut self.entry);
        match as_before {
            // Nothing is news: whoever waits for the cell need not wait for the database as well.
            Some(observed_at) if entry.events.is_empty() => self.journal.add(Entry {
                cell: Some(Line::Unchanged(Unchanged {
                    key: cell.key.clone(),
                    observed_at,
                    due_at: cell.due_at,
                })),
                ..entry
            })?,
            _ => {
                let cell = Some(Line::Cell(Box::new(cell.clone())));
                self.journal.write(Entry { cell, ..entry }).await?;
            }
        }
        Ok(self.cell)
    }
}

/// A line of history about a cell, which names the baseline that it was held to.
pub(super) fn event(work: &Work<'_>, key: &CellKey, kind: EventKind, sentence: String) -> NewEvent {
    NewEvent {
        region: Some(key.region.clone()),
        control: Some(key.control.clone()),
        detail: json!(Pin::to(&work.baseline)),
        ..NewEvent::new(work.lease.target, kind, sentence)
    }
}
