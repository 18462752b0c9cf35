//! What the API says of itself: the OpenAPI document, a page made of it, and a page that says where things are.

use std::fmt::Write;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

use super::Api;
use crate::html::{POLICY, escape};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
code,pre{font:14px/1.4 ui-monospace,monospace}section{border-top:1px solid #ccc;padding:.5rem 0}\
h3 code{background:#eef;padding:.1rem .4rem;border-radius:4px}table{border-collapse:collapse}\
td{padding:.1rem 1rem .1rem 0;vertical-align:top}";

pub(super) fn router(document: &OpenApi) -> Router<Api> {
    let json = json(document);
    let value = serde_json::to_value(document).expect("an OpenAPI document is plain data");
    let page = page("Landfall's HTTP API", &operations(&value));
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
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style><h1>{title}</h1>{body}</html>\n"
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

/// Every operation of the document, and below them every schema.
fn operations(document: &Value) -> String {
    let mut html = String::from(
        "<p>The whole of it for programs: <a href=\"/openapi.json\">/openapi.json</a></p>",
    );
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            let _ = write!(
                html,
                "<section><h3><code>{} {}</code> {}</h3>",
                method.to_uppercase(),
                escape(path),
                escape(text(&operation["summary"]))
            );
            let _ = write!(
                html,
                "<p>{}</p><table>",
                escape(text(&operation["description"]))
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let _ = write!(
                    html,
                    "<tr><td><code>{}</code><td>{}<td>{}",
                    escape(text(&parameter["name"])),
                    escape(text(&parameter["in"])),
                    escape(text(&parameter["description"]))
                );
            }
            if let Some(name) = schema_name(&operation["requestBody"]) {
                let _ = write!(html, "<tr><td>body<td><td><a href=\"#{name}\">{name}</a>");
            }
            for (status, response) in members(&operation["responses"]) {
                let name = schema_name(response).map_or_else(String::new, |name| {
                    format!("<a href=\"#{name}\">{name}</a> ")
                });
                let description = escape(text(&response["description"]));
                let _ = write!(html, "<tr><td>{status}<td><td>{name}{description}");
            }
            html.push_str("</table></section>");
        }
    }
    html.push_str("<h2>Schemas</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let json = serde_json::to_string_pretty(schema).unwrap_or_default();
        let name = escape(name);
        let _ = write!(
            html,
            "<section id=\"{name}\"><h3>{name}</h3><pre>{}</pre></section>",
            escape(&json)
        );
    }
    html
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The name of the schema of a body's first form.
fn schema_name(body: &Value) -> Option<String> {
    let (_, content) = members(&body["content"]).next()?;
    let schema = &content["schema"];
    let reference = schema["$ref"].as_str().or_else(|| {
        schema["oneOf"]
            .as_array()?
            .iter()
            .find_map(|one| one["$ref"].as_str())
    })?;
    reference.rsplit('/').next().map(escape)
}
