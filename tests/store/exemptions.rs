//! Exemptions: one life in one row, what is at work, and what is told of it.

use landfall_model::account::Phase;
use landfall_model::consent::{Consent, ConsentState, Decision, Objection};
use landfall_model::ids::{AccountId, TargetId};
use landfall_model::scp::{Exempted, Exemption};
use landfall_server::store::{ExemptionFilter, LeaseState, Proposed, Settled, Store};
use landfall_tests::database::both;
use uuid::Uuid;

use super::{add, at, claim};

const DAY: i64 = 86_400;
const ACCOUNT: &str = "222222222222";

/// Proposed by alice at 0, for ten days.
fn exemption(exempted: Exempted) -> Exemption {
    Exemption {
        id: Uuid::now_v7(),
        policy: "deny-unused-regions".to_owned(),
        exempted,
        principals: vec![format!("arn:aws:iam::{ACCOUNT}:role/TeamX*")],
        reason: "the line to the data centre".to_owned(),
        consent: Consent::asked("alice", at(0), at(10 * DAY)),
        effective_at: None,
        ended_at: None,
    }
}

fn of_account() -> Exemption {
    exemption(Exempted::Account(ACCOUNT.parse().unwrap()))
}

async fn decided(store: &Store, id: Uuid, decision: Decision, by: &str) -> Exemption {
    let decided = store.decide_exemption(id, decision, by, "fine", at(5));
    match decided.await.unwrap() {
        Settled::Done(exemption) => exemption,
        other => panic!("{other:?}"),
    }
}

/// A governed account in `Applications/Production` with the number.
pub(super) async fn governed(store: &Store) -> TargetId {
    let account = add(store, "aws+one@example.com").await;
    let number: AccountId = ACCOUNT.parse().unwrap();
    super::enter(store, &account, Phase::Creating, None).await;
    let lease = claim(store, account.target(), at(2_000)).await;
    assert_eq!(
        store.adopt(&lease, &number).await.unwrap(),
        LeaseState::Held
    );
    let _ = store.release(lease, at(0), false, None).await.unwrap();
    super::enter(store, &account, Phase::Governed, None).await;
    account.target()
}

async fn sentences(store: &Store, target: TargetId) -> Vec<String> {
    let events = store.events(target, 0, 100).await.unwrap();
    let of_exemptions = events
        .into_iter()
        .filter(|event| event.kind.name().starts_with("exemption"));
    of_exemptions.map(|event| event.sentence).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exemption_comes_back_as_it_was_put_and_decided() {
    both(async |db| {
        let store = &db.store;
        store.ensure_organization(at(0)).await.unwrap();
        for exempted in [
            Exempted::Account(ACCOUNT.parse().unwrap()),
            Exempted::Unit("Applications".parse().unwrap()),
        ] {
            let put = exemption(exempted);
            store.propose_exemption(&put).await.unwrap();
            assert_eq!(store.exemption(put.id).await.unwrap().as_ref(), Some(&put));
            let own = store.decide_exemption(put.id, Decision::Approve, "alice", "", at(5));
            assert_eq!(own.await.unwrap(), Settled::Refused(Objection::Own));
            let forced = db
                .sql(r#"update scp_exemption set approved = '{"by": "alice", "at": "x", "reason": ""}'"#)
                .await
                .unwrap_err();
            let rule = "scp_exemption_is_not_approved_by_its_requester";
            assert!(forced.to_string().contains(rule), "{forced}");
            let approved = decided(store, put.id, Decision::Approve, "bob").await;
            assert_eq!(approved.consent.state(at(6)), ConsentState::InForce);
            assert_eq!(store.exemption(put.id).await.unwrap(), Some(approved));
        }
        assert!(db.sql("delete from scp_exemption").await.is_err());
        let nobody = store.decide_exemption(Uuid::now_v7(), Decision::Approve, "bob", "", at(5));
        assert_eq!(nobody.await.unwrap(), Settled::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_not_asked_for_twice() {
    both(async |db| {
        let store = &db.store;
        let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let of = |names: &[&str]| Exemption {
            principals: names.iter().map(|name| role(name)).collect(),
            ..of_account()
        };
        let first = of(&["TeamX*", "TeamY*"]);
        let asked = store.propose_exemption(&first).await.unwrap();
        assert_eq!(asked, Proposed::Added);
        let asked = store.propose_exemption(&of(&["TeamY*"])).await.unwrap();
        assert_eq!(asked, Proposed::Already(first));
        for other in [
            of(&["TeamY*", "TeamZ*"]),
            Exemption {
                policy: "deny-root-user".to_owned(),
                ..of(&["TeamY*"])
            },
            exemption(Exempted::Unit("Applications".parse().unwrap())),
        ] {
            let asked = store.propose_exemption(&other).await.unwrap();
            assert_eq!(asked, Proposed::Added, "{other:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_organization_is_looked_at_when_one_begins_or_ends_by_somebody() {
    both(async |db| {
        let store = &db.store;
        store.ensure_organization(at(0)).await.unwrap();
        let due = async || {
            let target = store.target(TargetId::Organization).await.unwrap();
            target.unwrap().due_at
        };
        let rest = async || {
            let lease = claim(store, TargetId::Organization, at(5)).await;
            let _ = store.release(lease, at(DAY), true, None).await.unwrap();
        };
        let one = of_account();
        store.propose_exemption(&one).await.unwrap();
        rest().await;
        decided(store, one.id, Decision::Approve, "bob").await;
        assert_eq!(due().await, at(5));
        rest().await;
        decided(store, one.id, Decision::Revoke, "alice").await;
        assert_eq!(due().await, at(5));
        rest().await;
        let other = of_account();
        store.propose_exemption(&other).await.unwrap();
        decided(store, other.id, Decision::Reject, "bob").await;
        assert_eq!(due().await, at(DAY), "nothing changes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_work_is_told_in_the_account_s_history_once() {
    both(async |db| {
        let store = &db.store;
        store.ensure_organization(at(0)).await.unwrap();
        let target = governed(store).await;
        let one = of_account();
        store.propose_exemption(&one).await.unwrap();
        assert_eq!(store.exemptions_at_work(at(6)).await.unwrap(), []);
        decided(store, one.id, Decision::Approve, "bob").await;
        let number: AccountId = ACCOUNT.parse().unwrap();
        assert!(store.has_exemptions(&number).await.unwrap());
        let at_work = store.exemptions_at_work(at(6)).await.unwrap();
        assert_eq!(at_work.len(), 1);
        let unit = at_work[0].unit.as_ref().unwrap();
        assert_eq!(
            (unit.as_str(), at_work[0].closed),
            ("Applications/Production", false)
        );
        // What was never in force in AWS is not at work once its time is over.
        let over = at(11 * DAY);
        assert_eq!(store.exemptions_at_work(over).await.unwrap(), []);

        let lease = claim(store, TargetId::Organization, at(3_000)).await;
        let begun = [at_work[0].exemption.clone()];
        let seen = store.exemptions_seen(&lease, &begun, &[], at(7));
        assert_eq!(seen.await.unwrap(), LeaseState::Held);
        let at_work = store.exemptions_at_work(over).await.unwrap();
        assert_eq!(at_work[0].exemption.effective_at, Some(at(7)));
        let ended = [at_work[0].exemption.clone()];
        let seen = store.exemptions_seen(&lease, &[], &ended, over);
        assert_eq!(seen.await.unwrap(), LeaseState::Held);
        assert_eq!(store.exemptions_at_work(over).await.unwrap(), []);
        assert!(!store.has_exemptions(&number).await.unwrap());
        let of = format!("Exemption from deny-unused-regions for {ACCOUNT}");
        assert_eq!(
            sentences(store, target).await,
            [
                format!("{of} proposed: the line to the data centre"),
                format!("{of} approved: fine"),
                format!("{of} is in force: AWS spares them"),
                format!("{of} has ended: AWS denies them again"),
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exemption_of_a_closed_account_ends_by_landfall() {
    both(async |db| {
        let store = &db.store;
        store.ensure_organization(at(0)).await.unwrap();
        let target = governed(store).await;
        let one = of_account();
        store.propose_exemption(&one).await.unwrap();
        decided(store, one.id, Decision::Approve, "bob").await;
        db.sql("update account set phase = 'closing'")
            .await
            .unwrap();
        assert!(store.exemptions_at_work(at(6)).await.unwrap()[0].closed);
        let lease = claim(store, TargetId::Organization, at(3_000)).await;
        for _ in 0..2 {
            let ended = store.end_exemption(&lease, one.id, "the account is closed", at(7));
            assert_eq!(ended.await.unwrap(), LeaseState::Held);
        }
        let ended = store.exemption(one.id).await.unwrap().unwrap();
        assert_eq!(ended.consent.state(at(8)), ConsentState::Revoked);
        let told = sentences(store, target).await;
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[2].ends_with("revoked: the account is closed"),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered() {
    both(async |db| {
        let store = &db.store;
        let unit = Exempted::Unit("Applications".parse().unwrap());
        let mut everybody = of_account();
        everybody.principals = vec![format!("arn:aws:*::{ACCOUNT}:*")];
        for one in [of_account(), exemption(unit), everybody] {
            store.propose_exemption(&one).await.unwrap();
        }
        let count = async |filter: ExemptionFilter, now: i64| {
            let page = store.exemptions(&filter, at(now), None, 2).await.unwrap();
            page.items.len() + usize::from(page.next.is_some())
        };
        let all = ExemptionFilter::default;
        assert_eq!(count(all(), 1).await, 3);
        for (filter, now, found) in [
            (
                ExemptionFilter {
                    states: vec![ConsentState::Proposed],
                    ..all()
                },
                11 * DAY,
                0,
            ),
            (
                ExemptionFilter {
                    states: vec![ConsentState::Expired],
                    ..all()
                },
                11 * DAY,
                3,
            ),
            (
                ExemptionFilter {
                    account_id: Some(ACCOUNT.parse().unwrap()),
                    ..all()
                },
                1,
                2,
            ),
            (
                ExemptionFilter {
                    organizational_unit: Some("Applications".parse().unwrap()),
                    ..all()
                },
                1,
                1,
            ),
            (
                ExemptionFilter {
                    policy: Some("deny-root-user".to_owned()),
                    ..all()
                },
                1,
                0,
            ),
        ] {
            assert_eq!(count(filter.clone(), now).await, found, "{filter:?}");
        }
    })
    .await;
}
