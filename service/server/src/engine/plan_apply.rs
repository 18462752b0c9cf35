//! Applies a plan to a target: exactly what was planned, or nothing.
//!
//! Every planned cell is looked at first. When one of them is not as it was when the plan was made, the target is refused
//! as a whole. Otherwise the stored changes are carried out, in the order of the controls, each cell recorded as unknown
//! before, as in any pass. A cell that rests on one that the plan has just changed is looked at once more: a stored change
//! that has become needless is left out, and nothing that was not stored is ever applied.
//!
//! After a crash in the middle some changes were applied and others not, so cells cannot be as they were. Then a cell is
//! carried on where everything that is left to do is among what was planned, and is left alone where it is not.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use landfall_controls::control::{Desired, Look, PlannedChange};
use landfall_controls::error::CloudError;
use landfall_controls::session_policy::Sessions;
use landfall_model::cell::{Cell, CellKey};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::event::EventKind;
use landfall_model::plan::{CellOutcome, Moved, TargetStage};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::attempt::Attempt;
use super::board::Board;
use super::cells::Work;
use super::journal::{Entry, Journal, Writer};
use super::plans::{Looked, Patience, digest};
use super::touched::Touches;
use super::{Engine, PassError, held};
use crate::store::{PlanCell, PlanWork};

/// What one target's part of a plan is applied with.
struct Applying<'a> {
    work: &'a Work<'a>,
    wanted: &'a PlanWork,
    /// Who had it applied.
    by: &'a str,
    board: &'a Board<'a>,
    sessions: &'a Sessions,
    touches: &'a Touches,
}

/// A planned cell, ready to be changed.
struct Ready<'a> {
    planned: &'a PlanCell,
    looked: Looked,
    cell: Cell,
}

/// What is known of a plan's cells by now.
type Outcomes = BTreeMap<CellKey, CellOutcome>;

impl Engine {
    pub(super) async fn apply_plan(
        &self,
        work: &Work<'_>,
        wanted: &PlanWork,
        by: &str,
        shutdown: &CancellationToken,
    ) -> Result<(), PassError> {
        let lease = work.lease;
        let target = self.store.target(lease.target).await?;
        if target.is_some_and(|target| target.paused.is_some()) {
            let stage = match wanted.begun {
                true => TargetStage::Failed,
                false => TargetStage::Refused,
            };
            let reason = "the account was paused before its changes were applied";
            return self.end(lease, wanted, stage, Some(reason)).await;
        }
        let planned = self.store.cells_to_apply(lease, wanted.plan).await?;
        let stored = self.store.cells(lease.target).await?;
        let now = self.clock.now();
        let (mut board, _) = Board::new(work, stored, now);
        self.cover(&mut board, work, now).await?;
        let applying = Applying {
            work,
            wanted,
            by,
            board: &board,
            sessions: &board.sessions(),
            touches: &Touches::of(&self.store, lease.target).await?,
        };
        self.enter(work, applying.sessions).await?;
        let (ready, outcomes) = self.look_again(&applying, &planned).await;
        if !outcomes.is_empty() {
            held(
                self.store
                    .put_outcomes(lease, wanted.plan, &outcomes)
                    .await?,
            )?;
            if !wanted.begun {
                let (stage, reason) = refusal(&outcomes, planned.len());
                info!("{reason}");
                return self.end(lease, wanted, stage, Some(&reason)).await;
            }
        }
        held(
            self.store
                .begin_changes(lease, wanted.plan, self.clock.now())
                .await?,
        )?;

        let (journal, writer) = Writer::new(
            &self.store,
            lease,
            self.clock.clone(),
            work.owner.clone(),
            work.tags.clone(),
        );
        let mut known: Outcomes = planned
            .iter()
            .filter_map(|cell| Some((cell.key.clone(), cell.outcome.clone()?)))
            .chain(outcomes)
            .collect();
        let changing = async {
            // Moved in, so that the writer ends with the changes.
            let journal = journal;
            self.change_cells(&applying, &journal, ready, &mut known, shutdown)
                .await
        };
        let (all_done, ()) = futures_util::try_join!(Box::pin(changing), Box::pin(writer.run()))?;
        if !all_done {
            // It goes on where it stopped, after the restart.
            return Ok(());
        }
        let undone = known
            .values()
            .filter(|outcome| !outcome.is_applied())
            .count();
        let (stage, reason) = match undone {
            0 => (TargetStage::Applied, None),
            some => (
                TargetStage::Failed,
                Some(format!(
                    "{some} of {} cells were not changed as planned",
                    planned.len()
                )),
            ),
        };
        self.end(lease, wanted, stage, reason.as_deref()).await
    }

    /// Looks at every planned cell that nothing was done to yet: those that may be changed, and what keeps the others.
    async fn look_again<'a>(
        &self,
        applying: &Applying<'_>,
        planned: &'a [PlanCell],
    ) -> (BTreeMap<CellKey, Ready<'a>>, Vec<(CellKey, CellOutcome)>) {
        let Applying {
            work,
            wanted,
            board,
            sessions,
            ..
        } = applying;
        let mut looks: FuturesUnordered<_> = planned
            .iter()
            .filter(|planned| planned.outcome.is_none())
            .map(async |planned| {
                let slot = board.slots.get(&planned.key);
                let looked = match slot {
                    Some(slot) => Some(self.look_at(work, sessions, slot, wanted.since).await),
                    None => None,
                };
                (planned, slot, looked)
            })
            .collect();
        let mut ready = BTreeMap::new();
        let mut outcomes = Vec::new();
        while let Some((planned, slot, looked)) = looks.next().await {
            let key = planned.key.clone();
            let moved = |what, now| CellOutcome::Moved { what, now };
            let (Some(slot), Some(looked)) = (slot, looked) else {
                // The control or the Region is no longer wanted.
                outcomes.push((key, moved(Moved::Desired, Vec::new())));
                continue;
            };
            if slot.cell.waiver.is_some() {
                outcomes.push((key, moved(Moved::Waived, Vec::new())));
                continue;
            }
            match looked {
                Err(error) => outcomes.push((key, failed(&error))),
                Ok(looked) => match what_moved(planned, &looked, wanted.begun) {
                    Some(what) => {
                        outcomes.push((key, moved(what, sentences(&looked.look.changes))));
                    }
                    None => {
                        let cell = slot.cell.clone();
                        ready.insert(
                            key,
                            Ready {
                                planned,
                                looked,
                                cell,
                            },
                        );
                    }
                },
            }
        }
        (ready, outcomes)
    }

    /// Changes cells, all at once but in the order of their controls. `false` when a shutdown came before all were done.
    async fn change_cells(
        &self,
        applying: &Applying<'_>,
        journal: &Journal,
        mut ready: BTreeMap<CellKey, Ready<'_>>,
        known: &mut Outcomes,
        shutdown: &CancellationToken,
    ) -> Result<bool, PassError> {
        let board = applying.board;
        let mut begun = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        loop {
            let free: Vec<CellKey> = match shutdown.is_cancelled() {
                true => Vec::new(),
                false => ready
                    .keys()
                    .filter(|key| {
                        !board
                            .own_before(key)
                            .any(|before| ready.contains_key(before) || begun.contains(before))
                    })
                    .cloned()
                    .collect(),
            };
            for key in &free {
                let Some(cell) = ready.remove(key) else {
                    continue;
                };
                let done_before: Vec<(CellKey, bool)> = board
                    .own_before(key)
                    .filter_map(|before| {
                        let applied = known.get(before)?.is_applied();
                        Some((before.clone(), applied))
                    })
                    .collect();
                match done_before.iter().find(|(_, applied)| !applied) {
                    Some((before, _)) => {
                        let after = before.control.clone();
                        let skipped = CellOutcome::Skipped { after };
                        self.put_outcome(applying, known, key.clone(), skipped)
                            .await?;
                    }
                    None => {
                        begun.insert(key.clone());
                        let again = !done_before.is_empty();
                        running.push(self.change_cell(applying, journal, cell, again));
                    }
                }
            }
            match running.next().await {
                Some(changed) => {
                    let (cell, outcome): (Cell, CellOutcome) = changed?;
                    begun.remove(&cell.key);
                    if outcome != CellOutcome::Applied {
                        // A pass brings to an end what AWS needs time for, and knows what it may do by itself.
                        let target = applying.work.lease.target;
                        self.store.wake(target, cell.due_at).await?;
                    }
                    self.put_outcome(applying, known, cell.key, outcome).await?;
                }
                None if free.is_empty() => return Ok(ready.is_empty()),
                None => {}
            }
        }
    }

    async fn put_outcome(
        &self,
        applying: &Applying<'_>,
        known: &mut Outcomes,
        key: CellKey,
        outcome: CellOutcome,
    ) -> Result<(), PassError> {
        let line = [(key.clone(), outcome.clone())];
        let (lease, plan) = (applying.work.lease, applying.wanted.plan);
        held(self.store.put_outcomes(lease, plan, &line).await?)?;
        known.insert(key, outcome);
        Ok(())
    }

    /// Applies the stored changes of one cell, and writes down what came of them. `again`: the plan has changed something
    /// that this cell rests on since it was looked at.
    async fn change_cell(
        &self,
        applying: &Applying<'_>,
        journal: &Journal,
        ready: Ready<'_>,
        again: bool,
    ) -> Result<(Cell, CellOutcome), PassError> {
        let Ready {
            planned,
            looked,
            mut cell,
        } = ready;
        cell.error = None;
        cell.waiting_for = None;
        let mut attempt = Box::new(Attempt {
            engine: self,
            work: applying.work,
            journal,
            touches: applying.touches,
            control: looked.control,
            desired: None,
            session: looked.session,
            cell,
            stored: None,
            differed: false,
            entry: Entry::default(),
        });
        if again && let Some(slot) = applying.board.slots.get(&planned.key) {
            let now = self.clock.now();
            attempt.session = self.session(applying.work, applying.sessions, slot, now);
        }
        let look = (!again).then_some(looked.look);
        let changing = attempt.change_as(planned, &looked.desired, look);
        let outcome = match Box::pin(changing).await {
            Ok(outcome) => outcome,
            Err(PassError::Cloud(error)) => {
                attempt.again(error.kind);
                attempt.cell.error = Some(error.to_stored());
                failed(&error)
            }
            Err(fatal) => return Err(fatal),
        };
        for event in &mut attempt.entry.events {
            if event.kind == EventKind::ChangeApplied {
                applying.by.clone_into(&mut event.actor);
                event.detail = json!({ "plan": applying.wanted.plan });
            }
        }
        if outcome == CellOutcome::Applied {
            let in_sync = format!("{} is in sync", attempt.cell.key);
            attempt.tell(EventKind::InSync, in_sync);
        }
        Ok((attempt.write().await?, outcome))
    }
}

impl Attempt<'_> {
    /// Applies those of the stored changes that are still missing, until none is or something else would be needed.
    /// `look`: what the cell was when the plan's target was looked at, unless that may have changed.
    async fn change_as(
        &mut self,
        planned: &PlanCell,
        desired: &Desired,
        look: Option<Look>,
    ) -> Result<CellOutcome, PassError> {
        let mut look = match look {
            Some(look) => look,
            None => self.control.look(&self.session, desired).await?,
        };
        let mut patience = Patience::default();
        let mut applied: Vec<PlannedChange> = Vec::new();
        loop {
            let left = self.seen(desired, look);
            if left.is_empty() {
                return Ok(CellOutcome::Applied);
            }
            let as_planned = left.iter().all(|change| planned.changes.contains(change));
            let fresh: Vec<PlannedChange> = left
                .iter()
                .filter(|change| !applied.contains(change))
                .cloned()
                .collect();
            if as_planned && !fresh.is_empty() {
                match self.carry_out(&fresh).await {
                    Ok(()) => applied.extend(fresh),
                    Err(PassError::Cloud(error)) => patience.wait(error).await?,
                    Err(fatal) => return Err(fatal),
                }
            } else if !as_planned || !patience.pause(CloudErrorKind::NotReady).await {
                // A further step is for another plan; what AWS only does not show yet was worth a moment.
                self.again(CloudErrorKind::NotReady);
                let remaining = sentences(&left);
                return Ok(CellOutcome::Differs { remaining });
            }
            look = self.control.look(&self.session, desired).await?;
        }
    }
}

/// What is not as it was when the plan was made. `begun`: some of the plan's own changes may have been applied since.
fn what_moved(planned: &PlanCell, looked: &Looked, begun: bool) -> Option<Moved> {
    let changes = &looked.look.changes;
    if planned.revision.as_ref() != Some(&looked.desired.revision) {
        return Some(Moved::Desired);
    }
    let as_planned = match begun {
        true => changes
            .iter()
            .all(|change| planned.changes.contains(change)),
        false => *changes == planned.changes,
    };
    if !as_planned {
        return Some(Moved::Changes);
    }
    let same = planned.observed.as_ref() == Some(&digest(&looked.look.observed));
    (!begun && !same).then_some(Moved::Observed)
}

/// How a target ends of which nothing was changed, and why.
fn refusal(outcomes: &[(CellKey, CellOutcome)], planned: usize) -> (TargetStage, String) {
    let moved = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, CellOutcome::Moved { .. }))
        .count();
    match moved {
        0 => (
            TargetStage::Failed,
            format!(
                "{} of {planned} cells could not be looked at again; nothing was changed",
                outcomes.len()
            ),
        ),
        moved => (
            TargetStage::Refused,
            format!(
                "{moved} of {planned} cells are not as they were when the plan was made; nothing was changed"
            ),
        ),
    }
}

fn failed(error: &CloudError) -> CellOutcome {
    CellOutcome::Failed {
        error: error.to_stored(),
    }
}

fn sentences(changes: &[PlannedChange]) -> Vec<String> {
    changes
        .iter()
        .map(|change| change.sentence.clone())
        .collect()
}
