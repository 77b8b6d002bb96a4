//! A torrent: its name, its sides, and the one that is open.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::model::parts::{Details, File, Part, Peer, Priority, Tab, Tracker};
use super::super::model::{Model, window};
use super::paint::{Pane, columns};
use super::table::{Column, Rest, fit};
use super::theme::Theme;
use super::words::{rate, share, size, time};
use super::{graph, list, overview, pieces};
use crate::progress::width::{fitting, shortened, width};

pub(super) fn draw(model: &Model, details: &Details, theme: Theme, pane: &mut Pane<'_>) {
    title(model, details, theme, pane);
    tabs(details.tab, pane);
    let area = Rect {
        y: pane.area.y.saturating_add(2),
        height: columns(pane.height().saturating_sub(2)),
        ..pane.area
    };
    let mut side = pane.inner(area);
    match details.tab {
        Tab::Overview => overview::draw(model, details, theme, &mut side),
        Tab::Files => {
            if let Some(files) = there(&details.files, theme, &mut side) {
                draw_files(files, details, &mut side);
            }
        }
        Tab::Peers => {
            if let Some(peers) = there(&details.peers, theme, &mut side) {
                draw_peers(peers, details, theme, &mut side);
            }
        }
        Tab::Trackers => {
            if let Some(trackers) = there(&details.trackers, theme, &mut side) {
                draw_trackers(trackers, details, model.now, theme, &mut side);
            }
        }
        Tab::Pieces => {
            if let Some(known) = there(&details.pieces, theme, &mut side) {
                pieces::draw(known, theme, &mut side);
            }
        }
        Tab::Rates => graph::draw(details.rates.as_ref(), details.span, theme, &mut side),
    }
}

/// What was fetched; what it waits for, or why it cannot be had, is shown.
pub(super) fn there<'a, T>(part: &'a Part<T>, theme: Theme, pane: &mut Pane<'_>) -> Option<&'a T> {
    match part {
        None => {
            pane.text(0, 0, "waiting for the daemon", Theme::faint());
            None
        }
        Some(Err(reason)) => {
            pane.text(0, 0, &fitting(&[reason], "", pane.width()), theme.error());
            None
        }
        Some(Ok(part)) => Some(part),
    }
}

fn title(model: &Model, details: &Details, theme: Theme, pane: &mut Pane<'_>) {
    let Some(torrent) = model.torrents.get(&details.id) else {
        return;
    };
    let state = list::state(torrent);
    let done = share(torrent.state_progress.unwrap_or(torrent.progress));
    let takes = width(&state) + width(&done) + 2;
    let name = shortened(torrent.shown(), pane.width().saturating_sub(takes));
    let at = pane.text(0, 0, &name, Theme::strong());
    let at = pane.text(at + 1, 0, &state, theme.state(torrent.state));
    pane.text(at + 1, 0, &done, Style::new());
}

/// The names of the sides, or their numbers where there is no room.
fn tabs(open: Tab, pane: &mut Pane<'_>) {
    let names = Tab::ALL.iter().enumerate();
    let long: Vec<_> = names
        .map(|(place, tab)| (*tab, format!(" {} {} ", place + 1, tab.name())))
        .collect();
    let takes: usize = long.iter().map(|(_, name)| width(name)).sum();
    let mut at = 0;
    for (place, (tab, name)) in long.into_iter().enumerate() {
        let name = match takes <= pane.width() || tab == open {
            true => name,
            false => format!(" {} ", place + 1),
        };
        let style = match tab == open {
            true => Theme::selected(),
            false => Style::new(),
        };
        at = pane.text(at, 1, &name, style);
    }
}

const fn column<T>(
    what: T,
    head: &'static str,
    width: usize,
    is_right: bool,
    rank: u8,
) -> Column<T> {
    Column {
        what,
        head,
        width,
        is_right,
        rank,
    }
}

/// Draws a table with a cursor; only rows that are seen are made.
fn rows<T: Copy, R>(
    pane: &mut Pane<'_>,
    all: &[Column<T>],
    (head, items, details): (&str, &[R], &Details),
    name: impl Fn(&R) -> String,
    cell: impl Fn(&R, T) -> (String, Style),
) {
    let fit = fit(all, pane.width());
    fit.head(pane, 0, head, Rest::First);
    let lines = pane.height().saturating_sub(1);
    let cursor = details.cursor();
    let first = window(cursor, items.len(), lines);
    for (line, item) in items.iter().skip(first).take(lines).enumerate() {
        let name = (name(item), Style::new());
        fit.row(pane, line + 1, name, Rest::First, |column| {
            cell(item, column.what)
        });
        if first + line == cursor.at {
            pane.style(line + 1, Theme::selected());
        }
    }
}

fn draw_files(files: &[File], details: &Details, pane: &mut Pane<'_>) {
    const COLUMNS: [Column<u8>; 3] = [
        column(0, "size", 9, true, 2),
        column(1, "done", 5, true, 1),
        column(2, "wanted", 7, false, 0),
    ];
    let cell = |file: &File, what| match what {
        0 => (size(file.size), Style::new()),
        1 => (share(overview::times(file.have, file.size)), Style::new()),
        _ => match file.priority {
            Priority::Skip => ("no".to_owned(), Theme::faint()),
            Priority::High => ("high".to_owned(), Theme::strong()),
            other => (other.name().to_owned(), Style::new()),
        },
    };
    rows(
        pane,
        &COLUMNS,
        ("file", files, details),
        |file| file.path.clone(),
        cell,
    );
}

fn draw_peers(peers: &[Peer], details: &Details, theme: Theme, pane: &mut Pane<'_>) {
    const COLUMNS: [Column<u8>; 7] = [
        column(0, "client", 20, false, 3),
        column(1, "over", 11, false, 4),
        column(2, "done", 5, true, 2),
        column(3, "down", 10, true, 0),
        column(4, "up", 10, true, 1),
        column(5, "received", 9, true, 5),
        column(6, "sent", 9, true, 6),
    ];
    if peers.is_empty() {
        pane.text(0, 0, "no peer is connected", Theme::faint());
        return;
    }
    let cell = |peer: &Peer, what| match what {
        0 => (peer.client.clone().unwrap_or_default(), Style::new()),
        1 => (over(peer), Style::new()),
        2 => (share(peer.progress), Style::new()),
        3 => (rate(peer.down_rate), theme.down()),
        4 => (rate(peer.up_rate), theme.up()),
        5 => (size(peer.downloaded), Style::new()),
        _ => (size(peer.uploaded), Style::new()),
    };
    rows(
        pane,
        &COLUMNS,
        ("peer", peers, details),
        |peer| peer.addr.clone(),
        cell,
    );
}

/// How a peer is connected: `utp rc4 in`.
fn over(peer: &Peer) -> String {
    let encrypted = match peer.encryption.as_str() {
        "none" => "",
        "handshake" => " hs",
        _ => " rc4",
    };
    let incoming = if peer.is_incoming { " in" } else { "" };
    format!("{}{encrypted}{incoming}", peer.transport)
}

fn draw_trackers(
    trackers: &[Tracker],
    details: &Details,
    now: u64,
    theme: Theme,
    pane: &mut Pane<'_>,
) {
    const COLUMNS: [Column<u8>; 5] = [
        column(0, "state", 10, false, 0),
        column(1, "peers", 5, true, 2),
        column(2, "seeders", 7, true, 3),
        column(3, "leechers", 8, true, 4),
        column(4, "again in", 11, true, 1),
    ];
    if trackers.is_empty() {
        pane.text(0, 0, "no trackers", Theme::faint());
        return;
    }
    let number = |number: Option<u64>| number.map_or(String::new(), |it| it.to_string());
    let cell = |tracker: &Tracker, what| match what {
        0 if tracker.error.is_some() => (tracker.state.clone(), theme.error()),
        0 => (tracker.state.clone(), Style::new()),
        1 => {
            let peers = tracker.peers.map(|it| it.to_string());
            (peers.unwrap_or_default(), Style::new())
        }
        2 => (number(tracker.seeders.map(u64::from)), Style::new()),
        3 => (number(tracker.leechers.map(u64::from)), Style::new()),
        _ => match tracker.next_announce {
            Some(at) if at > now => (time(at - now), Style::new()),
            _ => (String::new(), Style::new()),
        },
    };
    let said = trackers.get(details.cursor().at);
    let said = said.and_then(|it| it.error.as_deref().or(it.warning.as_deref()));
    // What the one at the cursor said stands below.
    let area = Rect {
        height: columns(pane.height().saturating_sub(1)),
        ..pane.area
    };
    let last = pane.height().saturating_sub(1);
    if let Some(said) = said {
        pane.text(0, last, &fitting(&[said], "", pane.width()), theme.error());
    }
    rows(
        &mut pane.inner(area),
        &COLUMNS,
        ("tracker", trackers, details),
        |tracker| tracker.url.clone(),
        cell,
    );
}
