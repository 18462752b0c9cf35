//! EC2: what an account settles for all its instances, images and snapshots, and the default VPCs that come with it.
//!
//! All of it belongs to one Region of one account. A new account has a default VPC in every Region ("Default VPCs",
//! Amazon VPC User Guide), and most are never looked at: a network is kept from the first change on, and until then
//! made up again each time that somebody asks, always the same.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::json;

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

mod filters;
mod gateways;
mod network;
mod settings;
mod surroundings;
mod tags;
mod tamper;
mod vpcs;

pub use tamper::tamper;

#[derive(Default)]
pub struct State {
    /// Of those who changed something.
    settings: HashMap<(AccountId, Region), settings::Settings>,
    networks: HashMap<(AccountId, Region), network::Network>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    // Asked only after the permission was found good.
    if call.flag("DryRun") == Some(true) {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(AwsError::new("DryRunOperation", message).status(412));
    }
    match call.operation {
        "GetEbsEncryptionByDefault" => settings::get_ebs_encryption(world, call),
        "EnableEbsEncryptionByDefault" => settings::set_ebs_encryption(world, call, true),
        "DisableEbsEncryptionByDefault" => settings::set_ebs_encryption(world, call, false),
        "GetSerialConsoleAccessStatus" => settings::get_serial_console(world, call),
        "EnableSerialConsoleAccess" => settings::set_serial_console(world, call, true),
        "DisableSerialConsoleAccess" => settings::set_serial_console(world, call, false),
        "GetSnapshotBlockPublicAccessState" => settings::get_snapshot_sharing(world, call),
        "EnableSnapshotBlockPublicAccess" => {
            settings::set_snapshot_sharing(world, call, call.required("State"))
        }
        "DisableSnapshotBlockPublicAccess" => {
            settings::set_snapshot_sharing(world, call, settings::UNBLOCKED)
        }
        "GetImageBlockPublicAccessState" => settings::get_image_sharing(world, call),
        "EnableImageBlockPublicAccess" => settings::block_image_sharing(world, call),
        "DisableImageBlockPublicAccess" => settings::unblock_image_sharing(world, call),
        "GetInstanceMetadataDefaults" => settings::get_metadata_defaults(world, call),
        "ModifyInstanceMetadataDefaults" => settings::modify_metadata_defaults(world, call),
        "DescribeVpcs" => vpcs::describe(world, call),
        "CreateDefaultVpc" => vpcs::create_default(world, call),
        "DeleteVpc" => vpcs::delete(world, call),
        "DescribeSubnets" => vpcs::describe_subnets(world, call),
        "DeleteSubnet" => vpcs::delete_subnet(world, call),
        "DescribeInternetGateways" => gateways::describe(world, call),
        "DetachInternetGateway" => gateways::detach(world, call),
        "DeleteInternetGateway" => gateways::delete(world, call),
        "DescribeNetworkInterfaces" => surroundings::describe_interfaces(world, call),
        "DescribeSecurityGroups" => surroundings::describe_security_groups(world, call),
        "DescribeRouteTables" => surroundings::describe_route_tables(world, call),
        "DescribeNetworkAcls" => surroundings::describe_acls(world, call),
        "CreateTags" => tags::create(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The resource that a call acts on; the account's settings and all reads have none (service authorization
/// reference, EC2).
pub fn resource(call: &Call<'_>) -> String {
    let named = |kind: &str, id: &str| {
        format!("arn:aws:ec2:{}:{}:{kind}/{id}", call.region, call.account())
    };
    match call.operation {
        "DeleteVpc" => named("vpc", call.required("VpcId")),
        "DeleteSubnet" => named("subnet", call.required("SubnetId")),
        "DetachInternetGateway" | "DeleteInternetGateway" => {
            named("internet-gateway", call.required("InternetGatewayId"))
        }
        "CreateTags" => match call.list("Resources").first().and_then(|id| id.as_str()) {
            Some(id) => named(tags::kind(id).unwrap_or("*"), id),
            None => "*".to_owned(),
        },
        _ => "*".to_owned(),
    }
}

impl World {
    /// What the caller's account has in the Region called.
    fn network(&self, call: &Call<'_>) -> Cow<'_, network::Network> {
        match self.ec2.networks.get(&(call.account(), call.region)) {
            Some(network) => Cow::Borrowed(network),
            None => Cow::Owned(network::Network::of_new_account(
                self.settings.seed,
                call.account(),
                call.region,
            )),
        }
    }

    /// The same, to be changed.
    fn network_mut(&mut self, account: AccountId, region: Region) -> &mut network::Network {
        let seed = self.settings.seed;
        self.ec2
            .networks
            .entry((account, region))
            .or_insert_with(|| network::Network::of_new_account(seed, account, region))
    }
}

/// An answer that only says that it was done.
fn done() -> Answer {
    Ok(json!({}))
}

/// Something stands in the way; `what` is `vpc 'vpc-1'`.
fn has_dependencies(what: &str) -> AwsError {
    AwsError::new(
        "DependencyViolation",
        format!("The {what} has dependencies and cannot be deleted."),
    )
}

#[cfg(test)]
mod tests;
