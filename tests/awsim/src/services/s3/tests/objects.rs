//! Objects and their versions.

use serde_json::{Value, json};

use super::{call, refused, scene};
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn objects_keep_their_versions() {
    let mut scene = scene();
    let mut on = |operation, input: Value| call(&mut scene, MANAGEMENT_ACCOUNT, operation, input);
    let object = json!({"Bucket": "logs", "Key": "a/b"});
    let put = |body: &str| json!({"Bucket": "logs", "Key": "a/b", "Body": body});
    on("PutObject", put("b25l")).unwrap();
    on(
        "PutBucketVersioning",
        json!({"Bucket": "logs", "VersioningConfiguration": {"Status": "Enabled"}}),
    )
    .unwrap();
    let second = on("PutObject", put("dHdv")).unwrap();
    assert_eq!(on("GetObject", object.clone()).unwrap()["Body"], "dHdv");
    let first = json!({"Bucket": "logs", "Key": "a/b", "VersionId": "null"});
    assert_eq!(on("GetObject", first).unwrap()["Body"], "b25l");
    let marker = on("DeleteObject", object.clone()).unwrap();
    assert_eq!(on("GetObject", object), refused("NoSuchKey"));
    assert_eq!(
        on("DeleteBucket", json!({"Bucket": "logs"})),
        refused("BucketNotEmpty")
    );
    for id in [&json!("null"), &second["VersionId"], &marker["VersionId"]] {
        on(
            "DeleteObject",
            json!({"Bucket": "logs", "Key": "a/b", "VersionId": id}),
        )
        .unwrap();
    }
    on("DeleteBucket", json!({"Bucket": "logs"})).unwrap();
    assert_eq!(
        on("GetBucketLocation", json!({"Bucket": "logs"})),
        refused("NoSuchBucket")
    );
}

#[test]
fn lists_page_and_roll_up() {
    let mut scene = scene();
    for key in ["a/1", "a/2", "b", "c/1", "d"] {
        let put = json!({"Bucket": "logs", "Key": key, "Body": "eA=="});
        call(&mut scene, MANAGEMENT_ACCOUNT, "PutObject", put).unwrap();
    }
    let mut input = json!({"Bucket": "logs", "Delimiter": "/", "MaxKeys": 1});
    let mut seen = Vec::new();
    loop {
        let page = call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "ListObjectsV2",
            input.clone(),
        )
        .unwrap();
        for (list, name) in [("Contents", "Key"), ("CommonPrefixes", "Prefix")] {
            seen.extend(
                page[list]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item[name].as_str().unwrap().to_owned()),
            );
        }
        let Some(token) = page.get("NextContinuationToken") else {
            break;
        };
        input["ContinuationToken"] = token.clone();
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
}

#[test]
fn a_versioned_bucket_can_be_emptied() {
    let mut scene = scene();
    let mut on = |operation, input: Value| call(&mut scene, MANAGEMENT_ACCOUNT, operation, input);
    let versioning = json!({"Bucket": "logs", "VersioningConfiguration": {"Status": "Enabled"}});
    on("PutBucketVersioning", versioning).unwrap();
    for key in ["a", "b"] {
        on(
            "PutObject",
            json!({"Bucket": "logs", "Key": key, "Body": "eA=="}),
        )
        .unwrap();
    }
    let delete = |objects: Value| json!({"Bucket": "logs", "Delete": {"Objects": objects}});
    let marked = on("DeleteObjects", delete(json!([{"Key": "a"}]))).unwrap();
    assert_eq!(marked["Deleted"][0]["DeleteMarker"], true);
    let mut input = json!({"Bucket": "logs", "MaxKeys": 1});
    let mut seen = 0;
    loop {
        let page = on("ListObjectVersions", input.clone()).unwrap();
        for item in ["Versions", "DeleteMarkers"]
            .iter()
            .flat_map(|list| page[list].as_array().unwrap())
        {
            seen += 1;
            on(
                "DeleteObjects",
                delete(json!([{"Key": item["Key"], "VersionId": item["VersionId"]}])),
            )
            .unwrap();
        }
        let Some(marker) = page.get("NextKeyMarker") else {
            break;
        };
        input["KeyMarker"] = marker.clone();
    }
    assert_eq!(seen, 3);
    on("DeleteBucket", json!({"Bucket": "logs"})).unwrap();
}
