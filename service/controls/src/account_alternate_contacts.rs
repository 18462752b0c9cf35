//! AWS knows whom to write to about the account's security, operations and bills.
//!
//! The calls are made in the account itself. From the management account they would need trusted access and draw from
//! one bucket for all accounts (Account Management, "Quotas": 5 a second); in the account they need neither.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_account::types::AlternateContactType;
use landfall_model::control::Scope;
use landfall_model::ids::Email;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent};
use crate::session::Session;

pub(crate) struct AccountAlternateContacts;

/// What a baseline says: the contacts that are given are the baseline's, others are the account's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    contacts: BTreeMap<Kind, Contact>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Billing,
    Operations,
    Security,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Billing => "billing",
            Kind::Operations => "operations",
            Kind::Security => "security",
        }
    }

    fn to_aws(self) -> AlternateContactType {
        match self {
            Kind::Billing => AlternateContactType::Billing,
            Kind::Operations => AlternateContactType::Operations,
            Kind::Security => AlternateContactType::Security,
        }
    }
}

/// A contact as a baseline gives it. AWS wants all four.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Unchecked")]
struct Contact {
    name: String,
    title: String,
    /// The root e-mail of the security account where the baseline gives none.
    email: Option<String>,
    phone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    title: String,
    email: Option<Email>,
    phone: String,
}

impl TryFrom<Unchecked> for Contact {
    type Error = String;

    /// The rules are those of `PutAlternateContact` (Account Management API reference).
    fn try_from(raw: Unchecked) -> Result<Self, String> {
        for (member, text, most) in [("name", &raw.name, 64), ("title", &raw.title, 50)] {
            if text.is_empty() || text.chars().count() > most {
                return Err(format!("`{member}` is to have 1 to {most} characters"));
            }
        }
        let fits = |c: char| c.is_ascii_digit() || c.is_whitespace() || "()+-".contains(c);
        if raw.phone.is_empty() || raw.phone.len() > 25 || !raw.phone.chars().all(fits) {
            return Err(format!(
                "`phone` is {:?}; AWS takes 1 to 25 digits, spaces and `()+-`",
                raw.phone
            ));
        }
        Ok(Contact {
            name: raw.name,
            title: raw.title,
            email: raw.email.map(|email| email.to_string()),
            phone: raw.phone,
        })
    }
}

/// A contact as AWS has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Address {
    name: String,
    title: String,
    email: String,
    phone: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    contacts: BTreeMap<Kind, Address>,
}

/// The contacts of the kinds that the baseline gives; a kind without one is not in here.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    contacts: BTreeMap<Kind, Address>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Put { kind: Kind, contact: Address },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Put { kind, contact } = self;
        write!(
            f,
            "make {} <{}> the {} contact",
            contact.name,
            contact.email,
            kind.name()
        )
    }
}

const GET: &str = "account:GetAlternateContact";
const PUT: &str = "account:PutAlternateContact";

impl Control for AccountAlternateContacts {
    const ID: &'static str = "account.alternate-contacts";
    const TITLE: &'static str = "AWS knows whom to write to";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[GET, PUT];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let security = &place.landing_zone.accounts.security.email;
        let address = |contact: &Contact| Address {
            name: contact.name.clone(),
            title: contact.title.clone(),
            email: contact
                .email
                .clone()
                .unwrap_or_else(|| security.to_string()),
            phone: contact.phone.clone(),
        };
        let contacts = parameters.contacts.iter();
        Ok(Desired {
            contacts: contacts
                .map(|(kind, contact)| (*kind, address(contact)))
                .collect(),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let account = aws.account_management();
        let mut contacts = BTreeMap::new();
        for kind in desired.contacts.keys() {
            let answer = aws
                .call(GET, || {
                    account
                        .get_alternate_contact()
                        .alternate_contact_type(kind.to_aws())
                        .send()
                })
                .await;
            let found = absent(answer, &["ResourceNotFoundException"])?
                .and_then(|answer| answer.alternate_contact);
            if let Some(found) = found {
                let address = Address {
                    name: found.name.unwrap_or_default(),
                    title: found.title.unwrap_or_default(),
                    email: found.email_address.unwrap_or_default(),
                    phone: found.phone_number.unwrap_or_default(),
                };
                contacts.insert(*kind, address);
            }
        }
        Ok(Observed { contacts })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let differs =
            |(kind, contact): &(&Kind, &Address)| observed.contacts.get(kind) != Some(*contact);
        desired
            .contacts
            .iter()
            .filter(differs)
            .map(|(kind, contact)| Change::Put {
                kind: *kind,
                contact: contact.clone(),
            })
            .collect()
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Put { kind, contact } = change;
        let aws = aws.target().await?;
        let account = aws.account_management();
        aws.call(PUT, || {
            account
                .put_alternate_contact()
                .alternate_contact_type(kind.to_aws())
                .name(&contact.name)
                .title(&contact.title)
                .email_address(&contact.email)
                .phone_number(&contact.phone)
                .send()
        })
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_aws_would_refuse_is_an_error_at_start() {
        let parse = |member: &str, value: &str| {
            let mut contact = json!({ "name": "Security", "title": "On call", "email": "s@example.com", "phone": "+1 (555) 010-0" });
            contact[member] = json!(value);
            let parameters = json!({ "contacts": { "security": contact } });
            serde_json::from_value::<Parameters>(parameters).map_err(|error| error.to_string())
        };
        assert!(parse("title", "On call").is_ok());
        for (member, value) in [
            ("name", ""),
            ("title", &*"x".repeat(51)),
            ("phone", "call me"),
            ("email", "nobody"),
            ("mail", "s@example.com"),
        ] {
            let error = parse(member, value).unwrap_err();
            assert!(!error.is_empty(), "{member}");
        }
        let unknown = json!({ "contacts": { "legal": {} } });
        assert!(serde_json::from_value::<Parameters>(unknown).is_err());
    }

    #[test]
    fn only_contacts_that_differ_are_written() {
        let address = |email: &str| Address {
            name: "Team".to_owned(),
            email: email.to_owned(),
            ..Address::default()
        };
        let contacts = |all: &[(Kind, &str)]| {
            let all = all.iter();
            all.map(|(kind, email)| (*kind, address(email))).collect()
        };
        let desired = Desired {
            contacts: contacts(&[
                (Kind::Security, "s@example.com"),
                (Kind::Billing, "b@example.com"),
            ]),
        };
        let security = "make Team <s@example.com> the security contact";
        let billing = "make Team <b@example.com> the billing contact";
        for (observed, sentences) in [
            (vec![], vec![billing, security]),
            (
                vec![
                    (Kind::Security, "s@example.com"),
                    (Kind::Operations, "o@example.com"),
                ],
                vec![billing],
            ),
            (
                vec![
                    (Kind::Security, "x@example.com"),
                    (Kind::Billing, "b@example.com"),
                ],
                vec![security],
            ),
            (
                vec![
                    (Kind::Security, "s@example.com"),
                    (Kind::Billing, "b@example.com"),
                ],
                vec![],
            ),
        ] {
            let observed = Observed {
                contacts: contacts(&observed),
            };
            let plan = AccountAlternateContacts::plan(&desired, &observed);
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
