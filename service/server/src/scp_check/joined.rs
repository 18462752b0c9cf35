//! One report of several, each on another part of the recorded calls: what a reading of log files has to be cut into adds up.
//!
//! The sums are those of one reading, row by row, as long as no part had more rows than a report holds: what went beyond is
//! counted in `left_out` there, and here.

use std::collections::BTreeMap;

use super::impact::{causes, is_earlier, sort};
use super::report::{Calls, Impact, LogFiles, ScpReport, UnknownEvents};

impl ScpReport {
    /// The same policies, judged by the calls of this report and by those of `next`, which was asked to go on where this one's reading
    /// ended.
    #[must_use]
    pub fn joined(mut self, next: ScpReport) -> Self {
        let Some(after) = next.impact else {
            return self;
        };
        let Some(before) = self.impact.as_mut() else {
            self.impact = Some(after);
            return self;
        };
        let told = before.log_files.as_ref();
        let cut_off = told.map(|files| files.cut_off.clone()).unwrap_or_default();
        self.not_looked_at.retain(|what| !cut_off.contains(what));
        before.add(after);
        let not_read = before.log_files.iter();
        for what in not_read.flat_map(|files| files.left_out.iter().chain(&files.cut_off)) {
            if !self.not_looked_at.contains(what) {
                self.not_looked_at.push(what.clone());
            }
        }
        self
    }

    /// Where the reading of log files goes on, if it has not come to its end.
    pub fn next_cursor(&self) -> Option<&str> {
        let files = self.impact.as_ref()?.log_files.as_ref()?;
        files.next_cursor.as_deref()
    }
}

impl Impact {
    fn add(&mut self, other: Impact) {
        let Impact {
            totals,
            causes: _,
            calls,
            left_out,
            unknown_events,
            actions_known_until: _,
            first_seen,
            last_seen,
            data_events,
            // Of the same policies.
            denied_besides: _,
            denied_data: _,
            unread,
            log_files,
        } = other;
        self.totals += totals;
        self.calls = rows(std::mem::take(&mut self.calls), calls);
        self.causes = causes(&self.calls);
        for (change, calls) in left_out {
            *self.left_out.entry(change).or_default() += calls;
        }
        self.unknown_events = events(std::mem::take(&mut self.unknown_events), unknown_events);
        if self.first_seen.is_empty() || !first_seen.is_empty() && first_seen < self.first_seen {
            self.first_seen = first_seen;
        }
        self.last_seen = std::mem::take(&mut self.last_seen).max(last_seen);
        self.data_events += data_events;
        self.unread.extend(unread);
        match (&mut self.log_files, log_files) {
            (Some(files), Some(more)) => files.add(more),
            (files, more) => *files = files.take().or(more),
        }
    }
}

/// Rows that say the same of the same principal are one.
fn rows(before: Vec<Calls>, more: Vec<Calls>) -> Vec<Calls> {
    let mut joined: BTreeMap<_, Calls> = BTreeMap::new();
    for row in before.into_iter().chain(more) {
        let key = (
            row.change,
            row.account.clone(),
            row.principal.clone(),
            row.actions.clone(),
            row.causes.clone(),
            row.depends_on.clone(),
        );
        match joined.get_mut(&key) {
            Some(known) => known.add(row),
            None => {
                joined.insert(key, row);
            }
        }
    }
    let mut rows: Vec<Calls> = joined.into_values().collect();
    sort(&mut rows);
    rows
}

impl Calls {
    fn add(&mut self, other: Calls) {
        self.calls += other.calls;
        if is_earlier((&other.first_seen, &other.example), self) {
            self.first_seen = other.first_seen;
            self.example = other.example;
        }
        self.last_seen = std::mem::take(&mut self.last_seen).max(other.last_seen);
        self.regions.extend(other.regions);
        self.regions.sort();
        self.regions.dedup();
    }
}

fn events(before: Vec<UnknownEvents>, more: Vec<UnknownEvents>) -> Vec<UnknownEvents> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for event in before.into_iter().chain(more) {
        *counts.entry((event.source, event.name)).or_default() += event.events;
    }
    let event = |((source, name), events)| UnknownEvents {
        source,
        name,
        events,
    };
    let mut events: Vec<UnknownEvents> = counts.into_iter().map(event).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.events));
    events
}

impl LogFiles {
    fn add(&mut self, other: LogFiles) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.accounts.extend(other.accounts);
        self.accounts.sort();
        self.accounts.dedup();
        for what in other.left_out {
            if !self.left_out.contains(&what) {
                self.left_out.push(what);
            }
        }
        self.cut_off = other.cut_off;
        self.next_cursor = other.next_cursor;
    }
}
