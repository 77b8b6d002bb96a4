//! Output options of every command.

use clap::ValueEnum;

/// How much `--json` prints. Each level has what the ones above it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum JsonLevel {
    /// The results of the command, and whether it worked.
    Results,
    /// Also events, and the progress once a second.
    Events,
    /// Also a line for each piece.
    Pieces,
}

/// What can be shown below each torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Detail {
    /// The peers that are connected, and the web seeds.
    Peers,
    /// What the trackers have answered.
    Trackers,
}

/// What is shown below each torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Show {
    pub(crate) peers: bool,
    pub(crate) trackers: bool,
}

impl Show {
    pub(super) fn of(details: &[Detail]) -> Self {
        Self {
            peers: details.contains(&Detail::Peers),
            trackers: details.contains(&Detail::Trackers),
        }
    }

    pub(crate) const fn is_nothing(self) -> bool {
        !self.peers && !self.trackers
    }
}

/// Whether lines of JSON are printed, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Json(pub(crate) Option<JsonLevel>);

impl Json {
    /// No line of JSON at all.
    pub(crate) const OFF: Self = Self(None);

    /// Results are lines of JSON rather than text for people.
    pub(crate) const fn is_on(self) -> bool {
        self.0.is_some()
    }

    /// Whether events are printed too.
    pub(crate) fn has_events(self) -> bool {
        self.0 >= Some(JsonLevel::Events)
    }

    /// Whether each piece is printed too.
    pub(crate) fn has_pieces(self) -> bool {
        self.0 >= Some(JsonLevel::Pieces)
    }
}
