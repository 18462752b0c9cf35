//! What stands in a VPC beside its subnets: network interfaces, and the security group, route table and network ACL
//! that every VPC has from the start and that go with it.

use serde_json::{Value, json};

use super::filters::{Item, Listing};
use super::network::{DEFAULT_CIDR, Tags, Vpc, belonging, tag_list};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

const INTERFACES: Listing = Listing {
    items: "NetworkInterfaces",
    ids: "NetworkInterfaceIds",
    filters: &["network-interface-id", "vpc-id", "subnet-id", "status"],
    not_found: |id| not_found("InvalidNetworkInterfaceID", "networkInterface", id),
};

const SECURITY_GROUPS: Listing = Listing {
    items: "SecurityGroups",
    ids: "GroupIds",
    filters: &["group-id", "group-name", "vpc-id"],
    not_found: |id| not_found("InvalidGroup", "security group", id),
};

const ROUTE_TABLES: Listing = Listing {
    items: "RouteTables",
    ids: "RouteTableIds",
    filters: &["route-table-id", "vpc-id", "association.main"],
    not_found: |id| not_found("InvalidRouteTableID", "routeTable", id),
};

const ACLS: Listing = Listing {
    items: "NetworkAcls",
    ids: "NetworkAclIds",
    filters: &["network-acl-id", "vpc-id", "default"],
    not_found: |id| not_found("InvalidNetworkAclID", "networkAcl", id),
};

static NO_TAGS: Tags = Tags::new();

pub(super) fn describe_interfaces(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account().to_string();
    let network = world.network(call);
    let mut items = Vec::new();
    for vpc in &network.vpcs {
        for one in &vpc.interfaces {
            let zone = vpc.subnets.iter().find(|subnet| subnet.id == one.subnet);
            let zone = zone.map(|subnet| format!("{}{}", call.region, subnet.zone));
            let public = one.is_public.then(|| json!({ "PublicIp": "203.0.113.7" }));
            items.push(Item {
                id: one.id.clone(),
                tags: &one.tags,
                traits: vec![
                    ("network-interface-id", one.id.clone()),
                    ("vpc-id", vpc.id.clone()),
                    ("subnet-id", one.subnet.clone()),
                    ("status", "in-use".to_owned()),
                ],
                shown: json!({
                    "NetworkInterfaceId": one.id,
                    "InterfaceType": "interface",
                    "VpcId": vpc.id,
                    "SubnetId": one.subnet,
                    "AvailabilityZone": zone,
                    "OwnerId": account,
                    "PrivateIpAddress": one.address,
                    "Association": public,
                    "Groups": [{ "GroupId": belonging("sg", &vpc.id), "GroupName": "default" }],
                    "Status": "in-use",
                    "TagSet": tag_list(&one.tags),
                }),
            });
        }
    }
    INTERFACES.answer(call, items)
}

pub(super) fn describe_security_groups(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account().to_string();
    let network = world.network(call);
    let mut items = Vec::new();
    for vpc in &network.vpcs {
        let own = (
            belonging("sg", &vpc.id),
            "default",
            "default VPC security group",
            &NO_TAGS,
        );
        let others = vpc.security_groups.iter();
        let others = others.map(|group| {
            (
                group.id.clone(),
                group.name.as_str(),
                "made by hand",
                &group.tags,
            )
        });
        for (id, name, description, tags) in std::iter::once(own).chain(others) {
            items.push(Item {
                tags,
                traits: vec![
                    ("group-id", id.clone()),
                    ("group-name", name.to_owned()),
                    ("vpc-id", vpc.id.clone()),
                ],
                shown: json!({
                    "GroupId": id,
                    "GroupName": name,
                    "Description": description,
                    "VpcId": vpc.id,
                    "OwnerId": account,
                    "IpPermissions": [],
                    "IpPermissionsEgress": [{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }],
                    "Tags": tag_list(tags),
                }),
                id,
            });
        }
    }
    SECURITY_GROUPS.answer(call, items)
}

pub(super) fn describe_route_tables(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account().to_string();
    let network = world.network(call);
    let items = network.vpcs.iter().map(|vpc| {
        let id = belonging("rtb", &vpc.id);
        let gateway = network
            .gateways
            .iter()
            .find(|gateway| gateway.vpc.as_deref() == Some(&vpc.id));
        let mut routes = vec![json!({
            "DestinationCidrBlock": DEFAULT_CIDR, "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active",
        })];
        routes.extend(gateway.map(|gateway| {
            json!({
                "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway.id, "Origin": "CreateRoute", "State": "active",
            })
        }));
        always_there(
            vpc,
            ("route-table-id", &id),
            "association.main",
            json!({
                "RouteTableId": id,
                "VpcId": vpc.id,
                "OwnerId": account,
                "Associations": [{
                    "Main": true,
                    "RouteTableId": id,
                    "RouteTableAssociationId": belonging("rtbassoc", &vpc.id),
                    "AssociationState": { "State": "associated" },
                }],
                "Routes": routes,
            }),
        )
    });
    ROUTE_TABLES.answer(call, items.collect())
}

pub(super) fn describe_acls(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account().to_string();
    let network = world.network(call);
    let items = network.vpcs.iter().map(|vpc| {
        let id = belonging("acl", &vpc.id);
        let associations = vpc.subnets.iter().map(|subnet| {
            json!({
                "NetworkAclId": id, "SubnetId": subnet.id, "NetworkAclAssociationId": belonging("aclassoc", &subnet.id),
            })
        });
        let entries = [(100, "allow"), (32_767, "deny")].into_iter();
        let entries = entries.flat_map(|(number, action)| {
            [true, false].map(|egress| {
                json!({
                    "RuleNumber": number, "RuleAction": action, "Protocol": "-1", "Egress": egress, "CidrBlock": "0.0.0.0/0",
                })
            })
        });
        always_there(
            vpc,
            ("network-acl-id", &id),
            "default",
            json!({
                "NetworkAclId": id,
                "VpcId": vpc.id,
                "OwnerId": account,
                "IsDefault": true,
                "Associations": associations.collect::<Vec<_>>(),
                "Entries": entries.collect::<Vec<_>>(),
            }),
        )
    });
    ACLS.answer(call, items.collect())
}

/// The one of its kind that a VPC always has: `id_filter` finds it by its id, `true_filter` by being that one.
fn always_there(
    vpc: &Vpc,
    (id_filter, id): (&'static str, &str),
    true_filter: &'static str,
    shown: Value,
) -> Item<'static> {
    Item {
        id: id.to_owned(),
        tags: &NO_TAGS,
        traits: vec![
            (id_filter, id.to_owned()),
            ("vpc-id", vpc.id.clone()),
            (true_filter, "true".to_owned()),
        ],
        shown,
    }
}

fn not_found(code: &str, what: &str, id: &str) -> AwsError {
    AwsError::new(
        &format!("{code}.NotFound"),
        format!("The {what} ID '{id}' does not exist"),
    )
}
