//! What GuardDuty's controls share: the detector of an account and Region, of which there is at most one, and the members
//! of an administrator, of which each has one.

use std::collections::BTreeMap;

use aws_sdk_guardduty::operation::create_detector::builders::CreateDetectorFluentBuilder;
use aws_sdk_guardduty::types::{self, DetectorStatus, FeatureStatus};
use landfall_model::ids::AccountId;
use serde::Serialize;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::error::CloudError;
use crate::membership::{ENABLED, Listed, PAGE};
use crate::session::Session;

pub(crate) const LIST_DETECTORS: &str = "guardduty:ListDetectors";
pub(crate) const GET_DETECTOR: &str = "guardduty:GetDetector";
pub(crate) const CREATE_DETECTOR: &str = "guardduty:CreateDetector";
pub(crate) const LIST_MEMBERS: &str = "guardduty:ListMembers";
pub(crate) const GET_MEMBER_DETECTORS: &str = "guardduty:GetMemberDetectors";

/// Always on, and told of by the detector's own account alone.
const FOUNDATION: [&str; 3] = ["CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"];

/// A detector as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Detector {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) finding_publishing_frequency: String,
    /// Those that can be turned on and off, by GuardDuty's names.
    pub(crate) features: BTreeMap<String, bool>,
}

/// A member as its administrator lists it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) listed: Listed,
    detector: Option<String>,
}

impl From<types::Member> for Member {
    fn from(member: types::Member) -> Self {
        Member {
            listed: Listed {
                status: member.relationship_status.unwrap_or_default(),
                email: member.email,
            },
            detector: member.detector_id,
        }
    }
}

/// A detector, and who told of it.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// The account itself, which also tells that it has none.
    ByAccount(Option<Detector>),
    ByAdministrator(Detector),
}

/// The id of the account's detector in the Region.
pub(crate) async fn detector_of(aws: &Aws) -> Result<Option<String>, CloudError> {
    let guardduty = aws.guardduty();
    let ids = aws
        .call(LIST_DETECTORS, || guardduty.list_detectors().send())
        .await?
        .detector_ids;
    Ok(ids.unwrap_or_default().into_iter().next())
}

/// The same where everything else hangs on it.
pub(crate) async fn needed_detector_of(aws: &Aws) -> Result<String, CloudError> {
    detector_of(aws).await?.ok_or_else(|| {
        let (account, region) = (aws.account(), aws.region());
        CloudError::not_ready(
            LIST_DETECTORS,
            format!("GuardDuty is not on yet in {account} in {region}"),
        )
    })
}

/// The account's detector, as the account sees it.
pub(crate) async fn own_detector(aws: &Aws) -> Result<Option<Detector>, CloudError> {
    match detector_of(aws).await? {
        Some(id) => Ok(Some(detector(aws, &id).await?)),
        None => Ok(None),
    }
}

async fn detector(aws: &Aws, id: &str) -> Result<Detector, CloudError> {
    let guardduty = aws.guardduty();
    let detector = aws
        .call(GET_DETECTOR, || {
            guardduty.get_detector().detector_id(id).send()
        })
        .await?;
    let features = detector.features.unwrap_or_default().into_iter();
    Ok(Detector {
        id: id.to_owned(),
        enabled: detector.status == Some(DetectorStatus::Enabled),
        finding_publishing_frequency: detector
            .finding_publishing_frequency
            .map(|frequency| frequency.as_str().to_owned())
            .unwrap_or_default(),
        features: features
            .filter_map(|feature| switch(feature.name?.as_str(), feature.status.as_ref()))
            .collect(),
    })
}

fn switch(name: &str, status: Option<&FeatureStatus>) -> Option<(String, bool)> {
    let on = status? == &FeatureStatus::Enabled;
    (!FOUNDATION.contains(&name)).then(|| (name.to_owned(), on))
}

/// Makes the detector, if there is none.
///
/// A second one is refused with the code of any bad request. The list is asked first, and may be older than the
/// detector: then the message tells.
pub(crate) async fn create_detector(
    aws: &Aws,
    detector: &CreateDetectorFluentBuilder,
) -> Result<(), CloudError> {
    if detector_of(aws).await?.is_some() {
        return Ok(());
    }
    match aws.call(CREATE_DETECTOR, || detector.clone().send()).await {
        Err(error) if error.is(&["BadRequestException"]) && error.says("already exists") => Ok(()),
        created => created.map(drop),
    }
}

/// An administrator's whole list.
pub(crate) async fn members(
    administrator: &Aws,
    detector: &str,
) -> Result<BTreeMap<AccountId, Option<Member>>, CloudError> {
    let guardduty = administrator.guardduty();
    let mut members = BTreeMap::new();
    let mut token = None;
    loop {
        let page = administrator
            .call(LIST_MEMBERS, || {
                guardduty
                    .list_members()
                    .detector_id(detector)
                    .only_associated("false")
                    .max_results(PAGE)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let page_members = page.members.unwrap_or_default().into_iter();
        members.extend(page_members.filter_map(|member| {
            let account = member.account_id.as_deref()?.parse().ok()?;
            Some((account, Some(Member::from(member))))
        }));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(members);
        }
    }
}

/// The detectors of all members whose membership works, as their administrator sees them: fifty in a call.
///
/// A member with a suspended detector is listed as `Disabled`, and one publishes its findings as often as its
/// administrator does (GuardDuty user guide, "Managing multiple accounts").
pub(crate) async fn member_detectors(
    aws: &Session,
) -> Result<BTreeMap<AccountId, Seen>, CloudError> {
    let administrator = aws.security().await?;
    let own = needed_detector_of(administrator).await?;
    let own = detector(administrator, &own).await?;
    // Whoever asks about memberships next is answered from this list too.
    let roster = aws.rosters().guardduty_members.of(administrator.region());
    let read = async || members(administrator, &own.id).await;
    let members = roster.list(Instant::now(), read).await?;
    let ids: BTreeMap<&AccountId, &String> = members
        .iter()
        .filter_map(|(account, member)| {
            let member = member.as_ref()?;
            let works = member.listed.status == ENABLED;
            Some((account, member.detector.as_ref()?)).filter(|_| works)
        })
        .collect();
    let accounts: Vec<String> = ids.keys().map(ToString::to_string).collect();
    let guardduty = administrator.guardduty();
    let mut detectors = BTreeMap::new();
    for accounts in accounts.chunks(PAGE.unsigned_abs() as usize) {
        let answer = administrator
            .call(GET_MEMBER_DETECTORS, || {
                guardduty
                    .get_member_detectors()
                    .detector_id(&own.id)
                    .set_account_ids(Some(accounts.to_vec()))
                    .send()
            })
            .await?;
        for member in answer.member_data_source_configurations.unwrap_or_default() {
            let account = member.account_id.and_then(|account| account.parse().ok());
            let Some((account, id)) =
                account.and_then(|account| ids.get(&account).map(|id| (account, *id)))
            else {
                continue;
            };
            let features = member.features.unwrap_or_default().into_iter();
            let detector = Detector {
                id: id.clone(),
                enabled: true,
                finding_publishing_frequency: own.finding_publishing_frequency.clone(),
                features: features
                    .filter_map(|feature| switch(feature.name?.as_str(), feature.status.as_ref()))
                    .collect(),
            };
            detectors.insert(account, Seen::ByAdministrator(detector));
        }
    }
    Ok(detectors)
}
