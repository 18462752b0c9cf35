//! GuardDuty: detectors and both ways to membership.
//!
//! Everything here belongs to one Region: an account has at most one detector in it, at most one administrator, and
//! each Region has its own delegated administrator. The two ways to make a member account differ in who must agree:
//!
//! - *Organization*: the management account names a delegated administrator, which makes accounts of the
//!   organization members without asking them ([`organization`], [`members`]). The member cannot leave by itself.
//! - *Invitation*: any administrator names an account with its exact root e-mail and invites it, and the account
//!   accepts ([`invitations`]). An account that came through the organization cannot be invited.
//!
//! What AWS does on its own later (`AutoEnableOrganizationMembers`, the check of an e-mail address) is settled when
//! somebody looks: a simulated AWS needs no clockwork of its own, and moving the clock forward is enough.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::World;

mod detectors;
mod features;
mod invitations;
mod members;
mod monitoring;
mod organization;
mod tamper;

pub use tamper::tamper;

/// GuardDuty's name as Organizations and IAM know it.
const SERVICE_PRINCIPAL: &str = "guardduty.amazonaws.com";

#[derive(Default)]
pub struct State {
    regions: BTreeMap<Region, Regional>,
    /// Where and when the organization's first delegated administrator was named. Until AWS has spread that, the
    /// same call in another Region fails.
    first_enabled: Option<(Region, Timestamp)>,
}

/// GuardDuty in one Region.
#[derive(Default)]
struct Regional {
    organization: Option<organization::Organization>,
    accounts: BTreeMap<AccountId, Account>,
}

/// One account in one Region: its detector, and how it stands to others.
#[derive(Default)]
struct Account {
    detector: Option<detectors::Detector>,
    /// The administrator whose member this account is.
    administrator: Option<AccountId>,
    /// Invitations to this account, by the account that sent them.
    invitations: BTreeMap<AccountId, invitations::Invitation>,
    /// The accounts that this one has named as its members, whatever has become of them.
    members: BTreeMap<AccountId, members::Member>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    organization::settle(world, call.region, call.account(), call.now);
    match call.operation {
        "CreateDetector" => detectors::create(world, call),
        "GetDetector" => detectors::get(world, call),
        "ListDetectors" => detectors::list(world, call),
        "UpdateDetector" => detectors::update(world, call),
        "DeleteDetector" => detectors::delete(world, call),
        "TagResource" => detectors::tag(world, call),
        "UntagResource" => detectors::untag(world, call),
        "ListTagsForResource" => detectors::tags(world, call),
        "EnableOrganizationAdminAccount" => organization::enable_admin(world, call),
        "DisableOrganizationAdminAccount" => organization::disable_admin(world, call),
        "ListOrganizationAdminAccounts" => organization::list_admins(world, call),
        "UpdateOrganizationConfiguration" => organization::update(world, call),
        "DescribeOrganizationConfiguration" => organization::describe(world, call),
        "CreateMembers" => members::create(world, call),
        "GetMembers" => members::get(world, call),
        "ListMembers" => members::list(world, call),
        "DisassociateMembers" => members::disassociate(world, call),
        "DeleteMembers" => members::delete(world, call),
        "StopMonitoringMembers" => monitoring::monitor(world, call, false),
        "StartMonitoringMembers" => monitoring::monitor(world, call, true),
        "GetMemberDetectors" => monitoring::detectors(world, call),
        "UpdateMemberDetectors" => monitoring::update_detectors(world, call),
        "InviteMembers" => invitations::invite(world, call),
        "ListInvitations" => invitations::list(world, call),
        "GetInvitationsCount" => invitations::count(world, call),
        "AcceptAdministratorInvitation" => invitations::accept(world, call, "AdministratorId"),
        "AcceptInvitation" => invitations::accept(world, call, "MasterId"),
        "DeclineInvitations" => invitations::decline(world, call),
        "DeleteInvitations" => invitations::delete(world, call),
        "GetAdministratorAccount" => invitations::administrator(world, call, "Administrator"),
        "GetMasterAccount" => invitations::administrator(world, call, "Master"),
        "DisassociateFromAdministratorAccount" | "DisassociateFromMasterAccount" => {
            invitations::leave(world, call)
        }
        _ => Err(AwsError::not_built()),
    }
}

/// The detector that a call names; `*` for calls that name none (service authorization reference, GuardDuty).
pub fn resource(call: &Call<'_>) -> String {
    match (call.text("ResourceArn"), call.text("DetectorId")) {
        (Some(arn), _) => arn.to_owned(),
        (None, Some(id)) => format!(
            "arn:aws:guardduty:{}:{}:detector/{id}",
            call.region,
            call.account()
        ),
        (None, None) => "*".to_owned(),
    }
}

impl State {
    fn region(&mut self, region: Region) -> &mut Regional {
        self.regions.entry(region).or_default()
    }

    fn account(&mut self, region: Region, account: AccountId) -> &mut Account {
        self.region(region).accounts.entry(account).or_default()
    }
}

impl Regional {
    fn is_organization_admin(&self, account: AccountId) -> bool {
        self.organization
            .as_ref()
            .is_some_and(|organization| organization.administrator == account)
    }

    fn detector_mut(&mut self, account: AccountId) -> Option<&mut detectors::Detector> {
        self.accounts
            .get_mut(&account)
            .and_then(|account| account.detector.as_mut())
    }
}

/// The caller's account, once the call names its detector.
fn owner<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Account, AwsError> {
    let account = world.guardduty.account(call.region, call.account());
    match &account.detector {
        Some(detector) if detector.id == call.required("DetectorId") => Ok(account),
        _ => Err(rejected(
            "the input detectorId is not owned by the current account",
        )),
    }
}

/// GuardDuty's one refusal, in its own words: "The request is rejected because …".
fn rejected(reason: &str) -> AwsError {
    AwsError::new(
        "BadRequestException",
        format!("The request is rejected because {reason}."),
    )
    .with("Type", "InvalidInputException")
}

/// An entry of `UnprocessedAccounts`, which batch calls report beside HTTP status 200.
fn unprocessed(account: &str, reason: &str) -> Value {
    json!({ "AccountId": account, "Result": format!("The request is rejected because {reason}.") })
}

/// Timestamps as GuardDuty writes them.
fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Every list of GuardDuty pages alike, at most 50 a page.
fn paging(items: &'static str) -> Paging {
    Paging {
        items,
        limit: "MaxResults",
        token: ("NextToken", "NextToken"),
        most: 50,
        bad_token: "BadRequestException",
        empty_first: false,
    }
}

#[cfg(test)]
mod tests;
