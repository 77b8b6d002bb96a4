//! Prints events as lines of JSON.

use std::fmt::Display;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tailwater_metainfo::{InfoHash, Metainfo};
use tailwater_serve::fetching::FetchReport;
use tailwater_session::{Event, FetchProgress, Publication};

use crate::args::Json;
use crate::error::CliError;
use crate::known::About;
use crate::out;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    Listening {
        addr: String,
    },
    /// What is being tried while a magnet link's metadata is missing; the last one has its name.
    Metadata(FetchReport<'a>),
    Publication {
        version: i64,
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
    },
    Started {
        #[serde(flatten)]
        of: Of<'a>,
        pieces_have: u32,
        pieces_total: u32,
    },
    Progress {
        #[serde(flatten)]
        of: Of<'a>,
        #[serde(flatten)]
        figures: &'a Figures,
    },
    PieceVerified {
        #[serde(flatten)]
        of: Of<'a>,
        piece: u32,
    },
    PieceFailed {
        #[serde(flatten)]
        of: Of<'a>,
        piece: u32,
    },
    Banned {
        #[serde(flatten)]
        of: Of<'a>,
        ip: String,
    },
    Completed {
        #[serde(flatten)]
        of: Of<'a>,
        /// `None` for a stream, which is never complete as a whole.
        #[serde(flatten)]
        figures: Option<&'a Figures>,
    },
    Failed {
        #[serde(flatten)]
        of: Of<'a>,
        path: Option<&'a str>,
        error: String,
    },
    /// A source that could not be opened: which torrent it would have been is not known.
    #[serde(rename = "failed")]
    FailedSource {
        source: &'a str,
        error: String,
    },
    /// What was not complete when the command was interrupted.
    Interrupted {
        name: Option<&'a str>,
        /// `None` for a publication that has not been found.
        info_hash: Option<String>,
        /// `None` for a link whose metadata has not come.
        #[serde(flatten)]
        figures: Option<&'a Figures>,
    },
    TrackerAnswered {
        #[serde(flatten)]
        of: Of<'a>,
        tracker: &'a str,
        peers: usize,
        seeders: Option<u32>,
        leechers: Option<u32>,
        interval_seconds: u64,
        next_announce_seconds: Option<u64>,
        warning: Option<&'a str>,
    },
    TrackerFailed {
        #[serde(flatten)]
        of: Of<'a>,
        tracker: &'a str,
        next_announce_seconds: Option<u64>,
        error: &'a str,
    },
    Closed {
        #[serde(flatten)]
        of: Of<'a>,
    },
    Missed {
        events: u64,
    },
}

/// Which torrent a line is about.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Of<'a> {
    /// `None` while nothing but the info-hash is known.
    name: Option<&'a str>,
    #[serde(serialize_with = "text")]
    info_hash: InfoHash,
}

impl<'a> Of<'a> {
    pub(crate) const fn new(info_hash: InfoHash, name: Option<&'a str>) -> Self {
        Self { name, info_hash }
    }
}

/// How far a torrent is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// What it is doing.
    pub(crate) state: &'static str,
    /// Bytes of what is wanted that are held.
    pub(crate) done: u64,
    /// Bytes of what is wanted.
    pub(crate) total: u64,
    /// Where its file or folder is; `None` for one in memory.
    pub(crate) path: Option<String>,
    /// Time since it began.
    pub(crate) seconds: f64,
    /// Time until it is complete; `None` if that cannot be said.
    pub(crate) eta_seconds: Option<u64>,
    pub(crate) bytes_left: u64,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) wasted: u64,
    pub(crate) down_rate: u64,
    pub(crate) up_rate: u64,
    pub(crate) peers: usize,
    pub(crate) seeds: usize,
}

fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl<'a> Line<'a> {
    /// How far a fetch is; with the metadata once it is there.
    pub(crate) fn metadata(
        info_hash: InfoHash,
        progress: &FetchProgress,
        fetched: Option<&'a Metainfo>,
    ) -> Self {
        let name = fetched.map(|metainfo| metainfo.info().name());
        Self::Metadata(FetchReport::new(info_hash, progress, name))
    }

    /// Which torrent a publication is now.
    pub(crate) const fn publication(publication: &Publication) -> Self {
        Self::Publication {
            version: publication.version,
            info_hash: publication.info_hash,
        }
    }

    /// An event of the session, about a torrent of which this is known; `None` for one that this version knows nothing
    /// of.
    pub(crate) fn event(event: &'a Event, about: Option<&'a About>) -> Option<Self> {
        let of = |info_hash: &InfoHash| Of::new(*info_hash, about.map(|about| &*about.name));
        let seconds = |time: &Option<Duration>| time.map(|time| time.as_secs());
        Some(match event {
            Event::Started {
                info_hash,
                have,
                total,
            } => Self::Started {
                of: of(info_hash),
                pieces_have: *have,
                pieces_total: *total,
            },
            Event::PieceVerified { info_hash, piece } => Self::PieceVerified {
                of: of(info_hash),
                piece: *piece,
            },
            Event::PieceFailed { info_hash, piece } => Self::PieceFailed {
                of: of(info_hash),
                piece: *piece,
            },
            Event::Banned { info_hash, origin } => Self::Banned {
                of: of(info_hash),
                ip: origin.to_string(),
            },
            Event::Completed { info_hash } => Self::Completed {
                of: of(info_hash),
                figures: None,
            },
            Event::Failed { info_hash, error } => Self::Failed {
                of: of(info_hash),
                path: about.and_then(|about| about.path.as_deref()),
                error: error.to_string(),
            },
            Event::TrackerAnswered {
                info_hash,
                tracker,
                peers,
                seeders,
                leechers,
                interval,
                next_announce,
                warning,
            } => Self::TrackerAnswered {
                of: of(info_hash),
                tracker,
                peers: *peers,
                seeders: *seeders,
                leechers: *leechers,
                interval_seconds: interval.as_secs(),
                next_announce_seconds: seconds(next_announce),
                warning: warning.as_deref(),
            },
            Event::TrackerFailed {
                info_hash,
                tracker,
                error,
                next_announce,
            } => Self::TrackerFailed {
                of: of(info_hash),
                tracker,
                next_announce_seconds: seconds(next_announce),
                error,
            },
            Event::Closed { info_hash } => Self::Closed { of: of(info_hash) },
            Event::Missed { events } => Self::Missed { events: *events },
            _ => return None,
        })
    }
}

/// Prints that a torrent failed.
pub(crate) fn failed(
    json: Json,
    info_hash: InfoHash,
    about: &About,
    error: &CliError,
) -> Result<(), CliError> {
    match json.is_on() {
        true => out::json(&Line::Failed {
            of: Of::new(info_hash, Some(&about.name)),
            path: about.path.as_deref(),
            error: error.to_string(),
        }),
        false => Ok(()),
    }
}

/// Prints that a source could not be opened.
pub(crate) fn source_failed(json: Json, source: &str, error: &CliError) -> Result<(), CliError> {
    match json.is_on() {
        true => out::json(&Line::FailedSource {
            source,
            error: error.to_string(),
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_event_and_its_torrent_first() {
        let event = Event::PieceVerified {
            info_hash: InfoHash::new([0xab; 20]),
            piece: 7,
        };
        let about = About {
            name: "film".to_owned(),
            ..About::default()
        };
        let line = serde_json::to_string(&Line::event(&event, Some(&about))).unwrap();
        let expected = format!(
            r#"{{"event":"piece_verified","name":"film","info_hash":"{}","piece":7}}"#,
            "ab".repeat(20)
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn a_tracker_without_a_warning_has_none() {
        let event = Event::TrackerAnswered {
            info_hash: InfoHash::new([0; 20]),
            tracker: "udp://t:1".to_owned(),
            peers: 3,
            seeders: Some(1),
            leechers: None,
            interval: Duration::from_secs(1_800),
            next_announce: Some(Duration::from_millis(1_799_900)),
            warning: None,
        };
        let line = serde_json::to_value(Line::event(&event, None)).unwrap();
        assert_eq!(line["event"], "tracker_answered");
        assert_eq!(line["tracker"], "udp://t:1");
        assert_eq!(line["seeders"], 1);
        assert_eq!(line["next_announce_seconds"], 1_799);
        assert!(line["warning"].is_null() && line["name"].is_null());
    }
}
