//! The OU tree, and the way between an OU's path and its id.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// What is remembered of the tree: ids stay for an OU's life, so it is read again only when something is missing, and once
/// for all who miss something at the same time.
#[derive(Debug, Default)]
pub struct UnitIds {
    tree: Mutex<Tree>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Tree {
    units: BTreeMap<OuPath, String>,
    /// How many times it was read.
    readings: u64,
}

impl UnitIds {
    /// The id of an OU. `NotReady` where there is none: the organization's own reconcile makes it.
    pub async fn id_of(
        &self,
        aws: &Aws,
        root_id: &str,
        path: &OuPath,
    ) -> Result<String, CloudError> {
        let find = |units: &BTreeMap<OuPath, String>| units.get(path).cloned();
        self.find(aws, root_id, find).await?.ok_or_else(|| {
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
        self.find(aws, root_id, find).await?.ok_or_else(|| CloudError::new(CloudErrorKind::Invalid, LIST, format!("the account is in an organizational unit with id {id} whose name Landfall cannot use")))
    }

    /// Takes over what somebody else just read.
    pub fn remember(&self, units: BTreeMap<OuPath, String>) {
        let mut tree = self.tree();
        tree.units = units;
        tree.readings += 1;
    }

    async fn find<T>(
        &self,
        aws: &Aws,
        root_id: &str,
        find: impl Fn(&BTreeMap<OuPath, String>) -> Option<T>,
    ) -> Result<Option<T>, CloudError> {
        let look = || {
            let tree = self.tree();
            (find(&tree.units), tree.readings)
        };
        let (found, readings) = look();
        if found.is_some() {
            return Ok(found);
        }
        let _turn = self.turn.lock().await;
        let (found, readings_now) = look();
        // Whoever had the turn before has read the tree for us too.
        if found.is_some() || readings_now > readings {
            return Ok(found);
        }
        self.remember(list(aws, root_id).await?);
        Ok(look().0)
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    #[tokio::test]
    async fn the_tree_is_read_once_for_all_who_ask_at_once() {
        let admin = r#"{"OrganizationalUnits": [{"Name": "Admin", "Id": "ou-1"}]}"#;
        let wire = Wire::with([(200, admin), (200, "{}"), (200, "{}"), (200, "{}")]);
        let aws = wire.aws("us-east-1", &[LIST]);
        let units = UnitIds::default();
        let (there, absent) = ("Admin".parse().unwrap(), "Sandbox".parse().unwrap());
        // Nobody reads before all have asked.
        let turn = units.turn.lock().await;
        let (a, b, c, ()) = tokio::join!(
            units.id_of(&aws, "r-1", &there),
            units.path_of(&aws, "r-1", "ou-1"),
            units.id_of(&aws, "r-1", &absent),
            async { drop(turn) },
        );
        assert_eq!((a.unwrap(), b.unwrap()), ("ou-1".to_owned(), there));
        assert_eq!(c.unwrap_err().kind, CloudErrorKind::NotReady);
        assert_eq!(wire.requests().len(), 2, "the root and the one OU");
        // What was missing then may be there now.
        units.id_of(&aws, "r-1", &absent).await.unwrap_err();
        assert_eq!(wire.requests().len(), 1);
    }
}
