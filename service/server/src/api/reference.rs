//! What the API says of itself: the OpenAPI document, a page made of it (`reference_page`), and a page that says where
//! things are.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

use super::{Api, reference_page};
use crate::html::POLICY;

const STYLE: &str = include_str!("reference.css");

pub(super) fn router(document: &OpenApi) -> Router<Api> {
    let json = json(document);
    let value = serde_json::to_value(document).expect("an OpenAPI document is plain data");
    let page = page("Landfall's HTTP API", &reference_page::body(&value));
    let welcome = page_of_places();
    Router::new()
        .route(
            "/openapi.json",
            get(async || ([(CONTENT_TYPE, "application/json")], json)),
        )
        .route(
            "/docs",
            get(async || ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page))),
        )
        .route(
            "/",
            get(async || ([(CONTENT_SECURITY_POLICY, POLICY)], Html(welcome))),
        )
}

/// The document as `/openapi.json` answers it and `docs/openapi.json` has it.
pub(super) fn json(document: &OpenApi) -> String {
    let json = serde_json::to_string_pretty(document).expect("an OpenAPI document is plain data");
    json + "\n"
}

/// What the document says before any operation.
pub(super) fn description() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of the form lf_…; administrators make them."))
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Landfall")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Vends AWS accounts and keeps them as their baseline wants them. \
                     Errors are problem documents (RFC 9457); a POST may carry an Idempotency-Key; \
                     lists come in pages with a cursor; times are RFC 3339 in UTC.",
                ))
                .build(),
        )
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("bearer", SecurityScheme::Http(bearer))
                .build(),
        ))
        .security(Some([SecurityRequirement::new(
            "bearer",
            Vec::<String>::new(),
        )]))
        .build()
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1 id=\"top\">{title}</h1>{body}</html>\n"
    )
}

fn page_of_places() -> String {
    page(
        "Landfall",
        "<p>Landfall vends AWS accounts and keeps them as their baseline wants them.</p><ul>\
         <li><a href=\"/docs\">/docs</a>: the HTTP API, operation by operation\
         <li><a href=\"/openapi.json\">/openapi.json</a>: the same for programs\
         <li><a href=\"/readyz\">/readyz</a>, <a href=\"/healthz\">/healthz</a>: can it work, does it live\
         <li><a href=\"/metrics\">/metrics</a>: what it counted, for Prometheus</ul>\
         <p>On the command line: <code>landfall request create --help</code>, <code>landfall account list</code>.</p>",
    )
}
