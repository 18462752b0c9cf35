//! EC2 as its callers see it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer};
use crate::regions;
use crate::services::scene::Scene;

const ACCOUNT: AccountId = AccountId(222_222_222_222);
const HERE: &str = "eu-west-1";

fn ask(scene: &mut Scene, operation: &'static str, input: Value) -> Answer {
    scene.call(("ec2", operation), ACCOUNT, HERE, input)
}

fn refused(scene: &mut Scene, operation: &'static str, input: Value) -> String {
    ask(scene, operation, input)
        .expect_err("it is refused")
        .code
}

/// The ids of what an operation lists.
fn ids(scene: &mut Scene, operation: &'static str, input: Value) -> Vec<String> {
    let answer = ask(scene, operation, input).unwrap();
    let (list, id) = match operation {
        "DescribeVpcs" => ("Vpcs", "VpcId"),
        "DescribeSubnets" => ("Subnets", "SubnetId"),
        "DescribeInternetGateways" => ("InternetGateways", "InternetGatewayId"),
        "DescribeNetworkInterfaces" => ("NetworkInterfaces", "NetworkInterfaceId"),
        "DescribeSecurityGroups" => ("SecurityGroups", "GroupId"),
        "DescribeRouteTables" => ("RouteTables", "RouteTableId"),
        _ => ("NetworkAcls", "NetworkAclId"),
    };
    let id_of = |one: &Value| one[id].as_str().unwrap().to_owned();
    answer[list].as_array().unwrap().iter().map(id_of).collect()
}

fn tamper(scene: &mut Scene, mut request: Value) -> Value {
    request["account"] = ACCOUNT.to_string().into();
    request["region"] = HERE.into();
    super::tamper(&mut scene.world, &request, scene.now).unwrap()
}

fn filter(name: &str, value: &str) -> Value {
    json!({ "Filters": [{ "Name": name, "Values": [value] }] })
}

#[test]
fn a_new_account_has_a_default_vpc_in_every_region() {
    let mut scene = Scene::new();
    let mut seen = std::collections::BTreeSet::new();
    for region in regions::DEFAULT {
        let vpcs = scene
            .call(("ec2", "DescribeVpcs"), ACCOUNT, region, json!({}))
            .unwrap();
        let vpc = &vpcs["Vpcs"][0];
        assert_eq!(
            (&vpc["IsDefault"], &vpc["CidrBlock"]),
            (&json!(true), &json!("172.31.0.0/16"))
        );
        seen.insert(vpc["VpcId"].as_str().unwrap().to_owned());
        let subnets = scene
            .call(("ec2", "DescribeSubnets"), ACCOUNT, region, json!({}))
            .unwrap();
        let subnets = subnets["Subnets"].as_array().unwrap();
        assert!(
            subnets
                .iter()
                .all(|subnet| subnet["VpcId"] == vpc["VpcId"] && subnet["DefaultForAz"] == true)
        );
        let expected = if region == "us-east-1" {
            6
        } else {
            subnets.len().clamp(2, 4)
        };
        assert_eq!(subnets.len(), expected, "{region}");
    }
    assert_eq!(seen.len(), regions::DEFAULT.len());
    for operation in [
        "DescribeInternetGateways",
        "DescribeSecurityGroups",
        "DescribeRouteTables",
        "DescribeNetworkAcls",
    ] {
        assert_eq!(
            ids(&mut scene, operation, json!({})).len(),
            1,
            "{operation}"
        );
    }
    assert!(ids(&mut scene, "DescribeNetworkInterfaces", json!({})).is_empty());
    assert!(
        scene.world.ec2.networks.is_empty(),
        "what nobody changed is not kept"
    );
}

#[test]
fn ids_of_availability_zones_are_short() {
    let mut scene = Scene::new();
    for (region, id) in [
        ("us-east-1", "use1-az1"),
        ("ap-northeast-1", "apne1-az1"),
        ("ap-southeast-2", "apse2-az1"),
        ("eu-north-1", "eun1-az1"),
        ("ca-central-1", "cac1-az1"),
    ] {
        let subnets = scene
            .call(("ec2", "DescribeSubnets"), ACCOUNT, region, json!({}))
            .unwrap();
        assert_eq!(subnets["Subnets"][0]["AvailabilityZoneId"], id);
    }
}

#[test]
fn a_default_vpc_goes_piece_by_piece() {
    let mut scene = Scene::new();
    let vpc = ids(&mut scene, "DescribeVpcs", filter("is-default", "true")).remove(0);
    let gateway = ids(
        &mut scene,
        "DescribeInternetGateways",
        filter("attachment.vpc-id", &vpc),
    )
    .remove(0);
    let (the_vpc, the_gateway) = (
        json!({ "VpcId": vpc }),
        json!({ "InternetGatewayId": gateway }),
    );
    let attachment = json!({ "InternetGatewayId": gateway, "VpcId": vpc });

    assert_eq!(
        refused(&mut scene, "DeleteVpc", the_vpc.clone()),
        "DependencyViolation"
    );
    assert_eq!(
        refused(&mut scene, "DeleteInternetGateway", the_gateway.clone()),
        "DependencyViolation"
    );
    ask(&mut scene, "DetachInternetGateway", attachment.clone()).unwrap();
    assert_eq!(
        refused(&mut scene, "DetachInternetGateway", attachment.clone()),
        "Gateway.NotAttached"
    );
    ask(&mut scene, "DeleteInternetGateway", the_gateway).unwrap();
    for operation in ["DetachInternetGateway", "DeleteInternetGateway"] {
        assert_eq!(
            refused(&mut scene, operation, attachment.clone()),
            "InvalidInternetGatewayID.NotFound"
        );
    }
    assert_eq!(
        refused(&mut scene, "DeleteVpc", the_vpc.clone()),
        "DependencyViolation"
    );
    for subnet in ids(&mut scene, "DescribeSubnets", filter("vpc-id", &vpc)) {
        let subnet = json!({ "SubnetId": subnet });
        ask(&mut scene, "DeleteSubnet", subnet.clone()).unwrap();
        assert_eq!(
            refused(&mut scene, "DeleteSubnet", subnet),
            "InvalidSubnetID.NotFound"
        );
    }
    ask(&mut scene, "DeleteVpc", the_vpc.clone()).unwrap();
    assert_eq!(
        refused(&mut scene, "DeleteVpc", the_vpc),
        "InvalidVpcID.NotFound"
    );
    assert!(ids(&mut scene, "DescribeVpcs", json!({})).is_empty());
    assert!(ids(&mut scene, "DescribeSecurityGroups", json!({})).is_empty());

    let made = ask(&mut scene, "CreateDefaultVpc", json!({})).unwrap();
    assert_ne!(made["Vpc"]["VpcId"], vpc);
    assert_eq!(
        refused(&mut scene, "CreateDefaultVpc", json!({})),
        "DefaultVpcAlreadyExists"
    );
}

#[test]
fn what_is_in_use_stays() {
    let mut scene = Scene::new();
    let interface = tamper(
        &mut scene,
        json!({ "action": "add_interface", "public": true }),
    );
    let described = ask(&mut scene, "DescribeNetworkInterfaces", json!({})).unwrap();
    let described = &described["NetworkInterfaces"][0];
    assert_eq!(described["NetworkInterfaceId"], interface["id"]);
    let attachment = json!({
        "VpcId": described["VpcId"],
        "InternetGatewayId": ids(&mut scene, "DescribeInternetGateways", json!({}))[0],
    });
    let subnet = json!({ "SubnetId": described["SubnetId"] });
    for (operation, input) in [
        ("DetachInternetGateway", attachment.clone()),
        ("DeleteSubnet", subnet.clone()),
    ] {
        assert_eq!(refused(&mut scene, operation, input), "DependencyViolation");
    }
    tamper(
        &mut scene,
        json!({ "action": "remove", "id": interface["id"] }),
    );
    ask(&mut scene, "DetachInternetGateway", attachment).unwrap();
    ask(&mut scene, "DeleteSubnet", subnet).unwrap();
}

#[test]
fn settings_are_those_of_a_new_account_until_somebody_changes_them() {
    let mut scene = Scene::new();
    let get = |scene: &mut Scene, operation, member: &str| {
        ask(scene, operation, json!({})).unwrap()[member].clone()
    };
    for (look, member, new, change, input, changed) in [
        (
            "GetEbsEncryptionByDefault",
            "EbsEncryptionByDefault",
            json!(false),
            "EnableEbsEncryptionByDefault",
            json!({}),
            json!(true),
        ),
        (
            "GetSerialConsoleAccessStatus",
            "SerialConsoleAccessEnabled",
            json!(false),
            "EnableSerialConsoleAccess",
            json!({}),
            json!(true),
        ),
        (
            "GetSnapshotBlockPublicAccessState",
            "State",
            json!("unblocked"),
            "EnableSnapshotBlockPublicAccess",
            json!({ "State": "block-all-sharing" }),
            json!("block-all-sharing"),
        ),
        (
            "GetImageBlockPublicAccessState",
            "ImageBlockPublicAccessState",
            json!("block-new-sharing"),
            "DisableImageBlockPublicAccess",
            json!({}),
            json!("unblocked"),
        ),
        (
            "GetInstanceMetadataDefaults",
            "AccountLevel",
            json!({ "ManagedBy": "account" }),
            "ModifyInstanceMetadataDefaults",
            json!({ "HttpTokens": "required", "HttpPutResponseHopLimit": 2 }),
            json!({ "ManagedBy": "account", "HttpTokens": "required", "HttpPutResponseHopLimit": 2 }),
        ),
    ] {
        assert_eq!(get(&mut scene, look, member), new, "{look}");
        ask(&mut scene, change, input).unwrap();
        assert_eq!(
            get(&mut scene, look, member),
            changed,
            "{look} after {change}"
        );
        let elsewhere = scene
            .call(("ec2", look), ACCOUNT, "eu-west-2", json!({}))
            .unwrap();
        assert_eq!(elsewhere[member], new, "{look} in another Region");
    }
    let input = json!({ "HttpTokens": "no-preference", "HttpPutResponseHopLimit": -1 });
    ask(&mut scene, "ModifyInstanceMetadataDefaults", input).unwrap();
    assert_eq!(
        get(&mut scene, "GetInstanceMetadataDefaults", "AccountLevel"),
        json!({ "ManagedBy": "account" })
    );
    for (operation, input) in [
        (
            "ModifyInstanceMetadataDefaults",
            json!({ "HttpPutResponseHopLimit": 65 }),
        ),
        (
            "EnableSnapshotBlockPublicAccess",
            json!({ "State": "unblocked" }),
        ),
    ] {
        assert_eq!(
            refused(&mut scene, operation, input),
            "InvalidParameterValue"
        );
    }
}

#[test]
fn blocking_images_takes_its_time_once() {
    let mut scene = Scene::new();
    let state = |scene: &mut Scene| {
        let answer = ask(scene, "GetImageBlockPublicAccessState", json!({})).unwrap();
        answer["ImageBlockPublicAccessState"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    ask(&mut scene, "DisableImageBlockPublicAccess", json!({})).unwrap();
    let block = json!({ "ImageBlockPublicAccessState": "block-new-sharing" });
    ask(&mut scene, "EnableImageBlockPublicAccess", block.clone()).unwrap();
    scene.after(SignedDuration::from_secs(59));
    ask(&mut scene, "EnableImageBlockPublicAccess", block).unwrap();
    assert_eq!(state(&mut scene), "unblocked");
    scene.after(SignedDuration::from_secs(1));
    assert_eq!(state(&mut scene), "block-new-sharing");
}

#[test]
fn what_is_listed_is_chosen_by_ids_filters_and_pages() {
    let mut scene = Scene::new();
    let gateway = ids(&mut scene, "DescribeInternetGateways", json!({})).remove(0);
    let tag = json!({ "Resources": [gateway], "Tags": [{ "Key": "team", "Value": "platform" }] });
    ask(&mut scene, "CreateTags", tag).unwrap();
    for (input, found) in [
        (filter("tag:team", "plat*"), 1),
        (filter("tag:team", "other"), 0),
        (filter("tag-key", "team"), 1),
        (filter("internet-gateway-id", "igw-*"), 1),
        (filter("attachment.vpc-id", "vpc-0"), 0),
        (json!({ "InternetGatewayIds": [gateway] }), 1),
    ] {
        let all = ids(&mut scene, "DescribeInternetGateways", input.clone());
        assert_eq!(all.len(), found, "{input}");
    }
    for (operation, input, code) in [
        (
            "DescribeInternetGateways",
            json!({ "InternetGatewayIds": ["igw-0"] }),
            "InvalidInternetGatewayID.NotFound",
        ),
        (
            "DescribeVpcs",
            filter("color", "red"),
            "InvalidParameterValue",
        ),
        (
            "DescribeVpcs",
            json!({ "NextToken": "x" }),
            "InvalidNextToken",
        ),
        (
            "CreateTags",
            json!({ "Resources": ["igw-0"], "Tags": [] }),
            "InvalidID",
        ),
        (
            "DeleteVpc",
            json!({ "VpcId": "vpc-0", "DryRun": true }),
            "DryRunOperation",
        ),
        ("RunInstances", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(refused(&mut scene, operation, input), code, "{operation}");
    }
    let page = |scene: &mut Scene, token: &Value| {
        let mut input = json!({ "MaxResults": 5 });
        if !token.is_null() {
            input["NextToken"] = token.clone();
        }
        let answer = scene.call(("ec2", "DescribeSubnets"), ACCOUNT, "us-east-1", input);
        answer.unwrap()
    };
    let first = page(&mut scene, &Value::Null);
    let second = page(&mut scene, &first["NextToken"]);
    let count = |page: &Value| page["Subnets"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second)), (5, 1));
    assert!(second["NextToken"].is_null());
}
