//! The check before attaching: the catalogue in `scp/` passes, and what would lock Landfall out does not.

mod changes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use landfall_policy::catalogue::catalogue;
use landfall_policy::lockout::{ANY_ACCOUNT, Check, Keeper, Lockout, Unit, check};
use landfall_policy::{Attached, Cause, Glob, Levels, Policy};
use serde_json::{Value, json};

use crate::random::Random;
use crate::scp;
use changes::{leave_alone, lock_out};

const ROLE: &str = "arn:aws:iam::*:role/LandfallExecution";
const ACCOUNT: &str = "222222222222";

/// The documents of `scp/` by name, with FullAWSAccess.
type Documents = BTreeMap<String, Value>;

/// Every action that a control's source names: what Landfall must be able to do.
fn needed() -> Vec<String> {
    let folder = PathBuf::from("../controls/src");
    let mut folders = vec![folder];
    let mut actions = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(path).unwrap();
            let texts = source.split('"').filter(|text| {
                let known = text
                    .split_once(':')
                    .and_then(|(service, action)| catalogue().service(service)?.action(action));
                known.is_some()
            });
            actions.extend(texts.map(str::to_owned));
        }
    }
    assert!(
        actions.len() > 120,
        "only {} actions were found",
        actions.len()
    );
    actions.into_iter().collect()
}

/// Those of them that some statement names, and one of each service besides: what is left is decided like one of these.
fn telling() -> Vec<String> {
    let mut globs = Vec::new();
    for document in documents().values() {
        for statement in document["Statement"].as_array().unwrap() {
            for name in ["Action", "NotAction"] {
                let patterns = Some(&statement[name]).filter(|patterns| !patterns.is_null());
                globs.extend(patterns.into_iter().flat_map(list));
            }
        }
    }
    globs.retain(|pattern| !pattern.ends_with('*'));
    let globs: Vec<Glob> = globs.iter().map(|pattern| Glob::new(pattern)).collect();
    let mut services = BTreeSet::new();
    let mut actions = needed();
    actions.retain(|action| {
        let first = services.insert(action.split_once(':').unwrap().0.to_owned());
        first || globs.iter().any(|glob| glob.matches(action))
    });
    actions
}

fn documents() -> Documents {
    static DOCUMENTS: LazyLock<Documents> = LazyLock::new(read_documents);
    DOCUMENTS.clone()
}

fn read_documents() -> Documents {
    let attachments = &*ATTACHMENTS;
    let all = attachments
        .units
        .values()
        .chain([&attachments.root])
        .flatten();
    all.map(|name| {
        (
            name.clone(),
            serde_json::from_str(&scp::filled_in(name)).unwrap(),
        )
    })
    .chain([(
        "FullAWSAccess".to_owned(),
        serde_json::from_str(scp::FULL_AWS_ACCESS).unwrap(),
    )])
    .collect()
}

static ATTACHMENTS: LazyLock<scp::Attachments> = LazyLock::new(scp::attachments);

/// What a unit has from the root down.
fn levels(documents: &Documents, unit: &str) -> Levels {
    let attachments = &*ATTACHMENTS;
    let level = |names: &Vec<String>| -> Vec<Arc<Attached>> {
        let own = names.iter().map(String::as_str);
        let all = ["FullAWSAccess"].into_iter().chain(own);
        all.map(|name| {
            Arc::new(Attached::new(
                name,
                Policy::parse(&documents[name].to_string()).unwrap(),
            ))
        })
        .collect()
    };
    let ends = unit
        .match_indices('/')
        .map(|(end, _)| end)
        .chain([unit.len()]);
    let units = ends.map(|end| level(&attachments.units[&unit[..end]]));
    [level(&attachments.root)]
        .into_iter()
        .chain(units)
        .collect()
}

fn units_with(name: &str) -> Vec<String> {
    let attachments = &*ATTACHMENTS;
    let has = |names: &Vec<String>| name == "FullAWSAccess" || names.iter().any(|own| own == name);
    let units = attachments.units.keys().filter(|unit| {
        let mut ends = unit
            .match_indices('/')
            .map(|(end, _)| end)
            .chain([unit.len()]);
        has(&attachments.root) || ends.any(|end| has(&attachments.units[&unit[..end]]))
    });
    units.cloned().collect()
}

fn lockouts(documents: &Documents, units: &[String], needed: &[String]) -> Vec<Lockout> {
    static ORIGINAL: LazyLock<Documents> = LazyLock::new(self::documents);
    let units: Vec<Unit> = units
        .iter()
        .map(|name| Unit {
            name: name.clone(),
            org_path: None,
            accounts: vec![ACCOUNT.to_owned()],
            before: levels(&ORIGINAL, name),
            after: levels(documents, name),
        })
        .collect();
    let keeper = Keeper {
        role: ROLE.to_owned(),
        actions: needed.to_vec(),
        known: BTreeMap::new(),
    };
    check(&Check {
        organization: Some("o-example"),
        units: &units,
        keepers: &[keeper],
        regions: &["eu-central-1".to_owned(), "eu-west-1".to_owned()],
    })
}

fn statements(document: &mut Value) -> &mut Vec<Value> {
    document["Statement"].as_array_mut().unwrap()
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        several => several
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
    }
}

#[test]
fn the_catalogue_locks_nobody_out() {
    let units: Vec<String> = scp::attachments().units.into_keys().collect();
    let found = lockouts(&documents(), &units, &needed());
    assert_eq!(
        found,
        [],
        "{}",
        found.first().map(ToString::to_string).unwrap_or_default()
    );
}

#[test]
fn what_locks_landfall_out_is_refused() {
    let needed = telling();
    let mut kinds = BTreeMap::new();
    for seed in 0..1_000 {
        let mut random = Random::new(seed);
        let mut changed = documents();
        let (name, what) = lock_out(&mut random, &mut changed, &needed);
        let units = units_with(&name);
        let unit = random.pick(&units).clone();
        let found = lockouts(&changed, &[unit], &needed);
        assert!(
            !found.is_empty(),
            "seed {seed}: {name}: {what}: nothing was found"
        );
        for lockout in &found {
            assert!(
                !lockout.instead.is_empty() && !lockout.already,
                "seed {seed}: {lockout}"
            );
            match &lockout.cause {
                Cause::Statement { policy, .. } => {
                    assert_eq!(*policy, name, "seed {seed}: {what}: {lockout}")
                }
                Cause::NoAllow { .. } => {
                    assert_eq!(name, "FullAWSAccess", "seed {seed}: {what}: {lockout}")
                }
            }
        }
        *kinds.entry(what).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 12, "{kinds:?}");
}

#[test]
fn what_locks_nobody_out_passes() {
    let needed = telling();
    let mut kinds = BTreeSet::new();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut changed = documents();
        let (name, what) = leave_alone(&mut random, &mut changed, &needed);
        let units = units_with(&name);
        let unit = random.pick(&units).clone();
        let found = lockouts(&changed, &[unit], &needed);
        assert_eq!(found, [], "seed {seed}: {name}: {what}: {}", found[0]);
        kinds.insert(what);
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}

/// What is written is what helps.
#[test]
fn the_advice_names_what_is_wrong() {
    let unit = "Applications/Production".to_owned();
    let needed = ["guardduty:UpdateDetector".to_owned()];
    for (condition, advice) in [
        (
            json!(null),
            r#"add `"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/LandfallExecution"}`"#,
        ),
        (
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/LandfalExecution"}}),
            "spares `arn:aws:iam::*:role/LandfalExecution` alone",
        ),
        (
            json!({"StringNotEquals": {"aws:PrincipalArn": ROLE}}),
            "takes no wildcards: write `ArnNotLike`",
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": ROLE}}),
            "covers the role with",
        ),
    ] {
        let mut changed = documents();
        let guardduty = &mut statements(changed.get_mut("protect-baseline").unwrap())[2];
        guardduty["Condition"] = condition;
        if guardduty["Condition"].is_null() {
            guardduty.as_object_mut().unwrap().remove("Condition");
        }
        let found = lockouts(&changed, std::slice::from_ref(&unit), &needed);
        assert_eq!(found.len(), 2, "one for each Region: {found:?}");
        assert_eq!(found[0].account, ANY_ACCOUNT);
        assert!(found[0].instead.contains(advice), "{}", found[0]);
        assert!(found[0].to_string().starts_with("statement `ProtectGuardDuty` of `protect-baseline` denies guardduty:UpdateDetector in eu-central-1"));
    }
}
