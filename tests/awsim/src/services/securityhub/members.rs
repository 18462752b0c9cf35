//! Members, as their administrator sees and governs them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::organization::{settle, settle_all};
use super::{Regional, access_denied, hub, not_found, paging, subscriber, time, unprocessed};
use crate::call::{AccountId, Answer, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

const NOT_A_MEMBER: &str = "The account is not a member of the administrator account";

pub(super) struct Member {
    pub(super) email: Option<String>,
    pub(super) way: Way,
    pub(super) standing: Standing,
    pub(super) invited_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    Organization,
    Invitation,
}

/// `MemberStatus`, except `AccountSuspended`, which follows from the state of the account.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Standing {
    Created,
    Invited,
    Enabled,
    Removed,
    Resigned,
}

impl Standing {
    pub(super) fn name(self) -> &'static str {
        match self {
            Standing::Created => "Created",
            Standing::Invited => "Invited",
            Standing::Enabled => "Enabled",
            Standing::Removed => "Removed",
            Standing::Resigned => "Resigned",
        }
    }
}

/// Makes an account of the organization a member. Where its hub was off, it goes on.
pub(super) fn join(
    world: &mut World,
    region: Region,
    administrator: AccountId,
    account: AccountId,
    default_standards: bool,
    now: Timestamp,
) {
    if world.organizations.is_active(account) {
        hub::ensure(world, region, account, default_standards, now);
    }
    let member = Member {
        email: world.organizations.email(account).map(str::to_owned),
        way: Way::Organization,
        standing: Standing::Enabled,
        invited_at: Some(now),
        updated_at: now,
    };
    let regional = world.securityhub.region(region);
    regional
        .accounts
        .entry(administrator)
        .or_default()
        .members
        .insert(account, member);
    regional.accounts.entry(account).or_default().administrator = Some(administrator);
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    settle_all(world, call.region, call.now);
    if subscriber(world, call)?.administrator.is_some() {
        return Err(access_denied("A member account cannot have members"));
    }
    let is_admin = world
        .securityhub
        .region(call.region)
        .is_organization_admin(call.account());
    let organization: BTreeSet<AccountId> = world.organizations.accounts().into_iter().collect();
    let mut refused = Vec::new();
    for detail in call.list("AccountDetails") {
        let id = detail["AccountId"].as_str().unwrap_or_default();
        let result = match id.parse() {
            Ok(account) if is_admin && organization.contains(&account) => {
                create_from_organization(world, call, account)
            }
            Ok(account) => create_for_invitation(world, call, account, detail["Email"].as_str()),
            Err(()) => Err("The account id is not valid"),
        };
        if let Err(reason) = result {
            refused.push(unprocessed(id, reason));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

/// An account whose hub is on keeps its standards; one whose hub is off gets the default ones.
fn create_from_organization(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), &'static str> {
    if account == call.account() {
        return Err("An account cannot be a member of itself");
    }
    if !world.account.region_enabled(account, call.region) {
        return Err("The account has not opted in to the Region");
    }
    let there = world.securityhub.account(call.region, account);
    if there
        .administrator
        .is_some_and(|administrator| administrator != call.account())
    {
        return Err("The account is already a member of another administrator account");
    }
    if account == MANAGEMENT_ACCOUNT && there.hub.is_none() {
        return Err(
            "The organization management account must enable Security Hub before it can be a member",
        );
    }
    join(world, call.region, call.account(), account, true, call.now);
    Ok(())
}

fn create_for_invitation(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
    email: Option<&str>,
) -> Result<(), &'static str> {
    if account == call.account() {
        return Err("An account cannot be a member of itself");
    }
    if world.organizations.email(account).is_none() {
        return Err("The account does not exist");
    }
    let Some(email) = email else {
        return Err("The e-mail address is missing");
    };
    let members = &mut world
        .securityhub
        .account(call.region, call.account())
        .members;
    let standing = members.get(&account).map(|member| member.standing);
    if matches!(standing, Some(Standing::Invited | Standing::Enabled)) {
        return Err("The account is already an invited or enabled member");
    }
    let member = Member {
        email: Some(email.to_owned()),
        way: Way::Invitation,
        standing: Standing::Created,
        invited_at: None,
        updated_at: call.now,
    };
    members.insert(account, member);
    Ok(())
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    for account in ids(call).filter_map(|(_, account)| account) {
        settle(world, call.region, account, call.now);
    }
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for (id, account) in ids(call) {
        match account.and_then(|account| describe(world, call, account)) {
            Some(member) => found.push(member),
            None => refused.push(unprocessed(id, NOT_A_MEMBER)),
        }
    }
    Ok(json!({ "Members": found, "UnprocessedAccounts": refused }))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    settle_all(world, call.region, call.now);
    let only_associated = call.flag("OnlyAssociated").unwrap_or(true);
    let members = &subscriber(world, call)?.members;
    let associated = |member: &Member| !only_associated || member.standing == Standing::Enabled;
    let accounts = members.iter().filter(|(_, member)| associated(member));
    let accounts = accounts.map(|(account, _)| json!(account.0)).collect();
    // Cut first and describe after: an administrator may have thousands of members.
    let mut page = paging("Members", 50).page(call, accounts)?;
    let cut = page.remove("Members").unwrap_or_default();
    let accounts = cut
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64);
    let members = accounts
        .filter_map(|account| describe(world, call, AccountId(account)))
        .collect();
    page.insert("Members".to_owned(), members);
    Ok(Value::Object(page))
}

fn describe(world: &World, call: &Call<'_>, account: AccountId) -> Option<Value> {
    let regional = world.securityhub.regions.get(call.region)?;
    let member = regional
        .accounts
        .get(&call.account())?
        .members
        .get(&account)?;
    let suspended = member.standing == Standing::Enabled && !world.organizations.is_active(account);
    let mut entry = json!({
        "AccountId": account.to_string(),
        "MasterId": call.account().to_string(),
        "AdministratorId": call.account().to_string(),
        "MemberStatus": if suspended { "AccountSuspended" } else { member.standing.name() },
        "UpdatedAt": time(member.updated_at),
    });
    if let Some(email) = &member.email {
        entry["Email"] = json!(email);
    }
    if let Some(at) = member.invited_at {
        entry["InvitedAt"] = json!(time(at));
    }
    Some(entry)
}

/// Parts with members, who keep their hubs and stay listed as `Removed`. All or none: the answer has no room for
/// accounts that were left out.
pub(super) fn disassociate(world: &mut World, call: &Call<'_>) -> Answer {
    let members = &subscriber(world, call)?.members;
    let is_member = |account: AccountId| {
        members
            .get(&account)
            .is_some_and(|member| member.standing == Standing::Enabled)
    };
    if let Some((id, _)) = ids(call).find(|(_, account)| !account.is_some_and(is_member)) {
        return Err(not_found(format!(
            "Account {id} is not a member of the administrator account"
        )));
    }
    for account in ids(call).filter_map(|(_, account)| account) {
        let regional = world.securityhub.region(call.region);
        part(
            regional,
            call.account(),
            account,
            Standing::Removed,
            call.now,
        );
    }
    Ok(json!({}))
}

/// Ends an association from either side: `standing` is what the administrator's list shows from now on.
pub(super) fn part(
    regional: &mut Regional,
    administrator: AccountId,
    account: AccountId,
    standing: Standing,
    now: Timestamp,
) {
    if let Some(member) = regional
        .accounts
        .get_mut(&administrator)
        .and_then(|there| there.members.get_mut(&account))
    {
        member.standing = standing;
        member.updated_at = now;
    }
    if let Some(there) = regional.accounts.get_mut(&account) {
        if there.administrator == Some(administrator) {
            there.administrator = None;
        }
        if let Some(invitation) = there.invitations.get_mut(&administrator) {
            invitation.standing = standing;
        }
    }
}

/// Forgets members that came by invitation and have parted; those of the organization cannot be deleted.
pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let regional = world.securityhub.region(call.region);
    let mut refused = Vec::new();
    for (id, account) in ids(call) {
        if let Err(reason) = account
            .ok_or(NOT_A_MEMBER)
            .and_then(|account| delete_one(regional, call, account))
        {
            refused.push(unprocessed(id, reason));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

fn delete_one(
    regional: &mut Regional,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), &'static str> {
    let members = &mut regional.accounts.entry(call.account()).or_default().members;
    match members.get(&account) {
        None => return Err(NOT_A_MEMBER),
        Some(member) if member.way == Way::Organization => {
            return Err("An account of the organization cannot be deleted");
        }
        Some(member) if member.standing == Standing::Enabled => {
            return Err("The account is an enabled member, which must be disassociated first");
        }
        Some(_) => members.remove(&account),
    };
    if let Some(there) = regional.accounts.get_mut(&account) {
        there.invitations.remove(&call.account());
    }
    Ok(())
}

/// `AccountIds` of a batch call, as written and as understood.
pub(super) fn ids<'c>(call: &'c Call<'_>) -> impl Iterator<Item = (&'c str, Option<AccountId>)> {
    call.list("AccountIds")
        .iter()
        .filter_map(Value::as_str)
        .map(|id| (id, id.parse().ok()))
}
