use proptest::prelude::*;

use super::*;
use crate::scp::FULL_AWS_ACCESS;

/// A policy that denies each of these actions by a statement of its own.
fn denies(actions: &[usize]) -> Policy {
    let statements: Vec<String> = actions
        .iter()
        .map(|n| format!(r#"{{"Effect":"Deny","Action":"s3:Action{n}","Resource":"*"}}"#))
        .collect();
    let statements = if statements.is_empty() {
        r#"{"Effect":"Deny","Action":"none:None","Resource":"*"}"#.to_owned()
    } else {
        statements.join(",")
    };
    Policy::parse(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#
    ))
    .unwrap()
}

type Policies = BTreeMap<String, Vec<usize>>;

fn policies(prefix: &'static str, most: usize) -> impl Strategy<Value = Policies> {
    let actions = prop::collection::vec(0usize..8, 0..4);
    prop::collection::vec(actions, 0..=most).prop_map(move |all| {
        let named = all.into_iter().enumerate();
        named
            .map(|(n, actions)| (format!("{prefix}{n}"), actions))
            .collect()
    })
}

fn compiled(policies: &Policies) -> BTreeMap<&str, Policy> {
    let compiled = policies
        .iter()
        .map(|(name, actions)| (name.as_str(), denies(actions)));
    compiled.collect()
}

/// A target without a place among others.
fn changeover<'a>(
    limit: usize,
    others: usize,
    old: &'a BTreeMap<&'a str, Policy>,
    new: &'a BTreeMap<&'a str, Policy>,
) -> Changeover<'a, 'a> {
    Changeover {
        target: "Admin",
        place: None,
        limit,
        others: vec![FULL_AWS_ACCESS; others],
        attached: old
            .iter()
            .map(|(name, policy)| (*name, Some(policy)))
            .collect(),
        wanted: new.iter().map(|(name, policy)| (*name, policy)).collect(),
    }
}

fn said(by: &Policies) -> BTreeSet<usize> {
    by.values().flatten().copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// At each moment every statement that both old and new want is attached, and the limit holds; and there is a way
    /// wherever both fit side by side.
    #[test]
    fn nothing_that_both_want_is_ever_missing_and_the_limit_holds(
        old in policies("old-", 4),
        new in policies("new-", 4),
        same in policies("same-", 2),
        others in 1usize..3,
        free in 0usize..4,
    ) {
        let old: Policies = old.into_iter().chain(same.clone()).collect();
        let new: Policies = new.into_iter().chain(same).collect();
        let limit = old.len() + others + free;
        let (was, will_be) = (compiled(&old), compiled(&new));
        let steps = steps(&[changeover(limit, others, &was, &will_be)]);
        let side_by_side: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let Ok(steps) = steps else {
            prop_assert!(side_by_side.len() + others > limit || new.len() + others >= limit);
            return Ok(());
        };
        let both: BTreeSet<usize> = said(&old).intersection(&said(&new)).copied().collect();
        let mut attached = old.clone();
        for step in steps {
            match step {
                Step::Attach(Attachment { policy, .. }) => {
                    let is_new = attached.insert(policy.to_owned(), new[policy].clone()).is_none();
                    prop_assert!(is_new);
                }
                Step::Detach { old, beside } => {
                    prop_assert!(beside.iter().all(|one| attached.contains_key(one.policy)));
                    prop_assert!(attached.remove(old.policy).is_some());
                }
            }
            prop_assert!(attached.len() + others <= limit);
            let now = said(&attached);
            prop_assert!(both.is_subset(&now), "{both:?} of {now:?}");
        }
        prop_assert_eq!(attached, new);
    }

    /// The same for whoever stands in an OU below others: what binds him on the whole way counts.
    #[test]
    fn nothing_is_missing_below_while_policies_move_up_and_down(
        all in prop::collection::vec((policies("old-", 3), policies("new-", 3), 0usize..3), 4),
    ) {
        let places = ["/", "A", "A/S", "A/P"].map(|word| word.parse::<ScpTarget>().unwrap());
        let compiled: Vec<_> = all.iter().map(|(old, new, _)| (compiled(old), compiled(new))).collect();
        let changeovers: Vec<_> = std::iter::zip(&places, std::iter::zip(&all, &compiled))
            .map(|(place, ((was, _, free), (old, new)))| Changeover {
                place: Some(place),
                ..changeover(was.len() + 1 + free, 1, old, new)
            })
            .collect();
        let Ok(steps) = steps(&changeovers) else {
            let fits = |(old, new, free): &(Policies, Policies, usize)| {
                new.is_empty() || new.len() <= *free && new.len() < old.len() + free
            };
            prop_assert!(!all.iter().all(fits));
            return Ok(());
        };
        let ways = [vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 1, 3]];
        let binding = |attached: &[Policies], way: &[usize]| -> BTreeSet<usize> {
            way.iter().flat_map(|on| said(&attached[*on])).collect()
        };
        let mut attached: Vec<Policies> = all.iter().map(|(old, ..)| old.clone()).collect();
        let wanted: Vec<Policies> = all.iter().map(|(_, new, _)| new.clone()).collect();
        let before = attached.clone();
        for step in steps {
            match step {
                Step::Attach(Attachment { target, policy }) => {
                    let content = wanted[target][policy].clone();
                    prop_assert!(attached[target].insert(policy.to_owned(), content).is_none());
                    prop_assert!(attached[target].len() < changeovers[target].limit);
                }
                Step::Detach { old, beside } => {
                    prop_assert!(beside.iter().all(|one| attached[one.target].contains_key(one.policy)));
                    prop_assert!(attached[old.target].remove(old.policy).is_some());
                    // Whoever takes away finds out beforehand whether everything is there that he has to rely on.
                    for way in ways.iter().filter(|way| way.contains(&old.target)) {
                        let relied = binding(&before, way);
                        let fell: BTreeSet<usize> = before[old.target][old.policy].iter().copied().collect();
                        let kept = binding(&wanted, way);
                        for action in fell.intersection(&relied).filter(|action| kept.contains(action)) {
                            let told = beside.iter().any(|one| wanted[one.target][one.policy].contains(action));
                            let still = way.iter().any(|on| {
                                let mut there = before[*on].iter().filter(|(name, _)| attached[*on].contains_key(*name));
                                there.any(|(_, actions)| actions.contains(action))
                            });
                            prop_assert!(told || still, "{action} of {old:?} beside {beside:?}");
                        }
                    }
                }
            }
            for way in &ways {
                let now = binding(&attached, way);
                let old = binding(&before, way);
                let lost: Vec<_> = binding(&wanted, way).into_iter().filter(|one| old.contains(one) && !now.contains(one)).collect();
                prop_assert!(lost.is_empty(), "{lost:?} on {way:?}");
            }
        }
        prop_assert_eq!(attached, wanted);
    }
}

#[test]
fn a_policy_that_moves_leaves_when_it_stands_above_or_below() {
    let (moving, other, both) = (denies(&[1]), denies(&[2]), denies(&[1, 3]));
    let (above, below): (ScpTarget, ScpTarget) = ("A".parse().unwrap(), "A/S".parse().unwrap());
    let none = BTreeMap::new();
    let from = BTreeMap::from([("moving", moving)]);
    let full = BTreeMap::from([("old-1", other), ("old-2", denies(&[3]))]);
    let to = BTreeMap::from([("new", both)]);
    for (first, second) in [(&above, &below), (&below, &above)] {
        let place = |place, limit, old, new| Changeover {
            place: Some(place),
            ..changeover(limit, 1, old, new)
        };
        // The one that it leaves comes first in the list, and the other has no room until something else is gone.
        let targets = [place(first, 3, &from, &none), place(second, 3, &full, &to)];
        let told: Vec<String> = steps(&targets).unwrap().iter().map(sentence).collect();
        assert_eq!(
            told,
            [
                "-1 old-1",
                "+1 new",
                "-0 moving beside 1 new",
                "-1 old-2 beside 1 new"
            ]
        );
    }
    // Elsewhere it binds others.
    let elsewhere = "B".parse().unwrap();
    let place = |place, old, new| Changeover {
        place: Some(place),
        ..changeover(9, 1, old, new)
    };
    let targets = [place(&above, &from, &none), place(&elsewhere, &none, &to)];
    let told: Vec<String> = steps(&targets).unwrap().iter().map(sentence).collect();
    assert_eq!(told, ["+1 new", "-0 moving"]);
}

#[test]
fn two_that_change_places_between_full_targets_stay_where_they_are() {
    let (above, below): (ScpTarget, ScpTarget) = ("A".parse().unwrap(), "A/S".parse().unwrap());
    let set = |all: &[(&'static str, &[usize])]| -> BTreeMap<&str, Policy> {
        let all = all.iter();
        all.map(|(name, actions)| (*name, denies(actions)))
            .collect()
    };
    let before = [
        set(&[("one", &[1]), ("above", &[3])]),
        set(&[("two", &[2]), ("below", &[4])]),
    ];
    let after = [set(&[("new-1", &[2, 3])]), set(&[("new-2", &[1, 4])])];
    let of = |limit| {
        let place = |index: usize, place| Changeover {
            place: Some(place),
            ..changeover(limit, 1, &before[index], &after[index])
        };
        steps(&[place(0, &above), place(1, &below)]).map(|steps| steps.len())
    };
    assert_eq!(of(4), Ok(6));
    let refused = of(3).unwrap_err();
    assert!(matches!(refused, NoRoom::Crowded { .. }), "{refused}");
}

/// `+` or `-` with the index of the target.
fn sentence(step: &Step<'_>) -> String {
    match step {
        Step::Attach(Attachment { target, policy }) => format!("+{target} {policy}"),
        Step::Detach { old, beside } => {
            let beside = beside.iter();
            let beside: String = beside
                .map(|one| format!(" beside {} {}", one.target, one.policy))
                .collect();
            format!("-{} {}{beside}", old.target, old.policy)
        }
    }
}

fn sentences(changeover: Changeover<'_, '_>) -> Vec<String> {
    let steps = steps(&[changeover]).unwrap();
    steps
        .into_iter()
        .map(|step| match step {
            Step::Attach(new) => format!("+{}", new.policy),
            Step::Detach { old, .. } => format!("-{}", old.policy),
        })
        .collect()
}

#[test]
fn the_new_comes_before_the_old_where_both_fit_and_step_by_step_where_they_do_not() {
    let (a, b, both) = (denies(&[1]), denies(&[2]), denies(&[1, 2]));
    let old = BTreeMap::from([("old-a", a.clone()), ("old-b", b.clone())]);
    let swapped = BTreeMap::from([("new-1", b), ("new-2", a)]);
    let one = BTreeMap::from([("new", both)]);
    let none = BTreeMap::new();
    for (limit, others, old, new, steps) in [
        (10, 1, &old, &one, vec!["+new", "-old-a", "-old-b"]),
        (4, 1, &old, &one, vec!["+new", "-old-a", "-old-b"]),
        (
            10,
            1,
            &old,
            &swapped,
            vec!["+new-1", "+new-2", "-old-a", "-old-b"],
        ),
        (
            4,
            1,
            &old,
            &swapped,
            vec!["+new-1", "-old-b", "+new-2", "-old-a"],
        ),
        (4, 1, &old, &none, vec!["-old-a", "-old-b"]),
        (4, 0, &old, &none, vec!["-old-a"]),
        (4, 1, &none, &one, vec!["+new"]),
        (3, 2, &none, &none, vec![]),
    ] {
        let changeover = changeover(limit, others, old, new);
        assert_eq!(sentences(changeover), steps, "{limit} {others}");
    }
}

#[test]
fn what_nobody_understands_goes_last() {
    let (a, b) = (denies(&[1]), denies(&[2]));
    let wanted = BTreeMap::from([("new-1", a.clone()), ("new-2", b)]);
    let old = BTreeMap::from([("old-a", a)]);
    let mut changeover = changeover(4, 1, &old, &wanted);
    changeover.attached.insert("old-strange", None);
    let refused = steps(&[changeover.clone()]).unwrap_err();
    assert!(matches!(refused, NoRoom::Crowded { .. }), "{refused}");
    changeover.limit = 5;
    assert_eq!(
        sentences(changeover),
        ["+new-1", "+new-2", "-old-a", "-old-strange"]
    );
}

#[test]
fn what_does_not_fit_is_refused_with_figures() {
    let (a, b) = (denies(&[1]), denies(&[1, 2]));
    let (none, new) = (BTreeMap::new(), BTreeMap::from([("new", a)]));
    for (others, says) in [
        (8, None),
        (
            9,
            Some(
                "Admin: 9 of 10 attachments, 0 ours and 9 others (FullAWSAccess, FullAWSAccess, FullAWSAccess, FullAWSAccess, \
                 FullAWSAccess, FullAWSAccess, FullAWSAccess, FullAWSAccess, FullAWSAccess); 1 free. Landfall needs 1 beside the \
                 others, and one that stays free for changes: detach 1",
            ),
        ),
    ] {
        let told = steps(&[changeover(10, others, &none, &new)]).err();
        let told = told.map(|error| error.to_string());
        match (told, says) {
            (None, None) => {}
            (Some(told), Some(says)) => assert!(told.starts_with(says), "{told}"),
            other => panic!("{others}: {other:?}"),
        }
    }
    let old = BTreeMap::from([("old-1", b), ("old-2", denies(&[3, 4]))]);
    let new = BTreeMap::from([("new-1", denies(&[1, 3])), ("new-2", denies(&[2, 4]))]);
    let told = steps(&[changeover(4, 1, &old, &new)]).unwrap_err();
    let says = "Admin: 4 of 4 attachments, 3 ours and 1 others (FullAWSAccess); 0 free. To change Landfall's over without a gap \
                takes 1 more free";
    assert!(told.to_string().starts_with(says), "{told}");
}
