//! Targets: where a rule sends what it matches.

use landfall_policy::Context;
use serde_json::{Value, json};

use super::buses::key_of;
use super::rules::rule;
use super::{SERVICE, bus_of_arn, invalid};
use crate::authorize::{self, Question};
use crate::call::{Answer, AwsError, Call};
use crate::paging::Paging;
use crate::world::World;

/// The most targets of a rule ("Amazon EventBridge quotas").
const MOST: usize = 5;

#[derive(Clone)]
pub(super) struct Target {
    id: String,
    pub(super) arn: String,
    pub(super) role: Option<String>,
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let mut targets = rule(world, &key, call.required("Rule"))?.targets.clone();
    for given in call.list("Targets") {
        let target = read(call, given)?;
        if let Some(role) = &target.role {
            check_pass(world, call, role)?;
        }
        targets.retain(|there| there.id != target.id);
        targets.push(target);
    }
    if targets.len() > MOST {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(AwsError::new("LimitExceededException", message));
    }
    rule(world, &key, call.required("Rule"))?.targets = targets;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

fn read(call: &Call<'_>, given: &Value) -> Result<Target, AwsError> {
    let text = |member: &str| given[member].as_str().map(str::to_owned);
    let arn = text("Arn").unwrap_or_default();
    let target = Target {
        id: text("Id").unwrap_or_default(),
        role: text("RoleArn"),
        arn,
    };
    let built = ["Id", "Arn", "RoleArn"];
    let members = given.as_object().into_iter().flatten();
    if members
        .into_iter()
        .any(|(member, _)| !built.contains(&member.as_str()))
    {
        return Err(AwsError::not_built());
    }
    match bus_of_arn(&target.arn) {
        Some((account, region, _))
            if target.role.is_none() && (account, region) != (call.account(), call.region) =>
        {
            Err(invalid(format!(
                "RoleArn is required for target {}.",
                target.arn
            )))
        }
        None if !target.arn.starts_with("arn:aws:sqs:") => Err(AwsError::not_built()),
        _ => Ok(target),
    }
}

/// Whoever names a role must be allowed to hand it to EventBridge.
fn check_pass(world: &World, call: &Call<'_>, role: &str) -> Result<(), AwsError> {
    let question = Question {
        principal: call.principal,
        action: "iam:PassRole",
        resource: role,
        context: Context::new().with("iam:PassedToService", SERVICE),
        resource_policy: None,
        resource_must_allow: false,
    };
    authorize::may(world, call.region, call.now, question)
        .map_err(|denied| AwsError::new("AccessDeniedException", denied))
}

pub(super) fn remove(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let ids: Vec<&str> = call.list("Ids").iter().filter_map(Value::as_str).collect();
    let rule = rule(world, &key, call.required("Rule"))?;
    rule.targets
        .retain(|target| !ids.contains(&target.id.as_str()));
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

const PAGING: Paging = Paging {
    items: "Targets",
    limit: "Limit",
    token: ("NextToken", "NextToken"),
    most: 100,
    bad_token: "ValidationException",
    empty_first: false,
};

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let told = |target: &Target| {
        let mut told = json!({"Id": target.id, "Arn": target.arn});
        if let Some(role) = &target.role {
            told["RoleArn"] = role.as_str().into();
        }
        told
    };
    let targets = rule(world, &key, call.required("Rule"))?
        .targets
        .iter()
        .map(told)
        .collect();
    PAGING.page(call, targets).map(Value::Object)
}
