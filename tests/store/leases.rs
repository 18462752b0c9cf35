//! Claiming, losing and releasing; what is due when.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use landfall_model::account::Phase;
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::creation::Creation;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_server::store::{AssetReport, Lease, LeaseState, NewEvent, Results, Store};
use landfall_tests::database::{both, pause, within};
use uuid::Uuid;

use super::{MINUTE, add, at, claim, claim_one};

fn error() -> StoredError {
    StoredError {
        kind: CloudErrorKind::Throttled,
        operation: "organizations:ListAccounts".to_owned(),
        message: "slow down".to_owned(),
        request_id: Some("r-1".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_target_is_given_to_two() {
    both(async |db| {
        for n in 0..60 {
            add(&db.store, &format!("a{n}@example.com")).await;
        }
        let other = db.another_store().await;
        let workers: Vec<_> = (0..16)
            .map(|n| {
                let store = if n % 2 == 0 {
                    db.store.clone()
                } else {
                    other.clone()
                };
                tokio::spawn(async move {
                    let owner = Uuid::now_v7();
                    let mut mine = Vec::new();
                    loop {
                        let leases = store.claim(owner, at(0), 3, MINUTE).await.unwrap();
                        if leases.is_empty() {
                            return mine;
                        }
                        mine.extend(leases.into_iter().map(|lease| lease.target));
                    }
                })
            })
            .collect();
        let mut claimed = Vec::new();
        for worker in workers {
            claimed.extend(worker.await.unwrap());
        }
        // Several may see nothing to claim while another is at it; whatever is left is still there.
        claimed.extend(
            db.store
                .claim(Uuid::now_v7(), at(0), 100, MINUTE)
                .await
                .unwrap()
                .into_iter()
                .map(|lease| lease.target),
        );
        let distinct: BTreeSet<_> = claimed.iter().collect();
        assert_eq!((claimed.len(), distinct.len()), (60, 60));
        other.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_due_comes_first_and_only_what_is_due() {
    both(async |db| {
        let [a, b, c] = [
            add(&db.store, "a@example.com").await.target(),
            add(&db.store, "b@example.com").await.target(),
            add(&db.store, "c@example.com").await.target(),
        ];
        for (target, due) in [(a, 30), (b, 10), (c, 20)] {
            let lease = claim_first(&db.store, target).await;
            assert_eq!(
                db.store.release(lease, at(due), true, None).await.unwrap(),
                LeaseState::Held
            );
        }
        assert_eq!(db.store.next_due().await.unwrap(), Some(at(10)));
        assert!(
            db.store
                .claim(Uuid::now_v7(), at(9), 10, MINUTE)
                .await
                .unwrap()
                .is_empty()
        );
        let first = db
            .store
            .claim(Uuid::now_v7(), at(25), 1, MINUTE)
            .await
            .unwrap();
        assert_eq!(first[0].target, b);
        let second = db
            .store
            .claim(Uuid::now_v7(), at(25), 9, MINUTE)
            .await
            .unwrap();
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].target, c);
        assert_eq!(db.store.next_due().await.unwrap(), Some(at(30)));
    })
    .await;
}

/// A lease on this target, though others may be due: they are due again at once.
async fn claim_first(store: &Store, target: TargetId) -> Lease {
    let leases = store
        .claim(Uuid::now_v7(), at(0), 100, MINUTE)
        .await
        .unwrap();
    let mut wanted = None;
    for lease in leases {
        if lease.target == target {
            wanted = Some(lease);
        } else {
            assert_eq!(
                store.release(lease, at(0), false, None).await.unwrap(),
                LeaseState::Held
            );
        }
    }
    wanted.expect("the target is due")
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_with_a_lost_lease_change_nothing() {
    let [one, two] = [Uuid::now_v7(), Uuid::now_v7()];
    both(async |db| lose_a_lease(&db.store, one, two).await).await;
    // A replica that overslept may have taken the target again itself.
    both(async |db| lose_a_lease(&db.store, one, one).await).await;
}

/// Has the first owner write after the second one took the target over.
async fn lose_a_lease(store: &Store, first: Uuid, second: Uuid) {
    let account = add(store, "a@example.com").await;
    let target = account.target();
    let stale = store
        .claim(first, at(0), 9, MINUTE)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(store.renew(&stale, at(70)).await.unwrap(), LeaseState::Held);
    assert!(
        store
            .claim(Uuid::now_v7(), at(65), 9, MINUTE)
            .await
            .unwrap()
            .is_empty(),
        "a renewed lease lasts longer"
    );
    let held = store
        .claim(second, at(71), 9, MINUTE)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(held.attempts, 2, "a worker that died counts as an attempt");
    let before = (
        store.account(account.id).await.unwrap(),
        store.target(target).await.unwrap(),
        store.events(target, 0, 100).await.unwrap(),
    );

    let event = NewEvent::new(target, EventKind::StepDone, "no".to_owned());
    let intent = Creation {
        intended_at: Some(at(1)),
        status_id: Some("car-1".to_owned()),
    };
    let cell = super::cells::cell("eu-west-1", "a.b");
    let report = AssetReport {
        source: "s".to_owned(),
        assets: vec![super::assets::asset("arn:aws:s3:::b", 1)],
    };
    let events = std::slice::from_ref(&event);
    for state in [
        store.renew(&stale, at(999)).await.unwrap(),
        store
            .enter_phase(&stale, Phase::Creating, None, &event, at(72))
            .await
            .unwrap(),
        store.record_creation(&stale, &intent).await.unwrap(),
        store
            .adopt(&stale, &"222222222222".parse().unwrap())
            .await
            .unwrap(),
        store
            .put_results(
                &stale,
                &Results {
                    cells: std::slice::from_ref(&cell),
                    events,
                    ..Results::default()
                },
                at(72),
            )
            .await
            .unwrap(),
        store
            .remove_cells(&stale, std::slice::from_ref(&cell.key))
            .await
            .unwrap(),
        store.record_events(&stale, events, at(72)).await.unwrap(),
        store
            .put_results(
                &stale,
                &Results {
                    assets: &[report],
                    owner: "o",
                    ..Results::default()
                },
                at(72),
            )
            .await
            .unwrap(),
        store.release(stale, at(999), true, None).await.unwrap(),
    ] {
        assert_eq!(state, LeaseState::Lost);
    }
    let after = (
        store.account(account.id).await.unwrap(),
        store.target(target).await.unwrap(),
        store.events(target, 0, 100).await.unwrap(),
    );
    assert_eq!(before, after);
    assert!(store.cells(target).await.unwrap().is_empty());
    assert!(store.asset("arn:aws:s3:::b").await.unwrap().is_none());
    assert_eq!(
        store.release(held, at(100), true, None).await.unwrap(),
        LeaseState::Held
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_came_meanwhile_is_not_completed() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        store.want(target, at(5)).await.unwrap();
        assert_eq!(
            store.release(lease, at(9_000), true, None).await.unwrap(),
            LeaseState::Held
        );
        let seen = store.target(target).await.unwrap().unwrap();
        assert_eq!((seen.generation, seen.observed_generation), (2, 1));
        assert_eq!(seen.due_at, at(5), "it is due again at once");
        let lease = claim_one(store, at(5)).await;
        assert_eq!(lease.generation, 2);
        assert_eq!(
            store.release(lease, at(9_000), true, None).await.unwrap(),
            LeaseState::Held
        );
        let seen = store.target(target).await.unwrap().unwrap();
        assert_eq!(
            (seen.generation, seen.observed_generation, seen.due_at),
            (2, 2, at(9_000))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_is_new_until_it_was_tried() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        // Neither a pass that did not get so far nor one that was wanted of meanwhile has tried it.
        for (tries, wanted_meanwhile, new) in [
            (false, false, true),
            (true, false, true),
            (false, false, false),
            (true, true, false),
            (true, false, true),
        ] {
            let lease = claim_one(store, at(0)).await;
            assert_eq!(lease.wanted_anew, new);
            if wanted_meanwhile {
                store.want(target, at(0)).await.unwrap();
            }
            if tries {
                assert_eq!(store.tried(&lease).await.unwrap(), LeaseState::Held);
            }
            let released = store.release(lease, at(0), false, None).await.unwrap();
            assert_eq!(released, LeaseState::Held);
        }
        assert!(
            store
                .pause(target, &pause("audit", "bob", at(1)))
                .await
                .unwrap()
        );
        assert!(store.resume(target, "bob", at(1)).await.unwrap());
        let lease = claim_one(store, at(1)).await;
        assert!(lease.wanted_anew, "a pause ends with a fresh look");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wake_ups_coalesce_and_none_is_lost() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        assert_eq!(
            store.release(lease, at(1_000), true, None).await.unwrap(),
            LeaseState::Held
        );
        for (wake, due) in [(900, 900), (500, 500), (700, 500)] {
            store.wake(target, at(wake)).await.unwrap();
            assert_eq!(store.next_due().await.unwrap(), Some(at(due)));
        }
        // During a lease the row says when the lease ends; the earliest wake-up counts at release, a later one does not.
        let lease = claim_one(store, at(500)).await;
        assert_eq!(store.next_due().await.unwrap(), Some(at(560)));
        for wake in [800, 600, 700] {
            store.wake(target, at(wake)).await.unwrap();
        }
        assert_eq!(store.next_due().await.unwrap(), Some(at(560)));
        assert_eq!(
            store.release(lease, at(5_000), true, None).await.unwrap(),
            LeaseState::Held
        );
        assert_eq!(store.next_due().await.unwrap(), Some(at(600)));
        let lease = claim_one(store, at(600)).await;
        store.wake(target, at(5_000)).await.unwrap();
        assert_eq!(
            store.release(lease, at(1_000), true, None).await.unwrap(),
            LeaseState::Held
        );
        assert_eq!(store.next_due().await.unwrap(), Some(at(1_000)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_count_until_a_pass_ends_without_an_error() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        for attempt in 1..4 {
            let lease = claim_one(store, at(attempt)).await;
            assert_eq!(i64::from(lease.attempts), attempt);
            let failed = store
                .release(lease, at(attempt + 1), false, Some(&error()))
                .await;
            assert_eq!(failed.unwrap(), LeaseState::Held);
        }
        let seen = store.target(target).await.unwrap().unwrap();
        assert_eq!(
            (seen.attempts, seen.last_error, seen.observed_generation),
            (3, Some(error()), 0)
        );
        let lease = claim_one(store, at(9)).await;
        assert_eq!(
            store.release(lease, at(10), false, None).await.unwrap(),
            LeaseState::Held
        );
        let seen = store.target(target).await.unwrap().unwrap();
        assert_eq!(
            (seen.attempts, seen.last_error, seen.observed_generation),
            (0, None, 0)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_organization_is_a_target_once() {
    both(async |db| {
        let store = &db.store;
        assert_eq!(store.next_due().await.unwrap(), None);
        store.ensure_organization(at(0)).await.unwrap();
        let lease = claim(store, TargetId::Organization, at(0)).await;
        assert_eq!(
            store.release(lease, at(50), true, None).await.unwrap(),
            LeaseState::Held
        );
        store.ensure_organization(at(10)).await.unwrap();
        assert_eq!(
            store.next_due().await.unwrap(),
            Some(at(50)),
            "it is not made anew"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waking_is_heard_on_every_replica() {
    both(async |db| {
        let target = add(&db.store, "a@example.com").await.target();
        let mut stores = vec![db.store.clone()];
        if db.is_postgres() {
            stores.push(db.another_store().await);
        }
        for store in &stores {
            let notify = store.due_notify();
            let woken = notify.notified();
            let mut changed = store.subscribe_events();
            db.store.want(target, at(1)).await.unwrap();
            within("the wake-up", woken).await;
            let event = NewEvent::new(target, EventKind::StepDone, "done".to_owned());
            db.store.append_event(&event, at(1)).await.unwrap();
            assert_eq!(within("the event", changed.recv()).await.unwrap(), target);
        }
        for store in stores.iter().skip(1) {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_count_while_they_are_heard_of() {
    both(async |db| {
        let store = &db.store;
        assert_eq!(
            store.live_replicas(at(0)).await.unwrap(),
            1,
            "whoever asks is alive"
        );
        let [a, b] = [Uuid::now_v7(), Uuid::now_v7()];
        store.heartbeat(a, at(0)).await.unwrap();
        store.heartbeat(b, at(0)).await.unwrap();
        store.heartbeat(b, at(20)).await.unwrap();
        assert_eq!(store.live_replicas(at(25)).await.unwrap(), 2);
        assert_eq!(store.live_replicas(at(40)).await.unwrap(), 1);
        store.goodbye(b).await.unwrap();
        store
            .forget_old(at(40) + SignedDuration::from_hours(48))
            .await
            .unwrap();
        assert_eq!(
            db.sql("select cast(count(*) as text) from replica")
                .await
                .unwrap()
                .unwrap(),
            "0"
        );
    })
    .await;
}
