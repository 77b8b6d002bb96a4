//! A key with what it does.

use ratatui::crossterm::event::KeyCode;

use super::super::action::Action;

/// A key with what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(super) keys: &'static [KeyCode],
    /// As it is written.
    pub(crate) shown: &'static str,
    /// What it does, for the help.
    pub(crate) does: &'static str,
    /// In a word or two, for the line at the bottom; empty where the help is enough.
    pub(crate) brief: &'static str,
    pub(crate) action: Action,
}

pub(super) const fn key(
    keys: &'static [KeyCode],
    shown: &'static str,
    does: &'static str,
    brief: &'static str,
    action: Action,
) -> Binding {
    Binding {
        keys,
        shown,
        does,
        brief,
        action,
    }
}
