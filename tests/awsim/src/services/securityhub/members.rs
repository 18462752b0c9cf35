//! What Security Hub has of its own in the way of administrators and members.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    access_denied, conflict, hub, invalid_access, invalid_input, not_found, paging, subscriber,
};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::services::membership::{Joining, Member, Refusal, Service, Standing, State, Way, ids};
use crate::world::World;

pub(super) struct SecurityHub;

impl Service for SecurityHub {
    const PRINCIPAL: &'static str = super::SERVICE_PRINCIPAL;
    const STATUS: &'static str = "MemberStatus";
    const REASON: &'static str = "ProcessingResult";
    const EMAIL_VERIFICATION: Option<SignedDuration> = None;
    const JOINING_INVITES: bool = true;

    fn membership(world: &mut World) -> &mut State {
        &mut world.securityhub.membership
    }

    fn is_on(world: &World, region: Region, account: AccountId) -> bool {
        world.securityhub.hub(region, account).is_some()
    }

    fn check_caller(world: &mut World, call: &Call<'_>) -> Result<(), AwsError> {
        subscriber(world, call).map(|_| ())
    }

    fn switch_on_administrator(
        world: &mut World,
        region: Region,
        account: AccountId,
        now: Timestamp,
    ) {
        hub::ensure(world, region, account, true, now);
        world.securityhub.without_standards.remove(region);
    }

    /// A hub that is on keeps its standards. One that was off gets the default ones, unless the account joins by itself
    /// and the organization does not want them.
    fn switch_on_member(
        world: &mut World,
        region: Region,
        account: AccountId,
        joining: Joining,
        now: Timestamp,
    ) {
        if world.organizations.is_active(account) {
            let default_standards =
                joining == Joining::Asked || !world.securityhub.without_standards.contains(region);
            hub::ensure(world, region, account, default_standards, now);
        }
    }

    fn refusal(call: &Call<'_>, why: Refusal) -> AwsError {
        let caller = call.account();
        let administers = |account: &str| {
            conflict(format!(
                "Account {account} is already the administrator account of this organization"
            ))
        };
        match why {
            Refusal::NotManagement => invalid_access(format!(
                "Account {caller} is not the management account of an organization"
            )),
            Refusal::NotInOrganization => invalid_input(format!(
                "Account {} is not an active account of the organization",
                call.required("AdminAccountId")
            )),
            Refusal::DesignationInProgress => conflict(
                "Another designation of the organization's administrator account is in progress",
            ),
            Refusal::OtherAdministrator(account) => administers(&account.to_string()),
            Refusal::AlreadyAdministrator => administers(call.required("AdminAccountId")),
            Refusal::NotAdministrator => {
                invalid_input("The account is not the administrator account of this organization")
            }
            Refusal::CallerNotAdministrator => invalid_access(format!(
                "Account {caller} is not an administrator for this organization"
            )),
            Refusal::CallerIsMember => access_denied("A member account cannot have members"),
            Refusal::HasAdministrator => {
                invalid_input("The account is already a member of an administrator account")
            }
            Refusal::NoAdministrator => {
                not_found("The account is not a member of an administrator account")
            }
            Refusal::BoundByOrganization => invalid_access(format!(
                "Account {caller} is a member through its organization: only the administrator account can disassociate it"
            )),
            Refusal::NoInvitation => not_found("The invitation does not exist"),
            Refusal::InvalidId => invalid_input("The account id is not valid"),
            Refusal::Itself => invalid_input("An account cannot be a member of itself"),
            Refusal::NotOptedIn => invalid_input("The account has not opted in to the Region"),
            Refusal::OthersMember => {
                invalid_input("The account is already a member of another administrator account")
            }
            Refusal::ManagementOff => invalid_input(
                "The organization management account must enable Security Hub before it can be a member",
            ),
            Refusal::NoAccount => invalid_input("The account does not exist"),
            Refusal::NoEmail => invalid_input("The e-mail address is missing"),
            Refusal::AlreadyMember | Refusal::AlreadyInvited => {
                invalid_input("The account is already an invited or enabled member")
            }
            Refusal::NotCreated => invalid_input(
                "The account is not a member that the administrator account has created",
            ),
            Refusal::OfOrganization => {
                invalid_input("An account of the organization cannot be invited")
            }
            Refusal::InvitationStands => invalid_input("The invitation is open or accepted"),
            Refusal::NotMember => {
                invalid_input("The account is not a member of the administrator account")
            }
            Refusal::StillMember => {
                invalid_input("The account is an enabled member, which must be disassociated first")
            }
            Refusal::Own(reason) => invalid_input(reason),
        }
    }

    fn paging(items: &'static str) -> Paging {
        paging(items, 50)
    }

    fn may_delete(member: &Member) -> Result<(), Refusal> {
        match member.way {
            Way::Organization => Err(Refusal::Own(
                "An account of the organization cannot be deleted",
            )),
            Way::Invitation => Ok(()),
        }
    }
}

/// Parts with members, who keep their hubs and stay listed as `Removed`. All or none: the answer has no room for
/// accounts that were left out.
pub(super) fn disassociate(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let state = &mut world.securityhub.membership;
    let is_member = |account: AccountId| {
        let member = state.member(call.region, call.account(), account);
        member.is_some_and(|member| member.standing == Standing::Enabled)
    };
    if let Some((id, _)) = ids(call).find(|(_, account)| !account.is_some_and(is_member)) {
        return Err(not_found(format!(
            "Account {id} is not a member of the administrator account"
        )));
    }
    for account in ids(call).filter_map(|(_, account)| account) {
        state.disassociate(call.region, account, call.now);
    }
    Ok(json!({}))
}
