//! A running session with the task that shows its events, and its close.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tailwater_session::{Event, Events, Session, SessionBuilder};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::args::Json;
use crate::error::CliError;
use crate::interrupt::CLOSE_WITHIN;
use crate::json::{EventLine, Line};
use crate::known::{About, Known};
use crate::out::{self, Harmless};
use crate::progress::Progress;

/// A close that takes longer is explained.
const SILENT_FOR: Duration = Duration::from_millis(300);
/// How long the last events may take to be printed.
const DRAIN_WITHIN: Duration = Duration::from_millis(100);

/// A session and the task that shows what happens in it.
pub(crate) struct Running {
    pub(crate) session: Session,
    shown: JoinHandle<()>,
    progress: Progress,
}

impl Running {
    /// Starts it. Events go to standard output as JSON, or else to standard error as far as they are worth a warning.
    pub(crate) fn start(
        builder: SessionBuilder,
        progress: &Progress,
        json: Json,
    ) -> Result<Self, CliError> {
        let session = builder.start()?;
        wait_for_interface(&session, progress);
        let events = session.subscribe();
        let shown = match json.is_on() {
            true => tokio::spawn(print(events, json, progress.known().clone())),
            false => tokio::spawn(warn(events, progress.clone())),
        };
        if let Some(addr) = session.listen_addr() {
            let addr = addr.to_string();
            match json.is_on() {
                true if json.has_events() => out::json(&Line::Listening { addr })?,
                true => {}
                false => progress.inform(format_args!("listening on {addr}"))?,
            }
        }
        Ok(Self {
            session,
            shown,
            progress: progress.clone(),
        })
    }

    /// Starts it with nothing on standard output.
    pub(crate) fn start_silently(
        builder: SessionBuilder,
        progress: &Progress,
    ) -> Result<Self, CliError> {
        let session = builder.start()?;
        wait_for_interface(&session, progress);
        let shown = tokio::spawn(warn(session.subscribe(), progress.clone()));
        Ok(Self {
            session,
            shown,
            progress: progress.clone(),
        })
    }

    /// Closes the session: trackers get a `stopped` announce, downloaded data is kept. It takes less than two seconds,
    /// whatever hangs.
    pub(crate) async fn close(self) {
        if !self.close_session().await {
            tracing::warn!("the session did not close in time");
        }
        drop(self.session);
        // Later events are not worth waiting for.
        let _ = timeout(DRAIN_WITHIN, self.shown).await;
    }

    /// Whether it closed in time.
    async fn close_session(&self) -> bool {
        let closing = self.session.close();
        tokio::pin!(closing);
        if timeout(SILENT_FOR, &mut closing).await.is_ok() {
            return true;
        }
        self.progress
            .note("closing: telling the trackers and writing to the disk; Ctrl-C quits at once");
        timeout(CLOSE_WITHIN.saturating_sub(SILENT_FOR), closing)
            .await
            .is_ok()
    }
}

/// Says that the session waits for a network interface, if it does.
fn wait_for_interface(session: &Session, progress: &Progress) {
    let interface = session.interface();
    if let Some(absent) = interface.filter(|interface| interface.found().is_none()) {
        progress.known().set_cut_off(true);
        progress.note(format_args!(
            "warning: {absent} does not exist, or has no address: waiting for it"
        ));
    }
}

async fn print(mut events: Events, json: Json, known: Known) {
    while let Some(event) = events.next().await {
        known.listen(&event, Instant::now());
        let about = event.info_hash().and_then(|info_hash| known.get(info_hash));
        if is_printed(&event, json, about.as_ref())
            && let Some(line) = EventLine::new(&event, about.as_ref())
            && out::json(&line).is_err()
        {
            return;
        }
    }
}

/// Whether the level of `--json` has it.
fn is_printed(event: &Event, json: Json, about: Option<&About>) -> bool {
    match event {
        // The torrent's follower prints these, with its figures.
        Event::Completed { .. } | Event::Failed { .. }
            if about.is_some_and(|about| about.is_followed) =>
        {
            false
        }
        Event::Completed { .. } | Event::Failed { .. } => json.is_on(),
        Event::PieceVerified { .. } => json.has_pieces(),
        _ => json.has_events(),
    }
}

async fn warn(mut events: Events, progress: Progress) {
    // A tracker that fails again and again is reported once, until its error changes.
    let mut said: HashMap<String, String> = HashMap::new();
    while let Some(event) = events.next().await {
        progress.known().listen(&event, Instant::now());
        let (tracker, says) = match event {
            Event::TrackerFailed { tracker, error, .. } => (tracker, error),
            Event::TrackerAnswered {
                tracker,
                warning: Some(warning),
                ..
            } => (tracker, format!("it says: {warning}")),
            Event::TrackerAnswered {
                tracker,
                warning: None,
                ..
            } => {
                said.remove(&tracker);
                continue;
            }
            Event::InterfaceChanged { interface, is_up } => {
                match is_up {
                    true => progress.note(format_args!("{interface} is there")),
                    false => {
                        progress.note(format_args!("warning: {interface} is gone: waiting for it"));
                    }
                }
                continue;
            }
            Event::Banned { origin, .. } => {
                progress.note(format_args!(
                    "warning: {origin} broke the rules or sent corrupt data, and is not used again"
                ));
                continue;
            }
            _ => continue,
        };
        if said.get(&tracker) != Some(&says) {
            progress.note(format_args!(
                "warning: tracker {}: {}",
                Harmless(&tracker),
                Harmless(&says)
            ));
            said.insert(tracker, says);
        }
    }
}
