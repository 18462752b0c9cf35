//! Pins and rollouts: who has what, who moves it, and that one does at a time.

use std::sync::Arc;

use landfall_model::baseline::Baseline;
use landfall_model::cell::{Cell, CellKey};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::event::EventKind;
use landfall_model::ids::{Revision, TargetId};
use landfall_model::landing_zone::LandingZone;
use landfall_model::rollout::{Pin, RolloutDecision, RolloutState, Standing, Wanted, Wave};
use landfall_server::catalogue::Catalogue;
use landfall_server::store::{
    Lease, LeaseState, Rollout, RolloutAccount, RolloutDecided, StoreError,
};
use landfall_tests::database::both;
use landfall_tests::world::LANDING_ZONE;

use super::*;

/// What accounts are to have, with another baseline for Production.
pub(super) fn wanted(store_of: &str) -> (Wanted, Catalogue) {
    let baseline = format!("baseline = \"{store_of}\"");
    let text = LANDING_ZONE.replace("baseline = \"production\"", &baseline);
    let zone = LandingZone::parse("landing-zone.toml", &text).unwrap();
    let catalogue = Catalogue::load(&zone, None, None).unwrap();
    (
        Wanted::new(&zone, &catalogue.baselines, &catalogue.scps),
        catalogue,
    )
}

/// A store after its first start, which wanted `production`.
pub(super) async fn first_start(store: &Store) -> Rollout {
    let (wanted, catalogue) = wanted("production");
    let all: Vec<&Baseline> = catalogue.baselines.iter().collect();
    store.ensure_organization(at(0)).await.unwrap();
    store.keep_revisions(&all, at(0)).await.unwrap();
    store
        .begin_rollout(&wanted, true, at(0))
        .await
        .unwrap()
        .expect("it is the first")
}

async fn begin(store: &Store, baseline: &str) -> Rollout {
    let begun = store
        .begin_rollout(&wanted(baseline).0, true, at(5))
        .await
        .unwrap();
    begun.expect("it is another than before")
}

/// A governed account of Production with what was settled, in sync.
pub(super) async fn governed(store: &Store, email: &str, number: &str) -> Account {
    let account = add(store, email).await;
    let lease = claim(store, account.target(), at(1_000)).await;
    let pin = wanted("production")
        .0
        .of(account.purpose, &account.request.organizational_unit)
        .expect("accounts have a baseline")
        .clone();
    let event = NewEvent::new(
        account.target(),
        EventKind::PhaseEntered,
        "governed".to_owned(),
    );
    assert_eq!(
        store.adopt(&lease, &number.parse().unwrap()).await.unwrap(),
        LeaseState::Held
    );
    let entered = store
        .enter_phase(&lease, Phase::Governed, None, &event, at(50))
        .await;
    assert_eq!(entered.unwrap(), LeaseState::Held);
    assert_eq!(
        store.pin(&lease, &pin, "a test", at(50)).await.unwrap(),
        LeaseState::Held
    );
    complete(store, lease, None).await;
    account
}

/// Ends a pass that got everything in sync, unless a cell is broken.
async fn complete(store: &Store, lease: Lease, broken: Option<CloudErrorKind>) {
    let key = CellKey {
        region: "eu-west-1".parse().unwrap(),
        control: "config.recorder".parse().unwrap(),
    };
    let mut cell = Cell::unseen(key, Revision::of(b"1"), at(9_000));
    cell.known = true;
    cell.error = broken.map(|kind| StoredError {
        kind,
        operation: "config:PutConfigurationRecorder".to_owned(),
        message: "no".to_owned(),
        request_id: None,
    });
    put_cells(store, &lease, &[cell], 60).await;
    let released = store
        .release(lease, at(9_000), broken.is_none(), None)
        .await;
    assert_eq!(released.unwrap(), LeaseState::Held);
}

pub(super) async fn accounts(store: &Store, rollout: &Rollout) -> Vec<RolloutAccount> {
    store.rollout_accounts(rollout.id).await.unwrap()
}

pub(super) async fn standings(store: &Store, rollout: &Rollout) -> Vec<Option<Standing>> {
    let accounts = accounts(store, rollout).await;
    accounts
        .iter()
        .map(|account| account.standing(&rollout.wanted))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_begins_when_something_else_is_wanted_and_only_then() {
    both(async |db| {
        let store = &db.store;
        assert_eq!(store.course().await.unwrap(), None);
        let first = first_start(store).await;
        assert_eq!(first.state, RolloutState::Done);
        assert_eq!(
            store
                .begin_rollout(&first.wanted, true, at(1))
                .await
                .unwrap(),
            None
        );

        let second = begin(store, "admin").await;
        assert_eq!(second.state, RolloutState::Running);
        let course = store.course().await.unwrap().unwrap();
        assert_eq!(
            (course.latest.id, &course.settled),
            (second.id, &first.wanted)
        );

        let proposed = store
            .begin_rollout(&wanted("sandbox").0, false, at(6))
            .await
            .unwrap();
        let proposed = proposed.unwrap();
        assert_eq!(proposed.state, RolloutState::Proposed);
        let superseded = store.rollout(second.id).await.unwrap().unwrap();
        assert_eq!(superseded.state, RolloutState::Superseded);

        let history = store.events(TargetId::Organization, 0, 100).await.unwrap();
        let told = history
            .iter()
            .filter(|event| event.kind == EventKind::Rollout)
            .count();
        assert_eq!(told, 4, "begun three times, superseded once: {history:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_begin_one_rollout() {
    both(async |db| {
        first_start(&db.store).await;
        let other = db.another_store().await;
        let wanted = wanted("admin").0;
        let (one, two) = tokio::join!(
            db.store.begin_rollout(&wanted, true, at(5)),
            other.begin_rollout(&wanted, true, at(5)),
        );
        assert_eq!([one.unwrap(), two.unwrap()].iter().flatten().count(), 1);
        assert_eq!(other.rollouts(None, 10).await.unwrap().items.len(), 2);
        other.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_kept_as_it_was_and_pins_name_a_known_one() {
    both(async |db| {
        let store = &db.store;
        first_start(store).await;
        let (_, catalogue) = wanted("production");
        for baseline in catalogue.baselines.iter() {
            let stored = store.baseline_revision(&Pin::to(baseline)).await.unwrap();
            assert_eq!(stored.as_ref(), Some(baseline));
        }
        let account = governed(store, "a@example.com", "222222222222").await;
        let production = catalogue.baselines.get("production").unwrap();
        let pinned = async || store.pinned(account.target()).await.unwrap().unwrap();
        let before = pinned().await;
        assert_eq!(&before, production);
        assert!(
            Arc::ptr_eq(&before.controls, &pinned().await.controls),
            "what a revision says is read once"
        );
        let pins = store
            .pins(&[account.target(), TargetId::Organization])
            .await
            .unwrap();
        assert_eq!(
            pins.into_values().collect::<Vec<_>>(),
            [Pin::to(production)]
        );
        assert_eq!(store.pin_counts().await.unwrap()[0].targets, 1);

        let unknown = Pin {
            baseline: "production".to_owned(),
            revision: Revision::of(b"nothing"),
        };
        store.want(account.target(), at(2_000)).await.unwrap();
        let lease = claim(store, account.target(), at(9_500)).await;
        let refused = store.pin(&lease, &unknown, "a test", at(9_500)).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict { .. })),
            "{refused:?}"
        );

        let organization = Pin::to(catalogue.baselines.get("organization").unwrap());
        assert!(store.pin_organization(&organization, at(1)).await.unwrap());
        assert!(!store.pin_organization(&organization, at(2)).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_stands_behind_then_on_its_way_then_in_sync_or_broken() {
    both(async |db| {
        let store = &db.store;
        first_start(store).await;
        let good = governed(store, "a@example.com", "222222222222").await;
        let bad = governed(store, "b@example.com", "333333333333").await;
        let rollout = begin(store, "admin").await;
        assert_eq!(
            standings(store, &rollout).await,
            [Some(Standing::Behind); 2]
        );

        let organization = claim(store, TargetId::Organization, at(2_000)).await;
        let both = accounts(store, &rollout).await;
        let both: Vec<&RolloutAccount> = both.iter().collect();
        let pinned = store
            .pin_wave(&organization, &rollout, Wave::Second, &both, at(2_001))
            .await;
        assert_eq!(pinned.unwrap(), LeaseState::Held);
        assert_eq!(
            standings(store, &rollout).await,
            [Some(Standing::Converging); 2]
        );
        let admin = rollout
            .wanted
            .of(good.purpose, &good.request.organizational_unit)
            .unwrap();
        assert_eq!(
            store.pins(&[good.target()]).await.unwrap()[&good.target()],
            *admin
        );

        // Both are due at once.
        let lease = claim(store, good.target(), at(2_002)).await;
        complete(store, lease, None).await;
        db.sql("update target set leased_by = null, leased_until = null, due_at = 0")
            .await
            .unwrap();
        let lease = claim(store, bad.target(), at(2_003)).await;
        complete(store, lease, Some(CloudErrorKind::AccessDenied)).await;
        assert_eq!(
            standings(store, &rollout).await,
            [Some(Standing::InSync), Some(Standing::Failed)]
        );
        let history = store.events(good.target(), 0, 100).await.unwrap();
        let last = history.last().unwrap();
        assert_eq!(
            (last.kind, &last.detail["baseline"]),
            (EventKind::Pinned, &"admin".into())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pinned_without_the_lease_or_after_somebody_decided_otherwise() {
    both(async |db| {
        let store = &db.store;
        first_start(store).await;
        governed(store, "a@example.com", "222222222222").await;
        let rollout = begin(store, "admin").await;
        let lost = claim(store, TargetId::Organization, at(2_000)).await;
        let held = claim(store, TargetId::Organization, at(3_000)).await;
        let all = accounts(store, &rollout).await;
        let all: Vec<&RolloutAccount> = all.iter().collect();
        let pinned = store
            .pin_wave(&lost, &rollout, Wave::Second, &all, at(3_000))
            .await;
        assert_eq!(pinned.unwrap(), LeaseState::Lost);
        let ended = store
            .end_rollout(&lost, &rollout, RolloutState::Done, "", at(3_000))
            .await;
        assert_eq!(ended.unwrap(), LeaseState::Lost);

        let decide = async |decision| {
            store
                .decide_rollout(rollout.id, decision, "ann", "wait", at(3_001))
                .await
                .unwrap()
        };
        assert!(matches!(
            decide(RolloutDecision::Pause).await,
            RolloutDecided::Done(_)
        ));
        let again = decide(RolloutDecision::Pause).await;
        assert_eq!(again, RolloutDecided::WrongState(RolloutState::Paused));
        // The engine read it before the decision.
        let pinned = store
            .pin_wave(&held, &rollout, Wave::Second, &all, at(3_002))
            .await;
        assert_eq!(pinned.unwrap(), LeaseState::Held);
        assert_eq!(standings(store, &rollout).await, [Some(Standing::Behind)]);
        let paused = store.rollout(rollout.id).await.unwrap().unwrap();
        assert_eq!(
            (paused.state, paused.changed_by.as_str()),
            (RolloutState::Paused, "ann")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_back_gives_back_what_was_settled_and_the_first_rollout_has_nothing_to_give() {
    both(async |db| {
        let store = &db.store;
        let first = first_start(store).await;
        let nothing = store
            .decide_rollout(first.id, RolloutDecision::RollBack, "ann", "", at(1))
            .await;
        assert_eq!(nothing.unwrap(), RolloutDecided::NothingBefore);
        let account = governed(store, "a@example.com", "222222222222").await;
        let rollout = begin(store, "admin").await;
        let lease = claim(store, TargetId::Organization, at(2_000)).await;
        let all = accounts(store, &rollout).await;
        let pinned = store
            .pin_wave(&lease, &rollout, Wave::Rest, &[&all[0]], at(2_000))
            .await;
        assert_eq!(pinned.unwrap(), LeaseState::Held);
        let ended = store
            .end_rollout(&lease, &rollout, RolloutState::Done, "", at(2_001))
            .await;
        assert_eq!(ended.unwrap(), LeaseState::Held);

        let decided = store
            .decide_rollout(
                rollout.id,
                RolloutDecision::RollBack,
                "ann",
                "too dear",
                at(2_002),
            )
            .await;
        let RolloutDecided::Done(rollout) = decided.unwrap() else {
            panic!("one that is done can be rolled back")
        };
        let course = store.course().await.unwrap().unwrap();
        assert_eq!(
            course.settled, first.wanted,
            "what is being rolled back is not settled"
        );
        let to = course
            .settled
            .of(account.purpose, &account.request.organizational_unit)
            .unwrap();
        let all = accounts(store, &rollout).await;
        let back = store
            .pin_back(&lease, &rollout, &[(&all[0], to)], "too dear", at(2_003))
            .await;
        assert_eq!(back.unwrap(), LeaseState::Held);
        assert_eq!(
            store.pins(&[account.target()]).await.unwrap()[&account.target()],
            *to
        );
        let rolled_back = store.rollout(rollout.id).await.unwrap().unwrap();
        assert_eq!(rolled_back.state, RolloutState::RolledBack);

        let gone = store
            .decide_rollout(Uuid::now_v7(), RolloutDecision::Pause, "ann", "", at(2_004))
            .await;
        assert_eq!(gone.unwrap(), RolloutDecided::NotFound);
    })
    .await;
}
