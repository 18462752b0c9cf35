//! What EventBridge delivers of a call: who, where from, what, when, and on which accounts.
//!
//! Landfall believes none of it but where to look. So this reads little, and what cannot be read is dropped with a reason.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::ids::{AccountId, Region};

/// A call that was made, or something that AWS did by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// The service, as the event's source names it without `aws.`: `guardduty`.
    pub service: String,
    /// The call, `DeleteDetector`; for an event without a call, its kind.
    pub name: String,
    /// The account that it was called in.
    pub account: AccountId,
    /// The Region that it was called in; us-east-1 for global services.
    pub region: Region,
    /// The accounts that the call names.
    pub named: Vec<AccountId>,
    /// The ARN of who called, or the closest to it that the event tells.
    pub actor: String,
    /// Where from: an address, or the AWS service that called on somebody's behalf.
    pub source_ip: Option<String>,
    /// When, in whole seconds by AWS's clock.
    pub at: Timestamp,
    /// Whether AWS refused the call, so that nothing has changed.
    pub refused: bool,
}

/// Why an event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is not an event of EventBridge: {0}")]
    NotAnEvent(String),
    #[error("its `{0}` is missing or malformed")]
    Field(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    kind: String,
    account: String,
    region: String,
    time: Timestamp,
    #[serde(default)]
    detail: Value,
}

/// Where the account ids stand that a call names (CloudTrail's records of the calls in `concern`).
const NAMED: [&str; 9] = [
    "/requestParameters/accountId",
    "/requestParameters/accountIds",
    "/requestParameters/AccountId",
    "/requestParameters/AccountIds",
    "/requestParameters/resourceId",
    "/serviceEventDetails/createAccountStatus/accountId",
    "/serviceEventDetails/closeAccountStatus/accountId",
    "/accountId",
    "/responseElements/accountId",
];

impl CloudEvent {
    /// Reads the body of a message as EventBridge puts it into a queue.
    pub fn parse(body: &str) -> Result<Self, Unreadable> {
        let envelope: Envelope = serde_json::from_str(body)
            .map_err(|error| Unreadable::NotAnEvent(error.to_string()))?;
        let detail = &envelope.detail;
        let text = |member: &str| detail[member].as_str();
        let name = match (text("eventName"), envelope.kind.ends_with("via CloudTrail")) {
            (Some(name), _) => name,
            (None, false) => &envelope.kind,
            (None, true) => return Err(Unreadable::Field("detail.eventName")),
        };
        let account = text("recipientAccountId").unwrap_or(&envelope.account);
        let region = text("awsRegion").unwrap_or(&envelope.region);
        let at = match text("eventTime") {
            Some(time) => time
                .parse()
                .map_err(|_| Unreadable::Field("detail.eventTime"))?,
            None => envelope.time,
        };
        let service = envelope
            .source
            .strip_prefix("aws.")
            .unwrap_or(&envelope.source);
        Ok(CloudEvent {
            service: service.to_owned(),
            name: name.to_owned(),
            account: account.parse().map_err(|_| Unreadable::Field("account"))?,
            region: region.parse().map_err(|_| Unreadable::Field("region"))?,
            named: named(detail),
            actor: actor(&detail["userIdentity"], service),
            source_ip: text("sourceIPAddress").map(str::to_owned),
            at,
            refused: text("errorCode").is_some(),
        })
    }

    /// Whether Landfall itself called: as one of its roles, in a session that it names. Looking again at what it has just
    /// done would never end.
    pub fn is_by(&self, roles: &[&str]) -> bool {
        let session = self
            .actor
            .split_once(":assumed-role/")
            .map(|(_, session)| session);
        let Some((role, session)) = session.and_then(|session| session.split_once('/')) else {
            return false;
        };
        roles.contains(&role) && session.starts_with("landfall-")
    }
}

fn named(detail: &Value) -> Vec<AccountId> {
    let mut named: Vec<AccountId> = NAMED
        .iter()
        .filter_map(|pointer| detail.pointer(pointer))
        .flat_map(|value| match value {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        })
        .filter_map(|value| value.as_str()?.parse().ok())
        .collect();
    named.sort();
    named.dedup();
    named
}

/// Who called (CloudTrail User Guide, "CloudTrail userIdentity element").
fn actor(identity: &Value, service: &str) -> String {
    let text = |member: &str| identity[member].as_str().map(str::to_owned);
    text("arn")
        .or_else(|| text("invokedBy"))
        .or_else(|| text("principalId"))
        .or_else(|| text("userName"))
        .unwrap_or_else(|| format!("{service}.amazonaws.com"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(detail: &Value) -> Value {
        json!({"version": "0", "id": "1", "source": "aws.guardduty", "detail-type": "AWS API Call via CloudTrail",
            "account": "111122223333", "region": "eu-west-1", "time": "2026-11-22T01:02:03Z", "resources": [], "detail": detail})
    }

    fn call() -> Value {
        json!({
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve"},
            "eventTime": "2026-11-22T01:02:01Z", "eventSource": "guardduty.amazonaws.com", "eventName": "DeleteDetector",
            "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7", "recipientAccountId": "111122223333",
            "requestParameters": {"detectorId": "d"}, "responseElements": null,
        })
    }

    #[test]
    fn a_call_is_read() {
        let read = CloudEvent::parse(&event(&call()).to_string()).unwrap();
        assert_eq!(
            read,
            CloudEvent {
                service: "guardduty".to_owned(),
                name: "DeleteDetector".to_owned(),
                account: "111122223333".parse().unwrap(),
                region: "eu-west-1".parse().unwrap(),
                named: Vec::new(),
                actor: "arn:aws:iam::111122223333:user/eve".to_owned(),
                source_ip: Some("203.0.113.7".to_owned()),
                at: "2026-11-22T01:02:01Z".parse().unwrap(),
                refused: false,
            }
        );
        let mut refused = call();
        refused["errorCode"] = "AccessDenied".into();
        assert!(
            CloudEvent::parse(&event(&refused).to_string())
                .unwrap()
                .refused
        );
    }

    #[test]
    fn the_accounts_that_a_call_names_are_found() {
        for (detail, accounts) in [
            (
                json!({"eventName": "MoveAccount", "requestParameters": {"accountId": "444455556666"}}),
                1,
            ),
            (
                json!({"eventName": "DisassociateMembers", "requestParameters": {"accountIds": ["444455556666", "777788889999", "x"]}}),
                2,
            ),
            (
                json!({"eventName": "CreateAccountResult", "serviceEventDetails": {"createAccountStatus": {"accountId": "444455556666"}}}),
                1,
            ),
            (json!({"eventName": "X", "requestParameters": null}), 0),
        ] {
            let read = CloudEvent::parse(&event(&detail).to_string()).unwrap();
            assert_eq!(read.named.len(), accounts, "{detail}");
        }
    }

    #[test]
    fn an_event_without_a_call_goes_by_its_kind() {
        let mut opt_in = event(
            &json!({"accountId": "444455556666", "regionName": "me-south-1", "status": "DISABLED"}),
        );
        opt_in["detail-type"] = "Region Opt-In Status Change".into();
        opt_in["source"] = "aws.account".into();
        let read = CloudEvent::parse(&opt_in.to_string()).unwrap();
        assert_eq!(
            (&*read.service, &*read.name),
            ("account", crate::concern::OPT_IN)
        );
        assert_eq!(read.named, ["444455556666".parse().unwrap()]);
        assert_eq!(
            (&*read.actor, read.source_ip),
            ("account.amazonaws.com", None)
        );
    }

    #[test]
    fn what_cannot_be_read_has_a_reason() {
        let mut no_account = event(&call());
        no_account["detail"]["recipientAccountId"] = "42".into();
        let mut bad_time = event(&call());
        bad_time["detail"]["eventTime"] = "yesterday".into();
        for (body, reason) in [
            ("", "not an event"),
            ("\u{0}", "not an event"),
            ("[1]", "not an event"),
            ("{}", "not an event"),
            (&*no_account.to_string(), "`account`"),
            (&*bad_time.to_string(), "`detail.eventTime`"),
            (&*event(&json!({})).to_string(), "`detail.eventName`"),
            (&*event(&json!("text")).to_string(), "`detail.eventName`"),
        ] {
            let error = CloudEvent::parse(body).unwrap_err().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn landfalls_own_calls_are_known_by_role_and_session() {
        let by = |arn: &str| {
            let mut call = call();
            call["userIdentity"] = json!({"type": "AssumedRole", "arn": arn});
            let read = CloudEvent::parse(&event(&call).to_string()).unwrap();
            read.is_by(&["LandfallManagement", "LandfallExecution"])
        };
        for (arn, own) in [
            (
                "arn:aws:sts::111122223333:assumed-role/LandfallExecution/landfall-organization",
                true,
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/LandfallExecution/ann",
                false,
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/Admin/landfall-organization",
                false,
            ),
            (
                "arn:aws:iam::111122223333:user/landfall-organization",
                false,
            ),
            ("arn:aws:iam::111122223333:root", false),
        ] {
            assert_eq!(by(arn), own, "{arn}");
        }
    }
}
