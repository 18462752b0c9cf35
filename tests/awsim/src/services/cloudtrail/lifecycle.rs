//! How trails come, change and go.

use super::selectors::Selectors;
use super::visibility::{changeable, count};
use super::{Reference, Trail, bucket, done, organization, tags, trail};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::regions;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// The most trails of an account in a Region. AWS does not raise it.
const MOST: usize = 5;

/// A new trail does not log until `StartLogging`.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("Name");
    trail::check_name(name)?;
    let organization = call.flag("IsOrganizationTrail").unwrap_or(false);
    if organization {
        organization::prepare(world, call)?;
    }
    let mut trail = Trail {
        name: name.to_owned(),
        owner: owner(call, organization),
        home: call.region,
        bucket: String::new(),
        prefix: None,
        global_events: true,
        multi_region: false,
        validation: false,
        organization,
        selectors: Selectors::default(),
        tags: tags::read(call)?,
        logging: false,
        started: None,
        stopped: None,
    };
    apply(call, &mut trail)?;
    check_unique(world, &trail, None)?;
    check_room(world, &trail, None)?;
    bucket::check(world, &trail).map_err(|fault| fault.refusal(&trail.bucket))?;
    let settings = trail.settings();
    world
        .cloudtrail
        .trails
        .entry(trail.owner)
        .or_default()
        .push(trail);
    Ok(settings)
}

/// Changes the members that are given and keeps the others.
pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let reference = changeable(world, call, call.required("Name"))?;
    let old = world
        .cloudtrail
        .get(&reference)
        .ok_or_else(|| reference.unknown(call))?;
    let mut trail = old.clone();
    trail.organization = call.flag("IsOrganizationTrail").unwrap_or(old.organization);
    apply(call, &mut trail)?;
    if trail.organization != old.organization && call.account() != MANAGEMENT_ACCOUNT {
        return Err(AwsError::new(
            "NotOrganizationMasterAccountException",
            "Only the management account can convert a trail to or from an organization trail.",
        ));
    }
    check_unique(world, &trail, Some(&reference))?;
    check_room(world, &trail, Some(old))?;
    if trail.organization {
        organization::prepare(world, call)?;
    }
    bucket::check(world, &trail).map_err(|fault| fault.refusal(&trail.bucket))?;
    let settings = trail.settings();
    if let Some(old) = world.cloudtrail.get_mut(&reference) {
        *old = trail;
    }
    Ok(settings)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let reference = changeable(world, call, call.required("Name"))?;
    world.cloudtrail.remove(&reference);
    done()
}

fn owner(call: &Call<'_>, organization: bool) -> AccountId {
    if organization {
        MANAGEMENT_ACCOUNT
    } else {
        call.account()
    }
}

/// Takes over what the call says about the trail.
fn apply(call: &Call<'_>, trail: &mut Trail) -> Result<(), AwsError> {
    if let Some(bucket) = call.text("S3BucketName") {
        bucket::check_name(bucket)?;
        bucket.clone_into(&mut trail.bucket);
    }
    if let Some(prefix) = call.text("S3KeyPrefix") {
        if prefix.chars().count() > 200 || prefix.starts_with('/') || prefix.ends_with('/') {
            return Err(AwsError::new(
                "InvalidS3PrefixException",
                format!("S3 prefix {prefix} is not valid."),
            ));
        }
        trail.prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
    }
    let keep_or = |member, old| call.flag(member).unwrap_or(old);
    trail.global_events = keep_or("IncludeGlobalServiceEvents", trail.global_events);
    trail.multi_region = keep_or("IsMultiRegionTrail", trail.multi_region);
    trail.validation = keep_or("EnableLogFileValidation", trail.validation);
    if trail.multi_region && !trail.global_events {
        return Err(AwsError::new(
            "InvalidParameterCombinationException",
            "Multi-Region trail must include global service events.",
        ));
    }
    check_absent_services(call)
}

/// awsim has no SNS, KMS or CloudWatch Logs: nothing that these members could name exists.
fn check_absent_services(call: &Call<'_>) -> Result<(), AwsError> {
    let given = |member| call.text(member).filter(|text| !text.is_empty());
    if given("SnsTopicName").is_some() {
        return Err(AwsError::new(
            "InsufficientSnsTopicPolicyException",
            "SNS Topic does not exist or the topic policy is incorrect!",
        ));
    }
    if let Some(key) = given("KmsKeyId") {
        return Err(AwsError::new(
            "KmsKeyNotFoundException",
            format!("KMS key {key} does not exist."),
        ));
    }
    if given("CloudWatchLogsLogGroupArn").is_some() || given("CloudWatchLogsRoleArn").is_some() {
        return Err(AwsError::new(
            "InvalidCloudWatchLogsLogGroupArnException",
            "CloudTrail cannot validate the specified log group ARN.",
        ));
    }
    Ok(())
}

/// No two trails of an account have the same name in the same Region, shadows included. `old` is what `new` replaces.
fn check_unique(world: &World, new: &Trail, old: Option<&Reference>) -> Result<(), AwsError> {
    let mut others = world.cloudtrail.of(new.owner).iter();
    let collides = |other: &Trail| {
        other.name == new.name
            && old.is_none_or(|old| !old.names(other))
            && (other.reaches(new.home) || new.reaches(other.home))
    };
    if others.any(collides) {
        return Err(AwsError::new(
            "TrailAlreadyExistsException",
            format!(
                "Trail {} already exists for customer: {}",
                new.name, new.owner
            ),
        ));
    }
    Ok(())
}

/// Checks that the owner has room for one more trail in each Region that the trail reaches and did not reach before.
fn check_room(world: &World, new: &Trail, old: Option<&Trail>) -> Result<(), AwsError> {
    let reached = regions::all()
        .filter(|region| new.reaches(region) && !old.is_some_and(|old| old.reaches(region)));
    for region in reached {
        if count(world, new.owner, region) >= MOST {
            return Err(AwsError::new(
                "MaximumNumberOfTrailsExceededException",
                format!("User: {} already has {MOST} trails in {region}.", new.owner),
            ));
        }
    }
    Ok(())
}
