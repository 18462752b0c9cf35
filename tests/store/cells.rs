//! Cells come back as they were put, are counted by the status they have, and drift is listed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use landfall_model::cell::{Cell, CellKey, CellWaiver};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::event::EventKind;
use landfall_model::ids::{ControlId, Revision};
use landfall_model::json_text::JsonText;
use landfall_model::repair::Repairs;
use landfall_model::waiver::Beneficiary;
use landfall_server::store::{LeaseState, NewEvent, Results, StoreError, Unchanged};
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

pub(super) fn drifted(region: &str, control: &str, since: Timestamp) -> Cell {
    Cell {
        drift: vec!["enable the detector".to_owned()],
        drifted_since: Some(since),
        ..cell(region, control)
    }
}

pub(super) fn blocked(region: &str, control: &str) -> Cell {
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
