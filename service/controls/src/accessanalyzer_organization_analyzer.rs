//! IAM Access Analyzer finds what of the organization outsiders can reach: an analyzer in the security account, which
//! administers the service, in each governed Region.

use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::access_analyzer::{self, Change, Observed, ZoneOfTrust};
use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct AccessAnalyzerOrganizationAnalyzer;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

impl Control for AccessAnalyzerOrganizationAnalyzer {
    const ID: &'static str = "accessanalyzer.organization-analyzer";
    const TITLE: &'static str = "What outsiders can reach in the organization is known";
    const SCOPE: Scope = Scope::OrganizationRegion;
    const ACTIONS: &'static [&'static str] = access_analyzer::ACTIONS;
    const AFTER: &'static [&'static str] = &["organizations.delegated-administrators"];

    type Parameters = Parameters;
    type Desired = ZoneOfTrust;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, _place: &Place) -> Result<ZoneOfTrust, CloudError> {
        Ok(ZoneOfTrust::Organization)
    }

    async fn observe(aws: &Session, desired: &ZoneOfTrust) -> Result<Observed, CloudError> {
        access_analyzer::observe(aws.security().await?, *desired).await
    }

    fn plan(desired: &ZoneOfTrust, observed: &Observed) -> Vec<Change> {
        access_analyzer::plan(*desired, observed)
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        access_analyzer::apply(aws.security().await?, change).await
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let owner = place.organization.security_account.as_ref();
        let owner = owner.unwrap_or(&place.account);
        access_analyzer::assets(owner, place, observed)
    }
}
