//! Where a control is to hold: all that its desired state may depend on besides the baseline's parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{AccountId, Email, OuPath, Region};
use crate::landing_zone::LandingZone;
use crate::scp::InForce;

/// The organization as it was found: ids that the landing zone cannot know beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// `o-…`
    pub id: String,
    /// `r-…`
    pub root_id: String,
    pub management_account: AccountId,
    /// `None` until they are vended.
    pub log_archive_account: Option<AccountId>,
    pub security_account: Option<AccountId>,
}

impl Organization {
    /// Whether an account is the organization's own: work on any target may lead into it.
    pub fn owns(&self, account: &AccountId) -> bool {
        let own = [
            self.log_archive_account.as_ref(),
            self.security_account.as_ref(),
        ];
        self.management_account == *account || own.contains(&Some(account))
    }
}

/// One account, or the organization, in one Region.
#[derive(Clone, Debug)]
pub struct Place {
    pub landing_zone: Arc<LandingZone>,
    /// The policies as they are to stand now, in the organization's place. An account's controls keep none.
    pub scps: Arc<InForce>,
    pub organization: Arc<Organization>,
    /// The account that the target is; the management account where the target is the organization.
    pub account: AccountId,
    /// What the account is called; `None` for the organization.
    pub account_name: Option<String>,
    /// The tags that the account is to have in Organizations. Others are not Landfall's.
    pub account_tags: BTreeMap<String, String>,
    /// The account's root e-mail, by which invitations find it.
    pub email: Email,
    pub organizational_unit: Option<OuPath>,
    /// The home Region for cells that are not regional.
    pub region: Region,
}

impl Place {
    pub fn is_home_region(&self) -> bool {
        self.region == self.landing_zone.home_region
    }

    /// The log bucket's name, once there is a log archive account.
    pub fn log_bucket(&self) -> Option<String> {
        self.organization
            .log_archive_account
            .as_ref()
            .map(|account| self.landing_zone.log_bucket(account))
    }
}
