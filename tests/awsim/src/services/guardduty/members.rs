//! What GuardDuty has of its own in the way of administrators and members.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::detectors::ensure;
use super::features::{Features, Kind};
use super::{owner, paging, rejected};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::services::membership::{
    Account, Auto, Joining, Refusal, Service, Standing, State, Way, each,
};
use crate::world::World;

pub(super) struct GuardDuty;

impl Service for GuardDuty {
    const PRINCIPAL: &'static str = super::SERVICE_PRINCIPAL;
    const STATUS: &'static str = "RelationshipStatus";
    const REASON: &'static str = "Result";
    const EMAIL_VERIFICATION: Option<SignedDuration> = Some(SignedDuration::from_secs(5));
    const JOINING_INVITES: bool = false;

    fn membership(world: &mut World) -> &mut State {
        &mut world.guardduty.membership
    }

    fn is_on(world: &World, region: Region, account: AccountId) -> bool {
        world.guardduty.detector(region, account).is_some()
    }

    fn check_caller(world: &mut World, call: &Call<'_>) -> Result<(), AwsError> {
        owner(world, call).map(|_| ())
    }

    fn switch_on_administrator(
        world: &mut World,
        region: Region,
        account: AccountId,
        now: Timestamp,
    ) {
        ensure(world, region, account, Features::of_new_detector(now), now);
        world.guardduty.wanted.remove(region);
    }

    /// Switches on what the organization wants; plans that were on stay on.
    fn switch_on_member(
        world: &mut World,
        region: Region,
        account: AccountId,
        _joining: Joining,
        now: Timestamp,
    ) {
        if world.organizations.is_active(account) {
            let features = Features::off(Kind::Detector, now);
            ensure(world, region, account, features, now);
        }
        let state = &mut world.guardduty;
        if let Some(detector) = state.detectors.get_mut(&(account, region)) {
            if let Some(wanted) = state.wanted.get(region) {
                detector.features.apply(wanted, now);
            }
            detector.enabled = true;
            detector.updated_at = now;
        }
    }

    fn refusal(_call: &Call<'_>, why: Refusal) -> AwsError {
        rejected(reason(why))
    }

    fn paging(items: &'static str) -> Paging {
        paging(items)
    }

    fn works(world: &World, region: Region, member: AccountId) -> bool {
        let detector = world.guardduty.detector(region, member);
        detector.is_some_and(|detector| detector.enabled)
    }

    fn describe(world: &World, region: Region, member: AccountId, entry: &mut Value) {
        if let Some(detector) = world.guardduty.detector(region, member) {
            entry["DetectorId"] = json!(detector.id);
        }
    }

    fn may_administer(account: &Account) -> Result<(), Refusal> {
        match account.administrator {
            Some(_) => Err(Refusal::Own(
                "the given account ID is an associated member of another account",
            )),
            None => Ok(()),
        }
    }

    fn may_accept(account: &Account) -> Result<(), Refusal> {
        if account.is_held() {
            return Err(Refusal::Own(
                "the current account has invited or associated members",
            ));
        }
        Ok(())
    }
}

fn reason(why: Refusal) -> &'static str {
    match why {
        Refusal::NotManagement => {
            "the current account is not the management account of an organization"
        }
        Refusal::NotInOrganization => {
            "the given account ID is not an active account of the organization"
        }
        Refusal::DesignationInProgress => {
            "another request to enable a delegated administrator is in progress"
        }
        Refusal::OtherAdministrator(_) => {
            "another account is already enabled as GuardDuty delegated administrator for the organization"
        }
        Refusal::AlreadyAdministrator => {
            "the account is already enabled as GuardDuty delegated administrator"
        }
        Refusal::NotAdministrator => {
            "the given account ID is not the GuardDuty delegated administrator of the organization"
        }
        Refusal::CallerNotAdministrator => {
            "the current account is not the GuardDuty delegated administrator of an organization"
        }
        Refusal::CallerIsMember => "the current account is a member and cannot have members",
        Refusal::HasAdministrator => {
            "the current account is already a member of an administrator account"
        }
        Refusal::NoAdministrator => {
            "the current account is not associated with an administrator account"
        }
        Refusal::BoundByOrganization => {
            "an account that was added through the organization cannot disassociate itself"
        }
        Refusal::InvalidId => "the given account ID is not valid",
        Refusal::Itself => "an account cannot be a member of itself",
        Refusal::NotOptedIn => "the given account has not opted in to the Region",
        Refusal::OthersMember => {
            "the given account ID is already an associated member of another account"
        }
        Refusal::ManagementOff => {
            "your organization master must first enable GuardDuty to be added as a member"
        }
        Refusal::NoAccount => "the given account ID does not exist",
        Refusal::NoEmail => "the e-mail address is missing",
        Refusal::AlreadyMember => {
            "the given account ID is already an invited or associated member of the current account"
        }
        Refusal::AlreadyInvited => {
            "the current account has already invited or is already the GuardDuty administrator account of the given member account ID"
        }
        Refusal::NotCreated => {
            "the given account ID is not a member that the current account has created"
        }
        Refusal::OfOrganization => {
            "an account that was added through the organization cannot be invited"
        }
        Refusal::NoInvitation => "no such invitation was sent to the current account",
        Refusal::InvitationStands => "the invitation is open or accepted",
        Refusal::NotMember => {
            "the given account ID is not an associated member of account the current account"
        }
        Refusal::StillMember => {
            "the given account ID is an associated member, which must be disassociated first"
        }
        Refusal::Own(reason) => reason,
    }
}

/// Parts with members. They keep their detectors, and stay listed as `Removed`.
pub(super) fn disassociate(world: &mut World, call: &Call<'_>) -> Answer {
    each_enabled(world, call, |world, account| {
        refuse_while_all(world, call, account)?;
        let state = &mut world.guardduty.membership;
        state.disassociate(call.region, account, call.now);
        Ok(())
    })
}

/// Does `act` for every account that a batch call names, if it is an enabled member of the caller.
pub(super) fn each_enabled(
    world: &mut World,
    call: &Call<'_>,
    mut act: impl FnMut(&mut World, AccountId) -> Result<(), Refusal>,
) -> Answer {
    owner(world, call)?;
    each::<GuardDuty>(world, call, Refusal::NotMember, |world, account| {
        let state = &world.guardduty.membership;
        match state.member(call.region, call.account(), account) {
            Some(member) if member.standing == Standing::Enabled => act(world, account),
            _ => Err(Refusal::NotMember),
        }
    })
}

/// While the organization says that ALL its accounts are members, none of them can be let go.
pub(super) fn refuse_while_all(
    world: &World,
    call: &Call<'_>,
    account: AccountId,
) -> Result<(), Refusal> {
    let state = &world.guardduty.membership;
    let member = state.member(call.region, call.account(), account);
    if state.auto(call.region) == Auto::All
        && member.is_some_and(|member| member.way == Way::Organization)
    {
        return Err(Refusal::Own(
            "autoEnableOrganizationMembers is set to ALL for the organization",
        ));
    }
    Ok(())
}
