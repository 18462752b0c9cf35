//! Protection plans: the optional features of a detector, and what an organization switches on in its members.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{rejected, time};
use crate::call::AwsError;

/// The optional plans with their additional configurations, in the order in which `GetDetector` lists them.
const PLANS: [(&str, &[&str]); 7] = [
    ("S3_DATA_EVENTS", &[]),
    ("EKS_AUDIT_LOGS", &[]),
    ("EBS_MALWARE_PROTECTION", &[]),
    ("RDS_LOGIN_EVENTS", &[]),
    ("EKS_RUNTIME_MONITORING", &["EKS_ADDON_MANAGEMENT"]),
    ("LAMBDA_NETWORK_LOGS", &[]),
    (
        "RUNTIME_MONITORING",
        &[
            "EKS_ADDON_MANAGEMENT",
            "ECS_FARGATE_AGENT_MANAGEMENT",
            "EC2_AGENT_MANAGEMENT",
        ],
    ),
];

/// What every detector watches and nobody can switch off.
const FOUNDATION: [&str; 3] = ["CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"];

/// Plans that a detector does not switch on by itself.
const OFF_BY_DEFAULT: [&str; 2] = ["EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING"];

/// The plans of one detector, or what an organization wants of them: the same list with another kind of value.
#[derive(Clone)]
pub(super) struct Features {
    kind: Kind,
    plans: Vec<Plan>,
}

/// Which member of the model's shapes holds the value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// `Status`: `ENABLED` or `DISABLED`.
    Detector,
    /// `AutoEnable`: `NEW`, `ALL` or `NONE`.
    Organization,
}

#[derive(Clone)]
struct Plan {
    setting: Setting,
    additional: Vec<Setting>,
}

#[derive(Clone)]
struct Setting {
    name: &'static str,
    value: &'static str,
    updated_at: Timestamp,
}

impl Kind {
    fn member(self) -> &'static str {
        match self {
            Kind::Detector => "Status",
            Kind::Organization => "AutoEnable",
        }
    }

    /// How the older `DataSources` members spell the same switch.
    fn legacy_member(self) -> &'static str {
        match self {
            Kind::Detector => "Enable",
            Kind::Organization => "AutoEnable",
        }
    }

    fn value(self, on: bool) -> &'static str {
        match (self, on) {
            (Kind::Detector, true) => "ENABLED",
            (Kind::Detector, false) => "DISABLED",
            (Kind::Organization, true) => "NEW",
            (Kind::Organization, false) => "NONE",
        }
    }
}

impl Setting {
    fn set(&mut self, value: Option<&Value>, now: Timestamp) {
        let value = ["ENABLED", "DISABLED", "NEW", "ALL", "NONE"]
            .into_iter()
            .find(|known| value == Some(&json!(known)));
        if let Some(value) = value
            && value != self.value
        {
            self.value = value;
            self.updated_at = now;
        }
    }

    fn is_on(&self) -> bool {
        !matches!(self.value, "DISABLED" | "NONE")
    }
}

impl Features {
    /// What `CreateDetector` switches on where the caller says nothing: everything but Runtime Monitoring.
    pub(super) fn of_new_detector(now: Timestamp) -> Self {
        Self::each(Kind::Detector, now, |plan| !OFF_BY_DEFAULT.contains(&plan))
    }

    /// Everything off: what a detector starts with that the organization created, and an organization's first settings.
    pub(super) fn off(kind: Kind, now: Timestamp) -> Self {
        Self::each(kind, now, |_| false)
    }

    fn each(kind: Kind, now: Timestamp, on: impl Fn(&str) -> bool) -> Self {
        let plans = PLANS.iter().map(|&(name, additional)| Plan {
            setting: Setting {
                name,
                value: kind.value(on(name)),
                updated_at: now,
            },
            additional: additional
                .iter()
                .map(|&name| Setting {
                    name,
                    value: kind.value(false),
                    updated_at: now,
                })
                .collect(),
        });
        Features {
            kind,
            plans: plans.collect(),
        }
    }

    /// Merges `Features` and the older `DataSources` of a request: what it does not name stays as it is.
    pub(super) fn merge(&mut self, input: &Value, now: Timestamp) -> Result<(), AwsError> {
        let wanted = input["Features"].as_array().map_or(&[][..], Vec::as_slice);
        let names = |name: &str| wanted.iter().any(|feature| feature["Name"] == name);
        if OFF_BY_DEFAULT.iter().all(|name| names(name)) {
            return Err(rejected(
                "EKS_RUNTIME_MONITORING and RUNTIME_MONITORING cannot be specified together",
            ));
        }
        for (plan, on) in self.data_sources_of(input) {
            let value = json!(self.kind.value(on));
            self.setting_mut(plan).set(Some(&value), now);
        }
        let member = self.kind.member();
        for feature in wanted {
            let Some(plan) = self
                .plans
                .iter_mut()
                .find(|plan| feature["Name"] == plan.setting.name)
            else {
                continue;
            };
            plan.setting.set(feature.get(member), now);
            for wanted in feature["AdditionalConfiguration"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let known = plan
                    .additional
                    .iter_mut()
                    .find(|setting| wanted["Name"] == setting.name);
                let Some(setting) = known else {
                    return Err(rejected(
                        "an additional configuration does not belong to its feature",
                    ));
                };
                setting.set(wanted.get(member), now);
            }
        }
        Ok(())
    }

    fn data_sources_of(&self, input: &Value) -> Vec<(&'static str, bool)> {
        let sources = &input["DataSources"];
        let member = self.kind.legacy_member();
        let volumes = &sources["MalwareProtection"]["ScanEc2InstanceWithFindings"]["EbsVolumes"];
        let wanted = [
            ("S3_DATA_EVENTS", &sources["S3Logs"][member]),
            (
                "EKS_AUDIT_LOGS",
                &sources["Kubernetes"]["AuditLogs"][member],
            ),
            (
                "EBS_MALWARE_PROTECTION",
                if volumes.is_object() {
                    &volumes[member]
                } else {
                    volumes
                },
            ),
        ];
        wanted
            .into_iter()
            .filter_map(|(plan, value)| Some((plan, value.as_bool()?)))
            .collect()
    }

    fn setting_mut(&mut self, plan: &str) -> &mut Setting {
        let plan = self
            .plans
            .iter_mut()
            .find(|known| known.setting.name == plan);
        &mut plan.expect("only plans of PLANS are asked for").setting
    }

    /// Switches a plan off behind everybody's back; `false` where there is no such plan.
    pub(super) fn disable(&mut self, plan: &str, now: Timestamp) -> bool {
        let off = json!(self.kind.value(false));
        let plan = self
            .plans
            .iter_mut()
            .find(|known| known.setting.name == plan);
        plan.map(|plan| plan.setting.set(Some(&off), now)).is_some()
    }

    /// Switches on in this detector what the organization wants on in its members.
    pub(super) fn apply(&mut self, organization: &Features, now: Timestamp) {
        let on = json!(self.kind.value(true));
        for (plan, wanted) in self.plans.iter_mut().zip(&organization.plans) {
            if wanted.setting.is_on() {
                plan.setting.set(Some(&on), now);
            }
            for (setting, wanted) in plan.additional.iter_mut().zip(&wanted.additional) {
                if wanted.is_on() {
                    setting.set(Some(&on), now);
                }
            }
        }
    }

    /// `Features` as `DescribeOrganizationConfiguration` and `GetMemberDetectors` list them.
    pub(super) fn list(&self) -> Vec<Value> {
        let setting = |setting: &Setting| match self.kind {
            Kind::Detector => {
                json!({ "Name": setting.name, "Status": setting.value, "UpdatedAt": time(setting.updated_at) })
            }
            Kind::Organization => json!({ "Name": setting.name, "AutoEnable": setting.value }),
        };
        let plan = |plan: &Plan| {
            let mut feature = setting(&plan.setting);
            if !plan.additional.is_empty() {
                feature["AdditionalConfiguration"] = plan.additional.iter().map(&setting).collect();
            }
            feature
        };
        self.plans.iter().map(plan).collect()
    }

    /// `Features` as `GetDetector` lists them: the foundation, then the plans.
    pub(super) fn list_with_foundation(&self, created_at: Timestamp) -> Vec<Value> {
        let foundation =
            |name| json!({ "Name": name, "Status": "ENABLED", "UpdatedAt": time(created_at) });
        FOUNDATION
            .into_iter()
            .map(foundation)
            .chain(self.list())
            .collect()
    }

    /// The same in the older terms of `DataSources`.
    pub(super) fn data_sources(&self) -> Value {
        let value = |plan: &str| {
            self.plans
                .iter()
                .find(|known| known.setting.name == plan)
                .map(|plan| &plan.setting)
        };
        match self.kind {
            Kind::Detector => {
                let status =
                    |plan: &str| json!({ "Status": value(plan).map(|setting| setting.value) });
                let on = json!({ "Status": "ENABLED" });
                json!({
                    "CloudTrail": on, "DNSLogs": on, "FlowLogs": on,
                    "S3Logs": status("S3_DATA_EVENTS"),
                    "Kubernetes": { "AuditLogs": status("EKS_AUDIT_LOGS") },
                    "MalwareProtection": {
                        "ScanEc2InstanceWithFindings": { "EbsVolumes": status("EBS_MALWARE_PROTECTION") },
                    },
                })
            }
            Kind::Organization => {
                let auto =
                    |plan: &str| json!({ "AutoEnable": value(plan).is_some_and(Setting::is_on) });
                json!({
                    "S3Logs": auto("S3_DATA_EVENTS"),
                    "Kubernetes": { "AuditLogs": auto("EKS_AUDIT_LOGS") },
                    "MalwareProtection": {
                        "ScanEc2InstanceWithFindings": { "EbsVolumes": auto("EBS_MALWARE_PROTECTION") },
                    },
                })
            }
        }
    }
}
