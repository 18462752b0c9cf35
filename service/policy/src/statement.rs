//! One statement of a policy.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::condition::Condition;
use crate::element::Element;
use crate::evaluate::Request;
use crate::glob::Glob;
use crate::principal::{PrincipalElement, Reach};
use crate::variables::Template;
use crate::{Context, PolicyError};

/// What a statement does with the requests it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

impl Effect {
    /// The word in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        }
    }
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection<T> {
    /// What fits one of these.
    Only(Vec<T>),
    /// What fits none of these.
    AllBut(Vec<T>),
}

impl<T> Selection<T> {
    /// The patterns, of either sort.
    pub fn patterns(&self) -> &[T] {
        match self {
            Selection::Only(patterns) | Selection::AllBut(patterns) => patterns,
        }
    }

    /// Whether this is the `Not…` element.
    pub fn is_inverted(&self) -> bool {
        matches!(self, Selection::AllBut(_))
    }

    fn covers(&self, mut fits: impl FnMut(&T) -> bool) -> bool {
        match self {
            Selection::Only(patterns) => patterns.iter().any(&mut fits),
            Selection::AllBut(patterns) => !patterns.iter().any(&mut fits),
        }
    }
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    sid: Option<String>,
    effect: Effect,
    principal: Option<PrincipalElement>,
    actions: Selection<Glob>,
    resources: Option<Selection<Template>>,
    conditions: Vec<Condition>,
}

impl Statement {
    /// `variables`: whether the document's version has policy variables.
    pub(crate) fn parse(element: &Element<'_>, variables: bool) -> Result<Self, PolicyError> {
        let mut sid = None;
        let mut effect = None;
        let mut principal = None;
        let mut actions = None;
        let mut resources = None;
        let mut conditions = Vec::new();
        let fields = element.fields("a statement")?;
        // AWS completes ARNs in policies of principals, not in those of resources.
        let complete = !fields
            .iter()
            .any(|(name, _)| matches!(*name, "Principal" | "NotPrincipal"));
        for (name, element) in fields {
            match name {
                "Sid" => sid = Some(element.text()?.to_owned()),
                "Effect" => {
                    effect = Some(match element.text()? {
                        "Allow" => Effect::Allow,
                        "Deny" => Effect::Deny,
                        other => {
                            return Err(element.error(format!(
                                "`{other}` is no effect: write `Allow` or `Deny`"
                            )));
                        }
                    });
                }
                "Principal" | "NotPrincipal" => {
                    once(&principal, &element, "Principal")?;
                    principal = Some(PrincipalElement::parse(&element, name == "NotPrincipal")?);
                }
                "Action" | "NotAction" => {
                    once(&actions, &element, "Action")?;
                    let globs = patterns(&element, |text| Ok(Glob::new(text)))?;
                    actions = Some(select(globs, name == "NotAction"));
                }
                "Resource" | "NotResource" => {
                    once(&resources, &element, "Resource")?;
                    let templates = patterns(&element, |text| {
                        Template::compile_resource(text, variables, complete)
                    })?;
                    resources = Some(select(templates, name == "NotResource"));
                }
                "Condition" => conditions = Condition::parse_all(&element, variables)?,
                _ => {
                    return Err(element.error(format!(
                        "`{name}` is no element of a statement: write Sid, Effect, Principal, Action, Resource or Condition"
                    )));
                }
            }
        }
        Ok(Statement {
            sid,
            effect: effect
                .ok_or_else(|| element.error("Effect is missing: write `Allow` or `Deny`"))?,
            principal,
            actions: actions
                .ok_or_else(|| element.error("Action is missing: write `Action` or `NotAction`"))?,
            resources,
            conditions,
        })
    }

    /// A statement without Sid, principal and conditions.
    pub(crate) fn plain(effect: Effect, actions: Vec<Glob>, resources: Vec<Template>) -> Self {
        Statement {
            sid: None,
            effect,
            principal: None,
            actions: Selection::Only(actions),
            resources: Some(Selection::Only(resources)),
            conditions: Vec::new(),
        }
    }

    /// The statement's name, where it has one.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Whether it allows or denies.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// `Principal` or `NotPrincipal`. `None` in policies that are attached to a principal.
    pub fn principal(&self) -> Option<&PrincipalElement> {
        self.principal.as_ref()
    }

    /// `Action` or `NotAction`.
    pub fn actions(&self) -> &Selection<Glob> {
        &self.actions
    }

    /// `Resource` or `NotResource`. `None` in trust policies: the role is the resource.
    pub fn resources(&self) -> Option<&Selection<Template>> {
        self.resources.as_ref()
    }

    /// What the request must meet besides: all of it.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether it is for this action, in lowercase letters, among others.
    pub fn speaks_of(&self, action: &str) -> bool {
        self.actions
            .covers(|pattern| pattern.matches_folded(action))
    }

    /// Whether the statement speaks of this request, conditions aside, and how directly it names the principal.
    /// `action` is the request's, folded.
    /// `bounded`: whether the principal has a permissions boundary.
    pub(crate) fn covers(
        &self,
        request: &Request<'_>,
        action: &str,
        bounded: bool,
    ) -> Option<Reach> {
        if !self
            .actions
            .covers(|pattern| pattern.matches_folded(action))
        {
            return None;
        }
        let covered = self.resources.as_ref().is_none_or(|resources| {
            resources.covers(|resource| resource.matches(request.resource, request.context))
        });
        if !covered {
            return None;
        }
        match &self.principal {
            None => Some(Reach::Itself),
            // AWS documents that a deny with NotPrincipal spares nobody who has a permissions boundary.
            Some(element) if bounded && element.is_inverted() && self.effect == Effect::Deny => {
                Some(Reach::Itself)
            }
            Some(element) => element.reach(request.principal),
        }
    }

    /// Why the statement does not speak of this request, conditions aside: the name of the first element that does not
    /// cover it.
    pub(crate) fn other(&self, request: &Request<'_>, action: &str, bounded: bool) -> Option<&str> {
        let pick = |inverted, plain, not| if inverted { not } else { plain };
        let actions = &self.actions;
        if !actions.covers(|pattern| pattern.matches_folded(action)) {
            return Some(pick(actions.is_inverted(), "Action", "NotAction"));
        }
        if let Some(resources) = &self.resources
            && !resources.covers(|resource| resource.matches(request.resource, request.context))
        {
            return Some(pick(resources.is_inverted(), "Resource", "NotResource"));
        }
        let inverted = self.principal.as_ref().is_some_and(|p| p.is_inverted());
        match self.covers(request, action, bounded) {
            Some(_) => None,
            None => Some(pick(inverted, "Principal", "NotPrincipal")),
        }
    }

    /// The first condition that the request does not meet.
    pub(crate) fn unmet(&self, context: &Context) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| !condition.holds(context))
    }
}

fn once<T>(earlier: &Option<T>, element: &Element<'_>, name: &str) -> Result<(), PolicyError> {
    match earlier {
        None => Ok(()),
        Some(_) => Err(element.error(format!(
            "{name} and Not{name} exclude each other: write one of them"
        ))),
    }
}

fn select<T>(patterns: Vec<T>, inverted: bool) -> Selection<T> {
    if inverted {
        Selection::AllBut(patterns)
    } else {
        Selection::Only(patterns)
    }
}

fn patterns<T>(
    element: &Element<'_>,
    compile: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, PolicyError> {
    let items = element.items();
    if items.is_empty() {
        return Err(element.error("this list is empty: write at least one, or `*` for all"));
    }
    items
        .iter()
        .map(|item| match item.text()? {
            "" => Err(item.error("this is empty: write a name or `*`")),
            text => compile(text).map_err(|problem| item.error(problem)),
        })
        .collect()
}

/// Strings as a policy writes them: one alone stands without brackets.
pub(crate) struct OneOrMany<I>(pub(crate) I);

impl<'a, I: Iterator<Item = &'a str> + Clone> Serialize for OneOrMany<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut strings = self.0.clone();
        match (strings.next(), strings.next()) {
            (Some(only), None) => serializer.serialize_str(only),
            _ => {
                let mut list = serializer.serialize_seq(None)?;
                for string in self.0.clone() {
                    list.serialize_element(string)?;
                }
                list.end()
            }
        }
    }
}

/// Writes the `Condition` element: conditions with the same operator share its object.
struct ConditionElement<'a>(&'a [Condition]);

impl Serialize for ConditionElement<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for block in self.0.chunk_by(|a, b| a.operator() == b.operator()) {
            if let Some(first) = block.first() {
                map.serialize_entry(first.operator(), &ConditionBlock(block))?;
            }
        }
        map.end()
    }
}

struct ConditionBlock<'a>(&'a [Condition]);

impl Serialize for ConditionBlock<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for condition in self.0 {
            map.serialize_entry(
                condition.key(),
                &OneOrMany(condition.values().iter().map(String::as_str)),
            )?;
        }
        map.end()
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(sid) = &self.sid {
            map.serialize_entry("Sid", sid)?;
        }
        map.serialize_entry("Effect", self.effect.as_str())?;
        if let Some(principal) = &self.principal {
            let name = if principal.is_inverted() {
                "NotPrincipal"
            } else {
                "Principal"
            };
            map.serialize_entry(name, principal)?;
        }
        let name = if self.actions.is_inverted() {
            "NotAction"
        } else {
            "Action"
        };
        map.serialize_entry(
            name,
            &OneOrMany(self.actions.patterns().iter().map(Glob::as_str)),
        )?;
        if let Some(resources) = &self.resources {
            let name = if resources.is_inverted() {
                "NotResource"
            } else {
                "Resource"
            };
            map.serialize_entry(
                name,
                &OneOrMany(resources.patterns().iter().map(Template::as_str)),
            )?;
        }
        if !self.conditions.is_empty() {
            map.serialize_entry("Condition", &ConditionElement(&self.conditions))?;
        }
        map.end()
    }
}
