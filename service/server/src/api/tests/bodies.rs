//! What a body must have, by the document and by the handlers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::document;
use super::Server;
use super::reads::governed;

/// A schema, or the one that it refers to. Of a body that may be left out, that of one that is not.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let one = |schema: &'a Value| schema["$ref"].as_str();
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    match one(schema).or_else(|| choices.clone().find_map(one)) {
        Some(reference) => {
            &document["components"]["schemas"][reference.rsplit('/').next().unwrap()]
        }
        None => schema,
    }
}

/// Each POST that takes a body: its path, its schema, and whether it needs a body.
fn bodies(document: &Value) -> Vec<(String, &Value, bool)> {
    let mut bodies = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let body = &item["post"]["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        if !schema.is_null() {
            let path = path
                .trim_start_matches("/api/v1")
                .replace("{id}", "00000000-0000-0000-0000-000000000001")
                .replace("{account_id}", "222222222222");
            let required = body["required"] == true;
            bodies.push((path, resolved(document, schema), required));
        }
    }
    assert!(bodies.len() > 20, "{}", bodies.len());
    bodies
}

/// The fields without which a body is refused: those that are found wrong in an empty one, and in one that has those.
async fn demanded(server: &Server, path: &str) -> BTreeSet<String> {
    let mut body = Map::new();
    let mut demanded = BTreeSet::new();
    loop {
        let answer = server.post(path, &body.clone().into()).await;
        let errors = answer.body["errors"].as_array();
        let before = demanded.len();
        for error in errors.into_iter().flatten() {
            let field = error["pointer"].as_str().unwrap().trim_start_matches('/');
            assert_ne!(field, "", "{path}: {}", answer.text);
            demanded.insert(field.to_owned());
            body.insert(field.to_owned(), json!("x"));
        }
        if demanded.len() == before {
            return demanded;
        }
    }
}

#[tokio::test]
async fn a_field_is_required_in_the_document_where_the_handler_demands_it() {
    let document = serde_json::to_value(document()).unwrap();
    let (server, _) = governed().await;
    for (path, schema, required) in bodies(&document) {
        if path.ends_with("/enroll") {
            // AWS is asked first, and there is none here.
            continue;
        }
        let listed = schema["required"].as_array().into_iter().flatten();
        let listed: BTreeSet<String> = listed.map(|f| f.as_str().unwrap().to_owned()).collect();
        let mut demanded = demanded(&server, &path).await;
        if matches!(path.as_str(), "/waivers" | "/scp-exemptions") {
            // One of several says whose it is, and none of them has to be the one.
            demanded.remove("account_id");
        }
        assert_eq!(demanded, listed, "{path}");
        assert!(required || listed.is_empty(), "{path} needs no body");
    }
}

/// serde takes a list for an object whose fields come in order. The body itself is looked at before; within it there is
/// nothing that it would do so with.
#[test]
fn no_body_has_an_object_within_that_a_list_would_pass_for() {
    let document = serde_json::to_value(document()).unwrap();
    for (path, schema, _) in bodies(&document) {
        for (field, within) in schema["properties"].as_object().unwrap() {
            let mut parts = vec![within];
            while let Some(part) = parts.pop() {
                let part = resolved(&document, part);
                assert!(
                    part["properties"].is_null(),
                    "{path}: `{field}` has an object with fields of its own: read it so that no list passes for it"
                );
                parts.extend([&part["items"], &part["additionalProperties"]]);
                parts.retain(|part| part.is_object());
            }
        }
    }
}
