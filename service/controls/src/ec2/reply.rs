//! EC2's answers, of which a control wants a few texts: they are picked out by their paths, and the rest is skipped.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

/// An answer's XML.
#[derive(Clone, Debug)]
pub(crate) struct Reply(Arc<str>);

/// The texts found at some paths, `tagSet/item/key`; there may be several at one.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Row(BTreeMap<&'static str, Vec<String>>);

impl Row {
    /// The first text at a path.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.all(path).first().map(String::as_str)
    }

    /// All texts at a path.
    pub(crate) fn all(&self, path: &str) -> &[String] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}

impl Reply {
    pub(crate) fn new(xml: Arc<str>) -> Self {
        Reply(xml)
    }

    /// The texts at paths that begin below the root element.
    pub(crate) fn row(&self, paths: &'static [&'static str]) -> Result<Row, String> {
        let mut row = Row::default();
        self.read(|root| pick(root, "", paths, &mut row))?;
        Ok(row)
    }

    /// For each `item` of a set below the root element, the texts at paths that begin below the item.
    pub(crate) fn rows(
        &self,
        set: &'static str,
        paths: &'static [&'static str],
    ) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        self.read(|root| {
            while let Some(mut child) = root.next_tag() {
                if !child.start_el().matches(set) {
                    continue;
                }
                while let Some(mut item) = child.next_tag() {
                    let mut row = Row::default();
                    pick(&mut item, "", paths, &mut row)?;
                    rows.push(row);
                }
            }
            Ok(())
        })?;
        Ok(rows)
    }

    fn read(
        &self,
        read: impl FnOnce(&mut ScopedDecoder<'_, '_>) -> Result<(), XmlDecodeError>,
    ) -> Result<(), String> {
        let mut document = Document::new(&self.0);
        let mut root = document.root_element().map_err(|error| error.to_string())?;
        read(&mut root).map_err(|error| error.to_string())?;
        // The decoder takes the end of the text for the end of every element: an answer that broke off would look short.
        let end = format!("</{}>", root.start_el().local());
        if self.0.trim_end().ends_with(&end) {
            Ok(())
        } else {
            Err(format!("it has no {end}"))
        }
    }
}

/// Collects the texts at `paths` below an element that is itself at `at`.
fn pick(
    element: &mut ScopedDecoder<'_, '_>,
    at: &str,
    paths: &'static [&'static str],
    row: &mut Row,
) -> Result<(), XmlDecodeError> {
    while let Some(mut child) = element.next_tag() {
        let here = match at {
            "" => child.start_el().local().to_owned(),
            _ => format!("{at}/{}", child.start_el().local()),
        };
        if let Some(path) = paths.iter().find(|path| **path == here) {
            let text = try_data(&mut child)?.into_owned();
            row.0.entry(path).or_default().push(text);
        } else if paths
            .iter()
            .any(|path| path.starts_with(&here) && path[here.len()..].starts_with('/'))
        {
            pick(&mut child, &here, paths, row)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAYS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <DescribeInternetGatewaysResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <requestId>r</requestId>
          <internetGatewaySet>
            <item>
              <internetGatewayId>igw-1</internetGatewayId>
              <attachmentSet><item><vpcId>vpc-1</vpcId><state>available</state></item></attachmentSet>
              <tagSet><item><key>a</key></item><item><key>b &gt; c</key></item></tagSet>
            </item>
            <item><internetGatewayId>igw-2</internetGatewayId><attachmentSet/></item>
          </internetGatewaySet>
        </DescribeInternetGatewaysResponse>"#;

    #[test]
    fn texts_are_picked_by_path() {
        let reply = Reply::new(GATEWAYS.into());
        let paths = &[
            "internetGatewayId",
            "attachmentSet/item/vpcId",
            "tagSet/item/key",
        ];
        let rows = reply.rows("internetGatewaySet", paths).unwrap();
        let texts: Vec<Vec<&[String]>> = rows
            .iter()
            .map(|row| paths.iter().map(|path| row.all(path)).collect())
            .collect();
        let text = |text: &str| vec![text.to_owned()];
        assert_eq!(
            texts,
            [
                [
                    text("igw-1"),
                    text("vpc-1"),
                    vec!["a".to_owned(), "b > c".to_owned()]
                ],
                [text("igw-2"), vec![], vec![]],
            ]
        );
        assert_eq!(
            reply.row(&["requestId"]).unwrap().text("requestId"),
            Some("r")
        );
        assert!(reply.rows("vpcSet", &["vpcId"]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_whole_answer_is_an_error() {
        for text in [
            "",
            "Bad gateway",
            "<a><b>",
            "<a><b>1</b>",
            "<a><b><c/></b></a>",
        ] {
            assert!(Reply::new(text.into()).row(&["b"]).is_err(), "{text}");
        }
    }
}
