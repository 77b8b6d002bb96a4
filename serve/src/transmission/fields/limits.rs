//! Limits of a torrent. In Transmission, one on seeding is inherited (mode 0), its own (1), or lifted (2).

use std::collections::BTreeMap;

use serde_json::Value;

use super::Row;
use crate::control::{Limit, OwnLimits, Settings, TorrentState, TorrentView};
use crate::transmission::remembered::{MINUTE, kilo};

/// Modes of limits on seeding.
const INHERITED: u8 = 0;
const OWN: u8 = 1;
const LIFTED: u8 = 2;

/// The limits on a torrent's seeding that hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::transmission) struct Held {
    ratio: Option<f64>,
    /// In seconds.
    idle: Option<u64>,
    /// In seconds.
    seeding: Option<u64>,
    /// What the settings say of peers.
    max_peers: usize,
}

/// The limits of labels that have some.
pub(in crate::transmission) fn labels(
    control: &crate::control::Control,
) -> BTreeMap<String, OwnLimits> {
    let labels = control.labels().into_iter();
    labels
        .filter(|label| label.options.seeding != OwnLimits::default())
        .map(|label| (label.name, label.options.seeding))
        .collect()
}

impl Held {
    /// Its own, then those of its labels, then those of the daemon.
    pub(in crate::transmission) fn of(
        view: &TorrentView,
        labels: &BTreeMap<String, OwnLimits>,
        settings: &Settings,
    ) -> Self {
        let of_labels = || view.labels.iter().filter_map(|label| labels.get(label));
        let ratio = view
            .ratio_limit
            .or_else(|| of_labels().find_map(|label| label.ratio_limit));
        let idle = view
            .idle_limit
            .or_else(|| of_labels().find_map(|label| label.idle_limit));
        let seeding = view
            .seeding_time_limit
            .or_else(|| of_labels().find_map(|label| label.seeding_time_limit));
        Self {
            ratio: ratio.map_or(settings.ratio_limit, Limit::value),
            idle: idle.map_or(settings.idle_limit, Limit::value),
            seeding: seeding.map_or(settings.seeding_time_limit, Limit::value),
            max_peers: settings.max_peers,
        }
    }

    /// Whether it is paused and has seeded enough.
    pub(super) fn is_finished(&self, view: &TorrentView, now: u64) -> bool {
        let is_over = view.state == TorrentState::Paused && view.left == 0 && view.piece_count > 0;
        let by_ratio = self.ratio.is_some_and(|limit| view.ratio >= limit);
        let by_idle = self.idle.is_some_and(|limit| idle_for(view, now) >= limit);
        let by_time = self.seeding;
        let by_time = by_time.is_some_and(|limit| view.seeding_seconds >= limit);
        is_over && (by_ratio || by_idle || by_time)
    }

    /// Seconds until a seed is paused because nothing is transferred.
    pub(super) fn idle_left(&self, view: &TorrentView, now: u64) -> Option<i64> {
        let limit = self.idle.filter(|_| view.state == TorrentState::Seeding)?;
        i64::try_from(limit.saturating_sub(idle_for(view, now))).ok()
    }

    /// Seconds until a seed has uploaded enough, at its rate.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate; a float that is no number of seconds becomes the nearest one"
    )]
    pub(super) fn ratio_eta(&self, view: &TorrentView) -> Option<i64> {
        let limit = self.ratio?;
        if view.up_rate == 0 {
            return None;
        }
        let wanted = limit * view.downloaded.max(view.have) as f64;
        let left = (wanted - view.uploaded as f64).max(0.0);
        Some((left / view.up_rate as f64) as i64)
    }
}

fn idle_for(view: &TorrentView, now: u64) -> u64 {
    let since = view.last_activity.or(view.completed).unwrap_or(view.added);
    now.saturating_sub(since)
}

pub(super) fn value(name: &str, row: &Row<'_>) -> Option<Value> {
    let (view, numbers) = (row.view, row.numbers);
    Some(match name {
        "download_limit" => view.download_limit.map_or(numbers.down, kilo).into(),
        "download_limited" => view.download_limit.is_some().into(),
        "honors_session_limits" => {
            let standing = row.parts.standing.as_ref();
            standing.is_none_or(|it| it.keeps_session_limits).into()
        }
        "max_connected_peers" | "peer_limit" => view.max_peers.unwrap_or(row.held.max_peers).into(),
        "seed_idle_limit" => {
            let own = view.idle_limit.and_then(Limit::value);
            own.map_or(numbers.idle_minutes, |seconds| seconds.div_ceil(MINUTE))
                .into()
        }
        "seed_idle_mode" => mode(view.idle_limit).into(),
        "seed_ratio_limit" => {
            let own = view.ratio_limit.and_then(Limit::value);
            own.unwrap_or(numbers.ratio).into()
        }
        "seed_ratio_mode" => mode(view.ratio_limit).into(),
        "upload_limit" => view.upload_limit.map_or(numbers.up, kilo).into(),
        "upload_limited" => view.upload_limit.is_some().into(),
        _ => return None,
    })
}

const fn mode<T: Copy>(limit: Option<Limit<T>>) -> u8 {
    match limit {
        None => INHERITED,
        Some(Limit::At(_)) => OWN,
        Some(Limit::Lifted(_)) => LIFTED,
    }
}
