//! An account's life besides vending: what stops it, how it is taken over, moved, paused and closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use awsim::faults::{Kind, Plan};
use jiff::SignedDuration;
use landfall_controls::cloud::{Access, Cloud, Errand};
use landfall_controls::control::AnyControl;
use landfall_controls::enrollment::BOOTSTRAP_ROLE;
use landfall_controls::session::Session;
use landfall_controls::{registry, vending};
use landfall_model::account::Phase;
use landfall_model::aws_state::AwsState;
use landfall_model::cell::CellStatus;
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::creation::Sighting;
use landfall_model::event::EventKind;
use landfall_model::finding::{Finding, Severity};
use landfall_model::ids::{AccountId, Email, TargetId};
use landfall_model::place::{Organization, Place};
use landfall_server::doctor::{self, Report};
use landfall_server::engine::clock::{Clock, SystemClock};
use landfall_server::enrollment::Examiner;
use landfall_server::store::{
    Account, Added, AssetFilter, Judged, NewRequest, NewWish, Purpose, Store, Verdict, Wished,
};
use landfall_tests::database::Database;
use landfall_tests::world::{
    Running, World, ask, ask_in, eventually, landing_zone_in, soon, state_of,
};
use serde_json::json;

async fn in_two_regions() -> (World, Database) {
    let world = World::with(&landing_zone_in(&["us-east-1", "eu-west-1"])).await;
    (world, Database::sqlite().await)
}

async fn now(store: &Store, account: &Account) -> Account {
    let account = store.account(account.id).await.expect("the store answers");
    account.expect("it is there")
}

async fn in_phase(store: &Store, account: &Account, phase: Phase) -> Account {
    let reached = soon(async || {
        let account = now(store, account).await;
        (account.phase == phase).then_some(account)
    });
    match reached.await {
        Some(account) => account,
        None => panic!(
            "{} never gets {}:\n{}",
            account.request.name,
            phase.name(),
            state_of(store).await
        ),
    }
}

fn every(service: &str, operation: &str, kind: Kind) -> Plan {
    Plan {
        service: service.to_owned(),
        operation: Some(operation.to_owned()),
        account: None,
        region: None,
        count: None,
        skip: 0,
        probability: None,
        kind,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_an_account_as_a_whole_is_in_its_history_once() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let denied = every("organizations", "CreateAccount", Kind::AccessDenied);
    world.sim.shared().faults().plan(denied);
    let account = ask(&world, store, "Payments").await;
    let running = Running::start(&world, store).await;
    let error = eventually("the refusal", async || {
        let target = store.target(account.target()).await.expect("the store");
        target.expect("it is there").last_error
    })
    .await;
    assert_eq!(error.kind, CloudErrorKind::AccessDenied);
    assert_eq!(error.kind.help(), Help::PlatformTeam);
    for _ in 0..2 {
        // Whoever asks for another look gets the same refusal, and history is not filled with it.
        store
            .want(account.target(), jiff::Timestamp::now())
            .await
            .expect("the store answers");
        eventually("another try", async || {
            let target = store.target(account.target()).await.expect("the store");
            target.filter(|target| {
                target.leased_by.is_none() && target.due_at > jiff::Timestamp::now()
            })
        })
        .await;
    }
    running.stop().await;
    let events = store
        .events(account.target(), 0, 100)
        .await
        .expect("events");
    let stops: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::Failed)
        .collect();
    assert_eq!(stops.len(), 1, "{stops:?}");
    let sentence = &stops[0].sentence;
    assert!(
        sentence.contains("organizations:CreateAccount") && sentence.contains("role"),
        "{sentence}"
    );
}

/// Has the doctor look, and sees to it that looking changed nothing.
async fn examine(world: &World, governed: &[AccountId]) -> Report {
    let before = world.mutating_calls();
    let cloud = world.fresh_cloud().await;
    let report = doctor::examine(
        &cloud,
        &world.zone,
        &world.catalogue,
        governed,
        jiff::Timestamp::now(),
    )
    .await;
    assert_eq!(before, world.mutating_calls(), "looking changes nothing");
    for finding in &report.findings {
        let mended = finding.mend.as_ref().is_some_and(|mend| !mend.is_empty());
        assert!(mended || finding.severity != Severity::Mend, "{finding:?}");
    }
    report
}

/// The findings about a subject that are of this severity.
fn told<'a>(report: &'a Report, subject: &str, severity: Severity) -> Vec<&'a Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.subject == subject && finding.severity == severity)
        .collect()
}

async fn organization_in_sync(store: &Store) {
    eventually("the organization in sync", async || {
        let cells = store.cells(TargetId::Organization).await.expect("cells");
        (!cells.is_empty() && cells.iter().all(|cell| cell.status() == CellStatus::InSync))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_a_bare_organization_lacks_and_that_landfall_sees_to_it() {
    let (world, _database) = in_two_regions().await;
    let report = examine(&world, &[]).await;
    assert!(report.looked);
    assert!(report.worst() < Severity::Mend, "{:#?}", report.findings);
    for subject in [
        "log archive account",
        "security account",
        "organizations.units",
        "organizations.policies",
        "organizations.trusted-access",
        "organizations.delegated-administrators",
        "guardduty.organization",
    ] {
        assert!(
            !told(&report, subject, Severity::Landfall).is_empty(),
            "{subject}: {:#?}",
            report.findings
        );
    }
    for subject in ["credentials", "clock", "management account", "all features"] {
        assert_eq!(told(&report, subject, Severity::Fine).len(), 1, "{subject}");
    }
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_each_lack_in_an_organization_that_was_healthy() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    let account = in_phase(store, &account, Phase::Governed).await;
    organization_in_sync(store).await;
    running.stop().await;
    let number = account.account_id.expect("a governed account has a number");
    let governed = [number.clone()];

    let healthy = examine(&world, &governed).await;
    for finding in &healthy.findings {
        let fine = finding.severity == Severity::Fine || finding.subject == "quota of accounts";
        assert!(fine, "{finding:?}");
    }

    world.tamper(&json!({ "service": "iam", "action": "delete_role", "account": number, "role": "LandfallExecution" }));
    world.tamper(&json!({
        "service": "organizations", "action": "disable_trusted_access", "service_principal": "config.amazonaws.com",
    }));
    let sick = examine(&world, &governed).await;
    let role = told(&sick, "execution role", Severity::Mend);
    assert!(role[0].what.contains(number.as_str()), "{role:?}");
    assert!(
        role[0]
            .mend
            .as_ref()
            .is_some_and(|mend| mend.contains("aws iam create-role"))
    );
    let access = told(&sick, "organizations.trusted-access", Severity::Landfall);
    assert!(
        access[0].what.contains("config.amazonaws.com"),
        "{access:?}"
    );
    let stranger = examine(&world, &[]).await;
    assert_eq!(
        told(&stranger, "execution role", Severity::Warning).len(),
        1,
        "an account that Landfall does not look after is only named"
    );

    let security = store
        .account_by_purpose(landfall_server::store::Purpose::Security)
        .await
        .expect("the store")
        .and_then(|account| account.account_id)
        .expect("it is vended");
    world.tamper(
        &json!({ "service": "organizations", "action": "suspend_account", "account": security }),
    );
    let suspended = examine(&world, &governed).await;
    let found = told(&suspended, "security account", Severity::Mend);
    assert!(found[0].what.contains("suspended"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_when_it_cannot_look_and_why() {
    let (world, _database) = in_two_regions().await;
    // Credentials that AWS does not know.
    let access = Access {
        endpoint_url: Some(world.sim.url()),
        credentials: Some(("AKIASTRANGER0000000".to_owned(), "any".to_owned())),
    };
    let stranger = Cloud::open(&world.zone, 8, access).await;
    let report = doctor::examine(
        &stranger,
        &world.zone,
        &world.catalogue,
        &[],
        jiff::Timestamp::now(),
    )
    .await;
    assert!(!report.looked);
    assert_eq!(
        told(&report, "credentials", Severity::Mend).len(),
        1,
        "{report:#?}"
    );

    // A management account that is not one: the role is not there.
    let zone = landing_zone_in(&["us-east-1", "af-south-1"]);
    let elsewhere = World::with(&zone.replace("\"111111111111\"", "\"222222222222\"")).await;
    let report = examine(&elsewhere, &[]).await;
    assert!(!report.looked);
    let role = told(&report, "management role", Severity::Mend);
    let mend = role[0].mend.as_deref().unwrap_or_default();
    assert!(
        mend.contains("put-role-policy")
            && mend.contains("is management_account 222222222222 right"),
        "{mend}"
    );

    // A Region that has to be enabled first.
    let world = World::with(&zone).await;
    let report = examine(&world, &[]).await;
    let region = told(&report, "governed Regions", Severity::Mend);
    let mend = region[0].mend.as_deref().unwrap_or_default();
    assert!(
        mend.contains("aws account enable-region --region-name af-south-1"),
        "{mend}"
    );

    // A permission that the management role lacks.
    let denied = every("account", "ListRegions", Kind::AccessDenied);
    world.sim.shared().faults().plan(denied);
    let report = examine(&world, &[]).await;
    let region = told(&report, "governed Regions", Severity::Mend);
    let mend = region[0].mend.as_deref().unwrap_or_default();
    assert!(mend.contains("landfall-management.json"), "{mend}");

    // A database that does not answer, and one that is still to be made.
    let (finding, _) = doctor::examine_database("postgres://nobody@127.0.0.1:1/none").await;
    assert_eq!(finding.severity, Severity::Mend);
    let (finding, _) = doctor::examine_database("sqlite:///nowhere/at/all.db").await;
    assert_eq!(finding.severity, Severity::Landfall);
}

/// Has an account looked at again and again until something holds: nobody waits an hour in a test.
async fn hurried<T>(
    store: &Store,
    account: &Account,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    eventually(what, async || {
        if let Some(found) = look().await {
            return Some(found);
        }
        store
            .wake(account.target(), jiff::Timestamp::now())
            .await
            .expect("the store answers");
        None
    })
    .await
}

/// What AWS says of an account: its state, and the path of its OU.
fn in_aws(world: &World, number: &AccountId) -> (String, String) {
    let report = awsim::services::organizations::accounts_report(&world.sim.shared().world());
    let row = report
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["id"] == number.as_str())
        .unwrap_or_else(|| panic!("no account {number}"));
    let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
    (text("state"), text("path"))
}

fn close_wish(asked_by: &str) -> NewWish<'_> {
    NewWish {
        goal: None,
        reason: "not needed any more",
        asked_by,
        needs_agreement: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_closed_when_two_agree_and_aws_has_room() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    let account = in_phase(store, &account, Phase::Governed).await;
    let number = account.account_id.clone().expect("it has a number");
    let now = jiff::Timestamp::now;

    let wished = store.wish_for(account.id, &close_wish("ann"), now()).await;
    assert!(matches!(wished, Ok(Wished::Done(_))), "{wished:?}");
    let twice = store.wish_for(account.id, &close_wish("bob"), now()).await;
    assert!(matches!(twice, Ok(Wished::Another(_))), "{twice:?}");
    let own = store
        .judge(account.id, Verdict::Agree, "ann", "", now())
        .await;
    assert_eq!(own.expect("the store"), Judged::OwnWish);
    assert_eq!(
        self::now(store, &account).await.phase,
        Phase::Governed,
        "it is looked after until somebody agrees"
    );

    // AWS has closed as many in thirty days as it lets an organization.
    let full = Kind::Error {
        code: "ConstraintViolationException".to_owned(),
        status: 400,
        message: "You have exceeded close account quota for the past 30 days. CLOSE_ACCOUNT_QUOTA_EXCEEDED".to_owned(),
    };
    let quota = every("organizations", "CloseAccount", full);
    world.sim.shared().faults().plan(quota);
    let agreed = store
        .judge(account.id, Verdict::Agree, "bob", "", now())
        .await;
    assert!(matches!(agreed, Ok(Judged::Done(_))), "{agreed:?}");
    let waits = eventually("the closure waiting for the quota", async || {
        let wish = store.wish(account.id).await.expect("the store");
        wish.and_then(|wish| wish.waits_for)
    })
    .await;
    assert!(waits.contains("CLOSE_ACCOUNT_QUOTA_EXCEEDED"), "{waits}");
    let target = store.target(account.target()).await.expect("the store");
    assert_eq!(
        target.expect("it is there").last_error,
        None,
        "waiting is no error"
    );
    assert_eq!(
        in_aws(&world, &number),
        ("ACTIVE".to_owned(), "Suspended".to_owned())
    );
    assert_eq!(self::now(store, &account).await.phase, Phase::Closing);

    world.sim.shared().faults().clear();
    let closed = hurried(store, &account, "the account closed", async || {
        let account = self::now(store, &account).await;
        (account.phase == Phase::Closed).then_some(account)
    })
    .await;
    running.stop().await;
    assert_eq!(closed.aws_state, AwsState::Closed);
    assert_eq!(
        in_aws(&world, &number),
        ("CLOSED".to_owned(), "Suspended".to_owned())
    );
    assert_eq!(closed.request, account.request, "its row stays as it was");
    assert_eq!(store.wish(account.id).await.expect("the store"), None);

    // The CMDB keeps what was there, marked; the e-mail stays taken.
    let all = AssetFilter {
        account_id: Some(number),
        gone: true,
        ..AssetFilter::default()
    };
    let kept = store.assets(&all, None, 500).await.expect("assets").items;
    assert!(kept.len() > 3, "{kept:?}");
    assert!(kept.iter().all(|row| row.gone_at.is_some()));
    let again = NewRequest {
        id: uuid::Uuid::now_v7(),
        request: &account.request,
        email: account.email.clone(),
        purpose: Purpose::Application,
        requested_by: "test",
        existing: None,
        idempotency: None,
    };
    let taken = store.add_request(&again, now()).await.expect("the store");
    assert_eq!(taken, Added::EmailTaken { by: account.id });
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closure_can_be_taken_back_until_aws_begins() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    in_phase(store, &account, Phase::Governed).await;
    let now = jiff::Timestamp::now;
    let denied = every("organizations", "CloseAccount", Kind::AccessDenied);
    world.sim.shared().faults().plan(denied);
    store
        .wish_for(account.id, &close_wish("ann"), now())
        .await
        .expect("the store");
    store
        .judge(account.id, Verdict::Agree, "bob", "", now())
        .await
        .expect("the store");
    eventually("the refusal", async || {
        let target = store.target(account.target()).await.expect("the store");
        target.and_then(|target| target.last_error)
    })
    .await;
    let back = store
        .judge(account.id, Verdict::TakeBack, "ann", "we need it", now())
        .await;
    assert!(matches!(back, Ok(Judged::Done(_))), "{back:?}");
    let account = in_phase(store, &account, Phase::Governed).await;
    let number = account.account_id.expect("it has a number");
    running.stop().await;
    assert_eq!(
        in_aws(&world, &number),
        ("ACTIVE".to_owned(), "Applications/Production".to_owned())
    );
}

/// A clock that can be put forward by half an hour.
#[derive(Default)]
struct Later(AtomicBool);

impl Clock for Later {
    fn now(&self) -> jiff::Timestamp {
        let later = self.0.load(Ordering::Relaxed);
        SystemClock.now() + SignedDuration::from_mins(if later { 30 } else { 0 })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_or_suspended_behind_landfalls_back_is_a_normal_state() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let clock = Arc::new(Later::default());
    let running = Running::start_by(&world, store, clock.clone()).await;
    let closed = ask(&world, store, "Closed").await;
    let suspended = ask(&world, store, "Suspended").await;
    let closed = in_phase(store, &closed, Phase::Governed).await;
    let suspended = in_phase(store, &suspended, Phase::Governed).await;
    let number = |account: &Account| account.account_id.clone().expect("it has a number");
    for (action, account) in [("close_account", &closed), ("suspend_account", &suspended)] {
        world.tamper(&json!({
            "service": "organizations", "action": action, "account": number(account),
        }));
    }
    // They are no longer young, and the organization is looked at: the accounts themselves are not due.
    clock.0.store(true, Ordering::Relaxed);
    store
        .wake(TargetId::Organization, clock.now())
        .await
        .expect("the store answers");
    eventually("the closure seen", async || {
        let account = now(store, &closed).await;
        (account.phase == Phase::Closed).then_some(())
    })
    .await;
    eventually("the suspension seen", async || {
        let account = now(store, &suspended).await;
        (account.aws_state == AwsState::Suspended).then_some(())
    })
    .await;
    assert_eq!(in_aws(&world, &number(&closed)).1, "Suspended");
    let rests = now(store, &suspended).await;
    assert_eq!(rests.phase, Phase::Governed, "it may come back");
    for account in [&closed, &suspended] {
        let target = store.target(account.target()).await.expect("the store");
        assert_eq!(target.expect("it is there").last_error, None);
        let cells = store.cells(account.target()).await.expect("cells");
        assert!(!cells.is_empty() && cells.iter().all(|cell| cell.error.is_none()));
    }
    let events = store
        .events(closed.target(), 0, 5_000)
        .await
        .expect("events");
    assert!(
        events
            .iter()
            .any(|event| event.sentence.contains("not Landfall that closed it"))
    );
    let calls = world.mutating_calls();
    assert_eq!(calls.get("organizations:CloseAccount"), None, "{calls:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_changes_the_policies_that_bind_and_one_into_a_guarded_ou_needs_approval() {
    let guarded = landing_zone_in(&["us-east-1", "eu-west-1"]).replace(
        "path = \"Applications/Production\"\nrequestable = true",
        "path = \"Applications/Production\"\nrequestable = true\napproval = true",
    );
    let world = World::with(&guarded).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask_in(&world, store, "Payments", "Applications/Sandbox").await;
    let account = in_phase(store, &account, Phase::Governed).await;
    let number = account.account_id.clone().expect("it has a number");
    assert_eq!(in_aws(&world, &number).1, "Applications/Sandbox");
    let production = "Applications/Production".parse().expect("a path");
    let new = NewWish {
        goal: Some(&production),
        reason: "it goes live",
        asked_by: "ann",
        needs_agreement: true,
    };
    let now = jiff::Timestamp::now;
    store
        .wish_for(account.id, &new, now())
        .await
        .expect("the store");
    assert_eq!(
        self::now(store, &account).await.request.organizational_unit,
        account.request.organizational_unit,
        "nothing happens until somebody agrees"
    );
    store
        .judge(account.id, Verdict::Agree, "bob", "", now())
        .await
        .expect("the store");
    eventually("the account in production", async || {
        (in_aws(&world, &number).1 == "Applications/Production").then_some(())
    })
    .await;
    assert_eq!(store.wish(account.id).await.expect("the store"), None);
    eventually("in sync there", async || {
        let cells = store.cells(account.target()).await.expect("cells");
        let placed = cells.iter().any(|cell| {
            cell.key.control.as_str() == "organizations.placement"
                && cell.status() == CellStatus::InSync
                && cell
                    .observed
                    .as_ref()
                    .is_some_and(|seen| seen["organizational_unit"] == "Applications/Production")
        });
        placed.then_some(())
    })
    .await;
    running.stop().await;
}

/// A session of a control in an account, through a role of the test's choice.
fn session(cloud: &Cloud, place: &Place, control: &dyn AnyControl) -> Session {
    let actions: BTreeSet<&'static str> = control.descriptor().actions.iter().copied().collect();
    Session::new(
        cloud.clone(),
        Arc::new(place.clone()),
        "test".to_owned(),
        true,
        actions.clone(),
        actions,
    )
}

/// Sets up by hand, in every Region, what the baseline of sandboxes wants of a control; `rename` may give things other names.
async fn by_hand(
    world: &World,
    cloud: &Cloud,
    place: &Place,
    id: &str,
    rename: impl Fn(&mut serde_json::Value),
) {
    let control = registry::control(&id.parse().expect("an id")).expect("it is registered");
    let baseline = world.catalogue.baselines.get("sandbox").expect("embedded");
    let entry = &baseline.controls[&control.descriptor().id];
    let regions = if control.descriptor().scope.is_regional() {
        world.zone.governed_regions.clone()
    } else {
        vec![world.zone.home_region.clone()]
    };
    for region in regions {
        let place = Place {
            region,
            ..place.clone()
        };
        let session = session(cloud, &place, control);
        let parameters = entry.parameters_at(&place.region, None);
        let desired = control
            .desired(&parameters, &place)
            .expect("it is resolved");
        let look = control.look(&session, &desired).await.expect("it is seen");
        for mut change in look.changes {
            rename(&mut change.change);
            control
                .apply(&session, &change)
                .await
                .unwrap_or_else(|error| panic!("{id}: {}: {error}", change.sentence));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_by_hand_is_adopted_with_what_it_has() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let first = ask(&world, store, "Payments").await;
    in_phase(store, &first, Phase::Governed).await;
    organization_in_sync(store).await;

    // Somebody made an account with Organizations' default role, and set things up their own way.
    let errand = Errand {
        account: world.zone.management_account.clone(),
        region: world.zone.home_region.clone(),
        actions: vending::ACTIONS.iter().copied().collect(),
        reason: "test".to_owned(),
        young: false,
        shared: true,
    };
    let aws = world.cloud.assume(&errand).await.expect("the role");
    let email: Email = "aws+legacy@example.com".parse().expect("an e-mail");
    let status = vending::create_account(&aws, "Legacy", &email, BOOTSTRAP_ROLE, &[].into())
        .await
        .expect("AWS takes it");
    let number = eventually(
        "the account made by hand",
        async || match vending::creation_status(&aws, &status)
            .await
            .expect("it is told")
        {
            Sighting::Exists(account) => Some(account),
            _ => None,
        },
    )
    .await;
    let theirs = world.cloud.with_execution_role(BOOTSTRAP_ROLE);
    eventually("its role", async || {
        landfall_controls::preflight::execution_role(&theirs, &number, &world.zone.home_region)
            .await
            .ok()
    })
    .await;
    let found = vending::describe_organization(&aws)
        .await
        .expect("it is there");
    let foundation = async |purpose| {
        let account = store.account_by_purpose(purpose).await.expect("the store");
        account.and_then(|account| account.account_id)
    };
    let place = Place {
        landing_zone: world.zone.clone(),
        scps: Arc::new(world.catalogue.scps.clone()),
        organization: Arc::new(Organization {
            id: found.id,
            root_id: found.root_id,
            management_account: found.management_account,
            log_archive_account: foundation(Purpose::LogArchive).await,
            security_account: foundation(Purpose::Security).await,
        }),
        account: number.clone(),
        account_name: None,
        account_tags: BTreeMap::new(),
        email: email.clone(),
        organizational_unit: None,
        region: world.zone.home_region.clone(),
    };
    by_hand(&world, &theirs, &place, "iam.service-linked-roles", |_| {}).await;
    by_hand(&world, &theirs, &place, "config.recorder", |change| {
        for kind in ["put_recorder", "put_channel", "start"] {
            if let Some(named) = change.get_mut(kind) {
                named["name"] = json!("theirs");
            }
        }
    })
    .await;
    by_hand(&world, &theirs, &place, "guardduty.detector", |_| {}).await;
    by_hand(&world, &theirs, &place, "securityhub.hub", |_| {}).await;

    let sandbox = "Applications/Sandbox".parse().expect("a path");
    let examiner = Examiner {
        cloud: world.fresh_cloud().await,
        landing_zone: world.zone.clone(),
        catalogue: Arc::new(world.catalogue.clone()),
    };
    let before = world.mutating_calls();
    let report = examiner
        .examine(&number, Some(&sandbox))
        .await
        .expect("it can be looked at")
        .expect("it is a member");
    assert_eq!(before, world.mutating_calls(), "looking changes nothing");
    let about = |subject: &str| {
        report
            .findings
            .iter()
            .filter(|finding| finding.subject == subject)
            .map(|finding| finding.severity)
            .collect::<Vec<_>>()
    };
    assert_eq!(about("execution role"), [Severity::Landfall]);
    assert_eq!(about("organizational unit"), [Severity::Landfall]);
    assert!(!about("ec2.default-vpc").is_empty());
    for adopted in ["config.recorder", "guardduty.detector", "securityhub.hub"] {
        assert_eq!(
            about(adopted),
            [Severity::Fine],
            "{adopted}: {:#?}",
            report.findings
        );
    }

    let form = landfall_model::request::RequestForm {
        organizational_unit: "Applications/Sandbox".to_owned(),
        email: Some(email.to_string()),
        ..landfall_tests::world::form("Legacy")
    };
    let request = form.check_existing(&world.zone).expect("the form is right");
    let new = NewRequest {
        id: uuid::Uuid::now_v7(),
        request: &request,
        email,
        purpose: Purpose::Application,
        requested_by: "ann",
        existing: Some(number.clone()),
        idempotency: None,
    };
    let added = store
        .add_request(&new, jiff::Timestamp::now())
        .await
        .expect("the store");
    let Added::New(account) = added else {
        panic!("{added:?}")
    };
    in_phase(store, &account, Phase::Governed).await;
    running.stop().await;
    assert_eq!(in_aws(&world, &number).1, "Applications/Sandbox");

    let after = world.mutating_calls();
    let made = |operation: &str| {
        after.get(operation).copied().unwrap_or(0) - before.get(operation).copied().unwrap_or(0)
    };
    for again in [
        "config:PutConfigurationRecorder",
        "guardduty:CreateDetector",
        "securityhub:EnableSecurityHub",
    ] {
        assert_eq!(
            made(again),
            0,
            "{again} made a second one, or fought the first"
        );
    }
    assert_eq!(made("iam:CreateRole"), 1, "the execution role");
    // Default VPCs that nobody uses go, as the report said. Nothing else is taken away.
    for operation in after.keys().filter(|one| !one.starts_with("ec2:")) {
        assert!(!operation.contains(":Delete"), "{operation}");
    }
    let cells = store.cells(account.target()).await.expect("cells");
    for cell in cells
        .iter()
        .filter(|cell| cell.key.control.as_str() == "config.recorder")
    {
        let seen = cell.observed.as_ref().expect("it was seen");
        assert_eq!(seen["recorder"]["name"], "theirs", "{seen}");
    }
    let events = store
        .events(account.target(), 0, 5_000)
        .await
        .expect("events");
    for event in &events {
        assert!(!event.sentence.contains("Quarantine"), "{}", event.sentence);
    }
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_no_role_opens_is_told_what_to_do() {
    let (world, _database) = in_two_regions().await;
    let errand = Errand {
        account: world.zone.management_account.clone(),
        region: world.zone.home_region.clone(),
        actions: vending::ACTIONS.iter().copied().collect(),
        reason: "test".to_owned(),
        young: false,
        shared: true,
    };
    let aws = world.cloud.assume(&errand).await.expect("the role");
    let email: Email = "aws+legacy@example.com".parse().expect("an e-mail");
    let status = vending::create_account(&aws, "Legacy", &email, "SomeOtherRole", &[].into())
        .await
        .expect("AWS takes it");
    let number = eventually(
        "the account made by hand",
        async || match vending::creation_status(&aws, &status)
            .await
            .expect("it is told")
        {
            Sighting::Exists(account) => Some(account),
            _ => None,
        },
    )
    .await;
    let examiner = Examiner {
        cloud: world.fresh_cloud().await,
        landing_zone: world.zone.clone(),
        catalogue: Arc::new(world.catalogue.clone()),
    };
    let report = examiner
        .examine(&number, None)
        .await
        .expect("it can be looked at")
        .expect("it is a member");
    let role = report
        .findings
        .iter()
        .find(|finding| finding.subject == "execution role")
        .expect("it is looked at");
    assert_eq!(role.severity, Severity::Mend);
    let mend = role.mend.as_deref().unwrap_or_default();
    assert!(
        mend.contains("aws iam create-role --role-name LandfallExecution")
            && mend.contains("arn:aws:iam::111111111111:root"),
        "{mend}"
    );
    let stranger = "999999999999".parse().expect("a number");
    let nobody = examiner.examine(&stranger, None).await;
    assert!(nobody.expect("it can be looked for").is_none());
}
