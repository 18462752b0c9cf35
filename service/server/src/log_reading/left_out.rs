//! What a reading left out, in words.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use landfall_model::ids::AccountId;

use super::Wanted;
use super::reading::{Reading, Tally};
use crate::scp_check::report::counted;

/// How many accounts a sentence names.
const NAMED: usize = 5;

impl Reading<'_> {
    /// What a bound kept from being read, in sentences.
    pub(super) fn cut_off(&self, tally: &Tally) -> Vec<String> {
        let mut sentences = Vec::new();
        let why = tally
            .ended_by
            .as_deref()
            .unwrap_or("a folder holds too many log files");
        let mut left: BTreeMap<Date, usize> = BTreeMap::new();
        for index in &tally.left {
            if let Some(day) = index
                .checked_div(self.places.len())
                .and_then(|at| self.days.get(at))
            {
                *left.entry(*day).or_default() += 1;
            }
        }
        let whole = left
            .iter()
            .filter(|(_, count)| **count == self.places.len());
        let whole: Vec<Date> = whole.map(|(day, _)| *day).collect();
        for (day, count) in left.iter().rev().filter(|(day, _)| !whole.contains(day)) {
            sentences.push(format!(
                "{count} of the {} of {day} (an account in a Region each) were not read to their end: {why}",
                counted(self.places.len(), "folder", "folders")
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
        sentences
    }

    /// What else was not read, in sentences: days without log files, accounts without, accounts that nobody knows.
    pub(super) fn left_out(&self, tally: &Tally, wanted: &Wanted) -> Vec<String> {
        let mut sentences = Vec::new();
        let is_left = |day: usize| {
            let folders = self.places.len();
            let mut of_day = tally.left.range(day * folders..(day + 1) * folders);
            of_day.next().is_some()
        };
        let mut empty: Vec<Date> = self
            .days
            .iter()
            .enumerate()
            .skip(self.first_day())
            .filter(|(at, day)| !tally.with_files.contains(day) && !is_left(*at))
            .map(|(_, day)| *day)
            .collect();
        empty.reverse();
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
    fn days_are_told_as_ranges() {
        let days = ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"];
        let mut days = days.map(|day| day.parse::<Date>().unwrap()).to_vec();
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
