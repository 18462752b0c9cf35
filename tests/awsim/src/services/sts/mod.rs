//! STS: who is calling, and as whom else.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_policy::{Context, Kind, Policy};
use serde_json::{Value, json};

use crate::authorize::{self, Question};
use crate::call::{AccountId, Answer, AwsError, Call, Principal};
use crate::world::World;

mod sessions;

pub use sessions::State;

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

#[cfg(test)]
mod tests;
