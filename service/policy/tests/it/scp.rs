//! Holds the folder `scp/` to the rules of its README, and each policy to its table of decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_policy::catalogue::catalogue;
use landfall_policy::decisions::{self, Outcome, Table};
use landfall_policy::{Effect, Kind, Policy, PrincipalView, Statement};
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

/// Who else is spared, by file and statement, and why.
const SPARED_TOO: [(&str, &str, &str, &str); 3] = [
    (
        "protect-baseline",
        "ProtectRoleOfEvents",
        STACK_SETS,
        "stack sets of the organization install the way that events take",
    ),
    (
        "protect-baseline",
        "ProtectRulesOfEvents",
        STACK_SETS,
        "as above",
    ),
    (
        "deny-unused-regions",
        "DenyUnusedRegions",
        STACK_SETS,
        "global services are told in us-east-1, governed or not",
    ),
];

/// The role that service-managed stack sets work with. Nobody in an account can make one: `DenyMakingRolesOfStackSets`.
const STACK_SETS: &str = "arn:aws:iam::*:role/stacksets-exec-*";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachments {
    pub(crate) root: Vec<String>,
    pub(crate) units: BTreeMap<String, Vec<String>>,
}

/// One request of a table.
pub(crate) struct Case {
    /// The row, and the request in words.
    pub(crate) name: String,
    case: decisions::Case,
}

fn folder() -> PathBuf {
    PathBuf::from("../../scp")
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
        .replace("${log_bucket}", "landfall-logs-*")
}

/// The names of all policies.
pub(crate) fn policy_names() -> BTreeSet<String> {
    names(&folder(), "json")
}

pub(crate) fn policies() -> BTreeMap<String, Policy> {
    policy_names()
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

pub(crate) fn principal(arn: &str) -> PrincipalView {
    PrincipalView::role_session(arn, "session")
        .or_else(|| PrincipalView::from_arn(arn))
        .unwrap_or_else(|| panic!("`{arn}` is no role, user or root user"))
}

pub(crate) fn full_access() -> Arc<Policy> {
    Arc::new(Policy::parse(FULL_AWS_ACCESS).unwrap())
}

impl Case {
    /// Whether there is such an action.
    fn is_known(&self) -> bool {
        let found = self.case.action.split_once(':').and_then(|(prefix, name)| {
            let service = catalogue().service(prefix)?;
            service.action(name)
        });
        found.is_some()
    }
}

/// A policy's table of decisions.
pub(crate) fn table(name: &str) -> Vec<Case> {
    let path = folder().join(format!("decisions/{name}.toml"));
    let table: Table = toml::from_str(&fs::read_to_string(&path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut cases = Vec::new();
    for row in &table.rows {
        let of_row = row.cases("eu-central-1");
        let of_row = of_row.unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        cases.extend(of_row.into_iter().map(|case| {
            let decisions::Case {
                arn,
                action,
                resource,
                region,
                ..
            } = &case;
            let name = format!("{}: {arn} {action} on {resource} in {region}", row.name);
            Case { name, case }
        }));
    }
    cases
}

/// The first case of the table that the policy decides otherwise than it should.
pub(crate) fn broken(policy: Policy, table: &[Case]) -> Option<&Case> {
    let scps = [vec![full_access(), Arc::new(policy)]];
    table
        .iter()
        .find(|Case { case, .. }| !case.is(&case.decide(&scps)))
}

/// Whom a statement spares, by role.
fn spared(statement: &Statement) -> &[String] {
    let sparing = statement.conditions().iter().find(|condition| {
        condition.operator() == "ArnNotLike" && condition.key() == "aws:PrincipalArn"
    });
    sparing.map_or(&[], |condition| condition.values())
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
            let spared = spared(statement);
            assert!(
                spared.iter().any(|role| role == EXECUTION_ROLE) != listed,
                "{name}: {sid} must spare {EXECUTION_ROLE}, or stand in BINDING_EVEN_US with the reason"
            );
            let others: Vec<&str> = spared
                .iter()
                .map(String::as_str)
                .filter(|role| *role != EXECUTION_ROLE)
                .collect();
            let known: Vec<&str> = SPARED_TOO
                .iter()
                .filter(|(file, known, ..)| file == name && *known == sid)
                .map(|(_, _, role, _)| *role)
                .collect();
            assert_eq!(
                others, known,
                "{name}: {sid} spares others than SPARED_TOO says"
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
    let policies = policies();
    let tables = names(&folder().join("decisions"), "toml");
    assert_eq!(
        tables,
        policies.keys().cloned().collect(),
        "one table for each policy"
    );
    for (name, policy) in policies {
        let table = table(&name);
        for case in &table {
            assert!(
                case.is_known(),
                "{name}: {}: IAM knows no such action",
                case.name
            );
        }
        let shows = |result| table.iter().any(|case| case.case.expected == result);
        assert!(
            shows(Outcome::Allow) && shows(Outcome::Deny),
            "{name} shows one side only"
        );
        if let Some(case) = broken(policy, &table) {
            panic!("{name}: {}: must be {:?}", case.name, case.case.expected);
        }
    }
}
