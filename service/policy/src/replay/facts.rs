//! What a record tells of the condition keys that policies ask for (IAM User Guide, *AWS global condition context keys*).
//!
//! Three answers are kept apart: the request had these values, it did not have the key, nobody knows. Only the last leaves a
//! verdict open.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::principal::{Kind, Principal};
use super::record::Record;
use crate::{operand, partial};

/// A condition key that some policy asks for, and how to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    CalledVia,
    CurrentTime,
    EpochTime,
    MfaAge,
    MfaPresent,
    OrgId,
    OrgPaths,
    PrincipalAccount,
    PrincipalArn,
    PrincipalIsService,
    PrincipalServiceName,
    PrincipalTag(String),
    PrincipalType,
    RequestedRegion,
    RoleDelivery,
    SecureTransport,
    SourceIdentity,
    SourceIp,
    SourceVpc,
    SourceVpce,
    TokenIssueTime,
    UserAgent,
    UserId,
    UserName,
    AssumedRoot,
    ViaService,
    /// Requests for this action never have it.
    Never,
    /// No record tells it.
    Untold,
}

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known<'r> {
    Value(Cow<'r, str>),
    Absent,
    Unknown,
}

impl<'r> Known<'r> {
    fn text(text: Option<&'r str>) -> Self {
        text.map_or(Known::Absent, |text| Known::Value(Cow::Borrowed(text)))
    }

    fn or_unknown(text: Option<&'r str>) -> Self {
        text.map_or(Known::Unknown, |text| Known::Value(Cow::Borrowed(text)))
    }
}

impl Key {
    /// How to answer for `name`, in lower case, in requests for these actions.
    pub(super) fn of(name: &str, actions: &[String]) -> Self {
        if let Some(tag) = name.strip_prefix("aws:principaltag/") {
            return Key::PrincipalTag(tag.to_owned());
        }
        match name {
            "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" => Key::CalledVia,
            "aws:currenttime" => Key::CurrentTime,
            "aws:epochtime" => Key::EpochTime,
            "aws:multifactorauthage" => Key::MfaAge,
            "aws:multifactorauthpresent" => Key::MfaPresent,
            "aws:principalorgid" => Key::OrgId,
            "aws:principalorgpaths" => Key::OrgPaths,
            "aws:principalaccount" => Key::PrincipalAccount,
            "aws:principalarn" => Key::PrincipalArn,
            "aws:principalisawsservice" => Key::PrincipalIsService,
            "aws:principalservicename" | "aws:principalservicenameslist" => {
                Key::PrincipalServiceName
            }
            "aws:principaltype" => Key::PrincipalType,
            "aws:requestedregion" => Key::RequestedRegion,
            "ec2:roledelivery" => Key::RoleDelivery,
            "aws:securetransport" => Key::SecureTransport,
            "aws:sourceidentity" => Key::SourceIdentity,
            "aws:sourceip" => Key::SourceIp,
            "aws:sourcevpc" | "aws:sourcevpcarn" | "aws:vpcsourceip" | "aws:vpceaccount"
            | "aws:vpceorgid" | "aws:vpceorgpaths" => Key::SourceVpc,
            "aws:sourcevpce" => Key::SourceVpce,
            "aws:tokenissuetime" => Key::TokenIssueTime,
            "aws:useragent" => Key::UserAgent,
            "aws:userid" => Key::UserId,
            "aws:username" => Key::UserName,
            "aws:assumedroot" => Key::AssumedRoot,
            "aws:viaawsservice" => Key::ViaService,
            name if actions.iter().any(|action| partial::may_have(action, name)) => Key::Untold,
            _ => Key::Never,
        }
    }
}

/// What is known of an account beside what its records tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'r> {
    pub(super) org_id: Option<&'r str>,
    pub(super) org_path: Option<&'r str>,
    /// The tags of the principal, where they are known.
    pub(super) tags: Option<&'r BTreeMap<String, String>>,
}

/// What the record tells of a key.
pub(super) fn known<'r>(
    key: &Key,
    record: &'r Record<'r>,
    principal: &'r Principal<'r>,
    around: Surroundings<'r>,
) -> Known<'r> {
    let identity = &record.identity;
    let session = &identity.session;
    let through_service = identity.invoked_by.get().is_some();
    let through_endpoint = record.through_endpoint();
    let truth = |truth: bool| Known::Value(Cow::Borrowed(if truth { "true" } else { "false" }));
    match key {
        Key::Never => Known::Absent,
        Key::Untold => Known::Unknown,
        // Which services, and in which order, is not told.
        Key::CalledVia if through_service => Known::Unknown,
        Key::CalledVia => Known::Absent,
        // A service calls for somebody with that one's permissions, or with a role that it was given: only the former is
        // `ViaAWSService`, and a role's record looks the same for both.
        Key::ViaService if !through_service => truth(false),
        Key::ViaService if principal.kind == Kind::Role => Known::Unknown,
        Key::ViaService => truth(true),
        Key::CurrentTime => Known::or_unknown(record.time()),
        Key::EpochTime => match record.time().and_then(operand::date) {
            Some(moment) => Known::Value(Cow::Owned((moment / 1_000_000_000).to_string())),
            None => Known::Unknown,
        },
        // Long-term credentials know nothing of MFA. A session's record tells.
        Key::MfaPresent => match session.attributes.mfa.get() {
            Some(mfa) => Known::Value(Cow::Borrowed(mfa)),
            None if identity.is_long_term() => Known::Absent,
            None => Known::Unknown,
        },
        Key::MfaAge => match session.attributes.mfa.get() {
            Some("true") => Known::Unknown,
            Some(_) => Known::Absent,
            None if identity.is_long_term() => Known::Absent,
            None => Known::Unknown,
        },
        Key::OrgId => Known::or_unknown(around.org_id),
        Key::OrgPaths => Known::or_unknown(around.org_path),
        Key::PrincipalAccount => Known::Value(Cow::Borrowed(principal.account)),
        Key::PrincipalArn => Known::or_unknown(principal.arn),
        Key::PrincipalIsService => truth(false),
        Key::PrincipalServiceName => Known::Absent,
        Key::PrincipalTag(name) => {
            let tag = around.tags.and_then(|tags| {
                let mut tags = tags.iter();
                tags.find(|(known, _)| known.eq_ignore_ascii_case(name))
            });
            match (tag, around.tags, principal.kind) {
                (Some((_, value)), ..) => Known::Value(Cow::Borrowed(value)),
                // A session may have tags of its own; a user has none but the user's.
                (None, Some(_), Kind::User) => Known::Absent,
                (None, ..) if principal.kind == Kind::Root => Known::Absent,
                _ => Known::Unknown,
            }
        }
        Key::PrincipalType => Known::Value(Cow::Borrowed(match principal.kind {
            Kind::Root => "Account",
            Kind::User => "User",
            Kind::Role => "AssumedRole",
            Kind::FederatedUser => "FederatedUser",
        })),
        Key::RequestedRegion => Known::or_unknown(record.region()),
        Key::RoleDelivery => Known::text(session.role_delivery.get()),
        // A call without TLS has no details of it; nor have some with it.
        Key::SecureTransport if record.tls.version.get().is_some() => truth(true),
        Key::SecureTransport => Known::Unknown,
        Key::SourceIdentity => Known::text(session.source_identity.get()),
        Key::SourceIp => match through_endpoint {
            Some(true) => Known::Absent,
            Some(false) => Known::or_unknown(record.source_ip.get()),
            None => Known::Unknown,
        },
        // Which VPC the endpoint is in is not told.
        Key::SourceVpc if through_endpoint == Some(false) => Known::Absent,
        Key::SourceVpc => Known::Unknown,
        Key::SourceVpce if through_endpoint == Some(false) => Known::Absent,
        Key::SourceVpce => Known::or_unknown(record.vpc_endpoint.get()),
        Key::TokenIssueTime => match session.attributes.created.get() {
            Some(time) if operand::date(time).is_some() => Known::Value(Cow::Borrowed(time)),
            None if identity.is_long_term() => Known::Absent,
            _ => Known::Unknown,
        },
        // The name of a service stands there when it called for somebody.
        Key::UserAgent if through_service => Known::Unknown,
        Key::UserAgent => Known::or_unknown(record.user_agent()),
        Key::UserId => Known::or_unknown(identity.principal_id.get()),
        Key::UserName if principal.kind == Kind::User => {
            Known::or_unknown(identity.user_name.get())
        }
        Key::UserName => Known::Absent,
        Key::AssumedRoot => match session.assumed_root.get() {
            Some(assumed) => Known::Value(Cow::Borrowed(assumed)),
            None => Known::Absent,
        },
    }
}
