//! What becomes of each record.

use serde_json::{Value, json};

use super::{ACCOUNT, call, deny, organization, replay, with};

#[test]
fn what_does_not_bear_on_a_verdict_is_counted_by_its_reason() {
    let mut organization = organization(&[], &[deny("*")]);
    let linked = "arn:aws:iam::123456789012:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig";
    let foreign = |account: &str| {
        vec![
            ("/userIdentity/accountId", json!(account)),
            ("/recipientAccountId", json!(account)),
        ]
    };
    let run = || call("ec2", "RunInstances");
    let identity = |identity: Value| with(run(), &[("/userIdentity", identity)]);
    for (name, record, count) in [
        ("denied", run(), "/denied"),
        (
            "refused",
            with(
                run(),
                &[("/errorCode", json!("Client.UnauthorizedOperation"))],
            ),
            "/refused",
        ),
        (
            "refused too",
            with(run(), &[("/errorCode", json!("AccessDenied"))]),
            "/refused",
        ),
        (
            "failed",
            with(
                run(),
                &[("/errorCode", json!("Client.InvalidAMIID.NotFound"))],
            ),
            "/denied",
        ),
        (
            "sign-in",
            with(
                call("signin", "ConsoleLogin"),
                &[("/eventType", json!("AwsConsoleSignIn"))],
            ),
            "/not_calls",
        ),
        (
            "refused, as some services tell it",
            with(
                run(),
                &[(
                    "/responseElements",
                    json!({"errorCode": "AccessDeniedException"}),
                )],
            ),
            "/refused",
        ),
        (
            "in the console",
            with(run(), &[("/eventType", json!("AwsConsoleAction"))]),
            "/unjudged/unknown_event",
        ),
        (
            "in the console by a service",
            with(
                identity(json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"})),
                &[("/eventType", json!("AwsConsoleAction"))],
            ),
            "/unbound/services",
        ),
        (
            "through an endpoint",
            with(run(), &[("/eventType", json!("AwsVpceEvent"))]),
            "/not_calls",
        ),
        (
            "a service's own",
            with(run(), &[("/eventType", json!("AwsServiceEvent"))]),
            "/not_calls",
        ),
        (
            "no permission needed",
            call("sts", "GetCallerIdentity"),
            "/not_calls",
        ),
        (
            "management",
            with(run(), &foreign("999999999999")),
            "/unbound/management_account",
        ),
        (
            "unknown account",
            with(run(), &foreign("555555555555")),
            "/unjudged/unknown_account",
        ),
        (
            "linked",
            with(
                run(),
                &[(
                    "/userIdentity/sessionContext/sessionIssuer/arn",
                    json!(linked),
                )],
            ),
            "/unbound/service_linked_roles",
        ),
        (
            "service",
            identity(json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"})),
            "/unbound/services",
        ),
        (
            "federated",
            identity(
                json!({"type": "SAMLUser", "principalId": "idp:jane", "userName": "jane", "identityProvider": "idp"}),
            ),
            "/unbound/federated",
        ),
        (
            "web",
            identity(
                json!({"type": "WebIdentityUser", "principalId": "accounts.google.com:x:1", "userName": "1"}),
            ),
            "/unbound/federated",
        ),
        (
            "another account",
            identity(
                json!({"type": "AWSAccount", "principalId": "AROA123:x", "accountId": "444455556666"}),
            ),
            "/unjudged/other_account",
        ),
        (
            "seen by the owner",
            with(run(), &[("/recipientAccountId", json!("444455556666"))]),
            "/unjudged/other_account",
        ),
        (
            "nobody",
            identity(json!({"type": "Unknown"})),
            "/unjudged/unknown_principal",
        ),
        (
            "identity center",
            identity(json!({"type": "IdentityCenterUser", "accountId": ACCOUNT})),
            "/unjudged/unknown_principal",
        ),
        (
            "no identity",
            with(run(), &[("/userIdentity", Value::Null)]),
            "/unjudged/unknown_principal",
        ),
        (
            "unknown event",
            call("ec2", "RunEverything"),
            "/unjudged/unknown_event",
        ),
        (
            "no record",
            json!({"hello": "world"}),
            "/unjudged/unreadable",
        ),
        ("no object", json!(7), "/unjudged/unreadable"),
        (
            "root",
            identity(
                json!({"type": "Root", "principalId": ACCOUNT, "arn": "arn:aws:iam::123456789012:root", "accountId": ACCOUNT}),
            ),
            "/denied",
        ),
        (
            "user",
            identity(
                json!({"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/jane", "accountId": ACCOUNT, "userName": "jane"}),
            ),
            "/denied",
        ),
    ] {
        let totals = serde_json::to_value(replay(&organization, &[record]).totals).unwrap();
        assert_eq!(totals.pointer(count), Some(&json!(1)), "{name}: {totals}");
    }
    let report = replay(
        &organization,
        &[call("ec2", "RunEverything"), call("ec2", "RunEverything")],
    );
    assert_eq!(
        (
            report.unknown_events[0].name.as_str(),
            report.unknown_events[0].count
        ),
        ("RunEverything", 2)
    );
    organization.accounts.clear();
    assert_eq!(
        replay(&organization, &[run()])
            .totals
            .unjudged
            .unknown_account,
        1
    );
}

/// A call that was refused when it was made loses nothing: it is neither denied anew nor in a group.
#[test]
fn what_was_refused_is_not_denied_anew() {
    let organization = organization(&[], &[deny("*")]);
    let run = || call("ec2", "RunInstances");
    let refused = |code: &str| with(run(), &[("/errorCode", json!(code))]);
    for code in [
        "AccessDenied",
        "AccessDeniedException",
        "Client.UnauthorizedOperation",
        "UnauthorizedOperation",
    ] {
        let report = replay(&organization, &[refused(code), run(), refused(code)]);
        assert_eq!(
            (report.totals.refused, report.totals.denied),
            (2, 1),
            "{code}"
        );
        let counts: Vec<u64> = report.groups.iter().map(|group| group.count).collect();
        assert_eq!(counts, [1], "{code}");
    }
}
