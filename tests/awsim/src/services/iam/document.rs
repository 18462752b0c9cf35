//! Policy documents as services take them in and give them back.

use std::sync::Arc;

use landfall_policy::{Kind, Policy, PrincipalType};

/// A policy document: as it was written, and as it is understood.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) text: Arc<str>,
    pub(crate) policy: Arc<Policy>,
}

impl Document {
    /// A policy of an identity: it says what may be done on which resources, and never who.
    pub(crate) fn identity(text: &str) -> Result<Self, String> {
        Self::parse(text, Kind::Identity)
    }

    /// The trust policy of a role. `exists` knows whether an ARN names an IAM role or user that is there.
    pub(crate) fn trust(text: &str, exists: impl Fn(&str) -> bool) -> Result<Self, String> {
        Self::parse(text, Kind::Trust)?.with_principals(exists)
    }

    /// The policy of a resource such as a bucket.
    pub(crate) fn resource(text: &str, exists: impl Fn(&str) -> bool) -> Result<Self, String> {
        Self::parse(text, Kind::Resource)?.with_principals(exists)
    }

    fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let policy = Policy::parse(text).map_err(|error| error.to_string())?;
        policy.validate(kind).map_err(|error| error.to_string())?;
        Ok(Document {
            text: text.into(),
            policy: Arc::new(policy),
        })
    }

    /// AWS resolves each principal when the policy is written: one that is not there makes the document malformed.
    fn with_principals(self, exists: impl Fn(&str) -> bool) -> Result<Self, String> {
        for (kind, name) in self
            .policy
            .statements()
            .iter()
            .filter_map(|statement| statement.principal())
            .flat_map(|element| element.names())
        {
            let valid = match kind {
                PrincipalType::Aws => !name.starts_with("arn:") || exists(name),
                PrincipalType::Service => {
                    name.ends_with(".amazonaws.com") || name.ends_with(".amazon.com")
                }
                _ => true,
            };
            if !valid {
                return Err(format!(
                    "Invalid principal in policy: \"{}\":\"{name}\"",
                    kind.as_str()
                ));
            }
        }
        Ok(self)
    }

    /// The text in the percent-encoding of RFC 3986, as IAM's answers carry it.
    pub(crate) fn encoded(&self) -> String {
        let mut encoded = String::with_capacity(self.text.len() * 2);
        for byte in self.text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    encoded.push(char::from(byte))
                }
                _ => {
                    encoded.push('%');
                    for digit in [byte >> 4, byte & 15] {
                        encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                    }
                }
            }
        }
        encoded
    }

    /// The size that IAM's quotas count: characters without white space.
    pub(crate) fn size(&self) -> usize {
        self.text.chars().filter(|c| !c.is_whitespace()).count()
    }
}
