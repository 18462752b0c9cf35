//! Changes behind the product's back, as an administrator at the console or a mistake would make them.

use jiff::Timestamp;
use serde_json::Value;

use super::Cell;
use super::recorder::Recorder;
use super::recording_group::RecordingGroup;
use crate::call::AccountId;
use crate::world::World;

/// Does what `request` says: `action` is `stop_recorder`, `delete_recorder`, `edit_recorder` (to record nothing but
/// `resource_types`, by default security groups), `delete_aggregators`, `delete_channel` or `edit_channel` (to another `bucket`, `prefix` or
/// `frequency`); `account` and `region` name whose.
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let text = |member: &str| request[member].as_str();
    let needed = |member: &str| text(member).ok_or_else(|| format!("`{member}` is missing"));
    let account: AccountId = needed("account")?
        .parse()
        .map_err(|()| "`account` is not an account id".to_owned())?;
    let region = needed("region")?;
    let cell = (world.config.cells.iter_mut())
        .find_map(|((owner, place), cell)| (*owner == account && *place == region).then_some(cell))
        .ok_or("the account never used Config in this Region")?;
    match needed("action")? {
        "delete_aggregators" => cell.aggregators.clear(),
        "stop_recorder" => recorder(cell)?.stop(now),
        "delete_recorder" => {
            recorder(cell)?;
            cell.recorder = None;
        }
        "edit_recorder" => {
            let types = request["resource_types"].as_array();
            let types = types.map_or(vec!["AWS::EC2::SecurityGroup"], |types| super::texts(types));
            recorder(cell)?.group =
                RecordingGroup::Only(types.into_iter().map(str::to_owned).collect());
        }
        "delete_channel" => {
            cell.channel
                .take()
                .ok_or("the account has no delivery channel in this Region")?;
        }
        "edit_channel" => {
            let channel = cell
                .channel
                .as_mut()
                .ok_or("the account has no delivery channel in this Region")?;
            match (text("bucket"), text("prefix"), text("frequency")) {
                (None, None, None) => {
                    return Err("`bucket`, `prefix` or `frequency` is missing".to_owned());
                }
                (bucket, prefix, frequency) => {
                    if let Some(bucket) = bucket {
                        bucket.clone_into(&mut channel.bucket);
                    }
                    channel.prefix = prefix.map(str::to_owned).or(channel.prefix.take());
                    channel.frequency = frequency.map(str::to_owned).or(channel.frequency.take());
                }
            }
        }
        action => return Err(format!("Config has no action `{action}`")),
    }
    Ok(Value::Null)
}

fn recorder(cell: &mut Cell) -> Result<&mut Recorder, String> {
    cell.recorder
        .as_mut()
        .ok_or_else(|| "the account has no recorder in this Region".to_owned())
}
