//! What AWS's refusals mean: from an error's code to what to do next, in one table.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use landfall_model::cloud_error::{CloudErrorKind, StoredError};

use crate::account_regions;

/// Where an error's metadata holds the request's id, as the SDK has it.
pub(crate) const REQUEST_ID: &str = "aws_request_id";

/// A call that AWS did not do as asked, or that Landfall did not send.
#[derive(Debug, thiserror::Error)]
pub struct CloudError {
    pub kind: CloudErrorKind,
    /// The IAM action, `guardduty:CreateDetector`.
    pub action: &'static str,
    /// AWS's code where it sent one, `BadRequestException`.
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} failed: {code}: {}", self.action, self.message),
            None => write!(f, "{} failed: {}", self.action, self.message),
        }
    }
}

impl CloudError {
    /// An error that Landfall itself finds, before or after a call.
    pub fn new(kind: CloudErrorKind, action: &'static str, message: impl Into<String>) -> Self {
        CloudError {
            kind,
            action,
            code: None,
            message: message.into(),
            request_id: None,
            source: None,
        }
    }

    /// Something that has to exist first does not yet.
    pub fn not_ready(action: &'static str, message: impl Into<String>) -> Self {
        CloudError::new(CloudErrorKind::NotReady, action, message)
    }

    /// The error of a call, classified. `young` says that the account is so new that some refusals only mean *not yet*.
    pub(crate) fn of_call<E>(
        action: &'static str,
        error: SdkError<E, HttpResponse>,
        young: bool,
    ) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let request_id = error
            .raw_response()
            .and_then(|response| {
                ["x-amzn-requestid", "x-amz-request-id"]
                    .iter()
                    .find_map(|name| response.headers().get(*name))
            })
            .or_else(|| error.meta().extra(REQUEST_ID))
            .map(str::to_owned);
        let code = error.code().map(str::to_owned);
        let message = match (error.message(), &error) {
            (Some(message), _) => message.to_owned(),
            (None, SdkError::TimeoutError(_)) => "no answer in time; AWS may have acted".to_owned(),
            (None, SdkError::DispatchFailure(failure)) => match failure.as_connector_error() {
                Some(error) if error.is_timeout() => {
                    "no answer in time; AWS may have acted".to_owned()
                }
                Some(error) => unanswered(error),
                None => "the connection failed; AWS may have acted".to_owned(),
            },
            (None, SdkError::ResponseError(_)) => {
                "the answer could not be read; AWS may have acted".to_owned()
            }
            (None, SdkError::ConstructionFailure(_)) => "the request could not be built".to_owned(),
            (None, _) => format!("HTTP status {}", status.unwrap_or_default()),
        };
        let kind = match (&error, &code) {
            (SdkError::ConstructionFailure(_), _) => CloudErrorKind::Invalid,
            (
                SdkError::TimeoutError(_)
                | SdkError::DispatchFailure(_)
                | SdkError::ResponseError(_),
                _,
            ) => CloudErrorKind::Unavailable,
            (_, Some(code)) if means_not_ready(action, code) => CloudErrorKind::NotReady,
            (_, Some(code)) => classify(code, status.unwrap_or(400), young),
            (_, None) => classify("", status.unwrap_or(500), young),
        };
        let source: Box<dyn StdError + Send + Sync> = error.into();
        CloudError {
            kind,
            action,
            code,
            message,
            request_id,
            source: Some(source),
        }
    }

    /// Whether AWS answered with one of these codes: for the codes that mean *done* or *absent* to a control.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| codes.contains(&code))
    }

    /// Whether AWS's message holds these words: for services that tell their refusals apart in no other way.
    pub fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }

    /// The error as it is remembered.
    pub fn to_stored(&self) -> StoredError {
        let message = match &self.code {
            Some(code) => format!("{code}: {}", self.message),
            None => self.message.clone(),
        };
        StoredError {
            kind: self.kind,
            operation: self.action.to_owned(),
            message,
            request_id: self.request_id.clone(),
        }
    }
}

/// Why there is no answer. Without credentials or a connection nothing was sent.
fn unanswered(error: &(dyn StdError + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            let why = error.source().map(|why| format!(" ({why})"));
            return format!(
                "there are no credentials to sign with: {error}{}. Landfall takes them from where every AWS program does",
                why.unwrap_or_default()
            );
        }
        let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable,
        ) = io
        {
            return format!("no connection could be made: {error}");
        }
        cause = error.source();
    }
    "the connection failed; AWS may have acted".to_owned()
}

/// Turns *there is no such thing* into `None`: absence is a value for a control that observes.
pub fn absent<T>(result: Result<T, CloudError>, codes: &[&str]) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(codes) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Turns *it is done already* into success, for a step that somebody else, or a lost answer, took before.
pub fn done_already<T>(result: Result<T, CloudError>, codes: &[&str]) -> Result<(), CloudError> {
    absent(result, codes).map(|_| ())
}

/// Codes that one action uses for a wait of minutes, which no token bucket ends: as many Regions as AWS takes at once are
/// being turned on or off in the account or the organization ("Quotas for AWS Account Management").
fn means_not_ready(action: &str, code: &str) -> bool {
    action == account_regions::ENABLE && code == "TooManyRequestsException"
}

/// The kind of an error by its code, its HTTP status, and whether the account is young.
///
/// Young accounts refuse with words that on old ones mean a real lack of permission; AWS names no end of that time,
/// peers' users saw it over within about seven minutes.
pub fn classify(code: &str, status: u16, young: bool) -> CloudErrorKind {
    use CloudErrorKind::{
        AccessDenied, Conflict, Gone, Invalid, NotReady, Quota, Throttled, Unavailable,
    };
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "BandwidthLimitExceeded" => Throttled,

        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SubscriptionRequiredException"
        | "OptInRequired"
        | "RegionDisabledException"
        | "AuthFailure"
        | "InvalidAccessException"
        | "AWSOrganizationsNotInUseException"
            if young =>
        {
            NotReady
        }
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "UnauthorizedException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "Blocked"
        | "MissingAuthenticationToken"
        | "AuthFailure"
        | "SubscriptionRequiredException"
        | "OptInRequired"
        | "RegionDisabledException"
        | "AWSOrganizationsNotInUseException"
        | "InsufficientDeliveryPolicyException"
        | "InsufficientS3BucketPolicyException"
        | "InvalidAccessException" => AccessDenied,

        "FinalizingOrganizationException"
        | "CloudTrailAccessNotEnabledException"
        | "NoManagementAccountSLRExistsException"
        | "NoSuchBucketException"
        | "S3BucketDoesNotExistException"
        | "NoAvailableConfigurationRecorderException"
        | "NoAvailableDeliveryChannelException"
        | "PolicyTypeNotEnabledException"
        | "OrganizationAccessDeniedException"
        | "PendingVerification"
        | "PolicyInUseException"
        | "InvalidRoleException" => NotReady,

        "ConcurrentModificationException"
        | "ConcurrentModification"
        | "ConflictException"
        | "DeleteConflict"
        | "ResourceConflictException"
        | "OperationAborted"
        | "ResourceInUseException"
        | "PolicyChangesInProgressException"
        | "TransactionInProgressException"
        | "SourceParentNotFoundException" => Conflict,

        "LimitExceededException"
        | "LimitExceeded"
        | "ConstraintViolationException"
        | "ServiceQuotaExceededException"
        | "TooManyBuckets"
        | "MaxNumberOfConfigurationRecordersExceededException"
        | "MaxNumberOfDeliveryChannelsExceededException"
        | "MaximumNumberOfTrailsExceededException" => Quota,

        "AccountNotFoundException"
        | "NoSuchEntity"
        | "NoSuchEntityException"
        | "ResourceNotFoundException"
        | "NotFoundException"
        | "NoSuchBucket"
        | "TrailNotFoundException"
        | "PolicyNotFoundException"
        | "TargetNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "AccountAlreadyClosedException" => Gone,

        "InternalFailure"
        | "InternalError"
        | "InternalException"
        | "InternalServerErrorException"
        | "InternalServerException"
        | "ServiceException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "ServiceFailure"
        | "ServiceFailureException"
        | "RequestTimeout"
        | "RequestTimeoutException" => Unavailable,

        _ if status == 429 => Throttled,
        _ if status >= 500 => Unavailable,
        _ if status == 401 || status == 403 => {
            if young {
                NotReady
            } else {
                AccessDenied
            }
        }
        _ => Invalid,
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    #[test]
    fn what_was_never_sent_is_said_to_be_so() {
        let missing = CredentialsError::not_loaded("no provider has any");
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        for (cause, told) in [
            (
                ConnectorError::other(missing.into(), None),
                "no credentials to sign with",
            ),
            (
                ConnectorError::io(refused.into()),
                "no connection could be made",
            ),
            (
                ConnectorError::io("cut off".into()),
                "the connection failed; AWS may have acted",
            ),
        ] {
            let message = unanswered(&cause);
            assert!(message.contains(told), "{message}");
        }
    }

    #[test]
    fn each_code_has_its_consequence() {
        use CloudErrorKind::*;
        for (code, status, old, young) in [
            ("TooManyRequestsException", 400, Throttled, Throttled),
            ("Throttling", 400, Throttled, Throttled),
            ("SlowDown", 503, Throttled, Throttled),
            ("AccessDenied", 403, AccessDenied, NotReady),
            ("AccessDeniedException", 400, AccessDenied, NotReady),
            ("OptInRequired", 403, AccessDenied, NotReady),
            ("InvalidClientTokenId", 403, AccessDenied, NotReady),
            ("ConcurrentModificationException", 400, Conflict, Conflict),
            ("PolicyChangesInProgressException", 400, Conflict, Conflict),
            ("ConstraintViolationException", 400, Quota, Quota),
            ("LimitExceededException", 400, Quota, Quota),
            ("NoSuchBucketException", 400, NotReady, NotReady),
            (
                "InsufficientDeliveryPolicyException",
                400,
                AccessDenied,
                AccessDenied,
            ),
            ("AccountNotFoundException", 400, Gone, Gone),
            ("ServiceException", 400, Unavailable, Unavailable),
            ("UnauthorizedOperation", 403, AccessDenied, NotReady),
            ("AuthFailure", 401, AccessDenied, NotReady),
            ("PendingVerification", 400, NotReady, NotReady),
            ("RequestLimitExceeded", 503, Throttled, Throttled),
            ("", 503, Unavailable, Unavailable),
            ("", 429, Throttled, Throttled),
            ("SomethingNew", 403, AccessDenied, NotReady),
            ("ValidationException", 400, Invalid, Invalid),
            ("SomethingNew", 500, Unavailable, Unavailable),
        ] {
            assert_eq!(classify(code, status, false), old, "{code} {status}");
            assert_eq!(
                classify(code, status, true),
                young,
                "{code} {status} on a young account"
            );
        }
    }
}
