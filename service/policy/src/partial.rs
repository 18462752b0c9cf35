//! Deciding with gaps: what service control policies say about a request of which not everything is known.
//!
//! A condition whose key nobody knows may hold or not, and so may a statement whose resource nobody knows. What depends on
//! neither is certain all the same: a statement that spares the principal does so whatever else it asks for.

use std::collections::BTreeSet;

use crate::attached::{At, Levels, statement, statements};
use crate::catalogue::catalogue;
use crate::variables::Template;
use crate::{Condition, Context, Effect, Selection, Statement, cover};

/// What stands for the resource in the lists of what a decision depends on.
pub(crate) const RESOURCE: &str = "the resource";

/// What is known of a request's condition keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) context: Context,
    /// Keys, in lower case, that the request may have or not. All others that the context lacks are absent.
    pub(crate) unknown: BTreeSet<String>,
}

/// Whether a request for the action may have the condition key, as far as the catalogue knows the action. `key` is in lower
/// case.
pub(crate) fn may_have(action: &str, key: &str) -> bool {
    if key.starts_with("aws:") || catalogue().global(key).is_some() {
        return true;
    }
    let known = action.split_once(':').and_then(|(prefix, name)| {
        let service = catalogue().service(prefix)?;
        Some((service, service.action(name)?))
    });
    known.is_none_or(|(service, action)| service.keys_of(action).any(|known| known.is(key)))
}

/// A resource as far as it is known.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// This one.
    Exact(String),
    /// One of those that fit.
    Like(Template),
    /// One of those that fit, where no wildcard stands for a colon.
    Named(Template),
}

impl Shape {
    /// What fits the pattern; its `*` are wildcards.
    pub(crate) fn like(pattern: &str) -> Self {
        Self::compiled(pattern, Shape::Like)
    }

    /// What fits the pattern; its `*` are wildcards, which stand for no colon.
    pub(crate) fn named(pattern: &str) -> Self {
        Self::compiled(pattern, Shape::Named)
    }

    fn compiled(pattern: &str, shape: fn(Template) -> Self) -> Self {
        match Template::compile_resource(pattern, false, false) {
            Ok(template) => shape(template),
            Err(_) => Shape::Exact(pattern.to_owned()),
        }
    }

    /// Any resource of a service, or none.
    pub(crate) fn anything_of(prefix: &str) -> Vec<Self> {
        let services = catalogue()
            .service(prefix)
            .map_or(&[][..], |service| service.arn_services.as_slice());
        let arns = services
            .iter()
            .map(|service| Shape::like(&format!("arn:*:{service}:*")));
        arns.chain([Shape::Exact("*".to_owned())]).collect()
    }

    fn fits(&self, pattern: &Template, knowledge: &Knowledge) -> Fit {
        if knowledge.lacks_any(pattern.variables()) {
            return Fit::Maybe(BTreeSet::from([RESOURCE.to_owned()]));
        }
        match self {
            Shape::Exact(text) => Fit::of(pattern.matches(text, &knowledge.context)),
            Shape::Like(shape) | Shape::Named(shape) if cover::pattern(pattern, shape) => Fit::Yes,
            Shape::Like(shape) if cover::disjoint(pattern, shape) => Fit::No,
            Shape::Named(shape) if cover::disjoint_from_name(pattern, shape) => Fit::No,
            Shape::Like(_) | Shape::Named(_) => Fit::Maybe(BTreeSet::from([RESOURCE.to_owned()])),
        }
    }
}

/// Whether something applies, and what that depends on where it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    No,
    Maybe(BTreeSet<String>),
    Yes,
}

impl Fit {
    fn of(yes: bool) -> Self {
        if yes { Fit::Yes } else { Fit::No }
    }

    fn not(self) -> Self {
        match self {
            Fit::No => Fit::Yes,
            Fit::Yes => Fit::No,
            maybe => maybe,
        }
    }

    /// Either of them.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Fit::Yes, _) | (_, Fit::Yes) => Fit::Yes,
            (Fit::No, other) | (other, Fit::No) => other,
            (Fit::Maybe(mut one), Fit::Maybe(other)) => {
                one.extend(other);
                Fit::Maybe(one)
            }
        }
    }

    /// Both of them.
    fn and(self, other: Self) -> Self {
        self.not().or(other.not()).not()
    }
}

impl Knowledge {
    fn lacks_any<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> bool {
        !self.unknown.is_empty() && keys.into_iter().any(|key| self.unknown.contains(key))
    }

    fn meets(&self, condition: &Condition) -> Fit {
        let mut unknown = condition
            .asks()
            .filter(|key| self.unknown.contains(*key))
            .map(str::to_owned)
            .peekable();
        if unknown.peek().is_some() {
            Fit::Maybe(unknown.collect())
        } else {
            Fit::of(condition.holds(&self.context))
        }
    }

    /// Whether a statement applies to a resource that has one of these shapes. Its actions fit.
    fn applies(&self, statement: &Statement, shapes: &[Shape]) -> Fit {
        let mut fit = Fit::Yes;
        for condition in statement.conditions() {
            fit = fit.and(self.meets(condition));
            if fit == Fit::No {
                return fit;
            }
        }
        match statement.resources() {
            Some(resources) => fit.and(self.covers(resources, shapes)),
            None => fit,
        }
    }

    fn covers(&self, resources: &Selection<Template>, shapes: &[Shape]) -> Fit {
        let one = |shape: &Shape| {
            let patterns = resources.patterns().iter();
            let fit = patterns.fold(Fit::No, |fit, pattern| fit.or(shape.fits(pattern, self)));
            if resources.is_inverted() {
                fit.not()
            } else {
                fit
            }
        };
        let mut fits = shapes.iter().map(one);
        let first = fits.next().unwrap_or(Fit::No);
        // It is one of the shapes, and nobody knows which.
        fits.fold(first, |fit, next| {
            if fit == next {
                fit
            } else {
                Fit::Maybe(BTreeSet::from([RESOURCE.to_owned()]))
            }
        })
    }
}

/// What policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Allowed,
    /// Each statement that may deny, or level that may not allow, and what that depends on. Never empty.
    Uncertain(Vec<(Denier, BTreeSet<String>)>),
    Denied(Denier),
}

/// What denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denier {
    Statement(At),
    /// No statement of this level allows.
    Level(usize),
}

impl Judgement {
    /// What this comes to for a resource that the call may not have reached at all.
    pub(crate) fn if_reached(self, settled: impl Fn(Denier) -> bool) -> Self {
        match self {
            Judgement::Denied(denier) if settled(denier) => Judgement::Allowed,
            Judgement::Denied(denier) => {
                Judgement::Uncertain(vec![(denier, BTreeSet::from([RESOURCE.to_owned()]))])
            }
            other => other,
        }
    }

    /// What two of which both must be allowed come to.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (denied @ Judgement::Denied(_), _) | (_, denied @ Judgement::Denied(_)) => denied,
            (Judgement::Allowed, other) | (other, Judgement::Allowed) => other,
            (Judgement::Uncertain(mut one), Judgement::Uncertain(other)) => {
                one.extend(other);
                one.sort();
                one.dedup();
                Judgement::Uncertain(one)
            }
        }
    }
}

/// The statements of some levels that speak of one action.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Concerned(Vec<At>);

impl Concerned {
    /// `action` is folded.
    pub(crate) fn by(levels: &Levels, action: &str) -> Self {
        let speak = statements(levels).filter(|(_, statement)| statement.speaks_of(action));
        Concerned(speak.map(|(at, _)| at).collect())
    }

    /// The condition keys, in lower case, that these statements ask for.
    pub(crate) fn asks(&self, levels: &Levels) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for statement in self.0.iter().filter_map(|at| statement(levels, *at)) {
            let conditions = statement.conditions().iter();
            keys.extend(conditions.flat_map(Condition::asks).map(str::to_owned));
            let resources = statement.resources().into_iter();
            let templates = resources.flat_map(Selection::patterns);
            keys.extend(templates.flat_map(Template::variables).map(str::to_owned));
        }
        keys
    }

    /// Whether one of these statements is for some resources alone.
    pub(crate) fn ask_resource(&self, levels: &Levels) -> bool {
        let mut lists = self
            .0
            .iter()
            .filter_map(|at| statement(levels, *at)?.resources());
        lists.any(|resources| {
            resources.is_inverted() || !resources.patterns().iter().any(cover::is_everything)
        })
    }

    /// Whether these statements of `levels` and those `others` of `other_levels` are the same in all but their Sids.
    pub(crate) fn says_the_same(
        &self,
        levels: &Levels,
        others: &Self,
        other_levels: &Levels,
    ) -> bool {
        let same = |one: &At, other: &At| {
            one.level == other.level
                && match (statement(levels, *one), statement(other_levels, *other)) {
                    (Some(one), Some(other)) => {
                        cover::statement(one, other) && cover::statement(other, one)
                    }
                    _ => false,
                }
        };
        let all_in = |ours: &[At], theirs: &[At], swapped: bool| {
            ours.iter().all(|one| {
                let mut theirs = theirs.iter();
                theirs.any(|other| {
                    if swapped {
                        same(other, one)
                    } else {
                        same(one, other)
                    }
                })
            })
        };
        levels.len() == other_levels.len()
            && all_in(&self.0, &others.0, false)
            && all_in(&others.0, &self.0, true)
    }

    /// What these levels say of a resource that has one of the shapes. `settled` says what is known not to deny: it might by
    /// what is known of the request, but did not.
    pub(crate) fn judge(
        &self,
        levels: &Levels,
        knowledge: &Knowledge,
        shapes: &[Shape],
        settled: impl Fn(Denier) -> bool,
    ) -> Judgement {
        let mut allowed = vec![Fit::No; levels.len()];
        let mut doubts = Vec::new();
        for at in &self.0 {
            let Some(statement) = statement(levels, *at) else {
                continue;
            };
            match (statement.effect(), knowledge.applies(statement, shapes)) {
                (_, Fit::No) => {}
                (Effect::Deny, Fit::Yes) => return Judgement::Denied(Denier::Statement(*at)),
                (Effect::Deny, Fit::Maybe(keys)) => doubts.push((Denier::Statement(*at), keys)),
                (Effect::Allow, fit) => {
                    if let Some(level) = allowed.get_mut(at.level) {
                        *level = std::mem::replace(level, Fit::No).or(fit);
                    }
                }
            }
        }
        for (level, fit) in allowed.into_iter().enumerate() {
            match fit {
                Fit::Yes => {}
                Fit::No => return Judgement::Denied(Denier::Level(level)),
                Fit::Maybe(keys) => doubts.push((Denier::Level(level), keys)),
            }
        }
        doubts.retain(|(denier, _)| !settled(*denier));
        if doubts.is_empty() {
            Judgement::Allowed
        } else {
            doubts.sort();
            Judgement::Uncertain(doubts)
        }
    }
}
