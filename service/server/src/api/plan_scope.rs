//! What a plan is to look at: names from outside, checked against what there is, and the targets that they mean.

use std::collections::BTreeSet;
use std::fmt::Display;

use landfall_controls::registry;
use landfall_model::control::Scope;
use landfall_model::ids::{AccountId, ControlId, TargetId};
use landfall_model::plan::PlanScope;
use landfall_model::request::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::names::{self, Wrong};
use super::problem::Problem;
use crate::store::{Account, AccountFilter};

/// Which cells to look at. A list that is empty or left out leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PlanScope)]
pub struct PlanForm {
    /// Twelve digits each. The management account stands for the organization, too.
    #[schema(example = json!(["222222222222"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// The accounts in these OUs and in those below them.
    #[schema(example = json!(["Applications/Production"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizational_units: Vec<String>,
    /// Governed Regions. What is not regional stands under the home Region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    #[schema(example = json!(["guardduty.detector"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<String>,
}

impl From<PlanScope> for PlanForm {
    fn from(scope: PlanScope) -> Self {
        fn texts<T: Display>(names: impl IntoIterator<Item = T>) -> Vec<String> {
            names.into_iter().map(|name| name.to_string()).collect()
        }
        PlanForm {
            accounts: texts(scope.accounts),
            organizational_units: texts(scope.organizational_units),
            regions: texts(scope.regions),
            controls: texts(scope.controls),
        }
    }
}

impl Api {
    /// The scope and the targets of a plan.
    pub(super) async fn plan_targets(
        &self,
        form: &PlanForm,
    ) -> Result<(PlanScope, Vec<TargetId>), Problem> {
        let zone = &self.landing_zone;
        let accounts = self.accounts_with_cells().await?;
        let mut numbers: BTreeSet<AccountId> = accounts
            .iter()
            .filter_map(|account| account.account_id.clone())
            .collect();
        numbers.insert(zone.management_account.clone());
        let units = names::units(zone);
        let regions = names::regions(zone);
        let controls = names::controls();
        let mut wrong = Wrong::default();
        let scope = PlanScope {
            accounts: wrong.names(
                "accounts",
                &form.accounts,
                "account with a baseline",
                &numbers,
            ),
            organizational_units: wrong.names(
                "organizational_units",
                &form.organizational_units,
                "organizational unit",
                &units,
            ),
            regions: wrong.names("regions", &form.regions, "governed Region", &regions),
            controls: wrong.names("controls", &form.controls, "control", &controls),
        };
        if !wrong.0.is_empty() {
            return Err(Problem::invalid(wrong.0));
        }

        let some_named = !scope.accounts.is_empty() || !scope.organizational_units.is_empty();
        let organization = !some_named || scope.accounts.contains(&zone.management_account);
        let accounts: Vec<&Account> = accounts
            .iter()
            .filter(|account| !some_named || is_named(&scope, account))
            .collect();
        if accounts.is_empty() && !organization {
            return Err(empty(
                "/organizational_units",
                "no account with a baseline stands in there yet".to_owned(),
            ));
        }
        let mut targets = Vec::new();
        if organization && any_control(&scope.controls, Scope::is_organization) {
            targets.push(TargetId::Organization);
        }
        if any_control(&scope.controls, |scope| !scope.is_organization()) {
            targets.extend(accounts.into_iter().map(Account::target));
        }
        if targets.is_empty() {
            let rule = if organization {
                "these belong to accounts, and the management account has no baseline yet: name other accounts"
            } else {
                "these belong to the organization: leave out accounts and organizational units, or name the management account"
            };
            return Err(empty("/controls", rule.to_owned()));
        }
        Ok((scope, targets))
    }

    async fn accounts_with_cells(&self) -> Result<Vec<Account>, Problem> {
        let filter = AccountFilter {
            has_account_id: Some(true),
            ..AccountFilter::default()
        };
        let mut accounts = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.store.accounts(&filter, cursor.as_deref(), 500).await?;
            accounts.extend(
                page.items
                    .into_iter()
                    .filter(|account| account.phase.has_cells()),
            );
            cursor = page.next;
            if cursor.is_none() {
                return Ok(accounts);
            }
        }
    }
}

fn is_named(scope: &PlanScope, account: &Account) -> bool {
    account
        .account_id
        .as_ref()
        .is_some_and(|number| scope.accounts.contains(number))
        || scope.covers_unit(&account.request.organizational_unit)
}

/// Whether any of these controls, or of all where none is named, has such a scope.
fn any_control(named: &BTreeSet<ControlId>, is_such: impl Fn(Scope) -> bool) -> bool {
    registry::controls()
        .iter()
        .filter(|(id, _)| named.is_empty() || named.contains(id))
        .any(|(_, control)| is_such(control.descriptor().scope))
}

fn empty(pointer: &str, rule: String) -> Problem {
    Problem::invalid(vec![FieldError {
        pointer: pointer.to_owned(),
        rule,
    }])
}
