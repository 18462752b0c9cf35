//! Touches: they make cells due, are kept by the clock of AWS, and are forgotten.

use jiff::SignedDuration;
use landfall_model::cell::CellKey;
use landfall_model::ids::TargetId;
use landfall_server::store::{LeaseState, Touch};
use landfall_tests::database::both;
use uuid::Uuid;

use super::cells::cell;
use super::{MINUTE, add, at, claim_one, put_cells};

fn touch(key: &CellKey, actor: &str, seconds: i64) -> Touch {
    Touch {
        key: key.clone(),
        event: "DeleteDetector".to_owned(),
        actor: actor.to_owned(),
        source_ip: Some("203.0.113.7".to_owned()),
        at: at(seconds),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_makes_its_cells_due_and_no_other() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        let mut cells = [cell("eu-west-1", "a.a"), cell("eu-west-1", "b.b")];
        for cell in &mut cells {
            cell.due_at = at(3_600);
        }
        put_cells(store, &lease, &cells, 1).await;

        // It comes while a pass is at work, which goes on to write what it saw before.
        let touched = touch(&cells[0].key, "arn:aws:iam::111122223333:user/eve", 2);
        assert!(
            store
                .touch(target, std::slice::from_ref(&touched), at(3))
                .await
                .unwrap()
        );
        put_cells(store, &lease, &cells, 4).await;
        assert_eq!(
            store.release(lease, at(3_600), true, None).await.unwrap(),
            LeaseState::Held
        );

        let lease = claim_one(store, at(5)).await;
        assert_eq!(
            store.take_touches(&lease, at(5)).await.unwrap(),
            Some(vec![touched.clone()])
        );
        let due = |cells: Vec<landfall_model::cell::Cell>| -> Vec<_> {
            cells.into_iter().map(|cell| cell.due_at).collect()
        };
        assert_eq!(due(store.cells(target).await.unwrap()), [at(5), at(3_600)]);

        // Taken once, it makes nothing due again.
        put_cells(store, &lease, &cells, 6).await;
        assert_eq!(
            store.take_touches(&lease, at(7)).await.unwrap(),
            Some(Vec::new())
        );
        assert_eq!(
            due(store.cells(target).await.unwrap()),
            [at(3_600), at(3_600)]
        );
        let key = &cells[0].key;
        let last = store
            .last_touch(target, &key.region, &key.control)
            .await
            .unwrap();
        assert_eq!(last, Some(touched));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_touch_is_kept_in_whatever_order_they_come() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let (one, other) = (cell("eu-west-1", "a.a").key, cell("eu-west-2", "a.a").key);
        for (actor, seconds) in [("first", 10), ("third", 30), ("second", 20), ("third", 30)] {
            let touches = [touch(&one, actor, seconds)];
            assert!(store.touch(target, &touches, at(40)).await.unwrap());
        }
        assert!(
            store
                .touch(target, &[touch(&other, "else", 5)], at(40))
                .await
                .unwrap()
        );
        let all = store.touches_of(target).await.unwrap();
        assert_eq!(all[&one].actor, "third");
        assert_eq!(all.len(), 2);
        let asked = [
            (target, one.clone()),
            (target, cell("eu-west-3", "a.a").key),
        ];
        let some = store.last_touches(&asked).await.unwrap();
        assert_eq!(some.into_keys().collect::<Vec<_>>(), [(target, one)]);

        store
            .forget_old(at(6) + SignedDuration::from_hours(90 * 24))
            .await
            .unwrap();
        assert!(!store.touches_of(target).await.unwrap().contains_key(&other));
        assert_eq!(store.touches_of(target).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_wakes_its_target_and_nobody_elses() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        assert_eq!(
            store.release(lease, at(3_600), true, None).await.unwrap(),
            LeaseState::Held
        );
        let key = cell("eu-west-1", "a.a").key;
        let nobody = TargetId::Account(Uuid::now_v7());
        assert!(
            !store
                .touch(nobody, &[touch(&key, "eve", 1)], at(2))
                .await
                .unwrap()
        );
        assert!(
            store
                .claim(Uuid::now_v7(), at(2), 9, MINUTE)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            store
                .touch(target, &[touch(&key, "eve", 1)], at(2))
                .await
                .unwrap()
        );
        let lease = claim_one(store, at(2)).await;
        assert_eq!(lease.target, target);
        // Whoever lost the target takes nothing.
        let late = store
            .claim(Uuid::now_v7(), at(200), 9, MINUTE)
            .await
            .unwrap();
        assert_eq!(late.len(), 1);
        assert_eq!(store.take_touches(&lease, at(201)).await.unwrap(), None);
    })
    .await;
}
