//! Whether a principal may do what it asks: its policies, its boundary, its session's policy, and the SCPs over its
//! account, all of them evaluated on every call.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_policy::{
    Context, Decision, Denial, Layer, Layers, Policy, PrincipalKind, PrincipalView, Reason,
    Request, decide,
};
use serde_json::Value;

use crate::call::{AccountId, Call, Principal};
use crate::dependent_actions;
use crate::services;
use crate::world::World;

/// What one principal wants to do, for services that ask on a caller's behalf (`iam:PassRole`, `sts:AssumeRole`).
pub(crate) struct Question<'a> {
    pub(crate) principal: &'a Principal,
    /// `service:Action`
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// Keys of the request beside those that follow from the principal, `sts:ExternalId`.
    pub(crate) context: Context,
    /// The resource's own policy and the account that owns it.
    pub(crate) resource_policy: Option<(&'a Policy, AccountId)>,
    /// Whether the resource's policy must allow even inside one account, as a role's trust policy must.
    pub(crate) resource_must_allow: bool,
}

/// Decides a call before its service sees it. The error is AWS's message.
pub(crate) fn authorize(world: &World, call: &Call<'_>) -> Result<(), String> {
    // GetCallerIdentity needs no permission and cannot be denied. AssumeRole asks on its own, with the role's trust policy.
    if call.service == "sts" {
        return Ok(());
    }
    let resource = services::resource(world, call);
    let question = Question {
        principal: call.principal,
        action: &action(call.service, call.operation),
        resource: &resource,
        context: request_context(call),
        // S3 alone has policies on resources here, and asks them itself, with the bucket at hand.
        resource_policy: None,
        resource_must_allow: false,
    };
    may(world, call.region, call.now, question)?;
    for dependent in dependent_actions::of(world, call, &resource) {
        let question = Question {
            principal: call.principal,
            action: dependent.action,
            resource: &dependent.resource,
            context: dependent.context,
            resource_policy: None,
            resource_must_allow: false,
        };
        may(world, call.region, call.now, question)?;
    }
    Ok(())
}

/// Decides a question. The error is AWS's message: who, what, on what and why not.
pub(crate) fn may(
    world: &World,
    region: &str,
    now: Timestamp,
    question: Question<'_>,
) -> Result<(), String> {
    let principal = question.principal;
    let view = view(world, principal);
    let mut context = question.context;
    add_principal_keys(world, principal, &view, &mut context);
    context.set("aws:RequestedRegion", region);
    context.set("aws:CurrentTime", now.to_string());
    context.set("aws:EpochTime", now.as_second().to_string());
    // awsim speaks plain HTTP on loopback and stands in for endpoints that speak TLS only.
    context.set("aws:SecureTransport", "true");
    context.set("aws:ViaAWSService", "false");

    let own = Own::of(world, principal, &view);
    let scps = world
        .organizations
        .service_control_policies(principal.account);
    let owner = question.resource_policy.map(|(_, owner)| owner.to_string());
    let layers = Layers {
        identity: &own.identity,
        resource: question.resource_policy.map(|(policy, _)| policy),
        resource_account: owner.as_deref(),
        resource_must_allow: question.resource_must_allow,
        boundary: own.boundary.as_deref(),
        session: principal.session_policy.as_deref(),
        scps: &scps,
        rcps: &[],
    };
    let request = Request {
        principal: &view,
        action: question.action,
        resource: question.resource,
        context: &context,
    };
    match decide(&layers, &request) {
        Decision::Allowed => Ok(()),
        Decision::Denied(denial) => Err(message(
            &principal.arn,
            question.action,
            question.resource,
            &denial,
        )),
    }
}

/// What speaks for a principal itself.
#[derive(Default)]
struct Own {
    identity: Vec<Arc<Policy>>,
    boundary: Option<Arc<Policy>>,
}

impl Own {
    fn of(world: &World, principal: &Principal, view: &PrincipalView) -> Own {
        match (view.kind(), &principal.role) {
            (PrincipalKind::RoleSession, Some(role)) => {
                match world.iam.role(principal.account, role) {
                    // A role made anew under the old name is another role: the old one's sessions get nothing from it.
                    Some(role) if principal.unique_id.split(':').next() == Some(role.unique_id) => {
                        Own {
                            identity: role.policies,
                            boundary: role.boundary,
                        }
                    }
                    _ => Own::default(),
                }
            }
            (PrincipalKind::User, _) => Own {
                identity: world.iam.user_policies(principal.account, view.name()),
                boundary: world.iam.user_boundary(principal.account, view.name()),
            },
            _ => Own::default(),
        }
    }
}

fn view(world: &World, principal: &Principal) -> PrincipalView {
    let view = PrincipalView::from_arn(&principal.arn).unwrap_or_else(PrincipalView::anonymous);
    let view = view.with_unique_id(&principal.unique_id);
    match principal
        .role
        .as_ref()
        .and_then(|role| world.iam.role(principal.account, role))
    {
        Some(role) => view.with_role(role.arn),
        None => view,
    }
}

fn add_principal_keys(
    world: &World,
    principal: &Principal,
    view: &PrincipalView,
    context: &mut Context,
) {
    let of_principal = Context::of(view);
    for key in [
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalType",
        "aws:userid",
        "aws:username",
        "aws:PrincipalIsAWSService",
    ] {
        if let [value] = of_principal.get(key) {
            context.set(key, value.as_str());
        }
    }
    let path = world.organizations.path(principal.account);
    if !path.is_empty() {
        context.set("aws:PrincipalOrgID", world.organizations.organization_id());
        context.set_all("aws:PrincipalOrgPaths", [path]);
    }
    if let Some(identity) = &principal.source_identity {
        context.set("aws:SourceIdentity", identity.as_str());
    }
    for (key, value) in principal.tags.iter() {
        context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
}

/// The condition keys that follow from a call's input.
pub(crate) fn request_context(call: &Call<'_>) -> Context {
    let mut context = Context::new();
    let mut tags: Vec<(String, String)> = Vec::new();
    match call.input.get("Tags") {
        Some(Value::Array(list)) => {
            let text = |tag: &Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
            tags.extend(
                list.iter()
                    .map(|tag| (text(tag, "Key"), text(tag, "Value"))),
            );
        }
        Some(Value::Object(map)) => {
            tags.extend(
                map.iter().map(|(key, value)| {
                    (key.clone(), value.as_str().unwrap_or_default().to_owned())
                }),
            );
        }
        _ => {}
    }
    let keys = call
        .list("TagKeys")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    let keys: Vec<String> = tags
        .iter()
        .map(|(key, _)| key.clone())
        .chain(keys)
        .collect();
    for (key, value) in tags {
        context.set(&format!("aws:RequestTag/{key}"), value);
    }
    if !keys.is_empty() {
        context.set_all("aws:TagKeys", keys);
    }
    let named = [
        ("iam", "AWSServiceName", "iam:AWSServiceName"),
        ("iam", "PermissionsBoundary", "iam:PermissionsBoundary"),
        ("iam", "PolicyArn", "iam:PolicyARN"),
        (
            "organizations",
            "ServicePrincipal",
            "organizations:ServicePrincipal",
        ),
        ("account", "RegionName", "account:TargetRegion"),
        ("s3", "ACL", "s3:x-amz-acl"),
    ];
    for (service, member, key) in named {
        if let Some(value) = call.text(member).filter(|_| call.service == service) {
            context.set(key, value);
        }
    }
    let policy_type = call
        .text("PolicyType")
        .or(call.text("Type"))
        .or(call.text("Filter"));
    if let Some(policy_type) = policy_type.filter(|_| call.service == "organizations") {
        context.set("organizations:PolicyType", policy_type);
    }
    context
}

/// The IAM action of an operation: the same name, but for S3, and for SQS's batches, which whoever may do the single thing
/// may do (service authorization reference, Amazon SQS).
fn action(service: &str, operation: &str) -> String {
    let name = match service {
        "s3" => services::s3::action(operation),
        "s3control" => services::s3control::action(operation),
        "sqs" => operation.strip_suffix("Batch").unwrap_or(operation),
        _ => operation,
    };
    format!("{}:{name}", services::prefix(service))
}

/// AWS's words (*Troubleshoot access denied error messages* in the IAM User Guide).
fn message(arn: &str, action: &str, resource: &str, denial: &Denial) -> String {
    let policy = denial.layer.policy_type();
    let article = if policy.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    let why = match (&denial.reason, denial.layer) {
        // Whom a role trusts is not told to those whom it does not.
        (Reason::NoAllow { .. }, Layer::Resource) if action.starts_with("sts:") => String::new(),
        (Reason::Explicit(_), _) => format!(" with an explicit deny in {article} {policy}"),
        (Reason::NoAllow { .. }, _) => format!(" because no {policy} allows the {action} action"),
    };
    let on = if resource == "*" {
        String::new()
    } else {
        format!(" on resource: {resource}")
    };
    format!("User: {arn} is not authorized to perform: {action}{on}{why}")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::world::{MANAGEMENT_ACCOUNT, Settings};

    fn world() -> (World, Timestamp) {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
        (
            World::new(
                Settings {
                    seed: 1,
                    create_account: SignedDuration::from_secs(1),
                    time_scale: 1,
                },
                now,
            ),
            now,
        )
    }

    fn administrator(world: &World) -> Principal {
        world
            .iam
            .access_key(crate::identity::MANAGEMENT_ACCESS_KEY)
            .expect("the administrator is there from the start")
    }

    fn decide_for(
        principal: &Principal,
        service: &'static str,
        operation: &'static str,
        input: Value,
    ) -> Result<(), String> {
        let (world, now) = world();
        authorize(
            &world,
            &Call {
                service,
                operation,
                principal,
                region: "eu-west-1",
                now,
                input,
            },
        )
    }

    #[test]
    fn the_administrator_may_do_everything_and_a_session_policy_takes_it_away() {
        let mut principal = administrator(&world().0);
        assert_eq!(
            decide_for(&principal, "config", "PutConfigurationRecorder", json!({})),
            Ok(())
        );
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"guardduty:*","Resource":"*",
            "Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1","aws:RequestTag/team":"a"}}}]}"#;
        principal.session_policy = Some(Arc::new(Policy::parse(policy).unwrap()));
        assert_eq!(
            decide_for(
                &principal,
                "guardduty",
                "CreateFilter",
                json!({"Tags": {"team": "a"}})
            ),
            Ok(())
        );
        let denied = decide_for(
            &principal,
            "guardduty",
            "CreateFilter",
            json!({"Tags": {"team": "b"}}),
        )
        .unwrap_err();
        assert_eq!(
            denied,
            format!(
                "User: {} is not authorized to perform: guardduty:CreateFilter because no session policy allows the \
                 guardduty:CreateFilter action",
                principal.arn
            )
        );
    }

    #[test]
    fn a_principal_without_policies_may_do_nothing_and_an_explicit_deny_is_told() {
        let mut principal = administrator(&world().0);
        principal.session_policy = Some(Arc::new(
            Policy::parse(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
                    {"Effect":"Deny","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#,
            )
            .unwrap(),
        ));
        let denied = decide_for(&principal, "s3", "ListBuckets", json!({})).unwrap_err();
        assert!(
            denied.contains("s3:ListAllMyBuckets")
                && denied.ends_with("with an explicit deny in a session policy"),
            "{denied}"
        );
        principal.arn = format!("arn:aws:iam::{MANAGEMENT_ACCOUNT}:user/nobody");
        let denied =
            decide_for(&principal, "config", "ListTagsForResource", json!({})).unwrap_err();
        assert!(
            denied.contains("because no identity-based policy allows"),
            "{denied}"
        );
    }
}
