//! What AWS itself finds in the same files, beside what lint found: the same finding is said once, with both sources.

use landfall_controls::policy_validation::{Found, Gravity};

use super::report::{FileFinding, FoundBy, Severity};

/// What Access Analyzer's `ValidatePolicy` said.
#[derive(Clone, Debug, Default)]
pub struct AwsFindings {
    /// By file, in the order of the files.
    pub found: Vec<(String, Found)>,
    /// Why it did not say everything.
    pub missing: Option<String>,
}

/// Codes of AWS's checks, and what lint calls the same.
const SAME: [(&str, &str); 12] = [
    ("INVALID_ACTION", "unknown-action"),
    ("INVALID_GLOBAL_CONDITION_KEY", "unknown-key"),
    ("INVALID_SERVICE_CONDITION_KEY", "unknown-key"),
    ("INVALID_SERVICE_IN_ACTION", "unknown-service"),
    ("INVALID_VERSION", "version"),
    ("JSON_SYNTAX_ERROR", "not-json"),
    ("MISSING_STATEMENT", "invalid"),
    ("MISSING_VERSION", "version"),
    ("REDUNDANT_ACTION", "redundant-action"),
    ("SCP_SYNTAX_ERROR_PRINCIPAL", "invalid"),
    ("TYPE_MISMATCH", "type-mismatch"),
    ("WILDCARD_IN_SERVICE_NAME", "wildcard-in-service"),
];

/// Adds what AWS found. Where both found it, the words are lint's, which say what to write, and the graver severity counts.
pub(super) fn merge(findings: &mut Vec<FileFinding>, of_aws: &AwsFindings) {
    for (file, found) in &of_aws.found {
        let severity = severity(found.gravity);
        let mut ours = findings.iter_mut();
        match ours.find(|ours| ours.file == *file && is_same(ours, found)) {
            Some(ours) => {
                ours.severity = ours.severity.min(severity);
                ours.found_by = FoundBy::Both;
                ours.aws_code = Some(found.code.clone());
                ours.learn_more = Some(found.learn_more.clone());
            }
            None => findings.push(FileFinding {
                file: file.clone(),
                pointer: found.pointer.clone(),
                line: None,
                severity,
                code: found.code.clone(),
                problem: found.details.clone(),
                instead: String::new(),
                found_by: FoundBy::AccessAnalyzer,
                aws_code: Some(found.code.clone()),
                learn_more: Some(found.learn_more.clone()),
            }),
        }
    }
}

fn severity(gravity: Gravity) -> Severity {
    match gravity {
        Gravity::Error => Severity::Error,
        Gravity::SecurityWarning => Severity::SecurityWarning,
        Gravity::Warning => Severity::Warning,
        Gravity::Suggestion => Severity::Suggestion,
    }
}

/// Whether lint found the same at the same place, or at one within the other.
fn is_same(ours: &FileFinding, found: &Found) -> bool {
    let within = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let code = SAME.contains(&(found.code.as_str(), ours.code.as_str()));
    code && (within(&ours.pointer, &found.pointer) || within(&found.pointer, &ours.pointer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_finding_is_said_once_and_the_graver_word_counts() {
        let ours = |code: &str, pointer: &str, severity| FileFinding {
            file: "x.json".to_owned(),
            pointer: pointer.to_owned(),
            line: None,
            severity,
            code: code.to_owned(),
            problem: "ours".to_owned(),
            instead: "write this".to_owned(),
            found_by: FoundBy::Landfall,
            aws_code: None,
            learn_more: None,
        };
        let theirs = |file: &str, code: &str, pointer: &str| {
            let found = Found {
                gravity: Gravity::Error,
                code: code.to_owned(),
                details: "theirs".to_owned(),
                learn_more: "https://docs.aws.amazon.com/".to_owned(),
                pointer: pointer.to_owned(),
            };
            (file.to_owned(), found)
        };
        let action = "/Statement/0/Action/1";
        for (found, told) in [
            (
                theirs("x.json", "INVALID_ACTION", action),
                vec![FoundBy::Both],
            ),
            (
                theirs("x.json", "INVALID_ACTION", "/Statement/0/Action"),
                vec![FoundBy::Both],
            ),
            (
                theirs("x.json", "INVALID_ACTION", "/Statement/0/Action/10"),
                vec![FoundBy::Landfall, FoundBy::AccessAnalyzer],
            ),
            (
                theirs("x.json", "REDUNDANT_ACTION", action),
                vec![FoundBy::Landfall, FoundBy::AccessAnalyzer],
            ),
            (
                theirs("y.json", "INVALID_ACTION", action),
                vec![FoundBy::Landfall, FoundBy::AccessAnalyzer],
            ),
        ] {
            let mut findings = vec![ours("unknown-action", action, Severity::Warning)];
            let of_aws = AwsFindings {
                found: vec![found.clone()],
                missing: None,
            };
            merge(&mut findings, &of_aws);
            let by: Vec<FoundBy> = findings.iter().map(|finding| finding.found_by).collect();
            assert_eq!(by, told, "{found:?}");
            if let [both] = findings.as_slice() {
                assert_eq!(
                    (both.severity, both.problem.as_str()),
                    (Severity::Error, "ours")
                );
                assert!(both.learn_more.is_some());
            }
        }
    }
}
