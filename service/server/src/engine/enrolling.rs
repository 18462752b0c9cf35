//! The way into an account that was there before Landfall.

use jiff::SignedDuration;
use landfall_controls::enrollment::{self, BOOTSTRAP_ROLE, Entry};
use tracing::info;

use super::account::{Taken, number_of};
use super::{Engine, Pass, PassError};
use crate::store::{Account, Lease};

/// How long IAM takes to let a new role be assumed everywhere.
const UNTIL_A_ROLE_REACHES: SignedDuration = SignedDuration::from_secs(10);

impl Engine {
    /// Whether the execution role is missing and can be made. Where nothing opens the account, AWS's answer stops the pass.
    pub(super) async fn role_is_to_make(&self, account: &Account) -> Result<bool, PassError> {
        let zone = &self.landing_zone;
        let entry = enrollment::entry(&self.cloud, number_of(account), &zone.home_region).await?;
        match entry {
            Entry::Execution => Ok(false),
            Entry::Bootstrap => Ok(true),
            Entry::Shut(error) => Err(error.into()),
        }
    }

    pub(super) async fn make_execution_role(
        &self,
        lease: &Lease,
        account: &Account,
    ) -> Result<Taken, PassError> {
        let zone = &self.landing_zone;
        let role = &zone.roles.execution;
        enrollment::make_execution_role(
            &self.cloud,
            &zone.management_account,
            number_of(account),
            &zone.home_region,
            role,
        )
        .await?;
        info!("made the role {role} through {BOOTSTRAP_ROLE}");
        self.note(
            lease,
            format!("made the role {role} through {BOOTSTRAP_ROLE}"),
        )
        .await?;
        Ok(Taken::Over(Pass {
            due_at: self.clock.now() + UNTIL_A_ROLE_REACHES,
            completed: false,
        }))
    }
}
