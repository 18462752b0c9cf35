//! Security Hub (CSPM): the hub of an account, its standards, members, findings.
//!
//! Everything but the finding aggregator belongs to one Region. Two things here surprise whoever does not know them:
//! a standard that goes on while Config is not recording stays broken long after recording has begun
//! ([`standards`]), and making an account a member switches the default standards on unless its hub was on before
//! ([`members`]). How accounts become members is told in [`membership`].
//!
//! What AWS does on its own later, such as getting a standard ready, is settled when somebody looks.

use std::collections::{BTreeMap, BTreeSet};

use super::membership::{self, time};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::World;
use hub::Hub;
use members::SecurityHub;

mod aggregators;
mod filters;
mod findings;
mod hub;
mod members;
mod organization;
mod standards;
mod tamper;

pub use tamper::tamper;

/// Security Hub's name as Organizations and IAM know it.
const SERVICE_PRINCIPAL: &str = "securityhub.amazonaws.com";

#[derive(Default)]
pub struct State {
    membership: membership::State,
    hubs: BTreeMap<(AccountId, Region), Hub>,
    /// Where accounts that become members by themselves get no standards: `AutoEnableStandards` is `NONE`.
    without_standards: BTreeSet<Region>,
    /// An account has at most one aggregator over all Regions.
    aggregators: BTreeMap<AccountId, aggregators::Aggregator>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    membership::settle::<SecurityHub>(world, call.region, call.account(), call.now);
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
        "ListOrganizationAdminAccounts" => organization::list_admins(world, call),
        "UpdateOrganizationConfiguration" => organization::update(world, call),
        "DescribeOrganizationConfiguration" => organization::describe(world, call),
        "DisassociateMembers" => members::disassociate(world, call),
        "CreateFindingAggregator" => aggregators::create(world, call),
        "GetFindingAggregator" => aggregators::get(world, call),
        "ListFindingAggregators" => aggregators::list(world, call),
        "UpdateFindingAggregator" => aggregators::update(world, call),
        "DeleteFindingAggregator" => aggregators::delete(world, call),
        "BatchImportFindings" => findings::import(world, call),
        "GetFindings" => findings::get(world, call),
        _ => membership::answer::<SecurityHub>(world, call),
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
    fn hub(&self, region: Region, account: AccountId) -> Option<&Hub> {
        self.hubs.get(&(account, region))
    }

    /// Forgets everything that the account had in Security Hub; `None` where it was not on.
    fn switch_off(&mut self, region: Region, account: AccountId) -> Option<Hub> {
        let hub = self.hubs.remove(&(account, region))?;
        self.membership.forget(region, account);
        Some(hub)
    }
}

/// The caller's hub, once it is on.
fn subscriber<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Hub, AwsError> {
    let hubs = &mut world.securityhub.hubs;
    hubs.get_mut(&(call.account(), call.region))
        .ok_or_else(|| not_subscribed(call.account()))
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
