//! Reading many records from one text: a log file of a trail, or what LookupEvents answers.
//!
//! Records are handed on one by one, so that a file costs no more memory than its text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Replay;
use super::json::{Text, object};
use super::record::Record;

/// A file that could not be read to its end. What was read counts, and other files can be taken.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file cannot be read beyond its record {after}: {problem}: give a log file of CloudTrail, {{\"Records\": […]}}, unpacked, or what \
     LookupEvents answers, {{\"Events\": […]}}"
)]
pub struct LogFileError {
    /// How many records were read before.
    pub after: u64,
    /// What the parser says, with line and column.
    pub problem: String,
}

impl Replay<'_> {
    /// Takes the records of a log file as trails write them to S3, `{"Records": [...]}`, unpacked by the caller, or those of an
    /// answer of LookupEvents, `{"Events": [{"CloudTrailEvent": "..."}]}`.
    ///
    /// # Errors
    ///
    /// Where the text ends early or is neither of them. The records before that count, and the rest as one that is unreadable.
    pub fn log_file(&mut self, json: &str) -> Result<(), LogFileError> {
        let before = self.totals.records;
        let mut parser = serde_json::Deserializer::from_str(json);
        let read = File(self).deserialize(&mut parser);
        read.and_then(|()| parser.end()).map_err(|error| {
            let after = self.totals.records - before;
            self.unreadable();
            LogFileError {
                after,
                problem: error.to_string(),
            }
        })
    }
}

object! {
    /// An event of LookupEvents: its record is a text in it.
    LookedUp {
        "CloudTrailEvent" => record: Text<'a>,
    }
}

struct File<'r, 'o>(&'r mut Replay<'o>);

impl<'de> DeserializeSeed<'de> for File<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `Records` or `Events`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let events = match key.0.as_ref() {
                "Records" => false,
                "Events" => true,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            found = true;
            map.next_value_seed(List {
                replay: &mut *self.0,
                events,
            })?;
        }
        if found {
            Ok(())
        } else {
            Err(A::Error::custom("it has neither `Records` nor `Events`"))
        }
    }
}

/// A list of records, or of events of LookupEvents.
struct List<'r, 'o> {
    replay: &'r mut Replay<'o>,
    events: bool,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.events {
            "a list of events"
        } else {
            "a list of records"
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.events {
            while let Some(event) = list.next_element::<LookedUp<'de>>()? {
                self.replay.record(&event.record.0);
            }
        } else {
            while let Some(record) = list.next_element::<Record<'de>>()? {
                self.replay.add(&record);
            }
        }
        Ok(())
    }
}
