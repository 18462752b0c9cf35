//! Statements in one form, and what becomes of several.

use std::collections::{BTreeMap, BTreeSet};

use super::Origin;
use crate::cover::{self, Pattern};
use crate::{Condition, Effect, Selection, Statement};

/// A statement whose lists are sorted and hold nothing needless.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    effect: Effect,
    /// As JSON.
    principal: Option<(&'static str, String)>,
    actions: List,
    resources: Option<List>,
    /// By operator, then key.
    conditions: BTreeMap<(String, String), Wanted>,
    origins: BTreeSet<Origin>,
}

/// A list of `Action` or `Resource`, or of their opposites.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct List {
    name: &'static str,
    inverted: bool,
    items: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    values: BTreeSet<String>,
    /// Whether either of two lists of values is the same as both together.
    joins: bool,
}

impl Draft {
    pub(super) fn of(statement: &Statement, origin: Origin) -> Self {
        let list = |plain, not, inverted, items| List {
            name: if inverted { not } else { plain },
            inverted,
            items,
        };
        let actions = statement.actions();
        let principal = statement.principal().map(|principal| {
            let name = if principal.is_inverted() {
                "NotPrincipal"
            } else {
                "Principal"
            };
            let value = serde_json::to_string(principal)
                .expect("strings, lists and string-keyed maps always have a JSON form");
            (name, value)
        });
        Draft {
            effect: statement.effect(),
            principal,
            actions: list(
                "Action",
                "NotAction",
                actions.is_inverted(),
                needed(actions),
            ),
            resources: statement.resources().map(|resources| {
                let inverted = resources.is_inverted();
                list("Resource", "NotResource", inverted, needed(resources))
            }),
            conditions: statement
                .conditions()
                .iter()
                .map(|condition| {
                    let place = (condition.operator().to_owned(), condition.key().to_owned());
                    (place, Wanted::of(condition))
                })
                .collect(),
            origins: BTreeSet::from([origin]),
        }
    }

    pub(super) fn into_origins(self) -> Vec<Origin> {
        self.origins.into_iter().collect()
    }

    /// The statement as it is sent: elements in the order of AWS's grammar, no white space.
    pub(super) fn text(&self) -> String {
        let mut text = format!(r#"{{"Effect":"{}""#, self.effect.as_str());
        let mut put = |name: &str, value: &str| {
            text.push_str(&format!(r#","{name}":{value}"#));
        };
        if let Some((name, principal)) = &self.principal {
            put(name, principal);
        }
        put(self.actions.name, &one_or_many(&self.actions.items));
        if let Some(resources) = &self.resources {
            put(resources.name, &one_or_many(&resources.items));
        }
        let mut blocks: Vec<(&str, Vec<String>)> = Vec::new();
        for ((operator, key), wanted) in &self.conditions {
            let field = format!("{}:{}", quoted(key), one_or_many(&wanted.values));
            match blocks.last_mut() {
                Some((last, fields)) if last == operator => fields.push(field),
                _ => blocks.push((operator, vec![field])),
            }
        }
        if !blocks.is_empty() {
            let blocks: Vec<String> = blocks
                .into_iter()
                .map(|(operator, fields)| format!("{}:{{{}}}", quoted(operator), fields.join(",")))
                .collect();
            put("Condition", &format!("{{{}}}", blocks.join(",")));
        }
        text.push('}');
        text
    }

    pub(super) fn length(&self) -> usize {
        self.text().chars().count()
    }

    /// The statement in parts of at most `room` characters. `None` if no list of it can be cut so far.
    pub(super) fn split(&self, room: usize) -> Option<Vec<Draft>> {
        if self.length() <= room {
            return Some(vec![self.clone()]);
        }
        let mut parts = Vec::new();
        for half in self.halves()? {
            parts.extend(half.split(room)?);
        }
        Some(parts)
    }

    /// The statement in parts of one action and one resource, where it lists them.
    pub(super) fn parts(self) -> Vec<Draft> {
        match self.halves() {
            None => vec![self],
            Some(halves) => halves.into_iter().flat_map(Draft::parts).collect(),
        }
    }

    /// Two statements that say together what this one says. `None` if no list of it can be cut.
    fn halves(&self) -> Option<[Draft; 2]> {
        let cut = |list: &List| (!list.inverted && list.items.len() > 1).then(|| list.halves());
        if let Some((first, second)) = cut(&self.actions) {
            let with = |actions| Draft {
                actions,
                ..self.clone()
            };
            return Some([with(first), with(second)]);
        }
        let (first, second) = cut(self.resources.as_ref()?)?;
        let with = |resources| Draft {
            resources: Some(resources),
            ..self.clone()
        };
        Some([with(first), with(second)])
    }
}

impl List {
    fn halves(&self) -> (List, List) {
        let mut items = self.items.iter().cloned();
        let half = |items: BTreeSet<String>| List {
            name: self.name,
            inverted: self.inverted,
            items,
        };
        let first = items.by_ref().take(self.items.len() / 2).collect();
        (half(first), half(items.collect()))
    }
}

impl Wanted {
    fn of(condition: &Condition) -> Self {
        Wanted {
            values: condition.values().iter().cloned().collect(),
            joins: !condition.is_negated()
                && condition.quantifier() != Some(crate::Quantifier::All),
        }
    }
}

/// Strings as a policy writes them: one alone stands without brackets.
fn one_or_many(items: &BTreeSet<String>) -> String {
    let strings: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    match strings.as_slice() {
        [only] => only.clone(),
        _ => format!("[{}]", strings.join(",")),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("every string has a JSON form")
}

/// The patterns of a list without those that others of it cover.
fn needed<P: Pattern>(selection: &Selection<P>) -> BTreeSet<String> {
    // Of two that say the same the one that comes first in sorting stays.
    let mut patterns: Vec<(String, &P)> = selection
        .patterns()
        .iter()
        .map(|pattern| (pattern.source().to_owned(), pattern))
        .collect();
    patterns.sort_by(|(one, _), (other, _)| one.cmp(other));
    let wide: Vec<(usize, String, &P)> = patterns
        .iter()
        .enumerate()
        .filter(|(_, (text, _))| text.contains(['*', '?']))
        .map(|(index, (_, pattern))| (index, head(&pattern.text()).to_owned(), *pattern))
        .collect();
    let mut seen = BTreeSet::new();
    let mut items = BTreeSet::new();
    for (index, (source, pattern)) in patterns.iter().enumerate() {
        let text = pattern.text();
        let covered = wide.iter().any(|(other, head, outer)| {
            *other != index
                && text.starts_with(head.as_str())
                && cover::pattern(*outer, *pattern)
                && (*other < index || !cover::pattern(*pattern, *outer))
        });
        if !covered && seen.insert(text) {
            items.insert(source.clone());
        }
    }
    items
}

/// What stands before the first wildcard.
fn head(text: &str) -> &str {
    text.find(['*', '?', '$']).map_or(text, |at| &text[..at])
}

/// What two statements must have in common to become one, as text that can be compared: the statement with that part left
/// empty. `None` for a statement whose part cannot be joined with another's.
fn sameness(draft: &Draft, without: Part<'_>) -> Option<String> {
    // The union of two exceptions is what both have in common, which no list can say in general.
    let joins = match without {
        Part::Actions => !draft.actions.inverted,
        Part::Resources => draft.resources.as_ref().is_some_and(|list| !list.inverted),
        Part::Values(place) => draft
            .conditions
            .get(place)
            .is_some_and(|wanted| wanted.joins),
    };
    if !joins {
        return None;
    }
    let mut rest = draft.clone();
    match without {
        Part::Actions => rest.actions.items.clear(),
        Part::Resources => {
            if let Some(resources) = &mut rest.resources {
                resources.items.clear();
            }
        }
        Part::Values(place) => {
            if let Some(wanted) = rest.conditions.get_mut(place) {
                wanted.values.clear();
            }
        }
    }
    Some(rest.text())
}

/// The one list in which statements that become one may differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Actions,
    Resources,
    /// The values of the condition with this operator and key.
    Values(&'a (String, String)),
}

/// As few and as short statements as say the same.
pub(super) fn shorten(mut drafts: Vec<Draft>) -> Vec<Draft> {
    drafts.sort_by_cached_key(|draft| (draft.text(), draft.origins.clone()));
    loop {
        let before = drafts.len();
        drafts = without_covered(drafts);
        drafts = joined(drafts, |draft| sameness(draft, Part::Actions));
        drafts = joined(drafts, |draft| sameness(draft, Part::Resources));
        let places: BTreeSet<(String, String)> = drafts
            .iter()
            .flat_map(|draft| draft.conditions.keys().cloned())
            .collect();
        for place in &places {
            drafts = joined(drafts, |draft| sameness(draft, Part::Values(place)));
        }
        if drafts.len() == before {
            return drafts;
        }
    }
}

/// Makes one statement of all that have the same key. Those without a key stay.
fn joined(drafts: Vec<Draft>, key: impl Fn(&Draft) -> Option<String>) -> Vec<Draft> {
    let mut kept: Vec<Draft> = Vec::with_capacity(drafts.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut grown = BTreeSet::new();
    for draft in drafts {
        let Some(key) = key(&draft) else {
            kept.push(draft);
            continue;
        };
        let place = *places.entry(key).or_insert(kept.len());
        let Some(first) = kept.get_mut(place) else {
            kept.push(draft);
            continue;
        };
        first.actions.items.extend(draft.actions.items);
        if let (Some(ours), Some(theirs)) = (&mut first.resources, draft.resources) {
            ours.items.extend(theirs.items);
        }
        for (at, theirs) in draft.conditions {
            if let Some(ours) = first.conditions.get_mut(&at) {
                ours.values.extend(theirs.values);
            }
        }
        first.origins.extend(draft.origins);
        grown.insert(place);
    }
    for place in grown {
        if let Some(draft) = kept.get_mut(place) {
            *draft = draft.read_again();
        }
    }
    kept
}

impl Draft {
    /// The same without what became needless.
    fn read_again(&self) -> Draft {
        let origin = Origin {
            source: String::new(),
            statement: 0,
            sid: None,
        };
        let mut draft = Draft::of(&self.statement(), origin);
        draft.origins.clone_from(&self.origins);
        draft
    }

    pub(super) fn statement(&self) -> Statement {
        let text = super::FRAME.replace("[]", &format!("[{}]", self.text()));
        let policy =
            crate::Policy::parse(&text).expect("it is put together from statements that parsed");
        let mut statements = policy.into_statements();
        statements.pop().expect("a policy has a statement")
    }
}

/// Leaves out each statement that another covers, and gives its origins to that one.
fn without_covered(drafts: Vec<Draft>) -> Vec<Draft> {
    let statements: Vec<Statement> = drafts.iter().map(Draft::statement).collect();
    let mut left_out: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, (draft, statement)) in drafts.iter().zip(&statements).enumerate() {
        let outer = drafts
            .iter()
            .zip(&statements)
            .enumerate()
            .find(|(other, (wide, outer))| {
                *other != index
                    && !left_out.contains_key(other)
                    && wide.effect == draft.effect
                    && wide.conditions.len() <= draft.conditions.len()
                    && cover::statement(outer, statement)
            });
        if let Some((other, _)) = outer {
            left_out.insert(index, other);
        }
    }
    let mut kept: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    // In ascending order: whatever covers one was still there when that was found out, so if it is left out too, its index is
    // greater, and it hands on what it gets here.
    for (index, outer) in left_out {
        let origins = kept
            .get_mut(index)
            .and_then(Option::take)
            .map(|draft| draft.origins);
        if let Some(Some(outer)) = kept.get_mut(outer) {
            outer.origins.extend(origins.unwrap_or_default());
        }
    }
    kept.into_iter().flatten().collect()
}
