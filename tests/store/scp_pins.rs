//! Which service control policies each target has while a rollout brings others.

use std::sync::Arc;

use landfall_model::landing_zone::LandingZone;
use landfall_model::rollout::{RolloutDecision, RolloutState, Standing, Wanted, Wave};
use landfall_model::scp::{ScpSet, ScpTarget};
use landfall_server::catalogue::Catalogue;
use landfall_server::store::{LeaseState, Rollout, RolloutDecided};
use landfall_tests::database::both;
use landfall_tests::world::LANDING_ZONE;

use super::rollouts::{accounts, first_start, governed, standings, wanted};
use super::*;

/// Other policies than the program's.
fn other_set() -> ScpSet {
    let Catalogue { mut scps, .. } = wanted("production").1;
    scps.attachments.remove(&ScpTarget::Root);
    scps
}

async fn begin(store: &Store, set: &ScpSet, now: Timestamp) -> Rollout {
    let mut wanted = wanted("production").0;
    wanted.scps = Some(set.revision());
    store.keep_scps(set, now).await.unwrap();
    let begun = store.begin_rollout(&wanted, true, now).await.unwrap();
    begun.expect("it is another than before")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_keeps_what_it_has_until_a_rollout_reaches_it_and_is_seen() {
    both(async |db| {
        let store = &db.store;
        let old = wanted("production").1.scps;
        store.keep_scps(&old, at(0)).await.unwrap();
        first_start(store).await;
        let account = governed(store, "a@example.com", "222222222222").await;
        let unit = account.request.organizational_unit.clone();
        let target = ScpTarget::Unit(unit.clone());

        let new = other_set();
        let rollout = begin(store, &new, at(5)).await;
        let course = store.scp_course().await.unwrap();
        assert_eq!(course.settled, Some(old.revision()));
        assert_eq!(course.wanted, Some(new.revision()));
        assert_eq!(*course.sets[&old.revision()], old);
        assert_eq!(*course.sets[&new.revision()], new);
        // Read once: what a revision says never changes.
        let again = store.scp_course().await.unwrap();
        let revision = new.revision();
        assert!(Arc::ptr_eq(&course.sets[&revision], &again.sets[&revision]));
        assert!(course.pins.is_empty());

        let worker = Uuid::now_v7();
        let mut leases = store.claim(worker, at(10_000), 100, MINUTE).await.unwrap();
        let mut lease_on = |target| {
            let place = leases.iter().position(|lease| lease.target == target);
            leases.swap_remove(place.expect("it is due"))
        };
        let (lease, at_work) = (lease_on(TargetId::Organization), lease_on(account.target()));
        let all = accounts(store, &rollout).await;
        let all: Vec<_> = all.iter().collect();
        let targets = [ScpTarget::Root, target.clone()];
        let what = (Some(Wave::Canary), targets.as_slice());
        let attached = store
            .attach_wave(&lease, &rollout, what, &all, at(10_003))
            .await;
        assert_eq!(attached.unwrap(), LeaseState::Held);
        let pins = store.scp_course().await.unwrap().pins;
        assert_eq!(pins.keys().collect::<Vec<_>>(), [&ScpTarget::Root, &target]);
        let pin = &pins[&target];
        assert_eq!((&pin.revision, pin.rollout), (&new.revision(), rollout.id));
        assert_eq!((pin.wave, pin.seen_at), (Some(Wave::Canary), None));
        // AWS does not have it yet: nobody has to look.
        assert_eq!(standings(store, &rollout).await, [Some(Standing::InSync)]);
        let seen = store.scps_seen(&lease, at(10_002), at(10_004)).await;
        assert_eq!(seen.unwrap(), LeaseState::Held);
        assert_eq!(
            store.scp_course().await.unwrap().pins[&target].seen_at,
            None
        );

        db.sql("update cell set due_at = 90000000000000")
            .await
            .unwrap();
        // Who works on the account now does so in vain: what he saw may have been before.
        let seen = store.scps_seen(&lease, at(10_003), at(10_005)).await;
        assert_eq!(seen.unwrap(), LeaseState::Held);
        let pins = store.scp_course().await.unwrap().pins;
        assert_eq!(pins[&target].seen_at, Some(at(10_005)));
        assert_eq!(
            standings(store, &rollout).await,
            [Some(Standing::Converging)]
        );
        let renewed = store.renew(&at_work, at(20_000)).await.unwrap();
        assert_eq!(renewed, LeaseState::Lost);
        let cells = store.cells(account.target()).await.unwrap();
        assert!(
            !cells.is_empty() && cells.iter().all(|cell| cell.due_at == at(10_005)),
            "{cells:?}"
        );

        let state = RolloutState::Done;
        let ended = store
            .end_rollout(&lease, &rollout, state, "all have it", at(10_006))
            .await;
        assert_eq!(ended.unwrap(), LeaseState::Held);
        let course = store.scp_course().await.unwrap();
        assert!(course.pins.is_empty());
        assert_eq!(course.settled, Some(new.revision()));
    })
    .await;
}

/// The landing zone with an OU that was not there before.
fn with_a_new_unit() -> Wanted {
    let text = format!("{LANDING_ZONE}\n[[organizational_unit]]\npath = \"Applications/New\"\n");
    let zone = LandingZone::parse("landing-zone.toml", &text).unwrap();
    let Catalogue {
        baselines, scps, ..
    } = Catalogue::load(&zone, None, None).unwrap();
    let mut wanted = Wanted::new(&zone, &baselines, &scps);
    wanted.scps = Some(other_set().revision());
    wanted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_unit_has_its_policies_before_a_rollout_is_started_and_after_it_was_taken_back() {
    both(async |db| {
        let store = &db.store;
        let old = wanted("production").1.scps;
        store.keep_scps(&old, at(0)).await.unwrap();
        store.keep_scps(&other_set(), at(0)).await.unwrap();
        first_start(store).await;
        let begun = store.begin_rollout(&with_a_new_unit(), false, at(5)).await;
        let rollout = begun.unwrap().expect("it is another than before");
        assert_eq!(rollout.state, RolloutState::Proposed);
        let new: ScpTarget = "Applications/New".parse().unwrap();
        let pins = store.scp_course().await.unwrap().pins;
        assert_eq!(pins.keys().collect::<Vec<_>>(), [&new]);
        assert_eq!(pins[&new].revision, other_set().revision());
        assert_eq!((pins[&new].wave, pins[&new].seen_at), (None, None));

        let decide = async |decision, time| {
            let decided = store.decide_rollout(rollout.id, decision, "anna", "", at(time));
            match decided.await.unwrap() {
                RolloutDecided::Done(rollout) => rollout,
                other => panic!("{other:?}"),
            }
        };
        let running = decide(RolloutDecision::Start, 6).await;
        let lease = claim(store, TargetId::Organization, at(10)).await;
        let targets = [new.clone(), ScpTarget::Root];
        let what = (Some(Wave::Rest), targets.as_slice());
        let attached = store.attach_wave(&lease, &running, what, &[], at(11)).await;
        assert_eq!(attached.unwrap(), LeaseState::Held);
        let rolling = decide(RolloutDecision::RollBack, 12).await;
        let lease = claim(store, TargetId::Organization, at(100_000)).await;
        let back = store.pin_back(&lease, &rolling, &[], "", at(14)).await;
        assert_eq!(back.unwrap(), LeaseState::Held);
        let pins = store.scp_course().await.unwrap().pins;
        assert_eq!(pins.keys().collect::<Vec<_>>(), [&new]);
        assert_eq!(pins[&new].wave, None, "what is above does not come");

        // The next one finds it there: it waits for its turn like all others.
        let mut next = with_a_new_unit();
        next.scps = Some(old.revision());
        let begun = store.begin_rollout(&next, true, at(20)).await.unwrap();
        let pins = store.scp_course().await.unwrap().pins;
        assert_eq!(pins[&new].revision, other_set().revision());
        assert_ne!(pins[&new].rollout, begun.expect("it is another").id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_rollout_reaches_twice_was_reached_the_first_time() {
    both(async |db| {
        let store = &db.store;
        store
            .keep_scps(&wanted("production").1.scps, at(0))
            .await
            .unwrap();
        first_start(store).await;
        let account = governed(store, "a@example.com", "222222222222").await;
        let rollout = begin(store, &other_set(), at(5)).await;
        let lease = claim(store, TargetId::Organization, at(10_000)).await;
        let before = accounts(store, &rollout).await;
        let before: Vec<_> = before.iter().collect();
        let unit = account.request.organizational_unit.clone();
        let first = [ScpTarget::Unit(unit)];
        let what = (Some(Wave::Canary), first.as_slice());
        let held = store.attach_wave(&lease, &rollout, what, &before, at(10_001));
        assert_eq!(held.await.unwrap(), LeaseState::Held);
        let standing = standings(store, &rollout).await;

        // It was moved, and has trouble by now: it counts as one that had none before.
        db.sql("update target set last_error = '{\"kind\":\"access_denied\",\"operation\":\"\",\"message\":\"\"}' where kind = 'account'")
            .await
            .unwrap();
        let after = accounts(store, &rollout).await;
        let after: Vec<_> = after.iter().collect();
        let second = ["Applications/Sandbox".parse().unwrap()];
        let what = (Some(Wave::Rest), second.as_slice());
        let held = store.attach_wave(&lease, &rollout, what, &after, at(10_002));
        assert_eq!(held.await.unwrap(), LeaseState::Held);
        let held = store
            .pin_wave(&lease, &rollout, Wave::Rest, &after, at(10_003))
            .await;
        assert_eq!(held.unwrap(), LeaseState::Held);
        let now = accounts(store, &rollout).await;
        assert_eq!(now[0].wave, Some(Wave::Canary));
        assert_eq!(standing, [Some(Standing::InSync)]);
        assert_eq!(standings(store, &rollout).await, [Some(Standing::Failed)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_what_was_settled() {
    both(async |db| {
        let store = &db.store;
        store
            .keep_scps(&wanted("production").1.scps, at(0))
            .await
            .unwrap();
        first_start(store).await;
        let rollout = begin(store, &other_set(), at(5)).await;
        let lease = claim(store, TargetId::Organization, at(10)).await;
        let targets = [ScpTarget::Root];
        let attached = store
            .attach_wave(&lease, &rollout, (None, &targets), &[], at(11))
            .await;
        assert_eq!(attached.unwrap(), LeaseState::Held);
        assert_eq!(store.scp_course().await.unwrap().pins.len(), 1);

        let back = RolloutDecision::RollBack;
        store
            .decide_rollout(rollout.id, back, "anna", "", at(12))
            .await
            .unwrap();
        // It does not go on by a decision that is older.
        let targets = ["Admin".parse().unwrap()];
        let stale = store
            .attach_wave(&lease, &rollout, (None, &targets), &[], at(13))
            .await;
        assert_eq!(stale.unwrap(), LeaseState::Held);
        assert_eq!(store.scp_course().await.unwrap().pins.len(), 1);
        let rolling = store
            .rollout(rollout.id)
            .await
            .unwrap()
            .expect("it is there");
        let back = store.pin_back(&lease, &rolling, &[], "", at(14)).await;
        assert_eq!(back.unwrap(), LeaseState::Held);
        let course = store.scp_course().await.unwrap();
        assert!(course.pins.is_empty());
        assert_eq!(course.settled, Some(wanted("production").1.scps.revision()));
    })
    .await;
}
