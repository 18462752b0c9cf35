//! History is appended, in order, and never changed.

use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_server::store::{HistoryFilter, LeaseState, NewEvent, StoreError};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{add, at, claim_one};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_remembers_its_place_misses_nothing() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let other = db.another_store().await;
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = if writer % 2 == 0 {
                    store.clone()
                } else {
                    other.clone()
                };
                tokio::spawn(async move {
                    for n in 0..12 {
                        let event =
                            NewEvent::new(target, EventKind::StepDone, format!("{writer}.{n}"));
                        store.append_event(&event, at(n)).await.unwrap();
                    }
                })
            })
            .collect();
        let mut place = 0;
        let mut seen = Vec::new();
        let expected = 8 * 12 + 1;
        for _ in 0..2_000 {
            let page = store.events(target, place, 5).await.unwrap();
            place = page.last().map_or(place, |event| event.seq);
            seen.extend(page.into_iter().map(|event| (event.seq, event.sentence)));
            if seen.len() == expected {
                break;
            }
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let all = store.events(target, 0, 1_000).await.unwrap();
        let all: Vec<_> = all
            .into_iter()
            .map(|event| (event.seq, event.sentence))
            .collect();
        seen.extend(
            store
                .events(target, place, 1_000)
                .await
                .unwrap()
                .into_iter()
                .map(|event| (event.seq, event.sentence)),
        );
        assert_eq!(seen, all);
        assert_eq!(all.len(), expected);
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(
            store.latest_events(1).await.unwrap()[0].seq,
            all.last().unwrap().0
        );
        other.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_can_be_read_backwards_and_of_one_cell_alone() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        add(store, "b@example.com").await;
        for (n, region, control) in [
            (1, Some("eu-west-1"), Some("config.recorder")),
            (2, Some("us-east-1"), Some("config.recorder")),
            (3, Some("eu-west-1"), Some("guardduty.detector")),
            (4, None, None),
        ] {
            let event = NewEvent {
                region: region.map(|region| region.parse().unwrap()),
                control: control.map(|control| control.parse().unwrap()),
                ..NewEvent::new(target, EventKind::StepDone, n.to_string())
            };
            store.append_event(&event, at(n)).await.unwrap();
        }
        let read = async |region: &str, control: &str, before, limit| {
            let filter = HistoryFilter {
                region: region.parse().ok(),
                control: control.parse().ok(),
            };
            let read = store.history(target, &filter, before, limit).await.unwrap();
            let last = read.last().map(|event| event.seq);
            let sentences: Vec<String> = read.into_iter().map(|event| event.sentence).collect();
            (sentences.join(" "), last)
        };
        let (latest, place) = read("", "", None, 2).await;
        assert_eq!(latest, "4 3");
        let (before, _) = read("", "", place, 2).await;
        assert_eq!(before, "2 1");
        assert_eq!(read("eu-west-1", "", None, 9).await.0, "3 1");
        assert_eq!(read("", "config.recorder", None, 9).await.0, "2 1");
        assert_eq!(read("eu-west-1", "config.recorder", None, 9).await.0, "1");
        assert_eq!(read("eu-north-1", "", None, 9).await, (String::new(), None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_history() {
    both(async |db| {
        let target = add(&db.store, "a@example.com").await.target();
        for change in [
            "update event set sentence = 'it never happened'",
            "delete from event",
        ] {
            let refused = db.sql(change).await.unwrap_err().to_string();
            assert!(refused.contains("never"), "{refused}");
        }
        assert_eq!(db.store.events(target, 0, 9).await.unwrap().len(), 1);
        let lease = claim_one(&db.store, at(0)).await;
        let events = [
            NewEvent::new(target, EventKind::StepDone, "one".to_owned()),
            NewEvent::by("bob", target, EventKind::Failed, "two".to_owned()),
        ];
        assert_eq!(
            db.store
                .record_events(&lease, &events, at(1))
                .await
                .unwrap(),
            LeaseState::Held
        );
        let seen: Vec<_> = db
            .store
            .events(target, 0, 9)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.sentence)
            .collect();
        assert_eq!(seen[1..], ["one", "two"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_history_of_nothing() {
    both(async |db| {
        let nobody = TargetId::Account(Uuid::now_v7());
        let event = NewEvent::new(nobody, EventKind::StepDone, "?".to_owned());
        let refused = db.store.append_event(&event, at(0)).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict { .. })),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_event_can_be_read_back() {
    both(async |db| {
        let target = add(&db.store, "a@example.com").await.target();
        let kinds = [
            EventKind::Requested,
            EventKind::Approved,
            EventKind::Rejected,
            EventKind::Cancelled,
            EventKind::Retried,
            EventKind::PhaseEntered,
            EventKind::StepDone,
            EventKind::DriftFound,
            EventKind::ChangeApplied,
            EventKind::InSync,
            EventKind::Failed,
            EventKind::Paused,
            EventKind::Resumed,
        ];
        for kind in kinds {
            let event = NewEvent::new(target, kind, String::new());
            db.store.append_event(&event, at(0)).await.unwrap();
        }
        let seen: Vec<_> = db
            .store
            .events(target, 0, 99)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(seen[1..], kinds);
    })
    .await;
}
