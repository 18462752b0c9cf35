//! Plans: what is remembered of them, who may work on their targets, and that a claim for a plan makes nothing due.

use jiff::{SignedDuration, Timestamp};
use landfall_controls::control::PlannedChange;
use landfall_model::account::Phase;
use landfall_model::baseline::Baseline;
use landfall_model::cell::CellKey;
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::ids::{Revision, TargetId};
use landfall_model::landing_zone::LandingZone;
use landfall_model::plan::{CellOutcome, PlanScope, PlanState, TargetStage};
use landfall_server::catalogue::Catalogue;
use landfall_server::store::{
    Deed, Lease, LeaseState, NewPlan, PlannedCell, Seen, Store, TargetPlan,
};
use landfall_tests::database::{both, pause};
use landfall_tests::world::LANDING_ZONE;
use serde_json::json;
use uuid::Uuid;

use super::{MINUTE, add, at, claim_one, enter};

fn baseline() -> Baseline {
    let zone = LandingZone::parse("landing-zone.toml", LANDING_ZONE).unwrap();
    let catalogue = Catalogue::load(&zone, None, None).unwrap();
    catalogue.baselines.get("foundation").unwrap().clone()
}

async fn ask(store: &Store, targets: &[TargetId], now: Timestamp) -> Uuid {
    let id = Uuid::now_v7();
    let new = NewPlan {
        id,
        scope: &PlanScope::default(),
        targets,
        made_by: "ann",
    };
    store.add_plan(&new, now).await.unwrap();
    id
}

async fn claim_for_plans(store: &Store, now: Timestamp) -> Vec<Lease> {
    store
        .claim_for_plans(Uuid::now_v7(), now, 10, MINUTE)
        .await
        .unwrap()
}

fn key(region: &str, control: &str) -> CellKey {
    CellKey {
        region: region.parse().unwrap(),
        control: control.parse().unwrap(),
    }
}

fn differs(key: CellKey, sentences: &[&str]) -> PlannedCell {
    PlannedCell {
        key,
        revision: Some(Revision::of(b"desired")),
        seen: Seen::Differs {
            observed: Revision::of(b"observed"),
            changes: sentences
                .iter()
                .map(|sentence| PlannedChange {
                    sentence: (*sentence).to_owned(),
                    change: json!({"start": {"name": "default", "null": null, "half": 0.5}}),
                })
                .collect(),
        },
    }
}

fn unseen(key: CellKey) -> PlannedCell {
    PlannedCell {
        key,
        revision: None,
        seen: Seen::Not(StoredError {
            kind: CloudErrorKind::AccessDenied,
            operation: "config:Describe".to_owned(),
            message: "no".to_owned(),
            request_id: None,
        }),
    }
}

async fn put(store: &Store, lease: &Lease, plan: Uuid, cells: &[PlannedCell]) {
    let seen = TargetPlan {
        baseline: &baseline(),
        cells_in_sync: 7,
        cells_waived: 2,
        cells,
    };
    assert_eq!(
        store.put_plan(lease, plan, &seen).await.unwrap(),
        LeaseState::Held
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_made_read_and_applied_once() {
    both(async |db| {
        let store = &db.store;
        let [a, b] = [
            add(store, "a@example.com").await.target(),
            add(store, "b@example.com").await.target(),
        ];
        let id = ask(store, &[a, b], at(1)).await;
        let plan = store.plan(id).await.unwrap().unwrap();
        assert_eq!(plan.state(), PlanState::Planning);
        assert_eq!(plan.counts.stages, [(TargetStage::Looking, 2)]);
        assert!(
            !store.apply_plan(id, "ann", at(2)).await.unwrap(),
            "it is not made yet"
        );

        let leases = claim_for_plans(store, at(2)).await;
        assert_eq!(leases.len(), 2);
        let cells = [
            differs(key("eu-west-1", "a.a"), &["create one", "start two"]),
            differs(key("eu-west-2", "a.a"), &["create one"]),
            unseen(key("eu-west-2", "b.b")),
        ];
        for lease in leases {
            let work = store.plan_work(&lease).await.unwrap().unwrap();
            assert_eq!(
                (work.plan, work.since, work.applied_by, work.begun),
                (id, at(1), None, false)
            );
            put(
                store,
                &lease,
                id,
                if lease.target == a { &cells } else { &[] },
            )
            .await;
            assert_eq!(store.plan_work(&lease).await.unwrap(), None);
            assert_eq!(store.give_back(lease).await.unwrap(), LeaseState::Held);
        }
        let plan = store.plan(id).await.unwrap().unwrap();
        assert_eq!(plan.state(), PlanState::Planned);
        let counts = &plan.counts;
        assert_eq!(
            (
                counts.targets_to_change,
                counts.cells_in_sync,
                counts.cells_waived
            ),
            (1, 14, 4)
        );
        assert_eq!(
            (counts.cells_to_change, counts.cells_unseen, counts.changes),
            (2, 1, 3)
        );

        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = store
                .plan_cells(id, &[], cursor.as_deref(), 2)
                .await
                .unwrap();
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let keys: Vec<CellKey> = seen.iter().map(|cell| cell.key.clone()).collect();
        assert_eq!(keys, cells.clone().map(|cell| cell.key));
        let Seen::Differs { observed, changes } = &cells[0].seen else {
            unreachable!()
        };
        assert_eq!(
            (&seen[0].changes, seen[0].observed.as_ref()),
            (changes, Some(observed))
        );
        assert!(seen[2].error.is_some() && seen[2].changes.is_empty());
        assert!(
            store
                .plan_cells(id, &[b], None, 9)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        let targets = store.plan_targets(id, None, 1).await.unwrap();
        assert_eq!(targets.items.len(), 1);
        assert_eq!(
            targets.items[0].baseline,
            Some(("foundation".to_owned(), baseline().revision))
        );
        assert_eq!(
            store
                .plan_targets(id, targets.next.as_deref(), 9)
                .await
                .unwrap()
                .items
                .len(),
            1
        );

        assert!(
            !store.approve_plan(id, "ann", at(3)).await.unwrap(),
            "not by who made it"
        );
        assert!(store.approve_plan(id, "bob", at(3)).await.unwrap());
        assert!(
            !store.approve_plan(id, "eve", at(4)).await.unwrap(),
            "the first name stands"
        );
        assert!(store.apply_plan(id, "ann", at(5)).await.unwrap());
        assert!(!store.apply_plan(id, "ann", at(6)).await.unwrap(), "once");
        let plan = store.plan(id).await.unwrap().unwrap();
        assert_eq!(
            plan.approved,
            Some(Deed {
                by: "bob".to_owned(),
                at: at(3)
            })
        );
        assert_eq!(plan.state(), PlanState::Applying);
        assert_eq!(
            plan.counts.stages,
            [(TargetStage::Planned, 1), (TargetStage::Applying, 1)]
        );

        let lease = claim_for_plans(store, at(7)).await.pop().unwrap();
        assert_eq!(lease.target, a, "only who has something to change");
        let work = store.plan_work(&lease).await.unwrap().unwrap();
        assert_eq!(
            (work.applied_by.as_deref(), work.since, work.begun),
            (Some("ann"), at(5), false)
        );
        let to_apply = store.cells_to_apply(&lease, id).await.unwrap();
        assert_eq!(to_apply.len(), 2);
        let _ = store.begin_changes(&lease, id, at(8)).await.unwrap();
        assert!(store.plan_work(&lease).await.unwrap().unwrap().begun);
        let outcomes = [
            (cells[0].key.clone(), CellOutcome::Applied),
            (
                cells[1].key.clone(),
                CellOutcome::Skipped {
                    after: "a.b".parse().unwrap(),
                },
            ),
        ];
        let _ = store.put_outcomes(&lease, id, &outcomes).await.unwrap();
        let _ = store
            .end_plan_target(&lease, id, TargetStage::Failed, Some("why"))
            .await
            .unwrap();
        let plan = store.plan(id).await.unwrap().unwrap();
        assert_eq!(
            (plan.state(), plan.counts.cells_applied),
            (PlanState::Failed, 1)
        );
        let cells = store.plan_cells(id, &[a], None, 9).await.unwrap().items;
        assert_eq!(cells[1].outcome, Some(outcomes[1].1.clone()));
        assert_eq!(store.plans(None, 1).await.unwrap().items[0].id, id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_for_a_plan_makes_nothing_due() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let lease = claim_one(store, at(0)).await;
        let _ = store.release(lease, at(3_600), true, None).await.unwrap();
        let due = async || store.target(target).await.unwrap().unwrap().due_at;

        ask(store, &[target], at(1)).await;
        let lease = claim_for_plans(store, at(1)).await.pop().unwrap();
        assert!(
            claim_for_plans(store, at(2)).await.is_empty(),
            "it is worked on"
        );
        assert!(
            store
                .claim(Uuid::now_v7(), at(2), 9, MINUTE)
                .await
                .unwrap()
                .is_empty()
        );
        let _ = store.give_back(lease).await.unwrap();
        assert_eq!(due().await, at(3_600), "as before");

        // A wake-up that comes meanwhile counts.
        let lease = claim_for_plans(store, at(3)).await.pop().unwrap();
        store.wake(target, at(20)).await.unwrap();
        let _ = store.give_back(lease).await.unwrap();
        assert_eq!(due().await, at(20));

        // One that somebody else works on has to wait, and one whose worker died does not.
        let pass = claim_one(store, at(30)).await;
        assert!(claim_for_plans(store, at(31)).await.is_empty());
        let lease = claim_for_plans(store, at(91)).await.pop().unwrap();
        assert_eq!(
            store.release(pass, at(99), true, None).await.unwrap(),
            LeaseState::Lost
        );
        let _ = store.give_back(lease).await.unwrap();
        assert_eq!(due().await, at(90), "the end of the lost lease");

        // What is paused may be looked at, and nothing else.
        assert!(
            store
                .pause(target, &pause("4711", "ann", at(92)))
                .await
                .unwrap()
        );
        assert!(
            store
                .claim(Uuid::now_v7(), at(95), 9, MINUTE)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(claim_for_plans(store, at(95)).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_writes_nothing_of_a_plan() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let id = ask(store, &[target], at(1)).await;
        let old = claim_for_plans(store, at(1)).await.pop().unwrap();
        let new = claim_for_plans(store, at(100)).await.pop().unwrap();
        let baseline = baseline();
        let seen = TargetPlan {
            baseline: &baseline,
            cells_in_sync: 1,
            cells_waived: 0,
            cells: &[],
        };
        for state in [
            store.put_plan(&old, id, &seen).await,
            store.begin_changes(&old, id, at(101)).await,
            store.put_outcomes(&old, id, &[]).await,
            store
                .end_plan_target(&old, id, TargetStage::Applied, None)
                .await,
        ] {
            assert_eq!(state.unwrap(), LeaseState::Lost);
        }
        assert_eq!(store.give_back(old).await.unwrap(), LeaseState::Lost);
        let plan = store.plan(id).await.unwrap().unwrap();
        assert_eq!(plan.state(), PlanState::Planning);
        put(store, &new, id, &[]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_that_nobody_applied_are_forgotten_in_time() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let [old, applied, fresh] = [
            ask(store, &[target], at(0)).await,
            ask(store, &[target], at(0)).await,
            ask(store, &[target], at(86_400)).await,
        ];
        let lease = claim_for_plans(store, at(1)).await.pop().unwrap();
        for id in [old, applied, fresh] {
            put(
                store,
                &lease,
                id,
                &[differs(key("eu-west-1", "a.a"), &["x"])],
            )
            .await;
        }
        assert!(store.apply_plan(applied, "ann", at(2)).await.unwrap());
        let week = SignedDuration::from_hours(7 * 24);
        store.forget_old(at(1) + week).await.unwrap();
        assert_eq!(store.plan(old).await.unwrap(), None);
        for id in [applied, fresh] {
            assert!(store.plan(id).await.unwrap().is_some());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_governed_accounts_are_found() {
    both(async |db| {
        let store = &db.store;
        let account = add(store, "a@example.com").await;
        let id = ask(store, &[account.target()], at(1)).await;
        let lease = claim_for_plans(store, at(1)).await.pop().unwrap();
        put(
            store,
            &lease,
            id,
            &[differs(key("eu-west-1", "a.a"), &["x"])],
        )
        .await;
        let _ = store.give_back(lease).await.unwrap();
        assert!(store.paused_in_plan(id).await.unwrap().is_empty());
        assert!(
            store
                .pause(account.target(), &pause("4711", "ann", at(2)))
                .await
                .unwrap()
        );
        let paused = store.paused_in_plan(id).await.unwrap();
        assert_eq!(paused.len(), 1);
        assert_eq!(paused[0].target, account.target());
        assert!(store.resume(account.target(), "ann", at(3)).await.unwrap());

        assert_eq!(store.governed_accounts().await.unwrap(), 0);
        enter(store, &account, Phase::Creating, None).await;
        db.sql(
            "update account set account_id = '222222222222', phase = 'governed', governed_at = 1",
        )
        .await
        .unwrap();
        assert_eq!(store.governed_accounts().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_plans_that_contradict_themselves_are_refused() {
    both(async |db| {
        let store = &db.store;
        let target = add(store, "a@example.com").await.target();
        let id = ask(store, &[target], at(1)).await;
        let lease = claim_for_plans(store, at(1)).await.pop().unwrap();
        put(
            store,
            &lease,
            id,
            &[differs(key("eu-west-1", "a.a"), &["x"])],
        )
        .await;
        for (constraint, change) in [
            (
                "plan_approval_is_whole",
                "update plan set approved_by = 'bob'",
            ),
            (
                "plan_application_is_whole",
                "update plan set applied_at = 1",
            ),
            (
                "plan_needs_two_to_be_approved",
                "update plan set approved_by = 'ann', approved_at = 1",
            ),
            ("plan_target_stage", "update plan_target set stage = 'lost'"),
            (
                "plan_cell_seen_or_not",
                "update plan_cell set observed = null",
            ),
        ] {
            let refused = db.sql(change).await.unwrap_err().to_string();
            assert!(refused.contains(constraint), "{constraint}: {refused}");
        }
    })
    .await;
}
