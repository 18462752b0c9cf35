//! Who called, as SCPs see it (CloudTrail User Guide, *userIdentity element*).

use super::record::Record;

/// What sort of principal an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    User,
    Role,
    FederatedUser,
}

/// A principal of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal<'r> {
    pub(super) kind: Kind,
    pub(super) account: &'r str,
    /// What `aws:PrincipalArn` is: of a role's session the role's, of the others their own (IAM User Guide, *aws:PrincipalArn*).
    /// `None` if the record does not tell the role with its path.
    pub(super) arn: Option<&'r str>,
    /// The best name that there is.
    pub(super) name: &'r str,
}

/// Why a record has no principal that SCPs bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// An AWS service that calls for itself.
    Service,
    /// Somebody whom an identity provider vouches for, who belongs to no account before there is a session.
    Federated,
    /// The principal is another account's, whose own records have the call too.
    OtherAccount,
    /// The record does not tell.
    Untold,
}

impl<'r> Principal<'r> {
    pub(super) fn of(record: &'r Record<'_>) -> Result<Self, Outside> {
        let identity = &record.identity;
        let arn = identity.arn.get();
        let kind = match identity.kind.get() {
            Some("Root") => Kind::Root,
            Some("IAMUser") => Kind::User,
            Some("AssumedRole" | "Role") => Kind::Role,
            Some("FederatedUser") => Kind::FederatedUser,
            Some("AWSService") => return Err(Outside::Service),
            Some("SAMLUser" | "WebIdentityUser") => return Err(Outside::Federated),
            Some("AWSAccount") => return Err(Outside::OtherAccount),
            _ => return Err(Outside::Untold),
        };
        let in_arn = arn.and_then(|arn| arn.split(':').nth(4));
        let account = identity.account.get().or(in_arn).ok_or(Outside::Untold)?;
        if record
            .recipient
            .get()
            .is_some_and(|recipient| recipient != account)
        {
            return Err(Outside::OtherAccount);
        }
        let issuer = identity.session.issuer.arn.get();
        let arn = match kind {
            Kind::Role => issuer.or(arn.filter(|arn| arn.contains(":role/"))),
            Kind::Root | Kind::User | Kind::FederatedUser => arn,
        };
        Ok(Principal {
            kind,
            account,
            name: issuer
                .filter(|_| kind == Kind::Role)
                .or(identity.arn.get())
                .or(identity.principal_id.get())
                .unwrap_or("unnamed"),
            arn,
        })
    }

    /// Whether this is a service-linked role, which SCPs do not bind.
    pub(super) fn is_service_linked(&self) -> bool {
        self.name.contains(":role/aws-service-role/")
    }
}
