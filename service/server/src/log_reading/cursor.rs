//! Where a reading of log files goes on.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use landfall_model::ids::AccountId;

/// The first log file that a reading did not read, in the order of readings. As text it is what a report calls `next_cursor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last day of those that are read, which is not today any more when a reading takes until midnight.
    pub until: Date,
    pub day: Date,
    pub region: String,
    pub account: AccountId,
    /// The newest file of that folder that was not read; all of them without one.
    pub file: Option<String>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor {
            until,
            day,
            region,
            account,
            file,
        } = self;
        write!(f, "{until}/{day}/{region}/{account}")?;
        match file {
            Some(file) => write!(f, "/{file}"),
            None => Ok(()),
        }
    }
}

/// A text is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no cursor: send `next_cursor` of the report before as it is")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let parts: Vec<&str> = text.split('/').collect();
        let (until, day, region, account, file) = match parts.as_slice() {
            [until, day, region, account] => (until, day, region, account, None),
            [until, day, region, account, file] => (until, day, region, account, Some(*file)),
            _ => return Err(NoCursor),
        };
        let cursor = Cursor {
            until: until.parse().map_err(|_| NoCursor)?,
            day: day.parse().map_err(|_| NoCursor)?,
            region: (*region).to_owned(),
            account: account.parse().map_err(|_| NoCursor)?,
            file: file.map(str::to_owned),
        };
        if cursor.day > cursor.until || cursor.region.is_empty() {
            return Err(NoCursor);
        }
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for text in [
            "2026-11-22/2026-11-20/eu-west-1/222222222222",
            "2026-11-22/2026-11-22/eu-west-1/222222222222/222222222222_CloudTrail_eu-west-1_20261122T0210Z_a.json.gz",
        ] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-11-22",
            "2026-11-22/2026-11-23/eu-west-1/222222222222",
            "2026-11-22/2026-11-20//222222222222",
            "2026-11-22/2026-11-20/eu-west-1/2222",
            "2026-11-22/2026-11-20/eu-west-1/222222222222/a/b",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }
}
