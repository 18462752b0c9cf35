//! What people are told about a decision.

use std::sync::Arc;

use landfall_policy::{
    Context, Decision, Fit, Layer, Layers, Policy, PrincipalView, Request, decide, explain,
};

fn policy(statements: &str) -> Arc<Policy> {
    Arc::new(
        Policy::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#
        ))
        .unwrap(),
    )
}

#[test]
fn each_statement_says_why_it_did_or_did_not_apply() {
    let identity = [policy(
        r#"{"Sid":"Own","Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{
             "StringEquals":{"aws:PrincipalTag/team":"a"},"Bool":{"aws:SecureTransport":"true"},"StringLike":{"aws:username":"b*"}}},
           {"Sid":"Other","Effect":"Allow","NotAction":"s3:*","Resource":"*"},
           {"Sid":"Elsewhere","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::other/*"}"#,
    )];
    let scps = [
        vec![policy(
            r#"{"Sid":"Full","Effect":"Allow","Action":"*","Resource":"*"}"#,
        )],
        vec![policy(
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}"#,
        )],
    ];
    let layers = Layers {
        identity: &identity,
        scps: &scps,
        ..Layers::default()
    };
    let alice = PrincipalView::from_arn("arn:aws:iam::111122223333:user/alice").unwrap();
    let context = Context::of(&alice)
        .with("aws:RequestedRegion", "eu-west-1")
        .with("aws:SecureTransport", "true");
    let request = Request {
        principal: &alice,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::bucket/key",
        context: &context,
    };
    let explanation = explain(&layers, &request);
    assert_eq!(explanation.decision, decide(&layers, &request));
    let fits: Vec<(Layer, &Fit)> = explanation
        .statements
        .iter()
        .map(|trace| (trace.layer, &trace.fit))
        .collect();
    assert_eq!(fits.len(), 5);
    assert_eq!(fits[0], (Layer::Scp { level: 0 }, &Fit::Applies));
    assert!(
        matches!(fits[1], (Layer::Scp { level: 1 }, Fit::Unmet(gaps)) if gaps[0].actual == ["eu-west-1"])
    );
    let Fit::Unmet(gaps) = fits[2].1 else {
        panic!("{:?}", fits[2])
    };
    let keys: Vec<&str> = gaps.iter().map(|gap| gap.key.as_str()).collect();
    assert_eq!(keys, ["aws:PrincipalTag/team", "aws:username"]);
    assert_eq!(fits[3].1, &Fit::Elsewhere("NotAction".to_owned()));
    assert_eq!(fits[4].1, &Fit::Elsewhere("Resource".to_owned()));
    assert_eq!(explanation.missing_keys(), ["aws:PrincipalTag/team"]);
    assert_eq!(explanation.applied().count(), 1);
    let told = explanation.to_string();
    for part in [
        "denied: no service control policy at level 1 below the root allows it",
        "statement `Full` of policy 0 allows it (service control policy of the root)",
        "statement `Own` of policy 0 would allow it, but wants StringEquals aws:PrincipalTag/team a, which the request lacks, \
         and wants StringLike aws:username b*, and the request has alice (identity-based policy)",
    ] {
        assert!(told.contains(part), "{part}\n--\n{told}");
    }
    assert!(!told.contains("Elsewhere"), "{told}");
}

#[test]
fn layers_that_have_no_say_are_left_out() {
    let deny = policy(r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#);
    let shut = [vec![Arc::clone(&deny)]];
    let layers = Layers {
        scps: &shut,
        rcps: &shut,
        boundary: Some(&deny),
        ..Layers::default()
    };
    let linked = PrincipalView::role_session(
        "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/X",
        "s",
    )
    .unwrap();
    let root = PrincipalView::root("111122223333");
    let service = PrincipalView::service("x.amazonaws.com");
    for (principal, expected) in [
        (&linked, vec![Layer::Boundary]),
        (
            &root,
            vec![Layer::Scp { level: 0 }, Layer::Rcp { level: 0 }],
        ),
        (&service, vec![Layer::Rcp { level: 0 }, Layer::Boundary]),
    ] {
        let context = Context::of(principal);
        let request = Request {
            principal,
            action: "s3:GetObject",
            resource: "*",
            context: &context,
        };
        let explanation = explain(&layers, &request);
        let seen: Vec<Layer> = explanation
            .statements
            .iter()
            .map(|trace| trace.layer)
            .collect();
        assert_eq!(seen, expected, "{principal:?}");
        match explanation.decision {
            Decision::Denied(denial) => assert_eq!(denial.layer, expected[0]),
            Decision::Allowed => panic!("{principal:?} is allowed"),
        }
    }
}
