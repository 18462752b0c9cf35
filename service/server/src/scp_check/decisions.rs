//! Whether each policy decides as its table says: what reviewers read instead of the policy.
//!
//! A table is about its policy alone, beside AWS's own, and about a landing zone of its own: in all tables the governed Regions
//! and the execution role are those of `scp/README.md`, so that a table says the same in every organization.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_model::landing_zone::{LandingZone, Roles};
use landfall_model::scp;
use landfall_policy::decisions::{Row, Table};
use landfall_policy::{Decision, Denial, Policy, Reason};

use super::files::{ScpFiles, document_name};
use super::policies::ALLOW_ALL;
use super::report::{Decisions, FailedDecision, FileFinding, FoundBy, Severity};

const TABLES_REGIONS: [&str; 2] = ["eu-central-1", "eu-west-1"];

/// Goes through all tables. What is wrong with a table itself is a finding.
pub(super) fn decisions(files: &ScpFiles, zone: &LandingZone) -> (Decisions, Vec<FileFinding>) {
    let zone = of_tables(zone);
    let full = Arc::new(Policy::parse(ALLOW_ALL).expect("AWS's own policy is one"));
    let documents: BTreeMap<&str, &str> = files
        .documents
        .iter()
        .map(|(file, text)| (document_name(file), text.as_str()))
        .collect();
    let tabled: BTreeSet<&str> = files
        .tables
        .iter()
        .map(|(file, _)| document_name(file))
        .collect();
    let mut decisions = Decisions {
        tables: files.tables.len(),
        without_table: documents
            .keys()
            .filter(|name| !tabled.contains(*name))
            .map(|name| (*name).to_owned())
            .collect(),
        ..Decisions::default()
    };
    let mut findings = Vec::new();
    for (file, text) in &files.tables {
        let name = document_name(file);
        let Some(document) = documents.get(name) else {
            let problem = format!("there is no {name}.json that it could be about");
            findings.push(broken(file, None, problem));
            continue;
        };
        let table: Table = match toml::from_str(text) {
            Ok(table) => table,
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map(|before| before.matches('\n').count() + 1);
                findings.push(broken(file, line, error.message().to_owned()));
                continue;
            }
        };
        // What is wrong with the document is a finding of its own.
        let Ok(policy) = Policy::parse(&scp::filled_in(document, &zone)) else {
            continue;
        };
        let scps = [vec![Arc::clone(&full), Arc::new(policy)]];
        for row in &table.rows {
            if let Err(problem) = decide(row, (file, name), &scps, &mut decisions) {
                findings.push(broken(file, None, problem));
            }
        }
    }
    (decisions, findings)
}

/// A landing zone as the tables have it.
fn of_tables(zone: &LandingZone) -> LandingZone {
    LandingZone {
        governed_regions: TABLES_REGIONS
            .map(|region| region.parse().expect("it is a Region"))
            .to_vec(),
        roles: Roles::default(),
        ..zone.clone()
    }
}

/// Decides what a row says, and keeps what is not so.
fn decide(
    row: &Row,
    (file, policy): (&str, &str),
    scps: &[Vec<Arc<Policy>>],
    decisions: &mut Decisions,
) -> Result<(), String> {
    for case in row.cases(TABLES_REGIONS[0])? {
        let decision = case.decide(scps);
        decisions.cases += 1;
        if !case.is(&decision) {
            decisions.failed.push(FailedDecision {
                file: file.to_owned(),
                name: row.name.clone(),
                principal: case.arn,
                action: case.action,
                resource: case.resource,
                region: case.region,
                expected: case.expected.name().to_owned(),
                denied_by: denier(&decision, policy, scps),
            });
        }
    }
    Ok(())
}

/// The statement that denies.
fn denier(decision: &Decision, policy: &str, scps: &[Vec<Arc<Policy>>]) -> Option<String> {
    let Some(Denial {
        reason: Reason::Explicit(statement),
        ..
    }) = decision.denial()
    else {
        return None;
    };
    let named = scps.first()?.get(statement.policy)?.statements();
    Some(match named.get(statement.statement)?.sid() {
        Some(sid) => format!("statement `{sid}` of `{policy}`"),
        None => format!("statement {} of `{policy}`", statement.statement),
    })
}

fn broken(file: &str, line: Option<usize>, problem: String) -> FileFinding {
    FileFinding {
        file: file.to_owned(),
        pointer: String::new(),
        line,
        severity: Severity::Error,
        code: "table".to_owned(),
        problem,
        instead: String::new(),
        found_by: FoundBy::Landfall,
        aws_code: None,
        learn_more: None,
    }
}
