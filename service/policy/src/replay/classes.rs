//! Values that policies cannot tell apart.
//!
//! A verdict depends on a value only through the conditions on its key. Of a thousand roles, policies that spare one know two
//! sorts. So verdicts are kept for sorts of values rather than for values, and there are few of them.

use std::collections::{HashMap, HashSet};

use super::KEPT;
use super::place::Place;
use crate::attached::statements;
use crate::variables::Template;
use crate::{Condition, Context, Selection};

/// The classes of the values of each condition key.
#[derive(Debug, Default)]
pub(super) struct Classes(HashMap<String, OfKey>);

#[derive(Debug, Default)]
struct OfKey {
    /// All different conditions on the key.
    conditions: Vec<Condition>,
    /// Whether the value itself goes into a pattern, so that no two are alike.
    verbatim: bool,
    seen: HashMap<String, usize>,
    /// By which conditions hold.
    numbers: HashMap<Vec<bool>, usize>,
}

impl Classes {
    /// Of all that these places ask for.
    pub(super) fn of<'p>(places: impl Iterator<Item = &'p Place>) -> Self {
        let mut classes: HashMap<String, OfKey> = HashMap::new();
        let mut variables = HashSet::new();
        for place in places {
            let all = statements(&place.before).chain(statements(&place.after));
            for (_, statement) in all {
                let resources = statement.resources().into_iter();
                let templates = resources.flat_map(Selection::patterns);
                variables.extend(templates.flat_map(Template::variables).map(str::to_owned));
                for condition in statement.conditions() {
                    let mut asks = condition.asks();
                    let Some(key) = asks.next() else { continue };
                    let mut varies = false;
                    for variable in asks {
                        variables.insert(variable.to_owned());
                        varies = true;
                    }
                    let class = classes.entry(key.to_owned()).or_default();
                    class.verbatim |= varies;
                    if !class.conditions.contains(condition) {
                        class.conditions.push(condition.clone());
                    }
                }
            }
        }
        for key in variables {
            classes.entry(key).or_default().verbatim = true;
        }
        Classes(classes)
    }

    /// Calls `write` with what stands for the value of a key.
    pub(super) fn class(&mut self, key: &str, value: &str, write: impl FnOnce(&str)) {
        match self.0.get_mut(key) {
            Some(of_key) if !of_key.verbatim => write(&of_key.number(key, value).to_string()),
            _ => write(value),
        }
    }
}

impl OfKey {
    fn number(&mut self, key: &str, value: &str) -> usize {
        if let Some(number) = self.seen.get(value) {
            return *number;
        }
        let context = Context::new().with(key, value);
        let held = self.conditions.iter();
        let held = held.map(|condition| condition.holds(&context)).collect();
        let next = self.numbers.len();
        let number = *self.numbers.entry(held).or_insert(next);
        if self.seen.len() >= KEPT {
            self.seen.clear();
        }
        self.seen.insert(value.to_owned(), number);
        number
    }
}
