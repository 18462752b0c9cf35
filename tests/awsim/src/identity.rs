//! Who signed a request: from the signature to a principal.
//!
//! Service and Region come from the signature's credential scope, as on the real thing: `AccountId.localhost`, an address or any
//! other host name leads to the same place. A signature by temporary credentials is verified, since awsim made their
//! secret (AWS Signature Version 4). Long-lived access keys may have any secret: a test names who it wants to be, and
//! has no secret to keep.

use std::fmt::Write;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::call::{Principal, Region};
use crate::protocol::Credentials;
use crate::regions;
use crate::world::World;

/// The access key of the management account's administrator.
pub const MANAGEMENT_ACCESS_KEY: &str = "AWSIMMANAGEMENT0000";

/// What a request says about its signer, in the `Authorization` header or, presigned, in the query string.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) access_key: String,
    pub(crate) token: Option<String>,
    /// `20261122`
    date: String,
    /// `20261122T010203Z`
    time: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_headers: Vec<String>,
    signature: String,
    presigned: bool,
}

impl Signature {
    /// Reads a Signature Version 4; `None` where the request has none.
    pub(crate) fn read(parts: &Parts) -> Option<Signature> {
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if let Some(authorization) = header("authorization") {
            let fields = authorization.strip_prefix("AWS4-HMAC-SHA256")?;
            let field = |name: &str| {
                fields
                    .split(',')
                    .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
            };
            let time = header("x-amz-date").unwrap_or_default().to_owned();
            let token = header("x-amz-security-token").map(str::to_owned);
            return Self::new(
                field("Credential")?,
                field("SignedHeaders")?,
                field("Signature")?,
                time,
                token,
                false,
            );
        }
        let query: Vec<(String, String)> = query_of(parts);
        let field = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let time = field("X-Amz-Date")?.to_owned();
        let token = field("X-Amz-Security-Token").map(str::to_owned);
        Self::new(
            field("X-Amz-Credential")?,
            field("X-Amz-SignedHeaders")?,
            field("X-Amz-Signature")?,
            time,
            token,
            true,
        )
    }

    fn new(
        credential: &str,
        headers: &str,
        signature: &str,
        time: String,
        token: Option<String>,
        presigned: bool,
    ) -> Option<Self> {
        let mut scope = credential.split('/');
        Some(Signature {
            access_key: scope.next()?.to_owned(),
            date: scope.next()?.to_owned(),
            region: scope.next()?.to_owned(),
            service: scope.next()?.to_owned(),
            signed_headers: headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            time,
            token,
            presigned,
        })
    }

    pub(crate) fn region(&self) -> Option<Region> {
        regions::find(&self.region)
    }

    /// Whether the request was signed with `secret`.
    pub(crate) fn is_of(&self, secret: &str, parts: &Parts, body: &Bytes) -> bool {
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        );
        let canonical = hex(&Sha256::digest(self.canonical_request(parts, body)));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{canonical}", self.time);
        let mut key = hmac(format!("AWS4{secret}").as_bytes(), &self.date);
        for part in [&self.region, &self.service, "aws4_request"] {
            key = hmac(&key, part);
        }
        hex(&hmac(&key, &text)) == self.signature
    }

    fn canonical_request(&self, parts: &Parts, body: &Bytes) -> String {
        let path = parts.uri.path();
        // S3 alone signs the path as it is sent; the others encode it once more.
        let path = if self.service == "s3" {
            path.to_owned()
        } else {
            percent_encode(path, b"/")
        };
        let mut query: Vec<(String, String)> = query_of(parts)
            .iter()
            .filter(|(key, _)| key != "X-Amz-Signature")
            .map(|(key, value)| (percent_encode(key, b""), percent_encode(value, b"")))
            .collect();
        query.sort();
        let query: Vec<String> = query
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = parts
                .headers
                .get_all(name.as_str())
                .iter()
                .map(|value| {
                    String::from_utf8_lossy(value.as_bytes())
                        .split_whitespace()
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            let _ = writeln!(headers, "{name}:{}", values.join(","));
        }
        let hash = match parts
            .headers
            .get("x-amz-content-sha256")
            .and_then(|value| value.to_str().ok())
        {
            Some(hash) => hash.to_owned(),
            None if self.presigned && self.service == "s3" => "UNSIGNED-PAYLOAD".to_owned(),
            None => hex(&Sha256::digest(body)),
        };
        format!(
            "{}\n{path}\n{}\n{headers}\n{}\n{hash}",
            parts.method,
            query.join("&"),
            self.signed_headers.join(";")
        )
    }
}

/// A query string's pairs. Unlike in a form, `+` stands for itself.
pub(crate) fn query_of(parts: &Parts) -> Vec<(String, String)> {
    let query = parts.uri.query().unwrap_or_default().replace('+', "%2B");
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

fn percent_encode(text: &str, keep: &[u8]) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}

/// The principal behind a signature, and the secret that it must have been made with if awsim knows that.
pub(crate) fn identify(
    world: &World,
    signature: &Signature,
) -> Result<(Principal, Option<String>), Credentials> {
    if let Some(principal) = world.iam.access_key(&signature.access_key) {
        return Ok((principal, None));
    }
    let (principal, secret) = world.sts.session(
        &signature.access_key,
        signature.token.as_deref(),
        Timestamp::now(),
    )?;
    Ok((principal.clone(), Some(secret.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(request: http::Request<()>) -> Parts {
        request.into_parts().0
    }

    /// The worked example of AWS's documentation, `get-vanilla` of its signing test suite.
    #[test]
    fn a_signature_is_verified() {
        let request = |path: &str| {
            parts(
                http::Request::get(path)
                    .header("host", "example.amazonaws.com")
                    .header("x-amz-date", "20150830T123600Z")
                    .header(
                        "authorization",
                        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                         SignedHeaders=host;x-amz-date, \
                         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
                    )
                    .body(())
                    .unwrap(),
            )
        };
        let genuine = request("/");
        let signature = Signature::read(&genuine).unwrap();
        assert_eq!(
            (signature.service.as_str(), signature.region()),
            ("service", Some("us-east-1"))
        );
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert!(signature.is_of(secret, &genuine, &Bytes::new()));
        assert!(!signature.is_of("another", &genuine, &Bytes::new()));
        assert!(!signature.is_of(secret, &request("/other"), &Bytes::new()));
        assert!(!signature.is_of(secret, &genuine, &Bytes::from_static(b"body")));
    }

    #[test]
    fn a_request_may_have_no_signature() {
        assert!(Signature::read(&parts(http::Request::get("/").body(()).unwrap())).is_none());
        let basic = http::Request::get("/")
            .header("authorization", "Basic abc")
            .body(())
            .unwrap();
        assert!(Signature::read(&parts(basic)).is_none());
    }
}
