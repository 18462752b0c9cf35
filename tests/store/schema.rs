//! Migrations, constraints, and what is said when there is no database.

use landfall_server::store::{LITE_MIGRATIONS, PG_MIGRATIONS, Store, StoreError};
use landfall_tests::database::{Database, both};

use super::add;

#[test]
fn both_databases_have_the_same_migrations() {
    let versions = |migrator: &'static sqlx::migrate::Migrator| -> Vec<_> {
        migrator
            .iter()
            .map(|migration| (migration.version, migration.description.clone()))
            .collect()
    };
    assert!(!versions(&LITE_MIGRATIONS).is_empty());
    assert_eq!(versions(&LITE_MIGRATIONS), versions(&PG_MIGRATIONS));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables_and_columns() {
    let lite = Database::sqlite().await;
    let pg = Database::postgres().await;
    let of_lite = "select group_concat(name, ' ') from (select m.name || '.' || c.name as name
        from sqlite_master m join pragma_table_info(m.name) c
        where m.type = 'table' and m.name not like 'sqlite%' and m.name not like '\\_sqlx%' escape '\\' order by 1)";
    let of_pg = "select string_agg(name, ' ' order by name) from (select table_name || '.' || column_name as name
        from information_schema.columns where table_schema = 'public' and table_name not like '\\_sqlx%') as columns";
    let columns = lite.sql(of_lite).await.unwrap().unwrap();
    assert!(columns.contains("target.fence"), "{columns}");
    assert_eq!(columns, pg.sql(of_pg).await.unwrap().unwrap());
    let indexes_of_lite = "select group_concat(name, ' ') from (select name from sqlite_master
        where type = 'index' and name not like 'sqlite%' order by name)";
    let indexes_of_pg = "select string_agg(indexname, ' ' order by indexname) from pg_indexes
        where schemaname = 'public' and indexdef not like 'CREATE UNIQUE INDEX%' or indexname = 'account_email_is_unique'";
    assert_eq!(
        lite.sql(indexes_of_lite).await.unwrap(),
        pg.sql(indexes_of_pg).await.unwrap()
    );
    lite.remove().await;
    pg.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_keeps_every_row() {
    both(async |db| {
        let account = add(&db.store, "a@example.com").await;
        db.store.migrate().await.unwrap();
        let after = db.another_store().await;
        after.migrate().await.unwrap();
        assert_eq!(after.account(account.id).await.unwrap(), Some(account));
        after.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_migrate_at_once() {
    for db in [
        Database::empty_sqlite().await,
        Database::empty_postgres().await,
    ] {
        let others = [
            db.another_store().await,
            db.another_store().await,
            db.another_store().await,
        ];
        let [a, b, c] = &others;
        let (a, b, c) = tokio::join!(a.migrate(), b.migrate(), c.migrate());
        for one in [a, b, c] {
            one.expect("the schema is up to date");
        }
        assert_eq!(db.store.migrations_to_come().await.unwrap(), 0);
        db.store.ping().await.unwrap();
        db.sql("update _sqlx_migrations set version = 99999999999999 where version = (select max(version) from _sqlx_migrations)")
            .await
            .expect("it is written");
        let to_come = db.store.migrations_to_come().await.map(|_| ());
        for newer in [to_come, db.store.migrate().await] {
            let error = newer.expect_err("a newer program was here").to_string();
            assert!(
                error.contains("newer landfall") && error.contains("99999999999999"),
                "{error}"
            );
        }
        for other in others {
            other.close().await;
        }
        db.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_schema_is_not_ready() {
    for db in [
        Database::empty_sqlite().await,
        Database::empty_postgres().await,
    ] {
        assert!(db.store.ping().await.is_err());
        db.store.migrate().await.unwrap();
        db.store.ping().await.unwrap();
        db.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_contradict_themselves_are_refused_by_name() {
    both(async |db| {
        let id = add(&db.store, "a@example.com").await.id;
        for (constraint, change) in [
            (
                "account_exists_from_placing_on",
                "update account set phase = 'placing'",
            ),
            (
                "account_ended_with_reason",
                "update account set phase = 'failed'",
            ),
            (
                "account_status_follows_intent",
                "update account set creation_status_id = 'car-1'",
            ),
            (
                "account_phase",
                "update account set phase = 'lost', account_id = '222222222222'",
            ),
            (
                "account_id_has_twelve_digits",
                "update account set account_id = '1'",
            ),
            ("target_lease_is_whole", "update target set leased_by = 'x'"),
            ("target_pause_is_whole", "update target set paused_at = 1"),
            (
                "target_generation_is_not_overtaken",
                "update target set observed_generation = 99",
            ),
        ] {
            let refused = db.sql(change).await.unwrap_err().to_string();
            assert!(refused.contains(constraint), "{constraint}: {refused}");
        }
        assert!(db.store.account(id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_used_says_why_without_the_password() {
    for (url, reason) in [
        ("mysql://root:secret@host/db", "must begin with"),
        ("sqlite::memory:", "name a file"),
    ] {
        let error = Store::open(url)
            .await
            .err()
            .expect("it is no database")
            .to_string();
        assert!(
            error.contains(reason) && !error.contains("secret"),
            "{error}"
        );
    }
}

/// Why the database at `url` cannot be used, down to the cause. It is not available, and may be later.
async fn why(url: &str) -> String {
    let error = match Store::open(url).await {
        Ok(store) => store.migrate().await.expect_err("it cannot be used"),
        Err(error) => error,
    };
    assert!(
        matches!(error, StoreError::Unavailable { .. }),
        "{url}: {error:?}"
    );
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        said.push_str(&format!(": {error}"));
        cause = error.source();
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_named_with_the_reason() {
    let database = Database::empty_postgres().await;
    let (there, options) = database.url().split_once('?').unwrap();
    let (server, name) = there.rsplit_once('/').unwrap();
    let socket = options.trim_start_matches("host=");
    for (url, place, reason) in [
        (
            "postgres://lf:hunter2@127.0.0.1:1/zone".to_owned(),
            "PostgreSQL at 127.0.0.1:1, database zone, user lf".to_owned(),
            "Connection refused",
        ),
        (
            "postgres://lf:hunter2@nowhere.invalid/zone".to_owned(),
            "PostgreSQL at nowhere.invalid:5432, database zone".to_owned(),
            "failed to lookup address",
        ),
        (
            "postgres://lf:hunter2@localhost/zone?host=/nowhere".to_owned(),
            "PostgreSQL at /nowhere, database zone".to_owned(),
            "No such file or directory",
        ),
        (
            format!("{server}/missing?{options}"),
            format!("PostgreSQL at {socket}, database missing"),
            "database \"missing\" does not exist",
        ),
        (
            format!("postgres://nobody:hunter2@localhost/{name}?{options}"),
            format!("PostgreSQL at {socket}, database {name}, user nobody"),
            "role \"nobody\" does not exist",
        ),
    ] {
        let said = why(&url).await;
        for words in [place.as_str(), reason] {
            assert_eq!(said.matches(words).count(), 1, "`{words}` in: {said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!said.contains("pool timed out"), "{said}");
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let other = place("other.db");
    std::fs::write(&other, "no database, but long enough to be one".repeat(30)).unwrap();
    let missing = place("no/such/directory.db");
    let empty = place("empty.db");
    std::fs::write(&empty, "").unwrap();

    for (file, options, reason) in [
        (&missing, "", "unable to open database file"),
        (&empty, "?mode=ro", "attempt to write a readonly database"),
    ] {
        let said = why(&format!("sqlite://{file}{options}")).await;
        for words in [file.as_str(), reason] {
            assert!(said.contains(words), "`{words}` is not in: {said}");
        }
    }
    let error = Store::open(&format!("sqlite://{other}")).await.err();
    let Some(error @ StoreError::Fault { .. }) = error else {
        panic!("{error:?}");
    };
    assert!(error.to_string().contains(&other), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("file is not a database"), "{cause}");
}
