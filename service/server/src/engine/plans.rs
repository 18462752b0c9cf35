//! Looks for plans: a target's cells are looked at under its lease, and nothing is applied.
//!
//! What a plan wants of a target stands in the database; a claim for plans finds it there. So a plan goes on after a
//! crash, on another replica, and beside the passes, by the limiter's and the leases' ordinary rules.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use landfall_controls::control::{AnyControl, Desired, Look};
use landfall_controls::error::CloudError;
use landfall_controls::session::Session;
use landfall_controls::session_policy::Sessions;
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::ids::{Revision, TargetId};
use landfall_model::json_text::JsonText;
use landfall_model::plan::TargetStage;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

use super::board::{Board, Slot};
use super::cells::Work;
use super::{Engine, PassError, chain, clock, held};
use crate::store::{Lease, LeaseState, PlanWork, PlannedCell, Purpose, Seen, TargetPlan};

/// How long one cell of a plan is waited for, in all, while only time is missing: somebody waits for the plan.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cell as it was just seen.
pub(super) struct Looked {
    pub(super) control: &'static dyn AnyControl,
    pub(super) session: Session,
    pub(super) desired: Desired,
    pub(super) look: Look,
}

impl Engine {
    /// Does everything that plans want of a target, from the claim to giving it back.
    pub(super) async fn plan_pass(&self, lease: Lease, shutdown: CancellationToken) {
        let target = lease.target;
        async {
            let outcome = tokio::select! {
                outcome = Box::pin(self.work_on_plans(&lease, &shutdown)) => outcome,
                () = self.keep(&lease) => Err(PassError::LeaseLost),
            };
            match outcome {
                Ok(()) => match self.store.give_back(lease).await {
                    Ok(LeaseState::Held | LeaseState::Lost) => {}
                    // Nothing is lost: the lease ends by itself and the target is due then.
                    Err(error) => warn!(error = %chain(&error), "the lease could not be released"),
                },
                // What was not written down is done again once the lease has ended.
                Err(error) => {
                    warn!(error = %chain(&error), "work on a plan stopped; it goes on later")
                }
            }
        }
        .instrument(info_span!("plans", target = %target))
        .await;
    }

    async fn work_on_plans(
        &self,
        lease: &Lease,
        shutdown: &CancellationToken,
    ) -> Result<(), PassError> {
        while let Some(wanted) = self.store.plan_work(lease).await? {
            if shutdown.is_cancelled() {
                return Ok(());
            }
            let span = info_span!("plan", id = %wanted.plan);
            let done = Box::pin(self.work_on_plan(lease, &wanted, shutdown))
                .instrument(span)
                .await;
            match done {
                Err(PassError::Cloud(error)) => {
                    info!(kind = error.kind.name(), %error, "the target cannot be worked on for the plan");
                    let stage = match wanted.applied_by {
                        Some(_) => TargetStage::Failed,
                        None => TargetStage::Unseen,
                    };
                    self.end(lease, &wanted, stage, Some(&error.to_string()))
                        .await?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn work_on_plan(
        &self,
        lease: &Lease,
        wanted: &PlanWork,
        shutdown: &CancellationToken,
    ) -> Result<(), PassError> {
        let Some(work) = self.work(lease).await? else {
            let stage = match (&wanted.applied_by, wanted.begun) {
                (None, _) => TargetStage::Unseen,
                (Some(_), false) => TargetStage::Refused,
                (Some(_), true) => TargetStage::Failed,
            };
            let reason = "the account is no longer in a phase in which it has a baseline";
            return self.end(lease, wanted, stage, Some(reason)).await;
        };
        match &wanted.applied_by {
            Some(by) => Box::pin(self.apply_plan(&work, wanted, by, shutdown)).await,
            None => Box::pin(self.look_for_plan(&work, wanted)).await,
        }
    }

    /// What there is to work on; `None` for an account that has no cells.
    async fn work<'a>(&'a self, lease: &'a Lease) -> Result<Option<Work<'a>>, PassError> {
        match lease.target {
            TargetId::Organization => {
                let mut young = false;
                for purpose in [Purpose::LogArchive, Purpose::Security] {
                    let account = self.store.account_by_purpose(purpose).await?;
                    young |= account.is_some_and(|account| self.is_young(&account));
                }
                let scps = self.policies().await?.in_force;
                Ok(Some(self.organization_work(lease, young, scps).await?))
            }
            TargetId::Account(id) => match self.store.account(id).await? {
                Some(account) if account.phase.has_cells() => {
                    Ok(Some(self.account_work(lease, &account).await?))
                }
                _ => Ok(None),
            },
        }
    }

    async fn look_for_plan(&self, work: &Work<'_>, wanted: &PlanWork) -> Result<(), PassError> {
        let now = self.clock.now();
        let (mut board, _) = Board::new(work, Vec::new(), now);
        self.cover(&mut board, work, now).await?;
        let waived = |slot: &Slot| slot.cell.waiver.is_some();
        let covered = || {
            board
                .slots
                .iter()
                .filter(|(key, _)| wanted.scope.covers(key))
        };
        let sessions = board.sessions();
        self.enter(work, &sessions).await?;
        let mut looks: FuturesUnordered<_> = covered()
            .filter(|(_, slot)| !waived(slot))
            .map(async |(key, slot)| (key, self.look_at(work, &sessions, slot, wanted.since).await))
            .collect();
        let mut cells_in_sync = 0;
        let mut cells = Vec::new();
        while let Some((key, looked)) = looks.next().await {
            let (revision, seen) = match looked {
                Ok(looked) if looked.look.changes.is_empty() => {
                    cells_in_sync += 1;
                    continue;
                }
                Ok(Looked { desired, look, .. }) => (
                    Some(desired.revision),
                    Seen::Differs {
                        observed: digest(&look.observed),
                        changes: look.changes,
                    },
                ),
                Err(error) => (None, Seen::Not(error.to_stored())),
            };
            cells.push(PlannedCell {
                key: key.clone(),
                revision,
                seen,
            });
        }
        let planned = TargetPlan {
            baseline: &work.baseline,
            cells_in_sync,
            cells_waived: covered().filter(|(_, slot)| waived(slot)).count(),
            cells: &cells,
        };
        held(
            self.store
                .put_plan(work.lease, wanted.plan, &planned)
                .await?,
        )
    }

    /// Looks at one cell; where only time is missing, a few times.
    pub(super) async fn look_at(
        &self,
        work: &Work<'_>,
        sessions: &Sessions,
        slot: &Slot,
        since: Timestamp,
    ) -> Result<Looked, CloudError> {
        let control = slot.control;
        let session = self.session(work, sessions, slot, since);
        let mut patience = Patience::default();
        loop {
            let looked = async {
                let desired = control.desired(&slot.parameters, session.place())?;
                let look = control.look(&session, &desired).await?;
                Ok((desired, look))
            };
            match looked.await {
                Ok((desired, look)) => {
                    return Ok(Looked {
                        control,
                        session,
                        desired,
                        look,
                    });
                }
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Records how it ended with a target.
    pub(super) async fn end(
        &self,
        lease: &Lease,
        wanted: &PlanWork,
        stage: TargetStage,
        reason: Option<&str>,
    ) -> Result<(), PassError> {
        held(
            self.store
                .end_plan_target(lease, wanted.plan, stage, reason)
                .await?,
        )
    }
}

/// The waits of one cell of a plan.
#[derive(Default)]
pub(super) struct Patience {
    tries: u32,
    waited: Duration,
}

impl Patience {
    /// Waits until another try is worth it; the error where more than time is missing, or it was waited long enough.
    pub(super) async fn wait(&mut self, error: CloudError) -> Result<(), CloudError> {
        let time_helps = error.kind.help() == Help::Nobody;
        match time_helps && self.pause(error.kind).await {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Waits as is fit for what is in the way; `false` when it was waited long enough.
    pub(super) async fn pause(&mut self, because: CloudErrorKind) -> bool {
        self.tries += 1;
        let delay = because.retry(self.tries).delay();
        self.waited += delay;
        if self.waited > PATIENCE {
            return false;
        }
        clock::pause(delay).await;
        true
    }
}

/// What AWS had, in sixteen digits.
pub(super) fn digest(observed: &JsonText) -> Revision {
    Revision::of(observed.as_str().as_bytes())
}
