//! Who a policy speaks of, and who asks.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::PolicyError;
use crate::element::{Element, Node};
use crate::statement::OneOrMany;

/// What sort of name stands in a `Principal` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalType {
    /// An account, user, role or session: an ARN, a twelve-digit account id, a unique id, or `*`.
    Aws,
    /// An AWS service, `cloudtrail.amazonaws.com`.
    Service,
    /// An identity provider, by ARN or well-known name.
    Federated,
    /// An account in Amazon S3's old way.
    CanonicalUser,
}

impl PrincipalType {
    /// The name of the type in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            PrincipalType::Aws => "AWS",
            PrincipalType::Service => "Service",
            PrincipalType::Federated => "Federated",
            PrincipalType::CanonicalUser => "CanonicalUser",
        }
    }
}

/// A statement's `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalElement {
    inverted: bool,
    names: Names,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    /// `"Principal": "*"`
    Everyone,
    Listed(Vec<(PrincipalType, Vec<String>)>),
}

/// How directly a resource's policy names the principal that asks. Within one account it decides what can still
/// limit the grant (*Policy evaluation logic*, "Resource-based policies").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Its account: the account is left to allow it in its own policies.
    Account,
    /// The role (or user) behind its session: boundary and session policy still limit the grant.
    Issuer,
    /// Itself, or everyone: nothing but an explicit deny limits the grant.
    Itself,
}

impl PrincipalElement {
    pub(crate) fn parse(element: &Element<'_>, inverted: bool) -> Result<Self, PolicyError> {
        const WANTED: &str = "\"*\" or an object with AWS, Service, Federated or CanonicalUser";
        if let Node::Text(text) = element.node {
            if text != "*" {
                return Err(element.error(format!(
                    "`{text}` says not what it is: write {{\"AWS\": \"{text}\"}} or {{\"Service\": \"{text}\"}}"
                )));
            }
            return Ok(PrincipalElement {
                inverted,
                names: Names::Everyone,
            });
        }
        let mut listed = Vec::new();
        for (name, element) in element.fields(WANTED)? {
            let kind = match name {
                "AWS" => PrincipalType::Aws,
                "Service" => PrincipalType::Service,
                "Federated" => PrincipalType::Federated,
                "CanonicalUser" => PrincipalType::CanonicalUser,
                _ => {
                    return Err(element.error(format!(
                        "`{name}` is no type of principal: write AWS, Service, Federated or CanonicalUser"
                    )));
                }
            };
            let names = element
                .items()
                .iter()
                .map(|item| item.text().map(str::to_owned))
                .collect::<Result<Vec<_>, _>>()?;
            if names.is_empty() {
                return Err(element.error("this names nobody: write at least one principal"));
            }
            listed.push((kind, names));
        }
        if listed.is_empty() {
            return Err(element.error(format!("this names nobody: write {WANTED}")));
        }
        Ok(PrincipalElement {
            inverted,
            names: Names::Listed(listed),
        })
    }

    /// Whether this is a `NotPrincipal`.
    pub fn is_inverted(&self) -> bool {
        self.inverted
    }

    /// Whether this is everyone, written `"*"` or `{"AWS": "*"}`.
    pub fn is_everyone(&self) -> bool {
        self.names()
            .any(|(kind, name)| kind == PrincipalType::Aws && name == "*")
    }

    /// Each name with its type, in the order of the document.
    pub fn names(&self) -> impl Iterator<Item = (PrincipalType, &str)> {
        let (everyone, listed) = match &self.names {
            Names::Everyone => (Some((PrincipalType::Aws, "*")), [].as_slice()),
            Names::Listed(listed) => (None, listed.as_slice()),
        };
        let listed = listed
            .iter()
            .flat_map(|(kind, names)| names.iter().map(|name| (*kind, name.as_str())));
        everyone.into_iter().chain(listed)
    }

    /// Whether the element speaks of `principal`, and how directly.
    ///
    /// `NotPrincipal` spares a principal only if its account, its role where it has one, and itself are all
    /// listed: AWS may look at each of them in turn, and documents that all must stand there.
    pub(crate) fn reach(&self, principal: &PrincipalView) -> Option<Reach> {
        if !self.inverted {
            return self
                .names()
                .filter_map(|(kind, name)| principal.named_by(kind, name))
                .max();
        }
        let listed = |reach| {
            self.names()
                .any(|(kind, name)| principal.named_by(kind, name) == Some(reach))
        };
        // Whoever lists the account lists its root user.
        let in_account = principal.account.is_some() && principal.kind != PrincipalKind::Root;
        let spared = self.is_everyone()
            || (listed(Reach::Itself)
                && (!in_account || listed(Reach::Account))
                && (principal.issuer.is_none() || listed(Reach::Issuer)));
        (!spared).then_some(Reach::Itself)
    }
}

impl Serialize for PrincipalElement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.names {
            Names::Everyone => serializer.serialize_str("*"),
            Names::Listed(listed) => {
                let mut map = serializer.serialize_map(Some(listed.len()))?;
                for (kind, names) in listed {
                    map.serialize_entry(
                        kind.as_str(),
                        &OneOrMany(names.iter().map(String::as_str)),
                    )?;
                }
                map.end()
            }
        }
    }
}

/// What sort of principal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The root user of an account, who may do everything that no SCP or resource policy denies.
    Root,
    /// A user of IAM.
    User,
    /// A session of an assumed role.
    RoleSession,
    /// A session that a user made with `GetFederationToken`.
    FederatedUser,
    /// A person that an identity provider vouches for, before there is a session.
    Federated,
    /// An AWS service that calls for itself.
    Service,
    /// Nobody in particular: a request without credentials.
    Anonymous,
}

/// Who asks, as policies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalView {
    kind: PrincipalKind,
    arn: Option<String>,
    issuer: Option<String>,
    account: Option<String>,
    unique_id: Option<String>,
    name: String,
}

impl PrincipalView {
    /// Reads the ARN of a root user, user, role session or federated user, as in `GetCallerIdentity`.
    /// `None` if it is none of these.
    ///
    /// A session's ARN leaves out the path of its role. Where the role has one, say so with
    /// [`with_role`](Self::with_role).
    pub fn from_arn(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts.as_slice() else {
            return None;
        };
        let (kind, name, issuer) = match (*service, resource.split_once('/')) {
            ("iam", None) if *resource == "root" => (PrincipalKind::Root, "root", None),
            ("iam", Some(("user", path))) => (PrincipalKind::User, last_segment(path), None),
            ("sts", Some(("assumed-role", rest))) => {
                let (role, session) = rest.split_once('/')?;
                let issuer = format!("arn:{partition}:iam::{account}:role/{role}");
                (PrincipalKind::RoleSession, session, Some(issuer))
            }
            ("sts", Some(("federated-user", name))) => (PrincipalKind::FederatedUser, name, None),
            _ => return None,
        };
        Some(PrincipalView {
            kind,
            arn: Some(arn.to_owned()),
            issuer,
            account: Some((*account).to_owned()),
            // The root user's unique id is its account's.
            unique_id: (kind == PrincipalKind::Root).then(|| (*account).to_owned()),
            name: name.to_owned(),
        })
    }

    /// A session of the role with this ARN. `None` if it is not the ARN of a role.
    pub fn role_session(role_arn: &str, session: &str) -> Option<Self> {
        let (front, path) = role_arn.split_once(":role/")?;
        let front = front.replacen(":iam:", ":sts:", 1);
        let role = last_segment(path);
        Self::from_arn(&format!("{front}:assumed-role/{role}/{session}"))
            .map(|view| view.with_role(role_arn))
    }

    /// The root user of an account in the partition `aws`.
    pub fn root(account: &str) -> Self {
        PrincipalView {
            kind: PrincipalKind::Root,
            arn: Some(format!("arn:aws:iam::{account}:root")),
            issuer: None,
            account: Some(account.to_owned()),
            unique_id: Some(account.to_owned()),
            name: "root".to_owned(),
        }
    }

    /// An AWS service that calls for itself, such as `cloudtrail.amazonaws.com`.
    pub fn service(name: &str) -> Self {
        Self::outside(PrincipalKind::Service, name)
    }

    /// A person that this identity provider (its ARN or well-known name) vouches for.
    pub fn federated(provider: &str) -> Self {
        Self::outside(PrincipalKind::Federated, provider)
    }

    /// A request without credentials.
    pub fn anonymous() -> Self {
        Self::outside(PrincipalKind::Anonymous, "anonymous")
    }

    fn outside(kind: PrincipalKind, name: &str) -> Self {
        PrincipalView {
            kind,
            arn: None,
            issuer: None,
            account: None,
            unique_id: None,
            name: name.to_owned(),
        }
    }

    /// With the full ARN of the role behind a session, or of the user behind a federated user.
    #[must_use]
    pub fn with_role(mut self, arn: &str) -> Self {
        self.issuer = Some(arn.to_owned());
        self
    }

    /// With its unique id: `AIDA…`, or `AROA…:SESSION`.
    #[must_use]
    pub fn with_unique_id(mut self, id: &str) -> Self {
        self.unique_id = Some(id.to_owned());
        self
    }

    /// What sort of principal this is.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The ARN of the principal itself: of a role session, `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// The ARN of the role or user behind a session.
    pub fn issuer_arn(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The account it belongs to, twelve digits. `None` for services, providers and the anonymous.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// `AIDA…`, or `AROA…:SESSION`; the account id for the root user. `None` where nobody said.
    pub fn unique_id(&self) -> Option<&str> {
        self.unique_id.as_deref()
    }

    /// A user's name, a session's name, a service's or provider's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is a session of a service-linked role, which neither SCPs nor RCPs restrict.
    pub fn is_service_linked(&self) -> bool {
        self.issuer
            .as_deref()
            .is_some_and(|arn| arn.contains(":role/aws-service-role/"))
    }

    fn named_by(&self, kind: PrincipalType, name: &str) -> Option<Reach> {
        let itself = |yes: bool| yes.then_some(Reach::Itself);
        match kind {
            PrincipalType::Aws if name == "*" => Some(Reach::Itself),
            PrincipalType::Aws => self.named_in_aws(name),
            PrincipalType::Service => {
                itself(self.kind == PrincipalKind::Service && self.name == name)
            }
            PrincipalType::Federated => {
                itself(self.kind == PrincipalKind::Federated && self.name == name)
            }
            // We know no canonical ids: nobody who asks here is ever named by one.
            PrincipalType::CanonicalUser => None,
        }
    }

    fn named_in_aws(&self, name: &str) -> Option<Reach> {
        if self.arn.as_deref() == Some(name) && self.kind != PrincipalKind::Root {
            return Some(Reach::Itself);
        }
        if self.issuer.as_deref() == Some(name) {
            return Some(Reach::Issuer);
        }
        if let Some(id) = self.unique_id.as_deref()
            && self.kind != PrincipalKind::Root
        {
            if id == name {
                return Some(Reach::Itself);
            }
            if id.split_once(':').is_some_and(|(issuer, _)| issuer == name) {
                return Some(Reach::Issuer);
            }
        }
        let account = self.account.as_deref()?;
        let names_account = account_named(name) == Some(account);
        match (names_account, self.kind) {
            (false, _) => None,
            (true, PrincipalKind::Root) => Some(Reach::Itself),
            (true, _) => Some(Reach::Account),
        }
    }
}

/// The account that a principal's name stands for: `111122223333` or `arn:aws:iam::111122223333:root`.
pub(crate) fn account_named(name: &str) -> Option<&str> {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if is_account(name) {
        return Some(name);
    }
    let (front, account) = name.strip_suffix(":root")?.rsplit_once("::")?;
    (front.starts_with("arn:") && front.ends_with(":iam") && is_account(account)).then_some(account)
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
