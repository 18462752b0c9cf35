use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

mod policies;

fn settings() -> RolloutSettings {
    RolloutSettings::default()
}

fn id(n: usize) -> Uuid {
    Uuid::from_u128(n as u128 + 1)
}

fn member(n: usize, canary: bool, wave: Option<Wave>, standing: Standing) -> Member {
    Member {
        last: false,
        id: id(n),
        canary,
        wave,
        standing,
    }
}

/// `c`: a canary, `o`: another account, `m`: the management account, all behind. Then a letter for the wave (`C`, `S`, `R`) and one for how it
/// stands (`~` converging, `+` in sync, `x` failed, `-` excused).
fn members(text: &str) -> Vec<Member> {
    text.split_whitespace()
        .enumerate()
        .map(|(n, word)| {
            let canary = word.starts_with('c');
            let mut rest = word.chars().skip(1);
            let wave = rest.next().map(|letter| match letter {
                'C' => Wave::Canary,
                'S' => Wave::Second,
                _ => Wave::Rest,
            });
            let standing = match rest.next() {
                None => Standing::Behind,
                Some('~') => Standing::Converging,
                Some('+') => Standing::InSync,
                Some('x') => Standing::Failed,
                Some(_) => Standing::Excused,
            };
            Member {
                last: word.starts_with('m'),
                ..member(n, canary, wave, standing)
            }
        })
        .collect()
}

fn next_of(
    state: RolloutState,
    members: &[Member],
    targets: &[ScpMember],
    settings: &RolloutSettings,
) -> RolloutStep {
    next(
        id(99),
        state,
        members,
        targets,
        settings,
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn waves_follow_each_other_and_wait_for_each_other() {
    let step = |text: &str| match next_of(RolloutState::Running, &members(text), &[], &settings()) {
        RolloutStep::Attach { .. } => unreachable!("there are no targets"),
        RolloutStep::Wait => "wait".to_owned(),
        RolloutStep::Pin { wave, accounts } => {
            format!("{} {}", wave.name(), accounts.len())
        }
        RolloutStep::Stop { failed, pinned } => format!("stop {failed}/{pinned}"),
        RolloutStep::PinBack => "back".to_owned(),
        RolloutStep::Finish => "finish".to_owned(),
    };
    for (text, expected) in [
        ("", "finish"),
        ("c c o o o", "canary 1"),
        ("cC~ c o o o", "wait"),
        ("cC+ c o o o", "canary 1"),
        ("cC+ cC~ o o o", "wait"),
        ("cC+ cC+ o o o", "second 1"),
        ("cC+ cC- o o o", "second 1"),
        ("cC+ cC+ oS~ o o", "wait"),
        ("cC+ cC+ oS+ o o", "rest 1"),
        ("cC+ cC+ oS+ oR~ o", "wait"),
        ("cC+ cC+ oS+ oR+ oR~", "wait"),
        ("cC+ cC+ oS+ oR+ oR+", "finish"),
        ("cC+ cC+ oS+ oR+ oR-", "finish"),
        ("o o o", "second 1"),
        ("oS+ o o", "rest 1"),
        // A canary that came late goes with the others.
        ("cC+ c oS+ o", "rest 1"),
        // One of one is more than five of a hundred.
        ("cCx c o", "stop 1/1"),
        ("cC+ cC+ oS+ oR+ oRx", "stop 1/5"),
    ] {
        assert_eq!(step(text), expected, "{text}");
    }
    // Twenty are a share of two, and one of twenty is within the budget.
    let twenty = |pinned: &str| {
        format!(
            "{pinned}{}",
            " o".repeat(20 - pinned.split_whitespace().count())
        )
    };
    assert_eq!(step(&twenty("")), "second 2");
    assert_eq!(step(&twenty("oS+ oS~")), "wait");
    assert_eq!(step(&twenty("oS+ oS+")), "rest 2");
    assert_eq!(step(&twenty("oS+ oS+ oR~")), "rest 1");
    assert_eq!(step(&format!("oS+ oS+{} oRx", " oR+".repeat(17))), "finish");
}

#[test]
fn only_a_running_rollout_pins() {
    for state in RolloutState::ALL {
        let step = next_of(state, &members("c o"), &[], &settings());
        match state {
            RolloutState::Running => assert!(matches!(step, RolloutStep::Pin { .. })),
            RolloutState::RollingBack => assert_eq!(step, RolloutStep::PinBack),
            _ => assert_eq!(step, RolloutStep::Wait, "{state:?}"),
        }
    }
}

#[test]
fn people_decide_where_it_makes_sense() {
    use RolloutDecision as D;
    // start, pause, resume, roll back
    for (state, possible) in [
        (RolloutState::Proposed, [true, false, false, true]),
        (RolloutState::Running, [false, true, false, true]),
        (RolloutState::Paused, [false, false, true, true]),
        (RolloutState::Stopped, [false, false, true, true]),
        (RolloutState::RollingBack, [false; 4]),
        (RolloutState::RolledBack, [true, false, false, false]),
        (RolloutState::Done, [false, false, false, true]),
        (RolloutState::Superseded, [false; 4]),
    ] {
        for (decision, possible) in D::ALL.into_iter().zip(possible) {
            assert_eq!(
                state.after(decision).is_some(),
                possible,
                "{state:?} {decision:?}"
            );
        }
        assert_eq!(serde_json::to_value(state).unwrap(), state.name());
    }
}

#[test]
fn an_account_that_was_broken_before_is_nobody_s_fault() {
    let seen = Seen {
        pinned: true,
        was_in_sync: true,
        complete: true,
        ..Seen::default()
    };
    for (seen, standing) in [
        (
            Seen {
                pinned: false,
                ..seen
            },
            Standing::Behind,
        ),
        (seen, Standing::InSync),
        (
            Seen {
                complete: false,
                ..seen
            },
            Standing::Converging,
        ),
        (
            Seen {
                broken: true,
                ..seen
            },
            Standing::Failed,
        ),
        (
            Seen {
                broken: true,
                was_in_sync: false,
                ..seen
            },
            Standing::Excused,
        ),
        (
            Seen {
                complete: false,
                paused: true,
                ..seen
            },
            Standing::Excused,
        ),
        (
            Seen {
                paused: true,
                ..seen
            },
            Standing::InSync,
        ),
        (
            Seen {
                complete: false,
                left: true,
                ..seen
            },
            Standing::Excused,
        ),
    ] {
        assert_eq!(Standing::of(seen), standing, "{seen:?}");
    }
}

fn pin(text: &str) -> Pin {
    let (baseline, revision) = text.split_once('@').unwrap();
    Pin {
        baseline: baseline.to_owned(),
        revision: Revision::stored(revision),
    }
}

fn wanted(of_prod: &str, of_sandbox: &str) -> Wanted {
    let unit = |path: &str, text| (path.parse().unwrap(), pin(text));
    Wanted {
        management: None,
        units: BTreeMap::from([unit("Prod", of_prod), unit("Sandbox", of_sandbox)]),
        elsewhere: pin("foundation@1"),
        scps: None,
    }
}

#[test]
fn an_account_is_pinned_to_what_is_settled_until_the_rollout_reaches_it() {
    use RolloutState as S;
    let settled = wanted("production@1", "sandbox@1");
    let latest = wanted("production@2", "sandbox@2");
    for (state, unit, now, runnable, expected) in [
        // A new account.
        (S::Running, "Prod", None, true, Some("production@1")),
        (S::Done, "Prod", None, true, Some("production@2")),
        (S::Running, "Gone", None, true, Some("foundation@1")),
        // The rollout decides which of the two.
        (S::Running, "Prod", Some("production@1"), true, None),
        (S::Running, "Prod", Some("production@2"), true, None),
        (S::RolledBack, "Prod", Some("production@1"), true, None),
        // A revision of an older rollout that was superseded stays until the later one reaches it.
        (S::Running, "Prod", Some("production@0"), true, None),
        // None is left behind.
        (
            S::Done,
            "Prod",
            Some("production@1"),
            true,
            Some("production@2"),
        ),
        (S::Done, "Prod", Some("production@2"), true, None),
        // Moved from Sandbox to Prod.
        (
            S::Running,
            "Prod",
            Some("sandbox@2"),
            true,
            Some("production@1"),
        ),
        // No longer understood.
        (
            S::Running,
            "Prod",
            Some("production@1"),
            false,
            Some("production@2"),
        ),
        (S::Paused, "Prod", Some("production@2"), false, None),
    ] {
        let now = now.map(pin);
        let unit = unit.parse().unwrap();
        let account = (Purpose::Application, &unit);
        let answer = repin(account, now.as_ref(), runnable, (state, &latest), &settled);
        assert_eq!(
            answer,
            expected.map(pin),
            "{state:?} {unit} {now:?} {runnable}"
        );
    }
    // An OU that gets another baseline keeps its former one until the rollout reaches it.
    let other = wanted("hardened@1", "sandbox@1");
    let prod = "Prod".parse().unwrap();
    let now = pin("production@1");
    assert_eq!(
        repin(
            (Purpose::Application, &prod),
            Some(&now),
            true,
            (S::Running, &other),
            &settled
        ),
        None
    );
}

#[test]
fn the_management_account_has_a_baseline_of_its_own_wherever_it_stands() {
    use RolloutState as S;
    let before = wanted("production@1", "sandbox@1");
    let of = |revision: &str| Wanted {
        management: Some(pin(revision)),
        ..before.clone()
    };
    let (first, second) = (of("management@1"), of("management@2"));
    // The state, what is wanted, what is settled, and what it is pinned to before and after.
    for (state, latest, settled, now, expected) in [
        (S::Done, &first, &first, None, Some("management@1")),
        (S::Running, &second, &first, None, Some("management@1")),
        (S::Running, &second, &first, Some("management@1"), None),
        (
            S::Done,
            &second,
            &second,
            Some("management@1"),
            Some("management@2"),
        ),
        // An older version of the program says nothing of it.
        (S::Done, &before, &before, Some("management@1"), None),
        (S::RolledBack, &first, &before, Some("management@1"), None),
        (S::Done, &before, &before, None, None),
    ] {
        let now = now.map(pin);
        for unit in [OuPath::root(), "Prod".parse().unwrap()] {
            let account = (Purpose::Management, &unit);
            let answer = repin(account, now.as_ref(), true, (state, latest), settled);
            assert_eq!(answer, expected.map(pin), "{state:?} {unit} {now:?}");
        }
    }
}

#[test]
fn the_management_account_goes_when_all_others_are_done() {
    for (fleet, expected) in [
        ("m", Some(vec![0])),
        ("m o", Some(vec![1])),
        ("m c", Some(vec![1])),
        ("m oS~", None),
        ("m oS+", Some(vec![0])),
        ("m oS-", Some(vec![0])),
    ] {
        let settings = settings();
        let members = members(fleet);
        let step = next_of(RolloutState::Running, &members, &[], &settings);
        let expected = match expected {
            None => RolloutStep::Wait,
            Some(some) => RolloutStep::Pin {
                wave: match (fleet.split(' ').nth(1), some.as_slice()) {
                    (_, [0]) => Wave::Rest,
                    (Some("c"), _) => Wave::Canary,
                    _ => Wave::Second,
                },
                accounts: some.into_iter().map(id).collect(),
            },
        };
        assert_eq!(step, expected, "{fleet}");
    }
}

proptest! {
    /// Whatever a fleet looks like: with accounts that get in sync, every account is pinned once, canaries first,
    /// never more at once than the share, and the rollout ends.
    #[test]
    fn every_account_is_pinned_once_and_never_too_many_at_a_time(
        canaries in prop::collection::vec(any::<bool>(), 0..40),
        percent in 1..=100u32,
    ) {
        let settings = RolloutSettings { second_wave_percent: percent, ..settings() };
        let mut fleet: Vec<Member> = canaries
            .iter()
            .enumerate()
            .map(|(n, canary)| member(n, *canary, None, Standing::Behind))
            .collect();
        let share = (fleet.len() * percent as usize).div_ceil(100).max(1);
        let mut last = None;
        for _ in 0..=3 * fleet.len() {
            match next_of(RolloutState::Running, &fleet, &[], &settings) {
                RolloutStep::Finish => break,
                RolloutStep::Wait => {
                    let slow = fleet.iter_mut().find(|m| m.standing == Standing::Converging);
                    slow.expect("it waits for somebody").standing = Standing::InSync;
                }
                RolloutStep::Pin { wave, accounts } => {
                    prop_assert!(!accounts.is_empty() && Some(wave) >= last);
                    last = Some(wave);
                    for account in accounts {
                        let m = fleet.iter_mut().find(|m| m.id == account).unwrap();
                        prop_assert_eq!(m.wave, None);
                        prop_assert!(wave == Wave::Canary || !m.canary);
                        m.wave = Some(wave);
                        m.standing = Standing::Converging;
                    }
                    let on_their_way = fleet.iter().filter(|m| m.standing == Standing::Converging);
                    prop_assert!(on_their_way.count() <= share);
                }
                step => prop_assert!(false, "{:?}", step),
            }
        }
        prop_assert!(fleet.iter().all(|m| m.standing == Standing::InSync));
    }

    /// When every account breaks, no more than one share has got the new revision when it stops.
    #[test]
    fn what_breaks_everything_breaks_one_share(
        canaries in prop::collection::vec(any::<bool>(), 1..60),
        percent in 1..=50u32,
    ) {
        let settings = RolloutSettings { second_wave_percent: percent, ..settings() };
        let mut fleet: Vec<Member> = canaries
            .iter()
            .enumerate()
            .map(|(n, canary)| member(n, *canary, None, Standing::Behind))
            .collect();
        let share = (fleet.len() * percent as usize).div_ceil(100).max(1);
        while let RolloutStep::Pin { wave, accounts } =
            next_of(RolloutState::Running, &fleet, &[], &settings)
        {
            for m in fleet.iter_mut().filter(|m| accounts.contains(&m.id)) {
                m.wave = Some(wave);
                m.standing = Standing::Failed;
            }
        }
        prop_assert!(fleet.iter().filter(|m| m.wave.is_some()).count() <= share);
    }
}
