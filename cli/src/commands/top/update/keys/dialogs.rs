//! The keys of questions and forms.

use ratatui::crossterm::event::KeyCode::{
    BackTab, Backspace, Char, Delete, Down, End, Enter, Esc, Home, Left, Right, Tab as TabKey, Up,
};

use super::super::super::model::field::Edit;
use super::super::action::Action;
use super::binding::{Binding, key};

pub(super) const REMOVE: &[Binding] = &[
    key(
        &[Char('y'), Char('Y')],
        "y",
        "remove it, keep its files",
        "keep the files",
        Action::RemoveKeepingFiles,
    ),
    key(
        &[Char('D')],
        "D",
        "remove it with its files; it asks again",
        "with the files",
        Action::RemoveWithFiles,
    ),
    key(
        &[Esc, Char('n'), Char('N')],
        "n",
        "do nothing",
        "no",
        Action::Back,
    ),
];

pub(super) const REMOVE_FILES: &[Binding] = &[
    key(
        &[Char('D')],
        "D",
        "delete the files",
        "delete the files",
        Action::RemoveWithFiles,
    ),
    key(
        &[Esc, Char('n'), Char('N')],
        "n",
        "do nothing",
        "no",
        Action::Back,
    ),
];

/// Where a text is typed.
pub(super) const EDITS: &[Binding] = &[
    key(&[Backspace], "", "", "", Action::Edit(Edit::Backspace)),
    key(&[Delete], "", "", "", Action::Edit(Edit::Delete)),
    key(&[Left], "", "", "", Action::Edit(Edit::Left)),
    key(&[Right], "", "", "", Action::Edit(Edit::Right)),
    key(&[Home], "", "", "", Action::Edit(Edit::Home)),
    key(&[End], "", "", "", Action::Edit(Edit::End)),
];

pub(super) const SEARCH: &[Binding] = &[
    key(
        &[Enter, Down, Up],
        "Enter",
        "keep the search",
        "keep",
        Action::Accept,
    ),
    key(&[Esc], "Esc", "end the search", "end", Action::Back),
];

pub(super) const SOURCE: &[Binding] = &[
    key(
        &[Enter],
        "Enter",
        "look what is in it",
        "look",
        Action::Accept,
    ),
    key(&[Esc], "Esc", "add nothing", "cancel", Action::Back),
];

pub(super) const INSPECTING: &[Binding] = &[
    key(
        &[Enter],
        "Enter",
        "add it without waiting for what is in it",
        "add it now",
        Action::Accept,
    ),
    key(&[Esc], "Esc", "back to the text", "back", Action::Back),
];

pub(super) const FILES: &[Binding] = &[
    key(&[Enter], "Enter", "add the torrent", "add", Action::Accept),
    key(
        &[Char(' ')],
        "Space",
        "want the file, or not",
        "file",
        Action::ToggleFile,
    ),
    key(
        &[Char('*')],
        "*",
        "want all files, or none",
        "all",
        Action::ToggleAll,
    ),
    key(
        &[Char('p')],
        "p",
        "add it paused",
        "paused",
        Action::TogglePaused,
    ),
    key(
        &[TabKey],
        "Tab",
        "to the folder and the labels",
        "folder, labels",
        Action::NextLine,
    ),
    key(
        &[BackTab],
        "Shift-Tab",
        "the same the other way round",
        "",
        Action::PreviousLine,
    ),
    key(&[Esc], "Esc", "add nothing", "cancel", Action::Back),
];

pub(super) const OPTIONS: &[Binding] = &[
    key(&[Enter], "Enter", "add the torrent", "add", Action::Accept),
    key(
        &[TabKey, Down],
        "Tab",
        "the next line",
        "next",
        Action::NextLine,
    ),
    key(
        &[BackTab, Up],
        "Shift-Tab",
        "the line before",
        "",
        Action::PreviousLine,
    ),
    key(&[Esc], "Esc", "add nothing", "cancel", Action::Back),
];

pub(super) const FORM: &[Binding] = &[
    key(&[Enter], "Enter", "take it over", "set", Action::Accept),
    key(
        &[TabKey, Down],
        "Tab",
        "the next line",
        "next",
        Action::NextLine,
    ),
    key(
        &[BackTab, Up],
        "Shift-Tab",
        "the line before",
        "",
        Action::PreviousLine,
    ),
    key(&[Esc], "Esc", "change nothing", "cancel", Action::Back),
];
