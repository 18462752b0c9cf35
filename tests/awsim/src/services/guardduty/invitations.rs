//! The way to membership that both sides must want: `InviteMembers` here, `AcceptAdministratorInvitation` there.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::members::{self, Invited, Standing, Way, ids};
use super::{owner, paging, rejected, time, unprocessed};
use crate::call::{AccountId, Answer, Call};
use crate::world::World;

/// How long a member stays `EmailVerificationInProgress`.
const EMAIL_VERIFICATION: SignedDuration = SignedDuration::from_secs(5);

const NO_INVITATION: &str = "no such invitation was sent to the current account";

/// An invitation as the invited account sees it.
pub(super) struct Invitation {
    /// 32 hexadecimal digits.
    id: String,
    sent_at: Timestamp,
    /// It arrives once AWS has compared the e-mail address.
    arrives_at: Timestamp,
    pub(super) standing: Standing,
}

impl Invitation {
    fn describe(&self, administrator: AccountId) -> Value {
        let status = match self.standing {
            Standing::Created | Standing::Invited => "Invited",
            Standing::Enabled => "Enabled",
            Standing::Removed => "Removed",
            Standing::Resigned => "Resigned",
        };
        json!({
            "AccountId": administrator.to_string(),
            "InvitationId": self.id,
            "InvitedAt": time(self.sent_at),
            "RelationshipStatus": status,
        })
    }
}

pub(super) fn invite(world: &mut World, call: &Call<'_>) -> Answer {
    if owner(world, call)?.administrator.is_some() {
        return Err(rejected(
            "the current account is a member and cannot have members",
        ));
    }
    let mut refused = Vec::new();
    for (id, account) in ids(call) {
        let result = account.ok_or("the given account ID is not valid");
        if let Err(reason) = result.and_then(|account| invite_one(world, call, account)) {
            refused.push(unprocessed(id, reason));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

fn invite_one(world: &mut World, call: &Call<'_>, account: AccountId) -> Result<(), &'static str> {
    let verified_at = call.now + world.wait(EMAIL_VERIFICATION);
    let root_email = world.organizations.email(account).map(str::to_owned);
    let id = world.random_hex(32);
    let regional = world.guardduty.region(call.region);
    let administrator = regional
        .accounts
        .get(&account)
        .and_then(|there| there.administrator);
    let Some(member) = regional
        .accounts
        .entry(call.account())
        .or_default()
        .members
        .get_mut(&account)
    else {
        return Err("the given account ID is not a member that the current account has created");
    };
    if member.way == Way::Organization {
        return Err("an account that was added through the organization cannot be invited");
    }
    if member.holds_administrator() {
        return Err(
            "the current account has already invited or is already the GuardDuty administrator account of the given member account ID",
        );
    }
    if administrator.is_some() {
        return Err("the given account ID is already an associated member of another account");
    }
    let verified = root_email.as_ref() == Some(&member.email);
    member.standing = Standing::Invited;
    member.invited = Some(Invited {
        at: call.now,
        verified_at,
        verified,
    });
    member.updated_at = call.now;
    if verified {
        let invitation = Invitation {
            id,
            sent_at: call.now,
            arrives_at: verified_at,
            standing: Standing::Invited,
        };
        regional
            .accounts
            .entry(account)
            .or_default()
            .invitations
            .insert(call.account(), invitation);
    }
    Ok(())
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let invitations = &world
        .guardduty
        .account(call.region, call.account())
        .invitations;
    let arrived = invitations
        .iter()
        .filter(|(_, invitation)| invitation.arrives_at <= call.now);
    let entries = arrived
        .map(|(administrator, invitation)| invitation.describe(*administrator))
        .collect();
    paging("Invitations").page(call, entries).map(Value::Object)
}

/// Counts all invitations but the one that was accepted.
pub(super) fn count(world: &mut World, call: &Call<'_>) -> Answer {
    let invitations = &world
        .guardduty
        .account(call.region, call.account())
        .invitations;
    let open = |invitation: &&Invitation| {
        invitation.arrives_at <= call.now && invitation.standing != Standing::Enabled
    };
    Ok(json!({ "InvitationsCount": invitations.values().filter(open).count() }))
}

/// Needs the caller's own detector and the id of an invitation that has arrived. `administrator` is the input member
/// with the inviting account.
pub(super) fn accept(world: &mut World, call: &Call<'_>, administrator: &str) -> Answer {
    let account = owner(world, call)?;
    if account.administrator.is_some() {
        return Err(rejected(
            "the current account is already a member of an administrator account",
        ));
    }
    if account
        .members
        .values()
        .any(members::Member::holds_administrator)
    {
        return Err(rejected(
            "the current account has invited or associated members",
        ));
    }
    let administrator: AccountId = call
        .required(administrator)
        .parse()
        .map_err(|()| rejected(NO_INVITATION))?;
    let invitation = account
        .invitations
        .get_mut(&administrator)
        .filter(|invitation| {
            invitation.id == call.required("InvitationId")
                && invitation.standing == Standing::Invited
                && invitation.arrives_at <= call.now
        });
    let Some(invitation) = invitation else {
        return Err(rejected(NO_INVITATION));
    };
    invitation.standing = Standing::Enabled;
    account.administrator = Some(administrator);
    let members = &mut world.guardduty.account(call.region, administrator).members;
    if let Some(member) = members.get_mut(&call.account()) {
        member.standing = Standing::Enabled;
        member.updated_at = call.now;
    }
    Ok(json!({}))
}

pub(super) fn decline(world: &mut World, call: &Call<'_>) -> Answer {
    let mut refused = Vec::new();
    for (id, administrator) in ids(call) {
        let regional = world.guardduty.region(call.region);
        let invitations = &regional
            .accounts
            .entry(call.account())
            .or_default()
            .invitations;
        let invitation = administrator
            .and_then(|administrator| Some((administrator, invitations.get(&administrator)?)));
        match invitation {
            Some((administrator, invitation)) if invitation.standing == Standing::Invited => {
                members::part(
                    regional,
                    administrator,
                    call.account(),
                    Standing::Resigned,
                    call.now,
                );
            }
            _ => refused.push(unprocessed(id, NO_INVITATION)),
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

/// Forgets invitations that were declined or have ended; an open or accepted one stays.
pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let mut refused = Vec::new();
    for (id, administrator) in ids(call) {
        let invitations = &mut world
            .guardduty
            .account(call.region, call.account())
            .invitations;
        let standing = administrator
            .and_then(|administrator| invitations.get(&administrator))
            .map(|it| it.standing);
        match (administrator, standing) {
            (Some(administrator), Some(Standing::Removed | Standing::Resigned)) => {
                invitations.remove(&administrator);
            }
            (Some(_), Some(_)) => {
                refused.push(unprocessed(id, "the invitation is open or accepted"))
            }
            _ => refused.push(unprocessed(id, NO_INVITATION)),
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

/// `GetAdministratorAccount`: success without content where the account is nobody's member.
pub(super) fn administrator(world: &mut World, call: &Call<'_>, member: &str) -> Answer {
    let account = owner(world, call)?;
    let Some(administrator) = account.administrator else {
        return Ok(json!({}));
    };
    let entry = match account.invitations.get(&administrator) {
        Some(invitation) if invitation.standing == Standing::Enabled => {
            invitation.describe(administrator)
        }
        _ => json!({ "AccountId": administrator.to_string(), "RelationshipStatus": "Enabled" }),
    };
    Ok(json!({ member: entry }))
}

/// `DisassociateFromAdministratorAccount`: open to invited members only.
pub(super) fn leave(world: &mut World, call: &Call<'_>) -> Answer {
    let Some(administrator) = owner(world, call)?.administrator else {
        return Err(rejected(
            "the current account is not associated with an administrator account",
        ));
    };
    let regional = world.guardduty.region(call.region);
    let way = regional
        .accounts
        .get(&administrator)
        .and_then(|there| there.members.get(&call.account()));
    if way.is_some_and(|member| member.way == Way::Organization) {
        return Err(rejected(
            "an account that was added through the organization cannot disassociate itself",
        ));
    }
    members::part(
        regional,
        administrator,
        call.account(),
        Standing::Resigned,
        call.now,
    );
    Ok(json!({}))
}
