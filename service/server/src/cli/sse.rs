//! Server-sent events, as the client reads them (WHATWG HTML, "Server-sent events").

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// The events in a stream of bytes, whatever the pieces it comes in.
pub(super) fn events<S>(chunks: S) -> impl Stream<Item = anyhow::Result<Event>>
where
    S: Stream<Item = anyhow::Result<Bytes>> + Unpin,
{
    futures_util::stream::unfold(
        (chunks, Parser::default()),
        async |(mut chunks, mut parser)| loop {
            if let Some(event) = parser.next() {
                return Some((Ok(event), (chunks, parser)));
            }
            match chunks.next().await? {
                Ok(chunk) => parser.buffer.extend_from_slice(&chunk),
                Err(error) => return Some((Err(error), (chunks, parser))),
            }
        },
    )
}

#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    event: Event,
}

impl Parser {
    /// The next event that is complete; comments and fields that nobody needs here are passed over.
    fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.event.id = Some(value.to_owned()),
                "data" if self.event.data.is_empty() => self.event.data = value.to_owned(),
                "data" => {
                    self.event.data.push('\n');
                    self.event.data.push_str(value);
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let text = ": keep-alive\n\nid: 7\nevent: requested\ndata: {\"a\":1}\n\ndata: one\ndata: two\r\n\r\nid: 9\ndata: cut off";
        let expected = [
            Event {
                id: Some("7".to_owned()),
                data: "{\"a\":1}".to_owned(),
            },
            Event {
                id: None,
                data: "one\ntwo".to_owned(),
            },
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut found = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                parser.buffer.extend_from_slice(chunk);
                found.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }
}
