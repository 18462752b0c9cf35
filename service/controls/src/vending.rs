//! What vending asks of Organizations: make an account, find it again, put it in its place.

use std::collections::BTreeMap;

use aws_sdk_organizations::types::{
    Account, CreateAccountState, CreateAccountStatus, ParentType, Tag,
};
use jiff::{SignedDuration, Timestamp};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::creation::{CreateFailure, REQUEST_TAG, Sighting};
use landfall_model::ids::{AccountId, Email, OuPath};

use crate::aws::Aws;
use crate::error::{CloudError, absent, done_already};
use crate::members;
use crate::organizational_units::{self, UnitIds};

const CREATE: &str = "organizations:CreateAccount";
const TAG: &str = "organizations:TagResource";
const STATUS: &str = "organizations:DescribeCreateAccountStatus";
const LIST_STATUS: &str = "organizations:ListCreateAccountStatus";
const LIST_ACCOUNTS: &str = "organizations:ListAccounts";
const LIST_TAGS: &str = "organizations:ListTagsForResource";
const DESCRIBE: &str = "organizations:DescribeOrganization";
const LIST_ROOTS: &str = "organizations:ListRoots";
const LIST_PARENTS: &str = "organizations:ListParents";
const LIST_CHILDREN: &str = "organizations:ListAccountsForParent";
const MOVE: &str = "organizations:MoveAccount";

/// Every action of this module: what vending's sessions in the management account may do. Tags on a new account need
/// `TagResource` too.
pub const ACTIONS: &[&str] = &[
    CREATE,
    TAG,
    STATUS,
    LIST_STATUS,
    LIST_ACCOUNTS,
    LIST_TAGS,
    DESCRIBE,
    LIST_ROOTS,
    LIST_PARENTS,
    LIST_CHILDREN,
    MOVE,
    organizational_units::LIST,
    members::DESCRIBE,
    members::CLOSE,
];

/// The part of them that finds and changes an account's place.
pub const PLACING: &[&str] = &[
    LIST_PARENTS,
    LIST_CHILDREN,
    MOVE,
    organizational_units::LIST,
];

/// The clocks of AWS and of this machine may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The organization as AWS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationDescription {
    pub id: String,
    pub root_id: String,
    pub management_account: AccountId,
    pub management_email: Email,
}

/// The organization's ids.
pub async fn describe_organization(aws: &Aws) -> Result<OrganizationDescription, CloudError> {
    let organizations = aws.organizations();
    let found = aws
        .call(DESCRIBE, || organizations.describe_organization().send())
        .await?
        .organization;
    let missing = |what: &str| {
        CloudError::new(
            CloudErrorKind::Invalid,
            DESCRIBE,
            format!("the organization has no usable {what}"),
        )
    };
    let found = found.ok_or_else(|| missing("description"))?;
    let mut roots = Vec::new();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_ROOTS, || {
                organizations
                    .list_roots()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        roots.extend(page.roots.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(OrganizationDescription {
        id: found.id.ok_or_else(|| missing("id"))?,
        root_id: roots
            .into_iter()
            .find_map(|root| root.id)
            .ok_or_else(|| missing("root"))?,
        management_account: found
            .master_account_id
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| missing("management account"))?,
        management_email: found
            .master_account_email
            .and_then(|email| email.parse().ok())
            .ok_or_else(|| missing("management account's e-mail"))?,
    })
}

/// Asks AWS to make an account; the answer is the `car-…` id. Must be called once for an intent: a second call makes a
/// second account.
pub async fn create_account(
    aws: &Aws,
    name: &str,
    email: &Email,
    role: &str,
    tags: &BTreeMap<String, String>,
) -> Result<String, CloudError> {
    let organizations = aws.organizations();
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let tags = tags
        .iter()
        .map(tag)
        .collect::<Result<Vec<Tag>, _>>()
        .map_err(|error| CloudError::new(CloudErrorKind::Invalid, CREATE, error.to_string()))?;
    let answer = aws
        .call(CREATE, || {
            organizations
                .create_account()
                .account_name(name)
                .email(email.as_str())
                .role_name(role)
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await?;
    answer
        .create_account_status
        .and_then(|status| status.id)
        .ok_or_else(|| {
            CloudError::new(
                CloudErrorKind::Unavailable,
                CREATE,
                "the answer names no creation; AWS may have acted",
            )
        })
}

/// Whether an error of `create_account` proves that AWS did not begin: it answered with a refusal.
pub fn certainly_not_created(error: &CloudError) -> bool {
    match error.kind {
        CloudErrorKind::Unavailable => false,
        CloudErrorKind::Throttled
        | CloudErrorKind::NotReady
        | CloudErrorKind::Conflict
        | CloudErrorKind::AccessDenied
        | CloudErrorKind::Quota
        | CloudErrorKind::Invalid
        | CloudErrorKind::Gone => true,
    }
}

/// How a creation is getting on.
pub async fn creation_status(aws: &Aws, status_id: &str) -> Result<Sighting, CloudError> {
    let organizations = aws.organizations();
    let answer = aws
        .call(STATUS, || {
            organizations
                .describe_create_account_status()
                .create_account_request_id(status_id)
                .send()
        })
        .await;
    let answer = absent(answer, &["CreateAccountStatusNotFoundException"])?;
    Ok(answer
        .and_then(|answer| answer.create_account_status)
        .map_or(Sighting::Nothing, sighting))
}

fn sighting(status: CreateAccountStatus) -> Sighting {
    match (
        status.state,
        status.account_id.and_then(|id| id.parse().ok()),
    ) {
        (Some(CreateAccountState::Succeeded), Some(account)) => Sighting::Exists(account),
        (Some(CreateAccountState::Failed), _) => {
            let reason = status
                .failure_reason
                .map_or_else(|| "UNKNOWN".to_owned(), |reason| reason.as_str().to_owned());
            Sighting::Failed(CreateFailure { reason })
        }
        _ => Sighting::InProgress,
    }
}

/// Looks for the account of an intent whose answer was lost: by the request's tag among recent creations, then by
/// e-mail among all accounts.
pub async fn look_for_account(
    aws: &Aws,
    request_id: &str,
    name: &str,
    email: &Email,
    intended_at: Timestamp,
) -> Result<Sighting, CloudError> {
    let mut in_progress = false;
    for status in creations(aws).await? {
        let requested_at = status
            .requested_timestamp
            .and_then(|at| Timestamp::from_second(at.secs()).ok());
        let recent = requested_at.is_none_or(|at| at >= intended_at - SKEW);
        // The status carries the name but neither e-mail nor tags, and names may repeat.
        if !recent || status.account_name.as_deref() != Some(name) {
            continue;
        }
        match sighting(status) {
            Sighting::Exists(account) if has_request_tag(aws, &account, request_id).await? => {
                return Ok(Sighting::Exists(account));
            }
            // It may be ours or not: its tags show once the account is there.
            Sighting::InProgress => in_progress = true,
            Sighting::Exists(_)
            | Sighting::Failed(_)
            | Sighting::TakenBy(_)
            | Sighting::Nothing => {}
        }
    }
    if let Some(account) = find_account_by_email(aws, email).await? {
        return Ok(if has_request_tag(aws, &account, request_id).await? {
            Sighting::Exists(account)
        } else {
            Sighting::TakenBy(account)
        });
    }
    Ok(if in_progress {
        Sighting::InProgress
    } else {
        Sighting::Nothing
    })
}

async fn creations(aws: &Aws) -> Result<Vec<CreateAccountStatus>, CloudError> {
    let organizations = aws.organizations();
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_STATUS, || {
                organizations
                    .list_create_account_status()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        all.extend(page.create_account_statuses.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

async fn has_request_tag(
    aws: &Aws,
    account: &AccountId,
    request_id: &str,
) -> Result<bool, CloudError> {
    let organizations = aws.organizations();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_TAGS, || {
                organizations
                    .list_tags_for_resource()
                    .resource_id(account.as_str())
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        if page
            .tags
            .unwrap_or_default()
            .iter()
            .any(|tag| tag.key == REQUEST_TAG && tag.value == request_id)
        {
            return Ok(true);
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(false);
        }
    }
}

/// The account of the organization that has this root e-mail.
pub async fn find_account_by_email(
    aws: &Aws,
    email: &Email,
) -> Result<Option<AccountId>, CloudError> {
    let organizations = aws.organizations();
    let ours = |account: &Account| {
        account
            .email
            .as_deref()
            .is_some_and(|found| found.eq_ignore_ascii_case(email.as_str()))
    };
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_ACCOUNTS, || {
                organizations
                    .list_accounts()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        if let Some(account) = page.accounts.unwrap_or_default().into_iter().find(ours) {
            return Ok(account.id.and_then(|id| id.parse().ok()));
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(None);
        }
    }
}

/// Where an account is: `None` is the root.
pub async fn parent_of(
    aws: &Aws,
    units: &UnitIds,
    root_id: &str,
    account: &AccountId,
) -> Result<Option<OuPath>, CloudError> {
    match parent_id(aws, account).await? {
        Parent::Root => Ok(None),
        Parent::Unit(id) => units.path_of(aws, root_id, &id).await.map(Some),
    }
}

/// Which OU each account is in; `None` is the root. An account in an OU whose name Landfall cannot use is left out.
pub async fn all_parents(
    aws: &Aws,
    root_id: &str,
) -> Result<BTreeMap<AccountId, Option<OuPath>>, CloudError> {
    let organizations = aws.organizations();
    let units = organizational_units::list(aws, root_id).await?;
    let units = units.into_iter().map(|(path, id)| (Some(path), id));
    let mut parents = BTreeMap::new();
    for (path, id) in units.chain([(None, root_id.to_owned())]) {
        let mut token = None;
        loop {
            let page = aws
                .call(LIST_CHILDREN, || {
                    organizations
                        .list_accounts_for_parent()
                        .parent_id(&id)
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            let ids = page.accounts.unwrap_or_default().into_iter();
            let ids = ids.filter_map(|account| account.id?.parse().ok());
            parents.extend(ids.map(|account| (account, path.clone())));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
    }
    Ok(parents)
}

enum Parent {
    Root,
    Unit(String),
}

async fn parent_id(aws: &Aws, account: &AccountId) -> Result<Parent, CloudError> {
    let organizations = aws.organizations();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_PARENTS, || {
                organizations
                    .list_parents()
                    .child_id(account.as_str())
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        if let Some(parent) = page.parents.unwrap_or_default().into_iter().next() {
            return Ok(match (parent.r#type, parent.id) {
                (Some(ParentType::OrganizationalUnit), Some(id)) => Parent::Unit(id),
                _ => Parent::Root,
            });
        }
        token = page.next_token;
        if token.is_none() {
            return Err(CloudError::new(
                CloudErrorKind::Gone,
                LIST_PARENTS,
                format!("account {account} is not in the organization"),
            ));
        }
    }
}

/// Moves an account. AWS wants the OU it is in named exactly; an account that is there already is fine.
pub async fn move_account(
    aws: &Aws,
    units: &UnitIds,
    root_id: &str,
    account: &AccountId,
    from: Option<&OuPath>,
    to: &OuPath,
) -> Result<(), CloudError> {
    let source = match from {
        None => root_id.to_owned(),
        Some(path) => units.id_of(aws, root_id, path).await?,
    };
    let destination = units.id_of(aws, root_id, to).await?;
    let organizations = aws.organizations();
    let moved = aws
        .call(MOVE, || {
            organizations
                .move_account()
                .account_id(account.as_str())
                .source_parent_id(&source)
                .destination_parent_id(&destination)
                .send()
        })
        .await;
    done_already(moved, &["DuplicateAccountException"])
}
