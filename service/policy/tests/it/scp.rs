//! Holds the folder `scp/` to the rules of its README, and each policy to its table of decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_policy::{
    Context, Effect, Kind, Layers, Policy, PrincipalView, Request, Statement, decide,
};
use serde::Deserialize;

const EXECUTION_ROLE: &str = "arn:aws:iam::*:role/LandfallExecution";
const GOVERNED_REGIONS: &str = r#""eu-central-1","eu-west-1""#;
pub(crate) const FULL_AWS_ACCESS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Statements that bind even Landfall, and why that is right.
const BINDING_EVEN_US: [(&str, &str, &str); 2] = [
    (
        "deny-leave-organization",
        "DenyLeavingTheOrganization",
        "an account is taken out by the management account, never from within",
    ),
    (
        "deny-root-user",
        "DenyRootUser",
        "it covers root users only, and Landfall is a role",
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachments {
    pub(crate) root: Vec<String>,
    pub(crate) units: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    decision: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    principals: Vec<String>,
    actions: Vec<String>,
    #[serde(default = "any_resource")]
    resources: Vec<String>,
    #[serde(default = "home_region")]
    regions: Vec<String>,
    #[serde(default)]
    context: BTreeMap<String, String>,
    result: Outcome,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allow,
    Deny,
}

fn any_resource() -> Vec<String> {
    vec!["*".to_owned()]
}

fn home_region() -> Vec<String> {
    vec!["eu-central-1".to_owned()]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scp")
}

/// The names of the files of one kind, without the ending.
fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()
}

/// The text of a policy with the words that Landfall fills in.
pub(crate) fn filled_in(name: &str) -> String {
    text(name)
        .replace(r#""${governed_regions}""#, GOVERNED_REGIONS)
        .replace("${execution_role}", "LandfallExecution")
}

fn policies() -> BTreeMap<String, Policy> {
    names(&folder(), "json")
        .into_iter()
        .map(|name| {
            let filled_in = filled_in(&name);
            let policy =
                Policy::parse(&filled_in).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, policy)
        })
        .collect()
}

pub(crate) fn attachments() -> Attachments {
    toml::from_str(&fs::read_to_string(folder().join("attachments.toml")).unwrap()).unwrap()
}

fn principal(arn: &str) -> PrincipalView {
    PrincipalView::role_session(arn, "session")
        .or_else(|| PrincipalView::from_arn(arn))
        .unwrap_or_else(|| panic!("`{arn}` is no role, user or root user"))
}

/// What SCPs say to a principal whose own policies allow everything.
fn outcome(
    scps: &[Vec<Arc<Policy>>],
    principal: &PrincipalView,
    row: &Row,
    action: &str,
    resource: &str,
    region: &str,
) -> Outcome {
    let mut context = Context::of(principal).with("aws:RequestedRegion", region);
    for (key, value) in &row.context {
        context.set(key, value);
    }
    let identity = [Arc::new(Policy::parse(FULL_AWS_ACCESS).unwrap())];
    let layers = Layers {
        identity: &identity,
        scps,
        ..Layers::default()
    };
    let request = Request {
        principal,
        action,
        resource,
        context: &context,
    };
    if decide(&layers, &request).is_allowed() {
        Outcome::Allow
    } else {
        Outcome::Deny
    }
}

fn spares_the_execution_role(statement: &Statement) -> bool {
    statement.conditions().iter().any(|condition| {
        condition.operator() == "ArnNotLike"
            && condition.key() == "aws:PrincipalArn"
            && condition.values() == [EXECUTION_ROLE]
    })
}

#[test]
fn every_policy_keeps_the_rules() {
    let policies = policies();
    assert!(policies.len() >= 6, "the policies are not where they were");
    for (name, policy) in &policies {
        assert_eq!(policy.problems(Kind::ServiceControl), [], "{name}");
        assert!(
            policy.to_minified().len() <= 10_240,
            "{name} is too long for AWS"
        );
        for statement in policy.statements() {
            let sid = statement
                .sid()
                .unwrap_or_else(|| panic!("{name}: a statement has no Sid"));
            assert_eq!(statement.effect(), Effect::Deny, "{name}: {sid}");
            let listed = BINDING_EVEN_US
                .iter()
                .any(|(file, listed, _)| file == name && *listed == sid);
            assert!(
                spares_the_execution_role(statement) != listed,
                "{name}: {sid} must spare {EXECUTION_ROLE}, or stand in BINDING_EVEN_US with the reason"
            );
        }
    }
    for (file, sid, _) in BINDING_EVEN_US {
        let known = policies[file]
            .statements()
            .iter()
            .any(|statement| statement.sid() == Some(sid));
        assert!(known, "{file} has no {sid} any more");
    }
}

#[test]
fn every_policy_is_indented_by_two() {
    for name in policies().keys() {
        let text = text(name);
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            assert!(
                indent % 2 == 0 && !line.contains('\t') && line.trim_end() == line,
                "{name}: {line}"
            );
        }
        assert!(
            text.starts_with("{\n  \"Version\"") && text.ends_with("\n}\n"),
            "{name}"
        );
    }
}

#[test]
fn an_unfilled_placeholder_is_refused() {
    let error = Policy::parse(&text("deny-unused-regions")).unwrap_err();
    assert_eq!(
        error.pointer,
        "/Statement/0/Condition/StringNotEquals/aws:RequestedRegion/0"
    );
    assert!(error.problem.contains("${governed_regions}"), "{error}");
}

#[test]
fn attachments_name_policies_and_fit() {
    let policies = policies();
    let attachments = attachments();
    let targets: Vec<&Vec<String>> = attachments
        .units
        .values()
        .chain([&attachments.root])
        .collect();
    for attached in &targets {
        let distinct: BTreeSet<&String> = attached.iter().collect();
        assert_eq!(
            distinct.len(),
            attached.len(),
            "twice the same in {attached:?}"
        );
        assert!(
            attached.len() < 10,
            "FullAWSAccess and {attached:?} are more than AWS takes"
        );
        for name in *attached {
            assert!(policies.contains_key(name), "there is no {name}.json");
        }
    }
    for name in policies.keys() {
        assert!(
            targets.iter().any(|attached| attached.contains(name)),
            "{name} is attached nowhere"
        );
    }
}

#[test]
fn every_policy_decides_as_its_table_says() {
    let full = Arc::new(Policy::parse(FULL_AWS_ACCESS).unwrap());
    let policies = policies();
    let tables = names(&folder().join("decisions"), "toml");
    assert_eq!(
        tables,
        policies.keys().cloned().collect(),
        "one table for each policy"
    );
    for (name, policy) in policies {
        let path = folder().join(format!("decisions/{name}.toml"));
        let table: Table = toml::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let results: Vec<Outcome> = table.decision.iter().map(|row| row.result).collect();
        assert!(
            results.contains(&Outcome::Allow) && results.contains(&Outcome::Deny),
            "{name} shows one side only"
        );
        let scps = [vec![Arc::clone(&full), Arc::new(policy)]];
        for row in &table.decision {
            for arn in &row.principals {
                let principal = principal(arn);
                for action in &row.actions {
                    for resource in &row.resources {
                        for region in &row.regions {
                            assert_eq!(
                                outcome(&scps, &principal, row, action, resource, region),
                                row.result,
                                "{name}: {}: {arn} {action} on {resource} in {region}",
                                row.name
                            );
                        }
                    }
                }
            }
        }
    }
}

/// What an account obeys: the root's policies, and those of each OU down to its own.
fn levels(unit: &str) -> Vec<Vec<Arc<Policy>>> {
    let (policies, attachments) = (policies(), attachments());
    let full = Arc::new(Policy::parse(FULL_AWS_ACCESS).unwrap());
    let level = |names: &[String]| {
        let own = names.iter().map(|name| Arc::new(policies[name].clone()));
        [Arc::clone(&full)].into_iter().chain(own).collect()
    };
    let mut levels = vec![level(&attachments.root)];
    for (end, _) in unit.match_indices('/').chain([(unit.len(), "")]) {
        levels.push(level(&attachments.units[&unit[..end]]));
    }
    levels
}

/// The policies of all levels together: what one allows, another may deny.
#[test]
fn every_unit_decides_as_a_whole() {
    let role = |name: &str| principal(&format!("arn:aws:iam::222222222222:role/{name}"));
    let row = Row {
        name: String::new(),
        principals: Vec::new(),
        actions: Vec::new(),
        resources: any_resource(),
        regions: home_region(),
        context: BTreeMap::new(),
        result: Outcome::Allow,
    };
    for unit in attachments().units.keys() {
        let levels = levels(unit);
        let decides = |principal: &PrincipalView, action: &str, region: &str| {
            outcome(&levels, principal, &row, action, "*", region)
        };
        let landfall = role("LandfallExecution");
        for action in [
            "guardduty:CreateDetector",
            "config:PutConfigurationRecorder",
            "iam:CreateServiceLinkedRole",
        ] {
            assert_eq!(
                decides(&landfall, action, "us-west-2"),
                Outcome::Allow,
                "{unit}: {action}"
            );
        }
        let administrator = role("Administrator");
        let closed = matches!(unit.as_str(), "Quarantine" | "Suspended");
        let expected = if closed {
            Outcome::Deny
        } else {
            Outcome::Allow
        };
        assert_eq!(
            decides(&administrator, "ec2:RunInstances", "eu-central-1"),
            expected,
            "{unit}"
        );
        assert_eq!(
            decides(&administrator, "iam:CreateRole", "us-east-1"),
            expected,
            "{unit}"
        );
        assert_eq!(
            decides(&administrator, "ec2:RunInstances", "us-west-2"),
            Outcome::Deny,
            "{unit}"
        );
        assert_eq!(
            decides(&administrator, "guardduty:DeleteDetector", "eu-central-1"),
            Outcome::Deny,
            "{unit}"
        );
        let root = principal("arn:aws:iam::222222222222:root");
        assert_eq!(
            decides(&root, "iam:CreateAccessKey", "eu-central-1"),
            Outcome::Deny,
            "{unit}"
        );
    }
}
