//! Tables of decisions: what a service control policy decides, for people to read instead of the policy, and to hold it to.
//!
//! A row names principals, actions, resources and Regions, and what comes of each combination for somebody whose own policies allow
//! everything.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::{Context, Decision, Layers, Policy, PrincipalView, Request, decide};

/// A policy's table, as it stands in a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(default, rename = "decision")]
    pub rows: Vec<Row>,
}

/// One row: many requests that are decided alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it shows.
    pub name: String,
    /// ARNs of roles, users and root users.
    principals: Vec<String>,
    actions: Vec<String>,
    #[serde(default = "any_resource")]
    resources: Vec<String>,
    /// Without any, it is the home Region.
    #[serde(default)]
    regions: Vec<String>,
    /// Further condition keys.
    #[serde(default)]
    context: BTreeMap<String, String>,
    result: Outcome,
}

fn any_resource() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What is to come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Allow,
    Deny,
}

impl Outcome {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Deny => "deny",
        }
    }
}

/// One combination of a row: a request, and what is to come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The ARN of the principal.
    pub arn: String,
    pub action: String,
    pub resource: String,
    pub region: String,
    pub expected: Outcome,
    principal: PrincipalView,
    context: Context,
}

impl Row {
    /// Every combination, in the order of the row.
    ///
    /// # Errors
    ///
    /// Where a principal is none: what to write.
    pub fn cases(&self, home_region: &str) -> Result<Vec<Case>, String> {
        let home = [home_region.to_owned()];
        let regions = match self.regions.as_slice() {
            [] => &home,
            some => some,
        };
        let mut cases = Vec::new();
        for arn in &self.principals {
            let principal = PrincipalView::role_session(arn, "session")
                .or_else(|| PrincipalView::from_arn(arn))
                .ok_or_else(|| {
                    format!(
                        "`{}`: `{arn}` is no role, user or root user: write its ARN",
                        self.name
                    )
                })?;
            for action in &self.actions {
                for resource in &self.resources {
                    for region in regions {
                        let mut context =
                            Context::of(&principal).with("aws:RequestedRegion", region);
                        for (key, value) in &self.context {
                            context.set(key, value);
                        }
                        cases.push(Case {
                            arn: arn.clone(),
                            action: action.clone(),
                            resource: resource.clone(),
                            region: region.clone(),
                            expected: self.result,
                            principal: principal.clone(),
                            context,
                        });
                    }
                }
            }
        }
        Ok(cases)
    }
}

impl Case {
    /// What service control policies, each in its level, say to a principal whose own policies allow everything.
    pub fn decide(&self, scps: &[Vec<Arc<Policy>>]) -> Decision {
        static EVERYTHING: LazyLock<[Arc<Policy>; 1]> = LazyLock::new(|| {
            let policy = Policy::parse(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
            );
            [Arc::new(policy.expect("it is a policy"))]
        });
        let layers = Layers {
            identity: &*EVERYTHING,
            scps,
            ..Layers::default()
        };
        let request = Request {
            principal: &self.principal,
            action: &self.action,
            resource: &self.resource,
            context: &self.context,
        };
        decide(&layers, &request)
    }

    /// Whether a decision is what is to come of it.
    pub fn is(&self, decision: &Decision) -> bool {
        decision.is_allowed() == (self.expected == Outcome::Allow)
    }
}
