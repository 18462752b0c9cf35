//! The log and the metrics. `docs/logging.md` fixes the names of the fields.

use std::io::IsTerminal;

use anyhow::{Context, bail};
use clap::ValueEnum;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Starts logging to standard error. `filter` is a level or a list of `module=level`.
pub fn log(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = levels(filter)?;
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .context("another subscriber of the log is set already")
}

/// A filter of the log, with its mistakes refused.
fn levels(text: &str) -> anyhow::Result<EnvFilter> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let mistyped = text.split(',').map(str::trim).find(|part| {
        // To the filter a word alone may also be a module of which all is wanted: then the rest, and with it every
        // module of a mistyped level, is off.
        !part.contains('=') && !LEVELS.iter().any(|level| part.eq_ignore_ascii_case(level))
    });
    let wanted = || {
        let levels = LEVELS.join(", ");
        format!(
            "LANDFALL_LOG `{text}` is wrong: it is one of {levels}, or a list of them and of module=level, such as info,landfall_server=debug"
        )
    };
    match mistyped {
        Some(_) => bail!(wanted()),
        None => EnvFilter::try_new(text).with_context(wanted),
    }
}

/// Seconds by which durations are counted: from an answer out of memory to a vend that waits for AWS.
const BUCKETS: [f64; 12] = [
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 1_800.0,
];

/// Starts counting for the whole process. The handle writes what was counted so far.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .context("there are buckets")?;
    builder
        .install_recorder()
        .context("another recorder of metrics is set already")
}

#[cfg(test)]
mod tests {
    use super::levels;

    #[test]
    fn a_mistyped_level_is_refused() {
        for text in [
            "info",
            "OFF",
            "warn,landfall_server=debug",
            "landfall_server=trace",
        ] {
            assert!(levels(text).is_ok(), "{text}");
        }
        for text in [
            "bogus",
            "",
            "inof,landfall_server=debug",
            "landfall_server=bogus",
            "info,",
        ] {
            let error = levels(text).unwrap_err().to_string();
            assert!(error.contains("one of off, error, warn"), "{text}: {error}");
        }
    }
}
