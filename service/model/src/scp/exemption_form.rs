//! The request for an exemption: what a person writes, and every rule that it has to keep.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Exempted, ScpSet};
use crate::consent::check_expiry;
use crate::ids::{AccountId, OuPath};
use crate::landing_zone::LandingZone;
use crate::request::FieldError;

/// What `POST /api/v1/scp-exemptions` takes. Where the principals belong is said by one of `account_id` and
/// `organizational_unit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExemptionForm {
    #[serde(default)]
    pub policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// `role/NAME`, `user/NAME`, `root`, or the same as ARNs, with `*` and `?`. Everybody where there are none.
    #[serde(default)]
    pub principals: Vec<String>,
    #[serde(default)]
    pub reason: String,
    /// Every exemption ends: `None` breaks a rule.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A form that keeps every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptionProposal {
    pub policy: String,
    pub exempted: Exempted,
    pub principals: Vec<String>,
    pub reason: String,
    pub expires_at: Timestamp,
}

/// Each takes some sixty characters in every statement of the policy.
const MOST_PRINCIPALS: usize = 10;

impl ExemptionForm {
    /// Checks every rule and names each field that breaks one.
    pub fn check(
        self,
        zone: &LandingZone,
        scps: &ScpSet,
        now: Timestamp,
    ) -> Result<ExemptionProposal, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, rule: String| {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                rule,
            });
        };
        if let Err(rule) = scps.check_exemptable(&self.policy) {
            wrong("/policy", rule);
        }
        let exempted = match self.exempted(zone) {
            Ok(exempted) => Some(exempted),
            Err((pointer, rule)) => {
                wrong(pointer, rule);
                None
            }
        };
        let mut principals = Vec::new();
        if let Some(exempted) = &exempted {
            let account = exempted.account_pattern();
            for (index, text) in self.principals.iter().enumerate() {
                match principal(text, account) {
                    Ok(arn) => principals.push(arn),
                    Err(rule) => wrong(&format!("/principals/{index}"), rule),
                }
            }
            if self.principals.is_empty() {
                principals.push(format!("arn:aws:*::{account}:*"));
            }
        }
        if self.principals.len() > MOST_PRINCIPALS {
            wrong(
                "/principals",
                format!("must be at most {MOST_PRINCIPALS}: `role/TeamX*` names many at once"),
            );
        }
        let reason = self.reason.trim().to_owned();
        if reason.is_empty() {
            wrong("/reason", "must be given".to_owned());
        } else if reason.chars().count() > 2_000 {
            wrong("/reason", "must be at most 2000 characters".to_owned());
        }
        let expiry = match self.expires_at {
            None => Err("must be given: every exemption ends".to_owned()),
            Some(at) => check_expiry(at, now, zone.scps.longest_exemption_days).map(|()| at),
        };
        if let Err(rule) = &expiry {
            wrong("/expires_at", rule.clone());
        }
        match (exempted, expiry) {
            (Some(exempted), Ok(expires_at)) if errors.is_empty() => Ok(ExemptionProposal {
                policy: self.policy,
                exempted,
                principals,
                reason,
                expires_at,
            }),
            _ => Err(errors),
        }
    }

    fn exempted(&self, zone: &LandingZone) -> Result<Exempted, (&'static str, String)> {
        match (&self.account_id, &self.organizational_unit) {
            (Some(account), None) => account
                .parse()
                .map_err(|error: crate::ids::BadName| ("/account_id", error.to_string()))
                .and_then(|account: AccountId| match account == zone.management_account {
                    true => Err((
                        "/account_id",
                        format!("is {account}, the management account, which no service control policy binds: it needs no exemption"),
                    )),
                    false => Ok(Exempted::Account(account)),
                }),
            (None, Some(unit)) => match unit.parse::<OuPath>() {
                Ok(path) if zone.unit(&path).is_some() => Ok(Exempted::Unit(path)),
                _ => Err((
                    "/organizational_unit",
                    format!("the landing zone has no organizational unit `{unit}`"),
                )),
            },
            (None, None) => Err((
                "/account_id",
                "give one of account_id, organizational_unit".to_owned(),
            )),
            (Some(_), Some(_)) => Err((
                "/account_id",
                "give only one of account_id, organizational_unit".to_owned(),
            )),
        }
    }
}

/// The ARN of what somebody wrote for principals of an account.
fn principal(text: &str, account: &str) -> Result<String, String> {
    let prefix = format!("arn:aws:iam::{account}:");
    let name = text.strip_prefix(&prefix).unwrap_or(text);
    let characters = |rest: &str| {
        (1..=576).contains(&rest.len())
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-/*?".contains(&byte))
    };
    let known = match name.split_once('/') {
        None => name == "root",
        Some((kind, rest)) => matches!(kind, "role" | "user") && characters(rest),
    };
    if known {
        return Ok(format!("{prefix}{name}"));
    }
    Err(format!(
        "`{text}` is no role, user or root user there: write role/NAME, user/NAME, root, or an ARN that begins with {prefix}"
    ))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::scp::exemption::tests::{ACCOUNT, set, zone};

    fn form() -> ExemptionForm {
        ExemptionForm {
            policy: "connect".to_owned(),
            account_id: Some(ACCOUNT.to_owned()),
            principals: vec!["role/TeamX*".to_owned()],
            reason: "the line to the data centre".to_owned(),
            expires_at: Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24)),
            ..ExemptionForm::default()
        }
    }

    fn check(form: ExemptionForm) -> Result<ExemptionProposal, Vec<FieldError>> {
        form.check(&zone(), &set(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn principals_are_written_short_or_as_arns_and_belong_to_the_account() {
        let of = |account: &str, text: &str| principal(text, account).ok();
        for (text, arn) in [
            ("role/TeamX*", Some("arn:aws:iam::222222222222:role/TeamX*")),
            ("root", Some("arn:aws:iam::222222222222:root")),
            (
                "arn:aws:iam::222222222222:user/ann",
                Some("arn:aws:iam::222222222222:user/ann"),
            ),
            (
                "role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Net_*",
                Some(
                    "arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Net_*",
                ),
            ),
            ("arn:aws:iam::333333333333:role/TeamX", None),
            ("arn:aws:iam::*:role/TeamX", None),
            ("group/admins", None),
            ("role/", None),
            ("role/${aws:username}", None),
            ("*", None),
        ] {
            assert_eq!(of(ACCOUNT, text).as_deref(), arn, "{text}");
        }
        assert_eq!(of("*", "root").as_deref(), Some("arn:aws:iam::*:root"));
        let everybody = check(ExemptionForm {
            principals: Vec::new(),
            ..form()
        });
        assert_eq!(everybody.unwrap().principals, ["arn:aws:*::222222222222:*"]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        type Change = fn(&mut ExemptionForm);
        let cases: [(&str, &str, Change); 8] = [
            ("/policy", "exempted from there are connect, wide", |f| {
                f.policy = "leave".to_owned();
            }),
            ("/policy", "there is no policy `conect`", |f| {
                f.policy = "conect".to_owned();
            }),
            ("/account_id", "only one of", |f| {
                f.organizational_unit = Some("Applications".to_owned());
            }),
            ("/organizational_unit", "no organizational unit", |f| {
                f.account_id = None;
                f.organizational_unit = Some("Nowhere".to_owned());
            }),
            ("/principals/0", "write role/NAME", |f| {
                f.principals = vec!["TeamX".to_owned()];
            }),
            ("/reason", "must be given", |f| f.reason = " ".to_owned()),
            ("/expires_at", "every exemption ends", |f| {
                f.expires_at = None
            }),
            ("/expires_at", "within 90 days", |f| {
                f.expires_at = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 91));
            }),
        ];
        for (pointer, rule, change) in cases {
            let mut form = form();
            change(&mut form);
            let errors = check(form).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].pointer, pointer);
            assert!(errors[0].rule.contains(rule), "{errors:?}");
        }
    }
}
