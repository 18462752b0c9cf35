//! What somebody did at a console: each tampering as the call that would have done it, so that it is told like one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::record::{Record, region_of};
use crate::call::{AccountId, Region};
use crate::regions;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// Tampering by service and action, and the call behind it. What AWS does by itself, such as suspending an account, is no
/// call. (Names as CloudTrail has them, which for S3 differ from the operations'.)
const DEEDS: [(&str, &str, &str); 56] = [
    ("access-analyzer", "delete_analyzers", "DeleteAnalyzer"),
    (
        "account",
        "delete_alternate_contact",
        "DeleteAlternateContact",
    ),
    ("account", "edit_alternate_contact", "PutAlternateContact"),
    ("account", "disable_region", "DisableRegion"),
    ("cloudtrail", "stop_logging", "StopLogging"),
    ("cloudtrail", "delete_trail", "DeleteTrail"),
    ("cloudtrail", "edit_trail", "UpdateTrail"),
    ("cloudtrail", "edit_selectors", "PutEventSelectors"),
    ("config", "stop_recorder", "StopConfigurationRecorder"),
    ("config", "delete_recorder", "DeleteConfigurationRecorder"),
    ("config", "edit_recorder", "PutConfigurationRecorder"),
    ("config", "delete_channel", "DeleteDeliveryChannel"),
    ("config", "edit_channel", "PutDeliveryChannel"),
    (
        "config",
        "delete_aggregators",
        "DeleteConfigurationAggregator",
    ),
    (
        "ec2",
        "disable_ebs_encryption",
        "DisableEbsEncryptionByDefault",
    ),
    (
        "ec2",
        "allow_snapshot_sharing",
        "DisableSnapshotBlockPublicAccess",
    ),
    (
        "ec2",
        "allow_image_sharing",
        "DisableImageBlockPublicAccess",
    ),
    ("ec2", "open_serial_console", "EnableSerialConsoleAccess"),
    (
        "ec2",
        "reset_metadata_defaults",
        "ModifyInstanceMetadataDefaults",
    ),
    (
        "ec2",
        "edit_metadata_defaults",
        "ModifyInstanceMetadataDefaults",
    ),
    ("ec2", "create_default_vpc", "CreateDefaultVpc"),
    ("guardduty", "delete_detector", "DeleteDetector"),
    ("guardduty", "suspend_detector", "UpdateDetector"),
    ("guardduty", "disable_feature", "UpdateDetector"),
    (
        "guardduty",
        "disassociate_member",
        "DisassociateFromAdministratorAccount",
    ),
    ("iam", "delete_role", "DeleteRole"),
    ("iam", "create_organization_role", "CreateRole"),
    ("iam", "edit_role_trust", "UpdateAssumeRolePolicy"),
    ("iam", "set_role_policy", "PutRolePolicy"),
    ("iam", "delete_role_policy", "DeleteRolePolicy"),
    ("iam", "attach_role_policy", "AttachRolePolicy"),
    ("iam", "detach_role_policy", "DetachRolePolicy"),
    (
        "iam",
        "delete_password_policy",
        "DeleteAccountPasswordPolicy",
    ),
    ("iam", "edit_password_policy", "UpdateAccountPasswordPolicy"),
    ("iam", "delete_access_key", "DeleteAccessKey"),
    ("organizations", "attach_scp", "AttachPolicy"),
    ("organizations", "detach_scp", "DetachPolicy"),
    ("organizations", "edit_scp", "UpdatePolicy"),
    ("organizations", "move_account", "MoveAccount"),
    ("organizations", "close_account", "CloseAccount"),
    ("organizations", "edit_tag", "TagResource"),
    ("organizations", "delete_tag", "UntagResource"),
    ("organizations", "rename_ou", "UpdateOrganizationalUnit"),
    (
        "organizations",
        "disable_trusted_access",
        "DisableAWSServiceAccess",
    ),
    (
        "organizations",
        "deregister_administrator",
        "DeregisterDelegatedAdministrator",
    ),
    ("s3", "set_bucket_policy", "PutBucketPolicy"),
    ("s3", "delete_bucket_policy", "DeleteBucketPolicy"),
    (
        "s3",
        "remove_public_access_block",
        "DeletePublicAccessBlock",
    ),
    ("s3", "suspend_versioning", "PutBucketVersioning"),
    ("s3", "set_ownership", "PutBucketOwnershipControls"),
    ("s3", "delete_bucket", "DeleteBucket"),
    (
        "s3control",
        "remove_public_access_block",
        "DeletePublicAccessBlock",
    ),
    (
        "s3control",
        "set_public_access_block",
        "PutPublicAccessBlock",
    ),
    ("securityhub", "disable_hub", "DisableSecurityHub"),
    ("securityhub", "disable_standard", "BatchDisableStandards"),
    (
        "securityhub",
        "disassociate_member",
        "DisassociateFromAdministratorAccount",
    ),
];

/// Where somebody sits who is not named by `source_ip`.
const SOURCE_IP: &str = "203.0.113.66";

/// The call behind a tampering that is about to be done; `None` for what is no call, or names nothing that is there.
/// `by` says who does it, an ARN, and `source_ip` where from.
pub fn deed(world: &World, request: &Value, now: Timestamp) -> Option<Record> {
    let text = |member: &str| request[member].as_str();
    let (service, action) = (text("service")?, text("action")?);
    let (service, _, operation) = DEEDS
        .iter()
        .find(|deed| (deed.0, deed.1) == (service, action))?;
    let operation = match text("role") {
        // Roles of AWS's own services go by a call of their own.
        Some(role) if *operation == "DeleteRole" && role.starts_with("AWSServiceRoleFor") => {
            "DeleteServiceLinkedRole"
        }
        _ => *operation,
    };
    let (account, region) = place(world, service, request)?;
    let by = text("by").map_or_else(
        || format!("arn:aws:iam::{account}:user/mallory"),
        str::to_owned,
    );
    let name = by.rsplit('/').next().unwrap_or_default();
    Some(Record {
        service,
        operation: operation.to_owned(),
        account,
        region: region_of(service, region),
        identity: json!({
            "type": "IAMUser",
            "principalId": "AIDAMALLORY0000000000",
            "arn": by,
            "accountId": account.to_string(),
            "userName": name,
        }),
        source_ip: text("source_ip").unwrap_or(SOURCE_IP).to_owned(),
        input: parameters(service, request),
        answer: Ok(json!({})),
        at: now,
    })
}

/// The account and Region that the call would be made in.
fn place(world: &World, service: &str, request: &Value) -> Option<(AccountId, Region)> {
    let text = |member: &str| request[member].as_str();
    let account = || text("account").map_or(Some(MANAGEMENT_ACCOUNT), |id| id.parse().ok());
    match service {
        "organizations" => Some((MANAGEMENT_ACCOUNT, regions::GLOBAL)),
        "account" | "iam" | "s3control" => Some((account()?, regions::GLOBAL)),
        "cloudtrail" => {
            let owner = account()?;
            let trails = world.cloudtrail.of(owner).iter();
            let mut named =
                trails.filter(|trail| text("trail").is_none_or(|name| trail.name == name));
            Some((owner, named.next()?.home))
        }
        "s3" => world.s3.place(text("bucket")?),
        _ => Some((account()?, regions::find(text("region")?)?)),
    }
}

/// What the call would ask, as far as a reader of events may care.
fn parameters(service: &str, request: &Value) -> Value {
    let names: &[(&str, &str)] = match service {
        "cloudtrail" => &[("trail", "Name")],
        "organizations" => &[
            ("policy", "PolicyId"),
            ("target", "TargetId"),
            ("account", "AccountId"),
            ("to", "DestinationParentId"),
            ("ou", "OrganizationalUnitId"),
            ("resource", "ResourceId"),
            ("service_principal", "ServicePrincipal"),
        ],
        "iam" => &[("role", "RoleName")],
        "s3" => &[("bucket", "BucketName")],
        _ => &[],
    };
    let given = names.iter().filter_map(|(member, name)| {
        let value = request.get(member).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    Value::Object(given.collect::<Map<_, _>>())
}
