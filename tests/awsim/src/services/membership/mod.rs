//! Administrators and their members, which GuardDuty and Security Hub have alike.
//!
//! Everything here belongs to one Region: an account has at most one administrator in it, and each Region has its own
//! delegated administrator. The two ways to make a member account differ in who must agree:
//!
//! - *Organization*: the management account names a delegated administrator, which makes accounts of the
//!   organization members without asking them ([`organization`], [`members`]). The member cannot leave by itself.
//! - *Invitation*: any administrator names an account with its root e-mail and invites it, and the account
//!   accepts ([`invitations`]). An account that came through the organization cannot be invited.
//!
//! What AWS does on its own later (an account that becomes a member by itself, the check of an e-mail address) is
//! settled when somebody looks: a simulated AWS needs no clockwork of its own, and moving the clock forward is enough.
//!
//! A [`Service`] says what it calls things and what its own rules are.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::World;

mod batch;
mod invitations;
mod members;
mod organization;
mod refusal;
mod state;

pub(crate) use batch::{each, ids};
pub(crate) use members::{Joining, Member, Standing, Way};
pub(crate) use organization::{Auto, administered, enable_admin, managing, settle};
pub(crate) use refusal::Refusal;
pub(crate) use state::{Account, State};

/// What a service with administrators and members does in its own way.
pub(crate) trait Service {
    /// The service's name as Organizations and IAM know it.
    const PRINCIPAL: &'static str;
    /// The member of an answer that tells how two accounts stand to each other.
    const STATUS: &'static str;
    /// The member of an entry in `UnprocessedAccounts` that tells why it is there.
    const REASON: &'static str;
    /// How long the e-mail address that an administrator gave is compared with the account's root e-mail; `None` where
    /// any address will do.
    const EMAIL_VERIFICATION: Option<SignedDuration>;
    /// Whether members that came through the organization are shown with the moment of an invitation.
    const JOINING_INVITES: bool;

    fn membership(world: &mut World) -> &mut State;

    /// Whether the service is on in the account.
    fn is_on(world: &World, region: Region, account: AccountId) -> bool;

    /// Refuses the caller unless the service is on in its account.
    fn check_caller(world: &mut World, call: &Call<'_>) -> Result<(), AwsError>;

    /// Switches the service on in the organization's new administrator, and begins its settings anew.
    fn switch_on_administrator(
        world: &mut World,
        region: Region,
        account: AccountId,
        now: Timestamp,
    );

    /// Switches the service on in a new member, as its organization wants it.
    fn switch_on_member(
        world: &mut World,
        region: Region,
        account: AccountId,
        joining: Joining,
        now: Timestamp,
    );

    /// The refusal in the service's own words. What batch calls leave out is told with the message alone.
    fn refusal(call: &Call<'_>, why: Refusal) -> AwsError;

    /// How lists of members and invitations page.
    fn paging(items: &'static str) -> Paging;

    /// Whether an enabled member does what members are for; it is shown as `Disabled` if not.
    fn works(_world: &World, _region: Region, _member: AccountId) -> bool {
        true
    }

    /// Adds what this service alone tells of an enabled member.
    fn describe(_world: &World, _region: Region, _member: AccountId, _entry: &mut Value) {}

    /// What this service alone demands of an organization's administrator.
    fn may_administer(_account: &Account) -> Result<(), Refusal> {
        Ok(())
    }

    /// What this service alone demands of an account that accepts an invitation.
    fn may_accept(_account: &Account) -> Result<(), Refusal> {
        Ok(())
    }

    /// What this service alone demands of a member that its administrator wants to forget.
    fn may_delete(_member: &Member) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Answers the operations that the services share, by the model's names. What a service has in its own form, it answers
/// before it asks here.
pub(crate) fn answer<S: Service>(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "EnableOrganizationAdminAccount" => organization::enable_admin::<S>(world, call),
        "DisableOrganizationAdminAccount" => organization::disable_admin::<S>(world, call),
        "CreateMembers" => members::create::<S>(world, call),
        "GetMembers" => members::get::<S>(world, call),
        "ListMembers" => members::list::<S>(world, call),
        "DeleteMembers" => members::delete::<S>(world, call),
        "InviteMembers" => invitations::invite::<S>(world, call),
        "ListInvitations" => invitations::list::<S>(world, call),
        "GetInvitationsCount" => invitations::count::<S>(world, call),
        "AcceptAdministratorInvitation" => invitations::accept::<S>(world, call, "AdministratorId"),
        "AcceptInvitation" => invitations::accept::<S>(world, call, "MasterId"),
        "DeclineInvitations" => invitations::decline::<S>(world, call),
        "DeleteInvitations" => invitations::delete::<S>(world, call),
        "GetAdministratorAccount" => invitations::administrator::<S>(world, call, "Administrator"),
        "GetMasterAccount" => invitations::administrator::<S>(world, call, "Master"),
        "DisassociateFromAdministratorAccount" | "DisassociateFromMasterAccount" => {
            invitations::leave::<S>(world, call)
        }
        _ => Err(AwsError::not_built()),
    }
}

/// Timestamps as these services write them.
pub(crate) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}
