//! The passwords of IAM users are as strong as the baseline says.
//!
//! `UpdateAccountPasswordPolicy` writes the whole policy: what a call leaves out goes back to AWS's default. So the
//! policy is one value here, compared and written as a whole.

use std::fmt;

use aws_sdk_iam::types::PasswordPolicy;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent};
use crate::session::Session;

pub(crate) struct IamPasswordPolicy;

/// What a baseline says of passwords; what it leaves out is as AWS has it where nobody decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Unchecked")]
pub(crate) struct Parameters {
    /// Characters, 6 to 128.
    minimum_length: i32,
    require_symbols: bool,
    require_numbers: bool,
    require_uppercase: bool,
    require_lowercase: bool,
    users_may_change: bool,
    /// Days after which a password has to be changed, 1 to 1,095; never where it is not given.
    maximum_age: Option<i32>,
    /// Former passwords that may not come back, 1 to 24.
    reuse_prevention: Option<i32>,
    /// Whether a password that is too old only an administrator can change.
    hard_expiry: bool,
}

/// The parameters as they are written, before it is known whether IAM takes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    minimum_length: i32,
    #[serde(default)]
    require_symbols: bool,
    #[serde(default)]
    require_numbers: bool,
    #[serde(default)]
    require_uppercase: bool,
    #[serde(default)]
    require_lowercase: bool,
    #[serde(default)]
    users_may_change: bool,
    maximum_age: Option<i32>,
    reuse_prevention: Option<i32>,
    #[serde(default)]
    hard_expiry: bool,
}

impl TryFrom<Unchecked> for Parameters {
    type Error = String;

    /// The bounds are those of `UpdateAccountPasswordPolicy` (IAM API reference).
    fn try_from(raw: Unchecked) -> Result<Self, String> {
        let within = |name: &str, value: Option<i32>, least: i32, most: i32| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(format!("`{name}` is {value}; IAM takes {least} to {most}"))
            }
            _ => Ok(()),
        };
        within("minimum_length", Some(raw.minimum_length), 6, 128)?;
        within("maximum_age", raw.maximum_age, 1, 1_095)?;
        within("reuse_prevention", raw.reuse_prevention, 1, 24)?;
        if raw.hard_expiry && raw.maximum_age.is_none() {
            return Err("`hard_expiry` means nothing without `maximum_age`".to_owned());
        }
        Ok(Parameters {
            minimum_length: raw.minimum_length,
            require_symbols: raw.require_symbols,
            require_numbers: raw.require_numbers,
            require_uppercase: raw.require_uppercase,
            require_lowercase: raw.require_lowercase,
            users_may_change: raw.users_may_change,
            maximum_age: raw.maximum_age,
            reuse_prevention: raw.reuse_prevention,
            hard_expiry: raw.hard_expiry,
        })
    }
}

impl From<PasswordPolicy> for Parameters {
    fn from(policy: PasswordPolicy) -> Self {
        Parameters {
            minimum_length: policy.minimum_password_length.unwrap_or(6),
            require_symbols: policy.require_symbols,
            require_numbers: policy.require_numbers,
            require_uppercase: policy.require_uppercase_characters,
            require_lowercase: policy.require_lowercase_characters,
            users_may_change: policy.allow_users_to_change_password,
            // An age that is not set may come as 0.
            maximum_age: policy.max_password_age.filter(|days| *days > 0),
            reuse_prevention: policy.password_reuse_prevention.filter(|count| *count > 0),
            hard_expiry: policy.hard_expiry.unwrap_or_default(),
        }
    }
}

/// The policy as it is; `None` where the account has none of its own.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    policy: Option<Parameters>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Set { policy: Parameters },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Set { policy } = self;
        write!(
            f,
            "require passwords of at least {} characters",
            policy.minimum_length
        )?;
        for (required, what) in [
            (policy.require_lowercase, "lower-case letters"),
            (policy.require_uppercase, "upper-case letters"),
            (policy.require_numbers, "numbers"),
            (policy.require_symbols, "symbols"),
        ] {
            if required {
                write!(f, ", with {what}")?;
            }
        }
        if let Some(days) = policy.maximum_age {
            write!(f, ", for {days} days at most")?;
        }
        if let Some(count) = policy.reuse_prevention {
            write!(f, ", none of the last {count}")?;
        }
        Ok(())
    }
}

const GET: &str = "iam:GetAccountPasswordPolicy";
const UPDATE: &str = "iam:UpdateAccountPasswordPolicy";

impl Control for IamPasswordPolicy {
    const ID: &'static str = "iam.password-policy";
    const TITLE: &'static str = "Passwords of IAM users are strong";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[GET, UPDATE];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(parameters.clone())
    }

    async fn observe(aws: &Session, _desired: &Parameters) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let iam = aws.iam();
        let answer = aws
            .call(GET, || iam.get_account_password_policy().send())
            .await;
        let policy = absent(answer, &["NoSuchEntity"])?.and_then(|answer| answer.password_policy);
        Ok(Observed {
            policy: policy.map(Parameters::from),
        })
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        if observed.policy.as_ref() == Some(desired) {
            return Vec::new();
        }
        vec![Change::Set {
            policy: desired.clone(),
        }]
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Set { policy } = change;
        let aws = aws.target().await?;
        let iam = aws.iam();
        aws.call(UPDATE, || {
            iam.update_account_password_policy()
                .minimum_password_length(policy.minimum_length)
                .require_symbols(policy.require_symbols)
                .require_numbers(policy.require_numbers)
                .require_uppercase_characters(policy.require_uppercase)
                .require_lowercase_characters(policy.require_lowercase)
                .allow_users_to_change_password(policy.users_may_change)
                .set_max_password_age(policy.maximum_age)
                .set_password_reuse_prevention(policy.reuse_prevention)
                .set_hard_expiry(policy.maximum_age.map(|_| policy.hard_expiry))
                .send()
        })
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(value: Value) -> Result<Parameters, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_policy_that_iam_would_refuse_is_an_error_at_start() {
        for (value, error) in [
            (json!({ "minimum_length": 14 }), None),
            (json!({ "minimum_length": 5 }), Some("6 to 128")),
            (
                json!({ "minimum_length": 14, "maximum_age": 0 }),
                Some("1 to 1095"),
            ),
            (
                json!({ "minimum_length": 14, "reuse_prevention": 25 }),
                Some("1 to 24"),
            ),
            (
                json!({ "minimum_length": 14, "hard_expiry": true }),
                Some("maximum_age"),
            ),
            (json!({ "minimum_lenght": 14 }), Some("unknown field")),
        ] {
            match (parse(value.clone()), error) {
                (Ok(_), None) => {}
                (Err(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
                (result, _) => panic!("{value}: {result:?}"),
            }
        }
    }

    #[test]
    fn any_other_policy_is_replaced_as_a_whole() {
        let desired = parse(json!({
            "minimum_length": 14, "require_numbers": true, "maximum_age": 90, "reuse_prevention": 24,
        }))
        .unwrap();
        let weaker = Parameters {
            require_numbers: false,
            ..desired
        };
        let stronger = Parameters {
            minimum_length: 20,
            ..desired
        };
        let sentence = "require passwords of at least 14 characters, with numbers, for 90 days at most, none of the last 24";
        for (observed, sentences) in [
            (None, vec![sentence]),
            (Some(weaker), vec![sentence]),
            (Some(stronger), vec![sentence]),
            (Some(desired.clone()), vec![]),
        ] {
            let plan = IamPasswordPolicy::plan(&desired, &Observed { policy: observed });
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
