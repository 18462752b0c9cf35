//! The Regions of the commercial partition.

use crate::call::Region;

/// Regions that every account has from the start and cannot switch off.
pub const ENABLED_BY_DEFAULT: [Region; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Regions that each account switches on for itself.
pub const OPT_IN: [Region; 17] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
];

/// Every Region, those enabled by default first.
pub fn all() -> impl Iterator<Item = Region> {
    ENABLED_BY_DEFAULT.into_iter().chain(OPT_IN)
}

/// The interned name of a Region.
pub fn named(name: &str) -> Option<Region> {
    all().find(|region| *region == name)
}
