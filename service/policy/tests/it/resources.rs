//! ARNs in `Resource`: wildcards and colons, and ARNs that AWS completes.

use landfall_policy::{Context, Policy, PrincipalView, Request};

fn covers(statement: &str, resource: &str) -> bool {
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*",{statement}}}}}"#
    );
    let principal = PrincipalView::from_arn("arn:aws:iam::111122223333:user/alice").unwrap();
    let context = Context::of(&principal);
    Policy::parse(&document).unwrap().allows(&Request {
        principal: &principal,
        action: "any:Action",
        resource,
        context: &context,
    })
}

/// "If the * wildcard is the last character of a resource ARN segment, it can expand to match beyond the colon boundaries";
/// any other wildcard stays within its segment.
#[test]
fn wildcards_and_colons() {
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:f:1";
    for (pattern, expected) in [
        ("*", true),
        ("arn:aws:lambda:*:*:function:f:1", true),
        ("arn:aws:lambda:eu-*:function:f:1", true),
        ("arn:aws:lambda:e*1:111122223333:function:*", true),
        ("arn:aws:lambda:e*3:function:*", false),
        ("arn:aws:lambda:eu-west-1?111122223333:function:f:1", false),
        ("arn:aws:lambda:eu-west-?:111122223333:function?f?1", true),
        ("arn:aws:lambda:eu-west-1:111122223333:f*1", true),
        ("arn:aws:lambda:eu-west-1:${aws:PrincipalAccount}:f*1", true),
    ] {
        assert_eq!(
            covers(&format!(r#""Resource":"{pattern}""#), function),
            expected,
            "{pattern}"
        );
        assert_eq!(
            covers(&format!(r#""NotResource":"{pattern}""#), function),
            !expected,
            "not {pattern}"
        );
    }
}

#[test]
fn short_arns_are_completed_in_policies_of_principals() {
    let queue = "arn:aws:sqs:eu-west-1:111122223333:q";
    for (pattern, completed, as_written) in [
        ("arn:aws:sqs", true, false),
        ("arn:aws:sqs:eu-west-1", true, false),
        ("arn:aws:sqs:eu-west-1:111122223333", true, false),
        ("arn:aws:sqs:${aws:username, 'x'}", false, false),
        ("arn:aws:sqs:eu-west-1:111122223333:", false, false),
        ("arn:aws:sq", false, false),
        ("arn:aws:sq*", true, true),
        ("sqs", false, false),
    ] {
        let resource = format!(r#""Resource":"{pattern}""#);
        assert_eq!(covers(&resource, queue), completed, "{pattern}");
        let of_resource = format!(r#"{resource},"Principal":"*""#);
        assert_eq!(
            covers(&of_resource, queue),
            as_written,
            "{pattern} of a resource"
        );
    }
}
