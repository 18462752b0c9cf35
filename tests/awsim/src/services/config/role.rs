//! The IAM role that AWS Config records and delivers as.

use landfall_policy::{Context, PrincipalView, Request, Verdict};

use super::SERVICE;
use crate::authorize::{self, Question};
use crate::call::{AccountId, AwsError, Call};
use crate::services::iam::RoleView;
use crate::world::World;

/// Whether `arn` is the role that AWS makes for Config. As that role, Config delivers in its own name.
pub(super) fn is_service_linked(arn: &str) -> bool {
    arn.contains(":role/aws-service-role/config.amazonaws.com/")
}

/// The role of this very ARN, if the account has it.
fn find<'a>(world: &'a World, account: AccountId, arn: &str) -> Option<RoleView<'a>> {
    let (_, name) = arn.rsplit_once('/')?;
    world.iam.role(account, name).filter(|role| role.arn == arn)
}

/// Whether the role is there and its trust policy lets Config assume it.
pub(super) fn is_assumable(world: &World, account: AccountId, arn: &str) -> bool {
    let service = PrincipalView::service(SERVICE);
    let mut context = Context::of(&service);
    context.set("aws:SourceAccount", account.to_string());
    let request = Request {
        principal: &service,
        action: "sts:AssumeRole",
        resource: arn,
        context: &context,
    };
    find(world, account, arn).is_some_and(|role| role.trust.allows(&request))
}

/// Checks that the caller may hand the role to Config (IAM User Guide, "Grant a user permissions to pass a role to an
/// AWS service").
///
/// # Errors
///
/// `AccessDeniedException`
pub(super) fn check_pass(world: &World, call: &Call<'_>, arn: &str) -> Result<(), AwsError> {
    let mut context = Context::new();
    context.set("iam:PassedToService", SERVICE);
    let question = Question {
        principal: call.principal,
        action: "iam:PassRole",
        resource: arn,
        context,
        resource_policy: None,
        resource_must_allow: false,
    };
    authorize::may(world, call.region, call.now, question)
        .map_err(|denial| AwsError::new("AccessDeniedException", denial))
}

/// Whether the role's own policies let it do all of `requests`: pairs of action and resource.
pub(super) fn may(
    world: &World,
    account: AccountId,
    arn: &str,
    requests: &[(&str, &str)],
    keys: &[(&str, &str)],
) -> bool {
    let Some(role) = find(world, account, arn) else {
        return false;
    };
    let Some(principal) = PrincipalView::role_session(arn, "AWSConfig-Delivery") else {
        return false;
    };
    let mut context = Context::of(&principal);
    for (key, value) in keys {
        context.set(key, *value);
    }
    requests.iter().all(|(action, resource)| {
        let request = Request {
            principal: &principal,
            action,
            resource,
            context: &context,
        };
        let verdicts: Vec<Verdict> = role.policies.iter().map(|p| p.evaluate(&request)).collect();
        verdicts.iter().any(|v| matches!(v, Verdict::Allow { .. }))
            && !verdicts.iter().any(|v| matches!(v, Verdict::Deny { .. }))
    })
}
