//! What is seen: a function of the model and the size of the terminal.

mod details;
mod dialogs;
mod graph;
mod help;
mod list;
mod overview;
mod paint;
mod pieces;
mod table;
pub(crate) mod theme;
mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::model::{Link, Model, Screen};
use super::update::keys::{self, Binding, Context};
use crate::progress::width::{fitting, width};
pub(crate) use help::len as help_len;
use paint::{Pane, columns};
use theme::Theme;

/// Draws everything; returns where the cursor is, if a text is being typed.
pub(crate) fn draw(
    model: &Model,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    let mut pane = Pane::new(buffer, area);
    let (room, lines) = (pane.area, pane.height());
    if room.is_empty() {
        return None;
    }
    head(model, theme, &mut pane);
    let body = Rect {
        y: room.y.saturating_add(1),
        height: columns(lines.saturating_sub(3)),
        ..room
    };
    let mut inner = pane.inner(body);
    match &model.screen {
        Screen::List => list::draw(model, theme, &mut inner),
        Screen::Details(details) => details::draw(model, details, theme, &mut inner),
        Screen::Rates { span, rates } => graph::draw(rates.as_ref(), *span, theme, &mut inner),
    }
    let mut cursor = foot(model, theme, &mut pane);
    if let Some(dialog) = &model.dialog {
        cursor = dialogs::draw(model, dialog, theme, &mut pane.inner(body));
    }
    if let Some(first) = model.help {
        help::draw(first, &mut pane.inner(body));
        cursor = None;
    }
    cursor
}

/// The daemon with its figures.
fn head(model: &Model, theme: Theme, pane: &mut Pane<'_>) {
    let columns = pane.width();
    pane.style(0, Theme::strong());
    let name = match model.daemon.is_own {
        true => format!("own session ({})", model.daemon.name),
        false => model.daemon.name.clone(),
    };
    if let Link::Down(reason) = &model.daemon.link {
        let lost = format!("{name} does not answer");
        let parts = [lost.as_str(), reason, "trying again"];
        pane.text(0, 0, &fitting(&parts, ": ", columns), theme.error());
        return;
    }
    let stats = &model.stats;
    let limited = |rate: u64, limit: Option<u64>| match limit {
        Some(limit) => format!(
            "{} of {}",
            crate::words::rate(rate),
            crate::words::rate(limit)
        ),
        None => crate::words::rate(rate),
    };
    let down = format!("down {}", limited(stats.down_rate, stats.download_limit));
    let up = format!("up {}", limited(stats.up_rate, stats.upload_limit));
    let count = crate::words::count(model.torrents.total(), "torrent");
    let counted = |number: usize, what: &str| (number > 0).then(|| format!("{number} {what}"));
    let counts = [
        counted(stats.failed, "with an error"),
        counted(stats.downloading, "downloading"),
        counted(stats.seeding, "seeding"),
        counted(stats.paused, "paused"),
        counted(stats.queued, "queued"),
        stats
            .are_limits_alternative
            .then(|| "alternative limits".to_owned()),
    ];
    let mut parts = vec![name, down, up, count];
    parts.extend(counts.into_iter().flatten());
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    let text = fitting(&parts, "  ", columns);
    pane.text(0, 0, &text, Theme::strong());
}

/// What was said last, or what is listed; and the keys.
fn foot(model: &Model, theme: Theme, pane: &mut Pane<'_>) -> Option<(u16, u16)> {
    let lines = pane.height();
    let keys = lines.checked_sub(1).filter(|line| *line > 0)?;
    key_line(keys::context(model), pane, keys);
    let line = keys.checked_sub(1).filter(|line| *line > 0)?;
    if let Some(search) = &model.search {
        let at = pane.text(0, line, "search: ", Theme::strong());
        return pane.field(at, line, search, Style::new());
    }
    match &model.message {
        Some(message) => {
            let style = match message.is_error {
                true => theme.error(),
                false => Theme::strong(),
            };
            let text = fitting(&[&message.text], "", pane.width());
            pane.text(0, line, &text, style);
        }
        None if model.screen == Screen::List => {
            let text = listing(model);
            let parts: Vec<_> = text.iter().map(String::as_str).collect();
            let text = fitting(&parts, "  ", pane.width());
            pane.text(0, line, &text, Theme::faint());
        }
        None => {}
    }
    None
}

/// What is listed, in which order.
fn listing(model: &Model) -> Vec<String> {
    use super::model::torrents::Filter;
    let listing = model.torrents.listing();
    let mut parts = Vec::new();
    if model.torrents.len() > 0 {
        parts.push(format!(
            "{} of {}",
            model.cursor.at + 1,
            model.torrents.len()
        ));
    }
    if !model.marked.is_empty() {
        parts.push(format!("{} marked", model.marked.len()));
    }
    if listing.filter != Filter::All {
        parts.push(format!("only {}", listing.filter.name()));
    }
    if !listing.search.is_empty() {
        parts.push(format!("search: {}", listing.search));
    }
    let reversed = if listing.is_reversed {
        ", reversed"
    } else {
        ""
    };
    parts.push(format!("by {}{reversed}", listing.sort.name()));
    parts
}

/// The keys of a place, as many as there is room for.
fn key_line(context: Context, pane: &mut Pane<'_>, line: usize) {
    let bindings = context.bindings().filter(|it| !it.brief.is_empty());
    let (always, others): (Vec<&Binding>, Vec<&Binding>) =
        bindings.partition(|it| matches!(it.shown, "?" | "q"));
    let mut at = 0;
    for binding in always.into_iter().chain(others) {
        let takes = width(binding.shown) + 1 + width(binding.brief);
        if at + takes > pane.width() {
            break;
        }
        at = pane.text(at, line, binding.shown, Theme::selected());
        at = pane.text(at + 1, line, binding.brief, Style::new()) + 2;
    }
}

#[cfg(test)]
mod tests;
