//! `landfall serve` and `landfall migrate`.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use landfall_controls::cloud::{Access, Cloud};
use landfall_model::closure::ClosurePace;
use landfall_model::creation::CreationPace;
use landfall_model::landing_zone::LandingZone;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::runtime::{self, Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::{self, Api};
use crate::catalogue::Catalogue;
use crate::config::{DatabaseSettings, ServeSettings, WantedSettings};
use crate::engine::clock::{Clock, SystemClock};
use crate::engine::{self, Engine};
use crate::enrollment::Examiner;
use crate::listening;
use crate::log_reading::LogReader;
use crate::store::Store;
use crate::telemetry;

/// A bootstrap token that is shorter could be guessed.
const SHORTEST_TOKEN: usize = 32;

/// Runs the server until it is told to stop.
pub(super) async fn serve(settings: ServeSettings) -> anyhow::Result<ExitCode> {
    let works = engines_runtime()?;
    let ended = Box::pin(serve_on(works.handle(), settings)).await;
    // However it ended: to drop a runtime would wait for its tasks, which panics in async code.
    works.shutdown_background();
    ended
}

async fn serve_on(works: &Handle, settings: ServeSettings) -> anyhow::Result<ExitCode> {
    let bootstrap = settings.bootstrap_token.as_ref();
    if bootstrap.is_some_and(|token| token.expose_secret().len() < SHORTEST_TOKEN) {
        bail!(
            "LANDFALL_BOOTSTRAP_TOKEN must have at least {SHORTEST_TOKEN} characters: `openssl rand -hex 32` makes one"
        );
    }
    // Waits that are too short for AWS could make a second account.
    if settings.aws_time_scale > 1 && std::env::var_os("AWS_ENDPOINT_URL").is_none() {
        bail!("LANDFALL_AWS_TIME_SCALE is for a simulated AWS only: set AWS_ENDPOINT_URL to it");
    }
    let zone = Arc::new(landing_zone(&settings.wanted)?);
    let catalogue = Catalogue::load(
        &zone,
        settings.wanted.baselines.as_deref(),
        settings.wanted.scps.as_deref(),
    )?;
    let metrics = telemetry::metrics()?;
    let store = open(&settings.database.database_url).await?;
    store
        .migrate()
        .await
        .context("the database cannot be used")?;
    let listen = &settings.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: set LANDFALL_LISTEN to another address")
    })?;

    let shutdown = CancellationToken::new();
    tokio::spawn(stop_on_signal(shutdown.clone())?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let baselines = Arc::new(catalogue.baselines.clone());
    let cloud = Cloud::open(&zone, settings.calls_in_flight.into(), Access::default()).await;
    cloud.limiter().hasten(settings.aws_time_scale);
    let examiner = Examiner {
        cloud: cloud.clone(),
        landing_zone: zone.clone(),
        catalogue: Arc::new(catalogue.clone()),
    };
    let log_reader = LogReader::new(cloud.clone(), zone.clone());
    let engine = Engine::new(
        store.clone(),
        cloud,
        zone.clone(),
        baselines.clone(),
        Arc::new(catalogue.scps.clone()),
        clock.clone(),
        engine::Settings {
            lease: settings.lease,
            targets_at_once: settings.targets_at_once.into(),
            pace: CreationPace::AWS.hastened(settings.aws_time_scale),
            closure_pace: ClosurePace::AWS.hastened(settings.aws_time_scale),
            ..engine::Settings::default()
        },
        Uuid::now_v7(),
    );
    let listener_of_events = settings
        .events_queue
        .map(|queue| works.spawn(engine.clone().listen(queue, shutdown.clone())));
    let engine = works.spawn(stops_all(engine.run(shutdown.clone()), shutdown.clone()));
    let api = Api::new(
        store.clone(),
        zone,
        baselines,
        bootstrap,
        clock,
        metrics,
        shutdown.clone(),
    )
    .with_scps(catalogue.scps, catalogue.scp_files)
    .with_examiner(examiner)
    .with_log_reader(log_reader);

    let address = listener.local_addr()?;
    tracing::info!(%address, "landfall serves on http://{address}");
    listening::serve(listener, api::router(api), listening::HEAD, shutdown).await;
    engine.await.context("the engine panicked")??;
    if let Some(listener) = listener_of_events {
        listener.await.context("the listener for events panicked")?;
    }
    store.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What the engine runs on: one thread of its own, so that whoever asks the API does not stand in line behind all cells of
/// all accounts. With more than one, each answer of AWS's wakes a thread that often finds its work taken
/// (`docs/adr/2026-11-23-engine-has-a-thread.md`).
fn engines_runtime() -> io::Result<Runtime> {
    runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("engine")
        .enable_all()
        .build()
}

/// Whichever part ends first, by itself or by an error, takes the others with it.
async fn stops_all<E>(
    part: impl Future<Output = Result<(), E>>,
    shutdown: CancellationToken,
) -> Result<(), E> {
    let _guard = shutdown.drop_guard();
    part.await
}

/// Brings the schema up to date.
pub(super) async fn migrate(settings: &DatabaseSettings) -> anyhow::Result<ExitCode> {
    let store = open(&settings.database_url).await?;
    store
        .migrate()
        .await
        .context("the schema cannot be brought up to date")?;
    store.close().await;
    tracing::info!("the database's schema is up to date");
    Ok(ExitCode::SUCCESS)
}

async fn open(url: &SecretString) -> anyhow::Result<Store> {
    Store::open(url.expose_secret())
        .await
        .context("the database cannot be opened: see LANDFALL_DATABASE_URL")
}

pub(super) fn landing_zone(settings: &WantedSettings) -> anyhow::Result<LandingZone> {
    read_landing_zone(&settings.landing_zone)
}

pub(super) fn read_landing_zone(file: &Path) -> anyhow::Result<LandingZone> {
    let path = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("the landing zone {path} cannot be read: see LANDFALL_LANDING_ZONE")
    })?;
    Ok(LandingZone::parse(&path, &text)?)
}

/// Cancels on the first SIGTERM or SIGINT. A second one ends the process at once.
fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        for seen in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if seen > 0 {
                std::process::exit(1);
            }
            tracing::info!("stopping; once more stops at once");
            shutdown.cancel();
        }
    })
}
