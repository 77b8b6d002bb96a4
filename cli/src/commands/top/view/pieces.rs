//! The pieces of a torrent: what is held, what is fetched, what peers have.

use ratatui::style::Style;

use super::super::model::parts::Pieces;
use super::paint::Pane;
use super::theme::Theme;
use super::words::size;

/// From nothing to all of what a cell stands for.
const HELD: [&str; 5] = [".", "░", "▒", "▓", "█"];

pub(super) fn draw(pieces: &Pieces, theme: Theme, pane: &mut Pane<'_>) {
    let held = (0..pieces.count).filter(|piece| Pieces::is_set(&pieces.have, *piece));
    let head = format!(
        "{} of {} pieces of {} held; the connected peers have {:.2} copies",
        held.count(),
        pieces.count,
        size(pieces.piece_length),
        pieces.copies,
    );
    pane.text(0, 0, &head, Theme::strong());
    let legend = "█ held  ▒ in part  + fetched  . missing  x no peer has it";
    pane.text(0, 1, legend, Theme::faint());
    let (columns, lines) = (pane.width(), pane.height().saturating_sub(3));
    let cells = columns.saturating_mul(lines).min(pieces.count);
    for cell in 0..cells {
        let (from, to) = (
            cell * pieces.count / cells,
            (cell + 1) * pieces.count / cells,
        );
        let (mark, style) = mark(pieces, from, to, theme);
        pane.text(cell % columns, 3 + cell / columns, mark, style);
    }
}

/// What stands for some pieces.
fn mark(pieces: &Pieces, from: usize, to: usize, theme: Theme) -> (&'static str, Style) {
    let count = to.saturating_sub(from).max(1);
    let in_range = |bits: &[u8]| {
        (from..to)
            .filter(|piece| Pieces::is_set(bits, *piece))
            .count()
    };
    let held = in_range(&pieces.have);
    if held == 0 && in_range(&pieces.partial) > 0 {
        return ("+", theme.down());
    }
    let range = pieces.availability.get(from..to).unwrap_or_default();
    let is_missed = !range.is_empty() && range.iter().all(|peers| *peers == 0);
    if held == 0 && is_missed {
        return ("x", theme.error());
    }
    // Something is not nothing, and nearly all is not all.
    let level = match held {
        0 => 0,
        held if held == count => HELD.len() - 1,
        held => (held * (HELD.len() - 1) / count).clamp(1, HELD.len() - 2),
    };
    let style = match level {
        0 => Theme::faint(),
        _ => theme.up(),
    };
    (HELD.get(level).copied().unwrap_or(" "), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_how_much_of_its_pieces_is_held() {
        let pieces = Pieces {
            count: 12,
            have: vec![0b1111_1010, 0],
            partial: vec![0, 0b1000_0000],
            availability: vec![1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
            ..Pieces::default()
        };
        let mark = |from, to| mark(&pieces, from, to, Theme::new(false)).0;
        assert_eq!(mark(0, 4), "█");
        assert_eq!(mark(4, 6), "▒");
        assert_eq!(mark(0, 8), "▓");
        assert_eq!(mark(7, 8), ".");
        assert_eq!(mark(8, 10), "+");
        assert_eq!(mark(10, 12), "x");
        assert_eq!(mark(4, 12), "░");
    }
}
