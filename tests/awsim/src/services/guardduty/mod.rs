//! GuardDuty: the detectors of accounts, and what administrators do to those of their members.
//!
//! Everything here belongs to one Region: an account has at most one detector in it. How accounts become members is
//! told in [`membership`].

use std::collections::BTreeMap;

use super::membership::{self, time};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::World;
use detectors::Detector;
use features::Features;
use members::GuardDuty;

mod detectors;
mod features;
mod members;
mod monitoring;
mod organization;
mod tamper;

pub use tamper::tamper;

/// GuardDuty's name as Organizations and IAM know it.
const SERVICE_PRINCIPAL: &str = "guardduty.amazonaws.com";

#[derive(Default)]
pub struct State {
    membership: membership::State,
    detectors: BTreeMap<(AccountId, Region), Detector>,
    /// What the organization's administrator wants on in its members, by Region.
    wanted: BTreeMap<Region, Features>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    membership::settle::<GuardDuty>(world, call.region, call.account(), call.now);
    match call.operation {
        "CreateDetector" => detectors::create(world, call),
        "GetDetector" => detectors::get(world, call),
        "ListDetectors" => detectors::list(world, call),
        "UpdateDetector" => detectors::update(world, call),
        "DeleteDetector" => detectors::delete(world, call),
        "TagResource" => detectors::tag(world, call),
        "UntagResource" => detectors::untag(world, call),
        "ListTagsForResource" => detectors::tags(world, call),
        "ListOrganizationAdminAccounts" => organization::list_admins(world, call),
        "UpdateOrganizationConfiguration" => organization::update(world, call),
        "DescribeOrganizationConfiguration" => organization::describe(world, call),
        "DisassociateMembers" => members::disassociate(world, call),
        "StopMonitoringMembers" => monitoring::monitor(world, call, false),
        "StartMonitoringMembers" => monitoring::monitor(world, call, true),
        "GetMemberDetectors" => monitoring::detectors(world, call),
        "UpdateMemberDetectors" => monitoring::update_detectors(world, call),
        _ => membership::answer::<GuardDuty>(world, call),
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
    fn detector(&self, region: Region, account: AccountId) -> Option<&Detector> {
        self.detectors.get(&(account, region))
    }

    fn detector_mut(&mut self, region: Region, account: AccountId) -> Option<&mut Detector> {
        self.detectors.get_mut(&(account, region))
    }
}

/// The caller's detector, once the call names it.
fn owner<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Detector, AwsError> {
    let detector = world.guardduty.detector_mut(call.region, call.account());
    detector
        .filter(|detector| detector.id == call.required("DetectorId"))
        .ok_or_else(|| rejected("the input detectorId is not owned by the current account"))
}

/// GuardDuty's one refusal, in its own words: "The request is rejected because …".
fn rejected(reason: &str) -> AwsError {
    AwsError::new(
        "BadRequestException",
        format!("The request is rejected because {reason}."),
    )
    .with("Type", "InvalidInputException")
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
