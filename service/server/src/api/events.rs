//! History: as a list, and as a stream of server-sent events while it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use http::{HeaderMap, header};
use jiff::Timestamp;
use landfall_model::ids::TargetId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::extract::{Path, Query};
use super::names;
use super::page::{self, Page};
use super::problem::{Problem, ProblemDocument};
use crate::engine::clock;
use crate::store::{self, HistoryFilter, Store, StoreError};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(of_account))
        .routes(routes!(of_organization))
}

/// One line of history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows with every event of the request.
    pub seq: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[schema(example = "phase_entered")]
    pub kind: String,
    /// Where it concerns one Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Where it concerns one control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Who did it: a token's name, or `landfall`.
    pub actor: String,
    /// What happened, for people.
    pub sentence: String,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

impl From<store::Event> for Event {
    fn from(event: store::Event) -> Self {
        Event {
            seq: event.seq,
            at: event.at,
            kind: event.kind.name().to_owned(),
            region: event.region.map(String::from),
            control: event.control.map(String::from),
            actor: event.actor,
            sentence: event.sentence,
            detail: event.detail,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// Where the page begins: `next_cursor` of the one before. A stream begins there too.
    cursor: Option<String>,
    /// Events on a page, 1 to 500.
    limit: Option<u32>,
}

/// What happened to a request and its account, oldest first
///
/// With `Accept: text/event-stream` the same events come as they happen, for ever: each has `seq` as its id, so a
/// client that sends `Last-Event-ID` after a break misses nothing.
#[utoipa::path(
    get,
    path = "/account-requests/{id}/events",
    operation_id = "list_request_events",
    tag = "account requests",
    params(("id" = Uuid, Path, description = "The request"), EventQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Of a stream: the last event that was seen")),
    responses(
        (status = 200, content((Page<Event> = "application/json"), (String = "text/event-stream"))),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    authorize(&principal, Action::Read)?;
    api.account(id).await?;
    let last_seen = headers
        .get("last-event-id")
        .map(|id| id.to_str().unwrap_or("not text"));
    let after = match page::parse("Last-Event-ID", last_seen)? {
        None => page::parse("cursor", query.cursor.as_deref())?,
        seen => seen,
    };
    let after = after.unwrap_or(0);
    if wants_stream(&headers) {
        return Ok(stream(api, TargetId::Account(id), after).into_response());
    }
    let limit = page::limit(query.limit)?;
    let events = api
        .store
        .events(TargetId::Account(id), after, limit)
        .await?;
    Ok(axum::Json(one_page(events, limit)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Only what concerns this Region.
    region: Option<String>,
    /// Only what concerns this control.
    control: Option<String>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
    /// Events on a page, 1 to 500.
    limit: Option<u32>,
}

/// What happened to an account, newest first
#[utoipa::path(
    get,
    path = "/accounts/{account_id}/events",
    operation_id = "list_account_events",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits"), HistoryQuery),
    responses(
        (status = 200, body = Page<Event>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn of_account(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<axum::Json<Page<Event>>, Problem> {
    authorize(&principal, Action::Read)?;
    let account = api.account_by_number(&account_id).await?;
    history(&api, account.target(), query).await
}

/// What happened to the organization itself, newest first
#[utoipa::path(
    get,
    path = "/organization/events",
    operation_id = "list_organization_events",
    tag = "organization",
    params(HistoryQuery),
    responses(
        (status = 200, body = Page<Event>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn of_organization(
    State(api): State<Api>,
    principal: Principal,
    Query(query): Query<HistoryQuery>,
) -> Result<axum::Json<Page<Event>>, Problem> {
    authorize(&principal, Action::Read)?;
    history(&api, TargetId::Organization, query).await
}

async fn history(
    api: &Api,
    target: TargetId,
    query: HistoryQuery,
) -> Result<axum::Json<Page<Event>>, Problem> {
    let filter = HistoryFilter {
        region: page::parse("region", query.region.as_deref())?,
        control: page::parse("control", query.control.as_deref())?,
    };
    let before = page::parse("cursor", query.cursor.as_deref())?;
    let limit = page::limit(query.limit)?;
    let events = api.store.history(target, &filter, before, limit).await?;
    if events.is_empty() && before.is_none() {
        // What is governed no more has a past; a name without one may be mistyped.
        api.region_filter(query.region.as_deref())?;
        names::control_filter(query.control.as_deref())?;
    }
    Ok(axum::Json(one_page(events, limit)))
}

fn one_page(events: Vec<store::Event>, limit: u32) -> Page<Event> {
    let is_full = events.len() == limit as usize;
    Page {
        next_cursor: events
            .last()
            .filter(|_| is_full)
            .map(|event| event.seq.to_string()),
        items: events.into_iter().map(Event::from).collect(),
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/event-stream"))
}

/// How long a stream waits for word of new events before it looks by itself: word may get lost between replicas.
const LOOK: Duration = Duration::from_secs(5);

/// Events on one read of a stream.
const BATCH: u32 = 200;

/// Endless, until the server stops or the client goes.
fn stream(
    api: Api,
    target: TargetId,
    after: i64,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    // Subscribed before the first read: what is written in between wakes us, and nothing falls through the gap.
    let changed = api.store.subscribe_events();
    let events = futures_util::stream::unfold(
        (api, changed, after, Vec::new().into_iter()),
        move |(api, mut changed, mut after, mut ready)| async move {
            loop {
                if let Some(event) = ready.next() {
                    return Some((Ok(event), (api, changed, after, ready)));
                }
                match read(&api.store, target, after).await {
                    Ok((events, last)) if !events.is_empty() => {
                        after = last;
                        ready = events.into_iter();
                        continue;
                    }
                    Ok(_) => {}
                    // The client keeps its place: it hears more as soon as the database answers again.
                    Err(error) => tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "an event stream cannot be read"
                    ),
                }
                tokio::select! {
                    () = api.shutdown.cancelled() => return None,
                    () = clock::pause(LOOK) => {}
                    () = until_changed(&mut changed, target) => {}
                }
            }
        },
    );
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn until_changed(changed: &mut tokio::sync::broadcast::Receiver<TargetId>, target: TargetId) {
    loop {
        match changed.recv().await {
            Ok(id) if id == target => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

async fn read(
    store: &Store,
    target: TargetId,
    after: i64,
) -> Result<(Vec<sse::Event>, i64), StoreError> {
    let events = store.events(target, after, BATCH).await?;
    let last = events.last().map_or(after, |event| event.seq);
    let events = events
        .into_iter()
        .map(|event| {
            let id = event.seq.to_string();
            let kind = event.kind.name();
            let data = serde_json::to_string(&Event::from(event)).expect("an event is plain data");
            sse::Event::default().id(id).event(kind).data(data)
        })
        .collect();
    Ok((events, last))
}
