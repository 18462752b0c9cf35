//! `landfall doctor`: says, before anything is changed, what the organization lacks, why that matters, and what mends it.
//!
//! It looks with the credentials and settings of `serve` and changes nothing. What the organization's own baseline lacks
//! is not judged here: its controls observe and plan as they do in the engine, and nobody applies the plan.
//! `judgement` is pure: from what was seen to findings.

mod accounts;
mod database;
mod judgement;
mod plans;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use landfall_controls::cloud::Cloud;
use landfall_controls::error::CloudError;
use landfall_controls::members::{self, Member};
use landfall_controls::preflight;
use landfall_model::finding::{self, Finding, Severity};
use landfall_model::ids::AccountId;
use landfall_model::landing_zone::LandingZone;
use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::engine::policies;

pub(crate) use accounts::execution_role_commands;
pub use database::{Remembered, examine as examine_database};
pub(crate) use plans::plan_of_account;

/// Roles that are tried at once.
const ROLES_AT_ONCE: usize = 32;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether the organization could be looked at.
    pub looked: bool,
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst that was found.
    pub fn worst(&self) -> Severity {
        finding::worst(&self.findings)
    }
}

/// Looks at the organization; `now` is this machine's clock. `remembered` is what the database says, where it could be asked.
pub async fn examine(
    cloud: &Cloud,
    zone: &Arc<LandingZone>,
    catalogue: &Catalogue,
    remembered: &Remembered,
    now: Timestamp,
) -> Report {
    let mut findings = Vec::new();
    let caller = preflight::caller(cloud).await;
    findings.extend(judgement::caller(caller.as_ref(), now));
    if caller.is_err() {
        return Report {
            looked: false,
            findings,
        };
    }
    let (management, home) = (&zone.management_account, &zone.home_region);
    let aws = match preflight::management(cloud, management, home).await {
        Ok(aws) => aws,
        Err(error) => {
            let caller = caller.ok();
            findings.push(judgement::no_management_role(zone, caller.as_ref(), &error));
            return Report {
                looked: false,
                findings,
            };
        }
    };
    findings.push(judgement::management_role(zone));
    let features = preflight::features(&aws).await;
    let looked = features.is_ok();
    findings.extend(judgement::features(zone, features.as_ref()));
    findings.push(judgement::control_tower(
        preflight::control_tower(&aws).await.as_ref(),
    ));
    findings.extend(judgement::regions(
        zone,
        preflight::regions(&aws).await.as_ref(),
    ));
    findings.extend(judgement::trails(
        preflight::other_trails(&aws).await.as_ref(),
    ));
    let members = members::list(&aws).await;
    findings.extend(accounts::members(zone, members.as_ref()));
    if let Ok(members) = &members {
        let roles = roles(cloud, zone, members).await;
        let governed = &remembered.governed;
        findings.extend(accounts::roles(zone, members, governed, &roles));
    }
    if let (Ok(features), Ok(members)) = (&features, &members)
        && judgement::can_be_planned(zone, features)
    {
        let Remembered {
            exemptions, scps, ..
        } = remembered;
        let (scps, _) = policies::in_force(scps, &catalogue.scps, zone, exemptions, now);
        let planned = plans::plan(cloud, zone, catalogue, scps, &aws, members).await;
        findings.extend(planned);
    }
    Report { looked, findings }
}

/// Tries the execution role of every member that is alive.
async fn roles(
    cloud: &Cloud,
    zone: &LandingZone,
    members: &[Member],
) -> BTreeMap<AccountId, Result<(), CloudError>> {
    let entered = members
        .iter()
        .filter(|member| member.state.is_looked_after())
        .filter(|member| member.account != zone.management_account)
        .map(|member| async {
            let tried = preflight::execution_role(cloud, &member.account, &zone.home_region).await;
            (member.account.clone(), tried)
        });
    stream::iter(entered)
        .buffer_unordered(ROLES_AT_ONCE)
        .collect()
        .await
}
