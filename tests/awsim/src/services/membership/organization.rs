//! The delegated administrator of an organization, and the accounts that become its members by themselves.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::members::join;
use super::{Joining, Refusal, Service, Standing, Way};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// How long AWS needs to spread the first designation; the same call elsewhere fails until then.
const FIRST_DESIGNATION: SignedDuration = SignedDuration::from_secs(1);
/// How long after joining the organization an account becomes a member by itself.
const NEW_ACCOUNT: SignedDuration = SignedDuration::from_mins(5);
/// How long [`Auto::All`] may take for the accounts that are already there.
const EXISTING_ACCOUNTS: SignedDuration = SignedDuration::from_hours(24);

/// An organization's settings in one Region, as far as they are about who becomes a member.
#[derive(Clone, Copy)]
pub(crate) struct Organization {
    pub(super) administrator: AccountId,
    pub(crate) auto: Auto,
    /// Since when `auto` holds: who joined before is not new.
    auto_since: Timestamp,
}

/// Which accounts of the organization become members by themselves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Auto {
    New,
    All,
    None,
}

impl Organization {
    pub(crate) fn set_auto(&mut self, auto: Auto, now: Timestamp) {
        if self.auto != auto {
            self.auto = auto;
            self.auto_since = now;
        }
    }
}

pub(crate) fn enable_admin<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    managing::<S>(call)?;
    let account = nominee::<S>(world, call).map_err(|why| S::refusal(call, why))?;
    world
        .organizations
        .enable_trusted_access(S::PRINCIPAL, call.now);
    world
        .organizations
        .register_delegated_administrator(account, S::PRINCIPAL, call.now);
    S::switch_on_administrator(world, call.region, account, call.now);
    let state = S::membership(world);
    let first = (call.region, call.now);
    state.first_designation.get_or_insert(first);
    let organization = Organization {
        administrator: account,
        auto: Auto::None,
        auto_since: call.now,
    };
    state.organizations.insert(call.region, organization);
    take_over_invited::<S>(world, call.region, account);
    Ok(json!({}))
}

/// The account that `EnableOrganizationAdminAccount` names, if it can be the organization's administrator.
fn nominee<S: Service>(world: &mut World, call: &Call<'_>) -> Result<AccountId, Refusal> {
    let spreading = world.wait(FIRST_DESIGNATION);
    let account = call.required("AdminAccountId").parse().ok();
    let account = account
        .filter(|account| world.organizations.is_active(*account))
        .ok_or(Refusal::NotInOrganization)?;
    let state = S::membership(world);
    if let Some((first, at)) = state.first_designation
        && first != call.region
        && call.now < at + spreading
    {
        return Err(Refusal::DesignationInProgress);
    }
    for (region, organization) in &state.organizations {
        if organization.administrator != account {
            return Err(Refusal::OtherAdministrator(organization.administrator));
        }
        if *region == call.region {
            return Err(Refusal::AlreadyAdministrator);
        }
    }
    S::may_administer(state.account(call.region, account))?;
    Ok(account)
}

/// Members that the administrator had won by invitation count as the organization's from now on.
fn take_over_invited<S: Service>(world: &mut World, region: Region, administrator: AccountId) {
    let organization = world.organizations.accounts();
    let members = &mut S::membership(world).account(region, administrator).members;
    for account in organization {
        if let Some(member) = members.get_mut(&account)
            && member.standing == Standing::Enabled
        {
            member.way = Way::Organization;
        }
    }
}

/// Takes the role away. The organization's members are on their own again; the service stays on in them.
pub(super) fn disable_admin<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    managing::<S>(call)?;
    let state = S::membership(world);
    let account: Option<AccountId> = call.required("AdminAccountId").parse().ok();
    let account = account
        .filter(|account| state.organization_admin(call.region) == Some(*account))
        .ok_or_else(|| S::refusal(call, Refusal::NotAdministrator))?;
    state.organizations.remove(call.region);
    let members = &mut state.account(call.region, account).members;
    let parted = members.extract_if(.., |_, member| member.way == Way::Organization);
    let parted: Vec<AccountId> = parted.map(|(account, _)| account).collect();
    for member in parted {
        let there = state.account(call.region, member);
        if there.administrator == Some(account) {
            there.administrator = None;
        }
    }
    if state.organizations.is_empty() {
        state.first_designation = None;
    }
    Ok(json!({}))
}

/// Makes the account a member if auto-enablement has had the time to do so.
pub(crate) fn settle<S: Service>(
    world: &mut World,
    region: Region,
    account: AccountId,
    now: Timestamp,
) {
    if let Some(administrator) = awaited_by::<S>(world, region, account, now) {
        let joining = Joining::ByItself;
        join::<S>(world, region, administrator, account, joining, now);
    }
}

/// The same for every account of the organization, before its administrator looks at all of them.
pub(super) fn settle_all<S: Service>(world: &mut World, region: Region, now: Timestamp) {
    if S::membership(world).auto(region) != Auto::None {
        for account in world.organizations.accounts() {
            settle::<S>(world, region, account, now);
        }
    }
}

/// The administrator that should have made this account its member by now.
fn awaited_by<S: Service>(
    world: &mut World,
    region: Region,
    account: AccountId,
    now: Timestamp,
) -> Option<AccountId> {
    let state = S::membership(world);
    let organization = *state.organizations.get(region)?;
    let administrator = organization.administrator;
    let free = account != administrator
        && state.administrator(region, account).is_none()
        && state.member(region, administrator, account).is_none();
    if organization.auto == Auto::None || !free || !world.answers(account, region) {
        return None;
    }
    // The organization's management account must have switched the service on by itself.
    if account == MANAGEMENT_ACCOUNT && !S::is_on(world, region, account) {
        return None;
    }
    let joined = world.organizations.created_at(account)?;
    let due = if joined >= organization.auto_since {
        joined + world.wait(NEW_ACCOUNT)
    } else if organization.auto == Auto::All {
        organization.auto_since + world.wait(EXISTING_ACCOUNTS)
    } else {
        return None;
    };
    (now >= due).then_some(administrator)
}

/// Refuses every caller but the organization's management account.
pub(crate) fn managing<S: Service>(call: &Call<'_>) -> Result<(), AwsError> {
    if call.account() == MANAGEMENT_ACCOUNT {
        return Ok(());
    }
    Err(S::refusal(call, Refusal::NotManagement))
}

/// The organization's settings, for its delegated administrator alone.
pub(crate) fn administered<'w, S: Service>(
    world: &'w mut World,
    call: &Call<'_>,
) -> Result<&'w mut Organization, AwsError> {
    S::check_caller(world, call)?;
    S::membership(world)
        .organizations
        .get_mut(call.region)
        .filter(|organization| organization.administrator == call.account())
        .ok_or_else(|| S::refusal(call, Refusal::CallerNotAdministrator))
}
