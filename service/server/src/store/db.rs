//! The two databases behind one face: connections, transactions, migrations.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Transaction};
use tokio::time::timeout;

use super::dialect::{self, Dialect};
use super::error::StoreError;
use super::place::Place;
use super::sql::{BadColumn, Query, Row, Stored, query};

/// The schema of SQLite, oldest first.
pub static LITE_MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");
/// The schema of PostgreSQL, oldest first, with the same versions.
pub static PG_MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// How many connections read from SQLite at once. Each is a thread, and keeps pages that it has read.
const READERS: u32 = 4;

/// How long to wait for a connection, and on SQLite for the writer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for a sign of life.
const PROMPT: Duration = Duration::from_millis(900);

/// A migration that was run.
struct Migrated {
    version: i64,
}

impl Stored for Migrated {
    const TABLE: &'static str = "_sqlx_migrations";
    const KEY: &'static str = "version";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        row.integer("version").map(|version| Migrated { version })
    }
}

/// A database, and where it is.
pub(super) struct Db {
    pools: Pools,
    place: Place,
}

/// SQLite takes one writer at a time, so one connection writes and nobody meets `SQLITE_BUSY`; readers see the last
/// commit meanwhile.
enum Pools {
    Lite { write: SqlitePool, read: SqlitePool },
    Pg(PgPool),
}

/// A transaction that may write. Dropped without `commit` it leaves nothing behind.
pub(super) struct Tx {
    begun: Begun,
    place: Place,
}

enum Begun {
    Lite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

impl Db {
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        let wrong = |reason: String| StoreError::Url {
            url: without_password(url),
            reason,
        };
        if url.starts_with("sqlite:") {
            let options = lite_options(url).map_err(wrong)?;
            let place = Place::of_lite(&options);
            let pool = |options: SqliteConnectOptions, connections| {
                SqlitePoolOptions::new()
                    .max_connections(connections)
                    .acquire_timeout(PATIENCE)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .before_acquire(|connection, _| {
                        // Where SQLite takes a transaction back by itself, as when the disk is full, the driver goes on
                        // believing in it and begins no other: the connection is replaced.
                        let usable = !connection.is_in_transaction();
                        Box::pin(std::future::ready(Ok(usable)))
                    })
                    .connect_lazy_with(options)
            };
            let pools = Pools::Lite {
                write: pool(options.clone(), 1),
                read: pool(options, READERS),
            };
            Ok(Db { pools, place })
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)
                .map_err(|error| wrong(error.to_string()))?
                .application_name("landfall");
            let place = Place::of_pg(&options);
            let pool = PgPoolOptions::new()
                .max_connections(16)
                .acquire_timeout(PATIENCE)
                .connect_lazy_with(options);
            let pools = Pools::Pg(pool);
            Ok(Db { pools, place })
        } else {
            Err(wrong("it must begin with sqlite: or postgres:".to_owned()))
        }
    }

    /// What hears of other replicas, where there can be any.
    pub(super) fn pg(&self) -> Option<&PgPool> {
        match &self.pools {
            Pools::Lite { .. } => None,
            Pools::Pg(pool) => Some(pool),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether there is an answer within `PROMPT`; the error has the reason for which there was none.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let answer = self.rows(query("select id from target limit 1"));
        match timeout(PROMPT, answer).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(self.place.error(sqlx::Error::PoolTimedOut).await),
        }
    }

    /// On a connection of its own: a pooled one would go on with what it knew of the schema.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let migrated = match &self.pools {
            Pools::Lite { write, .. } => migrate_lite(write).await,
            Pools::Pg(pool) => migrate_pg(pool).await,
        };
        match migrated {
            Ok(()) => Ok(()),
            Err(MigrateError::Execute(error)) => Err(self.place.error(error).await),
            Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { version }),
            Err(source) => Err(StoreError::Schema {
                place: self.place.name(),
                source,
            }),
        }
    }

    /// How many migrations were not run yet; an error where one was run that is newer than this program. Changes nothing, and asks nothing of a schema that is not there.
    pub(super) async fn migrations_to_come(&self) -> Result<usize, StoreError> {
        let (known, table) = match &self.pools {
            Pools::Lite { .. } => (
                &LITE_MIGRATIONS,
                "select name from sqlite_master where name = '_sqlx_migrations'",
            ),
            Pools::Pg(_) => (
                &PG_MIGRATIONS,
                "select tablename from pg_tables
                 where tablename = '_sqlx_migrations' and schemaname = current_schema()",
            ),
        };
        if self.rows(query(table)).await?.is_empty() {
            return Ok(known.iter().count());
        }
        let run = query("select version from _sqlx_migrations where success");
        let run: Vec<Migrated> = self.all(run).await?;
        match run.iter().find(|run| !known.version_exists(run.version)) {
            Some(&Migrated { version }) => Err(StoreError::Newer { version }),
            None => Ok(known.iter().count().saturating_sub(run.len())),
        }
    }

    pub(super) fn dialect(&self) -> &'static Dialect {
        match &self.pools {
            Pools::Lite { .. } => &dialect::LITE,
            Pools::Pg(_) => &dialect::PG,
        }
    }

    /// A transaction that may write. SQLite is told so at once: a reader that turns writer halfway can only be refused.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        let begun = match &self.pools {
            Pools::Lite { write, .. } => write.begin_with("begin immediate").await.map(Begun::Lite),
            Pools::Pg(pool) => pool.begin().await.map(Begun::Pg),
        };
        Ok(Tx {
            begun: self.place.named(begun).await?,
            place: self.place.clone(),
        })
    }

    /// Reads rows.
    pub(super) async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let rows = match &self.pools {
            Pools::Lite { read, .. } => query.lite().fetch_all(read).await.map(lite_rows),
            Pools::Pg(pool) => query.pg().fetch_all(pool).await.map(pg_rows),
        };
        self.place.named(rows).await
    }

    pub(super) async fn all<T: Stored>(&self, query: Query) -> Result<Vec<T>, StoreError> {
        self.rows(query).await?.iter().map(Row::read).collect()
    }

    /// The first row, if there is one.
    pub(super) async fn one<T: Stored>(&self, query: Query) -> Result<Option<T>, StoreError> {
        self.rows(query).await?.first().map(Row::read).transpose()
    }

    /// One statement that writes, by itself; how many rows it changed.
    pub(super) async fn execute(&self, query: Query) -> Result<u64, StoreError> {
        let changed = match &self.pools {
            Pools::Lite { write, .. } => query
                .lite()
                .execute(write)
                .await
                .map(|done| done.rows_affected()),
            Pools::Pg(pool) => query
                .pg()
                .execute(pool)
                .await
                .map(|done| done.rows_affected()),
        };
        self.place.named(changed).await
    }

    /// One statement that writes, by itself, and returns rows.
    pub(super) async fn returning<T: Stored>(&self, query: Query) -> Result<Vec<T>, StoreError> {
        let rows = match &self.pools {
            Pools::Lite { write, .. } => query.lite().fetch_all(write).await.map(lite_rows),
            Pools::Pg(pool) => query.pg().fetch_all(pool).await.map(pg_rows),
        };
        let rows = self.place.named(rows).await?;
        rows.iter().map(Row::read).collect()
    }

    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Lite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pools::Pg(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(super) async fn rows(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        let rows = match &mut self.begun {
            Begun::Lite(tx) => query.lite().fetch_all(&mut **tx).await.map(lite_rows),
            Begun::Pg(tx) => query.pg().fetch_all(&mut **tx).await.map(pg_rows),
        };
        self.place.named(rows).await
    }

    pub(super) async fn all<T: Stored>(&mut self, query: Query) -> Result<Vec<T>, StoreError> {
        self.rows(query).await?.iter().map(Row::read).collect()
    }

    pub(super) async fn one<T: Stored>(&mut self, query: Query) -> Result<Option<T>, StoreError> {
        self.rows(query).await?.first().map(Row::read).transpose()
    }

    pub(super) async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        let changed = match &mut self.begun {
            Begun::Lite(tx) => query
                .lite()
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
            Begun::Pg(tx) => query
                .pg()
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
        };
        self.place.named(changed).await
    }

    pub(super) fn dialect(&self) -> &'static Dialect {
        match &self.begun {
            Begun::Lite(_) => &dialect::LITE,
            Begun::Pg(_) => &dialect::PG,
        }
    }

    /// Lets go of every lock now. A transaction that is dropped does so a moment later, and meanwhile claims pass its
    /// target over.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        let ended = match self.begun {
            Begun::Lite(tx) => tx.rollback().await,
            Begun::Pg(tx) => tx.rollback().await,
        };
        self.place.named(ended).await
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let ended = match self.begun {
            Begun::Lite(tx) => tx.commit().await,
            Begun::Pg(tx) => tx.commit().await,
        };
        self.place.named(ended).await
    }
}

fn lite_options(url: &str) -> Result<SqliteConnectOptions, String> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err("a database in memory is one for each connection; name a file".to_owned());
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|error| error.to_string())?;
    Ok(options
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With a write-ahead log a crash of the machine may lose the last commits and never the database. `CreateAccount`
        // cannot be called twice, so its intent must not be lost: full.
        .synchronous(SqliteSynchronous::Full)
        // Rows come from a thread of their own: a target's cells at once, instead of some at a time.
        .row_buffer_size(1_000)
        // In KiB, of each connection: what is read again soon is one target's rows.
        .pragma("cache_size", "-1000")
        .busy_timeout(PATIENCE))
}

/// A URL that may be logged.
fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            // It fails only for URLs that cannot have a password, and this one has.
            let _ = parsed.set_password(Some("…"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

async fn migrate_pg(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect_with(pool.connect_options().as_ref()).await?;
    PG_MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await?;
    Ok(connection.close().await?)
}

/// SQLite has no lock on which another process that migrates would wait. But each migration is one transaction: whoever
/// loses the race for it fails, leaves nothing behind, and finds it done the next time.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is due yet that could wait instead"
)]
async fn migrate_lite(pool: &SqlitePool) -> Result<(), MigrateError> {
    const TRIES: u32 = 20;
    let mut connection = SqliteConnection::connect_with(pool.connect_options().as_ref()).await?;
    for try_again in (0..TRIES).rev() {
        match LITE_MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
        {
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) if try_again > 0 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            ended => {
                ended?;
                break;
            }
        }
    }
    Ok(connection.close().await?)
}

fn lite_rows(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Lite).collect()
}

fn pg_rows(rows: Vec<sqlx::postgres::PgRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Pg).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_passes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("landfall.db");
        let db = Db::open(&format!("sqlite://{}", file.display())).unwrap();
        db.execute(query("create table thing (x)")).await.unwrap();

        let mut tx = db.begin().await.unwrap();
        tx.execute(query("pragma max_page_count = 4"))
            .await
            .unwrap();
        let full = tx
            .execute(query("insert into thing values (zeroblob(1000000))"))
            .await;
        let Err(error @ StoreError::Unavailable { .. }) = full else {
            panic!("{full:?}");
        };
        let said = error.to_string();
        assert!(said.contains(&file.display().to_string()), "{said}");
        // SQLite has taken the transaction back by itself.
        assert!(tx.commit().await.is_err());

        let mut tx = db.begin().await.unwrap();
        tx.execute(query("insert into thing values (1)"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn who_asks_for_a_sign_of_life_hears_soon_that_there_is_none() {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        let db = Db::open(&format!("postgres://lf@{address}/zone")).unwrap();
        let began = std::time::Instant::now();
        let error = db.ping().await.unwrap_err();
        assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
        let said = crate::engine::chain(&error);
        assert!(said.contains("refused"), "{said}");
    }
}
