//! How it stands with an account besides its cells: when it is looked at next, and what keeps it from getting on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_model::ids::TargetId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::cells::CellError;
use super::problem::Problem;
use crate::store::{self, Account, Pause, Target, WishAction};

/// When an account is looked at next, and what keeps it from getting on as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// When it is looked at next; while somebody works on it, when that ends at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What stopped the last pass before it was through: none of the cells, but something that concerns the account as
    /// a whole, such as a quota or a role that cannot be assumed. It is tried again at `due_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<CellError>,
    /// Why nobody works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// What somebody wants done with it, and is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
}

/// What somebody wants done with an account: it waits for approval, or for AWS.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Wish {
    /// `move` or `close`.
    #[schema(value_type = String, example = "close")]
    pub action: WishAction,
    /// Where to move it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    pub reason: String,
    pub asked_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    /// Absent while it waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// What AWS makes it wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

impl From<store::Wish> for Wish {
    fn from(wish: store::Wish) -> Self {
        Wish {
            action: wish.action,
            organizational_unit: wish.organizational_unit.map(String::from),
            reason: wish.reason,
            asked_by: wish.asked_by,
            asked_at: wish.asked_at,
            approved_by: wish.agreed.map(|(by, _)| by),
            waits_for: wish.waits_for,
        }
    }
}

/// Why nobody works on an account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    pub by: String,
    pub reason: String,
    /// When it ends by itself; absent when somebody has to resume it.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl From<Pause> for Paused {
    fn from(pause: Pause) -> Self {
        Paused {
            since: pause.at,
            by: pause.by,
            reason: pause.reason,
            until: pause.until,
        }
    }
}

impl From<Target> for Standing {
    fn from(target: Target) -> Self {
        Standing {
            due_at: Some(target.due_at),
            last_error: target.last_error.map(CellError::from),
            paused: target.paused.map(Paused::from),
            wish: None,
        }
    }
}

impl Api {
    pub(super) async fn standing(&self, account: &Account) -> Result<Standing, Problem> {
        let target = self.store.target(account.target()).await?;
        let wish = self.store.wish(account.id).await?;
        Ok(Standing {
            wish: wish.map(Wish::from),
            ..target.map(Standing::from).unwrap_or_default()
        })
    }

    /// Those of a page of accounts, by request.
    pub(super) async fn standings(
        &self,
        accounts: &[Account],
    ) -> Result<BTreeMap<Uuid, Standing>, Problem> {
        let targets = self
            .store
            .targets(accounts.iter().map(Account::target))
            .await?;
        let mut standings: BTreeMap<Uuid, Standing> = targets
            .into_iter()
            .filter_map(|target| match target.id {
                TargetId::Account(id) => Some((id, target.into())),
                TargetId::Organization => None,
            })
            .collect();
        let wishes = self.store.wishes(accounts.iter().map(|a| a.id)).await?;
        for wish in wishes {
            let account = wish.account;
            standings.entry(account).or_default().wish = Some(wish.into());
        }
        Ok(standings)
    }
}
