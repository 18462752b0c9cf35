//! Aggregators, of an organization and of accounts.

use jiff::SignedDuration;
use serde_json::json;

use super::{HERE, Member, refused};
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn an_organization_aggregator_belongs_to_its_administrators() {
    let mut member = Member::new();
    member.recording();
    let put = |role: String| {
        json!({
            "ConfigurationAggregatorName": "organization",
            "OrganizationAggregationSource": { "RoleArn": role, "AllAwsRegions": true },
        })
    };
    let (account, role) = (member.account, member.role.clone());
    let answer = member.call("PutConfigurationAggregator", put(role.clone()));
    refused(answer, "OrganizationAccessDeniedException");

    let answer = member.call_as(
        MANAGEMENT_ACCOUNT,
        "PutConfigurationAggregator",
        put(role.clone()),
    );
    refused(answer, "InvalidRoleException");
    let own_role = member.service_linked_role(MANAGEMENT_ACCOUNT);
    assert!(
        !member
            .scene
            .world
            .organizations
            .trusted_access("config.amazonaws.com")
    );
    let answer = member.call_as(
        MANAGEMENT_ACCOUNT,
        "PutConfigurationAggregator",
        put(own_role),
    );
    answer.unwrap();
    assert!(
        member
            .scene
            .world
            .organizations
            .trusted_access("config.amazonaws.com")
    );

    member.organizations(
        "RegisterDelegatedAdministrator",
        json!({ "AccountId": account.to_string() }),
    );
    let first = member
        .call("PutConfigurationAggregator", put(role.clone()))
        .unwrap();
    member.scene.after(SignedDuration::from_secs(1));
    let again = member
        .call("PutConfigurationAggregator", put(role))
        .unwrap();
    let (first, again) = (
        &first["ConfigurationAggregator"],
        &again["ConfigurationAggregator"],
    );
    assert_eq!(
        first["ConfigurationAggregatorArn"],
        again["ConfigurationAggregatorArn"]
    );
    assert_eq!(first["CreationTime"], again["CreationTime"]);
    assert_ne!(first["LastUpdatedTime"], again["LastUpdatedTime"]);

    let name = json!({ "ConfigurationAggregatorName": "organization" });
    let sources = member
        .call("DescribeConfigurationAggregatorSourcesStatus", name.clone())
        .unwrap();
    let rows = sources["AggregatedSourceStatusList"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["SourceId"] == account.to_string())
        .unwrap();
    assert_eq!(row["AwsRegion"], HERE);
    assert_eq!(row["LastUpdateStatus"], "SUCCEEDED");
    member
        .call("DeleteConfigurationAggregator", name.clone())
        .unwrap();
    refused(
        member.call("DeleteConfigurationAggregator", name),
        "NoSuchConfigurationAggregatorException",
    );
}

#[test]
fn an_aggregator_has_one_source_and_says_its_regions() {
    let mut member = Member::new();
    for source in [
        json!({}),
        json!({ "AccountAggregationSources": [{ "AccountIds": ["222222222222"] }] }),
        json!({ "AccountAggregationSources": [{ "AccountIds": ["222222222222"], "AllAwsRegions": true, "AwsRegions": ["eu-west-1"] }] }),
        json!({ "AccountAggregationSources": [{ "AccountIds": ["222222222222"], "AwsRegions": ["eu-nowhere-1"] }] }),
    ] {
        let mut input = source;
        input["ConfigurationAggregatorName"] = "accounts".into();
        let answer = member.call("PutConfigurationAggregator", input);
        refused(answer, "InvalidParameterValueException");
    }
    for n in 0..50 {
        let input = json!({
            "ConfigurationAggregatorName": format!("a{n}"),
            "AccountAggregationSources": [{ "AccountIds": ["222222222222"], "AwsRegions": ["eu-west-1"] }],
        });
        member.call("PutConfigurationAggregator", input).unwrap();
    }
    let one_more = json!({
        "ConfigurationAggregatorName": "one-more",
        "AccountAggregationSources": [{ "AccountIds": ["222222222222"], "AllAwsRegions": true }],
    });
    refused(
        member.call("PutConfigurationAggregator", one_more),
        "LimitExceededException",
    );
}
