//! What a control says of a cell, in its own words, kept as JSON.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON document as text. Most documents are made, compared, written down and kept, and never taken apart: as trees,
/// those of the accounts that are being looked at would be a quarter of what is held while all are looked at.
///
/// Equal are documents of the same text: those of one type, which writes its fields in one order.
#[derive(Clone)]
pub struct JsonText(Arc<RawValue>);

impl JsonText {
    /// The JSON form of plain data.
    pub fn of<T: Serialize>(content: &T) -> Self {
        let text = serde_json::value::to_raw_value(content).expect("plain data has a JSON form");
        JsonText(text.into())
    }

    /// One that was written down. Fails where the text is not JSON.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|text| JsonText(text.into()))
    }

    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// What it says, as a type. Fails where it says something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// What it says, for those who show it.
    pub fn to_value(&self) -> Value {
        self.read().expect("a document is JSON")
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_str() == other.as_str()
    }
}

impl Eq for JsonText {}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_says_what_it_was_made_of() {
        let content = json!({ "b": [1, null], "a": "ü" });
        let document = JsonText::of(&content);
        assert_eq!(document.to_value(), content);
        let stored = JsonText::parse(document.as_str().to_owned()).unwrap();
        assert_eq!(stored, document);
        assert_ne!(JsonText::of(&json!({})), document);
        assert!(document.read::<Vec<u8>>().is_err());
    }

    #[test]
    fn what_is_no_json_is_no_document() {
        for text in ["", "{", "nil", "{} {}"] {
            assert!(JsonText::parse(text.to_owned()).is_err(), "{text}");
        }
    }
}
