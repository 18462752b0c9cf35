//! What one policy says about one request.

use crate::glob;
use crate::statement::Effect;
use crate::{Context, Policy, PrincipalView, Reach};

/// Somebody wants to do something to something.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a PrincipalView,
    /// `service:Operation`; case does not count.
    pub action: &'a str,
    /// The ARN, or `*` for an action that has no resource.
    pub resource: &'a str,
    /// The condition keys, those of the principal included ([`Context::of`]).
    pub context: &'a Context,
}

/// What one policy says about one request. The numbers are indexes into [`Policy::statements`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it. Of several, the one that names the principal most directly.
    Allow { statement: usize, reach: Reach },
    /// This statement denies it, whatever others say.
    Deny { statement: usize },
    /// No statement covers it, which denies it unless another policy allows it.
    Silent,
}

impl Policy {
    /// What this document alone says about the request.
    pub fn evaluate(&self, request: &Request<'_>) -> Verdict {
        self.evaluate_for(request, &glob::fold(request.action), false)
    }

    /// [`evaluate`](Self::evaluate) with the request's action folded. `bounded`: whether the principal has a permissions
    /// boundary.
    pub(crate) fn evaluate_for(
        &self,
        request: &Request<'_>,
        action: &str,
        bounded: bool,
    ) -> Verdict {
        let mut verdict = Verdict::Silent;
        for (index, statement) in self.statements().iter().enumerate() {
            let Some(covered) = statement.covers(request, action, bounded) else {
                continue;
            };
            if statement.unmet(request.context).is_some() {
                continue;
            }
            match (statement.effect(), verdict) {
                (Effect::Deny, _) => return Verdict::Deny { statement: index },
                (Effect::Allow, Verdict::Allow { reach, .. }) if reach >= covered => {}
                (Effect::Allow, _) => {
                    verdict = Verdict::Allow {
                        statement: index,
                        reach: covered,
                    };
                }
            }
        }
        verdict
    }

    /// Whether this document alone allows the request.
    pub fn allows(&self, request: &Request<'_>) -> bool {
        matches!(self.evaluate(request), Verdict::Allow { .. })
    }
}
