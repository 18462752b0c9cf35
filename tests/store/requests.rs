//! A call makes one request, an e-mail belongs to one.

use landfall_model::account::Phase;
use landfall_server::store::{
    AccountFilter, Added, Decided, Idempotency, NewRequest, Purpose, Store,
};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{add, at, enter, failure, new_request, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_root_email_belongs_to_one_request() {
    both(async |db| {
        let store = &db.store;
        let first = add(store, "a@example.com").await;
        let request = request("Other");
        let same = new_request(&request, "A@example.com");
        let taken = store.add_request(&same, at(1)).await.unwrap();
        assert_eq!(taken, Added::EmailTaken { by: first.id });
        assert_eq!(
            store.account(same.id).await.unwrap(),
            None,
            "nothing of it stays"
        );
        assert!(store.events(first.target(), 1, 9).await.unwrap().len() <= 1);

        enter(store, &first, Phase::Failed, Some(&failure())).await;
        let second = match store.add_request(&same, at(2)).await.unwrap() {
            Added::New(account) => account,
            other => panic!("a failed request gives its e-mail back: {other:?}"),
        };
        let back = store.retry(first.id, None, "alice", at(3)).await.unwrap();
        assert_eq!(back, Decided::EmailTaken { by: second.id });
        let email = "b@example.com".parse().unwrap();
        let back = store
            .retry(first.id, Some((&request, &email)), "alice", at(3))
            .await
            .unwrap();
        let Decided::Done(back) = back else {
            panic!("{back:?}")
        };
        assert_eq!(
            (back.phase, back.email.as_str(), back.request.name.as_str()),
            (Phase::Requested, "b@example.com", "Other")
        );
        assert_eq!(back.failure, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_with_the_same_email_one_wins() {
    both(async |db| {
        let other = db.another_store().await;
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let store = if n % 2 == 0 {
                    db.store.clone()
                } else {
                    other.clone()
                };
                tokio::spawn(async move {
                    let request = request("Same");
                    store
                        .add_request(&new_request(&request, "same@example.com"), at(0))
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut new = 0;
        for task in tasks {
            match task.await.unwrap() {
                Added::New(_) => new += 1,
                Added::EmailTaken { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(new, 1);
        other.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_makes_one_request() {
    both(async |db| {
        let store = &db.store;
        let request = request("Payments");
        let call = |fingerprint| NewRequest {
            idempotency: Some(Idempotency {
                principal: "token-1",
                key: "k",
                fingerprint,
            }),
            // Each call makes its own id and, from that, its own e-mail.
            ..new_request(
                &request,
                &format!("{}@example.com", &Uuid::now_v7().simple().to_string()[16..]),
            )
        };
        let calls: Vec<_> = (0..8).map(|_| call("f1")).collect();
        let mut answers = Vec::new();
        for added in futures(store, &calls).await {
            answers.push(match added {
                Added::New(account) => (true, account.id),
                Added::Repeated(account) => (false, account.id),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(answers.iter().filter(|(new, _)| *new).count(), 1);
        assert!(answers.iter().all(|(_, id)| *id == answers[0].1));
        assert_eq!(
            store.add_request(&call("f2"), at(1)).await.unwrap(),
            Added::KeyReused
        );
        let page = store
            .accounts(&AccountFilter::default(), None, 10)
            .await
            .unwrap();
        assert_eq!(page.items.len(), 1);
    })
    .await;
}

/// Makes all these calls at once.
async fn futures(store: &Store, calls: &[NewRequest<'_>]) -> Vec<Added> {
    let mut answers = Vec::new();
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Handle::current();
        let threads: Vec<_> = calls
            .iter()
            .map(|call| {
                let runtime = runtime.clone();
                scope.spawn(move || runtime.block_on(store.add_request(call, at(0))).unwrap())
            })
            .collect();
        for thread in threads {
            answers.push(thread.join().unwrap());
        }
    });
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_account_is_enrolled_once() {
    both(async |db| {
        let store = &db.store;
        let request = request("Security");
        let enroll = |email| NewRequest {
            purpose: Purpose::Security,
            existing: Some("444444444444".parse().unwrap()),
            ..new_request(&request, email)
        };
        let Added::New(account) = store
            .add_request(&enroll("s@example.com"), at(0))
            .await
            .unwrap()
        else {
            panic!("it is new");
        };
        assert_eq!(account.phase, Phase::Placing);
        assert_eq!(
            store
                .add_request(&enroll("t@example.com"), at(0))
                .await
                .unwrap(),
            Added::AccountTaken { by: account.id }
        );
        let security = store.account_by_purpose(Purpose::Security).await.unwrap();
        assert_eq!(security.map(|account| account.id), Some(account.id));
        assert_eq!(
            store.account_by_purpose(Purpose::LogArchive).await.unwrap(),
            None
        );
    })
    .await;
}
