//! What the OpenAPI document says of many operations alike, said once: layers and extractors do it for all of them.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Type};

use super::page;

const KEY: &str = "Idempotency-Key";

/// Adds the `Idempotency-Key` that each POST takes, the bounds of `limit`, the form of an account's number, and the errors
/// that are not the caller's.
pub(super) fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        if let Some(post) = &mut item.post {
            take_a_key(post);
        }
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    bound(parameter);
                }
            }
            let answers = &mut operation.responses.responses;
            for (status, description) in [
                ("500", "A fault of Landfall; its log has the request id"),
                (
                    "503",
                    "The database or AWS does not answer; try again in a moment",
                ),
            ] {
                answers
                    .entry(status.to_owned())
                    .or_insert_with(|| RefOr::T(problem(description)));
            }
        }
    }
}

fn take_a_key(post: &mut Operation) {
    let parameters = post.parameters.get_or_insert_default();
    let has_one = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.name == KEY);
    if !parameters.iter().any(has_one) {
        let key = ParameterBuilder::new()
            .name(KEY)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("The same key and body are done once"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        parameters.push(RefOr::T(key));
    }
}

fn bound(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else {
        return;
    };
    match (parameter.name.as_str(), &parameter.parameter_in) {
        ("limit", ParameterIn::Query) => {
            schema.minimum = Some(1_u32.into());
            schema.maximum = Some(page::MOST.into());
        }
        ("account_id", ParameterIn::Path) => schema.pattern = Some("^[0-9]{12}$".to_owned()),
        _ => {}
    }
}

fn problem(description: &str) -> utoipa::openapi::Response {
    let document = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", document)
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_operation_says_what_all_have_in_common() {
        let document = serde_json::to_value(super::super::document()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let none = Vec::new();
                let parameters = operation["parameters"].as_array().unwrap_or(&none);
                let schema = |name: &str| {
                    let named = parameters.iter().find(|one| one["name"] == name);
                    named.map_or(Value::Null, |one| one["schema"].clone())
                };
                assert_eq!(
                    schema("Idempotency-Key").is_null(),
                    method != "post",
                    "{method} {path}"
                );
                if !schema("limit").is_null() {
                    assert_eq!(schema("limit")["minimum"], 1, "{path}");
                    assert_eq!(schema("limit")["maximum"], 500, "{path}");
                }
                if path.contains("{account_id}") {
                    assert_eq!(schema("account_id")["pattern"], "^[0-9]{12}$", "{path}");
                }
                for status in ["500", "503"] {
                    let answer = &operation["responses"][status]["content"];
                    assert!(
                        answer["application/problem+json"].is_object(),
                        "{method} {path}"
                    );
                }
            }
        }
    }
}
