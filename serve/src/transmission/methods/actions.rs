//! What is done with torrents. Of several, each is tried; the first that fails is told of. One that is gone, or cannot do it
//! now, is passed over, as in Transmission.

use std::path::{Path, PathBuf};

use serde_json::Map;

use super::{Outcome, nothing};
use crate::control::{ControlError, TorrentView};
use crate::transmission::failure::{Failure, Kind};
use crate::transmission::ids::select;
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

/// Does something with each torrent.
pub(super) async fn each<F>(
    torrents: &[TorrentView],
    mut action: impl FnMut(TorrentView) -> F,
) -> Outcome
where
    F: Future<Output = Result<(), ControlError>>,
{
    let mut first = Ok(());
    for torrent in torrents {
        match action(torrent.clone()).await {
            Ok(()) | Err(ControlError::NotFound(_) | ControlError::Conflict(_)) => {}
            Err(error) => first = first.and(Err(error)),
        }
    }
    first?;
    nothing()
}

pub(super) async fn start(shared: &Shared, params: Params<'_>) -> Outcome {
    let mut torrents = select(shared, params).torrents;
    torrents.sort_by_key(|torrent| torrent.queue_position);
    each(&torrents, |it| shared.control.resume(it.id)).await
}

pub(super) async fn start_now(shared: &Shared, params: Params<'_>) -> Outcome {
    let torrents = select(shared, params).torrents;
    each(&torrents, |it| shared.control.resume_now(it.id)).await
}

pub(super) async fn stop(shared: &Shared, params: Params<'_>) -> Outcome {
    let torrents = select(shared, params).torrents;
    each(&torrents, |it| shared.control.pause(it.id)).await
}

pub(super) async fn verify(shared: &Shared, params: Params<'_>) -> Outcome {
    let torrents = select(shared, params).torrents;
    each(&torrents, |it| shared.control.recheck(it.id)).await
}

pub(super) fn reannounce(shared: &Shared, params: Params<'_>) -> Outcome {
    for torrent in select(shared, params).torrents {
        // One that does not run is not announced.
        let _ = shared.control.reannounce(torrent.id);
    }
    nothing()
}

pub(super) async fn remove(shared: &Shared, params: Params<'_>) -> Outcome {
    let delete_files = params.flag("delete_local_data").unwrap_or(false);
    let torrents = select(shared, params).torrents;
    let removed = each(&torrents, |it| shared.control.remove(it.id, delete_files)).await;
    let there = shared.control.torrents();
    let numbers: std::collections::HashSet<i64> = there.iter().map(|it| it.number).collect();
    shared.remembered.retain(|number| numbers.contains(&number));
    removed
}

pub(super) async fn set_location(shared: &Shared, params: Params<'_>) -> Outcome {
    let location = params
        .text("location")
        .ok_or_else(|| Failure::params("no location"))?;
    if !Path::new(location).is_absolute() {
        let detail = "new location path is not absolute";
        return Err(Failure::new(Kind::RelativePath, detail));
    }
    let torrents = select(shared, params).torrents;
    let is_moved = params.flag("move").unwrap_or(false);
    let mut first = Ok(());
    for torrent in torrents {
        let folder = PathBuf::from(location);
        let done = match is_moved {
            true => shared.control.move_to(torrent.id, folder).await,
            false => shared.control.relocate(torrent.id, folder).await,
        };
        // One that is busy stays where it is, which its user has to know.
        match done {
            Ok(()) | Err(ControlError::NotFound(_)) => {}
            Err(error) => first = first.and(Err(error)),
        }
    }
    first?;
    nothing()
}

/// Renames a file or a folder. The answer names what was asked for, even if it failed.
pub(super) async fn rename_path(shared: &Shared, params: Params<'_>) -> Outcome {
    let torrents = select(shared, params).torrents;
    let [torrent] = torrents.as_slice() else {
        return Err(Failure::params("torrent_rename_path requires 1 torrent"));
    };
    let text = |name: &str| params.text(name).unwrap_or_default();
    let (path, name) = (text("path"), text("name"));
    let result = Map::from_iter([
        ("id".to_owned(), torrent.number.into()),
        ("path".to_owned(), path.into()),
        ("name".to_owned(), name.into()),
    ]);
    let renamed = shared
        .control
        .rename(torrent.id, path.to_owned(), name.to_owned());
    match renamed.await {
        Ok(()) => Ok(result),
        Err(error) => Err(Failure::from(error).with(result)),
    }
}
