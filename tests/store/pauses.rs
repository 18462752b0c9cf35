//! Pauses: whose end is known, and whose is not.

use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_server::store::{LeaseState, Pause, PauseCount};
use landfall_tests::database::{both, pause};
use uuid::Uuid;

use super::{MINUTE, add, at, claim_one};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_works_on_what_is_paused() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        assert!(
            store
                .pause(target, &pause("audit", "bob", at(1)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .pause(target, &pause("again", "bob", at(1)))
                .await
                .unwrap()
        );
        assert_eq!(
            store.release(lease, at(2), true, None).await.unwrap(),
            LeaseState::Held,
            "what is under way may end"
        );
        assert!(
            store
                .claim(Uuid::now_v7(), at(900), 9, MINUTE)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(store.next_due().await.unwrap(), None);
        let paused = store.target(target).await.unwrap().unwrap().paused.unwrap();
        assert_eq!(
            (paused.by.as_str(), paused.reason.as_str(), paused.at),
            ("bob", "audit", at(1))
        );
        // Nobody said when it ends, so it does not.
        store.end_pauses(at(900)).await.unwrap();
        let count = store.pause_count().await.unwrap();
        assert_eq!((count.targets, count.oldest), (1, Some(at(1))));
        assert!(store.resume(target, "bob", at(1_000)).await.unwrap());
        assert!(!store.resume(target, "bob", at(1_000)).await.unwrap());
        assert_eq!(claim_one(store, at(1_000)).await.target, target);
        let kinds: Vec<_> = store
            .events(target, 0, 9)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(
            kinds,
            [EventKind::Requested, EventKind::Paused, EventKind::Resumed]
        );
        let nobody = TargetId::Account(Uuid::now_v7());
        assert!(
            !store
                .pause(nobody, &pause("x", "bob", at(1)))
                .await
                .unwrap()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_ends_by_itself_when_its_time_is_over() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let pause = Pause {
            until: Some(at(60)),
            ..pause("release", "bob", at(1))
        };
        assert!(store.pause(target, &pause).await.unwrap());
        store.end_pauses(at(59)).await.unwrap();
        let paused = store.target(target).await.unwrap().unwrap().paused;
        assert_eq!(paused, Some(pause));
        store.end_pauses(at(60)).await.unwrap();
        store.end_pauses(at(61)).await.unwrap();
        assert_eq!(store.pause_count().await.unwrap(), PauseCount::default());
        assert_eq!(claim_one(store, at(60)).await.target, target);
        let events = store.events(target, 0, 9).await.unwrap();
        let told: Vec<_> = events.iter().map(|event| event.kind).collect();
        assert_eq!(
            told,
            [EventKind::Requested, EventKind::Paused, EventKind::Resumed]
        );
        assert_eq!(
            events[1].sentence,
            "Paused until 2027-01-15T08:01:00Z: release"
        );
    })
    .await;
}
