//! From what was seen of the organization's accounts to findings. Nothing here calls anybody.

use std::collections::BTreeMap;

use landfall_controls::error::CloudError;
use landfall_controls::members::Member;
use landfall_model::finding::Finding;
use landfall_model::ids::AccountId;
use landfall_model::landing_zone::{FoundationAccount, LandingZone};

use super::judgement::not_seen;

/// How many accounts a finding names.
const NAMED: usize = 5;

/// How many accounts there are, which are not alive, and whether the landing zone's own are among them.
pub(super) fn members(
    zone: &LandingZone,
    members: Result<&Vec<Member>, &CloudError>,
) -> Vec<Finding> {
    let members = match members {
        Ok(members) => members,
        Err(error) => {
            let why = "Accounts that exist already are taken over, not made again.";
            return vec![not_seen("members", error, why)];
        }
    };
    let alive = members
        .iter()
        .filter(|member| member.state.is_looked_after())
        .count();
    let mut findings = vec![Finding::fine(
        "members",
        format!("{} accounts, {} of them active", members.len(), alive),
    )];
    findings.push(
        Finding::unread(
            "quota of accounts",
            format!(
                "how many accounts the organization may have cannot be read; it has {}, closed ones count too",
                members.len()
            ),
            "A new organization may have ten. When it is full, requests wait until AWS Support raises it.",
        )
        .mended_by("aws service-quotas list-service-quotas --service-code organizations --region us-east-1   # Default maximum number of accounts"),
    );
    for (subject, wanted) in [
        ("log archive account", &zone.accounts.log_archive),
        ("security account", &zone.accounts.security),
    ] {
        findings.push(foundation(subject, wanted, members));
    }
    findings
}

fn foundation(subject: &str, wanted: &FoundationAccount, members: &[Member]) -> Finding {
    let found = members.iter().find(|member| {
        member
            .email
            .as_ref()
            .is_some_and(|email| email.as_str().eq_ignore_ascii_case(wanted.email.as_str()))
    });
    match found {
        Some(member) if member.state.is_looked_after() => {
            Finding::fine(subject, format!("it is {}", member.account))
        }
        Some(member) => Finding::mend(
            subject,
            format!(
                "{} has the e-mail {} and is {}",
                member.account,
                wanted.email,
                member.state.name()
            ),
            "Landfall recognizes the account by its root e-mail, and cannot work with this one.",
            "Have AWS Support open it again, or name another e-mail in landing-zone.toml.",
        ),
        None => Finding::landfall(
            subject,
            format!("there is no account with the e-mail {}", wanted.email),
        ),
    }
}

/// In which members the execution role can be assumed.
pub(super) fn roles(
    zone: &LandingZone,
    members: &[Member],
    governed: &[AccountId],
    tried: &BTreeMap<AccountId, Result<(), CloudError>>,
) -> Vec<Finding> {
    let subject = "execution role";
    let role = &zone.roles.execution;
    let own = [
        &zone.accounts.log_archive.email,
        &zone.accounts.security.email,
    ];
    let needed = |account: &AccountId| {
        governed.contains(account)
            || members.iter().any(|member| {
                member.account == *account
                    && member.email.as_ref().is_some_and(|email| {
                        own.iter()
                            .any(|own| own.as_str().eq_ignore_ascii_case(email.as_str()))
                    })
            })
    };
    let without: Vec<(&AccountId, &CloudError)> = tried
        .iter()
        .filter_map(|(account, tried)| Some((account, tried.as_ref().err()?)))
        .collect();
    let entered = tried.len() - without.len();
    let (lacking, strange): (Vec<_>, Vec<_>) = without
        .into_iter()
        .partition(|(account, _)| needed(account));
    let mut findings = vec![Finding::fine(
        subject,
        format!(
            "{role} can be assumed in {} of {} active members",
            entered,
            tried.len()
        ),
    )];
    if let Some((_, error)) = lacking.first() {
        findings.push(Finding::mend(
            subject,
            format!(
                "Landfall looks after {} and cannot enter: {error}",
                names(&lacking)
            ),
            "Nothing in these accounts can be looked at or repaired.",
            execution_role_commands(zone),
        ));
    }
    if !strange.is_empty() {
        findings.push(
            Finding::warning(
                subject,
                format!(
                    "{} of the other members do not let Landfall in: {}",
                    strange.len(),
                    names(&strange)
                ),
                "Landfall does not look after them. SCPs on the root bind them all the same.",
            )
            .mended_by(execution_role_commands(zone)),
        );
    }
    findings
}

fn names(accounts: &[(&AccountId, &CloudError)]) -> String {
    let mut names: Vec<String> = accounts
        .iter()
        .take(NAMED)
        .map(|(account, _)| account.to_string())
        .collect();
    if accounts.len() > NAMED {
        names.push(format!("{} more", accounts.len() - NAMED));
    }
    names.join(", ")
}

/// The commands that make the execution role by hand.
pub(crate) fn execution_role_commands(zone: &LandingZone) -> String {
    let (role, management) = (&zone.roles.execution, &zone.management_account);
    format!(
        "# As administrator of the member account:\n\
         aws iam create-role --role-name {role} --assume-role-policy-document '{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"arn:aws:iam::{management}:root\"}},\"Action\":\"sts:AssumeRole\"}}]}}'\n\
         aws iam attach-role-policy --role-name {role} --policy-arn arn:aws:iam::aws:policy/AdministratorAccess"
    )
}
