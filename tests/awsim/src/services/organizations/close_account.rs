//! `CloseAccount`: asked for at once, pending for some minutes, then closed for 90 days, then gone.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::accounts::Standing;
use super::{Event, State, constraint};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::services::cloudtrail;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// Quota: closures in flight.
const MOST_IN_FLIGHT: usize = 3;
const CLOSING: SignedDuration = SignedDuration::from_mins(2);
/// For how long a closed account is listed, counts as one, and can be opened again.
const POST_CLOSURE: SignedDuration = SignedDuration::from_hours(90 * 24);
const QUOTA_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// `CloseAccount`.
pub(super) fn close(world: &mut World, call: &Call<'_>) -> Answer {
    let at = call.now + world.wait(CLOSING);
    let state = &mut world.organizations;
    let id = state.member(call.required("AccountId"))?;
    if id == MANAGEMENT_ACCOUNT {
        return Err(constraint(
            "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
            "You can't close the management account.",
        ));
    }
    match state.accounts[&id].standing {
        Standing::Closed => {
            return Err(AwsError::new(
                "AccountAlreadyClosedException",
                "You attempted to close an account that is already closed.",
            ));
        }
        Standing::PendingClosure => {
            let message = "The request failed because it conflicts with the current state of the specified resource.";
            return Err(AwsError::new("ConflictException", message));
        }
        Standing::Active | Standing::Suspended => {}
    }
    if state
        .accounts
        .values()
        .filter(|a| a.standing == Standing::PendingClosure)
        .count()
        >= MOST_IN_FLIGHT
    {
        let message = "You have exceeded the number of accounts that you can close at a time.";
        return Err(constraint("CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED", message));
    }
    state
        .closures
        .retain(|closed| *closed > call.now - QUOTA_WINDOW);
    if state.closures.len() >= quota(state.accounts.len()) {
        let message = "You have exceeded close account quota for the past 30 days.";
        return Err(constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED", message));
    }
    state.closures.push(call.now);
    state.stand(id, Standing::PendingClosure);
    state.schedule(at, Event::Close(id));
    Ok(json!({}))
}

/// The closure is done; in 90 days the account is gone.
pub(super) fn finish(world: &mut World, id: AccountId, at: Timestamp) {
    let gone = at + world.wait(POST_CLOSURE);
    world.organizations.stand(id, Standing::Closed);
    world.organizations.schedule(gone, Event::Expunge(id));
    let event = ("organizations", "CloseAccountResult");
    let details =
        json!({"closeAccountStatus": {"accountId": id.to_string(), "state": "SUCCEEDED"}});
    cloudtrail::tell_service_event(world, event, MANAGEMENT_ACCOUNT, &details, at);
}

/// Members that may be closed in 30 days: the higher of 250 and a fifth of them, and never more than 1,000.
fn quota(members: usize) -> usize {
    (members / 5).clamp(250, 1_000)
}

impl State {
    pub(super) fn stand(&mut self, id: AccountId, standing: Standing) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.standing = standing;
        }
    }

    /// Forgets an account for good. Its e-mail stays taken.
    pub(super) fn expunge(&mut self, id: AccountId) {
        let Some(account) = self.accounts.remove(&id) else {
            return;
        };
        let email = account.email.to_ascii_lowercase();
        self.emails.remove(&email);
        self.emails_elsewhere.insert(email);
        if let Some(node) = self.nodes.get_mut(&account.parent) {
            node.accounts.remove(&id);
        }
        let target = id.to_string();
        self.attached.remove(&target);
        self.tags.remove(&target);
        self.delegated.retain(|(_, account), _| *account != id);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::Org;
    use super::quota;

    #[test]
    fn quota_over_thirty_days() {
        for (members, expect) in [(1, 250), (1_250, 250), (2_000, 400), (9_000, 1_000)] {
            assert_eq!(quota(members), expect, "{members} members");
        }
    }

    #[test]
    fn closing_takes_minutes_and_the_account_stays_ninety_days() {
        let mut org = Org::new();
        let account = org.account("a@example.com");
        let id = account.parse().unwrap();
        let input = json!({ "AccountId": account });
        let stands = |org: &mut Org| {
            let told = org.call("DescribeAccount", input.clone())["Account"].clone();
            [&told["State"], &told["Status"]].map(|text| text.as_str().unwrap().to_owned())
        };
        org.call("CloseAccount", input.clone());
        assert_eq!(stands(&mut org), ["PENDING_CLOSURE", "PENDING_CLOSURE"]);
        assert_eq!(
            org.refusal("CloseAccount", input.clone()),
            "ConflictException"
        );
        org.sleep(120);
        assert_eq!(stands(&mut org), ["CLOSED", "SUSPENDED"]);
        assert!(
            !org.world.organizations.is_active(id),
            "a closed account answers nothing"
        );
        assert_eq!(
            org.refusal("CloseAccount", input.clone()),
            "AccountAlreadyClosedException"
        );

        let same = json!({ "Email": "a@example.com", "AccountName": "Again" });
        for days in [0, 90] {
            org.sleep(days * 24 * 3_600);
            let begun = org.call("CreateAccount", same.clone());
            org.sleep(60);
            assert_eq!(
                org.status(&begun)["FailureReason"],
                "EMAIL_ALREADY_EXISTS",
                "the e-mail stays taken"
            );
        }
        assert_eq!(
            org.refusal("DescribeAccount", input),
            "AccountNotFoundException"
        );
        assert_eq!(org.list("ListAccounts", json!({}), "Accounts").len(), 1);
    }

    #[test]
    fn three_are_in_flight_at_most_and_never_the_management_account() {
        let mut org = Org::new();
        let accounts = [0, 1, 2, 3].map(|n| org.account(&format!("a{n}@example.com")));
        let close = |id: &str| json!({ "AccountId": id });
        for account in &accounts[..3] {
            org.call("CloseAccount", close(account));
        }
        let limit = "ConstraintViolationException CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED";
        assert_eq!(org.refusal("CloseAccount", close(&accounts[3])), limit);
        let management = "ConstraintViolationException CANNOT_CLOSE_MANAGEMENT_ACCOUNT";
        assert_eq!(
            org.refusal("CloseAccount", close("111111111111")),
            management
        );
        org.sleep(120);
        org.call("CloseAccount", close(&accounts[3]));
    }

    #[test]
    fn two_hundred_and_fifty_in_thirty_days() {
        let mut org = Org::new();
        let spent = std::iter::repeat_n(org.now, 250).collect();
        let account = org.account("a@example.com");
        org.world.organizations.closures = spent;
        let close = json!({ "AccountId": account });
        let refusal = org.refusal("CloseAccount", close.clone());
        assert_eq!(
            refusal,
            "ConstraintViolationException CLOSE_ACCOUNT_QUOTA_EXCEEDED"
        );
        org.sleep(30 * 24 * 3_600);
        org.call("CloseAccount", close);
    }
}
