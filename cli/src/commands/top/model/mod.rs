//! All that is shown, and nothing else: a screen is a function of this and of the size of the terminal.

pub(crate) mod dialog;
pub(crate) mod field;
pub(crate) mod parts;
pub(crate) mod torrent;
pub(crate) mod torrents;

use std::collections::BTreeSet;

use serde::Deserialize;

use dialog::Dialog;
use field::Field;
use parts::{Cursor, Details, Part, Rates, Span};
use torrent::Id;
use torrents::Torrents;

/// How long a message stays, in seconds.
const MESSAGE_FOR: u64 = 8;

/// The daemon that is driven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// Its address.
    pub(crate) name: String,
    /// It runs in this process, and ends with it.
    pub(crate) is_own: bool,
    pub(crate) link: Link,
}

/// Whether it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    #[default]
    Connecting,
    Up,
    /// Why not; it is tried again.
    Down(String),
}

/// The daemon's figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Stats {
    pub(crate) torrents: usize,
    pub(crate) downloading: usize,
    pub(crate) seeding: usize,
    pub(crate) paused: usize,
    pub(crate) queued: usize,
    pub(crate) failed: usize,
    pub(crate) down_rate: u64,
    pub(crate) up_rate: u64,
    pub(crate) download_limit: Option<u64>,
    pub(crate) upload_limit: Option<u64>,
    pub(crate) are_limits_alternative: bool,
    pub(crate) peers: usize,
}

/// What fills the terminal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Screen {
    #[default]
    List,
    Details(Box<Details>),
    /// The rates of all torrents together.
    Rates {
        span: Span,
        rates: Part<Rates>,
    },
}

/// Something that is said, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) is_error: bool,
    /// When it goes, in seconds of the Unix time.
    pub(crate) until: u64,
}

/// All that is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) daemon: Daemon,
    pub(crate) torrents: Torrents,
    pub(crate) stats: Stats,
    /// The torrent at the cursor of the list.
    pub(crate) selected: Option<Id>,
    pub(crate) cursor: Cursor,
    /// Torrents to which what is done next is done together.
    pub(crate) marked: BTreeSet<Id>,
    /// What is looked for, while it is typed.
    pub(crate) search: Option<Field>,
    pub(crate) screen: Screen,
    pub(crate) dialog: Option<Dialog>,
    /// The help lies over everything; the first line of it that is shown.
    pub(crate) help: Option<usize>,
    pub(crate) message: Option<Message>,
    /// The columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// The time, in seconds of the Unix time.
    pub(crate) now: u64,
    /// The number of the last question what is in a torrent.
    pub(crate) inspections: u64,
    pub(crate) is_done: bool,
}

impl Model {
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.tell(text.into(), false);
    }

    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.tell(text.into(), true);
    }

    fn tell(&mut self, text: String, is_error: bool) {
        self.message = Some(Message {
            text,
            is_error,
            until: self.now.saturating_add(MESSAGE_FOR),
        });
    }

    /// Takes over the time; whether anything that is shown changes with it.
    pub(crate) fn set_time(&mut self, now: u64) -> bool {
        let is_new = now != self.now;
        self.now = now;
        let is_over = self.message.as_ref().is_some_and(|it| it.until <= now);
        if is_over {
            self.message = None;
        }
        let counts = matches!(&self.screen, Screen::Details(details)
            if matches!(details.tab, parts::Tab::Trackers | parts::Tab::Overview));
        is_over || is_new && counts
    }

    /// The torrents that are meant: those that are marked, or else the one at the cursor.
    pub(crate) fn meant(&self) -> Vec<Id> {
        match &self.screen {
            Screen::Details(details) => vec![details.id.clone()],
            Screen::List if !self.marked.is_empty() => self.marked.iter().cloned().collect(),
            Screen::List | Screen::Rates { .. } => self.selected.iter().cloned().collect(),
        }
    }

    /// Brings the cursor back to what is there: the torrent at it stays there if the list changes around it.
    pub(crate) fn settle(&mut self) {
        let torrents = &self.torrents;
        let place = self.selected.as_ref().and_then(|id| torrents.place(id));
        let last = torrents.len().saturating_sub(1);
        self.cursor.at = place.unwrap_or(self.cursor.at).min(last);
        self.selected = torrents.listed(self.cursor.at).map(|it| it.id.clone());
        self.marked.retain(|id| torrents.get(id).is_some());
        let rows = self.list_rows();
        self.cursor.top = window(self.cursor, torrents.len(), rows);
        let rows = self.detail_rows();
        if let Screen::Details(details) = &mut self.screen {
            let len = details.len();
            let cursor = details.cursor_mut();
            cursor.at = cursor.at.min(len.saturating_sub(1));
            cursor.top = window(*cursor, len, rows);
        }
    }

    /// How many torrents are seen at once.
    pub(crate) fn list_rows(&self) -> usize {
        // A line with the daemon, one with the heads of columns, one with a message, one with the keys.
        usize::from(self.size.1).saturating_sub(4)
    }

    /// How many lines of a torrent's files, peers or trackers are seen at once.
    pub(crate) fn detail_rows(&self) -> usize {
        // Two more: the torrent itself, and the tabs.
        usize::from(self.size.1).saturating_sub(6)
    }
}

/// The first line that is shown of a list, so that the one at the cursor is, and the list fills the room.
pub(crate) fn window(cursor: Cursor, len: usize, rows: usize) -> usize {
    let rows = rows.max(1);
    let lowest = (cursor.at + 1).saturating_sub(rows);
    let last = len.saturating_sub(rows);
    cursor
        .top
        .clamp(lowest, cursor.at.max(lowest))
        .min(last.max(lowest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_moved_only_as_far_as_it_must_be() {
        let first = |at, top| window(Cursor { at, top }, 100, 10);
        assert_eq!(first(5, 0), 0);
        assert_eq!(first(10, 0), 1);
        assert_eq!(first(5, 20), 5);
        assert_eq!(first(99, 0), 90);
        assert_eq!(first(95, 95), 90, "the list fills the room");
        assert_eq!(window(Cursor { at: 0, top: 7 }, 3, 10), 0);
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_seen(len in 1_usize..50, at in 0_usize..50, top in 0_usize..60, rows in 0_usize..20) {
            let at = at.min(len - 1);
            let first = window(Cursor { at, top }, len, rows);
            prop_assert!(first <= at && at < first + rows.max(1));
        }
    }
}
