//! A request for an account: what a person asks for, and every rule that it has to keep.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Email, OuPath};
use crate::landing_zone::{LandingZone, OrganizationalUnit};

/// What `POST /api/v1/account-requests` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestForm {
    /// The account's name: 1 to 50 printable ASCII characters.
    #[serde(default)]
    pub name: String,
    /// Who answers for the account.
    #[serde(default)]
    pub owner_email: String,
    #[serde(default)]
    pub organizational_unit: String,
    #[serde(default)]
    pub cost_center: String,
    #[serde(default)]
    pub environment: String,
    #[serde(default)]
    pub justification: String,
    /// The account's root e-mail; made from the landing zone's template when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A request that keeps every rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRequest {
    pub name: String,
    pub owner_email: Email,
    pub organizational_unit: OuPath,
    pub cost_center: String,
    pub environment: String,
    pub justification: String,
    pub email: Option<Email>,
    pub tags: BTreeMap<String, String>,
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// A JSON pointer into the body, `/owner_email`.
    pub pointer: String,
    /// The rule, and what would keep it.
    pub rule: String,
}

/// Tags that Landfall itself sets; people cannot.
const OWN_TAGS: &str = "landfall:";
/// AWS allows 50 tags on an account; Landfall sets five.
const MOST_TAGS: usize = 45;

impl RequestForm {
    /// Checks every rule and names each field that breaks one.
    pub fn check(self, zone: &LandingZone) -> Result<AccountRequest, Vec<FieldError>> {
        self.check_in(zone, |unit| unit.requestable)
    }

    /// The same for an account that is there already: whoever runs the landing zone may have it in any of its OUs.
    pub fn check_existing(self, zone: &LandingZone) -> Result<AccountRequest, Vec<FieldError>> {
        self.check_in(zone, |_| true)
    }

    fn check_in(
        self,
        zone: &LandingZone,
        may_be_in: impl Fn(&OrganizationalUnit) -> bool,
    ) -> Result<AccountRequest, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, rule: String| {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                rule,
            })
        };

        let name = self.name.trim().to_owned();
        if name.is_empty() || name.len() > 50 || !name.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            wrong("/name", "must be 1 to 50 printable ASCII characters, which is what AWS takes as an account's name".to_owned());
        }
        let owner_email = self.owner_email.parse::<Email>();
        if let Err(error) = &owner_email {
            wrong("/owner_email", format!("must be {}", error.expected));
        }
        let email = self.email.map(|email| email.parse::<Email>()).transpose();
        if let Err(error) = &email {
            wrong(
                "/email",
                format!("must be {}; leave it out to have one made", error.expected),
            );
        }
        let choices = || {
            zone.requestable_units()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let unit = self
            .organizational_unit
            .parse::<OuPath>()
            .ok()
            .and_then(|path| zone.unit(&path));
        match unit {
            None => wrong(
                "/organizational_unit",
                format!(
                    "there is no organizational unit `{}`; there are {}",
                    self.organizational_unit,
                    choices()
                ),
            ),
            Some(unit) if !may_be_in(unit) => {
                wrong(
                    "/organizational_unit",
                    format!(
                        "accounts in {} cannot be asked for; choose one of {}",
                        unit.path,
                        choices()
                    ),
                );
            }
            Some(_) => {}
        }
        for (pointer, value, most) in [
            ("/cost_center", &self.cost_center, 256),
            ("/environment", &self.environment, 256),
            ("/justification", &self.justification, 2_000),
        ] {
            if value.trim().is_empty() {
                wrong(pointer, "must be given".to_owned());
            } else if value.chars().count() > most {
                wrong(pointer, format!("must be at most {most} characters"));
            }
        }
        for (pointer, value) in [
            ("/cost_center", &self.cost_center),
            ("/environment", &self.environment),
        ] {
            if !value.chars().all(is_tag_character) {
                wrong(
                    pointer,
                    "becomes a tag: only letters, digits, spaces and _.:/=+-@ are allowed"
                        .to_owned(),
                );
            }
        }
        if self.tags.len() > MOST_TAGS {
            wrong("/tags", format!("may hold at most {MOST_TAGS} tags"));
        }
        for (key, value) in &self.tags {
            let pointer = format!("/tags/{}", key.replace('~', "~0").replace('/', "~1"));
            if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
                wrong(
                    &pointer,
                    "a tag's key has 1 to 128 characters, its value at most 256".to_owned(),
                );
            } else if !key.chars().chain(value.chars()).all(is_tag_character) {
                wrong(
                    &pointer,
                    "only letters, digits, spaces and _.:/=+-@ are allowed in tags".to_owned(),
                );
            } else if key.to_ascii_lowercase().starts_with("aws:") || key.starts_with(OWN_TAGS) {
                wrong(
                    &pointer,
                    format!("tags beginning with aws: or {OWN_TAGS} cannot be chosen"),
                );
            }
        }
        match (errors.is_empty(), owner_email, email, unit) {
            (true, Ok(owner_email), Ok(email), Some(unit)) => Ok(AccountRequest {
                name,
                owner_email,
                organizational_unit: unit.path.clone(),
                cost_center: self.cost_center.trim().to_owned(),
                environment: self.environment.trim().to_owned(),
                justification: self.justification.trim().to_owned(),
                email,
                tags: self.tags,
            }),
            _ => Err(errors),
        }
    }
}

/// Characters that AWS takes in tags (Organizations API, type `Tag`).
fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

impl AccountRequest {
    /// The tags that the account is created with: the requester's, and those by which Landfall and finance find it again.
    pub fn account_tags(&self, request_id: &str) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.insert(
            crate::creation::REQUEST_TAG.to_owned(),
            request_id.to_owned(),
        );
        tags.insert("landfall:owner".to_owned(), self.owner_email.to_string());
        tags.insert("landfall:cost-center".to_owned(), self.cost_center.clone());
        tags.insert("landfall:environment".to_owned(), self.environment.clone());
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> LandingZone {
        LandingZone::parse(
            "landing-zone.toml",
            include_str!("../../../deploy/landing-zone.toml"),
        )
        .unwrap()
    }

    fn form() -> RequestForm {
        RequestForm {
            name: "Payments production".to_owned(),
            owner_email: "pay@example.com".to_owned(),
            organizational_unit: "Applications/Production".to_owned(),
            cost_center: "4711".to_owned(),
            environment: "production".to_owned(),
            justification: "Card payments".to_owned(),
            email: None,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn a_good_form_becomes_a_request() {
        let request = form().check(&zone()).unwrap();
        let tags = request.account_tags("r-1");
        assert_eq!(tags["landfall:request"], "r-1");
        assert_eq!(tags["landfall:cost-center"], "4711");
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let errors = RequestForm::default().check(&zone()).unwrap_err();
        let pointers: Vec<&str> = errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/name",
                "/owner_email",
                "/organizational_unit",
                "/cost_center",
                "/environment",
                "/justification"
            ]
        );
        assert!(
            errors[2].rule.contains("Applications/Sandbox"),
            "the choices are named: {}",
            errors[2].rule
        );
    }

    #[test]
    fn each_rule_is_kept() {
        let tag = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        for (pointer, form) in [
            (
                "/name",
                RequestForm {
                    name: "x".repeat(51),
                    ..form()
                },
            ),
            (
                "/name",
                RequestForm {
                    name: "Zürich".to_owned(),
                    ..form()
                },
            ),
            (
                "/email",
                RequestForm {
                    email: Some("not an e-mail".to_owned()),
                    ..form()
                },
            ),
            (
                "/organizational_unit",
                RequestForm {
                    organizational_unit: "Admin".to_owned(),
                    ..form()
                },
            ),
            (
                "/cost_center",
                RequestForm {
                    cost_center: "4711; drop".to_owned(),
                    ..form()
                },
            ),
            (
                "/tags/aws:x",
                RequestForm {
                    tags: tag("aws:x", "y"),
                    ..form()
                },
            ),
            (
                "/tags/landfall:request",
                RequestForm {
                    tags: tag("landfall:request", "y"),
                    ..form()
                },
            ),
            (
                "/tags/a~1b",
                RequestForm {
                    tags: tag("a/b", "<"),
                    ..form()
                },
            ),
        ] {
            let errors = form.check(&zone()).unwrap_err();
            assert_eq!(
                errors
                    .iter()
                    .map(|e| e.pointer.as_str())
                    .collect::<Vec<_>>(),
                [pointer]
            );
        }
    }
}
