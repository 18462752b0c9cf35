//! What is read of a CloudTrail record (CloudTrail User Guide, *CloudTrail record contents* and *CloudTrail userIdentity element*).

use std::net::IpAddr;

use super::json::{List, Text, object};

object! {
    /// One record.
    Record {
        "eventID" => id: Text<'a>,
        "eventTime" => time: Text<'a>,
        "eventSource" => source: Text<'a>,
        "eventName" => name: Text<'a>,
        "eventType" => kind: Text<'a>,
        /// `Management`, `Data`, …
        "eventCategory" => category: Text<'a>,
        "awsRegion" => region: Text<'a>,
        "sourceIPAddress" => source_ip: Text<'a>,
        "userAgent" => user_agent: Text<'a>,
        "errorCode" => error: Text<'a>,
        "responseElements" => response: Response<'a>,
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
    /// What was answered. Some services tell errors here.
    Response {
        "errorCode" => error: Text<'a>,
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
        "accessKeyId" => access_key: Text<'a>,
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
    /// The parameters that name a resource, or a version of it.
    Parameters {
        "bucketName" => bucket: Text<'a>,
        "key" => key: Text<'a>,
        "versionId" => version: Text<'a>,
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

/// Error codes that mean that AWS refused the call for want of permission, as the models of AWS's services name and explain them.
/// EC2's are written with and without `Client.`.
const REFUSALS: [&str; 10] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "AuthorizationException",
    "CloudHsmAccessDeniedException",
    "ForbiddenException",
    "NotAuthorized",
    "UnauthorizedException",
    "UnauthorizedOperation",
];

/// What sort of thing a record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// An API was called.
    Call,
    /// Nobody called: a sign-in, something that a service did by itself, what passed an endpoint (whose call has its own record).
    Event,
    /// Something else, of which nobody knows what IAM authorises: an action in the console that was no call of an API.
    Other,
}

impl Record<'_> {
    pub(super) fn sort(&self) -> Sort {
        match self.kind.get() {
            None | Some("AwsApiCall") => Sort::Call,
            Some(
                "AwsServiceEvent"
                | "AwsConsoleSignIn"
                | "ConsoleSignin"
                | "AwsVpceEvent"
                | "AwsVpceEvents"
                | "AwsCloudTrailInsight",
            ) => Sort::Event,
            Some(_) => Sort::Other,
        }
    }

    /// Whether AWS refused the call for want of permission.
    pub(super) fn is_refused(&self) -> bool {
        let code = self.error.get().or(self.response.error.get());
        code.is_some_and(|code| {
            let code = code.strip_prefix("Client.").unwrap_or(code);
            REFUSALS.contains(&code)
        })
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

    /// The Region that was called, the value of `aws:RequestedRegion`. Services with one endpoint for all Regions are called in
    /// the Region of that, and so is the global endpoint of STS, whichever Region serves it (IAM User Guide,
    /// *aws:RequestedRegion* and *AWS STS Regions and endpoints*).
    pub(super) fn region(&self) -> Option<&str> {
        let is_region =
            |text: &&str| text.contains('-') && text.ends_with(|c: char| c.is_ascii_digit());
        self.region.get().filter(is_region)
    }

    /// Whether the call came through an endpoint of a VPC. `None` if the record does not tell: where a service called for somebody
    /// its name stands for the address, and a private address comes through an endpoint that not every service names.
    pub(super) fn through_endpoint(&self) -> Option<bool> {
        if self.vpc_endpoint.get().is_some() {
            return Some(true);
        }
        let address = self.source_ip.get()?.parse().ok()?;
        let private = match address {
            // 100.64.0.0/10 is shared address space, which VPCs may have too.
            IpAddr::V4(address) => {
                let [first, second, ..] = address.octets();
                address.is_private() || first == 100 && second & 0xc0 == 64
            }
            IpAddr::V6(address) => address.is_unique_local(),
        };
        (!private).then_some(false)
    }

    /// What the client said of itself. A service that called, the console, or brackets around it stand there as well, and
    /// then nobody knows what it was.
    pub(super) fn user_agent(&self) -> Option<&str> {
        let agent = self.user_agent.get()?;
        let folded = agent.to_ascii_lowercase();
        let other = folded.ends_with(".amazonaws.com")
            || folded.starts_with("aws-internal")
            || folded.starts_with("aws internal")
            || folded.starts_with('[');
        (!other).then_some(agent)
    }
}

impl Identity<'_> {
    /// Whether the call was signed with a key that does not expire. Such ids begin with AKIA (IAM User Guide, *IAM identifiers*).
    /// Where a service calls for somebody it does so with temporary credentials.
    pub(super) fn is_long_term(&self) -> bool {
        let key = self.access_key.get();
        key.is_some_and(|key| key.starts_with("AKIA")) && self.invoked_by.get().is_none()
    }
}
