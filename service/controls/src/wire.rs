//! AWS as a list of answers, for tests of what goes over the wire.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::clients::{Clients, for_any_signer};
use crate::limiter::Limiter;
use crate::line::Line;

/// Answers with what is laid ready, and keeps what it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl Wire {
    pub(crate) fn with(answers: impl IntoIterator<Item = (u16, &'static str)>) -> Self {
        let wire = Wire::default();
        wire.answers.lock().unwrap().extend(answers);
        wire
    }

    /// What was asked since this was last looked at.
    pub(crate) fn requests(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// An account's way to it.
    pub(crate) fn aws(&self, region: &str, actions: &[&'static str]) -> Aws {
        let connector = SharedHttpConnector::new(self.clone());
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .region(aws_config::Region::new(region.to_owned()))
            .timeout_config(TimeoutConfig::disabled())
            .retry_config(RetryConfig::disabled())
            .build();
        let clients = Arc::new(Clients::new(for_any_signer(&config)));
        let signer = Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "");
        Aws {
            global: clients.clone(),
            clients,
            signer: Some(signer),
            account: "123456789012".parse().unwrap(),
            region: region.parse().unwrap(),
            actions: actions.iter().copied().collect(),
            young: false,
            when_denied: None,
            shared: false,
            limiter: Arc::new(Limiter::default()),
            in_line_since: Instant::now(),
            line: Line::new(8),
        }
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        let (status, body) = answer.expect("no further call");
        let status = status.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}
