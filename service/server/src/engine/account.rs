//! A pass over an account: the next step of its life, again and again, until only time or a person can help.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use landfall_controls::cloud::Errand;
use landfall_controls::vending;
use landfall_model::account::{self, Facts, Failure, Phase, Step};
use landfall_model::asset::{ACCOUNT_TYPE, Asset};
use landfall_model::aws_state::AwsState;
use landfall_model::creation::Creation;
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, OuPath, TargetId};
use landfall_model::place::{Organization, Place};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use super::board::awaited_of_organization;
use super::cells::Work;
use super::{Engine, Pass, PassError, held};
use crate::store::{Account, Lease, NewEvent, Purpose};

/// How long after its creation an account's refusals may only mean *not yet*. Peers' users saw the trouble over within
/// about seven minutes.
const YOUNG: SignedDuration = SignedDuration::from_mins(15);

/// When a target is looked at that only a person can move: a safety net, since decisions wake it.
const WHILE_A_PERSON_DECIDES: SignedDuration = SignedDuration::from_hours(24);

/// What taking a step led to.
pub(super) enum Taken {
    /// Ask `account::next` again, with fresh facts.
    GoOn,
    /// The pass is over.
    Over(Pass),
}

impl Engine {
    pub(super) async fn reconcile_account(
        &self,
        lease: &Lease,
        id: Uuid,
        shutdown: &CancellationToken,
    ) -> Result<Pass, PassError> {
        let mut all_settled = false;
        loop {
            let Some(account) = self.store.account(id).await? else {
                return Ok(Pass {
                    due_at: self.clock.now() + WHILE_A_PERSON_DECIDES,
                    completed: true,
                });
            };
            let facts = self.gather(lease, &account, all_settled).await?;
            let step = account::next(account.phase, &facts, self.clock.now());
            let taken = Box::pin(self.take(lease, &account, step, &mut all_settled, shutdown));
            match taken.await {
                Ok(Taken::Over(pass)) => return Ok(pass),
                Ok(Taken::GoOn) => {}
                Err(error) => self.unless_it_died(lease, &account, error).await?,
            }
            if shutdown.is_cancelled() {
                return Ok(Pass {
                    due_at: self.clock.now(),
                    completed: false,
                });
            }
        }
    }

    /// Finds out what the phase's decision depends on, and no more.
    async fn gather(
        &self,
        lease: &Lease,
        account: &Account,
        all_settled: bool,
    ) -> Result<Facts, PassError> {
        let own = &account.request.organizational_unit;
        let unit = self.landing_zone.unit(own);
        // Nobody but its owners moves the management account: wherever it stands is its place.
        let (wanted, quarantine, suspended) = match account.purpose {
            Purpose::Application if !account.enrolled => (
                Some(own),
                Some(&self.landing_zone.quarantine),
                Some(&self.landing_zone.suspended),
            ),
            // What runs already is not locked up, and the accounts of the landing zone itself are needed before any
            // baseline can be complete.
            Purpose::Application | Purpose::LogArchive | Purpose::Security => {
                (Some(own), Some(own), Some(&self.landing_zone.suspended))
            }
            Purpose::Management => (None, None, None),
        };
        let mut facts = Facts {
            needs_approval: account.purpose == Purpose::Application
                && unit.is_some_and(|unit| unit.approval),
            creation: account.creation.clone(),
            pace: self.settings.pace,
            wanted: wanted.cloned(),
            quarantine: quarantine.cloned(),
            all_settled,
            suspended: suspended.cloned(),
            closure_pace: self.settings.closure_pace,
            ..Facts::default()
        };
        facts.aws_state = self.aws_state(lease, account).await?;
        match account.phase {
            Phase::Creating if account.creation.intended_at.is_some() => {
                facts.sighting = Some(self.sight(account).await?)
            }
            Phase::Closing => {
                facts.closure_agreed = self.closure_is_agreed(account).await?;
                if facts.aws_state != AwsState::Left {
                    facts.parent = self.parent(account).await?;
                }
            }
            _ if !facts.aws_state.is_looked_after() => {}
            Phase::Placing => {
                facts.parent = self.parent(account).await?;
                facts.role_to_make = account.enrolled && self.role_is_to_make(account).await?;
            }
            Phase::Baselining if all_settled && wanted.is_some() => {
                facts.parent = self.parent(account).await?;
            }
            Phase::Requested
            | Phase::AwaitingApproval
            | Phase::Creating
            | Phase::Baselining
            | Phase::Governed
            | Phase::Closed
            | Phase::Rejected
            | Phase::Failed => {}
        }
        Ok(facts)
    }

    async fn parent(&self, account: &Account) -> Result<Option<OuPath>, PassError> {
        let Some(number) = &account.account_id else {
            return Ok(None);
        };
        let aws = self.management(&account.id.to_string()).await?;
        Ok(vending::parent_of(
            &aws,
            self.cloud.units(),
            &self.organization().await?.root_id,
            number,
        )
        .await?)
    }

    /// Where its owners have moved the management account to, for the record: nobody else moves it, and nothing but how it is
    /// shown depends on its place. So what keeps AWS from telling keeps nothing else back.
    async fn was_moved(&self, lease: &Lease, account: &Account) -> Result<bool, PassError> {
        let unit = match self.parent(account).await {
            Ok(unit) => unit.unwrap_or_else(OuPath::root),
            Err(PassError::Cloud(error)) => {
                info!(%error, "where the management account stands cannot be told");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if unit == account.request.organizational_unit {
            return Ok(false);
        }
        let place = match unit.is_root() {
            true => "the root",
            false => unit.as_str(),
        };
        let sentence = format!("its owners moved the account to {place}");
        let event = NewEvent::new(lease.target, EventKind::StepDone, sentence);
        let now = self.clock.now();
        held(self.store.record_place(lease, &unit, &event, now).await?)?;
        Ok(true)
    }

    /// The management account with what vending may do in it.
    pub(super) async fn management(
        &self,
        reason: &str,
    ) -> Result<landfall_controls::aws::Aws, PassError> {
        let errand = Errand {
            account: self.landing_zone.management_account.clone(),
            region: self.landing_zone.home_region.clone(),
            actions: vending::ACTIONS.iter().copied().collect(),
            reason: reason.to_owned(),
            young: false,
            shared: true,
        };
        Ok(self.cloud.assume(&errand).await?)
    }

    async fn take(
        &self,
        lease: &Lease,
        account: &Account,
        step: Step,
        all_settled: &mut bool,
        shutdown: &CancellationToken,
    ) -> Result<Taken, PassError> {
        let now = self.clock.now();
        let event = |kind, sentence: String| NewEvent::new(lease.target, kind, sentence);
        match step {
            Step::AwaitDecision => Ok(Taken::Over(Pass {
                due_at: now + WHILE_A_PERSON_DECIDES,
                completed: true,
            })),
            Step::LookAgain(at) => Ok(Taken::Over(Pass {
                due_at: at,
                completed: false,
            })),
            Step::Rest => Ok(Taken::Over(Pass {
                due_at: now + self.settings.look_every,
                completed: true,
            })),
            Step::Close => self.close(lease, account).await,
            Step::MakeExecutionRole => self.make_execution_role(lease, account).await,
            Step::Enter(Phase::Closed) => {
                info!("the account is closed");
                let sentence = sentence_of_phase(Phase::Closed, account);
                let entered = event(EventKind::PhaseEntered, sentence);
                held(self.store.close_account(lease, &entered, now).await?)?;
                self.wake_for_exemptions(account).await?;
                Ok(Taken::GoOn)
            }
            Step::Enter(phase) => {
                info!(
                    phase = phase.name(),
                    "the account enters phase {}",
                    phase.name()
                );
                let sentence = sentence_of_phase(phase, account);
                held(
                    self.store
                        .enter_phase(
                            lease,
                            phase,
                            None,
                            &event(EventKind::PhaseEntered, sentence),
                            now,
                        )
                        .await?,
                )?;
                if phase == Phase::Governed && account.governed_at.is_none() {
                    let took = now.duration_since(account.requested_at);
                    metrics::histogram!("landfall_time_to_governed_seconds")
                        .record(took.as_secs_f64());
                }
                if account.purpose != Purpose::Application {
                    // The organization's controls wait for this account.
                    self.store.wake(TargetId::Organization, now).await?;
                }
                Ok(Taken::GoOn)
            }
            Step::Create => self.create(lease, account).await,
            Step::Restart { not_before } => {
                held(
                    self.store
                        .record_creation(lease, &Creation::default())
                        .await?,
                )?;
                self.note(
                    lease,
                    "AWS did not make the account; the creation begins anew".to_owned(),
                )
                .await?;
                Ok(Taken::Over(Pass {
                    due_at: not_before,
                    completed: false,
                }))
            }
            Step::Adopt(number) => {
                info!(account = %number, "AWS made account {number}");
                held(self.store.adopt(lease, &number).await?)?;
                self.note(lease, format!("AWS made account {number}"))
                    .await?;
                let entered = event(
                    EventKind::PhaseEntered,
                    sentence_of_phase(Phase::Placing, account),
                );
                held(
                    self.store
                        .enter_phase(lease, Phase::Placing, None, &entered, now)
                        .await?,
                )?;
                if account.purpose != Purpose::Application {
                    self.store.wake(TargetId::Organization, now).await?;
                }
                Ok(Taken::GoOn)
            }
            Step::Move { from, to } => {
                let aws = self.management(&account.id.to_string()).await?;
                let root_id = &self.organization().await?.root_id;
                vending::move_account(
                    &aws,
                    self.cloud.units(),
                    root_id,
                    number_of(account),
                    from.as_ref(),
                    &to,
                )
                .await?;
                self.note(lease, format!("moved to {to}")).await?;
                self.wake_for_exemptions(account).await?;
                Ok(Taken::GoOn)
            }
            Step::Fail(failure) => {
                let Failure {
                    reason, message, ..
                } = &failure;
                info!(reason, "the request failed: {message}");
                let failed = event(EventKind::Failed, message.clone());
                held(
                    self.store
                        .enter_phase(lease, Phase::Failed, Some(&failure), &failed, now)
                        .await?,
                )?;
                Ok(Taken::GoOn)
            }
            Step::Reconcile => {
                if account.purpose == Purpose::Management && self.was_moved(lease, account).await? {
                    return Ok(Taken::GoOn);
                }
                let work = self.account_work(lease, account).await?;
                let pass = self.reconcile_cells(&work, shutdown).await?;
                *all_settled = pass.all_settled;
                match (account.phase, pass.all_settled) {
                    (Phase::Baselining, true) => Ok(Taken::GoOn),
                    (_, completed) => Ok(Taken::Over(Pass {
                        due_at: pass.due_at,
                        completed,
                    })),
                }
            }
        }
    }

    /// A step of vending for the history.
    pub(super) async fn note(&self, lease: &Lease, sentence: String) -> Result<(), PassError> {
        let event = NewEvent::new(lease.target, EventKind::StepDone, sentence);
        held(
            self.store
                .record_events(lease, &[event], self.clock.now())
                .await?,
        )
    }

    /// What a pass over the account's cells works on.
    pub(super) async fn account_work<'a>(
        &'a self,
        lease: &'a Lease,
        account: &Account,
    ) -> Result<Work<'a>, PassError> {
        let unit = &account.request.organizational_unit;
        let baseline = self.baseline_of(lease, account).await?;
        let awaited = awaited_of_organization(&baseline);
        let organization_settled = self
            .store
            .settled_cells(TargetId::Organization, &awaited)
            .await?;
        let organization = self.organization().await?;
        let number = number_of(account);
        let where_now = match (account.phase, account.purpose) {
            (_, Purpose::Management) if unit.is_root() => None,
            (Phase::Governed, _)
            | (_, Purpose::LogArchive | Purpose::Security | Purpose::Management) => Some(unit),
            _ if account.enrolled => Some(unit),
            _ => Some(&self.landing_zone.quarantine),
        };
        // The management account's tags are its owners': Landfall puts none there.
        let tags = match account.purpose {
            Purpose::Management => BTreeMap::new(),
            Purpose::Application | Purpose::LogArchive | Purpose::Security => {
                account.request.account_tags(&account.id.to_string())
            }
        };
        Ok(Work {
            lease,
            baseline: Cow::Owned(baseline),
            unit: Some(unit.clone()),
            vending: account.phase != Phase::Governed,
            place: Place {
                landing_zone: self.landing_zone.clone(),
                scps: Arc::default(),
                organization: organization.clone(),
                account: number.clone(),
                account_name: Some(account.request.name.clone()),
                account_tags: tags.clone(),
                email: account.email.clone(),
                organizational_unit: where_now.cloned(),
                region: self.landing_zone.home_region.clone(),
            },
            young: self.is_young(account),
            organization_settled,
            owner: account.request.owner_email.to_string(),
            tags,
            own_assets: vec![account_asset(account, number, &organization)],
        })
    }

    /// Whether an account is so new that AWS's refusals may only mean *not yet*.
    pub(super) fn is_young(&self, account: &Account) -> bool {
        if account.enrolled {
            return false;
        }
        let born = account.creation.intended_at.unwrap_or(account.requested_at);
        self.clock.now().duration_since(born) < YOUNG
    }
}

fn account_asset(account: &Account, number: &AccountId, organization: &Organization) -> Asset {
    Asset {
        arn: format!(
            "arn:aws:organizations::{}:account/{}/{number}",
            organization.management_account, organization.id
        ),
        kind: ACCOUNT_TYPE.to_owned(),
        account_id: number.clone(),
        region: None,
        name: account.request.name.clone(),
        configuration: json!({
            "email": account.email,
            "organizational_unit": account.request.organizational_unit,
            "cost_center": account.request.cost_center,
            "environment": account.request.environment,
            "request": account.id,
        }),
    }
}

pub(super) fn number_of(account: &Account) -> &AccountId {
    account
        .account_id
        .as_ref()
        .expect("the schema has no account past Creating without a number")
}

fn sentence_of_phase(phase: Phase, account: &Account) -> String {
    let unit = &account.request.organizational_unit;
    match phase {
        Phase::Requested => "asked for".to_owned(),
        Phase::AwaitingApproval => format!("an account in {unit} needs approval"),
        Phase::Creating => "the account is being created".to_owned(),
        Phase::Placing => "the account gets its place in the organization".to_owned(),
        Phase::Baselining => "the baseline is being put on".to_owned(),
        Phase::Governed => format!("the account is governed, in {unit}"),
        Phase::Closing => "the account is being closed".to_owned(),
        Phase::Closed => "the account is closed".to_owned(),
        Phase::Rejected => "the request was rejected".to_owned(),
        Phase::Failed => "the request failed".to_owned(),
    }
}
