//! CloudFormation in small: makes what a template says, so that templates for a real AWS can be tried here.
//!
//! Each resource is made by the calls that CloudFormation would make, as a role of the account; what a service refuses
//! fails the stack. Built are the resource types in `Stack::make`, `Ref`, `Fn::GetAtt` and `Fn::Sub`. A stack is made once:
//! it is not updated, not deleted, and not rolled back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use self::stack::Stack;
use crate::call::{AccountId, Call, Principal};
use crate::regions;
use crate::services;
use crate::world::{MANAGEMENT_ACCOUNT, World};

mod stack;

/// What `POST /_awsim/stacks` asks for: one stack in each account and Region.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The template, as JSON.
    pub template: Value,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Where; without it in every member account and in those that join later, as a stack set of the whole organization
    /// with automatic deployment does it.
    pub accounts: Option<Vec<String>>,
    pub regions: Vec<String>,
}

/// Deployments that follow the organization's accounts.
#[derive(Default)]
pub struct State {
    sets: Vec<Deployment>,
}

/// Makes stacks, and answers the outputs of the last one.
///
/// # Errors
///
/// A sentence about what the template lacks, or why AWS would not have it.
pub fn deploy(world: &mut World, deployment: Deployment, now: Timestamp) -> Result<Value, String> {
    let accounts = match &deployment.accounts {
        Some(accounts) => {
            let read = |id: &String| id.parse().map_err(|()| format!("{id} is no account id"));
            accounts
                .iter()
                .map(read)
                .collect::<Result<Vec<AccountId>, _>>()?
        }
        None => {
            let mut members = world.organizations.accounts();
            members.retain(|account| *account != MANAGEMENT_ACCOUNT);
            members
        }
    };
    let mut outputs = Value::Null;
    for account in accounts {
        outputs = in_account(world, &deployment, account, now)?;
    }
    if deployment.accounts.is_none() {
        world.stacks.sets.push(deployment);
    }
    Ok(outputs)
}

/// An account has joined the organization: stack sets reach it. What fails there fails unseen, as it does on AWS.
pub fn joined(world: &mut World, account: AccountId, now: Timestamp) {
    for deployment in world.stacks.sets.clone() {
        let _ = in_account(world, &deployment, account, now);
    }
}

fn in_account(
    world: &mut World,
    deployment: &Deployment,
    account: AccountId,
    now: Timestamp,
) -> Result<Value, String> {
    let executor = executor(world, account, now)?;
    let mut outputs = Value::Null;
    for region in &deployment.regions {
        let region = regions::find(region).ok_or_else(|| format!("{region} is no Region"))?;
        let stack = Stack {
            template: &deployment.template,
            parameters: &deployment.parameters,
            executor: &executor,
            region,
            now,
            made: BTreeMap::new(),
        };
        outputs = stack
            .make_all(world)
            .map_err(|why| format!("{account} in {region}: {why}"))?;
    }
    Ok(outputs)
}

/// The role that stack sets work as ("Activate trusted access for stack sets with AWS Organizations", CloudFormation User
/// Guide), made where it is missing.
const EXECUTOR: &str = "stacksets-exec";

fn executor(world: &mut World, account: AccountId, now: Timestamp) -> Result<Principal, String> {
    let root = Principal {
        account,
        arn: format!("arn:aws:iam::{account}:root"),
        unique_id: account.to_string(),
        role: None,
        session_policy: None,
        source_identity: None,
        tags: Vec::new(),
    };
    if !world.iam.has_role(account, EXECUTOR) {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "cloudformation.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }]});
        let policy = "arn:aws:iam::aws:policy/AdministratorAccess";
        for (operation, input) in [
            (
                "CreateRole",
                json!({"RoleName": EXECUTOR, "AssumeRolePolicyDocument": trust.to_string()}),
            ),
            (
                "AttachRolePolicy",
                json!({"RoleName": EXECUTOR, "PolicyArn": policy}),
            ),
        ] {
            let call = Call {
                service: "iam",
                operation,
                principal: &root,
                region: regions::GLOBAL,
                now,
                input,
            };
            services::answer(world, &call)
                .map_err(|error| format!("{operation}: {}", error.message))?;
        }
    }
    let role = world
        .iam
        .role(account, EXECUTOR)
        .ok_or("the role of stack sets is missing")?;
    Ok(Principal {
        arn: format!("arn:aws:sts::{account}:assumed-role/{EXECUTOR}/AWSCloudFormation"),
        unique_id: format!("{}:AWSCloudFormation", role.unique_id),
        role: Some(EXECUTOR.to_owned()),
        ..root
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::scene::Scene;

    fn deployment(template: Value, accounts: Option<AccountId>) -> Deployment {
        Deployment {
            template,
            parameters: BTreeMap::new(),
            accounts: accounts.map(|account| vec![account.to_string()]),
            regions: vec!["eu-west-1".to_owned()],
        }
    }

    #[test]
    fn resources_are_made_in_the_order_of_what_they_refer_to() {
        let mut scene = Scene::new();
        let template = json!({"Resources": {
            "ARule": {"Type": "AWS::Events::Rule", "Properties": {"Name": {"Fn::Sub": "rule-${AWS::Region}"}, "EventPattern": {"source": ["aws.s3"]},
                "Targets": [{"Id": "1", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}]}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "VisibilityTimeout": 60}},
        }, "Outputs": {"Url": {"Value": {"Ref": "Queue"}}}});
        let now = scene.now;
        let outputs = deploy(
            &mut scene.world,
            deployment(template, Some(MANAGEMENT_ACCOUNT)),
            now,
        )
        .unwrap();
        assert_eq!(
            outputs["Url"],
            "https://sqs.eu-west-1.amazonaws.com/111111111111/q"
        );
        let rule = scene.call(
            ("events", "ListTargetsByRule"),
            MANAGEMENT_ACCOUNT,
            "eu-west-1",
            json!({"Rule": "rule-eu-west-1"}),
        );
        assert_eq!(
            rule.unwrap()["Targets"][0]["Arn"],
            "arn:aws:sqs:eu-west-1:111111111111:q"
        );
    }

    #[test]
    fn accounts_that_join_later_get_the_stacks_of_the_organization() {
        let mut scene = Scene::new();
        let (now, first) = (scene.now, scene.account("first"));
        let template = json!({"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}});
        deploy(&mut scene.world, deployment(template, None), now).unwrap();
        let later = scene.account("later");
        let mut has = |account| {
            scene
                .call(
                    ("sqs", "GetQueueUrl"),
                    account,
                    "eu-west-1",
                    json!({"QueueName": "q"}),
                )
                .is_ok()
        };
        assert!(has(first) && has(later) && !has(MANAGEMENT_ACCOUNT));
    }

    #[test]
    fn what_a_template_lacks_is_told() {
        let mut scene = Scene::new();
        let now = scene.now;
        for (template, why) in [
            (json!({}), "Resources"),
            (
                json!({"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}),
                "not built",
            ),
            (
                json!({"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "B"}}}}}),
                "there is no B",
            ),
            (
                json!({"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "A"}}}}}),
                "circle",
            ),
            (
                json!({"Parameters": {"P": {}}, "Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "P"}}}}}),
                "no value",
            ),
            (
                json!({"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "a b"}}}}),
                "InvalidParameterValue",
            ),
        ] {
            let error = deploy(
                &mut scene.world,
                deployment(template, Some(MANAGEMENT_ACCOUNT)),
                now,
            )
            .unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
