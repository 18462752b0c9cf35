//! Detectors: one for each account and Region, which is GuardDuty being on there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::features::Features;
use super::{SERVICE_PRINCIPAL, owner, paging, rejected, time};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

pub(super) struct Detector {
    /// 32 hexadecimal digits.
    pub(super) id: String,
    /// Off while the detector is suspended: it is still there, and watches nothing.
    pub(super) enabled: bool,
    pub(super) features: Features,
    publishing: String,
    created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    tags: BTreeMap<String, String>,
}

impl Detector {
    fn new(id: String, features: Features, now: Timestamp) -> Self {
        Detector {
            id,
            enabled: true,
            features,
            publishing: "SIX_HOURS".to_owned(),
            created_at: now,
            updated_at: now,
            tags: BTreeMap::new(),
        }
    }

    pub(super) fn status(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }

    fn describe(&self, account: AccountId) -> Value {
        json!({
            "CreatedAt": time(self.created_at),
            "UpdatedAt": time(self.updated_at),
            "Status": self.status(),
            "FindingPublishingFrequency": self.publishing,
            "ServiceRole": format!(
                "arn:aws:iam::{account}:role/aws-service-role/{SERVICE_PRINCIPAL}/AWSServiceRoleForAmazonGuardDuty"
            ),
            "DataSources": self.features.data_sources(),
            "Features": self.features.list_with_foundation(self.created_at),
            "Tags": self.tags,
        })
    }
}

/// Switches GuardDuty on where it is not, as AWS does for delegated administrators and members of an organization.
pub(super) fn ensure(
    world: &mut World,
    region: Region,
    account: AccountId,
    features: Features,
    now: Timestamp,
) {
    if world.guardduty.detector(region, account).is_none() {
        let detector = Detector::new(world.random_hex(32), features, now);
        let detectors = &mut world.guardduty.detectors;
        detectors.insert((account, region), detector);
        world
            .iam
            .ensure_service_linked_role(account, SERVICE_PRINCIPAL, now);
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let own = (call.account(), call.region);
    if world.guardduty.detectors.contains_key(&own) {
        return Err(rejected(
            "a detector already exists for the current account",
        ));
    }
    let mut features = Features::of_new_detector(call.now);
    features.merge(&call.input, call.now)?;
    let mut detector = Detector::new(world.random_hex(32), features, call.now);
    detector.enabled = call.flag("Enable").unwrap_or_default();
    if let Some(frequency) = call.text("FindingPublishingFrequency") {
        frequency.clone_into(&mut detector.publishing);
    }
    add_tags(&mut detector.tags, &call.input);
    let id = detector.id.clone();
    world.guardduty.detectors.insert(own, detector);
    world
        .iam
        .ensure_service_linked_role(call.account(), SERVICE_PRINCIPAL, call.now);
    Ok(json!({ "DetectorId": id }))
}

/// A member publishes its findings as often as its administrator does.
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    let mut answer = owner(world, call)?.describe(call.account());
    let state = &world.guardduty;
    let administrator = state
        .membership
        .administrator_of_caller(call)
        .and_then(|administrator| state.detector(call.region, administrator));
    if let Some(theirs) = administrator {
        answer["FindingPublishingFrequency"] = json!(theirs.publishing);
    }
    Ok(answer)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let detector = world.guardduty.detector(call.region, call.account());
    let ids = detector.iter().map(|detector| json!(detector.id)).collect();
    paging("DetectorIds").page(call, ids).map(Value::Object)
}

/// Merges: features that the call does not name keep their setting. What a member's detector does is for its
/// administrator to say (GuardDuty user guide, "multiple-account environments").
pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let administrator = world.guardduty.membership.administrator_of_caller(call);
    let detector = owner(world, call)?;
    let switches = call
        .flag("Enable")
        .is_some_and(|enable| enable != detector.enabled);
    let changes = ["Features", "DataSources", "FindingPublishingFrequency"];
    if administrator.is_some()
        && (switches
            || changes
                .iter()
                .any(|member| call.input.get(member).is_some()))
    {
        return Err(rejected("member cannot manage specified resources"));
    }
    let mut features = detector.features.clone();
    features.merge(&call.input, call.now)?;
    detector.features = features;
    detector.enabled = call.flag("Enable").unwrap_or(detector.enabled);
    if let Some(frequency) = call.text("FindingPublishingFrequency") {
        frequency.clone_into(&mut detector.publishing);
    }
    detector.updated_at = call.now;
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    owner(world, call)?;
    let state = &mut world.guardduty;
    let admin = state.membership.organization_admin(call.region);
    let account = state.membership.account(call.region, call.account());
    let reason = if account.is_held() {
        "the current account cannot delete detector while it has invited or associated members"
    } else if admin == Some(call.account()) {
        "the current account cannot delete detector while it is the delegated administrator of its organization"
    } else if account.administrator.is_some() {
        "the current account cannot delete detector while it is associated with an administrator account"
    } else {
        account.members.clear();
        state.detectors.remove(&(call.account(), call.region));
        return Ok(json!({}));
    };
    Err(rejected(reason))
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Answer {
    let detector = tagged(world, call)?;
    add_tags(&mut detector.tags, &call.input);
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Answer {
    let detector = tagged(world, call)?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        detector.tags.remove(key);
    }
    Ok(json!({}))
}

pub(super) fn tags(world: &mut World, call: &Call<'_>) -> Answer {
    tagged(world, call).map(|detector| json!({ "Tags": detector.tags }))
}

/// The caller's detector, once the call names it by ARN.
fn tagged<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Detector, AwsError> {
    let prefix = format!(
        "arn:aws:guardduty:{}:{}:detector/",
        call.region,
        call.account()
    );
    let id = call.required("ResourceArn").strip_prefix(&prefix);
    let detector = world.guardduty.detector_mut(call.region, call.account());
    detector
        .filter(|detector| Some(detector.id.as_str()) == id)
        .ok_or_else(|| rejected("the resource ARN does not belong to the current account"))
}

fn add_tags(tags: &mut BTreeMap<String, String>, input: &Value) {
    for (key, value) in input["Tags"].as_object().into_iter().flatten() {
        tags.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
    }
}
