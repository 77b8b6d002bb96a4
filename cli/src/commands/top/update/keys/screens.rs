//! The keys of the screens.

use ratatui::crossterm::event::KeyCode::{
    self, BackTab, Backspace, Char, Delete, Down, End, Enter, Esc, Home, Left, PageDown, PageUp,
    Right, Tab as TabKey, Up,
};

use super::super::super::model::parts::Tab;
use super::super::action::{Action, Step};
use super::binding::{Binding, key};

/// In lists of any kind.
pub(super) const MOVES: &[Binding] = &[
    key(
        &[Up, Char('k')],
        "Up k",
        "one up",
        "",
        Action::Move(Step::Up),
    ),
    key(
        &[Down, Char('j')],
        "Down j",
        "one down",
        "",
        Action::Move(Step::Down),
    ),
    key(
        &[PageUp],
        "PgUp",
        "a page up",
        "",
        Action::Move(Step::PageUp),
    ),
    key(
        &[PageDown],
        "PgDn",
        "a page down",
        "",
        Action::Move(Step::PageDown),
    ),
    key(
        &[Home],
        "Home",
        "to the first",
        "",
        Action::Move(Step::First),
    ),
    key(&[End], "End", "to the last", "", Action::Move(Step::Last)),
];

/// On every screen.
pub(super) const ALWAYS: &[Binding] = &[
    key(
        &[Char('?'), KeyCode::F(1)],
        "?",
        "show the keys",
        "keys",
        Action::Help,
    ),
    key(&[Char('q')], "q", "quit; Ctrl-C too", "quit", Action::Quit),
];

pub(super) const LIST: &[Binding] = &[
    key(
        &[Enter, Right],
        "Enter",
        "look at the torrent",
        "open",
        Action::Open,
    ),
    key(
        &[Char('a')],
        "a",
        "add a torrent: a file, a magnet link or a URL",
        "add",
        Action::Add,
    ),
    key(
        &[Char(' ')],
        "Space",
        "mark the torrent: what follows is done with all that are marked",
        "",
        Action::Mark,
    ),
    key(
        &[Char('*')],
        "*",
        "mark all that are listed, or none",
        "",
        Action::MarkAll,
    ),
    key(
        &[Char('/')],
        "/",
        "search names; behind # labels",
        "search",
        Action::Search,
    ),
    key(
        &[Char('f')],
        "f",
        "list others: all, active, downloading, …",
        "filter",
        Action::NextFilter,
    ),
    key(
        &[Char('F')],
        "F",
        "the same the other way round",
        "",
        Action::PreviousFilter,
    ),
    key(
        &[Char('s')],
        "s",
        "sort by the next column",
        "sort",
        Action::NextSort,
    ),
    key(
        &[Char('S')],
        "S",
        "sort by the column before",
        "",
        Action::PreviousSort,
    ),
    key(
        &[Char('r')],
        "r",
        "reverse the order",
        "",
        Action::ReverseSort,
    ),
    key(
        &[Char('g')],
        "g",
        "graph of all rates",
        "graph",
        Action::Rates,
    ),
    key(
        &[Char('G')],
        "G",
        "limits of the daemon",
        "",
        Action::DaemonLimits,
    ),
    key(
        &[Char('T')],
        "T",
        "alternative limits on or off",
        "",
        Action::Alternative,
    ),
    key(
        &[Char('<')],
        "<",
        "one place up in the queue",
        "",
        Action::QueueUp,
    ),
    key(
        &[Char('>')],
        ">",
        "one place down in the queue",
        "",
        Action::QueueDown,
    ),
    key(
        &[Esc],
        "Esc",
        "end the search, list all, mark none",
        "",
        Action::Back,
    ),
];

/// What is done with torrents, in the list and where one is looked at.
pub(super) const TORRENT: &[Binding] = &[
    key(
        &[Char('p')],
        "p",
        "pause, or have it go on",
        "pause",
        Action::TogglePause,
    ),
    key(
        &[Char('d'), Delete],
        "d",
        "remove; it asks",
        "remove",
        Action::Remove,
    ),
    key(
        &[Char('m')],
        "m",
        "limits: rates, peers, ratio",
        "limits",
        Action::Limits,
    ),
    key(&[Char('l')], "l", "labels", "labels", Action::Labels),
    key(
        &[Char('e')],
        "e",
        "give the torrent another name; its files keep theirs",
        "",
        Action::Rename,
    ),
    key(
        &[Char('v')],
        "v",
        "move the files to another folder",
        "",
        Action::MoveFiles,
    ),
    key(
        &[Char('c')],
        "c",
        "check the files",
        "check",
        Action::Recheck,
    ),
    key(
        &[Char('n')],
        "n",
        "ask the trackers for peers now",
        "",
        Action::Reannounce,
    ),
];

pub(super) const DETAILS: &[Binding] = &[
    key(
        &[Esc, Backspace],
        "Esc",
        "back to the list",
        "back",
        Action::Back,
    ),
    key(
        &[TabKey, Right],
        "Tab",
        "the next side",
        "next",
        Action::NextTab,
    ),
    key(
        &[BackTab, Left],
        "Shift-Tab",
        "the side before",
        "",
        Action::PreviousTab,
    ),
    key(
        &[Char('1')],
        "1",
        "overview",
        "",
        Action::Tab(Tab::Overview),
    ),
    key(&[Char('2')], "2", "files", "", Action::Tab(Tab::Files)),
    key(&[Char('3')], "3", "peers", "", Action::Tab(Tab::Peers)),
    key(
        &[Char('4')],
        "4",
        "trackers",
        "",
        Action::Tab(Tab::Trackers),
    ),
    key(&[Char('5')], "5", "pieces", "", Action::Tab(Tab::Pieces)),
    key(&[Char('6')], "6", "rates", "", Action::Tab(Tab::Rates)),
];

pub(super) const FILES_TAB: &[Binding] = &[
    key(
        &[Char('+'), Char('=')],
        "+",
        "want the file more",
        "more",
        Action::RaisePriority,
    ),
    key(
        &[Char('-')],
        "-",
        "want the file less",
        "less",
        Action::LowerPriority,
    ),
    key(
        &[Char(' ')],
        "Space",
        "skip the file, or want it again",
        "skip",
        Action::ToggleFile,
    ),
    key(
        &[Char('E')],
        "E",
        "rename the file, also on the disk",
        "rename",
        Action::RenameFile,
    ),
];

pub(super) const TRACKERS_TAB: &[Binding] = &[
    key(
        &[Char('+'), Char('=')],
        "+",
        "add a tracker",
        "add",
        Action::AddTracker,
    ),
    key(
        &[Char('-')],
        "-",
        "remove the tracker",
        "remove",
        Action::RemoveTracker,
    ),
];

pub(super) const SPANS: &[Binding] = &[key(
    &[Char('t')],
    "t",
    "five minutes, an hour, a day",
    "time",
    Action::NextSpan,
)];

pub(super) const BACK: &[Binding] = &[key(
    &[Esc, Backspace, Left],
    "Esc",
    "back",
    "back",
    Action::Back,
)];

pub(super) const HELP: &[Binding] = &[key(
    &[Esc, Char('?'), Char('q'), Enter],
    "Esc",
    "close the help",
    "close",
    Action::Back,
)];
