//! How far things are, on standard error: bars on a terminal, a line now and then elsewhere, or nothing.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tailwater_session::Stats;

use crate::args::Common;
use crate::error::CliError;
use crate::out;
use crate::size::Size;

/// Time between two lines about something that will end.
pub(crate) const OFTEN: Duration = Duration::from_secs(5);
/// Time between two lines about something that goes on until it is stopped.
pub(crate) const SELDOM: Duration = Duration::from_secs(60);

/// Characters of a name before a bar.
const PREFIX_CHARS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Bars,
    Lines,
    Quiet,
}

/// Shows meters, and keeps other output out of their way. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    mode: Mode,
    bars: MultiProgress,
}

impl Progress {
    pub(crate) fn new(common: Common) -> Self {
        let mode = match common {
            _ if common.no_progress || common.json() => Mode::Quiet,
            _ if io::stderr().is_terminal() => Mode::Bars,
            _ => Mode::Lines,
        };
        let target = match mode {
            Mode::Bars => ProgressDrawTarget::stderr(),
            Mode::Lines | Mode::Quiet => ProgressDrawTarget::hidden(),
        };
        Self {
            mode,
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// A meter for something of `total` bytes. Without bars, a line is written at most `every` so often.
    pub(crate) fn meter(&self, name: &str, total: u64, every: Duration) -> Meter {
        let bar = (self.mode == Mode::Bars).then(|| {
            let bar = self
                .bars
                .add(ProgressBar::new(total).with_prefix(shortened(name)));
            bar.set_style(style("{prefix:.bold} [{bar:16}] {percent:>3} % {wide_msg}"));
            bar
        });
        Meter(Arc::new(Inner {
            name: name.to_owned(),
            total,
            every,
            bar,
            lines: self.mode == Mode::Lines,
            last_line: Mutex::new(Instant::now()),
        }))
    }

    /// A meter for something without an end.
    pub(crate) fn endless(&self, name: &str) -> Meter {
        let meter = self.meter(name, 0, SELDOM);
        meter.without_bar();
        meter
    }

    /// A word to the user on standard error, whatever the mode.
    pub(crate) fn note(&self, text: impl Display) {
        // When standard error is gone there is nobody to tell.
        self.bars.suspend(|| drop(writeln!(io::stderr(), "{text}")));
    }

    /// A line on standard output.
    pub(crate) fn say(&self, text: impl Display) -> Result<(), CliError> {
        self.bars.suspend(|| out::line(text))
    }
}

/// The standard error of a log, written between the bars.
impl Write for Progress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).map_or_else(
        |_| ProgressStyle::default_bar(),
        |style| style.progress_chars("=> "),
    )
}

/// A name that leaves room for what is said about it on a terminal of 80 columns.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(PREFIX_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// Shows how far one thing is. It is gone when its last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    total: u64,
    every: Duration,
    bar: Option<ProgressBar>,
    lines: bool,
    last_line: Mutex<Instant>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Meter {
    /// Shows the text alone: nobody knows how much there is.
    pub(crate) fn without_bar(&self) {
        if let Some(bar) = &self.0.bar {
            bar.set_style(style("{prefix:.bold} {wide_msg}"));
        }
    }

    /// Shows that `done` bytes of the total are done, and a text.
    pub(crate) fn set(&self, done: u64, text: impl Display) {
        if let Some(bar) = &self.0.bar {
            bar.set_position(done);
            bar.set_message(text.to_string());
        } else if self.0.lines && self.is_due() {
            let Inner { name, total, .. } = &*self.0;
            let line = match total {
                0 => format!("{name}: {text}"),
                _ => format!("{name}: {} %, {text}", percent(done, *total)),
            };
            drop(writeln!(io::stderr(), "{line}"));
        }
    }

    fn is_due(&self) -> bool {
        let mut last = self
            .0
            .last_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let due = last.elapsed() >= self.0.every;
        if due {
            *last = Instant::now();
        }
        due
    }
}

/// Whole percents, rounded down, so that 100 means all.
pub(crate) fn percent(done: u64, total: u64) -> u128 {
    match total {
        0 => 100,
        _ => u128::from(done.min(total)) * 100 / u128::from(total),
    }
}

/// A download in words.
pub(crate) fn downloading(stats: &Stats, wanted: u64) -> String {
    let done = Size(wanted.saturating_sub(stats.bytes_left));
    let eta = match stats.bytes_left.checked_div(stats.down_rate) {
        Some(seconds) => format!("ETA {}", duration(Duration::from_secs(seconds))),
        None => "no ETA".to_owned(),
    };
    let (wanted, rate, peers) = (
        Size(wanted),
        Size(stats.down_rate),
        count(stats.peers, "peer"),
    );
    format!("{rate}/s, {peers}, {eta}, {done} of {wanted}")
}

/// An upload in words.
pub(crate) fn seeding(stats: &Stats) -> String {
    let (rate, sent, peers) = (
        Size(stats.up_rate),
        Size(stats.uploaded),
        count(stats.peers, "peer"),
    );
    format!("seeding at {rate}/s, {peers}, {sent} sent")
}

/// `1 peer`, `2 peers`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A time in the two largest units that matter.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_is_everything() {
        assert_eq!(percent(999, 1_000), 99);
        assert_eq!(percent(1_000, 1_000), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
    }

    #[test]
    fn times_have_two_units_at_most() {
        let cases = [
            (7, "7.0 s"),
            (42, "42 s"),
            (61, "1 min 1 s"),
            (7_260, "2 h 1 min"),
            (180_000, "2 d 2 h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn long_names_are_cut_at_characters() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(20)), "é".repeat(20));
        assert_eq!(shortened(&"é".repeat(21)), format!("{}…", "é".repeat(20)));
    }

    #[test]
    fn a_stalled_download_has_no_eta() {
        let mut stats = Stats::default();
        stats.bytes_left = 1 << 20;
        stats.peers = 1;
        assert_eq!(
            downloading(&stats, 2 << 20),
            "0 B/s, 1 peer, no ETA, 1.00 MiB of 2.00 MiB"
        );
        stats.down_rate = 1 << 19;
        assert_eq!(
            downloading(&stats, 2 << 20),
            "512 KiB/s, 1 peer, ETA 2.0 s, 1.00 MiB of 2.00 MiB"
        );
    }
}
