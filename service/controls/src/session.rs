//! What a control is handed: its place, and the accounts that it may act in.

use std::sync::{Arc, Mutex, PoisonError};

use landfall_model::ids::AccountId;
use landfall_model::place::Place;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::cloud::{Cloud, Errand};
use crate::error::CloudError;
use crate::organizational_units::UnitIds;
use crate::roster::Rosters;
use crate::session_policy::Actions;

/// One cell's way to AWS. Roles are assumed when a control first asks for an account.
///
/// In the target's own account the session may do what all controls of this reconcile may do, so that one `AssumeRole`
/// serves all Regions and controls; in the organization's accounts only what this control lists.
#[derive(Debug)]
pub struct Session {
    cloud: Cloud,
    place: Arc<Place>,
    reason: String,
    young: bool,
    as_of: Mutex<Instant>,
    in_line_since: Instant,
    target_actions: Actions,
    own_actions: &'static [&'static str],
    // Most cells need one of them, and thousands wait in line.
    target: OnceCell<Box<Aws>>,
    management: OnceCell<Box<Aws>>,
    security: OnceCell<Box<Aws>>,
    log_archive: OnceCell<Box<Aws>>,
}

impl Session {
    /// `reason`: the request's or run's id. `young`: whether the accounts besides the management account may be new. `target_actions`: those of
    /// every control that is about to run on the target; `own_actions`: those of the control that gets this session.
    pub fn new(
        cloud: Cloud,
        place: Arc<Place>,
        reason: String,
        young: bool,
        target_actions: Actions,
        own_actions: &'static [&'static str],
    ) -> Self {
        Session {
            cloud,
            place,
            reason,
            young,
            as_of: Mutex::new(Instant::now()),
            in_line_since: Instant::now(),
            target_actions,
            own_actions,
            target: OnceCell::new(),
            management: OnceCell::new(),
            security: OnceCell::new(),
            log_archive: OnceCell::new(),
        }
    }

    /// Takes answers for good that are no older than `moment`, instead of those from the session's beginning on.
    #[must_use]
    pub fn as_of(self, moment: Instant) -> Self {
        Session {
            as_of: Mutex::new(moment),
            ..self
        }
    }

    /// Has the session's calls wait in line as long as if they had come at `moment`: where a pass makes many sessions, its
    /// own beginning.
    #[must_use]
    pub fn in_line_since(self, moment: Instant) -> Self {
        Session {
            in_line_since: moment,
            ..self
        }
    }

    /// No answer may be older than this.
    pub(crate) fn since(&self) -> Instant {
        *self.as_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was changed: what was so before is of no use any more.
    pub(crate) fn changed(&self) {
        *self.as_of.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is remembered of the OU tree.
    pub fn units(&self) -> &UnitIds {
        self.cloud.units()
    }

    /// What lists tell of many accounts at once.
    pub fn rosters(&self) -> &Rosters {
        self.cloud.rosters()
    }

    /// The target's own account, in the cell's Region.
    pub async fn target(&self) -> Result<&Aws, CloudError> {
        self.target
            .get_or_try_init(|| {
                self.open(&self.place.account, self.target_actions.clone(), self.young)
            })
            .await
            .map(Box::as_ref)
    }

    /// The organization's management account, in the cell's Region.
    pub async fn management(&self) -> Result<&Aws, CloudError> {
        let account = &self.place.organization.management_account;
        self.management
            .get_or_try_init(|| self.open(account, self.own_actions(), false))
            .await
            .map(Box::as_ref)
    }

    /// The security account, which administers GuardDuty and Security Hub, in the cell's Region.
    pub async fn security(&self) -> Result<&Aws, CloudError> {
        let account = self.place.organization.security_account.as_ref();
        let account = account.ok_or_else(|| {
            CloudError::not_ready("sts:AssumeRole", "there is no security account yet")
        })?;
        self.security
            .get_or_try_init(|| self.open(account, self.own_actions(), self.young))
            .await
            .map(Box::as_ref)
    }

    /// The log archive account, in the cell's Region.
    pub async fn log_archive(&self) -> Result<&Aws, CloudError> {
        let account = self.place.organization.log_archive_account.as_ref();
        let account = account.ok_or_else(|| {
            CloudError::not_ready("sts:AssumeRole", "there is no log archive account yet")
        })?;
        self.log_archive
            .get_or_try_init(|| self.open(account, self.own_actions(), self.young))
            .await
            .map(Box::as_ref)
    }

    /// Assumes the role in the target's account anew: whether whoever comes next gets in.
    pub(crate) async fn try_to_enter(&self) -> Result<(), CloudError> {
        let errand = self.errand(&self.place.account, self.target_actions.clone(), false);
        Box::pin(self.cloud.enter(&errand)).await.map(drop)
    }

    async fn open(
        &self,
        account: &AccountId,
        actions: Actions,
        young: bool,
    ) -> Result<Box<Aws>, CloudError> {
        let errand = self.errand(account, actions, young);
        let aws = Box::pin(self.cloud.assume(&errand)).await?;
        Ok(Box::new(Aws {
            in_line_since: self.in_line_since,
            ..aws
        }))
    }

    fn own_actions(&self) -> Actions {
        self.own_actions.iter().copied().collect()
    }

    fn errand(&self, account: &AccountId, actions: Actions, young: bool) -> Errand {
        Errand {
            account: account.clone(),
            region: self.place.region.clone(),
            actions,
            reason: self.reason.clone(),
            young,
            shared: self.place.organization.owns(account),
        }
    }
}
