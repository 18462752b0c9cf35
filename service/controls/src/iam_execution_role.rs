//! The role that Landfall works with in the account is Landfall's: nobody but the management role can assume it, and it
//! may do what Landfall has to do.
//!
//! `CreateAccount` lets the whole management account assume it. The narrower trust policy still names that account as
//! principal and the management role in a condition. A role that is a principal itself is kept by its unique id ("AWS
//! JSON policy elements: Principal", IAM User Guide): made anew under the same name, it would be locked out of every
//! account at once.
//!
//! Landfall cuts the branch that it sits on, so it takes care:
//! 1. permissions are attached before trust is touched, and none are taken away;
//! 2. a trust policy that would not let the management role in, as this process would come, is never written: not even
//!    one that was planned when the landing zone said otherwise;
//! 3. after it was written the door is tried, and where it is shut, what was there before is put back by the session
//!    that is still inside;
//! 4. where somebody else shuts the door, a session that is still inside opens it, to the last minute that it holds
//!    (`Cloud::session`). Without one, a person has to, and the error says what to do.

use std::collections::BTreeSet;
use std::fmt;

use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use landfall_policy::{Context, Policy, PrincipalView, Request};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::CloudError;
use crate::external_id;
use crate::session::Session;

pub(crate) struct IamExecutionRole;

/// What a baseline says: ARNs of managed policies that the role has. Others stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    managed_policies: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    role: String,
    managed_policies: BTreeSet<String>,
    #[serde(serialize_with = "veiled")]
    trust: Value,
}

/// The role as it is. Landfall looks at it from inside, so it is there.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    managed_policies: BTreeSet<String>,
    #[serde(serialize_with = "veiled")]
    trust: Value,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Attach {
        role: String,
        policy: String,
    },
    SetTrust {
        role: String,
        trust: Value,
        former: Value,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Attach { role, policy } => write!(f, "attach {policy} to the role {role}"),
            Change::SetTrust { role, .. } => {
                write!(f, "let nobody but the management role assume {role}")
            }
        }
    }
}

const GET: &str = "iam:GetRole";
const LIST: &str = "iam:ListAttachedRolePolicies";
const ATTACH: &str = "iam:AttachRolePolicy";
const SET_TRUST: &str = "iam:UpdateAssumeRolePolicy";

impl Control for IamExecutionRole {
    const ID: &'static str = "iam.execution-role";
    const TITLE: &'static str = "Only Landfall can assume its role";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[GET, LIST, ATTACH, SET_TRUST];
    const MEMBERS_ONLY: bool = true;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            role: place.landing_zone.roles.execution.clone(),
            managed_policies: parameters.managed_policies.clone(),
            trust: trust(place),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let iam = aws.iam();
        let role = aws
            .call(GET, || iam.get_role().role_name(&desired.role).send())
            .await?
            .role;
        let trust = role.and_then(|role| role.assume_role_policy_document);
        Ok(Observed {
            managed_policies: attached(aws, &desired.role).await?,
            trust: trust.map_or(Value::Null, |text| read(&text)),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let missing = desired
            .managed_policies
            .difference(&observed.managed_policies);
        let attach = missing.map(|policy| Change::Attach {
            role: desired.role.clone(),
            policy: policy.clone(),
        });
        let set_trust = (desired.trust != observed.trust).then(|| Change::SetTrust {
            role: desired.role.clone(),
            trust: desired.trust.clone(),
            former: observed.trust.clone(),
        });
        attach.chain(set_trust).collect()
    }

    async fn apply(session: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = session.target().await?;
        match change {
            Change::Attach { role, policy } => {
                let iam = aws.iam();
                aws.call(ATTACH, || {
                    iam.attach_role_policy()
                        .role_name(role)
                        .policy_arn(policy)
                        .send()
                })
                .await?;
                Ok(())
            }
            Change::SetTrust {
                role,
                trust,
                former,
            } => {
                if !lets_in(trust, session.place()) {
                    return Err(CloudError::new(
                        CloudErrorKind::Invalid,
                        SET_TRUST,
                        "this trust policy would lock Landfall out; it is not written",
                    ));
                }
                set_trust(aws, role, trust).await?;
                match session.try_to_enter().await {
                    Err(mut error) if error.kind == CloudErrorKind::AccessDenied => {
                        set_trust(aws, role, former).await?;
                        error.message += ". The new trust policy would have shut Landfall out: the former one stands again";
                        Err(error)
                    }
                    // Whatever else went wrong tells nothing about the door; the next look goes through it.
                    _ => Ok(()),
                }
            }
        }
    }
}

/// The trust policy of the execution role.
fn trust(place: &Place) -> Value {
    let organization = &place.organization;
    let roles = &place.landing_zone.roles;
    let management = &organization.management_account;
    let mut condition = json!({
        "ArnEquals": { "aws:PrincipalArn": management_role(place) },
    });
    if !roles.external_ids.is_empty() {
        condition["StringEquals"] = json!({ "sts:ExternalId": roles.external_ids });
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "Landfall",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{management}:root") },
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }],
    })
}

fn management_role(place: &Place) -> String {
    format!(
        "arn:aws:iam::{}:role/{}",
        place.organization.management_account, place.landing_zone.roles.management
    )
}

/// A trust policy as it is stored and shown.
fn veiled<S: Serializer>(trust: &Value, to: S) -> Result<S::Ok, S::Error> {
    external_id::veiled(trust.clone()).serialize(to)
}

/// Whether a trust policy lets the management role in when it comes as Landfall does.
fn lets_in(trust: &Value, place: &Place) -> bool {
    let Ok(policy) = Policy::parse(&trust.to_string()) else {
        return false;
    };
    let Some(principal) = PrincipalView::role_session(&management_role(place), "landfall") else {
        return false;
    };
    let roles = &place.landing_zone.roles;
    let allows = |external_id: Option<&String>| {
        let mut context = Context::of(&principal);
        if let Some(id) = external_id {
            context.set("sts:ExternalId", id.as_str());
        }
        policy.allows(&Request {
            principal: &principal,
            action: "sts:AssumeRole",
            resource: &format!("arn:aws:iam::{}:role/{}", place.account, roles.execution),
            context: &context,
        })
    };
    match roles.external_ids.as_slice() {
        [] => allows(None),
        ids => ids.iter().any(|id| allows(Some(id))),
    }
}

async fn set_trust(aws: &Aws, role: &str, trust: &Value) -> Result<(), CloudError> {
    let iam = aws.iam();
    let document = trust.to_string();
    aws.call(SET_TRUST, || {
        iam.update_assume_role_policy()
            .role_name(role)
            .policy_document(&document)
            .send()
    })
    .await?;
    Ok(())
}

async fn attached(aws: &Aws, role: &str) -> Result<BTreeSet<String>, CloudError> {
    let iam = aws.iam();
    let mut policies = BTreeSet::new();
    let mut marker = None;
    loop {
        let page = aws
            .call(LIST, || {
                iam.list_attached_role_policies()
                    .role_name(role)
                    .set_marker(marker.clone())
                    .send()
            })
            .await?;
        let found = page.attached_policies.unwrap_or_default();
        policies.extend(found.into_iter().filter_map(|policy| policy.policy_arn));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(policies);
        }
    }
}

/// A policy document as IAM answers it, percent-encoded (IAM API reference, `GetRole`).
fn read(document: &str) -> Value {
    let mut bytes = Vec::with_capacity(document.len());
    let mut rest = document.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    let text = String::from_utf8_lossy(&bytes);
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use landfall_model::landing_zone::LandingZone;
    use landfall_model::place::Organization;

    use super::*;

    fn place(external_ids: &[&str]) -> Place {
        let zone = include_str!("../../../deploy/landing-zone.toml");
        let mut zone = LandingZone::parse("landing-zone.toml", zone).unwrap();
        zone.roles.external_ids = external_ids.iter().map(|id| (*id).to_owned()).collect();
        Place {
            organization: Arc::new(Organization {
                id: "o-exampleorgid".to_owned(),
                root_id: "r-abcd".to_owned(),
                management_account: zone.management_account.clone(),
                log_archive_account: None,
                security_account: None,
            }),
            account: "222222222222".parse().unwrap(),
            account_name: None,
            account_tags: Default::default(),
            email: "root@example.com".parse().unwrap(),
            organizational_unit: None,
            region: zone.home_region.clone(),
            scps: Arc::default(),
            landing_zone: Arc::new(zone),
        }
    }

    fn may_assume(trust: &Value, who: &str, external_id: Option<&str>) -> bool {
        let principal = PrincipalView::role_session(who, "session").unwrap();
        let mut context = Context::of(&principal);
        if let Some(id) = external_id {
            context.set("sts:ExternalId", id);
        }
        Policy::parse(&trust.to_string()).unwrap().allows(&Request {
            principal: &principal,
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::222222222222:role/LandfallExecution",
            context: &context,
        })
    }

    #[test]
    fn only_the_management_role_gets_in_and_it_always_does() {
        let management = "arn:aws:iam::111111111111:role/LandfallManagement";
        for (ids, who, external_id, allowed) in [
            (&[][..], management, None, true),
            (&[], management, Some("anything"), true),
            (
                &[],
                "arn:aws:iam::111111111111:role/Administrator",
                None,
                false,
            ),
            (
                &[],
                "arn:aws:iam::333333333333:role/LandfallManagement",
                None,
                false,
            ),
            (&["new", "old"], management, Some("new"), true),
            (&["new", "old"], management, Some("old"), true),
            (&["new", "old"], management, Some("other"), false),
            (&["new", "old"], management, None, false),
        ] {
            let place = place(ids);
            let trust = trust(&place);
            assert_eq!(
                may_assume(&trust, who, external_id),
                allowed,
                "{ids:?} {who} {external_id:?}"
            );
            assert!(lets_in(&trust, &place));
        }
    }

    #[test]
    fn what_would_lock_landfall_out_is_not_written() {
        let planned_before = trust(&place(&["old"]));
        assert!(lets_in(&planned_before, &place(&["old", "new"])));
        assert!(lets_in(&planned_before, &place(&["new", "old"])));
        assert!(!lets_in(&planned_before, &place(&["new"])));
        assert!(!lets_in(&planned_before, &place(&[])));
        assert!(!lets_in(&json!({ "Statement": [] }), &place(&[])));
    }

    #[test]
    fn an_external_id_is_shown_to_nobody() {
        let shown = |ids: &[&str]| {
            let observed = Observed {
                managed_policies: BTreeSet::new(),
                trust: trust(&place(ids)),
            };
            serde_json::to_string(&observed).unwrap()
        };
        for ids in [&["hush-1"][..], &["hush-1", "hush-2"]] {
            assert!(!shown(ids).contains("hush"), "{}", shown(ids));
            assert!(shown(ids).contains("sts:ExternalId"), "{}", shown(ids));
        }
        assert_ne!(shown(&["hush-1"]), shown(&["hush-2"]));
        assert_eq!(shown(&["hush-1"]), shown(&["hush-1"]));
    }

    #[test]
    fn permissions_come_before_trust_and_nothing_is_detached() {
        let place = place(&[]);
        let policies = |arns: &[&str]| arns.iter().map(|arn| (*arn).to_owned()).collect();
        let desired = Desired {
            role: "LandfallExecution".to_owned(),
            managed_policies: policies(&["wanted"]),
            trust: trust(&place),
        };
        let attach = "attach wanted to the role LandfallExecution";
        let narrow = "let nobody but the management role assume LandfallExecution";
        for (managed_policies, trust, sentences) in [
            (policies(&["other"]), json!({}), vec![attach, narrow]),
            (policies(&["wanted", "other"]), json!({}), vec![narrow]),
            (policies(&["wanted"]), trust(&place), vec![]),
        ] {
            let observed = Observed {
                managed_policies,
                trust,
            };
            let plan = IamExecutionRole::plan(&desired, &observed);
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }

    #[test]
    fn documents_come_percent_encoded() {
        assert_eq!(
            read("%7B%22a%22%3A%5B%22%25%2B%20%22%5D%7D"),
            json!({ "a": ["%+ "] })
        );
        assert_eq!(read("%zz%4"), Value::String("%zz%4".to_owned()));
    }
}
