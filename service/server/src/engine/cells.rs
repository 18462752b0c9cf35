//! The cells of one target: observe, plan, apply, observe again, for every Region and control at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use landfall_controls::cloud::Errand;
use landfall_controls::control::{AnyControl, Desired, Look, PlannedChange};
use landfall_controls::session::Session;
use landfall_controls::session_policy::Sessions;
use landfall_model::asset::Asset;
use landfall_model::baseline::Baseline;
use landfall_model::cell::{Cell, CellKey, CellStatus};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Descriptor;
use landfall_model::event::EventKind;
use landfall_model::ids::{OuPath, Region, TargetId};
use landfall_model::place::Place;
use landfall_model::repair::Repairs;
use landfall_model::rollout::Pin;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span};

use super::board::{Board, Slot};
use super::journal::{Entry, Journal, Writer};
use super::touched::Touches;
use super::{Engine, PassError, clock, held};
use crate::store::{Lease, NewEvent};

/// Cells that are due again within this are waited for: giving the lease back and claiming again costs more.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// How soon a target whose cells all wait for others looks again, in case nobody wakes it.
const WAITING: SignedDuration = SignedDuration::from_secs(10);

/// What a pass over cells works on.
pub(super) struct Work<'a> {
    pub(super) lease: &'a Lease,
    pub(super) baseline: Cow<'a, Baseline>,
    /// The OU that the account belongs in, whose parameters it has also while it still waits elsewhere; none of the
    /// organization.
    pub(super) unit: Option<OuPath>,
    /// Whether the account is being vended: what it lacks, it never had.
    pub(super) vending: bool,
    /// The place of the target; its Region is that of each cell in turn.
    pub(super) place: Place,
    /// Whether the account is so new that AWS's refusals may only mean *not yet*.
    pub(super) young: bool,
    /// The organization's cells that are settled, for controls that wait for them.
    pub(super) organization_settled: BTreeSet<CellKey>,
    pub(super) owner: String,
    pub(super) tags: BTreeMap<String, String>,
    /// Assets of the target itself, besides those that controls see.
    pub(super) own_assets: Vec<Asset>,
}

/// How a pass over cells ended.
pub(super) struct CellsPass {
    /// In sync, but for deviations that are accepted.
    pub(super) all_settled: bool,
    /// When the first of them is worth looking at again.
    pub(super) due_at: Timestamp,
}

impl Engine {
    /// Brings the target's cells in sync as far as AWS lets us now.
    pub(super) async fn reconcile_cells(
        &self,
        work: &Work<'_>,
        shutdown: &CancellationToken,
    ) -> Result<CellsPass, PassError> {
        let (journal, writer) = Writer::new(
            &self.store,
            work.lease,
            self.clock.clone(),
            work.owner.clone(),
            work.tags.clone(),
        );
        let pass = async {
            // Moved in, so that the writer ends with the pass.
            let journal = journal;
            self.work_cells(work, &journal, shutdown).await
        };
        let (pass, ()) = futures_util::try_join!(Box::pin(pass), Box::pin(writer.run()))?;
        Ok(pass)
    }

    async fn work_cells(
        &self,
        work: &Work<'_>,
        journal: &Journal,
        shutdown: &CancellationToken,
    ) -> Result<CellsPass, PassError> {
        let mut touches = Touches::hear(&self.store, work.lease);
        touches.take(self.clock.now()).await?;
        let now = self.clock.now();
        let (mut board, left_over) =
            Board::new(work, self.store.cells(work.lease.target).await?, now);
        if !left_over.is_empty() {
            held(self.store.remove_cells(work.lease, &left_over).await?)?;
        }
        if !work.own_assets.is_empty() {
            journal
                .write(Entry {
                    assets: Some(("account".to_owned(), work.own_assets.clone())),
                    ..Entry::default()
                })
                .await?;
        }
        let sessions = board.sessions();
        self.hasten(&mut board, work, now);
        self.cover(&mut board, work, now).await?;
        self.enter(work, &sessions).await?;

        let mut running = FuturesUnordered::new();
        loop {
            if !shutdown.is_cancelled() {
                for key in board.ready(self.clock.now()) {
                    let slot = &board.slots[&key];
                    running.push(self.attempt(
                        work,
                        journal,
                        &sessions,
                        slot.control,
                        slot.parameters.clone(),
                        slot.cell.clone(),
                    ));
                }
            }
            let next_due = board
                .next_due()
                .filter(|at| *at <= self.clock.now() + PATIENCE && !shutdown.is_cancelled());
            if running.is_empty() && next_due.is_none() {
                break;
            }
            let until_due = next_due.map_or(Duration::from_secs(3_600), |at| {
                Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default()
            });
            tokio::select! {
                Some(cell) = running.next(), if !running.is_empty() => {
                    let cell: Cell = cell?;
                    let slot = board.slots.get_mut(&cell.key).expect("attempts are made of the board's cells");
                    let was = slot.cell.status();
                    slot.running = false;
                    slot.cell = cell;
                    if std::mem::take(&mut slot.touched) {
                        slot.cell.due_at = self.clock.now();
                    }
                    if work.lease.target == TargetId::Organization && slot.settled() && !was.is_settled() {
                        self.wake_accounts().await?;
                    }
                }
                () = clock::pause(until_due), if next_due.is_some() => {}
                () = touches.heard() => {
                    let now = self.clock.now();
                    board.touch(&touches.take(now).await?, now);
                }
            }
        }
        drop(running);
        if work.lease.wanted_anew && !shutdown.is_cancelled() {
            held(self.store.tried(work.lease).await?)?;
        }
        let waiting = board
            .slots
            .values()
            .filter(|slot| slot.cell.waiting_for.is_some());
        for slot in waiting {
            journal
                .write(Entry {
                    cell: Some(slot.cell.clone()),
                    ..Entry::default()
                })
                .await?;
        }
        let after_waiting = self.clock.now() + WAITING;
        let due = |slot: &Slot| {
            if slot.cell.waiting_for.is_some() {
                after_waiting
            } else {
                slot.cell.due_at
            }
        };
        Ok(CellsPass {
            all_settled: board.slots.values().all(Slot::settled),
            due_at: board
                .slots
                .values()
                .map(due)
                .min()
                .unwrap_or(now + self.settings.look_every),
        })
    }

    /// Assumes the role in the account before its cells do: while it cannot be assumed yet, one call finds that out and
    /// not a hundred.
    pub(super) async fn enter(
        &self,
        work: &Work<'_>,
        sessions: &Sessions,
    ) -> Result<(), PassError> {
        if work.lease.target == TargetId::Organization {
            return Ok(());
        }
        let errand = Errand {
            account: work.place.account.clone(),
            region: work.place.region.clone(),
            actions: sessions.first(),
            reason: work.lease.target.to_string(),
            young: work.young,
            shared: work.place.organization.owns(&work.place.account),
        };
        Box::pin(self.cloud.assume(&errand)).await?;
        Ok(())
    }

    /// Makes due what would be due soon, so that an account is looked at as a whole, and what is wanted differently now.
    /// When a person wants something of the target, whatever is not in sync is worth trying at once: what blocked it may
    /// be mended.
    fn hasten(&self, board: &mut Board<'_>, work: &Work<'_>, now: Timestamp) {
        let soon = now + self.settings.look_every / 10;
        for (key, slot) in &mut board.slots {
            let place = Place {
                region: key.region.clone(),
                ..work.place.clone()
            };
            let revision = slot
                .control
                .desired(&slot.parameters, &place)
                .map(|desired| desired.revision);
            let changed = revision.is_ok_and(|revision| revision != slot.cell.revision);
            let status = slot.cell.status();
            let at_rest = status.is_settled() || status == CellStatus::Drifted;
            let ripe = slot.cell.due_at <= soon && at_rest;
            let unfinished = status != CellStatus::InSync || slot.cell.repair_asked_at.is_some();
            if changed
                || ripe
                || work.lease.wanted_anew && unfinished
                || slot.cell.waiting_for.is_some()
                || !slot.cell.known && slot.cell.error.is_none()
            {
                slot.cell.due_at = now;
            }
        }
    }

    /// One try at a cell. What AWS says no to stands in the cell; only a lost lease or a database fault ends the pass.
    async fn attempt(
        &self,
        work: &Work<'_>,
        journal: &Journal,
        sessions: &Sessions,
        control: &'static dyn AnyControl,
        parameters: Value,
        mut cell: Cell,
    ) -> Result<Cell, PassError> {
        let span = info_span!("control", id = %cell.key.control, region = %cell.key.region);
        async {
            let since = cell.observed_at.map_or(work.lease.due_since, |at| at.max(work.lease.due_since));
            let session = self.session(work, sessions, control.descriptor(), &cell.key.region, since);
            let now = self.clock.now();
            cell.waiver = cell.waiver.filter(|waiver| waiver.until > now);
            let was_in_sync = cell.status() == CellStatus::InSync;
            let last_error = cell.error.take();
            let mut entry = Entry::default();
            match Box::pin(self.converge(work, journal, &session, control, &parameters, &mut cell, &mut entry)).await {
                Ok(()) => {}
                Err(PassError::Cloud(error)) => {
                    cell.attempts += 1;
                    cell.due_at = self.later(&cell, error.kind);
                    let stored = error.to_stored();
                    if last_error.as_ref().map(|e| (e.kind, &e.operation)) != Some((stored.kind, &stored.operation)) {
                        info!(kind = error.kind.name(), %error, "{} is not done yet", cell.key);
                        entry.events.push(event(work, &cell.key, EventKind::Failed, format!("{}: {error}", cell.key)));
                    }
                    cell.error = Some(stored);
                }
                Err(fatal) => return Err(fatal),
            }
            if let Some(waiver) = cell.waiver {
                cell.due_at = cell.due_at.min(waiver.until);
            }
            if cell.status() == CellStatus::InSync && !was_in_sync {
                entry.events.push(event(work, &cell.key, EventKind::InSync, format!("{} is in sync", cell.key)));
            }
            metrics::counter!("landfall_reconcile_total", "control" => cell.key.control.to_string(), "outcome" => cell.status().name()).increment(1);
            entry.cell = Some(cell.clone());
            journal.write(entry).await?;
            Ok(cell)
        }
        .instrument(span)
        .await
    }

    /// Observes, plans and applies until nothing differs, or only changes remain that were just applied.
    #[expect(clippy::too_many_arguments, reason = "the inner half of `attempt`")]
    async fn converge(
        &self,
        work: &Work<'_>,
        journal: &Journal,
        session: &Session,
        control: &'static dyn AnyControl,
        parameters: &Value,
        cell: &mut Cell,
        entry: &mut Entry,
    ) -> Result<(), PassError> {
        let desired = control.desired(parameters, session.place())?;
        let mut applied: Vec<PlannedChange> = Vec::new();
        loop {
            let look = control.look(session, &desired).await?;
            let changes = self.seen(work, cell, &desired, look, entry).await?;
            if changes.is_empty() || !self.is_to_be_repaired(work, cell, self.clock.now()) {
                return Ok(());
            }
            let fresh: Vec<PlannedChange> = changes
                .into_iter()
                .filter(|change| !applied.contains(change))
                .collect();
            if fresh.is_empty() {
                // AWS took the changes and does not show them yet.
                cell.attempts += 1;
                cell.due_at = self.later(cell, CloudErrorKind::NotReady);
                return Ok(());
            }
            self.carry_out(work, journal, session, control, &fresh, cell, entry)
                .await?;
            applied.extend(fresh);
        }
    }

    /// Puts into a cell what a look at it showed: the changes that would bring it in sync.
    pub(super) async fn seen(
        &self,
        work: &Work<'_>,
        cell: &mut Cell,
        desired: &Desired,
        look: Look,
        entry: &mut Entry,
    ) -> Result<Vec<PlannedChange>, PassError> {
        let now = self.clock.now();
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
        entry.assets = Some((
            format!("{}/{}", cell.key.control, cell.key.region),
            look.assets,
        ));
        if look.changes.is_empty() {
            cell.drifted_since = None;
            cell.desired = None;
            cell.repair_asked_at = None;
            cell.repairs.in_sync(now);
            cell.attempts = 0;
            cell.due_at = now + self.settings.look_every;
            return Ok(look.changes);
        }
        cell.desired = Some(desired.to_json());
        if cell.drifted_since.is_none() {
            cell.drifted_since = Some(now);
            let found = self.drift_found(work.lease.target, cell, last_look);
            entry.events.push(found.await?);
        }
        Ok(look.changes)
    }

    /// Applies changes to a cell, one after the other.
    #[expect(clippy::too_many_arguments, reason = "the inner half of `attempt`")]
    pub(super) async fn carry_out(
        &self,
        work: &Work<'_>,
        journal: &Journal,
        session: &Session,
        control: &'static dyn AnyControl,
        changes: &[PlannedChange],
        cell: &mut Cell,
        entry: &mut Entry,
    ) -> Result<(), PassError> {
        // From here on the cell may be anything, and that is known before AWS is told.
        cell.known = false;
        let unknown = Entry {
            cell: Some(cell.clone()),
            events: std::mem::take(&mut entry.events),
            assets: None,
        };
        journal.write(unknown).await?;
        for change in changes {
            control.apply(session, change).await?;
            entry.events.push(event(
                work,
                &cell.key,
                EventKind::ChangeApplied,
                format!("{}: {}", cell.key, change.sentence),
            ));
        }
        Ok(())
    }

    /// A control's way to AWS for one cell. What AWS has said since `since` counts as a look: since the target became due,
    /// or the cell was looked at, or a plan was asked for.
    pub(super) fn session(
        &self,
        work: &Work<'_>,
        sessions: &Sessions,
        descriptor: &Descriptor,
        region: &Region,
        since: Timestamp,
    ) -> Session {
        let ago = Duration::try_from(self.clock.now().duration_since(since)).unwrap_or_default();
        let now = Instant::now();
        let as_of = now.checked_sub(ago).unwrap_or(now);
        let place = Place {
            region: region.clone(),
            ..work.place.clone()
        };
        let own: BTreeSet<&'static str> = descriptor.actions.iter().copied().collect();
        // The organization's controls are many: together they would not fit into one session policy.
        let target_actions = if descriptor.scope.is_organization() {
            own.clone()
        } else {
            sessions.of_control(descriptor)
        };
        Session::new(
            self.cloud.clone(),
            Arc::new(place),
            work.lease.target.to_string(),
            work.young,
            target_actions,
            own,
        )
        .as_of(as_of)
    }

    pub(super) fn later(&self, cell: &Cell, kind: CloudErrorKind) -> Timestamp {
        self.clock.now()
            + SignedDuration::try_from(kind.retry(cell.attempts).delay())
                .unwrap_or(SignedDuration::MAX)
    }
}

fn event(work: &Work<'_>, key: &CellKey, kind: EventKind, sentence: String) -> NewEvent {
    NewEvent {
        region: Some(key.region.clone()),
        control: Some(key.control.clone()),
        detail: json!(Pin::to(&work.baseline)),
        ..NewEvent::new(work.lease.target, kind, sentence)
    }
}
