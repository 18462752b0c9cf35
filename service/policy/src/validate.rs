//! What each kind of policy may say. AWS refuses the rest when the policy is put in place.

use std::collections::BTreeSet;

use crate::principal::account_named;
use crate::statement::{Effect, Statement};
use crate::{Policy, PolicyError, PrincipalElement, PrincipalType};

/// What a document is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Attached to a user, group or role.
    Identity,
    /// Attached to a resource such as a bucket or a key.
    Resource,
    /// A role's trust policy.
    Trust,
    /// A service control policy of Organizations.
    ServiceControl,
    /// A resource control policy of Organizations.
    ResourceControl,
    /// The `Policy` of `AssumeRole` and its like.
    Session,
    /// A permissions boundary.
    Boundary,
}

impl Kind {
    fn describe(self) -> &'static str {
        match self {
            Kind::Identity => "an identity policy",
            Kind::Resource => "a resource's policy",
            Kind::Trust => "a trust policy",
            Kind::ServiceControl => "an SCP",
            Kind::ResourceControl => "an RCP",
            Kind::Session => "a session policy",
            Kind::Boundary => "a permissions boundary",
        }
    }
}

impl Policy {
    /// Whether the document may be used as `kind`.
    ///
    /// # Errors
    ///
    /// The first of its [`problems`](Self::problems).
    pub fn validate(&self, kind: Kind) -> Result<(), PolicyError> {
        self.problems(kind).into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything that keeps the document from being used as `kind`, in the order of the document.
    pub fn problems(&self, kind: Kind) -> Vec<PolicyError> {
        let mut problems = Vec::new();
        let mut sids = BTreeSet::new();
        if self.id().is_some() && matches!(kind, Kind::Identity | Kind::Session | Kind::Boundary) {
            let problem = format!("{} has no Id: leave this out", kind.describe());
            problems.push(PolicyError::new("/Id", problem));
        }
        for (index, statement) in self.statements().iter().enumerate() {
            let mut check = Check {
                statement,
                kind,
                pointer: format!("/Statement/{index}"),
                problems: &mut problems,
            };
            check.sid(&mut sids);
            check.effect();
            check.principal();
            check.actions();
            check.resources();
            check.conditions();
        }
        problems
    }
}

struct Check<'s, 'p> {
    statement: &'s Statement,
    kind: Kind,
    pointer: String,
    problems: &'p mut Vec<PolicyError>,
}

impl<'s> Check<'s, '_> {
    fn problem(&mut self, element: &str, problem: String) {
        let pointer = if element.is_empty() {
            self.pointer.clone()
        } else {
            format!("{}/{element}", self.pointer)
        };
        self.problems.push(PolicyError { pointer, problem });
    }

    /// Sids are letters and digits in IAM and Organizations; services are freer with those of their resources.
    fn sid(&mut self, seen: &mut BTreeSet<&'s str>) {
        let Some(sid) = self.statement.sid() else {
            return;
        };
        if !sid.is_empty() && !seen.insert(sid) {
            self.problem(
                "Sid",
                format!("`{sid}` stands twice: give each statement its own"),
            );
        }
        if self.kind != Kind::Resource && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            self.problem(
                "Sid",
                format!("`{sid}` has other characters than A-Z, a-z and 0-9: leave them out"),
            );
        }
    }

    fn effect(&mut self) {
        if self.kind == Kind::ResourceControl && self.statement.effect() == Effect::Allow {
            self.problem("Effect", "an RCP cannot allow: write `Deny`".to_owned());
        }
    }

    fn principal(&mut self) {
        let kind = self.kind;
        let name = |element: &PrincipalElement| {
            if element.is_inverted() {
                "NotPrincipal"
            } else {
                "Principal"
            }
        };
        match (kind, self.statement.principal()) {
            (Kind::Identity | Kind::ServiceControl | Kind::Session | Kind::Boundary, None) => {}
            (
                Kind::Identity | Kind::ServiceControl | Kind::Session | Kind::Boundary,
                Some(element),
            ) => {
                self.problem(
                    name(element),
                    format!("{} names no principal: leave this out", kind.describe()),
                );
            }
            (Kind::Resource | Kind::Trust | Kind::ResourceControl, None) => {
                self.problem(
                    "",
                    format!("{} must say for whom: write Principal", kind.describe()),
                );
            }
            (Kind::ResourceControl, Some(element))
                if element.is_inverted() || !element.is_everyone() =>
            {
                self.problem(
                    name(element),
                    "an RCP is for everyone: write `\"Principal\": \"*\"`, and conditions"
                        .to_owned(),
                );
            }
            (Kind::Trust, Some(element)) if element.is_inverted() => {
                self.problem(
                    "NotPrincipal",
                    "a trust policy cannot have NotPrincipal: write Principal".to_owned(),
                );
            }
            (Kind::Resource | Kind::Trust | Kind::ResourceControl, Some(element)) => {
                if element.is_inverted() && self.statement.effect() == Effect::Allow {
                    self.problem(
                        "NotPrincipal",
                        "this would allow everyone else: write Principal".to_owned(),
                    );
                }
                for (sort, text) in element.names() {
                    if sort == PrincipalType::Aws && !names_principal(text) {
                        let pointer = format!("{}/AWS", name(element));
                        self.problem(&pointer, format!("`{text}` names nobody: write `*`, an account id, or the whole ARN of a user or role"));
                    }
                }
            }
        }
    }

    fn actions(&mut self) {
        let actions = self.statement.actions();
        let name = if actions.is_inverted() {
            "NotAction"
        } else {
            "Action"
        };
        if self.kind == Kind::ResourceControl && actions.is_inverted() {
            self.problem(
                name,
                "an RCP cannot have NotAction: write Action".to_owned(),
            );
        }
        for action in actions.patterns() {
            let action = action.as_str();
            if !is_action(action) {
                self.problem(
                    name,
                    format!("`{action}` is no action: write `service:Operation`, or `*` for all"),
                );
            } else if self.kind == Kind::Trust
                && !action.to_ascii_lowercase().starts_with("sts:")
                && action != "*"
            {
                self.problem(name, format!("a trust policy speaks of assuming the role, not of `{action}`: write `sts:AssumeRole`"));
            } else if self.kind == Kind::ResourceControl && action == "*" {
                self.problem(
                    name,
                    "an RCP names its services: write `s3:*` and the like".to_owned(),
                );
            }
        }
    }

    fn resources(&mut self) {
        let kind = self.kind;
        let Some(resources) = self.statement.resources() else {
            // Some services leave it out of their resources' policies, and a role is its own resource.
            if !matches!(kind, Kind::Resource | Kind::Trust) {
                self.problem(
                    "",
                    format!("{} must say on what: write Resource", kind.describe()),
                );
            }
            return;
        };
        let name = if resources.is_inverted() {
            "NotResource"
        } else {
            "Resource"
        };
        if kind == Kind::Trust {
            self.problem(
                name,
                "a trust policy has its role for resource: leave this out".to_owned(),
            );
        }
        // Some services have names of their own for what lies within their resources.
        if kind == Kind::Resource {
            return;
        }
        // AWS completes ARNs of fewer than six parts in policies of identities and in no others.
        let completes = matches!(kind, Kind::Identity | Kind::Boundary);
        for resource in resources.patterns() {
            let text = resource.as_str();
            if text != "*" && !text.starts_with("arn:") {
                self.problem(name, format!("`{text}` is no ARN: write one such as `arn:aws:s3:::bucket/*`, or `*` for all"));
            } else if text != "*"
                && !completes
                && !text.ends_with('*')
                && text.splitn(6, ':').count() < 6
            {
                self.problem(name, format!("`{text}` has fewer than the six parts of an ARN: write `{text}:*` for all that begin so"));
            }
        }
    }

    /// Names of condition keys ignore case, so two of them can be one.
    fn conditions(&mut self) {
        let conditions = self.statement.conditions();
        for (index, condition) in conditions.iter().enumerate() {
            let earlier = conditions.get(..index).unwrap_or_default().iter();
            let same = earlier
                .filter(|earlier| earlier.operator() == condition.operator())
                .find(|earlier| earlier.key().eq_ignore_ascii_case(condition.key()));
            if let Some(same) = same {
                let key = condition.key().replace('~', "~0").replace('/', "~1");
                self.problem(
                    &format!("Condition/{}/{key}", condition.operator()),
                    format!(
                        "this is the same key as `{}`: write its values in one list",
                        same.key()
                    ),
                );
            }
        }
    }
}

fn is_action(text: &str) -> bool {
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    text == "*"
        || text.split_once(':').is_some_and(|(service, operation)| {
            (service == "*" || plain(service, b"-")) && plain(operation, b"*?_-")
        })
}

/// An `AWS` principal: `*`, an account, a unique id, or a whole ARN. Wildcards within are not allowed by AWS.
fn names_principal(text: &str) -> bool {
    text == "*"
        || account_named(text).is_some()
        || (text.starts_with("arn:")
            && !text.contains(['*', '?'])
            && text.splitn(6, ':').count() == 6)
        || (text.len() >= 16
            && text.starts_with('A')
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}
