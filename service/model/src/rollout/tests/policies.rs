//! How service control policies go by waves.

use jiff::SignedDuration;

use super::*;
use crate::scp::ScpTarget;

/// Targets by path (`/` is the root), with how many accounts they bind: `+` reached and seen, `~` reached and not seen, `=`
/// not changed, `*` a canary, `^` all accounts stand below.
fn targets(text: &str) -> Vec<ScpMember> {
    text.split_whitespace()
        .map(|word| {
            let (path, marks) = word.split_once(':').unwrap();
            let accounts = marks
                .trim_end_matches(|c: char| !c.is_ascii_digit())
                .parse()
                .unwrap();
            ScpMember {
                target: path.parse().unwrap(),
                canary: marks.contains('*'),
                accounts,
                own_accounts: if marks.contains('^') { 0 } else { accounts },
                changes: !marks.contains('='),
                reached: marks.contains(['+', '~']),
                seen_at: marks.contains('+').then_some(Timestamp::UNIX_EPOCH),
            }
        })
        .collect()
}

#[test]
fn policies_go_to_canaries_when_their_accounts_are_well_and_to_the_others_when_all_are() {
    let step = |accounts: &str, policies: &str| match next_of(
        RolloutState::Running,
        &members(accounts),
        &targets(policies),
        &settings(),
    ) {
        RolloutStep::Attach { wave, targets } => {
            let targets: Vec<&str> = targets.iter().map(ScpTarget::word).collect();
            let wave = wave.map_or("quiet", Wave::name);
            format!("{wave} {}", targets.join(" "))
        }
        RolloutStep::Pin { wave, accounts } => format!("{} {}", wave.name(), accounts.len()),
        RolloutStep::Stop { .. } => "stop".to_owned(),
        RolloutStep::Wait => "wait".to_owned(),
        RolloutStep::PinBack => "back".to_owned(),
        RolloutStep::Finish => "finish".to_owned(),
    };
    for (accounts, policies, expected) in [
        // Nothing but policies.
        ("", "/:5 A:5 A/P:3 A/S:2*", "canary A/S"),
        ("", "/:5 A:5 A/P:3 A/S:2*~", "wait"),
        ("cC~ cC+", "/:5 A:5 A/P:3 A/S:2*+", "wait"),
        ("cC+ cC+", "/:5 A:5 A/P:3 A/S:2*+", "rest A/P"),
        ("cC+ cC+", "/:5 A:5 A/P:3~ A/S:2*+", "wait"),
        ("cC+ cC+ oR+ oR+ oR~", "/:5 A:5 A/P:3+ A/S:2*+", "wait"),
        ("cC+ cC+ oR+ oR+ oR+", "/:5 A:5 A/P:3+ A/S:2*+", "rest A"),
        ("cC+ cC+ oR+ oR+ oR+", "/:5 A:5+ A/P:3+ A/S:2*+", "rest /"),
        ("cC+ cC+ oR+ oR+ oR+", "/:5+ A:5+ A/P:3+ A/S:2*+", "finish"),
        ("cCx cC+", "/:5 A:5 A/P:3 A/S:2*+", "stop"),
        // The fewest accounts first.
        ("", "A:9 B:1 C:4", "rest B"),
        // What is not changed goes at once, all of it.
        ("", "/:5= A:5= B:0 C:5*", "quiet / A"),
        ("", "/:5=~ C:5*", "wait"),
        // Where nobody is, all at once, but not before the canaries.
        ("", "A:5 A/B:0 C:5* D:0", "canary C"),
        ("", "A:5 A/B:0 C:5*+ D:0", "rest A/B D"),
        ("", "/:5=+ C:5*", "canary C"),
        ("", "/:5=+", "finish"),
        // With baselines.
        ("c o o", "A:2 C:1*", "canary 1"),
        ("cC~ o o", "A:2 C:1*", "wait"),
        ("cC+ o o", "A:2 C:1*", "canary C"),
        ("cC+ o o", "A:2 C:1*~", "wait"),
        ("cC~ o o", "A:2 C:1*+", "wait"),
        ("cC+ o o", "A:2 C:1*+", "second 1"),
        ("cC+ oS+ o", "A:2 C:1*+", "rest 1"),
        ("cC+ oS+ oR~", "A:2 C:1*+", "wait"),
        ("cC+ oS+ oR+", "A:2 C:1*+", "rest A"),
    ] {
        assert_eq!(
            step(accounts, policies),
            expected,
            "{accounts} | {policies}"
        );
    }
}

#[test]
fn policies_stand_for_a_while_before_they_go_on() {
    let settings = RolloutSettings {
        scp_soak_minutes: 60,
        ..settings()
    };
    let after = |minutes: i64, accounts: &str, policies: &str| {
        next(
            id(99),
            RolloutState::Running,
            &members(accounts),
            &targets(policies),
            &settings,
            Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes),
        )
    };
    for accounts in ["cC+", "cC+ o o"] {
        let canary_stands = "A:2 C:1*+";
        assert_eq!(after(59, accounts, canary_stands), RolloutStep::Wait);
        assert_ne!(after(60, accounts, canary_stands), RolloutStep::Wait);
    }
    assert_eq!(
        after(59, "cC+", "A:1+ C:1*+"),
        RolloutStep::Wait,
        "the last too"
    );
    assert_eq!(
        after(0, "cC+", "A:1^+ C:0*+"),
        RolloutStep::Finish,
        "what those below have already nobody notices"
    );
    assert_eq!(after(60, "cC+", "A:1+ C:1*+"), RolloutStep::Finish);
    assert_ne!(
        after(0, "", "A:1=+ B:0+ C:1"),
        RolloutStep::Wait,
        "nobody would notice"
    );
}

proptest! {
    /// Whatever the organization: each target is reached once, never with others but canaries, none before those below it.
    #[test]
    fn every_target_is_reached_once_and_after_those_below_it(
        units in prop::collection::vec((0..4usize, 0..4u8, any::<bool>(), any::<bool>()), 0..12),
    ) {
        let mut all = targets("/:0");
        for (n, (parent, accounts, canary, changes)) in units.into_iter().enumerate() {
            let above = all.get(parent).filter(|above| above.target.above().len() < 5);
            let above = above.map_or("/", |above| above.target.word());
            let path = if above == "/" { format!("U{n}") } else { format!("{above}/U{n}") };
            let target: ScpTarget = path.parse().unwrap();
            for one in &mut all {
                if target.above().contains(&one.target) {
                    one.accounts += usize::from(accounts);
                }
            }
            let accounts = usize::from(accounts);
            all.push(ScpMember { target, canary, accounts, own_accounts: accounts, changes, reached: false, seen_at: None });
        }
        let canary_units: Vec<ScpTarget> =
            all.iter().filter(|one| one.canary).map(|one| one.target.clone()).collect();
        for one in &mut all {
            one.canary = canary_units.iter().any(|unit| one.target.above().contains(unit) || one.target == *unit);
        }
        for _ in 0..=2 * all.len() {
            match next_of(RolloutState::Running, &[], &all, &settings()) {
                RolloutStep::Finish => break,
                RolloutStep::Wait => {
                    for one in all.iter_mut().filter(|one| one.reached) {
                        one.seen_at = Some(Timestamp::UNIX_EPOCH);
                    }
                }
                RolloutStep::Attach { wave, targets } => {
                    let felt = all.iter().filter(|one| targets.contains(&one.target) && one.accounts > 0);
                    prop_assert!(felt.count() <= 1 || wave != Some(Wave::Rest));
                    for target in &targets {
                        let rest: Vec<ScpTarget> = all
                            .iter()
                            .filter(|one| !one.reached && !one.canary && one.target.above().contains(target))
                            .filter(|one| !targets.contains(&one.target))
                            .map(|one| one.target.clone())
                            .collect();
                        prop_assert!(wave != Some(Wave::Rest) || rest.is_empty(), "{target} before {rest:?}");
                        let one = all.iter_mut().find(|one| one.target == *target).unwrap();
                        prop_assert!(!one.reached);
                        one.reached = true;
                    }
                }
                step => prop_assert!(false, "{step:?}"),
            }
        }
        prop_assert!(all.iter().all(|one| one.reached));
    }
}
