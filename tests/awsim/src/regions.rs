//! The Regions of the `aws` partition.

use crate::call::Region;

/// Regions that every account has from the start.
pub const DEFAULT: [Region; 17] = [
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

/// Regions that an account must opt in to.
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

/// The Region of the global endpoints.
pub const GLOBAL: Region = "us-east-1";

/// All Regions.
pub fn all() -> impl Iterator<Item = Region> {
    DEFAULT.into_iter().chain(OPT_IN)
}

/// The Region of a name.
pub fn find(name: &str) -> Option<Region> {
    all().find(|region| *region == name)
}

/// Whether an account must opt in to the Region.
pub fn is_opt_in(region: Region) -> bool {
    OPT_IN.contains(&region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_default_or_opt_in() {
        assert_eq!(all().collect::<std::collections::BTreeSet<_>>().len(), 34);
        assert_eq!(
            (find("eu-west-1"), find("eu-west-9")),
            (Some("eu-west-1"), None)
        );
        assert!(is_opt_in("eu-south-1") && !is_opt_in("us-east-1"));
    }
}
