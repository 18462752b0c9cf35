//! Documents with a list left open, such as the Regions that a landing zone governs.

use crate::PolicyError;
use crate::element::Node;

/// Puts `values` where `document` has the string `"${name}"` as a list's element (or for a whole value), and returns the
/// document minified.
///
/// A placeholder has no colon, so it is no policy variable, and a document with one left in it does not parse as a
/// [`Policy`](crate::Policy): it cannot be put in place by mistake.
///
/// # Errors
///
/// If `document` is not JSON, or if `values` is empty and the placeholder is there: the list would say nothing.
pub fn expand_list(document: &str, name: &str, values: &[&str]) -> Result<String, PolicyError> {
    let mut node = Node::parse(document)?;
    let placeholder = format!("${{{name}}}");
    let found = expand(&mut node, &placeholder, values);
    if found && values.is_empty() {
        return Err(PolicyError::new(
            "",
            format!("`{placeholder}` has no values: name at least one"),
        ));
    }
    Ok(serde_json::to_string(&node).expect("what was read as JSON can be written as JSON"))
}

/// Whether the placeholder stood anywhere in `node`.
fn expand(node: &mut Node, placeholder: &str, values: &[&str]) -> bool {
    let is_placeholder = |node: &Node| matches!(node, Node::Text(text) if text == placeholder);
    let texts = || values.iter().map(|value| Node::Text((*value).to_owned()));
    match node {
        Node::List(items) => {
            let mut found = false;
            let mut expanded = Vec::with_capacity(items.len());
            for mut item in items.drain(..) {
                if is_placeholder(&item) {
                    found = true;
                    expanded.extend(texts());
                } else {
                    found |= expand(&mut item, placeholder, values);
                    expanded.push(item);
                }
            }
            *items = expanded;
            found
        }
        Node::Object(fields) => {
            let mut found = false;
            for (_, value) in fields {
                found |= expand(value, placeholder, values);
            }
            found
        }
        node if is_placeholder(node) => {
            *node = Node::List(texts().collect());
            true
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => false,
    }
}
