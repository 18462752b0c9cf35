use proptest::prelude::*;
use serde_json::json;

use super::entry::Says;
use super::*;
use crate::ids::OuPath;

const FOUNDATION: &str = "name = 'foundation'\ndescription = 'all'\n[[control]]\nid = 'a.b'\nx = 1\ny = [1, 2]\n[[control]]\nid = 'c.d'\n";
const SANDBOX: &str = "name = 'sandbox'\ndescription = 'less'\nextends = 'foundation'\n[[control]]\nid = 'a.b'\nx = 2\n";
const ZONE: &str = include_str!("../../../../deploy/landing-zone.toml");

fn zone() -> LandingZone {
    LandingZone::parse("landing-zone.toml", ZONE).unwrap()
}

fn files<T: AsRef<str>>(texts: &[T]) -> Vec<(String, String)> {
    texts
        .iter()
        .enumerate()
        .map(|(n, text)| (format!("{n}.toml"), text.as_ref().to_owned()))
        .collect()
}

/// Takes everything: `org.…` is the organization's, `once.…` is not regional.
fn take(id: &ControlId, _: &Value) -> Result<Scope, String> {
    Ok(match id.as_str().split_once('.') {
        Some(("org", _)) => Scope::Organization,
        Some(("once", _)) => Scope::Account,
        _ => Scope::Region,
    })
}

fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Baselines, SettingsError> {
    Baselines::parse(&files(texts), &zone(), take)
}

fn id(text: &str) -> ControlId {
    text.parse().unwrap()
}

fn region(text: &str) -> Region {
    text.parse().unwrap()
}

fn unit(text: &str) -> OuPath {
    text.parse().unwrap()
}

#[test]
fn parameters_of_one_control_are_put_together_by_name() {
    let all = parse(&[FOUNDATION, SANDBOX]).unwrap();
    let sandbox = all.get("sandbox").unwrap();
    assert_eq!(sandbox.controls.len(), 2);
    let parameters = &sandbox.controls[&id("a.b")].parameters;
    assert_eq!(parameters["x"], 2, "its own");
    assert_eq!(parameters["y"], json!([1, 2]), "inherited");
    assert_ne!(sandbox.revision, all.get("foundation").unwrap().revision);
}

#[test]
fn each_value_knows_its_file() {
    let all = parse(&[FOUNDATION, SANDBOX]).unwrap();
    let sandbox = all.definition("sandbox").unwrap();
    let parameter = |name: &str| Slot::Parameter(Level::Everywhere, name.to_owned());
    for (control, slot, file) in [
        ("a.b", Slot::Control, "0.toml"),
        ("a.b", parameter("x"), "1.toml"),
        ("a.b", parameter("y"), "0.toml"),
        ("c.d", Slot::Control, "0.toml"),
    ] {
        assert_eq!(sandbox.origins[&(id(control), slot)], file);
    }
    assert_eq!(sandbox.extends.as_deref(), Some("foundation"));
}

#[test]
fn the_more_particular_place_says_more() {
    let text = format!(
        "{FOUNDATION}[control.organizational_unit.Applications]\nx = 10\ny = 11\n\
         [control.organizational_unit.\"Applications/Sandbox\"]\nx = 20\n\
         [control.region.\"eu-west-1\"]\nx = 30\n"
    )
    .replace(
        "[[control]]\nid = 'a.b'\nx = 1\ny = [1, 2]\n[[control]]\nid = 'c.d'\n",
        "[[control]]\nid = 'a.b'\nx = 1\ny = 2\n",
    );
    let all = parse(&[text]).unwrap();
    let entry = &all.get("foundation").unwrap().controls[&id("a.b")];
    for (at, of, x, y) in [
        ("us-east-1", None, 1, 2),
        ("us-east-1", Some("Admin"), 1, 2),
        ("us-east-1", Some("Applications"), 10, 11),
        ("us-east-1", Some("Applications/Production"), 10, 11),
        ("us-east-1", Some("Applications/Sandbox"), 20, 11),
        ("eu-west-1", Some("Applications/Sandbox"), 30, 11),
        ("eu-west-1", None, 30, 2),
    ] {
        let of = of.map(unit);
        let parameters = entry.parameters_at(&region(at), of.as_ref());
        assert_eq!(parameters, json!({ "x": x, "y": y }), "{at} {of:?}");
    }
}

#[test]
fn a_control_may_hold_in_some_regions_only() {
    let limited = |how: &str| {
        let text = format!("name = 'b'\ndescription = ''\n[[control]]\nid = 'a.b'\n{how}\n");
        let all = parse(&[text]).unwrap();
        all.get("b").unwrap().controls[&id("a.b")].clone()
    };
    let zone = zone();
    assert_eq!(holds_in(&limited(""), &zone).len(), 17);
    let only = limited("regions = ['eu-west-1', 'eu-west-2']");
    assert_eq!(holds_in(&only, &zone).len(), 2);
    let except = limited("except_regions = ['eu-west-1']");
    assert_eq!(holds_in(&except, &zone).len(), 16);
    assert!(!except.regions.hold(&region("eu-west-1")));

    // Where it holds is inherited, and said anew as a whole.
    let parent = "name = 'p'\ndescription = ''\n[[control]]\nid = 'a.b'\nregions = ['eu-west-1']\n";
    for (own, regions) in [
        ("x = 1", 1),
        ("except_regions = ['eu-west-1']", 16),
        ("except_regions = []", 17),
    ] {
        let child = format!(
            "name = 'c'\ndescription = ''\nextends = 'p'\n[[control]]\nid = 'a.b'\n{own}\n"
        );
        let all = parse(&[parent, &child]).unwrap();
        let entry = &all.get("c").unwrap().controls[&id("a.b")];
        assert_eq!(holds_in(entry, &zone).len(), regions, "{own}");
    }
}

#[test]
fn a_control_may_ask_before_it_is_repaired() {
    let ask = FOUNDATION.replace("id = 'a.b'", "id = 'a.b'\nrepair = 'ask'");
    let again = SANDBOX
        .replace("x = 2", "repair = 'auto'")
        .replace("'sandbox'", "'again'");
    let all = parse(&[ask.as_str(), SANDBOX, &again]).unwrap();
    let repair = |baseline: &str, control| all.get(baseline).unwrap().repair(&id(control));
    assert_eq!(repair("foundation", "a.b"), Repair::Ask);
    assert_eq!(repair("foundation", "c.d"), Repair::Auto);
    assert_eq!(repair("sandbox", "a.b"), Repair::Ask, "inherited");
    assert_eq!(repair("again", "a.b"), Repair::Auto, "said anew");
    let foundation = all.get("foundation").unwrap();
    assert!(
        foundation.controls[&id("a.b")]
            .parameters
            .get("repair")
            .is_none()
    );
    let plain = parse(&[FOUNDATION]).unwrap();
    assert_ne!(
        plain.get("foundation").unwrap().revision,
        foundation.revision
    );
    let error = parse(&[ask.replace("ask", "never")]).unwrap_err();
    assert!(error.rule.contains("unknown variant `never`"), "{error}");
}

#[test]
fn an_inherited_control_is_left_out_with_a_reason() {
    let child = "name = 'c'\ndescription = ''\nextends = 'foundation'\n[[without]]\nid = 'c.d'\nreason = 'Control Tower has it'\n";
    let grandchild =
        "name = 'g'\ndescription = ''\nextends = 'c'\n[[control]]\nid = 'c.d'\nz = 1\n";
    let all = parse(&[FOUNDATION, child, grandchild]).unwrap();
    let definition = all.definition("c").unwrap();
    assert!(!definition.baseline.controls.contains_key(&id("c.d")));
    assert_eq!(
        definition.without[&id("c.d")].reason,
        "Control Tower has it"
    );
    let again = all.definition("g").unwrap();
    assert_eq!(again.baseline.controls[&id("c.d")].parameters["z"], 1);
    assert!(again.without.is_empty());
}

#[test]
fn the_revision_is_of_what_is_said_not_of_how() {
    let revision =
        |texts: &[&str], name: &str| parse(texts).unwrap().get(name).unwrap().revision.clone();
    let spaced = FOUNDATION.replace("x = 1", "# a comment\nx   =  1");
    let turned = "description = 'others'\nname = 'foundation'\n[[control]]\nid = 'c.d'\n[[control]]\ny = [1, 2]\nx = 1\nid = 'a.b'\n";
    let one = revision(&[FOUNDATION], "foundation");
    for same in [spaced.as_str(), turned] {
        assert_eq!(revision(&[same], "foundation"), one, "{same}");
    }
    for (from, to) in [
        ("x = 1", "x = 3"),
        ("[1, 2]", "[2, 1]"),
        ("x = 1", "x = 1\nregions = ['eu-west-1']"),
        ("id = 'c.d'", "id = 'c.e'"),
    ] {
        assert_ne!(
            revision(&[&FOUNDATION.replace(from, to)], "foundation"),
            one,
            "{to}"
        );
    }
    // A change above is a change below.
    let child = revision(&[FOUNDATION, SANDBOX], "sandbox");
    let below = revision(&[&FOUNDATION.replace("[1, 2]", "[1]"), SANDBOX], "sandbox");
    assert_ne!(child, below);
    let overridden = revision(&[&FOUNDATION.replace("x = 1", "x = 9"), SANDBOX], "sandbox");
    assert_eq!(child, overridden, "what nobody gets makes no difference");
}

#[test]
fn mistakes_are_named_with_file_and_line() {
    let own = |what: &str| format!("name = 'x'\ndescription = ''\n{what}");
    let child =
        |what: &str| format!("name = 'x'\ndescription = ''\nextends = 'foundation'\n{what}");
    let a_b = |what: &str| own(&format!("[[control]]\nid = 'a.b'\n{what}"));
    let deep: Vec<String> = (0..6)
        .map(|n| format!("name = 'b{n}'\ndescription = ''\nextends = 'b{}'\n", n + 1))
        .chain(["name = 'b6'\ndescription = ''\n".to_owned()])
        .collect();
    for (texts, rule, line) in [
        (vec![SANDBOX.to_owned()], "no baseline foundation", 3),
        (vec![FOUNDATION.to_owned(); 2], "two baselines", 1),
        (vec![own("extends = 'x'")], "circle", 3),
        (vec![own("extends = 'y'"), own("extends = 'x'").replace("'x'\nd", "'y'\nd")], "circle: x -> y -> x", 3),
        (deep, "more than 4 baselines stand above", 3),
        (vec![own("extend = 'y'")], "unknown field", 3),
        (vec![own("[[control]]\nid = 'nodot'")], "service.noun", 4),
        (vec![a_b("[[control]]\nid = 'a.b'")], "there twice", 6),
        (vec![a_b("regions = ['mars']")], "an AWS Region", 5),
        (vec![a_b("regions = []")], "holds in no Region", 5),
        (vec![a_b("regions = ['eu-west-1']\nexcept_regions = ['eu-west-2']")], "both regions and", 6),
        (vec![a_b("regions = ['eu-south-1']")], "not one of the landing zone's governed_regions", 5),
        (vec![a_b("x = 1\n[control.region.\"eu-south-1\"]\nx = 2")], "eu-south-1 is not one of", 6),
        (vec![a_b("[control.organizational_unit.Nowhere]\nx = 2")], "no organizational unit Nowhere", 5),
        (vec![a_b("except_regions = ['eu-west-1']\n[control.region.eu-west-1]\nx = 2")], "where it does not hold", 5),
        (vec![own("[[control]]\nid = 'once.x'\nregions = ['eu-west-1']")], "not regional", 5),
        (vec![own("[[control]]\nid = 'org.x'")], "the organization's own", 4),
        (vec!["name = 'organization'\ndescription = ''\n[[control]]\nid = 'a.b'".to_owned()], "is for accounts", 4),
        (vec!["name = 'organization'\ndescription = ''\n[[control]]\nid = 'org.x'\n[control.organizational_unit.Admin]\nx = 1".to_owned()], "stands in no organizational unit", 5),
        (vec![FOUNDATION.to_owned(), child("[[without]]\nid = 'c.d'\nreason = ' '")], "without a reason", 5),
        (vec![FOUNDATION.to_owned(), child("[[without]]\nid = 'c.d'")], "missing field `reason`", 4),
        (vec![FOUNDATION.to_owned(), child("[[without]]\nid = 'e.f'\nreason = 'x'")], "inherits no such control", 5),
        (vec![FOUNDATION.to_owned(), child("[[without]]\nid = 'c.d'\nreason = 'x'\n[[control]]\nid = 'c.d'")], "both left out and given", 5),
    ] {
        let error = parse(&texts).expect_err(rule);
        assert!(error.rule.contains(rule), "{rule}: {error}");
        assert_eq!(error.line, Some(line), "{error}");
    }
}

#[test]
fn parameters_are_judged_as_each_place_gets_them() {
    // `x` must be there, and be less than 5.
    let judge = |id: &ControlId, parameters: &Value| match parameters["x"].as_i64() {
        Some(x) if x < 5 => take(id, parameters),
        Some(x) => Err(format!("x is {x}, which is too much")),
        None => Err("x is missing".to_owned()),
    };
    let own = |what: &str| format!("name = 'x'\ndescription = ''\n[[control]]\nid = 'a.b'\n{what}");
    for (text, said) in [
        (own(""), "0.toml:4: control a.b: x is missing"),
        (
            own("x = 7"),
            "0.toml:4: control a.b: x is 7, which is too much",
        ),
        (
            own("x = 1\n[control.region.\"eu-west-1\"]\nx = 6"),
            "0.toml:6: control a.b in eu-west-1: x is 6, which is too much",
        ),
        (
            own("x = 1\n[control.organizational_unit.\"Admin\"]\nx = 8"),
            "0.toml:6: control a.b in Admin: x is 8, which is too much",
        ),
    ] {
        let error = Baselines::parse(&files(&[text]), &zone(), judge).unwrap_err();
        assert_eq!(error.to_string(), said);
    }
    // What is inherited whole is judged where it is said.
    let child = "name = 'y'\ndescription = ''\nextends = 'x'\n[[control]]\nid = 'a.b'\nx = 9\n";
    let error =
        Baselines::parse(&files(&[own("x = 1"), child.to_owned()]), &zone(), judge).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1.toml:5: control a.b: x is 9, which is too much"
    );
}

/// Parameters of a control on some levels: numbers by name.
fn entries() -> impl Strategy<Value = Entry> {
    let parameters = || {
        prop::collection::btree_map("[a-d]", 0..9i64, 0..4).prop_map(|map| {
            map.into_iter()
                .map(|(name, value)| (name, json!(value)))
                .collect::<Parameters>()
        })
    };
    let units =
        prop::sample::subsequence(vec!["Applications", "Applications/Sandbox", "Admin"], 0..3);
    let regions = prop::sample::subsequence(vec!["eu-west-1", "us-east-1"], 0..2);
    (
        parameters(),
        units,
        regions,
        prop::collection::vec(parameters(), 5),
    )
        .prop_map(|(everywhere, units, regions, mut more)| Entry {
            parameters: everywhere,
            organizational_unit: units
                .into_iter()
                .map(|path| (unit(path), more.pop().unwrap()))
                .collect(),
            region: regions
                .into_iter()
                .map(|name| (region(name), more.pop().unwrap()))
                .collect(),
            ..Entry::default()
        })
}

proptest! {
    /// Whoever stands in between makes no difference: extending is associative.
    #[test]
    fn extending_twice_is_extending_the_extension(a in entries(), b in entries(), c in entries()) {
        prop_assert_eq!(c.over(&b.over(&a, Says::default()), Says::default()), c.over(&b, Says::default()).over(&a, Says::default()));
    }

    #[test]
    fn nothing_said_changes_nothing(a in entries()) {
        prop_assert_eq!(&Entry::default().over(&a, Says::default()), &a);
        prop_assert_eq!(a.over(&a, Says::default()), a);
    }

    /// A parameter that a place gets was said for it somewhere: by the last that had something to say.
    #[test]
    fn a_place_gets_what_was_said_last(a in entries(), b in entries()) {
        let both = b.over(&a, Says::default());
        let path = unit("Applications/Sandbox");
        let got = both.parameters_at(&region("eu-west-1"), Some(&path));
        let levels = [
            Level::Region(region("eu-west-1")),
            Level::OrganizationalUnit(path),
            Level::OrganizationalUnit(unit("Applications")),
            Level::Everywhere,
        ];
        for name in ["a", "b", "c", "d"] {
            let said = levels
                .iter()
                .find_map(|level| [&b, &a].into_iter().find_map(|entry| entry.level(level)?.get(name)));
            prop_assert_eq!(got.get(name), said);
        }
    }

    /// What is stored is what was said, under the same revision.
    #[test]
    fn a_stored_revision_is_read_as_it_was(a in entries()) {
        let baseline = Baseline::new("x".to_owned(), BTreeMap::from([(id("a.b"), a)]));
        let again = Baseline::stored("x".to_owned(), baseline.revision.clone(), baseline.content()).unwrap();
        prop_assert_eq!(&again, &baseline);
        prop_assert_eq!(Baseline::new("x".to_owned(), Arc::unwrap_or_clone(again.controls)).revision, baseline.revision);
    }
}
