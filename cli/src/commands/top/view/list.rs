//! The list of torrents.

use ratatui::style::Style;

use super::super::model::torrent::{State, Torrent};
use super::super::model::torrents::SortBy;
use super::super::model::{Link, Model, window};
use super::paint::Pane;
use super::table::{Column, Rest, fit};
use super::theme::Theme;
use super::words::{bar, eta, rate, share, size};

/// The columns beside the name, by what they are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Of(SortBy),
    Bar,
    Labels,
}

const fn column(
    what: What,
    head: &'static str,
    width: usize,
    is_right: bool,
    rank: u8,
) -> Column<What> {
    Column {
        what,
        head,
        width,
        is_right,
        rank,
    }
}

const COLUMNS: [Column<What>; 11] = [
    column(What::Of(SortBy::Queue), "#", 5, true, 9),
    column(What::Of(SortBy::State), "state", 11, false, 0),
    column(What::Bar, "", 12, false, 8),
    column(What::Of(SortBy::Progress), "done", 5, true, 1),
    column(What::Of(SortBy::Size), "size", 9, true, 5),
    column(What::Of(SortBy::Down), "down", 10, true, 2),
    column(What::Of(SortBy::Up), "up", 10, true, 3),
    column(What::Of(SortBy::Ratio), "ratio", 6, true, 7),
    column(What::Of(SortBy::Peers), "peers", 5, true, 6),
    column(What::Of(SortBy::Eta), "left", 11, true, 4),
    column(What::Labels, "labels", 16, false, 10),
];

/// Draws the heads of the columns and the rows that are seen.
pub(super) fn draw(model: &Model, theme: Theme, pane: &mut Pane<'_>) {
    let fit = fit(&COLUMNS, pane.width());
    fit.head(pane, 0, "name", Rest::Last);
    let torrents = &model.torrents;
    if torrents.len() == 0 {
        empty(model, pane);
        return;
    }
    let rows = pane.height().saturating_sub(1);
    let first = window(model.cursor, torrents.len(), rows);
    for line in 0..rows {
        let Some(torrent) = torrents.listed(first + line) else {
            break;
        };
        let is_marked = model.marked.contains(&torrent.id);
        let mark = if is_marked { "* " } else { "" };
        let name = format!("{mark}{}", torrent.shown());
        let name = (name, Style::new());
        fit.row(pane, line + 1, name, Rest::Last, |column| {
            cell(torrent, column.what, theme)
        });
        if first + line == model.cursor.at {
            pane.style(line + 1, Theme::selected());
        }
    }
}

fn empty(model: &Model, pane: &mut Pane<'_>) {
    let text = match model.daemon.link {
        _ if model.torrents.total() > 0 => "no torrent is as it is asked for; Esc lists all",
        Link::Up => "no torrents; press a to add one",
        Link::Connecting | Link::Down(_) => "the daemon has not answered yet",
    };
    pane.text(0, 2, text, Theme::faint());
}

fn cell(torrent: &Torrent, what: What, theme: Theme) -> (String, Style) {
    let plain = Style::new();
    match what {
        What::Bar => (bar(torrent.progress, 12), plain),
        What::Labels => (torrent.labels.join(","), Theme::faint()),
        What::Of(SortBy::State) => (state(torrent), theme.state(torrent.state)),
        What::Of(SortBy::Progress) => (share(done(torrent)), plain),
        What::Of(SortBy::Down) => (rate(torrent.down_rate), theme.down()),
        What::Of(SortBy::Up) => (rate(torrent.up_rate), theme.up()),
        What::Of(SortBy::Size) => (size(torrent.size), plain),
        What::Of(SortBy::Ratio) => (format!("{:.2}", torrent.ratio), plain),
        What::Of(SortBy::Eta) => (eta(torrent.eta), plain),
        What::Of(SortBy::Peers) => (torrent.peers.to_string(), plain),
        What::Of(SortBy::Queue) => (torrent.queue_position.to_string(), Theme::faint()),
        What::Of(SortBy::Added | SortBy::Name) => (String::new(), plain),
    }
}

/// How far what it does is: of its files, or of a check or a move.
fn done(torrent: &Torrent) -> f64 {
    torrent.state_progress.unwrap_or(torrent.progress)
}

/// What it does, in a word.
pub(super) fn state(torrent: &Torrent) -> String {
    match torrent.state {
        State::Downloading if torrent.is_stalled => "stalled",
        state => state.name(),
    }
    .to_owned()
}
