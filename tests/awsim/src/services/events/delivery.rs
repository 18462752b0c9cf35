//! From an event to the queues that it reaches.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};
use landfall_policy::{Context, PrincipalView, Request, Verdict};
use serde_json::{Value, json};

use super::buses::{self, DEFAULT};
use super::targets::Target;
use super::{Key, SERVICE, bus_of_arn, invalid, rules};
use crate::call::{AccountId, Answer, Call, Region};
use crate::faults::{Delivery, Target as Aim};
use crate::services::cloudtrail::whole_seconds;
use crate::services::sqs;
use crate::world::World;

/// The latest that an event arrives which others overtake.
const REORDERED_WITHIN_MILLISECONDS: u64 = 2_000;

/// Something that happened in an account and Region.
pub struct Event {
    pub account: AccountId,
    pub region: Region,
    /// `aws.guardduty`
    pub source: String,
    pub detail_type: &'static str,
    pub detail: Value,
    pub resources: Vec<String>,
    pub at: Timestamp,
}

/// Puts an event on the default bus of its account and Region.
pub fn publish(world: &mut World, event: &Event) {
    if world.events.buses.is_empty() {
        return;
    }
    let id = [8, 4, 4, 4, 12].map(|n| world.random_hex(n)).join("-");
    let body = json!({
        "version": "0",
        "id": id,
        "detail-type": event.detail_type,
        "source": event.source,
        "account": event.account.to_string(),
        "time": whole_seconds(event.at),
        "region": event.region,
        "resources": event.resources,
        "detail": event.detail,
    });
    let bus: Key = (event.account, event.region, DEFAULT.to_owned());
    route(world, &bus, &body, event.at);
}

/// `PutEvents`: events of the account's own.
pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let mut entries = Vec::new();
    for entry in call.list("Entries") {
        let text = |member: &str| entry[member].as_str().unwrap_or_default();
        let detail = serde_json::from_str::<Value>(text("Detail"));
        if text("Source").is_empty()
            || text("DetailType").is_empty()
            || text("Source").starts_with("aws.")
        {
            return Err(invalid(
                "Parameters Source and DetailType must be given, and Source not begin with aws.",
            ));
        }
        let Ok(detail) = detail else {
            entries.push(
                json!({"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}),
            );
            continue;
        };
        let bus = buses::key_of(call, entry["EventBusName"].as_str())?;
        let id = [8, 4, 4, 4, 12].map(|n| world.random_hex(n)).join("-");
        let body = json!({
            "version": "0",
            "id": id,
            "detail-type": text("DetailType"),
            "source": text("Source"),
            "account": call.account().to_string(),
            "time": whole_seconds(call.now),
            "region": call.region,
            "resources": [],
            "detail": detail,
        });
        route(world, &bus, &body, call.now);
        entries.push(json!({"EventId": id}));
    }
    let failed = entries
        .iter()
        .filter(|entry| entry.get("ErrorCode").is_some())
        .count();
    Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
}

/// Lets an event take its way, and be befallen by what is planned.
fn route(world: &mut World, bus: &Key, body: &Value, now: Timestamp) {
    let event = body["detail"]["eventName"]
        .as_str()
        .or(body["detail-type"].as_str());
    let aim = Aim {
        service: "events",
        operation: event.unwrap_or_default(),
        account: bus.0,
        region: bus.1,
    };
    let faults = world.events.faults.clone();
    let befallen = faults.and_then(|faults| {
        let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.befall_delivery(aim)
    });
    let mut visible_at = now;
    let mut times = 1;
    match befallen {
        None => {}
        Some(Delivery::Lost) => {
            count(world, "lost");
            return;
        }
        Some(Delivery::Duplicated) => times = 2,
        Some(Delivery::Reordered) => {
            let delay = world.random_below(REORDERED_WITHIN_MILLISECONDS);
            visible_at += SignedDuration::from_millis(delay.cast_signed());
        }
        Some(Delivery::Delayed { milliseconds }) => {
            visible_at += SignedDuration::from_millis(milliseconds.into());
        }
    }
    for _ in 0..times {
        deliver(world, bus, body, (now, visible_at), true);
    }
}

/// Has each rule of a bus that matches send the event to its targets. `from_source`: whether it may go on to another bus.
fn deliver(
    world: &mut World,
    bus: &Key,
    body: &Value,
    when: (Timestamp, Timestamp),
    from_source: bool,
) {
    let Some(rules) = world.events.buses.get(bus).map(|bus| &bus.rules) else {
        return;
    };
    let matching = rules
        .iter()
        .filter(|(_, rule)| rule.is_enabled() && rule.pattern.matches(body));
    let targets: Vec<(String, Target)> = matching
        .flat_map(|(name, rule)| {
            rule.targets
                .iter()
                .map(|target| (rules::arn(bus, name), target.clone()))
        })
        .collect();
    for (rule, target) in targets {
        match bus_of_arn(&target.arn) {
            Some(next) if from_source && may_send(world, bus, &rule, &target, &next) => {
                count(world, "forwarded");
                deliver(world, &next, body, when, false);
            }
            Some(_) => count(world, "refused by a bus"),
            None => {
                // Straight to other accounts, but not to other Regions ("Sending events to an AWS service in another account").
                let here = target.arn.split(':').nth(3) == Some(bus.1);
                let sent = here
                    && sqs::send_as_service(
                        world,
                        SERVICE,
                        (&rule, bus.0),
                        &target.arn,
                        &body.to_string(),
                        when,
                    );
                count(
                    world,
                    if sent {
                        "delivered"
                    } else {
                        "refused by a queue"
                    },
                );
            }
        }
    }
}

/// Whether a rule's role may put events on a bus of another account or Region, and that bus takes them.
fn may_send(world: &World, from: &Key, rule: &str, target: &Target, to: &Key) -> bool {
    let Some(arn) = &target.role else {
        return (from.0, from.1) == (to.0, to.1);
    };
    let role = arn
        .rsplit('/')
        .next()
        .and_then(|name| world.iam.role(from.0, name));
    let Some(role) = role.filter(|role| role.arn == arn) else {
        return false;
    };
    let service = PrincipalView::service(SERVICE);
    let trusted = role.trust.allows(&Request {
        principal: &service,
        action: "sts:AssumeRole",
        resource: arn,
        context: &Context::of(&service).with("aws:SourceArn", rule),
    });
    let Some(session) = PrincipalView::role_session(arn, "events") else {
        return false;
    };
    let mut context = Context::of(&session).with("aws:SourceArn", rule);
    if world.organizations.created_at(from.0).is_some() {
        context.set("aws:PrincipalOrgID", world.organizations.organization_id());
    }
    let request = Request {
        principal: &session,
        action: "events:PutEvents",
        resource: &target.arn,
        context: &context,
    };
    let verdicts: Vec<Verdict> = role
        .policies
        .iter()
        .map(|policy| policy.evaluate(&request))
        .collect();
    let may = verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Allow { .. }))
        && !verdicts
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Deny { .. }));
    let bus = world.events.buses.get(to);
    let taken = from.0 == to.0
        || bus
            .and_then(|bus| bus.policy.as_ref())
            .is_some_and(|policy| policy.policy.allows(&request));
    trusted && may && taken && (bus.is_some() || to.2 == DEFAULT)
}

fn count(world: &mut World, outcome: &'static str) {
    *world.events.outcomes.entry(outcome).or_default() += 1;
}
