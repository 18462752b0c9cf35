//! The delegated administrator of an organization, and the accounts that become its members by themselves.
//!
//! Only local configuration is built: every Region has its own settings. Central configuration, with its policies,
//! is not.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::members::{self, Standing, Way};
use super::{SERVICE_PRINCIPAL, conflict, hub, invalid_access, invalid_input, paging, subscriber};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// How long AWS needs to spread the first designation; the same call elsewhere fails until then.
const FIRST_DESIGNATION: SignedDuration = SignedDuration::from_secs(1);
/// How long after joining the organization an account becomes a member by itself.
const NEW_ACCOUNT: SignedDuration = SignedDuration::from_mins(5);

/// An organization's settings in one Region.
pub(super) struct Organization {
    pub(super) administrator: AccountId,
    auto_enable: bool,
    /// Since when `auto_enable` holds: who joined before is not new.
    auto_since: Timestamp,
    /// Whether accounts that join get the default standards: `AutoEnableStandards` is `DEFAULT`.
    default_standards: bool,
}

pub(super) fn enable_admin(world: &mut World, call: &Call<'_>) -> Answer {
    managing(call)?;
    if call
        .text("Feature")
        .is_some_and(|feature| feature != "SecurityHub")
    {
        return Err(AwsError::not_built());
    }
    let id = call.required("AdminAccountId");
    let account = id.parse().ok().filter(|account| {
        world.organizations.email(*account).is_some() && world.organizations.is_active(*account)
    });
    let Some(account) = account else {
        return Err(invalid_input(format!(
            "Account {id} is not an active account of the organization"
        )));
    };
    if let Some((first, at)) = world.securityhub.first_enabled
        && first != call.region
        && call.now < at + world.wait(FIRST_DESIGNATION)
    {
        return Err(conflict(
            "Another designation of the organization's administrator account is in progress",
        ));
    }
    for (region, regional) in &world.securityhub.regions {
        let Some(organization) = &regional.organization else {
            continue;
        };
        if organization.administrator != account {
            return Err(conflict(format!(
                "Account {} is already the administrator account of this organization",
                organization.administrator
            )));
        }
        if *region == call.region {
            return Err(conflict(format!(
                "Account {id} is already the administrator account of this organization"
            )));
        }
    }
    world
        .securityhub
        .first_enabled
        .get_or_insert((call.region, call.now));
    world
        .organizations
        .enable_trusted_access(SERVICE_PRINCIPAL, call.now);
    world
        .organizations
        .register_delegated_administrator(account, SERVICE_PRINCIPAL, call.now);
    hub::ensure(world, call.region, account, true, call.now);
    world.securityhub.region(call.region).organization = Some(Organization {
        administrator: account,
        auto_enable: false,
        auto_since: call.now,
        default_standards: true,
    });
    take_over_invited(world, call.region, account);
    Ok(json!({ "AdminAccountId": id, "Feature": "SecurityHub" }))
}

/// Members that the administrator had won by invitation count as the organization's from now on.
fn take_over_invited(world: &mut World, region: Region, administrator: AccountId) {
    let organization = world.organizations.accounts();
    let members = &mut world.securityhub.account(region, administrator).members;
    for account in organization {
        if let Some(member) = members
            .get_mut(&account)
            .filter(|member| member.standing == Standing::Enabled)
        {
            member.way = Way::Organization;
        }
    }
}

/// Takes the role away. The organization's members are on their own again; their hubs stay on.
pub(super) fn disable_admin(world: &mut World, call: &Call<'_>) -> Answer {
    managing(call)?;
    let regional = world.securityhub.region(call.region);
    let account = call.required("AdminAccountId").parse().ok();
    let Some(account) = account.filter(|account| regional.is_organization_admin(*account)) else {
        return Err(invalid_input(
            "The account is not the administrator account of this organization",
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
        .securityhub
        .regions
        .values()
        .all(|regional| regional.organization.is_none())
    {
        world.securityhub.first_enabled = None;
    }
    Ok(json!({}))
}

pub(super) fn list_admins(world: &mut World, call: &Call<'_>) -> Answer {
    managing(call)?;
    let organization = world.securityhub.region(call.region).organization.iter();
    let admins = organization.map(|organization| {
        json!({ "AccountId": organization.administrator.to_string(), "Status": "ENABLED" })
    });
    let mut answer = paging("AdminAccounts", 10).page(call, admins.collect())?;
    answer.insert("Feature".to_owned(), json!("SecurityHub"));
    Ok(Value::Object(answer))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    if call.input["OrganizationConfiguration"]["ConfigurationType"] == "CENTRAL" {
        return Err(AwsError::not_built());
    }
    let organization = administered(world, call)?;
    let auto_enable = call.flag("AutoEnable").unwrap_or_default();
    if organization.auto_enable != auto_enable {
        organization.auto_enable = auto_enable;
        organization.auto_since = call.now;
    }
    if let Some(standards) = call.text("AutoEnableStandards") {
        organization.default_standards = standards == "DEFAULT";
    }
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let organization = administered(world, call)?;
    Ok(json!({
        "AutoEnable": organization.auto_enable,
        "AutoEnableStandards": if organization.default_standards { "DEFAULT" } else { "NONE" },
        "MemberAccountLimitReached": false,
        "OrganizationConfiguration": { "ConfigurationType": "LOCAL", "Status": "ENABLED" },
    }))
}

/// Makes the account a member if auto-enablement has had the time to do so.
pub(super) fn settle(world: &mut World, region: Region, account: AccountId, now: Timestamp) {
    if let Some((administrator, default_standards)) = awaited_by(world, region, account, now) {
        members::join(
            world,
            region,
            administrator,
            account,
            default_standards,
            now,
        );
    }
}

/// The same for every account of the organization, before its administrator looks at all of them.
pub(super) fn settle_all(world: &mut World, region: Region, now: Timestamp) {
    let regional = world.securityhub.region(region);
    if regional
        .organization
        .as_ref()
        .is_none_or(|organization| !organization.auto_enable)
    {
        return;
    }
    for account in world.organizations.accounts() {
        settle(world, region, account, now);
    }
}

/// The administrator that should have made this account its member by now, and whether with the default standards.
fn awaited_by(
    world: &World,
    region: Region,
    account: AccountId,
    now: Timestamp,
) -> Option<(AccountId, bool)> {
    let regional = world.securityhub.regions.get(region)?;
    let organization = regional
        .organization
        .as_ref()
        .filter(|organization| organization.auto_enable)?;
    let administrator = organization.administrator;
    let free = account != administrator
        && account != MANAGEMENT_ACCOUNT
        && regional
            .accounts
            .get(&account)
            .is_none_or(|there| there.administrator.is_none())
        && !regional
            .accounts
            .get(&administrator)?
            .members
            .contains_key(&account);
    let joined = world
        .organizations
        .created_at(account)
        .filter(|joined| *joined >= organization.auto_since)?;
    let due = joined + world.wait(NEW_ACCOUNT);
    (free && now >= due && world.answers(account, region))
        .then_some((administrator, organization.default_standards))
}

fn managing(call: &Call<'_>) -> Result<(), AwsError> {
    if call.account() == MANAGEMENT_ACCOUNT {
        return Ok(());
    }
    Err(invalid_access(format!(
        "Account {} is not the management account of an organization",
        call.account()
    )))
}

/// The organization's settings, for its delegated administrator alone.
fn administered<'w>(
    world: &'w mut World,
    call: &Call<'_>,
) -> Result<&'w mut Organization, AwsError> {
    subscriber(world, call)?;
    let organization = world.securityhub.region(call.region).organization.as_mut();
    organization
        .filter(|organization| organization.administrator == call.account())
        .ok_or_else(|| {
            invalid_access(format!(
                "Account {} is not an administrator for this organization",
                call.account()
            ))
        })
}
