//! The policies that AWS manages and every account can attach. The documents say in a few statements what the
//! originals say in thousands of lines: enough for a simulated call to be allowed or refused as it would be.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::document::Document;
use super::policies::ManagedPolicy;

/// A line of `aws_managed.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    name: String,
    path: String,
    description: String,
    statements: Vec<Value>,
}

static POLICIES: LazyLock<BTreeMap<String, ManagedPolicy>> = LazyLock::new(|| {
    let sources: Vec<Source> =
        serde_json::from_str(include_str!("aws_managed.json")).expect("a test reads the file");
    let created = "2015-02-06T18:39:46Z".parse().expect("a time");
    let policies = sources.into_iter().enumerate().map(|(number, source)| {
        let text = json!({"Version": "2012-10-17", "Statement": source.statements}).to_string();
        let document = Document::identity(&text).expect("a test parses every document");
        let id = format!("ANPAAWSIMMANAGED{number:05}");
        let mut policy =
            ManagedPolicy::new("aws", &source.path, &source.name, id, document, created);
        policy.description = Some(source.description);
        (policy.arn.clone(), policy)
    });
    policies.collect()
});

pub(super) fn policy(arn: &str) -> Option<&'static ManagedPolicy> {
    if arn.starts_with("arn:aws:iam::aws:policy/") {
        POLICIES.get(arn)
    } else {
        None
    }
}

pub(super) fn all<'a>() -> impl Iterator<Item = &'a ManagedPolicy> {
    POLICIES.values()
}
