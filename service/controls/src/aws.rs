//! AWS as seen by one role in one account and Region.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{AccountId, Region};
use tokio::time::Instant;
use tracing::{Instrument, debug, debug_span};

use crate::clients::{Clients, signed_by};
use crate::ec2::Ec2;
use crate::error::CloudError;
use crate::limiter::Limiter;
use crate::line::Line;
use crate::session_policy::Actions;

/// How long a call goes on asking for its turn while AWS answers *too many*.
const PATIENCE: Duration = Duration::from_secs(120);

/// Clients and the one way to call through them.
pub struct Aws {
    /// Of the Region.
    pub(crate) clients: Arc<Clients>,
    /// Of the Region that global services answer in; an endpoint that is set by hand does not say so.
    pub(crate) global: Arc<Clients>,
    /// Who signs; `None` where the clients have credentials of their own.
    pub(crate) signer: Option<Credentials>,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) actions: Actions,
    pub(crate) young: bool,
    /// What helps where the role lacks a permission, if Landfall knows.
    pub(crate) when_denied: Option<Arc<str>>,
    /// Whether other replicas call in this account too.
    pub(crate) shared: bool,
    pub(crate) limiter: Arc<Limiter>,
    /// Since when whoever makes these calls is in line.
    pub(crate) in_line_since: Instant,
    pub(crate) line: Line,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("account", &self.account)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

macro_rules! clients {
    ($($place:ident: $($name:ident -> $client:ty),* $(,)?;)*) => {
        $($(
            pub fn $name(&self) -> &$client {
                self.$place.$name()
            }
        )*)*
    };
}

impl Aws {
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    pub fn region(&self) -> &Region {
        &self.region
    }

    clients! {
        clients:
            accessanalyzer -> aws_sdk_accessanalyzer::Client,
            cloudtrail -> aws_sdk_cloudtrail::Client,
            config -> aws_sdk_config::Client,
            guardduty -> aws_sdk_guardduty::Client,
            s3 -> aws_sdk_s3::Client,
            s3control -> aws_sdk_s3control::Client,
            securityhub -> aws_sdk_securityhub::Client,
            sqs -> aws_sdk_sqs::Client,
            sts -> aws_sdk_sts::Client;
        global:
            account_management -> aws_sdk_account::Client,
            iam -> aws_sdk_iam::Client,
            organizations -> aws_sdk_organizations::Client;
    }

    /// EC2 has a client of our own: see its module.
    pub(crate) fn ec2(&self) -> Ec2<'_> {
        Ec2::new(self, self.clients.ec2())
    }

    /// Makes one call: waits for its token and its turn, sends it, and says what an error means.
    ///
    /// `action` is the IAM action; one that the control does not list is refused here, before AWS would. A throttled
    /// call did not act, so it is sent again as soon as the bucket opens. Nothing else is repeated here: whether to do
    /// so is for whoever looks at AWS next.
    pub async fn call<T, E, F>(
        &self,
        action: &'static str,
        mut send: impl FnMut() -> F,
    ) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if !self.actions.contains(action) {
            return Err(CloudError::new(
                CloudErrorKind::Invalid,
                action,
                "the control does not list this action in ACTIONS",
            ));
        }
        let span =
            debug_span!("aws", operation = action, account = %self.account, region = %self.region);
        let started = Instant::now();
        async {
            loop {
                let wait = self.limiter.reserve(
                    &self.account,
                    &self.region,
                    action,
                    self.shared,
                    Instant::now(),
                );
                if !wait.is_zero() {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the wait is for a token, not for a state of the world"
                    )]
                    tokio::time::sleep(wait).await;
                }
                let turn = self.line.turn(self.in_line_since).await;
                let answer = Box::pin(signed_by(self.signer.as_ref(), send())).await;
                drop(turn);
                let mut error = match answer {
                    Ok(value) => {
                        count(action, "ok");
                        return Ok(value);
                    }
                    Err(error) => CloudError::of_call(action, error, self.young),
                };
                count(action, error.kind.name());
                debug!(
                    kind = error.kind.name(),
                    code = error.code.as_deref(),
                    request_id = error.request_id.as_deref(),
                    "{action} was not done"
                );
                if error.kind == CloudErrorKind::AccessDenied
                    && let Some(advice) = &self.when_denied
                {
                    error.message += advice;
                }
                if error.kind != CloudErrorKind::Throttled {
                    return Err(error);
                }
                self.limiter
                    .throttled(&self.account, &self.region, action, Instant::now());
                if started.elapsed() > PATIENCE {
                    return Err(error);
                }
            }
        }
        .instrument(span)
        .await
    }
}

fn count(action: &'static str, outcome: &'static str) {
    let service = action
        .split_once(':')
        .map_or(action, |(service, _)| service);
    metrics::counter!("landfall_aws_calls_total", "service" => service, "outcome" => outcome)
        .increment(1);
}
