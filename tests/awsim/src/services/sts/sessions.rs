//! The sessions of assumed roles, by their temporary credentials.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::call::Principal;
use crate::protocol::Credentials;

/// An assumed role's credentials live by the wall clock, which the simulator's own clock does not touch: the clients
/// that hold them look at the wall clock too, to renew them in time.
#[derive(Default)]
pub struct State {
    pub(super) sessions: HashMap<String, Session>,
    /// How many credentials were made: each comes from its number, so that runs repeat.
    made: u64,
    swept: Option<Timestamp>,
}

pub(super) struct Session {
    pub(super) principal: Principal,
    secret: String,
    token: String,
    expires: Timestamp,
}

/// For how long expired credentials are remembered, to be refused as expired rather than as unknown.
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_mins(15);

impl State {
    /// Makes credentials for a principal and answers them as `Credentials`.
    pub(super) fn open(
        &mut self,
        seed: u64,
        principal: Principal,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Value {
        self.sweep(now);
        self.made += 1;
        let digest = |purpose: &str| Sha256::digest(format!("{purpose} {seed} {}", self.made));
        let key = base32(&digest("key"), 16);
        let secret = BASE64
            .encode(digest("secret"))
            .chars()
            .take(40)
            .collect::<String>();
        let token = format!(
            "IQoJb3JpZ2luX2Vj{}{}",
            BASE64.encode(digest("token")),
            BASE64.encode(digest("more token"))
        );
        let expires = Timestamp::from_second((now + lifetime).as_second()).unwrap_or(now);
        let credentials = json!({
            "AccessKeyId": format!("ASIA{key}"),
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expires.to_string(),
        });
        self.sessions.insert(
            format!("ASIA{key}"),
            Session {
                principal,
                secret,
                token,
                expires,
            },
        );
        credentials
    }

    /// Forgets what has long expired, at most once a minute.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if self
            .swept
            .is_none_or(|swept| now > swept + SignedDuration::from_mins(1))
        {
            self.sessions
                .retain(|_, session| now < session.expires + REMEMBERED);
            self.swept = Some(now);
        }
    }

    /// The session behind temporary credentials and the credentials' secret, if the token fits and has not run out at
    /// `now` by the wall clock.
    pub fn session(
        &self,
        access_key_id: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(&Principal, &str), Credentials> {
        let session = self
            .sessions
            .get(access_key_id)
            .filter(|session| token == Some(session.token.as_str()));
        match session {
            None => Err(Credentials::Unknown),
            Some(session) if now >= session.expires => Err(Credentials::Expired),
            Some(session) => Ok((&session.principal, &session.secret)),
        }
    }
}

/// Characters of AWS's ids out of a digest.
fn base32(digest: &[u8], n: usize) -> String {
    digest
        .iter()
        .take(n)
        .map(|byte| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte % 32)]))
        .collect()
}
