//! What was answered to an `Idempotency-Key`. Requests for accounts are remembered with the account instead: `add_request`.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::Store;
use super::error::StoreError;
use super::sql::{BadColumn, Row, Stored, Value, query};

/// An answer that was given.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReply {
    /// Of the call that was answered: the same key with another fingerprint is a mistake of the caller.
    pub fingerprint: String,
    pub status: u16,
    /// The header that says where what was made is found.
    pub location: Option<String>,
    pub body: Json,
}

impl Stored for StoredReply {
    const TABLE: &'static str = "idempotency";
    const KEY: &'static str = "key";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(StoredReply {
            fingerprint: row.text("fingerprint")?,
            status: row.number("status")?,
            location: row.maybe_text("location")?,
            body: row.json("body")?,
        })
    }
}

impl Store {
    /// What this principal was answered with this key.
    pub async fn idempotent(
        &self,
        principal: &str,
        key: &str,
    ) -> Result<Option<StoredReply>, StoreError> {
        let reply = query(
            "select key, fingerprint, status, location, body from idempotency
             where principal = $1 and key = $2 and status is not null",
        );
        self.db().one(reply.bind(principal).bind(key)).await
    }

    /// Remembers an answer. The first one stands: a later one for the same key changes nothing, and `false` says so.
    pub async fn remember_reply(
        &self,
        principal: &str,
        key: &str,
        reply: &StoredReply,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let insert = query(
            "insert into idempotency (principal, key, fingerprint, status, location, body, created_at)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (principal, key) do nothing",
        )
        .bind(principal)
        .bind(key)
        .bind(reply.fingerprint.as_str())
        .bind(u32::from(reply.status))
        .bind(reply.location.as_deref())
        .bind(Value::json(&reply.body))
        .bind(now);
        Ok(self.db().execute(insert).await? > 0)
    }
}
