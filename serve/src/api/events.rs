//! Changes as server-sent events.
//!
//! A client that reconnects with the number of its last event misses nothing, or is told to start over by an event `reset`.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::Query;
use super::problem::Problem;
use super::server::Shared;
use crate::control::{Change, Control, Missed};

/// A comment is sent after so long without an event, so that both sides notice when the other has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How soon a client is to reconnect, in milliseconds.
const RETRY_MS: u32 = 2_000;

/// Where to begin.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// The number of the last event that the client has; the header Last-Event-ID comes first. Default: that of the last
    /// event.
    since: Option<u64>,
}

/// Changes as they happen, as server-sent events: `id`, `event` and `data`, a `Change` in JSON. An event `reset` means
/// that changes were missed: read everything anew.
#[utoipa::path(get, path = "/api/v1/events", tag = "daemon", params(Since),
    responses((status = 200, description = "Events, without end", body = Change, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(query): Query<Since>,
) -> Result<Response, Problem> {
    let control = shared.control.clone();
    let last = last_event(&headers)?.or(query.since);
    let at = last.unwrap_or_else(|| control.log().newest());
    let reader = Reader {
        control,
        at,
        has_begun: false,
    };
    let texts = stream::unfold(reader, |mut reader| async move {
        let text = reader.next().await;
        Some((Ok::<_, Infallible>(Bytes::from(text)), reader))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream")];
    Ok((headers, Body::from_stream(texts)).into_response())
}

/// The number of the last event that a client has, if it says so.
pub(super) fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let last = headers.get("last-event-id").map(|value| {
        let text = value.to_str().ok();
        let number = text.and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| Problem::bad_request("Last-Event-ID is not a number"))
    });
    last.transpose()
}

/// One client's place in the log; what it has not read costs nothing.
struct Reader {
    control: Control,
    at: u64,
    has_begun: bool,
}

impl Reader {
    /// The next text, when there is one.
    async fn next(&mut self) -> String {
        if !std::mem::replace(&mut self.has_begun, true) {
            return format!("retry: {RETRY_MS}\n\n");
        }
        loop {
            match self.control.log().since(self.at) {
                Err(Missed { newest }) => {
                    self.at = newest;
                    return format!(
                        "id: {newest}\nevent: reset\ndata: {{\"newest\":{newest}}}\n\n"
                    );
                }
                Ok(changes) if changes.is_empty() => {
                    let waiting = self.control.log().wait(self.at);
                    if tokio::time::timeout(KEEP_ALIVE, waiting).await.is_err() {
                        return ":\n\n".to_owned();
                    }
                }
                Ok(changes) => {
                    let mut text = String::new();
                    for change in &changes {
                        self.at = change.id;
                        write_event(&mut text, change);
                    }
                    return text;
                }
            }
        }
    }
}

fn write_event(text: &mut String, change: &Change) {
    // JSON has no line breaks, so one line of data is enough. Writing to a text does not fail.
    let data = serde_json::to_string(change).unwrap_or_default();
    let name = change.kind.name();
    let _ = write!(text, "id: {}\nevent: {name}\ndata: {data}\n\n", change.id);
}
