//! What people decide stands.

use landfall_model::account::Phase;
use landfall_model::event::EventKind;
use landfall_server::store::{Decided, Decision, LeaseState, NewEvent};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{add, at, claim, claim_one, enter, failure};

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
