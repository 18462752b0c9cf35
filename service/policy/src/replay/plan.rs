//! What is done with all events of one name in one place: the statements that speak of their actions, and the condition keys that
//! those ask for.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::action::Asked;
use super::classes::Classes;
use super::facts::{self, Key, Known, Surroundings};
use super::place::{Place, Settled};
use super::principal::Principal;
use super::record::Record;
use super::report::{Change, Group};
use super::resource::{self, Reached};
use crate::attached::Levels;
use crate::partial::{Concerned, Denier, Judgement, Knowledge};
use crate::{Cause, glob};

/// What is to be done about an event.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// It asks for nothing.
    Nothing,
    /// Nobody knows what it asks for.
    Unknown,
    /// Old and new policies say the same of its actions.
    Unchanged,
    /// It depends on the record.
    Judge(Arc<Plan>),
}

#[derive(Debug)]
pub(super) struct Plan {
    number: String,
    /// All that the call needs.
    pub(super) actions: Vec<String>,
    /// Those statements that speak of each action.
    before: Vec<Concerned>,
    after: Vec<Concerned>,
    /// What they ask for, in lower case.
    keys: Vec<(String, Key)>,
    /// Whether one of them is for some resources alone.
    resource: bool,
}

/// What the policies change for a call, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) change: Change,
    pub(super) causes: Vec<Cause>,
    pub(super) unless: Vec<String>,
}

impl Step {
    /// `number` tells plans apart.
    pub(super) fn of(place: &Place, asked: Asked, number: usize) -> Self {
        let actions = match asked {
            Asked::Actions(actions) => actions,
            Asked::Nothing => return Step::Nothing,
            Asked::Unknown => return Step::Unknown,
        };
        let (old, new) = (&place.before, &place.after);
        let concerned = |levels: &Levels| -> Vec<Concerned> {
            let folded = actions.iter().map(|action| glob::fold(action));
            folded
                .map(|action| Concerned::by(levels, &action))
                .collect()
        };
        let (before, after) = (concerned(old), concerned(new));
        let mut pairs = before.iter().zip(&after);
        if pairs.all(|(before, after)| before.says_the_same(old, after, new)) {
            return Step::Unchanged;
        }
        let both = || {
            let before = before.iter().map(|concerned| (concerned, old));
            before.chain(after.iter().map(|concerned| (concerned, new)))
        };
        let asked: BTreeSet<String> = both()
            .flat_map(|(concerned, levels)| concerned.asks(levels))
            .collect();
        let keys = asked.into_iter().map(|name| {
            let key = Key::of(&name, &actions);
            (name, key)
        });
        Step::Judge(Arc::new(Plan {
            number: number.to_string(),
            keys: keys.filter(|(_, key)| *key != Key::Never).collect(),
            resource: both().any(|(concerned, levels)| concerned.ask_resource(levels)),
            actions,
            before,
            after,
        }))
    }
}

impl Plan {
    /// What is known of the keys of this plan, in their order.
    pub(super) fn facts<'r>(
        &self,
        record: &'r Record<'r>,
        principal: &'r Principal<'r>,
        around: Surroundings<'r>,
    ) -> Vec<Known<'r>> {
        let keys = self.keys.iter();
        keys.map(|(_, key)| facts::known(key, record, principal, around))
            .collect()
    }

    /// Writes what the verdict depends on, but for the resource.
    pub(super) fn write_key(&self, key: &mut String, facts: &[Known<'_>], classes: &mut Classes) {
        write(key, &[&self.number]);
        for ((name, _), fact) in self.keys.iter().zip(facts) {
            match fact {
                Known::Value(value) => {
                    classes.class(name, value, |class| write(key, &["=", class]))
                }
                Known::Absent => write(key, &["-"]),
                Known::Unknown => write(key, &["?"]),
            }
        }
    }

    /// Writes what the record tells of the resource, if the verdict depends on that.
    pub(super) fn write_resource(
        &self,
        key: &mut String,
        record: &Record<'_>,
        principal: &Principal<'_>,
    ) {
        if !self.resource {
            return;
        }
        let parameters = &record.parameters;
        let named = [
            &parameters.bucket,
            &parameters.key,
            &parameters.role,
            &parameters.name,
            &parameters.trail,
        ];
        let region = record.region().unwrap_or_default();
        write(
            key,
            &[principal.account, region, resource::partition(record)],
        );
        named.iter().for_each(|text| write(key, &[&text.0]));
        let listed = record.resources.0.iter();
        listed.for_each(|resource| write(key, &[&resource.arn.0]));
    }

    /// What the policies change for the call.
    pub(super) fn judge(
        &self,
        place: &Place,
        settled: &Settled,
        facts: Vec<Known<'_>>,
        record: &Record<'_>,
        principal: &Principal<'_>,
    ) -> Option<Finding> {
        let mut knowledge = Knowledge::default();
        for ((name, _), fact) in self.keys.iter().zip(facts) {
            match fact {
                Known::Value(value) => knowledge.context.set(name, Cow::into_owned(value)),
                Known::Absent => {}
                Known::Unknown => {
                    knowledge.unknown.insert(name.clone());
                }
            }
        }
        let reached: Vec<_> = self
            .actions
            .iter()
            .map(|action| resource::reached(record, action, principal.account))
            .collect();
        let judge = |concerned: &[Concerned], levels: &Levels, settled: &dyn Fn(Denier) -> bool| {
            let mut all = Judgement::Allowed;
            for (concerned, reached) in concerned.iter().zip(&reached) {
                for Reached { shapes, surely } in reached {
                    let one = concerned.judge(levels, &knowledge, shapes, settled);
                    all = all.and(if *surely {
                        one
                    } else {
                        one.if_reached(settled)
                    });
                }
            }
            all
        };
        let cause = |denier: Denier, levels: &Levels| match denier {
            Denier::Statement(at) => Cause::statement(levels, at),
            Denier::Level(level) => Cause::NoAllow { level },
        };
        let old = match judge(&self.before, &place.before, &|_| false) {
            Judgement::Denied(denier) => Some(cause(denier, &place.before)),
            // It went through: what was in doubt did not deny it.
            Judgement::Allowed | Judgement::Uncertain(_) => None,
        };
        // Where the old policies deny it they were not in force, and nothing follows from them.
        let new = judge(&self.after, &place.after, &|denier| {
            old.is_none() && settled.holds(denier)
        });
        let (change, causes, unless) = match (old, new) {
            (None, Judgement::Allowed) | (Some(_), Judgement::Denied(_)) => return None,
            (None, Judgement::Denied(denier)) => {
                let causes = vec![cause(denier, &place.after)];
                (Change::Denied, causes, BTreeSet::new())
            }
            (None, Judgement::Uncertain(doubts)) => {
                let causes: BTreeSet<Cause> = doubts
                    .iter()
                    .map(|(denier, _)| cause(*denier, &place.after))
                    .collect();
                let keys = doubts.into_iter().flat_map(|(_, keys)| keys).collect();
                (Change::Uncertain, causes.into_iter().collect(), keys)
            }
            (Some(old), Judgement::Allowed) => (Change::Allowed, vec![old], BTreeSet::new()),
            (Some(old), Judgement::Uncertain(doubts)) => {
                let keys = doubts.into_iter().flat_map(|(_, keys)| keys).collect();
                (Change::MayBeAllowed, vec![old], keys)
            }
        };
        Some(Finding {
            change,
            causes,
            unless: unless.into_iter().collect(),
        })
    }
}

impl Group {
    /// Counts one call more.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        self.count += 1;
        let id = record.id.0.as_ref();
        let time = record.time().unwrap_or_default();
        let earlier = match (self.first.as_str(), time) {
            _ if self.count == 1 => true,
            ("", "") => id < self.example.as_str(),
            (_, "") => false,
            ("", _) => true,
            (first, time) => (time, id) < (first, self.example.as_str()),
        };
        if earlier {
            time.clone_into(&mut self.first);
            id.clone_into(&mut self.example);
        }
        if time > self.last.as_str() {
            time.clone_into(&mut self.last);
        }
    }

    /// What tells it from other groups.
    pub(super) fn identity(&self) -> impl Ord + '_ {
        (
            (&self.account, &self.principal, &self.actions, &self.region),
            (&self.causes, &self.unless),
        )
    }
}

/// Appends texts so that no two lists of them look the same: each with its length.
pub(super) fn write(key: &mut String, texts: &[&str]) {
    for text in texts {
        // A length is written in base 64, the last digit without the bit that says that more follow.
        let mut length = text.len();
        while length >= 64 {
            key.push(char::from((length % 64) as u8 + 64));
            length /= 64;
        }
        key.push(char::from(length as u8));
        key.push_str(text);
    }
}

pub(super) fn write_all(key: &mut String, texts: &[String]) {
    texts.iter().for_each(|text| write(key, &[text]));
}
