//! The way to membership for accounts outside the organization.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::members::{self, Standing, Way, ids};
use super::{
    access_denied, invalid_access, invalid_input, not_found, paging, subscriber, time, unprocessed,
};
use crate::call::{AccountId, Answer, Call};
use crate::world::World;

const NO_INVITATION: &str = "The invitation does not exist";

/// An invitation as the invited account sees it.
pub(super) struct Invitation {
    /// 32 hexadecimal digits.
    id: String,
    sent_at: Timestamp,
    pub(super) standing: Standing,
}

impl Invitation {
    fn describe(&self, administrator: AccountId) -> Value {
        json!({
            "AccountId": administrator.to_string(),
            "InvitationId": self.id,
            "InvitedAt": time(self.sent_at),
            "MemberStatus": self.standing.name(),
        })
    }
}

pub(super) fn invite(world: &mut World, call: &Call<'_>) -> Answer {
    if subscriber(world, call)?.administrator.is_some() {
        return Err(access_denied("A member account cannot have members"));
    }
    let mut refused = Vec::new();
    for (id, account) in ids(call) {
        let result = account.ok_or("The account id is not valid");
        if let Err(reason) = result.and_then(|account| invite_one(world, call, account)) {
            refused.push(unprocessed(id, reason));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

fn invite_one(world: &mut World, call: &Call<'_>, account: AccountId) -> Result<(), &'static str> {
    let id = world.random_hex(32);
    let regional = world.securityhub.region(call.region);
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
        return Err("The account is not a member that the administrator account has created");
    };
    if member.way == Way::Organization {
        return Err("An account of the organization cannot be invited");
    }
    if matches!(member.standing, Standing::Invited | Standing::Enabled) {
        return Err("The account is already an invited or enabled member");
    }
    if administrator.is_some() {
        return Err("The account is already a member of another administrator account");
    }
    member.standing = Standing::Invited;
    member.invited_at = Some(call.now);
    member.updated_at = call.now;
    let invitation = Invitation {
        id,
        sent_at: call.now,
        standing: Standing::Invited,
    };
    regional
        .accounts
        .entry(account)
        .or_default()
        .invitations
        .insert(call.account(), invitation);
    Ok(())
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let invitations = &world
        .securityhub
        .account(call.region, call.account())
        .invitations;
    let entries = invitations
        .iter()
        .map(|(administrator, invitation)| invitation.describe(*administrator))
        .collect();
    paging("Invitations", 50)
        .page(call, entries)
        .map(Value::Object)
}

/// Counts all invitations but the one that was accepted.
pub(super) fn count(world: &mut World, call: &Call<'_>) -> Answer {
    let invitations = &world
        .securityhub
        .account(call.region, call.account())
        .invitations;
    let open = invitations
        .values()
        .filter(|invitation| invitation.standing != Standing::Enabled);
    Ok(json!({ "InvitationsCount": open.count() }))
}

/// Needs the caller's own hub and the id of an open invitation. `administrator` is the input member with the inviting
/// account.
pub(super) fn accept(world: &mut World, call: &Call<'_>, administrator: &str) -> Answer {
    let account = subscriber(world, call)?;
    if account.administrator.is_some() {
        return Err(invalid_input(
            "The account is already a member of an administrator account",
        ));
    }
    let administrator: AccountId = call
        .required(administrator)
        .parse()
        .map_err(|()| not_found(NO_INVITATION))?;
    let invitation = account
        .invitations
        .get_mut(&administrator)
        .filter(|invitation| {
            invitation.id == call.required("InvitationId")
                && invitation.standing == Standing::Invited
        });
    let Some(invitation) = invitation else {
        return Err(not_found(NO_INVITATION));
    };
    invitation.standing = Standing::Enabled;
    account.administrator = Some(administrator);
    let members = &mut world
        .securityhub
        .account(call.region, administrator)
        .members;
    if let Some(member) = members.get_mut(&call.account()) {
        member.standing = Standing::Enabled;
        member.updated_at = call.now;
    }
    Ok(json!({}))
}

pub(super) fn decline(world: &mut World, call: &Call<'_>) -> Answer {
    let mut refused = Vec::new();
    for (id, administrator) in ids(call) {
        let regional = world.securityhub.region(call.region);
        let invitations = &regional
            .accounts
            .entry(call.account())
            .or_default()
            .invitations;
        let standing = administrator
            .and_then(|administrator| invitations.get(&administrator))
            .map(|it| it.standing);
        match (administrator, standing) {
            (Some(administrator), Some(Standing::Invited)) => {
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
            .securityhub
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
                refused.push(unprocessed(id, "The invitation is open or accepted"))
            }
            _ => refused.push(unprocessed(id, NO_INVITATION)),
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

/// `GetAdministratorAccount`: success without content where the account is nobody's member.
pub(super) fn administrator(world: &mut World, call: &Call<'_>, member: &str) -> Answer {
    let account = subscriber(world, call)?;
    let Some(administrator) = account.administrator else {
        return Ok(json!({}));
    };
    let entry = match account.invitations.get(&administrator) {
        Some(invitation) if invitation.standing == Standing::Enabled => {
            invitation.describe(administrator)
        }
        _ => json!({ "AccountId": administrator.to_string(), "MemberStatus": "Enabled" }),
    };
    Ok(json!({ member: entry }))
}

/// `DisassociateFromAdministratorAccount`: open to invited members only.
pub(super) fn leave(world: &mut World, call: &Call<'_>) -> Answer {
    let Some(administrator) = subscriber(world, call)?.administrator else {
        return Err(not_found(
            "The account is not a member of an administrator account",
        ));
    };
    let regional = world.securityhub.region(call.region);
    let way = regional
        .accounts
        .get(&administrator)
        .and_then(|there| there.members.get(&call.account()));
    if way.is_some_and(|member| member.way == Way::Organization) {
        return Err(invalid_access(format!(
            "Account {} is a member through its organization: only the administrator account can disassociate it",
            call.account()
        )));
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
