//! An exemption from a service control policy, from the request to its end by itself.

use std::sync::Arc;

use jiff::SignedDuration;
use landfall_controls::cloud::{Access, Cloud};
use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_controls::session::Session;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::consent::{Consent, ConsentState, Decision, Objection};
use landfall_model::event::EventKind;
use landfall_model::finding::Severity;
use landfall_model::ids::{AccountId, TargetId};
use landfall_model::landing_zone::LandingZone;
use landfall_model::place::{Organization, Place};
use landfall_model::scp::{Exempted, Exemption};
use landfall_server::doctor::{self, Remembered};
use landfall_server::engine::clock::Clock;
use landfall_server::store::{Account, Settled, Store};
use landfall_tests::clock::Forward;
use landfall_tests::world::{
    Running, World, ask, eventually, governed, in_two_regions, organization_in_sync,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The role of a team that the exemption is for, and that a test can work as.
const TEAM: &str = "OrganizationAccountAccessRole";

/// A Region that is not governed.
const ELSEWHERE: &str = "eu-central-1";

/// Somebody of the team at work in an account.
struct Team {
    cloud: Cloud,
    zone: Arc<LandingZone>,
    account: Account,
}

impl Team {
    async fn of(world: &World, account: &Account) -> Self {
        let number = number(account);
        world.tamper(&json!({
            "service": "iam", "action": "create_organization_role", "account": number, "role": TEAM,
        }));
        let mut zone = LandingZone::clone(&world.zone);
        zone.roles.execution = TEAM.to_owned();
        let access = Access {
            endpoint_url: Some(world.sim.url()),
            credentials: Some((awsim::MANAGEMENT_ACCESS_KEY.to_owned(), "any".to_owned())),
        };
        let cloud = Cloud::open(&zone, 8, access).await;
        cloud
            .limiter()
            .hasten(world.sim.shared().traffic().time_scale);
        Team {
            cloud,
            zone: Arc::new(zone),
            account: account.clone(),
        }
    }

    /// Whether AWS lets the team look at a setting of EC2 where nobody is to work.
    async fn may_work_elsewhere(&self) -> bool {
        let id = "ec2.ebs-encryption".parse().expect("an id");
        let control: &dyn AnyControl = registry::control(&id).expect("it is registered");
        let actions = control.descriptor().actions;
        let place = Place {
            landing_zone: self.zone.clone(),
            scps: Arc::default(),
            organization: Arc::new(Organization {
                id: "o-any".to_owned(),
                root_id: "r-any".to_owned(),
                management_account: self.zone.management_account.clone(),
                log_archive_account: None,
                security_account: None,
            }),
            account: number(&self.account),
            account_name: None,
            account_tags: Default::default(),
            email: self.account.email.clone(),
            organizational_unit: None,
            region: ELSEWHERE.parse().expect("a Region"),
        };
        let desired = control
            .desired(&Value::Object(Default::default()), &place)
            .expect("it has no parameters");
        let session = Session::new(
            self.cloud.clone(),
            Arc::new(place),
            "team".to_owned(),
            false,
            actions.iter().copied().collect(),
            actions,
        );
        match control.look(&session, &desired).await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind, CloudErrorKind::AccessDenied, "{error}");
                assert!(error.message.contains("service control policy"), "{error}");
                false
            }
        }
    }
}

fn number(account: &Account) -> AccountId {
    account.account_id.clone().expect("it is governed")
}

/// An exemption for two days, proposed by alice.
async fn propose(store: &Store, account: &Account, clock: &Forward) -> Exemption {
    let account = number(account);
    let now = clock.now();
    let exemption = Exemption {
        id: Uuid::now_v7(),
        policy: "deny-unused-regions".to_owned(),
        principals: vec![format!("arn:aws:iam::{account}:role/Organization*")],
        exempted: Exempted::Account(account),
        reason: "the line to the data centre".to_owned(),
        consent: Consent::asked("alice", now, now + SignedDuration::from_hours(48)),
        effective_at: None,
        ended_at: None,
    };
    let proposed = store.propose_exemption(&exemption).await;
    proposed.expect("the store takes it");
    exemption
}

async fn decide(
    store: &Store,
    exemption: &Exemption,
    decision: Decision,
    by: &str,
    clock: &Forward,
) -> Settled<Exemption> {
    let decided = store.decide_exemption(exemption.id, decision, by, "", clock.now());
    decided.await.expect("the store answers")
}

async fn stored(store: &Store, exemption: &Exemption) -> Exemption {
    let stored = store.exemption(exemption.id).await;
    stored.expect("the store answers").expect("it is there")
}

/// How many differences `landfall doctor` sees in the policies.
async fn differing(world: &World, store: &Store, clock: &Forward, remembers: bool) -> usize {
    let mut remembered = Remembered::default();
    if remembers {
        let exemptions = store.exemptions_at_work(clock.now()).await;
        remembered.exemptions = exemptions.expect("the store answers");
        remembered.scps = store.scp_course().await.expect("the store answers");
    }
    let cloud = world.fresh_cloud().await;
    let (zone, catalogue) = (&world.zone, &world.catalogue);
    let report = doctor::examine(&cloud, zone, catalogue, &remembered, clock.now()).await;
    assert!(report.looked, "{report:?}");
    let findings = report.findings.iter();
    let of_policies = findings.filter(|finding| finding.subject == "organizations.policies");
    of_policies
        .filter(|finding| finding.severity != Severity::Fine)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_may_until_its_time_is_over_and_then_not_any_more() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let clock = Arc::new(Forward::default());
    let running = Running::start_by(&world, store, clock.clone()).await;
    let account = ask(&world, store, "Payments").await;
    let account = governed(store, &account).await;
    let bystander = ask(&world, store, "Ledger").await;
    let bystander = governed(store, &bystander).await;
    organization_in_sync(store).await;
    let (team, others) = (
        Team::of(&world, &account).await,
        Team::of(&world, &bystander).await,
    );
    assert!(!team.may_work_elsewhere().await);

    let exemption = propose(store, &account, &clock).await;
    let own = decide(store, &exemption, Decision::Approve, "alice", &clock).await;
    assert_eq!(own, Settled::Refused(Objection::Own));
    assert!(!team.may_work_elsewhere().await, "nobody has agreed");
    let approved = decide(store, &exemption, Decision::Approve, "bob", &clock).await;
    assert!(matches!(approved, Settled::Done(_)), "{approved:?}");
    eventually("the team may", async || {
        team.may_work_elsewhere().await.then_some(())
    })
    .await;
    eventually("it is told", async || {
        stored(store, &exemption).await.effective_at
    })
    .await;
    assert!(
        !others.may_work_elsewhere().await,
        "the exemption is another account's"
    );

    // The doctor knows of it, and would call the policies of AWS wrong otherwise.
    assert_eq!(differing(&world, store, &clock, true).await, 0);
    assert!(differing(&world, store, &clock, false).await > 0);

    // A restart in the middle changes nothing.
    running.stop().await;
    let running = Running::start_by(&world, store, clock.clone()).await;
    organization_in_sync(store).await;
    assert!(team.may_work_elsewhere().await);

    // Nobody wakes anything: the organization is due by itself.
    clock.forward(SignedDuration::from_hours(48));
    eventually("the team may not", async || {
        (!team.may_work_elsewhere().await).then_some(())
    })
    .await;
    eventually("its end is told", async || {
        stored(store, &exemption).await.ended_at
    })
    .await;
    organization_in_sync(store).await;
    let kinds: Vec<EventKind> = store
        .events(account.target(), 0, 500)
        .await
        .expect("the store answers")
        .into_iter()
        .map(|event| event.kind)
        .filter(|kind| kind.name().starts_with("exemption"))
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::ExemptionProposed,
            EventKind::ExemptionApproved,
            EventKind::ExemptionEffective,
            EventKind::ExemptionEnded,
        ]
    );
    running.stop().await;
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exemption_ends_when_somebody_revokes_it_and_when_its_account_is_closed() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let clock = Arc::new(Forward::default());
    let running = Running::start_by(&world, store, clock.clone()).await;
    let account = ask(&world, store, "Payments").await;
    let account = governed(store, &account).await;
    let team = Team::of(&world, &account).await;
    for round in ["revoked", "closed"] {
        let exemption = propose(store, &account, &clock).await;
        decide(store, &exemption, Decision::Approve, "bob", &clock).await;
        eventually("it is in force", async || {
            stored(store, &exemption).await.effective_at
        })
        .await;
        assert!(team.may_work_elsewhere().await, "{round}");
        if round == "revoked" {
            decide(store, &exemption, Decision::Revoke, "alice", &clock).await;
        } else {
            world.tamper(&json!({
                "service": "organizations", "action": "close_account", "account": number(&account),
            }));
            // It is no longer young, and the organization is looked at: the account itself is not due.
            clock.forward(SignedDuration::from_mins(20));
            let woken = store.wake(TargetId::Organization, clock.now()).await;
            woken.expect("the store answers");
        }
        eventually("its end is told", async || {
            stored(store, &exemption).await.ended_at
        })
        .await;
        let state = stored(store, &exemption).await.consent.state(clock.now());
        assert_eq!(state, ConsentState::Revoked, "{round}");
        if round == "revoked" {
            assert!(!team.may_work_elsewhere().await);
        }
    }
    running.stop().await;
}
