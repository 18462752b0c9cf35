//! A policy document: what stands around its statements, reading it and writing it.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::PolicyError;
use crate::element::{Element, Node};
use crate::statement::Statement;

/// The version of the policy language. A document that names none is of the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, which has no policy variables: there `${aws:username}` is text.
    V2008,
    /// `2012-10-17`
    V2012,
}

impl Version {
    /// The date in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::V2008 => "2008-10-17",
            Version::V2012 => "2012-10-17",
        }
    }
}

/// A policy document, parsed and ready to decide requests.
///
/// Two are equal if they say the same in the same order, however they are spaced, and whether a single value stood in
/// brackets or not. `Display` writes the minified form.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    version: Option<Version>,
    id: Option<String>,
    statements: Vec<Statement>,
}

impl Policy {
    /// Reads a document. What an identity policy may say and an SCP may not is [`validate`](Self::validate)'s matter.
    ///
    /// # Errors
    ///
    /// The first thing in the document that is not the policy language.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::from_node(&Node::parse(text)?)
    }

    pub(crate) fn from_node(node: &Node) -> Result<Self, PolicyError> {
        let root = Element::root(node);
        let mut version = None;
        let mut id = None;
        let mut listed = None;
        for (name, element) in root.fields("an object with Version and Statement")? {
            match name {
                "Version" => {
                    version = Some(match element.text()? {
                        "2012-10-17" => Version::V2012,
                        "2008-10-17" => Version::V2008,
                        other => {
                            return Err(element
                                .error(format!("`{other}` is no version: write `2012-10-17`")));
                        }
                    });
                }
                "Id" => id = Some(element.text()?.to_owned()),
                "Statement" => listed = Some(element),
                _ => {
                    return Err(element.error(format!(
                        "`{name}` is no element of a policy: write Version, Id or Statement"
                    )));
                }
            }
        }
        let listed =
            listed.ok_or_else(|| root.error("Statement is missing: write a list of statements"))?;
        let variables = version == Some(Version::V2012);
        let statements = listed
            .items()
            .iter()
            .map(|item| Statement::parse(item, variables))
            .collect::<Result<Vec<_>, _>>()?;
        if statements.is_empty() {
            return Err(listed.error("this list is empty: write at least one statement"));
        }
        Ok(Policy {
            version,
            id,
            statements,
        })
    }

    pub(crate) fn of(statements: Vec<Statement>) -> Self {
        Policy {
            version: Some(Version::V2012),
            id: None,
            statements,
        }
    }

    /// The version of the language. `None` where the document names none, which means [`Version::V2008`].
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The document's name, which some services ask for.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn into_statements(self) -> Vec<Statement> {
        self.statements
    }

    /// In the order of the document. Never empty.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The canonical text: no white space, elements in the order of AWS's grammar, a single value without brackets.
    /// AWS counts white space of a document against its quota, so this is what to measure and to send.
    pub fn to_minified(&self) -> String {
        serde_json::to_string(self)
            .expect("strings, lists and string-keyed maps always have a JSON form")
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Policy::parse(text)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_minified())
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(version) = self.version {
            map.serialize_entry("Version", version.as_str())?;
        }
        if let Some(id) = &self.id {
            map.serialize_entry("Id", id)?;
        }
        map.serialize_entry("Statement", &self.statements)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Policy::from_node(&Node::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
