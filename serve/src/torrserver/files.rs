//! The files of a torrent as clients name them: by numbers from 1, in the order of their paths.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tailwater_metainfo::Info;
use tailwater_session::{Phase, Torrent};

use super::texts::Texts;
use super::torrs_hash::TorrsHash;
use crate::control::TorrentId;
use crate::stream::is_playable_name;

/// The most torrents whose files are kept ready.
const MAX_TORRENTS: usize = 256;
/// The most trackers that are named in a torrent's word.
const MAX_TRACKERS: usize = 20;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct File {
    /// Its number for clients.
    pub(super) id: usize,
    /// With the torrent's name in front, if it has a folder.
    pub(super) path: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) length: u64,
    /// Its index in the torrent.
    #[serde(skip)]
    pub(super) index: usize,
    /// Where it begins in the torrent, in bytes.
    #[serde(skip)]
    pub(super) offset: u64,
}

/// What is zero is left out, as in TorrServer.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl File {
    /// Without its folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The files of a torrent, by number.
pub(super) fn of(info: &Info) -> Vec<File> {
    let files = info.files().iter().enumerate();
    let shown = files.filter(|(_, file)| !file.is_pad() && file.symlink_target().is_none());
    let mut files: Vec<_> = shown
        .map(|(index, file)| File {
            id: 0,
            path: file.path().to_string(),
            length: file.length(),
            index,
            offset: file.offset(),
        })
        .collect();
    files.sort_by(by_path);
    for (id, file) in (1..).zip(&mut files) {
        file.id = id;
    }
    files
}

/// Numbers in paths count by their value: 2 comes before 10.
fn by_path(a: &File, b: &File) -> Ordering {
    let natural = alphanumeric_sort::compare_str(&a.path, &b.path);
    natural
        .then_with(|| a.path.cmp(&b.path))
        .then_with(|| a.index.cmp(&b.index))
}

/// The file that a client means; the only one, whatever it says.
pub(super) fn find(files: &[File], id: Option<i64>) -> Option<&File> {
    if let [only] = files {
        return Some(only);
    }
    let id = usize::try_from(id?).ok()?;
    files.get(id.checked_sub(1)?)
}

/// What is made of a running torrent once: clients ask for it every second.
#[derive(Clone)]
pub(super) struct Known {
    torrent: Torrent,
    pub(super) files: Arc<Vec<File>>,
    /// The word of which the texts were a part.
    word: Arc<str>,
    texts: Arc<Texts>,
}

/// The known ones.
#[derive(Default)]
pub(super) struct KnownTorrents {
    known: Mutex<HashMap<TorrentId, Known>>,
}

impl KnownTorrents {
    /// The files of a torrent, by number, and its word.
    pub(super) fn of(
        &self,
        id: TorrentId,
        torrent: &Torrent,
        texts: &Texts,
    ) -> (Arc<Vec<File>>, Arc<str>) {
        let mut known = self.known.lock();
        known.retain(|_, known| known.torrent.status().phase != Phase::Closed);
        if let Some(known) = known.get(&id).filter(|known| *known.texts == *texts) {
            return (Arc::clone(&known.files), Arc::clone(&known.word));
        }
        if known.len() >= MAX_TORRENTS {
            known.clear();
        }
        let made = Known {
            torrent: torrent.clone(),
            files: Arc::new(of(torrent.info())),
            word: word(id, torrent, texts).into(),
            texts: Arc::new(texts.clone()),
        };
        known.insert(id, made.clone());
        (made.files, made.word)
    }

    /// The files alone.
    pub(super) fn files(&self, id: TorrentId, torrent: &Torrent) -> Arc<Vec<File>> {
        let known = self.known.lock();
        let made = known.get(&id);
        let made = made.filter(|known| known.torrent.status().phase != Phase::Closed);
        made.map_or_else(
            || Arc::new(of(torrent.info())),
            |known| Arc::clone(&known.files),
        )
    }
}

/// The torrent in one word.
fn word(id: TorrentId, torrent: &Torrent, texts: &Texts) -> String {
    let mut word = TorrsHash::new(id.info_hash());
    word.title.clone_from(&texts.title);
    word.poster.clone_from(&texts.poster);
    word.category.clone_from(&texts.category);
    word.size = torrent.info().geometry().total();
    let trackers = torrent.metainfo().trackers().iter().flatten();
    word.trackers = trackers.take(MAX_TRACKERS).cloned().collect();
    word.pack()
}

/// Whether some player plays a file of such a name.
pub(super) fn is_playable(name: &str) -> bool {
    is_playable_name(name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::torrserver) fn files(paths: &[&str]) -> Vec<File> {
        let files = paths.iter().enumerate().map(|(index, path)| File {
            id: 0,
            path: (*path).to_owned(),
            length: 5,
            index,
            offset: 0,
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(by_path);
        for (id, file) in (1..).zip(&mut files) {
            file.id = id;
        }
        files
    }

    #[test]
    fn numbers_follow_paths_and_begin_with_one() {
        let files = files(&["t/e10.mkv", "t/e2.mkv", "t/e1.mkv", "t/e1.srt"]);
        let named: Vec<_> = files.iter().map(|file| (file.id, file.name())).collect();
        let expected = [(1, "e1.mkv"), (2, "e1.srt"), (3, "e2.mkv"), (4, "e10.mkv")];
        assert_eq!(named, expected);
        let index = |id| find(&files, id).map(|file| file.index);
        assert_eq!((index(Some(1)), index(Some(4))), (Some(2), Some(0)));
        for wrong in [None, Some(0), Some(5), Some(-1), Some(i64::MIN)] {
            assert_eq!(index(wrong), None, "{wrong:?}");
        }
        let json = serde_json::to_value(&files[0]).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"id": 1, "path": "t/e1.mkv", "length": 5})
        );
    }

    #[test]
    fn the_only_file_is_meant_whatever_is_said() {
        let files = files(&["film.mkv"]);
        for id in [None, Some(0), Some(7)] {
            assert_eq!(find(&files, id).map(|file| file.id), Some(1));
        }
    }
}
