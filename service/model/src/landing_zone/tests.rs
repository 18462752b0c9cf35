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
