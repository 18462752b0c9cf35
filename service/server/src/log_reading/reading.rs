//! A reading under way: which folders there are, what may still be read of them, and what was.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use landfall_controls::trail_logs::{Folder, LogFile};
use landfall_model::ids::AccountId;
use tokio::time::Instant;

use super::{AT_ONCE, Cursor, Fetched, GLOBAL, LISTED, Opened, Wanted};
use crate::scp_check::log_files::Unread;
use crate::scp_check::report::{LogFiles, counted_u64, grouped};

/// An account and a Region, which have a folder for each day.
pub(super) type Place = (AccountId, String);

/// A reading under way.
pub(super) struct Reading<'a> {
    pub(super) from: &'a Opened,
    pub(super) days: &'a [Date],
    /// Each has a folder on each day, in this order; folders are counted through, the newest day first.
    pub(super) places: Vec<Place>,
    /// The first folder that is read, and of it the newest file, where the reading before came as far.
    first: usize,
    newest: Option<String>,
    deadline: Instant,
    tally: Mutex<Tally>,
}

/// What was done so far.
#[derive(Default)]
pub(super) struct Tally {
    /// The folders that were not read to their end, by index.
    pub(super) left: BTreeSet<usize>,
    /// The first of them that a bound cut off, with its newest file that was not read; without one none was.
    cut_off: Option<(usize, Option<String>)>,
    /// Accounts of which it is not even known in which Regions they have log files.
    pub(super) unlisted: usize,
    /// Days of which there are log files.
    pub(super) with_files: BTreeSet<Date>,
    read_of: BTreeSet<AccountId>,
    /// Files that were begun, and their bytes.
    begun: usize,
    bytes_begun: u64,
    files: u64,
    bytes: u64,
    /// Which bound ended it, in words.
    pub(super) ended_by: Option<String>,
    unread: Unread,
}

impl<'a> Reading<'a> {
    pub(super) fn new(from: &'a Opened, days: &'a [Date]) -> Self {
        Reading {
            from,
            days,
            places: Vec::new(),
            first: 0,
            newest: None,
            deadline: Instant::now() + from.bounds.time,
            tally: Mutex::default(),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Figures are whole even if somebody panicked while counting.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the places, and where among them to begin.
    pub(super) async fn lay_out(&mut self, wanted: &Wanted) {
        self.places = self.places(wanted).await;
        let Some(cursor) = &wanted.after else {
            return;
        };
        let day = self.days.iter().position(|day| *day == cursor.day);
        let place = (cursor.account.clone(), cursor.region.clone());
        let before = |one: &Place| self.rank(one) < self.rank(&place);
        let within = self.places.partition_point(before);
        self.first = day.map_or(0, |day| day * self.places.len() + within);
        // Of a folder that is not there any more there is nothing to leave out.
        let same = self.places.get(within) == Some(&place);
        self.newest = cursor.file.clone().filter(|_| same);
        // What was read of that day before is not known any more.
        self.tally().with_files.insert(cursor.day);
    }

    /// The folders that are to be read.
    pub(super) fn folders(&self) -> std::ops::Range<usize> {
        self.first..self.days.len() * self.places.len()
    }

    /// The first day of which something is to be read.
    pub(super) fn first_day(&self) -> usize {
        self.first
            .checked_div(self.places.len())
            .unwrap_or_default()
    }

    /// The home Region before the one of global services, and that before the others.
    fn rank(&self, (account, region): &Place) -> (bool, bool, String, AccountId) {
        let home = self.from.home.as_str();
        (
            region != home,
            region != GLOBAL,
            region.clone(),
            account.clone(),
        )
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

    /// Where the wanted accounts have log files, in the order in which they are read.
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
        places.sort_by_cached_key(|place| self.rank(place));
        places
    }

    fn folder(&self, index: usize) -> Option<Folder> {
        let day = *self.days.get(index.checked_div(self.places.len())?)?;
        let (account, region) = self.places.get(index.checked_rem(self.places.len())?)?;
        Some(Folder {
            account: account.clone(),
            region: region.clone(),
            day,
        })
    }

    pub(super) async fn list(&self, index: usize) -> Vec<LogFile> {
        let Some(folder) = self.folder(index) else {
            return Vec::new();
        };
        if !self.has_room(None) {
            self.tally().cut_off(index, None);
            return Vec::new();
        }
        let listed = self.from.logs.files(&folder, LISTED).await;
        let mut tally = self.tally();
        match listed {
            Ok((mut files, more)) => {
                if let Some(newest) = self.newest.as_deref().filter(|_| index == self.first) {
                    files.retain(|file| name(&file.key) <= newest);
                }
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

    /// Whether a file may be read. After one that may not, none may.
    pub(super) fn admits(&self, index: usize, file: &LogFile) -> bool {
        let admitted = self.has_room(Some(file.size));
        if !admitted {
            self.tally().cut_off(index, Some(name(&file.key)));
        }
        admitted
    }

    pub(super) async fn fetch(&self, index: usize, file: &LogFile) -> Option<Fetched> {
        let name = self.from.name(&file.key);
        let read = Box::pin(self.from.logs.read(&file.key, self.from.bounds.file)).await;
        let mut tally = self.tally();
        match read {
            Ok(bytes) => {
                tally.files += 1;
                tally.bytes += u64::try_from(bytes.len()).unwrap_or_default();
                let folder = self.folder(index);
                tally.read_of.extend(folder.map(|folder| folder.account));
                Some(Fetched { name, bytes })
            }
            Err(error) => {
                tally.unread.add(name, error);
                None
            }
        }
    }

    pub(super) fn end(&self, wanted: &Wanted) -> (LogFiles, Unread) {
        let mut tally = self.tally();
        let unread = std::mem::take(&mut tally.unread);
        let day = |day: Option<&Date>| day.map(Date::to_string).unwrap_or_default();
        let files = LogFiles {
            bucket: self.from.logs.bucket().to_owned(),
            from: day(self.days.last()),
            to: day(self.days.first()),
            files: tally.files,
            bytes: tally.bytes,
            accounts: tally.read_of.iter().map(ToString::to_string).collect(),
            left_out: self.left_out(&tally, wanted),
            cut_off: self.cut_off(&tally),
            next_cursor: self.next(&tally, wanted).map(|cursor| cursor.to_string()),
        };
        (files, unread)
    }

    /// Where another reading goes on. Where it is not known which folders there are, nobody can tell.
    fn next(&self, tally: &Tally, wanted: &Wanted) -> Option<Cursor> {
        if tally.unlisted > 0 {
            return None;
        }
        let (index, file) = tally.cut_off.clone()?;
        let Folder {
            account,
            region,
            day,
        } = self.folder(index)?;
        Some(Cursor {
            until: wanted.until,
            day,
            region,
            account,
            file,
        })
    }
}

impl Tally {
    /// A bound keeps a folder, or the rest of it from `file` on, from being read.
    fn cut_off(&mut self, index: usize, file: Option<&str>) {
        self.left.insert(index);
        if self
            .cut_off
            .as_ref()
            .is_none_or(|(first, _)| index < *first)
        {
            self.cut_off = Some((index, file.map(str::to_owned)));
        }
    }
}

/// The last part of a key.
fn name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}
