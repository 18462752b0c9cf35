//! What all policies together say about a request (*Policy evaluation logic* in the IAM User Guide).
//!
//! 1. An explicit deny in any layer denies.
//! 2. Every level of SCPs and of RCPs must allow.
//! 3. The principal's own side allows if its identity policies do, and its boundary and its session policy where it has
//!    them. The root user needs none.
//! 4. Within one account, a resource's policy may allow in place of 3: how much of it depends on how directly it names
//!    the principal ([`Reach`]). Across accounts both sides must allow. Services and the anonymous have no side of
//!    their own: the resource's policy decides.

use std::fmt;
use std::sync::Arc;

use crate::evaluate::{Request, Verdict};
use crate::glob;
use crate::statement::Effect;
use crate::{Policy, PrincipalKind, Reach};

/// Everything that has a say in a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers<'a> {
    /// The policies of the user with its groups, or of the role.
    pub identity: &'a [Arc<Policy>],
    /// The policy of the resource. For `sts:AssumeRole` it is the role's trust policy.
    pub resource: Option<&'a Policy>,
    /// The account that owns the resource. `None` means the principal's.
    pub resource_account: Option<&'a str>,
    /// Whether the resource's policy must allow even within the account: so it is with roles and with KMS keys.
    pub resource_must_allow: bool,
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a Policy>,
    /// What `AssumeRole` was given as `Policy`.
    pub session: Option<&'a Policy>,
    /// The SCPs of the principal's account, one list for each level from the root to the account. Empty means that
    /// SCPs do not bind the account: it is the management account, or the policy type is off.
    pub scps: &'a [Vec<Arc<Policy>>],
    /// The RCPs of the resource's account, likewise.
    pub rcps: &'a [Vec<Arc<Policy>>],
}

/// Where in [`Layers`] a decision fell. Levels count from the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The SCPs of one level above (or at) the principal's account.
    Scp { level: usize },
    /// The RCPs of one level above (or at) the resource's account.
    Rcp { level: usize },
    /// The policy of the resource, or the trust policy of the role.
    Resource,
    /// The permissions boundary.
    Boundary,
    /// The session policy.
    Session,
    /// The policies of the user or role.
    Identity,
}

impl Layer {
    /// AWS's name for policies of this sort, as it stands in its messages.
    pub fn policy_type(self) -> &'static str {
        match self {
            Layer::Scp { .. } => "service control policy",
            Layer::Rcp { .. } => "resource control policy",
            Layer::Resource => "resource-based policy",
            Layer::Boundary => "permissions boundary",
            Layer::Session => "session policy",
            Layer::Identity => "identity-based policy",
        }
    }
}

/// One statement of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRef {
    /// The index of the policy in its layer (for SCPs and RCPs: in its level).
    pub policy: usize,
    /// The index of the statement in its policy.
    pub statement: usize,
    /// Its Sid, where it has one.
    pub sid: Option<String>,
}

/// A statement that would have allowed the request but for one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Which statement.
    pub statement: StatementRef,
    /// `StringEquals`
    pub operator: String,
    /// The condition key.
    pub key: String,
    /// What the statement wants.
    pub wanted: Vec<String>,
    /// What the request has; empty if the key is missing.
    pub actual: Vec<String>,
}

/// Why a layer denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This statement says so.
    Explicit(StatementRef),
    /// Nothing in the layer allows it. These came closest.
    NoAllow { misses: Vec<Miss> },
}

/// Which layer denies, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Where it fell.
    pub layer: Layer,
    /// By a statement, or for want of one.
    pub reason: Reason,
}

/// What all layers together say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request goes through.
    Allowed,
    /// It does not, for this reason. Of several, the first in the order of [`Layer`], explicit denies before all others.
    Denied(Denial),
}

impl Decision {
    /// Whether the request goes through.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allowed)
    }

    /// Why it does not.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Decision::Allowed => None,
            Decision::Denied(denial) => Some(denial),
        }
    }
}

/// Decides a request.
pub fn decide(layers: &Layers<'_>, request: &Request<'_>) -> Decision {
    match try_decide(layers, request) {
        Ok(()) => Decision::Allowed,
        Err(denial) => Decision::Denied(denial),
    }
}

fn try_decide(layers: &Layers<'_>, request: &Request<'_>) -> Result<(), Denial> {
    let principal = request.principal;
    let bound = !principal.is_service_linked();
    let own_side = principal.account().is_some();
    // Neither a boundary nor an identity policy can be attached to the root user.
    let is_root = principal.kind() == PrincipalKind::Root;
    let boundary = layers.boundary.filter(|_| !is_root);
    let action = glob::fold(request.action);
    let asked = (request, action.as_str(), boundary.is_some());

    let mut required = Vec::new();
    if bound && own_side {
        for (level, policies) in layers.scps.iter().enumerate() {
            required.push((
                Layer::Scp { level },
                survey(Layer::Scp { level }, policies, asked)?,
            ));
        }
    }
    if bound {
        for (level, policies) in layers.rcps.iter().enumerate() {
            required.push((
                Layer::Rcp { level },
                survey(Layer::Rcp { level }, policies, asked)?,
            ));
        }
    }
    let resource = survey(Layer::Resource, layers.resource, asked)?;
    let boundary_allows = survey(Layer::Boundary, boundary, asked)?.is_some() || boundary.is_none();
    let session_allows =
        survey(Layer::Session, layers.session, asked)?.is_some() || layers.session.is_none();
    let identity_allows = survey(Layer::Identity, layers.identity, asked)?.is_some() || is_root;

    for (layer, allowed) in required {
        if allowed.is_none() {
            return Err(layers.no_allow(layer, request));
        }
    }
    let same_account = own_side
        && layers
            .resource_account
            .is_none_or(|owner| principal.account() == Some(owner));
    if resource.is_none() && (!same_account || layers.resource_must_allow) {
        return Err(layers.no_allow(Layer::Resource, request));
    }
    if !own_side {
        return Ok(());
    }
    let granted = resource.filter(|_| same_account);
    if granted == Some(Reach::Itself) {
        return Ok(());
    }
    if !boundary_allows {
        return Err(layers.no_allow(Layer::Boundary, request));
    }
    if !session_allows {
        return Err(layers.no_allow(Layer::Session, request));
    }
    if !identity_allows && granted != Some(Reach::Issuer) {
        return Err(layers.no_allow(Layer::Identity, request));
    }
    Ok(())
}

/// Asks each policy of a layer: an explicit deny ends it, otherwise the most direct allow counts.
fn survey<'p, P: AsPolicy + 'p>(
    layer: Layer,
    policies: impl IntoIterator<Item = &'p P>,
    (request, action, bounded): (&Request<'_>, &str, bool),
) -> Result<Option<Reach>, Denial> {
    let mut allowed = None;
    for (index, policy) in policies.into_iter().enumerate() {
        let policy = policy.as_policy();
        match policy.evaluate_for(request, action, bounded) {
            Verdict::Deny { statement } => {
                let reason = Reason::Explicit(reference(policy, index, statement));
                return Err(Denial { layer, reason });
            }
            Verdict::Allow { reach, .. } => allowed = allowed.max(Some(reach)),
            Verdict::Silent => {}
        }
    }
    Ok(allowed)
}

/// Layers hold policies shared or borrowed.
trait AsPolicy {
    fn as_policy(&self) -> &Policy;
}

impl AsPolicy for Policy {
    fn as_policy(&self) -> &Policy {
        self
    }
}

impl AsPolicy for Arc<Policy> {
    fn as_policy(&self) -> &Policy {
        self
    }
}

pub(crate) fn reference(policy: &Policy, index: usize, statement: usize) -> StatementRef {
    StatementRef {
        policy: index,
        statement,
        sid: policy
            .statements()
            .get(statement)
            .and_then(|statement| statement.sid())
            .map(str::to_owned),
    }
}

impl<'a> Layers<'a> {
    /// The policies of one layer.
    pub(crate) fn policies(&self, layer: Layer) -> Vec<&'a Policy> {
        let level = |levels: &'a [Vec<Arc<Policy>>], level: usize| {
            let policies = levels.get(level).into_iter().flatten();
            policies.map(Arc::as_ref).collect()
        };
        match layer {
            Layer::Scp { level: number } => level(self.scps, number),
            Layer::Rcp { level: number } => level(self.rcps, number),
            Layer::Resource => self.resource.into_iter().collect(),
            Layer::Boundary => self.boundary.into_iter().collect(),
            Layer::Session => self.session.into_iter().collect(),
            Layer::Identity => self.identity.iter().map(Arc::as_ref).collect(),
        }
    }

    fn no_allow(&self, layer: Layer, request: &Request<'_>) -> Denial {
        let action = glob::fold(request.action);
        let mut misses = Vec::new();
        for (index, policy) in self.policies(layer).into_iter().enumerate() {
            for (number, statement) in policy.statements().iter().enumerate() {
                if statement.effect() != Effect::Allow
                    || statement.covers(request, &action, false).is_none()
                {
                    continue;
                }
                if let Some(condition) = statement.unmet(request.context) {
                    misses.push(Miss {
                        statement: reference(policy, index, number),
                        operator: condition.operator().to_owned(),
                        key: condition.key().to_owned(),
                        wanted: condition.values().to_vec(),
                        actual: request.context.get(condition.key()).to_vec(),
                    });
                }
            }
        }
        Denial {
            layer,
            reason: Reason::NoAllow { misses },
        }
    }
}

impl fmt::Display for StatementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sid {
            Some(sid) => write!(f, "statement `{sid}` of policy {}", self.policy),
            None => write!(f, "statement {} of policy {}", self.statement, self.policy),
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Miss {
            statement,
            operator,
            key,
            wanted,
            actual,
        } = self;
        write!(
            f,
            "{statement} wants {operator} {key} {}, ",
            wanted.join(" or ")
        )?;
        if actual.is_empty() {
            f.write_str("which the request lacks")
        } else {
            write!(f, "and the request has {}", actual.join(", "))
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.policy_type())?;
        match self {
            Layer::Scp { level: 0 } | Layer::Rcp { level: 0 } => f.write_str(" of the root"),
            Layer::Scp { level } | Layer::Rcp { level } => {
                write!(f, " at level {level} below the root")
            }
            Layer::Resource | Layer::Boundary | Layer::Session | Layer::Identity => Ok(()),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Explicit(statement) => write!(f, "{statement} denies it ({})", self.layer),
            Reason::NoAllow { misses } => {
                write!(f, "no {} allows it", self.layer)?;
                misses.iter().try_for_each(|miss| write!(f, "; {miss}"))
            }
        }
    }
}

impl Denial {
    /// The tail of AWS's access-denied messages: `with an explicit deny in a service control policy`, or
    /// `because no identity-based policy allows the s3:GetObject action`.
    pub fn aws_message(&self, action: &str) -> String {
        let kind = self.layer.policy_type();
        match &self.reason {
            Reason::Explicit(_) => {
                let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
                    "an"
                } else {
                    "a"
                };
                format!("with an explicit deny in {article} {kind}")
            }
            Reason::NoAllow { .. } => format!("because no {kind} allows the {action} action"),
        }
    }
}
