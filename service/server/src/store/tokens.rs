//! Bearer tokens. Only a token's hash is kept: what can be read here lets nobody in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use super::sql::{BadColumn, Query, Row, Stored, query};

/// What a token is for. What each role may do, `api::auth::authorize` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// Runs Landfall itself: everything, tokens included.
    Administrator,
    /// Runs the landing zone: decides on requests, pauses accounts.
    Platform,
    /// Watches over it: decides on requests, reads everything.
    Security,
    /// Asks for accounts and reads.
    Engineer,
}

impl Role {
    pub const ALL: [Role; 4] = [
        Role::Administrator,
        Role::Platform,
        Role::Security,
        Role::Engineer,
    ];

    /// The word in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::Platform => "platform",
            Role::Security => "security",
            Role::Engineer => "engineer",
        }
    }
}

/// A token as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    pub id: Uuid,
    /// Its first characters, by which its owner recognizes it.
    pub prefix: String,
    /// Whose it is: the actor in events.
    pub name: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it lets its bearer in at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A token to remember.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub id: Uuid,
    pub prefix: String,
    /// Of the whole token, so that equal hashes mean equal tokens.
    pub hash: String,
    pub name: String,
    pub role: Role,
    pub expires_at: Option<Timestamp>,
}

impl Stored for ApiToken {
    const TABLE: &'static str = "api_token";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(ApiToken {
            id: row.name("id")?,
            prefix: row.text("prefix")?,
            name: row.text("name")?,
            role: row.word("role")?,
            created_at: row.time("created_at")?,
            expires_at: row.maybe_time("expires_at")?,
            revoked_at: row.maybe_time("revoked_at")?,
        })
    }
}

impl Store {
    /// The token with this hash, valid or not.
    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<ApiToken>, StoreError> {
        let token = query(
            "select id, prefix, name, role, created_at, expires_at, revoked_at
             from api_token where hash = $1",
        );
        self.db().one(token.bind(hash)).await
    }

    /// Remembers a new token. A hash that is known already is a `Conflict`.
    pub async fn create_token(
        &self,
        token: &NewToken,
        now: Timestamp,
    ) -> Result<ApiToken, StoreError> {
        let insert = query(
            "insert into api_token (id, prefix, hash, name, role, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)",
        );
        self.db().execute(bind(insert, token, now)).await?;
        Ok(ApiToken {
            id: token.id,
            prefix: token.prefix.clone(),
            name: token.name.clone(),
            role: token.role,
            created_at: now,
            expires_at: token.expires_at,
            revoked_at: None,
        })
    }

    /// Sees to it that the token that the server was started with is valid, also after a restart and on every replica.
    pub async fn ensure_token(&self, token: &NewToken, now: Timestamp) -> Result<(), StoreError> {
        let insert = query(
            "insert into api_token (id, prefix, hash, name, role, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (hash) do update set name = excluded.name, role = excluded.role,
                expires_at = excluded.expires_at, revoked_at = null",
        );
        self.db().execute(bind(insert, token, now)).await?;
        Ok(())
    }

    /// Lets nobody in with this token any more. `false` when there is no such token, or it was revoked before.
    pub async fn revoke_token(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        let revoke =
            query("update api_token set revoked_at = $1 where id = $2 and revoked_at is null");
        Ok(self.db().execute(revoke.bind(now).bind(id)).await? > 0)
    }

    /// All tokens, oldest first, revoked ones too.
    pub async fn list_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let tokens = query(
            "select id, prefix, name, role, created_at, expires_at, revoked_at
             from api_token order by created_at, id",
        );
        self.db().all(tokens).await
    }
}

fn bind(insert: Query, token: &NewToken, now: Timestamp) -> Query {
    insert
        .bind(token.id)
        .bind(token.prefix.as_str())
        .bind(token.hash.as_str())
        .bind(token.name.as_str())
        .bind(token.role.name())
        .bind(now)
        .bind(token.expires_at)
}
