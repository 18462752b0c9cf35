//! What recorded calls cannot tell of the policies that are checked: what these deny, and no record would show.

use std::collections::BTreeMap;

use landfall_policy::{Effect, Statement};

use super::policies::Policies;

/// What calls need besides their own actions (Service Authorization Reference, *dependent actions*), and for what.
const BESIDES: [(&str, &str); 4] = [
    ("iam:PassRole", "to hand on a role"),
    ("ec2:CreateTags", "for tags given at creation"),
    (
        "kms:Decrypt",
        "for a key behind a bucket, a volume or a queue",
    ),
    (
        "kms:GenerateDataKey",
        "for a key behind a bucket, a volume or a queue",
    ),
];

/// What a trail records only as data events (CloudTrail User Guide, *Logging data events*).
const DATA: [(&str, &[&str]); 4] = [
    (
        "objects in S3",
        &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    ),
    (
        "items in DynamoDB",
        &[
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
            "dynamodb:Scan",
        ],
    ),
    (
        "messages of SQS and SNS",
        &["sqs:SendMessage", "sqs:ReceiveMessage", "sns:Publish"],
    ),
    ("functions of Lambda", &["lambda:InvokeFunction"]),
];

/// The actions that the policies newly deny somewhere and that calls need besides their own, each with what for.
pub(super) fn besides(before: &Policies, after: &Policies) -> Vec<String> {
    let mut actions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (action, what_for) in BESIDES {
        if denies(before, after, action) {
            let those = actions.entry(what_for).or_default();
            those.push(format!("`{action}`"));
        }
    }
    let actions = actions.into_iter();
    actions
        .map(|(what_for, those)| format!("{} {what_for}", those.join(" and ")))
        .collect()
}

/// The kinds of data on which the policies newly deny calls somewhere.
pub(super) fn data(before: &Policies, after: &Policies) -> Vec<String> {
    let denied = |actions: &[&str]| actions.iter().any(|action| denies(before, after, action));
    let kinds = DATA.iter().filter(|(_, actions)| denied(actions));
    kinds.map(|(kind, _)| (*kind).to_owned()).collect()
}

/// Whether a statement denies the action that did not stand on the same target before.
fn denies(before: &Policies, after: &Policies, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let denies =
        |statement: &&Statement| statement.effect() == Effect::Deny && statement.speaks_of(&action);
    after.standing().any(|(target, policy)| {
        let stood = |statement: &&Statement| {
            let mut old = before.standing().filter(|(old, _)| *old == target);
            old.any(|(_, policy)| policy.statements().contains(statement))
        };
        let mut statements = policy.statements().iter();
        statements.any(|statement| denies(&statement) && !stood(&statement))
    })
}
