//! The cells of one target: observe, plan, apply, observe again, for every Region and control at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use landfall_controls::cloud::Errand;
use landfall_controls::session::Session;
use landfall_controls::session_policy::Sessions;
use landfall_model::asset::Asset;
use landfall_model::baseline::Baseline;
use landfall_model::cell::{CellKey, CellStatus};
use landfall_model::ids::{OuPath, TargetId};
use landfall_model::place::Place;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

use super::attempt::Attempt;
use super::board::{Board, Slot};
use super::journal::{Entry, Journal, Line, Writer};
use super::touched::{Hearing, Touches};
use super::{Engine, PassError, clock, held};
use crate::store::Lease;

/// Cells that are due again within this are waited for: giving the lease back and claiming again costs more. A pass that has
/// nothing else to do waits no longer in all: what it knows of the organization and of wishes is from its beginning.
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
    /// Those of the organization's cells that the baseline's controls wait for and that are settled.
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
        let began = Instant::now();
        let mut hearing = Hearing::of(&self.store, work.lease);
        hearing.take(self.clock.now()).await?;
        let touches = Touches::of(&self.store, work.lease.target).await?;
        let now = self.clock.now();
        let (mut board, left_over) =
            Board::new(work, self.store.cells(work.lease.target).await?, now);
        if !left_over.is_empty() {
            held(self.store.remove_cells(work.lease, &left_over).await?)?;
        }
        if !work.own_assets.is_empty() {
            journal.add(Entry {
                assets: Some(("account".to_owned(), work.own_assets.clone())),
                ..Entry::default()
            })?;
        }
        let sessions = board.sessions();
        self.hasten(&mut board, work, now);
        self.cover(&mut board, work, now).await?;
        self.enter(work, &sessions).await?;

        let mut running = FuturesUnordered::new();
        let mut next_due = None;
        // Most tries end without a consequence for any other cell: hundreds of cells are not gone through for each.
        let mut stirred = true;
        loop {
            if stirred && !shutdown.is_cancelled() {
                for key in board.ready(self.clock.now()) {
                    let slot = board
                        .slots
                        .get_mut(&key)
                        .expect("the key comes from the board");
                    let desired = slot.desired.take();
                    let slot = &*slot;
                    let since = slot.cell.observed_at;
                    let since =
                        since.map_or(work.lease.due_since, |at| at.max(work.lease.due_since));
                    let attempt = Box::new(Attempt {
                        engine: self,
                        work,
                        journal,
                        touches: &touches,
                        control: slot.control,
                        desired,
                        session: self
                            .session(work, &sessions, slot, since)
                            .in_line_since(began),
                        cell: slot.cell.clone(),
                        stored: slot.stored.clone(),
                        differed: false,
                        entry: Entry::default(),
                    });
                    let parameters = slot.parameters.clone();
                    let span = info_span!("control", id = %key.control, region = %key.region);
                    running.push(async move { attempt.run(&parameters).await }.instrument(span));
                }
            }
            let from = match running.is_empty() {
                true => now,
                false => self.clock.now(),
            };
            if stirred || running.is_empty() {
                next_due = board.next_due();
            }
            stirred = false;
            let awaited = next_due.filter(|at| *at <= from + PATIENCE && !shutdown.is_cancelled());
            if running.is_empty() && awaited.is_none() {
                break;
            }
            let until_due = awaited.map_or(Duration::from_secs(3_600), |at| {
                Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default()
            });
            tokio::select! {
                Some(cell) = running.next(), if !running.is_empty() => {
                    // Tries end together, when what they found was written down: who may begin now is asked once for all.
                    let mut ended = Some(cell);
                    let mut news = false;
                    let now = self.clock.now();
                    while let Some(cell) = ended {
                        let end = board.ended(cell?, now);
                        news |= end.news;
                        stirred |= end.frees;
                        next_due = Some(next_due.map_or(end.due_at, |at| end.due_at.min(at)));
                        ended = running.next().now_or_never().flatten();
                    }
                    if work.lease.target == TargetId::Organization && news {
                        self.wake_accounts().await?;
                    }
                }
                () = clock::pause(until_due), if awaited.is_some() => stirred = true,
                () = hearing.heard() => {
                    let now = self.clock.now();
                    let taken = hearing.take(now).await?;
                    board.touch(taken.iter().map(|touch| &touch.key), now);
                    touches.add(taken);
                    stirred = true;
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
            journal.add(Entry {
                cell: Some(Line::Cell(Box::new(slot.cell.clone()))),
                ..Entry::default()
            })?;
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
        if work.lease.target == TargetId::Organization || sessions.is_empty() {
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
        for slot in board.slots.values_mut() {
            // Why it cannot be told is for the try at the cell to say.
            slot.desired = slot.control.desired(&slot.parameters, &slot.place).ok();
            let desired = slot.desired.as_ref();
            let changed = desired.is_some_and(|desired| desired.revision != slot.cell.revision);
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

    /// A control's way to AWS for one cell. What AWS has said since `since` counts as a look: since the target became due,
    /// or the cell was looked at, or a plan was asked for.
    pub(super) fn session(
        &self,
        work: &Work<'_>,
        sessions: &Sessions,
        slot: &Slot,
        since: Timestamp,
    ) -> Session {
        let ago = Duration::try_from(self.clock.now().duration_since(since)).unwrap_or_default();
        let now = Instant::now();
        let as_of = now.checked_sub(ago).unwrap_or(now);
        let descriptor = slot.control.descriptor();
        // The organization's controls are many: together they would not fit into one session policy.
        let target_actions = if descriptor.scope.is_organization() {
            descriptor.actions.iter().copied().collect()
        } else {
            sessions.of_control(descriptor)
        };
        Session::new(
            self.cloud.clone(),
            slot.place.clone(),
            work.lease.target.to_string(),
            work.young,
            target_actions,
            descriptor.actions,
        )
        .as_of(as_of)
    }
}
