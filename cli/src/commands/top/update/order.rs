//! What the daemon is asked for, and what it says.

use serde_json::{Map, Value};

use super::super::model::Stats;
use super::super::model::dialog::Inspection;
use super::super::model::parts::{File, Info, Peer, Pieces, Rates, Span, Tab, Tracker};
use super::super::model::torrent::{Id, Torrent};

/// Something that is done with torrents, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Pause,
    Resume,
    Recheck,
    Reannounce,
    Remove { with_files: bool },
}

/// What the daemon is to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    Do(Deed, Vec<Id>),
    /// Changes options of torrents.
    Patch(Vec<Id>, Map<String, Value>),
    /// Moves their files.
    Move(Vec<Id>, String),
    /// Renames a file.
    Rename {
        id: Id,
        path: String,
        name: String,
    },
    /// Changes how much a file is wanted.
    Prioritise {
        id: Id,
        index: usize,
        priority: &'static str,
    },
    /// Replaces the trackers of a torrent, by tier.
    Trackers {
        id: Id,
        tiers: Vec<Vec<String>>,
    },
    /// Changes settings of the daemon.
    Settings(Map<String, Value>),
    /// Turns the alternative limits on, or off.
    Alternative(bool),
    /// Says what is in the torrent that a text names.
    Inspect {
        number: u64,
        source: String,
    },
    /// The answer is not waited for any more.
    EndInspection,
    /// Adds what a text names, without a look at it.
    AddUnseen {
        source: String,
    },
    Add(Map<String, Value>),
    /// Look at this from now on.
    Watch(Watch),
}

/// What is looked at, besides the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Watch {
    #[default]
    Nothing,
    Torrent {
        id: Id,
        tab: Tab,
        span: Span,
    },
    Rates(Span),
}

/// A part of the torrent that is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Info(Result<Info, String>),
    Files(Result<Vec<File>, String>),
    Peers(Result<Vec<Peer>, String>),
    Trackers(Result<Vec<Tracker>, String>),
    Pieces(Result<Pieces, String>),
    Rates(Result<Rates, String>),
}

/// What was found of a torrent that may be added.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) inspection: Inspection,
    pub(crate) content: Map<String, Value>,
}

/// What the daemon says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// It does not answer; it is asked again.
    Down(String),
    /// What has changed of the torrents. It answers.
    Changes {
        is_whole: bool,
        torrents: Vec<Torrent>,
        removed: Vec<Id>,
    },
    Stats(Stats),
    Seen(Id, Seen),
    /// Those of all torrents together.
    Rates(Result<Rates, String>),
    Inspected {
        number: u64,
        outcome: Result<Found, String>,
    },
    /// Something was done.
    Done(String),
    /// Something was not done, or went wrong.
    Failed(String),
}
