//! What follows from the policies that were in force.

use landfall_policy::replay::Change;
use serde_json::{Value, json};

use super::{call, organization, policy, replay};

/// A call that went through was denied by nothing that was in force.
#[test]
fn what_was_in_force_leaves_no_doubt() {
    let tagged = |action: Value| json!({"Effect": "Deny", "Action": action, "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/stage": "test"}}});
    let root = json!({"Effect": "Deny", "Action": "iam:*", "Resource": "*"});
    for (before, after, uncertain) in [
        (json!([]), json!([tagged(json!("ec2:*"))]), 1),
        (
            json!([tagged(json!("ec2:*"))]),
            json!([tagged(json!("ec2:*")), root]),
            0,
        ),
        (
            json!([tagged(json!("*"))]),
            json!([tagged(json!(["ec2:StopInstances", "s3:*"]))]),
            0,
        ),
        (
            json!([tagged(json!("s3:*"))]),
            json!([tagged(json!("ec2:*"))]),
            1,
        ),
    ] {
        let policies = |statements: &Value| -> Vec<_> {
            let statements = statements.as_array().unwrap().iter();
            statements
                .map(|statement| policy(&json!([statement])))
                .collect()
        };
        let organization = organization(&policies(&before), &policies(&after));
        let report = replay(&organization, &[call("ec2", "StopInstances")]);
        assert_eq!(report.totals.uncertain, uncertain, "{before} {after}");
    }
}

/// Where the old policies deny a call that went through they were not in force, and nothing follows from them.
#[test]
fn what_was_not_in_force_settles_nothing() {
    let tagged = || {
        policy(
            &json!({"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/stage": "test"}}}),
        )
    };
    let plain = policy(&json!({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}));
    let report = replay(
        &organization(&[plain, tagged()], &[tagged()]),
        &[call("ec2", "StopInstances")],
    );
    assert_eq!(report.groups[0].change, Change::MayBeAllowed);
    assert_eq!(report.groups[0].unless, ["aws:resourcetag/stage"]);
}
