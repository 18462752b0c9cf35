//! Making an account, once: `CreateAccount` behind an intent, and looking for what may have come of one.

use landfall_controls::aws::Aws;
use landfall_controls::vending;
use landfall_model::creation::{Creation, Sighting};

use super::account::Taken;
use super::{Engine, Pass, PassError, held};
use crate::store::{Account, Begun, Lease};

impl Engine {
    /// What Organizations shows of an account that may exist.
    pub(super) async fn sight(&self, account: &Account) -> Result<Sighting, PassError> {
        let aws = self.management(&account.id.to_string()).await?;
        let by_status = match &account.creation.status_id {
            Some(status_id) => Some(vending::creation_status(&aws, status_id).await?),
            None => None,
        };
        let taken = |sighting: &Sighting| matches!(sighting, Sighting::Failed(failure) if failure.reason == "EMAIL_ALREADY_EXISTS");
        match by_status {
            // A taken e-mail has two meanings: it may be our own account, made by a call whose answer was lost.
            Some(sighting) if taken(&sighting) => Ok(match self.look(account, &aws).await? {
                Sighting::Nothing | Sighting::InProgress => sighting,
                found @ (Sighting::Exists(_) | Sighting::Failed(_) | Sighting::TakenBy(_)) => found,
            }),
            Some(sighting) => Ok(sighting),
            None => self.look(account, &aws).await,
        }
    }

    async fn look(&self, account: &Account, aws: &Aws) -> Result<Sighting, PassError> {
        let intended_at = account.creation.intended_at.unwrap_or(account.requested_at);
        Ok(vending::look_for_account(
            aws,
            &account.id.to_string(),
            &account.request.name,
            &account.email,
            intended_at,
        )
        .await?)
    }

    /// `CreateAccount`, exactly once: the intent stands in the database before AWS is called, and its id after.
    pub(super) async fn create(
        &self,
        lease: &Lease,
        account: &Account,
    ) -> Result<Taken, PassError> {
        let aws = self.management(&account.id.to_string()).await?;
        let now = self.clock.now();
        match self
            .store
            .begin_creation(lease, &self.settings.pace, now)
            .await?
        {
            Begun::Now => {}
            Begun::NotBefore(at) => {
                return Ok(Taken::Over(Pass {
                    due_at: at,
                    completed: false,
                }));
            }
            Begun::AlreadyIntended => return Ok(Taken::GoOn),
            Begun::Lost => return Err(PassError::LeaseLost),
        }
        let tags = account.request.account_tags(&account.id.to_string());
        let role = &self.landing_zone.roles.execution;
        let called =
            vending::create_account(&aws, &account.request.name, &account.email, role, &tags).await;
        match called {
            Ok(status_id) => {
                let creation = Creation {
                    intended_at: Some(now),
                    status_id: Some(status_id),
                };
                held(self.store.record_creation(lease, &creation).await?)?;
                self.note(lease, "AWS is making the account".to_owned())
                    .await?;
                Ok(Taken::GoOn)
            }
            Err(error) if vending::certainly_not_created(&error) => {
                held(
                    self.store
                        .record_creation(lease, &Creation::default())
                        .await?,
                )?;
                Err(error.into())
            }
            // AWS may have acted. The intent stays, and the next look finds out.
            Err(error) => Err(error.into()),
        }
    }
}
