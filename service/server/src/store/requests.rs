//! New requests: written once however often the call comes, for an e-mail and an account that nobody else has.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::account::Phase;
use landfall_model::event::EventKind;
use landfall_model::ids::{AccountId, Email, TargetId};
use landfall_model::request::AccountRequest;

use super::accounts::{self, Account, Purpose};
use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Store, Tell};

/// A request to remember.
#[derive(Clone, Debug)]
pub struct NewRequest<'a> {
    /// A UUID of version 7: lists are in its order.
    pub id: Uuid,
    pub request: &'a AccountRequest,
    pub email: Email,
    pub purpose: Purpose,
    pub requested_by: &'a str,
    /// The account, where it exists already and is to be enrolled: it begins in `Placing`, the management account
    /// in `Baselining`, for its place is its own.
    pub existing: Option<AccountId>,
    pub idempotency: Option<Idempotency<'a>>,
}

/// Who called with which `Idempotency-Key`, and a hash of what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Idempotency<'a> {
    pub principal: &'a str,
    pub key: &'a str,
    pub fingerprint: &'a str,
}

/// What became of a new request.
#[derive(Clone, Debug, PartialEq)]
pub enum Added {
    New(Account),
    /// The same call came before, and this is what it made, as it is now.
    Repeated(Account),
    /// The key came before with another call.
    KeyReused,
    /// The root e-mail belongs to this request or account.
    EmailTaken {
        by: Uuid,
    },
    /// The account to enroll is known already, under this id.
    AccountTaken {
        by: Uuid,
    },
}

const UNIQUE_EMAIL: &str = "account_email_is_unique";

/// The request that an `Idempotency-Key` made.
struct Earlier {
    fingerprint: String,
    id: Option<Uuid>,
}

impl Stored for Earlier {
    const TABLE: &'static str = "idempotency";
    const KEY: &'static str = "key";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Earlier {
            fingerprint: row.text("fingerprint")?,
            id: row.maybe_name("target_id")?,
        })
    }
}

impl Store {
    /// Remembers a request, its first event and its `Idempotency-Key` in one transaction; its target is due now.
    pub async fn add_request(
        &self,
        new: &NewRequest<'_>,
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        let mut tx = self.db().begin().await?;
        match insert(&mut tx, new, now).await {
            Ok(true) => {}
            Ok(false) => {
                tx.rollback().await?;
                return self.repeated(new).await;
            }
            Err(StoreError::Conflict { constraint }) => {
                tx.rollback().await?;
                return self.taken(new, constraint).await;
            }
            Err(error) => return Err(error),
        }
        let account = tx.one(accounts::account_query(new.id)).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(TargetId::Account(new.id))])
            .await?;
        account
            .map(Added::New)
            .ok_or_else(|| accounts::vanished(new.id))
    }

    /// What the same key made earlier.
    async fn repeated(&self, new: &NewRequest<'_>) -> Result<Added, StoreError> {
        let Some(idempotency) = new.idempotency else {
            return Err(accounts::vanished(new.id));
        };
        let earlier = query(
            "select key, fingerprint, target_id from idempotency where principal = $1 and key = $2",
        );
        let earlier = earlier.bind(idempotency.principal).bind(idempotency.key);
        match self.db().one::<Earlier>(earlier).await? {
            Some(Earlier {
                fingerprint,
                id: Some(id),
            }) if fingerprint == idempotency.fingerprint => self
                .account(id)
                .await?
                .map(Added::Repeated)
                .ok_or_else(|| accounts::vanished(id)),
            _ => Ok(Added::KeyReused),
        }
    }

    /// Whose the e-mail or the number is.
    async fn taken(&self, new: &NewRequest<'_>, constraint: String) -> Result<Added, StoreError> {
        if constraint == UNIQUE_EMAIL {
            if let Some(by) = self.email_holder(&new.email).await? {
                return Ok(Added::EmailTaken { by });
            }
        } else if let Some(account) = &new.existing
            && let Some(other) = self.account_by_number(account).await?
        {
            return Ok(Added::AccountTaken { by: other.id });
        }
        Err(StoreError::Conflict { constraint })
    }

    /// The request or account that has a root e-mail.
    pub(super) async fn email_holder(&self, email: &Email) -> Result<Option<Uuid>, StoreError> {
        let mut holder = Builder::new(accounts::SELECT);
        holder
            .push(" where lower(email) = lower(")
            .value(email.as_str())
            .push(") and phase not in ('rejected', 'failed')");
        let holder = self.db().one::<Account>(holder.query()).await?;
        Ok(holder.map(|account| account.id))
    }
}

/// Writes everything of a new request; `false` when its `Idempotency-Key` was used before.
async fn insert(tx: &mut Tx, new: &NewRequest<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let target = TargetId::Account(new.id);
    let insert = query("insert into target (id, kind, due_at) values ($1, 'account', $2)");
    tx.execute(insert.bind(target).bind(now)).await?;
    if let Some(idempotency) = new.idempotency {
        // Waits for another transaction with the same key, and then sees it.
        let remember = query(
            "insert into idempotency (principal, key, fingerprint, target_id, created_at)
             values ($1, $2, $3, $4, $5) on conflict (principal, key) do nothing",
        )
        .bind(idempotency.principal)
        .bind(idempotency.key)
        .bind(idempotency.fingerprint)
        .bind(target)
        .bind(now);
        if tx.execute(remember).await? == 0 {
            return Ok(false);
        }
    }
    let phase = match (new.purpose, &new.existing) {
        (Purpose::Management, _) => Phase::Baselining,
        (_, Some(_)) => Phase::Placing,
        (_, None) => Phase::Requested,
    };
    let insert = query(
        "insert into account (id, account_id, name, email, owner_email, organizational_unit, cost_center, environment,
            justification, tags, purpose, requested_by, requested_at, phase, phase_since, enrolled)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13, $15)",
    )
    .bind(new.id)
    .bind(new.existing.as_ref().map(AccountId::as_str))
    .bind(new.request.name.as_str())
    .bind(new.email.as_str())
    .bind(new.request.owner_email.as_str())
    .bind(new.request.organizational_unit.as_str())
    .bind(new.request.cost_center.as_str())
    .bind(new.request.environment.as_str())
    .bind(new.request.justification.as_str())
    .bind(Value::json(&new.request.tags))
    .bind(new.purpose.name())
    .bind(new.requested_by)
    .bind(now)
    .bind(phase.name())
    .bind(new.existing.is_some());
    tx.execute(insert).await?;
    let what = match &new.existing {
        Some(account) if new.purpose == Purpose::Management => {
            format!(
                "Management account {account}, {}, is looked after",
                new.request.name
            )
        }
        Some(account) => format!("Asked to enroll account {account}, {}", new.request.name),
        None => format!("Asked for the account {}", new.request.name),
    };
    let event = NewEvent::by(new.requested_by, target, EventKind::Requested, what);
    events::append(tx, &[event], now).await?;
    Ok(true)
}

pub(super) fn is_email_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { constraint } if constraint == UNIQUE_EMAIL)
}
