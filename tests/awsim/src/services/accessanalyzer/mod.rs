//! IAM Access Analyzer: who watches which accesses, in one Region. Findings are not built.
//!
//! An analyzer's type is its zone of trust: the account, or the organization. An account has one analyzer of each type
//! for itself in a Region; an organization up to five, made by the management account or by the account that administers
//! Access Analyzer for it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::paging::Paging;
use crate::world::{MANAGEMENT_ACCOUNT, World};

mod tags;
mod tamper;
mod validation;

pub use tamper::tamper;

/// What Organizations and IAM call the service.
const PRINCIPAL: &str = "access-analyzer.amazonaws.com";

/// Quota: analyzers of one type with the organization as zone of trust, in a Region.
const MOST_OF_ORGANIZATION: usize = 5;

/// How long a new analyzer is `CREATING`.
const CREATING: SignedDuration = SignedDuration::from_secs(5);

#[derive(Default)]
pub struct State {
    /// By name, which is unique in an account and Region.
    analyzers: BTreeMap<(AccountId, Region), BTreeMap<String, Analyzer>>,
}

struct Analyzer {
    arn: String,
    name: String,
    /// `ACCOUNT`, `ORGANIZATION`, or one of these with `_UNUSED_ACCESS` or `_INTERNAL_ACCESS` behind.
    kind: String,
    created: Timestamp,
    active_from: Timestamp,
    failed: bool,
    configuration: Option<Value>,
    tags: IndexMap<String, String>,
}

impl Analyzer {
    fn is_of_organization(&self) -> bool {
        self.kind.starts_with("ORGANIZATION")
    }
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateAnalyzer" => create(world, call),
        "GetAnalyzer" => get(world, call),
        "ListAnalyzers" => list(world, call),
        "DeleteAnalyzer" => delete(world, call),
        "ValidatePolicy" => validation::validate(call),
        "TagResource" => tags::tag(world, call),
        "UntagResource" => tags::untag(world, call),
        "ListTagsForResource" => tags::list(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The ARN of the analyzer that a call is about.
pub fn resource(call: &Call<'_>) -> String {
    if let Some(arn) = call.text("resourceArn") {
        return arn.to_owned();
    }
    match call.text("analyzerName") {
        Some(name) => arn(call, name),
        None => "*".to_owned(),
    }
}

fn arn(call: &Call<'_>, name: &str) -> String {
    format!(
        "arn:aws:access-analyzer:{}:{}:analyzer/{name}",
        call.region,
        call.account()
    )
}

fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name, kind) = (
        call.account(),
        call.required("analyzerName"),
        call.required("type"),
    );
    if kind.starts_with("ORGANIZATION") {
        refuse_outsiders(world, call)?;
    }
    let active_from = call.now + world.wait(CREATING);
    let analyzers = world
        .accessanalyzer
        .analyzers
        .entry((account, call.region))
        .or_default();
    if analyzers.contains_key(name) {
        return Err(conflict(call, name));
    }
    let most = if kind.starts_with("ORGANIZATION") {
        MOST_OF_ORGANIZATION
    } else {
        1
    };
    if analyzers.values().filter(|one| one.kind == kind).count() >= most {
        let message = "You have reached the maximum number of analyzers of this type.";
        return Err(AwsError::new("ServiceQuotaExceededException", message)
            .status(402)
            .with("resourceId", name)
            .with("resourceType", "AWS::AccessAnalyzer::Analyzer"));
    }
    let arn = arn(call, name);
    let tags = call.input.get("tags").and_then(Value::as_object);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let analyzer = Analyzer {
        arn: arn.clone(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        created: call.now,
        active_from,
        failed: false,
        configuration: call.input.get("configuration").cloned(),
        tags: tags
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
    };
    analyzers.insert(name.to_owned(), analyzer);
    world
        .iam
        .ensure_service_linked_role(account, PRINCIPAL, call.now);
    Ok(json!({ "arn": arn }))
}

/// Analyzers of the organization are for the management account and its delegated administrator, once the service may
/// work across the organization.
fn refuse_outsiders(world: &World, call: &Call<'_>) -> Result<(), AwsError> {
    let organizations = &world.organizations;
    let account = call.account();
    let may = account == MANAGEMENT_ACCOUNT
        || organizations.is_delegated_administrator(account, PRINCIPAL);
    if may && organizations.trusted_access(PRINCIPAL) {
        return Ok(());
    }
    let message = "You must create an analyzer for your organization using the management account or a delegated administrator.";
    Err(AwsError::new("AccessDeniedException", message).status(403))
}

fn conflict(call: &Call<'_>, name: &str) -> AwsError {
    let message = format!("An analyzer with the name {name} already exists.");
    AwsError::new("ConflictException", message)
        .status(409)
        .with("resourceId", arn(call, name))
        .with("resourceType", "AWS::AccessAnalyzer::Analyzer")
}

fn not_found(name: &str) -> AwsError {
    AwsError::new(
        "ResourceNotFoundException",
        "The specified analyzer could not be found.",
    )
    .status(404)
    .with("resourceId", name)
    .with("resourceType", "AWS::AccessAnalyzer::Analyzer")
}

impl State {
    fn of(&self, call: &Call<'_>) -> impl Iterator<Item = &Analyzer> {
        self.analyzers
            .get(&(call.account(), call.region))
            .into_iter()
            .flat_map(BTreeMap::values)
    }
}

/// An analyzer as it is shown. One of the organization stops when what let it work is taken away.
fn summary(world: &World, call: &Call<'_>, analyzer: &Analyzer) -> Value {
    let organizations = &world.organizations;
    let account = call.account();
    let stopped = if !analyzer.is_of_organization() {
        None
    } else if !organizations.trusted_access(PRINCIPAL) {
        Some("AWS_SERVICE_ACCESS_DISABLED")
    } else if account != MANAGEMENT_ACCOUNT
        && !organizations.is_delegated_administrator(account, PRINCIPAL)
    {
        Some("DELEGATED_ADMINISTRATOR_DEREGISTERED")
    } else {
        None
    };
    let (status, reason) = match stopped {
        _ if analyzer.failed => ("FAILED", Some("SERVICE_LINKED_ROLE_CREATION_FAILED")),
        Some(reason) => ("DISABLED", Some(reason)),
        None if call.now < analyzer.active_from => ("CREATING", None),
        None => ("ACTIVE", None),
    };
    let mut shown = json!({
        "arn": analyzer.arn,
        "name": analyzer.name,
        "type": analyzer.kind,
        "createdAt": analyzer.created.to_string(),
        "status": status,
        "tags": analyzer.tags,
    });
    if let Some(code) = reason {
        shown["statusReason"] = json!({ "code": code });
    }
    shown
}

fn get(world: &World, call: &Call<'_>) -> Answer {
    let name = call.required("analyzerName");
    let analyzer = world
        .accessanalyzer
        .of(call)
        .find(|one| one.name == name)
        .ok_or_else(|| not_found(name))?;
    let mut shown = summary(world, call, analyzer);
    if let Some(configuration) = &analyzer.configuration {
        shown["configuration"] = configuration.clone();
    }
    Ok(json!({ "analyzer": shown }))
}

fn list(world: &World, call: &Call<'_>) -> Answer {
    let kind = call.text("type");
    let analyzers = world
        .accessanalyzer
        .of(call)
        .filter(|one| kind.is_none_or(|kind| one.kind == kind))
        .map(|one| summary(world, call, one))
        .collect();
    let paging = Paging {
        items: "analyzers",
        limit: "maxResults",
        token: ("nextToken", "nextToken"),
        most: 100,
        bad_token: "ValidationException",
        empty_first: false,
    };
    paging.page(call, analyzers).map(Value::Object)
}

fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("analyzerName");
    world
        .accessanalyzer
        .analyzers
        .get_mut(&(call.account(), call.region))
        .and_then(|analyzers| analyzers.remove(name))
        .map(|_| json!({}))
        .ok_or_else(|| not_found(name))
}

#[cfg(test)]
mod tests;
