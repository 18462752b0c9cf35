//! Names of things: each a type of its own, so that an account id cannot stand where a Region is meant. Cheap to clone:
//! every try at every cell carries several.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that does not have the form its kind demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct BadName {
    pub value: String,
    pub expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok($name(text.into()))
                } else {
                    Err(BadName { value: text.to_owned(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The twelve digits of an AWS account.
    AccountId, "an AWS account id: twelve digits, quoted",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
);

name!(
    /// A Region of AWS, `eu-central-1`.
    Region, "an AWS Region such as eu-central-1",
    |text| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() >= 3
            && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            && parts.last().is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
    }
);

name!(
    /// What a control is called in baselines, in the database and to people: `service.noun`. Never renamed.
    ControlId, "a control id of the form service.noun",
    |text| {
        text.split_once('.').is_some_and(|(service, noun)| {
            let part = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            part(service) && part(noun)
        })
    }
);

name!(
    /// Where an organizational unit stands below the root, by name: `Applications/Production`.
    OuPath, "an organizational unit's path such as Applications/Production",
    |text| text.split('/').all(|name| !name.is_empty() && name.len() <= 128 && name.trim() == name)
        && text.split('/').count() <= 5
);

name!(
    /// A root e-mail as Organizations takes it: 6 to 64 characters of 7-bit ASCII, exactly one `@`, a local part without
    /// white space, brackets, quotes and separators that does not begin with a dot (`CreateAccount`, parameter `Email`).
    Email, "an e-mail address that AWS accepts: 6 to 64 ASCII characters, one `@`, none of \"'()<>[]:;,\\|%& before it",
    |text| {
        (6..=64).contains(&text.len()) && text.is_ascii() && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !local.starts_with('.')
                && !local.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control() || br#""'()<>[]:;,\|%&"#.contains(&b))
                && domain.contains('.')
                && domain.split('.').all(|label| {
                    !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
                        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                })
        })
    }
);

impl OuPath {
    /// The root itself, by the name that Organizations gives it. Of all accounts, only the management account stands there;
    /// no OU of a landing zone has this name.
    pub fn root() -> Self {
        OuPath("Root".into())
    }

    pub fn is_root(&self) -> bool {
        *self == OuPath::root()
    }

    /// The OU above, `None` right below the root.
    pub fn parent(&self) -> Option<OuPath> {
        self.0
            .rsplit_once('/')
            .map(|(above, _)| OuPath(above.into()))
    }

    /// The last name of the path.
    pub fn name(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(self.as_str(), |(_, name)| name)
    }

    /// The OUs above, outermost first, and this one last.
    pub fn with_ancestors(&self) -> Vec<OuPath> {
        let mut all: Vec<OuPath> =
            std::iter::successors(Some(self.clone()), OuPath::parent).collect();
        all.reverse();
        all
    }
}

/// What a worker takes a lease on: one account, or the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TargetId {
    Organization,
    /// By the id of its request, which exists before AWS has given the account a number.
    Account(uuid::Uuid),
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetId::Organization => f.write_str("organization"),
            TargetId::Account(id) => id.fmt(f),
        }
    }
}

impl FromStr for TargetId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        match text {
            "organization" => Ok(TargetId::Organization),
            _ => text.parse().map(TargetId::Account).map_err(|_| BadName {
                value: text.to_owned(),
                expected: "`organization` or the id of a request",
            }),
        }
    }
}

impl TryFrom<String> for TargetId {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<TargetId> for String {
    fn from(id: TargetId) -> String {
        id.to_string()
    }
}

/// The first sixteen hexadecimal digits of a BLAKE3 hash over what something says: two with the same revision say the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Revision(Arc<str>);

impl From<String> for Revision {
    fn from(text: String) -> Self {
        Revision(text.into())
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> String {
        revision.0.as_ref().to_owned()
    }
}

impl Revision {
    pub fn of(content: &[u8]) -> Self {
        Revision(blake3::hash(content).to_hex()[..16].into())
    }

    /// A revision as it was stored.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Revision(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_what_aws_takes_and_nothing_else() {
        let check = |ok: bool, valid: bool, text: &str| assert_eq!(ok, valid, "{text:?}");
        for (text, valid) in [
            ("123456789012", true),
            ("12345678901", false),
            ("12345678901a", false),
            ("", false),
        ] {
            check(text.parse::<AccountId>().is_ok(), valid, text);
        }
        for (text, valid) in [
            ("eu-central-1", true),
            ("us-gov-west-1", true),
            ("europe", false),
            ("eu-central", false),
            ("EU-central-1", false),
        ] {
            check(text.parse::<Region>().is_ok(), valid, text);
        }
        for (text, valid) in [
            ("a@b.io", true),
            ("aws+team.one@example.com", true),
            ("@b.io.com", false),
            (".a@example.com", false),
            ("a b@example.com", false),
            ("a@b@example.com", false),
            ("a,b@example.com", false),
            ("ä@example.com", false),
            ("a@example", false),
            ("a@-x.com", false),
            ("x@y.z", false),
        ] {
            check(text.parse::<Email>().is_ok(), valid, text);
        }
        assert!(
            format!("{}@example.com", "a".repeat(52))
                .parse::<Email>()
                .is_ok()
        );
        assert!(
            format!("{}@example.com", "a".repeat(53))
                .parse::<Email>()
                .is_err()
        );
        for (text, valid) in [
            ("guardduty.detector", true),
            ("guardduty", false),
            ("GuardDuty.x", false),
            ("a.b-c", true),
        ] {
            check(text.parse::<ControlId>().is_ok(), valid, text);
        }
    }

    #[test]
    fn an_ou_knows_what_is_above_it() {
        let path: OuPath = "Applications/Production".parse().unwrap();
        assert_eq!(path.name(), "Production");
        assert_eq!(path.parent(), Some("Applications".parse().unwrap()));
        assert_eq!(path.with_ancestors().len(), 2);
        assert!("a//b".parse::<OuPath>().is_err());
    }
}
