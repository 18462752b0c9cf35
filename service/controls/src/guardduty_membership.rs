//! The security account sees the account's GuardDuty findings.

use aws_sdk_guardduty::types::{AccountDetail, UnprocessedAccount};
use landfall_model::control::Scope;
use landfall_model::ids::AccountId;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::CloudError;
use crate::guardduty::{LIST_DETECTORS, LIST_MEMBERS, Member, members, needed_detector_of};
use crate::membership::{self, Change, Desired, Observed, check_processed};
use crate::session::Session;

pub(crate) struct GuardDutyMembership;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

const GET: &str = "guardduty:GetMembers";
const CREATE: &str = "guardduty:CreateMembers";
const INVITE: &str = "guardduty:InviteMembers";
const ADMINISTRATOR: &str = "guardduty:GetAdministratorAccount";
const INVITATIONS: &str = "guardduty:ListInvitations";
const ACCEPT: &str = "guardduty:AcceptAdministratorInvitation";

impl Control for GuardDutyMembership {
    const ID: &'static str = "guardduty.membership";
    const TITLE: &'static str = "The security account sees GuardDuty's findings";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[
        LIST_DETECTORS,
        GET,
        LIST_MEMBERS,
        CREATE,
        INVITE,
        ADMINISTRATOR,
        INVITATIONS,
        ACCEPT,
    ];
    const AFTER: &'static [&'static str] = &["guardduty.detector", "guardduty.organization"];

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
        let roster = aws.rosters().guardduty_members.of(security.region());
        let found = roster.look(
            account,
            aws.since(),
            async || member(security, account).await,
            async || members(security, &needed_detector_of(security).await?).await,
        );
        let mut observed = Observed {
            listed: found.await?.map(|member| member.listed),
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
                let detector = needed_detector_of(security).await?;
                let guardduty = security.guardduty();
                let detail = AccountDetail::builder()
                    .account_id(account)
                    .email(email.as_str())
                    .build();
                let answer = security
                    .call(CREATE, || {
                        guardduty
                            .create_members()
                            .detector_id(&detector)
                            .account_details(detail.clone())
                            .send()
                    })
                    .await?;
                let left_out = answer.unprocessed_accounts.unwrap_or_default();
                check_processed(CREATE, left_out.iter().map(reason))
            }
            Change::Invite => {
                let security = aws.security().await?;
                let detector = needed_detector_of(security).await?;
                let guardduty = security.guardduty();
                let answer = security
                    .call(INVITE, || {
                        guardduty
                            .invite_members()
                            .detector_id(&detector)
                            .account_ids(account)
                            .disable_email_notification(true)
                            .send()
                    })
                    .await?;
                let left_out = answer.unprocessed_accounts.unwrap_or_default();
                check_processed(INVITE, left_out.iter().map(reason))
            }
            Change::Accept { invitation } => {
                let administrator = aws.security().await?.account().as_str();
                let member = aws.target().await?;
                let detector = needed_detector_of(member).await?;
                let guardduty = member.guardduty();
                member
                    .call(ACCEPT, || {
                        guardduty
                            .accept_administrator_invitation()
                            .detector_id(&detector)
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

/// One account as the administrator's list has it.
async fn member(security: &Aws, account: &AccountId) -> Result<Option<Member>, CloudError> {
    let detector = needed_detector_of(security).await?;
    let guardduty = security.guardduty();
    let found = security
        .call(GET, || {
            guardduty
                .get_members()
                .detector_id(&detector)
                .account_ids(account.as_str())
                .send()
        })
        .await?;
    Ok(found
        .members
        .unwrap_or_default()
        .into_iter()
        .next()
        .map(Member::from))
}

fn reason(account: &UnprocessedAccount) -> &str {
    account.result.as_deref().unwrap_or_default()
}

async fn administrator_of(member: &Aws) -> Result<Option<String>, CloudError> {
    let detector = needed_detector_of(member).await?;
    let guardduty = member.guardduty();
    let answer = member
        .call(ADMINISTRATOR, || {
            guardduty
                .get_administrator_account()
                .detector_id(&detector)
                .send()
        })
        .await?;
    Ok(answer
        .administrator
        .and_then(|administrator| administrator.account_id))
}

/// The id of the open invitation from an administrator.
async fn invitation(member: &Aws, administrator: &str) -> Result<Option<String>, CloudError> {
    let guardduty = member.guardduty();
    let mut token = None;
    loop {
        let page = member
            .call(INVITATIONS, || {
                guardduty
                    .list_invitations()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let found = page.invitations.unwrap_or_default().into_iter().find(|it| {
            it.account_id.as_deref() == Some(administrator)
                && it.relationship_status.as_deref() == Some("Invited")
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
