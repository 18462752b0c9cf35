use super::*;

const EXAMPLE: &str = include_str!("../../../../deploy/landing-zone.toml");

#[test]
fn the_example_is_right_and_governs_seventeen_regions() {
    let zone = LandingZone::parse("landing-zone.toml", EXAMPLE).unwrap();
    assert_eq!(zone.governed_regions.len(), 17);
    for path in [
        "Restricted",
        "Admin",
        "Applications/Production",
        "Applications/Development",
        "Applications/Sandbox",
        "Quarantine",
        "Suspended",
    ] {
        assert!(zone.unit(&path.parse().unwrap()).is_some(), "{path}");
    }
}

#[test]
fn a_mistake_is_found_in_its_own_line() {
    let lines = EXAMPLE.lines().count();
    for (from, to, line_of, rule) in [
        // `x` stands in the first line already.
        (
            "# external_ids = [\"0f1e2d3c-landfall\"]",
            "external_ids = [\n\"fine\",\n\"x\"]",
            "\"x\"]",
            "an external id",
        ),
        (
            "quarantine = \"Quarantine\"",
            "quarantine = \"Admin/Nowhere\"",
            "quarantine = ",
            "quarantine is Admin/Nowhere",
        ),
        (
            "\"us-east-2\", ",
            "\"us-esat-2\", ",
            "\"us-esat-2\"",
            "did you mean us-east-2",
        ),
        (
            "bucket = \"landfall-logs-{account}\"",
            "bucket = \"Landfall_logs-{account}\"",
            "bucket = \"L",
            "lower-case",
        ),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let text = EXAMPLE.replace(from, to);
        let error = LandingZone::parse("landing-zone.toml", &text).unwrap_err();
        let line = text.lines().position(|line| line.contains(line_of));
        assert_eq!(error.line, line.map(|line| line + 1), "{error}");
        assert!(error.rule.contains(rule), "{error}");
    }
    let twice = format!("{EXAMPLE}\n[[organizational_unit]]\npath = \"Admin\"\n");
    let error = LandingZone::parse("landing-zone.toml", &twice).unwrap_err();
    assert_eq!(error.line, Some(lines + 3), "{error}");
}

#[test]
fn a_region_that_is_newer_than_the_table_is_named_twice() {
    let newer = EXAMPLE.replace("\"us-east-2\", ", "\"us-south-9\", ");
    let error = LandingZone::parse("landing-zone.toml", &newer).unwrap_err();
    assert!(error.rule.contains("new_regions"), "{error}");
    let named = newer.replace(
        "home_region =",
        "new_regions = [\"us-south-9\"]\nhome_region =",
    );
    let zone = LandingZone::parse("landing-zone.toml", &named).unwrap();
    assert!(
        zone.governed_regions
            .iter()
            .any(|region| region.as_str() == "us-south-9")
    );
}

#[test]
fn a_mistake_is_named_with_its_line() {
    for (from, to, rule) in [
        (
            "home_region = \"us-east-1\"",
            "home_region = \"ap-east-1\"",
            "not one of governed_regions",
        ),
        (
            "home_region",
            "home_reggion",
            "unknown field `home_reggion`",
        ),
        (
            "quarantine = \"Quarantine\"",
            "quarantine = \"Nowhere\"",
            "not among the organizational units",
        ),
        ("{id}", "id", "needs {id}"),
        ("approval_above = 0.1", "approval_above = 10", "from 0 to 1"),
        ("\"us-east-2\"", "\"us-east-1\"", "twice"),
        (
            "path = \"Applications\"",
            "path = \"Apps\"",
            "which has no entry of its own",
        ),
        ("\"111111111111\"", "\"11111\"", "twelve digits"),
        ("longest_days = 180", "longest_days = 0", "at least 1"),
        ("attached = 10", "attached = 2", "at least 3"),
        (
            "canary = [\"Applications/Sandbox\"]",
            "canary = [\"Nowhere\"]",
            "rollout.canary names Nowhere",
        ),
        (
            "second_wave_percent = 10",
            "second_wave_percent = 0",
            "from 1 to 100",
        ),
        (
            "error_budget_percent = 5",
            "error_budget_percent = 101",
            "from 0 to 100",
        ),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let error =
            LandingZone::parse("landing-zone.toml", &EXAMPLE.replace(from, to)).unwrap_err();
        assert!(error.rule.contains(rule), "{from} -> {to}: {error}");
        assert!(error.line.is_some(), "{error}");
    }
}
