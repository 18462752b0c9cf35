//! What goes wrong with the database, by what helps.

use std::fmt;
use std::sync::Arc;

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::migrate::MigrateError;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is busy or gave up on this transaction. Nothing was changed: the same call is worth
    /// repeating a little later. `place` is where it is, without a password.
    #[error("the database is not available ({place})")]
    Unavailable { place: Arc<str>, source: Cause },
    /// What should be written contradicts what is there; `constraint` is its name in the migrations.
    #[error("the database refuses this: it would break {constraint}")]
    Conflict { constraint: String },
    /// A row holds what Landfall never writes. Somebody has to look at it; other rows are not affected.
    #[error("{table} `{key}` is corrupt: column {column}: {reason}")]
    Corrupt {
        table: &'static str,
        key: String,
        column: String,
        reason: String,
    },
    /// The schema is not the one that this program was built for.
    #[error("the database's schema cannot be brought up to date ({place})")]
    Schema {
        place: Arc<str>,
        source: MigrateError,
    },
    /// A newer program brought the schema up to date.
    #[error(
        "the database was written by a newer landfall: its migration {version} is unknown here. Start that version"
    )]
    Newer { version: i64 },
    /// The database's URL is not one that Landfall understands.
    #[error("`{url}` is not a database Landfall can use: {reason}")]
    Url { url: String, reason: String },
    /// The database did not understand Landfall: a fault of Landfall, or a schema that somebody else changed.
    #[error("the database did not accept a statement ({place})")]
    Fault { place: Arc<str>, source: Cause },
}

/// What the driver says. Its text tells its own cause already, so there is no further one to tell.
#[derive(Clone, Debug)]
pub struct Cause(Arc<sqlx::Error>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {}

impl StoreError {
    /// What went wrong with the database at `place`.
    pub(super) fn of(error: &Arc<sqlx::Error>, place: Arc<str>) -> Self {
        let source = Cause(Arc::clone(error));
        match error.as_ref() {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => StoreError::Unavailable { place, source },
            sqlx::Error::Database(database) => match database.kind() {
                ErrorKind::UniqueViolation
                | ErrorKind::ForeignKeyViolation
                | ErrorKind::NotNullViolation
                | ErrorKind::CheckViolation
                | ErrorKind::ExclusionViolation => StoreError::Conflict {
                    constraint: constraint(database.as_ref()),
                },
                _ if passes(database.as_ref()) => StoreError::Unavailable { place, source },
                _ => StoreError::Fault { place, source },
            },
            _ => StoreError::Fault { place, source },
        }
    }
}

/// The constraint's name: PostgreSQL gives it, SQLite puts it at the end of its message.
fn constraint(error: &dyn DatabaseError) -> String {
    let message = || {
        let message = error.message();
        let name = message.rsplit_once(": ").map_or(message, |(_, name)| name);
        // An index on an expression is quoted.
        name.trim_start_matches("index ")
            .trim_matches('\'')
            .to_owned()
    };
    error.constraint().map_or_else(message, str::to_owned)
}

/// Whether the database's own code says that the same statement may work later: SQLite's BUSY, LOCKED, READONLY, IOERR, FULL
/// and CANTOPEN, PostgreSQL's connection exceptions (08), refused logins (28), missing databases (3D), serialization failures
/// (40), resources (53) and operator's interventions (57). Where a login is refused, somebody has changed a password, and
/// may change it back.
fn passes(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else {
        return false;
    };
    if error
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some()
    {
        return ["08", "28", "3D", "40", "53", "57"]
            .iter()
            .any(|class| code.starts_with(class));
    }
    // An extended code carries the primary one in its lowest byte.
    code.parse::<i32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}
