//! The queue. Several torrents keep their order among themselves.

use super::Outcome;
use super::actions::each;
use crate::control::{TorrentPatch, TorrentView};
use crate::transmission::ids::select;
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

fn sorted(shared: &Shared, params: Params<'_>) -> Vec<TorrentView> {
    let mut torrents = select(shared, params).torrents;
    torrents.sort_by_key(|torrent| torrent.queue_position);
    torrents
}

/// Moves each to the place that `place` says, from 1.
async fn to(
    shared: &Shared,
    torrents: &[TorrentView],
    mut place: impl FnMut(&TorrentView) -> u64,
) -> Outcome {
    each(torrents, |it| {
        let patch = TorrentPatch {
            queue_position: Some(place(&it)),
            ..TorrentPatch::default()
        };
        shared.control.patch(it.id, patch)
    })
    .await
}

pub(super) async fn top(shared: &Shared, params: Params<'_>) -> Outcome {
    let mut torrents = sorted(shared, params);
    torrents.reverse();
    to(shared, &torrents, |_| 1).await
}

pub(super) async fn bottom(shared: &Shared, params: Params<'_>) -> Outcome {
    to(shared, &sorted(shared, params), |_| u64::MAX).await
}

pub(super) async fn up(shared: &Shared, params: Params<'_>) -> Outcome {
    // Those that are at the top already stay there.
    let mut least = 0;
    to(shared, &sorted(shared, params), |it| {
        least += 1;
        it.queue_position.saturating_sub(1).max(least)
    })
    .await
}

pub(super) async fn down(shared: &Shared, params: Params<'_>) -> Outcome {
    let mut torrents = sorted(shared, params);
    torrents.reverse();
    let mut most = u64::try_from(shared.control.torrents().len()).unwrap_or(u64::MAX);
    to(shared, &torrents, |it| {
        let place = it.queue_position.saturating_add(1).min(most);
        most = most.saturating_sub(1);
        place
    })
    .await
}
