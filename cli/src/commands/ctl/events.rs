//! Changes as they happen.

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::sleep;

use super::Remote;
use crate::args::CtlEvents;
use crate::commands::daemon_client::Method;
use crate::commands::daemon_client::events::{Event, Parser};
use crate::error::{CliError, DaemonFailure};
use crate::out::{self, Harmless};

/// How long to wait before a lost connection is made anew.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(2);

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
