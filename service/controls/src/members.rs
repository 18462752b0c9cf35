//! The organization's members, as Organizations tells of them.

use std::error::Error as _;

use aws_sdk_organizations::operation::close_account::CloseAccountError;
use aws_sdk_organizations::types::Account;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use landfall_model::aws_state::AwsState;
use landfall_model::ids::{AccountId, Email};

use crate::aws::Aws;
use crate::error::{CloudError, absent};

pub const LIST: &str = "organizations:ListAccounts";
pub const DESCRIBE: &str = "organizations:DescribeAccount";
pub const CLOSE: &str = "organizations:CloseAccount";

/// A member of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub account: AccountId,
    pub name: String,
    /// The root e-mail; `None` where it is of a form that Organizations takes no more.
    pub email: Option<Email>,
    pub state: AwsState,
}

impl Member {
    /// Whether this is its root e-mail; case does not matter.
    pub fn has_email(&self, email: &Email) -> bool {
        self.email
            .as_ref()
            .is_some_and(|own| own.as_str().eq_ignore_ascii_case(email.as_str()))
    }
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

/// What AWS said to a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closure {
    /// It is under way, by this call or by another.
    Begun,
    /// It was done before.
    Done,
    /// Not now: AWS has closed, or is closing, as many as it lets the organization. The word is AWS's.
    Wait(&'static str),
}

/// AWS's words for *not now*: thirty days' quota, and closures under way (Organizations API, `CloseAccount`).
pub const OVER_QUOTA: &str = "CLOSE_ACCOUNT_QUOTA_EXCEEDED";
pub const OVER_LIMIT: &str = "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED";

/// Closes an account. For 90 days AWS Support can open it again; its root e-mail stays taken.
pub async fn close(aws: &Aws, account: &AccountId) -> Result<Closure, CloudError> {
    let organizations = aws.organizations();
    let answer = aws
        .call(CLOSE, || {
            organizations
                .close_account()
                .account_id(account.as_str())
                .send()
        })
        .await;
    let error = match answer {
        Ok(_) => return Ok(Closure::Begun),
        Err(error) => error,
    };
    let reason = reason(&error);
    for word in [OVER_QUOTA, OVER_LIMIT] {
        if reason.as_deref() == Some(word) || error.says(word) {
            return Ok(Closure::Wait(word));
        }
    }
    if error.is(&["AccountAlreadyClosedException"]) {
        Ok(Closure::Done)
    } else if error.is(&["ConflictException"]) {
        Ok(Closure::Begun)
    } else {
        Err(error)
    }
}

/// The `Reason` of a constraint that stands in the way, which AWS's message does not always repeat.
fn reason(error: &CloudError) -> Option<String> {
    let refused = error
        .source()?
        .downcast_ref::<SdkError<CloseAccountError, HttpResponse>>()?;
    match refused.as_service_error()? {
        CloseAccountError::ConstraintViolationException(violation) => {
            Some(violation.reason()?.as_str().to_owned())
        }
        _ => None,
    }
}
