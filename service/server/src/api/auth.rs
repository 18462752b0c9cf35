//! Who is calling, and what they may do.
//!
//! A bearer token is 256 random bits; the database holds its BLAKE3 hash, so a stolen database opens nothing, and no
//! slow hash is needed since there is nothing to guess. Every handler asks [`authorize`], the one place where it says
//! which role may do what.

use std::fmt;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::Api;
use super::problem::{Kind, Problem};
pub use crate::store::Role;

/// Who comes with the token that the server was started with.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The token's id, or [`BOOTSTRAP`].
    pub id: String,
    /// What the token is called; events name it.
    pub name: String,
    pub role: Role,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Look at requests, accounts, cells, assets and events.
    Read,
    RequestAccount,
    /// Approve or reject requests, approve plans.
    Decide,
    /// Cancel, or correct and retry: one's own, or anybody's for those who run the landing zone.
    ChangeRequest {
        requested_by: &'a str,
    },
    PauseAccount,
    /// Have the log files of all accounts read: they tell who does what.
    ReadLogs,
    /// Have drift repaired that waits for somebody to ask.
    Repair,
    /// Ask for a deviation to be accepted.
    ProposeWaiver,
    /// Approve or reject a waiver or an exemption. Never one's own: `Consent::may` sees to that.
    DecideWaiver,
    /// Take a waiver or an exemption back: one's own, or anybody's for those who may decide.
    RevokeWaiver {
        requested_by: &'a str,
    },
    /// Start, pause, resume and roll back rollouts.
    RollOut,
    /// Have accounts looked at; nothing is changed.
    MakePlan,
    ApplyPlan,
    EnrollAccount,
    ManageTokens,
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Read => "read",
            Action::RequestAccount => "ask for accounts",
            Action::Decide => "decide on requests and plans",
            Action::ChangeRequest { .. } => "change somebody else's request",
            Action::PauseAccount => "pause or resume accounts",
            Action::ReadLogs => "have log files read",
            Action::Repair => "have drift repaired",
            Action::ProposeWaiver => "propose waivers and exemptions",
            Action::DecideWaiver => "decide on waivers and exemptions",
            Action::RevokeWaiver { .. } => "revoke somebody else's waiver or exemption",
            Action::RollOut => "decide on rollouts",
            Action::MakePlan => "make plans",
            Action::ApplyPlan => "apply plans",
            Action::EnrollAccount => "take over accounts",
            Action::ManageTokens => "manage tokens",
        })
    }
}

/// Whether `principal` may do `action`.
pub fn authorize(principal: &Principal, action: Action<'_>) -> Result<(), Problem> {
    use Role::{Administrator, Engineer, Platform, Security};

    let allowed = match (action, principal.role) {
        (_, Administrator) => true,
        (
            Action::Read | Action::RequestAccount | Action::ProposeWaiver,
            Platform | Security | Engineer,
        ) => true,
        (
            Action::Decide | Action::DecideWaiver | Action::MakePlan | Action::ReadLogs,
            Platform | Security,
        ) => true,
        (Action::Decide | Action::DecideWaiver | Action::MakePlan | Action::ReadLogs, Engineer) => {
            false
        }
        (Action::RevokeWaiver { .. }, Platform | Security) => true,
        (Action::RevokeWaiver { requested_by }, Engineer) => requested_by == principal.name,
        (Action::ChangeRequest { .. }, Platform) => true,
        (Action::ChangeRequest { requested_by }, Security | Engineer) => {
            requested_by == principal.name
        }
        (
            Action::PauseAccount
            | Action::EnrollAccount
            | Action::Repair
            | Action::RollOut
            | Action::ApplyPlan,
            Platform,
        ) => true,
        (
            Action::PauseAccount
            | Action::EnrollAccount
            | Action::Repair
            | Action::RollOut
            | Action::ApplyPlan,
            Security | Engineer,
        ) => false,
        (Action::ManageTokens, Platform | Security | Engineer) => false,
    };
    if allowed {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        format!(
            "The token `{}` has the role {}, which may not {action}. Ask an administrator of Landfall.",
            principal.name,
            principal.role.name()
        ),
    ))
}

/// The BLAKE3 hash of a token: what is stored, and compared in constant time.
pub fn hash(token: &SecretString) -> blake3::Hash {
    blake3::hash(token.expose_secret().as_bytes())
}

/// A new token: `lf_` and 256 random bits.
pub fn generate() -> Result<SecretString, Problem> {
    let mut bits = [0u8; 32];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "no random bits for a token");
        Problem::new(
            Kind::Unavailable,
            "The server has no randomness now. Try again.",
        )
    })?;
    Ok(format!("lf_{}", blake3::Hash::from_bytes(bits).to_hex()).into())
}

/// Lets nobody through who has no valid token, and tells the handlers who is calling.
pub(super) async fn authenticate(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let principal = match bearer(request.headers()) {
        Some(token) => api.principal(&token).await?.ok_or_else(|| {
            unauthenticated("The token is unknown, expired or revoked. Ask an administrator of Landfall for another one.")
        })?,
        None => {
            return Err(unauthenticated(
                "Send the header `Authorization: Bearer lf_…`. Administrators make tokens with `landfall token create`.",
            ));
        }
    };
    request.extensions_mut().insert(principal.clone());
    let mut response = next.run(request).await;
    // The access log names the caller.
    response.extensions_mut().insert(principal);
    Ok(response)
}

fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned().into())
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, detail).with_header(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"landfall\""),
    )
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Only a route outside of `authenticate` gets here without one, and then nobody may pass.
        parts
            .extensions
            .get::<Principal>()
            .cloned()
            .ok_or_else(|| unauthenticated("This path needs a token."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role) -> Principal {
        Principal {
            id: "1".to_owned(),
            name: "ann".to_owned(),
            role,
        }
    }

    #[test]
    fn each_role_may_do_what_it_is_for() {
        let other = Action::ChangeRequest {
            requested_by: "bob",
        };
        let own = Action::ChangeRequest {
            requested_by: "ann",
        };
        // administrator, platform, security, engineer
        for (action, allowed) in [
            (Action::Read, [true, true, true, true]),
            (Action::RequestAccount, [true, true, true, true]),
            (Action::Decide, [true, true, true, false]),
            (own, [true, true, true, true]),
            (other, [true, true, false, false]),
            (Action::PauseAccount, [true, true, false, false]),
            (Action::RollOut, [true, true, false, false]),
            (Action::MakePlan, [true, true, true, false]),
            (Action::ApplyPlan, [true, true, false, false]),
            (Action::EnrollAccount, [true, true, false, false]),
            (Action::ManageTokens, [true, false, false, false]),
        ] {
            for (role, allowed) in Role::ALL.into_iter().zip(allowed) {
                let answer = authorize(&principal(role), action);
                assert_eq!(answer.is_ok(), allowed, "{role:?} {action:?}");
                if let Err(problem) = answer {
                    assert_eq!(problem.kind, Kind::Forbidden);
                }
            }
        }
    }

    #[test]
    fn tokens_are_long_random_and_hidden() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.expose_secret().len(), 3 + 64);
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert!(!format!("{one:?}").contains(one.expose_secret()));
    }
}
