//! What controls would change: they observe and plan as in the engine, and nobody applies.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use landfall_controls::aws::Aws;
use landfall_controls::cloud::Cloud;
use landfall_controls::control::AnyControl;
use landfall_controls::error::CloudError;
use landfall_controls::members::Member;
use landfall_controls::registry;
use landfall_controls::session::Session;
use landfall_controls::vending;
use landfall_model::baseline::{self, Baseline};
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::finding::Finding;
use landfall_model::ids::{AccountId, ControlId, Email, Region};
use landfall_model::landing_zone::LandingZone;
use landfall_model::place::{Organization, Place};
use landfall_model::scp::InForce;
use serde_json::Value;

use crate::catalogue::Catalogue;

/// Cells that are looked at at once.
const CELLS_AT_ONCE: usize = 64;

/// What one control said in one Region: the sentences of its changes, or why it could not look.
type Told = Result<Vec<String>, CloudError>;

/// The findings of all controls of the organization's baseline, and of the management account's. `scps`: the policies as they
/// are to stand now.
pub(super) async fn plan(
    cloud: &Cloud,
    zone: &Arc<LandingZone>,
    catalogue: &Catalogue,
    scps: InForce,
    aws: &Aws,
    members: &[Member],
) -> Vec<Finding> {
    let found = match vending::describe_organization(aws).await {
        Ok(found) => found,
        Err(error) => {
            return vec![Finding::unread(
                "organization",
                error.to_string(),
                "Without its root nothing else can be looked at.",
            )];
        }
    };
    let place = Place {
        landing_zone: zone.clone(),
        scps: Arc::new(scps),
        organization: Arc::new(Organization {
            id: found.id,
            root_id: found.root_id,
            management_account: found.management_account.clone(),
            log_archive_account: with_email(members, &zone.accounts.log_archive.email),
            security_account: with_email(members, &zone.accounts.security.email),
        }),
        account: found.management_account,
        account_name: None,
        account_tags: BTreeMap::new(),
        email: found.management_email,
        organizational_unit: None,
        region: zone.home_region.clone(),
    };
    let baseline = |name: &str| {
        let baseline = catalogue.baselines.get(name);
        baseline.expect("the landing zone's baselines are checked when they are read")
    };
    let of_organization = baseline(baseline::ORGANIZATION);
    let mut findings = look_at_all(cloud, of_organization, true, &place).await;
    let of_management = baseline(&zone.management.baseline);
    let own = look_at_all(cloud, of_management, false, &place).await;
    findings.extend(own.into_iter().map(|finding| Finding {
        subject: format!("management account: {}", finding.subject),
        ..finding
    }));
    findings
}

/// The findings of all controls that an account in the place's OU has.
pub(crate) async fn plan_of_account(
    cloud: &Cloud,
    catalogue: &Catalogue,
    place: &Place,
) -> Vec<Finding> {
    let unit = place
        .organizational_unit
        .as_ref()
        .and_then(|path| place.landing_zone.unit(path));
    let baseline = unit.map_or("foundation", |unit| unit.baseline.as_str());
    match catalogue.baselines.get(baseline) {
        Some(baseline) => look_at_all(cloud, baseline, false, place).await,
        None => Vec::new(),
    }
}

async fn look_at_all(
    cloud: &Cloud,
    baseline: &Baseline,
    of_organization: bool,
    place: &Place,
) -> Vec<Finding> {
    let zone = &place.landing_zone;
    let mut looks = Vec::new();
    for (id, entry) in baseline.controls.as_ref() {
        let control =
            registry::control(id).expect("baselines are checked against the registry when read");
        let scope = control.descriptor().scope;
        if scope.is_organization() != of_organization {
            continue;
        }
        let regions = if scope.is_regional() {
            zone.governed_regions.as_slice()
        } else {
            std::slice::from_ref(&zone.home_region)
        };
        for region in regions.iter().filter(|region| entry.regions.hold(region)) {
            let parameters = entry.parameters_at(region, None);
            looks.push(look(cloud, control, parameters, place, region));
        }
    }
    let told: Vec<(ControlId, Region, Told)> = stream::iter(looks)
        .buffer_unordered(CELLS_AT_ONCE)
        .collect()
        .await;
    findings(told)
}

fn with_email(members: &[Member], email: &Email) -> Option<AccountId> {
    members
        .iter()
        .find(|member| member.has_email(email))
        .map(|member| member.account.clone())
}

async fn look(
    cloud: &Cloud,
    control: &'static dyn AnyControl,
    parameters: Value,
    place: &Place,
    region: &Region,
) -> (ControlId, Region, Told) {
    let descriptor = control.descriptor();
    let place = Place {
        region: region.clone(),
        ..place.clone()
    };
    let session = Session::new(
        cloud.clone(),
        Arc::new(place),
        "doctor".to_owned(),
        false,
        descriptor.actions.iter().copied().collect(),
        descriptor.actions,
    );
    let told = async {
        let desired = control.desired(&parameters, session.place())?;
        let look = control.look(&session, &desired).await?;
        Ok(look
            .changes
            .into_iter()
            .map(|change| change.sentence)
            .collect())
    };
    (descriptor.id.clone(), region.clone(), told.await)
}

/// One finding for each sentence, however many Regions say it.
fn findings(told: Vec<(ControlId, Region, Told)>) -> Vec<Finding> {
    let mut controls: BTreeMap<ControlId, BTreeMap<String, (Finding, Vec<Region>)>> =
        BTreeMap::new();
    for (id, region, told) in told {
        let said = controls.entry(id.clone()).or_default();
        let found = match told {
            Ok(sentences) => sentences
                .into_iter()
                .map(|sentence| Finding::landfall(id.as_str(), sentence))
                .collect(),
            Err(error) => vec![refused(&id, &error)],
        };
        for finding in found {
            let key = finding.what.clone();
            said.entry(key)
                .or_insert_with(|| (finding, Vec::new()))
                .1
                .push(region.clone());
        }
    }
    let mut findings = Vec::new();
    for (id, said) in controls {
        if said.is_empty() {
            findings.push(Finding::fine(id.as_str(), "is as the baseline wants it"));
        }
        for (mut finding, mut regions) in said.into_values() {
            regions.sort();
            match regions.as_slice() {
                [] | [_] => {}
                [first, rest @ ..] => {
                    let more = rest.len();
                    finding.what += &format!(" (in {first} and {more} more Regions)");
                }
            }
            findings.push(finding);
        }
    }
    findings
}

fn refused(id: &ControlId, error: &CloudError) -> Finding {
    let subject = id.as_str();
    match (error.kind, error.kind.help()) {
        (CloudErrorKind::NotReady, _) => {
            Finding::landfall(subject, format!("waits: {}", error.message))
        }
        (_, Help::Nobody) => Finding::unread(
            subject,
            error.to_string(),
            "Whether anything is missing here is not known.",
        ),
        (kind, _) => Finding::mend(
            subject,
            error.to_string(),
            "Landfall will be stopped by the same answer.",
            kind.advice(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use landfall_model::finding::Severity;

    use super::*;

    #[test]
    fn what_many_regions_say_is_said_once() {
        let id: ControlId = "guardduty.organization".parse().unwrap();
        let region = |name: &str| name.parse::<Region>().unwrap();
        let change = || Ok(vec!["make the security account administrator".to_owned()]);
        let denied = CloudError::new(CloudErrorKind::AccessDenied, "sts:AssumeRole", "no");
        let fine: ControlId = "organizations.units".parse().unwrap();
        let found = findings(vec![
            (id.clone(), region("eu-west-1"), change()),
            (id.clone(), region("us-east-1"), change()),
            (id, region("us-west-2"), Err(denied)),
            (fine, region("us-east-1"), Ok(Vec::new())),
        ]);
        let told: Vec<(Severity, &str)> = found
            .iter()
            .map(|finding| (finding.severity, finding.what.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    Severity::Landfall,
                    "make the security account administrator (in eu-west-1 and 1 more Regions)"
                ),
                (Severity::Mend, "sts:AssumeRole failed: no"),
                (Severity::Fine, "is as the baseline wants it"),
            ]
        );
    }
}
