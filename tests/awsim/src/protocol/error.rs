//! The refusals that every service has in its own words: a broken request, a bad key, no permission.

use serde_json::Value;

use super::model::{Model, Protocol};
use super::validate::{Rule, Violation};
use crate::call::AwsError;

/// The request cannot even be read.
pub(super) fn malformed(model: &Model, what: &str) -> AwsError {
    match (model.service, model.protocol) {
        ("guardduty", _) => bad_request(
            "The request is rejected because the request body could not be parsed",
            what,
        ),
        ("securityhub", _) => {
            AwsError::new("InvalidInputException", format!("Invalid request: {what}"))
                .with("Code", "InvalidInput")
        }
        (_, Protocol::Json | Protocol::RestJson) => AwsError::new("SerializationException", what),
        (_, Protocol::Query) => {
            AwsError::new("MalformedInput", format!("Invalid value for {what}"))
        }
        (_, Protocol::Ec2) => AwsError::new(
            "InvalidParameterValue",
            format!("The value for parameter {what} is invalid"),
        ),
        (_, Protocol::RestXml) => AwsError::new("MalformedXML", MALFORMED_XML),
    }
}

/// EC2 does not know the parameter.
pub(super) fn unknown_parameter(name: &str) -> AwsError {
    AwsError::new(
        "UnknownParameter",
        format!("The parameter {name} is not recognized"),
    )
}

const MALFORMED_XML: &str =
    "The XML you provided was not well-formed or did not validate against our published schema";

fn bad_request(why: &str, what: &str) -> AwsError {
    AwsError::new("BadRequestException", format!("{why}: {what}."))
        .with("Type", "InvalidInputException")
}

/// The request breaks rules of the model. There is at least one violation.
pub(super) fn invalid(model: &Model, violations: &[Violation]) -> AwsError {
    let first = &violations[0];
    let name = last_member(&first.path);
    match model.service {
        "organizations" => {
            let (reason, message) = match first.rule {
                Rule::Required => (
                    "INPUT_REQUIRED",
                    "You must include a value for all required parameters.",
                ),
                Rule::Allowed(_) => ("INVALID_ENUM", "You specified an invalid value."),
                Rule::Pattern(_) => (
                    "INVALID_PATTERN",
                    "You provided a value that does not match the required pattern.",
                ),
                Rule::MinLength(_) => (
                    "MIN_LENGTH_EXCEEDED",
                    "You provided a value that is shorter than the minimum length.",
                ),
                Rule::MaxLength(_) => (
                    "MAX_LENGTH_EXCEEDED",
                    "You provided a value that is longer than the maximum length.",
                ),
                Rule::MinValue(_) => (
                    "MIN_VALUE_EXCEEDED",
                    "You provided a value that is below the minimum.",
                ),
                Rule::MaxValue(_) => (
                    "MAX_VALUE_EXCEEDED",
                    "You provided a value that is above the maximum.",
                ),
            };
            AwsError::new("InvalidInputException", message).with("Reason", reason)
        }
        "guardduty" => {
            let why = if first.rule == Rule::Required {
                "is required but missing"
            } else {
                "has an invalid value"
            };
            let message = format!("The request is rejected because the parameter {name} {why}.");
            AwsError::new("BadRequestException", message).with("Type", "InvalidInputException")
        }
        "securityhub" => {
            let message = match first.rule {
                Rule::Required => format!(
                    "Missing required request parameters: [{}]",
                    upper_first(name)
                ),
                _ => format!(
                    "Invalid parameter '{}'. {}",
                    upper_first(name),
                    constraint(&first.rule)
                ),
            };
            AwsError::new("InvalidInputException", message).with("Code", "InvalidInput")
        }
        "ec2" if first.rule == Rule::Required => AwsError::new(
            "MissingParameter",
            format!("The request must contain the parameter {name}"),
        ),
        "ec2" => {
            let value = first
                .value
                .as_str()
                .map_or_else(|| first.value.to_string(), str::to_owned);
            let why = constraint(&first.rule);
            let message = format!("Value ({value}) for parameter {name} is invalid. {why}");
            AwsError::new("InvalidParameterValue", message)
        }
        "s3" | "s3control" if first.path.contains('.') || first.rule == Rule::Required => {
            AwsError::new("MalformedXML", MALFORMED_XML)
        }
        "s3" | "s3control" => AwsError::new(
            "InvalidArgument",
            format!("Invalid value for {}", upper_first(name)),
        ),
        _ => {
            let one = |violation: &Violation| {
                let value = match &violation.value {
                    Value::Null => "null".to_owned(),
                    Value::String(text) => format!("'{text}'"),
                    other => format!("'{other}'"),
                };
                format!(
                    "Value {value} at '{}' failed to satisfy constraint: {}",
                    violation.path,
                    constraint(&violation.rule)
                )
            };
            let all: Vec<String> = violations.iter().map(one).collect();
            let plural = if all.len() == 1 { "" } else { "s" };
            let code = if model.protocol == Protocol::Query {
                "ValidationError"
            } else {
                "ValidationException"
            };
            AwsError::new(
                code,
                format!(
                    "{} validation error{plural} detected: {}",
                    all.len(),
                    all.join("; ")
                ),
            )
        }
    }
}

fn constraint(rule: &Rule) -> String {
    match rule {
        Rule::Required => "Member must not be null".to_owned(),
        Rule::Allowed(values) => format!(
            "Member must satisfy enum value set: [{}]",
            values.join(", ")
        ),
        Rule::Pattern(pattern) => {
            format!("Member must satisfy regular expression pattern: {pattern}")
        }
        Rule::MinLength(min) => format!("Member must have length greater than or equal to {min}"),
        Rule::MaxLength(max) => format!("Member must have length less than or equal to {max}"),
        Rule::MinValue(min) => format!("Member must have value greater than or equal to {min}"),
        Rule::MaxValue(max) => format!("Member must have value less than or equal to {max}"),
    }
}

/// `tags.1.member.key` → `key`
fn last_member(path: &str) -> &str {
    let parts = path
        .rsplit('.')
        .filter(|part| *part != "member" && part.parse::<usize>().is_err());
    parts.into_iter().next().unwrap_or(path)
}

fn upper_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// What a service answers to an operation that it does not have, or that awsim has not built.
pub fn unknown_operation(model: &Model, name: &str) -> AwsError {
    match model.protocol {
        Protocol::Json => AwsError::new("UnknownOperationException", ""),
        Protocol::RestJson => AwsError::new("UnknownOperationException", "").status(404),
        Protocol::Query => {
            let message = format!(
                "Could not find operation {name} for version {}",
                model.api_version
            );
            AwsError::new("InvalidAction", message)
        }
        Protocol::Ec2 => AwsError::new(
            "InvalidAction",
            format!("The action {name} is not valid for this web service."),
        ),
        Protocol::RestXml => AwsError::new(
            "NotImplemented",
            "A header or query you provided implies functionality that is not implemented.",
        )
        .status(501),
    }
}

/// Something broke on AWS's side.
pub fn internal_failure(model: &Model) -> AwsError {
    let code = match (model.service, model.protocol) {
        ("organizations", _) => "ServiceException",
        ("guardduty", _) => "InternalServerErrorException",
        ("securityhub", _) => "InternalException",
        ("account", _) => "InternalServerException",
        ("iam", _) => "ServiceFailure",
        (_, Protocol::RestXml | Protocol::Ec2) => "InternalError",
        _ => "InternalFailure",
    };
    AwsError::new(code, "We encountered an internal error. Please try again.").status(500)
}

/// No permission.
pub fn access_denied(model: &Model, message: impl Into<String>) -> AwsError {
    match model.protocol {
        Protocol::Json if model.query_compatible => {
            AwsError::new("AccessDenied", message).status(403)
        }
        Protocol::Json => AwsError::new("AccessDeniedException", message),
        Protocol::RestJson => AwsError::new("AccessDeniedException", message).status(403),
        Protocol::Query | Protocol::RestXml => AwsError::new("AccessDenied", message).status(403),
        Protocol::Ec2 => {
            let message = format!(
                "You are not authorized to perform this operation. {}",
                message.into()
            );
            AwsError::new("UnauthorizedOperation", message).status(403)
        }
    }
}

/// What is wrong with a request's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// There are none.
    Missing,
    /// Nobody has this access key, or the session token is not the one that goes with it.
    Unknown,
    Expired,
    /// The signature was not made with the key's secret, or of another request.
    BadSignature,
    /// The credentials are good, but the account is suspended or closed.
    AccountInactive,
}

/// The error for bad credentials: each protocol has its own, and the JSON services say 400 where others say 403.
pub fn bad_credentials(model: &Model, what: Credentials) -> AwsError {
    let (json, query, s3) = match what {
        Credentials::Missing => (
            "MissingAuthenticationTokenException",
            "MissingAuthenticationToken",
            "AccessDenied",
        ),
        Credentials::Unknown => (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
        ),
        Credentials::Expired => ("ExpiredTokenException", "ExpiredToken", "ExpiredToken"),
        Credentials::BadSignature => (
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "SignatureDoesNotMatch",
        ),
        Credentials::AccountInactive => (
            "SubscriptionRequiredException",
            "OptInRequired",
            "AllAccessDisabled",
        ),
    };
    let message = match what {
        Credentials::Missing => "Missing Authentication Token",
        Credentials::Unknown => "The security token included in the request is invalid.",
        Credentials::Expired => "The security token included in the request is expired",
        Credentials::BadSignature => {
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
        }
        Credentials::AccountInactive => {
            "The AWS Access Key Id needs a subscription for the service"
        }
    };
    match model.protocol {
        Protocol::Json => AwsError::new(json, message),
        Protocol::RestJson => AwsError::new(json, message).status(403),
        Protocol::Query => AwsError::new(query, message).status(403),
        Protocol::Ec2 => bad_ec2_credentials(what),
        Protocol::RestXml => {
            // S3 alone answers 400 to an expired token.
            AwsError::new(s3, message).status(if what == Credentials::Expired {
                400
            } else {
                403
            })
        }
    }
}

/// EC2 says little: one code for a key, a token or a signature that is wrong ("Error codes for the Amazon EC2 API").
fn bad_ec2_credentials(what: Credentials) -> AwsError {
    match what {
        Credentials::Missing => AwsError::new(
            "MissingAuthenticationToken",
            "The request must contain valid credentials.",
        )
        .status(403),
        Credentials::Unknown | Credentials::BadSignature => AwsError::new(
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
        .status(401),
        Credentials::Expired => AwsError::new("RequestExpired", "Request has expired."),
        Credentials::AccountInactive => AwsError::new(
            "OptInRequired",
            "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe.",
        )
        .status(401),
    }
}
