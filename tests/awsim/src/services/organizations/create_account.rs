//! `CreateAccount`: asked for at once, there some minutes later.
//!
//! There is no idempotency token. What keeps two calls from making two accounts is the e-mail alone, and that is
//! looked at when the account is made, not when the call is answered.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::accounts::{Account, Joined, Standing};
use super::email::{has_email_form, is_email};
use super::tags::{self, Tags};
use super::{Event, State, constraint, invalid, page};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::services::cloudtrail;
use crate::stacks;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// Quota: creations in flight.
const MOST_IN_FLIGHT: usize = 5;
/// How far lists lag behind: Organizations is eventually consistent.
const LISTED_AFTER: SignedDuration = SignedDuration::from_secs(2);
const DEFAULT_ROLE: &str = "OrganizationAccountAccessRole";

/// A request for an account, kept after it is done.
pub(super) struct Creation {
    name: String,
    email: String,
    role: String,
    tags: Tags,
    requested: Timestamp,
    outcome: Option<(Timestamp, Result<AccountId, String>)>,
}

/// `CreateAccount`.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let email = call.required("Email");
    if !has_email_form(email) {
        return Err(invalid(
            "INVALID_PATTERN",
            "You provided a value that does not match the required pattern: Email.",
        ));
    }
    let role = call.text("RoleName").unwrap_or(DEFAULT_ROLE);
    if role.starts_with("AWSServiceRoleFor") {
        return Err(invalid(
            "INVALID_ROLE_NAME",
            "A role name can't begin with the reserved prefix AWSServiceRoleFor.",
        ));
    }
    let tags = tags::read(call)?;
    let state = &world.organizations;
    if state.accounts.len() >= state.account_quota {
        let message = "You have exceeded the allowed number of AWS accounts.";
        return Err(constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", message));
    }
    if state
        .creations
        .values()
        .rev()
        .filter(|c| c.outcome.is_none())
        .count()
        >= MOST_IN_FLIGHT
    {
        let message = "You have too many account creations in progress. Try again later.";
        return Err(
            AwsError::new("TooManyRequestsException", message).with("Type", "ACCOUNT_CREATION")
        );
    }
    let creation = Creation {
        name: call.required("AccountName").to_owned(),
        email: email.to_owned(),
        role: role.to_owned(),
        tags,
        requested: call.now,
        outcome: None,
    };
    let id = format!("car-{}", world.random_id(32));
    let at = call.now + world.wait(world.settings.create_account);
    let state = &mut world.organizations;
    let view = creation.view(&id);
    state.creations.insert(id.clone(), creation);
    state.schedule(at, Event::Create(id));
    Ok(json!({ "CreateAccountStatus": view }))
}

/// Makes the account, or says why not. The account lands in the root; its role can be assumed 10 to 30 seconds later.
pub(super) fn finish(world: &mut World, id: &str, at: Timestamp) {
    let account = fresh_account_id(world);
    let delay = 10 + world.random_below(21);
    let delay = world.wait(SignedDuration::from_secs(delay.cast_signed()));
    let listed_after = world.wait(LISTED_AFTER);
    let state = &mut world.organizations;
    let Some(creation) = state.creations.get(id) else {
        return;
    };
    let failure = state
        .refusal(&creation.email)
        .or_else(|| state.failures.pop_front());
    let Some(creation) = state.creations.get_mut(id) else {
        return;
    };
    if let Some(reason) = failure {
        creation.outcome = Some((at, Err(reason)));
        tell(world, id, at);
        return;
    }
    creation.outcome = Some((at, Ok(account)));
    let role = creation.role.clone();
    let tags = creation.tags.clone();
    let made = Account {
        name: creation.name.clone(),
        email: creation.email.clone(),
        parent: state.root.clone(),
        joined: at,
        listed_from: at + listed_after,
        method: Joined::Created,
        standing: Standing::Active,
    };
    state.add_account(account, made);
    state.set_tags(&account.to_string(), tags);
    world
        .iam
        .create_organization_role(account, &role, at, delay);
    world
        .iam
        .ensure_service_linked_role(account, "organizations.amazonaws.com", at);
    stacks::joined(world, account, at);
    tell(world, id, at);
}

/// `CreateAccountResult`, the event of a creation that has ended ("Monitoring and logging", Organizations User Guide).
fn tell(world: &mut World, id: &str, at: Timestamp) {
    let Some(creation) = world.organizations.creations.get(id) else {
        return;
    };
    let mut status = json!({"id": id, "accountName": creation.name});
    match &creation.outcome {
        Some((_, Ok(account))) => {
            status["state"] = "SUCCEEDED".into();
            status["accountId"] = account.to_string().into();
        }
        Some((_, Err(reason))) => {
            status["state"] = "FAILED".into();
            status["failureReason"] = reason.as_str().into();
        }
        None => return,
    }
    let event = ("organizations", "CreateAccountResult");
    let details = json!({"createAccountStatus": status});
    cloudtrail::tell_service_event(world, event, MANAGEMENT_ACCOUNT, &details, at);
}

fn fresh_account_id(world: &mut World) -> AccountId {
    loop {
        let id = AccountId(100_000_000_000 + world.random_below(900_000_000_000));
        if !world.organizations.accounts.contains_key(&id) {
            return id;
        }
    }
}

impl Creation {
    fn view(&self, id: &str) -> Value {
        let mut view = json!({
            "Id": id,
            "AccountName": self.name,
            "State": self.state(),
            "RequestedTimestamp": self.requested.to_string(),
        });
        if let Some((at, outcome)) = &self.outcome {
            view["CompletedTimestamp"] = json!(at.to_string());
            match outcome {
                Ok(account) => view["AccountId"] = json!(account.to_string()),
                Err(reason) => view["FailureReason"] = json!(reason),
            }
        }
        view
    }

    fn state(&self) -> &'static str {
        match &self.outcome {
            None => "IN_PROGRESS",
            Some((_, Ok(_))) => "SUCCEEDED",
            Some((_, Err(_))) => "FAILED",
        }
    }
}

impl State {
    /// Why an account with this e-mail cannot be made.
    fn refusal(&self, email: &str) -> Option<String> {
        let key = email.to_ascii_lowercase();
        let reason = if !is_email(email) {
            "INVALID_EMAIL"
        } else if self.emails.contains_key(&key) || self.emails_elsewhere.contains(&key) {
            "EMAIL_ALREADY_EXISTS"
        } else if self.accounts.len() >= self.account_quota {
            "ACCOUNT_LIMIT_EXCEEDED"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }

    pub(super) fn describe_creation(&self, call: &Call<'_>) -> Answer {
        let id = call.required("CreateAccountRequestId");
        let message = "We can't find a create account request with the CreateAccountRequestId that you specified.";
        let missing = || AwsError::new("CreateAccountStatusNotFoundException", message);
        let creation = self.creations.get(id).ok_or_else(missing)?;
        Ok(json!({ "CreateAccountStatus": creation.view(id) }))
    }

    pub(super) fn list_creations(&self, call: &Call<'_>) -> Answer {
        let states = call.list("States");
        let wanted = |c: &Creation| {
            states.is_empty() || states.iter().any(|s| s.as_str() == Some(c.state()))
        };
        let ids = self
            .creations
            .iter()
            .filter(|(_, c)| wanted(c))
            .map(|(id, _)| id.clone());
        page(call, "CreateAccountStatuses", ids, |id| {
            self.creations.get(id).map_or(Value::Null, |c| c.view(id))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Org;

    fn ask(email: &str) -> Value {
        json!({ "Email": email, "AccountName": "Payments" })
    }

    #[test]
    fn is_asynchronous_and_lands_in_the_root() {
        let mut org = Org::new();
        let begun = org.call("CreateAccount", ask("payments@example.com"));
        let status = &begun["CreateAccountStatus"];
        assert!(status["Id"].as_str().unwrap().starts_with("car-"));
        assert_eq!(
            (&status["State"], &status["AccountName"]),
            (&json!("IN_PROGRESS"), &json!("Payments"))
        );
        assert!(status.get("AccountId").is_none() && status.get("Email").is_none());
        org.sleep(59);
        assert_eq!(org.status(&begun)["State"], "IN_PROGRESS");
        assert_eq!(org.list("ListAccounts", json!({}), "Accounts").len(), 1);
        org.sleep(1);
        let done = org.status(&begun);
        assert_eq!(done["State"], "SUCCEEDED");
        let account =
            org.call("DescribeAccount", json!({ "AccountId": done["AccountId"] }))["Account"]
                .clone();
        assert_eq!(
            (&account["Email"], &account["Name"]),
            (&json!("payments@example.com"), &json!("Payments"))
        );
        assert_eq!(
            (&account["State"], &account["Status"]),
            (&json!("ACTIVE"), &json!("ACTIVE"))
        );
        assert_eq!(
            (&account["JoinedMethod"], &account["JoinedTimestamp"]),
            (&json!("CREATED"), &done["CompletedTimestamp"])
        );
        let parents = org.list(
            "ListParents",
            json!({ "ChildId": done["AccountId"] }),
            "Parents",
        );
        assert_eq!(parents, [json!({ "Id": org.root(), "Type": "ROOT" })]);
    }

    #[test]
    fn is_there_without_anyone_asking() {
        let mut org = Org::new();
        org.call("CreateAccount", ask("payments@example.com"));
        org.sleep(3_600);
        let now = org.now;
        org.world.settle(now);
        assert_eq!(org.world.organizations.accounts().len(), 2);
    }

    #[test]
    fn lists_lag_behind() {
        let mut org = Org::new();
        let listed = |org: &mut Org| org.list("ListAccounts", json!({}), "Accounts").len();
        let begun = org.call("CreateAccount", ask("payments@example.com"));
        org.sleep(60);
        let id = org.status(&begun)["AccountId"].clone();
        assert_eq!(listed(&mut org), 1);
        org.call("DescribeAccount", json!({ "AccountId": id }));
        org.sleep(2);
        assert_eq!(listed(&mut org), 2);
    }

    #[test]
    fn the_role_is_there_at_once_and_assumable_later() {
        let mut org = Org::new();
        for (name, input) in [
            ("OrganizationAccountAccessRole", ask("a@example.com")),
            (
                "Admin",
                json!({ "Email": "b@example.com", "AccountName": "B", "RoleName": "Admin" }),
            ),
        ] {
            let begun = org.call("CreateAccount", input);
            org.sleep(60);
            let id = org.status(&begun)["AccountId"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            let made = org.world.organizations.created_at(id).unwrap();
            let role = org.world.iam.role(id, name).unwrap();
            let delay = role.assumable_from.duration_since(made).as_secs();
            assert!((10..=30).contains(&delay), "{name}: {delay} s");
            assert!(org.world.iam.has_role(id, "AWSServiceRoleForOrganizations"));
        }
    }

    #[test]
    fn has_no_idempotency_token_but_the_email() {
        let mut org = Org::new();
        let first = org.call("CreateAccount", ask("payments@example.com"));
        let again = org.call("CreateAccount", ask("Payments@Example.com"));
        org.sleep(60);
        assert_eq!(org.status(&first)["State"], "SUCCEEDED");
        let again = org.status(&again);
        assert_eq!(
            (&again["State"], &again["FailureReason"]),
            (&json!("FAILED"), &json!("EMAIL_ALREADY_EXISTS"))
        );
        assert!(again.get("AccountId").is_none());
        org.account("other@example.com");
        assert_eq!(
            org.list("ListAccounts", json!({}), "Accounts").len(),
            3,
            "a name may repeat"
        );
    }

    #[test]
    fn fails_later_for_reasons_of_its_own() {
        let mut org = Org::new();
        org.tamper(&json!({ "action": "take_email", "email": "Taken@example.com" }))
            .unwrap();
        for (email, reason) in [
            ("taken@example.com", "EMAIL_ALREADY_EXISTS"),
            ("aws-management@example.com", "EMAIL_ALREADY_EXISTS"),
            (".dot@example.com", "INVALID_EMAIL"),
        ] {
            let begun = org.call("CreateAccount", ask(email));
            org.sleep(60);
            assert_eq!(org.status(&begun)["FailureReason"], reason, "{email}");
        }
        org.tamper(&json!({ "action": "fail_creation", "reason": "INTERNAL_FAILURE" }))
            .unwrap();
        let begun = org.call("CreateAccount", ask("payments@example.com"));
        org.sleep(60);
        assert_eq!(org.status(&begun)["FailureReason"], "INTERNAL_FAILURE");
        org.account("payments@example.com");
    }

    #[test]
    fn refuses_at_once_what_can_be_seen_at_once() {
        let mut org = Org::new();
        let with = |member: &str, value: Value| {
            let mut input = ask("payments@example.com");
            input[member] = value;
            input
        };
        let tag = |n: usize| json!({ "Key": format!("key{n}"), "Value": "" });
        let tags = |n: usize| (0..n).map(tag).collect::<Value>();
        for (input, refusal) in [
            (
                ask("not an address"),
                "InvalidInputException INVALID_PATTERN",
            ),
            (
                with("RoleName", json!("AWSServiceRoleForMe")),
                "InvalidInputException INVALID_ROLE_NAME",
            ),
            (
                with("Tags", tags(51)),
                "ConstraintViolationException MAX_TAG_LIMIT_EXCEEDED",
            ),
            (
                with("Tags", json!([tag(1), tag(1)])),
                "InvalidInputException DUPLICATE_TAG_KEY",
            ),
            (
                with("Tags", json!([{ "Key": "aws:x", "Value": "" }])),
                "InvalidInputException INVALID_SYSTEM_TAGS_PARAMETER",
            ),
        ] {
            assert_eq!(org.refusal("CreateAccount", input), refusal);
        }
        let begun = org.call("CreateAccount", with("Tags", tags(50)));
        org.sleep(60);
        let id = org.status(&begun)["AccountId"].clone();
        assert_eq!(
            org.list("ListTagsForResource", json!({ "ResourceId": id }), "Tags")
                .len(),
            50
        );
    }

    #[test]
    fn five_are_in_flight_at_most() {
        let mut org = Org::new();
        for n in 0..5 {
            org.call("CreateAccount", ask(&format!("a{n}@example.com")));
        }
        assert_eq!(
            org.refusal("CreateAccount", ask("a5@example.com")),
            "TooManyRequestsException"
        );
        org.sleep(60);
        org.call("CreateAccount", ask("a5@example.com"));
        let listed = |org: &mut Org, states: Value| {
            org.list("ListCreateAccountStatus", states, "CreateAccountStatuses")
                .len()
        };
        assert_eq!(listed(&mut org, json!({ "States": ["SUCCEEDED"] })), 5);
        assert_eq!(listed(&mut org, json!({ "States": ["IN_PROGRESS"] })), 1);
        assert_eq!(listed(&mut org, json!({})), 6);
    }

    #[test]
    fn the_quota_counts_members_of_every_state() {
        let mut org = Org::new();
        let closed = org.account("closed@example.com");
        org.tamper(&json!({ "action": "close_account", "account": closed }))
            .unwrap();
        org.tamper(&json!({ "action": "set_account_quota", "quota": 3 }))
            .unwrap();
        let third = org.call("CreateAccount", ask("third@example.com"));
        let fourth = org.call("CreateAccount", ask("fourth@example.com"));
        org.sleep(60);
        assert_eq!(org.status(&third)["State"], "SUCCEEDED");
        assert_eq!(
            org.status(&fourth)["FailureReason"],
            "ACCOUNT_LIMIT_EXCEEDED",
            "the quota was met while creating"
        );
        let refusal = org.refusal("CreateAccount", ask("fifth@example.com"));
        assert_eq!(
            refusal,
            "ConstraintViolationException ACCOUNT_NUMBER_LIMIT_EXCEEDED"
        );
    }

    #[test]
    fn unknown_requests_are_refused() {
        let unknown = json!({ "CreateAccountRequestId": "car-00000000000000000000000000000000" });
        assert_eq!(
            Org::new().refusal("DescribeCreateAccountStatus", unknown),
            "CreateAccountStatusNotFoundException"
        );
    }
}
