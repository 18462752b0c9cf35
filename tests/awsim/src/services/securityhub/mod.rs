//! Security Hub (CSPM): the hub of an account, its standards, members, findings.
//!
//! Everything but the finding aggregator belongs to one Region. Two things here surprise whoever does not know them:
//! a standard that goes on while Config is not recording stays broken long after recording has begun
//! ([`standards`]), and making an account a member switches the default standards on unless its hub was on before
//! ([`members`]).
//!
//! What AWS does on its own later (a standard that gets ready, a new account that becomes a member) is settled when
//! somebody looks, as in GuardDuty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::World;

mod aggregators;
mod filters;
mod findings;
mod hub;
mod invitations;
mod members;
mod organization;
mod standards;
mod tamper;

pub use tamper::tamper;

/// Security Hub's name as Organizations and IAM know it.
const SERVICE_PRINCIPAL: &str = "securityhub.amazonaws.com";

#[derive(Default)]
pub struct State {
    regions: BTreeMap<Region, Regional>,
    /// Where and when the organization's first delegated administrator was named. Until AWS has spread that, the
    /// same call in another Region fails.
    first_enabled: Option<(Region, Timestamp)>,
    /// An account has at most one aggregator over all Regions.
    aggregators: BTreeMap<AccountId, aggregators::Aggregator>,
}

/// Security Hub in one Region.
#[derive(Default)]
struct Regional {
    organization: Option<organization::Organization>,
    accounts: BTreeMap<AccountId, Account>,
}

/// One account in one Region: its hub, and how it stands to others.
#[derive(Default)]
struct Account {
    hub: Option<hub::Hub>,
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
        "EnableSecurityHub" => hub::enable(world, call),
        "DescribeHub" => hub::describe(world, call),
        "UpdateSecurityHubConfiguration" => hub::update(world, call),
        "DisableSecurityHub" => hub::disable(world, call),
        "TagResource" => hub::tag(world, call),
        "UntagResource" => hub::untag(world, call),
        "ListTagsForResource" => hub::tags(world, call),
        "DescribeStandards" => standards::describe(world, call),
        "GetEnabledStandards" => standards::enabled(world, call),
        "BatchEnableStandards" => standards::enable(world, call),
        "BatchDisableStandards" => standards::disable(world, call),
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
        "CreateFindingAggregator" => aggregators::create(world, call),
        "GetFindingAggregator" => aggregators::get(world, call),
        "ListFindingAggregators" => aggregators::list(world, call),
        "UpdateFindingAggregator" => aggregators::update(world, call),
        "DeleteFindingAggregator" => aggregators::delete(world, call),
        "BatchImportFindings" => findings::import(world, call),
        "GetFindings" => findings::get(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The hub, which nearly every call acts on (service authorization reference, Security Hub).
pub fn resource(call: &Call<'_>) -> String {
    let named = ["ResourceArn", "FindingAggregatorArn"];
    if let Some(arn) = named.into_iter().find_map(|member| call.text(member)) {
        return arn.to_owned();
    }
    match call.operation {
        "BatchImportFindings" => call
            .list("Findings")
            .first()
            .map_or("*", |finding| finding["ProductArn"].as_str().unwrap_or("*")),
        operation if operation.contains("OrganizationAdminAccount") => "*",
        _ => return hub::arn(call.region, call.account()),
    }
    .to_owned()
}

impl State {
    fn region(&mut self, region: Region) -> &mut Regional {
        self.regions.entry(region).or_default()
    }

    fn account(&mut self, region: Region, account: AccountId) -> &mut Account {
        self.region(region).accounts.entry(account).or_default()
    }

    fn hub(&self, region: &str, account: AccountId) -> Option<&hub::Hub> {
        self.regions
            .get(region)?
            .accounts
            .get(&account)?
            .hub
            .as_ref()
    }
}

impl Regional {
    fn is_organization_admin(&self, account: AccountId) -> bool {
        self.organization
            .as_ref()
            .is_some_and(|organization| organization.administrator == account)
    }
}

/// The caller's account, once its hub is on.
fn subscriber<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Account, AwsError> {
    let account = world.securityhub.account(call.region, call.account());
    if account.hub.is_some() {
        Ok(account)
    } else {
        Err(not_subscribed(call.account()))
    }
}

fn not_subscribed(account: AccountId) -> AwsError {
    invalid_access(format!(
        "Account {account} is not subscribed to AWS Security Hub"
    ))
}

fn refusal(code: &'static str, status: u16, message: impl Into<String>) -> AwsError {
    AwsError::new(code, message)
        .status(status)
        .with("Code", code)
}

fn invalid_access(message: impl Into<String>) -> AwsError {
    refusal("InvalidAccessException", 401, message)
}

fn access_denied(message: impl Into<String>) -> AwsError {
    refusal("AccessDeniedException", 403, message)
}

fn invalid_input(message: impl Into<String>) -> AwsError {
    refusal("InvalidInputException", 400, message)
}

fn conflict(message: impl Into<String>) -> AwsError {
    refusal("ResourceConflictException", 409, message)
}

fn not_found(message: impl Into<String>) -> AwsError {
    refusal("ResourceNotFoundException", 404, message)
}

/// An entry of `UnprocessedAccounts`, which batch calls report beside HTTP status 200.
fn unprocessed(account: &str, reason: &str) -> Value {
    json!({ "AccountId": account, "ProcessingResult": reason })
}

/// Timestamps as Security Hub writes them.
fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn paging(items: &'static str, most: usize) -> Paging {
    Paging {
        items,
        limit: "MaxResults",
        token: ("NextToken", "NextToken"),
        most,
        bad_token: "InvalidInputException",
        empty_first: false,
    }
}

#[cfg(test)]
mod tests;
