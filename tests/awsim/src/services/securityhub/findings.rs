//! Findings: imported by the account that they are about, seen by it and its administrator.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::aggregators::visible_regions;
use super::filters::{Filter, compare};
use super::{access_denied, invalid_input, paging, subscriber, time};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

/// Findings by product and id.
pub(super) type Findings = BTreeMap<(String, String), Value>;

/// What customers change in a finding stays as they left it when the finding is imported again.
const KEPT: [&str; 5] = [
    "Note",
    "UserDefinedFields",
    "VerificationState",
    "Workflow",
    "WorkflowState",
];

/// Only the account that a finding is about may import it, under its own default product.
pub(super) fn import(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let (account, region) = (call.account().to_string(), call.region);
    let product = format!("arn:aws:securityhub:{region}:{account}:product/{account}/default");
    for finding in call.list("Findings") {
        if finding["ProductArn"] != product || finding["AwsAccountId"] != account {
            return Err(access_denied(format!(
                "{} is not authorized to import findings of product {} for account {}",
                call.principal.arn, finding["ProductArn"], finding["AwsAccountId"]
            )));
        }
    }
    let findings = &mut subscriber(world, call)?.findings;
    let (mut imported, mut failed) = (0, Vec::new());
    for finding in call.list("Findings") {
        let id = finding["Id"].as_str().unwrap_or_default();
        match complete(finding, call) {
            Ok(mut finding) => {
                let known = findings
                    .entry((product.clone(), id.to_owned()))
                    .or_default();
                for member in KEPT {
                    if let Some(kept) = known.get(member) {
                        finding.insert(member.to_owned(), kept.clone());
                    }
                }
                *known = Value::Object(finding);
                imported += 1;
            }
            Err(message) => {
                failed.push(
                    json!({ "Id": id, "ErrorCode": "InvalidInput", "ErrorMessage": message }),
                );
            }
        }
    }
    Ok(json!({ "SuccessCount": imported, "FailedCount": failed.len(), "FailedFindings": failed }))
}

/// The finding with what Security Hub adds to it.
fn complete(finding: &Value, call: &Call<'_>) -> Result<Map<String, Value>, String> {
    let mut finding = finding.as_object().cloned().unwrap_or_default();
    for member in [
        "CreatedAt",
        "UpdatedAt",
        "FirstObservedAt",
        "LastObservedAt",
    ] {
        let text = finding.get(member).and_then(Value::as_str);
        if text.is_some_and(|text| text.parse::<Timestamp>().is_err()) {
            return Err(format!("{member} is not an RFC 3339 timestamp"));
        }
    }
    if finding
        .get("SchemaVersion")
        .is_none_or(|version| version != "2018-10-08")
    {
        return Err("SchemaVersion is not 2018-10-08".to_owned());
    }
    let provided = finding
        .get("FindingProviderFields")
        .and_then(|fields| fields.get("Severity"));
    let severity = severity(finding.get("Severity").or(provided))
        .ok_or("Severity has neither Label nor Normalized")?;
    finding.insert("Severity".to_owned(), severity);
    let added = [
        ("Region", json!(call.region)),
        ("ProductName", json!("Default")),
        ("CompanyName", json!("Personal")),
        ("RecordState", json!("ACTIVE")),
        ("Workflow", json!({ "Status": "NEW" })),
        ("WorkflowState", json!("NEW")),
        ("ProcessedAt", json!(time(call.now))),
    ];
    for (member, value) in added {
        finding.entry(member).or_insert(value);
    }
    Ok(finding)
}

/// Label and normalized number belong together; a finding gives at least one of them.
fn severity(given: Option<&Value>) -> Option<Value> {
    const LABELS: [(&str, i64); 5] = [
        ("INFORMATIONAL", 0),
        ("LOW", 1),
        ("MEDIUM", 40),
        ("HIGH", 70),
        ("CRITICAL", 90),
    ];
    let mut severity = given?.clone();
    let label = LABELS.iter().find(|(label, _)| severity["Label"] == *label);
    let (label, normalized) = match (label, severity["Normalized"].as_i64()) {
        (Some((label, least)), normalized) => (label, normalized.unwrap_or(*least)),
        (None, Some(normalized)) => {
            let (label, _) = LABELS
                .iter()
                .rev()
                .find(|(_, least)| normalized >= *least)?;
            (label, normalized)
        }
        (None, None) => return None,
    };
    severity["Label"] = json!(label);
    severity["Normalized"] = json!(normalized);
    Some(severity)
}

/// The caller's findings and its enabled members', of this Region and of those linked to it.
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    subscriber(world, call)?;
    let state = &mut world.securityhub.membership;
    let members = state.account(call.region, call.account()).enabled_members();
    let accounts: Vec<AccountId> = std::iter::once(call.account()).chain(members).collect();
    let filters = call
        .input
        .get("Filters")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let filters = filters
        .map(|(name, values)| Filter::new(name, values))
        .collect::<Result<Vec<Filter<'_>>, _>>()?;
    let mut found: Vec<&Value> = Vec::new();
    for region in visible_regions(world, call.account(), call.region) {
        let hubs = accounts
            .iter()
            .filter_map(|account| world.securityhub.hub(region, *account));
        let findings = hubs.flat_map(|hub| hub.findings.values());
        found.extend(
            findings.filter(|finding| filters.iter().all(|filter| filter.takes(finding, call.now))),
        );
    }
    sort(&mut found, call.list("SortCriteria"))?;
    paging("Findings", 100)
        .page(call, found.into_iter().cloned().collect())
        .map(Value::Object)
}

fn sort(found: &mut [&Value], criteria: &[Value]) -> Result<(), AwsError> {
    // The sort is stable: the last criterion goes first.
    for criterion in criteria.iter().rev() {
        let field = criterion["Field"].as_str().unwrap_or_default();
        let descending = criterion["SortOrder"] == "desc";
        if field.is_empty() {
            return Err(invalid_input("A sort criterion has no Field"));
        }
        found.sort_by(|a, b| {
            let order = compare(a, b, field);
            if descending { order.reverse() } else { order }
        });
    }
    Ok(())
}
