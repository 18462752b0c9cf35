//! Reading the organization trail's log files for a check of service control policies: of the last days, from the log bucket.
//!
//! ```text
//! days, newest first × accounts × Regions ─list─▶ log files ─get─▶ a channel of a few ─▶ whoever replays them
//! ```
//!
//! Nobody knows beforehand how much there is: hundreds of accounts in seventeen Regions write millions of files a month. So a
//! reading is bounded in time, files and bytes ([`Bounds`]), begins with the newest day and, of a day, with the Regions where
//! most happens in every account; it says what it left out, and where another one goes on ([`Cursor`]). Listing and reading go on at the same time, some of
//! each at once, and no faster than whoever takes the files.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use landfall_controls::cloud::Cloud;
use landfall_controls::error::CloudError;
use landfall_controls::trail_logs::TrailLogs;
use landfall_controls::{preflight, vending};
use landfall_model::ids::{AccountId, Region};
use landfall_model::landing_zone::LandingZone;
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::scp_check::log_files::Unread;
use crate::scp_check::report::LogFiles;

mod cursor;
mod left_out;
mod reading;

pub use cursor::Cursor;
use reading::Reading;

/// How many folders are listed at once, and how many files are got at once.
const AT_ONCE: usize = 12;

/// How many files of one folder are known at once: a trail writes some three hundred a day. They are listed from the oldest on, and
/// read from the newest, so that a folder has to be listed to its end.
const LISTED: usize = 200_000;

/// The Region in which calls of global services are recorded.
const GLOBAL: &str = "us-east-1";

/// What one reading may take. Whichever is reached first ends it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long files are begun.
    pub time: Duration,
    pub files: usize,
    /// Of all files together, packed as they lie there.
    pub bytes: u64,
    /// Of one file, packed. AWS packs no more than 50 MB of events into one.
    pub file: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            time: Duration::from_secs(300),
            files: 200_000,
            bytes: 4 << 30,
            file: 16 << 20,
        }
    }
}

/// The way to the log files of the organization. One reading at a time: the memory and the calls of several would add up.
#[derive(Clone, Debug)]
pub struct LogReader {
    pub cloud: Cloud,
    pub landing_zone: Arc<LandingZone>,
    pub bounds: Bounds,
    turn: Arc<Semaphore>,
}

/// Which log files are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whole days before the last one. Today itself is read as far as it has come.
    pub days: u16,
    /// The last day: today, when the first reading of these days began.
    pub until: Date,
    /// Where the reading before ended; the newest day first of all without one.
    pub after: Option<Cursor>,
    /// Of which accounts.
    pub accounts: BTreeSet<AccountId>,
    /// Accounts that are not wanted, but known.
    pub others: BTreeSet<AccountId>,
}

/// A log file as it lay there.
#[derive(Debug)]
pub struct Fetched {
    /// Where it lay, for people.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A log bucket that can be listed.
#[derive(Debug)]
pub struct Opened {
    logs: TrailLogs,
    /// `o-…`
    pub organization: String,
    /// The accounts that have log files.
    present: BTreeSet<AccountId>,
    home: Region,
    bounds: Bounds,
    _turn: OwnedSemaphorePermit,
}

impl LogReader {
    pub fn new(cloud: Cloud, landing_zone: Arc<LandingZone>) -> Self {
        LogReader {
            cloud,
            landing_zone,
            bounds: Bounds::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Enters the log archive account and looks which accounts have log files; `None` while somebody else reads.
    ///
    /// # Errors
    ///
    /// What AWS says where the organization is not told, the role not assumed or the bucket not listed.
    pub async fn open(&self, log_archive: &AccountId) -> Result<Option<Opened>, CloudError> {
        let Ok(turn) = self.turn.clone().try_acquire_owned() else {
            return Ok(None);
        };
        let zone = &self.landing_zone;
        let home = zone.home_region.clone();
        let management =
            preflight::management(&self.cloud, &zone.management_account, &home).await?;
        let organization = vending::describe_organization(&management).await?.id;
        let bucket = zone.log_bucket(log_archive);
        let logs = TrailLogs::open(
            &self.cloud,
            log_archive,
            &home,
            bucket,
            organization.clone(),
        )
        .await?;
        let present = logs.accounts().await?.into_iter().collect();
        Ok(Some(Opened {
            logs,
            organization,
            present,
            home,
            bounds: self.bounds,
            _turn: turn,
        }))
    }
}

impl Opened {
    /// Hands the wanted files on, and says what was read. It ends early where nobody takes them any more.
    pub async fn read(self, wanted: &Wanted, into: Sender<Fetched>) -> (LogFiles, Unread) {
        let days: Vec<Date> = newest_first(wanted.until, wanted.days);
        let mut reading = Reading::new(&self, &days);
        reading.lay_out(wanted).await;
        let reading = &reading;
        let folders = stream::iter(reading.folders());
        let listed = folders
            .map(|index| async move { (index, reading.list(index).await) })
            .buffered(AT_ONCE);
        let files = listed.flat_map(|(index, files)| {
            // The newest first, here too.
            stream::iter(files.into_iter().rev().map(move |file| (index, file)))
        });
        // One after another, so that nothing is read behind the first that is not.
        let admitted = files.filter(|(index, file)| ready(reading.admits(*index, file)));
        let fetched = admitted
            .map(|(index, file)| async move { reading.fetch(index, &file).await })
            .buffer_unordered(AT_ONCE);
        let mut fetched = Box::pin(fetched);
        while let Some(next) = fetched.next().await {
            if let Some(file) = next
                && into.send(file).await.is_err()
            {
                break;
            }
        }
        drop(fetched);
        reading.end(wanted)
    }

    fn name(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.logs.bucket())
    }
}

/// So many days back from the last one, that one among them.
fn newest_first(until: Date, days: u16) -> Vec<Date> {
    (0..=i64::from(days))
        .map(|back| until.saturating_sub(jiff::Span::new().days(back)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_back_from_the_last_one() {
        let until: Date = "2026-03-02".parse().unwrap();
        let names: Vec<String> = newest_first(until, 3).iter().map(Date::to_string).collect();
        assert_eq!(
            names,
            ["2026-03-02", "2026-03-01", "2026-02-28", "2026-02-27"]
        );
    }
}
