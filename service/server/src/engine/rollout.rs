//! Rollouts: what a start begins, what the organization's pass moves on, and which baseline an account's pass works with.
//! Which service control policies stand where while one moves is told by `policies::in_force`.
//!
//! An account's pass knows nothing of waves. It works with the revision that the account is pinned to, as it was stored:
//! so a replica that was started with other files does not undo what another one does, and an account that a rollout has
//! not reached keeps what it has. A rollout moves in the organization's pass alone, under the organization's lease.

use jiff::{SignedDuration, Timestamp};
use landfall_controls::error::CloudError;
use landfall_controls::registry;
use landfall_model::baseline::{self, Baseline};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::event::EventKind;
use landfall_model::ids::{OuPath, TargetId};
use landfall_model::rollout::{self, Member, Pin, RolloutState, RolloutStep, ScpMember, Wanted};
use landfall_model::scp::ScpTarget;
use tracing::{info, warn};

use super::{Engine, PassError, held};
use crate::store::{Account, Course, Lease, NewEvent, RolloutAccount, StoreError};

/// How soon a rollout looks at its accounts again. A look costs two reads of the database.
const LOOK: SignedDuration = SignedDuration::from_secs(2);

impl Engine {
    /// Remembers what the files say, and begins a rollout where that is something else than before.
    pub(super) async fn begin_rollout(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let all: Vec<&Baseline> = self.baselines.iter().collect();
        self.store.keep_revisions(&all, now).await?;
        let of_organization = self.baselines.get(baseline::ORGANIZATION);
        let of_organization =
            of_organization.expect("the organization's baseline is checked at start");
        // There is one organization: no wave could go before it.
        self.store
            .pin_organization(&Pin::to(of_organization), now)
            .await?;
        self.store.keep_scps(&self.scps, now).await?;
        let wanted = Wanted::new(&self.landing_zone, &self.baselines, &self.scps);
        let automatic = self.landing_zone.rollout.automatic;
        if let Some(begun) = self.store.begin_rollout(&wanted, automatic, now).await? {
            let state = begun.state.name();
            info!(rollout = %begun.id, state, "rollout {} is {state}: {}", begun.id, begun.reason);
        }
        for count in self.store.pin_counts().await? {
            let Some(wrong) = self.cannot_run(&count.pin).await? else {
                continue;
            };
            let sentence = format!(
                "{} cannot be run any more ({wrong}): its {} accounts get what the files say now, at once",
                count.pin, count.targets
            );
            warn!("{sentence}");
            let event = NewEvent::new(TargetId::Organization, EventKind::Rollout, sentence);
            self.store.append_event(&event, now).await?;
            self.store.wake_pinned(&count.pin, now).await?;
        }
        Ok(())
    }

    /// Why the controls that there are now cannot run a stored revision; `None` when they can.
    async fn cannot_run(&self, pin: &Pin) -> Result<Option<String>, StoreError> {
        Ok(match self.store.baseline_revision(pin).await? {
            Some(stored) => stored.check(registry::check).err(),
            None => Some("nobody knows what it said".to_owned()),
        })
    }

    /// Takes the next step of the rollout that is under way. When it is worth looking again; `None` when only a person
    /// or a start can move it.
    pub(super) async fn advance_rollout(
        &self,
        lease: &Lease,
    ) -> Result<Option<Timestamp>, PassError> {
        let Some(course) = self.store.course().await? else {
            return Ok(None);
        };
        let rollout = &course.latest;
        if !matches!(
            rollout.state,
            RolloutState::Running | RolloutState::RollingBack
        ) {
            return Ok(None);
        }
        let accounts = self.store.rollout_accounts(rollout.id).await?;
        let settings = &self.landing_zone.rollout;
        let members: Vec<Member> = accounts
            .iter()
            .filter_map(|account| account.member(&rollout.wanted, settings))
            .collect();
        let now = self.clock.now();
        let again = now + LOOK;
        let scps = self.store.scp_course().await?;
        let bound = || accounts.iter().filter(|account| account.is_member());
        let units = bound().map(|account| &account.organizational_unit);
        let units: Vec<&OuPath> = units.collect();
        let targets = ScpMember::all(rollout.id, &scps, &self.landing_zone, &self.scps, &units);
        match rollout::next(rollout.id, rollout.state, &members, &targets, settings, now) {
            RolloutStep::Wait => {}
            RolloutStep::Attach { wave, targets } => {
                info!(rollout = %rollout.id, ?wave, ?targets, "the rollout goes on with service control policies");
                let there = |account: &&RolloutAccount| {
                    let unit = ScpTarget::Unit(account.organizational_unit.clone());
                    targets.contains(&unit)
                };
                let there: Vec<&RolloutAccount> = bound().filter(there).collect();
                let what = (wave, targets.as_slice());
                held(
                    self.store
                        .attach_wave(lease, rollout, what, &there, now)
                        .await?,
                )?;
            }
            RolloutStep::Pin {
                wave,
                accounts: chosen,
            } => {
                info!(rollout = %rollout.id, wave = wave.name(), accounts = chosen.len(), "the rollout goes on");
                let chosen: Vec<&RolloutAccount> = accounts
                    .iter()
                    .filter(|account| chosen.contains(&account.id))
                    .collect();
                held(
                    self.store
                        .pin_wave(lease, rollout, wave, &chosen, now)
                        .await?,
                )?;
            }
            RolloutStep::Stop { failed, pinned } => {
                let reason = format!(
                    "{failed} of {pinned} accounts that got it are blocked or stuck, and were in sync before; the error budget is {} of a hundred",
                    settings.error_budget_percent
                );
                warn!(rollout = %rollout.id, "the rollout stopped: {reason}");
                let state = RolloutState::Stopped;
                held(
                    self.store
                        .end_rollout(lease, rollout, state, &reason, now)
                        .await?,
                )?;
                return Ok(None);
            }
            RolloutStep::Finish => {
                let reason = format!("{} accounts have it", members.len());
                info!(rollout = %rollout.id, "the rollout is done: {reason}");
                let state = RolloutState::Done;
                held(
                    self.store
                        .end_rollout(lease, rollout, state, &reason, now)
                        .await?,
                )?;
                return Ok(None);
            }
            RolloutStep::PinBack => {
                self.pin_back(lease, &course, &accounts, now).await?;
                return Ok(None);
            }
        }
        Ok(Some(again))
    }

    async fn pin_back(
        &self,
        lease: &Lease,
        course: &Course,
        accounts: &[RolloutAccount],
        now: Timestamp,
    ) -> Result<(), PassError> {
        let mut too_old = Vec::new();
        for pin in course.settled.pins() {
            if let Some(wrong) = self.cannot_run(pin).await? {
                warn!(%pin, "cannot be rolled back to: {wrong}");
                too_old.push(pin);
            }
        }
        let (back, kept): (Vec<_>, Vec<_>) = accounts
            .iter()
            .filter_map(|account| Some((account, account.wanted(&course.settled)?)))
            .filter(|(account, to)| account.pin != **to)
            .partition(|(_, to)| !too_old.contains(to));
        let mut reason = format!(
            "{}; {} accounts get what they had before",
            course.latest.reason,
            back.len()
        );
        if !kept.is_empty() {
            reason += &format!(
                "; {} keep what they have, since this version of Landfall cannot run what they had",
                kept.len()
            );
        }
        info!(rollout = %course.latest.id, "the rollout is rolled back: {reason}");
        held(
            self.store
                .pin_back(lease, &course.latest, &back, &reason, now)
                .await?,
        )
    }

    /// The baseline that an account is to have. Pins it where it is pinned to none, or to one that is not its own any
    /// more.
    pub(super) async fn baseline_of(
        &self,
        lease: &Lease,
        account: &Account,
    ) -> Result<Baseline, PassError> {
        loop {
            let pinned = self.store.pinned(lease.target).await?;
            let wrong = pinned
                .as_ref()
                .and_then(|pinned| pinned.check(registry::check).err());
            let pin = pinned.as_ref().map(Pin::to);
            let unit = &account.request.organizational_unit;
            // Runs begin with it.
            let course = self
                .store
                .course()
                .await?
                .ok_or_else(|| unknown("no baseline"))?;
            let latest = (course.latest.state, &course.latest.wanted);
            let whose = (account.purpose, unit);
            let to = rollout::repin(
                whose,
                pin.as_ref(),
                wrong.is_none(),
                latest,
                &course.settled,
            );
            let (to, why) = match (to, pinned, wrong) {
                (None, Some(pinned), None) => return Ok(pinned),
                (None, _, wrong) => {
                    return Err(unknown(&format!(
                        "{} of account {}: {}",
                        pin.map_or_else(|| "no baseline".to_owned(), |pin| pin.to_string()),
                        account.id,
                        wrong.unwrap_or_default()
                    ))
                    .into());
                }
                (Some(to), None, _) => (to, format!("as accounts of {unit} have")),
                (Some(to), Some(_), None) => (to, format!("since the account belongs in {unit}")),
                (Some(to), Some(before), Some(wrong)) => {
                    let before = Pin::to(&before);
                    (
                        to,
                        format!("since {before} cannot be run any more: {wrong}"),
                    )
                }
            };
            info!(%to, "pinned {why}");
            held(self.store.pin(lease, &to, &why, self.clock.now()).await?)?;
        }
    }
}

/// Another replica, of a later version, brought a revision that this one does not understand: it will be there.
fn unknown(what: &str) -> CloudError {
    CloudError::new(
        CloudErrorKind::NotReady,
        "landfall:Baseline",
        format!("this version of Landfall cannot run it: {what}"),
    )
}
