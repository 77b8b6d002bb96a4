//! Server-sent events of a daemon.

/// The longest line of an event, in bytes.
const MAX_LINE_LEN: usize = 1024 * 1024;

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<u64>,
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Reads server-sent events, however the bytes come.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    event: Event,
}

impl Parser {
    /// The events that are complete with these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Result<Event, String>> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > MAX_LINE_LEN {
                    self.line.clear();
                    events.push(Err("a line of an event is too long".to_owned()));
                }
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    events.push(Ok(event));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.event.id = value.parse().ok(),
                "event" => value.clone_into(&mut self.event.name),
                "data" => value.clone_into(&mut self.event.data),
                _ => {}
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "retry: 2000\n\n:\n\nid: 7\nevent: added\ndata: {\"a\":1}\n\nid: 8\nevent: paused\ndata: {}\n\nid: 9";
        let expected = [(7, "added", "{\"a\":1}"), (8, "paused", "{}")];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let chunks = text.as_bytes().chunks(size);
            let events: Vec<_> = chunks.flat_map(|chunk| parser.take(chunk)).collect();
            let events: Vec<_> = events.into_iter().map(Result::unwrap).collect();
            let read: Vec<_> = events
                .iter()
                .map(|event| (event.id.unwrap(), event.name.as_str(), event.data.as_str()))
                .collect();
            assert_eq!(read, expected, "{size}");
        }
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let mut parser = Parser::default();
        let events = parser.take(&vec![b'x'; MAX_LINE_LEN + 1]);
        assert_eq!(events.len(), 1);
        assert!(events[0].is_err());
    }
}
