//! What Organizations says of an account, and the account's end.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use landfall_controls::members::{self, Closure, OVER_LIMIT};
use landfall_model::account::Phase;
use landfall_model::aws_state::AwsState;
use landfall_model::event::EventKind;
use landfall_model::ids::AccountId;
use tracing::info;

use super::account::{Taken, number_of};
use super::{Engine, Pass, PassError, held};
use crate::store::{Account, AccountFilter, ClosureBegun, Lease, NewEvent, WishAction};

/// Waits that are shorter than this are not worth a line of history.
const WORTH_TELLING: SignedDuration = SignedDuration::from_mins(1);

impl Engine {
    /// What Organizations says of an account. The organization's pass reads that for all members at once; only where an
    /// account is on its way out, or back, is it asked for by itself.
    pub(super) async fn aws_state(
        &self,
        lease: &Lease,
        account: &Account,
    ) -> Result<AwsState, PassError> {
        let leaving = matches!(account.phase, Phase::Closing | Phase::Closed);
        if leaving || !account.aws_state.is_looked_after() {
            self.ask_aws_state(lease, account).await
        } else {
            Ok(account.aws_state)
        }
    }

    /// An account that cannot be entered may have been closed a moment ago: then that, and not the refusal, is what there
    /// is to say.
    pub(super) async fn unless_it_died(
        &self,
        lease: &Lease,
        account: &Account,
        error: PassError,
    ) -> Result<(), PassError> {
        let shut = matches!(&error, PassError::Cloud(error) if error.action == "sts:AssumeRole");
        let alive = matches!(account.phase, Phase::Baselining | Phase::Governed)
            && account.aws_state.is_looked_after();
        if shut && alive && !self.ask_aws_state(lease, account).await?.is_looked_after() {
            return Ok(());
        }
        Err(error)
    }

    async fn ask_aws_state(&self, lease: &Lease, account: &Account) -> Result<AwsState, PassError> {
        let aws = self.management(&account.id.to_string()).await?;
        let member = members::describe(&aws, number_of(account)).await?;
        let state = match member {
            Some(member) => member.state,
            // Lists lag behind, so an account of a few minutes may not be described yet.
            None if self.is_young(account) => AwsState::Active,
            None => AwsState::Left,
        };
        if state != account.aws_state {
            info!(state = state.name(), "{}", state.sentence());
            self.record_aws_state(lease, account, state).await?;
        }
        Ok(state)
    }

    async fn record_aws_state(
        &self,
        lease: &Lease,
        account: &Account,
        state: AwsState,
    ) -> Result<(), PassError> {
        let event = told(account, state);
        held(
            self.store
                .record_aws_state(lease, state, &event, self.clock.now())
                .await?,
        )
    }

    /// Reads the state of all members, and has those accounts looked at of which Organizations says something new.
    pub(super) async fn look_at_members(&self, lease: &Lease) -> Result<(), PassError> {
        let aws = self.management("organization").await?;
        let members: BTreeMap<AccountId, AwsState> = members::list(&aws)
            .await?
            .into_iter()
            .map(|member| (member.account, member.state))
            .collect();
        let filter = AccountFilter {
            has_account_id: Some(true),
            ..AccountFilter::default()
        };
        let now = self.clock.now();
        let mut cursor = None;
        loop {
            let page = self.store.accounts(&filter, cursor.as_deref(), 500).await?;
            for account in &page.items {
                let settled = matches!(account.phase, Phase::Baselining | Phase::Governed)
                    && account.aws_state.is_looked_after();
                let state = members
                    .get(number_of(account))
                    .copied()
                    .unwrap_or(AwsState::Left);
                // Lists lag behind: an account of a few minutes may not be listed yet.
                if !settled || state.is_looked_after() || self.is_young(account) {
                    continue;
                }
                info!(account = %number_of(account), state = state.name(), "{}", state.sentence());
                let event = told(account, state);
                held(
                    self.store
                        .record_aws_state_of(lease, account.id, state, &event, now)
                        .await?,
                )?;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Whether somebody asked for the account's closure and another agreed.
    pub(super) async fn closure_is_agreed(&self, account: &Account) -> Result<bool, PassError> {
        let wish = self.store.wish(account.id).await?;
        Ok(wish.is_some_and(|wish| wish.action == WishAction::Close && wish.agreed.is_some()))
    }

    /// `CloseAccount`, no faster than AWS lets us. The call is written down before it is made.
    pub(super) async fn close(&self, lease: &Lease, account: &Account) -> Result<Taken, PassError> {
        let aws = self.management(&account.id.to_string()).await?;
        let pace = &self.settings.closure_pace;
        let now = self.clock.now();
        match self.store.begin_closure(lease, pace, now).await? {
            ClosureBegun::Now => {}
            ClosureBegun::NotBefore(at) => {
                if at > now + WORTH_TELLING {
                    let what =
                        format!("AWS closes no more accounts of the organization before {at:.0}");
                    self.wait_for(lease, what).await?;
                }
                return Ok(Taken::Over(Pass {
                    due_at: at,
                    completed: false,
                }));
            }
            ClosureBegun::Lost => return Err(PassError::LeaseLost),
        }
        match members::close(&aws, number_of(account)).await? {
            Closure::Begun => {
                self.note(lease, "AWS was asked to close the account".to_owned())
                    .await?;
                self.record_aws_state(lease, account, AwsState::PendingClosure)
                    .await?;
                Ok(Taken::Over(Pass {
                    due_at: now + pace.poll,
                    completed: false,
                }))
            }
            Closure::Done => Ok(Taken::GoOn),
            Closure::Wait(word) => {
                info!(word, "AWS closes no more accounts for now");
                let (what, wait) = if word == OVER_LIMIT {
                    ("as many closures are under way as AWS allows", pace.refill)
                } else {
                    (
                        "AWS has closed as many accounts in 30 days as it allows",
                        self.settings.look_every,
                    )
                };
                self.wait_for(lease, format!("{what} ({word}); Landfall tries again"))
                    .await?;
                Ok(Taken::Over(Pass {
                    due_at: now + wait,
                    completed: false,
                }))
            }
        }
    }

    async fn wait_for(&self, lease: &Lease, what: String) -> Result<(), PassError> {
        let event = NewEvent::new(
            lease.target,
            EventKind::StepDone,
            format!("The closure waits: {what}"),
        );
        held(
            self.store
                .record_waiting(lease, &what, &event, self.clock.now())
                .await?,
        )
    }
}

/// The line of history for a new state.
fn told(account: &Account, state: AwsState) -> NewEvent {
    let by_somebody_else = matches!(state, AwsState::PendingClosure | AwsState::Closed)
        && account.phase != Phase::Closing;
    let sentence = if by_somebody_else {
        format!("{} It was not Landfall that closed it.", state.sentence())
    } else {
        state.sentence().to_owned()
    };
    NewEvent::new(account.target(), EventKind::AwsStateChanged, sentence)
}
