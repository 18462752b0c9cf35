//! Whether each policy decides as its table says: what reviewers read instead of the policy.
//!
//! A table is about its policy alone, beside AWS's own, and about a landing zone of its own: in all tables the governed Regions
//! and the execution role are those of `scp/README.md`, so that a table says the same in every organization.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_model::landing_zone::{LandingZone, Roles};
use landfall_model::scp;
use landfall_policy::{
    Context, Decision, Denial, Layers, Policy, PrincipalView, Reason, Request, decide,
};
use serde::Deserialize;

use super::files::{ScpFiles, document_name};
use super::policies::ALLOW_ALL;
use super::report::{Decisions, FailedDecision, FileFinding, FoundBy, Severity};

const TABLES_REGIONS: [&str; 2] = ["eu-central-1", "eu-west-1"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
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

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allow,
    Deny,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Deny => "deny",
        }
    }
}

fn any_resource() -> Vec<String> {
    vec!["*".to_owned()]
}

fn home_region() -> Vec<String> {
    vec![TABLES_REGIONS[0].to_owned()]
}

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
        for row in &table.decision {
            if let Err(problem) = row.decide(file, name, &scps, &full, &mut decisions) {
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

impl Row {
    fn decide(
        &self,
        file: &str,
        policy: &str,
        scps: &[Vec<Arc<Policy>>],
        full: &Arc<Policy>,
        decisions: &mut Decisions,
    ) -> Result<(), String> {
        let identity = [Arc::clone(full)];
        let layers = Layers {
            identity: &identity,
            scps,
            ..Layers::default()
        };
        for arn in &self.principals {
            let principal = PrincipalView::role_session(arn, "session")
                .or_else(|| PrincipalView::from_arn(arn))
                .ok_or_else(|| {
                    format!(
                        "`{}`: `{arn}` is no role, user or root user: write its ARN",
                        self.name
                    )
                })?;
            for (action, resource, region) in self.cases() {
                let mut context = Context::of(&principal).with("aws:RequestedRegion", region);
                for (key, value) in &self.context {
                    context.set(key, value);
                }
                let request = Request {
                    principal: &principal,
                    action,
                    resource,
                    context: &context,
                };
                let decision = decide(&layers, &request);
                decisions.cases += 1;
                if decision.is_allowed() != (self.result == Outcome::Allow) {
                    decisions.failed.push(FailedDecision {
                        file: file.to_owned(),
                        name: self.name.clone(),
                        principal: arn.clone(),
                        action: action.to_owned(),
                        resource: resource.to_owned(),
                        region: region.to_owned(),
                        expected: self.result.name().to_owned(),
                        denied_by: denier(&decision, policy, scps),
                    });
                }
            }
        }
        Ok(())
    }

    /// Each combination of action, resource and Region.
    fn cases(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.actions.iter().flat_map(move |action| {
            self.resources.iter().flat_map(move |resource| {
                let regions = self.regions.iter();
                regions.map(move |region| (action.as_str(), resource.as_str(), region.as_str()))
            })
        })
    }
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
