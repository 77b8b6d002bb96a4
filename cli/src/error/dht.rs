//! Errors of the DHT commands.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tailwater_dht::{DhtClosed, Report};

use super::plain;
use crate::out::Harmless;
use crate::words::{count, duration};

/// Why something that was asked of the DHT was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DhtFailure {
    #[error("cannot receive datagrams{}: {}", addr.map(|addr| format!(" at {addr}")).unwrap_or_default(), plain(source))]
    Listen {
        addr: Option<SocketAddr>,
        source: io::Error,
    },
    #[error("no DHT node answered within {}; tried {tried}", duration(*.limit))]
    NoNodes { limit: Duration, tried: String },
    #[error("not done within {}, although {} known", duration(*.limit), nodes(*.known))]
    TimedOut { limit: Duration, known: usize },
    #[error("nothing found: {}", asked(report))]
    NotFound { report: Box<Report> },
    #[error("no node has stored it{}: {}", refusal(report), asked(report))]
    NotStored { report: Box<Report> },
    #[error("none of them answered")]
    Silent,
    #[error(transparent)]
    Closed(#[from] DhtClosed),
    #[error("{path} is not a secret key, which is 64 hexadecimal digits")]
    NotAKey { path: String },
    #[error("the version that is there has the highest number there is: {0}")]
    LastVersion(i64),
}

impl DhtFailure {
    /// What the user can do.
    pub(crate) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Listen { .. } => {
                "choose another address with `--dht-listen ADDR:PORT`; port 0 takes a free one"
            }
            Self::NoNodes { .. } => {
                "check the network and its firewall (UDP), name a node that you know with `--dht-bootstrap ADDR:PORT`, or \
                 wait longer with `--timeout TIME`"
            }
            Self::TimedOut { .. } => "wait longer with `--timeout TIME`",
            Self::NotStored { .. } => {
                "if a newer version is there, leave `--seq` and `--cas` out; else try again"
            }
            Self::NotAKey { .. } => "name another file with `--key`: a missing one is made",
            Self::LastVersion(_) => {
                "use another key or salt: this one's item can never change again"
            }
            Self::NotFound { .. } | Self::Silent | Self::Closed(_) => return None,
        };
        Some(text.to_owned())
    }
}

fn nodes(known: usize) -> String {
    let verb = if known == 1 { "is" } else { "are" };
    format!("{} {verb}", count(known, "node"))
}

fn refusal(report: &Report) -> String {
    let refusal = report.refusal.as_ref();
    refusal
        .map(|refusal| format!(" ({})", Harmless(&refusal.text)))
        .unwrap_or_default()
}

/// A time that is short as a rule.
fn took(time: Duration) -> String {
    match time.as_millis() {
        0 => "less than 1 ms".to_owned(),
        millis @ 1..1000 => format!("{millis} ms"),
        _ => duration(time),
    }
}

/// The cost of a lookup, in words.
pub(crate) fn asked(report: &Report) -> String {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    format!(
        "asked {}, {} answered, {}, {}",
        count(number(report.asked), "node"),
        report.answered,
        count(report.hops.into(), "hop"),
        took(report.elapsed)
    )
}
