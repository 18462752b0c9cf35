//! What is known about a request besides its principal, action and resource.

use std::collections::BTreeMap;

use crate::{PrincipalKind, PrincipalView};

/// The condition keys of one request and their values. Names of keys ignore case, values do not.
///
/// A key that is absent and a key without any value are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// Nothing is known.
    pub fn new() -> Self {
        Context::default()
    }

    /// The keys that follow from who asks: `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`,
    /// `aws:userid`, `aws:username`, `aws:FederatedProvider`, `aws:PrincipalIsAWSService` and
    /// `aws:PrincipalServiceName`.
    ///
    /// `aws:PrincipalArn` of a role session is the role's ARN, as AWS documents for this key.
    pub fn of(principal: &PrincipalView) -> Self {
        let mut context = Context::new();
        let service = principal.kind() == PrincipalKind::Service;
        context.set("aws:PrincipalIsAWSService", service.to_string());
        if service {
            context.set("aws:PrincipalServiceName", principal.name());
            return context;
        }
        if let Some(arn) = principal.issuer_arn().or(principal.arn()) {
            context.set("aws:PrincipalArn", arn);
        }
        if let Some(account) = principal.account() {
            context.set("aws:PrincipalAccount", account);
        }
        match (principal.kind(), principal.unique_id(), principal.account()) {
            (_, Some(id), _) => context.set("aws:userid", id),
            (PrincipalKind::FederatedUser, None, Some(account)) => {
                context.set("aws:userid", format!("{account}:{}", principal.name()));
            }
            (PrincipalKind::Anonymous, ..) => context.set("aws:userid", "anonymous"),
            _ => {}
        }
        let kind = match principal.kind() {
            PrincipalKind::Root => Some("Account"),
            PrincipalKind::User => Some("User"),
            PrincipalKind::RoleSession => Some("AssumedRole"),
            PrincipalKind::FederatedUser => Some("FederatedUser"),
            PrincipalKind::Anonymous => Some("Anonymous"),
            PrincipalKind::Federated | PrincipalKind::Service => None,
        };
        if let Some(kind) = kind {
            context.set("aws:PrincipalType", kind);
        }
        match principal.kind() {
            PrincipalKind::User => context.set("aws:username", principal.name()),
            PrincipalKind::Federated => context.set("aws:FederatedProvider", principal.name()),
            _ => {}
        }
        context
    }

    /// Gives `key` one value, instead of any it had.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.set_all(key, [value.into()]);
    }

    /// Gives `key` these values, instead of any it had.
    pub fn set_all<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        self.values.insert(
            key.to_lowercase(),
            values.into_iter().map(Into::into).collect(),
        );
    }

    /// [`set`](Self::set) for chains.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// The values of `key`; none if it is absent.
    pub fn get(&self, key: &str) -> &[String] {
        self.values(&key.to_lowercase())
    }

    /// [`get`](Self::get) for a key that is in lower case already.
    pub(crate) fn values(&self, key: &str) -> &[String] {
        self.values.get(key).map_or(&[], Vec::as_slice)
    }

    /// The value of a key (in lower case) that has exactly one: only such a key can be a variable.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.values(key) {
            [value] => Some(value),
            _ => None,
        }
    }
}
