//! How the policies of one target take the place of others.
//!
//! What is new is attached before what is old is detached. Where the target has no room for both, it goes step by step: an
//! old policy makes room as soon as everything that it says, and that is to be said in the end too, is said by others that
//! are attached. Whatever old and new both forbid is forbidden at every moment, and AWS's limit is never exceeded; where
//! no such way leads to the end, there is none, and the target is left as it is.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use landfall_policy::Policy;
use landfall_policy::pack::{Forecast, Part, Target, parts};

/// The policies of one target, as they are and as they are to be.
#[derive(Clone, Debug)]
pub struct Changeover<'a, 'p> {
    /// The path of an OU, the number of an account, or the root.
    pub target: &'a str,
    /// How many policies AWS takes on it.
    pub limit: usize,
    /// The names of those that are not Landfall's. They stay, and count.
    pub others: Vec<&'a str>,
    /// Landfall's by name; `None` for one whose content nobody understands.
    pub attached: BTreeMap<&'a str, Option<&'p Policy>>,
    /// What is to be attached in the end.
    pub wanted: BTreeMap<&'a str, &'p Policy>,
}

/// One call to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Attach(&'a str),
    Detach {
        policy: &'a str,
        /// Those that have to be attached by then, because they say what this one said.
        beside: BTreeSet<&'a str>,
    },
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// What is wanted does not fit beside what is not Landfall's.
    #[error(
        "{forecast}. Landfall needs {needed} beside the others, and one that stays free for changes: detach {over} that are not \
         Landfall's, or attach less there in scp/attachments.toml"
    )]
    TooMany {
        forecast: Forecast,
        needed: usize,
        over: usize,
    },
    /// Old and new do not fit side by side, and none of the old can go before all of the new are there.
    #[error(
        "{forecast}. To change Landfall's over without a gap takes {missing} more free: detach as many that are not Landfall's for \
         the time of the change, or attach less there in scp/attachments.toml"
    )]
    Crowded { forecast: Forecast, missing: usize },
}

impl<'a, 'p> Changeover<'a, 'p> {
    /// The steps from what is attached to what is wanted.
    ///
    /// # Errors
    ///
    /// With figures, where they cannot be taken.
    pub fn steps(&self) -> Result<Vec<Step<'a>>, NoRoom> {
        let mut missing: Vec<&'a str> = self
            .wanted
            .keys()
            .filter(|name| !self.attached.contains_key(*name))
            .copied()
            .collect();
        let mut attached: BTreeSet<&'a str> = self.attached.keys().copied().collect();
        let mut stray: Vec<&'a str> = attached
            .iter()
            .filter(|name| !self.wanted.contains_key(*name))
            .copied()
            .collect();
        let needed = self.wanted.len();
        if !missing.is_empty() && needed + self.others.len() >= self.limit {
            return Err(NoRoom::TooMany {
                forecast: self.forecast(attached.len()),
                needed,
                over: needed + self.others.len() + 1 - self.limit,
            });
        }
        let kept = OnceCell::new();
        let mut steps = Vec::new();
        while !missing.is_empty() {
            let room = self
                .limit
                .saturating_sub(self.others.len() + attached.len());
            if room > 0 {
                let next = if room >= missing.len() {
                    0
                } else {
                    self.most_useful(&missing, &stray, &attached, &kept)
                };
                let policy = missing.remove(next);
                attached.insert(policy);
                steps.push(Step::Attach(policy));
                continue;
            }
            let spare = stray
                .iter()
                .position(|policy| self.can_go(policy, &attached, &kept));
            let Some(spare) = spare else {
                return Err(NoRoom::Crowded {
                    forecast: self.forecast(attached.len()),
                    missing: missing.len(),
                });
            };
            let policy = stray.remove(spare);
            attached.remove(policy);
            steps.push(self.detach(policy, &attached));
        }
        // AWS leaves nothing without a policy: one that would be the last stays.
        if self.others.is_empty() && self.wanted.is_empty() {
            stray.pop();
        }
        for policy in stray {
            attached.remove(policy);
            steps.push(self.detach(policy, &attached));
        }
        Ok(steps)
    }

    fn detach(&self, policy: &'a str, attached: &BTreeSet<&'a str>) -> Step<'a> {
        let beside = attached
            .iter()
            .filter(|name| self.wanted.contains_key(*name));
        Step::Detach {
            policy,
            beside: beside.copied().collect(),
        }
    }

    /// Which of the missing lets an old policy go once it is attached; the first where none does.
    fn most_useful(
        &self,
        missing: &[&'a str],
        stray: &[&'a str],
        attached: &BTreeSet<&'a str>,
        kept: &OnceCell<Vec<Part>>,
    ) -> usize {
        let helps = |policy: &&'a str| {
            let mut with = attached.clone();
            with.insert(policy);
            stray.iter().any(|old| self.can_go(old, &with, kept))
        };
        missing.iter().position(helps).unwrap_or(0)
    }

    /// Whether nothing that stands now and is to stand in the end falls when this one goes.
    fn can_go(
        &self,
        policy: &str,
        attached: &BTreeSet<&'a str>,
        kept: &OnceCell<Vec<Part>>,
    ) -> bool {
        if self.attached.values().any(Option::is_none) {
            return false;
        }
        let rest: Vec<&Policy> = attached
            .iter()
            .filter(|name| **name != policy)
            .filter_map(|name| self.policy(name))
            .collect();
        kept.get_or_init(|| self.kept())
            .iter()
            .all(|part| rest.iter().any(|policy| part.stands_in(policy)))
    }

    fn policy(&self, name: &str) -> Option<&'p Policy> {
        let attached = || self.attached.get(name).copied().flatten();
        self.wanted.get(name).copied().or_else(attached)
    }

    /// What is said before and after.
    fn kept(&self) -> Vec<Part> {
        let old: Vec<&Policy> = self.attached.values().copied().flatten().collect();
        let new: Vec<&Policy> = self.wanted.values().copied().collect();
        let stands = |part: &Part, by: &[&Policy]| by.iter().any(|policy| part.stands_in(policy));
        let all = old.iter().chain(&new).flat_map(|policy| parts(policy));
        all.filter(|part| stands(part, &old) && stands(part, &new))
            .collect()
    }

    fn forecast(&self, ours: usize) -> Forecast {
        Forecast {
            target: Target {
                name: self.target.to_owned(),
                ours,
                foreign: self.others.iter().map(|name| (*name).to_owned()).collect(),
            },
            limit: self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn changeover<'a>(
        limit: usize,
        others: usize,
        old: &'a BTreeMap<&'a str, Policy>,
        new: &'a BTreeMap<&'a str, Policy>,
    ) -> Changeover<'a, 'a> {
        Changeover {
            target: "Admin",
            limit,
            others: vec![FULL_AWS_ACCESS; others],
            attached: old
                .iter()
                .map(|(name, policy)| (*name, Some(policy)))
                .collect(),
            wanted: new.iter().map(|(name, policy)| (*name, policy)).collect(),
        }
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
            let steps = changeover(limit, others, &was, &will_be).steps();
            let side_by_side: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let Ok(steps) = steps else {
                prop_assert!(side_by_side.len() + others > limit || new.len() + others >= limit);
                return Ok(());
            };
            let said = |by: &Policies| -> BTreeSet<usize> { by.values().flatten().copied().collect() };
            let both: BTreeSet<usize> = said(&old).intersection(&said(&new)).copied().collect();
            let mut attached = old.clone();
            for step in steps {
                match step {
                    Step::Attach(policy) => {
                        let is_new = attached.insert(policy.to_owned(), new[policy].clone()).is_none();
                        prop_assert!(is_new);
                    }
                    Step::Detach { policy, beside } => {
                        prop_assert!(beside.iter().all(|name| attached.contains_key(*name)));
                        prop_assert!(attached.remove(policy).is_some());
                    }
                }
                prop_assert!(attached.len() + others <= limit);
                let now = said(&attached);
                prop_assert!(both.is_subset(&now), "{both:?} of {now:?}");
            }
            prop_assert_eq!(attached, new);
        }
    }

    fn sentences(changeover: &Changeover<'_, '_>) -> Vec<String> {
        let steps = changeover.steps().unwrap();
        steps
            .into_iter()
            .map(|step| match step {
                Step::Attach(policy) => format!("+{policy}"),
                Step::Detach { policy, .. } => format!("-{policy}"),
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
            assert_eq!(sentences(&changeover), steps, "{limit} {others}");
        }
    }

    #[test]
    fn what_nobody_understands_goes_last() {
        let (a, b) = (denies(&[1]), denies(&[2]));
        let wanted = BTreeMap::from([("new-1", a.clone()), ("new-2", b)]);
        let old = BTreeMap::from([("old-a", a)]);
        let mut changeover = changeover(4, 1, &old, &wanted);
        changeover.attached.insert("old-strange", None);
        let refused = changeover.steps().unwrap_err();
        assert!(matches!(refused, NoRoom::Crowded { .. }), "{refused}");
        changeover.limit = 5;
        assert_eq!(
            sentences(&changeover),
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
            let told = changeover(10, others, &none, &new).steps().err();
            let told = told.map(|error| error.to_string());
            match (told, says) {
                (None, None) => {}
                (Some(told), Some(says)) => assert!(told.starts_with(says), "{told}"),
                other => panic!("{others}: {other:?}"),
            }
        }
        let old = BTreeMap::from([("old-1", b), ("old-2", denies(&[3, 4]))]);
        let new = BTreeMap::from([("new-1", denies(&[1, 3])), ("new-2", denies(&[2, 4]))]);
        let told = changeover(4, 1, &old, &new).steps().unwrap_err();
        let says = "Admin: 4 of 4 attachments, 3 ours and 1 others (FullAWSAccess); 0 free. To change Landfall's over without a gap \
                    takes 1 more free";
        assert!(told.to_string().starts_with(says), "{told}");
    }
}
