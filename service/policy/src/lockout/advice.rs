//! What to write so that a statement spares a role.

use crate::{Condition, Statement};

const KEY: &str = "aws:PrincipalArn";

/// For a level on which nothing allows the action.
pub(super) fn to_allow(action: &str, level: usize) -> String {
    format!("attach FullAWSAccess at level {level}, or a policy that allows {action} there")
}

/// For a statement that denies something to the role with this ARN, which has `*` for the account.
pub(super) fn to_spare(role: &str, statement: &Statement) -> String {
    let on_principal = |condition: &&Condition| condition.key().eq_ignore_ascii_case(KEY);
    let mut conditions = statement.conditions().iter().filter(on_principal);
    let Some(condition) = conditions.next() else {
        return format!("add `\"ArnNotLike\": {{\"{KEY}\": \"{role}\"}}` to its Condition");
    };
    let operator = condition.operator();
    let values = condition.values();
    let listed = values.join("`, `");
    if !condition.is_negated() {
        return format!(
            "its `{operator}` on {KEY} covers the role with `{listed}`: name others, or write a statement of its own with \
             `ArnNotLike` and `{role}`"
        );
    }
    if condition.base() == "StringNotEquals" && values.iter().any(|value| value.contains('*')) {
        return format!("`{operator}` takes no wildcards: write `ArnNotLike`, with `{role}`");
    }
    if values.iter().any(|value| value == role) {
        return format!(
            "its `{operator}` on {KEY} has `{role}` and does not spare it: write `ArnNotLike`"
        );
    }
    format!("its `{operator}` on {KEY} spares `{listed}` alone: write `{role}` there")
}
