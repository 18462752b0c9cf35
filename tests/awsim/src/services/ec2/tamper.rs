//! Changes behind the product's back, as somebody at the console would make them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::network::{Interface, SecurityGroup, Tags};
use super::settings::UNBLOCKED;
use crate::call::AccountId;
use crate::regions;
use crate::world::World;

/// Does what `request` says in `account` and `region`. `action` is one of
/// - `disable_ebs_encryption`, `allow_snapshot_sharing`, `allow_image_sharing`, `open_serial_console`;
/// - `reset_metadata_defaults`, or `edit_metadata_defaults` with `member` and `value`;
/// - `create_default_vpc`;
/// - `add_interface` (with `public`) or `add_security_group`, in the default VPC. They answer the `id`;
/// - `remove`, with the `id` of such an interface or security group.
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value, _now: Timestamp) -> Result<Value, String> {
    let text = |member: &str| {
        request[member]
            .as_str()
            .ok_or_else(|| format!("`{member}` is missing"))
    };
    let account: AccountId = text("account")?
        .parse()
        .map_err(|()| "`account` is not an account id".to_owned())?;
    let region = regions::find(text("region")?).ok_or("`region` is not a Region")?;
    let action = text("action")?;
    let network = world.network_mut(account, region);
    match action {
        "create_default_vpc" => {
            if network.default_vpc().is_some() {
                return Err("there is a default VPC".to_owned());
            }
            network.add_default_vpc(region);
            return Ok(Value::Null);
        }
        "add_interface" => {
            let id = network.id("eni");
            let vpc = network.default_vpc().ok_or("there is no default VPC")?;
            let subnet = vpc.subnets.first().ok_or("there is no subnet")?.id.clone();
            vpc.interfaces.push(Interface {
                id: id.clone(),
                subnet,
                address: format!("172.31.0.{}", 10 + vpc.interfaces.len()),
                is_public: request["public"] == true,
                tags: Tags::new(),
            });
            return Ok(json!({ "id": id }));
        }
        "add_security_group" => {
            let id = network.id("sg");
            let vpc = network.default_vpc().ok_or("there is no default VPC")?;
            vpc.security_groups.push(SecurityGroup {
                id: id.clone(),
                name: format!("launch-wizard-{}", vpc.security_groups.len() + 1),
                tags: Tags::new(),
            });
            return Ok(json!({ "id": id }));
        }
        "remove" => {
            let id = text("id")?;
            let vpc = network.default_vpc().ok_or("there is no default VPC")?;
            vpc.interfaces.retain(|interface| interface.id != id);
            vpc.security_groups.retain(|group| group.id != id);
            return Ok(Value::Null);
        }
        _ => {}
    }
    let settings = world.ec2.settings.entry((account, region)).or_default();
    match action {
        "disable_ebs_encryption" => settings.ebs_encryption = false,
        "allow_snapshot_sharing" => UNBLOCKED.clone_into(&mut settings.snapshot_sharing),
        "allow_image_sharing" => settings.images_blocked_from = None,
        "open_serial_console" => settings.serial_console = true,
        "reset_metadata_defaults" => settings.metadata.clear(),
        "edit_metadata_defaults" => {
            let member = text("member")?.to_owned();
            settings.metadata.insert(member, request["value"].clone());
        }
        action => return Err(format!("EC2 has no action `{action}`")),
    }
    Ok(Value::Null)
}
