//! What is known of a torrent, in lines.

use ratatui::style::Style;

use super::super::model::Model;
use super::super::model::parts::{Details, Info};
use super::super::model::torrent::Torrent;
use super::paint::Pane;
use super::theme::Theme;
use super::words::{ago, bar, eta, share, size, time};
use crate::progress::width::{fitting, shortened};
use crate::words::rate;

/// The columns of the names.
const NAMES: usize = 13;

pub(super) fn draw(model: &Model, details: &Details, theme: Theme, pane: &mut Pane<'_>) {
    let Some(torrent) = model.torrents.get(&details.id) else {
        return;
    };
    let mut lines = of_list(torrent);
    match &details.info {
        Some(Ok(info)) => lines.extend(of_info(torrent, info, model.now)),
        Some(Err(reason)) => lines.push(("error", reason.clone())),
        None => {}
    }
    lines.push(("info-hash", torrent.id.to_string()));
    for (line, (name, text)) in lines.iter().enumerate() {
        let style = match *name {
            "error" => theme.error(),
            _ => Style::new(),
        };
        pane.text(0, line, name, Theme::faint());
        let room = pane.width().saturating_sub(NAMES);
        let text = match *name {
            "folder" | "info-hash" => shortened(text, room),
            _ => fitting(&[text], "", room),
        };
        pane.text(NAMES, line, &text, style);
    }
}

type Line = (&'static str, String);

fn of_list(torrent: &Torrent) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(error) = &torrent.error {
        lines.push(("error", error.clone()));
    }
    if let Some(warning) = &torrent.warning {
        lines.push(("warning", warning.clone()));
    }
    let (have, wanted) = (torrent.have, torrent.have.saturating_add(torrent.left));
    lines.push((
        "done",
        format!(
            "{} {} of {}",
            bar(torrent.progress, 22),
            size(have),
            size(wanted)
        ),
    ));
    let left = eta(torrent.eta);
    if !left.is_empty() {
        lines.push(("left", left));
    }
    let limit = |limit: Option<u64>| match limit {
        Some(limit) => format!(", at most {}", rate(limit)),
        None => String::new(),
    };
    lines.push((
        "down",
        format!(
            "{}{}; {} in all",
            rate(torrent.down_rate),
            limit(torrent.download_limit),
            size(torrent.downloaded)
        ),
    ));
    lines.push((
        "up",
        format!(
            "{}{}; {} in all, ratio {:.2}",
            rate(torrent.up_rate),
            limit(torrent.upload_limit),
            size(torrent.uploaded),
            torrent.ratio
        ),
    ));
    lines.push((
        "peers",
        format!(
            "{} connected, {} of them seeds",
            torrent.peers, torrent.seeds
        ),
    ));
    if !torrent.labels.is_empty() {
        lines.push(("labels", torrent.labels.join(", ")));
    }
    lines
}

fn of_info(torrent: &Torrent, info: &Info, now: u64) -> Vec<Line> {
    let mut lines = Vec::new();
    let folder = match (&info.folder, info.storage.as_str()) {
        (_, "memory") => "in memory".to_owned(),
        (Some(folder), _) => folder.clone(),
        (None, _) => String::new(),
    };
    lines.push(("folder", folder));
    if let Some(folder) = &info.completed_folder {
        lines.push(("then to", folder.clone()));
    }
    lines.push((
        "files",
        format!("{}, {}", torrent.file_count, size(torrent.size)),
    ));
    lines.push((
        "pieces",
        format!(
            "{} of {} of {} ({})",
            info.pieces_have,
            info.piece_count,
            size(info.piece_length),
            share(times(info.pieces_have, info.piece_count))
        ),
    ));
    lines.push(("added", ago(torrent.added, now)));
    if let Some(at) = info.completed {
        lines.push(("completed", ago(at, now)));
    }
    lines.push((
        "time",
        format!(
            "{} downloading, {} seeding",
            time(info.downloading_seconds),
            time(info.seeding_seconds)
        ),
    ));
    if info.wasted > 0 {
        lines.push(("wasted", size(info.wasted)));
    }
    let mut kinds = Vec::new();
    if info.is_private {
        kinds.push("private");
    }
    if info.sequential {
        kinds.push("in order");
    }
    if !kinds.is_empty() {
        lines.push(("kind", kinds.join(", ")));
    }
    for (name, text) in [("comment", &info.comment), ("made by", &info.created_by)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            lines.push((name, text.clone()));
        }
    }
    lines
}

/// What part one number is of another; all of nothing is all.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
pub(super) fn times(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 1.0,
        _ => part.min(whole) as f64 / whole as f64,
    }
}
