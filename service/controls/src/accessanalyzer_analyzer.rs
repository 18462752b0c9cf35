//! IAM Access Analyzer finds what of the account others can reach.
//!
//! AWS advises an analyzer for the whole organization and one in each account (Security Reference Architecture, "IAM
//! Access Analyzer"): they answer different questions. The organization's tells whom outside it one has let in, and is a
//! control of the organization; this one also tells about its other accounts, and the findings stand where the owner
//! of the account sees them. Security Hub's IAM.28 asks for it in each Region. External access is analyzed free of charge.

use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::access_analyzer::{self, Change, Observed, ZoneOfTrust};
use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct AccessAnalyzerAnalyzer;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

impl Control for AccessAnalyzerAnalyzer {
    const ID: &'static str = "accessanalyzer.analyzer";
    const TITLE: &'static str = "What others can reach in the account is known";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = access_analyzer::ACTIONS;
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = ZoneOfTrust;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, _place: &Place) -> Result<ZoneOfTrust, CloudError> {
        Ok(ZoneOfTrust::Account)
    }

    async fn observe(aws: &Session, desired: &ZoneOfTrust) -> Result<Observed, CloudError> {
        access_analyzer::observe(aws.target().await?, *desired).await
    }

    fn plan(desired: &ZoneOfTrust, observed: &Observed) -> Vec<Change> {
        access_analyzer::plan(*desired, observed)
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        access_analyzer::apply(aws.target().await?, change).await
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        access_analyzer::assets(&place.account, place, observed)
    }
}
