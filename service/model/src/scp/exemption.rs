//! Exemptions: some principals of an account or OU may for a while do what a policy denies.
//!
//! Nothing below an SCP can loosen it, so the policy itself spares them: every statement denies only who is *not like* one
//! of the ARNs that it spares, and an exemption adds to those. As all conditions of a statement have to hold, whoever is
//! spared is not denied by it, and nobody else notices. An exemption is asked for by one, approved by another, and ends by itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ScpSet, ScpTarget};
use crate::consent::Consent;
use crate::ids::{AccountId, OuPath};

/// Where the spared principals belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exempted {
    Account(AccountId),
    /// The accounts of an OU and of all OUs below it.
    Unit(OuPath),
}

/// An exemption, or one that somebody would like to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    pub id: Uuid,
    /// The name of the file in `scp/`, without ending.
    pub policy: String,
    pub exempted: Exempted,
    /// Patterns of ARNs.
    pub principals: Vec<String>,
    pub reason: String,
    pub consent: Consent,
    /// When AWS was first seen to spare them.
    pub effective_at: Option<Timestamp>,
    /// When AWS was first seen to deny them again.
    pub ended_at: Option<Timestamp>,
}

impl Exemption {
    /// Whether it spares nobody whom the other does not spare or wait to.
    pub fn repeats(&self, other: &Exemption, now: Timestamp) -> bool {
        let mut principals = self.principals.iter();
        self.policy == other.policy
            && self.exempted == other.exempted
            && principals.all(|one| other.principals.contains(one))
            && self.consent.adds_nothing_to(&other.consent, now)
    }
}

impl Exempted {
    /// Whose ARNs are meant: in an OU's policies every account is one of the OU.
    pub(super) fn account_pattern(&self) -> &str {
        match self {
            Exempted::Account(account) => account.as_str(),
            Exempted::Unit(_) => "*",
        }
    }
}

impl ScpSet {
    /// Whether exemptions from a policy may be asked for; otherwise, from which they may.
    pub fn check_exemptable(&self, policy: &str) -> Result<(), String> {
        if self.exemptable.contains(policy) {
            return Ok(());
        }
        let names: Vec<&str> = self.exemptable.iter().map(String::as_str).collect();
        let those = match names.as_slice() {
            [] => "scp/exemptions.toml names none".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        Err(if self.documents.contains_key(policy) {
            format!(
                "nobody is exempted from `{policy}`; of those that people may be exempted from {those}"
            )
        } else {
            format!(
                "there is no policy `{policy}`; of those that people may be exempted from {those}"
            )
        })
    }

    /// Where an exemption changes the policy: all places from which it binds whoever is exempted. `unit` is the OU of the
    /// account.
    ///
    /// # Errors
    ///
    /// Where it does not bind them, or also binds others who would be spared with them.
    pub fn reach(
        &self,
        policy: &str,
        exempted: &Exempted,
        unit: Option<&OuPath>,
    ) -> Result<Vec<ScpTarget>, String> {
        let all: Vec<&ScpTarget> = self
            .attachments
            .iter()
            .filter(|(_, names)| names.iter().any(|name| name == policy))
            .map(|(target, _)| target)
            .collect();
        let above = |path: &OuPath, target: &ScpTarget| match target {
            ScpTarget::Root => true,
            ScpTarget::Unit(unit) => path.with_ancestors().contains(unit),
        };
        let reached: Vec<ScpTarget> = match exempted {
            Exempted::Account(_) => {
                let of = |target: &&&ScpTarget| {
                    unit.map_or(***target == ScpTarget::Root, |unit| above(unit, target))
                };
                all.iter()
                    .filter(of)
                    .map(|target| (*target).clone())
                    .collect()
            }
            Exempted::Unit(path) => {
                let own = ScpTarget::Unit(path.clone());
                let wider = |target: &&&ScpTarget| ***target != own && above(path, target);
                if let Some(wider) = all.iter().find(wider) {
                    return Err(format!(
                        "`{policy}` binds {path} from {wider}, and sparing somebody there would spare them in all of it: name an account instead"
                    ));
                }
                let within = |target: &&&ScpTarget| match target {
                    ScpTarget::Root => false,
                    ScpTarget::Unit(unit) => unit.with_ancestors().contains(path),
                };
                all.iter()
                    .filter(within)
                    .map(|target| (*target).clone())
                    .collect()
            }
        };
        if reached.is_empty() {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            let where_it_is = match all.as_slice() {
                [] => "it is attached nowhere".to_owned(),
                all => format!("it is attached to {}", all.join(", ")),
            };
            return Err(format!("`{policy}` does not bind them: {where_it_is}"));
        }
        Ok(reached)
    }

    /// The same policies, sparing whoever is exempted; with each exemption the OU of its account. Exemptions from policies that
    /// do not bind them, or not any more, change nothing.
    pub fn sparing<'a>(
        &self,
        exemptions: impl IntoIterator<Item = (&'a Exemption, Option<&'a OuPath>)>,
    ) -> ScpSet {
        let mut set = self.clone();
        for (exemption, unit) in exemptions {
            if self.check_exemptable(&exemption.policy).is_err() {
                continue;
            }
            let reached = self.reach(&exemption.policy, &exemption.exempted, unit);
            for target in reached.unwrap_or_default() {
                let spared = set.spared.entry(target).or_default();
                let of_policy = spared.entry(exemption.policy.clone()).or_default();
                of_policy.extend(exemption.principals.iter().cloned());
            }
        }
        set
    }
}

/// Principals spared by policies, by the policies' names.
pub(super) type Spared = BTreeMap<String, BTreeSet<String>>;

/// The document in which every statement that denies spares these principals too.
pub(super) fn spare(document: &mut Value, principals: &BTreeSet<String>) {
    let Some(statements) = document.get_mut("Statement") else {
        return;
    };
    let statements = match statements {
        Value::Array(statements) => statements.iter_mut().collect(),
        one => vec![one],
    };
    for statement in statements {
        if statement["Effect"] != "Deny" {
            continue;
        }
        let Some(statement) = statement.as_object_mut() else {
            continue;
        };
        let condition = statement.entry("Condition").or_insert_with(|| json!({}));
        let Some(condition) = condition.as_object_mut() else {
            continue;
        };
        let keys = condition.entry("ArnNotLike").or_insert_with(|| json!({}));
        let Some(keys) = keys.as_object_mut() else {
            continue;
        };
        let written = keys
            .keys()
            .find(|key| key.eq_ignore_ascii_case(PRINCIPAL_ARN))
            .cloned();
        let values = keys
            .entry(written.unwrap_or_else(|| PRINCIPAL_ARN.to_owned()))
            .or_insert_with(|| json!([]));
        let mut all = match values.take() {
            Value::Array(all) => all,
            one => vec![one],
        };
        all.extend(principals.iter().map(|principal| json!(principal)));
        *values = Value::Array(all);
    }
}

const PRINCIPAL_ARN: &str = "aws:PrincipalArn";

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;
    use landfall_policy::{Context, Policy, PrincipalView, Request, Verdict};

    use super::*;
    use crate::landing_zone::LandingZone;
    use crate::scp::ScpSettings;

    pub(in crate::scp) const ACCOUNT: &str = "222222222222";

    pub(in crate::scp) fn zone() -> LandingZone {
        let text = include_str!("../../../../deploy/landing-zone.toml");
        LandingZone::parse("landing-zone.toml", text).unwrap()
    }

    /// `connect` on Applications and Applications/Sandbox, `leave` on the root, of which nobody is exempted.
    pub(in crate::scp) fn set() -> ScpSet {
        let deny = |sid: &str, action: &str, condition: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Deny","Action":"{action}","Resource":"*"{condition}}}]}}"#
            )
        };
        let spared = r#","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/LandfallExecution"}}"#;
        let documents = [
            (
                "scp/connect.json",
                deny("Connect", "directconnect:*", spared),
            ),
            ("scp/wide.json", deny("Wide", "s3:PutBucketPolicy", "")),
            (
                "scp/leave.json",
                deny("Leave", "organizations:LeaveOrganization", ""),
            ),
        ]
        .map(|(name, text)| (name.to_owned(), text));
        let attachments = r#"
            root = ["leave", "wide"]
            [units]
            "Applications" = ["connect"]
            "Applications/Sandbox" = ["connect"]
            "#;
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        ScpSet::parse(
            &file("attachments.toml", attachments),
            Some(&file(
                "exemptions.toml",
                r#"exemptable = ["connect", "wide"]"#,
            )),
            &documents,
            &zone(),
        )
        .unwrap()
    }

    fn path(text: &str) -> OuPath {
        text.parse().unwrap()
    }

    fn unit(text: &str) -> ScpTarget {
        ScpTarget::Unit(path(text))
    }

    #[test]
    fn an_exemption_reaches_every_place_that_binds_and_none_that_binds_others() {
        let account = Exempted::Account(ACCOUNT.parse().unwrap());
        let of = |path: &str| Exempted::Unit(path.parse().unwrap());
        let both = vec![unit("Applications"), unit("Applications/Sandbox")];
        for (policy, exempted, stands_in, reached) in [
            (
                "connect",
                &account,
                Some("Applications/Sandbox"),
                Ok(both.clone()),
            ),
            (
                "connect",
                &account,
                Some("Applications/Production"),
                Ok(vec![unit("Applications")]),
            ),
            (
                "connect",
                &account,
                Some("Admin"),
                Err("does not bind them: it is attached to Applications,"),
            ),
            ("wide", &account, Some("Admin"), Ok(vec![ScpTarget::Root])),
            ("connect", &of("Applications"), None, Ok(both)),
            (
                "connect",
                &of("Applications/Sandbox"),
                None,
                Err("from Applications, and sparing"),
            ),
            (
                "wide",
                &of("Applications"),
                None,
                Err("from the root, and sparing"),
            ),
            ("connect", &of("Admin"), None, Err("does not bind them")),
        ] {
            let stands_in = stands_in.map(path);
            let found = set().reach(policy, exempted, stands_in.as_ref());
            match (found, reached) {
                (Err(rule), Err(part)) => assert!(rule.contains(part), "{rule}"),
                (found, reached) => assert_eq!(found.ok(), reached.ok(), "{policy} {exempted:?}"),
            }
        }
    }

    fn exemption(principals: &[&str]) -> Exemption {
        let principals = principals
            .iter()
            .map(|text| format!("arn:aws:iam::{ACCOUNT}:{text}"));
        Exemption {
            id: Uuid::from_u128(1),
            policy: "connect".to_owned(),
            exempted: Exempted::Account(ACCOUNT.parse().unwrap()),
            principals: principals.collect(),
            reason: "the line to the data centre".to_owned(),
            consent: Consent::asked(
                "alice",
                Timestamp::UNIX_EPOCH,
                Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1),
            ),
            effective_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn who_is_spared_is_denied_no_more_and_everybody_else_is() {
        let production = path("Applications/Production");
        let exemption = exemption(&["role/TeamX*"]);
        let set = set().sparing([(&exemption, Some(&production))]);
        let packed = set.packed(ScpSettings::default()).unwrap();
        let denies = |target: &ScpTarget, principal: &str| {
            packed.attachments[target].iter().any(|name| {
                let policy = Policy::parse(&packed.documents[name].content).unwrap();
                let principal = PrincipalView::role_session(principal, "session").unwrap();
                let request = Request {
                    principal: &principal,
                    action: "directconnect:CreateConnection",
                    resource: "*",
                    context: &Context::of(&principal),
                };
                matches!(policy.evaluate(&request), Verdict::Deny { .. })
            })
        };
        for (principal, target, denied) in [
            (
                "arn:aws:iam::222222222222:role/TeamX-Network",
                "Applications",
                false,
            ),
            (
                "arn:aws:iam::222222222222:role/TeamX-Network",
                "Applications/Sandbox",
                true,
            ),
            ("arn:aws:iam::222222222222:role/TeamY", "Applications", true),
            (
                "arn:aws:iam::333333333333:role/TeamX-Network",
                "Applications",
                true,
            ),
            (
                "arn:aws:iam::333333333333:role/LandfallExecution",
                "Applications",
                false,
            ),
        ] {
            assert_eq!(
                denies(&unit(target), principal),
                denied,
                "{principal} {target}"
            );
        }
    }

    #[test]
    fn statements_without_conditions_and_alone_spare_too() {
        for (statement, spared) in [
            (
                json!({ "Effect": "Deny", "Action": "*" }),
                json!({ "ArnNotLike": { "aws:PrincipalArn": ["a"] } }),
            ),
            (
                json!({ "Effect": "Deny", "Action": "*", "Condition": { "ArnNotLike": { "aws:principalarn": "b" }, "Bool": { "x": "true" } } }),
                json!({ "ArnNotLike": { "aws:principalarn": ["b", "a"] }, "Bool": { "x": "true" } }),
            ),
            (json!({ "Effect": "Allow", "Action": "*" }), Value::Null),
        ] {
            let mut document = json!({ "Statement": statement });
            spare(&mut document, &["a".to_owned()].into());
            assert_eq!(document["Statement"]["Condition"], spared);
        }
    }
}
