//! Members, as their administrator sees and governs them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::detectors::ensure;
use super::features::{Features, Kind};
use super::organization::{Auto, settle, settle_all};
use super::{Regional, owner, paging, rejected, time, unprocessed};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

pub(super) const NOT_A_MEMBER: &str =
    "the given account ID is not an associated member of account the current account";

pub(super) struct Member {
    /// The root e-mail that the administrator gave; only an invitation compares it.
    pub(super) email: String,
    pub(super) way: Way,
    pub(super) standing: Standing,
    pub(super) invited: Option<Invited>,
    pub(super) updated_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    Organization,
    Invitation,
}

/// What is remembered of a relationship. AWS's `RelationshipStatus` has more values, which follow from this and from
/// the state of the account: see [`Member::status`].
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Standing {
    Created,
    Invited,
    Enabled,
    Removed,
    Resigned,
}

pub(super) struct Invited {
    pub(super) at: Timestamp,
    /// When AWS has compared the e-mail address.
    pub(super) verified_at: Timestamp,
    /// Whether the address is the account's root e-mail.
    pub(super) verified: bool,
}

impl Member {
    /// Whether the administrator may not give up its own detector because of this member.
    pub(super) fn holds_administrator(&self) -> bool {
        match self.standing {
            Standing::Enabled => true,
            Standing::Invited => self
                .invited
                .as_ref()
                .is_some_and(|invited| invited.verified),
            Standing::Created | Standing::Removed | Standing::Resigned => false,
        }
    }

    /// `RelationshipStatus`, given whether the account is active and its detector on.
    fn status(&self, active: bool, on: bool, now: Timestamp) -> &'static str {
        match (self.standing, &self.invited) {
            (Standing::Enabled, _) if !active => "AccountSuspended",
            (Standing::Enabled, _) if !on => "Disabled",
            (Standing::Enabled, _) => "Enabled",
            (Standing::Invited, Some(invited)) if now < invited.verified_at => {
                "EmailVerificationInProgress"
            }
            (Standing::Invited, Some(invited)) if !invited.verified => "EmailVerificationFailed",
            (Standing::Invited, _) => "Invited",
            (Standing::Created, _) => "Created",
            (Standing::Removed, _) => "Removed",
            (Standing::Resigned, _) => "Resigned",
        }
    }
}

/// Makes an account of the organization a member, asked for by `CreateMembers` or by auto-enablement.
///
/// GuardDuty goes on in the account, with what the organization's settings switch on; plans that were on stay on.
pub(super) fn join(
    world: &mut World,
    region: Region,
    administrator: AccountId,
    account: AccountId,
    now: Timestamp,
) {
    let active = world.organizations.is_active(account);
    if active {
        ensure(
            world,
            region,
            account,
            Features::off(Kind::Detector, now),
            now,
        );
    }
    let email = world
        .organizations
        .email(account)
        .unwrap_or_default()
        .to_owned();
    let regional = world.guardduty.region(region);
    if let Some(organization) = &regional.organization {
        let features = organization.features.clone();
        if let Some(detector) = regional.detector_mut(account) {
            detector.features.apply(&features, now);
            detector.enabled = true;
            detector.updated_at = now;
        }
    }
    let member = Member {
        email,
        way: Way::Organization,
        standing: Standing::Enabled,
        invited: None,
        updated_at: now,
    };
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
    if owner(world, call)?.administrator.is_some() {
        return Err(rejected(
            "the current account is a member and cannot have members",
        ));
    }
    let organization: BTreeSet<AccountId> = world.organizations.accounts().into_iter().collect();
    let mut refused = Vec::new();
    for detail in call.list("AccountDetails") {
        let id = detail["AccountId"].as_str().unwrap_or_default();
        let email = detail["Email"].as_str().unwrap_or_default();
        let result = match id.parse() {
            Ok(account)
                if organization.contains(&account) && is_organization_admin(world, call) =>
            {
                create_from_organization(world, call, account)
            }
            Ok(account) => create_for_invitation(world, call, account, email),
            Err(()) => Err("the given account ID is not valid"),
        };
        if let Err(reason) = result {
            refused.push(unprocessed(id, reason));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

fn is_organization_admin(world: &mut World, call: &Call<'_>) -> bool {
    world
        .guardduty
        .region(call.region)
        .is_organization_admin(call.account())
}

fn create_from_organization(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), &'static str> {
    if account == call.account() {
        return Err("an account cannot be a member of itself");
    }
    if !world.account.region_enabled(account, call.region) {
        return Err("the given account has not opted in to the Region");
    }
    let there = world.guardduty.account(call.region, account);
    if there
        .administrator
        .is_some_and(|administrator| administrator != call.account())
    {
        return Err("the given account ID is already an associated member of another account");
    }
    if account == MANAGEMENT_ACCOUNT && there.detector.is_none() {
        return Err("your organization master must first enable GuardDuty to be added as a member");
    }
    join(world, call.region, call.account(), account, call.now);
    Ok(())
}

fn create_for_invitation(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
    email: &str,
) -> Result<(), &'static str> {
    if account == call.account() {
        return Err("an account cannot be a member of itself");
    }
    if world.organizations.email(account).is_none() {
        return Err("the given account ID does not exist");
    }
    let members = &mut world.guardduty.account(call.region, call.account()).members;
    if members
        .get(&account)
        .is_some_and(Member::holds_administrator)
    {
        return Err(
            "the given account ID is already an invited or associated member of the current account",
        );
    }
    let member = Member {
        email: email.to_owned(),
        way: Way::Invitation,
        standing: Standing::Created,
        invited: None,
        updated_at: call.now,
    };
    members.insert(account, member);
    Ok(())
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    owner(world, call)?;
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
    let only_associated = call
        .text("OnlyAssociated")
        .is_none_or(|value| !value.eq_ignore_ascii_case("false"));
    let members = &owner(world, call)?.members;
    let associated = |member: &Member| !only_associated || member.standing == Standing::Enabled;
    let accounts = members.iter().filter(|(_, member)| associated(member));
    let accounts = accounts.map(|(account, _)| json!(account.0)).collect();
    // Cut first and describe after: an administrator may have thousands of members.
    let mut page = paging("Members").page(call, accounts)?;
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
    let accounts = &world.guardduty.regions.get(call.region)?.accounts;
    let member = accounts.get(&call.account())?.members.get(&account)?;
    let detector = accounts
        .get(&account)
        .and_then(|account| account.detector.as_ref());
    let on = detector.is_some_and(|detector| detector.enabled);
    let mut entry = json!({
        "AccountId": account.to_string(),
        "MasterId": call.account().to_string(),
        "AdministratorId": call.account().to_string(),
        "Email": member.email,
        "RelationshipStatus": member.status(world.organizations.is_active(account), on, call.now),
        "UpdatedAt": time(member.updated_at),
    });
    if member.standing == Standing::Enabled
        && let Some(detector) = detector
    {
        entry["DetectorId"] = json!(detector.id);
    }
    if let Some(invited) = &member.invited {
        entry["InvitedAt"] = json!(time(invited.at));
    }
    Some(entry)
}

/// Parts with members. They keep their detectors, and stay listed as `Removed`.
pub(super) fn disassociate(world: &mut World, call: &Call<'_>) -> Answer {
    each_member(world, call, |regional, account| {
        enabled(regional, call, account)?;
        refuse_while_all(regional, call, account)?;
        part(
            regional,
            call.account(),
            account,
            Standing::Removed,
            call.now,
        );
        Ok(())
    })
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

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    each_member(world, call, |regional, account| {
        let Some(there) = regional.accounts.get_mut(&call.account()) else {
            return Err(NOT_A_MEMBER);
        };
        match there.members.get(&account) {
            None => return Err(NOT_A_MEMBER),
            Some(member) if member.standing == Standing::Enabled => {
                return Err(
                    "the given account ID is an associated member, which must be disassociated first",
                );
            }
            Some(_) => there.members.remove(&account),
        };
        if let Some(there) = regional.accounts.get_mut(&account) {
            there.invitations.remove(&call.account());
        }
        Ok(())
    })
}

pub(super) fn enabled(
    regional: &Regional,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), &'static str> {
    let member = regional
        .accounts
        .get(&call.account())
        .and_then(|there| there.members.get(&account));
    match member {
        Some(member) if member.standing == Standing::Enabled => Ok(()),
        _ => Err(NOT_A_MEMBER),
    }
}

/// While the organization says that ALL its accounts are members, none of them can be let go.
pub(super) fn refuse_while_all(
    regional: &Regional,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), &'static str> {
    let all = regional
        .organization
        .as_ref()
        .is_some_and(|organization| organization.auto == Auto::All);
    let member = regional
        .accounts
        .get(&call.account())
        .and_then(|there| there.members.get(&account));
    if all && member.is_some_and(|member| member.way == Way::Organization) {
        return Err("autoEnableOrganizationMembers is set to ALL for the organization");
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

/// Does `act` for every account that a batch call names, and reports the refusals.
pub(super) fn each_member(
    world: &mut World,
    call: &Call<'_>,
    mut act: impl FnMut(&mut Regional, AccountId) -> Result<(), &'static str>,
) -> Result<Value, AwsError> {
    owner(world, call)?;
    let regional = world.guardduty.region(call.region);
    let mut refused = Vec::new();
    for (id, account) in ids(call) {
        if let Err(reason) = account
            .ok_or(NOT_A_MEMBER)
            .and_then(|account| act(regional, account))
        {
            refused.push(unprocessed(id, reason));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}
