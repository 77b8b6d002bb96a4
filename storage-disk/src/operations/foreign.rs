//! Foreign files: files that were there before and are not the torrent's are not overwritten unasked.

use crate::layout::slots::{PARTS, index_to_slot};
use crate::resume::ResumeData;
use crate::system::file_system::Access;
use crate::system::metadata::FileState;
use crate::threads::pool::SCRATCH_LEN;
use crate::torrent::{DiskTorrent, Shared};
use std::collections::HashSet;
use std::path::PathBuf;
use tailwater_metainfo::Bitfield;
use tailwater_storage::{Operation, StorageError};

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
    /// With `remembered`, what resume data says, a file is taken for the torrent's even without a right piece, because it
    /// may be what a run that was killed has written: unless it had right pieces when that was saved, and has changed
    /// since (right pieces are not written again, so another program has replaced it), or has another length than the
    /// torrent's, which a file has from the first write on.
    ///
    /// To be called after [`DiskTorrent::check`].
    ///
    /// # Errors
    ///
    /// [`StorageError::Foreign`] with the files; when the storage is closed or a file cannot be looked at or read.
    pub(crate) async fn refuse_foreign(
        &self,
        keep_parts: bool,
        replaced: Vec<PathBuf>,
        remembered: Option<ResumeData>,
    ) -> Result<(), StorageError> {
        let replaced = replaced.into_iter().collect();
        let files = self.run(move |shared| {
            let remembered = remembered.map(|data| Earlier::new(data, shared));
            shared.foreign(keep_parts, &replaced, remembered.as_ref())
        });
        let files = files.await??;
        match files.is_empty() {
            true => Ok(()),
            false => Err(StorageError::Foreign { files }),
        }
    }
}

/// What an earlier run left, by its resume data.
struct Earlier {
    files: Vec<Option<FileState>>,
    /// The pieces that were right then.
    have: Bitfield,
}

impl Earlier {
    fn new(data: ResumeData, shared: &Shared) -> Self {
        let geometry = shared.store.layout().geometry();
        let have = [&data.have, &data.unsynced].map(|have| Bitfield::from_bytes(geometry, have));
        let have = have.into_iter().find_map(Result::ok);
        Self {
            files: data.files,
            have: have.unwrap_or_else(|| Bitfield::none(geometry)),
        }
    }

    /// Whether the torrent may have written a file that has no right piece now.
    fn wrote(&self, index: usize, shared: &Shared, now: Option<FileState>) -> bool {
        let is_empty = shared.store.layout().files()[index].length == 0;
        match now {
            // It was made when the download began.
            Some(now) if is_empty => now.len == 0,
            now => !self.is_replaced(index, shared, now),
        }
    }

    /// Whether a file that has no right piece now cannot be what the torrent wrote.
    fn is_replaced(&self, index: usize, shared: &Shared, now: Option<FileState>) -> bool {
        let layout = shared.store.layout();
        let due = layout.files()[index].length;
        if due == 0 || now.is_none_or(|now| now.len != due) {
            // The torrent never writes to an empty file, and gives any other its length before the first byte.
            return true;
        }
        let before = self.files.get(index).copied().flatten();
        let was_written = before.is_some_and(|before| before.len > 0 && Some(before) != now);
        was_written && layout.pieces_of(index).any(|piece| self.have.has(piece))
    }
}

impl Shared {
    /// The slots of wanted files that are not deleted with the torrent: nothing says that they are its own.
    ///
    /// Once it `has_begun`, all are its own but those that another program has put in the place of one. Before, a file is
    /// its own if a piece of it is right, or if an earlier run may have written it, by what is `remembered`.
    pub(crate) fn not_owned(
        &self,
        has_begun: bool,
        remembered: Option<ResumeData>,
    ) -> Result<HashSet<u32>, StorageError> {
        let earlier = remembered.map(|data| Earlier::new(data, self));
        let states = self.store.states()?;
        let layout = self.store.layout();
        let mut foreign = HashSet::new();
        for (index, file) in layout.files().iter().enumerate() {
            if file.pad {
                continue;
            }
            let (slot, now) = (index_to_slot(index), states[index]);
            let mut pieces = layout.pieces_of(index);
            let is_own = match has_begun {
                true => !self.store.is_replaced(slot)?,
                // It has no piece, and is made when the download begins.
                false if file.link.is_some() => earlier.is_some(),
                false => {
                    pieces.any(|piece| self.verified.has(piece))
                        || earlier
                            .as_ref()
                            .is_some_and(|it| it.wrote(index, self, now))
                }
            };
            if !is_own {
                foreign.insert(slot);
            }
        }
        Ok(foreign)
    }

    fn foreign(
        &self,
        keep_parts: bool,
        replaced: &HashSet<PathBuf>,
        earlier: Option<&Earlier>,
    ) -> Result<Vec<PathBuf>, StorageError> {
        let store = &self.store;
        // No other program leaves a parts file. What it does not tell is which files are ours still.
        if earlier.is_none() && store.inspect(PARTS)?.is_some() {
            return Ok(Vec::new());
        }
        let held = store.held_lengths()?;
        let states = store.states()?;
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
            if earlier.is_some_and(|earlier| !earlier.is_replaced(index, self, states[index])) {
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
