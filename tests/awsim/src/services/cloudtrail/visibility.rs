//! Who sees a trail from where, and who may change it.
//!
//! ```text
//!                         home Region        other Regions
//! owner                   sees, changes      sees a multi-Region trail
//! delegated administrator sees, changes      sees a multi-Region trail    ┐ organization
//! other members           sees               sees a multi-Region trail    ┘ trails, by ARN
//! ```

use serde_json::{Value, json};

use super::organization;
use super::{Reference, Trail};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// The organization trails that reach a member from the management account.
fn from_organization(world: &World, account: AccountId) -> impl Iterator<Item = &Trail> {
    let member = account != MANAGEMENT_ACCOUNT && world.organizations.created_at(account).is_some();
    let owner = member.then_some(MANAGEMENT_ACCOUNT);
    let trails = owner.map_or(&[][..], |owner| world.cloudtrail.of(owner));
    trails.iter().filter(|trail| trail.organization)
}

/// Every trail of an account, shadows of the organization's included, in whatever Region.
pub(super) fn all(world: &World, account: AccountId) -> impl Iterator<Item = &Trail> {
    let own = world.cloudtrail.of(account).iter();
    own.chain(from_organization(world, account))
}

/// How many trails an account has in a Region. Shadow trails count.
pub(super) fn count(world: &World, account: AccountId, region: Region) -> usize {
    all(world, account)
        .filter(|trail| trail.reaches(region))
        .count()
}

/// The trail that a reading call names.
///
/// # Errors
///
/// `TrailNotFoundException` for one that the caller cannot see; the reference's own errors.
pub(super) fn visible<'a>(
    world: &'a World,
    call: &Call<'_>,
    text: &str,
) -> Result<&'a Trail, AwsError> {
    let reference = Reference::read(call, text)?;
    all(world, call.account())
        .find(|trail| reference.names(trail) && trail.reaches(call.region))
        .ok_or_else(|| reference.unknown(call))
}

/// The trail that a call changes, from its home Region.
///
/// # Errors
///
/// `InvalidHomeRegionException` from another Region; otherwise as [`owned`].
pub(super) fn changeable(
    world: &World,
    call: &Call<'_>,
    text: &str,
) -> Result<Reference, AwsError> {
    let reference = Reference::read(call, text)?;
    let elsewhere = || {
        let mut own = world.cloudtrail.of(call.account()).iter();
        own.find(|trail| trail.name == reference.name && trail.multi_region)
    };
    let reference = match world.cloudtrail.get(&reference) {
        None if reference.by_name => elsewhere().map_or(reference.clone(), Reference::of),
        _ => reference,
    };
    let trail = owned(world, call, &reference)?;
    if trail.home != call.region {
        return Err(AwsError::new(
            "InvalidHomeRegionException",
            format!(
                "{} can only be changed in its home Region {}.",
                trail.arn(),
                trail.home
            ),
        ));
    }
    Ok(reference)
}

/// The trail, if the caller owns it or administers it for the organization.
///
/// # Errors
///
/// `TrailNotFoundException`, `NotOrganizationMasterAccountException` for a member that merely sees the organization's
/// trail, `NoManagementAccountSLRExistsException` for a delegated administrator where the role is missing.
pub(super) fn owned<'a>(
    world: &'a World,
    call: &Call<'_>,
    reference: &Reference,
) -> Result<&'a Trail, AwsError> {
    let trail = all(world, call.account())
        .find(|trail| reference.names(trail))
        .ok_or_else(|| reference.unknown(call))?;
    if trail.owner != call.account() {
        organization::check_administrator(world, call)?;
    }
    Ok(trail)
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let trail = visible(world, call, call.required("Name"))?;
    Ok(json!({ "Trail": trail.describe() }))
}

/// Names that match nothing are left out without an error, unlike everywhere else.
pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let shadows = call.flag("includeShadowTrails").unwrap_or(true);
    let is_shadow = |trail: &Trail| trail.owner != call.account() || trail.home != call.region;
    let wanted = call.list("trailNameList").iter().filter_map(Value::as_str);
    let wanted = wanted
        .map(|text| Reference::read(call, text))
        .collect::<Result<Vec<_>, _>>()?;
    let matches = |trail: &Trail| match wanted.as_slice() {
        [] => trail.reaches(call.region),
        // An ARN tells an owner of a trail of another Region, too (CloudTrail API, `DescribeTrails`). Nothing else does.
        wanted => {
            (trail.owner == call.account() || trail.reaches(call.region))
                && wanted.iter().any(|reference| reference.names(trail))
        }
    };
    let found = all(world, call.account())
        .filter(|trail| matches(trail) && (shadows || !is_shadow(trail)))
        .map(Trail::describe);
    Ok(json!({ "trailList": Vec::from_iter(found) }))
}

/// All trails of the account, from every Region.
pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    const PAGING: Paging = Paging {
        items: "Trails",
        limit: "",
        token: ("NextToken", "NextToken"),
        most: 100,
        bad_token: "InvalidTokenException",
        empty_first: false,
    };
    let items = all(world, call.account()).map(
        |trail| json!({ "TrailARN": trail.arn(), "Name": trail.name, "HomeRegion": trail.home }),
    );
    PAGING.page(call, items.collect()).map(Value::Object)
}
