use super::*;
use crate::services::scene::Scene;

const REGION: Region = "eu-west-1";

fn try_create(
    scene: &mut Scene,
    account: AccountId,
    region: Region,
    name: &str,
    kind: &str,
) -> String {
    let input = json!({ "analyzerName": name, "type": kind });
    let answer = scene.call(
        ("access-analyzer", "CreateAnalyzer"),
        account,
        region,
        input,
    );
    answer.map_or_else(|error| error.code, |_| "ok".to_owned())
}

fn listed(scene: &mut Scene, account: AccountId, region: Region) -> Vec<(String, String)> {
    let call = ("access-analyzer", "ListAnalyzers");
    let answer = scene.call(call, account, region, json!({})).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let analyzers = answer["analyzers"].as_array().unwrap();
    analyzers
        .iter()
        .map(|one| (text(&one["name"]), text(&one["status"])))
        .collect()
}

#[test]
fn an_account_has_one_analyzer_of_a_type_in_a_region() {
    let mut scene = Scene::new();
    let account = scene.account("member");
    for (region, name, kind, outcome) in [
        (REGION, "one", "ACCOUNT", "ok"),
        (REGION, "one", "ACCOUNT", "ConflictException"),
        (REGION, "two", "ACCOUNT", "ServiceQuotaExceededException"),
        (REGION, "unused", "ACCOUNT_UNUSED_ACCESS", "ok"),
        ("us-east-1", "one", "ACCOUNT", "ok"),
    ] {
        assert_eq!(
            try_create(&mut scene, account, region, name, kind),
            outcome,
            "{name}"
        );
    }
    assert!(
        scene
            .world
            .iam
            .has_role(account, "AWSServiceRoleForAccessAnalyzer")
    );
    let status = |name: &str, status: &str| (name.to_owned(), status.to_owned());
    assert_eq!(
        listed(&mut scene, account, "us-east-1"),
        [status("one", "CREATING")]
    );
    scene.after(CREATING);
    assert_eq!(
        listed(&mut scene, account, "us-east-1"),
        [status("one", "ACTIVE")]
    );

    let mut delete = || {
        let input = json!({ "analyzerName": "one" });
        scene.call(
            ("access-analyzer", "DeleteAnalyzer"),
            account,
            "us-east-1",
            input,
        )
    };
    delete().unwrap();
    assert_eq!(delete().unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn the_organization_s_analyzers_are_its_administrator_s() {
    let mut scene = Scene::new();
    let account = scene.account("security");
    let create =
        |scene: &mut Scene, name: &str| try_create(scene, account, REGION, name, "ORGANIZATION");
    assert_eq!(create(&mut scene, "one"), "AccessDeniedException");
    let now = scene.now;
    scene
        .world
        .organizations
        .enable_trusted_access(PRINCIPAL, now);
    assert_eq!(create(&mut scene, "one"), "AccessDeniedException");
    scene
        .world
        .organizations
        .register_delegated_administrator(account, PRINCIPAL, now);
    for name in ["one", "two", "three", "four", "five"] {
        assert_eq!(create(&mut scene, name), "ok");
    }
    assert_eq!(create(&mut scene, "six"), "ServiceQuotaExceededException");

    let mut organizations = |operation, input| {
        scene
            .call(
                ("organizations", operation),
                MANAGEMENT_ACCOUNT,
                "us-east-1",
                input,
            )
            .unwrap();
    };
    organizations(
        "DeregisterDelegatedAdministrator",
        json!({ "AccountId": account.to_string(), "ServicePrincipal": PRINCIPAL }),
    );
    let all = listed(&mut scene, account, REGION);
    assert!(
        all.iter().all(|(_, status)| status == "DISABLED"),
        "{all:?}"
    );
}

#[test]
fn analyzers_have_tags() {
    let mut scene = Scene::new();
    let account = scene.account("member");
    let mut call = |operation, input| {
        scene
            .call(("access-analyzer", operation), account, REGION, input)
            .unwrap()
    };
    let arn = call(
        "CreateAnalyzer",
        json!({ "analyzerName": "one", "type": "ACCOUNT", "tags": { "a": "1" } }),
    )["arn"]
        .clone();
    call(
        "TagResource",
        json!({ "resourceArn": arn, "tags": { "b": "2" } }),
    );
    call(
        "UntagResource",
        json!({ "resourceArn": arn, "tagKeys": ["a"] }),
    );
    assert_eq!(
        call("ListTagsForResource", json!({ "resourceArn": arn })),
        json!({ "tags": { "b": "2" } })
    );
}
