//! How keys and news change what is shown, and what the daemon is asked for then. Nothing here waits for anything.

pub(crate) mod action;
mod deeds;
mod dialogs;
mod forms;
pub(crate) mod keys;
mod news;
pub(crate) mod order;

use ratatui::crossterm::event::Event;

use super::model::dialog::{Add, Dialog};
use super::model::field::Field;
use super::model::parts::{Cursor, Details, Span, Tab};
use super::model::torrents::{Filter, Listing, SortBy};
use super::model::{Model, Screen};
use action::{Action, Step};
pub(crate) use news::handle_news;
use order::{Order, Watch};

/// Takes what the terminal says: keys, text that is pasted, a new size. What the daemon is to do follows.
pub(crate) fn handle_event(model: &mut Model, event: &Event) -> Vec<Order> {
    match event {
        Event::Key(key) => match keys::action(keys::context(model), key) {
            Some(action) => handle_action(model, action),
            None => Vec::new(),
        },
        Event::Paste(text) => {
            handle_paste(model, text);
            Vec::new()
        }
        Event::Resize(columns, rows) => {
            model.size = (*columns, *rows);
            model.settle();
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Whether everything is to be drawn anew, because something else has written to the terminal.
pub(crate) fn is_redraw(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    keys::action(keys::Context::List, key) == Some(Action::Redraw)
}

/// A link that is pasted into the list is added.
fn handle_paste(model: &mut Model, text: &str) {
    let context = keys::context(model);
    if !context.is_text() {
        if matches!(context, keys::Context::List) && !text.trim().is_empty() {
            let add = Add {
                source: Field::new(""),
                ..Add::default()
            };
            model.dialog = Some(Dialog::Add(Box::new(add)));
        } else {
            return;
        }
    }
    if let Some(field) = dialogs::field_mut(model) {
        field.insert(text.trim());
    }
    dialogs::follow_search(model);
    model.settle();
}

/// Does what a key asks for.
pub(crate) fn handle_action(model: &mut Model, action: Action) -> Vec<Order> {
    let before = watch(model);
    let mut orders = match action {
        Action::Quit => {
            model.is_done = true;
            Vec::new()
        }
        Action::Help => {
            model.help = Some(0);
            Vec::new()
        }
        _ if model.help.is_some() => {
            handle_help(model, action);
            Vec::new()
        }
        _ if model.dialog.is_some() || model.search.is_some() => dialogs::handle(model, action),
        _ => handle_screen(model, action),
    };
    model.settle();
    let after = watch(model);
    if after != before {
        orders.push(Order::Watch(after));
    }
    orders
}

fn handle_help(model: &mut Model, action: Action) {
    let Some(top) = model.help else {
        return;
    };
    let page = usize::from(model.size.1).saturating_sub(4).max(1);
    model.help = match action {
        Action::Move(step) => Some(moved(top, step, page, super::view::help_len())),
        Action::Back => None,
        _ => Some(top),
    };
}

/// What is looked at, besides the list.
fn watch(model: &Model) -> Watch {
    match &model.screen {
        Screen::List => Watch::Nothing,
        Screen::Details(details) => Watch::Torrent {
            id: details.id.clone(),
            tab: details.tab,
            span: details.span,
        },
        Screen::Rates { span, .. } => Watch::Rates(*span),
    }
}

fn handle_screen(model: &mut Model, action: Action) -> Vec<Order> {
    match action {
        Action::Move(step) => move_cursor(model, step),
        Action::Open => open(model),
        Action::Rates => {
            model.screen = Screen::Rates {
                span: Span::default(),
                rates: None,
            };
        }
        Action::Back => back(model),
        Action::Mark => mark(model),
        Action::MarkAll => mark_all(model),
        Action::Search => {
            let search = model.torrents.listing().search.clone();
            model.search = Some(Field::new(search));
        }
        Action::NextFilter => relist(model, |it| {
            it.filter = turned(&Filter::ALL, it.filter, true);
        }),
        Action::PreviousFilter => {
            relist(model, |it| {
                it.filter = turned(&Filter::ALL, it.filter, false);
            });
        }
        Action::NextSort => relist(model, |it| it.sort = turned(&SortBy::ALL, it.sort, true)),
        Action::PreviousSort => relist(model, |it| it.sort = turned(&SortBy::ALL, it.sort, false)),
        Action::ReverseSort => relist(model, |it| it.is_reversed = !it.is_reversed),
        Action::Add => model.dialog = Some(Dialog::Add(Box::default())),
        Action::Remove => dialogs::ask_to_remove(model),
        Action::Limits => forms::open_limits(model),
        Action::DaemonLimits => forms::open_daemon_limits(model),
        Action::Labels => forms::open_labels(model),
        Action::MoveFiles => forms::open_move(model),
        Action::Rename => forms::open_title(model),
        Action::RenameFile => forms::open_file(model),
        Action::AddTracker => forms::open_tracker(model),
        Action::NextSpan => next_span(model),
        Action::Tab(_) | Action::NextTab | Action::PreviousTab => turn_tab(model, action),
        _ => return deeds::order(model, action),
    }
    Vec::new()
}

fn move_cursor(model: &mut Model, step: Step) {
    match &mut model.screen {
        Screen::List => {
            let rows = usize::from(model.size.1).saturating_sub(4);
            let at = moved(model.cursor.at, step, rows, model.torrents.len());
            model.selected = model.torrents.listed(at).map(|it| it.id.clone());
        }
        Screen::Details(details) => {
            let rows = usize::from(model.size.1).saturating_sub(6);
            let len = details.len();
            let cursor = details.cursor_mut();
            cursor.at = moved(cursor.at, step, rows, len);
        }
        Screen::Rates { .. } => {}
    }
}

/// A place after a step in a list of `len`, of which `page` are seen at once.
fn moved(at: usize, step: Step, page: usize, len: usize) -> usize {
    let last = len.saturating_sub(1);
    let page = page.max(1);
    match step {
        Step::Up => at.saturating_sub(1),
        Step::Down => at.saturating_add(1),
        Step::PageUp => at.saturating_sub(page),
        Step::PageDown => at.saturating_add(page),
        Step::First => 0,
        Step::Last => last,
    }
    .min(last)
}

fn open(model: &mut Model) {
    if let Some(id) = &model.selected {
        model.screen = Screen::Details(Box::new(Details::new(id.clone())));
    }
}

fn back(model: &mut Model) {
    match model.screen {
        Screen::List => {
            model.marked.clear();
            relist(model, |listing| {
                listing.search.clear();
                listing.filter = Filter::All;
            });
        }
        Screen::Details(_) | Screen::Rates { .. } => model.screen = Screen::List,
    }
}

fn mark(model: &mut Model) {
    if let Some(id) = model.selected.clone() {
        if !model.marked.remove(&id) {
            model.marked.insert(id);
        }
        move_cursor(model, Step::Down);
    }
}

fn mark_all(model: &mut Model) {
    let listed = (0..model.torrents.len()).filter_map(|place| model.torrents.listed(place));
    let listed: std::collections::BTreeSet<_> = listed.map(|it| it.id.clone()).collect();
    match listed.is_subset(&model.marked) {
        true => model.marked.clear(),
        false => model.marked = listed,
    }
}

fn relist(model: &mut Model, change: impl FnOnce(&mut Listing)) {
    let mut listing = model.torrents.listing().clone();
    change(&mut listing);
    model.torrents.set_listing(listing);
}

/// The next of some, or the one before; behind the last comes the first.
fn turned<T: Copy + PartialEq>(all: &[T], now: T, is_forward: bool) -> T {
    let at = all.iter().position(|it| *it == now).unwrap_or(0);
    let next = match is_forward {
        true => at + 1,
        false => at + all.len().saturating_sub(1),
    };
    let next = next.checked_rem(all.len()).and_then(|at| all.get(at));
    next.copied().unwrap_or(now)
}

fn next_span(model: &mut Model) {
    match &mut model.screen {
        Screen::Rates { span, rates } => {
            *span = span.next(true);
            *rates = None;
        }
        Screen::Details(details) => {
            details.span = details.span.next(false);
            details.rates = None;
        }
        Screen::List => {}
    }
}

fn turn_tab(model: &mut Model, action: Action) {
    if let Screen::Details(details) = &mut model.screen {
        details.tab = match action {
            Action::Tab(tab) => tab,
            _ => turned(&Tab::ALL, details.tab, action == Action::NextTab),
        };
    }
}

/// Where a cursor is in a list of files to choose from.
fn step_in(cursor: &mut Cursor, step: Step, page: usize, len: usize) {
    cursor.at = moved(cursor.at, step, page, len);
    cursor.top = super::model::window(*cursor, len, page);
}

#[cfg(test)]
mod tests;
