//! Waivers: one life in one row, and who is looked at when one begins or ends.

use landfall_model::account::Phase;
use landfall_model::cell::{Cell, CellWaiver};
use landfall_model::consent::{Consent, ConsentState, Decision, Objection, Word};
use landfall_model::waiver::{Beneficiary, Waiver};
use landfall_server::store::{
    AskedRepair, LeaseState, Proposed, RepairScope, Results, Settled, Store, Unchanged,
    WaiverFilter,
};
use landfall_tests::database::both;
use uuid::Uuid;

use super::cells::{cell, drifted};
use super::{add, at, claim, claim_one, enter, put_cells};

const DAY: i64 = 86_400;

/// Proposed by alice at 0, for ten days.
pub(super) fn waiver(beneficiary: Beneficiary) -> Waiver {
    Waiver {
        id: Uuid::now_v7(),
        beneficiary,
        region: None,
        control: "config.recorder".parse().unwrap(),
        reason: "the vendor's appliance records".to_owned(),
        owner_email: "pay@example.com".parse().unwrap(),
        consent: Consent::asked("alice", at(0), at(10 * DAY)),
    }
}

async fn decided(store: &Store, id: Uuid, decision: Decision, by: &str) -> Waiver {
    match store
        .decide_waiver(id, decision, by, "fine", at(5))
        .await
        .unwrap()
    {
        Settled::Done(waiver) => waiver,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_comes_back_as_it_was_put_and_decided() {
    both(async |db| {
        let store = &db.store;
        let everybody = [
            Beneficiary::Organization,
            Beneficiary::Account("222222222222".parse().unwrap()),
            Beneficiary::Unit("Applications/Production".parse().unwrap()),
            Beneficiary::Subtree("Applications".parse().unwrap()),
        ];
        for beneficiary in everybody {
            let mut waiver = Waiver {
                region: Some("eu-west-1".parse().unwrap()),
                ..waiver(beneficiary)
            };
            store.propose_waiver(&waiver).await.unwrap();
            assert_eq!(
                store.waiver(waiver.id).await.unwrap().as_ref(),
                Some(&waiver)
            );
            waiver.consent.approved = Some(Word {
                by: "bob".to_owned(),
                at: at(5),
                reason: "fine".to_owned(),
            });
            let approved = decided(store, waiver.id, Decision::Approve, "bob").await;
            assert_eq!(approved, waiver);
            assert_eq!(store.waiver(waiver.id).await.unwrap(), Some(waiver));
        }
        assert_eq!(store.waivers_in_force(at(6)).await.unwrap().len(), 4);
        assert_eq!(store.waivers_in_force(at(10 * DAY)).await.unwrap().len(), 0);
        let nobody = store
            .decide_waiver(Uuid::now_v7(), Decision::Approve, "bob", "", at(5))
            .await;
        assert_eq!(nobody.unwrap(), Settled::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proposes_does_not_approve_and_nothing_is_removed() {
    both(async |db| {
        let store = &db.store;
        let waiver = waiver(Beneficiary::Organization);
        store.propose_waiver(&waiver).await.unwrap();
        let own = store
            .decide_waiver(waiver.id, Decision::Approve, "alice", "", at(5))
            .await;
        assert_eq!(own.unwrap(), Settled::Refused(Objection::Own));
        let forced = db
            .sql(r#"update waiver set approved = '{"by": "alice", "at": "x", "reason": ""}'"#)
            .await
            .unwrap_err();
        assert!(
            forced
                .to_string()
                .contains("waiver_is_not_approved_by_its_requester"),
            "{forced}"
        );
        decided(store, waiver.id, Decision::Approve, "bob").await;
        decided(store, waiver.id, Decision::Revoke, "carol").await;
        let late = store
            .decide_waiver(waiver.id, Decision::Revoke, "carol", "", at(6))
            .await;
        let revoked = Objection::WrongState(ConsentState::Revoked);
        assert_eq!(late.unwrap(), Settled::Refused(revoked));
        assert!(db.sql("delete from waiver").await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_not_asked_for_twice() {
    both(async |db| {
        let store = &db.store;
        store.ensure_organization(at(0)).await.unwrap();
        let until = |ends: i64| Waiver {
            id: Uuid::now_v7(),
            consent: Consent::asked("alice", at(0), at(ends)),
            ..waiver(Beneficiary::Organization)
        };
        let first = until(10 * DAY);
        let asked = store.propose_waiver(&first).await.unwrap();
        assert_eq!(asked, Proposed::Added);
        let again = until(20 * DAY);
        let asked = store.propose_waiver(&again).await.unwrap();
        assert_eq!(asked, Proposed::Already(first.clone()));
        assert_eq!(store.waiver(again.id).await.unwrap(), None);
        // Another Region, or another control, is something else.
        let elsewhere = Waiver {
            region: Some("eu-west-1".parse().unwrap()),
            ..until(10 * DAY)
        };
        let asked = store.propose_waiver(&elsewhere).await.unwrap();
        assert_eq!(asked, Proposed::Added);

        let first = decided(store, first.id, Decision::Approve, "bob").await;
        let shorter = Waiver {
            consent: Consent::asked("carol", at(6), at(9 * DAY)),
            ..until(0)
        };
        let asked = store.propose_waiver(&shorter).await.unwrap();
        assert_eq!(asked, Proposed::Already(first.clone()));
        let longer = Waiver {
            consent: Consent::asked("carol", at(6), at(11 * DAY)),
            ..until(0)
        };
        let asked = store.propose_waiver(&longer).await.unwrap();
        assert_eq!(asked, Proposed::Added, "it follows without a gap");
        decided(store, first.id, Decision::Revoke, "bob").await;
        decided(store, longer.id, Decision::Reject, "bob").await;
        let asked = store.propose_waiver(&again).await.unwrap();
        assert_eq!(asked, Proposed::Added, "what has ended is no obstacle");

        // Of two at once one is added.
        let two = [until(30 * DAY), until(30 * DAY)].map(|waiver| Waiver {
            region: Some("eu-west-2".parse().unwrap()),
            ..waiver
        });
        let asked = tokio::join!(store.propose_waiver(&two[0]), store.propose_waiver(&two[1]));
        let asked = [asked.0.unwrap(), asked.1.unwrap()];
        let added = asked.iter().filter(|one| **one == Proposed::Added).count();
        assert_eq!(added, 1, "{asked:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_know_the_state_as_the_model_does() {
    both(async |db| {
        let store = &db.store;
        for n in 0..6 {
            let waiver = Waiver {
                region: Some(format!("eu-west-{}", n + 1).parse().unwrap()),
                consent: Consent::asked(
                    "alice",
                    at(0),
                    at(if n % 2 == 0 { 10 * DAY } else { DAY }),
                ),
                ..waiver(Beneficiary::Organization)
            };
            store.propose_waiver(&waiver).await.unwrap();
            for decision in match n {
                2 | 3 => vec![Decision::Approve],
                4 => vec![Decision::Reject],
                5 => vec![Decision::Approve, Decision::Revoke],
                _ => vec![],
            } {
                decided(store, waiver.id, decision, "bob").await;
            }
        }
        for now in [at(6), at(2 * DAY), at(20 * DAY)] {
            let list = async |states: Vec<ConsentState>| {
                let filter = WaiverFilter {
                    states,
                    ..WaiverFilter::default()
                };
                store.waivers(&filter, now, None, 9).await.unwrap().items
            };
            let all = list(Vec::new()).await;
            assert_eq!(all.len(), 6);
            for state in ConsentState::ALL {
                let expected: Vec<&Waiver> = all
                    .iter()
                    .filter(|of| of.consent.state(now) == state)
                    .collect();
                let listed = list(vec![state]).await;
                assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{state:?}");
            }
        }
        let first = store
            .waivers(&WaiverFilter::default(), at(6), None, 4)
            .await
            .unwrap();
        let second = store
            .waivers(&WaiverFilter::default(), at(6), first.next.as_deref(), 4)
            .await
            .unwrap();
        assert_eq!(
            (first.items.len(), second.items.len(), second.next),
            (4, 2, None)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_waiver_wakes_those_whom_it_concerns() {
    both(async |db| {
        let store = &db.store;
        // Its accounts belong to Applications/Production.
        let account = add(store, "a@example.com").await;
        let rest = async || {
            let lease = claim_one(store, at(20 * DAY)).await;
            let _ = store.release(lease, at(9 * DAY), true, None).await.unwrap();
        };
        for (unit, below, wakes) in [
            ("Applications", true, true),
            ("Applications", false, false),
            ("Applications/Production", false, true),
            ("Applications/Production", true, true),
            ("Applications/Prod", true, false),
        ] {
            rest().await;
            let unit = unit.parse().unwrap();
            let waiver = waiver(match below {
                true => Beneficiary::Subtree(unit),
                false => Beneficiary::Unit(unit),
            });
            store.propose_waiver(&waiver).await.unwrap();
            let due = async || {
                store
                    .target(account.target())
                    .await
                    .unwrap()
                    .unwrap()
                    .due_at
            };
            assert_eq!(due().await, at(9 * DAY), "a proposal changes nothing");
            decided(store, waiver.id, Decision::Approve, "bob").await;
            assert_eq!(due().await == at(5), wakes, "{:?}", waiver.beneficiary);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_repair_stands_until_a_later_look_finds_the_cell_in_sync() {
    both(async |db| {
        let store = &db.store;
        let account = add(store, "a@example.com").await;
        enter(store, &account, Phase::Creating, None).await;
        let target = account.target();
        let lease = claim(store, target, at(2_000)).await;
        let seen = |region: &str, when: i64| {
            let mut cell = cell(region, "a.a");
            cell.observed_at = Some(at(when));
            cell
        };
        let cells = [seen("eu-west-1", 7), seen("eu-west-2", 7)];
        put_cells(store, &lease, &cells, 8).await;
        let scope = RepairScope {
            regions: vec!["eu-west-1".parse().unwrap()],
            ..RepairScope::default()
        };
        let asked = store.ask_repair(target, &scope, "alice", at(10)).await;
        let one = AskedRepair {
            cells: 1,
            waived: 0,
        };
        assert_eq!(asked.unwrap(), one);
        let wished = async || {
            let cells = store.cells(target).await.unwrap();
            cells
                .iter()
                .map(|cell| cell.repair_asked_at)
                .collect::<Vec<_>>()
        };
        assert_eq!(wished().await, [Some(at(10)), None]);
        for (look, stands) in [(9, true), (11, false)] {
            let cells = [seen("eu-west-1", look)];
            put_cells(store, &lease, &cells, 12).await;
            let expected = stands.then(|| at(10));
            assert_eq!(wished().await, [expected, None], "seen at {look}");
        }
        store
            .ask_repair(target, &scope, "alice", at(13))
            .await
            .unwrap();
        for (look, stands) in [(12, true), (14, false)] {
            let as_before = Unchanged {
                key: seen("eu-west-1", look).key,
                observed_at: at(look),
                due_at: at(90),
            };
            let results = Results {
                unchanged: &[as_before],
                ..Results::default()
            };
            let put = store.put_results(&lease, &results, at(15)).await;
            assert_eq!(put.unwrap(), LeaseState::Held);
            let expected = stands.then(|| at(13));
            assert_eq!(wished().await, [expected, None], "unchanged at {look}");
        }
        let asked = store.ask_repair(target, &scope, "alice", at(16)).await;
        assert_eq!(asked.unwrap(), one);
        let accepted = waiver(Beneficiary::Organization);
        store.propose_waiver(&accepted).await.unwrap();
        let waived = Cell {
            waiver: Some(CellWaiver {
                id: accepted.id,
                until: at(90),
            }),
            observed_at: Some(at(15)),
            ..drifted("eu-west-1", "a.a", at(15))
        };
        put_cells(store, &lease, &[waived], 17).await;
        assert_eq!(wished().await, [None, None], "the waiver came between");
        let state = store.target(target).await.unwrap().unwrap();
        assert!(state.generation > lease.generation, "it is a wish");
        let none = RepairScope {
            controls: vec!["x.y".parse().unwrap()],
            ..RepairScope::default()
        };
        let asked = store.ask_repair(target, &none, "alice", at(20)).await;
        assert_eq!(asked.unwrap().cells, 0);
    })
    .await;
}
