//! Statements that do nothing: since nothing can match them, since another says the same, or since SCPs do not bind whom they
//! mean.

use super::{Lint, Place, Severity};
use crate::cover;
use crate::validate::Kind;
use crate::{Condition, Effect, Selection, Statement};

/// What IAM refuses for service-linked roles whatever policies say: their service manages their permissions and trust.
const NEVER_ON_LINKED_ROLES: [&str; 9] = [
    "iam:AttachRolePolicy",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
];

const LINKED: &str = ":role/aws-service-role/";

impl Lint<'_> {
    /// Statements of an SCP that mean service-linked roles or AWS services, which it does not bind.
    pub(super) fn linked_roles(&mut self, place: Place<'_>) {
        if self.kind != Kind::ServiceControl {
            return;
        }
        let statement = place.statement;
        for condition in statement.conditions() {
            let names = ["Condition", condition.operator(), condition.key()];
            let is = |key: &str| condition.key().eq_ignore_ascii_case(key);
            if is("aws:PrincipalArn") {
                for (index, value) in condition.values().iter().enumerate() {
                    if !value.contains(LINKED) {
                        continue;
                    }
                    let pointer = self.pointer(place.index, &names, Some(index));
                    if condition.is_negated() {
                        self.add(
                            ("spares-linked-roles", Severity::Suggestion),
                            pointer,
                            "SCPs do not bind service-linked roles, so they need not be spared",
                            "leave it out",
                        );
                    } else if condition.values().len() == 1 {
                        self.add(
                            ("binds-linked-roles", Severity::Error),
                            pointer,
                            "SCPs do not bind service-linked roles, so the statement has no effect",
                            "leave it out; what such a role may do is its service's to say",
                        );
                    } else {
                        self.add(
                            ("binds-linked-roles", Severity::Warning),
                            pointer,
                            "SCPs do not bind service-linked roles, so this value has no effect",
                            "leave it out",
                        );
                    }
                }
            }
            let services_alone = (is("aws:PrincipalIsAWSService")
                && condition.base() == "Bool"
                && condition
                    .values()
                    .iter()
                    .all(|value| value.eq_ignore_ascii_case("true")))
                || (is("aws:PrincipalServiceName") && !condition.holds(&crate::Context::new()));
            if services_alone && !condition.if_exists() {
                self.add(
                    ("binds-services", Severity::Error),
                    self.pointer(place.index, &names, None),
                    "SCPs bind the principals of accounts and not AWS services, so the statement has no effect",
                    "write a resource control policy for this",
                );
            }
        }
        let (Selection::Only(actions), Some(Selection::Only(resources))) =
            (statement.actions(), statement.resources())
        else {
            return;
        };
        let on_linked = !resources.is_empty()
            && resources
                .iter()
                .all(|resource| resource.as_str().contains(LINKED));
        for (index, action) in actions.iter().enumerate() {
            let vain = NEVER_ON_LINKED_ROLES
                .iter()
                .any(|never| action.as_str().eq_ignore_ascii_case(never));
            if on_linked && vain {
                self.add(
                    ("linked-role-in-vain", Severity::Suggestion),
                    self.pointer(place.index, &["Action"], Some(index)),
                    format!(
                        "IAM refuses `{action}` for service-linked roles whatever policies say"
                    ),
                    "leave it out; `iam:DeleteServiceLinkedRole` is what removes such a role",
                );
            }
        }
    }

    /// Statements that match nothing, and those that others make needless.
    pub(super) fn effects(&mut self) {
        let statements = self.policy.statements();
        for (index, statement) in statements.iter().enumerate() {
            if let Some((element, problem)) = matches_nothing(statement) {
                self.add(
                    ("statement-without-effect", Severity::Error),
                    self.pointer(index, &[element], None),
                    problem,
                    "leave the statement out, or write what it is meant for",
                );
                continue;
            }
            let useful = |other: &Statement| matches_nothing(other).is_none();
            let shadow = statements.iter().enumerate().find(|(other, wide)| {
                *other != index
                    && useful(wide)
                    && cover::statement(wide, statement)
                    && (*other < index || !cover::statement(statement, wide))
            });
            if let Some((other, wide)) = shadow {
                self.add(
                    ("shadowed", Severity::Warning),
                    self.pointer(index, &[], None),
                    format!(
                        "statement {} {} the same for more",
                        name(other, wide),
                        verb(wide)
                    ),
                    "leave this one out",
                );
            }
            let denied = statements.iter().enumerate().find(|(_, deny)| {
                statement.effect() == Effect::Allow
                    && deny.effect() == Effect::Deny
                    && useful(deny)
                    && cover::applies(deny, statement)
            });
            if let Some((other, deny)) = denied {
                self.add(
                    ("allow-without-effect", Severity::Warning),
                    self.pointer(index, &[], None),
                    format!(
                        "statement {} denies all that this one allows",
                        name(other, deny)
                    ),
                    "leave one of them out",
                );
            }
        }
    }
}

fn verb(statement: &Statement) -> &'static str {
    match statement.effect() {
        Effect::Allow => "allows",
        Effect::Deny => "denies",
    }
}

fn name(index: usize, statement: &Statement) -> String {
    match statement.sid() {
        Some(sid) if !sid.is_empty() => format!("`{sid}`"),
        _ => index.to_string(),
    }
}

/// The element that nothing fits, and why.
fn matches_nothing(statement: &Statement) -> Option<(&'static str, String)> {
    if let Selection::AllBut(spared) = statement.actions()
        && spared.iter().any(cover::is_everything)
    {
        return Some((
            "NotAction",
            "NotAction spares every action, so the statement has no effect".to_owned(),
        ));
    }
    if let Some(Selection::AllBut(spared)) = statement.resources()
        && spared.iter().any(cover::is_everything)
    {
        return Some((
            "NotResource",
            "NotResource spares every resource, so the statement has no effect".to_owned(),
        ));
    }
    let unmet = |condition: &&Condition| condition.values().is_empty() && !condition.is_negated();
    statement.conditions().iter().find(unmet).map(|condition| {
        let problem = format!(
            "nothing meets {} {} without values",
            condition.operator(),
            condition.key()
        );
        ("Condition", problem)
    })
}
