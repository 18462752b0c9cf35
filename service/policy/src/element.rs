//! JSON as a policy document needs it: names in their order, repeated names found, and every value knows its place.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

use crate::PolicyError;

/// A JSON value. `serde_json::Value` will not do: of a name that stands twice in an object it keeps the last,
/// and a `Condition` that quietly goes away turns a narrow permission into a wide one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn parse(text: &str) -> Result<Node, PolicyError> {
        serde_json::from_str(text)
            .map_err(|error| PolicyError::new("", format!("this is not JSON: {error}")))
    }

    /// The field of an object.
    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Object(fields) => {
                let mut fields = fields.iter();
                fields
                    .find(|(field, _)| field == name)
                    .map(|(_, node)| node)
            }
            _ => None,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a truth value",
            Node::Number(_) => "a number",
            Node::Text(_) => "a string",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value)
            .map(Node::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Number(value) => value.serialize(serializer),
            Node::Text(value) => serializer.serialize_str(value),
            Node::List(items) => items.serialize(serializer),
            Node::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// A value together with its place in the document. The place is only written out for an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) node: &'a Node,
    /// What it stands in, and under which name or index.
    place: Option<(&'a Element<'a>, Step<'a>)>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Element<'a> {
    pub(crate) fn root(node: &'a Node) -> Self {
        Element { node, place: None }
    }

    fn pointer(&self) -> String {
        match self.place {
            None => String::new(),
            Some((parent, Step::Index(index))) => format!("{}/{index}", parent.pointer()),
            Some((parent, Step::Name(name))) => {
                let name = name.replace('~', "~0").replace('/', "~1");
                format!("{}/{name}", parent.pointer())
            }
        }
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> PolicyError {
        PolicyError::new(&self.pointer(), problem)
    }

    fn unexpected(&self, wanted: &str) -> PolicyError {
        self.error(format!("this is {}: write {wanted}", self.node.describe()))
    }

    /// The fields of an object. A name that stands twice is an error.
    pub(crate) fn fields(
        &'a self,
        wanted: &str,
    ) -> Result<Vec<(&'a str, Element<'a>)>, PolicyError> {
        let Node::Object(fields) = self.node else {
            return Err(self.unexpected(wanted));
        };
        let mut found: Vec<(&'a str, Element<'a>)> = Vec::with_capacity(fields.len());
        for (name, node) in fields {
            if found.iter().any(|(earlier, _)| earlier == name) {
                return Err(self.error(format!("`{name}` stands here twice: write it once")));
            }
            let place = Some((self, Step::Name(name)));
            found.push((name, Element { node, place }));
        }
        Ok(found)
    }

    /// The items of a list; anything else is a list of one, as everywhere in the policy language.
    pub(crate) fn items(&'a self) -> Vec<Element<'a>> {
        match self.node {
            Node::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Element {
                    node,
                    place: Some((self, Step::Index(index))),
                })
                .collect(),
            _ => vec![*self],
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, PolicyError> {
        match self.node {
            Node::Text(text) => Ok(text),
            _ => Err(self.unexpected("a string")),
        }
    }

    /// A condition's value: a string, or a number or truth value that stands for its text.
    pub(crate) fn scalar(&self) -> Result<String, PolicyError> {
        match self.node {
            Node::Text(text) => Ok(text.clone()),
            Node::Bool(value) => Ok(value.to_string()),
            Node::Number(value) => Ok(value.to_string()),
            _ => Err(self.unexpected("a string or a list of strings")),
        }
    }
}
