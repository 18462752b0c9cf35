//! Whole policies of the sorts that AWS's guides show, and what they decide.

use landfall_policy::{Context, Policy, PrincipalView, Request};

/// One request: action, resource, condition keys, and whether the policy allows it.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], bool);

#[track_caller]
fn check(document: &str, rows: &[Row<'_>]) {
    let policy = Policy::parse(document).unwrap();
    let principal = PrincipalView::from_arn("arn:aws:iam::111122223333:user/alice").unwrap();
    for (action, resource, keys, expected) in rows {
        let mut context = Context::of(&principal);
        for (key, value) in *keys {
            context.set(key, *value);
        }
        let request = Request {
            principal: &principal,
            action,
            resource,
            context: &context,
        };
        assert_eq!(
            policy.allows(&request),
            *expected,
            "{action} on {resource} with {keys:?}"
        );
    }
}

#[test]
fn users_look_after_their_own_credentials_and_need_mfa_for_the_rest() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iam:*AccessKey*","iam:ChangePassword","iam:EnableMFADevice"],"Resource":"arn:aws:iam::*:user/${aws:username}"},
        {"Effect":"Allow","Action":"iam:CreateVirtualMFADevice","Resource":"arn:aws:iam::*:mfa/*"},
        {"Effect":"Deny","NotAction":["iam:EnableMFADevice","iam:CreateVirtualMFADevice"],"Resource":"*",
         "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}"#;
    let own = "arn:aws:iam::111122223333:user/alice";
    let mfa: &[(&str, &str)] = &[("aws:MultiFactorAuthPresent", "true")];
    let none: &[(&str, &str)] = &[("aws:MultiFactorAuthPresent", "false")];
    check(
        document,
        &[
            ("iam:CreateAccessKey", own, mfa, true),
            ("iam:CREATEACCESSKEY", own, mfa, true),
            (
                "iam:CreateAccessKey",
                "arn:aws:iam::111122223333:user/bob",
                mfa,
                false,
            ),
            ("iam:CreateAccessKey", own, none, false),
            // Long-lived keys carry no such key at all: IfExists denies them too.
            ("iam:CreateAccessKey", own, &[], false),
            ("iam:EnableMFADevice", own, none, true),
            ("iam:DeleteUser", own, mfa, false),
        ],
    );
}

#[test]
fn a_home_folder_in_a_shared_bucket() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::shared",
         "Condition":{"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]}}},
        {"Effect":"Allow","Action":"s3:*Object","Resource":"arn:aws:s3:::shared/home/${aws:username}/*"}]}"#;
    check(
        document,
        &[
            (
                "s3:ListBucket",
                "arn:aws:s3:::shared",
                &[("s3:prefix", "home/")],
                true,
            ),
            (
                "s3:ListBucket",
                "arn:aws:s3:::shared",
                &[("s3:prefix", "home/alice/x")],
                true,
            ),
            (
                "s3:ListBucket",
                "arn:aws:s3:::shared",
                &[("s3:prefix", "home/bob/")],
                false,
            ),
            ("s3:ListBucket", "arn:aws:s3:::shared", &[], false),
            (
                "s3:GetObject",
                "arn:aws:s3:::shared/home/alice/a/b",
                &[],
                true,
            ),
            ("s3:GetObject", "arn:aws:s3:::shared/home/alice", &[], false),
            (
                "s3:GetObject",
                "arn:aws:s3:::shared/home/alicex/a",
                &[],
                false,
            ),
        ],
    );
}

#[test]
fn a_window_of_time_and_a_network() {
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{
        "DateGreaterThan":{"aws:CurrentTime":"2026-04-01T00:00:00Z"},
        "DateLessThan":{"aws:CurrentTime":"2026-06-30T23:59:59Z"},
        "IpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}}}}"#;
    check(
        document,
        &[
            (
                "ec2:RunInstances",
                "*",
                &[
                    ("aws:CurrentTime", "2026-05-01T12:00:00Z"),
                    ("aws:SourceIp", "203.0.113.9"),
                ],
                true,
            ),
            (
                "ec2:RunInstances",
                "*",
                &[
                    ("aws:CurrentTime", "2026-05-01T12:00:00Z"),
                    ("aws:SourceIp", "198.51.100.9"),
                ],
                false,
            ),
            (
                "ec2:RunInstances",
                "*",
                &[
                    ("aws:CurrentTime", "2026-07-01T00:00:00Z"),
                    ("aws:SourceIp", "203.0.113.9"),
                ],
                false,
            ),
            (
                "ec2:RunInstances",
                "*",
                &[("aws:SourceIp", "203.0.113.9")],
                false,
            ),
        ],
    );
}

#[test]
fn tags_decide() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["ec2:StartInstances","ec2:StopInstances"],"Resource":"arn:aws:ec2:*:*:instance/*",
         "Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}},
        {"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*",
         "Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["Owner","Stage"]},"Null":{"aws:TagKeys":"false"}}}]}"#;
    let instance = "arn:aws:ec2:eu-central-1:111122223333:instance/i-1";
    check(
        document,
        &[
            (
                "ec2:StopInstances",
                instance,
                &[("aws:ResourceTag/Owner", "alice")],
                true,
            ),
            (
                "ec2:StopInstances",
                instance,
                &[("aws:resourcetag/owner", "alice")],
                true,
            ),
            (
                "ec2:StopInstances",
                instance,
                &[("aws:ResourceTag/Owner", "bob")],
                false,
            ),
            ("ec2:StopInstances", instance, &[], false),
            (
                "ec2:CreateTags",
                instance,
                &[("aws:TagKeys", "Stage")],
                true,
            ),
            (
                "ec2:CreateTags",
                instance,
                &[("aws:TagKeys", "Cost")],
                false,
            ),
            ("ec2:CreateTags", instance, &[], false),
        ],
    );
}

/// `NotAction` with `Allow` covers everything else, without allowing what it names.
#[test]
fn all_but_some() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","NotAction":["iam:*","organizations:*"],"Resource":"*"},
        {"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::team","arn:aws:s3:::team/*"]}]}"#;
    check(
        document,
        &[
            ("ec2:RunInstances", "*", &[], true),
            ("iam:CreateUser", "*", &[], false),
            ("organizations:LeaveOrganization", "*", &[], false),
            ("s3:GetObject", "arn:aws:s3:::team/key", &[], true),
            ("s3:GetObject", "arn:aws:s3:::teams/key", &[], false),
        ],
    );
}

/// The bucket policy that an organization trail needs: CloudTrail checks the ACL and writes below the organization's
/// prefix, for this trail only.
#[test]
fn cloudtrail_may_write_to_the_log_bucket() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::logs"},
        {"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/AWSLogs/o-example/*",
         "Condition":{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control","aws:SourceArn":"arn:aws:cloudtrail:eu-central-1:111122223333:trail/landfall"}}}]}"#;
    let policy = Policy::parse(document).unwrap();
    let trail = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/landfall";
    let rows = [
        ("cloudtrail.amazonaws.com", trail, "o-example", true),
        ("config.amazonaws.com", trail, "o-example", false),
        (
            "cloudtrail.amazonaws.com",
            "arn:aws:cloudtrail:eu-central-1:444455556666:trail/landfall",
            "o-example",
            false,
        ),
        ("cloudtrail.amazonaws.com", trail, "o-other", false),
    ];
    for (service, source, organization, expected) in rows {
        let principal = PrincipalView::service(service);
        let context = Context::of(&principal)
            .with("aws:SourceArn", source)
            .with("s3:x-amz-acl", "bucket-owner-full-control");
        let request = Request {
            principal: &principal,
            action: "s3:PutObject",
            resource: &format!(
                "arn:aws:s3:::logs/AWSLogs/{organization}/444455556666/CloudTrail/file"
            ),
            context: &context,
        };
        assert_eq!(
            policy.allows(&request),
            expected,
            "{service} {source} {organization}"
        );
    }
}
