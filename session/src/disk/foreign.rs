//! Files that were there before and are not the torrent's: they are not overwritten unasked.

use super::backend::Access;
use super::error::{Operation, StorageError};
use super::pool::SCRATCH_LEN;
use super::store::{PARTS, index_to_slot};
use super::torrent::{DiskTorrent, Shared};
use std::collections::HashSet;
use std::path::PathBuf;

impl DiskTorrent {
    /// Looks for files that the download would overwrite though nothing says that they are the torrent's: wanted, not
    /// empty, without one right piece. A file of zeros was only preallocated. One of the right length is taken for the
    /// torrent's when none of its pieces can be checked, as they reach into missing files.
    ///
    /// One that has the name of a part is left alone, and the torrent's file made under its own name, unless `keep_parts`
    /// says that the name of the part is wanted.
    ///
    /// Files at `replaced`, below the download folder, may be overwritten.
    ///
    /// To be called after [`DiskTorrent::check`], for a torrent without resume data.
    ///
    /// # Errors
    ///
    /// [`StorageError::Foreign`] with the files; when the storage is closed or a file cannot be looked at or read.
    pub(crate) async fn refuse_foreign(
        &self,
        keep_parts: bool,
        replaced: Vec<PathBuf>,
    ) -> Result<(), StorageError> {
        let replaced = replaced.into_iter().collect();
        let files = self.run(move |shared| shared.foreign(keep_parts, &replaced));
        let files = files.await??;
        match files.is_empty() {
            true => Ok(()),
            false => Err(StorageError::Foreign { files }),
        }
    }
}

impl Shared {
    fn foreign(
        &self,
        keep_parts: bool,
        replaced: &HashSet<PathBuf>,
    ) -> Result<Vec<PathBuf>, StorageError> {
        let store = &self.store;
        // No other program leaves a parts file.
        if store.inspect(PARTS)?.is_some() {
            return Ok(Vec::new());
        }
        let held = store.held_lengths()?;
        let skipped = store.homes().skipped.clone();
        let layout = store.layout();
        let (mut foreign, mut disowned) = (Vec::new(), Vec::new());
        for (index, file) in layout.files().iter().enumerate() {
            let found = held.files[index];
            if file.pad
                || file.link.is_some()
                || skipped[index]
                || found == 0
                || replaced.contains(&file.path)
            {
                continue;
            }
            let mut pieces = layout.pieces_of(index);
            if pieces.any(|piece| self.verified.has(piece)) {
                continue;
            }
            let mut pieces = layout.pieces_of(index);
            let is_checkable = pieces.any(|piece| held.cover(layout, piece));
            let is_likely = !is_checkable && found == file.length && found > 0;
            if !is_likely && !self.is_blank(index, found)? {
                let is_part = store.names.current().is_part(index);
                match is_part && !keep_parts {
                    true => disowned.push(index),
                    false => foreign.push(store.slot_path(index_to_slot(index))),
                }
            }
        }
        if foreign.is_empty() {
            disowned
                .into_iter()
                .for_each(|index| store.disown_part(index));
        }
        Ok(foreign)
    }

    /// Whether a file holds nothing but zeros.
    fn is_blank(&self, index: usize, len: u64) -> Result<bool, StorageError> {
        let slot = index_to_slot(index);
        let file = self.store.open(slot, Access::Read)?;
        let mut scratch = vec![0; SCRATCH_LEN];
        let mut at = 0;
        while at < len {
            if self.is_closing() {
                return Err(StorageError::Closed);
            }
            let left = len - at;
            let part = usize::try_from(left).map_or(SCRATCH_LEN, |left| left.min(SCRATCH_LEN));
            let part = &mut scratch[..part];
            file.read_exact_at(part, at)
                .map_err(|e| StorageError::io(Operation::Read, &self.store.slot_path(slot), &e))?;
            if part.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            at += u64::try_from(part.len()).unwrap_or(u64::MAX);
        }
        Ok(true)
    }
}
