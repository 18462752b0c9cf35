//! What a trail is set to, and how many there can be.

use serde_json::{Value, json};

use super::{AWAY, BUCKET, HOME, Trails, plain_trail, refused};

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    let update = json!({ "Name": arn, "EnableLogFileValidation": true });
    let trail = trails.call("UpdateTrail", update).unwrap();
    assert_eq!(trail["LogFileValidationEnabled"], true);
    assert_eq!(trail["IsMultiRegionTrail"], true);
    assert_eq!(trail["S3BucketName"], BUCKET);
    let narrow = json!({ "Name": arn, "IncludeGlobalServiceEvents": false });
    refused(
        trails.call("UpdateTrail", narrow),
        "InvalidParameterCombinationException",
    );
    let moved = json!({ "Name": arn, "S3BucketName": "no-such-bucket" });
    refused(
        trails.call("UpdateTrail", moved),
        "S3BucketDoesNotExistException",
    );
    let found = trails.call("GetTrail", json!({ "Name": arn })).unwrap();
    assert_eq!(found["Trail"]["IncludeGlobalServiceEvents"], true);
    assert_eq!(found["Trail"]["S3BucketName"], BUCKET);
}

#[test]
fn five_trails_a_region_shadows_included() {
    let mut trails = Trails::new();
    trails.enable_access();
    trails.open_bucket_wide("s3:*");
    trails.organization_trail();
    let member = (trails.member, HOME);
    for n in 1..5 {
        let create = plain_trail(&format!("trail{n}"));
        trails.call_as(member, "CreateTrail", create).unwrap();
    }
    let fifth = trails.call_as(member, "CreateTrail", plain_trail("trail5"));
    refused(fifth, "MaximumNumberOfTrailsExceededException");
    let away = (trails.member, AWAY);
    trails
        .call_as(away, "CreateTrail", plain_trail("trail5"))
        .unwrap();
    let spread = json!({ "Name": "trail5", "IsMultiRegionTrail": true });
    let spread = trails.call_as(away, "UpdateTrail", spread);
    refused(spread, "MaximumNumberOfTrailsExceededException");
    let same = trails.call_as(away, "CreateTrail", plain_trail("trail1"));
    same.expect("a single-Region trail's name is free elsewhere");
}

#[test]
fn selectors_replace_each_other() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    let default = trails
        .call("GetEventSelectors", json!({ "TrailName": arn }))
        .unwrap();
    assert_eq!(
        default["EventSelectors"][0]["IncludeManagementEvents"],
        true
    );
    let put = |selectors: Value| {
        let mut input = selectors;
        input["TrailName"] = arn.clone().into();
        input
    };
    let management = json!([{ "Field": "eventCategory", "Equals": ["Management"] }]);
    for wrong in [
        json!({}),
        json!({ "EventSelectors": [{}], "AdvancedEventSelectors": [{ "FieldSelectors": management }] }),
        json!({ "EventSelectors": [{}, {}, {}, {}, {}, {}] }),
        json!({ "EventSelectors": [{ "IncludeManagementEvents": false }] }),
        json!({ "EventSelectors": [{ "DataResources": [{ "Type": "AWS::S3::Object", "Values": ["arn:aws:lambda"] }] }] }),
        json!({ "AdvancedEventSelectors": [{ "FieldSelectors": [{ "Field": "readOnly", "Equals": ["true"] }] }] }),
        json!({ "AdvancedEventSelectors": [{ "FieldSelectors": [{ "Field": "eventCategory", "Equals": ["Data"] }] }] }),
    ] {
        refused(
            trails.call("PutEventSelectors", put(wrong)),
            "InvalidEventSelectorsException",
        );
    }
    let advanced = json!({ "AdvancedEventSelectors": [{ "FieldSelectors": management }] });
    trails.call("PutEventSelectors", put(advanced)).unwrap();
    let member = (trails.member, AWAY);
    let found = trails
        .call_as(member, "GetEventSelectors", json!({ "TrailName": arn }))
        .unwrap();
    assert!(found.get("EventSelectors").is_none());
    assert_eq!(
        found["AdvancedEventSelectors"][0]["FieldSelectors"],
        management
    );
    let trail = trails.call("GetTrail", json!({ "Name": arn })).unwrap();
    assert_eq!(trail["Trail"]["HasCustomEventSelectors"], true);
}

#[test]
fn tags_are_added_by_arn() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    let tags = json!([{ "Key": "owner", "Value": "platform" }]);
    let add = json!({ "ResourceId": arn, "TagsList": tags });
    trails.call("AddTags", add).unwrap();
    let list = json!({ "ResourceIdList": [arn] });
    let found = trails.call("ListTags", list.clone()).unwrap();
    assert_eq!(found["ResourceTagList"][0]["TagsList"], tags);
    let many: Vec<Value> = (0..50).map(|n| json!({ "Key": format!("k{n}") })).collect();
    let add = json!({ "ResourceId": arn, "TagsList": many });
    refused(trails.call("AddTags", add), "TagsLimitExceededException");
    let remove = json!({ "ResourceId": arn, "TagsList": [{ "Key": "owner" }] });
    trails.call("RemoveTags", remove).unwrap();
    let found = trails.call("ListTags", list).unwrap();
    assert_eq!(found["ResourceTagList"][0]["TagsList"], json!([]));
    let unknown = json!({ "ResourceIdList": [arn.replace("/trail", "/other")] });
    refused(
        trails.call("ListTags", unknown),
        "ResourceNotFoundException",
    );
}
