//! Keys while something is asked or typed.

use super::super::model::dialog::{Add, Choice, Dialog, Focus, Remove, Stage};
use super::super::model::field::Field;
use super::super::model::{Model, Screen};
use super::action::Action;
use super::order::{Deed, Order};
use super::{forms, relist, step_in};

/// The text that is being typed.
pub(super) fn field_mut(model: &mut Model) -> Option<&mut Field> {
    match &mut model.dialog {
        Some(Dialog::Form(form)) => form.field_mut(),
        Some(Dialog::Add(add)) => match &mut add.stage {
            Stage::Typing => Some(&mut add.source),
            Stage::Inspecting(_) => None,
            Stage::Choosing(choice) => match choice.focus {
                Focus::Files => None,
                Focus::Folder => Some(&mut choice.folder),
                Focus::Labels => Some(&mut choice.labels),
            },
        },
        Some(Dialog::Remove(_)) => None,
        None => model.search.as_mut(),
    }
}

/// Lists what is looked for, while it is typed.
pub(super) fn follow_search(model: &mut Model) {
    let Some(search) = &model.search else {
        return;
    };
    let search = search.text().to_lowercase();
    if model.torrents.listing().search != search {
        relist(model, |listing| listing.search = search);
    }
}

pub(super) fn handle(model: &mut Model, action: Action) -> Vec<Order> {
    if let Action::Edit(edit) = action {
        if let Some(field) = field_mut(model) {
            field.edit(edit);
        }
        if model.dialog.is_none() {
            follow_search(model);
        }
        return Vec::new();
    }
    match model.dialog.take() {
        None => {
            handle_search(model, action);
            Vec::new()
        }
        Some(Dialog::Remove(remove)) => handle_remove(model, remove, action),
        Some(Dialog::Form(form)) => forms::handle(model, form, action),
        Some(Dialog::Add(add)) => handle_add(model, add, action),
    }
}

fn handle_search(model: &mut Model, action: Action) {
    match action {
        Action::Accept => model.search = None,
        Action::Back => {
            model.search = None;
            relist(model, |listing| listing.search.clear());
        }
        _ => {}
    }
}

pub(super) fn ask_to_remove(model: &mut Model) {
    let ids = model.meant();
    let what = match ids.as_slice() {
        [] => return,
        [id] => match model.torrents.get(id) {
            Some(torrent) => torrent.shown().to_owned(),
            None => return,
        },
        several => crate::words::count(several.len(), "torrent"),
    };
    model.dialog = Some(Dialog::Remove(Remove {
        ids,
        what,
        with_files: false,
    }));
}

fn handle_remove(model: &mut Model, mut remove: Remove, action: Action) -> Vec<Order> {
    let with_files = match action {
        Action::RemoveKeepingFiles if !remove.with_files => false,
        Action::RemoveWithFiles if remove.with_files => true,
        Action::RemoveWithFiles => {
            remove.with_files = true;
            model.dialog = Some(Dialog::Remove(remove));
            return Vec::new();
        }
        Action::Back => return Vec::new(),
        _ => {
            model.dialog = Some(Dialog::Remove(remove));
            return Vec::new();
        }
    };
    model.marked.clear();
    // It is gone soon; until then it is in the list.
    if matches!(model.screen, Screen::Details(_)) {
        model.screen = Screen::List;
    }
    vec![Order::Do(Deed::Remove { with_files }, remove.ids)]
}

fn handle_add(model: &mut Model, mut add: Box<Add>, action: Action) -> Vec<Order> {
    let source = add.source.text().trim().to_owned();
    match (&mut add.stage, action) {
        (Stage::Typing, Action::Accept) if source.is_empty() => {
            add.error = Some("type a path, a magnet link, an info-hash or a URL".to_owned());
        }
        (Stage::Typing, Action::Accept) => {
            model.inspections += 1;
            let number = model.inspections;
            add.stage = Stage::Inspecting(number);
            add.error = None;
            model.dialog = Some(Dialog::Add(add));
            return vec![Order::Inspect { number, source }];
        }
        (Stage::Inspecting(_), Action::Accept) => {
            return vec![Order::EndInspection, Order::AddUnseen { source }];
        }
        (Stage::Inspecting(_), Action::Back) => {
            add.stage = Stage::Typing;
            model.dialog = Some(Dialog::Add(add));
            return vec![Order::EndInspection];
        }
        (Stage::Choosing(choice), Action::Accept) if !choice.wanted.contains(&true) => {
            add.error = Some("no file is wanted".to_owned());
        }
        (Stage::Choosing(choice), Action::Accept) => return vec![Order::Add(choice.request())],
        (Stage::Typing | Stage::Choosing(_), Action::Back) => return Vec::new(),
        (Stage::Choosing(choice), action) => {
            add.error = None;
            choose(choice, action, usize::from(model.size.1));
        }
        _ => {}
    }
    model.dialog = Some(Dialog::Add(add));
    Vec::new()
}

fn choose(choice: &mut Choice, action: Action, rows: usize) {
    let len = choice.wanted.len();
    match action {
        // As many lines as the dialog has besides the files.
        Action::Move(step) => step_in(&mut choice.cursor, step, rows.saturating_sub(10), len),
        Action::ToggleFile => {
            if let Some(wanted) = choice.wanted.get_mut(choice.cursor.at) {
                *wanted = !*wanted;
            }
        }
        Action::ToggleAll => {
            let wants_all = choice.wanted.contains(&false);
            choice.wanted.fill(wants_all);
        }
        Action::TogglePaused => choice.is_paused = !choice.is_paused,
        Action::NextLine => choice.focus = choice.focus.next(true),
        Action::PreviousLine => choice.focus = choice.focus.next(false),
        _ => {}
    }
}
