//! One stack: its resources, in the order of what refers to what.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::call::{Call, Principal, Region};
use crate::services;
use crate::world::World;

/// A resource that was made: what `Ref` and `Fn::GetAtt` say of it.
pub(super) struct Made {
    id: String,
    arn: String,
}

/// A stack that is being made.
pub(super) struct Stack<'a> {
    pub(super) template: &'a Value,
    pub(super) parameters: &'a BTreeMap<String, String>,
    /// Who makes it.
    pub(super) executor: &'a Principal,
    pub(super) region: Region,
    pub(super) now: Timestamp,
    pub(super) made: BTreeMap<String, Made>,
}

/// Why a value is not known.
enum Unknown {
    /// The resource is not made yet.
    Yet,
    Never(String),
}

impl Stack<'_> {
    /// Makes every resource, each once all that it refers to is made.
    pub(super) fn make_all(mut self, world: &mut World) -> Result<Value, String> {
        let resources = self.template["Resources"].as_object();
        let mut left: Vec<(&String, &Value)> =
            resources.ok_or("it has no Resources")?.iter().collect();
        while !left.is_empty() {
            let before = left.len();
            let mut waiting = Vec::new();
            for (name, resource) in left {
                match self.resolve(&resource["Properties"]) {
                    Ok(properties) => {
                        let kind = resource["Type"].as_str().unwrap_or_default();
                        let made = self.make(world, name, kind, &properties);
                        self.made
                            .insert(name.clone(), made.map_err(|why| format!("{name}: {why}"))?);
                    }
                    Err(Unknown::Yet) => waiting.push((name, resource)),
                    Err(Unknown::Never(why)) => return Err(format!("{name}: {why}")),
                }
            }
            if waiting.len() == before {
                return Err("its resources refer to each other in a circle".to_owned());
            }
            left = waiting;
        }
        let outputs = self.template["Outputs"].as_object();
        let mut told = Map::new();
        for (name, output) in outputs.into_iter().flatten() {
            let value = self
                .resolve(&output["Value"])
                .map_err(|_| format!("the output {name} is not known"))?;
            told.insert(name.clone(), value);
        }
        Ok(Value::Object(told))
    }

    /// A value with all that it refers to in its place.
    fn resolve(&self, value: &Value) -> Result<Value, Unknown> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(members) => {
                let only = (members.len() == 1)
                    .then(|| members.iter().next())
                    .flatten();
                match only {
                    Some((name, of)) if name == "Ref" => self.named(text(of)?).map(Value::from),
                    Some((name, of)) if name == "Fn::Sub" => self.substitute(text(of)?),
                    Some((name, of)) if name == "Fn::GetAtt" => {
                        let path = of.as_array().map(|parts| {
                            parts
                                .iter()
                                .filter_map(Value::as_str)
                                .collect::<Vec<_>>()
                                .join(".")
                        });
                        self.named(
                            &path
                                .or_else(|| of.as_str().map(str::to_owned))
                                .unwrap_or_default(),
                        )
                        .map(Value::from)
                    }
                    Some((name, _)) if name.starts_with("Fn::") => {
                        Err(Unknown::Never(format!("{name} is not built")))
                    }
                    _ => {
                        let resolved = members
                            .iter()
                            .map(|(name, value)| Ok((name.clone(), self.resolve(value)?)));
                        Ok(Value::Object(resolved.collect::<Result<_, Unknown>>()?))
                    }
                }
            }
            other => Ok(other.clone()),
        }
    }

    /// What a name or `NAME.Arn` stands for.
    fn named(&self, name: &str) -> Result<String, Unknown> {
        match name {
            "AWS::Region" => return Ok(self.region.to_owned()),
            "AWS::AccountId" => return Ok(self.executor.account.to_string()),
            "AWS::Partition" => return Ok("aws".to_owned()),
            _ => {}
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        let declared = &self.template["Parameters"][name];
        if !declared.is_null() {
            let default = declared["Default"].as_str().map(str::to_owned);
            return default
                .ok_or_else(|| Unknown::Never(format!("the parameter {name} has no value")));
        }
        let (resource, attribute) = name
            .split_once('.')
            .map_or((name, None), |(name, part)| (name, Some(part)));
        if self.template["Resources"][resource].is_null() {
            return Err(Unknown::Never(format!("there is no {name}")));
        }
        let made = self.made.get(resource).ok_or(Unknown::Yet)?;
        match attribute {
            None => Ok(made.id.clone()),
            Some("Arn") => Ok(made.arn.clone()),
            Some(_) => Err(Unknown::Never(format!("{name} is not built"))),
        }
    }

    fn substitute(&self, text: &str) -> Result<Value, Unknown> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let unclosed = || Unknown::Never(format!("`{text}` is not closed"));
            let (name, after) = after.split_once('}').ok_or_else(unclosed)?;
            out.push_str(before);
            out.push_str(&self.named(name)?);
            rest = after;
        }
        Ok(Value::from(out + rest))
    }

    fn make(
        &self,
        world: &mut World,
        name: &str,
        kind: &str,
        properties: &Value,
    ) -> Result<Made, String> {
        let text = |member: &str| properties[member].as_str().unwrap_or(name).to_owned();
        let (account, region) = (self.executor.account, self.region);
        match kind {
            "AWS::Events::EventBus" => {
                let made = self.call(
                    world,
                    ("events", "CreateEventBus"),
                    json!({"Name": text("Name")}),
                )?;
                Ok(Made {
                    id: text("Name"),
                    arn: string(&made, "/EventBusArn"),
                })
            }
            "AWS::Events::EventBusPolicy" => {
                let mut statement = properties["Statement"].clone();
                statement["Sid"] = text("StatementId").into();
                let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
                let input = json!({"EventBusName": text("EventBusName"), "Policy": policy});
                self.call(world, ("events", "PutPermission"), input)?;
                Ok(Made {
                    id: text("StatementId"),
                    arn: String::new(),
                })
            }
            "AWS::Events::Rule" => {
                let bus = properties["EventBusName"].as_str().unwrap_or("default");
                let mut input = json!({"Name": text("Name"), "EventBusName": bus, "EventPattern": properties["EventPattern"].to_string()});
                for member in ["State", "Description"] {
                    if let Some(value) = properties.get(member) {
                        input[member] = value.clone();
                    }
                }
                let made = self.call(world, ("events", "PutRule"), input)?;
                let targets = json!({"Rule": text("Name"), "EventBusName": bus, "Targets": properties["Targets"]});
                self.call(world, ("events", "PutTargets"), targets)?;
                Ok(Made {
                    id: text("Name"),
                    arn: string(&made, "/RuleArn"),
                })
            }
            "AWS::IAM::Role" => {
                let trust = properties["AssumeRolePolicyDocument"].to_string();
                let input =
                    json!({"RoleName": text("RoleName"), "AssumeRolePolicyDocument": trust});
                let made = self.call(world, ("iam", "CreateRole"), input)?;
                for policy in properties["Policies"].as_array().into_iter().flatten() {
                    let input = json!({"RoleName": text("RoleName"), "PolicyName": policy["PolicyName"], "PolicyDocument": policy["PolicyDocument"].to_string()});
                    self.call(world, ("iam", "PutRolePolicy"), input)?;
                }
                Ok(Made {
                    id: text("RoleName"),
                    arn: string(&made, "/Role/Arn"),
                })
            }
            "AWS::SQS::Queue" => {
                let plain = |value: &Value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                };
                let attributes = properties.as_object().into_iter().flatten();
                let attributes = attributes.filter(|(member, _)| *member != "QueueName");
                let attributes: Map<String, Value> = attributes
                    .map(|(member, value)| (member.clone(), plain(value).into()))
                    .collect();
                let input = json!({"QueueName": text("QueueName"), "Attributes": attributes});
                let made = self.call(world, ("sqs", "CreateQueue"), input)?;
                let arn = format!("arn:aws:sqs:{region}:{account}:{}", text("QueueName"));
                Ok(Made {
                    id: string(&made, "/QueueUrl"),
                    arn,
                })
            }
            "AWS::SQS::QueuePolicy" => {
                for queue in properties["Queues"].as_array().into_iter().flatten() {
                    let policy = properties["PolicyDocument"].to_string();
                    let input = json!({"QueueUrl": queue, "Attributes": {"Policy": policy}});
                    self.call(world, ("sqs", "SetQueueAttributes"), input)?;
                }
                Ok(Made {
                    id: name.to_owned(),
                    arn: String::new(),
                })
            }
            other => Err(format!("{other} is not built")),
        }
    }

    fn call(
        &self,
        world: &mut World,
        (service, operation): (&'static str, &'static str),
        input: Value,
    ) -> Result<Value, String> {
        let call = Call {
            service,
            operation,
            principal: self.executor,
            region: self.region,
            now: self.now,
            input,
        };
        services::answer(world, &call).map_err(|error| format!("{}: {}", error.code, error.message))
    }
}

fn text(value: &Value) -> Result<&str, Unknown> {
    value
        .as_str()
        .ok_or_else(|| Unknown::Never(format!("{value} is not a name")))
}

fn string(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
