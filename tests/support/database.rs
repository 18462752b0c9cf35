//! Databases for tests: one test, one fresh database, on SQLite and on PostgreSQL.

use std::time::Duration;

use jiff::Timestamp;
use landfall_server::store::{Pause, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// An empty database with the present schema.
pub struct Database {
    pub store: Store,
    url: String,
    home: Home,
}

/// What goes away with it.
enum Home {
    Directory(TempDir),
    Server { url: String, name: String },
}

/// Runs a test on both databases, one after the other.
pub async fn both(test: impl AsyncFn(&Database)) {
    for database in [Database::sqlite().await, Database::postgres().await] {
        // Where a test fails, this is above its message.
        eprintln!("on {}", database.url);
        test(&database).await;
        database.remove().await;
    }
}

impl Database {
    /// A SQLite file.
    pub async fn sqlite() -> Self {
        let database = Database::empty_sqlite().await;
        database.store.migrate().await.expect("SQLite's schema");
        database
    }

    /// A database of its own on the server that `TEST_POSTGRES` names.
    pub async fn postgres() -> Self {
        let database = Database::empty_postgres().await;
        database.store.migrate().await.expect("PostgreSQL's schema");
        database
    }

    /// A SQLite file without tables.
    pub async fn empty_sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory for a database");
        let url = format!(
            "sqlite://{}",
            directory.path().join("landfall.db").display()
        );
        Database {
            store: Store::open(&url).await.expect("a SQLite file"),
            url,
            home: Home::Directory(directory),
        }
    }

    /// A database on PostgreSQL without tables.
    pub async fn empty_postgres() -> Self {
        let server = std::env::var("TEST_POSTGRES").unwrap_or_else(|_| {
            panic!(
                "this test needs PostgreSQL: run ./tests/run, which starts one, or `eval \"$(tests/postgres.sh start)\"` first"
            )
        });
        let name = format!("landfall_{}", uuid::Uuid::now_v7().simple());
        run_on_server(&server, format!("create database {name}")).await;
        let (place, options) = server.split_once('?').unwrap_or((&server, ""));
        let (place, _) = place
            .rsplit_once('/')
            .expect("a URL with a database's name");
        let url = format!("{place}/{name}?{options}");
        Database {
            store: Store::open(&url).await.expect("a PostgreSQL database"),
            url,
            home: Home::Server { url: server, name },
        }
    }

    /// A second store on the same database: another replica, or the same after a restart.
    pub async fn another_store(&self) -> Store {
        Store::open(&self.url).await.expect("the same database")
    }

    /// What `LANDFALL_DATABASE_URL` is to say.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.home, Home::Server { .. })
    }

    /// Runs SQL behind the store's back; the first column of the first row as text, if there is one.
    pub async fn sql(&self, sql: &str) -> Result<Option<String>, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url).await?;
            let row = sqlx::query(sql).fetch_optional(&mut connection).await?;
            connection.close().await?;
            row.map(|row| row.try_get(0)).transpose()
        } else {
            let mut connection = SqliteConnection::connect(&self.url).await?;
            let row = sqlx::query(sql).fetch_optional(&mut connection).await?;
            connection.close().await?;
            row.map(|row| row.try_get(0)).transpose()
        }
    }

    /// Closes and removes it. A test that fails leaves it to the server, which is thrown away.
    pub async fn remove(self) {
        self.store.close().await;
        match self.home {
            Home::Directory(directory) => directory.close().expect("the directory is ours"),
            Home::Server { url, name } => {
                run_on_server(&url, format!("drop database {name} with (force)")).await;
            }
        }
    }
}

async fn run_on_server(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url)
        .await
        .unwrap_or_else(|error| panic!("no PostgreSQL at TEST_POSTGRES={url}: {error}"));
    sqlx::query(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .expect("a statement of the tests");
    connection.close().await.expect("the connection ends");
}

/// Waits for something that has to come true, for so long that waiting in vain is a failure.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A pause without an end.
pub fn pause(reason: &str, by: &str, at: Timestamp) -> Pause {
    Pause {
        at,
        by: by.to_owned(),
        reason: reason.to_owned(),
        until: None,
    }
}
