//! Questions and forms, over the screen.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

use super::super::model::dialog::{Add, Choice, Dialog, Focus, Form, Remove, Stage};
use super::super::model::{Model, window};
use super::paint::{Pane, columns};
use super::theme::Theme;
use super::words::size;
use crate::progress::width::{fitting, shortened};

/// No dialog is wider.
const WIDEST: u16 = 78;

/// Draws it; returns where the cursor is.
pub(super) fn draw(
    model: &Model,
    dialog: &Dialog,
    theme: Theme,
    pane: &mut Pane<'_>,
) -> Option<(u16, u16)> {
    match dialog {
        Dialog::Remove(remove) => {
            draw_remove(remove, theme, pane);
            None
        }
        Dialog::Form(form) => draw_form(form, theme, pane),
        Dialog::Add(add) => draw_add(model, add, theme, pane),
    }
}

/// A frame in the middle, with so many lines in it; what is in it.
fn frame<'a>(pane: &'a mut Pane<'_>, title: &str, lines: usize) -> Pane<'a> {
    let area = pane.area;
    let width = area.width.min(WIDEST);
    let height = area.height.min(columns(lines.saturating_add(2)));
    let outer = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(outer, pane.buffer);
    let title = shortened(title, usize::from(width).saturating_sub(4));
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(outer);
    block.render(outer, pane.buffer);
    pane.inner(inner)
}

fn draw_remove(remove: &Remove, theme: Theme, pane: &mut Pane<'_>) {
    let mut frame = frame(pane, "Remove", 4);
    let room = frame.width();
    frame.text(0, 0, &shortened(&remove.what, room), Theme::strong());
    match remove.with_files {
        false => {
            frame.text(
                0,
                2,
                "y  remove it from the list; its files stay",
                Style::new(),
            );
            frame.text(0, 3, "D  remove it with its files", Style::new());
        }
        true => {
            let text = "Its files will be deleted. This cannot be undone.";
            frame.text(0, 2, text, theme.error());
            frame.text(0, 3, "D  delete them    n  do nothing", Style::new());
        }
    }
}

fn draw_form(form: &Form, theme: Theme, pane: &mut Pane<'_>) -> Option<(u16, u16)> {
    const LABELS: usize = 10;
    let mut frame = frame(pane, &form.title, 2 * form.lines.len() + 1);
    let mut cursor = None;
    for (place, line) in form.lines.iter().enumerate() {
        let is_open = place == form.at;
        let style = if is_open {
            Theme::strong()
        } else {
            Style::new()
        };
        frame.text(0, 2 * place, line.label, style);
        if is_open {
            cursor = frame.field(LABELS, 2 * place, &line.field, Style::new());
        } else {
            frame.text(LABELS, 2 * place, line.field.text(), Style::new());
        }
        frame.text(LABELS, 2 * place + 1, line.hint, Theme::faint());
    }
    if let Some(error) = &form.error {
        let text = fitting(&[error], "", frame.width());
        frame.text(0, 2 * form.lines.len(), &text, theme.error());
    }
    cursor
}

fn draw_add(model: &Model, add: &Add, theme: Theme, pane: &mut Pane<'_>) -> Option<(u16, u16)> {
    if let Stage::Choosing(choice) = &add.stage {
        return draw_choice(choice, add.error.as_deref(), theme, pane);
    }
    let mut frame = frame(pane, "Add a torrent", 4);
    let room = frame.width();
    let what = "A path, a magnet link, an info-hash or a URL:";
    frame.text(0, 0, what, Style::new());
    let (says, style) = match (&add.stage, &add.error) {
        (Stage::Inspecting(_), _) => ("looking what is in it …", Theme::faint()),
        (_, Some(error)) => (error.as_str(), theme.error()),
        _ => ("", Style::new()),
    };
    frame.text(0, 3, &fitting(&[says], "", room), style);
    let cursor = frame.field(0, 1, &add.source, Style::new());
    // The answer may take a minute, and nothing is typed meanwhile.
    let is_typing = add.stage == Stage::Typing && !model.is_done;
    cursor.filter(|_| is_typing)
}

fn draw_choice(
    choice: &Choice,
    error: Option<&str>,
    theme: Theme,
    pane: &mut Pane<'_>,
) -> Option<(u16, u16)> {
    const LABELS: usize = 10;
    // The name, an empty line, the folder, the labels, a word about both.
    const OTHERS: usize = 6;
    let files = &choice.found.files;
    let most = pane.height().saturating_sub(OTHERS + 2).max(1);
    let mut frame = frame(pane, "Add a torrent", files.len().min(most) + OTHERS);
    let room = frame.width();
    frame.text(0, 0, &shortened(&choice.found.name, room), Theme::strong());
    let wanted = choice.wanted.iter().filter(|wanted| **wanted).count();
    let mut says = format!(
        "{wanted} of {} wanted, {} of {}",
        crate::words::count(files.len(), "file"),
        size(choice.size()),
        size(choice.found.size)
    );
    for (is_so, what) in [
        (choice.found.is_private, "private"),
        (choice.is_paused, "added paused"),
        (choice.found.is_known, "the daemon has it already"),
    ] {
        if is_so {
            says.push_str(", ");
            says.push_str(what);
        }
    }
    frame.text(0, 1, &fitting(&[&says], "", room), Theme::faint());
    let lines = frame.height().saturating_sub(OTHERS);
    let first = window(choice.cursor, files.len(), lines);
    for (line, place) in (first..files.len()).take(lines).enumerate() {
        let (Some(file), Some(is_wanted)) = (files.get(place), choice.wanted.get(place)) else {
            break;
        };
        let mark = if *is_wanted { "[x]" } else { "[ ]" };
        let size = size(file.size);
        let path = shortened(&file.path, room.saturating_sub(15));
        frame.text(
            0,
            line + 2,
            &format!("{mark} {size:>9}  {path}"),
            Style::new(),
        );
        if place == choice.cursor.at && choice.focus == Focus::Files {
            frame.style(line + 2, Theme::selected());
        }
    }
    let below = frame.height().saturating_sub(OTHERS - 2) + 1;
    let mut cursor = None;
    let fields = [
        ("Folder", &choice.folder, Focus::Folder),
        ("Labels", &choice.labels, Focus::Labels),
    ];
    for (line, (label, field, focus)) in fields.into_iter().enumerate() {
        let is_open = choice.focus == focus;
        let style = if is_open {
            Theme::strong()
        } else {
            Style::new()
        };
        frame.text(0, below + line, label, style);
        match is_open {
            true => cursor = frame.field(LABELS, below + line, field, Style::new()),
            false => {
                frame.text(LABELS, below + line, field.text(), Style::new());
            }
        }
    }
    if let Some(error) = error {
        frame.text(0, below + 2, &fitting(&[error], "", room), theme.error());
    }
    cursor
}
