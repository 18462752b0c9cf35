//! Whether the database answers, and whether its schema is this program's. Nothing is made or migrated.

use std::path::Path;

use jiff::Timestamp;
use landfall_model::finding::Finding;
use landfall_model::ids::AccountId;
use landfall_model::scp::ScpCourse;

use crate::engine::chain;
use crate::store::{AccountFilter, AtWork, Store, StoreError};

const SUBJECT: &str = "database";

/// What only the database knows.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The numbers of the accounts that Landfall looks after.
    pub governed: Vec<AccountId>,
    /// Exemptions from service control policies.
    pub exemptions: Vec<AtWork>,
    /// Which policies stand where.
    pub scps: ScpCourse,
}

/// What was found, and what the database remembers. `now` is this machine's clock.
pub async fn examine(url: &str, now: Timestamp) -> (Finding, Remembered) {
    if let Some(file) = missing_file(url) {
        let what = format!("there is no file {file} yet");
        return (Finding::landfall(SUBJECT, what), Remembered::default());
    }
    match look(url, now).await {
        Ok((0, remembered)) => (
            Finding::fine(SUBJECT, "it answers, and its schema is this program's"),
            remembered,
        ),
        Ok((behind, remembered)) => {
            let what = format!("its schema is behind by {behind} migrations");
            (Finding::landfall(SUBJECT, what), remembered)
        }
        Err(error) => {
            let mend = "Set LANDFALL_DATABASE_URL to a database that answers; see docs/operations.md, \"The database\".";
            let why =
                "Landfall remembers there what it asked AWS for, and does nothing without it.";
            (
                Finding::mend(SUBJECT, chain(&error), why, mend),
                Remembered::default(),
            )
        }
    }
}

/// Migrations that are still to come, and what is remembered, where the schema is there to ask.
async fn look(url: &str, now: Timestamp) -> Result<(usize, Remembered), StoreError> {
    let store = Store::open(url).await?;
    let behind = store.migrations_to_come().await?;
    let mut remembered = Remembered::default();
    if behind == 0 {
        remembered.exemptions = store.exemptions_at_work(now).await?;
        remembered.scps = store.scp_course().await?;
        let filter = AccountFilter {
            has_account_id: Some(true),
            ..AccountFilter::default()
        };
        let mut cursor = None;
        loop {
            let page = store.accounts(&filter, cursor.as_deref(), 500).await?;
            let looked_after = page.items.into_iter().filter(|a| a.phase.has_cells());
            let numbers = looked_after.filter_map(|account| account.account_id);
            remembered.governed.extend(numbers);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    store.close().await;
    Ok((behind, remembered))
}

/// SQLite's file where it is not there: opening it would make it.
fn missing_file(url: &str) -> Option<String> {
    let file = url.strip_prefix("sqlite:")?;
    let file = file.strip_prefix("//").unwrap_or(file);
    let file = file.split('?').next().unwrap_or(file);
    (!file.contains(":memory:") && !Path::new(file).exists()).then(|| file.to_owned())
}
