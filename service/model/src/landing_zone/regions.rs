//! The Regions that there are. A mistyped one would be found by nobody: it is never called, and policies that deny every other
//! Region deny the one that was meant.

use landfall_policy::lint::nearest;

use crate::ids::Region;

/// A partition a line, with the source and its date.
const TABLE: &str = include_str!("regions.txt");

fn all() -> impl Iterator<Item = &'static str> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split_ascii_whitespace().skip(1))
}

/// That AWS has such a Region; else what is wrong, with the names that are most like it.
pub(super) fn known(region: &Region) -> Result<(), String> {
    if all().any(|known| known == region.as_str()) {
        return Ok(());
    }
    let near = match nearest(region.as_str(), all()).as_slice() {
        [] => ".".to_owned(),
        near => format!("; did you mean {}?", near.join(", ")),
    };
    Err(format!(
        "AWS has no Region {region} that this version of Landfall knows{near} If it is newer, name it in new_regions too"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_regions_of_every_partition() {
        for region in [
            "us-east-1",
            "ap-southeast-7",
            "cn-north-1",
            "us-gov-west-1",
            "eusc-de-east-1",
        ] {
            assert_eq!(known(&region.parse().unwrap()), Ok(()), "{region}");
        }
        assert!(all().all(|region| region.parse::<Region>().is_ok()));
    }

    #[test]
    fn a_mistyped_region_is_told_with_what_was_meant() {
        let rule = known(&"us-esat-2".parse().unwrap()).unwrap_err();
        assert!(rule.contains("did you mean us-east-2"), "{rule}");
        let rule = known(&"xx-nowhere-9".parse().unwrap()).unwrap_err();
        assert!(!rule.contains("did you mean"), "{rule}");
    }
}
