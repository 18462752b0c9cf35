//! How an account becomes a member of the security account: the same for GuardDuty and Security Hub, decided here.
//!
//! ```text
//! organization   nothing ──Add──▶ Enabled
//! invitation     nothing ──Add──▶ Created ──Invite──▶ (e-mail is verified) ──▶ Invited ──Accept──▶ Enabled
//! ```
//!
//! The delegated administrator of the organization takes members by itself. Without one, it invites by the exact root
//! e-mail, and the member accepts; then both sides have to say so.

use std::fmt;

use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{AccountId, Email};
use landfall_model::landing_zone::Membership;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::error::CloudError;

/// The most members that either service lists in one page.
pub(crate) const PAGE: i32 = 50;

/// What AWS calls the state of a relationship that works.
pub(crate) const ENABLED: &str = "Enabled";

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Desired {
    /// The security account is nobody's member.
    Administrator,
    Member {
        way: Membership,
        administrator: AccountId,
        email: Email,
    },
}

impl Desired {
    /// `action`: what cannot be done before there is a security account.
    pub(crate) fn of(place: &Place, action: &'static str) -> Result<Self, CloudError> {
        let administrator = place
            .organization
            .security_account
            .clone()
            .ok_or_else(|| CloudError::not_ready(action, "there is no security account yet"))?;
        if administrator == place.account {
            return Ok(Desired::Administrator);
        }
        Ok(Desired::Member {
            way: place.landing_zone.membership,
            administrator,
            email: place.email.clone(),
        })
    }

    /// Whether a relationship that the administrator calls enabled has to be seen from the member's side too.
    pub(crate) fn is_by_invitation(&self) -> bool {
        match self {
            Desired::Administrator => false,
            Desired::Member { way, .. } => match way {
                Membership::Organization => false,
                Membership::Invitation => true,
            },
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Observed {
    /// What the administrator's list says.
    pub(crate) listed: Option<Listed>,
    /// The account's administrator, as the account itself sees it.
    pub(crate) administrator: Option<String>,
    /// The administrator's invitation, once it has arrived at the account.
    pub(crate) invitation: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Listed {
    /// In AWS's words: `Created`, `Invited`, `Enabled`, `Removed` and others.
    pub(crate) status: String,
    pub(crate) email: Option<String>,
}

impl Observed {
    pub(crate) fn is_enabled(&self) -> bool {
        self.listed
            .as_ref()
            .is_some_and(|listed| listed.status == ENABLED)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Add { email: Email },
    Invite,
    Accept { invitation: String },
    Await { obstacle: Obstacle },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Add { email } => {
                write!(
                    f,
                    "add the account as {email} to the security account's members"
                )
            }
            Change::Invite => f.write_str("invite the account from the security account"),
            Change::Accept { .. } => f.write_str("accept the security account's invitation"),
            Change::Await { obstacle } => obstacle.fmt(f),
        }
    }
}

/// Why there is nothing to call now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Obstacle {
    EmailIsBeingVerified,
    InvitationIsUnderWay,
    MemberDoesNotShowIt,
    DetectorIsOff,
    EmailIsNotTheAccounts { email: Email },
    OtherAdministrator { account: String },
    AccountIsSuspended,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::EmailIsBeingVerified => {
                f.write_str("wait until AWS has verified the account's root e-mail")
            }
            Obstacle::InvitationIsUnderWay => {
                f.write_str("wait until the invitation arrives at the account")
            }
            Obstacle::MemberDoesNotShowIt => {
                f.write_str("wait until the account itself shows its administrator")
            }
            Obstacle::DetectorIsOff => f.write_str(
                "wait until the account's detector is on again, which another control sees to",
            ),
            Obstacle::EmailIsNotTheAccounts { email } => write!(
                f,
                "{email} is not the account's root e-mail: correct the account's e-mail in Landfall, or in AWS"
            ),
            Obstacle::OtherAdministrator { account } => write!(
                f,
                "the account is a member of {account}: part them there, so that the security account can take it"
            ),
            Obstacle::AccountIsSuspended => {
                f.write_str("AWS has suspended the account: reopen it, or close it in Landfall")
            }
        }
    }
}

impl Obstacle {
    /// What comes of an attempt: an error that says whether time helps or a person.
    pub(crate) fn error(&self, action: &'static str) -> CloudError {
        let kind = match self {
            Obstacle::EmailIsBeingVerified
            | Obstacle::InvitationIsUnderWay
            | Obstacle::MemberDoesNotShowIt
            | Obstacle::DetectorIsOff => CloudErrorKind::NotReady,
            Obstacle::EmailIsNotTheAccounts { .. } | Obstacle::OtherAdministrator { .. } => {
                CloudErrorKind::Invalid
            }
            Obstacle::AccountIsSuspended => CloudErrorKind::Gone,
        };
        CloudError::new(kind, action, self.to_string())
    }
}

/// The steps to membership that can be seen from here; the next look shows those after them.
pub(crate) fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
    let Desired::Member {
        way,
        administrator,
        email,
    } = desired
    else {
        return Vec::new();
    };
    let wait = |obstacle| vec![Change::Await { obstacle }];
    let other = observed.administrator.as_ref();
    if let Some(account) = other.filter(|other| *other != administrator.as_str()) {
        return wait(Obstacle::OtherAdministrator {
            account: account.clone(),
        });
    }
    let add = Change::Add {
        email: email.clone(),
    };
    let listed = observed.listed.as_ref();
    match (listed.map(|listed| listed.status.as_str()), way) {
        (Some("AccountSuspended"), _) => wait(Obstacle::AccountIsSuspended),
        (Some("Disabled"), _) => wait(Obstacle::DetectorIsOff),
        (Some(ENABLED), Membership::Organization) => Vec::new(),
        (_, Membership::Organization) => vec![add],
        (Some(ENABLED), Membership::Invitation) if other.is_some() => Vec::new(),
        (Some(ENABLED), Membership::Invitation) => wait(Obstacle::MemberDoesNotShowIt),
        (Some("Invited"), Membership::Invitation) => match &observed.invitation {
            Some(invitation) => vec![Change::Accept {
                invitation: invitation.clone(),
            }],
            None => wait(Obstacle::InvitationIsUnderWay),
        },
        (Some("EmailVerificationInProgress"), Membership::Invitation) => {
            wait(Obstacle::EmailIsBeingVerified)
        }
        (Some(status), Membership::Invitation)
            if listed.and_then(|listed| listed.email.as_deref()) == Some(email.as_str()) =>
        {
            if status == "EmailVerificationFailed" {
                wait(Obstacle::EmailIsNotTheAccounts {
                    email: email.clone(),
                })
            } else {
                vec![Change::Invite]
            }
        }
        (_, Membership::Invitation) => vec![add, Change::Invite],
    }
}

/// What became of an account in a batch call, which answers success whatever happened: `results` are the reasons of
/// the accounts that were left out.
pub(crate) fn check_processed<'a>(
    action: &'static str,
    results: impl IntoIterator<Item = &'a str>,
) -> Result<(), CloudError> {
    let Some(reason) = results.into_iter().next() else {
        return Ok(());
    };
    // Reasons come without codes. What these words leave open, the next look tells.
    let lower = reason.to_ascii_lowercase();
    let kind = if lower.contains("internal") {
        CloudErrorKind::Unavailable
    } else if lower.contains("already") {
        CloudErrorKind::Conflict
    } else if lower.contains("first enable") || lower.contains("must enable") {
        CloudErrorKind::NotReady
    } else {
        CloudErrorKind::Invalid
    };
    Err(CloudError::new(kind, action, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURITY: &str = "333333333333";

    fn desired(way: Membership) -> Desired {
        Desired::Member {
            way,
            administrator: SECURITY.parse().unwrap(),
            email: "aws+one@example.com".parse().unwrap(),
        }
    }

    fn listed(status: &str) -> Option<Listed> {
        Some(Listed {
            status: status.to_owned(),
            email: Some("aws+one@example.com".to_owned()),
        })
    }

    fn kinds(desired: &Desired, observed: &Observed) -> Vec<&'static str> {
        let kind = |change: &Change| match change {
            Change::Add { .. } => "add",
            Change::Invite => "invite",
            Change::Accept { .. } => "accept",
            Change::Await { obstacle } => obstacle.error("x:Y").kind.name(),
        };
        plan(desired, observed).iter().map(kind).collect()
    }

    #[test]
    fn the_security_account_is_nobodys_member() {
        assert!(plan(&Desired::Administrator, &Observed::default()).is_empty());
    }

    #[test]
    fn each_state_has_its_next_step() {
        let by = |account: &str| Some(account.to_owned());
        let invitation = || Some("i1".to_owned());
        for (status, administrator, invitation, by_organization, by_invitation) in [
            (None, None, None, vec!["add"], vec!["add", "invite"]),
            (Some("Created"), None, None, vec!["add"], vec!["invite"]),
            (Some("Removed"), None, None, vec!["add"], vec!["invite"]),
            (Some("Resigned"), None, None, vec!["add"], vec!["invite"]),
            (
                Some("EmailVerificationInProgress"),
                None,
                None,
                vec!["add"],
                vec!["not_ready"],
            ),
            (
                Some("EmailVerificationFailed"),
                None,
                None,
                vec!["add"],
                vec!["invalid"],
            ),
            (Some("Invited"), None, None, vec!["add"], vec!["not_ready"]),
            (
                Some("Invited"),
                None,
                invitation(),
                vec!["add"],
                vec!["accept"],
            ),
            (Some("Enabled"), None, None, vec![], vec!["not_ready"]),
            (Some("Enabled"), by(SECURITY), None, vec![], vec![]),
            (
                Some("Disabled"),
                by(SECURITY),
                None,
                vec!["not_ready"],
                vec!["not_ready"],
            ),
            (
                Some("AccountSuspended"),
                None,
                None,
                vec!["gone"],
                vec!["gone"],
            ),
            (
                None,
                by("444444444444"),
                None,
                vec!["invalid"],
                vec!["invalid"],
            ),
        ] {
            let observed = Observed {
                listed: status.and_then(listed),
                administrator,
                invitation,
            };
            let organization = kinds(&desired(Membership::Organization), &observed);
            assert_eq!(organization, by_organization, "{observed:?}");
            let invitation = kinds(&desired(Membership::Invitation), &observed);
            assert_eq!(invitation, by_invitation, "{observed:?}");
        }
    }

    #[test]
    fn a_corrected_email_is_tried_anew() {
        let wrong = Listed {
            status: "EmailVerificationFailed".to_owned(),
            email: Some("aws+two@example.com".to_owned()),
        };
        let observed = Observed {
            listed: Some(wrong),
            ..Observed::default()
        };
        assert_eq!(
            kinds(&desired(Membership::Invitation), &observed),
            ["add", "invite"]
        );
    }

    #[test]
    fn a_batch_call_s_success_may_be_a_refusal() {
        assert!(check_processed("x:Y", []).is_ok());
        for (reason, kind) in [
            (
                "The request failed because of an internal server error.",
                CloudErrorKind::Unavailable,
            ),
            (
                "your organization master must first enable GuardDuty to be added as a member",
                CloudErrorKind::NotReady,
            ),
            (
                "the current account has already invited the given member account ID",
                CloudErrorKind::Conflict,
            ),
            ("the given account ID is not valid", CloudErrorKind::Invalid),
        ] {
            let error = check_processed("x:Y", [reason]).unwrap_err();
            assert_eq!(error.kind, kind, "{reason}");
            assert!(error.to_string().contains(reason));
        }
    }
}
