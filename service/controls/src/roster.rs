//! What one list tells of many accounts at once.
//!
//! Whether an account is a member is one call; a list of all members is one call for fifty. While few ask, each asks for
//! its own account. When many ask at the same time — a sweep through the organization, a restart — one of them reads
//! the list, and the others take their answers from it.
//!
//! Nobody is answered with what is older than the question: a list counts only for those whose `since` is not after the
//! moment in which its reading began.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_model::ids::{AccountId, OuPath, Region};
use tokio::time::Instant;

use crate::error::CloudError;
use crate::membership::Listed;

/// So many questions at once are worth a list.
const MANY: usize = 8;

/// After this long nobody's question is as old as the list.
const FORGET_AFTER: Duration = Duration::from_secs(300);

/// One list, of which each account is an entry.
#[derive(Debug)]
pub struct Roster<T> {
    asking: AtomicUsize,
    list: tokio::sync::Mutex<Option<List<T>>>,
}

#[derive(Debug)]
struct List<T> {
    begun: Instant,
    entries: BTreeMap<AccountId, T>,
}

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Roster {
            asking: AtomicUsize::new(0),
            list: tokio::sync::Mutex::new(None),
        }
    }
}

/// One question, from its beginning to its end, however it ends.
struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    fn new(asking: &'a AtomicUsize) -> (Self, usize) {
        let others = asking.fetch_add(1, Ordering::Relaxed);
        (Asking(asking), others + 1)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: Clone> Roster<T> {
    /// What is so of an account, at `since` or later: from a list that somebody read since then, from `all`, which reads
    /// one, or from `one`, which asks for this account alone. `one` is also asked for what stands in no list.
    pub async fn look(
        &self,
        account: &AccountId,
        since: Instant,
        one: impl AsyncFnOnce() -> Result<T, CloudError>,
        all: impl AsyncFnOnce() -> Result<BTreeMap<AccountId, T>, CloudError>,
    ) -> Result<T, CloudError> {
        let (_asking, asking) = Asking::new(&self.asking);
        // Where somebody is reading the list, waiting for it is sooner than another call.
        let mut list = self.list.lock().await;
        let fresh = list.as_ref().is_some_and(|list| list.begun >= since);
        if !fresh && asking > MANY {
            let begun = Instant::now();
            let entries = Box::pin(all()).await?;
            *list = Some(List { begun, entries });
        }
        let found = match &*list {
            Some(list) if list.begun >= since => list.entries.get(account).cloned(),
            _ => None,
        };
        drop(list);
        match found {
            Some(found) => Ok(found),
            None => Box::pin(one()).await,
        }
    }

    fn forget_idle(&self, now: Instant) {
        if let Ok(mut list) = self.list.try_lock() {
            list.take_if(|list| now.saturating_duration_since(list.begun) > FORGET_AFTER);
        }
    }
}

/// The rosters of the organization.
#[derive(Debug, Default)]
pub struct Rosters {
    /// Which OU each account is in; `None` is the root.
    pub placement: Roster<Option<OuPath>>,
    members: Mutex<BTreeMap<(&'static str, Region), Arc<Roster<Option<Listed>>>>>,
}

impl Rosters {
    /// The members that the security account has in a Region, by `service`.
    pub(crate) fn members(
        &self,
        service: &'static str,
        region: &Region,
    ) -> Arc<Roster<Option<Listed>>> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members
            .entry((service, region.clone()))
            .or_default()
            .clone()
    }

    pub(crate) fn forget_idle(&self, now: Instant) {
        self.placement.forget_idle(now);
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        for roster in members.values() {
            roster.forget_idle(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn account(n: usize) -> AccountId {
        format!("{n:012}").parse().unwrap()
    }

    /// Counts the calls of each kind; both take a moment, as calls do.
    #[derive(Default)]
    struct Calls {
        one: AtomicUsize,
        all: AtomicUsize,
    }

    impl Calls {
        async fn look(&self, roster: &Roster<usize>, n: usize, since: Instant) -> usize {
            let account_n = account(n);
            let answer = roster.look(
                &account_n,
                since,
                async || {
                    self.one.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Ok(n)
                },
                async || {
                    self.all.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Ok((0..100).map(|n| (account(n), n)).collect())
                },
            );
            answer.await.unwrap()
        }

        fn counts(&self) -> (usize, usize) {
            (
                self.one.load(Ordering::Relaxed),
                self.all.load(Ordering::Relaxed),
            )
        }
    }

    #[tokio::test]
    async fn one_who_asks_asks_for_itself() {
        let (roster, calls) = (Roster::default(), Calls::default());
        for n in 0..20 {
            assert_eq!(calls.look(&roster, n, Instant::now()).await, n);
        }
        assert_eq!(calls.counts(), (20, 0));
    }

    #[tokio::test]
    async fn of_many_who_ask_one_reads_the_list() {
        let (roster, calls) = (Roster::default(), Calls::default());
        let since = Instant::now();
        let answers = join_all((0..100).map(|n| calls.look(&roster, n, since))).await;
        assert_eq!(answers, (0..100).collect::<Vec<_>>());
        let (one, all) = calls.counts();
        assert!(one <= MANY && all == 1, "{one} alone, {all} lists");
        // Who may still be answered with what was so then is.
        assert_eq!(calls.look(&roster, 7, since).await, 7);
        assert_eq!(calls.counts(), (one, all));
    }

    #[tokio::test]
    async fn a_list_does_not_answer_a_later_question() {
        let (roster, calls) = (Roster::default(), Calls::default());
        let since = Instant::now();
        join_all((0..20).map(|n| calls.look(&roster, n, since))).await;
        let (one, all) = calls.counts();
        let later = Instant::now() + Duration::from_millis(1);
        calls.look(&roster, 7, later).await;
        assert_eq!(calls.counts(), (one + 1, all));
    }

    #[tokio::test]
    async fn what_no_list_names_is_asked_for() {
        let (roster, calls) = (Roster::default(), Calls::default());
        let since = Instant::now();
        join_all((0..20).map(|n| calls.look(&roster, n, since))).await;
        let (one, _) = calls.counts();
        assert_eq!(calls.look(&roster, 4711, since).await, 4711);
        assert_eq!(calls.counts().0, one + 1);
    }
}
