//! Who is whose member, and what becomes of it from either side.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::invitations::Invitation;
use super::organization::Organization;
use super::{Auto, Member, Standing};
use crate::call::{AccountId, Call, Region};

/// How the accounts that use one service stand to each other.
#[derive(Default)]
pub(crate) struct State {
    pub(super) organizations: BTreeMap<Region, Organization>,
    accounts: BTreeMap<(AccountId, Region), Account>,
    /// Where and when the organization's first delegated administrator was named. Until AWS has spread that, the
    /// same call in another Region fails.
    pub(super) first_designation: Option<(Region, Timestamp)>,
}

/// How one account stands to others in one Region.
#[derive(Default)]
pub(crate) struct Account {
    /// The administrator whose member this account is.
    pub(crate) administrator: Option<AccountId>,
    /// Invitations to this account, by the account that sent them.
    pub(super) invitations: BTreeMap<AccountId, Invitation>,
    /// The accounts that this one has named as its members, whatever has become of them.
    pub(crate) members: BTreeMap<AccountId, Member>,
}

impl State {
    pub(crate) fn account(&mut self, region: Region, account: AccountId) -> &mut Account {
        self.accounts.entry((account, region)).or_default()
    }

    /// The administrator whose member the account is.
    pub(crate) fn administrator(&self, region: Region, account: AccountId) -> Option<AccountId> {
        self.accounts.get(&(account, region))?.administrator
    }

    /// The administrator whose member the caller is.
    pub(crate) fn administrator_of_caller(&self, call: &Call<'_>) -> Option<AccountId> {
        self.administrator(call.region, call.account())
    }

    /// The organization's delegated administrator.
    pub(crate) fn organization_admin(&self, region: Region) -> Option<AccountId> {
        let organization = self.organizations.get(region)?;
        Some(organization.administrator)
    }

    /// Which accounts of the organization become members by themselves.
    pub(crate) fn auto(&self, region: Region) -> Auto {
        self.organizations
            .get(region)
            .map_or(Auto::None, |organization| organization.auto)
    }

    pub(crate) fn member(
        &self,
        region: Region,
        administrator: AccountId,
        account: AccountId,
    ) -> Option<&Member> {
        let there = self.accounts.get(&(administrator, region))?;
        there.members.get(&account)
    }

    /// Parts an account from its administrator, as the administrator would; `false` where it has none.
    pub(crate) fn disassociate(
        &mut self,
        region: Region,
        account: AccountId,
        now: Timestamp,
    ) -> bool {
        let administrator = self.administrator(region, account);
        if let Some(administrator) = administrator {
            self.part(region, administrator, account, Standing::Removed, now);
        }
        administrator.is_some()
    }

    /// Ends an association from either side: `standing` is what the administrator's list shows from now on.
    pub(super) fn part(
        &mut self,
        region: Region,
        administrator: AccountId,
        account: AccountId,
        standing: Standing,
        now: Timestamp,
    ) {
        let there = self.account(region, administrator);
        if let Some(member) = there.members.get_mut(&account) {
            member.standing = standing;
            member.updated_at = now;
        }
        let there = self.account(region, account);
        if there.administrator == Some(administrator) {
            there.administrator = None;
        }
        if let Some(invitation) = there.invitations.get_mut(&administrator) {
            invitation.standing = standing;
        }
    }

    /// Forgets how the account stands to others, but not how others stand to it.
    pub(crate) fn forget(&mut self, region: Region, account: AccountId) {
        self.accounts.remove(&(account, region));
    }
}

impl Account {
    /// Whether the account has invited or enabled members, so that it has to be their administrator.
    pub(crate) fn is_held(&self) -> bool {
        self.members.values().any(Member::holds_administrator)
    }

    pub(crate) fn enabled_members(&self) -> impl Iterator<Item = AccountId> {
        let enabled = |(_, member): &(&AccountId, &Member)| member.standing == Standing::Enabled;
        self.members
            .iter()
            .filter(enabled)
            .map(|(account, _)| *account)
    }
}
