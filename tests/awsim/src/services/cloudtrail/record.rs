//! What CloudTrail writes down of a call, and hands to EventBridge.
//!
//! Management events that change something, refused ones too, are handed on in the account that called and in the Region
//! that was called, for global services in us-east-1, while a trail there is logging (EventBridge User Guide, "AWS service
//! events delivered via AWS CloudTrail"). Reading calls and data events are not.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::visibility;
use crate::call::{AccountId, Answer, AwsError, Call, Principal, Region};
use crate::regions;
use crate::services::events::{self, Event};
use crate::world::World;

/// How the names of operations begin that only read.
const READS: [&str; 9] = [
    "BatchGet", "Describe", "Generate", "Get", "Head", "List", "Lookup", "Receive", "Select",
];

/// Operations on the data that a service keeps for its users.
const DATA: [(&str, &str); 14] = [
    ("events", "PutEvents"),
    ("s3", "AbortMultipartUpload"),
    ("s3", "CompleteMultipartUpload"),
    ("s3", "CopyObject"),
    ("s3", "CreateMultipartUpload"),
    ("s3", "DeleteObject"),
    ("s3", "DeleteObjects"),
    ("s3", "PutObject"),
    ("s3", "UploadPart"),
    ("sqs", "ChangeMessageVisibility"),
    ("sqs", "DeleteMessage"),
    ("sqs", "DeleteMessageBatch"),
    ("sqs", "SendMessage"),
    ("sqs", "SendMessageBatch"),
];

/// Services whose calls are told in us-east-1, wherever they came from.
const GLOBAL: [&str; 3] = ["account", "iam", "organizations"];

/// Where loopback's callers come from: an address that documentation keeps for examples.
const SOURCE_IP: &str = "198.51.100.1";

/// A call, by whomever and however it was made.
pub struct Record {
    /// The service as awsim names it.
    pub service: &'static str,
    pub operation: String,
    pub account: AccountId,
    pub region: Region,
    /// `userIdentity`
    pub identity: Value,
    pub source_ip: String,
    /// What was asked, under the model's member names.
    pub input: Value,
    pub answer: Answer,
    pub at: Timestamp,
}

impl Record {
    /// The service as CloudTrail names it, before `.amazonaws.com`.
    pub fn source(&self) -> &'static str {
        match self.service {
            "s3control" => "s3",
            service => service,
        }
    }

    /// The call as CloudTrail names it. What blocks public access has other names there than its operations:
    /// `PutBucketPublicAccessBlock`, `DeleteAccountPublicAccessBlock` ("Amazon S3 CloudTrail events", S3 User Guide).
    pub fn event_name(&self) -> String {
        let of = match self.service {
            "s3" => "Bucket",
            "s3control" => "Account",
            _ => return self.operation.clone(),
        };
        match self.operation.strip_suffix("PublicAccessBlock") {
            Some(verb) => format!("{verb}{of}PublicAccessBlock"),
            None => self.operation.clone(),
        }
    }
}

/// Whether a call is one that EventBridge may hear of.
pub fn is_told(service: &str, operation: &str) -> bool {
    service != "sts"
        && !READS.iter().any(|read| operation.starts_with(read))
        && !DATA.contains(&(service, operation))
}

/// The Region that a call is told in.
pub fn region_of(service: &str, region: Region) -> Region {
    if GLOBAL.contains(&service) {
        regions::GLOBAL
    } else {
        region
    }
}

/// Whether a trail writes down what happens in an account and Region: its own, or the organization's.
pub fn is_recorded(world: &World, account: AccountId, region: Region) -> bool {
    visibility::all(world, account).any(|trail| trail.logging && trail.reaches(region))
}

/// Tells of a call. `before`: whether it was recorded before the call, which may have ended that.
pub fn tell_call(world: &mut World, call: &Call<'_>, before: bool, answer: &Answer) {
    // What nobody could ask of AWS happened nowhere.
    if matches!(answer, Err(error) if *error == AwsError::not_built()) {
        return;
    }
    let record = Record {
        service: call.service,
        operation: call.operation.to_owned(),
        account: call.account(),
        region: region_of(call.service, call.region),
        identity: identity(world, call.principal),
        source_ip: SOURCE_IP.to_owned(),
        input: call.input.clone(),
        answer: answer.clone(),
        at: call.now,
    };
    tell(world, before, &record);
}

/// Tells EventBridge of what was done, if a trail wrote it down.
pub fn tell(world: &mut World, before: bool, record: &Record) {
    if !before && !is_recorded(world, record.account, record.region) {
        return;
    }
    let source = record.source();
    let error = record.answer.as_ref().err();
    let response = record.answer.as_ref().ok().map(lower_first);
    let response =
        response.filter(|response| response.as_object().is_none_or(|map| !map.is_empty()));
    let mut detail = json!({
        "eventVersion": "1.11",
        "userIdentity": record.identity,
        "eventTime": whole_seconds(record.at),
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": record.event_name(),
        "awsRegion": record.region,
        "sourceIPAddress": record.source_ip,
        "requestParameters": lower_first(&record.input),
        "responseElements": response,
        "eventID": id(world),
        "requestID": id(world),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": record.account.to_string(),
        "eventCategory": "Management",
    });
    if let Some(error) = error {
        detail["errorCode"] = error.code.as_str().into();
        detail["errorMessage"] = error.message.as_str().into();
    }
    let event = Event {
        account: record.account,
        region: record.region,
        source: format!("aws.{source}"),
        detail_type: "AWS API Call via CloudTrail",
        detail,
        resources: Vec::new(),
        at: record.at,
    };
    events::publish(world, &event);
}

/// Tells of what a service did by itself, such as the end of an account's creation.
pub fn tell_service_event(
    world: &mut World,
    (service, name): (&str, &str),
    account: AccountId,
    details: &Value,
    now: Timestamp,
) {
    if !is_recorded(world, account, regions::GLOBAL) {
        return;
    }
    let source = format!("{service}.amazonaws.com");
    let detail = json!({
        "eventVersion": "1.11",
        "userIdentity": {"accountId": account.to_string(), "invokedBy": "AWS Internal"},
        "eventTime": whole_seconds(now),
        "eventSource": source,
        "eventName": name,
        "awsRegion": regions::GLOBAL,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": null,
        "responseElements": null,
        "eventID": id(world),
        "readOnly": false,
        "eventType": "AwsServiceEvent",
        "managementEvent": true,
        "recipientAccountId": account.to_string(),
        "serviceEventDetails": details,
        "eventCategory": "Management",
    });
    let event = Event {
        account,
        region: regions::GLOBAL,
        source: format!("aws.{service}"),
        detail_type: "AWS Service Event via CloudTrail",
        detail,
        resources: Vec::new(),
        at: now,
    };
    events::publish(world, &event);
}

fn id(world: &mut World) -> String {
    [8, 4, 4, 4, 12].map(|n| world.random_hex(n)).join("-")
}

/// CloudTrail tells whole seconds.
pub fn whole_seconds(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// Who called, as CloudTrail says it (CloudTrail User Guide, "CloudTrail userIdentity element").
fn identity(world: &World, principal: &Principal) -> Value {
    let account = principal.account.to_string();
    let mut identity = json!({
        "principalId": principal.unique_id,
        "arn": principal.arn,
        "accountId": account,
    });
    let name = principal.arn.rsplit('/').next().unwrap_or_default();
    match &principal.role {
        Some(role) => {
            identity["type"] = "AssumedRole".into();
            let issuer = world
                .iam
                .role(principal.account, role)
                .map(|role| role.arn.to_owned());
            identity["sessionContext"] = json!({"sessionIssuer": {
                "type": "Role",
                "principalId": principal.unique_id.split(':').next(),
                "arn": issuer,
                "accountId": account,
                "userName": role,
            }});
        }
        None if principal.arn.ends_with(":root") => identity["type"] = "Root".into(),
        None => {
            identity["type"] = "IAMUser".into();
            identity["userName"] = name.into();
        }
    }
    identity
}

/// CloudTrail writes members with a small first letter.
fn lower_first(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let lower = |name: &String| {
                let mut characters = name.chars();
                let first = characters.next().into_iter().flat_map(char::to_lowercase);
                first.chain(characters).collect::<String>()
            };
            let members = members
                .iter()
                .map(|(name, value)| (lower(name), lower_first(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(lower_first).collect(),
        other => other.clone(),
    }
}
