//! VPCs and subnets. A VPC goes only when nothing is left in it but what every VPC has (EC2 API, `DeleteVpc`).

use serde_json::{Value, json};

use super::filters::{Item, Listing};
use super::network::{DEFAULT_CIDR, Subnet, Vpc, belonging, tag_list, zones};
use super::{done, has_dependencies};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

const VPCS: Listing = Listing {
    items: "Vpcs",
    ids: "VpcIds",
    filters: &[
        "vpc-id",
        "is-default",
        "isDefault",
        "cidr",
        "state",
        "owner-id",
    ],
    not_found: no_vpc,
};

const SUBNETS: Listing = Listing {
    items: "Subnets",
    ids: "SubnetIds",
    filters: &[
        "subnet-id",
        "vpc-id",
        "availability-zone",
        "default-for-az",
        "state",
        "owner-id",
    ],
    not_found: no_subnet,
};

/// Addresses of a /20, less the five that AWS keeps.
const FREE_ADDRESSES: usize = 4_091;

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account();
    let network = world.network(call);
    let items = network.vpcs.iter().map(|vpc| {
        let is_default = vpc.is_default.to_string();
        Item {
            id: vpc.id.clone(),
            tags: &vpc.tags,
            traits: vec![
                ("vpc-id", vpc.id.clone()),
                ("is-default", is_default.clone()),
                ("isDefault", is_default),
                ("cidr", DEFAULT_CIDR.to_owned()),
                ("state", "available".to_owned()),
                ("owner-id", account.to_string()),
            ],
            shown: show(vpc, account),
        }
    });
    VPCS.answer(call, items.collect())
}

fn show(vpc: &Vpc, account: AccountId) -> Value {
    json!({
        "VpcId": vpc.id,
        "OwnerId": account.to_string(),
        "State": "available",
        "IsDefault": vpc.is_default,
        "CidrBlock": DEFAULT_CIDR,
        "CidrBlockAssociationSet": [{
            "AssociationId": belonging("vpc-cidr-assoc", &vpc.id),
            "CidrBlock": DEFAULT_CIDR,
            "CidrBlockState": { "State": "associated" },
        }],
        "DhcpOptionsId": belonging("dopt", "of the Region"),
        "InstanceTenancy": "default",
        "Tags": tag_list(&vpc.tags),
    })
}

/// Makes a default VPC anew where there is none.
pub(super) fn create_default(world: &mut World, call: &Call<'_>) -> Answer {
    let account = call.account();
    let network = world.network_mut(account, call.region);
    if let Some(vpc) = network.default_vpc() {
        let message = format!(
            "A Default VPC already exists for this account in this region: {}",
            vpc.id
        );
        return Err(AwsError::new("DefaultVpcAlreadyExists", message));
    }
    network.add_default_vpc(call.region);
    let vpc = network.default_vpc().map(|vpc| show(vpc, account));
    Ok(json!({ "Vpc": vpc }))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let id = call.required("VpcId");
    let network = world.network_mut(call.account(), call.region);
    let index = network
        .vpcs
        .iter()
        .position(|vpc| vpc.id == id)
        .ok_or_else(|| no_vpc(id))?;
    let vpc = &network.vpcs[index];
    let has_gateway = network
        .gateways
        .iter()
        .any(|gateway| gateway.vpc.as_deref() == Some(id));
    let is_empty =
        vpc.subnets.is_empty() && vpc.security_groups.is_empty() && vpc.interfaces.is_empty();
    if has_gateway || !is_empty {
        return Err(has_dependencies(&format!("vpc '{id}'")));
    }
    network.vpcs.remove(index);
    done()
}

pub(super) fn describe_subnets(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account();
    let network = world.network(call);
    let item = |vpc, subnet| item_of_subnet(vpc, subnet, account, call.region);
    let items = network
        .vpcs
        .iter()
        .flat_map(|vpc| vpc.subnets.iter().map(move |subnet| item(vpc, subnet)));
    SUBNETS.answer(call, items.collect())
}

fn item_of_subnet<'a>(
    vpc: &Vpc,
    subnet: &'a Subnet,
    account: AccountId,
    region: Region,
) -> Item<'a> {
    let zone = format!("{region}{}", subnet.zone);
    let used = vpc
        .interfaces
        .iter()
        .filter(|interface| interface.subnet == subnet.id)
        .count();
    let number = zones(region).find(subnet.zone).map_or(1, |index| index + 1);
    Item {
        id: subnet.id.clone(),
        tags: &subnet.tags,
        traits: vec![
            ("subnet-id", subnet.id.clone()),
            ("vpc-id", vpc.id.clone()),
            ("availability-zone", zone.clone()),
            ("default-for-az", subnet.default_for_zone.to_string()),
            ("state", "available".to_owned()),
            ("owner-id", account.to_string()),
        ],
        shown: json!({
            "SubnetId": subnet.id,
            "SubnetArn": format!("arn:aws:ec2:{region}:{account}:subnet/{}", subnet.id),
            "VpcId": vpc.id,
            "OwnerId": account.to_string(),
            "State": "available",
            "CidrBlock": subnet.cidr,
            "AvailableIpAddressCount": FREE_ADDRESSES - used,
            "AvailabilityZone": zone,
            "AvailabilityZoneId": format!("{}-az{number}", short(region)),
            "DefaultForAz": subnet.default_for_zone,
            "MapPublicIpOnLaunch": subnet.default_for_zone,
            "AssignIpv6AddressOnCreation": false,
            "Tags": tag_list(&subnet.tags),
        }),
    }
}

/// A Region as ids of availability zones begin: `us-east-1` is `use1`.
fn short(region: Region) -> String {
    let mut parts = region.split('-');
    let continent = parts.next().unwrap_or_default();
    let directions = parts.next().unwrap_or_default();
    let letters: String = match directions.split_at_checked(5) {
        Some(("north" | "south", rest)) if !rest.is_empty() => {
            directions[..1].to_owned() + &rest[..1]
        }
        _ => directions.chars().take(1).collect(),
    };
    format!("{continent}{letters}{}", parts.next().unwrap_or_default())
}

pub(super) fn delete_subnet(world: &mut World, call: &Call<'_>) -> Answer {
    let id = call.required("SubnetId");
    let network = world.network_mut(call.account(), call.region);
    let vpc = network
        .vpcs
        .iter_mut()
        .find(|vpc| vpc.subnets.iter().any(|subnet| subnet.id == id))
        .ok_or_else(|| no_subnet(id))?;
    if vpc
        .interfaces
        .iter()
        .any(|interface| interface.subnet == id)
    {
        return Err(has_dependencies(&format!("subnet '{id}'")));
    }
    vpc.subnets.retain(|subnet| subnet.id != id);
    done()
}

fn no_vpc(id: &str) -> AwsError {
    AwsError::new(
        "InvalidVpcID.NotFound",
        format!("The vpc ID '{id}' does not exist"),
    )
}

fn no_subnet(id: &str) -> AwsError {
    AwsError::new(
        "InvalidSubnetID.NotFound",
        format!("The subnet ID '{id}' does not exist"),
    )
}
