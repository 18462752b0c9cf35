use serde_json::json;

use super::{ALONE, HERE, ask, detector, feature};
use crate::call::AccountId;
use crate::services::scene::Scene;

#[test]
fn one_detector_for_each_account_and_region() {
    let mut scene = Scene::new();
    let id = detector(&mut scene, ALONE);
    let again = ask(
        &mut scene,
        "CreateDetector",
        ALONE,
        json!({ "Enable": true }),
    )
    .unwrap_err();
    assert_eq!(
        (again.code.as_str(), again.status),
        ("BadRequestException", 400)
    );
    assert_eq!(
        ask(&mut scene, "ListDetectors", ALONE, json!({})).unwrap()["DetectorIds"],
        json!([id])
    );

    let elsewhere = scene
        .call(
            ("guardduty", "ListDetectors"),
            ALONE,
            "us-east-1",
            json!({}),
        )
        .unwrap();
    assert_eq!(elsewhere["DetectorIds"], json!([]));
    let stranger = ask(
        &mut scene,
        "GetDetector",
        AccountId(1),
        json!({ "DetectorId": id }),
    )
    .unwrap_err();
    assert!(
        stranger.message.contains("not owned"),
        "{}",
        stranger.message
    );

    ask(
        &mut scene,
        "DeleteDetector",
        ALONE,
        json!({ "DetectorId": id }),
    )
    .unwrap();
    assert_ne!(detector(&mut scene, ALONE), id);
}

#[test]
fn update_detector_merges_features() {
    let mut scene = Scene::new();
    let id = detector(&mut scene, ALONE);
    let before = ask(
        &mut scene,
        "GetDetector",
        ALONE,
        json!({ "DetectorId": id }),
    )
    .unwrap();
    assert_eq!(feature(&before, "S3_DATA_EVENTS")["Status"], "ENABLED");
    assert_eq!(feature(&before, "RUNTIME_MONITORING")["Status"], "DISABLED");

    let input = json!({ "DetectorId": id, "Features": [
        { "Name": "RUNTIME_MONITORING", "Status": "ENABLED",
          "AdditionalConfiguration": [{ "Name": "EC2_AGENT_MANAGEMENT", "Status": "ENABLED" }] },
        { "Name": "EKS_AUDIT_LOGS", "Status": "DISABLED" },
    ] });
    ask(&mut scene, "UpdateDetector", ALONE, input).unwrap();
    let after = ask(
        &mut scene,
        "GetDetector",
        ALONE,
        json!({ "DetectorId": id }),
    )
    .unwrap();
    let runtime = feature(&after, "RUNTIME_MONITORING");
    assert_eq!(runtime["Status"], "ENABLED");
    let agents: Vec<_> = runtime["AdditionalConfiguration"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["Status"])
        .collect();
    assert_eq!(agents, ["DISABLED", "DISABLED", "ENABLED"]);
    assert_eq!(feature(&after, "EKS_AUDIT_LOGS")["Status"], "DISABLED");
    assert_eq!(
        after["DataSources"]["Kubernetes"]["AuditLogs"]["Status"],
        "DISABLED"
    );
    assert_eq!(
        feature(&after, "S3_DATA_EVENTS"),
        feature(&before, "S3_DATA_EVENTS")
    );

    let one = json!({ "DetectorId": id, "Features": [{ "Name": "S3_DATA_EVENTS", "Status": "DISABLED" }] });
    ask(&mut scene, "UpdateDetector", ALONE, one).unwrap();
    let last = ask(
        &mut scene,
        "GetDetector",
        ALONE,
        json!({ "DetectorId": id }),
    )
    .unwrap();
    assert_eq!(feature(&last, "S3_DATA_EVENTS")["Status"], "DISABLED");
    assert_eq!(feature(&last, "RUNTIME_MONITORING"), runtime);
}

#[test]
fn a_request_for_both_runtime_monitorings_changes_nothing() {
    let mut scene = Scene::new();
    let id = detector(&mut scene, ALONE);
    let both = json!([
        { "Name": "EKS_RUNTIME_MONITORING", "Status": "ENABLED" },
        { "Name": "RUNTIME_MONITORING", "Status": "ENABLED" },
    ]);
    ask(
        &mut scene,
        "UpdateDetector",
        ALONE,
        json!({ "DetectorId": id, "Enable": false, "Features": both }),
    )
    .unwrap_err();
    let detector = ask(
        &mut scene,
        "GetDetector",
        ALONE,
        json!({ "DetectorId": id }),
    )
    .unwrap();
    assert_eq!(detector["Status"], "ENABLED");
    assert_eq!(
        feature(&detector, "RUNTIME_MONITORING")["Status"],
        "DISABLED"
    );
}

#[test]
fn tags_belong_to_the_detector() {
    let mut scene = Scene::new();
    let id = detector(&mut scene, ALONE);
    let arn = format!("arn:aws:guardduty:{HERE}:{ALONE}:detector/{id}");
    ask(
        &mut scene,
        "TagResource",
        ALONE,
        json!({ "ResourceArn": arn, "Tags": { "a": "1", "b": "2" } }),
    )
    .unwrap();
    ask(
        &mut scene,
        "UntagResource",
        ALONE,
        json!({ "ResourceArn": arn, "TagKeys": ["a"] }),
    )
    .unwrap();
    let tags = ask(
        &mut scene,
        "ListTagsForResource",
        ALONE,
        json!({ "ResourceArn": arn }),
    )
    .unwrap();
    assert_eq!(tags["Tags"], json!({ "b": "2" }));
    ask(
        &mut scene,
        "ListTagsForResource",
        AccountId(1),
        json!({ "ResourceArn": arn }),
    )
    .unwrap_err();
}
