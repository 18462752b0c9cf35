//! What lint finds, and what comes near it and is right.

use landfall_policy::Kind;
use landfall_policy::lint::{Finding, Limits, Severity, lint};

use crate::scp;

/// The findings in an SCP of these statements.
pub(crate) fn scp(statements: &str) -> Vec<Finding> {
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    lint(&document, Kind::ServiceControl, Limits::default())
        .unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// A denying statement with a Sid.
pub(crate) fn deny(rest: &str) -> Vec<Finding> {
    scp(&format!(r#"{{"Sid":"Test","Effect":"Deny",{rest}}}"#))
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code).collect()
}

/// For each check: the code, what triggers it and where, what the finding must say, and a near miss that is clean.
#[test]
fn each_check_finds_its_own_and_leaves_the_near_miss() {
    let rows: &[(&str, &str, &str, &str, &str)] = &[
        (
            "unknown-service",
            r#""Action":["iam:CreateUser","gaurdduty:DeleteDetector"],"Resource":"*""#,
            "/Statement/0/Action/1",
            "did you mean `guardduty`",
            r#""Action":["iam:CreateUser","guardduty:DeleteDetector"],"Resource":"*""#,
        ),
        (
            "unknown-action",
            r#""Action":"s3:GetObjects","Resource":"*""#,
            "/Statement/0/Action",
            "did you mean `s3:GetObject`",
            r#""Action":"S3:getobject","Resource":"*""#,
        ),
        (
            "unknown-action",
            r#""NotAction":["iam:*","sts:AsumeRole"],"Resource":"*""#,
            "/Statement/0/NotAction/1",
            "did you mean `sts:AssumeRole`",
            r#""NotAction":["iam:*","sts:AssumeRole"],"Resource":"*""#,
        ),
        (
            "pattern-matches-nothing",
            r#""Action":"ec2:RunInstence*","Resource":"*""#,
            "/Statement/0/Action",
            "did you mean `ec2:RunInstances`",
            r#""Action":"ec2:RunInstance*","Resource":"*""#,
        ),
        (
            "redundant-action",
            r#""Action":["ec2:RunInstances","ec2:Run*"],"Resource":"*""#,
            "/Statement/0/Action/0",
            "`ec2:Run*` covers",
            r#""Action":["ec2:RunInstances","ec2:Start*"],"Resource":"*""#,
        ),
        (
            "unknown-key",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestRegion":"eu-west-1"}}"#,
            "/Statement/0/Condition/StringEquals/aws:RequestRegion",
            "did you mean `aws:RequestedRegion`",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:requestedregion":"eu-west-1"}}"#,
        ),
        (
            "unknown-key",
            r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:prefx":"a"}}"#,
            "/Statement/0/Condition/StringEquals/s3:prefx",
            "did you mean `s3:prefix`",
            r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"a"}}"#,
        ),
        (
            "key-never-present",
            r#""Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"a"}}"#,
            "/Statement/0/Condition/StringEquals/s3:prefix",
            "never holds",
            r#""Action":"s3:ListBucket","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"a"}}"#,
        ),
        (
            "key-never-present",
            r#""Action":"ec2:DescribeRegions","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestTag/team":"a"}}"#,
            "/Statement/0/Condition/StringNotEquals/aws:RequestTag~1team",
            "always holds",
            r#""Action":"ec2:RunInstances","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestTag/team":"a"}}"#,
        ),
        (
            "key-missing-for-some",
            r#""Action":["ec2:RunInstances","ec2:DescribeRegions"],"Resource":"*","Condition":{"StringNotEquals":{"ec2:InstanceType":"t3.micro"}}"#,
            "/Statement/0/Condition/StringNotEquals/ec2:InstanceType",
            "`ec2:DescribeRegions` never have",
            r#""Action":["ec2:RunInstances","ec2:Describe*"],"Resource":"*","Condition":{"StringNotEquals":{"ec2:InstanceType":"t3.micro"}}"#,
        ),
        (
            "type-mismatch",
            r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:SecureTransport":"false"}}"#,
            "/Statement/0/Condition/StringEquals/aws:SecureTransport",
            "write `Bool`",
            r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#,
        ),
        (
            "type-mismatch",
            r#""Action":"s3:*","Resource":"*","Condition":{"ArnLike":{"aws:SourceVpce":"arn:aws:ec2:*:*:vpc-endpoint/x"}}"#,
            "/Statement/0/Condition/ArnLike/aws:SourceVpce",
            "of type String",
            r#""Action":"s3:*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}"#,
        ),
        (
            "set-operator-missing",
            r#""Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"team"}}"#,
            "/Statement/0/Condition/StringEquals/aws:TagKeys",
            "ForAnyValue:StringEquals",
            r#""Action":"ec2:CreateTags","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}}"#,
        ),
        (
            "set-operator-on-single",
            r#""Action":"ec2:*","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:PrincipalOrgID":"o-a"}}"#,
            "/Statement/0/Condition/ForAnyValue:StringEquals/aws:PrincipalOrgID",
            "write `StringEquals`",
            r#""Action":"ec2:*","Resource":"*","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-a/*"}}"#,
        ),
        (
            "for-all-values-without-key",
            r#""Action":"ec2:CreateTags","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}"#,
            "/Statement/0/Condition/ForAllValues:StringEquals/aws:TagKeys",
            "denies that too",
            r#""Action":"ec2:CreateTags","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"team"},"Null":{"aws:tagkeys":"false"}}"#,
        ),
        (
            "wildcard-not-read",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1","us-*"]}}"#,
            "/Statement/0/Condition/StringNotEquals/aws:RequestedRegion/1",
            "write `StringNotLike`",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringNotLike":{"aws:RequestedRegion":["eu-west-1","us-*"]}}"#,
        ),
        (
            "empty-values",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":[]}}"#,
            "/Statement/0/Condition/StringNotEquals/aws:RequestedRegion",
            "write the values",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1"]}}"#,
        ),
        (
            "variable-in-front",
            r#""Action":"sqs:*","Resource":"arn:aws:sqs:*:${aws:PrincipalAccount}:q""#,
            "/Statement/0/Resource",
            "before its fifth colon",
            r#""Action":"sqs:*","Resource":"arn:aws:sqs:*:*:${aws:PrincipalAccount}""#,
        ),
        (
            "wildcard-in-service",
            r#""Action":"s3:*","Resource":"arn:aws:s*:::b""#,
            "/Statement/0/Resource",
            "wildcard in its service",
            r#""Action":"s3:*","Resource":"arn:aws:s3:::b*""#,
        ),
        (
            "resource-never-fits",
            r#""Action":["s3:GetObject","s3:Put*"],"Resource":"arn:aws:sqs:*:*:q""#,
            "/Statement/0/Resource",
            "`s3` work on no resource of `sqs`",
            r#""Action":["s3:GetObject","sqs:*"],"Resource":"arn:aws:sqs:*:*:q""#,
        ),
        (
            "region-denial-forgets",
            r#""NotAction":["iam:*","organizations:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1"]}}"#,
            "/Statement/0/NotAction",
            "`cloudfront:*`",
            r#""NotAction":["cloudfront:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1","us-east-1","us-west-2"]}}"#,
        ),
        (
            "region-denial-forgets",
            r#""Action":"*","Resource":"*","Condition":{"StringNotLike":{"aws:RequestedRegion":"eu-*"}}"#,
            "/Statement/0/Action",
            "`sts:*`",
            r#""Action":"ec2:*","Resource":"*","Condition":{"StringNotLike":{"aws:RequestedRegion":"eu-*"}}"#,
        ),
        (
            "spares-linked-roles",
            r#""Action":"ec2:*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/x","arn:aws:iam::*:role/aws-service-role/*"]}}"#,
            "/Statement/0/Condition/ArnNotLike/aws:PrincipalArn/1",
            "need not be spared",
            r#""Action":"ec2:*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/x","arn:aws:iam::*:role/aws-reserved/*"]}}"#,
        ),
        (
            "binds-linked-roles",
            r#""Action":"ec2:*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/aws-service-role/*"}}"#,
            "/Statement/0/Condition/ArnLike/aws:PrincipalArn",
            "no effect",
            r#""Action":"ec2:*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/aws-reserved/*"}}"#,
        ),
        (
            "binds-services",
            r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#,
            "/Statement/0/Condition/Bool/aws:PrincipalIsAWSService",
            "resource control policy",
            r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:PrincipalIsAWSService":"false"}}"#,
        ),
        (
            "linked-role-in-vain",
            r#""Action":["iam:DeleteServiceLinkedRole","iam:DeleteRole"],"Resource":"arn:aws:iam::*:role/aws-service-role/*""#,
            "/Statement/0/Action/1",
            "whatever policies say",
            r#""Action":["iam:DeleteServiceLinkedRole","iam:DeleteRole"],"Resource":["arn:aws:iam::*:role/aws-service-role/*","arn:aws:iam::*:role/x"]"#,
        ),
        (
            "statement-without-effect",
            r#""NotAction":["iam:*","*"],"Resource":"*""#,
            "/Statement/0/NotAction",
            "spares every action",
            r#""NotAction":["iam:*","sts:*"],"Resource":"*""#,
        ),
        (
            "statement-without-effect",
            r#""Action":"s3:*","NotResource":"*""#,
            "/Statement/0/NotResource",
            "spares every resource",
            r#""Action":"s3:*","NotResource":"arn:aws:s3:::b""#,
        ),
        (
            "invalid",
            r#""Principal":"*","Action":"s3:*","Resource":"*""#,
            "/Statement/0/Principal",
            "leave this out",
            r#""Action":"s3:*","Resource":"*""#,
        ),
    ];
    for (code, triggers, pointer, says, near_miss) in rows {
        let findings = deny(triggers);
        let found = findings
            .iter()
            .find(|finding| finding.code == *code && finding.pointer == *pointer);
        let found =
            found.unwrap_or_else(|| panic!("no {code} at {pointer} for {triggers}: {findings:#?}"));
        assert!(found.to_string().contains(says), "{found}");
        assert!(!found.instead.is_empty(), "{found}");
        assert_eq!(
            codes(&deny(near_miss)),
            Vec::<&str>::new(),
            "{near_miss}: {:#?}",
            deny(near_miss)
        );
    }
}

#[test]
fn of_documents_as_a_whole() {
    let statement = r#"{"Sid":"A","Effect":"Deny","Action":"sqs:*","Resource":"*"}"#;
    let found = |text: &str, limits| {
        lint(text, Kind::ServiceControl, limits)
            .unwrap()
            .into_iter()
            .map(|finding| (finding.code, finding.severity, finding.pointer))
            .collect::<Vec<_>>()
    };
    let whole = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    let of = |characters| Limits {
        characters,
        attached: 10,
    };
    // A single statement is written in brackets too.
    let length = whole(statement).len() + 2;
    let none: Vec<(&str, Severity, String)> = Vec::new();
    assert_eq!(found(&whole(statement), Limits::default()), none);
    assert_eq!(found(&whole(statement), of(length * 2)), none);
    assert_eq!(
        found(&whole(statement), of(length)),
        [("nearly-full", Severity::Suggestion, String::new())]
    );
    assert_eq!(
        found(&whole(statement), of(length - 1)),
        [("too-long", Severity::Error, String::new())]
    );
    let old = format!(r#"{{"Statement":{statement}}}"#);
    assert_eq!(
        found(&old, Limits::OLDER),
        [("version", Severity::Error, String::new())]
    );
    let unnamed = statement.replace(r#""Sid":"A","#, "");
    assert_eq!(
        found(&whole(&unnamed), Limits::OLDER),
        [("sid-missing", Severity::Suggestion, "/Statement".to_owned())]
    );
    let twice = format!("[{statement},{}]", statement.replace("sqs", "sns"));
    assert_eq!(
        found(&whole(&twice), Limits::OLDER),
        [("invalid", Severity::Error, "/Statement/1/Sid".to_owned())]
    );
    let misspelt = statement.replace("sqs:*", "sqss:*");
    assert_eq!(
        found(&whole(&misspelt), Limits::OLDER),
        [(
            "unknown-service",
            Severity::Error,
            "/Statement/Action".to_owned()
        )]
    );
    assert!(lint("[]", Kind::ServiceControl, Limits::default()).is_err());
}

/// The severity is worse where a request slips in than where one is kept out.
#[test]
fn allowing_without_a_key_is_a_matter_of_security() {
    let findings = scp(
        r#"{"Sid":"A","Effect":"Allow","Action":"ec2:CreateTags","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}}"#,
    );
    assert_eq!(codes(&findings), ["for-all-values-without-key"]);
    assert_eq!(findings[0].severity, Severity::SecurityWarning);
}

/// What lint has to say about our own policies, and why that stays: by file, code and pointer.
const JUSTIFIED: [(&str, &str, &str); 0] = [];

#[test]
fn our_own_policies_are_clean() {
    let mut left = Vec::new();
    for name in scp::policy_names() {
        let text = scp::filled_in(&name);
        for finding in lint(&text, Kind::ServiceControl, Limits::default()).unwrap() {
            let justified = JUSTIFIED.contains(&(&*name, finding.code, &*finding.pointer));
            if !justified {
                left.push(format!("{name}: {finding}"));
            }
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
}
