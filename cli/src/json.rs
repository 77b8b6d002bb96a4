//! Prints events as lines of JSON.

use serde::Serialize;
use tailwater_metainfo::{InfoHash, Metainfo};
use tailwater_serve::fetching::FetchReport;
use tailwater_session::{Event, FetchProgress, Publication, TransferStats, WebSeedStats};

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
    /// Which torrent a publication is now.
    Publication(Publication),
    Progress {
        #[serde(flatten)]
        of: Of<'a>,
        #[serde(flatten)]
        figures: &'a Figures,
    },
    Completed {
        #[serde(flatten)]
        of: Of<'a>,
        #[serde(flatten)]
        figures: &'a Figures,
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
}

/// An event of the session, as a line: its own fields, and what this process knows of its torrent.
#[derive(Debug, Serialize)]
pub(crate) struct EventLine<'a> {
    #[serde(flatten)]
    event: &'a Event,
    /// Its torrent's, which is null while nothing but the info-hash is known; absent if it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Option<&'a str>>,
    /// Of one that failed: where its file or folder is, which is null for one in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Option<&'a str>>,
}

/// Which torrent a line is about.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Of<'a> {
    /// `None` while nothing but the info-hash is known.
    name: Option<&'a str>,
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
    /// Bytes of what is wanted that are not held.
    pub(crate) bytes_left: u64,
    #[serde(flatten)]
    pub(crate) transfer: TransferStats,
    /// Its web seeds.
    pub(crate) web_seeds: Vec<WebSeedStats>,
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
}

impl<'a> EventLine<'a> {
    /// An event about a torrent of which this is known; `None` if it is none of those that `--json` prints.
    pub(crate) fn new(event: &'a Event, about: Option<&'a About>) -> Option<Self> {
        let is_printed = matches!(
            event,
            Event::Started { .. }
                | Event::PieceVerified { .. }
                | Event::PieceFailed { .. }
                | Event::Banned { .. }
                | Event::Completed { .. }
                | Event::Failed { .. }
                | Event::TrackerAnswered { .. }
                | Event::TrackerFailed { .. }
                | Event::Closed { .. }
                | Event::InterfaceChanged { .. }
                | Event::Missed { .. }
        );
        let name = about.map(|about| &*about.name);
        let path = about.and_then(|about| about.path.as_deref());
        is_printed.then(|| Self {
            event,
            name: event.info_hash().map(|_| name),
            path: matches!(event, Event::Failed { .. }).then_some(path),
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
    use std::time::Duration;

    use serde_json::{Value, json};
    use tailwater_session::TorrentError;

    use super::*;

    /// The event as it is printed.
    fn printed(event: &Event, about: Option<&About>) -> Value {
        serde_json::to_value(EventLine::new(event, about)).unwrap()
    }

    const HASH: InfoHash = InfoHash::new([0xab; 20]);

    fn film() -> About {
        About {
            name: "film".to_owned(),
            path: Some("/srv/film".to_owned()),
            is_followed: true,
        }
    }

    #[test]
    fn a_line_says_its_event_first_and_has_the_name_of_its_torrent() {
        let event = Event::PieceVerified {
            info_hash: HASH,
            piece: 7,
        };
        let line = serde_json::to_string(&EventLine::new(&event, Some(&film()))).unwrap();
        let hash = "ab".repeat(20);
        let expected =
            format!(r#"{{"event":"piece_verified","info_hash":"{hash}","piece":7,"name":"film"}}"#);
        assert_eq!(line, expected);
    }

    #[test]
    fn a_tracker_without_a_warning_has_none() {
        let event = Event::TrackerAnswered {
            info_hash: HASH,
            tracker: "udp://t:1".to_owned(),
            peers: 3,
            seeders: Some(1),
            leechers: None,
            interval: Duration::from_secs(1_800),
            next_announce: Some(Duration::from_millis(1_799_900)),
            warning: None,
        };
        let expected = json!({
            "event": "tracker_answered", "name": null, "info_hash": "ab".repeat(20),
            "tracker": "udp://t:1", "peers": 3, "seeders": 1, "leechers": null,
            "interval_seconds": 1_800, "next_announce_seconds": 1_799, "warning": null,
        });
        assert_eq!(printed(&event, None), expected);
    }

    #[test]
    fn what_failed_says_where_its_files_are_and_what_is_of_no_torrent_has_no_name() {
        let event = Event::Failed {
            info_hash: HASH,
            error: TorrentError::Closed,
        };
        let expected = json!({
            "event": "failed", "name": "film", "info_hash": "ab".repeat(20),
            "path": "/srv/film", "error": TorrentError::Closed.to_string(),
        });
        assert_eq!(printed(&event, Some(&film())), expected);
        let missed = Event::Missed { events: 2 };
        assert_eq!(
            printed(&missed, None),
            json!({ "event": "missed", "events": 2 })
        );
    }

    #[test]
    fn numbers_of_pieces_and_bans_keep_their_names() {
        let event = Event::Started {
            info_hash: HASH,
            have: 1,
            total: 2,
        };
        let expected = json!({
            "event": "started", "name": "film", "info_hash": "ab".repeat(20),
            "pieces_have": 1, "pieces_total": 2,
        });
        assert_eq!(printed(&event, Some(&film())), expected);
        let origin = tailwater_session::Origin::Ip("192.0.2.1".parse().unwrap());
        let event = Event::Banned {
            info_hash: HASH,
            origin,
        };
        let expected = json!({
            "event": "banned", "name": "film", "info_hash": "ab".repeat(20), "ip": "192.0.2.1",
        });
        assert_eq!(printed(&event, Some(&film())), expected);
    }

    #[test]
    fn events_that_are_not_printed_have_no_line() {
        let event = Event::Paused { info_hash: HASH };
        assert!(EventLine::new(&event, Some(&film())).is_none());
    }

    #[test]
    fn figures_are_numbers_beside_each_other() {
        let about = film();
        let line = Line::Progress {
            of: Of::new(HASH, Some(&about.name)),
            figures: &Figures::default(),
        };
        let expected = json!({
            "event": "progress", "name": "film", "info_hash": "ab".repeat(20), "state": "",
            "done": 0, "total": 0, "path": null, "seconds": 0.0, "eta_seconds": null,
            "bytes_left": 0, "downloaded": 0, "uploaded": 0, "wasted": 0, "down_rate": 0,
            "up_rate": 0, "peers": 0, "seeds": 0, "utp_peers": 0, "encrypted_peers": 0,
            "rc4_peers": 0, "web_seeds": [],
        });
        assert_eq!(serde_json::to_value(&line).unwrap(), expected);
    }
}
