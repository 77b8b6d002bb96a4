//! A session that runs, with its events shown, until it has been closed.

use std::collections::HashMap;
use std::time::Duration;

use tailwater_session::{Builder, Event, Events, Session};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::CliError;
use crate::interrupt::CLOSE_WITHIN;
use crate::json::Line;
use crate::out::{self, Harmless};
use crate::progress::Progress;

/// How long the last events may take to be printed.
const DRAIN_WITHIN: Duration = Duration::from_millis(100);

/// A session and the task that shows what happens in it.
pub(crate) struct Running {
    pub(crate) session: Session,
    shown: JoinHandle<()>,
}

impl Running {
    /// Starts it. Events go to standard output as JSON, or else to standard error as far as they are worth a warning.
    pub(crate) fn start(
        builder: Builder,
        progress: &Progress,
        json: bool,
    ) -> Result<Self, CliError> {
        let session = builder.start()?;
        let events = session.subscribe();
        let shown = match json {
            true => tokio::spawn(print(events)),
            false => tokio::spawn(warn(events, progress.clone())),
        };
        if let Some(addr) = session.listen_addr() {
            let addr = addr.to_string();
            match json {
                true => out::json(&Line::Listening { addr })?,
                false => progress.say(format_args!("listening on {addr}"))?,
            }
        }
        Ok(Self { session, shown })
    }

    /// Closes it: trackers hear that we leave, what was downloaded is kept. It takes less than two seconds, whatever
    /// hangs.
    pub(crate) async fn close(self) {
        if timeout(CLOSE_WITHIN, self.session.close()).await.is_err() {
            tracing::warn!("the session did not close in time");
        }
        drop(self.session);
        // What comes later is not worth waiting for.
        let _ = timeout(DRAIN_WITHIN, self.shown).await;
    }
}

async fn print(mut events: Events) {
    while let Some(event) = events.next().await {
        if let Some(line) = Line::event(&event)
            && out::json(&line).is_err()
        {
            return;
        }
    }
}

async fn warn(mut events: Events, progress: Progress) {
    // A tracker that stays silent is reported once, until it says something else.
    let mut said: HashMap<String, String> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Event::TrackerFailed { tracker, error, .. } => {
                if said.get(&tracker) != Some(&error) {
                    progress.note(format_args!(
                        "warning: tracker {}: {}",
                        Harmless(&tracker),
                        Harmless(&error)
                    ));
                    said.insert(tracker, error);
                }
            }
            Event::TrackerAnswered {
                tracker,
                warning: Some(warning),
                ..
            } => {
                if said.get(&tracker) != Some(&warning) {
                    progress.note(format_args!(
                        "warning: tracker {} says: {}",
                        Harmless(&tracker),
                        Harmless(&warning)
                    ));
                    said.insert(tracker, warning);
                }
            }
            Event::TrackerAnswered {
                tracker,
                warning: None,
                ..
            } => {
                said.remove(&tracker);
            }
            Event::Banned { ip, .. } => progress.note(format_args!(
                "warning: {ip} sent corrupt data and is not used again"
            )),
            _ => {}
        }
    }
}
