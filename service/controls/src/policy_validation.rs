//! What AWS itself finds in a policy: IAM Access Analyzer's `ValidatePolicy`.

use aws_sdk_accessanalyzer::types::{
    Location, PathElement, PolicyType, ValidatePolicyFinding, ValidatePolicyFindingType,
};
use landfall_model::ids::{AccountId, Region};

use crate::aws::Aws;
use crate::cloud::{Cloud, Errand};
use crate::error::CloudError;

const VALIDATE: &str = "access-analyzer:ValidatePolicy";

/// All that a session for these findings may do.
pub const ACTIONS: &[&str] = &[VALIDATE];

/// How grave AWS calls a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gravity {
    Error,
    SecurityWarning,
    Warning,
    Suggestion,
}

/// What AWS found at one place, or in the document as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub gravity: Gravity,
    /// `INVALID_ACTION`
    pub code: String,
    pub details: String,
    /// Where AWS documents it.
    pub learn_more: String,
    /// A JSON pointer; empty for the document as a whole.
    pub pointer: String,
}

/// Assumes the management role for this one action.
///
/// # Errors
///
/// What AWS says where the role cannot be assumed.
pub async fn open(cloud: &Cloud, management: &AccountId, home: &Region) -> Result<Aws, CloudError> {
    let errand = Errand {
        account: management.clone(),
        region: home.clone(),
        actions: ACTIONS.iter().copied().collect(),
        reason: "scp-check".to_owned(),
        young: false,
        shared: true,
    };
    Box::pin(cloud.assume(&errand)).await
}

/// Everything that AWS finds in a service control policy.
///
/// # Errors
///
/// What AWS says where it does not look.
pub async fn findings(aws: &Aws, document: &str) -> Result<Vec<Found>, CloudError> {
    let analyzer = aws.accessanalyzer();
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = aws
            .call(VALIDATE, || {
                analyzer
                    .validate_policy()
                    .policy_document(document)
                    .policy_type(PolicyType::ServiceControlPolicy)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        found.extend(page.findings.iter().flat_map(each_place));
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// A finding for each of its places.
fn each_place(finding: &ValidatePolicyFinding) -> Vec<Found> {
    let gravity = match finding.finding_type {
        ValidatePolicyFindingType::Error => Gravity::Error,
        ValidatePolicyFindingType::SecurityWarning => Gravity::SecurityWarning,
        ValidatePolicyFindingType::Suggestion => Gravity::Suggestion,
        // And whatever AWS thinks of next.
        _ => Gravity::Warning,
    };
    let mut pointers: Vec<String> = finding.locations.iter().map(pointer).collect();
    if pointers.is_empty() {
        pointers.push(String::new());
    }
    pointers
        .into_iter()
        .map(|pointer| Found {
            gravity,
            code: finding.issue_code.clone(),
            details: finding.finding_details.clone(),
            learn_more: finding.learn_more_link.clone(),
            pointer,
        })
        .collect()
}

/// A path as a JSON pointer (RFC 6901), down to where it leaves the structure for a part of a text.
fn pointer(location: &Location) -> String {
    let mut pointer = String::new();
    for element in &location.path {
        match element {
            // A member's name itself, or what stands under it.
            PathElement::Key(name) | PathElement::Value(name) => {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            PathElement::Index(index) => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            // A part of a text.
            _ => break,
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    const FIRST: &str = r#"{"findings": [{
        "findingType": "ERROR", "issueCode": "INVALID_ACTION", "findingDetails": "no such action", "learnMoreLink": "https://x",
        "locations": [
            {"path": [{"value": "Statement"}, {"index": 0}, {"key": "Effect"}], "span": {"start": {"line": 1, "column": 1, "offset": 1}, "end": {"line": 1, "column": 2, "offset": 2}}},
            {"path": [{"value": "Statement"}, {"index": 0}, {"value": "Action"}, {"index": 1}, {"substring": {"start": 0, "length": 2}}], "span": {"start": {"line": 1, "column": 1, "offset": 1}, "end": {"line": 1, "column": 2, "offset": 2}}}
        ]}], "nextToken": "t"}"#;
    const LAST: &str = r#"{"findings": [{
        "findingType": "MOOD", "issueCode": "NEW", "findingDetails": "of the document", "learnMoreLink": "https://y", "locations": []}]}"#;

    #[tokio::test]
    async fn each_place_of_a_finding_is_told_by_its_pointer() {
        let wire = Wire::with([(200, FIRST), (200, LAST)]);
        let aws = wire.aws("eu-west-1", ACTIONS);
        let found = findings(&aws, "{}").await.unwrap();
        let told: Vec<(Gravity, &str, &str)> = found
            .iter()
            .map(|it| (it.gravity, it.code.as_str(), it.pointer.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Gravity::Error, "INVALID_ACTION", "/Statement/0/Effect"),
                (Gravity::Error, "INVALID_ACTION", "/Statement/0/Action/1"),
                (Gravity::Warning, "NEW", ""),
            ]
        );
        assert!(wire.requests()[1].uri().contains("nextToken=t"));
    }
}
