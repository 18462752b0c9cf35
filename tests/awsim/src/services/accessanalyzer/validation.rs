//! `ValidatePolicy`: some of AWS's checks, by its codes (IAM User Guide, "IAM policy validation check reference"). What they say is worded
//! as AWS words it for programs.

use landfall_policy::catalogue::catalogue;
use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::paging::Paging;

/// Where AWS documents a check; its chapter and its name in lower case follow.
const REFERENCE: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html#access-analyzer-reference-policy-checks-";

pub(super) fn validate(call: &Call<'_>) -> Answer {
    let document = call.required("policyDocument");
    let is_scp = call.required("policyType") == "SERVICE_CONTROL_POLICY";
    let paging = Paging {
        items: "findings",
        limit: "maxResults",
        token: ("nextToken", "nextToken"),
        most: 100,
        bad_token: "ValidationException",
        empty_first: false,
    };
    let findings = Checks::of(document, is_scp).findings;
    paging.page(call, findings).map(Value::Object)
}

/// A step into a document.
#[derive(Clone)]
enum Step {
    Member(&'static str),
    Item(usize),
}

struct Checks<'a> {
    document: &'a str,
    findings: Vec<Value>,
}

impl<'a> Checks<'a> {
    fn of(document: &'a str, is_scp: bool) -> Self {
        let mut checks = Checks {
            document,
            findings: Vec::new(),
        };
        match serde_json::from_str::<Value>(document) {
            Ok(policy) => checks.policy(&policy, is_scp),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let lines = document.split_inclusive('\n').take(line.saturating_sub(1));
                let index = lines.map(str::len).sum::<usize>() + column;
                let details = format!(
                    "Fix the JSON syntax error at index {index} line {line} column {column}."
                );
                checks.add("ERROR", "JSON_SYNTAX_ERROR", &details, &[], "");
            }
        }
        checks
    }

    fn policy(&mut self, policy: &Value, is_scp: bool) {
        if policy.get("Version").is_none() {
            let details = "We recommend that you specify the Version element to help you with debugging permission issues.";
            self.add("WARNING", "MISSING_VERSION", details, &[], "");
        }
        match policy.get("Statement") {
            Some(Value::Array(statements)) => {
                for (index, statement) in statements.iter().enumerate() {
                    let path = [Step::Member("Statement"), Step::Item(index)];
                    self.statement(statement, &path, is_scp);
                }
            }
            Some(statement) => self.statement(statement, &[Step::Member("Statement")], is_scp),
            None => {
                let details = "Add a statement to the policy";
                self.add("ERROR", "MISSING_STATEMENT", details, &[], "");
            }
        }
    }

    fn statement(&mut self, statement: &Value, path: &[Step], is_scp: bool) {
        for element in ["Principal", "NotPrincipal"] {
            if is_scp && statement.get(element).is_some() {
                let details = "SCPs do not support specifying principals. Remove the Principal or NotPrincipal element.";
                let place = [path, &[Step::Member(element)]].concat();
                self.add(
                    "ERROR",
                    "SCP_SYNTAX_ERROR_PRINCIPAL",
                    details,
                    &place,
                    element,
                );
            }
        }
        for element in ["Action", "NotAction"] {
            let place = [path, &[Step::Member(element)]].concat();
            match statement.get(element) {
                Some(Value::String(action)) => self.action(action, &place),
                Some(Value::Array(actions)) => {
                    let actions: Vec<&str> = actions.iter().filter_map(Value::as_str).collect();
                    for (index, action) in actions.iter().enumerate() {
                        let place = [place.as_slice(), &[Step::Item(index)]].concat();
                        self.action(action, &place);
                        self.redundant(&actions, index, &place);
                    }
                }
                _ => {}
            }
        }
    }

    fn action(&mut self, action: &str, place: &[Step]) {
        let Some((service, name)) = action.split_once(':') else {
            return;
        };
        match catalogue().service(service) {
            None => {
                let details =
                    format!("The service {service} specified in the action does not exist.");
                self.add(
                    "ERROR",
                    "INVALID_SERVICE_IN_ACTION",
                    &details,
                    place,
                    action,
                );
            }
            Some(known) if !name.contains(['*', '?']) && known.action(name).is_none() => {
                let details = format!("The action {action} does not exist.");
                self.add("ERROR", "INVALID_ACTION", &details, place, action);
            }
            Some(_) => {}
        }
    }

    /// An action that another of the list ends in a star for, or that stands there before.
    fn redundant(&mut self, actions: &[&str], index: usize, place: &[Step]) {
        let Some(action) = actions.get(index) else {
            return;
        };
        let covers = |(other, pattern): (usize, &&str)| match pattern.strip_suffix('*') {
            Some(stem) => {
                other != index
                    && !stem.contains(['*', '?'])
                    && action.starts_with(stem)
                    && action != pattern
            }
            None => other < index && action == pattern,
        };
        if actions.iter().enumerate().any(covers) {
            let details = format!(
                "The 1 action(s) are redundant because they provide similar permissions. Update the policy to remove the redundant \
                 action such as: {action}."
            );
            self.add("SUGGESTION", "REDUNDANT_ACTION", &details, place, action);
        }
    }

    /// `text`: what the finding is about, as it stands in the document.
    fn add(&mut self, kind: &str, code: &str, details: &str, path: &[Step], text: &str) {
        let path: Vec<Value> = path
            .iter()
            .map(|step| match step {
                Step::Member(name) => json!({ "value": name }),
                Step::Item(index) => json!({ "index": index }),
            })
            .collect();
        let quoted = format!("\"{text}\"");
        let start = self.document.find(&quoted).unwrap_or_default();
        let end = match text {
            "" => self.document.len(),
            _ => start + quoted.len(),
        };
        // The reference calls them general warnings, the API does not.
        let chapter = match kind {
            "WARNING" => "general-warning".to_owned(),
            kind => kind.to_lowercase().replace('_', "-"),
        };
        self.findings.push(json!({
            "findingType": kind,
            "issueCode": code,
            "findingDetails": details,
            "learnMoreLink": format!("{REFERENCE}{chapter}-{}", code.to_lowercase().replace('_', "-")),
            "locations": [{ "path": path, "span": { "start": self.position(start), "end": self.position(end) } }],
        }));
    }

    /// Lines from 1, columns and offsets from 0.
    fn position(&self, offset: usize) -> Value {
        let before = self.document.get(..offset).unwrap_or_default();
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        json!({ "line": before.matches('\n').count() + 1, "column": column, "offset": before.chars().count() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_would_find_is_found_where_it_stands() {
        let statement =
            |action: Value| json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
        let policy = |statement: Value| {
            json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
        };
        for (document, found) in [
            (policy(statement(json!("s3:GetObject"))), vec![]),
            (policy(statement(json!("s3:Get*"))), vec![]),
            (
                policy(statement(json!("s3:GetObjekt"))),
                vec![("INVALID_ACTION", 3)],
            ),
            (
                policy(statement(json!(["s3:GetObject", "s4:GetObject"]))),
                vec![("INVALID_SERVICE_IN_ACTION", 4)],
            ),
            (
                policy(statement(json!(["s3:GetObject", "s3:Get*"]))),
                vec![("REDUNDANT_ACTION", 4)],
            ),
            (
                policy(statement(json!(["s3:GetObject", "s3:GetObject"]))),
                vec![("REDUNDANT_ACTION", 4)],
            ),
            (
                policy(
                    json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" }),
                ),
                vec![("SCP_SYNTAX_ERROR_PRINCIPAL", 3)],
            ),
            (
                "{}".to_owned(),
                vec![("MISSING_VERSION", 0), ("MISSING_STATEMENT", 0)],
            ),
            ("{".to_owned(), vec![("JSON_SYNTAX_ERROR", 0)]),
        ] {
            let findings = Checks::of(&document, true).findings;
            let told: Vec<(&str, usize)> = findings
                .iter()
                .map(|one| {
                    let path = one["locations"][0]["path"].as_array().unwrap();
                    (one["issueCode"].as_str().unwrap(), path.len())
                })
                .collect();
            assert_eq!(told, found, "{document}");
        }
    }
}
