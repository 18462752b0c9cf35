//! An account's life besides vending: what stops it, how it is moved and closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use awsim::faults::Kind;
use jiff::SignedDuration;
use landfall_model::account::Phase;
use landfall_model::aws_state::AwsState;
use landfall_model::cell::CellStatus;
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_server::engine::clock::{Clock, SystemClock};
use landfall_server::store::{
    Account, Added, AssetFilter, Judged, NewRequest, NewWish, Pause, Purpose, Store, Verdict,
    Wished,
};
use landfall_tests::database::{Database, pause};
use landfall_tests::world::{
    Running, World, ask, ask_in, eventually, every, in_aws, in_phase, in_two_regions,
    landing_zone_in, now,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_an_account_as_a_whole_is_in_its_history_once() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let denied = every("organizations", Some("CreateAccount"), Kind::AccessDenied);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_whose_time_is_over_is_ended_by_the_engine() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let account = ask(&world, store, "Payments").await;
    let now = SystemClock.now();
    let pause = Pause {
        until: Some(now + SignedDuration::from_secs(1)),
        ..pause("a release", "ann", now)
    };
    assert!(
        store
            .pause(account.target(), &pause)
            .await
            .expect("the store answers")
    );
    let running = Running::start(&world, store).await;
    eventually("the account looked after again", async || {
        let target = store
            .target(account.target())
            .await
            .expect("the store answers");
        target?.paused.is_none().then_some(())
    })
    .await;
    running.stop().await;
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
    let quota = every("organizations", Some("CloseAccount"), full);
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
    let denied = every("organizations", Some("CloseAccount"), Kind::AccessDenied);
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
                && cell.observed.as_ref().is_some_and(|seen| {
                    seen.to_value()["organizational_unit"] == "Applications/Production"
                })
        });
        placed.then_some(())
    })
    .await;
    running.stop().await;
}
