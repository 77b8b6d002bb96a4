//! The files of a torrent: their priorities and their progress.

use tailwater_metainfo::FileIndex;

use super::Torrent;
use crate::driver::message::{Request, TorrentMessage};
use crate::error::{SettingError, TorrentError};
use crate::torrent::Priority;

/// The status of a file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FileStatus {
    /// Its index in [`Info::files`](tailwater_metainfo::Info::files).
    pub index: usize,
    /// Its path in the torrent, with `/` between its parts.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// Bytes of it in pieces that are held and verified.
    pub have: u64,
    /// How much it is wanted.
    pub priority: Priority,
    /// The first piece with bytes of it; of an empty file, the one where it would begin.
    pub first_piece: u32,
    /// How many pieces have bytes of it.
    pub piece_count: u32,
    /// Padding between files (BEP 47): never shown, wanted or stored.
    pub is_pad: bool,
}

impl Torrent {
    /// How much each file is wanted, by its index in [`Info::files`](tailwater_metainfo::Info::files).
    #[must_use]
    pub fn file_priorities(&self) -> Vec<Priority> {
        self.shared.settings.priorities()
    }

    /// Changes how much some files are wanted, by their index in [`Info::files`](tailwater_metainfo::Info::files); those
    /// not named stay as they are. Of a file named twice, the last counts. A piece is wanted as much as the file in it that
    /// is wanted most.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, all of it has been taken; the torrent may not act on it before the next change.
    ///
    /// # Errors
    ///
    /// [`SettingError::NoSuchFile`], and then nothing is changed. [`SettingError::Torrent`] when it is closed or could not
    /// start.
    pub async fn set_file_priorities(
        &self,
        files: &[(FileIndex, Priority)],
    ) -> Result<(), SettingError> {
        self.shared.settings.set_priorities(files)?;
        let request = TorrentMessage::Request(Request::Files);
        Ok(self.send(request).await?)
    }

    /// Its files, and how far each is.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn files(&self) -> Result<Vec<FileStatus>, TorrentError> {
        let have = self.have().await?;
        let priorities = self.file_priorities();
        let info = self.info();
        let geometry = info.geometry();
        let files = info.files().iter().zip(priorities).enumerate();
        let files = files.map(|(index, (file, priority))| {
            let range = file.range();
            let pieces = geometry.pieces_in(range.start, range.end);
            let mut status = FileStatus {
                index,
                path: file.path().as_str().to_owned(),
                length: file.length(),
                have: 0,
                priority,
                first_piece: geometry
                    .piece_at(range.start)
                    .map_or(0, tailwater_metainfo::PieceIndex::get),
                piece_count: 0,
                is_pad: file.is_pad(),
            };
            for piece in pieces {
                status.piece_count += 1;
                if have.has(piece) {
                    let start = geometry.piece_start(piece);
                    let end = start + u64::from(geometry.piece_len(piece));
                    status.have += end.min(range.end).saturating_sub(start.max(range.start));
                }
            }
            status
        });
        Ok(files.collect())
    }
}
