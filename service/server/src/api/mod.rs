//! The HTTP API: what people and programs may ask of Landfall, and how errors reach them.
//!
//! A handler extracts, asks [`auth::authorize`], calls one function of the store, and turns the row into its own type:
//! the types beside the handlers are the contract with the outside and change slower than the ones within. Handlers
//! take no decisions and call no AWS: they record what is wanted, and the engine does it.
//!
//! `docs/api.md` has the rules (which status when, paging, idempotency); `/openapi.json` is made from the handlers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use http::StatusCode;
use jiff::Timestamp;
use landfall_model::baseline::Baselines;
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp::ScpSet;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::engine::clock::Clock;
use crate::enrollment::Examiner;
use crate::log_reading::LogReader;
use crate::scp_check::files::ScpFiles;
use crate::store::{Store, StoreError};

pub mod accounts;
pub mod assets;
pub mod auth;
pub mod baselines;
pub mod cells;
mod common;
pub mod consent;
pub mod decisions;
pub mod drift;
pub mod enrollment;
pub mod events;
pub mod exemptions;
pub mod extract;
mod idempotency;
pub mod life;
mod names;
pub mod observe;
mod operations;
pub mod organization;
pub mod page;
pub mod plan_changes;
pub mod plan_scope;
pub mod plans;
pub mod problem;
mod reference;
mod reference_page;
pub mod requests;
pub mod rollouts;
mod schema;
mod scp_logs;
pub mod scps;
pub mod standing;
pub mod tokens;
pub mod waivers;

#[cfg(test)]
mod tests;

use auth::{Principal, Role};
use idempotency::InFlight;

/// How long an answer may take. Streams are answers at once and then go on.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What the handlers work with.
#[derive(Clone)]
pub struct Api {
    store: Store,
    landing_zone: Arc<LandingZone>,
    baselines: Arc<Baselines>,
    /// The service control policies that this server works with, and the files that they were read from.
    scps: Arc<(ScpSet, ScpFiles)>,
    /// The hash of the administrator's token that the process was started with.
    bootstrap: Option<blake3::Hash>,
    clock: Arc<dyn Clock>,
    metrics: PrometheusHandle,
    /// Ends the streams when the server stops.
    shutdown: CancellationToken,
    in_flight: InFlight,
    /// How accounts are looked at before they are enrolled.
    examiner: Option<Arc<Examiner>>,
    /// How log files are read for checks of service control policies.
    log_reader: Option<LogReader>,
}

impl Api {
    /// The API over a store whose schema is up to date. `bootstrap` is a token with which an administrator begins.
    pub fn new(
        store: Store,
        landing_zone: Arc<LandingZone>,
        baselines: Arc<Baselines>,
        bootstrap: Option<&SecretString>,
        clock: Arc<dyn Clock>,
        metrics: PrometheusHandle,
        shutdown: CancellationToken,
    ) -> Self {
        Api {
            store,
            landing_zone,
            baselines,
            scps: Arc::default(),
            bootstrap: bootstrap.map(auth::hash),
            clock,
            metrics,
            shutdown,
            in_flight: InFlight::default(),
            examiner: None,
            log_reader: None,
        }
    }

    /// With the service control policies that the engine attaches, and that people may be exempted from.
    pub fn with_scps(self, set: ScpSet, files: ScpFiles) -> Self {
        Api {
            scps: Arc::new((set, files)),
            ..self
        }
    }

    /// With a way to look at accounts before they are enrolled.
    pub fn with_examiner(self, examiner: Examiner) -> Self {
        Api {
            examiner: Some(Arc::new(examiner)),
            ..self
        }
    }

    /// With a way to the organization trail's log files.
    pub fn with_log_reader(self, log_reader: LogReader) -> Self {
        Api {
            log_reader: Some(log_reader),
            ..self
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whose token this is, unless it is nobody's.
    async fn principal(&self, token: &SecretString) -> Result<Option<Principal>, StoreError> {
        let hash = auth::hash(token);
        // `blake3::Hash` compares in constant time.
        if self.bootstrap == Some(hash) {
            return Ok(Some(Principal {
                id: auth::BOOTSTRAP.to_owned(),
                name: auth::BOOTSTRAP.to_owned(),
                role: Role::Administrator,
            }));
        }
        let token = self.store.token_by_hash(&hash.to_hex()).await?;
        Ok(token
            .filter(|token| token.is_valid(self.now()))
            .map(|token| Principal {
                id: token.id.to_string(),
                name: token.name,
                role: token.role,
            }))
    }
}

/// Everything that the server answers.
pub fn router(api: Api) -> Router {
    let (versioned, document) = versioned().split_for_parts();
    let versioned = versioned
        .layer(from_fn_with_state(api.clone(), idempotency::once))
        .layer(from_fn_with_state(api.clone(), auth::authenticate));
    versioned
        .merge(operations::router())
        .merge(reference::router(&document))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            ANSWER_WITHIN,
        ))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn(observe::observe))
        .with_state(api)
}

/// The OpenAPI document: what `/openapi.json` answers.
pub fn document() -> OpenApi {
    versioned().into_openapi()
}

/// What stands under `/api/v1`: all of it needs a token.
fn versioned() -> OpenApiRouter<Api> {
    let routers = [
        requests::router(),
        decisions::router(),
        events::router(),
        accounts::router(),
        life::router(),
        enrollment::router(),
        cells::router(),
        drift::router(),
        waivers::router(),
        exemptions::router(),
        assets::router(),
        organization::router(),
        baselines::router(),
        rollouts::router(),
        plans::router(),
        plan_changes::router(),
        scps::router(),
        tokens::router(),
    ];
    let all = routers
        .into_iter()
        .fold(OpenApiRouter::new(), OpenApiRouter::merge);
    let mut all = OpenApiRouter::with_openapi(reference::description()).nest("/api/v1", all);
    common::complete(all.get_openapi_mut());
    all
}
