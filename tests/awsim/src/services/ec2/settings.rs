//! What holds for everything that an account makes in a Region unless it says otherwise.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::call::{Answer, AwsError, Call};
use crate::world::World;

pub(super) const UNBLOCKED: &str = "unblocked";
const BLOCK_NEW_SHARING: &str = "block-new-sharing";

/// How long blocking takes to show for images: "up to 10 minutes" (EC2 API, `EnableImageBlockPublicAccess`).
const IMAGES_TAKE: SignedDuration = SignedDuration::from_secs(60);

/// The settings that are not in the model's answer but have members of their own to be set by.
const METADATA: [&str; 4] = [
    "HttpTokens",
    "HttpEndpoint",
    "InstanceMetadataTags",
    "HttpTokensEnforced",
];

pub(super) struct Settings {
    pub(super) ebs_encryption: bool,
    /// Whether instances can be reached by the serial console.
    pub(super) serial_console: bool,
    pub(super) snapshot_sharing: String,
    /// From when on images cannot be shared with everyone; `None`: they can.
    pub(super) images_blocked_from: Option<Timestamp>,
    /// By the model's member names; what is not in it has no preference.
    pub(super) metadata: Map<String, Value>,
}

impl Default for Settings {
    /// As new accounts have them. Images alone are blocked from the start (EC2 User Guide, "Understand block public
    /// access for AMIs", default settings).
    fn default() -> Self {
        Settings {
            ebs_encryption: false,
            serial_console: false,
            snapshot_sharing: UNBLOCKED.to_owned(),
            images_blocked_from: Some(Timestamp::UNIX_EPOCH),
            metadata: Map::new(),
        }
    }
}

/// The settings, which are the new account's where nobody has changed any.
fn read<T>(world: &World, call: &Call<'_>, look: impl FnOnce(&Settings) -> T) -> T {
    match world.ec2.settings.get(&(call.account(), call.region)) {
        Some(settings) => look(settings),
        None => look(&Settings::default()),
    }
}

fn change<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut Settings {
    world
        .ec2
        .settings
        .entry((call.account(), call.region))
        .or_default()
}

pub(super) fn get_ebs_encryption(world: &World, call: &Call<'_>) -> Answer {
    let on = read(world, call, |settings| settings.ebs_encryption);
    let kind = if on { "sse-ebs" } else { "none" };
    Ok(json!({ "EbsEncryptionByDefault": on, "SseType": kind }))
}

pub(super) fn set_ebs_encryption(world: &mut World, call: &Call<'_>, on: bool) -> Answer {
    change(world, call).ebs_encryption = on;
    Ok(json!({ "EbsEncryptionByDefault": on }))
}

pub(super) fn get_serial_console(world: &World, call: &Call<'_>) -> Answer {
    let open = read(world, call, |settings| settings.serial_console);
    Ok(json!({ "SerialConsoleAccessEnabled": open, "ManagedBy": "account" }))
}

pub(super) fn set_serial_console(world: &mut World, call: &Call<'_>, open: bool) -> Answer {
    change(world, call).serial_console = open;
    Ok(json!({ "SerialConsoleAccessEnabled": open }))
}

pub(super) fn get_snapshot_sharing(world: &World, call: &Call<'_>) -> Answer {
    let state = read(world, call, |settings| settings.snapshot_sharing.clone());
    Ok(json!({ "State": state, "ManagedBy": "account" }))
}

pub(super) fn set_snapshot_sharing(world: &mut World, call: &Call<'_>, state: &str) -> Answer {
    if state == UNBLOCKED && call.operation.starts_with("Enable") {
        let message = format!("Value ({state}) for parameter State is invalid.");
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    state.clone_into(&mut change(world, call).snapshot_sharing);
    Ok(json!({ "State": state }))
}

pub(super) fn get_image_sharing(world: &World, call: &Call<'_>) -> Answer {
    let blocked = read(world, call, |settings| {
        settings
            .images_blocked_from
            .is_some_and(|from| from <= call.now)
    });
    let state = if blocked {
        BLOCK_NEW_SHARING
    } else {
        UNBLOCKED
    };
    Ok(json!({ "ImageBlockPublicAccessState": state, "ManagedBy": "account" }))
}

pub(super) fn block_image_sharing(world: &mut World, call: &Call<'_>) -> Answer {
    let from = call.now + world.wait(IMAGES_TAKE);
    let blocked = &mut change(world, call).images_blocked_from;
    // To ask again does not make it take longer.
    blocked.get_or_insert(from);
    Ok(json!({ "ImageBlockPublicAccessState": BLOCK_NEW_SHARING }))
}

pub(super) fn unblock_image_sharing(world: &mut World, call: &Call<'_>) -> Answer {
    change(world, call).images_blocked_from = None;
    Ok(json!({ "ImageBlockPublicAccessState": UNBLOCKED }))
}

pub(super) fn get_metadata_defaults(world: &World, call: &Call<'_>) -> Answer {
    let mut level = read(world, call, |settings| settings.metadata.clone());
    level.insert("ManagedBy".to_owned(), "account".into());
    Ok(json!({ "AccountLevel": level }))
}

/// Changes what is named; `no-preference`, and -1 for the hop limit, takes a default away.
pub(super) fn modify_metadata_defaults(world: &mut World, call: &Call<'_>) -> Answer {
    let hops = call.integer("HttpPutResponseHopLimit");
    if let Some(hops) = hops.filter(|hops| *hops != -1 && !(1..=64).contains(hops)) {
        let message = format!(
            "Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. Specify a value from 1 to 64, or -1 for no preference."
        );
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    let metadata = &mut change(world, call).metadata;
    let mut set = |member: &str, value: Value, none: Value| {
        if value == none {
            metadata.remove(member);
        } else {
            metadata.insert(member.to_owned(), value);
        }
    };
    for member in METADATA {
        if let Some(value) = call.text(member) {
            set(member, value.into(), "no-preference".into());
        }
    }
    if let Some(hops) = hops {
        set("HttpPutResponseHopLimit", hops.into(), (-1).into());
    }
    Ok(json!({ "Return": true }))
}
