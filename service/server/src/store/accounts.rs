//! Accounts, from the request on: one row for both, so that nothing has to be joined up to tell an account's story.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

pub use landfall_model::account::Purpose;
use landfall_model::account::{Failure, Phase};
use landfall_model::aws_state::AwsState;
use landfall_model::creation::Creation;
use landfall_model::ids::{AccountId, Email, OuPath, TargetId};
use landfall_model::request::AccountRequest;

use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{Lease, LeaseState};
use super::sql::{BadColumn, Builder, Query, Row, Stored, Value, query};
use super::{Page, Store, Tell, chunks};

/// A request, and the account that came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The request's id, by which everything knows it; grows with time.
    pub id: Uuid,
    /// AWS's number, once there is one.
    pub account_id: Option<AccountId>,
    /// What was asked for; `email` in it is always the account's.
    pub request: AccountRequest,
    /// The root e-mail.
    pub email: Email,
    pub purpose: Purpose,
    pub requested_by: String,
    pub requested_at: Timestamp,
    pub phase: Phase,
    pub phase_since: Timestamp,
    pub creation: Creation,
    /// Why it ended; only in `Rejected` and `Failed`.
    pub failure: Option<Failure>,
    /// When it was first governed.
    pub governed_at: Option<Timestamp>,
    /// What Organizations said of it last.
    pub aws_state: AwsState,
    /// Since when it says so; `None` when it never said anything else.
    pub aws_state_since: Option<Timestamp>,
    /// Whether it was there before Landfall was asked for it.
    pub enrolled: bool,
}

impl Account {
    pub fn target(&self) -> TargetId {
        TargetId::Account(self.id)
    }
}

/// How many accounts are in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseCount {
    pub phase: Phase,
    pub accounts: u64,
}

impl Stored for PhaseCount {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "phase";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(PhaseCount {
            phase: row.word("phase")?,
            accounts: row.number("n")?,
        })
    }
}

/// Which accounts a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountFilter {
    pub phase: Option<Phase>,
    /// This OU and those below.
    pub organizational_unit: Option<OuPath>,
    pub owner: Option<Email>,
    /// Whether AWS has given a number.
    pub has_account_id: Option<bool>,
}

pub(super) const SELECT: &str = "select id, account_id, name, email, owner_email, organizational_unit,
    cost_center, environment, justification, tags, purpose, requested_by, requested_at, phase, phase_since,
    creation_intended_at, creation_status_id, failure, governed_at, aws_state, aws_state_since, enrolled from account";

impl Stored for Account {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let email: Email = row.name("email")?;
        Ok(Account {
            id: row.name("id")?,
            account_id: row.maybe_name("account_id")?,
            request: AccountRequest {
                name: row.text("name")?,
                owner_email: row.name("owner_email")?,
                organizational_unit: row.name("organizational_unit")?,
                cost_center: row.text("cost_center")?,
                environment: row.text("environment")?,
                justification: row.text("justification")?,
                email: Some(email.clone()),
                tags: row.json("tags")?,
            },
            email,
            purpose: row.word("purpose")?,
            requested_by: row.text("requested_by")?,
            requested_at: row.time("requested_at")?,
            phase: row.word("phase")?,
            phase_since: row.time("phase_since")?,
            creation: Creation {
                intended_at: row.maybe_time("creation_intended_at")?,
                status_id: row.maybe_text("creation_status_id")?,
            },
            failure: row.maybe_json("failure")?,
            governed_at: row.maybe_time("governed_at")?,
            aws_state: row.word("aws_state")?,
            aws_state_since: row.maybe_time("aws_state_since")?,
            enrolled: row.boolean("enrolled")?,
        })
    }
}

impl Store {
    /// How many accounts are in each phase; those that nobody is in are left out.
    pub async fn phase_counts(&self) -> Result<Vec<PhaseCount>, StoreError> {
        let counts = query("select phase, count(*) as n from account group by phase");
        self.db().all(counts).await
    }

    /// By the id of its request.
    pub async fn account(&self, id: Uuid) -> Result<Option<Account>, StoreError> {
        self.db().one(account_query(id)).await
    }

    /// By AWS's number.
    pub async fn account_by_number(
        &self,
        number: &AccountId,
    ) -> Result<Option<Account>, StoreError> {
        let mut one = Builder::new(SELECT);
        one.push(" where account_id = ").value(number.as_str());
        self.db().one(one.query()).await
    }

    /// Those that have one of these numbers, by number.
    pub(super) async fn accounts_by_number(
        &self,
        numbers: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<String, Account>, StoreError> {
        let numbers: Vec<&str> = numbers.collect();
        let mut accounts = BTreeMap::new();
        for numbers in chunks(&numbers) {
            let mut some = Builder::new(SELECT);
            some.push(" where account_id in (")
                .list(numbers.iter().map(|number| Value::from(*number)))
                .push(")");
            for account in self.db().all::<Account>(some.query()).await? {
                let number = account.account_id.as_ref().map(ToString::to_string);
                accounts.extend(number.map(|number| (number, account)));
            }
        }
        Ok(accounts)
    }

    /// The latest account, or request for one, with this purpose, also one that failed.
    pub async fn account_by_purpose(
        &self,
        purpose: Purpose,
    ) -> Result<Option<Account>, StoreError> {
        let mut one = Builder::new(SELECT);
        // The first condition is the index's.
        one.push(" where purpose <> 'application' and purpose = ")
            .value(purpose.name())
            .push(" order by id desc limit 1");
        self.db().one(one.query()).await
    }

    /// Accounts and requests, newest first. `cursor` is the `next` of the page before.
    pub async fn accounts(
        &self,
        filter: &AccountFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Account>, StoreError> {
        let mut list = Builder::new(SELECT);
        list.push(" where 1 = 1");
        if let Some(phase) = filter.phase {
            list.push(" and phase = ").value(phase.name());
        }
        if let Some(unit) = &filter.organizational_unit {
            list.push(" and ");
            within(&mut list, "organizational_unit", unit);
        }
        if let Some(owner) = &filter.owner {
            list.push(" and owner_email = ").value(owner.as_str());
        }
        match filter.has_account_id {
            Some(true) => list.push(" and account_id is not null"),
            Some(false) => list.push(" and account_id is null"),
            None => &mut list,
        };
        if let Some(cursor) = cursor {
            list.push(" and id < ").value(cursor);
        }
        list.push(" order by id desc limit ")
            .value(limit.saturating_add(1));
        let accounts = self.db().all(list.query()).await?;
        Ok(Page::of(accounts, limit, |account: &Account| {
            account.id.to_string()
        }))
    }

    /// Records that an account entered a phase. `failure` is needed for `Rejected` and `Failed`, and for no other.
    pub async fn enter_phase(
        &self,
        lease: &Lease,
        phase: Phase,
        failure: Option<&Failure>,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        // For programs; the sentence is for people.
        let mut event = event.clone();
        if event.detail.is_null() {
            event.detail = json!({ "phase": phase.name() });
        }
        tx.execute(phase_change(lease.target, phase, failure, now))
            .await?;
        events::append(&mut tx, std::slice::from_ref(&event), now).await?;
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }

    /// Records where an account stands that its owners moved; `event` tells of it.
    pub async fn record_place(
        &self,
        lease: &Lease,
        unit: &OuPath,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let place = query("update account set organizational_unit = $1 where id = $2");
        tx.execute(place.bind(unit.as_str()).bind(lease.target))
            .await?;
        events::append(&mut tx, std::slice::from_ref(event), now).await?;
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }

    /// Records AWS's number of an account. Another number than before, or one that another request has, is a `Conflict`.
    pub async fn adopt(
        &self,
        lease: &Lease,
        account: &AccountId,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let adopt = query(
            "update account set account_id = $1 where id = $2 and (account_id is null or account_id = $1)",
        );
        let adopted = tx
            .execute(adopt.bind(account.as_str()).bind(lease.target))
            .await?;
        if adopted == 0 {
            tx.rollback().await?;
            return Err(StoreError::Conflict {
                constraint: "account_id_is_final".to_owned(),
            });
        }
        tx.commit().await?;
        Ok(LeaseState::Held)
    }
}

/// The condition that a column of OUs names this OU or one below it.
pub(super) fn within(list: &mut Builder, column: &'static str, unit: &OuPath) {
    let under = format!("{unit}/");
    list.push("substr(")
        .push(column)
        .push(" || '/', 1, length(")
        .value(under.as_str())
        .push(")) = ")
        .value(under.as_str());
}

pub(super) fn account_query(id: Uuid) -> Query {
    let mut one = Builder::new(SELECT);
    one.push(" where id = ").value(id);
    one.query()
}

/// The statement that moves an account to a phase.
pub(super) fn phase_change(
    target: TargetId,
    phase: Phase,
    failure: Option<&Failure>,
    now: Timestamp,
) -> Query {
    query(
        "update account set phase = $1, phase_since = case when phase = $1 then phase_since else $2 end, failure = $3,
            governed_at = case when $1 = 'governed' and governed_at is null then $2 else governed_at end
         where id = $4",
    )
    .bind(phase.name())
    .bind(now)
    .bind(Value::maybe_json(failure))
    .bind(target)
}

/// A row that was there a moment ago, and that nothing removes.
pub(super) fn vanished(id: Uuid) -> StoreError {
    StoreError::Corrupt {
        table: "account",
        key: id.to_string(),
        column: "id".to_owned(),
        reason: "the row is missing".to_owned(),
    }
}

/// The target of the account with this number; the organization where nobody knows the account.
pub(super) async fn target_of(tx: &mut Tx, account: &AccountId) -> Result<TargetId, StoreError> {
    let ids = query("select id from account where account_id = $1").bind(account.as_str());
    Ok(match tx.rows(ids).await?.first() {
        Some(row) => row.read::<Id>()?.0,
        None => TargetId::Organization,
    })
}

/// A target's id alone.
struct Id(TargetId);

impl Stored for Id {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Id(row.name("id")?))
    }
}
