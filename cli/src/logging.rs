//! Logging: what `-v` shows on standard error, and what `--log-file` keeps, for people or as JSON.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Mutex;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields, MakeWriter, layer};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{Common, LogFormat};
use crate::error::CliError;
use crate::progress::{Progress, SAID};

/// From here on, lines on standard error have a time and the module that they come from.
const DETAILED: u8 = 2;

/// Without `-v` standard error shows only warnings, with `-q` only errors; the log file has what `-v` shows, or more if
/// there are more of them. `RUST_LOG` overrules both.
pub(crate) fn install(common: &Common, progress: &Progress) -> Result<(), CliError> {
    let shown = match common.quiet {
        true => "error",
        false => level(common.verbose),
    };
    let style = |verbose, has_time| match (common.log_format, verbose) {
        (LogFormat::Json, _) => Style::Json,
        (LogFormat::Text, DETAILED..) => Style::Detailed,
        (LogFormat::Text, _) => Style::Plain { has_time },
    };
    let writer = progress.clone();
    // Messages that were shown to the user go to the log file, and are not shown twice. As JSON they are shown by the log.
    let is_json = common.log_format == LogFormat::Json;
    let is_news = filter_fn(move |metadata| is_json || metadata.target() != SAID);
    let filter = match is_json && !common.quiet {
        true => with_said(filter(common.verbose, shown)),
        false => filter(common.verbose, shown),
    };
    let on_screen = lines(
        move || writer.clone(),
        style(common.verbose, false),
        filter.and(is_news),
    );
    let in_file = match &common.log_file {
        None => None,
        Some(path) => {
            let kept = common.verbose.max(1);
            let writer = Mutex::new(open(path)?);
            let filter = with_said(self::filter(kept, level(kept)));
            Some(lines(writer, style(kept, true), filter))
        }
    };
    tracing_subscriber::registry()
        .with(on_screen)
        .with(in_file)
        .init();
    Ok(())
}

/// How lines are written.
#[derive(Clone, Copy)]
enum Style {
    /// For people.
    Plain { has_time: bool },
    /// For people who look for an error.
    Detailed,
    /// For programs.
    Json,
}

fn lines<S, W>(
    writer: W,
    style: Style,
    filter: impl Filter<S> + Send + Sync + 'static,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = layer().with_ansi(false).with_writer(writer);
    match style {
        Style::Plain { has_time } => {
            let plain = Plain { has_time };
            lines.event_format(plain).with_filter(filter).boxed()
        }
        Style::Detailed => lines.with_filter(filter).boxed(),
        Style::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    }
}

fn open(path: &Path) -> Result<File, CliError> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(CliError::io("write to", path))
}

const fn level(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    }
}

/// Other crates show only warnings and errors below `-vvv`: their messages matter less to a user.
fn filter(verbose: u8, ours: &str) -> EnvFilter {
    let default = match verbose {
        0..3 => {
            let others = if ours == "error" { "error" } else { "warn" };
            let crates = [
                "tailwater",
                "tailwater_serve",
                "tailwater_session",
                "tailwater_tracker",
                "tailwater_storage_mem",
            ];
            let crates = crates.map(|name| format!(",{name}={ours}"));
            format!("{others}{}", crates.concat())
        }
        _ => "trace".to_owned(),
    };
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default))
}

/// Messages that are shown to the user are always in it.
fn with_said(filter: EnvFilter) -> EnvFilter {
    match format!("{SAID}=info").parse() {
        Ok(said) => filter.add_directive(said),
        Err(_) => filter,
    }
}

/// The length of a time up to its milliseconds, `2026-01-31T23:59:59.123`: what is behind tells people nothing.
const MILLISECONDS: usize = 23;

/// One line in the words of our own warnings: `info: film.mkv: peer 192.0.2.7:6881 is connected`; in a file with the time
/// before it.
struct Plain {
    has_time: bool,
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        if self.has_time {
            let mut time = String::new();
            SystemTime.format_time(&mut Writer::new(&mut time))?;
            match time.get(..MILLISECONDS) {
                Some(time) => write!(writer, "{time}Z ")?,
                None => write!(writer, "{time} ")?,
            }
        }
        write!(writer, "{level}: ")?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(of) = span.extensions().get::<FormattedFields<N>>()
                && !of.is_empty()
            {
                write!(writer, "{of}: ")?;
            }
        }
        context
            .field_format()
            .format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
