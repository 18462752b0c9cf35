//! The organization's members, as Organizations tells of them.

use aws_sdk_organizations::types::Account;
use landfall_model::aws_state::AwsState;
use landfall_model::ids::{AccountId, Email};

use crate::aws::Aws;
use crate::error::{CloudError, absent};

pub const LIST: &str = "organizations:ListAccounts";
pub const DESCRIBE: &str = "organizations:DescribeAccount";

/// A member of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub account: AccountId,
    pub name: String,
    /// The root e-mail; `None` where it is of a form that Organizations takes no more.
    pub email: Option<Email>,
    pub state: AwsState,
}

fn member(account: Account) -> Option<Member> {
    let state = account.state.as_ref().map(|state| state.as_str());
    let status = account.status.as_ref().map(|status| status.as_str());
    Some(Member {
        state: AwsState::of(state, status),
        account: account.id?.parse().ok()?,
        name: account.name.unwrap_or_default(),
        email: account.email.and_then(|email| email.parse().ok()),
    })
}

/// All of them, the management account among them, and also those that are closed but not forgotten yet.
pub async fn list(aws: &Aws) -> Result<Vec<Member>, CloudError> {
    let organizations = aws.organizations();
    let mut members = Vec::new();
    let mut token = None;
    loop {
        // A page may be empty and still go on.
        let page = aws
            .call(LIST, || {
                organizations
                    .list_accounts()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        members.extend(
            page.accounts
                .unwrap_or_default()
                .into_iter()
                .filter_map(member),
        );
        token = page.next_token;
        if token.is_none() {
            return Ok(members);
        }
    }
}

/// One of them; `None` where the account is not a member.
pub async fn describe(aws: &Aws, account: &AccountId) -> Result<Option<Member>, CloudError> {
    let organizations = aws.organizations();
    let answer = aws
        .call(DESCRIBE, || {
            organizations
                .describe_account()
                .account_id(account.as_str())
                .send()
        })
        .await;
    let answer = absent(answer, &["AccountNotFoundException"])?;
    Ok(answer.and_then(|answer| answer.account).and_then(member))
}
