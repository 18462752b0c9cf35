//! Cells come back as they were put, are counted by the status they have, and drift is listed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use landfall_model::account::Phase;
use landfall_model::cell::{Cell, CellKey, CellWaiver};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::event::EventKind;
use landfall_model::ids::{ControlId, Revision};
use landfall_model::json_text::JsonText;
use landfall_model::repair::Repairs;
use landfall_model::waiver::Beneficiary;
use landfall_server::store::{DriftFilter, LeaseState, NewEvent, Results, StoreError, Unchanged};
use landfall_tests::database::both;
use serde_json::json;

use super::{add, at, claim_one, put_cells};

/// A cell that was looked at and is in sync.
pub(super) fn cell(region: &str, control: &str) -> Cell {
    let key = CellKey {
        region: region.parse().unwrap(),
        control: control.parse().unwrap(),
    };
    Cell {
        known: true,
        observed: Some(JsonText::of(
            &json!({"detector": "d-1", "enabled": true, "nothing": null}),
        )),
        observed_at: Some(at(7)),
        ..Cell::unseen(key, Revision::of(b"1"), at(9))
    }
}

/// Repaired three times in a row, the last time at `at(4)`.
const FOUGHT_OVER: Repairs = Repairs {
    in_a_row: 3,
    last_at: Some(Timestamp::constant(1_800_000_004, 0)),
};

fn drifted(region: &str, control: &str, since: Timestamp) -> Cell {
    Cell {
        drift: vec!["enable the detector".to_owned()],
        drifted_since: Some(since),
        ..cell(region, control)
    }
}

fn blocked(region: &str, control: &str) -> Cell {
    Cell {
        error: Some(StoredError {
            kind: CloudErrorKind::AccessDenied,
            operation: "guardduty:CreateDetector".to_owned(),
            message: "no".to_owned(),
            request_id: Some("r".to_owned()),
        }),
        attempts: 3,
        ..cell(region, control)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_come_back_as_they_were_put() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        let unseen = Cell::unseen(cell("eu-west-1", "d.d").key, Revision::of(b"2"), at(3));
        let waiting = Cell {
            waiting_for: Some("a.a".parse().unwrap()),
            ..cell("eu-west-1", "c.c")
        };
        let mut cells = vec![
            Cell {
                desired: Some(JsonText::of(&json!({"enabled": true}))),
                repairs: FOUGHT_OVER,
                ..drifted("eu-central-1", "a.a", at(5))
            },
            blocked("eu-central-1", "b.b"),
            waiting,
            unseen,
        ];
        let event = NewEvent {
            region: Some("eu-central-1".parse().unwrap()),
            control: Some("a.a".parse().unwrap()),
            detail: json!({"a": [1, 2]}),
            ..NewEvent::new(target, EventKind::DriftFound, "it differs".to_owned())
        };
        let put = store
            .put_results(
                &lease,
                &Results {
                    cells: &cells,
                    events: std::slice::from_ref(&event),
                    ..Results::default()
                },
                at(8),
            )
            .await
            .unwrap();
        assert_eq!(put, LeaseState::Held);
        assert_eq!(store.cells(target).await.unwrap(), cells);
        let last = store.events(target, 0, 9).await.unwrap().pop().unwrap();
        assert_eq!(
            (last.kind, last.detail, last.control),
            (event.kind, event.detail, event.control)
        );

        cells[0] = cell("eu-central-1", "a.a");
        put_cells(store, &lease, &cells[..1], 9).await;
        assert_eq!(
            store.cells(target).await.unwrap(),
            cells,
            "one is replaced, the others stay"
        );
        let gone = [cells[1].key.clone(), cells[3].key.clone()];
        assert_eq!(
            store.remove_cells(&lease, &gone).await.unwrap(),
            LeaseState::Held
        );
        let keys: Vec<_> = store
            .cells(target)
            .await
            .unwrap()
            .into_iter()
            .map(|cell| cell.key)
            .collect();
        assert_eq!(keys, [cells[0].key.clone(), cells[2].key.clone()]);
        put_cells(store, &lease, &[], 9).await;
        assert_eq!(
            store.remove_cells(&lease, &[]).await.unwrap(),
            LeaseState::Held
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_cells_that_are_as_they_were_the_earliest_times_are_written() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        let cells = ["a.a", "b.b", "c.c"].map(|control| cell("eu-west-1", control));
        put_cells(store, &lease, &cells, 8).await;
        let unchanged = [(0, 20, 31), (1, 21, 30)].map(|(n, seen, due): (usize, _, _)| Unchanged {
            key: cells[n].key.clone(),
            observed_at: at(seen),
            due_at: at(due),
        });
        let results = Results {
            unchanged: &unchanged,
            ..Results::default()
        };
        let put = store.put_results(&lease, &results, at(22)).await;
        assert_eq!(put.unwrap(), LeaseState::Held);
        let mut expected = cells;
        for cell in &mut expected[..2] {
            cell.observed_at = Some(at(20));
            cell.due_at = at(30);
        }
        assert_eq!(store.cells(target).await.unwrap(), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_cells_than_one_statement_takes() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        let cells: Vec<Cell> = (0..2_500)
            .map(|n| cell("eu-west-1", &format!("a.c{n:05}")))
            .collect();
        put_cells(store, &lease, &cells, 8).await;
        assert_eq!(store.cells(target).await.unwrap(), cells);
        let keys: Vec<_> = cells.into_iter().map(|cell| cell.key).collect();
        assert_eq!(
            store.remove_cells(&lease, &keys).await.unwrap(),
            LeaseState::Held
        );
        assert!(store.cells(target).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_are_counted_and_settled_by_the_status_that_they_derive() {
    both(async |db| {
        let store = &db.store;
        let account = add(store, "a@example.com").await;
        let lease = claim_one(store, at(0)).await;
        let regions = [
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "eu-north-1",
            "eu-central-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
        ];
        let mut cells: Vec<Cell> = regions.iter().map(|region| cell(region, "a.a")).collect();
        cells[1] = drifted(regions[1], "a.a", at(1));
        cells[2] = Cell {
            attempts: 4,
            ..drifted(regions[2], "a.a", at(1))
        };
        cells[3] = Cell {
            attempts: 40,
            ..drifted(regions[3], "a.a", at(1))
        };
        cells[4] = blocked(regions[4], "a.a");
        cells[5] = Cell {
            waiting_for: Some("b.b".parse().unwrap()),
            ..cell(regions[5], "a.a")
        };
        cells[6] = Cell {
            known: false,
            ..cell(regions[6], "a.a")
        };
        cells[7] = Cell {
            repairs: FOUGHT_OVER,
            ..drifted(regions[7], "a.a", at(1))
        };
        let waiver = super::waivers::waiver(Beneficiary::Organization);
        store.propose_waiver(&waiver).await.unwrap();
        cells.push(Cell {
            waiver: Some(CellWaiver {
                id: waiver.id,
                until: at(99),
            }),
            ..drifted("eu-west-1", "b.b", at(1))
        });
        cells.push(cell("eu-west-2", "b.b"));
        put_cells(store, &lease, &cells, 8).await;
        let counts = store.cell_counts().await.unwrap();
        assert_eq!(counts, store.account_cell_counts(account.id).await.unwrap());
        for control in ["a.a", "b.b"] {
            let names = landfall_model::cell::CellStatus::NAMES;
            for name in names {
                let by_status = |cell: &&Cell| {
                    cell.key.control.as_str() == control && cell.status().name() == name
                };
                let expected = cells.iter().filter(by_status).count() as u64;
                let counted: Vec<u64> = counts
                    .iter()
                    .filter(|count| count.control.as_str() == control && count.status == name)
                    .map(|count| count.cells)
                    .collect();
                assert_eq!(counted.iter().sum::<u64>(), expected, "{control} {name}");
                assert!(counted.len() <= 1, "{control} {name} stands once");
            }
        }
        let ids = ["a.a", "b.b"].map(|id| id.parse::<ControlId>().unwrap());
        for asked in [&ids[..0], &ids[..1], &ids[1..], &ids] {
            let settled =
                |cell: &&Cell| asked.contains(&cell.key.control) && cell.status().is_settled();
            let expected: BTreeSet<CellKey> = cells
                .iter()
                .filter(settled)
                .map(|cell| cell.key.clone())
                .collect();
            let asked = asked.iter().collect();
            let found = store.settled_cells(account.target(), &asked).await;
            assert_eq!(found.unwrap(), expected, "{asked:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_listed_the_oldest_first() {
    both(async |db| {
        let store = &db.store;
        let [a, b, vended] = [
            add(store, "a@example.com").await.target(),
            add(store, "b@example.com").await.target(),
            add(store, "c@example.com").await.target(),
        ];
        let leases = store
            .claim(uuid::Uuid::now_v7(), at(0), 9, super::MINUTE)
            .await
            .unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_cell_is_named() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        put_cells(store, &lease, &[cell("eu-west-1", "a.a")], 8).await;
        db.sql(r#"update cell set drift = '{"not": "a list"}'"#).await.unwrap();
        let error = store.cells(target).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt { table: "cell", column, .. } if column == "drift"),
            "{error}"
        );
    })
    .await;
}
