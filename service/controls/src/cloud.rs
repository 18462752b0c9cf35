//! The way to AWS: one process, one HTTP connection pool, one set of token buckets, and a role for every account.
//!
//! The SDK's defaults are made for a program with one set of credentials. This one works in hundreds of accounts, so
//! - the HTTP client is shared by all service clients (each would open a pool of its own), and those by all accounts
//!   (`clients`);
//! - the SDK's retries are off: it would share one retry budget among all accounts (`limiter` decides instead);
//! - credentials are kept by us, one session for each account and set of actions (`kept_credentials`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sts::types::Credentials as StsCredentials;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{AccountId, Region};
use landfall_model::landing_zone::{LandingZone, Roles};
use tokio::time::Instant;

use crate::aws::Aws;
use crate::clients::{Clients, for_any_signer};
use crate::error::CloudError;
use crate::kept_credentials::KeptCredentials;
use crate::limiter::Limiter;
use crate::line::Line;
use crate::localhost::LocalhostResolver;
use crate::organizational_units::UnitIds;
use crate::roster::Rosters;
use crate::session_policy::{self, Actions};

/// The Region that signs for global services.
const GLOBAL_REGION: &str = "us-east-1";

/// How long sessions last: the most that role chaining allows (IAM, "Roles terms and concepts").
const SESSION_SECONDS: i32 = 3_600;
/// Cheap to clone.
#[derive(Clone)]
pub struct Cloud(Arc<Inner>);

struct Inner {
    /// What all clients have in common, whoever signs.
    base: SdkConfig,
    /// The clients of the process's own credentials, in the home Region.
    own: Arc<Clients>,
    /// The clients of the services that are the same in every Region.
    global: Arc<Clients>,
    /// The clients of all others, by Region.
    clients: Arc<Mutex<BTreeMap<Region, Arc<Clients>>>>,
    management_account: AccountId,
    home_region: Region,
    roles: Roles,
    /// What helps where the management role lacks a permission.
    when_denied: Arc<str>,
    limiter: Arc<Limiter>,
    /// In front of the calls of all accounts together.
    line: Line,
    units: UnitIds,
    rosters: Rosters,
    credentials: KeptCredentials,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud")
            .field("management_account", &self.0.management_account)
            .finish_non_exhaustive()
    }
}

/// How to reach AWS where the environment is not to say.
#[derive(Clone, Default)]
pub struct Access {
    pub endpoint_url: Option<String>,
    /// Access key id and secret.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// What a session is for: whose, in which Region the calls go, and why.
#[derive(Clone, Debug)]
pub struct Errand {
    pub account: AccountId,
    pub region: Region,
    /// The only actions that the session may do.
    pub actions: Actions,
    /// The request or run, for CloudTrail: a part of the session's name.
    pub reason: String,
    /// Whether the account is so new that refusals may only mean *not yet*.
    pub young: bool,
    /// Whether every replica calls in the account, so that its token buckets are to be divided.
    pub shared: bool,
}

impl Cloud {
    /// Finds credentials, endpoint and proxy settings as every AWS program does, except for what `access` gives, and
    /// opens nothing yet.
    pub async fn open(zone: &LandingZone, calls_in_flight: usize, access: Access) -> Self {
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .build_with_resolver(LocalhostResolver::default());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(3_100))
            .operation_attempt_timeout(Duration::from_secs(15))
            .operation_timeout(Duration::from_secs(20))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http_client)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .region(aws_config::Region::new(zone.home_region.to_string()));
        if let Some(endpoint) = access.endpoint_url {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some((key_id, secret)) = access.credentials {
            loader = loader
                .credentials_provider(Credentials::new(key_id, secret, None, None, "landfall"));
        }
        let base = loader.load().await;
        Cloud(Arc::new(Inner {
            own: Arc::new(Clients::new(base.clone())),
            global: Arc::new(Clients::new(in_region(
                &for_any_signer(&base),
                GLOBAL_REGION,
            ))),
            base: for_any_signer(&base),
            clients: Arc::default(),
            management_account: zone.management_account.clone(),
            home_region: zone.home_region.clone(),
            roles: zone.roles.clone(),
            when_denied: when_denied(zone).into(),
            limiter: Arc::new(Limiter::default()),
            line: Line::new(calls_in_flight),
            units: UnitIds::default(),
            rosters: Rosters::default(),
            credentials: KeptCredentials::default(),
        }))
    }

    /// The same way to AWS, but into members through another role. What was remembered is not shared.
    pub fn with_execution_role(&self, role: &str) -> Self {
        let inner = &self.0;
        Cloud(Arc::new(Inner {
            base: inner.base.clone(),
            own: inner.own.clone(),
            global: inner.global.clone(),
            clients: inner.clients.clone(),
            management_account: inner.management_account.clone(),
            home_region: inner.home_region.clone(),
            roles: Roles {
                execution: role.to_owned(),
                ..inner.roles.clone()
            },
            when_denied: inner.when_denied.clone(),
            limiter: inner.limiter.clone(),
            line: inner.line.clone(),
            units: UnitIds::default(),
            rosters: Rosters::default(),
            credentials: KeptCredentials::default(),
        }))
    }

    /// What is remembered of the OU tree.
    pub fn units(&self) -> &UnitIds {
        &self.0.units
    }

    /// What lists tell of many accounts at once.
    pub fn rosters(&self) -> &Rosters {
        &self.0.rosters
    }

    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// The process's own credentials, as they are before any role is assumed.
    pub fn own(&self, actions: Actions) -> Aws {
        Aws {
            clients: self.0.own.clone(),
            global: self.0.own.clone(),
            signer: None,
            account: self.0.management_account.clone(),
            region: self.0.home_region.clone(),
            actions,
            young: false,
            when_denied: None,
            shared: true,
            limiter: self.0.limiter.clone(),
            in_line_since: Instant::now(),
            line: self.0.line.clone(),
        }
    }

    /// Assumes the role for an errand, or takes the session that is there, and hands out the clients.
    pub async fn assume(&self, errand: &Errand) -> Result<Aws, CloudError> {
        let credentials = if errand.account == self.0.management_account {
            self.management_credentials(errand).await?
        } else {
            self.member_credentials(errand).await?
        };
        Ok(self.aws(errand, credentials))
    }

    async fn management_credentials(&self, errand: &Errand) -> Result<Credentials, CloudError> {
        let key = (errand.account.clone(), errand.actions.clone());
        let enter = async || {
            let base = self.own([ASSUME].into());
            let role = &self.0.roles.management;
            self.assume_with(&base, errand, role, None).await
        };
        self.0.credentials.of(key, enter).await
    }

    async fn member_credentials(&self, errand: &Errand) -> Result<Credentials, CloudError> {
        let key = (errand.account.clone(), errand.actions.clone());
        let entered = self
            .0
            .credentials
            .of(key, async || self.enter(errand).await);
        entered.await.map_err(|mut error| {
            if error.kind == CloudErrorKind::AccessDenied && error.action == ASSUME {
                let Roles {
                    management,
                    execution,
                    ..
                } = &self.0.roles;
                error.message += &format!(
                    ". Landfall cannot let itself in: whoever administers {} has to give {execution} a trust policy that lets the role {management} of {} in, with the landing zone's external id if it asks for one, unless a service control policy denies it",
                    errand.account, self.0.management_account
                );
            }
            error
        })
    }

    /// Assumes the execution role of a member account anew, whatever sessions there are. While an external id is being
    /// changed, the role may ask for any of them.
    pub(crate) async fn enter(&self, errand: &Errand) -> Result<Credentials, CloudError> {
        let doorway = Errand {
            account: self.0.management_account.clone(),
            region: self.0.home_region.clone(),
            actions: [ASSUME].into(),
            reason: "assume".to_owned(),
            // Here it is the account behind the door that may be new.
            young: errand.young,
            shared: true,
        };
        let credentials = self.management_credentials(&doorway).await?;
        let doorway = self.aws(&doorway, credentials);
        let roles = &self.0.roles;
        let mut others = roles.external_ids.iter().map(String::as_str);
        let mut external_id = others.next();
        loop {
            let entered = self
                .assume_with(&doorway, errand, &roles.execution, external_id)
                .await;
            match (entered, others.next()) {
                (Err(error), Some(other)) if error.is(&["AccessDenied"]) => {
                    external_id = Some(other);
                }
                (entered, _) => return entered,
            }
        }
    }

    async fn assume_with(
        &self,
        from: &Aws,
        errand: &Errand,
        role: &str,
        external_id: Option<&str>,
    ) -> Result<Credentials, CloudError> {
        let policy = session_policy::document(&errand.actions)?;
        let arn = format!("arn:aws:iam::{}:role/{role}", errand.account);
        let name = session_name(&errand.reason);
        let sts = from.sts();
        let answer = from
            .call(ASSUME, || {
                sts.assume_role()
                    .role_arn(&arn)
                    .role_session_name(&name)
                    .policy(&policy)
                    .set_external_id(external_id.map(str::to_owned))
                    .duration_seconds(SESSION_SECONDS)
                    .send()
            })
            .await?;
        let credentials = answer.credentials.ok_or_else(|| {
            CloudError::new(
                CloudErrorKind::Unavailable,
                ASSUME,
                "the answer holds no credentials",
            )
        })?;
        Ok(to_credentials(&credentials))
    }

    fn aws(&self, errand: &Errand, credentials: Credentials) -> Aws {
        Aws {
            clients: self.clients(&errand.region),
            global: self.0.global.clone(),
            signer: Some(credentials),
            account: errand.account.clone(),
            region: errand.region.clone(),
            actions: errand.actions.clone(),
            young: errand.young,
            // Who lets Landfall into a member is not for the management role to say.
            when_denied: (errand.account == self.0.management_account
                && !errand.actions.contains(ASSUME))
            .then(|| self.0.when_denied.clone()),
            shared: errand.shared,
            limiter: self.0.limiter.clone(),
            in_line_since: Instant::now(),
            line: self.0.line.clone(),
        }
    }

    fn clients(&self, region: &Region) -> Arc<Clients> {
        let clients = self.0.clients.lock();
        let mut clients = clients.unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Clients::new(in_region(&self.0.base, region.as_str())));
        clients.entry(region.clone()).or_insert_with(make).clone()
    }

    /// Forgets sessions that ran out, buckets that are full again, and lists that are old.
    pub fn forget_idle(&self) {
        let now = tokio::time::Instant::now();
        self.0.limiter.forget_full(now);
        self.0.rosters.forget_idle(now);
        self.0.credentials.forget_idle();
    }
}

/// An upgrade may need more of the management role than it was given, which nobody but an administrator there can mend.
fn when_denied(zone: &LandingZone) -> String {
    format!(
        ". Whoever administers {} has to give the role {} its present permissions: deploy/roles/README.md has the command",
        zone.management_account, zone.roles.management
    )
}

fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    let region = aws_config::Region::new(region.to_owned());
    config.to_builder().region(region).build()
}

const ASSUME: &str = "sts:AssumeRole";

/// A session's name: what CloudTrail shows as the caller (2 to 64 of `[\w+=,.@-]`).
fn session_name(reason: &str) -> String {
    let reason: String = reason
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+=,.@-".contains(*c))
        .take(55)
        .collect();
    format!("landfall-{reason}")
}

fn to_credentials(from: &StsCredentials) -> Credentials {
    let expiry = SystemTime::try_from(from.expiration).ok();
    Credentials::new(
        &from.access_key_id,
        &from.secret_access_key,
        Some(from.session_token.clone()),
        expiry,
        "landfall",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_as_aws_allows() {
        let name = session_name("0198c2f1-1111-7abc-8def-000000000000 / söme thing");
        assert!(
            name.len() <= 64 && name.starts_with("landfall-0198c2f1"),
            "{name}"
        );
    }
}
