//! Which key asks for what: one table for the keys, the help and the line at the bottom.

mod binding;
mod dialogs;
mod screens;

use ratatui::crossterm::event::{KeyCode::Char, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::model::dialog::{Dialog, Focus, Stage};
use super::super::model::field::Edit;
use super::super::model::parts::Tab;
use super::super::model::{Model, Screen};
use super::action::Action;
pub(crate) use binding::Binding;
use dialogs::{EDITS, FILES, FORM, INSPECTING, OPTIONS, REMOVE, REMOVE_FILES, SEARCH, SOURCE};
use screens::{ALWAYS, BACK, DETAILS, FILES_TAB, HELP, LIST, MOVES, SPANS, TORRENT, TRACKERS_TAB};

/// What takes the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    List,
    Search,
    Details(Tab),
    Rates,
    Help,
    Remove,
    /// The files are gone with it: asked again.
    RemoveFiles,
    /// A text is typed that names a torrent.
    Source,
    /// The daemon is asked what is in it.
    Inspecting,
    Files,
    /// A line below the files is typed.
    Options,
    Form,
}

/// What takes the keys now.
pub(crate) fn context(model: &Model) -> Context {
    if model.help.is_some() {
        return Context::Help;
    }
    match &model.dialog {
        Some(Dialog::Remove(remove)) if remove.with_files => return Context::RemoveFiles,
        Some(Dialog::Remove(_)) => return Context::Remove,
        Some(Dialog::Form(_)) => return Context::Form,
        Some(Dialog::Add(add)) => {
            return match &add.stage {
                Stage::Typing => Context::Source,
                Stage::Inspecting(_) => Context::Inspecting,
                Stage::Choosing(choice) if choice.focus == Focus::Files => Context::Files,
                Stage::Choosing(_) => Context::Options,
            };
        }
        None => {}
    }
    match &model.screen {
        Screen::List if model.search.is_some() => Context::Search,
        Screen::List => Context::List,
        Screen::Details(details) => Context::Details(details.tab),
        Screen::Rates { .. } => Context::Rates,
    }
}

impl Context {
    /// Whether letters are typed, and mean nothing else.
    pub(crate) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Search | Self::Source | Self::Options | Self::Form
        )
    }

    /// The tables of its keys, those of the bottom line first.
    pub(crate) fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        let tables: &[&'static [Binding]] = match self {
            Self::List => &[LIST, TORRENT, MOVES, ALWAYS],
            Self::Search => &[SEARCH, EDITS],
            Self::Details(Tab::Files) => &[FILES_TAB, DETAILS, TORRENT, MOVES, ALWAYS],
            Self::Details(Tab::Trackers) => &[TRACKERS_TAB, DETAILS, TORRENT, MOVES, ALWAYS],
            Self::Details(Tab::Rates) => &[SPANS, DETAILS, TORRENT, MOVES, ALWAYS],
            Self::Details(_) => &[DETAILS, TORRENT, MOVES, ALWAYS],
            Self::Rates => &[BACK, SPANS, ALWAYS],
            Self::Help => &[HELP, MOVES],
            Self::Remove => &[REMOVE],
            Self::RemoveFiles => &[REMOVE_FILES],
            Self::Source => &[SOURCE, EDITS],
            Self::Inspecting => &[INSPECTING],
            Self::Files => &[FILES, MOVES],
            Self::Options => &[OPTIONS, EDITS],
            Self::Form => &[FORM, EDITS],
        };
        tables.iter().copied().flatten()
    }
}

/// What the help shows: the keys of the list, of a torrent, of all.
pub(crate) const SECTIONS: &[(&str, &[&[Binding]])] = &[
    ("The list", &[LIST]),
    ("Torrents", &[TORRENT]),
    ("One torrent", &[DETAILS, FILES_TAB, TRACKERS_TAB, SPANS]),
    ("Everywhere", &[MOVES, ALWAYS]),
    ("Adding", &[FILES]),
];

/// What a key asks for.
pub(crate) fn action(context: Context, event: &KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match event.code {
            Char('c') => Some(Action::Quit),
            Char('l') => Some(Action::Redraw),
            Char('u') if context.is_text() => Some(Action::Edit(Edit::Clear)),
            Char('w') if context.is_text() => Some(Action::Edit(Edit::DeleteWord)),
            Char('a') if context.is_text() => Some(Action::Edit(Edit::Home)),
            Char('e') if context.is_text() => Some(Action::Edit(Edit::End)),
            _ => None,
        };
    }
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let mut bindings = context.bindings();
    let bound = bindings.find(|binding| binding.keys.contains(&event.code));
    match (bound, event.code) {
        (Some(binding), _) => Some(binding.action),
        (None, Char(c)) if context.is_text() => Some(Action::Edit(Edit::Insert(c))),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ratatui::crossterm::event::KeyCode::Enter;

    use super::*;

    const CONTEXTS: [Context; 15] = [
        Context::List,
        Context::Search,
        Context::Details(Tab::Overview),
        Context::Details(Tab::Files),
        Context::Details(Tab::Trackers),
        Context::Details(Tab::Rates),
        Context::Rates,
        Context::Help,
        Context::Remove,
        Context::RemoveFiles,
        Context::Source,
        Context::Inspecting,
        Context::Files,
        Context::Options,
        Context::Form,
    ];

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for context in CONTEXTS {
            let mut seen = HashSet::new();
            for code in context.bindings().flat_map(|binding| binding.keys) {
                // Space and the arrows of a side come before those of all.
                let is_new = seen.insert(*code);
                assert!(is_new, "{context:?}: {code:?}");
                let is_letter = matches!(code, Char(_));
                assert!(
                    !(context.is_text() && is_letter),
                    "{context:?}: {code:?} is typed"
                );
            }
        }
    }

    #[test]
    fn every_key_that_is_named_is_explained() {
        for context in CONTEXTS {
            for binding in context.bindings() {
                assert_eq!(
                    binding.shown.is_empty(),
                    binding.does.is_empty(),
                    "{binding:?}"
                );
                assert!(binding.brief.is_empty() || !binding.shown.is_empty());
            }
        }
    }

    #[test]
    fn a_key_has_the_meaning_of_its_place() {
        let press = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let control = |c| KeyEvent::new(Char(c), KeyModifiers::CONTROL);
        assert_eq!(action(Context::List, &press(Char('q'))), Some(Action::Quit));
        assert_eq!(
            action(Context::Form, &press(Char('q'))),
            Some(Action::Edit(Edit::Insert('q')))
        );
        assert_eq!(action(Context::Remove, &press(Char('q'))), None);
        assert_eq!(
            action(Context::Remove, &press(Enter)),
            None,
            "Enter removes nothing"
        );
        for context in CONTEXTS {
            assert_eq!(action(context, &control('c')), Some(Action::Quit));
        }
        assert_eq!(action(Context::List, &control('u')), None);
        let mut released = press(Char('q'));
        released.kind = KeyEventKind::Release;
        assert_eq!(action(Context::List, &released), None);
    }
}
