//! What policies say in the smallest parts, to tell whether all of it still stands while one takes another's place.

use super::{Origin, draft::Draft};
use crate::{Policy, Statement, cover};

/// One action on one resource, where a statement lists them; its other elements as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Part(Statement);

/// The parts of a policy. Together they say what it says.
pub fn parts(policy: &Policy) -> Vec<Part> {
    let drafts = policy.statements().iter().enumerate();
    drafts
        .flat_map(|(index, statement)| {
            let origin = Origin {
                source: String::new(),
                statement: index,
                sid: None,
            };
            Draft::of(statement, origin).parts()
        })
        .map(|draft| Part(draft.statement()))
        .collect()
}

impl Part {
    /// Whether a statement of the policy surely says it too. *No* may only mean that it could not be shown.
    pub fn stands_in(&self, policy: &Policy) -> bool {
        let statements = policy.statements();
        statements
            .iter()
            .any(|statement| cover::statement(statement, &self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::parts;
    use crate::Policy;

    fn policy(statement: &str) -> Policy {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        Policy::parse(&text).unwrap()
    }

    #[test]
    fn parts_stand_in_what_says_as_much() {
        let two = policy(
            r#"{"Effect":"Deny","Action":["s3:Get*","s3:PutObject"],"Resource":["arn:aws:s3:::a","arn:aws:s3:::b"]}"#,
        );
        let parts = parts(&two);
        assert_eq!(parts.len(), 4);
        for (statement, standing) in [
            (r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#, 4),
            (
                r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}"#,
                0,
            ),
            (
                r#"{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::a"}"#,
                1,
            ),
            (
                r#"{"Effect":"Deny","NotAction":"iam:*","Resource":"arn:aws:s3:::b"}"#,
                2,
            ),
            (r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, 0),
        ] {
            let by = policy(statement);
            let found = parts.iter().filter(|part| part.stands_in(&by)).count();
            assert_eq!(found, standing, "{statement}");
        }
    }
}
