//! The delegated administrator of an organization, and what it makes of accounts without being asked each time.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::detectors::ensure;
use super::features::{Features, Kind};
use super::members::{self, Standing, Way};
use super::{SERVICE_PRINCIPAL, owner, paging, rejected};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// How long AWS needs to spread the first designation; the same call elsewhere fails until then.
const FIRST_DESIGNATION: SignedDuration = SignedDuration::from_secs(1);
/// How long after joining the organization an account becomes a member by itself.
const NEW_ACCOUNT: SignedDuration = SignedDuration::from_mins(5);
/// How long `ALL` may take for the accounts that are already there.
const EXISTING_ACCOUNTS: SignedDuration = SignedDuration::from_hours(24);

/// An organization's settings in one Region.
pub(super) struct Organization {
    pub(super) administrator: AccountId,
    pub(super) auto: Auto,
    /// Since when `auto` holds: who joined before is not new.
    auto_since: Timestamp,
    pub(super) features: Features,
}

/// `AutoEnableOrganizationMembers`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Auto {
    New,
    All,
    None,
}

pub(super) fn enable_admin(world: &mut World, call: &Call<'_>) -> Answer {
    managing(call)?;
    let Some(account) = admin_account(world, call) else {
        return Err(rejected(
            "the given account ID is not an active account of the organization",
        ));
    };
    if let Some((first, at)) = world.guardduty.first_enabled
        && first != call.region
        && call.now < at + world.wait(FIRST_DESIGNATION)
    {
        return Err(rejected(
            "another request to enable a delegated administrator is in progress",
        ));
    }
    for (region, regional) in &world.guardduty.regions {
        let Some(organization) = &regional.organization else {
            continue;
        };
        if organization.administrator != account {
            return Err(rejected(
                "another account is already enabled as GuardDuty delegated administrator for the organization",
            ));
        }
        if *region == call.region {
            return Err(rejected(
                "the account is already enabled as GuardDuty delegated administrator",
            ));
        }
    }
    if world
        .guardduty
        .account(call.region, account)
        .administrator
        .is_some()
    {
        return Err(rejected(
            "the given account ID is an associated member of another account",
        ));
    }
    world
        .guardduty
        .first_enabled
        .get_or_insert((call.region, call.now));
    world
        .organizations
        .enable_trusted_access(SERVICE_PRINCIPAL, call.now);
    world
        .organizations
        .register_delegated_administrator(account, SERVICE_PRINCIPAL, call.now);
    ensure(
        world,
        call.region,
        account,
        Features::of_new_detector(call.now),
        call.now,
    );
    world.guardduty.region(call.region).organization = Some(Organization {
        administrator: account,
        auto: Auto::None,
        auto_since: call.now,
        features: Features::off(Kind::Organization, call.now),
    });
    take_over_invited(world, call.region, account);
    Ok(json!({}))
}

/// Members that the administrator had won by invitation count as the organization's from now on.
fn take_over_invited(world: &mut World, region: Region, administrator: AccountId) {
    let organization = world.organizations.accounts();
    let members = &mut world.guardduty.account(region, administrator).members;
    for account in organization {
        if let Some(member) = members
            .get_mut(&account)
            .filter(|member| member.standing == Standing::Enabled)
        {
            member.way = Way::Organization;
        }
    }
}

/// Takes the role away. The organization's members are on their own again; their detectors stay on.
pub(super) fn disable_admin(world: &mut World, call: &Call<'_>) -> Answer {
    managing(call)?;
    let account = admin_account(world, call);
    let regional = world.guardduty.region(call.region);
    let Some(account) = account.filter(|account| regional.is_organization_admin(*account)) else {
        return Err(rejected(
            "the given account ID is not the GuardDuty delegated administrator of the organization",
        ));
    };
    regional.organization = None;
    let members = &mut regional.accounts.entry(account).or_default().members;
    let parted: Vec<AccountId> = members
        .iter()
        .filter(|(_, member)| member.way == Way::Organization)
        .map(|(account, _)| *account)
        .collect();
    members.retain(|_, member| member.way != Way::Organization);
    for member in parted {
        let there = regional.accounts.entry(member).or_default();
        if there.administrator == Some(account) {
            there.administrator = None;
        }
    }
    if world
        .guardduty
        .regions
        .values()
        .all(|regional| regional.organization.is_none())
    {
        world.guardduty.first_enabled = None;
    }
    Ok(json!({}))
}

pub(super) fn list_admins(world: &mut World, call: &Call<'_>) -> Answer {
    managing(call)?;
    let organization = world.guardduty.region(call.region).organization.iter();
    let admins = organization.map(|organization| {
        json!({ "AdminAccountId": organization.administrator.to_string(), "AdminStatus": "ENABLED" })
    });
    paging("AdminAccounts")
        .page(call, admins.collect())
        .map(Value::Object)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let organization = administered(world, call)?;
    let auto = match (
        call.text("AutoEnableOrganizationMembers"),
        call.flag("AutoEnable"),
    ) {
        (Some("NEW"), None) | (None, Some(true)) => Auto::New,
        (Some("ALL"), None) => Auto::All,
        (Some(_), None) | (None, Some(false)) => Auto::None,
        _ => {
            return Err(rejected(
                "either autoEnableOrganizationMembers or autoEnable must be specified, not both",
            ));
        }
    };
    let mut features = organization.features.clone();
    features.merge(&call.input, call.now)?;
    organization.features = features;
    if organization.auto != auto {
        organization.auto = auto;
        organization.auto_since = call.now;
    }
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let organization = administered(world, call)?;
    let auto = match organization.auto {
        Auto::New => "NEW",
        Auto::All => "ALL",
        Auto::None => "NONE",
    };
    Ok(json!({
        "AutoEnable": organization.auto != Auto::None,
        "AutoEnableOrganizationMembers": auto,
        "MemberAccountLimitReached": false,
        "DataSources": organization.features.data_sources(),
        "Features": organization.features.list(),
    }))
}

/// Makes the account a member if auto-enablement has had the time to do so.
pub(super) fn settle(world: &mut World, region: Region, account: AccountId, now: Timestamp) {
    if let Some(administrator) = awaited_by(world, region, account, now) {
        members::join(world, region, administrator, account, now);
    }
}

/// The same for every account of the organization, before its administrator looks at all of them.
pub(super) fn settle_all(world: &mut World, region: Region, now: Timestamp) {
    let regional = world.guardduty.region(region);
    if regional
        .organization
        .as_ref()
        .is_none_or(|organization| organization.auto == Auto::None)
    {
        return;
    }
    for account in world.organizations.accounts() {
        settle(world, region, account, now);
    }
}

/// The administrator that should have made this account its member by now.
fn awaited_by(
    world: &World,
    region: Region,
    account: AccountId,
    now: Timestamp,
) -> Option<AccountId> {
    let regional = world.guardduty.regions.get(region)?;
    let organization = regional
        .organization
        .as_ref()
        .filter(|organization| organization.auto != Auto::None)?;
    let administrator = organization.administrator;
    let there = regional.accounts.get(&account);
    let free = account != administrator
        && there.is_none_or(|there| there.administrator.is_none())
        && !regional
            .accounts
            .get(&administrator)?
            .members
            .contains_key(&account);
    // Organizations' management account must have switched GuardDuty on by itself.
    let able = account != MANAGEMENT_ACCOUNT || there.is_some_and(|there| there.detector.is_some());
    if !free || !able || !world.answers(account, region) {
        return None;
    }
    world.organizations.email(account)?;
    let joined = world
        .organizations
        .created_at(account)
        .filter(|joined| *joined >= organization.auto_since);
    let due = match (joined, organization.auto) {
        (Some(joined), _) => joined + world.wait(NEW_ACCOUNT),
        (None, Auto::All) => organization.auto_since + world.wait(EXISTING_ACCOUNTS),
        (None, _) => return None,
    };
    (now >= due).then_some(administrator)
}

fn managing(call: &Call<'_>) -> Result<(), AwsError> {
    if call.account() == MANAGEMENT_ACCOUNT {
        return Ok(());
    }
    Err(rejected(
        "the current account is not the management account of an organization",
    ))
}

fn admin_account(world: &World, call: &Call<'_>) -> Option<AccountId> {
    let account = call.required("AdminAccountId").parse().ok()?;
    world.organizations.email(account)?;
    world.organizations.is_active(account).then_some(account)
}

/// The organization's settings, for its delegated administrator alone.
fn administered<'w>(
    world: &'w mut World,
    call: &Call<'_>,
) -> Result<&'w mut Organization, AwsError> {
    owner(world, call)?;
    let organization = world.guardduty.region(call.region).organization.as_mut();
    organization
        .filter(|organization| organization.administrator == call.account())
        .ok_or_else(|| rejected("the current account is not the GuardDuty delegated administrator of an organization"))
}
