//! A table of texts: columns as wide as what is in them, the last one cut to the terminal.

use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::progress::width::{shortened, width};

/// Between two columns.
const GAP: &str = "  ";
/// A name that is longer is shortened in its middle.
const MAX_CELL: usize = 60;

/// A table with a head.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns of numbers, which are aligned to the right.
    right: Vec<usize>,
}

impl Table {
    pub(super) fn new(head: &[&str], right: &[usize]) -> Self {
        Self {
            rows: vec![head.iter().map(ToString::to_string).collect()],
            right: right.to_vec(),
        }
    }

    /// Texts may come from strangers.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| {
            let cell = Harmless(&cell).to_string();
            shortened(&cell, MAX_CELL)
        });
        self.rows.push(cells.collect());
    }

    pub(super) fn print(&self) -> Result<(), CliError> {
        self.lines().iter().try_for_each(out::line)
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(widest).collect();
        let line = |row: &Vec<String>| {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(at, (cell, wide))| {
                    let blanks = " ".repeat(wide.saturating_sub(width(cell)));
                    match self.right.contains(&at) {
                        true => format!("{blanks}{cell}"),
                        false => format!("{cell}{blanks}"),
                    }
                });
            let line: Vec<_> = cells.collect();
            line.join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["name", "size"], &[1]);
        table.row(["日本".to_owned(), "1".to_owned()]);
        table.row(["a\nb".to_owned(), "1000".to_owned()]);
        assert_eq!(table.lines(), ["name  size", "日本     1", "a\\nb  1000"]);
    }
}
