//! Changes as they happen.

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::sleep;

use super::Remote;
use super::client::Method;
use crate::args::CtlEvents;
use crate::error::{CliError, DaemonFailure};
use crate::out::{self, Harmless};

/// How long to wait before a lost connection is made anew.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(2);
/// The longest line of an event, in bytes.
const MAX_LINE_LEN: usize = 1024 * 1024;

impl Remote<'_> {
    pub(super) async fn events(&self, args: &CtlEvents) -> Result<(), CliError> {
        let mut seen = Seen {
            last: args.since,
            left: args.count,
        };
        // The first connection must work; later ones may have to wait for the daemon.
        let mut has_worked = false;
        while seen.left != Some(0) {
            match self.follow(&mut seen, &mut has_worked).await {
                Err(CliError::Daemon(DaemonFailure::Unreachable { url, reason })) if has_worked => {
                    tracing::info!("lost the daemon at {url}: {reason}");
                    sleep(RETRY_AFTER).await;
                }
                Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Until the connection ends, or all are seen that are wanted.
    async fn follow(&self, seen: &mut Seen, has_worked: &mut bool) -> Result<(), CliError> {
        let path = match seen.last {
            Some(last) => format!("/api/v1/events?since={last}"),
            None => "/api/v1/events".to_owned(),
        };
        let response = self.api.open(Method::GET, &path, None).await?;
        *has_worked = true;
        let mut body = response.into_body();
        let mut parser = Parser::default();
        while let Some(Ok(frame)) = body.frame().await {
            let Some(bytes) = frame.data_ref() else {
                continue;
            };
            for event in parser.take(bytes) {
                let event = event.map_err(|reason| self.api.strange(reason))?;
                self.tell(&event, seen)?;
                if seen.left == Some(0) {
                    return Ok(());
                }
            }
        }
        Err(DaemonFailure::Unreachable {
            url: String::new(),
            reason: "the connection ended".to_owned(),
        }
        .into())
    }

    fn tell(&self, event: &Event, seen: &mut Seen) -> Result<(), CliError> {
        seen.last = event.id.or(seen.last);
        seen.left = seen.left.map(|left| left.saturating_sub(1));
        let mut data: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
        if self.is_json() {
            if let Some(object) = data.as_object_mut() {
                object.insert("event".to_owned(), event.name.clone().into());
            }
            return Self::print(&data);
        }
        let mut line = event.name.replace('_', " ");
        for field in ["torrent", "name", "folder", "error"] {
            if let Some(text) = data[field].as_str() {
                line.push_str("  ");
                line.push_str(text);
            }
        }
        out::line(Harmless(&line))
    }
}

/// How far the user has read.
struct Seen {
    last: Option<u64>,
    left: Option<u64>,
}

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<u64>,
    name: String,
    data: String,
}

/// Reads server-sent events, however the bytes come.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    event: Event,
}

impl Parser {
    /// The events that are complete with these bytes.
    fn take(&mut self, bytes: &[u8]) -> Vec<Result<Event, String>> {
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
