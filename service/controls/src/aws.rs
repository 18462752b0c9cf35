//! AWS as seen by one role in one account and Region.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{AccountId, Region};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{Instrument, debug, debug_span};

use crate::ec2::Ec2;
use crate::error::CloudError;
use crate::limiter::Limiter;

/// How long a call goes on asking for its turn while AWS answers *too many*.
const PATIENCE: Duration = Duration::from_secs(120);

/// The Region that signs for global services.
const GLOBAL_REGION: &str = "us-east-1";

/// Clients and the one way to call through them.
pub struct Aws {
    config: SdkConfig,
    account: AccountId,
    region: Region,
    actions: BTreeSet<&'static str>,
    young: bool,
    /// Whether other replicas call in this account too.
    shared: bool,
    limiter: Arc<Limiter>,
    in_flight: Arc<Semaphore>,
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
    ($($name:ident: $sdk:ident),* $(,)?) => {
        $(
            pub fn $name(&self) -> $sdk::Client {
                $sdk::Client::new(&self.config)
            }
        )*
    };
}

impl Aws {
    #[expect(clippy::too_many_arguments, reason = "made in one place, by Cloud")]
    pub(crate) fn new(
        config: SdkConfig,
        account: AccountId,
        region: Region,
        actions: BTreeSet<&'static str>,
        young: bool,
        shared: bool,
        limiter: Arc<Limiter>,
        in_flight: Arc<Semaphore>,
    ) -> Self {
        Aws {
            config,
            account,
            region,
            actions,
            young,
            shared,
            limiter,
            in_flight,
        }
    }

    pub fn account(&self) -> &AccountId {
        &self.account
    }

    pub fn region(&self) -> &Region {
        &self.region
    }

    clients! {
        sts: aws_sdk_sts,
        accessanalyzer: aws_sdk_accessanalyzer,
        cloudtrail: aws_sdk_cloudtrail,
        config: aws_sdk_config,
        guardduty: aws_sdk_guardduty,
        s3control: aws_sdk_s3control,
        securityhub: aws_sdk_securityhub,
        sqs: aws_sdk_sqs,
    }

    /// EC2 has a client of our own: see its module.
    pub(crate) fn ec2(&self) -> Ec2<'_> {
        Ec2::new(self, &self.config)
    }

    /// Organizations answers in us-east-1 alone, and an endpoint that is set by hand does not say so.
    pub fn organizations(&self) -> aws_sdk_organizations::Client {
        let region = aws_config::Region::from_static(GLOBAL_REGION);
        aws_sdk_organizations::Client::from_conf(
            aws_sdk_organizations::config::Builder::from(&self.config)
                .region(region)
                .build(),
        )
    }

    /// IAM is global too.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        let region = aws_config::Region::from_static(GLOBAL_REGION);
        aws_sdk_iam::Client::from_conf(
            aws_sdk_iam::config::Builder::from(&self.config)
                .region(region)
                .build(),
        )
    }

    /// And so is Account Management.
    pub fn account_management(&self) -> aws_sdk_account::Client {
        let region = aws_config::Region::from_static(GLOBAL_REGION);
        aws_sdk_account::Client::from_conf(
            aws_sdk_account::config::Builder::from(&self.config)
                .region(region)
                .build(),
        )
    }

    /// S3 wants the bucket in the path where the endpoint is not AWS's own.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let path_style = self.config.endpoint_url().is_some();
        aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&self.config)
                .force_path_style(path_style)
                .build(),
        )
    }

    /// Makes one call: waits for its token, sends it, and says what an error means.
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
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the wait is for a token, not for a state of the world"
                )]
                tokio::time::sleep(wait).await;
                let permit = self
                    .in_flight
                    .acquire()
                    .await
                    .expect("the semaphore is never closed");
                let answer = Box::pin(send()).await;
                drop(permit);
                let error = match answer {
                    Ok(value) => {
                        self.limiter
                            .went_through(&self.account, &self.region, action);
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
