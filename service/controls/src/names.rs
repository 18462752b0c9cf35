//! Names that several controls must agree on.

use landfall_model::place::Place;

/// The organization trail. `scp/protect-baseline.json` protects trails that begin so.
pub const TRAIL: &str = "landfall-organization-trail";

/// The trail's ARN, which is known before the trail exists: the bucket's policy names it first.
pub fn trail_arn(place: &Place) -> String {
    format!(
        "arn:aws:cloudtrail:{}:{}:trail/{TRAIL}",
        place.landing_zone.home_region, place.organization.management_account
    )
}

/// The security account's Config aggregator.
pub const AGGREGATOR: &str = "landfall-organization";
