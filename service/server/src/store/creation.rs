//! The intent to call `CreateAccount`, written before the call, and the decision when the call may be made.
//!
//! AWS gives the organization one token bucket and room for a few creations in flight. Every replica decides in a
//! transaction that sees what all the others decided before, so together they never ask for more.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::creation::{Creation, CreationPace};
use landfall_model::ids::TargetId;

use super::Store;
use super::error::StoreError;
use super::lease::{Lease, LeaseState};
use super::sql::{BadColumn, Row, Stored, query};

/// Whether `CreateAccount` may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Now: the intent is written, at this time.
    Now,
    /// Not before: AWS would throttle, or too many creations are in flight. Nothing was written.
    NotBefore(Timestamp),
    /// An intent stands already: whoever wrote it may have called. Look for the account first.
    AlreadyIntended,
    /// The lease is lost; nothing was written.
    Lost,
}

/// A creation of some account, as far as the bucket is concerned.
struct InFlight {
    id: Uuid,
}

impl Stored for InFlight {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(InFlight {
            id: row.name("id")?,
        })
    }
}

struct Call(Timestamp);

impl Stored for Call {
    const TABLE: &'static str = "create_call";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Call(row.time("called_at")?))
    }
}

impl Store {
    /// Decides, for all replicas together, whether `CreateAccount` may be called for the lease's account, and writes
    /// the intent if so. The account has to be in `Creating`.
    pub async fn begin_creation(
        &self,
        lease: &Lease,
        pace: &CreationPace,
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(Begun::Lost);
        };
        if let Some(lock) = tx.dialect().one_creation_at_a_time {
            tx.rows(query(lock)).await?;
        }
        let in_flight: Vec<InFlight> = tx
            .all(query(
                "select id from account where phase = 'creating' and creation_intended_at is not null",
            ))
            .await?;
        if in_flight
            .iter()
            .any(|creation| lease.target == TargetId::Account(creation.id))
        {
            tx.rollback().await?;
            return Ok(Begun::AlreadyIntended);
        }
        let calls = query("select target_id, called_at from create_call where called_at > $1");
        let calls: Vec<Call> = tx.all(calls.bind(now - pace.bucket_window())).await?;
        let recent = calls.into_iter().map(|call| call.0).collect();
        if let Some(at) = pace.earliest_create(recent, in_flight.len(), now) {
            tx.rollback().await?;
            return Ok(Begun::NotBefore(at));
        }
        let intend = query(
            "update account set creation_intended_at = $1, creation_status_id = null
             where id = $2 and phase = 'creating'",
        );
        if tx.execute(intend.bind(now).bind(lease.target)).await? == 0 {
            tx.rollback().await?;
            return Err(StoreError::Conflict {
                constraint: "account_intends_only_in_creating".to_owned(),
            });
        }
        let call = query("insert into create_call (target_id, called_at) values ($1, $2)");
        tx.execute(call.bind(lease.target).bind(now)).await?;
        tx.commit().await?;
        Ok(Begun::Now)
    }

    /// Records how far a creation is: the `car-…` id of AWS's answer, or nothing at all when it is to begin anew.
    /// Intents are written by `begin_creation`.
    pub async fn record_creation(
        &self,
        lease: &Lease,
        creation: &Creation,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let record = query(
            "update account set creation_intended_at = $1, creation_status_id = $2 where id = $3",
        )
        .bind(creation.intended_at)
        .bind(creation.status_id.as_deref())
        .bind(lease.target);
        tx.execute(record).await?;
        tx.commit().await?;
        Ok(LeaseState::Held)
    }
}
