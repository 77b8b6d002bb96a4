//! What a key asks for.

use super::super::model::field::Edit;
use super::super::model::parts::Tab;

/// How far a cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// What is done, independent of how it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
    Help,
    Back,
    /// Draws everything anew.
    Redraw,
    Move(Step),
    Open,
    Rates,
    // Of the list.
    Mark,
    MarkAll,
    Search,
    NextFilter,
    PreviousFilter,
    NextSort,
    PreviousSort,
    ReverseSort,
    // Of torrents.
    Add,
    TogglePause,
    Remove,
    Limits,
    DaemonLimits,
    Alternative,
    Labels,
    MoveFiles,
    Rename,
    Recheck,
    Reannounce,
    QueueUp,
    QueueDown,
    // Of one torrent.
    Tab(Tab),
    NextTab,
    PreviousTab,
    RaisePriority,
    LowerPriority,
    ToggleFile,
    RenameFile,
    AddTracker,
    RemoveTracker,
    NextSpan,
    // Of dialogs.
    Edit(Edit),
    Accept,
    NextLine,
    PreviousLine,
    ToggleAll,
    TogglePaused,
    RemoveKeepingFiles,
    RemoveWithFiles,
}
