//! `CreateAccount` is called by all replicas together as seldom as AWS allows.

use landfall_model::account::Phase;
use landfall_model::creation::{Creation, CreationPace};
use landfall_model::event::EventKind;
use landfall_server::store::{Begun, LeaseState, NewEvent, Store, StoreError};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{MINUTE, add, at};

const AWS: CreationPace = CreationPace::AWS;

/// Leases on this many accounts that are to be created.
async fn creating(store: &Store, count: usize) -> Vec<landfall_server::store::Lease> {
    for n in 0..count {
        add(store, &format!("a{n}@example.com")).await;
    }
    let leases = store
        .claim(Uuid::now_v7(), at(0), 100, MINUTE * 60)
        .await
        .unwrap();
    assert_eq!(leases.len(), count);
    for lease in &leases {
        let event = NewEvent::new(lease.target, EventKind::PhaseEntered, "creating".to_owned());
        let entered = store
            .enter_phase(lease, Phase::Creating, None, &event, at(0))
            .await
            .unwrap();
        assert_eq!(entered, LeaseState::Held);
    }
    leases
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_keep_to_the_bucket_and_the_room() {
    both(async |db| {
        let stores = [db.store.clone(), db.another_store().await];
        let leases = creating(&db.store, 12).await;
        // Each round everybody asks at once; AWS refills one call every ten seconds.
        let mut begun_at = Vec::new();
        let mut waiting: Vec<_> = leases.into_iter().collect();
        for seconds in [0, 5, 11, 22, 33, 44, 200] {
            let tasks: Vec<_> = waiting
                .drain(..)
                .enumerate()
                .map(|(n, lease)| {
                    let store = stores[n % 2].clone();
                    tokio::spawn(async move {
                        let begun = store
                            .begin_creation(&lease, &AWS, at(seconds))
                            .await
                            .unwrap();
                        (begun, lease)
                    })
                })
                .collect();
            for task in tasks {
                match task.await.unwrap() {
                    (Begun::Now, _) => begun_at.push(seconds),
                    (Begun::NotBefore(when), lease) => {
                        assert!(when > at(seconds), "{when}");
                        waiting.push(lease);
                    }
                    (other, _) => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(
            begun_at,
            [0, 0, 0, 11, 22],
            "a burst of three, then one every ten seconds, five in flight"
        );
        assert_eq!(begun_at.len(), AWS.in_flight);
        stores[1].close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_begun_anew_does_not_refill_the_bucket() {
    both(async |db| {
        let store = &db.store;
        let leases = creating(store, 1).await;
        let lease = &leases[0];
        for second in 0..3 {
            assert_eq!(
                store.begin_creation(lease, &AWS, at(second)).await.unwrap(),
                Begun::Now
            );
            let forgotten = store
                .record_creation(lease, &Creation::default())
                .await
                .unwrap();
            assert_eq!(forgotten, LeaseState::Held);
        }
        assert!(matches!(
            store.begin_creation(lease, &AWS, at(3)).await.unwrap(),
            Begun::NotBefore(_)
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_account_in_creation_is_created() {
    both(async |db| {
        let store = &db.store;
        add(store, "a@example.com").await;
        let lease = super::claim_one(store, at(0)).await;
        let wrong = store.begin_creation(&lease, &AWS, at(0)).await;
        assert!(
            matches!(wrong, Err(StoreError::Conflict { .. })),
            "{wrong:?}"
        );
        super::claim_one(store, at(3_600)).await;
        assert_eq!(
            store.begin_creation(&lease, &AWS, at(0)).await.unwrap(),
            Begun::Lost
        );
    })
    .await;
}
