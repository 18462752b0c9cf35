//! What differs is listed, and what nobody could tell of is counted.

use jiff::{SignedDuration, Timestamp};
use landfall_model::account::Phase;
use landfall_model::cell::Cell;
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::event::EventKind;
use landfall_server::store::{DriftFilter, LeaseState, NewEvent, OVERDUE};
use landfall_tests::database::{both, pause};
use uuid::Uuid;

use super::cells::{blocked, cell, drifted};
use super::exemptions::governed;
use super::{MINUTE, add, at, claim_one, put_cells};

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_listed_the_oldest_first() {
    both(async |db| {
        let store = &db.store;
        let [a, b, vended] = [
            add(store, "a@example.com").await.target(),
            add(store, "b@example.com").await.target(),
            add(store, "c@example.com").await.target(),
        ];
        let leases = store.claim(Uuid::now_v7(), at(0), 9, MINUTE).await.unwrap();
        for (n, lease) in leases.iter().enumerate() {
            let number = format!("22222222222{n}").parse().unwrap();
            let _ = store.adopt(lease, &number).await.unwrap();
            let phase = match lease.target == vended {
                true => Phase::Baselining,
                false => Phase::Governed,
            };
            let event = NewEvent::new(lease.target, EventKind::PhaseEntered, String::new());
            let entered = store.enter_phase(lease, phase, None, &event, at(8)).await;
            assert_eq!(entered.unwrap(), LeaseState::Held);
            let cells = [
                drifted("eu-west-1", "a.a", at(3)),
                drifted("eu-west-2", "a.a", at(1)),
                drifted("eu-west-1", "b.b", at(3)),
                cell("eu-west-2", "b.b"),
            ];
            put_cells(store, lease, &cells, 8).await;
        }
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = store
                .drifted_cells(&DriftFilter::default(), cursor.as_deref(), 2)
                .await
                .unwrap();
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let order: Vec<_> = seen
            .iter()
            .map(|of| {
                (
                    of.of.cell.drifted_since,
                    of.of.target.to_string(),
                    of.of.cell.key.clone(),
                )
            })
            .collect();
        let mut sorted = order.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(
            (order.len(), &order),
            (6, &sorted),
            "of those that are governed"
        );
        let count = async |filter: DriftFilter| {
            store
                .drifted_cells(&filter, None, 9)
                .await
                .unwrap()
                .items
                .len()
        };
        let all = DriftFilter::default();
        assert_eq!(
            count(DriftFilter {
                target: Some(a),
                ..all.clone()
            })
            .await,
            3
        );
        assert_eq!(
            count(DriftFilter {
                target: Some(b),
                control: Some("b.b".parse().unwrap()),
                ..all.clone()
            })
            .await,
            1
        );
        assert_eq!(
            count(DriftFilter {
                region: Some("eu-west-2".parse().unwrap()),
                ..all
            })
            .await,
            2
        );
    })
    .await;
}

/// What was in sync when somebody looked last, and is looked at no more, is not known to be so.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_looked_at_when_it_was_time_is_not_known() {
    both(async |db| {
        let store = &db.store;
        let target = governed(store).await;
        let minute = SignedDuration::from_mins(1);
        let hour = SignedDuration::from_hours(1);
        let (began, due) = (at(2_000), at(2_000) + hour);
        let in_sync = |region: &str| Cell {
            due_at: due,
            ..cell(region, "a.a")
        };
        let cells = [
            in_sync("eu-west-2"),
            in_sync("eu-west-3"),
            Cell {
                due_at: due,
                ..blocked("eu-west-1", "a.a")
            },
        ];
        let lease = claim_one(store, began).await;
        put_cells(store, &lease, &cells, 2_000).await;
        let released = store.release(lease, due, true, None).await;
        assert_eq!(released.unwrap(), LeaseState::Held);
        let unseen = async |now: Timestamp| {
            let filter = DriftFilter::default();
            let unseen = store.unseen_cells(&filter, now).await.unwrap();
            let mut counts: Vec<_> = (unseen.iter())
                .map(|unseen| (unseen.status, unseen.cells))
                .collect();
            counts.sort_unstable();
            counts
        };
        let known = [("blocked", 1)];
        let overdue = [("blocked", 1), (OVERDUE, 2)];

        assert_eq!(unseen(began).await, known);
        assert_eq!(
            unseen(due + minute).await,
            known,
            "others may be looked at first"
        );
        assert_eq!(unseen(due + hour).await, overdue, "nobody comes");

        store
            .pause(target, &pause("audit", "bob", began))
            .await
            .unwrap();
        assert_eq!(unseen(began).await, known, "it is not time yet");
        assert_eq!(unseen(due + minute).await, overdue, "paused");
        store.resume(target, "a", due).await.unwrap();
        assert_eq!(unseen(due + minute).await, known);

        // Somebody came late, and has not come to these cells yet.
        let lease = claim_one(store, due + hour).await;
        assert_eq!(unseen(due + hour).await, overdue, "at work");

        // No role to assume: the pass stops before it comes to any cell.
        let stopped = StoredError {
            kind: CloudErrorKind::AccessDenied,
            operation: "sts:AssumeRole".to_owned(),
            message: "no".to_owned(),
            request_id: None,
        };
        let released = store
            .release(lease, due + hour, false, Some(&stopped))
            .await;
        assert_eq!(released.unwrap(), LeaseState::Held);
        assert_eq!(unseen(due + minute).await, overdue, "stopped");
    })
    .await;
}
