//! VPCs and what is in them: the data, and what of it a new account has.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::{AccountId, Region};

pub(super) type Tags = BTreeMap<String, String>;

/// What an account has in a Region.
#[derive(Clone, Default)]
pub(super) struct Network {
    pub(super) vpcs: Vec<Vpc>,
    pub(super) gateways: Vec<Gateway>,
    /// How many ids were given out here.
    ids: u64,
}

#[derive(Clone)]
pub(super) struct Vpc {
    pub(super) id: String,
    pub(super) is_default: bool,
    pub(super) tags: Tags,
    pub(super) subnets: Vec<Subnet>,
    /// Those that somebody made: the VPC's own is not among them.
    pub(super) security_groups: Vec<SecurityGroup>,
    pub(super) interfaces: Vec<Interface>,
}

#[derive(Clone)]
pub(super) struct Subnet {
    pub(super) id: String,
    /// The letter of its availability zone.
    pub(super) zone: char,
    pub(super) cidr: String,
    pub(super) default_for_zone: bool,
    pub(super) tags: Tags,
}

/// An internet gateway.
#[derive(Clone)]
pub(super) struct Gateway {
    pub(super) id: String,
    pub(super) vpc: Option<String>,
    pub(super) tags: Tags,
}

#[derive(Clone)]
pub(super) struct SecurityGroup {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tags: Tags,
}

#[derive(Clone)]
pub(super) struct Interface {
    pub(super) id: String,
    pub(super) subnet: String,
    pub(super) address: String,
    /// Whether it has a public address too.
    pub(super) is_public: bool,
    pub(super) tags: Tags,
}

/// The CIDR block of every default VPC.
pub(super) const DEFAULT_CIDR: &str = "172.31.0.0/16";

impl Network {
    /// A default VPC, and nothing else.
    pub(super) fn of_new_account(seed: u64, account: AccountId, region: Region) -> Self {
        // Ids go on from a number that no other account and Region has.
        let place = region
            .bytes()
            .fold(seed ^ account.0.rotate_left(20), |hash, byte| {
                mix(hash ^ u64::from(byte))
            });
        let mut network = Network {
            ids: place,
            ..Network::default()
        };
        network.add_default_vpc(region);
        network
    }

    /// A VPC with a subnet in each availability zone, an internet gateway, and what every VPC has.
    pub(super) fn add_default_vpc(&mut self, region: Region) {
        let id = self.id("vpc");
        let subnets = zones(region).chars().enumerate();
        let subnets = subnets.map(|(n, zone)| Subnet {
            id: self.id("subnet"),
            zone,
            cidr: format!("172.31.{}.0/20", n * 16),
            default_for_zone: true,
            tags: Tags::new(),
        });
        let subnets = subnets.collect();
        let gateway = self.id("igw");
        self.gateways.push(Gateway {
            id: gateway,
            vpc: Some(id.clone()),
            tags: Tags::new(),
        });
        self.vpcs.push(Vpc {
            id,
            is_default: true,
            tags: Tags::new(),
            subnets,
            security_groups: Vec::new(),
            interfaces: Vec::new(),
        });
    }

    /// An id of its own: `vpc-0` and sixteen hexadecimal digits.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.ids = self.ids.wrapping_add(1);
        id_of(prefix, self.ids)
    }

    pub(super) fn default_vpc(&mut self) -> Option<&mut Vpc> {
        self.vpcs.iter_mut().find(|vpc| vpc.is_default)
    }

    /// The tags of a resource, by its id.
    pub(super) fn tags_mut(&mut self, id: &str) -> Option<&mut Tags> {
        if let Some(gateway) = self.gateways.iter_mut().find(|gateway| gateway.id == id) {
            return Some(&mut gateway.tags);
        }
        for vpc in &mut self.vpcs {
            if vpc.id == id {
                return Some(&mut vpc.tags);
            }
            let subnets = vpc.subnets.iter_mut().map(|one| (&one.id, &mut one.tags));
            let groups = vpc
                .security_groups
                .iter_mut()
                .map(|one| (&one.id, &mut one.tags));
            let interfaces = vpc
                .interfaces
                .iter_mut()
                .map(|one| (&one.id, &mut one.tags));
            let mut all = subnets.chain(groups).chain(interfaces);
            if let Some((_, tags)) = all.find(|(one, _)| *one == id) {
                return Some(tags);
            }
        }
        None
    }
}

/// The id of something that a VPC always has, worked out of the VPC's own.
pub(super) fn belonging(prefix: &str, vpc: &str) -> String {
    let hash = |hash, byte| mix(hash ^ u64::from(byte));
    id_of(prefix, prefix.bytes().chain(vpc.bytes()).fold(0, hash))
}

fn id_of(prefix: &str, number: u64) -> String {
    format!("{prefix}-0{:016x}", mix(number))
}

/// The finalizer of SplitMix64: spreads numbers over all bits, and no two onto one.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The letters of the availability zones that a new account sees.
pub(super) fn zones(region: Region) -> &'static str {
    match region {
        "us-east-1" => "abcdef",
        "us-west-2" | "ap-northeast-2" => "abcd",
        "ap-northeast-1" => "acd",
        "ca-central-1" => "abd",
        "us-west-1" => "ac",
        _ => "abc",
    }
}

pub(super) fn tag_list(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| serde_json::json!({ "Key": key, "Value": value }))
        .collect()
}
