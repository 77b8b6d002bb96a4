//! The help: all keys.

use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};

use super::super::update::keys::{Binding, SECTIONS};
use super::paint::Pane;
use super::theme::Theme;

/// Wide enough for the longest name of a key.
const KEY_COLUMNS: usize = 11;

/// A line of the help.
enum Line {
    Title(&'static str),
    Key(&'static Binding),
    Empty,
}

fn lines() -> impl Iterator<Item = Line> {
    SECTIONS.iter().flat_map(|(title, tables)| {
        let keys = tables.iter().copied().flatten().map(Line::Key);
        [Line::Title(title)]
            .into_iter()
            .chain(keys)
            .chain([Line::Empty])
    })
}

/// How many lines it has.
pub(crate) fn len() -> usize {
    lines().count()
}

pub(super) fn draw(first: usize, pane: &mut Pane<'_>) {
    Clear.render(pane.area, pane.buffer);
    let rows = pane.height();
    let first = first.min(len().saturating_sub(rows));
    for (row, line) in lines().skip(first).take(rows).enumerate() {
        match line {
            Line::Title(title) => {
                pane.text(0, row, title, Theme::strong());
            }
            Line::Key(binding) => {
                pane.text(2, row, binding.shown, Theme::strong());
                pane.text(2 + KEY_COLUMNS, row, binding.does, Style::new());
            }
            Line::Empty => {}
        }
    }
}
