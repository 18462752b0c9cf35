//! What can be found out about an organization before anything is changed in it: who calls, which roles can be assumed,
//! what is switched on, and what others keep there. Every call here only looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_organizations::types::OrganizationFeatureSet;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::Timestamp;
use landfall_model::ids::{AccountId, Region};

use crate::aws::Aws;
use crate::cloud::{Cloud, Errand};
use crate::error::CloudError;
use crate::members;
use crate::names::TRAIL;
use crate::organizational_units;

const IDENTITY: &str = "sts:GetCallerIdentity";
const ROOTS: &str = "organizations:ListRoots";
const ORGANIZATION: &str = "organizations:DescribeOrganization";
const TRUSTED: &str = "organizations:ListAWSServiceAccessForOrganization";
const REGIONS: &str = "account:ListRegions";
const TRAILS: &str = "cloudtrail:DescribeTrails";

/// What these looks call in the management account.
pub const ACTIONS: &[&str] = &[
    ORGANIZATION,
    ROOTS,
    TRUSTED,
    REGIONS,
    TRAILS,
    "organizations:ListParents",
    "organizations:ListPoliciesForTarget",
    organizational_units::LIST,
    members::LIST,
    members::DESCRIBE,
];

/// Control Tower's service principal: it works in organizations that it governs.
pub const CONTROL_TOWER: &str = "controltower.amazonaws.com";

/// Whose credentials the process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub arn: String,
    /// `None` where AWS names none.
    pub account: Option<AccountId>,
    /// AWS's clock, as its answer told it.
    pub aws_clock: Option<Timestamp>,
}

/// The organization, as far as it must be right before Landfall can work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    pub id: String,
    /// Consolidated billing alone knows neither policies nor trusted access.
    pub all_features: bool,
    pub management_account: Option<AccountId>,
}

/// A trail of the whole organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationTrail {
    pub name: String,
    pub home_region: String,
    pub bucket: String,
}

/// Asks STS who the process is: no permission is needed for that.
pub async fn caller(cloud: &Cloud) -> Result<Caller, CloudError> {
    let aws = cloud.own([IDENTITY].into());
    let sts = aws.sts();
    let date = DateSeen::default();
    let answer = aws
        .call(IDENTITY, || {
            sts.get_caller_identity()
                .customize()
                .interceptor(date.clone())
                .send()
        })
        .await?;
    Ok(Caller {
        arn: answer.arn.unwrap_or_default(),
        account: answer.account.and_then(|account| account.parse().ok()),
        aws_clock: date.taken(),
    })
}

/// The `Date` of an answer.
#[derive(Clone, Debug, Default)]
struct DateSeen(Arc<Mutex<Option<Timestamp>>>);

impl DateSeen {
    fn taken(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for DateSeen {
    fn name(&self) -> &'static str {
        "DateSeen"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            date.and_then(|date| Timestamp::from_second(date.secs()).ok());
        Ok(())
    }
}

/// Assumes the management role for these looks.
pub async fn management(
    cloud: &Cloud,
    account: &AccountId,
    home: &Region,
) -> Result<Aws, CloudError> {
    let errand = Errand {
        account: account.clone(),
        region: home.clone(),
        actions: ACTIONS.iter().copied().collect(),
        reason: "doctor".to_owned(),
        young: false,
        shared: true,
    };
    cloud.assume(&errand).await
}

/// Whether the execution role of a member can be assumed.
pub async fn execution_role(
    cloud: &Cloud,
    account: &AccountId,
    home: &Region,
) -> Result<(), CloudError> {
    let errand = Errand {
        account: account.clone(),
        region: home.clone(),
        actions: [IDENTITY].into(),
        reason: "doctor".to_owned(),
        young: false,
        shared: false,
    };
    cloud.assume(&errand).await.map(drop)
}

/// Whether all features are on, and which account manages the organization.
pub async fn features(aws: &Aws) -> Result<Features, CloudError> {
    let organizations = aws.organizations();
    let found = aws
        .call(ORGANIZATION, || {
            organizations.describe_organization().send()
        })
        .await?
        .organization;
    let found = found.as_ref();
    Ok(Features {
        id: found.and_then(|found| found.id.clone()).unwrap_or_default(),
        all_features: found.and_then(|found| found.feature_set.as_ref())
            == Some(&OrganizationFeatureSet::All),
        management_account: found
            .and_then(|found| found.master_account_id.as_deref())
            .and_then(|id| id.parse().ok()),
    })
}

/// Whether Control Tower works in the organization.
pub async fn control_tower(aws: &Aws) -> Result<bool, CloudError> {
    let organizations = aws.organizations();
    let mut token = None;
    loop {
        let page = aws
            .call(TRUSTED, || {
                organizations
                    .list_aws_service_access_for_organization()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let services = page.enabled_service_principals.unwrap_or_default();
        if services
            .iter()
            .any(|service| service.service_principal.as_deref() == Some(CONTROL_TOWER))
        {
            return Ok(true);
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(false);
        }
    }
}

/// Each Region that the management account knows, with AWS's word for it: `ENABLED_BY_DEFAULT`, `ENABLED`, `DISABLED` …
pub async fn regions(aws: &Aws) -> Result<BTreeMap<String, String>, CloudError> {
    let account = aws.account_management();
    let mut regions = BTreeMap::new();
    let mut token = None;
    loop {
        let page = aws
            .call(REGIONS, || {
                account.list_regions().set_next_token(token.clone()).send()
            })
            .await?;
        for region in page.regions.unwrap_or_default() {
            if let (Some(name), Some(status)) = (region.region_name, region.region_opt_status) {
                regions.insert(name, status.as_str().to_owned());
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(regions);
        }
    }
}

/// Organization trails that are not Landfall's.
pub async fn other_trails(aws: &Aws) -> Result<Vec<OrganizationTrail>, CloudError> {
    let cloudtrail = aws.cloudtrail();
    let trails = aws
        .call(TRAILS, || {
            cloudtrail
                .describe_trails()
                .include_shadow_trails(true)
                .send()
        })
        .await?
        .trail_list
        .unwrap_or_default();
    Ok(trails
        .into_iter()
        .filter(|trail| trail.is_organization_trail == Some(true))
        .filter(|trail| trail.name.as_deref() != Some(TRAIL))
        .map(|trail| OrganizationTrail {
            name: trail.name.unwrap_or_default(),
            home_region: trail.home_region.unwrap_or_default(),
            bucket: trail.s3_bucket_name.unwrap_or_default(),
        })
        .collect())
}
