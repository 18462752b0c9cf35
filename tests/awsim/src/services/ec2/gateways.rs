//! Internet gateways.

use serde_json::json;

use super::filters::{Item, Listing};
use super::network::tag_list;
use super::{done, has_dependencies};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

const GATEWAYS: Listing = Listing {
    items: "InternetGateways",
    ids: "InternetGatewayIds",
    filters: &[
        "internet-gateway-id",
        "attachment.vpc-id",
        "attachment.state",
        "owner-id",
    ],
    not_found: no_gateway,
};

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let account = call.account().to_string();
    let network = world.network(call);
    let items = network.gateways.iter().map(|gateway| {
        let mut traits = vec![
            ("internet-gateway-id", gateway.id.clone()),
            ("owner-id", account.clone()),
        ];
        if let Some(vpc) = &gateway.vpc {
            traits.push(("attachment.vpc-id", vpc.clone()));
            traits.push(("attachment.state", "available".to_owned()));
        }
        let attachments = gateway.vpc.iter();
        let attachments = attachments.map(|vpc| json!({ "State": "available", "VpcId": vpc }));
        Item {
            id: gateway.id.clone(),
            tags: &gateway.tags,
            traits,
            shown: json!({
                "InternetGatewayId": gateway.id,
                "OwnerId": account,
                "Attachments": attachments.collect::<Vec<_>>(),
                "Tags": tag_list(&gateway.tags),
            }),
        }
    });
    GATEWAYS.answer(call, items.collect())
}

/// Public addresses in the VPC hold the gateway.
pub(super) fn detach(world: &mut World, call: &Call<'_>) -> Answer {
    let (id, vpc_id) = (call.required("InternetGatewayId"), call.required("VpcId"));
    let network = world.network_mut(call.account(), call.region);
    let gateway = network
        .gateways
        .iter_mut()
        .find(|gateway| gateway.id == id)
        .ok_or_else(|| no_gateway(id))?;
    if gateway.vpc.as_deref() != Some(vpc_id) {
        return Err(AwsError::new(
            "Gateway.NotAttached",
            format!("resource {id} is not attached to network {vpc_id}"),
        ));
    }
    let interfaces = network.vpcs.iter().filter(|vpc| vpc.id == vpc_id);
    if interfaces
        .flat_map(|vpc| &vpc.interfaces)
        .any(|interface| interface.is_public)
    {
        let message = format!(
            "Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        );
        return Err(AwsError::new("DependencyViolation", message));
    }
    gateway.vpc = None;
    done()
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let id = call.required("InternetGatewayId");
    let network = world.network_mut(call.account(), call.region);
    let index = network
        .gateways
        .iter()
        .position(|gateway| gateway.id == id)
        .ok_or_else(|| no_gateway(id))?;
    if network.gateways[index].vpc.is_some() {
        return Err(has_dependencies(&format!("internetGateway '{id}'")));
    }
    network.gateways.remove(index);
    done()
}

fn no_gateway(id: &str) -> AwsError {
    AwsError::new(
        "InvalidInternetGatewayID.NotFound",
        format!("The internetGateway ID '{id}' does not exist"),
    )
}
