//! What the store's busiest calls cost; the numbers stand in the test's output.

use std::time::Instant;

use landfall_server::store::LeaseState;
use landfall_tests::database::both;
use uuid::Uuid;

use super::{MINUTE, add, at, cells::cell, put_cells};

#[tokio::test(flavor = "multi_thread")]
async fn claiming_and_putting_cells_is_fast_enough() {
    both(async |db| {
        let store = &db.store;
        add(store, "a@example.com").await;
        let rounds = 100;
        let begin = Instant::now();
        for _ in 0..rounds {
            let lease = store
                .claim(Uuid::now_v7(), at(0), 1, MINUTE)
                .await
                .unwrap()
                .remove(0);
            assert_eq!(
                store.release(lease, at(0), true, None).await.unwrap(),
                LeaseState::Held
            );
        }
        let claim = begin.elapsed() / rounds;

        let cells: Vec<_> = (0..120)
            .map(|n| cell("eu-west-1", &format!("a.c{n}")))
            .collect();
        let lease = store
            .claim(Uuid::now_v7(), at(0), 1, MINUTE)
            .await
            .unwrap()
            .remove(0);
        let begin = Instant::now();
        for _ in 0..rounds {
            put_cells(store, &lease, &cells, 1).await;
        }
        let put = begin.elapsed() / rounds;
        eprintln!("claim and release {claim:?}, 120 cells {put:?}");
        // 5,000 accounts a day need one of each every 17 seconds.
        assert!(claim.as_millis() < 1_000 && put.as_millis() < 1_000);
    })
    .await;
}
