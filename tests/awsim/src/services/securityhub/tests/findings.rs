use serde_json::{Value, json};

use super::{HERE, ask, create_members, delegated, refusal, subscribed};
use crate::call::{AccountId, Answer};
use crate::services::scene::Scene;

fn finding(account: AccountId, region: &str, id: &str, label: &str) -> Value {
    json!({
        "SchemaVersion": "2018-10-08", "Id": id, "GeneratorId": "test", "AwsAccountId": account.to_string(),
        "ProductArn": format!("arn:aws:securityhub:{region}:{account}:product/{account}/default"),
        "Types": ["Software and Configuration Checks"], "Severity": { "Label": label },
        "CreatedAt": "2026-01-01T00:00:00Z", "UpdatedAt": "2026-01-02T00:00:00Z",
        "Title": format!("Open bucket {id}"), "Description": "A bucket is open.",
        "Resources": [{ "Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::{id}"), "Tags": { "stage": "prod" } }],
    })
}

fn import(
    scene: &mut Scene,
    account: AccountId,
    region: &'static str,
    findings: &[Value],
) -> Answer {
    scene.call(
        ("securityhub", "BatchImportFindings"),
        account,
        region,
        json!({ "Findings": findings }),
    )
}

fn found(scene: &mut Scene, account: AccountId, filters: &Value) -> Vec<String> {
    let input =
        json!({ "Filters": filters, "SortCriteria": [{ "Field": "Id", "SortOrder": "asc" }] });
    let answer = ask(scene, "GetFindings", account, input).unwrap();
    answer["Findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["Id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn filters_apply() {
    let mut scene = Scene::new();
    let account = subscribed(&mut scene, "alone");
    let all = [
        finding(account, HERE, "a", "LOW"),
        finding(account, HERE, "b", "HIGH"),
        finding(account, HERE, "c", "CRITICAL"),
    ];
    assert_eq!(
        import(&mut scene, account, HERE, &all).unwrap()["SuccessCount"],
        3
    );
    let cases = [
        (json!({}), vec!["a", "b", "c"]),
        (
            json!({ "SeverityLabel": [{ "Value": "HIGH", "Comparison": "EQUALS" }, { "Value": "LOW", "Comparison": "EQUALS" }] }),
            vec!["a", "b"],
        ),
        (
            json!({ "SeverityLabel": [{ "Value": "HIGH", "Comparison": "NOT_EQUALS" }, { "Value": "LOW", "Comparison": "NOT_EQUALS" }] }),
            vec!["c"],
        ),
        (
            json!({ "SeverityNormalized": [{ "Gte": 70 }] }),
            vec!["b", "c"],
        ),
        (
            json!({ "SeverityNormalized": [{ "Gte": 70 }], "Id": [{ "Value": "b", "Comparison": "EQUALS" }] }),
            vec!["b"],
        ),
        (
            json!({ "ResourceId": [{ "Value": "arn:aws:s3:::a", "Comparison": "PREFIX" }] }),
            vec!["a"],
        ),
        (
            json!({ "ResourceTags": [{ "Key": "stage", "Value": "test", "Comparison": "EQUALS" }] }),
            vec![],
        ),
        (
            json!({ "Title": [{ "Value": "bucket a", "Comparison": "NOT_CONTAINS" }] }),
            vec!["b", "c"],
        ),
        (
            json!({ "UpdatedAt": [{ "Start": "2026-01-03T00:00:00Z", "End": "2026-01-04T00:00:00Z" }] }),
            vec![],
        ),
        (
            json!({ "RecordState": [{ "Value": "ACTIVE", "Comparison": "EQUALS" }] }),
            vec!["a", "b", "c"],
        ),
    ];
    for (filters, expected) in cases {
        assert_eq!(found(&mut scene, account, &filters), expected, "{filters}");
    }
    let unknown =
        json!({ "Filters": { "MalwareName": [{ "Value": "x", "Comparison": "EQUALS" }] } });
    assert_eq!(
        refusal(ask(&mut scene, "GetFindings", account, unknown)).1,
        501
    );
}

#[test]
fn findings_come_from_the_account_they_are_about() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let member = scene.account("member");
    create_members(&mut scene, admin, &[member]);
    let own = finding(member, HERE, "a", "LOW");
    let stranger = refusal(import(&mut scene, admin, HERE, std::slice::from_ref(&own)));
    assert_eq!(stranger, ("AccessDeniedException".to_owned(), 403));
    let mut foreign = own.clone();
    foreign["ProductArn"] = finding(admin, HERE, "a", "LOW")["ProductArn"].clone();
    let foreign = refusal(import(&mut scene, member, HERE, &[foreign]));
    assert_eq!(foreign.0, "AccessDeniedException");
    let mut bad = own.clone();
    bad["Severity"] = json!({});
    let answer = import(&mut scene, member, HERE, &[own, bad]).unwrap();
    assert_eq!(
        (&answer["SuccessCount"], &answer["FailedCount"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(found(&mut scene, member, &json!({})), ["a"]);
    assert_eq!(found(&mut scene, admin, &json!({})), ["a"]);
}

#[test]
fn an_aggregator_brings_other_regions_home() {
    let mut scene = Scene::new();
    let account = subscribed(&mut scene, "alone");
    scene
        .call(
            ("securityhub", "EnableSecurityHub"),
            account,
            "us-east-1",
            json!({}),
        )
        .unwrap();
    import(
        &mut scene,
        account,
        "us-east-1",
        &[finding(account, "us-east-1", "far", "LOW")],
    )
    .unwrap();
    assert!(found(&mut scene, account, &json!({})).is_empty());
    let bad = json!({ "RegionLinkingMode": "SPECIFIED_REGIONS" });
    assert_eq!(
        refusal(ask(&mut scene, "CreateFindingAggregator", account, bad)).0,
        "InvalidInputException"
    );
    let input = json!({ "RegionLinkingMode": "SPECIFIED_REGIONS", "Regions": ["us-east-1"] });
    let aggregator = ask(
        &mut scene,
        "CreateFindingAggregator",
        account,
        input.clone(),
    )
    .unwrap();
    assert_eq!(found(&mut scene, account, &json!({})), ["far"]);
    ask(&mut scene, "CreateFindingAggregator", account, input).expect_err("one for each account");

    let arn = aggregator["FindingAggregatorArn"].clone();
    let named = json!({ "FindingAggregatorArn": arn, "RegionLinkingMode": "NO_REGIONS" });
    let away = scene.call(
        ("securityhub", "UpdateFindingAggregator"),
        account,
        "us-east-1",
        named.clone(),
    );
    assert_eq!(refusal(away).0, "AccessDeniedException");
    ask(
        &mut scene,
        "UpdateFindingAggregator",
        account,
        named.clone(),
    )
    .unwrap();
    assert!(found(&mut scene, account, &json!({})).is_empty());
    ask(&mut scene, "DeleteFindingAggregator", account, named).unwrap();
    let listed = ask(&mut scene, "ListFindingAggregators", account, json!({})).unwrap();
    assert_eq!(listed["FindingAggregators"], json!([]));
}
