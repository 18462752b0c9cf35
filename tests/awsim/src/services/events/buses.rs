//! Event buses and who may send to them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rules::Rule;
use super::{Key, bus_of_arn, done, invalid, not_found};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::services::iam::document::Document;
use crate::world::World;

/// The bus that every account has in every Region.
pub(super) const DEFAULT: &str = "default";

#[derive(Default)]
pub(super) struct Bus {
    pub(super) policy: Option<Document>,
    pub(super) rules: BTreeMap<String, Rule>,
    created: Option<Timestamp>,
}

pub(super) fn arn((account, region, name): &Key) -> String {
    format!("arn:aws:events:{region}:{account}:event-bus/{name}")
}

/// The bus that a call names, by name or ARN; the account's own `default` where it names none. Buses of other accounts
/// cannot be changed here, though AWS has policies that let one.
pub(super) fn key_of(call: &Call<'_>, named: Option<&str>) -> Result<Key, AwsError> {
    let mine = |name: &str| (call.account(), call.region, name.to_owned());
    match named {
        None => Ok(mine(DEFAULT)),
        Some(named) if named.starts_with("arn:") => bus_of_arn(named)
            .filter(|(account, region, _)| (*account, *region) == (call.account(), call.region))
            .ok_or_else(|| not_found(format!("Event bus {named} does not exist."))),
        Some(name) => Ok(mine(name)),
    }
}

/// The bus, which must be there.
pub(super) fn bus<'w>(world: &'w mut World, key: &Key) -> Result<&'w mut Bus, AwsError> {
    if key.2 == DEFAULT {
        return Ok(world.events.buses.entry(key.clone()).or_default());
    }
    let missing = || not_found(format!("Event bus {} does not exist.", key.2));
    world.events.buses.get_mut(key).ok_or_else(missing)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("Name");
    if name == DEFAULT || name.contains('/') {
        return Err(invalid(format!("Event bus name {name} is not valid.")));
    }
    let key: Key = (call.account(), call.region, name.to_owned());
    if world.events.buses.contains_key(&key) {
        let message = format!("Event bus {name} already exists.");
        return Err(AwsError::new("ResourceAlreadyExistsException", message));
    }
    let answer = json!({"EventBusArn": arn(&key)});
    let bus = Bus {
        created: Some(call.now),
        ..Bus::default()
    };
    world.events.buses.insert(key, bus);
    Ok(answer)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("Name"))?;
    if key.2 == DEFAULT {
        return Err(invalid("Cannot delete event bus default."));
    }
    if world
        .events
        .buses
        .get(&key)
        .is_some_and(|bus| !bus.rules.is_empty())
    {
        return Err(invalid("EventBus can't be deleted since it has rules."));
    }
    world.events.buses.remove(&key);
    done()
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("Name"))?;
    let bus = bus(world, &key)?;
    Ok(told(&key, bus))
}

fn told(key: &Key, bus: &Bus) -> Value {
    let mut told = json!({"Name": key.2, "Arn": arn(key)});
    if let Some(policy) = &bus.policy {
        told["Policy"] = (&*policy.text).into();
    }
    if let Some(created) = bus.created {
        told["CreationTime"] = created.to_string().into();
    }
    told
}

/// All of the account's buses on one page: there are few.
pub(super) fn list(world: &mut World, call: &Call<'_>) -> Value {
    let default: Key = (call.account(), call.region, DEFAULT.to_owned());
    world.events.buses.entry(default).or_default();
    let prefix = call.text("NamePrefix").unwrap_or_default();
    let mine = world
        .events
        .buses
        .iter()
        .filter(|((account, region, name), _)| {
            (*account, *region) == (call.account(), call.region) && name.starts_with(prefix)
        });
    let buses: Vec<Value> = mine.map(|(key, bus)| told(key, bus)).collect();
    json!({"EventBuses": buses})
}

/// `PutPermission`: a whole policy, or one statement for an account or an organization.
pub(super) fn put_permission(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let text = match call.text("Policy") {
        Some(policy) => policy.to_owned(),
        None => with_statement(bus(world, &key)?, call, &arn(&key))?,
    };
    let document = Document::resource(&text, |arn| world.iam.principal_exists(arn));
    let document = document.map_err(|why| invalid(format!("Invalid policy: {why}")))?;
    bus(world, &key)?.policy = Some(document);
    done()
}

/// The bus's policy with the statement that a call describes.
fn with_statement(bus: &Bus, call: &Call<'_>, resource: &str) -> Result<String, AwsError> {
    let needed = |member: &str| {
        call.text(member)
            .ok_or_else(|| invalid(format!("Parameter {member} is required.")))
    };
    let principal = match needed("Principal")? {
        "*" => json!("*"),
        account => {
            let account: AccountId = account
                .parse()
                .map_err(|()| invalid("Provided principal is not valid."))?;
            json!({"AWS": format!("arn:aws:iam::{account}:root")})
        }
    };
    let id = needed("StatementId")?;
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": needed("Action")?,
        "Resource": resource,
    });
    if let Some(condition) = call.input.get("Condition") {
        let text = |member: &str| condition[member].as_str().unwrap_or_default().to_owned();
        statement["Condition"] = json!({text("Type"): {text("Key"): text("Value")}});
    }
    let mut statements = statements(bus);
    statements.retain(|statement| statement["Sid"] != id);
    statements.push(statement);
    Ok(json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

fn statements(bus: &Bus) -> Vec<Value> {
    let policy = bus.policy.as_ref();
    let policy = policy.and_then(|policy| serde_json::from_str::<Value>(&policy.text).ok());
    match policy.map(|mut policy| policy["Statement"].take()) {
        Some(Value::Array(statements)) => statements,
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => Vec::new(),
    }
}

pub(super) fn remove_permission(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let mut left = statements(bus(world, &key)?);
    if call.flag("RemoveAllPermissions") == Some(true) {
        left.clear();
    } else {
        let before = left.len();
        left.retain(|statement| statement["Sid"].as_str() != call.text("StatementId"));
        if left.len() == before {
            return Err(not_found("Statement with the provided id does not exist."));
        }
    }
    let text = json!({"Version": "2012-10-17", "Statement": left}).to_string();
    let policy = match left.is_empty() {
        true => None,
        false => Document::resource(&text, |arn| world.iam.principal_exists(arn)).ok(),
    };
    bus(world, &key)?.policy = policy;
    done()
}
