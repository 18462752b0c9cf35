//! Checks of service control policies with log files that the server reads itself, from the organization trail's log bucket.
//!
//! What is wrong with the question, and what AWS refuses at the door, is answered as ever. From then on the status is 200 and
//! the answer a stream: an empty line now and then while log files are read, which neither JSON nor a page minds, so that no
//! proxy takes the connection for dead; the report is the rest. (`docs/adr/2026-11-22-scp-check-reads-the-log-bucket.md`)

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue};
use jiff::tz::TimeZone;
use landfall_controls::error::CloudError;
use landfall_model::ids::{AccountId, OuPath, TargetId};
use landfall_model::request::FieldError;
use tokio::sync::{mpsc, oneshot};

use super::Api;
use super::problem::{Kind, Problem};
use super::scps::ScpCheckForm;
use crate::html::POLICY;
use crate::log_reading::{Cursor, Fetched, Opened, Wanted};
use crate::scp_check::files::ScpFiles;
use crate::scp_check::log_files::{self, Unread};
use crate::scp_check::report::{LogFiles, ScpReport};
use crate::scp_check::{Check, Known, Recorded, page};
use crate::store::{Purpose, StoreError};

/// The days that may be asked for: as many as CloudTrail's own event history has.
const DAYS: std::ops::RangeInclusive<u16> = 1..=90;

/// The control that keeps the organization trail.
const TRAIL: &str = "cloudtrail.organization-trail";

/// How many log files wait to be replayed.
const WAITING: usize = 4;

/// How much of one log file is unpacked, in bytes: five times what AWS packs into one.
const UNPACKED: u64 = 256 << 20;

/// How often a sign of life is sent: proxies give a connection up after a minute at the earliest, most of them.
const BREATH: Duration = Duration::from_secs(10);

/// What a check is about, besides recorded calls.
pub(super) struct Question {
    pub(super) files: ScpFiles,
    pub(super) known: Known,
    pub(super) page: bool,
}

impl Api {
    /// Which log files the form asks for, if any.
    pub(super) fn wanted(
        &self,
        form: &ScpCheckForm,
        placed: &BTreeMap<AccountId, Option<OuPath>>,
    ) -> Result<Option<Wanted>, Problem> {
        let mut wrong = Vec::new();
        let mut refuse = |pointer: String, rule: String| wrong.push(FieldError { pointer, rule });
        let days = form.days.unwrap_or_default();
        if form.days.is_some() && !DAYS.contains(&days) {
            let (first, last) = (DAYS.start(), DAYS.end());
            refuse("/days".to_owned(), format!("must be {first} to {last}"));
        }
        if form.days.is_some() && !form.records.is_empty() {
            let rule =
                "cannot go with records, which may be in the log files too: send one of them";
            refuse("/days".to_owned(), rule.to_owned());
        }
        if form.days.is_none() && !form.accounts.is_empty() {
            let rule = "says whose log files are read: send days with it";
            refuse("/accounts".to_owned(), rule.to_owned());
        }
        if form.days.is_none() && form.cursor.is_some() {
            let rule = "says where a reading goes on: send the same days with it";
            refuse("/cursor".to_owned(), rule.to_owned());
        }
        let after = match form.cursor.as_deref().map(str::parse::<Cursor>) {
            Some(Ok(cursor)) => {
                let first = cursor
                    .until
                    .saturating_sub(jiff::Span::new().days(i64::from(days)));
                if cursor.day < first {
                    let rule = "is of a day before these: send the same days with it";
                    refuse("/cursor".to_owned(), rule.to_owned());
                }
                Some(cursor)
            }
            Some(Err(error)) => {
                refuse("/cursor".to_owned(), error.to_string());
                None
            }
            None => None,
        };
        // Nothing binds the management account, so that its log files say nothing.
        let mut known: BTreeSet<AccountId> = placed.keys().cloned().collect();
        known.remove(&self.landing_zone.management_account);
        let mut named = BTreeSet::new();
        for (index, text) in form.accounts.iter().enumerate() {
            match text.parse::<AccountId>() {
                Ok(account) if known.contains(&account) => {
                    named.insert(account);
                }
                _ => refuse(
                    format!("/accounts/{index}"),
                    format!(
                        "is {text}, which is no account of Landfall's: GET /accounts lists them"
                    ),
                ),
            }
        }
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        let accounts = if named.is_empty() {
            known.clone()
        } else {
            named
        };
        known.insert(self.landing_zone.management_account.clone());
        Ok(form.days.map(|days| Wanted {
            days,
            until: match &after {
                Some(cursor) => cursor.until,
                None => self.now().to_zoned(TimeZone::UTC).date(),
            },
            after,
            accounts,
            others: known,
        }))
    }

    /// Checks policies with the log files that are wanted.
    pub(super) async fn check_with_logs(
        &self,
        mut question: Question,
        wanted: Wanted,
    ) -> Result<Response, Problem> {
        let log_archive = self.log_archive().await?;
        let reader = self.log_reader.as_ref().ok_or_else(|| {
            Problem::new(
                Kind::Unavailable,
                "This server has no way to AWS: ask one that runs the engine.",
            )
        })?;
        let opened = Box::pin(reader.open(&log_archive))
            .await
            .map_err(|error| shut(&error))?;
        let opened = opened.ok_or_else(|| {
            Problem::new(
                Kind::Unavailable,
                "Another check reads the log bucket. Try again in some minutes; checks without `days` need not wait.",
            )
            .with_header(RETRY_AFTER, HeaderValue::from_static("60"))
        })?;
        question.known.organization = Some(opened.organization.clone());
        let zone = self.landing_zone.clone();
        let headers: &[(HeaderName, &str)] = if question.page {
            &[
                (CONTENT_TYPE, "text/html; charset=utf-8"),
                (CONTENT_SECURITY_POLICY, POLICY),
            ]
        } else {
            &[(CONTENT_TYPE, "application/json")]
        };
        let mut response = Body::empty().into_response();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        let stop = self.shutdown.clone();
        let answer = async move {
            tokio::select! {
                () = stop.cancelled() => Err(io::Error::other("the server stops")),
                answer = read_and_judge(question, zone, opened, wanted) => answer,
            }
        };
        *response.body_mut() = breathing(answer, BREATH);
        Ok(response)
    }

    /// The account with the log bucket, once the organization trail writes there.
    async fn log_archive(&self) -> Result<AccountId, Problem> {
        let account = self.store.account_by_purpose(Purpose::LogArchive).await?;
        let account = account.and_then(|account| account.account_id).ok_or_else(|| {
            Problem::new(
                Kind::NoLogs,
                "There is no log archive account yet: Landfall vends it first of all. GET /organization names it once it is there.",
            )
        })?;
        if self.has_trail().await? {
            return Ok(account);
        }
        Err(Problem::new(
            Kind::NoLogs,
            format!(
                "Landfall has seen no organization trail yet. The baseline of the organization must have the control {TRAIL}, and \
                 GET /organization/cells tells how far it is."
            ),
        ))
    }

    async fn has_trail(&self) -> Result<bool, StoreError> {
        let cells = self.store.cells(TargetId::Organization).await?;
        let cell = cells.iter().find(|cell| cell.key.control.as_str() == TRAIL);
        let seen = cell.and_then(|cell| cell.observed.as_ref());
        Ok(seen.is_some_and(|seen| !seen.to_value()["trail"].is_null()))
    }
}

/// What AWS said before anything was read.
fn shut(error: &CloudError) -> Problem {
    tracing::warn!(%error, "the log bucket could not be looked at");
    Problem::new(
        Kind::Unavailable,
        format!(
            "AWS did not let Landfall look into the log bucket: {error} {}",
            error.kind.advice()
        ),
    )
}

/// Reads, and replays what was read at the same time.
async fn read_and_judge(
    question: Question,
    zone: std::sync::Arc<landfall_model::landing_zone::LandingZone>,
    opened: Opened,
    wanted: Wanted,
) -> io::Result<Bytes> {
    let (into, from) = mpsc::channel(WAITING);
    let (end, ended) = oneshot::channel();
    let page_wanted = question.page;
    let judging = tokio::task::spawn_blocking(move || {
        judge(
            &Check::new(&question.files, &zone, &question.known),
            from,
            ended,
        )
    });
    let read = Box::pin(opened.read(&wanted, into)).await;
    // Where nobody waits for it any more, the judge has panicked, which the next line tells.
    let _ = end.send(read);
    let report = judging.await.map_err(|error| {
        tracing::error!(%error, "a check of service control policies panicked");
        io::Error::other(error)
    })?;
    let report = report.ok_or_else(|| io::Error::other("the reading ended early"))?;
    if page_wanted {
        return Ok(page::page(&report).into());
    }
    let json = serde_json::to_vec(&report).map_err(io::Error::other)?;
    Ok(json.into())
}

/// Replays files until there are no more. `None` where the reading was given up.
fn judge(
    check: &Check<'_>,
    mut files: mpsc::Receiver<Fetched>,
    ended: oneshot::Receiver<(LogFiles, Unread)>,
) -> Option<ScpReport> {
    let Some(mut replay) = check.replay() else {
        // The policies are so wrong that log files say nothing of them.
        return Some(check.report(None));
    };
    let mut broken = Unread::default();
    while let Some(Fetched { name, bytes }) = files.blocking_recv() {
        if let Err(problem) = log_files::replay(bytes, UNPACKED, &mut replay) {
            broken.add(name, problem);
        }
    }
    let (log_files, unread) = ended.blocking_recv().ok()?;
    let unread = [unread.into_sentences(), broken.into_sentences()].concat();
    Some(check.report(Some(Recorded {
        replay,
        unread,
        log_files: Some(log_files),
    })))
}

/// A body that is `answer`, and an empty line `every` so often until that is there. Whoever drops it drops the answer.
fn breathing(
    answer: impl Future<Output = io::Result<Bytes>> + Send + 'static,
    every: Duration,
) -> Body {
    let chunks = stream::unfold(Some(Box::pin(answer)), move |answer| async move {
        let mut answer = answer?;
        match tokio::time::timeout(every, &mut answer).await {
            Ok(whole) => Some((whole, None)),
            Err(_) => Some((Ok(Bytes::from_static(b"\n")), Some(answer))),
        }
    });
    Body::from_stream(chunks.boxed())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_long_answer_breathes_and_is_still_json() {
        let (send, sent) = oneshot::channel();
        let slow = async { sent.await.map_err(io::Error::other) };
        let mut body = breathing(slow, Duration::from_millis(1));
        let mut text = Vec::new();
        for _ in 0..3 {
            let frame = body.frame().await.unwrap().unwrap();
            text.extend(frame.into_data().unwrap());
        }
        assert_eq!(text, b"\n\n\n");
        send.send(Bytes::from_static(b"{\"a\": 1}")).unwrap();
        text.extend(body.collect().await.unwrap().to_bytes());
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["a"], 1);
    }

    #[tokio::test]
    async fn an_answer_that_fails_breaks_the_body() {
        let broken = breathing(async { Err(io::Error::other("no")) }, BREATH);
        assert!(broken.collect().await.is_err());
    }
}
