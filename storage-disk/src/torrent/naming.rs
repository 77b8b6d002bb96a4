//! Gives files their own names when all their pieces are verified.

use tailwater_metainfo::PieceIndex;
use tailwater_storage::StorageError;

use crate::torrent::{DiskTorrent, Shared};

impl Shared {
    /// A piece was verified: renames the files that are complete by it.
    pub(crate) fn name_files_of(&self, piece: PieceIndex) -> Result<(), StorageError> {
        let layout = self.store.layout();
        let geometry = layout.geometry();
        let len = usize::try_from(geometry.piece_len(piece)).unwrap_or(usize::MAX);
        for segment in layout.segments(geometry.piece_start(piece), len) {
            if let Some(index) = segment.file {
                self.name_file(index)?;
            }
        }
        Ok(())
    }

    fn name_file(&self, index: usize) -> Result<(), StorageError> {
        let is_whole = || {
            let mut pieces = self.store.layout().pieces_of(index);
            pieces.all(|piece| self.verified.has(piece))
        };
        let is_part = self.store.names.current().is_part(index);
        match is_part && is_whole() {
            true => self.store.rename_part(index),
            false => Ok(()),
        }
    }
}

impl DiskTorrent {
    /// Renames complete files from the names of parts to their own, unless others read them.
    ///
    /// # Errors
    ///
    /// [`StorageError::Foreign`] when another file has the name by now; when the storage is closed or the file cannot be
    /// renamed.
    pub(crate) async fn name_complete_files(&self) -> Result<(), StorageError> {
        let name = |shared: &Shared| {
            if !shared.store.hold().may_write() {
                return Ok(());
            }
            (0..shared.store.layout().files().len()).try_for_each(|index| shared.name_file(index))
        };
        self.run(name).await?
    }
}
