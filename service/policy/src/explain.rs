//! Why a request was decided as it was: what each statement of each layer had to do with it.
//!
//! [`decide()`] names the one layer and statement that settled the matter. This is for people who want to see the rest: which
//! statements allowed it, which would have but for a condition, and which condition keys the request lacks.

use std::fmt;

use crate::decide::reference;
use crate::glob;
use crate::{Decision, Effect, Layer, Layers, PrincipalKind, Request, StatementRef, decide};

/// A decision, and what each statement had to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What [`decide()`] says.
    pub decision: Decision,
    /// Every statement that has a say, by layer in the order of [`Layer`], then as they stand in their policies.
    pub statements: Vec<Trace>,
}

/// One statement, and how it fits the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Where it stands.
    pub layer: Layer,
    /// Which one it is.
    pub statement: StatementRef,
    /// What it does where it applies.
    pub effect: Effect,
    /// Whether it applies.
    pub fit: Fit,
}

/// How a statement fits a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It applies: it allows or denies.
    Applies,
    /// It speaks of something else. The element that says so: `Action`, `NotResource` and so on.
    Elsewhere(String),
    /// It would apply but for these conditions. Never empty.
    Unmet(Vec<Gap>),
}

/// A condition that the request does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// `StringEquals`
    pub operator: String,
    /// The condition key as the statement writes it.
    pub key: String,
    /// What the statement wants.
    pub wanted: Vec<String>,
    /// What the request has; empty if the key is missing.
    pub actual: Vec<String>,
}

/// Decides a request and tells what each statement had to do with it.
pub fn explain(layers: &Layers<'_>, request: &Request<'_>) -> Explanation {
    let action = glob::fold(request.action);
    let principal = request.principal;
    let bound = !principal.is_service_linked();
    let scps = if bound && principal.account().is_some() {
        layers.scps.len()
    } else {
        0
    };
    let rcps = if bound { layers.rcps.len() } else { 0 };
    let bounded = layers.boundary.is_some() && principal.kind() != PrincipalKind::Root;
    let order = (0..scps)
        .map(|level| Layer::Scp { level })
        .chain((0..rcps).map(|level| Layer::Rcp { level }))
        .chain([Layer::Resource])
        .chain(bounded.then_some(Layer::Boundary))
        .chain([Layer::Session, Layer::Identity]);
    let mut statements = Vec::new();
    for layer in order {
        for (index, policy) in layers.policies(layer).into_iter().enumerate() {
            for (number, statement) in policy.statements().iter().enumerate() {
                let fit = match statement.other(request, &action, bounded) {
                    Some(element) => Fit::Elsewhere(element.to_owned()),
                    None => {
                        let unmet = statement.conditions().iter();
                        let gaps: Vec<Gap> = unmet
                            .filter(|condition| !condition.holds(request.context))
                            .map(|condition| Gap {
                                operator: condition.operator().to_owned(),
                                key: condition.key().to_owned(),
                                wanted: condition.values().to_vec(),
                                actual: request.context.get(condition.key()).to_vec(),
                            })
                            .collect();
                        if gaps.is_empty() {
                            Fit::Applies
                        } else {
                            Fit::Unmet(gaps)
                        }
                    }
                };
                statements.push(Trace {
                    layer,
                    statement: reference(policy, index, number),
                    effect: statement.effect(),
                    fit,
                });
            }
        }
    }
    Explanation {
        decision: decide(layers, request),
        statements,
    }
}

impl Explanation {
    /// The statements that apply.
    pub fn applied(&self) -> impl Iterator<Item = &Trace> {
        self.statements
            .iter()
            .filter(|trace| trace.fit == Fit::Applies)
    }

    /// The condition keys that statements ask for and the request lacks, each once. Whoever gave the request by hand may have
    /// forgotten them.
    pub fn missing_keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for trace in &self.statements {
            let Fit::Unmet(gaps) = &trace.fit else {
                continue;
            };
            for gap in gaps.iter().filter(|gap| gap.actual.is_empty()) {
                if !keys.iter().any(|key| key.eq_ignore_ascii_case(&gap.key)) {
                    keys.push(&gap.key);
                }
            }
        }
        keys
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "wants {} {} {}, ",
            self.operator,
            self.key,
            self.wanted.join(" or ")
        )?;
        if self.actual.is_empty() {
            f.write_str("which the request lacks")
        } else {
            write!(f, "and the request has {}", self.actual.join(", "))
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        match &self.fit {
            Fit::Applies => match self.effect {
                Effect::Allow => write!(f, "{} allows it ({})", self.statement, self.layer),
                Effect::Deny => write!(f, "{} denies it ({})", self.statement, self.layer),
            },
            Fit::Elsewhere(element) => {
                let statement = &self.statement;
                write!(
                    f,
                    "{statement} speaks of another {element} ({})",
                    self.layer
                )
            }
            Fit::Unmet(gaps) => {
                write!(f, "{} would {verb} it, but ", self.statement)?;
                for (index, gap) in gaps.iter().enumerate() {
                    let and = if index == 0 { "" } else { ", and " };
                    write!(f, "{and}{gap}")?;
                }
                write!(f, " ({})", self.layer)
            }
        }
    }
}

/// The decision, then a line for each statement that applies or would but for its conditions.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decision {
            Decision::Allowed => f.write_str("allowed")?,
            Decision::Denied(denial) => write!(f, "denied: {denial}")?,
        }
        self.statements
            .iter()
            .filter(|trace| !matches!(trace.fit, Fit::Elsewhere(_)))
            .try_for_each(|trace| write!(f, "\n  {trace}"))
    }
}
