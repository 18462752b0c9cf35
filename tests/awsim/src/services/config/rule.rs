//! Rules: kept and listed, never evaluated.

use serde_json::{Value, json};

use super::{Cell, done, tags, texts};
use crate::call::{Answer, AwsError, Call};
use crate::paging::Paging;
use crate::world::World;

/// The most rules of one account in one Region.
const MOST: usize = 1000;

pub(super) struct Rule {
    pub(super) arn: String,
    id: String,
    /// The rule as it was given, without what AWS fills in.
    given: Value,
}

impl Rule {
    fn describe(&self, name: &str) -> Value {
        let mut rule = self.given.clone();
        rule["ConfigRuleName"] = name.into();
        rule["ConfigRuleArn"] = self.arn.clone().into();
        rule["ConfigRuleId"] = self.id.clone().into();
        rule["ConfigRuleState"] = "ACTIVE".into();
        if rule.get("EvaluationModes").is_none() {
            rule["EvaluationModes"] = json!([{ "Mode": "DETECTIVE" }]);
        }
        rule
    }
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let given = &call.input["ConfigRule"];
    let cell = world.config.here(call);
    if cell.is_none_or(|cell| cell.recorder.is_none()) {
        return Err(AwsError::new(
            "NoAvailableConfigurationRecorderException",
            "Configuration Recorder is not available.",
        ));
    }
    let name = name(cell, given)?;
    check_source(&given["Source"])?;
    let tags = tags::read(call.list("Tags"))?;
    let existing = cell.and_then(|cell| cell.rules.get(&name));
    let count = cell.map_or(0, |cell| cell.rules.len());
    if existing.is_none() && count >= MOST {
        return Err(AwsError::new(
            "MaxNumberOfConfigRulesExceededException",
            format!("The account already has the maximum of {MOST} rules."),
        ));
    }
    let given = given.clone();
    if existing.is_some() {
        if let Some(rule) = world.config.here_mut(call).rules.get_mut(&name) {
            rule.given = given;
        }
        return done();
    }
    let id = format!("config-rule-{}", world.random_id(6));
    let (account, region) = (call.account(), call.region);
    let arn = format!("arn:aws:config:{region}:{account}:config-rule/{id}");
    let cell = world.config.here_mut(call);
    cell.keep_tags(arn.clone(), tags);
    cell.rules.insert(name, Rule { arn, id, given });
    done()
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("ConfigRuleName");
    let cell = world.config.here_mut(call);
    let rule = cell.rules.remove(name).ok_or_else(|| no_such_rule(name))?;
    cell.tags.remove(&rule.arn);
    done()
}

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    const PAGING: Paging = Paging {
        items: "ConfigRules",
        limit: "",
        token: ("NextToken", "NextToken"),
        most: 25,
        bad_token: "InvalidNextTokenException",
        empty_first: false,
    };
    let none = Cell::default();
    let rules = &world.config.here(call).unwrap_or(&none).rules;
    let names = texts(call.list("ConfigRuleNames"));
    let items = if names.is_empty() {
        rules
            .iter()
            .map(|(name, rule)| rule.describe(name))
            .collect()
    } else {
        let found = names.into_iter().map(|name| {
            let rule = rules.get(name).ok_or_else(|| no_such_rule(name))?;
            Ok(rule.describe(name))
        });
        found.collect::<Result<_, AwsError>>()?
    };
    PAGING.page(call, items).map(Value::Object)
}

/// A rule is named when it is made; a later call may name it by ARN or id instead.
fn name(cell: Option<&Cell>, given: &Value) -> Result<String, AwsError> {
    if let Some(name) = given["ConfigRuleName"].as_str() {
        return Ok(name.to_owned());
    }
    let same =
        |rule: &Rule| given["ConfigRuleArn"] == *rule.arn || given["ConfigRuleId"] == *rule.id;
    let mut rules = cell.into_iter().flat_map(|cell| &cell.rules);
    rules
        .find(|(_, rule)| same(rule))
        .map(|(name, _)| name.clone())
        .ok_or_else(|| invalid("A new rule needs a ConfigRuleName."))
}

fn check_source(source: &Value) -> Result<(), AwsError> {
    let identifier = source["SourceIdentifier"].as_str();
    match (source["Owner"].as_str(), identifier) {
        (Some("AWS"), Some(id))
            if id
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') =>
        {
            Ok(())
        }
        (Some("AWS"), _) => Err(invalid(
            "The sourceIdentifier is not the identifier of a managed rule.",
        )),
        (Some("CUSTOM_POLICY"), None) if source.get("CustomPolicyDetails").is_some() => Ok(()),
        (Some("CUSTOM_LAMBDA"), Some(function)) => Err(AwsError::new(
            "InsufficientPermissionsException",
            // awsim has no Lambda: no function exists.
            format!("The AWS Lambda function {function} cannot be invoked."),
        )),
        _ => Err(invalid("The source does not fit its owner.")),
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("InvalidParameterValueException", message)
}

fn no_such_rule(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchConfigRuleException",
        format!(
            "The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name."
        ),
    )
}
