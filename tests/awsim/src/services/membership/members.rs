//! Members, as their administrator sees and governs them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::batch::unprocessed;
use super::organization::{settle, settle_all};
use super::{Refusal, Service, each, ids, time};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::{MANAGEMENT_ACCOUNT, World};

pub(crate) struct Member {
    /// The root e-mail that the administrator gave; only an invitation compares it.
    pub(super) email: String,
    pub(crate) way: Way,
    pub(crate) standing: Standing,
    pub(super) invited: Option<Invited>,
    pub(super) updated_at: Timestamp,
}

/// How an account became a member, or is to become one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Organization,
    Invitation,
}

/// What makes an account of the organization a member.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Joining {
    /// `CreateMembers`.
    Asked,
    /// The organization's settings.
    ByItself,
}

/// What is remembered of a relationship. AWS shows more values, which follow from this and from the state of the
/// account: see [`Member::status`].
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Standing {
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

pub(super) struct Invited {
    pub(super) at: Timestamp,
    /// When AWS has compared the e-mail address.
    pub(super) verified_at: Timestamp,
    /// Whether the address will do.
    pub(super) verified: bool,
}

impl Member {
    /// Whether the administrator is bound by this member.
    pub(super) fn holds_administrator(&self) -> bool {
        let verified = |invited: &Invited| invited.verified;
        match self.standing {
            Standing::Enabled => true,
            Standing::Invited => self.invited.as_ref().is_some_and(verified),
            Standing::Created | Standing::Removed | Standing::Resigned => false,
        }
    }

    /// The member's status, given whether its account is active and does what members are for.
    fn status(&self, active: bool, works: bool, now: Timestamp) -> &'static str {
        match (self.standing, &self.invited) {
            (Standing::Enabled, _) if !active => "AccountSuspended",
            (Standing::Enabled, _) if !works => "Disabled",
            (Standing::Invited, Some(invited)) if now < invited.verified_at => {
                "EmailVerificationInProgress"
            }
            (Standing::Invited, Some(invited)) if !invited.verified => "EmailVerificationFailed",
            (standing, _) => standing.name(),
        }
    }
}

/// Makes an account of the organization a member, and switches the service on in it.
pub(super) fn join<S: Service>(
    world: &mut World,
    region: Region,
    administrator: AccountId,
    account: AccountId,
    joining: Joining,
    now: Timestamp,
) {
    S::switch_on_member(world, region, account, joining, now);
    let email = world.organizations.email(account).unwrap_or_default();
    let invited = Invited {
        at: now,
        verified_at: now,
        verified: true,
    };
    let member = Member {
        email: email.to_owned(),
        way: Way::Organization,
        standing: Standing::Enabled,
        invited: S::JOINING_INVITES.then_some(invited),
        updated_at: now,
    };
    let state = S::membership(world);
    let there = state.account(region, administrator);
    there.members.insert(account, member);
    state.account(region, account).administrator = Some(administrator);
}

/// Members cannot be administrators of others.
pub(super) fn may_have_members<S: Service>(
    world: &mut World,
    call: &Call<'_>,
) -> Result<(), AwsError> {
    S::check_caller(world, call)?;
    match S::membership(world).administrator_of_caller(call) {
        Some(_) => Err(S::refusal(call, Refusal::CallerIsMember)),
        None => Ok(()),
    }
}

pub(super) fn create<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    settle_all::<S>(world, call.region, call.now);
    may_have_members::<S>(world, call)?;
    let mut refused = Vec::new();
    for detail in call.list("AccountDetails") {
        let id = detail["AccountId"].as_str().unwrap_or_default();
        let result = id.parse().map_err(|()| Refusal::InvalidId);
        let email = detail["Email"].as_str();
        if let Err(why) = result.and_then(|account| create_one::<S>(world, call, account, email)) {
            refused.push(unprocessed::<S>(call, id, why));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

/// The organization's administrator makes its accounts members at once; all others are named to be invited.
fn create_one<S: Service>(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
    email: Option<&str>,
) -> Result<(), Refusal> {
    if account == call.account() {
        return Err(Refusal::Itself);
    }
    let known = world.organizations.email(account).is_some();
    let state = S::membership(world);
    if known && state.organization_admin(call.region) == Some(call.account()) {
        return create_from_organization::<S>(world, call, account);
    }
    if !known {
        return Err(Refusal::NoAccount);
    }
    let member = Member {
        email: email.ok_or(Refusal::NoEmail)?.to_owned(),
        way: Way::Invitation,
        standing: Standing::Created,
        invited: None,
        updated_at: call.now,
    };
    let members = &mut state.account(call.region, call.account()).members;
    if members
        .get(&account)
        .is_some_and(Member::holds_administrator)
    {
        return Err(Refusal::AlreadyMember);
    }
    members.insert(account, member);
    Ok(())
}

fn create_from_organization<S: Service>(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), Refusal> {
    if !world.account.region_enabled(account, call.region) {
        return Err(Refusal::NotOptedIn);
    }
    let administrator = S::membership(world).administrator(call.region, account);
    if administrator.is_some_and(|administrator| administrator != call.account()) {
        return Err(Refusal::OthersMember);
    }
    if account == MANAGEMENT_ACCOUNT && !S::is_on(world, call.region, account) {
        return Err(Refusal::ManagementOff);
    }
    let joining = Joining::Asked;
    join::<S>(
        world,
        call.region,
        call.account(),
        account,
        joining,
        call.now,
    );
    Ok(())
}

pub(super) fn get<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    S::check_caller(world, call)?;
    for account in ids(call).filter_map(|(_, account)| account) {
        settle::<S>(world, call.region, account, call.now);
    }
    let mut found = Vec::new();
    let mut answer = each::<S>(world, call, Refusal::NotMember, |world, account| {
        let member = describe::<S>(world, call, account);
        found.push(member.ok_or(Refusal::NotMember)?);
        Ok(())
    })?;
    answer["Members"] = Value::Array(found);
    Ok(answer)
}

pub(super) fn list<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    settle_all::<S>(world, call.region, call.now);
    S::check_caller(world, call)?;
    // GuardDuty's model says that it is a string, Security Hub's a boolean.
    let all = call.flag("OnlyAssociated") == Some(false)
        || call
            .text("OnlyAssociated")
            .is_some_and(|value| value.eq_ignore_ascii_case("false"));
    let there = S::membership(world).account(call.region, call.account());
    let accounts = there
        .members
        .iter()
        .filter(|(_, member)| all || member.standing == Standing::Enabled)
        .map(|(account, _)| json!(account.0))
        .collect();
    // Cut first and describe after: an administrator may have thousands of members.
    let mut page = S::paging("Members").page(call, accounts)?;
    let cut = page.remove("Members").unwrap_or_default();
    let accounts = cut
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64);
    let members = accounts
        .filter_map(|account| describe::<S>(world, call, AccountId(account)))
        .collect();
    page.insert("Members".to_owned(), members);
    Ok(Value::Object(page))
}

fn describe<S: Service>(world: &mut World, call: &Call<'_>, account: AccountId) -> Option<Value> {
    let active = world.organizations.is_active(account);
    let works = S::works(world, call.region, account);
    let state = S::membership(world);
    let member = state.member(call.region, call.account(), account)?;
    let mut entry = json!({
        "AccountId": account.to_string(),
        "MasterId": call.account().to_string(),
        "AdministratorId": call.account().to_string(),
        "Email": member.email,
        S::STATUS: member.status(active, works, call.now),
        "UpdatedAt": time(member.updated_at),
    });
    if let Some(invited) = &member.invited {
        entry["InvitedAt"] = json!(time(invited.at));
    }
    if member.standing == Standing::Enabled {
        S::describe(world, call.region, account, &mut entry);
    }
    Some(entry)
}

/// Forgets members that are not enabled, and invitations to them.
pub(super) fn delete<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    S::check_caller(world, call)?;
    each::<S>(world, call, Refusal::NotMember, |world, account| {
        let state = S::membership(world);
        let there = state.account(call.region, call.account());
        let member = there.members.get(&account).ok_or(Refusal::NotMember)?;
        S::may_delete(member)?;
        if member.standing == Standing::Enabled {
            return Err(Refusal::StillMember);
        }
        there.members.remove(&account);
        let invitations = &mut state.account(call.region, account).invitations;
        invitations.remove(&call.account());
        Ok(())
    })
}
