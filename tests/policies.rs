//! How one set of service control policies takes the place of another in AWS: whatever interrupts it, from whatever there was.

use std::sync::Arc;

use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::{PREFIX, ScpSet};
use landfall_tests::stage::Stage;
use landfall_tests::world::LANDING_ZONE;
use serde_json::json;

const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

fn control() -> &'static dyn AnyControl {
    let id = "organizations.policies".parse().expect("an id");
    registry::control(&id).expect("it is registered")
}

/// Policies of a test's own.
fn set(zone: &LandingZone, attachments: &str, documents: &[(&str, &str)]) -> ScpSet {
    let document = |(name, action): &(&str, &str)| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Deny","Effect":"Deny","Action":"{action}","Resource":"*"}}]}}"#
        );
        (format!("scp/{name}.json"), text)
    };
    let documents: Vec<(String, String)> = documents.iter().map(document).collect();
    let attachments = ("attachments.toml".to_owned(), attachments.to_owned());
    ScpSet::parse(&attachments, None, &documents, zone).expect("the policies are right")
}

/// The names of all policies whose names begin as ours do, and how many places each is attached to.
fn in_aws(stage: &Stage) -> Vec<(String, usize)> {
    let shared = stage.world.sim.shared();
    let report = awsim::services::organizations::policies_report(&shared.world());
    let rows = report.as_array().expect("a list").clone();
    let named = rows.into_iter().filter_map(|row| {
        let name = row["name"].as_str()?.to_owned();
        let targets = row["targets"].as_array()?.len();
        name.starts_with(PREFIX).then_some((name, targets))
    });
    let mut named: Vec<(String, usize)> = named.collect();
    named.sort();
    named
}

fn wanted(stage: &Stage) -> Vec<(String, usize)> {
    let packed = stage.world.catalogue.scps.packed(stage.world.zone.scps);
    let packed = packed.expect("they fit");
    let names = packed.documents.keys().map(|name| {
        let on = packed.attachments.values().filter(|of| of.contains(name));
        (name.clone(), on.count())
    });
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_cut_off_anywhere_ends_as_one_that_is_not() {
    let mut stage = Stage::ready_for(control()).await;
    let home = stage.world.zone.home_region.clone();
    let zone = stage.world.zone.clone();
    let old = set(
        &zone,
        "root = [\"a\"]\n[units]\n\"Admin\" = [\"b\"]\n\"Applications\" = [\"b\"]",
        &[("a", "s3:DeleteBucket"), ("b", "ec2:RunInstances")],
    );
    let new = set(
        &zone,
        "root = [\"a\", \"c\"]\n[units]\n\"Applications\" = [\"b\", \"c\"]\n\"Suspended\" = [\"b\"]",
        &[
            ("a", "s3:DeleteBucket"),
            ("b", "ec2:RunInstances"),
            ("c", "iam:CreateUser"),
        ],
    );
    let mut cut_off = 0;
    loop {
        stage.world.catalogue.scps = old.clone();
        stage.converge(control(), &home).await;
        assert_eq!(in_aws(&stage), wanted(&stage));

        stage.world.catalogue.scps = new.clone();
        let look = stage
            .look(control(), &home)
            .await
            .expect("it can be observed");
        for change in look.changes.iter().take(cut_off) {
            stage
                .apply(control(), &home, change)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", change.sentence));
        }
        stage.converge(control(), &home).await;
        assert_eq!(in_aws(&stage), wanted(&stage), "cut off after {cut_off}");
        if cut_off == look.changes.len() {
            break;
        }
        cut_off += 1;
    }
    assert!(cut_off >= 8, "{cut_off} changes prove little");
    stage.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_from_before_are_replaced_and_what_is_not_ours_stays() {
    let stage = Stage::ready_for(control()).await;
    let home = stage.world.zone.home_region.clone();
    let admin = stage.unit_id("Admin").await;
    let organizations = |action: &str, policy: &str, description: &str| {
        json!({
            "service": "organizations", "action": action, "policy": policy, "description": description,
            "content": DENY, "target": admin,
        })
    };
    // The type is enabled by the first look.
    stage.converge(control(), &home).await;
    for (policy, description) in [
        ("landfall-deny-root-user", "Kept by Landfall"),
        ("landfall-of-a-team", "Somebody's own"),
        ("theirs", "Kept by Landfall"),
    ] {
        stage
            .world
            .tamper(&organizations("create_scp", policy, description));
        stage
            .world
            .tamper(&organizations("attach_scp", policy, description));
    }
    let look = stage
        .look(control(), &home)
        .await
        .expect("it can be observed");
    let sentences: Vec<&str> = look
        .changes
        .iter()
        .map(|change| change.sentence.as_str())
        .collect();
    assert_eq!(
        sentences,
        [
            "detach landfall-deny-root-user from Admin",
            "delete the policy landfall-deny-root-user",
        ]
    );
    stage.converge(control(), &home).await;
    let mut left = wanted(&stage);
    left.push(("landfall-of-a-team".to_owned(), 1));
    left.sort();
    assert_eq!(in_aws(&stage), left);
    stage.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_nothing_is_changed_until_there_is() {
    let mut stage = Stage::ready_for(control()).await;
    let text = LANDING_ZONE.replace("attached = 10", "attached = 5");
    let zone = LandingZone::parse("landing-zone.toml", &text).expect("the landing zone is right");
    stage.world.zone = Arc::new(zone);
    let home = stage.world.zone.home_region.clone();
    let admin = stage.unit_id("Admin").await;
    stage.converge(control(), &home).await;
    let attach = |n: usize| {
        let of = |action: &str| {
            json!({
                "service": "organizations", "action": action, "policy": format!("theirs-{n}"), "description": "",
                "content": DENY, "target": admin,
            })
        };
        [of("create_scp"), of("attach_scp")]
    };
    for n in 0..3 {
        attach(n).iter().for_each(|tamper| {
            stage.world.tamper(tamper);
        });
    }
    // FullAWSAccess, three of theirs and one of ours: what stands already is left standing.
    stage.converge(control(), &home).await;
    let before = in_aws(&stage);
    let zone = stage.world.zone.clone();
    stage.world.catalogue.scps = set(
        &zone,
        "[units]\n\"Admin\" = [\"b\"]",
        &[("b", "ec2:RunInstances")],
    );
    let told = stage
        .look(control(), &home)
        .await
        .expect_err("there is no room");
    assert!(
        told.message
            .contains("Admin: 5 of 5 attachments, 1 ours and 4 others (FullAWSAccess, theirs-0,")
            && told.message.contains("detach 1 that are not Landfall's"),
        "{told}"
    );
    assert_eq!(in_aws(&stage), before);
    stage.world.tamper(&json!({
        "service": "organizations", "action": "detach_scp", "policy": "theirs-0", "target": admin,
    }));
    stage.converge(control(), &home).await;
    assert_eq!(in_aws(&stage), wanted(&stage));
}

const ABOVE: &str = "Applications";
const BELOW: &str = "Applications/Sandbox";

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_moves_to_a_full_unit_above_or_below_binds_at_every_moment() {
    const LIMIT: usize = 4;
    let mut stage = Stage::ready_for(control()).await;
    let text = LANDING_ZONE.replace("attached = 10", &format!("attached = {LIMIT}"));
    let zone = LandingZone::parse("landing-zone.toml", &text).expect("the landing zone is right");
    let zone = Arc::new(zone);
    stage.world.zone = zone.clone();
    let home = zone.home_region.clone();
    let way = [stage.unit_id(ABOVE).await, stage.unit_id(BELOW).await];
    for (from, to) in [(ABOVE, BELOW), (BELOW, ABOVE)] {
        let full = stage.unit_id(to).await;
        let of = |policy: &str, action: &str| {
            json!({
                "service": "organizations", "action": action, "policy": policy, "target": full,
                "description": if policy.starts_with(PREFIX) { "Kept by Landfall" } else { "" }, "content": DENY,
            })
        };
        let attached = |here: &[&str], there: &[&str]| {
            let attachments = format!("[units]\n\"{from}\" = {here:?}\n\"{to}\" = {there:?}");
            let documents = [
                ("moving", "sns:DeleteTopic"),
                ("standing", "ec2:RunInstances"),
            ];
            set(&zone, &attachments, &documents)
        };
        stage.world.catalogue.scps = attached(&["moving"], &["standing"]);
        stage.converge(control(), &home).await;
        // FullAWSAccess, one of somebody else's, two of ours: one that is wanted, one from before.
        let theirs = format!("theirs on {to}");
        for policy in [&theirs, "landfall-old"] {
            for action in ["create_scp", "attach_scp"] {
                stage.world.tamper(&of(policy, action));
            }
        }
        stage.world.catalogue.scps = attached(&[], &["moving", "standing"]);
        let look = stage
            .look(control(), &home)
            .await
            .expect("it can be observed");
        let mut refused = 0;
        for change in &look.changes {
            let sentence = &change.sentence;
            if sentence.starts_with("detach") && sentence.ends_with(&format!("from {from}")) {
                // Nobody relies on what was planned: AWS is asked whether it is there.
                let new = stage.packed(&to.parse().expect("a target"));
                stage.world.tamper(&of(&new, "detach_scp"));
                let told = stage
                    .apply(control(), &home, change)
                    .await
                    .expect_err("it would be a gap");
                assert!(
                    told.message.contains(&format!("is not seen on {to} yet")),
                    "{told}"
                );
                stage.world.tamper(&of(&new, "attach_scp"));
                refused += 1;
            }
            let applied = stage.apply(control(), &home, change).await;
            applied.unwrap_or_else(|error| panic!("{sentence}: {error}"));
            let (bound, most) = standing(&stage, &way, "sns:DeleteTopic");
            assert!(bound, "after {sentence}: {:?}", look.changes);
            assert!(most <= LIMIT, "after {sentence}");
        }
        assert_eq!(refused, 1, "{:?}", look.changes);
        stage.converge(control(), &home).await;
        assert_eq!(
            standing(
                &stage,
                &way[usize::from(to == BELOW)..][..1],
                "sns:DeleteTopic"
            ),
            (true, 3)
        );
        stage.world.tamper(&of(&theirs, "detach_scp"));
    }
    stage.world.assert_sound();
}

/// Whether an action is denied on one of these targets, and how many policies stand on the one that has the most.
fn standing(stage: &Stage, targets: &[String], action: &str) -> (bool, usize) {
    let shared = stage.world.sim.shared();
    let report = awsim::services::organizations::policies_report(&shared.world());
    let rows = report.as_array().expect("a list");
    let on = |target: &String| {
        let here = |row: &&serde_json::Value| {
            let mut targets = row["targets"].as_array().into_iter().flatten();
            targets.any(|one| one == target)
        };
        rows.iter().filter(here).collect::<Vec<_>>()
    };
    let denies = |row: &&serde_json::Value| {
        row["content"]
            .as_str()
            .is_some_and(|text| text.contains(action))
    };
    let bound = targets.iter().flat_map(on).any(|row| denies(&row));
    let most = targets.iter().map(|target| on(target).len()).max();
    (bound, most.unwrap_or_default())
}
