//! Events as lines of JSON.

use std::net::IpAddr;

use serde::{Serialize, Serializer};
use std::fmt::Display;
use tailwater_metainfo::{InfoHash, Metainfo};
use tailwater_session::{Event, FetchProgress, Publication, Stats};

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    Listening {
        addr: String,
    },
    /// What is being tried while a magnet link's metadata is missing; the last one has its name.
    Metadata {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        name: Option<&'a str>,
        trackers: usize,
        trackers_asked: usize,
        trackers_answered: usize,
        trackers_failed: usize,
        dht_nodes: Option<usize>,
        dht_peers: usize,
        peers_known: usize,
        peers_connecting: usize,
        peers_connected: usize,
        peers_with_metadata: usize,
        blocks_have: usize,
        blocks_total: usize,
        size: Option<u32>,
    },
    Publication {
        version: i64,
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
    },
    Started {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        pieces_have: u32,
        pieces_total: u32,
    },
    Progress {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        bytes_left: u64,
        downloaded: u64,
        uploaded: u64,
        wasted: u64,
        down_rate: u64,
        up_rate: u64,
        peers: usize,
        seeds: usize,
    },
    PieceVerified {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        piece: u32,
    },
    PieceFailed {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        piece: u32,
    },
    Banned {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        ip: IpAddr,
    },
    Completed {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
    },
    Failed {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        error: String,
    },
    TrackerAnswered {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        tracker: &'a str,
        peers: usize,
        warning: Option<&'a str>,
    },
    TrackerFailed {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
        tracker: &'a str,
        error: &'a str,
    },
    Closed {
        #[serde(serialize_with = "text")]
        info_hash: InfoHash,
    },
    Missed {
        events: u64,
    },
}

fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl<'a> Line<'a> {
    /// How far a torrent is.
    pub(crate) const fn progress(info_hash: InfoHash, stats: &Stats) -> Self {
        Self::Progress {
            info_hash,
            bytes_left: stats.bytes_left,
            downloaded: stats.downloaded,
            uploaded: stats.uploaded,
            wasted: stats.wasted,
            down_rate: stats.down_rate,
            up_rate: stats.up_rate,
            peers: stats.peers,
            seeds: stats.seeds,
        }
    }

    /// How far a fetch is; with the metadata once it is there.
    pub(crate) fn metadata(
        info_hash: InfoHash,
        progress: &FetchProgress,
        fetched: Option<&'a Metainfo>,
    ) -> Self {
        Self::Metadata {
            info_hash,
            name: fetched.map(|metainfo| metainfo.info().name()),
            trackers: progress.trackers,
            trackers_asked: progress.trackers_asked,
            trackers_answered: progress.trackers_answered,
            trackers_failed: progress.trackers_failed,
            dht_nodes: progress.dht_nodes,
            dht_peers: progress.dht_peers,
            peers_known: progress.peers_known,
            peers_connecting: progress.peers_connecting,
            peers_connected: progress.peers_connected,
            peers_with_metadata: progress.peers_with_metadata,
            blocks_have: progress.blocks_have,
            blocks_total: progress.blocks_total,
            size: progress.size,
        }
    }

    /// Which torrent a publication is now.
    pub(crate) const fn publication(publication: &Publication) -> Self {
        Self::Publication {
            version: publication.version,
            info_hash: publication.info_hash,
        }
    }

    /// An event of the session; `None` for one that this version knows nothing of.
    pub(crate) fn event(event: &'a Event) -> Option<Self> {
        Some(match event {
            &Event::Started {
                info_hash,
                have,
                total,
            } => Self::Started {
                info_hash,
                pieces_have: have,
                pieces_total: total,
            },
            &Event::PieceVerified { info_hash, piece } => Self::PieceVerified { info_hash, piece },
            &Event::PieceFailed { info_hash, piece } => Self::PieceFailed { info_hash, piece },
            &Event::Banned { info_hash, ip } => Self::Banned { info_hash, ip },
            &Event::Completed { info_hash } => Self::Completed { info_hash },
            Event::Failed { info_hash, error } => Self::Failed {
                info_hash: *info_hash,
                error: error.to_string(),
            },
            Event::TrackerAnswered {
                info_hash,
                tracker,
                peers,
                warning,
            } => Self::TrackerAnswered {
                info_hash: *info_hash,
                tracker,
                peers: *peers,
                warning: warning.as_deref(),
            },
            Event::TrackerFailed {
                info_hash,
                tracker,
                error,
            } => Self::TrackerFailed {
                info_hash: *info_hash,
                tracker,
                error,
            },
            &Event::Closed { info_hash } => Self::Closed { info_hash },
            &Event::Missed { events } => Self::Missed { events },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_event_first() {
        let event = Event::PieceVerified {
            info_hash: InfoHash::new([0xab; 20]),
            piece: 7,
        };
        let line = serde_json::to_string(&Line::event(&event)).unwrap();
        let expected = format!(
            r#"{{"event":"piece_verified","info_hash":"{}","piece":7}}"#,
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
            warning: None,
        };
        let line = serde_json::to_value(Line::event(&event)).unwrap();
        assert_eq!(line["event"], "tracker_answered");
        assert_eq!(line["tracker"], "udp://t:1");
        assert!(line["warning"].is_null());
    }
}
