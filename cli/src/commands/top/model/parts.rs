//! What is known of the torrent that is looked at, by its API.

use serde::Deserialize;

use super::torrent::{Id, harmless, harmless_option};

/// The sides of a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    #[default]
    Overview,
    Files,
    Peers,
    Trackers,
    Pieces,
    Rates,
}

impl Tab {
    pub(crate) const ALL: [Self; 6] = [
        Self::Overview,
        Self::Files,
        Self::Peers,
        Self::Trackers,
        Self::Pieces,
        Self::Rates,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Files => "Files",
            Self::Peers => "Peers",
            Self::Trackers => "Trackers",
            Self::Pieces => "Pieces",
            Self::Rates => "Rates",
        }
    }

    pub(crate) fn place(self) -> usize {
        Self::ALL.iter().position(|it| *it == self).unwrap_or(0)
    }
}

/// What the list does not have of a torrent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) folder: Option<String>,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) completed_folder: Option<String>,
    pub(crate) storage: String,
    pub(crate) is_private: bool,
    pub(crate) piece_length: u64,
    pub(crate) piece_count: u64,
    pub(crate) pieces_have: u64,
    pub(crate) wasted: u64,
    pub(crate) completed: Option<u64>,
    pub(crate) last_activity: Option<u64>,
    pub(crate) downloading_seconds: u64,
    pub(crate) seeding_seconds: u64,
    pub(crate) known_peers: usize,
    pub(crate) sequential: bool,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) comment: Option<String>,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) created_by: Option<String>,
}

/// How much a file is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    Skip,
    Low,
    #[default]
    Normal,
    High,
}

impl Priority {
    const ALL: [Self; 4] = [Self::Skip, Self::Low, Self::Normal, Self::High];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// The next one up or down.
    pub(crate) fn next(self, is_up: bool) -> Self {
        let place = Self::ALL.iter().position(|it| *it == self).unwrap_or(0);
        let place = match is_up {
            true => place + 1,
            false => place.saturating_sub(1),
        };
        Self::ALL.get(place).copied().unwrap_or(Self::High)
    }
}

/// A file of a torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct File {
    pub(crate) index: usize,
    #[serde(deserialize_with = "harmless")]
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) have: u64,
    pub(crate) priority: Priority,
}

/// A connected peer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Peer {
    #[serde(deserialize_with = "harmless")]
    pub(crate) addr: String,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) client: Option<String>,
    pub(crate) transport: String,
    pub(crate) encryption: String,
    pub(crate) is_incoming: bool,
    pub(crate) progress: f64,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) down_rate: u64,
    pub(crate) up_rate: u64,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,
}

/// A tracker of a torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Tracker {
    #[serde(deserialize_with = "harmless")]
    pub(crate) url: String,
    pub(crate) tier: usize,
    #[serde(deserialize_with = "harmless")]
    pub(crate) state: String,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) error: Option<String>,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) warning: Option<String>,
    pub(crate) seeders: Option<u32>,
    pub(crate) leechers: Option<u32>,
    pub(crate) peers: Option<usize>,
    pub(crate) next_announce: Option<u64>,
}

/// The pieces of a torrent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Pieces {
    pub(crate) count: usize,
    pub(crate) piece_length: u64,
    #[serde(deserialize_with = "bytes")]
    pub(crate) have: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    pub(crate) partial: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    pub(crate) availability: Vec<u8>,
    pub(crate) copies: f64,
}

impl Pieces {
    /// Whether a bitfield has a piece.
    pub(crate) fn is_set(bits: &[u8], piece: usize) -> bool {
        let byte = bits.get(piece / 8).copied().unwrap_or(0);
        byte & (0x80 >> (piece % 8)) != 0
    }
}

fn bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let decoded = data_encoding::BASE64.decode(text.as_bytes());
    decoded.map_err(serde::de::Error::custom)
}

/// Rates of the past, the last sample at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Rates {
    pub(crate) step: u64,
    pub(crate) capacity: usize,
    pub(crate) down: Vec<u64>,
    pub(crate) up: Vec<u64>,
}

/// How far back a graph goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Span {
    #[default]
    FiveMinutes,
    Hour,
    /// Of all torrents together alone.
    Day,
}

impl Span {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5 minutes",
            Self::Hour => "an hour",
            Self::Day => "a day",
        }
    }

    /// Seconds from one sample to the next.
    pub(crate) const fn step(self) -> u64 {
        match self {
            Self::FiveMinutes => 1,
            Self::Hour => 10,
            Self::Day => 60,
        }
    }

    /// The next longer one, the shortest behind the longest.
    pub(crate) const fn next(self, has_day: bool) -> Self {
        match self {
            Self::FiveMinutes => Self::Hour,
            Self::Hour if has_day => Self::Day,
            Self::Hour | Self::Day => Self::FiveMinutes,
        }
    }
}

/// Something that is fetched: not there yet, there, or why it cannot be had.
pub(crate) type Part<T> = Option<Result<T, String>>;

/// A place in a list, and the first line of it that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: usize,
    pub(crate) top: usize,
}

/// The torrent that is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) id: Id,
    pub(crate) tab: Tab,
    pub(crate) span: Span,
    /// One for each tab.
    pub(crate) cursors: [Cursor; Tab::ALL.len()],
    pub(crate) info: Part<Info>,
    pub(crate) files: Part<Vec<File>>,
    pub(crate) peers: Part<Vec<Peer>>,
    pub(crate) trackers: Part<Vec<Tracker>>,
    pub(crate) pieces: Part<Pieces>,
    pub(crate) rates: Part<Rates>,
}

impl Details {
    pub(crate) fn new(id: Id) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// How many lines there are to move in.
    pub(crate) fn len(&self) -> usize {
        fn count<T>(part: &Part<Vec<T>>) -> usize {
            part.as_ref()
                .and_then(|it| it.as_ref().ok())
                .map_or(0, Vec::len)
        }
        match self.tab {
            Tab::Files => count(&self.files),
            Tab::Peers => count(&self.peers),
            Tab::Trackers => count(&self.trackers),
            Tab::Overview | Tab::Pieces | Tab::Rates => 0,
        }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.cursors[self.tab.place()]
    }

    pub(crate) fn cursor_mut(&mut self) -> &mut Cursor {
        &mut self.cursors[self.tab.place()]
    }

    /// The tracker at the cursor.
    pub(crate) fn tracker(&self) -> Option<&Tracker> {
        let trackers = self.trackers.as_ref()?.as_ref().ok()?;
        trackers.get(self.cursors[Tab::Trackers.place()].at)
    }

    /// The URLs of the trackers, by tier.
    pub(crate) fn tiers(&self) -> Vec<Vec<String>> {
        let mut tiers: std::collections::BTreeMap<usize, Vec<String>> = Default::default();
        for tracker in self.trackers.iter().flatten().flatten() {
            let tier = tiers.entry(tracker.tier).or_default();
            tier.push(tracker.url.clone());
        }
        tiers.into_values().collect()
    }

    /// The file at the cursor.
    pub(crate) fn file(&self) -> Option<&File> {
        let files = self.files.as_ref()?.as_ref().ok()?;
        files.get(self.cursors[Tab::Files.place()].at)
    }
}
