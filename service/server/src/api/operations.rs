//! For those who run the process: is it alive, is it ready, what has it counted.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderValue, header};
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::rollout::{RolloutState, Standing};

use super::Api;
use super::problem::{Kind, Problem};
use crate::store::StoreError;

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// The process answers: nothing else, so that a broken database does not get it restarted.
async fn alive() -> &'static str {
    "alive\n"
}

/// It can do its work. The landing zone was read before the socket was opened: a process that answers has one.
async fn ready(State(api): State<Api>) -> Result<String, Problem> {
    let unready = |detail: &str| {
        Problem::new(Kind::Unavailable, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    };
    if let Err(error) = api.store.ping().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
        return Err(unready(
            "The database does not answer; the log says which one, and why.",
        ));
    }
    if !api.store.takes_writes() {
        return Err(unready(
            "The database answers and takes no writes: is its disk full, or may it only be read? See the log.",
        ));
    }
    Ok(format!(
        "ready: the database answers, the landing zone {} is read\n",
        api.landing_zone.revision()
    ))
}

/// What was counted since the start, and how many cells there are of each status now. Every replica answers the latter
/// for all: it is read from the database.
async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let mut text = api.metrics.render();
    gauges(&api, &mut text).await?;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

async fn gauges(api: &Api, text: &mut String) -> Result<(), StoreError> {
    let mut cells: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for count in api.store.cell_counts().await? {
        let control = count.control.to_string();
        // Every status of a control has a sample, so that a series ends at 0 and not in a gap.
        for status in CellStatus::NAMES {
            cells.entry((control.clone(), status)).or_default();
        }
        *cells.entry((control, count.status)).or_default() += count.cells;
    }
    let counts = api.store.phase_counts().await?;
    text.push_str(
        "# HELP landfall_accounts Accounts and requests by phase.\n# TYPE landfall_accounts gauge\n",
    );
    for phase in Phase::ALL {
        let count = counts.iter().find(|count| count.phase == phase);
        let (phase, accounts) = (phase.name(), count.map_or(0, |count| count.accounts));
        text.push_str(&format!(
            "landfall_accounts{{phase=\"{phase}\"}} {accounts}\n"
        ));
    }
    let lag = match api.store.next_due().await? {
        Some(due) => api.now().duration_since(due).as_secs_f64().max(0.0),
        None => 0.0,
    };
    text.push_str(
        "# HELP landfall_cells Cells by control and status.\n# TYPE landfall_cells gauge\n",
    );
    for ((control, status), count) in cells {
        text.push_str(&format!(
            "landfall_cells{{control=\"{control}\",status=\"{status}\"}} {count}\n"
        ));
    }
    text.push_str(&format!(
        "# HELP landfall_due_lag_seconds By how long the longest due target is late.\n\
         # TYPE landfall_due_lag_seconds gauge\nlandfall_due_lag_seconds {lag}\n"
    ));
    let paused = api.store.pause_count().await?;
    let oldest = paused.oldest.map_or(0.0, |at| {
        api.now().duration_since(at).as_secs_f64().max(0.0)
    });
    text.push_str(&format!(
        "# HELP landfall_paused_accounts Accounts that nobody looks after because somebody paused them.\n\
         # TYPE landfall_paused_accounts gauge\nlandfall_paused_accounts {}\n\
         # HELP landfall_oldest_pause_seconds For how long the longest pause has lasted.\n\
         # TYPE landfall_oldest_pause_seconds gauge\nlandfall_oldest_pause_seconds {oldest}\n",
        paused.targets
    ));
    rollout(api, text).await
}

/// Where the latest rollout is, and how its accounts stand.
async fn rollout(api: &Api, text: &mut String) -> Result<(), StoreError> {
    let Some(course) = api.store.course().await? else {
        return Ok(());
    };
    let rollout = course.latest;
    let mut accounts = BTreeMap::from(Standing::ALL.map(|standing| (standing, 0_u64)));
    for account in api.store.rollout_accounts(rollout.id).await? {
        if let Some(standing) = account.standing(&rollout.wanted) {
            *accounts.entry(standing).or_default() += 1;
        }
    }
    text.push_str(
        "# HELP landfall_rollout The state of the latest rollout: 1 for the one that it is in.\n# TYPE landfall_rollout gauge\n",
    );
    for state in RolloutState::ALL {
        let is = u8::from(state == rollout.state);
        text.push_str(&format!(
            "landfall_rollout{{state=\"{}\"}} {is}\n",
            state.name()
        ));
    }
    text.push_str(
        "# HELP landfall_rollout_accounts Accounts of the latest rollout by how they stand.\n# TYPE landfall_rollout_accounts gauge\n",
    );
    for (standing, count) in accounts {
        text.push_str(&format!(
            "landfall_rollout_accounts{{standing=\"{}\"}} {count}\n",
            standing.name()
        ));
    }
    Ok(())
}
