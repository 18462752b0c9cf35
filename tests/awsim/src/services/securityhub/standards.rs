//! Security standards and an account's subscriptions to them.
//!
//! A subscription is `PENDING` at first and then `READY`, if Config was recording when it began. If not, it becomes
//! `INCOMPLETE` and stays so: Security Hub looks for a recorder again only after a day, and asking for the same
//! standard once more changes nothing. Disabling and enabling it does.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{invalid_input, paging, subscriber};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

/// How long a subscription is `PENDING`.
const ENABLING: SignedDuration = SignedDuration::from_secs(30);
/// How long it is listed as `DELETING`.
const DISABLING: SignedDuration = SignedDuration::from_secs(10);
/// When Security Hub looks again whether an `INCOMPLETE` standard can work by now.
const SECOND_LOOK: SignedDuration = SignedDuration::from_hours(24);

/// Subscriptions by the standard's path, such as `pci-dss/v/3.2.1`.
pub(super) type Subscriptions = BTreeMap<&'static str, Subscription>;

pub(super) struct Subscription {
    enabled_at: Timestamp,
    /// Whether Config was recording when the subscription began.
    recorded: bool,
    disabled_at: Option<Timestamp>,
    input: Value,
}

struct Standard {
    path: &'static str,
    name: &'static str,
    by_default: bool,
}

const STANDARDS: [Standard; 10] = [
    Standard {
        path: "aws-foundational-security-best-practices/v/1.0.0",
        name: "AWS Foundational Security Best Practices v1.0.0",
        by_default: true,
    },
    Standard {
        path: "aws-resource-tagging-standard/v/1.0.0",
        name: "AWS Resource Tagging Standard v1.0.0",
        by_default: false,
    },
    Standard {
        path: CIS_1_2,
        name: "CIS AWS Foundations Benchmark v1.2.0",
        by_default: true,
    },
    Standard {
        path: "cis-aws-foundations-benchmark/v/1.4.0",
        name: "CIS AWS Foundations Benchmark v1.4.0",
        by_default: false,
    },
    Standard {
        path: "cis-aws-foundations-benchmark/v/3.0.0",
        name: "CIS AWS Foundations Benchmark v3.0.0",
        by_default: false,
    },
    Standard {
        path: "cis-aws-foundations-benchmark/v/5.0.0",
        name: "CIS AWS Foundations Benchmark v5.0.0",
        by_default: false,
    },
    Standard {
        path: "nist-800-171/v/2.0.0",
        name: "NIST Special Publication 800-171 Revision 2",
        by_default: false,
    },
    Standard {
        path: "nist-800-53/v/5.0.0",
        name: "NIST Special Publication 800-53 Revision 5",
        by_default: false,
    },
    Standard {
        path: "pci-dss/v/3.2.1",
        name: "PCI DSS v3.2.1",
        by_default: false,
    },
    Standard {
        path: "pci-dss/v/4.0.1",
        name: "PCI DSS v4.0.1",
        by_default: false,
    },
];

/// The oldest standard, and the only one whose ARN names no Region.
const CIS_1_2: &str = "cis-aws-foundations-benchmark/v/1.2.0";

fn arn(region: Region, path: &str) -> String {
    if path == CIS_1_2 {
        format!("arn:aws:securityhub:::ruleset/{path}")
    } else {
        format!("arn:aws:securityhub:{region}::standards/{path}")
    }
}

fn subscription_arn(region: Region, account: AccountId, path: &str) -> String {
    format!("arn:aws:securityhub:{region}:{account}:subscription/{path}")
}

impl Subscription {
    fn begin(
        world: &World,
        region: Region,
        account: AccountId,
        input: Value,
        now: Timestamp,
    ) -> Self {
        let recorded = world.config.is_recording(account, region);
        Subscription {
            enabled_at: now,
            recorded,
            disabled_at: None,
            input,
        }
    }

    fn status(
        &self,
        world: &World,
        region: Region,
        account: AccountId,
        now: Timestamp,
    ) -> &'static str {
        let since = |duration| now >= self.enabled_at + world.wait(duration);
        let found_later = || since(SECOND_LOOK) && world.config.is_recording(account, region);
        if self.disabled_at.is_some() {
            "DELETING"
        } else if !since(ENABLING) {
            "PENDING"
        } else if self.recorded || found_later() {
            "READY"
        } else {
            "INCOMPLETE"
        }
    }

    fn is_gone(&self, world: &World, now: Timestamp) -> bool {
        self.disabled_at
            .is_some_and(|at| now >= at + world.wait(DISABLING))
    }
}

/// What goes on with a hub unless the caller says otherwise.
pub(super) fn default(
    world: &World,
    region: Region,
    account: AccountId,
    now: Timestamp,
) -> Subscriptions {
    let standards = STANDARDS.iter().filter(|standard| standard.by_default);
    let subscribe = |standard: &Standard| {
        (
            standard.path,
            Subscription::begin(world, region, account, json!({}), now),
        )
    };
    standards.map(subscribe).collect()
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let describe = |standard: &Standard| {
        json!({
            "StandardsArn": arn(call.region, standard.path),
            "Name": standard.name,
            "Description": format!("Controls of {}.", standard.name),
            "EnabledByDefault": standard.by_default,
            "StandardsManagedBy": { "Company": "AWS", "Product": "AWS Security Hub" },
        })
    };
    paging("Standards", 100)
        .page(call, STANDARDS.iter().map(describe).collect())
        .map(Value::Object)
}

pub(super) fn enabled(world: &mut World, call: &Call<'_>) -> Answer {
    forget_disabled(world, call)?;
    let wanted = call.list("StandardsSubscriptionArns");
    let named = |path: &str| {
        let arn = subscription_arn(call.region, call.account(), path);
        wanted.is_empty() || wanted.iter().any(|wanted| *wanted == arn)
    };
    let Some(hub) = world.securityhub.hub(call.region, call.account()) else {
        return Ok(json!({}));
    };
    let paths = hub.subscriptions.keys().filter(|path| named(path));
    let subscriptions = paths.filter_map(|path| entry(world, call, path)).collect();
    paging("StandardsSubscriptions", 100)
        .page(call, subscriptions)
        .map(Value::Object)
}

/// Enables each standard that is not on yet; one that is still `DELETING` has to be gone first, and stays so. One bad
/// ARN refuses the whole call.
pub(super) fn enable(world: &mut World, call: &Call<'_>) -> Answer {
    forget_disabled(world, call)?;
    let mut wanted = Vec::new();
    for request in call.list("StandardsSubscriptionRequests") {
        let standard = STANDARDS
            .iter()
            .find(|standard| request["StandardsArn"] == arn(call.region, standard.path));
        let Some(standard) = standard else {
            return Err(invalid_input(format!(
                "Invalid standards ARN: {}",
                request["StandardsArn"]
            )));
        };
        let input = request
            .get("StandardsInput")
            .cloned()
            .unwrap_or_else(|| json!({}));
        wanted.push((
            standard.path,
            Subscription::begin(world, call.region, call.account(), input, call.now),
        ));
    }
    let mut paths = Vec::new();
    for (path, subscription) in wanted {
        subscriber(world, call)?
            .subscriptions
            .entry(path)
            .or_insert(subscription);
        paths.push(path);
    }
    entries(world, call, &paths)
}

pub(super) fn disable(world: &mut World, call: &Call<'_>) -> Answer {
    forget_disabled(world, call)?;
    let hub = subscriber(world, call)?;
    let mut paths = Vec::new();
    for wanted in call.list("StandardsSubscriptionArns") {
        let named = |path: &&&str| *wanted == subscription_arn(call.region, call.account(), path);
        let Some(path) = hub.subscriptions.keys().find(named) else {
            return Err(invalid_input(format!(
                "Invalid standards subscription ARN: {wanted}"
            )));
        };
        paths.push(*path);
    }
    for path in &paths {
        if let Some(subscription) = hub.subscriptions.get_mut(path) {
            subscription.disabled_at.get_or_insert(call.now);
        }
    }
    entries(world, call, &paths)
}

/// Takes a standard away at once; `false` where it is not on.
pub(super) fn remove(subscriptions: &mut Subscriptions, path: &str) -> bool {
    subscriptions.remove(path).is_some()
}

fn forget_disabled(world: &mut World, call: &Call<'_>) -> Result<(), AwsError> {
    let mut subscriptions = std::mem::take(&mut subscriber(world, call)?.subscriptions);
    subscriptions.retain(|_, subscription| !subscription.is_gone(world, call.now));
    subscriber(world, call)?.subscriptions = subscriptions;
    Ok(())
}

fn entries(world: &World, call: &Call<'_>, paths: &[&str]) -> Answer {
    let entries: Vec<Value> = paths
        .iter()
        .filter_map(|path| entry(world, call, path))
        .collect();
    Ok(json!({ "StandardsSubscriptions": entries }))
}

fn entry(world: &World, call: &Call<'_>, path: &str) -> Option<Value> {
    let subscription = world
        .securityhub
        .hub(call.region, call.account())?
        .subscriptions
        .get(path)?;
    let status = subscription.status(world, call.region, call.account(), call.now);
    let updatable = if status == "READY" {
        "READY_FOR_UPDATES"
    } else {
        "NOT_READY_FOR_UPDATES"
    };
    let mut entry = json!({
        "StandardsSubscriptionArn": subscription_arn(call.region, call.account(), path),
        "StandardsArn": arn(call.region, path),
        "StandardsInput": subscription.input,
        "StandardsStatus": status,
        "StandardsControlsUpdatable": updatable,
    });
    if status == "INCOMPLETE" {
        entry["StandardsStatusReason"] =
            json!({ "StatusReasonCode": "NO_AVAILABLE_CONFIGURATION_RECORDER" });
    }
    Some(entry)
}
