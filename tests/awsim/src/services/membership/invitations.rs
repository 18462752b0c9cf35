//! The way to membership that both sides must want: `InviteMembers` here, `AcceptAdministratorInvitation` there.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::members::{Invited, may_have_members};
use super::{Refusal, Service, Standing, Way, each, time};
use crate::call::{AccountId, Answer, Call};
use crate::world::World;

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
    fn describe<S: Service>(&self, administrator: AccountId) -> Value {
        json!({
            "AccountId": administrator.to_string(),
            "InvitationId": self.id,
            "InvitedAt": time(self.sent_at),
            S::STATUS: self.standing.name(),
        })
    }
}

pub(super) fn invite<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    may_have_members::<S>(world, call)?;
    each::<S>(world, call, Refusal::InvalidId, |world, account| {
        invite_one::<S>(world, call, account)
    })
}

fn invite_one<S: Service>(
    world: &mut World,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), Refusal> {
    let verification = S::EMAIL_VERIFICATION.map(|duration| world.wait(duration));
    let root_email = world.organizations.email(account).map(str::to_owned);
    let id = world.random_hex(32);
    let state = S::membership(world);
    let administrator = state.administrator(call.region, account);
    let inviting = state.account(call.region, call.account());
    let member = inviting
        .members
        .get_mut(&account)
        .ok_or(Refusal::NotCreated)?;
    if member.way == Way::Organization {
        return Err(Refusal::OfOrganization);
    }
    if member.holds_administrator() {
        return Err(Refusal::AlreadyInvited);
    }
    if administrator.is_some() {
        return Err(Refusal::OthersMember);
    }
    let verified_at = call.now + verification.unwrap_or_default();
    let verified = verification.is_none() || root_email.as_ref() == Some(&member.email);
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
        let invited = state.account(call.region, account);
        invited.invitations.insert(call.account(), invitation);
    }
    Ok(())
}

pub(super) fn list<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    let account = S::membership(world).account(call.region, call.account());
    let arrived = account
        .invitations
        .iter()
        .filter(|(_, invitation)| invitation.arrives_at <= call.now);
    let entries = arrived
        .map(|(administrator, invitation)| invitation.describe::<S>(*administrator))
        .collect();
    S::paging("Invitations")
        .page(call, entries)
        .map(Value::Object)
}

/// Counts all invitations but the one that was accepted.
pub(super) fn count<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    let account = S::membership(world).account(call.region, call.account());
    let open = |invitation: &&Invitation| {
        invitation.arrives_at <= call.now && invitation.standing != Standing::Enabled
    };
    Ok(json!({ "InvitationsCount": account.invitations.values().filter(open).count() }))
}

/// Needs the id of an invitation that has arrived, and the service to be on. `administrator` is the input member with
/// the inviting account.
pub(super) fn accept<S: Service>(
    world: &mut World,
    call: &Call<'_>,
    administrator: &str,
) -> Answer {
    S::check_caller(world, call)?;
    let refuse = |why| S::refusal(call, why);
    let state = S::membership(world);
    let account = state.account(call.region, call.account());
    if account.administrator.is_some() {
        return Err(refuse(Refusal::HasAdministrator));
    }
    S::may_accept(account).map_err(refuse)?;
    let administrator: AccountId = call
        .required(administrator)
        .parse()
        .map_err(|()| refuse(Refusal::NoInvitation))?;
    let invitation = account
        .invitations
        .get_mut(&administrator)
        .filter(|invitation| {
            invitation.id == call.required("InvitationId")
                && invitation.standing == Standing::Invited
                && invitation.arrives_at <= call.now
        })
        .ok_or_else(|| refuse(Refusal::NoInvitation))?;
    invitation.standing = Standing::Enabled;
    account.administrator = Some(administrator);
    let members = &mut state.account(call.region, administrator).members;
    if let Some(member) = members.get_mut(&call.account()) {
        member.standing = Standing::Enabled;
        member.updated_at = call.now;
    }
    Ok(json!({}))
}

pub(super) fn decline<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    each::<S>(
        world,
        call,
        Refusal::NoInvitation,
        |world, administrator| {
            let state = S::membership(world);
            let invitations = &state.account(call.region, call.account()).invitations;
            let invitation = invitations.get(&administrator);
            if invitation.is_none_or(|invitation| invitation.standing != Standing::Invited) {
                return Err(Refusal::NoInvitation);
            }
            state.part(
                call.region,
                administrator,
                call.account(),
                Standing::Resigned,
                call.now,
            );
            Ok(())
        },
    )
}

/// Forgets invitations that were declined or have ended; an open or accepted one stays.
pub(super) fn delete<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    each::<S>(
        world,
        call,
        Refusal::NoInvitation,
        |world, administrator| {
            let account = S::membership(world).account(call.region, call.account());
            let invitation = account.invitations.get(&administrator);
            match invitation.ok_or(Refusal::NoInvitation)?.standing {
                Standing::Removed | Standing::Resigned => {
                    account.invitations.remove(&administrator)
                }
                _ => return Err(Refusal::InvitationStands),
            };
            Ok(())
        },
    )
}

/// `GetAdministratorAccount`: success without content where the account is nobody's member.
pub(super) fn administrator<S: Service>(
    world: &mut World,
    call: &Call<'_>,
    member: &str,
) -> Answer {
    S::check_caller(world, call)?;
    let account = S::membership(world).account(call.region, call.account());
    let Some(administrator) = account.administrator else {
        return Ok(json!({}));
    };
    let entry = match account.invitations.get(&administrator) {
        Some(invitation) if invitation.standing == Standing::Enabled => {
            invitation.describe::<S>(administrator)
        }
        _ => json!({ "AccountId": administrator.to_string(), S::STATUS: "Enabled" }),
    };
    Ok(json!({ member: entry }))
}

/// `DisassociateFromAdministratorAccount`: open to invited members only.
pub(super) fn leave<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    S::check_caller(world, call)?;
    let state = S::membership(world);
    let administrator = state
        .administrator_of_caller(call)
        .ok_or_else(|| S::refusal(call, Refusal::NoAdministrator))?;
    let member = state.member(call.region, administrator, call.account());
    if member.is_some_and(|member| member.way == Way::Organization) {
        return Err(S::refusal(call, Refusal::BoundByOrganization));
    }
    state.part(
        call.region,
        administrator,
        call.account(),
        Standing::Resigned,
        call.now,
    );
    Ok(json!({}))
}
