//! STS: who is calling, and as whom else.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use landfall_policy::{Context, Kind, Policy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::authorize::{self, Question};
use crate::call::{AccountId, Answer, AwsError, Call, Principal};
use crate::protocol::Credentials;
use crate::world::World;

/// An assumed role's credentials live by the wall clock, which the simulator's own clock does not touch: the clients
/// that hold them look at the wall clock too, to renew them in time.
#[derive(Default)]
pub struct State {
    sessions: HashMap<String, Session>,
    /// How many credentials were made: each comes from its number, so that runs repeat.
    made: u64,
    swept: Option<Timestamp>,
}

struct Session {
    principal: Principal,
    secret: String,
    token: String,
    expires: Timestamp,
}

/// For how long expired credentials are remembered, to be refused as expired rather than as unknown.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(15);

/// The longest session of a role that is assumed by a role, in seconds.
const LONGEST_CHAINED: i64 = 3_600;

/// The longest session policy, in characters.
const LONGEST_POLICY: usize = 2_048;

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "GetCallerIdentity" => Ok(json!({
            "UserId": call.principal.unique_id,
            "Account": call.account().to_string(),
            "Arn": call.principal.arn,
        })),
        "AssumeRole" => assume_role(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The role to be assumed, the only resource that STS has.
pub fn resource(_world: &World, call: &Call<'_>) -> String {
    call.text("RoleArn").unwrap_or("*").to_owned()
}

fn assume_role(world: &mut World, call: &Call<'_>) -> Answer {
    let arn = call.required("RoleArn");
    let (account, name) = role_of(arn).ok_or_else(|| invalid(format!("{arn} is invalid")))?;
    let policy = session_policy(call)?;
    let tags = session_tags(call)?;
    let denied = || AwsError::new("AccessDenied", not_authorized(call, arn)).status(403);

    if call.principal.arn.ends_with(":root") {
        return Err(
            AwsError::new("AccessDenied", "Roles may not be assumed by root accounts.").status(403),
        );
    }
    // Whether account or role exist is nothing that STS tells: it is all the same refusal.
    if !world.organizations.is_active(account) {
        return Err(denied());
    }
    let role = world
        .iam
        .role(account, name)
        .filter(|role| role.arn == arn)
        .ok_or_else(denied)?;
    if call.now < role.assumable_from {
        return Err(denied());
    }
    if !world.account.region_enabled(account, call.region) {
        let message = format!(
            "STS is not activated in this region for account:{account}. Your account administrator can activate STS in this region using the IAM Console."
        );
        return Err(AwsError::new("RegionDisabledException", message).status(403));
    }
    let source_identity = permit(world, call, &role, account, &tags)?;
    let seconds = call.integer("DurationSeconds").unwrap_or(3_600);
    if call.principal.role.is_some() && seconds > LONGEST_CHAINED {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if seconds > role.max_session.as_secs() {
        return Err(invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }

    let session = call.required("RoleSessionName");
    let principal = Principal {
        account,
        arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
        unique_id: format!("{}:{session}", role.unique_id),
        role: Some(name.to_owned()),
        session_policy: policy,
        source_identity: source_identity.clone(),
        tags,
    };
    let user = json!({"AssumedRoleId": principal.unique_id, "Arn": principal.arn});
    let mut answer = json!({
        "Credentials": world.sts.open(world.settings.seed, principal, Timestamp::now(), SignedDuration::from_secs(seconds)),
        "AssumedRoleUser": user,
    });
    if let Some(policy) = call.text("Policy") {
        answer["PackedPolicySize"] = (policy.chars().count() * 100 / LONGEST_POLICY)
            .max(1)
            .into();
    }
    if let Some(identity) = source_identity {
        answer["SourceIdentity"] = identity.into();
    }
    Ok(answer)
}

/// Asks the caller's own policies and the role's trust policy; answers the new session's source identity.
fn permit(
    world: &World,
    call: &Call<'_>,
    role: &crate::services::iam::RoleView<'_>,
    account: AccountId,
    tags: &[(String, String)],
) -> Result<Option<String>, AwsError> {
    let given = call.text("SourceIdentity");
    let inherited = call.principal.source_identity.as_deref();
    if given.is_some() && inherited.is_some() && given != inherited {
        let message = "The SourceIdentity of a session cannot be changed.";
        return Err(AwsError::new("AccessDenied", message).status(403));
    }
    let source_identity = given.or(inherited);
    let mut actions = vec!["sts:AssumeRole"];
    actions.extend(source_identity.map(|_| "sts:SetSourceIdentity"));
    actions.extend((!tags.is_empty()).then_some("sts:TagSession"));
    for action in actions {
        let mut context =
            Context::new().with("sts:RoleSessionName", call.required("RoleSessionName"));
        if let Some(id) = call.text("ExternalId") {
            context.set("sts:ExternalId", id);
        }
        if let Some(identity) = source_identity {
            context.set("sts:SourceIdentity", identity);
        }
        for (key, value) in tags {
            context.set(&format!("aws:RequestTag/{key}"), value.as_str());
        }
        if !tags.is_empty() {
            context.set_all("aws:TagKeys", tags.iter().map(|(key, _)| key.as_str()));
        }
        let question = Question {
            principal: call.principal,
            action,
            resource: role.arn,
            context,
            resource_policy: Some((role.trust, account)),
            resource_must_allow: true,
        };
        authorize::may(world, call.region, call.now, question)
            .map_err(|message| AwsError::new("AccessDenied", message).status(403))?;
    }
    Ok(source_identity.map(str::to_owned))
}

/// Account and name in `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
fn role_of(arn: &str) -> Option<(AccountId, &str)> {
    let (account, path) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    Some((
        account.parse().ok()?,
        path.rsplit('/').next().filter(|name| !name.is_empty())?,
    ))
}

fn session_policy(call: &Call<'_>) -> Result<Option<Arc<Policy>>, AwsError> {
    if !call.list("PolicyArns").is_empty() {
        return Err(AwsError::not_built());
    }
    let Some(text) = call.text("Policy") else {
        return Ok(None);
    };
    if text.chars().count() > LONGEST_POLICY {
        return Err(invalid(format!(
            "1 validation error detected: Value '{text}' at 'policy' failed to satisfy constraint: \
             Member must have length less than or equal to {LONGEST_POLICY}"
        )));
    }
    let policy =
        Policy::parse(text).and_then(|policy| policy.validate(Kind::Session).map(|()| policy));
    policy
        .map(|policy| Some(Arc::new(policy)))
        .map_err(|error| AwsError::new("MalformedPolicyDocument", error.to_string()))
}

fn session_tags(call: &Call<'_>) -> Result<Vec<(String, String)>, AwsError> {
    let text = |tag: &Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
    let tags: Vec<_> = call
        .list("Tags")
        .iter()
        .map(|tag| (text(tag, "Key"), text(tag, "Value")))
        .collect();
    let mut keys: Vec<String> = tags.iter().map(|(key, _)| key.to_lowercase()).collect();
    keys.sort();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(AwsError::new(
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    Ok(tags)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationError", message)
}

fn not_authorized(call: &Call<'_>, arn: &str) -> String {
    format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        call.principal.arn
    )
}

impl State {
    /// Makes credentials for a principal and answers them as `Credentials`.
    fn open(
        &mut self,
        seed: u64,
        principal: Principal,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Value {
        self.sweep(now);
        self.made += 1;
        let digest = |purpose: &str| Sha256::digest(format!("{purpose} {seed} {}", self.made));
        let key = base32(&digest("key"), 16);
        let secret = BASE64
            .encode(digest("secret"))
            .chars()
            .take(40)
            .collect::<String>();
        let token = format!(
            "IQoJb3JpZ2luX2Vj{}{}",
            BASE64.encode(digest("token")),
            BASE64.encode(digest("more token"))
        );
        let expires = Timestamp::from_second((now + lifetime).as_second()).unwrap_or(now);
        let credentials = json!({
            "AccessKeyId": format!("ASIA{key}"),
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expires.to_string(),
        });
        self.sessions.insert(
            format!("ASIA{key}"),
            Session {
                principal,
                secret,
                token,
                expires,
            },
        );
        credentials
    }

    /// Forgets what has long expired, at most once a minute.
    fn sweep(&mut self, now: Timestamp) {
        if self
            .swept
            .is_none_or(|swept| now > swept + SignedDuration::from_mins(1))
        {
            self.sessions
                .retain(|_, session| now < session.expires + REMEMBERED);
            self.swept = Some(now);
        }
    }

    /// The session behind temporary credentials and the credentials' secret, if the token fits and has not run out at
    /// `now` by the wall clock.
    pub fn session(
        &self,
        access_key_id: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(&Principal, &str), Credentials> {
        let session = self
            .sessions
            .get(access_key_id)
            .filter(|session| token == Some(session.token.as_str()));
        match session {
            None => Err(Credentials::Unknown),
            Some(session) if now >= session.expires => Err(Credentials::Expired),
            Some(session) => Ok((&session.principal, &session.secret)),
        }
    }
}

/// Characters of AWS's ids out of a digest.
fn base32(digest: &[u8], n: usize) -> String {
    digest
        .iter()
        .take(n)
        .map(|byte| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte % 32)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
