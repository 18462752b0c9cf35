//! The OU tree, and the way between an OU's path and its id.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::OuPath;

use crate::aws::Aws;
use crate::error::CloudError;

pub const LIST: &str = "organizations:ListOrganizationalUnitsForParent";

/// Every OU below the root by path, with its id.
pub async fn list(aws: &Aws, root_id: &str) -> Result<BTreeMap<OuPath, String>, CloudError> {
    let organizations = aws.organizations();
    let mut units = BTreeMap::new();
    let mut parents: Vec<(Option<OuPath>, String)> = vec![(None, root_id.to_owned())];
    while let Some((path, parent)) = parents.pop() {
        let mut token = None;
        loop {
            // A page may be empty and still go on.
            let page = aws
                .call(LIST, || {
                    organizations
                        .list_organizational_units_for_parent()
                        .parent_id(&parent)
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            for unit in page.organizational_units.unwrap_or_default() {
                let (Some(name), Some(id)) = (unit.name, unit.id) else {
                    continue;
                };
                let full = path
                    .as_ref()
                    .map_or(name.clone(), |path| format!("{path}/{name}"));
                // A name that holds a slash cannot be in the landing zone; it and what is below it are not ours.
                let Ok(full) = full.parse::<OuPath>() else {
                    continue;
                };
                units.insert(full.clone(), id.clone());
                parents.push((Some(full), id));
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
    }
    Ok(units)
}

/// What is remembered of the tree: ids stay for an OU's life, so it is read again only when something is missing.
#[derive(Debug, Default)]
pub struct UnitIds(Mutex<BTreeMap<OuPath, String>>);

impl UnitIds {
    /// The id of an OU. `NotReady` where there is none: the organization's own reconcile makes it.
    pub async fn id_of(
        &self,
        aws: &Aws,
        root_id: &str,
        path: &OuPath,
    ) -> Result<String, CloudError> {
        if let Some(id) = self.known(|units| units.get(path).cloned()) {
            return Ok(id);
        }
        self.refresh(aws, root_id).await?;
        self.known(|units| units.get(path).cloned()).ok_or_else(|| {
            CloudError::not_ready(LIST, format!("there is no organizational unit {path} yet"))
        })
    }

    /// The path of the OU with this id.
    pub async fn path_of(&self, aws: &Aws, root_id: &str, id: &str) -> Result<OuPath, CloudError> {
        let find = |units: &BTreeMap<OuPath, String>| {
            units
                .iter()
                .find(|(_, known)| *known == id)
                .map(|(path, _)| path.clone())
        };
        if let Some(path) = self.known(find) {
            return Ok(path);
        }
        self.refresh(aws, root_id).await?;
        self.known(find).ok_or_else(|| CloudError::new(CloudErrorKind::Invalid, LIST, format!("the account is in an organizational unit with id {id} whose name Landfall cannot use")))
    }

    /// Takes over what somebody else just read.
    pub fn remember(&self, units: BTreeMap<OuPath, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = units;
    }

    async fn refresh(&self, aws: &Aws, root_id: &str) -> Result<(), CloudError> {
        let units = list(aws, root_id).await?;
        self.remember(units);
        Ok(())
    }

    fn known<T>(&self, find: impl Fn(&BTreeMap<OuPath, String>) -> Option<T>) -> Option<T> {
        find(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
