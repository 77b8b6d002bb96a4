//! Progress on standard error: rows on a terminal, a line now and then elsewhere, or nothing.

mod details;
mod names;
mod row;
mod screen;
mod table;
pub(crate) mod width;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tailwater_session::Torrent;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinError;

use crate::args::{Common, LogFormat, Show};
use crate::error::CliError;
use crate::known::Known;
use crate::out::{self, Harmless};
use row::{Row, Text};
use screen::Screen;

pub(crate) use row::{State, Transfer};

/// Time between two lines about something that will end.
pub(crate) const OFTEN: Duration = Duration::from_secs(5);
/// Time between two lines about something that goes on until it is stopped.
pub(crate) const SELDOM: Duration = Duration::from_secs(60);

/// The tracing target of messages that were shown to the user already, for the log file.
pub(crate) const SAID: &str = "tailwater::said";

#[derive(Clone, Debug)]
enum Mode {
    Screen(Arc<Screen>),
    Lines,
    Off,
}

/// Shows meters, and keeps other output apart from them. Clones share one screen.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    mode: Mode,
    known: Known,
    show: Show,
    is_quiet: bool,
    /// The log has what is shown on standard error, and shows it there.
    is_logged: bool,
    /// Where lines for the terminal go while something else is drawn there.
    held: Arc<Mutex<Option<Sender<String>>>>,
}

/// Lines are written to the terminal again when it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Arc<Mutex<Option<Sender<String>>>>);

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Progress {
    pub(crate) fn new(common: &Common) -> Self {
        let is_logged = common.log_format == LogFormat::Json;
        let mode = match common {
            _ if common.no_progress || common.quiet || common.json() || is_logged => Mode::Off,
            _ if io::stderr().is_terminal() => Mode::Screen(Screen::new()),
            _ => Mode::Lines,
        };
        Self {
            mode,
            known: Known::default(),
            is_quiet: common.quiet,
            is_logged,
            held: Arc::default(),
            show: match common.json() {
                true => Show::default(),
                false => common.show(),
            },
        }
    }

    /// As it is when there is no log.
    pub(crate) fn without_log(self) -> Self {
        Self {
            is_logged: false,
            ..self
        }
    }

    /// A meter for something of `total` bytes. Without a terminal, a line is written at most `every` so often.
    pub(crate) fn meter(&self, name: &str, total: u64, every: Duration) -> Meter {
        let row = Row::Text(Text {
            name: Harmless(name).to_string(),
            share: (total > 0).then_some((0, total)),
            ..Text::default()
        });
        let shown = match &self.mode {
            Mode::Screen(screen) => Shown::Row(screen.add(row), Arc::clone(screen)),
            Mode::Lines => Shown::Lines(Mutex::new(Lines {
                row,
                every,
                last: Instant::now(),
            })),
            Mode::Off => Shown::Not,
        };
        Meter(Arc::new(Inner {
            shown,
            show: self.show,
            known: self.known.clone(),
            is_finished: Mutex::new(false),
        }))
    }

    /// A meter for something without an end.
    pub(crate) fn endless(&self, name: &str) -> Meter {
        self.meter(name, 0, SELDOM)
    }

    /// The torrents that messages may be about.
    pub(crate) const fn known(&self) -> &Known {
        &self.known
    }

    /// Prints a note on standard error, unless only errors are wanted.
    pub(crate) fn note(&self, text: impl Display) {
        let text = text.to_string();
        match text.strip_prefix("warning: ") {
            Some(text) => tracing::warn!(target: SAID, "{text}"),
            None => tracing::info!(target: SAID, "{text}"),
        }
        if !self.is_quiet && !self.is_logged {
            self.write(&text);
        }
    }

    /// An error, on standard error.
    pub(crate) fn error(&self, text: impl Display) {
        let text = text.to_string();
        let logged = text.strip_prefix("error: ").unwrap_or(&text);
        tracing::error!(target: SAID, "{logged}");
        if !self.is_logged {
            self.write(&text);
        }
    }

    /// Prints why a command failed and what can be done, unless it has been printed.
    pub(crate) fn failure(&self, error: &CliError) {
        if matches!(error, CliError::Reported | CliError::Interrupted) {
            return;
        }
        self.error(match error.remedy() {
            Some(remedy) => format!("error: {error}\n  help: {remedy}"),
            None => format!("error: {error}"),
        });
    }

    /// Gives what is said to someone else, as long as the terminal is theirs. Where standard error is no terminal, it goes
    /// there as ever.
    pub(crate) fn hold(&self, lines: Sender<String>) -> Held {
        if io::stderr().is_terminal() {
            *self.held.lock() = Some(lines);
        }
        Held(Arc::clone(&self.held))
    }

    /// Whether someone else takes a line. One that has no time for it misses it.
    fn is_taken(&self, text: &str) -> bool {
        match &*self.held.lock() {
            Some(lines) => {
                let _ = lines.try_send(text.to_owned());
                true
            }
            None => false,
        }
    }

    fn write(&self, text: &str) {
        if self.is_taken(text) {
            return;
        }
        // A failure to write to standard error has no place to be reported.
        self.suspend(|| drop(writeln!(io::stderr(), "{text}")));
    }

    /// Prints a status line on standard output, unless only errors are wanted.
    pub(crate) fn inform(&self, text: impl Display) -> Result<(), CliError> {
        let text = text.to_string();
        tracing::info!(target: SAID, "{text}");
        match self.is_quiet {
            true => Ok(()),
            false => self.say(text),
        }
    }

    /// Asks something on the terminal, in a thread that may wait for the user; no rows are drawn meanwhile.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        if let Mode::Screen(screen) = &self.mode {
            screen.pause();
        }
        let answer = tokio::task::spawn_blocking(question).await;
        if let Mode::Screen(screen) = &self.mode {
            screen.resume();
        }
        answer
    }

    /// A line on standard output.
    pub(crate) fn say(&self, text: impl Display) -> Result<(), CliError> {
        self.suspend(|| out::line(text))
    }

    fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.mode {
            Mode::Screen(screen) => screen.suspend(write),
            Mode::Lines | Mode::Off => write(),
        }
    }
}

/// The standard error of a log, written above the rows.
impl Write for Progress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_taken(&String::from_utf8_lossy(bytes)) {
            self.suspend(|| io::stderr().write_all(bytes))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows how far one thing is. It is gone when its last clone is dropped; what it showed last of a torrent stays on the
/// terminal.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shown: Shown,
    show: Show,
    known: Known,
    is_finished: Mutex<bool>,
}

#[derive(Debug)]
enum Shown {
    Row(u64, Arc<Screen>),
    Lines(Mutex<Lines>),
    Not,
}

#[derive(Debug)]
struct Lines {
    row: Row,
    every: Duration,
    last: Instant,
}

impl Lines {
    fn set(&mut self, change: impl FnOnce(&mut Row)) {
        change(&mut self.row);
        if self.last.elapsed() >= self.every {
            self.last = Instant::now();
            drop(writeln!(io::stderr(), "{}", self.row.lines()));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let is_finished = *self.is_finished.get_mut();
        match &mut self.shown {
            Shown::Row(key, screen) if is_finished => screen.finish(*key),
            Shown::Row(key, screen) => screen.remove(*key),
            Shown::Lines(lines) if !is_finished => {
                let lines = lines.get_mut();
                if lines.row.is_worth_keeping() && !lines.row.is_complete() {
                    drop(writeln!(io::stderr(), "{}", lines.row.line()));
                }
            }
            Shown::Lines(_) | Shown::Not => {}
        }
    }
}

impl Meter {
    /// Shows the text alone: it is not known how much there is.
    pub(crate) fn without_bar(&self) {
        self.change(|row| {
            if let Row::Text(text) = row {
                text.share = None;
            }
        });
    }

    /// Shows that `done` bytes of the total are done, and a text.
    pub(crate) fn set(&self, done: u64, said: impl Display) {
        self.change(|row| {
            if let Row::Text(Text { share, text, .. }) = row {
                *share = share.map(|(_, total)| (done, total));
                *text = said.to_string();
            }
        });
    }

    /// Whether what is told to it is shown.
    pub(crate) fn is_shown(&self) -> bool {
        !matches!(self.0.shown, Shown::Not)
    }

    /// The lines below a torrent: they are for [`Transfer::details`], or [`Self::set_details`].
    pub(crate) async fn details(&self, torrent: &Torrent) -> Vec<Vec<String>> {
        match &self.0.shown {
            Shown::Not => Vec::new(),
            Shown::Row(..) | Shown::Lines(_) => {
                details::of(torrent, self.0.show, &self.0.known).await
            }
        }
    }

    /// Shows lines below a text.
    pub(crate) fn set_details(&self, details: Vec<Vec<String>>) {
        self.change(|row| {
            if let Row::Text(text) = row {
                text.details = details;
            }
        });
    }

    /// Shows a torrent.
    pub(crate) fn show(&self, transfer: Transfer) {
        self.change(|row| {
            *row = Row::Torrent(Box::new(transfer));
        });
    }

    /// Has what is shown of a torrent be as it is now: a row at once, and the next line, which comes in its time.
    pub(crate) fn refresh(&self, transfer: Transfer) {
        match &self.0.shown {
            Shown::Lines(lines) => {
                let mut lines = lines.lock();
                lines.row = Row::Torrent(Box::new(transfer));
            }
            Shown::Row(..) | Shown::Not => self.show(transfer),
        }
    }

    /// The torrents that messages may be about.
    pub(crate) fn known(&self) -> &Known {
        &self.0.known
    }

    /// All messages about it have been printed: nothing of it needs to stay on the terminal.
    pub(crate) fn finish(&self) {
        *self.0.is_finished.lock() = true;
    }

    fn change(&self, change: impl FnOnce(&mut Row)) {
        match &self.0.shown {
            Shown::Row(key, screen) => screen.set(*key, change),
            Shown::Lines(lines) => lines.lock().set(change),
            Shown::Not => {}
        }
    }
}
