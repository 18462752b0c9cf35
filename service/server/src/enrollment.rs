//! Taking over an account that was there before: what is looked at first, and what is found.
//!
//! Looking changes nothing. What the account would get is not judged here: the controls of its baseline observe and plan
//! as they do in the engine, so what they adopt shows as fine, and what they would add or change stands there as a
//! sentence.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_controls::aws::Aws;
use landfall_controls::cloud::Cloud;
use landfall_controls::enrollment::{self, BOOTSTRAP_ROLE, Entry};
use landfall_controls::error::CloudError;
use landfall_controls::members::{self, Member};
use landfall_controls::{preflight, vending};
use landfall_model::finding::Finding;
use landfall_model::ids::{AccountId, Email, OuPath};
use landfall_model::landing_zone::LandingZone;
use landfall_model::place::{Organization, Place};

use crate::catalogue::Catalogue;
use crate::doctor::{execution_role_commands, plan_of_account};

/// What looking at accounts needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Examiner {
    pub cloud: Cloud,
    pub landing_zone: Arc<LandingZone>,
    pub catalogue: Arc<Catalogue>,
}

/// What was found about an account that might be enrolled.
#[derive(Clone, Debug)]
pub struct Examined {
    pub member: Member,
    /// Where it stands; `None` is the root.
    pub organizational_unit: Option<OuPath>,
    pub findings: Vec<Finding>,
}

impl Examiner {
    /// Looks at a member; `None` where the account is not one. `wanted` is the OU that it is to go to, where it is not to
    /// stay in its own.
    pub async fn examine(
        &self,
        account: &AccountId,
        wanted: Option<&OuPath>,
    ) -> Result<Option<Examined>, CloudError> {
        let zone = &self.landing_zone;
        let aws =
            preflight::management(&self.cloud, &zone.management_account, &zone.home_region).await?;
        let members = members::list(&aws).await?;
        let member = match members.iter().find(|member| member.account == *account) {
            Some(member) => member.clone(),
            // Lists lag behind.
            None => match members::describe(&aws, account).await? {
                Some(member) => member,
                None => return Ok(None),
            },
        };
        let found = vending::describe_organization(&aws).await?;
        let organization = Organization {
            id: found.id,
            root_id: found.root_id,
            management_account: found.management_account,
            log_archive_account: with_email(&members, &zone.accounts.log_archive.email),
            security_account: with_email(&members, &zone.accounts.security.email),
        };
        let mut findings = Vec::new();
        if !member.state.is_looked_after() {
            findings.push(Finding::mend(
                "account",
                member.state.sentence(),
                "It answers no calls.",
                "Have AWS Support open it again within 90 days of its closure, or leave it.",
            ));
            return Ok(Some(Examined {
                member,
                organizational_unit: None,
                findings,
            }));
        }
        findings.push(Finding::fine(
            "account",
            format!("{} is active", member.name),
        ));
        let parent =
            vending::parent_of(&aws, self.cloud.units(), &organization.root_id, account).await?;
        findings.push(self.unit(parent.as_ref(), wanted));
        findings.push(policies(&aws, account).await);
        let entry = enrollment::entry(&self.cloud, account, &zone.home_region).await?;
        findings.push(self.role(account, &entry));
        let through = match entry {
            Entry::Execution => Some(self.cloud.clone()),
            Entry::Bootstrap => Some(self.cloud.with_execution_role(BOOTSTRAP_ROLE)),
            Entry::Shut(_) => None,
        };
        if let Some(through) = through {
            findings.push(self.control_tower(&through, account).await);
            let place = Place {
                landing_zone: zone.clone(),
                scps: Arc::default(),
                organization: Arc::new(organization),
                account: account.clone(),
                // Its name and tags come with the request.
                account_name: None,
                account_tags: BTreeMap::new(),
                email: member
                    .email
                    .clone()
                    .unwrap_or_else(|| zone.accounts.security.email.clone()),
                organizational_unit: wanted.cloned().or_else(|| parent.clone()),
                region: zone.home_region.clone(),
            };
            findings.extend(plan_of_account(&through, &self.catalogue, &place).await);
        }
        Ok(Some(Examined {
            member,
            organizational_unit: parent,
            findings,
        }))
    }

    fn unit(&self, parent: Option<&OuPath>, wanted: Option<&OuPath>) -> Finding {
        let stands = parent.map_or("the root".to_owned(), ToString::to_string);
        match (parent, wanted) {
            (_, Some(wanted)) if parent != Some(wanted) => Finding::landfall(
                "organizational unit",
                format!("it stands in {stands} and will be moved to {wanted}"),
            ),
            (Some(parent), _) if self.landing_zone.unit(parent).is_some() => {
                Finding::fine("organizational unit", format!("it stays in {parent}"))
            }
            (_, _) => Finding::warning(
                "organizational unit",
                format!("it stands in {stands}, which the landing zone does not name"),
                "An account gets its baseline from its OU.",
            )
            .mended_by("Say with organizational_unit where it is to go, or add its OU to the landing zone."),
        }
    }

    fn role(&self, account: &AccountId, entry: &Entry) -> Finding {
        let zone = &self.landing_zone;
        let role = &zone.roles.execution;
        let subject = "execution role";
        match entry {
            Entry::Execution => Finding::fine(subject, format!("{role} can be assumed")),
            Entry::Bootstrap => Finding::landfall(
                subject,
                format!("{role} cannot be assumed; it will be made through {BOOTSTRAP_ROLE}"),
            ),
            Entry::Shut(error) => Finding::mend(
                subject,
                format!("neither {role} nor {BOOTSTRAP_ROLE} of {account} can be assumed: {error}"),
                "Landfall works in an account through its execution role.",
                execution_role_commands(zone),
            ),
        }
    }

    async fn control_tower(&self, through: &Cloud, account: &AccountId) -> Finding {
        let subject = "Control Tower";
        match enrollment::control_tower(through, account, &self.landing_zone.home_region).await {
            Ok(false) => Finding::fine(subject, "it does not govern the account"),
            Ok(true) => Finding::warning(
                subject,
                "its role AWSControlTowerExecution is in the account",
                "Two landing zones undo each other's work.",
            )
            .mended_by(format!(
                "Unmanage the account first: Control Tower, Organization, {account}, Unmanage."
            )),
            Err(error) => Finding::unread(
                subject,
                error.to_string(),
                "Two landing zones undo each other's work.",
            ),
        }
    }
}

async fn policies(aws: &Aws, account: &AccountId) -> Finding {
    let subject = "service control policies";
    match enrollment::binding_policies(aws, account).await {
        Ok(names) if names.is_empty() => Finding::fine(subject, "none binds the account"),
        Ok(names) => Finding::fine(subject, format!("these bind it: {}", names.join(", "))),
        Err(error) => Finding::unread(
            subject,
            error.to_string(),
            "One of them may deny what Landfall does.",
        ),
    }
}

fn with_email(members: &[Member], email: &Email) -> Option<AccountId> {
    members
        .iter()
        .find(|member| member.has_email(email))
        .map(|member| member.account.clone())
}
