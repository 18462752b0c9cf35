//! The hub: Security Hub being on in an account and Region.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::findings::Findings;
use super::standards::{self, Subscriptions};
use super::{
    SERVICE_PRINCIPAL, access_denied, conflict, invalid_input, not_found, subscriber, time,
};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

pub(super) struct Hub {
    subscribed_at: Timestamp,
    auto_enable_controls: bool,
    /// `SECURITY_CONTROL` or `STANDARD_CONTROL`.
    generator: String,
    tags: BTreeMap<String, String>,
    pub(super) subscriptions: Subscriptions,
    pub(super) findings: Findings,
}

impl Hub {
    fn new(now: Timestamp) -> Self {
        Hub {
            subscribed_at: now,
            auto_enable_controls: true,
            generator: "SECURITY_CONTROL".to_owned(),
            tags: BTreeMap::new(),
            subscriptions: Subscriptions::new(),
            findings: Findings::new(),
        }
    }
}

pub(super) fn arn(region: Region, account: AccountId) -> String {
    format!("arn:aws:securityhub:{region}:{account}:hub/default")
}

/// Switches Security Hub on with the default standards where it is off, as AWS does for delegated administrators
/// and members of an organization.
pub(super) fn ensure(
    world: &mut World,
    region: Region,
    account: AccountId,
    default_standards: bool,
    now: Timestamp,
) {
    if world.securityhub.hub(region, account).is_none() {
        let mut hub = Hub::new(now);
        if default_standards {
            hub.subscriptions = standards::default(world, region, account, now);
        }
        world.securityhub.hubs.insert((account, region), hub);
        world
            .iam
            .ensure_service_linked_role(account, SERVICE_PRINCIPAL, now);
    }
}

pub(super) fn enable(world: &mut World, call: &Call<'_>) -> Answer {
    if world.securityhub.hub(call.region, call.account()).is_some() {
        return Err(conflict("Account is already subscribed to Security Hub"));
    }
    let default_standards = call.flag("EnableDefaultStandards").unwrap_or(true);
    ensure(
        world,
        call.region,
        call.account(),
        default_standards,
        call.now,
    );
    let hub = subscriber(world, call)?;
    if let Some(generator) = call.text("ControlFindingGenerator") {
        generator.clone_into(&mut hub.generator);
    }
    add_tags(&mut hub.tags, &call.input);
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let arn = arn(call.region, call.account());
    let hub = subscriber(world, call)?;
    if call.text("HubArn").is_some_and(|wanted| wanted != arn) {
        return Err(not_found("Hub not found"));
    }
    let mut answer = json!({
        "HubArn": arn,
        "SubscribedAt": time(hub.subscribed_at),
        "AutoEnableControls": hub.auto_enable_controls,
        "ControlFindingGenerator": hub.generator,
    });
    // A member generates its findings as its administrator does.
    let state = &world.securityhub;
    let administrator = state.membership.administrator_of_caller(call);
    if let Some(hub) = administrator.and_then(|account| state.hub(call.region, account)) {
        answer["ControlFindingGenerator"] = json!(hub.generator);
    }
    Ok(answer)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let administrator = world.securityhub.membership.administrator_of_caller(call);
    let hub = subscriber(world, call)?;
    let generator = call.text("ControlFindingGenerator");
    if generator.is_some() && administrator.is_some() {
        return Err(access_denied(
            "Only the administrator account can change ControlFindingGenerator",
        ));
    }
    hub.auto_enable_controls = call
        .flag("AutoEnableControls")
        .unwrap_or(hub.auto_enable_controls);
    if let Some(generator) = generator {
        generator.clone_into(&mut hub.generator);
    }
    Ok(json!({}))
}

/// Refused to administrators and to members: both must part first (user guide, "Disabling Security Hub CSPM").
pub(super) fn disable(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let state = &mut world.securityhub;
    let admin = state.membership.organization_admin(call.region);
    let account = state.membership.account(call.region, call.account());
    let who = if admin == Some(call.account()) {
        "the delegated Security Hub administrator account of an organization"
    } else if account.administrator.is_some() {
        "an enabled Security Hub member account"
    } else if account.enabled_members().next().is_some() {
        "an account with enabled Security Hub members"
    } else {
        state.switch_off(call.region, call.account());
        return Ok(json!({}));
    };
    Err(invalid_input(format!(
        "Cannot disable Security Hub on {who}"
    )))
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Answer {
    add_tags(&mut tagged(world, call)?.tags, &call.input);
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Answer {
    let hub = tagged(world, call)?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        hub.tags.remove(key);
    }
    Ok(json!({}))
}

pub(super) fn tags(world: &mut World, call: &Call<'_>) -> Answer {
    tagged(world, call).map(|hub| json!({ "Tags": hub.tags }))
}

/// The caller's hub, once the call names it by ARN.
fn tagged<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Hub, AwsError> {
    let own = (call.account(), call.region);
    let hub = world.securityhub.hubs.get_mut(&own);
    let named = call.required("ResourceArn") == arn(call.region, call.account());
    hub.filter(|_| named)
        .ok_or_else(|| not_found("Resource not found"))
}

fn add_tags(tags: &mut BTreeMap<String, String>, input: &Value) {
    for (key, value) in input["Tags"].as_object().into_iter().flatten() {
        tags.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
    }
}
