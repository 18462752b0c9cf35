//! The OpenAPI document as a page for people: an index, every operation, every schema. It is made of nothing else.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::html::escape;

/// What stands below the page's title.
pub(super) fn body(document: &Value) -> String {
    let tags = by_tag(document);
    let mut html = format!(
        "<p>{}</p><p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a></p>",
        prose(&document["info"]["description"])
    );
    index(&mut html, &tags);
    for (tag, operations) in &tags {
        let _ = write!(html, "<h2>{}</h2>", heading(tag));
        for operation in operations {
            operation.section(&mut html);
        }
    }
    html.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let name = escape(name);
        let _ = write!(html, "<section id=\"{name}\"><h3>{name}</h3>");
        let _ = write!(html, "<p>{}</p>", prose(&schema["description"]));
        fields(&mut html, schema);
        html.push_str("</section>");
    }
    html.push_str("<p><a href=\"#top\">To the top</a></p>");
    html
}

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    said: &'a Value,
}

/// The operations under the tag that each has.
fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut tags: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in members(&document["paths"]) {
        for (method, said) in members(item) {
            let operation = Operation { method, path, said };
            tags.entry(text(&said["tags"][0]))
                .or_default()
                .push(operation);
        }
    }
    tags
}

fn index(html: &mut String, tags: &BTreeMap<&str, Vec<Operation<'_>>>) {
    html.push_str("<nav aria-label=\"Operations\">");
    for (tag, operations) in tags {
        let _ = write!(html, "<div><b>{}</b><ul>", heading(tag));
        for operation in operations {
            let _ = write!(
                html,
                "<li><a href=\"#{}\">{}</a>",
                operation.id(),
                prose(&operation.said["summary"])
            );
        }
        html.push_str("</ul></div>");
    }
    html.push_str("<div><b>Schemas</b><ul><li><a href=\"#schemas\">What goes in and comes out</a></ul></div></nav>");
}

impl Operation<'_> {
    fn id(&self) -> String {
        escape(text(&self.said["operationId"]))
    }

    fn section(&self, html: &mut String) {
        let Operation { method, path, said } = self;
        let _ = write!(
            html,
            "<section id=\"{}\"><h3>{}</h3><p><code><span class=\"method {method}\">{}</span> {}</code></p><p>{}</p><table>\
             <tr><th>Takes<th>Where<th>Meaning",
            self.id(),
            prose(&said["summary"]),
            method.to_uppercase(),
            escape(path),
            prose(&said["description"])
        );
        for parameter in said["parameters"].as_array().into_iter().flatten() {
            let _ = write!(
                html,
                "<tr><td><code>{}</code><td class=\"soft\">{}, {}<td>{}",
                escape(text(&parameter["name"])),
                escape(text(&parameter["in"])),
                kind(&parameter["schema"]),
                prose(&parameter["description"])
            );
        }
        for (media, content) in members(&said["requestBody"]["content"]) {
            let needed = match said["requestBody"]["required"] == true {
                true => "",
                false => "may be left out",
            };
            let _ = write!(
                html,
                "<tr><td>{}<td class=\"soft\">body, {}<td>{needed}",
                kind(&content["schema"]),
                escape(media)
            );
        }
        html.push_str("</table><table><tr><th>Answers<th>With<th>Meaning");
        for (status, response) in members(&said["responses"]) {
            let bodies: Vec<String> = members(&response["content"])
                .map(|(media, content)| match &content["schema"] {
                    schema if schema["$ref"].is_string() => kind(schema),
                    _ => escape(media),
                })
                .collect();
            let _ = write!(
                html,
                "<tr><td><code>{}</code><td>{}<td>{}",
                escape(status),
                bodies.join(", "),
                prose(&response["description"])
            );
        }
        html.push_str("</table></section>");
    }
}

/// A row for each field of a schema; one without fields is a row by itself.
fn fields(html: &mut String, schema: &Value) {
    html.push_str("<table><tr><th>Field<th>Type<th>Meaning");
    rows(html, schema);
    html.push_str("</table>");
}

fn rows(html: &mut String, schema: &Value) {
    if let Some(parts) = schema["allOf"].as_array() {
        for part in parts {
            rows(html, part);
        }
        return;
    }
    let Some(properties) = schema["properties"].as_object() else {
        let said = match schema["$ref"].is_string() {
            true => "and all of its fields",
            false => "",
        };
        let _ = write!(html, "<tr><td><td>{}<td>{said}", kind(schema));
        return;
    };
    let required = schema["required"].as_array();
    for (name, field) in properties {
        let needed = required
            .into_iter()
            .flatten()
            .any(|required| required == name);
        let mark = match needed {
            true => "",
            false => " <span class=\"soft\">(optional)</span>",
        };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{mark}<td class=\"soft\">{}<td>{}",
            escape(name),
            kind(field),
            prose(&field["description"])
        );
        if !field["example"].is_null() {
            let example = match &field["example"] {
                Value::String(example) => example.clone(),
                example => example.to_string(),
            };
            let _ = write!(html, " <code class=\"soft\">{}</code>", escape(&example));
        }
    }
}

/// What a value is, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or(reference));
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choices = choices.iter().filter(|one| one["type"] != "null");
        return choices.map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words
            .iter()
            .map(|word| format!("<code>{}</code>", escape(text(word))));
        return words.collect::<Vec<_>>().join(", ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).filter(|t| *t != "null").collect(),
        one => vec![text(one)],
    };
    match (types.as_slice(), text(&schema["format"])) {
        (["array"], _) => format!("list of {}", kind(&schema["items"])),
        (["object"], _) if schema["additionalProperties"].is_object() => {
            format!("map to {}", kind(&schema["additionalProperties"]))
        }
        (_, "date-time") => "time".to_owned(),
        (_, "uuid") => "UUID".to_owned(),
        ([""] | [], _) => "anything".to_owned(),
        (types, _) => types.join(" or "),
    }
}

/// A tag as a heading.
fn heading(tag: &str) -> String {
    let words = match tag {
        "scps" => "service control policies",
        words => words,
    };
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    escape(&format!("{}{rest}", first.to_uppercase()))
}

/// A text in which `words` stand that are code.
fn prose(value: &Value) -> String {
    let mut html = String::new();
    for (index, part) in text(value).split('`').enumerate() {
        let part = escape(part);
        let _ = match index % 2 {
            0 => write!(html, "{part}"),
            _ => write!(html, "<code>{part}</code>"),
        };
    }
    html
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operation_and_schema_has_a_place_and_each_link_one_to_go_to() {
        let document = serde_json::to_value(super::super::document()).unwrap();
        let html = body(&document) + "<h1 id=\"top\">";
        let mut operations = 0;
        for (_, item) in members(&document["paths"]) {
            for (_, operation) in members(item) {
                let id = text(&operation["operationId"]);
                for what in [format!("href=\"#{id}\""), format!("<section id=\"{id}\">")] {
                    assert_eq!(html.matches(&what).count(), 1, "{what}");
                }
                operations += 1;
            }
        }
        assert!(operations > 50, "{operations}");
        for link in html.split("href=\"#").skip(1) {
            let id = link.split('"').next().unwrap();
            assert!(html.contains(&format!("id=\"{id}\"")), "#{id} is nowhere");
        }
    }

    #[test]
    fn words_of_a_text_are_code_and_tags_are_headings() {
        let text = json!("Send `a<b` and `c`.");
        assert_eq!(prose(&text), "Send <code>a&lt;b</code> and <code>c</code>.");
        assert_eq!(heading("account requests"), "Account requests");
        assert_eq!(heading("scps"), "Service control policies");
        assert_eq!(heading(""), "");
    }

    #[test]
    fn types_are_told_in_a_few_words() {
        for (schema, said) in [
            (json!({}), "anything"),
            (json!({"type": ["string", "null"]}), "string"),
            (json!({"type": "string", "format": "date-time"}), "time"),
            (
                json!({"type": "array", "items": {"$ref": "#/components/schemas/Event"}}),
                "list of <a href=\"#Event\">Event</a>",
            ),
            (
                json!({"oneOf": [{"type": "null"}, {"type": "integer"}]}),
                "integer",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "map to string",
            ),
            (
                json!({"type": "string", "enum": ["a", "<"]}),
                "<code>a</code>, <code>&lt;</code>",
            ),
        ] {
            assert_eq!(kind(&schema), said, "{schema}");
        }
    }
}
