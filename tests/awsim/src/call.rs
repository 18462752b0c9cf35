//! What a service sees of a request once protocol, identity and authorization are done with it,
//! and what it answers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_policy::Policy;
use serde_json::Value;

/// A twelve-digit AWS account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for AccountId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        text.parse().map(AccountId).map_err(|_| ())
    }
}

/// A Region's name out of `regions::ALL`: interned, so that it is cheap to copy and to compare.
pub type Region = &'static str;

/// Who makes a call: what the access key stands for.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The account that the credentials belong to, which is the account a call acts in.
    pub account: AccountId,
    /// `arn:aws:iam::…:user/…`, `arn:aws:iam::…:root` or `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// `AIDA…`, or `AROA…:SESSION` for an assumed role.
    pub unique_id: String,
    /// The name of the role behind an assumed-role session.
    pub role: Option<String>,
    /// What `AssumeRole` was given as `Policy`: the session may do no more than this.
    pub session_policy: Option<Arc<Policy>>,
    pub source_identity: Option<String>,
    /// Session tags, `aws:PrincipalTag/KEY`.
    pub tags: Vec<(String, String)>,
}

/// One authorized call with its decoded and validated input.
pub struct Call<'a> {
    /// The service's model name: `organizations`, `sts`, `account`, `access-analyzer`, `iam`, `s3`, `s3control`, `cloudtrail`, `config`,
    /// `ec2`, `guardduty`, `securityhub`.
    pub service: &'static str,
    /// The operation's name in AWS's service model, `CreateAccount`.
    pub operation: &'static str,
    pub principal: &'a Principal,
    /// The Region whose endpoint was called (for global services: the one that the signature names).
    pub region: Region,
    pub now: Timestamp,
    /// An object with the members of the operation's input shape under their model names (never their wire names).
    /// Required members are there, types, enumerations, patterns and lengths are as the model says.
    /// Timestamps are RFC 3339 strings, blobs are base64 strings.
    pub input: Value,
}

impl Call<'_> {
    /// The account that the call acts in.
    pub fn account(&self) -> AccountId {
        self.principal.account
    }

    /// A string member, if it was given.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.input.get(member).and_then(Value::as_str)
    }

    /// A string member that the model requires.
    pub fn required(&self, member: &str) -> &str {
        self.text(member).unwrap_or_default()
    }

    pub fn flag(&self, member: &str) -> Option<bool> {
        self.input.get(member).and_then(Value::as_bool)
    }

    pub fn integer(&self, member: &str) -> Option<i64> {
        self.input.get(member).and_then(Value::as_i64)
    }

    /// A list member; one that was not given is empty.
    pub fn list(&self, member: &str) -> &[Value] {
        self.input
            .get(member)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }
}

/// The members of the operation's output shape under their model names, or AWS's refusal.
pub type Answer = Result<Value, AwsError>;

/// A refusal in AWS's terms. The protocol layer knows how each protocol writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct AwsError {
    /// The error's code as clients see it, `EmailAlreadyExistsException`.
    pub code: String,
    pub message: String,
    /// HTTP status. 400 unless the service's model says otherwise.
    pub status: u16,
    /// Further members of the error's shape, such as Organizations' `Reason`.
    pub members: Vec<(&'static str, Value)>,
}

impl AwsError {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        AwsError {
            code: code.to_owned(),
            message: message.into(),
            status: 400,
            members: Vec::new(),
        }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with(mut self, member: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    /// What a service answers for an operation that is in its model and not built here.
    /// The server turns it into the protocol's own unknown-operation error and lists the call.
    pub fn not_built() -> Self {
        AwsError::new(
            "UnknownOperationException",
            "awsim has not built this operation",
        )
        .status(501)
    }
}
