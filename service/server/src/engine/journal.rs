//! What a pass writes down, in few transactions.
//!
//! A pass has hundreds of cells that finish when they finish. Their results go through one writer, which takes whatever has
//! come together while it was writing, and waits a moment for more: hundreds of results cost a handful of transactions.
//! Who must know that his entry stands, before calling AWS, waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_model::asset::Asset;
use landfall_model::cell::Cell;
use tokio::sync::{mpsc, oneshot};

use super::{PassError, held};
use crate::engine::clock::{self, Clock};
use crate::store::{AssetReport, Lease, NewEvent, Results, Store, Unchanged};

/// What is to be written down of a cell.
pub(super) enum Line {
    /// It is as it stands in the database.
    Unchanged(Unchanged),
    Cell(Box<Cell>),
}

/// Something to write down.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) cell: Option<Line>,
    pub(super) events: Vec<NewEvent>,
    /// The assets that a control saw, under the control's name.
    pub(super) assets: Option<(String, Vec<Asset>)>,
}

/// An entry, and who waits for it, if somebody does.
type Awaited = (Entry, Option<oneshot::Sender<()>>);

/// The writing end. Cheap to clone.
#[derive(Clone)]
pub(super) struct Journal(mpsc::UnboundedSender<Awaited>);

/// The end that writes, under the pass's lease.
pub(super) struct Writer<'a> {
    pub(super) store: &'a Store,
    pub(super) lease: &'a Lease,
    pub(super) clock: Arc<dyn Clock>,
    /// Who owns the assets.
    pub(super) owner: String,
    pub(super) tags: BTreeMap<String, String>,
    entries: mpsc::UnboundedReceiver<Awaited>,
}

/// The most entries of one transaction.
const MOST: usize = 256;

/// How long the first entry of a transaction waits for others: as long as a short call to AWS takes, and many commits saved.
const MOMENT: Duration = Duration::from_millis(50);
/// How long entries wait for others while nobody waits for them: a crash loses looks that are as old, and they are repeated.
const LULL: Duration = Duration::from_millis(500);

impl Journal {
    /// Returns when the entry stands in the database; `LeaseLost` when it never will.
    pub(super) async fn write(&self, entry: Entry) -> Result<(), PassError> {
        let (done, stands) = oneshot::channel();
        self.send((entry, Some(done)))?;
        stands.await.map_err(|_| PassError::LeaseLost)
    }

    /// The same for what nobody has to wait for: it stands when the pass ends.
    pub(super) fn add(&self, entry: Entry) -> Result<(), PassError> {
        self.send((entry, None))
    }

    fn send(&self, awaited: Awaited) -> Result<(), PassError> {
        self.0.send(awaited).map_err(|_| PassError::LeaseLost)
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        store: &'a Store,
        lease: &'a Lease,
        clock: Arc<dyn Clock>,
        owner: String,
        tags: BTreeMap<String, String>,
    ) -> (Journal, Self) {
        let (sender, entries) = mpsc::unbounded_channel();
        (
            Journal(sender),
            Writer {
                store,
                lease,
                clock,
                owner,
                tags,
                entries,
            },
        )
    }

    /// Waits for what belongs into the next transaction; `false` when nothing will come any more.
    async fn gather(&mut self, entries: &mut Vec<Awaited>) -> bool {
        if self.entries.recv_many(entries, MOST).await == 0 {
            return false;
        }
        let mut lull = std::pin::pin!(clock::pause(LULL));
        while entries.len() < MOST && entries.iter().all(|(_, waits)| waits.is_none()) {
            let room = MOST - entries.len();
            tokio::select! {
                () = &mut lull => return true,
                more = self.entries.recv_many(entries, room) => if more == 0 {
                    return true;
                },
            }
        }
        clock::pause(MOMENT).await;
        while entries.len() < MOST
            && let Ok(entry) = self.entries.try_recv()
        {
            entries.push(entry);
        }
        true
    }

    /// Writes until every `Journal` is gone.
    pub(super) async fn run(mut self) -> Result<(), PassError> {
        let mut entries = Vec::new();
        while self.gather(&mut entries).await {
            let mut cells = Vec::new();
            let mut unchanged = Vec::new();
            let mut events = Vec::new();
            let mut reports = Vec::new();
            let mut done = Vec::new();
            for (entry, sender) in entries.drain(..) {
                match entry.cell {
                    Some(Line::Cell(cell)) => cells.push(*cell),
                    Some(Line::Unchanged(cell)) => unchanged.push(cell),
                    None => {}
                }
                events.extend(entry.events);
                let report = |(source, assets)| AssetReport { source, assets };
                reports.extend(entry.assets.map(report));
                done.extend(sender);
            }
            let results = Results {
                cells: &latest(cells),
                unchanged: &unchanged,
                events: &events,
                assets: &reports,
                owner: &self.owner,
                tags: &self.tags,
            };
            let now = self.clock.now();
            held(self.store.put_results(self.lease, &results, now).await?)?;
            for sender in done {
                // Who no longer waits no longer needs to know.
                let _ = sender.send(());
            }
        }
        Ok(())
    }
}

/// The last state of each cell: an upsert may touch a row only once.
fn latest(cells: Vec<Cell>) -> Vec<Cell> {
    let by_key: BTreeMap<_, _> = cells
        .into_iter()
        .map(|cell| (cell.key.clone(), cell))
        .collect();
    by_key.into_values().collect()
}

#[cfg(test)]
mod tests {
    use landfall_model::cell::CellKey;
    use landfall_model::ids::{Revision, TargetId};
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;
    use crate::engine::clock::SystemClock;

    /// A store with the organization in it, claimed; the directory is its own.
    async fn store() -> (tempfile::TempDir, Store, Lease) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("landfall.db");
        let store = Store::open(&format!("sqlite://{}", file.display())).await;
        let store = store.unwrap();
        store.migrate().await.unwrap();
        let now = SystemClock.now();
        store.ensure_organization(now).await.unwrap();
        let lease = jiff::SignedDuration::from_secs(60);
        let leases = store.claim(Uuid::now_v7(), now, 1, lease).await.unwrap();
        let lease = leases.into_iter().next().unwrap();
        (directory, store, lease)
    }

    fn entry(n: u32) -> Entry {
        let key = CellKey {
            region: "eu-west-1".parse().unwrap(),
            control: format!("a.c{n}").parse().unwrap(),
        };
        let cell = Cell::unseen(key, Revision::of(b"1"), SystemClock.now());
        Entry {
            cell: Some(Line::Cell(Box::new(cell))),
            ..Entry::default()
        }
    }

    fn writer<'a>(store: &'a Store, lease: &'a Lease) -> (Journal, Writer<'a>) {
        let clock = Arc::new(SystemClock);
        Writer::new(store, lease, clock, String::new(), BTreeMap::new())
    }

    async fn written(store: &Store) -> usize {
        store.cells(TargetId::Organization).await.unwrap().len()
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_written_together_and_stands_in_the_end() {
        const ENTRIES: u32 = 100;
        let (_directory, store, lease) = store().await;
        let (journal, writer) = writer(&store, &lease);
        let began = Instant::now();
        for n in 0..ENTRIES {
            journal.add(entry(n)).unwrap();
        }
        drop(journal);
        writer.run().await.unwrap();
        let took = began.elapsed();
        assert!(took < MOMENT * ENTRIES / 2, "{took:?}");
        assert_eq!(written(&store).await, ENTRIES as usize);
    }

    #[tokio::test]
    async fn what_somebody_waits_for_does_not_wait_for_a_lull() {
        let (_directory, store, lease) = store().await;
        let (journal, writer) = writer(&store, &lease);
        let story = async {
            journal.add(entry(1)).unwrap();
            tokio::task::yield_now().await;
            let began = Instant::now();
            journal.write(entry(2)).await.unwrap();
            assert!(began.elapsed() < LULL, "{:?}", began.elapsed());
            assert_eq!(written(&store).await, 2);
            // And what nobody waits for does not wait for ever.
            journal.add(entry(3)).unwrap();
            while written(&store).await < 3 {
                tokio::task::yield_now().await;
            }
            drop(journal);
        };
        let (written, ()) = tokio::join!(writer.run(), story);
        written.unwrap();
    }
}
