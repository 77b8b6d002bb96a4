//! Figures, times and limits of a torrent.

use serde_json::Value;

use super::state::is_looking;
use super::{has_metadata, is_complete};
use crate::control::{Limit, OwnLimits, Settings, TorrentState, TorrentView, TrackerView};
use crate::qbittorrent::categories::Labels;

/// What stands for a time that is not known, in seconds: a hundred days.
pub(in crate::qbittorrent) const MAX_ETA: u64 = 8_640_000;
/// What stands for a ratio that is too large to be shown.
const MAX_RATIO: f64 = 9_999.0;
/// Seconds of a minute.
const MINUTE: u64 = 60;
/// Seconds of a month: a twelfth of a year.
const MONTH: f64 = 2_629_746.0;
/// There is no limit.
const NO_LIMIT: i64 = -1;
/// The limit is inherited.
const INHERITED: i64 = -2;

/// The limits on a torrent's seeding that hold: its own, then those of its labels, then those of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::qbittorrent) struct Limits {
    pub(in crate::qbittorrent) ratio: Option<f64>,
    /// In seconds.
    pub(in crate::qbittorrent) idle: Option<u64>,
    /// In seconds.
    pub(in crate::qbittorrent) seeding_time: Option<u64>,
}

impl Limits {
    pub(in crate::qbittorrent) fn of(
        view: &TorrentView,
        labels: &Labels,
        settings: &Settings,
    ) -> Self {
        let of_labels = view.labels.iter().filter_map(|label| labels.options(label));
        let own = OwnLimits {
            ratio_limit: view.ratio_limit,
            idle_limit: view.idle_limit,
            seeding_time_limit: view.seeding_time_limit,
        };
        let held = of_labels.fold(own, |held, label| OwnLimits {
            ratio_limit: held.ratio_limit.or(label.seeding.ratio_limit),
            idle_limit: held.idle_limit.or(label.seeding.idle_limit),
            seeding_time_limit: held.seeding_time_limit.or(label.seeding.seeding_time_limit),
        });
        Self {
            ratio: held.ratio_limit.map_or(settings.ratio_limit, Limit::value),
            idle: held.idle_limit.map_or(settings.idle_limit, Limit::value),
            seeding_time: held
                .seeding_time_limit
                .map_or(settings.seeding_time_limit, Limit::value),
        }
    }
}

/// When it will be complete; of a seed, when it will have seeded enough.
pub(in crate::qbittorrent) fn eta(view: &TorrentView, limits: &Limits, now: u64) -> u64 {
    match view.state {
        TorrentState::Downloading => view.eta.unwrap_or(MAX_ETA).min(MAX_ETA),
        TorrentState::Seeding => {
            let by_time = limits
                .seeding_time
                .map(|it| it.saturating_sub(view.seeding_seconds));
            let active = view.last_activity.max(view.completed).unwrap_or(view.added);
            let idle_for = now.saturating_sub(active);
            let by_idle = limits.idle.map(|limit| limit.saturating_sub(idle_for));
            let all = [by_time, by_idle, ratio_eta(view, limits)];
            all.into_iter()
                .flatten()
                .min()
                .unwrap_or(MAX_ETA)
                .min(MAX_ETA)
        }
        _ => MAX_ETA,
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; a float that is no number of seconds becomes the nearest one"
)]
fn ratio_eta(view: &TorrentView, limits: &Limits) -> Option<u64> {
    let limit = limits.ratio.filter(|_| view.up_rate > 0)?;
    let wanted = view.downloaded.max(view.have) as f64 * limit;
    Some(((wanted - view.uploaded as f64).max(0.0) / view.up_rate as f64) as u64)
}

/// -1 stands for a ratio of something to nothing.
pub(in crate::qbittorrent) fn ratio(view: &TorrentView) -> f64 {
    let is_endless = view.uploaded > 0 && view.downloaded == 0 && view.have == 0;
    match is_endless || view.ratio >= MAX_RATIO {
        true => -1.0,
        false => view.ratio,
    }
}

/// The ratio for each month in which it ran.
#[expect(
    clippy::cast_precision_loss,
    reason = "a figure to compare torrents with"
)]
pub(in crate::qbittorrent) fn popularity(view: &TorrentView) -> f64 {
    match active_seconds(view) {
        0 => 0.0,
        seconds => view.ratio / (seconds as f64 / MONTH),
    }
}

/// How long it ran, in seconds.
pub(super) const fn active_seconds(view: &TorrentView) -> u64 {
    view.downloading_seconds
        .saturating_add(view.seeding_seconds)
}

/// Bytes of what is wanted; what is held and not wanted any more counts.
pub(super) const fn wanted(view: &TorrentView) -> u64 {
    view.have.saturating_add(left(view))
}

/// Bytes of what is wanted and missing; all of it until it is known.
pub(super) const fn left(view: &TorrentView) -> u64 {
    match is_looking(view) && view.left == 0 {
        true => view.size,
        false => view.left,
    }
}

/// Bytes of it that are held.
pub(super) const fn completed(view: &TorrentView) -> u64 {
    view.have
}

/// Bytes of all files; -1 while they are not known.
pub(super) fn size(view: &TorrentView) -> Value {
    match has_metadata(view) {
        true => view.size.into(),
        false => NO_LIMIT.into(),
    }
}

/// How much of what is wanted is held; while it is checked, how much of that is done.
pub(super) fn progress(view: &TorrentView) -> f64 {
    match view.state {
        TorrentState::Checking => view.state_progress.unwrap_or(0.0),
        _ if !has_metadata(view) => 0.0,
        _ => view.progress,
    }
}

/// How many whole copies connected peers have, at least; -1 for what is not downloaded. What peers have together that have
/// not everything takes too long to find out for a list.
pub(super) fn availability(view: &TorrentView) -> f64 {
    let downloads = matches!(view.state, TorrentState::Downloading);
    match downloads && !is_complete(view) {
        true => u32::try_from(view.seeds).map_or(f64::MAX, f64::from),
        false => -1.0,
    }
}

/// Connected peers that lack something.
pub(super) const fn leeches(view: &TorrentView) -> usize {
    view.peers.saturating_sub(view.seeds)
}

/// How many peers have everything, and how many do not, as trackers say, or as we know.
pub(in crate::qbittorrent) fn totals(view: &TorrentView, trackers: &[TrackerView]) -> (u64, u64) {
    let most = |count: fn(&TrackerView) -> Option<u32>| trackers.iter().filter_map(count).max();
    let known = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let seeds = most(|it| it.seeders).map_or_else(|| known(view.seeds), u64::from);
    let leeches = most(|it| it.leechers).map_or_else(|| known(leeches(view)), u64::from);
    (seeds, leeches)
}

/// Its place in the queue, from 1; 0 of what is complete.
pub(super) const fn place(view: &TorrentView) -> u64 {
    match is_complete(view) {
        true => 0,
        false => view.queue_position,
    }
}

/// Seconds until a tracker is asked.
pub(super) fn reannounce(trackers: &[TrackerView]) -> u64 {
    let next = trackers.iter().filter_map(|tracker| tracker.next_announce);
    next.min().unwrap_or(0)
}

/// The tracker that works, else the first.
pub(super) fn tracker(trackers: &[TrackerView]) -> &str {
    let works = trackers.iter().find(|tracker| tracker.state == "working");
    let tracker = works.or(trackers.first());
    tracker.map_or("", |tracker| &tracker.url)
}

/// A Unix time; -1 for none.
pub(super) fn time(time: Option<u64>) -> Value {
    time.map_or(NO_LIMIT.into(), Value::from)
}

/// A limit that holds, in minutes; -1 for none.
pub(super) fn minutes(seconds: Option<u64>) -> Value {
    seconds.map_or(NO_LIMIT.into(), |it| it.div_ceil(MINUTE).into())
}

/// A limit of its own in minutes; -1 for none, -2 for one that is inherited.
pub(super) fn own_minutes(limit: Option<Limit<u64>>) -> Value {
    limit.map_or(INHERITED.into(), |limit| minutes(limit.value()))
}

/// The same for a ratio.
pub(super) fn own_ratio(limit: Option<Limit<f64>>) -> Value {
    match limit {
        None => (-2.0).into(),
        Some(limit) => limit.value().unwrap_or(-1.0).into(),
    }
}
