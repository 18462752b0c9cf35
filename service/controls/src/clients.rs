//! The SDK's clients: one of each service in each Region, whoever calls.
//!
//! A client takes longer to make than a call does, and tens of kilobytes to keep; with one for each account there would be
//! a hundred thousand. So clients belong to nobody. Whose credentials sign a call is said for that call (`signed_by`), and
//! the clients' provider of credentials looks there. A call that nobody signs fails before it is sent.

use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use crate::ec2;

tokio::task_local! {
    static SIGNER: Credentials;
}

/// Makes calls in another's name: `signer`'s. Without one, the clients have credentials of their own.
pub(crate) async fn signed_by<F: Future>(signer: Option<&Credentials>, calls: F) -> F::Output {
    match signer {
        Some(signer) => SIGNER.scope(signer.clone(), calls).await,
        None => calls.await,
    }
}

/// The credentials of whoever makes the call.
#[derive(Debug)]
struct OfTheSigner;

impl ProvideCredentials for OfTheSigner {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let signer = SIGNER.try_with(Clone::clone);
        future::ProvideCredentials::ready(signer.map_err(CredentialsError::invalid_configuration))
    }
}

/// `config` for clients that sign as they are told. Credentials are kept by `Cloud`: to keep them here too would mean to
/// use one account's for another.
pub(crate) fn for_any_signer(config: &SdkConfig) -> SdkConfig {
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(OfTheSigner))
        .identity_cache(IdentityCache::no_cache())
        .build()
}

macro_rules! clients {
    ($($name:ident: $sdk:ident),* $(,)?) => {
        /// The clients of one Region, each made when it is first asked for.
        pub(crate) struct Clients {
            sdk: SdkConfig,
            s3: OnceLock<aws_sdk_s3::Client>,
            ec2: OnceLock<ec2::Query>,
            $($name: OnceLock<$sdk::Client>,)*
        }

        impl Clients {
            pub(crate) fn new(sdk: SdkConfig) -> Self {
                Clients {
                    sdk,
                    s3: OnceLock::new(),
                    ec2: OnceLock::new(),
                    $($name: OnceLock::new(),)*
                }
            }

            $(
                pub(crate) fn $name(&self) -> &$sdk::Client {
                    self.$name.get_or_init(|| $sdk::Client::new(&self.sdk))
                }
            )*
        }
    };
}

clients! {
    accessanalyzer: aws_sdk_accessanalyzer,
    account_management: aws_sdk_account,
    cloudtrail: aws_sdk_cloudtrail,
    config: aws_sdk_config,
    guardduty: aws_sdk_guardduty,
    iam: aws_sdk_iam,
    organizations: aws_sdk_organizations,
    s3control: aws_sdk_s3control,
    securityhub: aws_sdk_securityhub,
    sqs: aws_sdk_sqs,
    sts: aws_sdk_sts,
}

impl Clients {
    /// S3 wants the bucket in the path where the endpoint is not AWS's own.
    pub(crate) fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let path_style = self.sdk.endpoint_url().is_some();
            let config = aws_sdk_s3::config::Builder::from(&self.sdk);
            aws_sdk_s3::Client::from_conf(config.force_path_style(path_style).build())
        })
    }

    /// EC2 has a client of our own: see its module.
    pub(crate) fn ec2(&self) -> &ec2::Query {
        self.ec2.get_or_init(|| ec2::query(&self.sdk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardduty::{LIST_DETECTORS, detector_of};
    use crate::wire::Wire;

    const NONE: (u16, &str) = (200, r#"{"detectorIds": []}"#);

    #[tokio::test]
    async fn each_caller_signs_for_itself_through_the_same_client() {
        let wire = Wire::with([NONE; 4]);
        let mut one = wire.aws("eu-west-1", &[LIST_DETECTORS]);
        let mut two = wire.aws("eu-west-1", &[LIST_DETECTORS]);
        two.clients = one.clients.clone();
        let signer = |id: &str| Some(Credentials::new(id, "secret", None, None, ""));
        (one.signer, two.signer) = (signer("AKIDONE"), signer("AKIDTWO"));
        let (a, b) = tokio::join!(detector_of(&one), detector_of(&two));
        assert_eq!((a.unwrap(), b.unwrap()), (None, None));
        detector_of(&one).await.unwrap();
        detector_of(&two).await.unwrap();
        let requests = wire.requests();
        let signed = requests.iter().map(|request| {
            let header = request.headers().get("authorization").unwrap_or_default();
            let after = header.split_once("Credential=").unwrap().1;
            after.split_once('/').unwrap().0
        });
        let mut signed: Vec<&str> = signed.collect();
        signed[..2].sort_unstable();
        assert_eq!(signed, ["AKIDONE", "AKIDTWO", "AKIDONE", "AKIDTWO"]);
    }

    #[tokio::test]
    async fn what_nobody_signs_is_not_sent() {
        let wire = Wire::with([NONE]);
        let mut nobody = wire.aws("eu-west-1", &[LIST_DETECTORS]);
        nobody.signer = None;
        assert!(detector_of(&nobody).await.is_err());
        assert!(wire.requests().is_empty());
    }
}
