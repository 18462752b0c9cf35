//! Who may assume which role, and what comes of it.

use super::sessions::REMEMBERED;
use super::*;
use crate::protocol::Credentials;
use crate::world::{MANAGEMENT_ACCOUNT, Settings};

struct Stage {
    world: World,
    now: Timestamp,
    admin: Principal,
}

/// A role `target` in the management account with the trust policy, the maximal session being two hours.
fn stage(trust: &Value) -> Stage {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
    let settings = Settings {
        seed: 1,
        create_account: SignedDuration::from_secs(1),
        time_scale: 1,
    };
    let world = World::new(settings, now);
    let admin = world.iam.access_key("AWSIMMANAGEMENT0000").unwrap();
    let mut stage = Stage { world, now, admin };
    let input = json!({"RoleName": "target", "AssumeRolePolicyDocument": trust.to_string(), "MaxSessionDuration": 7200});
    let call = Call {
        service: "iam",
        operation: "CreateRole",
        principal: &stage.admin.clone(),
        region: "us-east-1",
        now,
        input,
    };
    crate::services::answer(&mut stage.world, &call).unwrap();
    stage.now += SignedDuration::from_mins(5);
    stage
}

fn trust(condition: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{MANAGEMENT_ACCOUNT}:root")},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }]})
}

impl Stage {
    fn assume(&mut self, principal: &Principal, more: &Value) -> Answer {
        let mut input = json!({"RoleArn": format!("arn:aws:iam::{MANAGEMENT_ACCOUNT}:role/target"), "RoleSessionName": "test"});
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        let call = Call {
            service: "sts",
            operation: "AssumeRole",
            principal,
            region: "eu-west-1",
            now: self.now,
            input,
        };
        answer(&mut self.world, &call)
    }

    fn code(&mut self, more: &Value) -> String {
        let admin = self.admin.clone();
        self.assume(&admin, more)
            .err()
            .map_or_else(|| "ok".to_owned(), |error| error.code)
    }
}

#[test]
fn a_session_is_its_role_until_it_expires() {
    let mut stage = stage(&trust(&json!({})));
    let admin = stage.admin.clone();
    let answer = stage
        .assume(&admin, &json!({"DurationSeconds": 900}))
        .unwrap();
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let (key, token) = (text("AccessKeyId"), text("SessionToken"));
    let expires: Timestamp = text("Expiration").parse().unwrap();
    let before = expires - SignedDuration::from_secs(1);
    let (principal, secret) = stage.world.sts.session(&key, Some(&token), before).unwrap();
    assert_eq!(
        principal.arn,
        format!("arn:aws:sts::{MANAGEMENT_ACCOUNT}:assumed-role/target/test")
    );
    assert_eq!((secret.len(), key.len()), (40, 20));
    assert_eq!(
        stage.world.sts.session(&key, Some("other"), before).err(),
        Some(Credentials::Unknown)
    );
    assert_eq!(
        stage.world.sts.session(&key, None, before).err(),
        Some(Credentials::Unknown)
    );
    assert_eq!(
        stage.world.sts.session(&key, Some(&token), expires).err(),
        Some(Credentials::Expired)
    );
    stage.world.sts.sweep(expires + REMEMBERED);
    assert!(stage.world.sts.sessions.is_empty());
}

#[test]
fn what_is_not_as_it_must_be_is_refused() {
    let external = json!({"StringEquals": {"sts:ExternalId": "e1"}});
    let long = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{}","Resource":"*"}}]}}"#,
        "s3:Get".repeat(400)
    );
    let cases = [
        (json!({}), json!({}), "ok"),
        (json!({}), json!({"DurationSeconds": 7200}), "ok"),
        (
            json!({}),
            json!({"DurationSeconds": 7201}),
            "ValidationError",
        ),
        (
            json!({}),
            json!({"RoleArn": "arn:aws:iam::111111111111:role/other"}),
            "AccessDenied",
        ),
        (
            json!({}),
            json!({"RoleArn": "arn:aws:iam::999999999999:role/target"}),
            "AccessDenied",
        ),
        (
            json!({}),
            json!({"RoleArn": "arn:aws:iam::111111111111:role/path/target"}),
            "AccessDenied",
        ),
        (
            json!({}),
            json!({"RoleArn": "arn:aws:iam::111111111111:user/target"}),
            "ValidationError",
        ),
        (
            json!({}),
            json!({"Policy": "{}"}),
            "MalformedPolicyDocument",
        ),
        (json!({}), json!({ "Policy": long }), "ValidationError"),
        (json!({}), json!({"SourceIdentity": "who"}), "AccessDenied"),
        (
            json!({}),
            json!({"Tags": [{"Key": "k", "Value": "v"}]}),
            "AccessDenied",
        ),
        (external.clone(), json!({}), "AccessDenied"),
        (
            external.clone(),
            json!({"ExternalId": "e2"}),
            "AccessDenied",
        ),
        (external, json!({"ExternalId": "e1"}), "ok"),
    ];
    for (condition, input, code) in cases {
        assert_eq!(
            stage(&trust(&condition)).code(&input),
            code,
            "{condition} {input}"
        );
    }
}

#[test]
fn a_young_role_cannot_be_assumed_yet() {
    let mut stage = stage(&trust(&json!({})));
    stage.now -= SignedDuration::from_mins(5);
    assert_eq!(stage.code(&json!({})), "AccessDenied");
}

#[test]
fn chained_sessions_are_short_and_keep_their_source_identity() {
    let mut trust = trust(&json!({}));
    trust["Statement"][0]["Action"] =
        json!(["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]);
    let mut stage = stage(&trust);
    let admin = stage.admin.clone();
    stage
        .assume(
            &admin,
            &json!({"SourceIdentity": "who", "Tags": [{"Key": "k", "Value": "v"}]}),
        )
        .unwrap();
    let first = stage
        .world
        .sts
        .sessions
        .values()
        .next()
        .unwrap()
        .principal
        .clone();
    assert_eq!(first.source_identity.as_deref(), Some("who"));
    // The role has no policy of its own, and a trust in the whole account leaves it to the account.
    assert_eq!(
        stage.assume(&first, &json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let grant = json!({"RoleName": "target", "PolicyName": "p", "PolicyDocument":
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#});
    let call = Call {
        service: "iam",
        operation: "PutRolePolicy",
        principal: &admin,
        region: "us-east-1",
        now: stage.now,
        input: grant,
    };
    crate::services::answer(&mut stage.world, &call).unwrap();
    let chained = stage.assume(&first, &json!({})).unwrap();
    assert_eq!(chained["SourceIdentity"], "who");
    assert_eq!(
        stage
            .assume(&first, &json!({"DurationSeconds": 3601}))
            .unwrap_err()
            .code,
        "ValidationError"
    );
    assert_eq!(
        stage
            .assume(&first, &json!({"SourceIdentity": "else"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
}
