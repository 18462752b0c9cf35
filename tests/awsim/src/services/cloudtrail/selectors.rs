//! Which events a trail logs: event selectors, or advanced ones instead.

use serde_json::{Value, json};

use super::visibility::{changeable, visible};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// The most selectors, data resources and values of conditions of one trail.
const MOST_SELECTORS: usize = 5;
const MOST_RESOURCES: usize = 250;
const MOST_VALUES: usize = 500;

#[derive(Clone, PartialEq)]
pub(super) enum Selectors {
    Basic(Vec<Value>),
    Advanced(Vec<Value>),
}

impl Default for Selectors {
    /// All management events and nothing else.
    fn default() -> Self {
        Selectors::Basic(vec![fill(&json!({}))])
    }
}

impl Selectors {
    pub(super) fn are_custom(&self) -> bool {
        *self != Selectors::default()
    }

    /// One kind replaces the other.
    fn read(call: &Call<'_>) -> Result<Self, AwsError> {
        let (basic, advanced) = (
            call.list("EventSelectors"),
            call.list("AdvancedEventSelectors"),
        );
        match (basic, advanced) {
            ([], []) => Err(invalid("Give event selectors or advanced event selectors.")),
            (basic, []) => {
                check_basic(basic)?;
                Ok(Selectors::Basic(basic.iter().map(fill).collect()))
            }
            ([], advanced) => {
                check_advanced(advanced)?;
                Ok(Selectors::Advanced(advanced.to_vec()))
            }
            _ => Err(invalid(
                "Give either event selectors or advanced event selectors.",
            )),
        }
    }

    fn describe(&self, arn: &str) -> Value {
        match self {
            Selectors::Basic(list) => json!({ "TrailARN": arn, "EventSelectors": list }),
            Selectors::Advanced(list) => json!({ "TrailARN": arn, "AdvancedEventSelectors": list }),
        }
    }
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let reference = changeable(world, call, call.required("TrailName"))?;
    let selectors = Selectors::read(call)?;
    let described = selectors.describe(&reference.arn());
    if let Some(trail) = world.cloudtrail.get_mut(&reference) {
        trail.selectors = selectors;
    }
    Ok(described)
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let trail = visible(world, call, call.required("TrailName"))?;
    Ok(trail.selectors.describe(&trail.arn()))
}

/// A selector with the members that were left out.
pub(super) fn fill(selector: &Value) -> Value {
    let or = |member: &str, default: Value| selector.get(member).cloned().unwrap_or(default);
    json!({
        "ReadWriteType": or("ReadWriteType", "All".into()),
        "IncludeManagementEvents": or("IncludeManagementEvents", true.into()),
        "DataResources": or("DataResources", json!([])),
        "ExcludeManagementEventSources": or("ExcludeManagementEventSources", json!([])),
    })
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_basic(selectors: &[Value]) -> Result<(), AwsError> {
    if selectors.len() > MOST_SELECTORS {
        return Err(invalid("A trail can have at most 5 event selectors."));
    }
    let mut resources = 0;
    for selector in selectors {
        let data = items(&selector["DataResources"]);
        let management = selector["IncludeManagementEvents"]
            .as_bool()
            .unwrap_or(true);
        if data.is_empty() && !management {
            return Err(invalid(
                "A selector must log management events or data events.",
            ));
        }
        for resource in data {
            let prefix = match resource["Type"].as_str() {
                Some("AWS::S3::Object") => "arn:aws:s3",
                Some("AWS::Lambda::Function") => "arn:aws:lambda",
                Some("AWS::DynamoDB::Table") => "arn:aws:dynamodb",
                _ => return Err(invalid("The type of a data resource is not valid.")),
            };
            let values = items(&resource["Values"]);
            let fits = |value: &Value| value.as_str().is_some_and(|arn| arn.starts_with(prefix));
            if values.is_empty() || !values.iter().all(fits) {
                return Err(invalid(
                    "The values of a data resource must be ARNs of its type.",
                ));
            }
            resources += values.len();
        }
        let sources = items(&selector["ExcludeManagementEventSources"]);
        let known =
            |source: &Value| *source == "kms.amazonaws.com" || *source == "rdsdata.amazonaws.com";
        if !sources.iter().all(known) {
            return Err(invalid(
                "Only kms.amazonaws.com and rdsdata.amazonaws.com can be excluded.",
            ));
        }
    }
    if resources > MOST_RESOURCES {
        return Err(invalid("A trail can have at most 250 data resources."));
    }
    Ok(())
}

fn check_advanced(selectors: &[Value]) -> Result<(), AwsError> {
    const FIELDS: [&str; 9] = [
        "eventCategory",
        "eventName",
        "eventSource",
        "eventType",
        "readOnly",
        "resources.ARN",
        "resources.type",
        "sessionCredentialFromConsole",
        "userIdentity.arn",
    ];
    const OPERATORS: [&str; 6] = [
        "Equals",
        "StartsWith",
        "EndsWith",
        "NotEquals",
        "NotStartsWith",
        "NotEndsWith",
    ];
    let mut values = 0;
    for selector in selectors {
        let fields = items(&selector["FieldSelectors"]);
        for field in fields {
            let name = field["Field"].as_str().unwrap_or_default();
            let given = OPERATORS
                .iter()
                .map(|operator| items(&field[*operator]).len());
            let given: usize = given.sum();
            if !FIELDS.contains(&name) || given == 0 {
                return Err(invalid(
                    "A field selector needs a known field and a condition.",
                ));
            }
            values += given;
        }
        let equals = |name: &str| {
            let mut named = fields.iter().filter(|field| field["Field"] == name);
            match (named.next(), named.next()) {
                (Some(field), None) => match items(&field["Equals"]) {
                    [value] => value.as_str(),
                    _ => None,
                },
                _ => None,
            }
        };
        match (equals("eventCategory"), equals("resources.type")) {
            (Some("Management"), None) | (Some("Data"), Some(_)) => {}
            (Some("NetworkActivity"), None) if equals("eventSource").is_some() => {}
            _ => {
                return Err(invalid(
                    "A selector needs one eventCategory, and what goes with it: resources.type for Data, eventSource for NetworkActivity.",
                ));
            }
        }
    }
    if values > MOST_VALUES {
        return Err(invalid(
            "A trail can have at most 500 values in its conditions.",
        ));
    }
    Ok(())
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("InvalidEventSelectorsException", message)
}
