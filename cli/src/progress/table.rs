//! The rows of a terminal: columns that fit its width, and the rows that matter most where there is no room for all.

use tailwater_serve::size::Size;

use super::names::Names;
use super::row::{Rank, Row, Text, Transfer};
use super::width::{aligned_right, fitting, padded, shortened, width};
use crate::words::{count, percent, rate};

/// Between two columns.
const GAP: usize = 2;
/// Below this, a terminal is narrow: columns have short forms and stand closer.
const NARROW: usize = 72;
/// The columns that a name keeps beside the essential columns.
const NAME_AT_LEAST: usize = 8;
/// The columns that a name gets before the other columns get any.
const READABLE_NAME: usize = 20;
/// The same on a narrow terminal.
const READABLE_SHORT_NAME: usize = 24;
/// The share of the width that a name may take before a text.
const NAME_SHARE_OF_TEXT: usize = 3;
/// The shortest bar that is shown, in columns.
const BAR_AT_LEAST: usize = 8;
/// The longest bar: a longer one shows nothing more.
const BAR_AT_MOST: usize = 40;
/// Lines of a terminal that are left to the prompt, and to what is typed.
const LINES_LEFT: usize = 2;

/// One line on a terminal, of which the first bytes are a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Bytes of the name.
    pub(super) name: usize,
}

/// The columns of a torrent's row, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Percent,
    Outlook,
    Down,
    Done,
    Peers,
    Up,
    Sent,
}

/// How many of [`COLUMNS`], from the first, are essential.
const ESSENTIAL: usize = 3;

const COLUMNS: [Column; 7] = [
    Column::Percent,
    Column::Outlook,
    Column::Down,
    Column::Done,
    Column::Peers,
    Column::Up,
    Column::Sent,
];

/// As they stand in a line.
const ORDER: [Column; 7] = [
    Column::Percent,
    Column::Done,
    Column::Down,
    Column::Up,
    Column::Sent,
    Column::Peers,
    Column::Outlook,
];

impl Column {
    fn cell(self, transfer: &Transfer, is_narrow: bool) -> String {
        let shown = |now: Option<u64>| now.map_or_else(|| "-".to_owned(), rate);
        match self {
            Self::Percent => format!("{} %", percent(transfer.done, transfer.total)),
            Self::Outlook if is_narrow => transfer.short_outlook(),
            Self::Outlook => transfer.outlook(),
            Self::Down if transfer.is_complete() => String::new(),
            Self::Down if is_narrow => shown(transfer.down),
            Self::Down => format!("↓ {}", shown(transfer.down)),
            Self::Done if transfer.is_complete() => Size(transfer.total).to_string(),
            Self::Done => format!("{}/{}", Size(transfer.done), Size(transfer.total)),
            Self::Peers => count(transfer.peers, "peer"),
            Self::Up => format!("↑ {}", shown(transfer.up)),
            Self::Sent => format!("{} sent", Size(transfer.uploaded)),
        }
    }

    /// The least width, even when the content is shorter now, so that columns do not jump.
    const fn at_least(self, is_narrow: bool) -> usize {
        match self {
            Self::Percent => 5,
            Self::Outlook | Self::Down if is_narrow => 10,
            Self::Outlook => 15,
            Self::Down | Self::Up => 12,
            Self::Done => 17,
            Self::Peers => 8,
            Self::Sent => 13,
        }
    }
}

/// The lines that show these rows on a terminal of `columns` columns and `lines` lines. None is wider, and there are
/// never more than leave room for a prompt.
pub(super) fn table(rows: &[Row], columns: usize, lines: usize) -> Vec<Line> {
    // Something in the last column makes some terminals begin a new line.
    let columns = columns.saturating_sub(1);
    let lines = lines.saturating_sub(LINES_LEFT).max(1);
    let total = total(rows);
    let needed = rows.len() + usize::from(total.is_some());
    let shown: Vec<&Row> = match needed <= lines {
        true => rows.iter().collect(),
        false => {
            let mut sorted: Vec<&Row> = rows.iter().collect();
            sorted.sort_by_key(|row| row.rank());
            // The total and what is said of the others take a line each.
            sorted.truncate(lines.saturating_sub(1 + usize::from(total.is_some())));
            sorted
        }
    };
    let transfers = shown.iter().filter_map(|row| match row {
        Row::Torrent(transfer) => Some(&**transfer),
        Row::Text(_) => None,
    });
    let layout = Layout::new(transfers.chain(&total), columns);
    let spare = lines.saturating_sub(needed);
    let mut table = Vec::new();
    for row in &shown {
        match row {
            Row::Text(text) => table.push(text_line(text, columns)),
            Row::Torrent(transfer) => table.push(layout.line(transfer)),
        }
        table.extend(details(row.details(), columns, spare / shown.len().max(1)));
    }
    if shown.len() < rows.len() && lines > 1 {
        let hidden = others(rows, &shown);
        table.push(Line {
            text: fitting(&[&hidden.0, &hidden.1], " ", columns),
            name: 0,
        });
    }
    table.extend(total.as_ref().map(|total| layout.line(total)));
    table
}

/// A torrent's line as it stands among the others, to be left on the terminal.
pub(super) fn last_line(rows: &[Row], position: usize, columns: usize) -> Option<Line> {
    let transfers = rows.iter().filter_map(|row| match row {
        Row::Torrent(transfer) => Some(&**transfer),
        Row::Text(_) => None,
    });
    let total = total(rows);
    let layout = Layout::new(transfers.chain(&total), columns.saturating_sub(1));
    match rows.get(position)? {
        row @ Row::Torrent(transfer) if row.is_worth_keeping() => Some(layout.line(transfer)),
        _ => None,
    }
}

/// How many are not shown, and what they do.
fn others(rows: &[Row], shown: &[&Row]) -> (String, String) {
    let of = |rank: Rank| {
        let all = rows.iter().filter(|row| row.rank() == rank).count();
        all - shown.iter().filter(|row| row.rank() == rank).count()
    };
    let kinds = [
        (of(Rank::Active), "active"),
        (of(Rank::Stalled), "stalled"),
        (of(Rank::Waiting), "waiting"),
        (of(Rank::Complete), "complete"),
    ];
    let kinds: Vec<_> = kinds
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, kind)| format!("{number} {kind}"))
        .collect();
    let more = rows.len() - shown.len();
    (
        format!("… and {more} more"),
        format!("({})", kinds.join(", ")),
    )
}

/// All torrents together, if there are several.
fn total(rows: &[Row]) -> Option<Transfer> {
    let transfers: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Torrent(transfer) => Some(transfer),
            Row::Text(_) => None,
        })
        .collect();
    if transfers.len() < 2 {
        return None;
    }
    let mut total = Transfer {
        name: format!("total of {}", transfers.len()),
        ..Transfer::default()
    };
    for transfer in &transfers {
        total.done += transfer.done;
        total.total += transfer.total;
        total.uploaded += transfer.uploaded;
        total.peers += transfer.peers;
        total.utp_peers += transfer.utp_peers;
        total.encrypted_peers += transfer.encrypted_peers;
        total.down = sum(total.down, transfer.down);
        total.up = sum(total.up, transfer.up);
        total.eta = total.eta.max(transfer.eta);
    }
    // The one that matters most says what they do together.
    total.state = transfers
        .iter()
        .min_by_key(|transfer| {
            (
                transfer.eta.is_none(),
                Row::Torrent((**transfer).clone()).rank(),
            )
        })
        .map(|transfer| transfer.state)?;
    Some(total)
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// Which columns there are and how wide they are.
#[derive(Debug)]
struct Layout {
    names: Names,
    name: usize,
    bar: usize,
    gap: usize,
    is_narrow: bool,
    /// In their order in a line.
    columns: Vec<(Column, usize)>,
}

impl Layout {
    fn new<'a>(transfers: impl Iterator<Item = &'a Transfer>, width_in_all: usize) -> Self {
        let transfers: Vec<_> = transfers.collect();
        let is_narrow = width_in_all < NARROW;
        let (gap, readable) = match is_narrow {
            true => (1, READABLE_SHORT_NAME),
            false => (GAP, READABLE_NAME),
        };
        let longest = transfers.iter().map(|transfer| width(&transfer.name)).max();
        let longest = longest.unwrap_or(0);
        let mut left = width_in_all;
        let mut chosen = Vec::new();
        for (importance, column) in COLUMNS.into_iter().enumerate() {
            let is_essential = importance < ESSENTIAL;
            let name = longest.min(if is_essential {
                NAME_AT_LEAST
            } else {
                readable
            });
            let cells = transfers
                .iter()
                .map(|transfer| width(&column.cell(transfer, is_narrow)));
            let needed = match cells.max().unwrap_or(0) {
                0 => continue,
                widest => widest.max(column.at_least(is_narrow)),
            };
            match left.checked_sub(gap + needed) {
                Some(rest) if rest >= name => {
                    left = rest;
                    chosen.push((column, needed));
                }
                _ if is_essential => break,
                _ => {}
            }
        }
        let position = |column: Column| ORDER.iter().position(|other| *other == column);
        chosen.sort_by_key(|(column, _)| position(*column));
        let used: usize = chosen.iter().map(|(_, width)| gap + width).sum();
        let free = width_in_all.saturating_sub(used);
        // What the longest name does not need goes to the bar.
        let bar = match free.checked_sub(longest + gap) {
            Some(bar) if bar >= BAR_AT_LEAST => bar.min(BAR_AT_MOST),
            _ => 0,
        };
        let name = match bar {
            0 => free,
            _ => free - bar - gap,
        };
        Self {
            names: Names::of(transfers.iter().map(|transfer| transfer.name.as_str())),
            name,
            bar,
            gap,
            is_narrow,
            columns: chosen,
        }
    }

    fn line(&self, transfer: &Transfer) -> Line {
        let name = self.names.shortened(&transfer.name, self.name);
        let mut line = Line {
            name: name.len(),
            text: padded(&name, self.name),
        };
        let gap = " ".repeat(self.gap);
        if self.bar > 0 {
            line.text.push_str(&gap);
            line.text.push_str(&bar(transfer, self.bar));
        }
        for (column, columns) in &self.columns {
            line.text.push_str(&gap);
            let cell = column.cell(transfer, self.is_narrow);
            line.text.push_str(&match column {
                Column::Outlook => padded(&cell, *columns),
                _ => aligned_right(&cell, *columns),
            });
        }
        line.text.truncate(line.text.trim_end().len());
        line.name = line.name.min(line.text.len());
        line
    }
}

/// `[====>     ]`
fn bar(transfer: &Transfer, columns: usize) -> String {
    let room = columns.saturating_sub(2);
    let share = u64::try_from(room).unwrap_or(0);
    let filled = match transfer.total {
        0 => u128::from(share),
        total => u128::from(transfer.done.min(total)) * u128::from(share) / u128::from(total),
    };
    let filled = usize::try_from(filled).unwrap_or(0);
    let mut bar = "=".repeat(filled);
    if filled < room && transfer.done > 0 {
        bar.push('>');
    }
    format!("[{}]", padded(&bar, room))
}

fn text_line(text: &Text, columns: usize) -> Line {
    let name = shortened(&text.name, columns / NAME_SHARE_OF_TEXT);
    let mut line = Line {
        name: name.len(),
        text: name,
    };
    let share = text
        .share
        .map(|(done, total)| format!("{} %", percent(done, total)));
    let mut parts: Vec<&str> = share.iter().map(String::as_str).collect();
    parts.extend(text.text.split(", "));
    let gap = 1;
    let room = columns.saturating_sub(width(&line.text) + gap);
    let said = fitting(&parts, ", ", room);
    if !said.is_empty() {
        line.text.push(' ');
        line.text.push_str(&said);
    }
    line
}

/// The lines below a torrent, as many as there is room for.
fn details(details: &[Vec<String>], columns: usize, lines: usize) -> Vec<Line> {
    let shown = match details.len() <= lines {
        true => details.len(),
        false => lines.saturating_sub(1),
    };
    let mut below: Vec<_> = details[..shown]
        .iter()
        .map(|parts| {
            let parts: Vec<_> = parts.iter().map(String::as_str).collect();
            format!("  {}", fitting(&parts, "  ", columns.saturating_sub(2)))
        })
        .collect();
    if shown < details.len() && lines > 0 {
        below.push(format!("  … and {} more", details.len() - shown));
    }
    below
        .into_iter()
        .map(|text| Line {
            text: fitting(&[&text], "", columns),
            name: 0,
        })
        .collect()
}

#[cfg(test)]
mod tests;
