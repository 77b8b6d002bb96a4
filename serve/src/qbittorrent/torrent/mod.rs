//! What is said of a torrent.
//!
//! | file | knows |
//! |---|---|
//! | `state` | what it is doing, in the original's words; which filter takes it |
//! | `figures` | its figures, times and limits |
//! | `begun` | what torrents had transferred when the listener began |
//! | `about` | what takes long to find out, and is remembered |

mod about;
mod begun;
mod figures;
mod state;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(super) use about::{About, Known, changed};
pub(super) use begun::Begun;
pub(super) use figures::{Limits, eta, popularity, ratio, totals};
pub(super) use state::{Filter, is_complete, state};

use super::categories::Labels;
use crate::control::{Settings, TorrentView, TrackerView};

/// Bytes of the SHA-256 in hexadecimal digits.
const V2_DIGITS: usize = 64;

/// What the fields of a torrent are made of.
pub(super) struct Row<'a> {
    pub(super) view: &'a TorrentView,
    pub(super) about: &'a About,
    pub(super) trackers: &'a [TrackerView],
    pub(super) labels: &'a Labels,
    pub(super) limits: Limits,
    pub(super) begun: &'a Begun,
    /// A Unix time.
    pub(super) now: u64,
}

/// A field: its name, and how it is found.
type Field = (&'static str, fn(&Row<'_>) -> Value);

/// All fields, in the order of their names.
const FIELDS_OF: [Field; 57] = [
    ("added_on", |row| row.view.added.into()),
    ("amount_left", |row| figures::left(row.view).into()),
    ("auto_tmm", |_| false.into()),
    ("availability", |row| figures::availability(row.view).into()),
    ("category", |row| {
        row.labels.category(&row.view.labels).into()
    }),
    ("comment", |row| row.about.comment.as_str().into()),
    ("completed", |row| figures::completed(row.view).into()),
    ("completion_on", |row| figures::time(row.view.completed)),
    ("content_path", |row| content_path(row.view).into()),
    ("dl_limit", |row| {
        row.view.download_limit.unwrap_or(0).into()
    }),
    ("dlspeed", |row| row.view.down_rate.into()),
    ("download_path", |_| "".into()),
    ("downloaded", |row| row.view.downloaded.into()),
    ("downloaded_session", |row| {
        row.begun.downloaded(row.view).into()
    }),
    ("eta", |row| eta(row.view, &row.limits, row.now).into()),
    ("f_l_piece_prio", |_| false.into()),
    ("force_start", |row| row.view.forced.into()),
    ("has_metadata", |row| has_metadata(row.view).into()),
    ("hash", |row| row.view.id.to_string().into()),
    ("inactive_seeding_time_limit", |row| {
        figures::own_minutes(row.view.idle_limit)
    }),
    ("infohash_v1", |row| row.about.v1.as_str().into()),
    ("infohash_v2", |row| row.about.v2.as_str().into()),
    ("last_activity", |row| {
        row.view.last_activity.unwrap_or(row.view.added).into()
    }),
    ("magnet_uri", |row| row.about.magnet.as_str().into()),
    ("max_inactive_seeding_time", |row| {
        figures::minutes(row.limits.idle)
    }),
    ("max_ratio", |row| row.limits.ratio.unwrap_or(-1.0).into()),
    ("max_seeding_time", |row| {
        figures::minutes(row.limits.seeding_time)
    }),
    ("name", |row| name(row.view).into()),
    ("num_complete", |row| {
        totals(row.view, row.trackers).0.into()
    }),
    ("num_incomplete", |row| {
        totals(row.view, row.trackers).1.into()
    }),
    ("num_leechs", |row| figures::leeches(row.view).into()),
    ("num_seeds", |row| row.view.seeds.into()),
    ("popularity", |row| popularity(row.view).into()),
    ("priority", |row| figures::place(row.view).into()),
    ("private", |row| match has_metadata(row.view) {
        true => row.view.is_private.into(),
        false => Value::Null,
    }),
    ("progress", |row| figures::progress(row.view).into()),
    ("ratio", |row| ratio(row.view).into()),
    ("ratio_limit", |row| {
        figures::own_ratio(row.view.ratio_limit)
    }),
    ("reannounce", |row| figures::reannounce(row.trackers).into()),
    ("root_path", |row| match row.view.file_count {
        0 | 1 => "".into(),
        _ => content_path(row.view).into(),
    }),
    ("save_path", |row| {
        row.view.folder.as_deref().unwrap_or_default().into()
    }),
    ("seeding_time", |row| row.view.seeding_seconds.into()),
    ("seeding_time_limit", |row| {
        figures::own_minutes(row.view.seeding_time_limit)
    }),
    ("seen_complete", |row| figures::time(row.view.completed)),
    ("seq_dl", |row| row.view.sequential.into()),
    ("size", |row| figures::wanted(row.view).into()),
    ("state", |row| state(row.view).into()),
    ("super_seeding", |row| row.view.super_seeding.into()),
    ("tags", |row| {
        row.labels.tags(&row.view.labels).join(", ").into()
    }),
    ("time_active", |row| {
        figures::active_seconds(row.view).into()
    }),
    ("total_size", |row| figures::size(row.view)),
    ("tracker", |row| figures::tracker(row.trackers).into()),
    ("trackers_count", |row| row.trackers.len().into()),
    ("up_limit", |row| row.view.upload_limit.unwrap_or(0).into()),
    ("uploaded", |row| row.view.uploaded.into()),
    ("uploaded_session", |row| {
        row.begun.uploaded(row.view).into()
    }),
    ("upspeed", |row| row.view.up_rate.into()),
];

/// The names of all fields of a torrent.
pub const FIELDS: [&str; FIELDS_OF.len()] = {
    let mut names = [""; FIELDS_OF.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = FIELDS_OF[at].0;
        at += 1;
    }
    names
};

impl Row<'_> {
    /// The values of all fields, in the order of [`FIELDS`].
    pub(super) fn values(&self) -> impl Iterator<Item = Value> {
        FIELDS_OF.iter().map(|(_, value)| value(self))
    }

    pub(super) fn object(&self) -> Map<String, Value> {
        let names = FIELDS.iter().map(ToString::to_string);
        names.zip(self.values()).collect()
    }

    /// One field.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let (_, value) = FIELDS_OF.iter().find(|(known, _)| *known == name)?;
        Some(value(self))
    }
}

/// What is the same for all rows of an answer.
pub(super) struct Rows {
    pub(super) labels: Labels,
    settings: Settings,
    begun: Arc<Begun>,
    now: u64,
}

impl Rows {
    pub(super) const fn new(
        labels: Labels,
        settings: Settings,
        begun: Arc<Begun>,
        now: u64,
    ) -> Self {
        Self {
            labels,
            settings,
            begun,
            now,
        }
    }

    pub(super) fn row<'a>(
        &'a self,
        view: &'a TorrentView,
        about: &'a Arc<About>,
        trackers: &'a [TrackerView],
    ) -> Row<'a> {
        Row {
            view,
            about,
            trackers,
            labels: &self.labels,
            limits: Limits::of(view, &self.labels, &self.settings),
            begun: &self.begun,
            now: self.now,
        }
    }
}

/// Whether there is a queue: so many torrents run at once, and no more.
pub(super) const fn has_queue(settings: &Settings) -> bool {
    settings.max_downloads.is_some() || settings.max_seeds.is_some()
}

/// Whether its metadata is known.
pub(super) const fn has_metadata(view: &TorrentView) -> bool {
    view.piece_count > 0
}

/// What its user calls it, else what it is called.
pub(super) fn name(view: &TorrentView) -> &str {
    view.title.as_deref().unwrap_or(&view.name)
}

/// Where its files are: a folder of its own, or its only file.
pub(super) fn content_path(view: &TorrentView) -> String {
    match &view.folder {
        Some(folder) if has_metadata(view) => {
            let path = std::path::Path::new(folder).join(&view.name);
            path.to_string_lossy().into_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_the_order_of_their_names() {
        assert!(FIELDS.is_sorted(), "{FIELDS:?}");
    }
}
