//! Requests, accounts, decisions.

use landfall_model::account::Phase;
use landfall_model::creation::{Creation, CreationPace};
use landfall_model::event::EventKind;
use landfall_server::store::{AccountFilter, Begun, LeaseState, StoreError};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{add, at, claim_one, enter, failure, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_comes_back_as_it_was_made() {
    both(async |db| {
        let account = add(&db.store, "a@example.com").await;
        assert_eq!(
            db.store.account(account.id).await.unwrap().as_ref(),
            Some(&account)
        );
        let mut expected = request("Payments");
        expected.email = Some("a@example.com".parse().unwrap());
        assert_eq!(account.request, expected);
        assert_eq!(account.phase, Phase::Requested);
        assert_eq!((account.requested_at, account.phase_since), (at(0), at(0)));
        assert_eq!(
            (&account.creation, &account.account_id),
            (&Creation::default(), &None)
        );
        assert_eq!(
            db.store.next_due().await.unwrap(),
            Some(at(0)),
            "it is due at once"
        );
        let events = db.store.events(account.target(), 0, 9).await.unwrap();
        assert_eq!(
            (events[0].kind, events[0].actor.as_str()),
            (EventKind::Requested, "alice")
        );
        assert_eq!(db.store.account(Uuid::now_v7()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page_newest_first() {
    both(async |db| {
        let store = &db.store;
        let mut ids = Vec::new();
        for n in 0..7 {
            ids.push(add(store, &format!("a{n}@example.com")).await.id);
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        ids.reverse();
        let mut seen = Vec::new();
        let mut cursor = None;
        let mut pages = 0;
        loop {
            let page = store
                .accounts(&AccountFilter::default(), cursor.as_deref(), 3)
                .await
                .unwrap();
            seen.extend(page.items.iter().map(|account| account.id));
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((seen, pages), (ids.clone(), 3));
        let exact = store
            .accounts(&AccountFilter::default(), None, 7)
            .await
            .unwrap();
        assert_eq!(exact.next, None, "a full last page is the last");

        let failed = store.account(ids[2]).await.unwrap().unwrap();
        enter(store, &failed, Phase::Failed, Some(&failure())).await;
        let all = AccountFilter::default();
        for (count, filter) in [
            (
                1,
                AccountFilter {
                    phase: Some(Phase::Failed),
                    ..all.clone()
                },
            ),
            (
                6,
                AccountFilter {
                    phase: Some(Phase::Requested),
                    ..all.clone()
                },
            ),
            (
                7,
                AccountFilter {
                    owner: Some("pay@example.com".parse().unwrap()),
                    ..all.clone()
                },
            ),
            (
                0,
                AccountFilter {
                    owner: Some("x@example.com".parse().unwrap()),
                    ..all.clone()
                },
            ),
            (
                7,
                AccountFilter {
                    organizational_unit: Some("Applications/Production".parse().unwrap()),
                    ..all.clone()
                },
            ),
            (
                0,
                AccountFilter {
                    has_account_id: Some(true),
                    ..all.clone()
                },
            ),
            (
                7,
                AccountFilter {
                    has_account_id: Some(false),
                    ..all.clone()
                },
            ),
        ] {
            let page = store.accounts(&filter, None, 100).await.unwrap();
            assert_eq!(page.items.len(), count, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_through_its_life() {
    both(async |db| {
        let store = &db.store;
        let account = add(store, "a@example.com").await;
        enter(store, &account, Phase::Creating, None).await;
        let lease = claim_one(store, at(100)).await;
        assert_eq!(
            store
                .begin_creation(&lease, &CreationPace::AWS, at(100))
                .await
                .unwrap(),
            Begun::Now
        );
        assert_eq!(
            store
                .begin_creation(&lease, &CreationPace::AWS, at(300))
                .await
                .unwrap(),
            Begun::AlreadyIntended
        );
        let creation = Creation {
            intended_at: Some(at(100)),
            status_id: Some("car-1".to_owned()),
        };
        assert_eq!(
            store.record_creation(&lease, &creation).await.unwrap(),
            LeaseState::Held
        );
        assert_eq!(
            store.account(account.id).await.unwrap().unwrap().creation,
            creation
        );

        let number = "222222222222".parse().unwrap();
        assert_eq!(
            store.adopt(&lease, &number).await.unwrap(),
            LeaseState::Held
        );
        assert_eq!(
            store.adopt(&lease, &number).await.unwrap(),
            LeaseState::Held,
            "twice is once"
        );
        let other = store.adopt(&lease, &"333333333333".parse().unwrap()).await;
        assert!(
            matches!(other, Err(StoreError::Conflict { .. })),
            "{other:?}"
        );
        assert_eq!(
            store.release(lease, at(0), false, None).await.unwrap(),
            LeaseState::Held
        );

        for phase in [Phase::Placing, Phase::Baselining, Phase::Governed] {
            enter(store, &account, phase, None).await;
        }
        let governed = store.account_by_number(&number).await.unwrap().unwrap();
        assert_eq!((governed.id, governed.phase), (account.id, Phase::Governed));
        assert_eq!(
            (governed.phase_since, governed.governed_at),
            (at(50), Some(at(50)))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_row_is_named_and_harms_no_other() {
    both(async |db| {
        let store = &db.store;
        let [bad, good] = [
            add(store, "a@example.com").await,
            add(store, "b@example.com").await,
        ];
        let break_it = format!(
            "update account set organizational_unit = '' where id = '{}'",
            bad.id
        );
        db.sql(&break_it).await.unwrap();
        let error = store.account(bad.id).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{text}");
        assert!(
            text.contains(&bad.id.to_string()) && text.contains("organizational_unit"),
            "{text}"
        );
        assert!(store.account(good.id).await.unwrap().is_some());
    })
    .await;
}
