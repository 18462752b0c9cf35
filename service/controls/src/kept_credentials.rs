//! The credentials of the sessions that are open: one for each account and set of actions.
//!
//! The SDK's identity cache holds 64 of them and then forgets silently; there are hundreds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use landfall_model::ids::AccountId;
use tracing::warn;

use crate::error::CloudError;
use crate::session_policy::Actions;

/// Sessions are renewed when less than this is left: longer than any one reconcile should take.
const RENEW_BEFORE: Duration = Duration::from_secs(600);
/// How long one that could not be renewed is used before that is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// Whose session, and what it may do.
type SessionKey = (AccountId, Actions);

/// A slot for each session. Whoever opens one has its slot for himself meanwhile.
#[derive(Default)]
pub(crate) struct KeptCredentials(Mutex<BTreeMap<SessionKey, Slot>>);

type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// The credentials of a session.
struct Kept {
    credentials: Credentials,
    /// `None` when they do not run out.
    renew_at: Option<SystemTime>,
}

impl Kept {
    fn new(credentials: Credentials) -> Self {
        let renew_at = credentials.expiry().map(|expiry| expiry - RENEW_BEFORE);
        Kept {
            credentials,
            renew_at,
        }
    }

    fn is_to_be_renewed(&self, now: SystemTime) -> bool {
        self.renew_at.is_some_and(|renew_at| renew_at <= now)
    }

    /// Whether AWS still takes them, and will for as long as a few calls need.
    fn holds(&self, now: SystemTime) -> bool {
        let expiry = self.credentials.expiry();
        expiry.is_none_or(|expiry| expiry > now + RENEW_AGAIN)
    }
}

impl KeptCredentials {
    /// The credentials of a session, made by `open` when there are none or they run out soon. Callers that want the same
    /// session at once share one `AssumeRole`. Where it cannot be renewed, it is used to its end: somebody may just have
    /// shut the door behind whoever is inside, who can still open it (see `iam_execution_role`).
    pub(crate) async fn of(
        &self,
        key: SessionKey,
        open: impl AsyncFnOnce() -> Result<Credentials, CloudError>,
    ) -> Result<Credentials, CloudError> {
        let slot = {
            let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.entry(key).or_default().clone()
        };
        let mut slot = slot.lock().await;
        let now = wall_clock();
        if let Some(kept) = slot.as_ref().filter(|kept| !kept.is_to_be_renewed(now)) {
            return Ok(kept.credentials.clone());
        }
        match Box::pin(open()).await {
            Ok(credentials) => {
                *slot = Some(Kept::new(credentials.clone()));
                Ok(credentials)
            }
            Err(error) => match slot.as_mut().filter(|kept| kept.holds(now)) {
                Some(kept) => {
                    warn!(%error, "a session cannot be renewed and is used to its end");
                    kept.renew_at = Some(now + RENEW_AGAIN);
                    Ok(kept.credentials.clone())
                }
                None => Err(error),
            },
        }
    }

    /// Forgets sessions that ran out.
    pub(crate) fn forget_idle(&self) {
        let now = wall_clock();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, slot| {
            slot.try_lock().map_or(true, |slot| {
                slot.as_ref().is_some_and(|kept| kept.holds(now))
            })
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "credentials run out by the wall clock, which is AWS's too"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use landfall_model::cloud_error::CloudErrorKind;

    use super::*;

    /// A session that runs out in so many minutes, opened under `name`.
    fn session(name: &str, minutes: u64) -> Credentials {
        let expiry = wall_clock() + Duration::from_secs(60 * minutes);
        Credentials::new(name, "secret", None, Some(expiry), "test")
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_renewed_is_used_to_its_end() {
        let kept = KeptCredentials::default();
        let key = |account: &str| (account.parse().unwrap(), Actions::default());
        let shut = || CloudError::new(CloudErrorKind::AccessDenied, "sts:AssumeRole", "no");
        // Minutes that the first session lasts, and whose credentials are used when nobody is let in any more.
        for (account, minutes, expected) in [
            ("222222222222", 60, Some("first")),
            ("333333333333", 9, Some("first")),
            ("444444444444", 0, None),
        ] {
            let ask = async |open: Result<Credentials, CloudError>| {
                let found = kept.of(key(account), async || open).await;
                found.map(|credentials| credentials.access_key_id().to_owned())
            };
            assert_eq!(ask(Ok(session("first", minutes))).await.unwrap(), "first");
            kept.forget_idle();
            for _ in 0..2 {
                let found = ask(Err(shut())).await;
                assert_eq!(found.ok().as_deref(), expected, "{minutes} minutes");
            }
        }
        // When the door is open again, the session is renewed, though not at every call.
        let slot = kept.0.lock().unwrap()[&key("333333333333")].clone();
        let again = |name| kept.of(key("333333333333"), async move || Ok(session(name, 60)));
        assert_eq!(again("second").await.unwrap().access_key_id(), "first");
        slot.lock().await.as_mut().unwrap().renew_at = Some(wall_clock());
        assert_eq!(again("second").await.unwrap().access_key_id(), "second");
    }
}
