//! Notices that another program deletes, replaces or cuts a torrent's files while it runs.
//!
//! An open file that is deleted can be written and read as before, and all of it is gone when it is closed. So of each
//! file that has been opened it is remembered which one it was: when it is opened again, when the torrent is complete and
//! when resume data is saved, the file of that name has to be the same one. Each time an open file is taken up, it must
//! have a name and its length.
//!
//! What is found stands until the torrent is added anew and its files are checked: nothing else can vouch for what was
//! verified before.

use crate::files::Store;
use crate::layout::slots::{PARTS, index_to_slot};
use crate::system::file_system::{Access, DiskFile};
use crate::system::metadata::FileId;
use std::collections::HashMap;
use std::fs::Metadata;
use std::sync::OnceLock;

use parking_lot::{Mutex, MutexGuard};
use tailwater_storage::{FileChange, Operation, StorageError};

/// The files of a torrent that have been opened, by their slots.
#[derive(Default)]
pub(crate) struct Known {
    files: Mutex<HashMap<u32, Seen>>,
    /// The first change that was noticed.
    change: OnceLock<StorageError>,
}

#[derive(Clone, Copy)]
struct Seen {
    id: Option<FileId>,
    /// Whether it was opened to be written, and has had its whole length since.
    has_length: bool,
}

impl Known {
    pub(crate) fn has(&self, slot: u32) -> bool {
        self.files().contains_key(&slot)
    }

    pub(crate) fn forget(&self, slot: u32) {
        self.files().remove(&slot);
    }

    /// The change that was noticed first, if there was one.
    pub(crate) fn change(&self) -> Option<&StorageError> {
        self.change.get()
    }

    /// Remembers a change, and passes any error on.
    pub(crate) fn note(&self, error: StorageError) -> StorageError {
        if error.is_changed_file() {
            // Which one was first is no matter.
            let _ = self.change.set(error.clone());
        }
        error
    }

    /// Whether the file has been given its length.
    pub(crate) fn has_length(&self, slot: u32) -> bool {
        self.files().get(&slot).is_some_and(|seen| seen.has_length)
    }

    /// The file has been given its length.
    fn set_has_length(&self, slot: u32) {
        if let Some(seen) = self.files().get_mut(&slot) {
            seen.has_length = true;
        }
    }

    /// Whether the file is the one that was opened before. The first one is remembered.
    fn is_same(&self, slot: u32, id: Option<FileId>) -> bool {
        let first = Seen {
            id,
            has_length: false,
        };
        self.files().entry(slot).or_insert(first).id == id
    }

    fn files(&self) -> MutexGuard<'_, HashMap<u32, Seen>> {
        self.files.lock()
    }
}

/// What is expected of the files when they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Files that have been opened are unchanged.
    Unchanged,
    /// Besides, every wanted file is there with its length; one that is too long is cut.
    Whole,
}

impl Store {
    /// Whether an open file is unchanged.
    pub(crate) fn check_open(
        &self,
        slot: u32,
        access: Access,
        file: &dyn DiskFile,
    ) -> Result<(), StorageError> {
        let state = file.state();
        let state = state
            .map_err(|error| StorageError::io(Operation::Inspect, &self.slot_path(slot), &error))?;
        if state.is_deleted {
            return Err(self.changed(slot, FileChange::Gone));
        }
        if !self.known.is_same(slot, state.id) {
            return Err(self.changed(slot, FileChange::Replaced));
        }
        if access == Access::Read && self.only_reads() {
            self.touched.before_read(slot, state.file_state());
        }
        // Writing behind the end would make up for the length, but not for what is lost.
        if access == Access::Write {
            if state.len < self.due(slot) {
                return Err(self.changed(slot, FileChange::Cut));
            }
            self.known.set_has_length(slot);
        }
        Ok(())
    }

    /// Whether the file of this name is another one than the file that was opened before.
    pub(crate) fn is_replaced(&self, slot: u32) -> Result<bool, StorageError> {
        let found = self.inspect(slot)?;
        let is_known = self.known.has(slot);
        Ok(found.is_some_and(|it| is_known && !self.known.is_same(slot, FileId::of(&it))))
    }

    /// Looks at the files by their names.
    ///
    /// # Errors
    ///
    /// [`StorageError::FileChanged`], and what the system says.
    pub(crate) fn look_at_names(&self, expect: Expect) -> Result<(), StorageError> {
        if let Some(change) = self.known.change() {
            return Err(change.clone());
        }
        let (mut slots, mut wanted) = (vec![PARTS], vec![false]);
        {
            let homes = self.homes();
            for (index, file) in self.layout().files().iter().enumerate() {
                if !file.pad && file.link.is_none() && !homes.in_parts[index] {
                    slots.push(index_to_slot(index));
                    wanted.push(!homes.skipped[index]);
                }
            }
        }
        let may_cut = self.hold().may_write();
        for (slot, is_wanted) in slots.into_iter().zip(wanted) {
            let is_whole = is_wanted && expect == Expect::Whole;
            let found = self.inspect(slot)?;
            self.compare(slot, is_whole, found.as_ref())?;
            if let Some(found) = found.filter(|_| is_whole && may_cut) {
                self.cut(slot, found.len())?;
            }
        }
        Ok(())
    }

    fn compare(
        &self,
        slot: u32,
        is_whole: bool,
        found: Option<&Metadata>,
    ) -> Result<(), StorageError> {
        let is_known = self.known.has(slot);
        if !is_known && !is_whole {
            return Ok(());
        }
        let Some(found) = found else {
            return Err(self.changed(slot, FileChange::Gone));
        };
        if is_known && !self.known.is_same(slot, FileId::of(found)) {
            return Err(self.changed(slot, FileChange::Replaced));
        }
        if is_whole && found.len() < self.due(slot) {
            return Err(self.changed(slot, FileChange::Cut));
        }
        Ok(())
    }

    /// Cuts what another program left behind the end of a file that is whole now.
    fn cut(&self, slot: u32, len: u64) -> Result<(), StorageError> {
        let due = self.due(slot);
        if len <= due {
            return Ok(());
        }
        let path = self.slot_path(slot);
        let behind = len - due;
        tracing::warn!(
            "{}: {behind} bytes behind its end are cut off",
            path.display()
        );
        let file = self.open_to_write(slot)?;
        file.set_len(due)
            .map_err(|error| StorageError::io(Operation::Resize, &path, &error))?;
        self.note_written(slot, &*file);
        Ok(())
    }

    pub(crate) fn due(&self, slot: u32) -> u64 {
        self.span(slot).map_or(0, |span| span.length)
    }

    fn changed(&self, slot: u32, change: FileChange) -> StorageError {
        let path = self.slot_path(slot);
        self.known.note(StorageError::FileChanged { path, change })
    }
}
