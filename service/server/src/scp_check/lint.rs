//! What is wrong with each file, and what could be said better: all of it, where a start would stop at the first.

use std::collections::BTreeSet;

use landfall_model::landing_zone::{LandingZone, SettingsError};
use landfall_model::scp;
use landfall_policy::Kind;
use landfall_policy::lint::{Finding, Limits, lint};

use super::files::{ScpFiles, document_name};
use super::report::{FileFinding, FoundBy, Severity};

/// The findings of the documents, the worst first, and within that by file and place.
pub(super) fn documents(files: &ScpFiles, zone: &LandingZone, limits: Limits) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    for (file, text) in &files.documents {
        findings.extend(document(file, text, zone, limits));
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn document(file: &str, text: &str, zone: &LandingZone, limits: Limits) -> Vec<FileFinding> {
    let text = scp::filled_in(text, zone);
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&text) {
        // The words that are filled in have no line breaks: the line is that of the file.
        let line = Some(error.line()).filter(|line| *line > 0);
        return vec![broken(file, "", line, "not-json", error.to_string())];
    }
    match lint(&text, Kind::ServiceControl, limits) {
        Ok(found) => found.into_iter().map(|found| of(file, found)).collect(),
        Err(error) => vec![broken(file, &error.pointer, None, "invalid", error.problem)],
    }
}

fn of(file: &str, found: Finding) -> FileFinding {
    FileFinding {
        file: file.to_owned(),
        pointer: found.pointer,
        line: None,
        severity: found.severity.into(),
        code: found.code.to_owned(),
        problem: found.problem,
        instead: found.instead,
        found_by: FoundBy::Landfall,
        aws_code: None,
        learn_more: None,
    }
}

fn broken(
    file: &str,
    pointer: &str,
    line: Option<usize>,
    code: &str,
    problem: String,
) -> FileFinding {
    FileFinding {
        file: file.to_owned(),
        pointer: pointer.to_owned(),
        line,
        severity: Severity::Error,
        code: code.to_owned(),
        problem,
        instead: String::new(),
        found_by: FoundBy::Landfall,
        aws_code: None,
        learn_more: None,
    }
}

/// What keeps the files from being read as a whole, unless the findings say so already.
pub(super) fn whole(findings: &[FileFinding], error: &SettingsError) -> Option<FileFinding> {
    let told = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error && finding.file == error.file);
    (!told).then(|| broken(&error.file, "", error.line, "catalogue", error.rule.clone()))
}

/// Policies that stand nowhere do nothing.
pub(super) fn unattached(files: &ScpFiles, attached: &BTreeSet<&str>) -> Vec<FileFinding> {
    let idle = files
        .documents
        .iter()
        .filter(|(file, _)| !attached.contains(document_name(file)));
    idle.map(|(file, _)| FileFinding {
        severity: Severity::Warning,
        instead: "name it in attachments.toml, or remove the file".to_owned(),
        ..broken(
            file,
            "",
            None,
            "attached-nowhere",
            "the policy stands on no root and no OU, so it does nothing".to_owned(),
        )
    })
    .collect()
}
