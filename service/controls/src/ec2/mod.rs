//! A client for the few operations of EC2 that controls need.
//!
//! EC2 has 811 operations, and its SDK crate takes more to build than all others here together
//! (`docs/adr/2026-11-22-own-ec2-client.md`). This sends the service's Query protocol (EC2 Developer Guide, "Query
//! requests") through the SDK's own orchestrator: the process's connection pool, credentials, time limits and endpoint
//! are the same as any SDK client's, so is the signature, and every call goes through [`Aws::call`].

pub(crate) mod reply;

use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use landfall_model::cloud_error::CloudErrorKind;

use self::reply::{Reply, Row};
use crate::aws::Aws;
use crate::error::{CloudError, REQUEST_ID};

const API_VERSION: &str = "2016-11-15";

/// The most results that a page of any `Describe…` used here may have.
const PAGE: &str = "1000";

/// A call's parameters by the names of the Query protocol, `Filter.1.Name`.
pub(crate) type Parameters<'a> = &'a [(&'a str, &'a str)];

/// EC2 in one account and Region.
pub(crate) struct Ec2<'a> {
    aws: &'a Aws,
    query: &'a Query,
}

/// What the SDK generates for each operation of a service, once for all of them: a form goes out, XML comes back.
pub(crate) type Query = Operation<String, Reply, Ec2Error>;

impl fmt::Debug for Ec2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2")
            .field("aws", self.aws)
            .finish_non_exhaustive()
    }
}

impl<'a> Ec2<'a> {
    pub(crate) fn new(aws: &'a Aws, query: &'a Query) -> Self {
        Ec2 { aws, query }
    }

    /// Changes something. The answer says nothing that is of use.
    pub(crate) async fn act(
        &self,
        action: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<(), CloudError> {
        self.send(action, parameters).await.map(drop)
    }

    /// Asks for the account's settings: the texts at `paths` in the answer.
    pub(crate) async fn get(
        &self,
        action: &'static str,
        paths: &'static [&'static str],
    ) -> Result<Row, CloudError> {
        let reply = self.send(action, &[]).await?;
        reply.row(paths).map_err(|why| unreadable(action, &why))
    }

    /// Lists all there is of something, page by page: the texts at `paths` in each item of `set`.
    pub(crate) async fn list(
        &self,
        action: &'static str,
        parameters: Parameters<'_>,
        set: &'static str,
        paths: &'static [&'static str],
    ) -> Result<Vec<Row>, CloudError> {
        let mut rows = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut parameters = parameters.to_vec();
            parameters.push(("MaxResults", PAGE));
            parameters.extend(token.as_deref().map(|token| ("NextToken", token)));
            let reply = self.send(action, &parameters).await?;
            let page = reply.rows(set, paths);
            rows.extend(page.map_err(|why| unreadable(action, &why))?);
            let next = reply.row(&["nextToken"]);
            let next = next.map_err(|why| unreadable(action, &why))?;
            // A page may be empty and not be the last.
            match next.text("nextToken") {
                Some(next) if !next.is_empty() => token = Some(next.to_owned()),
                _ => return Ok(rows),
            }
        }
    }

    /// An action of EC2 that is used here is always its operation's name.
    async fn send(
        &self,
        action: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Reply, CloudError> {
        let form = form(action.trim_start_matches("ec2:"), parameters);
        self.aws
            .call(action, || self.query.invoke(form.clone()))
            .await
    }
}

fn unreadable(action: &'static str, why: &str) -> CloudError {
    let message = format!("the answer could not be read: {why}");
    CloudError::new(CloudErrorKind::Unavailable, action, message)
}

/// A body such as `Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=is-default`.
fn form(operation: &str, parameters: Parameters<'_>) -> String {
    let mut form = format!("Action={operation}&Version={API_VERSION}");
    for (name, value) in parameters {
        form.push('&');
        form.push_str(name);
        form.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    form.push(char::from(byte));
                }
                _ => form.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    form
}

pub(crate) fn query(config: &SdkConfig) -> Query {
    let region = config
        .region()
        .expect("Cloud gives all clients a Region")
        .clone();
    let endpoint = match config.endpoint_url() {
        Some(url) => url.to_owned(),
        None => endpoint(region.as_ref(), config.use_fips() == Some(true)),
    };
    let signing = SigV4OperationSigningConfig {
        region: Some(region.into()),
        name: Some("ec2".into()),
        ..SigV4OperationSigningConfig::default()
    };
    let mut layer = Layer::new("ec2");
    layer.store_put(signing);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    let mut components = RuntimeComponentsBuilder::new("ec2");
    components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
        StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
    )));
    components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    // Credentials are kept by `Cloud`.
    components.set_identity_cache(Some(IdentityCache::no_cache()));
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
    }
    let mut builder = Operation::builder()
        .service_name("EC2")
        .operation_name("Query")
        .endpoint_url(&endpoint)
        // `Aws::call` and the engine decide what is sent again.
        .no_retry()
        .runtime_plugin(
            StaticRuntimePlugin::new()
                .with_config(layer.freeze())
                .with_runtime_components(components),
        );
    if let Some(version) = config.behavior_version() {
        builder = builder.behavior_version(version);
    }
    if let Some(client) = config.http_client() {
        builder = builder.http_client(client);
    }
    if let Some(timeouts) = config.timeout_config() {
        builder = builder.timeout_config(timeouts.clone());
    }
    if let Some(sleep) = config.sleep_impl() {
        builder = builder.sleep_impl(sleep);
    }
    if let Some(time) = config.time_source() {
        builder = builder.time_source(time);
    }
    if let Some(protection) = config.stalled_stream_protection() {
        builder = builder.stalled_stream_protection(protection);
    }
    builder
        .serializer(|form: String| {
            let mut request = HttpRequest::new(SdkBody::from(form));
            request.set_method("POST")?;
            request.set_uri("/")?;
            request
                .headers_mut()
                .insert("content-type", "application/x-www-form-urlencoded");
            Ok(request)
        })
        .deserializer(read)
        .build()
}

/// Where EC2 answers in a Region: the host's end is the partition's (`dnsSuffix` in the SDKs' `partitions.json`).
fn endpoint(region: &str, fips: bool) -> String {
    let suffix = match region.split('-').next().unwrap_or_default() {
        "cn" => "amazonaws.com.cn",
        "eusc" => "amazonaws.eu",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ if region.starts_with("us-isof-") || region.starts_with("eu-isof-") => "csp.hci.ic.gov",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        _ => "amazonaws.com",
    };
    let service = if fips { "ec2-fips" } else { "ec2" };
    format!("https://{service}.{region}.{suffix}")
}

fn read(response: &HttpResponse) -> Result<Reply, OrchestratorError<Ec2Error>> {
    let body = response.body().bytes().unwrap_or_default();
    let body: Arc<str> = std::str::from_utf8(body)
        .map_err(OrchestratorError::other)?
        .into();
    let reply = Reply::new(body);
    if response.status().is_success() {
        return Ok(reply);
    }
    Err(OrchestratorError::operation(Ec2Error::of(&reply)))
}

/// What EC2 refuses with: `<Response><Errors><Error><Code>…`.
#[derive(Debug)]
pub(crate) struct Ec2Error(ErrorMetadata);

impl Ec2Error {
    /// A refusal that is no XML, as from a proxy on the way, has neither code nor message.
    fn of(reply: &Reply) -> Self {
        const CODE: &str = "Errors/Error/Code";
        const MESSAGE: &str = "Errors/Error/Message";
        const ID: &str = "RequestID";
        let mut meta = ErrorMetadata::builder();
        if let Ok(row) = reply.row(&[CODE, MESSAGE, ID]) {
            if let Some(code) = row.text(CODE) {
                meta = meta.code(code);
            }
            if let Some(message) = row.text(MESSAGE) {
                meta = meta.message(message);
            }
            if let Some(id) = row.text(ID) {
                meta = meta.custom(REQUEST_ID, id);
            }
        }
        Ec2Error(meta.build())
    }
}

impl fmt::Display for Ec2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Ec2Error {}

impl ProvideErrorMetadata for Ec2Error {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

#[cfg(test)]
mod tests;
