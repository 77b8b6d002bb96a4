//! What is done with torrents. Of several, each is tried; the first that fails is told of. One that is gone, or cannot do it
//! now, is passed over, as in the original.

use std::path::PathBuf;

use super::{Outcome, absent, nothing, selected, torrent};
use crate::control::{ControlError, TorrentPatch, TorrentView};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

/// Does something with each torrent.
pub(super) async fn each<F>(
    torrents: Vec<TorrentView>,
    mut action: impl FnMut(TorrentView) -> F,
) -> Outcome
where
    F: Future<Output = Result<(), ControlError>>,
{
    let mut first = Ok(());
    for torrent in torrents {
        match action(torrent).await {
            Ok(()) | Err(ControlError::NotFound(_) | ControlError::Conflict(_)) => {}
            Err(error) => first = first.and(Err(error)),
        }
    }
    first?;
    nothing()
}

pub(super) async fn run(shared: &Shared, name: &str, params: &Params) -> Outcome {
    let control = &shared.control;
    match name {
        "torrents/rename" => return rename(shared, params).await,
        "torrents/setLocation" => {
            return set_location(shared, params, ["hashes", "location"]).await;
        }
        "torrents/setSavePath" => return set_location(shared, params, ["id", "path"]).await,
        "torrents/addPeers" => return super::peers::add(shared, params).await,
        _ => {}
    }
    let [hashes] = params.need(["hashes"])?;
    let torrents = selected(shared, hashes);
    match name {
        "torrents/start" => each(torrents, |it| start(shared, it, false)).await,
        "torrents/stop" => each(torrents, |it| control.pause(it.id)).await,
        "torrents/recheck" => each(torrents, |it| control.recheck(it.id)).await,
        "torrents/reannounce" => {
            for torrent in torrents {
                // One that does not run is not announced.
                let _ = control.reannounce(torrent.id);
            }
            nothing()
        }
        "torrents/delete" => {
            // Sonarr leaves it out where the files are to stay.
            let delete_files = params.flag("deleteFiles").unwrap_or(false);
            each(torrents, |it| control.remove(it.id, delete_files)).await
        }
        "torrents/setForceStart" => {
            params.need(["value"])?;
            let forced = params.flag("value").unwrap_or(false);
            each(torrents, |it| start(shared, it, forced)).await
        }
        "torrents/setSuperSeeding" => {
            params.need(["value"])?;
            let super_seeding = params.flag("value").unwrap_or(false);
            each(torrents, |it| {
                let patch = TorrentPatch {
                    super_seeding: Some(super_seeding),
                    ..TorrentPatch::default()
                };
                control.patch(it.id, patch)
            })
            .await
        }
        "torrents/toggleSequentialDownload" => {
            each(torrents, |it| {
                let patch = TorrentPatch {
                    sequential: Some(!it.sequential),
                    ..TorrentPatch::default()
                };
                control.patch(it.id, patch)
            })
            .await
        }
        // There is neither; the switches stay off.
        "torrents/toggleFirstLastPiecePrio" => nothing(),
        "torrents/setAutoManagement" => {
            params.need(["enable"])?;
            nothing()
        }
        _ => absent::run(name),
    }
}

/// Has a torrent go on, whatever the queue says if it is forced.
async fn start(shared: &Shared, view: TorrentView, forced: bool) -> Result<(), ControlError> {
    if view.forced != forced {
        let patch = TorrentPatch {
            forced: Some(forced),
            ..TorrentPatch::default()
        };
        shared.control.patch(view.id, patch).await?;
    }
    shared.control.resume(view.id).await
}

async fn rename(shared: &Shared, params: &Params) -> Outcome {
    let [_, name] = params.need(["hash", "name"])?;
    let title: Vec<&str> = name
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    if title.is_empty() {
        return Err(Failure::conflict("Incorrect torrent name"));
    }
    let view = torrent(shared, params)?;
    let title = title.join(" ");
    let patch = TorrentPatch {
        title: Some((title != view.name).then_some(title)),
        ..TorrentPatch::default()
    };
    shared.control.patch(view.id, patch).await?;
    nothing()
}

async fn set_location(shared: &Shared, params: &Params, names: [&str; 2]) -> Outcome {
    let [hashes, location] = params.need(names)?;
    let location = location.trim();
    if location.is_empty() {
        return Err(Failure::params("Save path cannot be empty"));
    }
    each(selected(shared, hashes), |it| {
        shared.control.move_to(it.id, PathBuf::from(location))
    })
    .await
}
