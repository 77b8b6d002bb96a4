//! Torrents that are paused and not in the session: they take neither memory nor room on the disk, and nothing of them is
//! hashed. They are added to the session when they are resumed, or when something is asked that needs their files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tailwater_metainfo::{InfoHash, InfoHashV2, InfoHashes, Metainfo};
use tailwater_session::{Phase, Torrent, TorrentRecord};
use tokio::time::timeout;

use super::change::ChangeKind;
use super::entry::{Entry, EntryState, Run};
use super::error::ControlError;
use super::id::TorrentId;
use super::request::FileChange;
use super::service::{Control, Inner};
use super::view::{FileView, TorrentView, share};

/// How long the files of a torrent that is removed may be looked at before they are deleted.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
/// A comment that is longer is left out until the torrent is in the session, in bytes: there may be thousands.
const MAX_COMMENT_LEN: usize = 500;

/// What is known of a torrent without its .torrent file and its files, as it was when it was in the session last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// It has been in a session, so that its files are its own.
    pub is_started: bool,
    /// Bytes of all files.
    pub size: u64,
    /// Bytes that were held and verified.
    pub have: u64,
    /// Bytes of what was wanted and missing.
    pub left: u64,
    /// Pieces that were held and verified.
    pub pieces_have: u32,
    /// How many pieces it has.
    pub piece_count: u32,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// How many files it has.
    pub file_count: usize,
    /// It is private (BEP 27).
    pub is_private: bool,
    /// When it was made.
    pub created: Option<i64>,
    /// What the torrent says of itself.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// Its v2 info-hash (BEP 52), as 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info_hash_v2: Option<String>,
    /// Peers to connect to when it goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<SocketAddr>,
}

impl Facts {
    /// Those of a torrent that was never started.
    pub(super) fn new(metainfo: &Metainfo, record: &TorrentRecord) -> Self {
        let info = metainfo.info();
        let files = || info.files().iter().enumerate();
        let wanted = files().filter(|(index, file)| !file.is_pad() && is_wanted(record, *index));
        let short = |text: Option<&str>| {
            let text = text.filter(|text| text.len() <= MAX_COMMENT_LEN);
            text.map(str::to_owned)
        };
        Self {
            is_started: false,
            size: info.geometry().total(),
            have: 0,
            left: wanted.map(|(_, file)| file.length()).sum(),
            pieces_have: 0,
            piece_count: info.geometry().piece_count(),
            piece_length: info.geometry().piece_length(),
            file_count: files().filter(|(_, file)| !file.is_pad()).count(),
            is_private: info.is_private(),
            created: metainfo.creation_date(),
            comment: short(metainfo.comment()),
            created_by: short(metainfo.created_by()),
            info_hash_v2: info.info_hashes().v2.map(|hash| hash.to_string()),
            peers: Vec::new(),
        }
    }

    /// Those of a torrent in the session, if it knows what it holds.
    pub(super) fn of(torrent: &Torrent, record: &TorrentRecord) -> Option<Self> {
        let status = torrent.status();
        let is_known = matches!(
            status.phase,
            Phase::Downloading | Phase::Complete | Phase::Paused
        );
        is_known.then(|| Self {
            is_started: true,
            have: status.stats.bytes_have,
            left: status.stats.bytes_left,
            pieces_have: status.stats.pieces_have,
            ..Self::new(torrent.metainfo(), record)
        })
    }

    /// Its info-hashes, of which `wire` is the one that names it.
    pub(super) fn info_hashes(&self, wire: InfoHash) -> InfoHashes {
        let v2: Option<InfoHashV2> = self.info_hash_v2.as_deref().and_then(|it| it.parse().ok());
        InfoHashes {
            // A v2-only torrent is named by its v2 hash, truncated.
            v1: Some(wire).filter(|hash| v2.is_none_or(|v2| v2.truncated() != *hash)),
            v2,
        }
    }

    /// What is shown of it.
    pub(super) fn show(&self, view: &mut TorrentView) {
        view.size = self.size;
        view.have = self.have;
        view.left = self.left;
        view.progress = share(self.have, self.have + self.left);
        view.pieces_have = self.pieces_have;
        view.piece_count = self.piece_count;
        view.piece_length = self.piece_length;
        view.file_count = self.file_count;
        view.is_private = self.is_private;
        view.created = self.created;
        view.comment.clone_from(&self.comment);
        view.created_by.clone_from(&self.created_by);
    }
}

fn is_wanted(record: &TorrentRecord, file: usize) -> bool {
    priority(record, file) != tailwater_session::Priority::Skip
}

fn priority(record: &TorrentRecord, file: usize) -> tailwater_session::Priority {
    let own = u32::try_from(file).ok();
    let own = own.and_then(|file| record.file_priorities.get(&file).copied());
    own.unwrap_or(record.other_files)
}

impl EntryState {
    /// It is not in the session, and was never.
    pub(super) fn is_untouched(&self) -> bool {
        let is_started = self.facts.as_ref().is_some_and(|facts| facts.is_started);
        matches!(self.run, Run::Dormant) && !is_started
    }
}

impl Control {
    /// The torrent in the session, for streaming. One that is paused and not in it is added.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, its metadata is not known, or it cannot be added.
    pub async fn handle(&self, id: TorrentId) -> Result<Torrent, ControlError> {
        self.inner.awake(id).await
    }

    /// The torrent, if it is in the session now.
    #[must_use]
    pub fn running(&self, id: TorrentId) -> Option<Torrent> {
        self.inner.find(id)?.torrent()
    }
}

impl Inner {
    /// The torrent in the session, to which a dormant one is added, paused.
    pub(super) async fn awake(self: &Arc<Self>, id: TorrentId) -> Result<Torrent, ControlError> {
        let entry = self.entry(id)?;
        if !matches!(entry.state().run, Run::Dormant) {
            return entry.needed();
        }
        let inner = Arc::clone(self);
        self.finish(async move {
            let _changing = entry.changing.lock().await;
            inner.wake(&entry).await
        })
        .await
    }

    /// As [`Inner::awake`]; the torrent's lock is held by the caller.
    pub(super) async fn wake(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
    ) -> Result<Torrent, ControlError> {
        if matches!(entry.state().run, Run::Dormant) {
            let file = self.store.torrent_file(entry.number).await?;
            self.activate(entry, file, Vec::new()).await?;
        }
        entry.needed()
    }

    /// The metadata of a torrent that is not in the session.
    pub(super) async fn stored_metainfo(&self, entry: &Entry) -> Result<Metainfo, ControlError> {
        entry.metainfo(&self.stored_file(entry).await?)
    }

    /// The .torrent file of a torrent.
    pub(super) async fn stored_file(&self, entry: &Entry) -> Result<Vec<u8>, ControlError> {
        let file = self.store.torrent_file(entry.number).await?;
        file.ok_or_else(|| ControlError::Conflict("its metadata is not known yet".to_owned()))
    }

    /// The torrent whose files are to be deleted; `None` if none of them can be its own.
    pub(super) async fn to_delete(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        delete_files: bool,
    ) -> Option<Torrent> {
        if !delete_files || entry.state().is_untouched() {
            return entry.torrent();
        }
        // One that cannot be added any more has no files that would be known to be its own.
        let mut torrent = self.wake(entry).await.ok()?;
        let looked = async {
            while matches!(
                torrent.status().phase,
                Phase::Starting | Phase::Checking { .. }
            ) {
                if torrent.changed().await.is_err() {
                    break;
                }
            }
        };
        // What is not known by then is deleted by its names, as of any torrent that is being checked.
        let _ = timeout(LOOK_WITHIN, looked).await;
        Some(torrent)
    }

    /// The files of a torrent that was never started.
    pub(super) async fn untouched_files(
        &self,
        entry: &Entry,
    ) -> Result<Vec<FileView>, ControlError> {
        let metainfo = self.stored_metainfo(entry).await?;
        let (info, record) = (metainfo.info(), entry.record());
        let geometry = info.geometry();
        let files = info.files().iter().enumerate();
        let files = files.filter(|(_, file)| !file.is_pad());
        let files = files.map(|(index, file)| {
            let range = file.range();
            let pieces = geometry.pieces_in(range.start, range.end);
            let first = geometry.piece_at(range.start);
            FileView {
                index,
                path: file.path().as_str().to_owned(),
                size: file.length(),
                have: 0,
                priority: priority(&record, index).into(),
                first_piece: first.map_or(0, tailwater_metainfo::PieceIndex::get),
                piece_count: u32::try_from(pieces.count()).unwrap_or(u32::MAX),
            }
        });
        Ok(files.collect())
    }

    /// Changes how much files of a torrent are wanted that was never started. Its lock is held by the caller.
    pub(super) async fn set_untouched_files(
        &self,
        entry: &Entry,
        files: Vec<FileChange>,
    ) -> Result<(), ControlError> {
        let metainfo = self.stored_metainfo(entry).await?;
        check_files(&metainfo, files.iter().map(|file| file.index))?;
        let files = files.into_iter().map(FileChange::file);
        let files: Vec<_> = files.collect::<Result<_, _>>()?;
        let mut state = entry.state();
        for (file, priority) in files {
            state.record.file_priorities.insert(file.get(), priority);
        }
        state.facts = Some(Facts::new(&metainfo, &state.record));
        Ok(())
    }

    /// Puts a torrent into another folder that was never started, and so has no files. Its lock is held by the caller.
    pub(super) async fn move_untouched(
        &self,
        entry: &Entry,
        folder: PathBuf,
    ) -> Result<(), ControlError> {
        let shown = folder.to_string_lossy().into_owned();
        entry.state().record.storage = tailwater_session::StorageRecord::Folder(folder);
        self.save(entry, None).await?;
        self.log
            .push(Some(entry.id), ChangeKind::Moved { folder: shown });
        Ok(())
    }
}

/// Whether a torrent has these files.
pub(super) fn check_files(
    metainfo: &Metainfo,
    files: impl IntoIterator<Item = usize>,
) -> Result<(), ControlError> {
    let count = metainfo.info().files().len();
    match files.into_iter().find(|file| *file >= count) {
        None => Ok(()),
        Some(file) => Err(ControlError::Invalid(format!(
            "there is no file {file}: the torrent has {count}"
        ))),
    }
}
