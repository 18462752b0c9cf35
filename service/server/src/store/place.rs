//! Where the database is, in words that may be logged, and why it cannot be reached.
//!
//! Whoever waits for a connection in vain hears from the pool that time is up, and not why: it goes on trying where a server
//! refuses connections, as one does that is only starting. So where the pool gave up, one connection beside it tells.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Error};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::error::StoreError;

/// How long a server may take to say why it could not be reached.
const ANSWER: Duration = Duration::from_secs(3);

/// A database's address. A clone is the same place.
#[derive(Clone)]
pub(super) struct Place(Arc<Inner>);

struct Inner {
    /// Never with a password.
    name: Arc<str>,
    /// How PostgreSQL is reached.
    server: Option<PgConnectOptions>,
    /// What it said when it was last asked.
    answer: Mutex<Option<Answer>>,
}

struct Answer {
    at: Instant,
    /// What kept it from being reached, if anything did.
    why: Option<Arc<Error>>,
}

impl Place {
    fn new(name: &str, server: Option<PgConnectOptions>) -> Self {
        Place(Arc::new(Inner {
            name: name.into(),
            server,
            answer: Mutex::default(),
        }))
    }

    pub(super) fn of_lite(options: &SqliteConnectOptions) -> Self {
        let name = format!("SQLite's file {}", options.get_filename().display());
        Place::new(&name, None)
    }

    pub(super) fn of_pg(options: &PgConnectOptions) -> Self {
        let user = options.get_username();
        let host = options.get_host();
        let server = match options.get_socket() {
            Some(directory) => directory.display().to_string(),
            None if host.starts_with('/') => host.to_owned(),
            None => format!("{host}:{}", options.get_port()),
        };
        let name = format!(
            "PostgreSQL at {server}, database {}, user {user}",
            // PostgreSQL's own rule.
            options.get_database().unwrap_or(user),
        );
        Place::new(&name, Some(options.clone()))
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.0.name)
    }

    /// What went wrong, with the name of the database that it went wrong with.
    pub(super) async fn named<T>(&self, result: Result<T, Error>) -> Result<T, StoreError> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(self.error(error).await),
        }
    }

    pub(super) async fn error(&self, error: Error) -> StoreError {
        let cause = match (&error, &self.0.server) {
            (Error::PoolTimedOut, Some(server)) => self.why(server).await,
            _ => None,
        };
        StoreError::of(&cause.unwrap_or_else(|| Arc::new(error)), self.name())
    }

    /// Why the server cannot be reached; `None` when it can be. However many wait for it, one asks and all hear the answer.
    async fn why(&self, server: &PgConnectOptions) -> Option<Arc<Error>> {
        let now = Instant::now();
        let mut answer = self.0.answer.lock().await;
        if let Some(Answer { why, .. }) = answer.as_ref().filter(|answer| answer.at >= now) {
            return why.clone();
        }
        let why = match timeout(ANSWER, PgConnection::connect_with(server)).await {
            Ok(Ok(connection)) => {
                // It is there: what is wrong with its end is of no interest.
                let _ = connection.close().await;
                None
            }
            Ok(Err(error)) => Some(Arc::new(error)),
            Err(_) => {
                let silent = format!("no answer within {} seconds", ANSWER.as_secs());
                let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, silent);
                Some(Arc::new(Error::Io(silent)))
            }
        };
        *answer = Some(Answer {
            at: Instant::now(),
            why: why.clone(),
        });
        why
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[tokio::test]
    async fn a_server_that_says_nothing_is_told_from_a_pool_that_is_busy() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let url = format!("postgres://lf:hunter2@127.0.0.1:{port}/zone");
        let place = Place::of_pg(&PgConnectOptions::from_str(&url).unwrap());
        let (one, another) = tokio::join!(
            place.error(Error::PoolTimedOut),
            place.error(Error::PoolTimedOut)
        );
        for error in [one, another] {
            let said = crate::engine::chain(&error);
            assert!(said.contains("no answer within 3 seconds"), "{said}");
            assert!(
                said.contains(&format!("127.0.0.1:{port}, database zone")),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_place_is_named_without_its_password() {
        for (url, name) in [
            (
                "postgres://lf:hunter2@db.example:6432/zone",
                "PostgreSQL at db.example:6432, database zone, user lf",
            ),
            (
                "postgres://lf@db.example",
                "PostgreSQL at db.example:5432, database lf, user lf",
            ),
            (
                "postgres://lf@ignored/zone?host=/run/postgresql",
                "PostgreSQL at /run/postgresql, database zone, user lf",
            ),
        ] {
            let options = PgConnectOptions::from_str(url).unwrap();
            assert_eq!(*Place::of_pg(&options).name(), *name);
        }
        let options = SqliteConnectOptions::from_str("sqlite:///var/lib/l.db?mode=rwc").unwrap();
        assert_eq!(
            *Place::of_lite(&options).name(),
            *"SQLite's file /var/lib/l.db"
        );
    }
}
