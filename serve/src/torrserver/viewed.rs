//! `/viewed`: which files were played, and how far. The list is kept with the daemon.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::link;
use super::refused::Refused;
use crate::control::{Control, TorrentId};

/// The name under which it is kept.
const KEPT: &str = "torrserver.viewed";
/// The most files of all torrents together.
const MAX_FILES: usize = 20_000;

/// Files that were played: by torrent and number, at which second.
type Played = BTreeMap<TorrentId, BTreeMap<u32, f64>>;

/// What was played.
#[derive(Default)]
pub(super) struct Viewed {
    played: Mutex<Played>,
    /// Held while it is saved.
    saving: tokio::sync::Mutex<()>,
}

/// A file that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    hash: TorrentId,
    file_index: u32,
    timecode: f64,
}

impl Viewed {
    /// Reads what is kept with the daemon.
    pub(super) async fn load(&self, control: &Control) -> Result<(), Refused> {
        let kept = control.kept(KEPT).await?;
        let views: Vec<View> = kept
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let mut played = self.played.lock();
        for view in views {
            let files = played.entry(view.hash).or_default();
            files.insert(view.file_index, view.timecode);
        }
        Ok(())
    }

    /// The files that were played of a torrent, or of all.
    pub(super) fn list(&self, id: Option<TorrentId>) -> Vec<View> {
        views(&self.played.lock(), id)
    }

    /// The file with the highest number that was played.
    pub(super) fn last(&self, id: TorrentId) -> Option<u32> {
        let played = self.played.lock();
        played.get(&id)?.keys().next_back().copied()
    }

    /// A file is being played. The second that is known of it stays.
    pub(super) async fn on_played(&self, control: &Control, id: TorrentId, file: u32) {
        let is_new = {
            let mut played = self.played.lock();
            let count: usize = played.values().map(BTreeMap::len).sum();
            let is_known = played.get(&id).is_some_and(|it| it.contains_key(&file));
            let is_new = !is_known && count < MAX_FILES;
            if is_new {
                played.entry(id).or_default().insert(file, 0.0);
            }
            is_new
        };
        if is_new && let Err(refused) = self.save(control).await {
            tracing::warn!("what was played is not saved: {}", refused.reason);
        }
    }

    /// Does what a request with another action than `list` asks for.
    pub(super) async fn change(
        &self,
        control: &Control,
        action: &str,
        body: &Body,
        keeps_time: bool,
    ) -> Result<(), Refused> {
        let hash = body.text("hash")?;
        let id = link::id(hash).ok_or_else(|| Refused::bad("hash has to be an info-hash"))?;
        let file = body.int("file_index")?.unwrap_or(0);
        let time = body.number("timecode")?.unwrap_or(0.0);
        match action {
            "set" => {
                let file = u32::try_from(file);
                let file = file.map_err(|_| Refused::bad("file_index has to be from 0 on"))?;
                if !time.is_finite() || time < 0.0 {
                    return Err(Refused::bad("timecode has to be from 0 on"));
                }
                let time = if keeps_time { time } else { 0.0 };
                self.set(id, file, time)?;
            }
            "rem" => self.remove(id, file),
            _ => return Err(Refused::bad("action has to be set, rem or list")),
        }
        self.save(control).await
    }

    fn set(&self, id: TorrentId, file: u32, time: f64) -> Result<(), Refused> {
        let mut played = self.played.lock();
        let count: usize = played.values().map(BTreeMap::len).sum();
        let is_known = played.get(&id).is_some_and(|it| it.contains_key(&file));
        if !is_known && count >= MAX_FILES {
            return Err(Refused::bad(format!(
                "more than {MAX_FILES} files were played"
            )));
        }
        played.entry(id).or_default().insert(file, time);
        Ok(())
    }

    /// -1 means all of the torrent.
    fn remove(&self, id: TorrentId, file: i64) {
        let mut played = self.played.lock();
        let Some(files) = played.get_mut(&id) else {
            return;
        };
        match u32::try_from(file) {
            Ok(file) => drop(files.remove(&file)),
            Err(_) if file == -1 => files.clear(),
            Err(_) => {}
        }
        if files.is_empty() {
            played.remove(&id);
        }
    }

    async fn save(&self, control: &Control) -> Result<(), Refused> {
        let _saving = self.saving.lock().await;
        let views = views(&self.played.lock(), None);
        let json =
            serde_json::to_string(&views).map_err(|error| Refused::bad(error.to_string()))?;
        Ok(control.keep(KEPT, json).await?)
    }
}

fn views(played: &Played, id: Option<TorrentId>) -> Vec<View> {
    let torrents = played
        .iter()
        .filter(|(hash, _)| id.is_none_or(|id| id == **hash));
    let views = torrents.flat_map(|(hash, files)| {
        files.iter().map(|(file_index, timecode)| View {
            hash: *hash,
            file_index: *file_index,
            timecode: *timecode,
        })
    });
    views.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_set_listed_and_removed() {
        let viewed = Viewed::default();
        let [a, b] = ["aa", "bb"].map(|byte| byte.repeat(20).parse::<TorrentId>().unwrap());
        for (id, file, time) in [(a, 1, 5.5), (a, 3, 0.0), (b, 2, 1.0), (a, 1, 7.0)] {
            viewed.set(id, file, time).unwrap();
        }
        let known = |id| {
            let views = viewed.list(id).into_iter();
            views
                .map(|view| (view.file_index, view.timecode))
                .collect::<Vec<_>>()
        };
        assert_eq!(known(Some(a)), [(1, 7.0), (3, 0.0)]);
        assert_eq!(known(None).len(), 3);
        assert_eq!((viewed.last(a), viewed.last(b)), (Some(3), Some(2)));
        viewed.remove(a, 3);
        viewed.remove(a, 9);
        viewed.remove(a, -5);
        assert_eq!(known(Some(a)), [(1, 7.0)]);
        viewed.remove(a, -1);
        assert_eq!(viewed.last(a), None);
        assert_eq!(known(None), [(2, 1.0)]);
        let json = serde_json::to_value(viewed.list(Some(b))).unwrap();
        assert_eq!(json[0]["hash"], "bb".repeat(20));
        assert_eq!(
            (&json[0]["file_index"], &json[0]["timecode"]),
            (&2.into(), &1.0.into())
        );
    }
}
