//! What Organizations says of an account, and closing it: the plan for AWS's quota, and the end.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::account::Phase;
use landfall_model::aws_state::AwsState;
use landfall_model::closure::ClosurePace;
use landfall_model::ids::TargetId;

use super::accounts;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Row, Stored, query};
use super::{Store, Tell, assets, wishes};

/// Whether `CloseAccount` may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosureBegun {
    /// Now: the call is written down, at this time.
    Now,
    /// Not before: AWS would refuse. Nothing was written.
    NotBefore(Timestamp),
    /// The lease is lost; nothing was written.
    Lost,
}

struct Call(Timestamp);

impl Stored for Call {
    const TABLE: &'static str = "close_call";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Call(row.time("called_at")?))
    }
}

/// An account that counts for the quota, or for the closures under way.
struct Counted {
    id: Uuid,
    state: AwsState,
}

impl Stored for Counted {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Counted {
            id: row.name("id")?,
            state: row.word("aws_state")?,
        })
    }
}

impl Store {
    /// Records what Organizations says of an account; `event` tells of the change.
    pub async fn record_aws_state(
        &self,
        lease: &Lease,
        state: AwsState,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let record = query(
            "update account set aws_state = $1, aws_state_since = $2 where id = $3 and aws_state <> $1",
        );
        let changed = tx
            .execute(record.bind(state.name()).bind(now).bind(lease.target))
            .await?;
        if changed > 0 {
            events::append(&mut tx, std::slice::from_ref(event), now).await?;
        }
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }

    /// Records, under the organization's lease, what Organizations said of one of its members, and has that looked at now.
    pub async fn record_aws_state_of(
        &self,
        organization: &Lease,
        account: Uuid,
        state: AwsState,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(organization).await? else {
            return Ok(LeaseState::Lost);
        };
        lease::lock(&mut tx, event.target).await?;
        let record = query(
            "update account set aws_state = $1, aws_state_since = $2 where id = $3 and aws_state <> $1",
        );
        let changed = tx
            .execute(record.bind(state.name()).bind(now).bind(account))
            .await?;
        if changed > 0 {
            events::append(&mut tx, std::slice::from_ref(event), now).await?;
            lease::wake_in(&mut tx, event.target, now, 0).await?;
        }
        self.commit(tx, &[Tell::Due, Tell::Events(event.target)])
            .await?;
        Ok(LeaseState::Held)
    }

    /// Decides, for all replicas together, whether `CloseAccount` may be called for the lease's account, and writes the
    /// call down if so.
    pub async fn begin_closure(
        &self,
        lease: &Lease,
        pace: &ClosurePace,
        now: Timestamp,
    ) -> Result<ClosureBegun, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(ClosureBegun::Lost);
        };
        if let Some(lock) = tx.dialect().one_closure_at_a_time {
            tx.rows(query(lock)).await?;
        }
        let accounts = query("select id, aws_state from account where account_id is not null");
        let accounts: Vec<Counted> = tx.all(accounts).await?;
        let others_in_flight = accounts
            .iter()
            .filter(|other| other.state == AwsState::PendingClosure)
            .filter(|other| lease.target != TargetId::Account(other.id))
            .count();
        let calls = query("select target_id, called_at from close_call where called_at > $1");
        let calls: Vec<Call> = tx.all(calls.bind(now - pace.window)).await?;
        let calls = calls.into_iter().map(|call| call.0).collect();
        if let Some(at) = pace.earliest_close(calls, others_in_flight, accounts.len(), now) {
            tx.rollback().await?;
            return Ok(ClosureBegun::NotBefore(at));
        }
        let call = query("insert into close_call (target_id, called_at) values ($1, $2)");
        tx.execute(call.bind(lease.target).bind(now)).await?;
        tx.commit().await?;
        Ok(ClosureBegun::Now)
    }

    /// Records that the lease's account is closed. Its resources stay in the CMDB and are marked as gone; its row, its
    /// tags and its root e-mail stay as they are.
    pub async fn close_account(
        &self,
        lease: &Lease,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let TargetId::Account(account) = lease.target else {
            return Ok(LeaseState::Lost);
        };
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let closed = accounts::phase_change(lease.target, Phase::Closed, None, now);
        tx.execute(closed).await?;
        wishes::forget(&mut tx, account).await?;
        assets::all_gone(&mut tx, lease.target, now).await?;
        events::append(&mut tx, std::slice::from_ref(event), now).await?;
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }
}
