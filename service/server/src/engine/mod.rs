//! The engine: one loop that vends, finds drift, repairs it and rolls baselines out.
//!
//! ```text
//! claim      a target that is due: an account, or the organization          (a short transaction)
//! assume     a role in it, narrowed to the actions of the controls about to run
//! for each cell (Region × control), all at once:
//!     observe → plan → record *unknown* → apply → observe again
//! record     what is known now, what differs, and when to look again        (only while the lease is held)
//! ```
//!
//! * **It gets a target and nothing else**: no event, no reason, no former plan. So a restart, a second replica, a lost
//!   event, a schedule and a person's wish are the same case, and there is no second path for any of them.
//! * **There is always a next look.** Every pass ends with the time of the next; sweeping for drift is that time coming round.
//! * **A lease is a value.** Only `Store::claim` makes one, every result is written under it, and a pass whose lease is lost is
//!   dropped where it stands. AWS knows nothing of our leases: a call that is on its way lands anyway. So each change is small,
//!   depends on the desired state alone, and at worst leaves a setting that the next look puts right.
//! * **Nothing waits inside a pass that could wait outside.** A cell that needs a few seconds is taken up again in the same
//!   pass, since another `AssumeRole` costs more; one that needs longer gives the lease back.
//! * **Retries live in two places**: `Aws::call` repeats what AWS throttled, and a cell's `due_at` brings back everything else.
//!
//! `account` and `organization` say what a pass does with their kind of target, `cells` is the part that they share
//! (on a `board`), `repair` asks whether a cell that differs is to be repaired or left, `journal` writes down what happens,
//! `cloud_events` makes cells due when AWS tells of a change.
//! `plans` takes the same steps one by one: it looks and applies nothing, or applies what was planned and nothing else.

mod account;
mod attempt;
mod board;
mod cells;
pub mod clock;
mod closing;
mod cloud_events;
mod creating;
mod enrolling;
mod journal;
mod organization;
mod plan_apply;
mod plans;
pub mod policies;
mod repair;
mod rollout;
mod touched;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_controls::cloud::Cloud;
use landfall_controls::error::CloudError;
use landfall_model::baseline::Baselines;
use landfall_model::closure::ClosurePace;
use landfall_model::cloud_error::{CloudErrorKind, Help, StoredError};
use landfall_model::creation::CreationPace;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::ScpSet;
use serde_json::json;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, info, info_span, warn};
use uuid::Uuid;

use self::clock::Clock;
use self::organization::Found;
use crate::store::{Lease, LeaseState, NewEvent, Store, StoreError};

/// The longest wait between two looks at the database, for wakes that got lost.
const POLL: Duration = Duration::from_secs(5);

/// How soon, and how many times in a row, a pass looks again for what the whole account waits for, such as its role: that
/// takes AWS half a minute, and a look is one call.
const PROBE: Duration = Duration::from_secs(1);
const PROBES: u32 = 60;

/// How often a replica shows that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// How often old rows are forgotten.
const FORGET_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What an operator may turn.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Targets worked on at once. The pass of an account carries up to a MiB while everything is looked at. The line in front
    /// of AWS is full with 20 of them, as calls go out in the order of passes: more of them only take memory.
    pub targets_at_once: usize,
    /// How long a cell that is in sync is left alone.
    pub look_every: SignedDuration,
    /// How long a claim holds without being renewed: how long a crashed replica's targets rest. It is renewed three
    /// times as often while its pass runs.
    pub lease: SignedDuration,
    pub pace: CreationPace,
    pub closure_pace: ClosurePace,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            targets_at_once: 24,
            look_every: SignedDuration::from_hours(1),
            lease: SignedDuration::from_secs(30),
            pace: CreationPace::AWS,
            closure_pace: ClosurePace::AWS,
        }
    }
}

/// Everything a pass works with. Cheap to clone; no globals besides.
#[derive(Clone)]
pub struct Engine {
    pub store: Store,
    pub cloud: Cloud,
    pub landing_zone: Arc<LandingZone>,
    pub baselines: Arc<Baselines>,
    pub scps: Arc<ScpSet>,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
    /// This replica.
    pub replica: Uuid,
    found: Arc<OnceCell<Found>>,
    /// What the policies of the last pass could not do.
    shortcomings: Arc<Mutex<BTreeSet<String>>>,
}

/// Why a pass could not be brought to its end.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error("the database did not take or give what was asked")]
    Store(#[from] StoreError),
    #[error("AWS did not do what was asked")]
    Cloud(#[from] CloudError),
    #[error("another replica has the target now")]
    LeaseLost,
}

/// What a target is claimed for.
#[derive(Clone, Copy)]
enum Claim {
    /// It is due.
    Due,
    /// A plan wants something of it.
    Plans,
}

/// How a pass ended.
struct Pass {
    /// When the target is worth looking at again.
    due_at: Timestamp,
    /// Whether everything that was wanted is there.
    completed: bool,
}

/// Turns a lost lease into the end of the pass.
fn held(state: LeaseState) -> Result<(), PassError> {
    match state {
        LeaseState::Held => Ok(()),
        LeaseState::Lost => Err(PassError::LeaseLost),
    }
}

impl Engine {
    #[expect(
        clippy::too_many_arguments,
        reason = "everything the engine works with, named once at start"
    )]
    pub fn new(
        store: Store,
        cloud: Cloud,
        landing_zone: Arc<LandingZone>,
        baselines: Arc<Baselines>,
        scps: Arc<ScpSet>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        replica: Uuid,
    ) -> Self {
        Engine {
            store,
            cloud,
            landing_zone,
            baselines,
            scps,
            clock,
            settings,
            replica,
            found: Arc::default(),
            shortcomings: Arc::default(),
        }
    }

    /// Works until `shutdown`, then lets the passes in flight come to an end of their own accord: they stop at the next
    /// change.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), StoreError> {
        self.store.ensure_organization(self.clock.now()).await?;
        self.begin_rollout().await?;
        let passes = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(self.settings.targets_at_once));
        // Places of their own, so that neither a plan of everything nor a thousand due targets keep the other waiting.
        let plan_permits = Arc::new(Semaphore::new(self.settings.targets_at_once.div_ceil(2)));
        let beat = tokio::spawn(self.clone().beat(shutdown.clone()));
        while !shutdown.is_cancelled() {
            // Before looking, so that a wake that comes while we look is not lost.
            let due = self.store.due_notify();
            let mut woken = std::pin::pin!(due.notified());
            woken.as_mut().enable();
            let mut failed = false;
            for (what, permits) in [(Claim::Plans, &plan_permits), (Claim::Due, &permits)] {
                if let Err(error) = self.claim(what, &passes, permits, &shutdown).await {
                    failed = true;
                    warn!(error = %chain(&error), "targets could not be claimed");
                }
            }
            if failed {
                // Whoever is due stays due. Asking at once would say the same, and fill the log.
                tokio::select! {
                    () = clock::pause(POLL) => {}
                    () = shutdown.cancelled() => {}
                }
                continue;
            }
            // With every place taken there is nothing to claim until a pass ends, which says so.
            let wait = match permits.available_permits() {
                0 => POLL,
                _ => self.until_next_due().await,
            };
            tokio::select! {
                () = &mut woken => {}
                () = clock::pause(wait) => {}
                () = shutdown.cancelled() => {}
            }
        }
        passes.close();
        passes.wait().await;
        beat.abort();
        self.store.goodbye(self.replica).await
    }

    async fn claim(
        &self,
        what: Claim,
        passes: &TaskTracker,
        permits: &Arc<Semaphore>,
        shutdown: &CancellationToken,
    ) -> Result<(), StoreError> {
        loop {
            let free = u32::try_from(permits.available_permits()).unwrap_or(u32::MAX);
            if free == 0 {
                return Ok(());
            }
            let (now, lease) = (self.clock.now(), self.settings.lease);
            let leases = match what {
                Claim::Due => self.store.claim(self.replica, now, free, lease).await?,
                Claim::Plans => {
                    self.store
                        .claim_for_plans(self.replica, now, free, lease)
                        .await?
                }
            };
            if leases.is_empty() {
                return Ok(());
            }
            for lease in leases {
                let Ok(permit) = permits.clone().try_acquire_owned() else {
                    continue;
                };
                let engine = self.clone();
                let shutdown = shutdown.clone();
                let due = self.store.due_notify();
                passes.spawn(async move {
                    match what {
                        Claim::Due => Box::pin(engine.pass(lease, shutdown)).await,
                        Claim::Plans => Box::pin(engine.plan_pass(lease, shutdown)).await,
                    }
                    drop(permit);
                    // A place is free: somebody may have been waiting for one.
                    due.notify_one();
                });
            }
        }
    }

    async fn until_next_due(&self) -> Duration {
        match self.store.next_due().await {
            Ok(Some(at)) => Duration::try_from(at.duration_since(self.clock.now()))
                .unwrap_or_default()
                .clamp(Duration::from_millis(5), POLL),
            Ok(None) => POLL,
            Err(error) => {
                warn!(error = %chain(&error), "the next due time could not be read");
                POLL
            }
        }
    }

    /// One pass over one target, from the claim to the release.
    async fn pass(&self, lease: Lease, shutdown: CancellationToken) {
        let target = lease.target;
        let span = info_span!("reconcile", target = %target, generation = lease.generation);
        async {
            let outcome = tokio::select! {
                outcome = Box::pin(self.reconcile(&lease, &shutdown)) => outcome,
                () = self.keep(&lease) => Err(PassError::LeaseLost),
            };
            self.finish(lease, outcome).await;
        }
        .instrument(span)
        .await;
    }

    async fn reconcile(
        &self,
        lease: &Lease,
        shutdown: &CancellationToken,
    ) -> Result<Pass, PassError> {
        match lease.target {
            TargetId::Organization => self.reconcile_organization(lease, shutdown).await,
            TargetId::Account(id) => self.reconcile_account(lease, id, shutdown).await,
        }
    }

    /// Renews the lease for as long as it can; returns when it is lost.
    async fn keep(&self, lease: &Lease) {
        let every = Duration::try_from(self.settings.lease / 3).unwrap_or_default();
        loop {
            clock::pause(every).await;
            let until = self.clock.now() + self.settings.lease;
            match self.store.renew(lease, until).await {
                Ok(LeaseState::Held) => {}
                Ok(LeaseState::Lost) => return,
                // The next renewal may get through before the lease ends; results are written only while it holds.
                Err(error) => warn!(error = %chain(&error), "the lease could not be renewed"),
            }
        }
    }

    async fn finish(&self, lease: Lease, outcome: Result<Pass, PassError>) {
        let now = self.clock.now();
        let (due_at, completed, error) = match outcome {
            Ok(pass) => (pass.due_at, pass.completed, None),
            Err(PassError::LeaseLost) => {
                warn!(target = %lease.target, "another replica has the target now; this pass is dropped");
                return;
            }
            Err(PassError::Cloud(error)) => {
                let mut delay = error.kind.retry(lease.attempts).delay();
                if error.kind == CloudErrorKind::NotReady && lease.attempts <= PROBES {
                    delay = delay.min(PROBE);
                }
                self.note_stop(&lease, &error, now).await;
                info!(kind = error.kind.name(), %error, delay_ms = delay.as_millis(), "the pass stopped; it goes on later");
                (
                    now + SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX),
                    false,
                    Some(error.to_stored()),
                )
            }
            Err(PassError::Store(error)) => {
                error!(error = %chain(&error), "the pass stopped at the database");
                let delay = CloudErrorKind::Unavailable.retry(lease.attempts).delay();
                let stored = StoredError {
                    kind: CloudErrorKind::Unavailable,
                    operation: "landfall:Store".to_owned(),
                    message: "the database did not answer".to_owned(),
                    request_id: None,
                };
                (
                    now + SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX),
                    false,
                    Some(stored),
                )
            }
        };
        match self
            .store
            .release(lease, due_at, completed, error.as_ref())
            .await
        {
            Ok(LeaseState::Held) => debug!(%due_at, "released"),
            Ok(LeaseState::Lost) => debug!("the lease was lost before its release"),
            // Nothing is lost: the lease ends by itself and the target is due then.
            Err(error) => warn!(error = %chain(&error), "the lease could not be released"),
        }
    }

    /// Puts into the history what stopped a pass, where somebody has to do something about it; once, however often the
    /// same stops it.
    async fn note_stop(&self, lease: &Lease, error: &CloudError, now: Timestamp) {
        if error.kind.help() == Help::Nobody {
            return;
        }
        let noted = async {
            let before = self.store.target(lease.target).await?;
            let before = before.and_then(|target| target.last_error);
            if before.is_some_and(|e| e.kind == error.kind && e.operation == error.action) {
                return Ok(());
            }
            let event = NewEvent {
                detail: json!({ "error": error.to_stored() }),
                ..NewEvent::new(
                    lease.target,
                    EventKind::Failed,
                    format!("Stopped: {error} {}", error.kind.advice()),
                )
            };
            // A lost lease shows at the release, next.
            self.store
                .record_events(lease, &[event], now)
                .await
                .map(drop)
        };
        if let Err(error) = noted.await {
            let error: StoreError = error;
            warn!(error = %chain(&error), "what stopped the pass is not in the history");
        }
    }

    /// Shows that this replica lives, learns how many others do, ends pauses whose time is over, and has what is old
    /// forgotten.
    async fn beat(self, shutdown: CancellationToken) {
        let mut forget_at = self.clock.now();
        while !shutdown.is_cancelled() {
            // First the pause: a replica that crashes again and again at its start would leave a row each time, and
            // all the rows together would be taken for replicas that share AWS's rates.
            clock::pause(BEAT).await;
            let now = self.clock.now();
            let alive = async {
                self.store.heartbeat(self.replica, now).await?;
                self.store.live_replicas(now).await
            };
            match alive.await {
                Ok(replicas) => self.cloud.limiter().set_replicas(replicas),
                Err(error) => {
                    warn!(error = %chain(&error), "the database takes no sign of life, or does not tell of other replicas");
                }
            }
            if let Err(error) = self.store.end_pauses(now).await {
                warn!(error = %chain(&error), "pauses whose time is over could not be ended");
            }
            self.cloud.forget_idle();
            if forget_at <= now {
                forget_at = now + FORGET_EVERY;
                if let Err(error) = self.store.forget_old(now).await {
                    warn!(error = %chain(&error), "old rows could not be forgotten");
                }
            }
        }
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
