//! The store on both databases, and what several replicas may do to it at once.

#![expect(
    clippy::unwrap_used,
    reason = "where a test unwraps in vain it has failed, and says where"
)]

mod accounts;
mod assets;
mod cells;
mod creation;
mod decisions;
mod drift;
mod events;
mod exemptions;
mod leases;
mod pauses;
mod plans;
mod requests;
mod rollouts;
mod schema;
mod scp_pins;
mod speed;
mod tokens;
mod touches;
mod waivers;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use landfall_model::account::{Failure, Phase};
use landfall_model::cell::Cell;
use landfall_model::cloud_error::Help;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_model::request::AccountRequest;
use landfall_server::store::{
    Account, Added, Lease, LeaseState, NewEvent, NewRequest, Purpose, Results, Store,
};
use uuid::Uuid;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A moment: the tests' clock is an argument, like the store's.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn request(name: &str) -> AccountRequest {
    AccountRequest {
        name: name.to_owned(),
        owner_email: "pay@example.com".parse().unwrap(),
        organizational_unit: "Applications/Production".parse().unwrap(),
        cost_center: "4711".to_owned(),
        environment: "production".to_owned(),
        justification: "Card payments".to_owned(),
        email: None,
        tags: BTreeMap::from([("team".to_owned(), "pay".to_owned())]),
    }
}

/// Writes down cells as a pass does that holds the lease.
async fn put_cells(store: &Store, lease: &Lease, cells: &[Cell], seconds: i64) {
    let results = Results {
        cells,
        ..Results::default()
    };
    let put = store.put_results(lease, &results, at(seconds)).await;
    assert_eq!(put.unwrap(), LeaseState::Held);
}

fn new_request<'a>(request: &'a AccountRequest, email: &str) -> NewRequest<'a> {
    NewRequest {
        id: Uuid::now_v7(),
        request,
        email: email.parse().unwrap(),
        purpose: Purpose::Application,
        requested_by: "alice",
        existing: None,
        idempotency: None,
    }
}

/// A request that is there, due at `at(0)`.
async fn add(store: &Store, email: &str) -> Account {
    let request = request("Payments");
    match store
        .add_request(&new_request(&request, email), at(0))
        .await
        .unwrap()
    {
        Added::New(account) => account,
        other => panic!("{other:?}"),
    }
}

/// A lease on one target that is due at `now`, and nothing else is.
async fn claim_one(store: &Store, now: Timestamp) -> Lease {
    let mut leases = store.claim(Uuid::now_v7(), now, 10, MINUTE).await.unwrap();
    assert_eq!(leases.len(), 1, "{leases:?}");
    leases.remove(0)
}

/// A lease on this one, of all that are due.
async fn claim(store: &Store, target: TargetId, now: Timestamp) -> Lease {
    let leases = store.claim(Uuid::now_v7(), now, 100, MINUTE).await.unwrap();
    leases
        .into_iter()
        .find(|lease| lease.target == target)
        .expect("the target is due")
}

/// Brings an account to a phase, as the engine would.
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
