//! There is no default VPC: what starts there is on the internet without anybody having said so.
//!
//! Only a VPC that nobody uses is taken away. One with a network interface in it is in use: an instance has at least
//! one even when it is stopped, and so has whatever a service puts into a VPC. So is one to which somebody added a
//! subnet or a security group. All that is left alone, and a person is asked.
//!
//! The steps keep that true when the world changes between the look and the step. Subnets go first: EC2 does not
//! delete one with an interface in it, and then nothing else is touched. The VPC goes last, so that an interrupted
//! removal is found again by it. A gateway is tagged before it is detached, because then nothing else tells whose it
//! was. The security group, route table and network ACL that every VPC has go with it (EC2 API, `DeleteVpc`).

use std::fmt;

use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, done_already};
use crate::session::Session;

pub(crate) struct Ec2DefaultVpc;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    /// None, as what is observed then says too.
    vpc: (),
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    vpc: Option<DefaultVpc>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct DefaultVpc {
    id: String,
    subnets: Vec<String>,
    gateways: Vec<Gateway>,
    /// Network interfaces, and subnets and security groups that did not come with the VPC.
    in_use_by: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Gateway {
    id: String,
    /// A gateway that is not is one that was detached in order to be deleted.
    attached: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    DeleteSubnet {
        id: String,
    },
    DetachGateway {
        id: String,
        vpc: String,
    },
    DeleteGateway {
        id: String,
    },
    DeleteVpc {
        id: String,
    },
    /// For a person.
    AwaitDisuse {
        id: String,
        in_use_by: Vec<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::DeleteSubnet { id } => write!(f, "delete {id} of the default VPC"),
            Change::DetachGateway { id, vpc } => {
                write!(f, "detach {id} from the default VPC {vpc}")
            }
            Change::DeleteGateway { id } => write!(f, "delete {id} of the default VPC"),
            Change::DeleteVpc { id } => write!(f, "delete the default VPC {id}"),
            Change::AwaitDisuse { id, in_use_by } => write!(
                f,
                "wait until nothing uses the default VPC {id}: somebody has to move or delete {}",
                in_use_by.join(", ")
            ),
        }
    }
}

const VPCS: &str = "ec2:DescribeVpcs";
const SUBNETS: &str = "ec2:DescribeSubnets";
const GATEWAYS: &str = "ec2:DescribeInternetGateways";
const INTERFACES: &str = "ec2:DescribeNetworkInterfaces";
const SECURITY_GROUPS: &str = "ec2:DescribeSecurityGroups";
const DELETE_SUBNET: &str = "ec2:DeleteSubnet";
const TAG: &str = "ec2:CreateTags";
const DETACH_GATEWAY: &str = "ec2:DetachInternetGateway";
const DELETE_GATEWAY: &str = "ec2:DeleteInternetGateway";
const DELETE_VPC: &str = "ec2:DeleteVpc";

/// The tag of a gateway that is on its way out, and the VPC that it was the gateway of.
const REMOVED_FROM: &str = "landfall:removed-from";

impl Control for Ec2DefaultVpc {
    const ID: &'static str = "ec2.default-vpc";
    const TITLE: &'static str = "There is no default VPC";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[
        VPCS,
        SUBNETS,
        GATEWAYS,
        INTERFACES,
        SECURITY_GROUPS,
        DELETE_SUBNET,
        TAG,
        DETACH_GATEWAY,
        DELETE_GATEWAY,
        DELETE_VPC,
    ];
    const AFTER: &'static [&'static str] = &["account.regions"];
    const MEMBERS_ONLY: bool = true;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, _place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired { vpc: () })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let ec2 = aws.target().await?.ec2();
        let is_default = [
            ("Filter.1.Name", "is-default"),
            ("Filter.1.Value.1", "true"),
        ];
        let vpcs = ec2.list(VPCS, &is_default, "vpcSet", &["vpcId"]).await?;
        // There is at most one in a Region (Amazon VPC User Guide, "Default VPCs").
        let Some(id) = vpcs.first().and_then(|vpc| vpc.text("vpcId")) else {
            return Ok(Observed { vpc: None });
        };
        let mut vpc = DefaultVpc {
            id: id.to_owned(),
            ..DefaultVpc::default()
        };
        let within = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", id)];

        let interfaces = ec2
            .list(
                INTERFACES,
                &within,
                "networkInterfaceSet",
                &["networkInterfaceId"],
            )
            .await?;
        let interfaces = interfaces
            .iter()
            .filter_map(|interface| interface.text("networkInterfaceId"));
        vpc.in_use_by.extend(interfaces.map(str::to_owned));

        let groups = ec2
            .list(
                SECURITY_GROUPS,
                &within,
                "securityGroupInfo",
                &["groupId", "groupName"],
            )
            .await?;
        let groups = groups
            .iter()
            .filter(|group| group.text("groupName") != Some("default"))
            .filter_map(|group| group.text("groupId"));
        vpc.in_use_by.extend(groups.map(str::to_owned));

        let subnets = ec2
            .list(SUBNETS, &within, "subnetSet", &["subnetId", "defaultForAz"])
            .await?;
        for subnet in &subnets {
            let Some(id) = subnet.text("subnetId") else {
                continue;
            };
            if subnet.text("defaultForAz") == Some("true") {
                vpc.subnets.push(id.to_owned());
            } else {
                vpc.in_use_by.push(id.to_owned());
            }
        }

        vpc.gateways = gateways_of(&ec2, id).await?;
        vpc.subnets.sort();
        vpc.in_use_by.sort();
        Ok(Observed { vpc: Some(vpc) })
    }

    fn plan(_desired: &Desired, observed: &Observed) -> Vec<Change> {
        let Some(vpc) = &observed.vpc else {
            return Vec::new();
        };
        if !vpc.in_use_by.is_empty() {
            return vec![Change::AwaitDisuse {
                id: vpc.id.clone(),
                in_use_by: vpc.in_use_by.clone(),
            }];
        }
        let mut changes: Vec<Change> = vpc
            .subnets
            .iter()
            .map(|id| Change::DeleteSubnet { id: id.clone() })
            .collect();
        for gateway in &vpc.gateways {
            let id = || gateway.id.clone();
            if gateway.attached {
                changes.push(Change::DetachGateway {
                    id: id(),
                    vpc: vpc.id.clone(),
                });
            }
            changes.push(Change::DeleteGateway { id: id() });
        }
        changes.push(Change::DeleteVpc { id: vpc.id.clone() });
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let ec2 = aws.target().await?.ec2();
        match change {
            Change::DeleteSubnet { id } => {
                let deleted = ec2.act(DELETE_SUBNET, &[("SubnetId", id)]).await;
                unless_in_use(done_already(deleted, &["InvalidSubnetID.NotFound"]))
            }
            Change::DetachGateway { id, vpc } => {
                let tag = [
                    ("ResourceId.1", id.as_str()),
                    ("Tag.1.Key", REMOVED_FROM),
                    ("Tag.1.Value", vpc),
                ];
                let tagged = ec2.act(TAG, &tag).await;
                done_already(tagged, &[NO_GATEWAY, "InvalidID"])?;
                let attachment = [("InternetGatewayId", id.as_str()), ("VpcId", vpc)];
                let detached = ec2.act(DETACH_GATEWAY, &attachment).await;
                unless_in_use(done_already(detached, &["Gateway.NotAttached", NO_GATEWAY]))
            }
            Change::DeleteGateway { id } => {
                let deleted = ec2.act(DELETE_GATEWAY, &[("InternetGatewayId", id)]).await;
                done_already(deleted, &[NO_GATEWAY])
            }
            Change::DeleteVpc { id } => {
                let deleted = ec2.act(DELETE_VPC, &[("VpcId", id)]).await;
                let deleted = done_already(deleted, &["InvalidVpcID.NotFound"]);
                deleted.map_err(|error| {
                    if !error.is(&[IN_USE]) {
                        return error;
                    }
                    let message = format!(
                        "something that somebody made is left in the default VPC {id}: delete its own route tables, network ACLs, endpoints, peering connections and gateways"
                    );
                    CloudError::new(CloudErrorKind::Invalid, DELETE_VPC, message)
                })
            }
            Change::AwaitDisuse { .. } => Err(CloudError::new(
                CloudErrorKind::Invalid,
                DELETE_VPC,
                change.to_string(),
            )),
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |vpc: &DefaultVpc| Asset {
            arn: format!(
                "arn:aws:ec2:{}:{}:vpc/{}",
                place.region, place.account, vpc.id
            ),
            kind: "AWS::EC2::VPC".to_owned(),
            account_id: place.account.clone(),
            region: Some(place.region.clone()),
            name: vpc.id.clone(),
            configuration: serde_json::json!(vpc),
        };
        observed.vpc.iter().map(asset).collect()
    }
}

const NO_GATEWAY: &str = "InvalidInternetGatewayID.NotFound";
const IN_USE: &str = "DependencyViolation";

/// The gateways attached to the VPC, and those detached from it to be deleted.
async fn gateways_of(ec2: &crate::ec2::Ec2<'_>, vpc: &str) -> Result<Vec<Gateway>, CloudError> {
    const ID: &str = "internetGatewayId";
    const ATTACHED_TO: &str = "attachmentSet/item/vpcId";
    const TAG_KEY: &str = "tagSet/item/key";
    let all = ec2
        .list(
            GATEWAYS,
            &[],
            "internetGatewaySet",
            &[ID, ATTACHED_TO, TAG_KEY],
        )
        .await?;
    let mut gateways: Vec<Gateway> = all
        .iter()
        .filter_map(|gateway| {
            let attached = gateway.all(ATTACHED_TO).iter().any(|to| to == vpc);
            let left_over = gateway.all(ATTACHED_TO).is_empty()
                && gateway.all(TAG_KEY).iter().any(|key| key == REMOVED_FROM);
            let id = gateway.text(ID)?.to_owned();
            (attached || left_over).then_some(Gateway { id, attached })
        })
        .collect();
    gateways.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(gateways)
}

/// Somebody began to use the VPC after the look: the next look says who.
fn unless_in_use(result: Result<(), CloudError>) -> Result<(), CloudError> {
    result.map_err(|mut error| {
        if error.is(&[IN_USE]) {
            error.kind = CloudErrorKind::Conflict;
        }
        error
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(vpc: Option<DefaultVpc>) -> Vec<String> {
        let plan = Ec2DefaultVpc::plan(&Desired { vpc: () }, &Observed { vpc });
        plan.iter().map(ToString::to_string).collect()
    }

    fn vpc() -> DefaultVpc {
        DefaultVpc {
            id: "vpc-1".to_owned(),
            subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
            gateways: vec![Gateway {
                id: "igw-1".to_owned(),
                attached: true,
            }],
            in_use_by: Vec::new(),
        }
    }

    #[test]
    fn an_unused_default_vpc_goes_from_the_inside_out() {
        assert!(plan(None).is_empty());
        assert_eq!(
            plan(Some(vpc())),
            [
                "delete subnet-1 of the default VPC",
                "delete subnet-2 of the default VPC",
                "detach igw-1 from the default VPC vpc-1",
                "delete igw-1 of the default VPC",
                "delete the default VPC vpc-1",
            ]
        );
    }

    #[test]
    fn a_removal_goes_on_where_it_stopped() {
        let stopped = DefaultVpc {
            subnets: Vec::new(),
            gateways: vec![Gateway {
                id: "igw-1".to_owned(),
                attached: false,
            }],
            ..vpc()
        };
        assert_eq!(
            plan(Some(stopped)),
            [
                "delete igw-1 of the default VPC",
                "delete the default VPC vpc-1"
            ]
        );
    }

    #[test]
    fn nothing_is_taken_from_a_vpc_in_use() {
        let used = DefaultVpc {
            in_use_by: vec!["eni-1".to_owned(), "sg-1".to_owned()],
            ..vpc()
        };
        assert_eq!(
            plan(Some(used)),
            [
                "wait until nothing uses the default VPC vpc-1: somebody has to move or delete eni-1, sg-1"
            ]
        );
    }
}
