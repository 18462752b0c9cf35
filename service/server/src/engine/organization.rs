//! A pass over the organization: it finds itself, sees to its own accounts, and keeps what exists only once.
//!
//! The log archive and the security account are vended by the same path as everybody's: this pass only asks for them. The
//! management account is there already: this pass takes it in, and it is baselined by the same path, too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use landfall_controls::{members, vending};
use landfall_model::baseline;
use landfall_model::ids::{AccountId, Email, OuPath, TargetId};
use landfall_model::landing_zone::FoundationAccount;
use landfall_model::place::{Organization, Place};
use landfall_model::request::AccountRequest;
use landfall_model::scp::InForce;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::cells::Work;
use super::{Engine, Pass, PassError};
use crate::store::{Account, AccountFilter, Added, Lease, NewRequest, Purpose};

/// What never changes about the organization once it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    id: String,
    root_id: String,
    management_account: AccountId,
    management_email: Email,
}

impl Engine {
    pub(super) async fn reconcile_organization(
        &self,
        lease: &Lease,
        shutdown: &CancellationToken,
    ) -> Result<Pass, PassError> {
        // First, so that nothing that AWS says keeps a rollout from stopping.
        let rollout_due = self.advance_rollout(lease).await?;
        self.look_at_members(lease).await?;
        let log_archive = self.foundation_account(Purpose::LogArchive).await?;
        let security = self.foundation_account(Purpose::Security).await?;
        self.take_in_management_account().await?;
        let young = [&log_archive, &security]
            .into_iter()
            .flatten()
            .any(|account| self.is_young(account));
        let policies = self.policies().await?;
        self.end_exemptions(lease, &policies).await?;
        let work = self
            .organization_work(lease, young, policies.in_force.clone())
            .await?;
        let pass = self.reconcile_cells(&work, shutdown).await?;
        self.tell_policies(lease, &policies, &work).await?;
        let next_due = [rollout_due, policies.first_end()].into_iter().flatten();
        let complete = log_archive.is_some() && security.is_some();
        Ok(Pass {
            due_at: next_due.fold(pass.due_at, Timestamp::min),
            completed: complete && pass.all_settled,
        })
    }

    /// What a pass over the organization's cells works on, with the policies as they are to stand now.
    pub(super) async fn organization_work<'a>(
        &'a self,
        lease: &'a Lease,
        young: bool,
        scps: Arc<InForce>,
    ) -> Result<Work<'a>, PassError> {
        let found = self.found().await?;
        Ok(Work {
            lease,
            baseline: Cow::Borrowed(
                self.baselines
                    .get(baseline::ORGANIZATION)
                    .expect("the organization's baseline is checked at start"),
            ),
            unit: None,
            vending: false,
            place: Place {
                landing_zone: self.landing_zone.clone(),
                scps,
                organization: self.organization().await?,
                account: found.management_account.clone(),
                account_name: None,
                account_tags: BTreeMap::new(),
                email: found.management_email.clone(),
                organizational_unit: None,
                region: self.landing_zone.home_region.clone(),
            },
            young,
            organization_settled: BTreeSet::new(),
            owner: self.landing_zone.accounts.security.email.to_string(),
            tags: BTreeMap::new(),
            own_assets: Vec::new(),
        })
    }

    /// The organization as controls see it.
    pub(super) async fn organization(&self) -> Result<Arc<Organization>, PassError> {
        let found = self.found().await?;
        let number = async |purpose| -> Result<Option<AccountId>, PassError> {
            Ok(self
                .store
                .account_by_purpose(purpose)
                .await?
                .and_then(|account| account.account_id))
        };
        Ok(Arc::new(Organization {
            id: found.id.clone(),
            root_id: found.root_id.clone(),
            management_account: found.management_account.clone(),
            log_archive_account: number(Purpose::LogArchive).await?,
            security_account: number(Purpose::Security).await?,
        }))
    }

    async fn found(&self) -> Result<&Found, PassError> {
        self.found
            .get_or_try_init(async || {
                let aws = self.management("organization").await?;
                let organization = vending::describe_organization(&aws).await?;
                info!(
                    organization = organization.id,
                    "found organization {}", organization.id
                );
                Ok(Found {
                    id: organization.id,
                    root_id: organization.root_id,
                    management_account: organization.management_account,
                    management_email: organization.management_email,
                })
            })
            .await
    }

    /// The landing zone's own account, asked for when nobody has: an account that is there already is taken over by its
    /// e-mail.
    async fn foundation_account(&self, purpose: Purpose) -> Result<Option<Account>, PassError> {
        if let Some(account) = self.store.account_by_purpose(purpose).await? {
            return Ok(Some(account));
        }
        let wanted = match purpose {
            Purpose::LogArchive => &self.landing_zone.accounts.log_archive,
            Purpose::Security => &self.landing_zone.accounts.security,
            Purpose::Application | Purpose::Management => return Ok(None),
        };
        let aws = self.management("organization").await?;
        let existing = vending::find_account_by_email(&aws, &wanted.email).await?;
        info!(
            purpose = purpose.name(),
            "asking for the landing zone's own account {}", wanted.name
        );
        self.store
            .add_request(
                &NewRequest {
                    id: Uuid::now_v7(),
                    request: &foundation_request(wanted),
                    email: wanted.email.clone(),
                    purpose,
                    requested_by: crate::store::LANDFALL,
                    existing,
                    idempotency: None,
                },
                self.clock.now(),
            )
            .await?;
        Ok(self.store.account_by_purpose(purpose).await?)
    }

    /// The management account is an account of the organization as well, and looked after like the others from when it is
    /// settled what it is to have. It is neither made nor moved: its place is where it stands.
    async fn take_in_management_account(&self) -> Result<(), PassError> {
        let known = self.store.account_by_purpose(Purpose::Management).await?;
        if known.is_some() {
            return Ok(());
        }
        let course = self.store.course().await?;
        let root = OuPath::root();
        let settled = course
            .as_ref()
            .and_then(|course| course.settled.of(Purpose::Management, &root));
        if settled.is_none() {
            return Ok(());
        }
        let found = self.found().await?;
        let number = &found.management_account;
        let aws = self.management("organization").await?;
        let name = members::describe(&aws, number)
            .await?
            .map(|member| member.name);
        let unit = vending::parent_of(&aws, self.cloud.units(), &found.root_id, number).await?;
        let request = AccountRequest {
            name: name.unwrap_or_else(|| "Management".to_owned()),
            justification: "The organization belongs to it.".to_owned(),
            ..platform_request(&found.management_email, unit.unwrap_or(root))
        };
        info!(account = %number, "the management account is looked after from now on");
        let added = self
            .store
            .add_request(
                &NewRequest {
                    id: Uuid::now_v7(),
                    request: &request,
                    email: found.management_email.clone(),
                    purpose: Purpose::Management,
                    requested_by: crate::store::LANDFALL,
                    existing: Some(number.clone()),
                    idempotency: None,
                },
                self.clock.now(),
            )
            .await?;
        if let Added::EmailTaken { by } = added {
            // AWS will refuse that request, which gives the e-mail back.
            warn!(request = %by, "a request wants the management account's own root e-mail");
        }
        Ok(())
    }

    /// Something of the organization got in sync: accounts may have waited for it.
    pub(super) async fn wake_accounts(&self) -> Result<(), PassError> {
        let now = self.clock.now();
        let mut filter = AccountFilter::default();
        for phase in [
            landfall_model::account::Phase::Placing,
            landfall_model::account::Phase::Baselining,
        ] {
            filter.phase = Some(phase);
            let mut cursor = None;
            loop {
                let page = self.store.accounts(&filter, cursor.as_deref(), 500).await?;
                for account in &page.items {
                    self.store.wake(TargetId::Account(account.id), now).await?;
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn foundation_request(wanted: &FoundationAccount) -> AccountRequest {
    AccountRequest {
        name: wanted.name.clone(),
        justification: "The landing zone needs it.".to_owned(),
        ..platform_request(&wanted.email, wanted.organizational_unit.clone())
    }
}

/// What the accounts of the platform itself have in common.
fn platform_request(email: &Email, unit: OuPath) -> AccountRequest {
    AccountRequest {
        name: String::new(),
        owner_email: email.clone(),
        organizational_unit: unit,
        cost_center: "platform".to_owned(),
        environment: "platform".to_owned(),
        justification: String::new(),
        email: Some(email.clone()),
        tags: BTreeMap::new(),
    }
}
