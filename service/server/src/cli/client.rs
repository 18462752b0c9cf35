//! The client's side of the HTTP API. The commands speak HTTP only: what they can do, every program can.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, BodyStream, Full};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};
use uuid::Uuid;

use super::sse;
use crate::api::page::Page;
use crate::api::problem::ProblemDocument;
use crate::config::ClientSettings;

type Body = hyper::body::Incoming;

/// A connection to a server, with a token.
pub(super) struct Client {
    http: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Url,
    token: SecretString,
    /// Whether answers are shown as JSON.
    pub(super) json: bool,
}

/// An error that the server answered with.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Box<ProblemDocument>);

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = &self.0;
        write!(f, "{} ({})", problem.title, problem.status)?;
        // Of wrong fields the detail says only what the list says.
        if problem.errors.is_empty() {
            write!(f, "\n  {}", problem.detail)?;
        }
        for error in &problem.errors {
            write!(f, "\n  {}: {}", error.pointer, error.rule)?;
        }
        write!(f, "\n  request id {}", problem.request_id)
    }
}

impl Client {
    /// A client of the server that the settings name.
    pub(super) fn new(settings: &ClientSettings) -> anyhow::Result<Self> {
        let Some(token) = settings.token.clone() else {
            bail!(
                "no token: set LANDFALL_TOKEN to the bearer token that an administrator gave you (`landfall token create` makes one)"
            );
        };
        if !matches!(settings.url.scheme(), "http" | "https") {
            bail!(
                "LANDFALL_URL {} must begin with http:// or https://",
                settings.url
            );
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&settings.url)?)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Client {
            http: HyperClient::builder(TokioExecutor::new()).build(connector),
            base: settings.url.clone(),
            token,
            json: settings.json,
        })
    }

    /// The items of a list, page after page, at most `limit` of them. `query` begins with `?` or is empty.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
        limit: Option<NonZeroUsize>,
    ) -> anyhow::Result<Vec<T>> {
        let most = limit.map_or(usize::MAX, NonZeroUsize::get);
        let mut items = Vec::new();
        let mut next = format!("{path}{query}");
        while items.len() < most {
            let page: Page<T> = self.get(&next).await?;
            items.extend(page.items);
            let Some(cursor) = page.next_cursor else {
                break;
            };
            let cursor: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
            let glue = if query.is_empty() { '?' } else { '&' };
            next = format!("{path}{query}{glue}cursor={cursor}");
        }
        items.truncate(most);
        Ok(items)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = self
            .send(Method::GET, path, None, "application/json")
            .await?;
        read(response).await
    }

    /// Posts under a fresh idempotency key: whatever lies between us and the server may repeat it.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("the request has no JSON form")?;
        let response = self
            .send(Method::POST, path, Some(body.into()), "application/json")
            .await?;
        read(response).await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        let response = self
            .send(Method::DELETE, path, None, "application/json")
            .await?;
        refuse(response).await.map(drop)
    }

    /// Server-sent events, from the one after `last_id` on.
    pub(super) async fn events(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> anyhow::Result<impl Stream<Item = anyhow::Result<sse::Event>> + use<>> {
        let path = match last_id {
            Some(id) => format!("{path}?cursor={id}"),
            None => path.to_owned(),
        };
        let response = self
            .send(Method::GET, &path, None, "text/event-stream")
            .await?;
        let body = BodyStream::new(refuse(response).await?.into_body());
        let chunks = body.filter_map(async |frame| match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(anyhow::Error::new(error).context("the stream broke"))),
        });
        Ok(sse::events(Box::pin(chunks)))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        accept: &'static str,
    ) -> anyhow::Result<Response<Body>> {
        let url = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()))
            .context("LANDFALL_TOKEN holds characters that no token has")?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("landfall/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .header("idempotency-key", Uuid::now_v7().to_string());
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .context("the request cannot be built")?;
        self.http.request(request).await.with_context(|| {
            format!(
                "no server answers at {}: start it with `landfall serve`, or set LANDFALL_URL",
                self.base
            )
        })
    }
}

/// The path of a resource of the API; each part is encoded, so that an ARN with its slashes is one.
pub(super) fn path<const N: usize>(parts: [&str; N]) -> String {
    let mut path = "/api/v1".to_owned();
    for part in parts {
        path.push('/');
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    path.push(byte.into());
                }
                other => path.push_str(&format!("%{other:02X}")),
            }
        }
    }
    path
}

/// A query of those parameters that were given: empty, or with a `?` in front.
pub(super) fn query<const N: usize>(parameters: [(&str, Option<String>); N]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}

/// TLS by the certificates that this machine trusts. A plain http server needs none, and a machine may have none.
fn tls(server: &Url) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("there is no version of TLS to speak")?;
    let config = match server.scheme() {
        "https" => config.with_native_roots().context(
            "this machine's trusted certificates cannot be read; install ca-certificates",
        )?,
        _ => config.with_root_certificates(RootCertStore::empty()),
    };
    Ok(config.with_no_client_auth())
}

async fn read<T: DeserializeOwned>(response: Response<Body>) -> anyhow::Result<T> {
    let body = refuse(response).await?.into_body();
    let bytes = body
        .collect()
        .await
        .context("the answer broke off")?
        .to_bytes();
    serde_json::from_slice(&bytes)
        .context("the server's answer is not understood; is it of another version?")
}

/// The response, unless it is an error.
async fn refuse(response: Response<Body>) -> anyhow::Result<Response<Body>> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = response
        .into_body()
        .collect()
        .await
        .context("the answer broke off")?
        .to_bytes();
    match serde_json::from_slice::<ProblemDocument>(&bytes) {
        Ok(problem) => Err(Refusal(Box::new(problem)).into()),
        Err(_) => bail!("the server at LANDFALL_URL answered {status}, and not as Landfall does"),
    }
}
