//! The queue. Several torrents keep their order among themselves.

use super::actions::each;
use super::{Outcome, selected};
use crate::control::{TorrentPatch, TorrentView};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::has_queue;

pub(super) async fn run(shared: &Shared, name: &str, params: &Params) -> Outcome {
    let [hashes] = params.need(["hashes"])?;
    if !has_queue(&shared.control.settings()) {
        return Err(Failure::conflict("Torrent queueing must be enabled"));
    }
    let mut torrents = selected(shared, hashes);
    torrents.sort_by_key(|torrent| torrent.queue_position);
    match name {
        "torrents/topPrio" => {
            torrents.reverse();
            to(shared, torrents, |_| 1).await
        }
        "torrents/bottomPrio" => to(shared, torrents, |_| u64::MAX).await,
        "torrents/increasePrio" => {
            // Those that are at the top already stay there.
            let mut least = 0;
            to(shared, torrents, |it| {
                least += 1;
                it.queue_position.saturating_sub(1).max(least)
            })
            .await
        }
        _ => {
            torrents.reverse();
            let mut most = u64::try_from(shared.control.torrents().len()).unwrap_or(u64::MAX);
            to(shared, torrents, |it| {
                let place = it.queue_position.saturating_add(1).min(most);
                most = most.saturating_sub(1);
                place
            })
            .await
        }
    }
}

/// Moves each to the place that `place` says, from 1.
async fn to(
    shared: &Shared,
    torrents: Vec<TorrentView>,
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
