//! The OU tree of the landing zone exists. OUs that are not in it are somebody else's and are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::ids::OuPath;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, done_already};
use crate::organizational_units;
use crate::session::Session;

pub(crate) struct OrganizationsUnits;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

/// The OUs that must exist.
#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    units: BTreeSet<OuPath>,
}

/// Every OU with its id.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    units: BTreeMap<OuPath, String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Create { path: OuPath },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create { path } => write!(f, "create the organizational unit {path}"),
        }
    }
}

const CREATE: &str = "organizations:CreateOrganizationalUnit";

impl Control for OrganizationsUnits {
    const ID: &'static str = "organizations.units";
    const TITLE: &'static str = "The organizational units of the landing zone exist";
    const SCOPE: Scope = Scope::Organization;
    const ACTIONS: &'static [&'static str] = &[organizational_units::LIST, CREATE];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            units: place
                .landing_zone
                .organizational_units
                .iter()
                .map(|unit| unit.path.clone())
                .collect(),
        })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let units =
            organizational_units::list(aws.management().await?, &aws.place().organization.root_id)
                .await?;
        aws.units().remember(units.clone());
        Ok(Observed { units })
    }

    /// A path sorts behind its parent's, so parents come first.
    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let missing = desired
            .units
            .iter()
            .filter(|path| !observed.units.contains_key(path));
        missing
            .map(|path| Change::Create { path: path.clone() })
            .collect()
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Create { path } = change;
        let management = aws.management().await?;
        let root_id = &aws.place().organization.root_id;
        let parent = match path.parent() {
            None => root_id.clone(),
            Some(parent) => aws.units().id_of(management, root_id, &parent).await?,
        };
        let organizations = management.organizations();
        let created = management
            .call(CREATE, || {
                organizations
                    .create_organizational_unit()
                    .parent_id(&parent)
                    .name(path.name())
                    .send()
            })
            .await;
        done_already(created, &["DuplicateOrganizationalUnitException"])
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let organization = &place.organization;
        let asset = |(path, id): (&OuPath, &String)| Asset {
            arn: format!(
                "arn:aws:organizations::{}:ou/{}/{id}",
                organization.management_account, organization.id
            ),
            kind: "AWS::Organizations::OrganizationalUnit".to_owned(),
            account_id: organization.management_account.clone(),
            region: None,
            name: path.to_string(),
            configuration: serde_json::json!({ "path": path }),
        };
        observed.units.iter().map(asset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> OuPath {
        text.parse().unwrap()
    }

    #[test]
    fn missing_units_are_made_parents_first_and_others_left_alone() {
        let desired = Desired {
            units: ["Apps/Prod", "Apps", "Admin"].map(path).into(),
        };
        let plan = |present: &[&str]| {
            let observed = Observed {
                units: present
                    .iter()
                    .map(|p| (path(p), "ou-1".to_owned()))
                    .collect(),
            };
            OrganizationsUnits::plan(&desired, &observed)
                .iter()
                .map(|Change::Create { path }| path.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(plan(&[]), ["Admin", "Apps", "Apps/Prod"]);
        assert_eq!(plan(&["Apps", "Theirs"]), ["Admin", "Apps/Prod"]);
        assert!(plan(&["Admin", "Apps", "Apps/Prod", "Theirs"]).is_empty());
    }
}
