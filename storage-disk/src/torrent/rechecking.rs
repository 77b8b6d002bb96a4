//! Hashes pieces again whose files another program has touched.

use std::collections::BTreeSet;

use tailwater_metainfo::{BlockRef, PieceIndex};
use tailwater_storage::{Completion, FileChange, StorageError};
use tokio::sync::oneshot;

use crate::layout::slots::{PARTS, index_to_slot, slot_to_index};
use crate::system::metadata::FileState;
use crate::threads::pool::SCRATCH_LEN;
use crate::torrent::{DiskTorrent, Shared};

impl Shared {
    /// The states of the files for resume data.
    ///
    /// # Errors
    ///
    /// [`StorageError::FileChanged`] with a file that another program has touched.
    fn untouched_states(&self) -> Result<Vec<Option<FileState>>, StorageError> {
        let states = self.store.states()?;
        match self.store.touched.first(&states) {
            None => Ok(states),
            Some(slot) => Err(StorageError::FileChanged {
                path: self.store.slot_path(slot),
                change: FileChange::Modified,
            }),
        }
    }

    /// Hashes the verified pieces of files that another program has touched. Returns those that are wrong now; they are
    /// verified no longer.
    pub(crate) fn recheck_touched(&self) -> Result<Vec<PieceIndex>, StorageError> {
        let states = self.store.states()?;
        let slots = self.store.touched.take(&states);
        let mut pieces = BTreeSet::new();
        for &slot in &slots {
            tracing::warn!(
                "{} was changed by another program: checking it again",
                self.store.slot_path(slot).display()
            );
            match slot {
                PARTS => pieces.extend(self.store.layout().geometry().pieces()),
                slot => pieces.extend(self.store.layout().pieces_of(slot_to_index(slot))),
            }
        }
        let mut scratch = match pieces.is_empty() {
            true => Vec::new(),
            false => vec![0; SCRATCH_LEN],
        };
        let mut wrong = Vec::new();
        for piece in pieces.into_iter().filter(|&piece| self.verified.has(piece)) {
            if self.is_closing() {
                return Err(StorageError::Closed);
            }
            let is_right = match self.is_right(piece, None, &mut scratch) {
                Err(error) if !error.is_missing_data() => return Err(error),
                hashed => hashed.unwrap_or(false),
            };
            if !is_right {
                self.verified.clear(piece);
                wrong.push(piece);
            }
        }
        Ok(wrong)
    }

    /// Doubts the pieces of files that were just found changed.
    fn doubt_noticed(&self) {
        for slot in self.store.touched.take_noticed() {
            tracing::warn!(
                "{} was changed by another program: its pieces are hashed again before they are sent",
                self.store.slot_path(slot).display()
            );
            for piece in self.store.layout().pieces_of(slot_to_index(slot)) {
                if self.verified.has(piece) {
                    self.doubted.set(piece);
                }
            }
        }
    }

    /// Hashes the doubted pieces among those of `blocks`, which were just read.
    ///
    /// # Errors
    ///
    /// [`StorageError::FileChanged`] when one is wrong.
    pub(crate) fn settle_doubts(&self, blocks: &[BlockRef]) -> Result<(), StorageError> {
        self.doubt_noticed();
        let mut scratch = Vec::new();
        for piece in blocks.iter().map(|block| block.piece()) {
            if !self.doubted.has(piece) {
                continue;
            }
            scratch.resize(SCRATCH_LEN, 0);
            if !self.is_right(piece, None, &mut scratch)? {
                return Err(StorageError::FileChanged {
                    path: self.path_of(piece),
                    change: FileChange::Modified,
                });
            }
            self.doubted.clear(piece);
        }
        Ok(())
    }

    /// The touched file that holds a piece, or the first one that does.
    fn path_of(&self, piece: PieceIndex) -> std::path::PathBuf {
        let files = 0..self.store.layout().files().len();
        let mut holders =
            files.filter(|&file| self.store.layout().pieces_of(file).any(|it| it == piece));
        let first = holders.clone().next().unwrap_or_default();
        let touched = holders.find(|&file| self.store.touched.has(index_to_slot(file)));
        self.store
            .slot_path(index_to_slot(touched.unwrap_or(first)))
    }

    /// Whether another program has touched a file.
    pub(crate) fn is_touched(&self) -> Result<bool, StorageError> {
        let states = self.store.states()?;
        Ok(self.store.touched.first(&states).is_some())
    }

    /// As [`Shared::recheck_touched`], and reports lost pieces to the torrent.
    pub(crate) fn recheck_and_tell(&self) -> Result<(), StorageError> {
        for piece in self.recheck_touched()? {
            (self.on_completion)(Completion::Evicted { piece });
        }
        Ok(())
    }
}

impl DiskTorrent {
    /// The length and time of each file, as resume data records them; pad files are `None`, the parts file comes last.
    /// Ask for [`DiskTorrent::verified`] before, not after.
    ///
    /// # Errors
    ///
    /// [`StorageError::FileChanged`] when another program has touched a file, so that nothing vouches for it; when the
    /// storage is closed or a file cannot be looked at.
    pub(crate) async fn untouched_states(&self) -> Result<Vec<Option<FileState>>, StorageError> {
        let ticket = self.enter()?;
        let (done, states) = oneshot::channel();
        self.pool().submit(
            self.write_thread(),
            Box::new(move |_| {
                let states = ticket.shared.untouched_states();
                drop(ticket);
                // The caller may have gone away.
                let _ = done.send(states);
            }),
        )?;
        states.await.map_err(|_| StorageError::Closed)?
    }

    /// Hashes again what another program has touched since the files were checked.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or a file cannot be read.
    pub(crate) async fn recheck_touched(&self) -> Result<(), StorageError> {
        self.run(|shared| shared.recheck_touched().map(drop))
            .await?
    }
}
