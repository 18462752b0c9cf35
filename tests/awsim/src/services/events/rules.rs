//! Rules: which events a bus hands on.

use serde_json::{Value, json};

use super::buses::{self, DEFAULT, bus, key_of};
use super::pattern::Pattern;
use super::targets::Target;
use super::{Key, done, invalid, not_found};
use crate::call::{Answer, AwsError, Call};
use crate::paging::Paging;
use crate::world::World;

#[derive(Clone)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    state: String,
    description: Option<String>,
    role: Option<String>,
    pub(super) targets: Vec<Target>,
}

impl Rule {
    pub(super) fn is_enabled(&self) -> bool {
        self.state != "DISABLED"
    }
}

pub(super) fn arn((account, region, bus): &Key, name: &str) -> String {
    let bus = if bus == DEFAULT {
        String::new()
    } else {
        format!("{bus}/")
    };
    format!("arn:aws:events:{region}:{account}:rule/{bus}{name}")
}

/// `PutRule`. The whole rule is replaced, its targets stay.
pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    if call.text("ScheduleExpression").is_some() {
        return Err(AwsError::not_built());
    }
    let name = call.required("Name");
    let text = call.text("EventPattern");
    let text = text.ok_or_else(|| {
        invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    })?;
    let pattern = Pattern::parse(text)?;
    let key = key_of(call, call.text("EventBusName"))?;
    let rules = &mut bus(world, &key)?.rules;
    let targets = rules.get(name).map(|rule| rule.targets.clone());
    let rule = Rule {
        pattern,
        state: call.text("State").unwrap_or("ENABLED").to_owned(),
        description: call.text("Description").map(str::to_owned),
        role: call.text("RoleArn").map(str::to_owned),
        targets: targets.unwrap_or_default(),
    };
    rules.insert(name.to_owned(), rule);
    Ok(json!({"RuleArn": arn(&key, name)}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let rules = &mut bus(world, &key)?.rules;
    let name = call.required("Name");
    if rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    rules.remove(name);
    done()
}

/// The rule that a call names.
pub(super) fn rule<'w>(
    world: &'w mut World,
    key: &Key,
    name: &str,
) -> Result<&'w mut Rule, AwsError> {
    let missing = || not_found(format!("Rule {name} does not exist on EventBus {}.", key.2));
    bus(world, key)?.rules.get_mut(name).ok_or_else(missing)
}

pub(super) fn enable(world: &mut World, call: &Call<'_>, on: bool) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let state = if on { "ENABLED" } else { "DISABLED" };
    state.clone_into(&mut rule(world, &key, call.required("Name"))?.state);
    done()
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let key = key_of(call, call.text("EventBusName"))?;
    let name = call.required("Name");
    let rule = rule(world, &key, name)?;
    let mut told = told(&key, name, rule);
    told["CreatedBy"] = call.account().to_string().into();
    Ok(told)
}

fn told(key: &Key, name: &str, rule: &Rule) -> Value {
    let mut told = json!({
        "Name": name,
        "Arn": arn(key, name),
        "EventPattern": rule.pattern.text(),
        "State": rule.state,
        "EventBusName": key.2,
    });
    for (member, value) in [("Description", &rule.description), ("RoleArn", &rule.role)] {
        if let Some(value) = value {
            told[member] = value.as_str().into();
        }
    }
    told
}

const PAGING: Paging = Paging {
    items: "Rules",
    limit: "Limit",
    token: ("NextToken", "NextToken"),
    most: 100,
    bad_token: "ValidationException",
    empty_first: false,
};

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let key = buses::key_of(call, call.text("EventBusName"))?;
    let prefix = call.text("NamePrefix").unwrap_or_default();
    let rules = bus(world, &key)?
        .rules
        .iter()
        .filter(|(name, _)| name.starts_with(prefix));
    let rules = rules.map(|(name, rule)| told(&key, name, rule)).collect();
    PAGING.page(call, rules).map(Value::Object)
}
