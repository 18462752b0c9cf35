//! XML bodies, read for REST-XML and written for REST-XML and Query.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::model::{Kind, Location, Model, Reference, Structure, TimestampFormat, XmlNamespace};
use super::scalar;

/// An element without its prefix, which no AWS service tells apart.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

/// Reads a document's root element.
pub(super) fn parse(body: &[u8]) -> Option<Element> {
    let mut reader = Reader::from_reader(body);
    let mut open: Vec<Element> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        let closed = match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(start) => {
                open.push(element(&start)?);
                None
            }
            Event::Empty(start) => Some(element(&start)?),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                let text = std::str::from_utf8(&text).ok()?;
                if let Some(element) = open.last_mut() {
                    element.text.push_str(text);
                }
                None
            }
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", std::str::from_utf8(&reference).ok()?);
                open.last_mut()?.text.push_str(&unescape(&reference).ok()?);
                None
            }
            Event::CData(data) => {
                open.last_mut()?
                    .text
                    .push_str(std::str::from_utf8(&data).ok()?);
                None
            }
            Event::Eof => return None,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => None,
        };
        if let Some(element) = closed {
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => return Some(element),
            }
        }
        buffer.clear();
    }
}

fn element(start: &BytesStart<'_>) -> Option<Element> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        attributes.push((
            text(attribute.key.as_ref())?,
            unescape(&text(&attribute.value)?).ok()?.into_owned(),
        ));
    }
    Some(Element {
        name: text(start.local_name().as_ref())?,
        attributes,
        ..Element::default()
    })
}

/// Reads an element as a value of the shape referred to; the error names the element that does not fit.
pub(super) fn read(
    model: &Model,
    reference: &Reference,
    element: &Element,
) -> Result<Value, String> {
    match &model.shape(reference.shape).kind {
        Kind::Structure(structure) => read_structure(model, structure, element).map(Value::Object),
        Kind::List { member, .. } => {
            let name = member.wire_name.as_deref().unwrap_or("member");
            element
                .children
                .iter()
                .filter(|child| child.name == name)
                .map(|child| read(model, member, child))
                .collect()
        }
        Kind::Map { key, value, .. } => {
            let entries = element
                .children
                .iter()
                .filter(|child| child.name == "entry");
            entries
                .map(|entry| read_entry(model, key, value, entry))
                .collect()
        }
        kind => scalar::from_text(kind, &element.text).ok_or_else(|| element.name.clone()),
    }
}

fn read_entry(
    model: &Model,
    key: &Reference,
    value: &Reference,
    entry: &Element,
) -> Result<(String, Value), String> {
    let part = |name: &str| {
        entry
            .children
            .iter()
            .find(|child| child.name == name)
            .ok_or_else(|| entry.name.clone())
    };
    let name = part(key.wire_name.as_deref().unwrap_or("key"))?
        .text
        .clone();
    Ok((
        name,
        read(
            model,
            value,
            part(value.wire_name.as_deref().unwrap_or("value"))?,
        )?,
    ))
}

pub(super) fn read_structure(
    model: &Model,
    structure: &Structure,
    element: &Element,
) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    for member in structure
        .members
        .iter()
        .filter(|member| member.reference.location == Location::Body)
    {
        let reference = &member.reference;
        let name = member.wire_name();
        if reference.xml_attribute {
            let attribute = element.attributes.iter().find(|(key, _)| key == name);
            if let Some((_, text)) = attribute {
                out.insert(member.name.clone(), text.as_str().into());
            }
            continue;
        }
        let value = match &model.shape(reference.shape).kind {
            Kind::List {
                member: item,
                flattened,
            } if *flattened || reference.flattened => {
                let items: Vec<Value> = element
                    .children
                    .iter()
                    .filter(|child| child.name == name)
                    .map(|child| read(model, item, child))
                    .collect::<Result<_, _>>()?;
                if items.is_empty() {
                    None
                } else {
                    Some(Value::Array(items))
                }
            }
            _ => match element.children.iter().find(|child| child.name == name) {
                Some(child) => Some(read(model, reference, child)?),
                None => None,
            },
        };
        if let Some(value) = value {
            out.insert(member.name.clone(), value);
        }
    }
    Ok(out)
}

/// Text that grows by elements.
pub(super) struct Writer<'a> {
    pub(super) model: &'a Model,
    pub(super) out: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        Writer {
            model,
            out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
        }
    }

    pub(super) fn open(&mut self, name: &str, namespace: Option<&str>) {
        self.out.push('<');
        self.out.push_str(name);
        if let Some(uri) = namespace {
            self.attribute("xmlns", uri);
        }
        self.out.push('>');
    }

    pub(super) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(super) fn text_element(&mut self, name: &str, text: &str) {
        self.open(name, None);
        self.text(text);
        self.close(name);
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(&quick_xml::escape::escape(text));
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.out.push_str(&quick_xml::escape::escape(value));
        self.out.push('"');
    }

    /// The members of a structure that stand in the body, each an element.
    /// The error names a member that the model does not have or that is not of its type.
    pub(super) fn members(
        &mut self,
        name: &str,
        structure: &Structure,
        fields: &Map<String, Value>,
    ) -> Result<(), String> {
        for field in fields.keys() {
            if !structure.members.iter().any(|member| member.name == *field) {
                return Err(format!("{name} has no member {field}"));
            }
        }
        for member in &structure.members {
            let reference = &member.reference;
            match fields.get(&member.name) {
                None | Some(Value::Null) => {}
                Some(_) if reference.location != Location::Body || reference.xml_attribute => {}
                Some(value) => {
                    let written = self.value(member.wire_name(), reference, value);
                    written.map_err(|why| format!("{name}.{}: {why}", member.name))?;
                }
            }
        }
        Ok(())
    }

    /// A value as an element, or as several for a flattened list or map.
    pub(super) fn value(
        &mut self,
        name: &str,
        reference: &Reference,
        value: &Value,
    ) -> Result<(), String> {
        let model = self.model;
        let shape = model.shape(reference.shape);
        match (&shape.kind, value) {
            (Kind::Structure(structure), Value::Object(fields)) => {
                self.open_structure(name, reference.xml_namespace.as_ref(), structure, fields);
                self.members(&shape.name, structure, fields)?;
                self.close(name);
            }
            (Kind::List { member, flattened }, Value::Array(items)) => {
                let flat = *flattened || reference.flattened;
                let item_name = if flat {
                    name
                } else {
                    member.wire_name.as_deref().unwrap_or("member")
                };
                if !flat {
                    self.open(name, None);
                }
                for item in items {
                    self.value(item_name, member, item)?;
                }
                if !flat {
                    self.close(name);
                }
            }
            (
                Kind::Map {
                    key,
                    value: of,
                    flattened,
                },
                Value::Object(entries),
            ) => {
                let flat = *flattened || reference.flattened;
                let entry = if flat { name } else { "entry" };
                if !flat {
                    self.open(name, None);
                }
                for (entry_key, entry_value) in entries {
                    self.open(entry, None);
                    self.text_element(key.wire_name.as_deref().unwrap_or("key"), entry_key);
                    self.value(of.wire_name.as_deref().unwrap_or("value"), of, entry_value)?;
                    self.close(entry);
                }
                if !flat {
                    self.close(name);
                }
            }
            (kind, value) => {
                let text = scalar::to_text(kind, value, TimestampFormat::Iso8601);
                let text = text.ok_or_else(|| format!("{value} is no {}", shape.name))?;
                self.text_element(name, &text);
            }
        }
        Ok(())
    }

    fn open_structure(
        &mut self,
        name: &str,
        namespace: Option<&XmlNamespace>,
        structure: &Structure,
        fields: &Map<String, Value>,
    ) {
        self.out.push('<');
        self.out.push_str(name);
        if let Some(XmlNamespace { prefix, uri }) = namespace {
            let attribute = prefix
                .as_ref()
                .map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
            self.attribute(&attribute, uri);
        }
        for member in structure
            .members
            .iter()
            .filter(|member| member.reference.xml_attribute)
        {
            if let Some(Value::String(text)) = fields.get(&member.name) {
                // The one name space that AWS's attributes are in, `xsi:type` of an S3 grantee.
                if member.wire_name().starts_with("xsi:") && namespace.is_none() {
                    self.attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
                }
                self.attribute(member.wire_name(), text);
            }
        }
        self.out.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_elements() {
        let root = parse(b"<?xml version=\"1.0\"?><Tagging xmlns=\"x\"><TagSet><Tag><Key>a&amp;b</Key></Tag></TagSet><E/></Tagging>").unwrap();
        assert_eq!((root.name.as_str(), root.children.len()), ("Tagging", 2));
        assert_eq!(root.children[0].children[0].children[0].text, "a&b");
        for broken in ["", "<a>", "<a><b></a>", "text", "<a>&nope;</a>"] {
            assert!(parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }
}
