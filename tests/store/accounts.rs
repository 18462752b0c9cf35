//! Requests, accounts, decisions.

use landfall_model::account::{Failure, Phase};
use landfall_model::cloud_error::Help;
use landfall_model::creation::Creation;
use landfall_model::event::EventKind;
use landfall_server::store::{
    Account, AccountFilter, Added, Begun, Decided, Decision, Idempotency, LeaseState, NewEvent,
    NewRequest, Purpose, Store, StoreError,
};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{add, at, claim, claim_one, new_request, request};

async fn enter(store: &Store, account: &Account, phase: Phase, failure: Option<&Failure>) {
    let lease = claim(store, account.target(), at(1_000)).await;
    let event = NewEvent::new(
        account.target(),
        EventKind::PhaseEntered,
        phase.name().to_owned(),
    );
    let entered = store
        .enter_phase(&lease, phase, failure, &event, at(50))
        .await
        .unwrap();
    assert_eq!(entered, LeaseState::Held);
    assert_eq!(
        store.release(lease, at(0), false, None).await.unwrap(),
        LeaseState::Held
    );
}

fn failure() -> Failure {
    Failure {
        reason: "EMAIL_ALREADY_EXISTS".to_owned(),
        message: "choose another".to_owned(),
        who_can_help: Help::Requester,
    }
}

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
            store.begin_creation(&lease, at(100)).await.unwrap(),
            Begun::Now
        );
        assert_eq!(
            store.begin_creation(&lease, at(300)).await.unwrap(),
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

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_taken_where_they_may() {
    both(async |db| {
        let store = &db.store;
        let waiting = add(store, "a@example.com").await;
        assert_eq!(
            store
                .decide(waiting.id, Decision::Approve, "bob", "", at(1))
                .await
                .unwrap(),
            Decided::WrongPhase(Phase::Requested)
        );
        enter(store, &waiting, Phase::AwaitingApproval, None).await;
        // Somebody is at work on it with what they saw before the decision.
        let stale = claim(store, waiting.target(), at(60)).await;
        let Decided::Done(approved) = store
            .decide(waiting.id, Decision::Approve, "bob", "fine", at(61))
            .await
            .unwrap()
        else {
            panic!("it waits for approval");
        };
        assert_eq!(
            (approved.phase, approved.phase_since),
            (Phase::Creating, at(61))
        );
        let event = NewEvent::new(waiting.target(), EventKind::PhaseEntered, "no".to_owned());
        let undone = store
            .enter_phase(&stale, Phase::AwaitingApproval, None, &event, at(62))
            .await
            .unwrap();
        assert_eq!(undone, LeaseState::Lost, "a decision stands");
        assert_eq!(store.next_due().await.unwrap(), Some(at(61)));
        assert_eq!(
            store
                .decide(waiting.id, Decision::Cancel, "bob", "", at(63))
                .await
                .unwrap(),
            Decided::WrongPhase(Phase::Creating)
        );

        for (email, decision, reason) in [
            ("b@example.com", Decision::Reject, "REJECTED"),
            ("c@example.com", Decision::Cancel, "CANCELLED"),
        ] {
            let account = add(store, email).await;
            let Decided::Done(ended) = store
                .decide(account.id, decision, "bob", "too dear", at(70))
                .await
                .unwrap()
            else {
                panic!("{decision:?} may be taken of a fresh request");
            };
            let failure = ended.failure.unwrap();
            assert_eq!(
                (
                    ended.phase,
                    failure.reason.as_str(),
                    failure.message.as_str()
                ),
                (Phase::Rejected, reason, "too dear")
            );
            let last = store
                .events(account.target(), 0, 9)
                .await
                .unwrap()
                .pop()
                .unwrap();
            assert_eq!(last.actor, "bob");
        }
        let nobody = Uuid::now_v7();
        assert_eq!(
            store
                .decide(nobody, Decision::Approve, "bob", "", at(1))
                .await
                .unwrap(),
            Decided::NotFound
        );
        assert_eq!(
            store.retry(nobody, None, "bob", at(1)).await.unwrap(),
            Decided::NotFound
        );
        assert_eq!(
            store.retry(waiting.id, None, "bob", at(1)).await.unwrap(),
            Decided::WrongPhase(Phase::Creating)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_never_makes_a_second_account() {
    both(async |db| {
        let store = &db.store;
        let account = add(store, "a@example.com").await;
        let lease = claim_one(store, at(0)).await;
        assert_eq!(
            store
                .adopt(&lease, &"222222222222".parse().unwrap())
                .await
                .unwrap(),
            LeaseState::Held
        );
        assert_eq!(
            store.release(lease, at(0), false, None).await.unwrap(),
            LeaseState::Held
        );
        enter(store, &account, Phase::Failed, Some(&failure())).await;
        let Decided::Done(again) = store.retry(account.id, None, "alice", at(5)).await.unwrap()
        else {
            panic!("it failed");
        };
        assert_eq!(again.phase, Phase::Placing, "the account exists");
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
