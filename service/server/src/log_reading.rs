//! Reading the organization trail's log files for a check of service control policies: of the last days, from the log bucket.
//!
//! ```text
//! days, newest first × accounts × Regions ─list─▶ log files ─get─▶ a channel of a few ─▶ whoever replays them
//! ```
//!
//! Nobody knows beforehand how much there is: hundreds of accounts in seventeen Regions write millions of files a month. So a
//! reading is bounded in time, files and bytes ([`Bounds`]), begins with the newest day and, of a day, with the Regions where
//! most happens in every account; and it says which folders it left out. Listing and reading go on at the same time, some of
//! each at once, and no faster than whoever takes the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use landfall_controls::cloud::Cloud;
use landfall_controls::error::CloudError;
use landfall_controls::trail_logs::{Folder, LogFile, TrailLogs};
use landfall_controls::{preflight, vending};
use landfall_model::ids::{AccountId, Region};
use landfall_model::landing_zone::LandingZone;
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::scp_check::log_files::Unread;
use crate::scp_check::report::{LogFiles, counted, counted_u64, grouped};

/// How many folders are listed at once, and how many files are got at once.
const AT_ONCE: usize = 12;

/// The Region in which calls of global services are recorded.
const GLOBAL: &str = "us-east-1";

/// How many accounts a sentence names.
const NAMED: usize = 5;

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
    /// Whole days before today. Today itself is read as far as it has come.
    pub days: u16,
    pub today: Date,
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
        let days: Vec<Date> = newest_first(wanted.today, wanted.days);
        let reading = Reading::new(&self, &days);
        let places = reading.places(wanted).await;
        reading.begin(places.len());
        let (reading, places) = (&reading, &places);
        let folders = stream::iter(0..days.len() * places.len());
        let listed = folders
            .map(|index| async move { (index, reading.list(index, places).await) })
            .buffered(AT_ONCE);
        let files = listed.flat_map(|(index, files)| {
            // The newest first, here too.
            stream::iter(files.into_iter().rev().map(move |file| (index, file)))
        });
        let fetched = files
            .map(|(index, file)| async move { reading.fetch(index, &file, places).await })
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

/// An account and a Region, which have a folder for each day.
type Place = (AccountId, String);

/// A reading under way.
struct Reading<'a> {
    from: &'a Opened,
    days: &'a [Date],
    deadline: Instant,
    tally: Mutex<Tally>,
}

/// What was done so far.
#[derive(Default)]
struct Tally {
    /// How many folders a day has.
    folders: usize,
    /// The folders that were not read to their end, by index.
    left: BTreeSet<usize>,
    /// Accounts of which it is not even known in which Regions they have log files.
    unlisted: usize,
    /// Days of which there are log files.
    with_files: BTreeSet<Date>,
    read_of: BTreeSet<AccountId>,
    /// Files that were begun, and their bytes.
    begun: usize,
    bytes_begun: u64,
    files: u64,
    bytes: u64,
    /// Which bound ended it, in words.
    ended_by: Option<String>,
    unread: Unread,
}

impl<'a> Reading<'a> {
    fn new(from: &'a Opened, days: &'a [Date]) -> Self {
        Reading {
            from,
            days,
            deadline: Instant::now() + from.bounds.time,
            tally: Mutex::default(),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Figures are whole even if somebody panicked while counting.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, places: usize) {
        self.tally().folders = places;
    }

    /// Whether there is room for one more call, and for a file of so many bytes.
    fn has_room(&self, file: Option<u64>) -> bool {
        let bounds = &self.from.bounds;
        let mut tally = self.tally();
        if tally.ended_by.is_some() {
            return false;
        }
        let over = if Instant::now() >= self.deadline {
            Some(format!(
                "the {} s that a reading may take were over",
                bounds.time.as_secs()
            ))
        } else if let Some(size) = file {
            tally.begun += 1;
            tally.bytes_begun = tally.bytes_begun.saturating_add(size);
            if tally.begun > bounds.files {
                let files = u64::try_from(bounds.files).unwrap_or(u64::MAX);
                Some(format!(
                    "a reading takes {} and no more",
                    counted_u64(files, "log file", "log files")
                ))
            } else if tally.bytes_begun > bounds.bytes {
                Some(format!(
                    "a reading takes {} bytes and no more",
                    grouped(bounds.bytes)
                ))
            } else {
                None
            }
        } else {
            None
        };
        tally.ended_by = over;
        tally.ended_by.is_none()
    }

    /// Where the wanted accounts have log files: the home Region before the one of global services, and that before the others.
    async fn places(&self, wanted: &Wanted) -> Vec<Place> {
        let accounts: Vec<AccountId> = wanted
            .accounts
            .intersection(&self.from.present)
            .cloned()
            .collect();
        let found = stream::iter(accounts)
            .map(|account| async move {
                if !self.has_room(None) {
                    self.tally().unlisted += 1;
                    return Vec::new();
                }
                match self.from.logs.regions(&account).await {
                    Ok(regions) => {
                        let place = |region| (account.clone(), region);
                        regions.into_iter().map(place).collect()
                    }
                    Err(error) => {
                        let what = format!("the log files of {account}");
                        self.tally().unread.add(what, error);
                        Vec::new()
                    }
                }
            })
            .buffered(AT_ONCE);
        let mut places: Vec<Place> = found.collect::<Vec<Vec<Place>>>().await.concat();
        let home = self.from.home.as_str();
        places.sort_by_cached_key(|(account, region)| {
            let rank = (region != home, region != GLOBAL);
            (rank, region.clone(), account.clone())
        });
        places
    }

    fn folder(&self, index: usize, places: &[Place]) -> Option<Folder> {
        let day = *self.days.get(index.checked_div(places.len())?)?;
        let (account, region) = places.get(index.checked_rem(places.len())?)?;
        Some(Folder {
            account: account.clone(),
            region: region.clone(),
            day,
        })
    }

    async fn list(&self, index: usize, places: &[Place]) -> Vec<LogFile> {
        let Some(folder) = self.folder(index, places) else {
            return Vec::new();
        };
        if !self.has_room(None) {
            self.tally().left.insert(index);
            return Vec::new();
        }
        let listed = self.from.logs.files(&folder, self.from.bounds.files).await;
        let mut tally = self.tally();
        match listed {
            Ok((files, more)) => {
                if more {
                    tally.left.insert(index);
                }
                if !files.is_empty() {
                    tally.with_files.insert(folder.day);
                }
                files
            }
            Err(error) => {
                tally.with_files.insert(folder.day);
                tally.unread.add(format!("the folder {folder}"), error);
                Vec::new()
            }
        }
    }

    async fn fetch(&self, index: usize, file: &LogFile, places: &[Place]) -> Option<Fetched> {
        if !self.has_room(Some(file.size)) {
            self.tally().left.insert(index);
            return None;
        }
        let name = self.from.name(&file.key);
        let read = Box::pin(self.from.logs.read(&file.key, self.from.bounds.file)).await;
        let mut tally = self.tally();
        match read {
            Ok(bytes) => {
                tally.files += 1;
                tally.bytes += u64::try_from(bytes.len()).unwrap_or_default();
                let account = places.get(index.checked_rem(places.len())?);
                tally
                    .read_of
                    .extend(account.map(|(account, _)| account.clone()));
                Some(Fetched { name, bytes })
            }
            Err(error) => {
                tally.unread.add(name, error);
                None
            }
        }
    }

    fn end(&self, wanted: &Wanted) -> (LogFiles, Unread) {
        let mut tally = self.tally();
        let unread = std::mem::take(&mut tally.unread);
        let day = |day: Option<&Date>| day.map(Date::to_string).unwrap_or_default();
        let files = LogFiles {
            bucket: self.from.logs.bucket().to_owned(),
            from: day(self.days.last()),
            to: day(self.days.first()),
            files: tally.files,
            bytes: tally.bytes,
            accounts: tally.read_of.len(),
            left_out: self.left_out(&tally, wanted),
        };
        (files, unread)
    }

    /// What was not read, in sentences: what a bound cut off, days without log files, accounts without, accounts that nobody
    /// knows.
    fn left_out(&self, tally: &Tally, wanted: &Wanted) -> Vec<String> {
        let mut sentences = Vec::new();
        let why = tally
            .ended_by
            .as_deref()
            .unwrap_or("a folder holds too many log files");
        let mut left: BTreeMap<Date, usize> = BTreeMap::new();
        for index in &tally.left {
            if let Some(day) = index
                .checked_div(tally.folders)
                .and_then(|at| self.days.get(at))
            {
                *left.entry(*day).or_default() += 1;
            }
        }
        let whole = left.iter().filter(|(_, count)| **count == tally.folders);
        let whole: Vec<Date> = whole.map(|(day, _)| *day).collect();
        for (day, count) in left.iter().rev().filter(|(day, _)| !whole.contains(day)) {
            sentences.push(format!(
                "{count} of the {} of {day} (an account in a Region each) were not read to their end: {why}",
                counted(tally.folders, "folder", "folders")
            ));
        }
        if !whole.is_empty() {
            sentences.push(format!("{}: nothing was read, since {why}", ranges(&whole)));
        }
        if tally.unlisted > 0 {
            sentences.push(format!(
                "{}: not even listed, since {why}",
                counted(tally.unlisted, "account", "accounts")
            ));
        }
        let empty: Vec<Date> = self
            .days
            .iter()
            .rev()
            .filter(|day| !tally.with_files.contains(day) && !left.contains_key(day))
            .copied()
            .collect();
        if !empty.is_empty() && tally.unlisted == 0 {
            sentences.push(format!("{}: there are no log files", ranges(&empty)));
        }
        let absent: Vec<&AccountId> = wanted.accounts.difference(&self.from.present).collect();
        if !absent.is_empty() {
            sentences.push(format!("no log files of {}", named(&absent)));
        }
        let known: BTreeSet<&AccountId> = wanted.accounts.iter().chain(&wanted.others).collect();
        let present = self.from.present.iter();
        let strange: Vec<&AccountId> = present.filter(|it| !known.contains(it)).collect();
        if !strange.is_empty() {
            sentences.push(format!(
                "the log files of {}, of which Landfall does not know where they stand",
                named(&strange)
            ));
        }
        sentences
    }
}

/// So many days back from today, today among them.
fn newest_first(today: Date, days: u16) -> Vec<Date> {
    (0..=i64::from(days))
        .map(|back| today.saturating_sub(jiff::Span::new().days(back)))
        .collect()
}

/// `2026-11-01 to 2026-11-19, 2026-11-21`, of days in order.
fn ranges(days: &[Date]) -> String {
    let mut ranges: Vec<(Date, Date)> = Vec::new();
    for day in days {
        match ranges.last_mut() {
            Some((_, last)) if last.tomorrow().ok() == Some(*day) => *last = *day,
            _ => ranges.push((*day, *day)),
        }
    }
    let ranges = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    });
    ranges.collect::<Vec<String>>().join(", ")
}

/// `2 accounts (222222222222, 333333333333)`, and no more than some of them.
fn named(accounts: &[&AccountId]) -> String {
    let mut names: Vec<String> = accounts
        .iter()
        .take(NAMED)
        .map(|account| account.to_string())
        .collect();
    if accounts.len() > NAMED {
        names.push("…".to_owned());
    }
    format!(
        "{} ({})",
        counted(accounts.len(), "account", "accounts"),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_back_from_today_and_are_told_as_ranges() {
        let today: Date = "2026-03-02".parse().unwrap();
        let mut days = newest_first(today, 3);
        let names: Vec<String> = days.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["2026-03-02", "2026-03-01", "2026-02-28", "2026-02-27"]
        );
        days.reverse();
        assert_eq!(ranges(&days), "2026-02-27 to 2026-03-02");
        days.remove(1);
        assert_eq!(ranges(&days), "2026-02-27, 2026-03-01 to 2026-03-02");
    }

    #[test]
    fn of_many_accounts_some_are_named() {
        let account = |n: u64| format!("{n:012}").parse::<AccountId>().unwrap();
        let accounts: Vec<AccountId> = (1..=7).map(account).collect();
        let all: Vec<&AccountId> = accounts.iter().collect();
        assert_eq!(named(&all[..1]), "1 account (000000000001)");
        assert!(named(&all).starts_with("7 accounts (000000000001, "));
        assert!(named(&all).ends_with("000000000005, …)"));
    }
}
