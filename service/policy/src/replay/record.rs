//! What is read of a CloudTrail record (CloudTrail User Guide, *Record contents* and *userIdentity element*).

use super::json::{List, Text, object};

object! {
    /// One record.
    Record {
        "eventID" => id: Text<'a>,
        "eventTime" => time: Text<'a>,
        "eventSource" => source: Text<'a>,
        "eventName" => name: Text<'a>,
        "eventType" => kind: Text<'a>,
        "awsRegion" => region: Text<'a>,
        "sourceIPAddress" => source_ip: Text<'a>,
        "userAgent" => user_agent: Text<'a>,
        "errorCode" => error: Text<'a>,
        /// The account whose trail has the record.
        "recipientAccountId" => recipient: Text<'a>,
        "vpcEndpointId" => vpc_endpoint: Text<'a>,
        "tlsDetails" => tls: Tls<'a>,
        "userIdentity" => identity: Identity<'a>,
        "requestParameters" => parameters: Parameters<'a>,
        "resources" => resources: List<Resource<'a>>,
    }
}

object! {
    /// How the call came in.
    Tls {
        "tlsVersion" => version: Text<'a>,
    }
}

object! {
    /// Who called.
    Identity {
        "type" => kind: Text<'a>,
        "principalId" => principal_id: Text<'a>,
        "arn" => arn: Text<'a>,
        "accountId" => account: Text<'a>,
        "userName" => user_name: Text<'a>,
        /// The service that called for somebody.
        "invokedBy" => invoked_by: Text<'a>,
        "sessionContext" => session: Session<'a>,
    }
}

object! {
    /// The session of temporary credentials.
    Session {
        "sessionIssuer" => issuer: Issuer<'a>,
        "attributes" => attributes: Attributes<'a>,
        "sourceIdentity" => source_identity: Text<'a>,
        "ec2RoleDelivery" => role_delivery: Text<'a>,
        "assumedRoot" => assumed_root: Text<'a>,
    }
}

object! {
    /// The role, or the user of a federated session.
    Issuer {
        "arn" => arn: Text<'a>,
    }
}

object! {
    /// When and how the session began.
    Attributes {
        "creationDate" => created: Text<'a>,
        "mfaAuthenticated" => mfa: Text<'a>,
    }
}

object! {
    /// The parameters that name a resource.
    Parameters {
        "bucketName" => bucket: Text<'a>,
        "key" => key: Text<'a>,
        "roleName" => role: Text<'a>,
        "name" => name: Text<'a>,
        "trailName" => trail: Text<'a>,
    }
}

object! {
    /// A resource that the call reached.
    Resource {
        "ARN" => arn: Text<'a>,
    }
}

/// Error codes that mean that AWS refused the call for want of permission. EC2's are written with and without `Client.`.
const REFUSALS: [&str; 9] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "ExplicitDenyException",
    "NotAuthorized",
    "NotAuthorizedException",
    "UnauthorizedException",
    "UnauthorizedOperation",
];

impl Record<'_> {
    /// Whether AWS refused the call for want of permission.
    pub(super) fn is_refused(&self) -> bool {
        let code = self.error.0.as_ref();
        let code = code.strip_prefix("Client.").unwrap_or(code);
        REFUSALS.contains(&code)
    }

    /// Whether this is a call of an API, as opposed to a sign-in, something that a service did by itself, or a console's page.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind.get(), None | Some("AwsApiCall"))
    }

    /// The time, if it has the form `2026-11-22T09:30:00Z` that CloudTrail gives it. Such texts sort by time.
    pub(super) fn time(&self) -> Option<&str> {
        let form = b"0000-00-00T00:00:00Z";
        let text = self.time.0.as_ref();
        let fits = text.len() == form.len()
            && text.bytes().zip(form).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte == *form,
            });
        fits.then_some(text)
    }

    /// The Region that was called. Services with one endpoint for all Regions are called in us-east-1.
    pub(super) fn region(&self) -> Option<&str> {
        match self.region.get() {
            Some("global" | "aws-global") => Some("us-east-1"),
            region => region,
        }
    }
}
