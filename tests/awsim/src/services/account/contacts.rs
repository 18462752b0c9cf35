//! The contact information of an account, and its alternate contacts for billing, operations and security.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call};

#[derive(Default)]
pub(super) struct Contacts {
    alternate: BTreeMap<(AccountId, String), Value>,
    primary: BTreeMap<AccountId, Value>,
}

const ALTERNATE: [&str; 5] = [
    "AlternateContactType",
    "EmailAddress",
    "Name",
    "PhoneNumber",
    "Title",
];

fn alternate_key(call: &Call<'_>, account: AccountId) -> (AccountId, String) {
    (account, call.required("AlternateContactType").to_owned())
}

fn not_found() -> AwsError {
    let message = "No contact of the inputted alternate contact type found.";
    AwsError::new("ResourceNotFoundException", message).status(404)
}

impl Contacts {
    /// Takes an alternate contact away behind everyone's back.
    pub(super) fn remove_alternate(&mut self, account: AccountId, kind: &str) {
        self.alternate.remove(&(account, kind.to_owned()));
    }

    /// An alternate contact to be changed behind everyone's back.
    pub(super) fn alternate_mut(&mut self, account: AccountId, kind: &str) -> Option<&mut Value> {
        self.alternate.get_mut(&(account, kind.to_owned()))
    }

    pub(super) fn get_alternate(&self, call: &Call<'_>, account: AccountId) -> Answer {
        let contact = self
            .alternate
            .get(&alternate_key(call, account))
            .ok_or_else(not_found)?;
        Ok(json!({ "AlternateContact": contact }))
    }

    pub(super) fn put_alternate(&mut self, call: &Call<'_>, account: AccountId) -> Value {
        let contact = ALTERNATE.map(|member| (member.to_owned(), json!(call.required(member))));
        self.alternate
            .insert(alternate_key(call, account), contact.into_iter().collect());
        json!({})
    }

    pub(super) fn delete_alternate(&mut self, call: &Call<'_>, account: AccountId) -> Answer {
        self.alternate
            .remove(&alternate_key(call, account))
            .ok_or_else(not_found)?;
        Ok(json!({}))
    }

    /// An account that never said otherwise has the management account's address, which `CreateAccount` copies.
    pub(super) fn get(&self, account: AccountId) -> Value {
        let founded = || {
            json!({
                "FullName": "Cloud Platform",
                "AddressLine1": "1 Example Street",
                "City": "Exampleton",
                "PostalCode": "00000",
                "CountryCode": "US",
                "PhoneNumber": "+15555550100",
                "CompanyName": "Example Company",
            })
        };
        json!({ "ContactInformation": self.primary.get(&account).cloned().unwrap_or_else(founded) })
    }

    pub(super) fn put(&mut self, call: &Call<'_>, account: AccountId) -> Value {
        self.primary
            .insert(account, call.input["ContactInformation"].clone());
        json!({})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::call::Answer;
    use crate::services::scene::Scene;

    #[test]
    fn alternate_contacts_are_kept_by_account_and_type() {
        let mut scene = Scene::new();
        let [one, other] = ["one", "other"].map(|name| scene.account(name));
        let mut call = |account, operation, input: &Value| -> Answer {
            scene.call(("account", operation), account, "us-east-1", input.clone())
        };
        let security = json!({ "AlternateContactType": "SECURITY" });
        let contact = json!({
            "AlternateContactType": "SECURITY",
            "EmailAddress": "security@example.com",
            "Name": "Security team",
            "PhoneNumber": "+15555550101",
            "Title": "On call",
        });
        let missing = |answer: Answer| answer.unwrap_err().status == 404;
        assert!(missing(call(one, "GetAlternateContact", &security)));
        call(one, "PutAlternateContact", &contact).unwrap();
        assert_eq!(
            call(one, "GetAlternateContact", &security).unwrap()["AlternateContact"],
            contact
        );
        assert!(missing(call(
            one,
            "GetAlternateContact",
            &json!({ "AlternateContactType": "BILLING" })
        )));
        assert!(missing(call(other, "GetAlternateContact", &security)));
        call(one, "DeleteAlternateContact", &security).unwrap();
        assert!(missing(call(one, "DeleteAlternateContact", &security)));
    }

    #[test]
    fn contact_information_is_replaced_as_a_whole() {
        let mut scene = Scene::new();
        let account = scene.account("member");
        let mut call = |operation, input| {
            scene
                .call(("account", operation), account, "us-east-1", input)
                .unwrap()
        };
        assert!(call("GetContactInformation", json!({}))["ContactInformation"]["City"].is_string());
        let contact = json!({ "FullName": "Someone", "AddressLine1": "2 Example Street", "City": "Elsewhere",
            "PostalCode": "1", "CountryCode": "DE", "PhoneNumber": "+4930555" });
        call(
            "PutContactInformation",
            json!({ "ContactInformation": contact }),
        );
        assert_eq!(
            call("GetContactInformation", json!({}))["ContactInformation"],
            contact
        );
    }
}
