//! What one list tells of many accounts at once.
//!
//! Whether an account is a member is one call; a list of all members is one call for fifty. While few ask, each asks for
//! its own account. When many ask who were all due already as the first of them asked — a sweep through the
//! organization, a restart — the next one reads the list, and the others take their answers from it.
//!
//! Nobody is answered with what is older than the question: a list counts only for those whose `since` is not after the
//! moment in which its reading began.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landfall_model::ids::{AccountId, OuPath, Region};
use tokio::time::Instant;

use crate::error::CloudError;
use crate::guardduty;
use crate::membership::Listed;

/// After so many single questions of one backlog a list is cheaper.
const MANY: u32 = 8;

/// After this long nobody's question is as old as the list.
const FORGET_AFTER: Duration = Duration::from_secs(300);

/// One list, of which each account is an entry.
#[derive(Debug)]
pub struct Roster<T>(tokio::sync::Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    list: Option<List<T>>,
    singles: Singles,
}

#[derive(Debug)]
struct List<T> {
    begun: Instant,
    entries: Arc<BTreeMap<AccountId, T>>,
}

impl<T> List<T> {
    async fn read(
        all: impl AsyncFnOnce() -> Result<BTreeMap<AccountId, T>, CloudError>,
    ) -> Result<Self, CloudError> {
        let begun = Instant::now();
        let entries = Arc::new(Box::pin(all()).await?);
        Ok(List { begun, entries })
    }
}

/// The questions for one account each that one list would have answered, had it been read instead of the first.
#[derive(Debug)]
struct Singles {
    begun: Instant,
    count: u32,
}

impl Singles {
    fn new(begun: Instant) -> Self {
        Singles { begun, count: 0 }
    }

    /// Whether another one had better be a list; if not, it is counted.
    fn are_enough(&mut self, since: Instant, now: Instant) -> bool {
        if since > self.begun {
            *self = Singles::new(now);
        }
        let enough = self.count >= MANY;
        self.count += u32::from(!enough);
        enough
    }
}

impl<T> State<T> {
    /// The entries of the list, if it is no older than this.
    fn since(&self, since: Instant) -> Option<&Arc<BTreeMap<AccountId, T>>> {
        let list = self.list.as_ref().filter(|list| list.begun >= since);
        list.map(|list| &list.entries)
    }

    /// Takes a list that was just read; what was asked before it is no backlog any more.
    fn put(&mut self, list: List<T>) {
        self.singles = Singles::new(list.begun);
        self.list = Some(list);
    }
}

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Roster(tokio::sync::Mutex::new(State {
            list: None,
            singles: Singles::new(Instant::now()),
        }))
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
        // Where somebody is reading the list, waiting for it is sooner than another call.
        let mut state = self.0.lock().await;
        let now = Instant::now();
        if state.since(since).is_none() && state.singles.are_enough(since, now) {
            state.put(List::read(all).await?);
        }
        let found = state
            .since(since)
            .and_then(|entries| entries.get(account).cloned());
        drop(state);
        match found {
            Some(found) => Ok(found),
            None => Box::pin(one()).await,
        }
    }

    /// The whole list as it was at `since` or later, for who needs it as a whole.
    pub(crate) async fn list(
        &self,
        since: Instant,
        all: impl AsyncFnOnce() -> Result<BTreeMap<AccountId, T>, CloudError>,
    ) -> Result<Arc<BTreeMap<AccountId, T>>, CloudError> {
        let mut state = self.0.lock().await;
        if let Some(entries) = state.since(since) {
            return Ok(entries.clone());
        }
        let list = List::read(all).await?;
        let entries = list.entries.clone();
        state.put(list);
        Ok(entries)
    }

    fn forget_idle(&self, now: Instant) {
        if let Ok(mut state) = self.0.try_lock() {
            state
                .list
                .take_if(|list| now.saturating_duration_since(list.begun) > FORGET_AFTER);
        }
    }
}

/// A roster for each Region.
#[derive(Debug)]
pub struct Regional<T>(Mutex<BTreeMap<Region, Arc<Roster<T>>>>);

impl<T> Default for Regional<T> {
    fn default() -> Self {
        Regional(Mutex::default())
    }
}

impl<T: Clone> Regional<T> {
    pub(crate) fn of(&self, region: &Region) -> Arc<Roster<T>> {
        self.lock().entry(region.clone()).or_default().clone()
    }

    fn forget_idle(&self, now: Instant) {
        for roster in self.lock().values() {
            roster.forget_idle(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Region, Arc<Roster<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rosters of the organization.
#[derive(Debug, Default)]
pub struct Rosters {
    /// Which OU each account is in; `None` is the root.
    pub placement: Roster<Option<OuPath>>,
    /// The members that the security account has in GuardDuty.
    pub(crate) guardduty_members: Regional<Option<guardduty::Member>>,
    /// The members that it has in Security Hub.
    pub(crate) securityhub_members: Regional<Option<Listed>>,
    /// The detectors of its members.
    pub(crate) detectors: Regional<guardduty::Seen>,
}

impl Rosters {
    pub(crate) fn forget_idle(&self, now: Instant) {
        self.placement.forget_idle(now);
        self.guardduty_members.forget_idle(now);
        self.securityhub_members.forget_idle(now);
        self.detectors.forget_idle(now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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
    async fn who_asks_now_asks_for_itself() {
        let (roster, calls) = (Roster::default(), Calls::default());
        for n in 0..50 {
            assert_eq!(calls.look(&roster, n, Instant::now()).await, n);
        }
        assert_eq!(calls.counts(), (50, 0));
    }

    #[test]
    fn who_was_not_due_yet_belongs_to_no_backlog() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut singles = Singles::new(now);
        // One account after the other comes due and is looked at, as all do over an hour.
        assert!((1..100).all(|n| !singles.are_enough(after(n), after(n))));
        // All of them were due at once, and are looked at as there is time.
        let alone = (100..200).filter(|n| !singles.are_enough(after(100), after(*n)));
        assert_eq!(alone.count(), MANY as usize);
    }

    #[tokio::test]
    async fn of_many_who_ask_one_reads_the_list() {
        let (roster, calls) = (Roster::default(), Calls::default());
        let since = Instant::now();
        let answers = join_all((0..100).map(|n| calls.look(&roster, n, since))).await;
        assert_eq!(answers, (0..100).collect::<Vec<_>>());
        assert_eq!(calls.counts(), (MANY as usize, 1));
        // Who may still be answered with what was so then is.
        assert_eq!(calls.look(&roster, 7, since).await, 7);
        assert_eq!(calls.counts(), (MANY as usize, 1));
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
    async fn who_needs_the_whole_list_and_who_asks_for_one_share_it() {
        let (roster, calls) = (Roster::default(), Calls::default());
        let since = Instant::now();
        let whole = async |since| {
            let read = roster.list(since, async || {
                calls.all.fetch_add(1, Ordering::Relaxed);
                Ok((0..100).map(|n| (account(n), n)).collect())
            });
            read.await.unwrap().len()
        };
        assert_eq!(whole(since).await, 100);
        assert_eq!(calls.look(&roster, 7, since).await, 7);
        assert_eq!(whole(since).await, 100);
        assert_eq!(calls.counts(), (0, 1));
        // Neither is answered with what is older than the question.
        let later = Instant::now() + Duration::from_millis(1);
        assert_eq!(whole(later).await, 100);
        assert_eq!(calls.counts(), (0, 2));
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
