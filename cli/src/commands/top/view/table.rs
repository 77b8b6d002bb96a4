//! Tables whose columns drop out, the least important first, where there is no room.

use ratatui::style::Style;

use super::paint::Pane;
use super::theme::Theme;
use crate::progress::width::{aligned_right, shortened};

/// Between two columns.
const GAP: usize = 1;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<T> {
    pub(super) what: T,
    pub(super) head: &'static str,
    pub(super) width: usize,
    pub(super) is_right: bool,
    /// Columns of a higher rank drop out first.
    pub(super) rank: u8,
}

/// The columns that there is room for, in their order, beside one that takes the rest; and how much that has.
#[derive(Debug)]
pub(super) struct Fit<'a, T> {
    pub(super) columns: Vec<&'a Column<T>>,
    pub(super) rest: usize,
}

/// Chooses columns: the one that takes the rest keeps a third, and 16 columns where that is less.
pub(super) fn fit<T>(all: &[Column<T>], room: usize) -> Fit<'_, T> {
    const LEAST: usize = 16;
    let kept = (room / 3).max(LEAST);
    let mut by_rank: Vec<_> = all.iter().enumerate().collect();
    by_rank.sort_by_key(|(_, column)| column.rank);
    let mut rest = room;
    let mut chosen = Vec::new();
    for (place, column) in by_rank {
        let takes = column.width + GAP;
        if rest < takes + kept {
            break;
        }
        rest -= takes;
        chosen.push((place, column));
    }
    chosen.sort_by_key(|(place, _)| *place);
    Fit {
        columns: chosen.into_iter().map(|(_, column)| column).collect(),
        rest,
    }
}

/// Where the column that takes the rest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    First,
    Last,
}

/// A cell: its text and how it is emphasised.
pub(super) type Cell = (String, Style);

impl<T: Copy> Fit<'_, T> {
    /// Draws the heads of the columns.
    pub(super) fn head(&self, pane: &mut Pane<'_>, line: usize, rest: &str, place: Rest) {
        pane.style(line, Theme::head());
        let cells = |column: &Column<T>| (column.head.to_owned(), Theme::head());
        self.row(pane, line, (rest.to_owned(), Theme::head()), place, cells);
    }

    /// Draws a row. Only cells that are seen are made.
    pub(super) fn row(
        &self,
        pane: &mut Pane<'_>,
        line: usize,
        (text, style): Cell,
        place: Rest,
        cell: impl Fn(&Column<T>) -> Cell,
    ) {
        let mut at = 0;
        let text = shortened(&text, self.rest);
        if place == Rest::First {
            pane.text(at, line, &text, style);
            at += self.rest + GAP;
        }
        for column in &self.columns {
            let (text, style) = cell(column);
            let text = shortened(&text, column.width);
            let text = match column.is_right {
                true => aligned_right(&text, column.width),
                false => text,
            };
            pane.text_within(at, line, &text, column.width, style);
            at += column.width + GAP;
        }
        if place == Rest::Last {
            pane.text(at, line, &text, style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(what: char, width: usize, rank: u8) -> Column<char> {
        Column {
            what,
            head: "",
            width,
            is_right: false,
            rank,
        }
    }

    #[test]
    fn columns_drop_out_by_their_rank() {
        let all = [column('a', 9, 2), column('b', 9, 0), column('c', 9, 1)];
        let shown = |room| {
            let fit = fit(&all, room);
            let names: String = fit.columns.iter().map(|column| column.what).collect();
            (names, fit.rest)
        };
        assert_eq!(shown(100), ("abc".to_owned(), 70));
        assert_eq!(shown(46), ("abc".to_owned(), 16));
        assert_eq!(shown(45), ("bc".to_owned(), 25));
        assert_eq!(shown(26), ("b".to_owned(), 16));
        assert_eq!(shown(25), (String::new(), 25));
        assert_eq!(shown(0), (String::new(), 0));
    }
}
