//! The way into an account that was there before Landfall: which role opens it, who else rules there, and the execution
//! role made through the one that Organizations' console and API give by default.

use landfall_model::cloud_error::Help;
use landfall_model::ids::{AccountId, Region};

use crate::aws::Aws;
use crate::cloud::{Cloud, Errand};
use crate::error::{CloudError, absent, done_already};
use crate::preflight;

/// The role that `CreateAccount` makes when it is told no name (Organizations user guide, "Accessing member accounts").
pub const BOOTSTRAP_ROLE: &str = "OrganizationAccountAccessRole";

/// The role that Control Tower makes in accounts that it governs.
const CONTROL_TOWER_ROLE: &str = "AWSControlTowerExecution";

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

const CREATE_ROLE: &str = "iam:CreateRole";
const GET_ROLE: &str = "iam:GetRole";
const TRUST: &str = "iam:UpdateAssumeRolePolicy";
const ATTACH: &str = "iam:AttachRolePolicy";

const LIST_PARENTS: &str = "organizations:ListParents";
const LIST_POLICIES: &str = "organizations:ListPoliciesForTarget";

/// Which role opens an account.
#[derive(Debug)]
pub enum Entry {
    /// Landfall's own.
    Execution,
    /// The one through which Landfall can make its own.
    Bootstrap,
    /// None; this is what AWS said to the attempt at Landfall's own.
    Shut(CloudError),
}

/// Tries the execution role, and then the one of Organizations.
pub async fn entry(cloud: &Cloud, account: &AccountId, home: &Region) -> Result<Entry, CloudError> {
    let error = match preflight::execution_role(cloud, account, home).await {
        Ok(()) => return Ok(Entry::Execution),
        Err(error) if error.kind.help() == Help::Nobody => return Err(error),
        Err(error) => error,
    };
    let through = cloud.with_execution_role(BOOTSTRAP_ROLE);
    match preflight::execution_role(&through, account, home).await {
        Ok(()) => Ok(Entry::Bootstrap),
        Err(error) if error.kind.help() == Help::Nobody => Err(error),
        Err(_) => Ok(Entry::Shut(error)),
    }
}

/// Makes the execution role as `CreateAccount` would have: the management account may assume it, and it may do all. One
/// that is there already and cannot be assumed gets that trust.
pub async fn make_execution_role(
    cloud: &Cloud,
    management: &AccountId,
    account: &AccountId,
    home: &Region,
    role: &str,
) -> Result<(), CloudError> {
    let errand = Errand {
        account: account.clone(),
        region: home.clone(),
        actions: [CREATE_ROLE, TRUST, ATTACH].into(),
        reason: "enroll".to_owned(),
        young: false,
        shared: false,
    };
    let through = cloud.with_execution_role(BOOTSTRAP_ROLE);
    let aws = through.assume(&errand).await?;
    let iam = aws.iam();
    let trust = trust(management);
    let made = aws
        .call(CREATE_ROLE, || {
            iam.create_role()
                .role_name(role)
                .assume_role_policy_document(&trust)
                .description("Landfall governs this account through it")
                .send()
        })
        .await;
    if absent(
        made,
        &["EntityAlreadyExists", "EntityAlreadyExistsException"],
    )?
    .is_none()
    {
        aws.call(TRUST, || {
            iam.update_assume_role_policy()
                .role_name(role)
                .policy_document(&trust)
                .send()
        })
        .await?;
    }
    let attached = aws
        .call(ATTACH, || {
            iam.attach_role_policy()
                .role_name(role)
                .policy_arn(ADMINISTRATOR)
                .send()
        })
        .await;
    done_already(attached, &[])
}

fn trust(management: &AccountId) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{management}:root") },
            "Action": "sts:AssumeRole",
        }],
    })
    .to_string()
}

/// Whether Control Tower has its role in the account.
pub async fn control_tower(
    cloud: &Cloud,
    account: &AccountId,
    home: &Region,
) -> Result<bool, CloudError> {
    let errand = Errand {
        account: account.clone(),
        region: home.clone(),
        actions: [GET_ROLE].into(),
        reason: "enroll".to_owned(),
        young: false,
        shared: false,
    };
    let aws = cloud.assume(&errand).await?;
    let iam = aws.iam();
    let found = aws
        .call(GET_ROLE, || {
            iam.get_role().role_name(CONTROL_TOWER_ROLE).send()
        })
        .await;
    Ok(absent(found, &["NoSuchEntity", "NoSuchEntityException"])?.is_some())
}

/// The names of the SCPs that bind an account, from itself up to the root; AWS's own that allows everything aside.
pub async fn binding_policies(aws: &Aws, account: &AccountId) -> Result<Vec<String>, CloudError> {
    let organizations = aws.organizations();
    let mut names = Vec::new();
    let mut target = account.to_string();
    loop {
        let mut token = None;
        loop {
            let page = aws
                .call(LIST_POLICIES, || {
                    organizations
                        .list_policies_for_target()
                        .target_id(&target)
                        .filter(aws_sdk_organizations::types::PolicyType::ServiceControlPolicy)
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            for policy in page.policies.unwrap_or_default() {
                let name = policy.name.unwrap_or_default();
                if name != "FullAWSAccess" && !names.contains(&name) {
                    names.push(name);
                }
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        if target.starts_with("r-") {
            return Ok(names);
        }
        let parents = aws
            .call(LIST_PARENTS, || {
                organizations.list_parents().child_id(&target).send()
            })
            .await?;
        let parent = parents.parents.unwrap_or_default().into_iter().next();
        match parent.and_then(|parent| parent.id) {
            Some(id) => target = id,
            None => return Ok(names),
        }
    }
}
