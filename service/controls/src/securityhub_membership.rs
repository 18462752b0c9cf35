//! The security account sees the account's Security Hub findings.

use std::collections::BTreeMap;

use aws_sdk_securityhub::types::{AccountDetails, Member, Result as Unprocessed};
use landfall_model::control::Scope;
use landfall_model::ids::AccountId;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::{CloudError, absent};
use crate::membership::{self, Change, Desired, Listed, Observed, PAGE, check_processed};
use crate::session::Session;

pub(crate) struct SecurityHubMembership;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

const GET: &str = "securityhub:GetMembers";
const LIST: &str = "securityhub:ListMembers";
const CREATE: &str = "securityhub:CreateMembers";
const INVITE: &str = "securityhub:InviteMembers";
const ADMINISTRATOR: &str = "securityhub:GetAdministratorAccount";
const INVITATIONS: &str = "securityhub:ListInvitations";
const ACCEPT: &str = "securityhub:AcceptAdministratorInvitation";

/// How Security Hub says that it is off.
const OFF: &[&str] = &["InvalidAccessException"];

impl Control for SecurityHubMembership {
    const ID: &'static str = "securityhub.membership";
    const TITLE: &'static str = "The security account sees Security Hub's findings";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[
        GET,
        LIST,
        CREATE,
        INVITE,
        ADMINISTRATOR,
        INVITATIONS,
        ACCEPT,
    ];
    const AFTER: &'static [&'static str] = &["securityhub.hub", "securityhub.organization"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Desired::of(place, CREATE)
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let Desired::Member { administrator, .. } = desired else {
            return Ok(Observed::default());
        };
        let security = aws.security().await?;
        let account = &aws.place().account;
        let roster = aws.rosters().securityhub_members.of(security.region());
        let listed = roster.look(
            account,
            aws.since(),
            async || member(security, account).await,
            async || members(security).await,
        );
        let mut observed = Observed {
            listed: listed.await?,
            ..Observed::default()
        };
        if !observed.is_enabled() || desired.is_by_invitation() {
            let member = aws.target().await?;
            observed.administrator = administrator_of(member).await?;
            if desired.is_by_invitation() && observed.administrator.is_none() {
                observed.invitation = invitation(member, administrator.as_str()).await?;
            }
        }
        Ok(observed)
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        membership::plan(desired, observed)
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let account = aws.place().account.as_str();
        match change {
            Change::Add { email } => {
                let security = aws.security().await?;
                let securityhub = security.securityhub();
                let details = AccountDetails::builder()
                    .account_id(account)
                    .email(email.as_str())
                    .build();
                let answer = security
                    .call(CREATE, || {
                        securityhub
                            .create_members()
                            .account_details(details.clone())
                            .send()
                    })
                    .await?;
                let left_out = answer.unprocessed_accounts.unwrap_or_default();
                check_processed(CREATE, left_out.iter().map(reason))
            }
            Change::Invite => {
                let security = aws.security().await?;
                let securityhub = security.securityhub();
                let answer = security
                    .call(INVITE, || {
                        securityhub.invite_members().account_ids(account).send()
                    })
                    .await?;
                let left_out = answer.unprocessed_accounts.unwrap_or_default();
                check_processed(INVITE, left_out.iter().map(reason))
            }
            Change::Accept { invitation } => {
                let administrator = aws.security().await?.account().as_str();
                let member = aws.target().await?;
                let securityhub = member.securityhub();
                member
                    .call(ACCEPT, || {
                        securityhub
                            .accept_administrator_invitation()
                            .administrator_id(administrator)
                            .invitation_id(invitation)
                            .send()
                    })
                    .await
                    .map(drop)
            }
            Change::Await { obstacle } => Err(obstacle.error(GET)),
        }
    }
}

fn listed(member: Member) -> Listed {
    Listed {
        status: member.member_status.unwrap_or_default(),
        email: member.email,
    }
}

/// One account as the administrator's list has it.
async fn member(security: &Aws, account: &AccountId) -> Result<Option<Listed>, CloudError> {
    let securityhub = security.securityhub();
    let answer = security
        .call(GET, || {
            securityhub
                .get_members()
                .account_ids(account.as_str())
                .send()
        })
        .await;
    let found = absent(answer, OFF)?.ok_or_else(|| off(GET, security))?;
    Ok(found
        .members
        .unwrap_or_default()
        .into_iter()
        .next()
        .map(listed))
}

/// The administrator's whole list.
async fn members(security: &Aws) -> Result<BTreeMap<AccountId, Option<Listed>>, CloudError> {
    let securityhub = security.securityhub();
    let mut members = BTreeMap::new();
    let mut token = None;
    loop {
        let page = security
            .call(LIST, || {
                securityhub
                    .list_members()
                    .only_associated(false)
                    .max_results(PAGE)
                    .set_next_token(token.clone())
                    .send()
            })
            .await;
        let page = absent(page, OFF)?.ok_or_else(|| off(LIST, security))?;
        for member in page.members.unwrap_or_default() {
            let account = member.account_id.as_deref().map(str::parse);
            if let Some(Ok(account)) = account {
                members.insert(account, Some(listed(member)));
            }
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(members);
        }
    }
}

fn reason(account: &Unprocessed) -> &str {
    account.processing_result.as_deref().unwrap_or_default()
}

fn off(action: &'static str, aws: &Aws) -> CloudError {
    let (account, region) = (aws.account(), aws.region());
    CloudError::not_ready(
        action,
        format!("Security Hub is not on yet in {account} in {region}"),
    )
}

async fn administrator_of(member: &Aws) -> Result<Option<String>, CloudError> {
    let securityhub = member.securityhub();
    let answer = member
        .call(ADMINISTRATOR, || {
            securityhub.get_administrator_account().send()
        })
        .await;
    let answer = absent(answer, OFF)?.ok_or_else(|| off(ADMINISTRATOR, member))?;
    Ok(answer
        .administrator
        .and_then(|administrator| administrator.account_id))
}

/// The id of the open invitation from an administrator.
async fn invitation(member: &Aws, administrator: &str) -> Result<Option<String>, CloudError> {
    let securityhub = member.securityhub();
    let mut token = None;
    loop {
        let page = member
            .call(INVITATIONS, || {
                securityhub
                    .list_invitations()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let found = page.invitations.unwrap_or_default().into_iter().find(|it| {
            it.account_id.as_deref() == Some(administrator)
                && it.member_status.as_deref() == Some("Invited")
        });
        if let Some(found) = found {
            return Ok(found.invitation_id);
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(None);
        }
    }
}
