//! Renames files from the name of a part to their own.

use std::io;

use tailwater_storage::{Operation, StorageError};

use crate::files::Store;
use crate::layout::names::part_name;
use crate::layout::slots::index_to_slot;
use crate::system::below::rename;

impl Store {
    /// Gives a file its own name, if it has the name of a part.
    pub(crate) fn rename_part(&self, index: usize) -> Result<(), StorageError> {
        let mut parts = self.names.change();
        let file = &self.layout().files()[index];
        if !parts[index] {
            return Ok(());
        }
        let root = self.layout().root();
        match rename(root, &part_name(&file.path), &file.path) {
            // It is in the parts file, as it is not wanted.
            Err(StorageError::Io {
                kind: io::ErrorKind::NotFound,
                ..
            }) => return Ok(()),
            Err(StorageError::Io {
                operation: Operation::Rename,
                kind: io::ErrorKind::AlreadyExists,
                path,
                ..
            }) => return Err(StorageError::Foreign { files: vec![path] }),
            renamed => renamed?,
        }
        parts[index] = false;
        Ok(())
    }

    /// A file with the name of a file's part belongs to another program: ours is made under its own name.
    pub(crate) fn disown_part(&self, index: usize) {
        let slot = index_to_slot(index);
        let mut parts = self.names.change();
        parts[index] = false;
        drop(parts);
        self.pool().files().forget_file((self.torrent(), slot));
        self.known.forget(slot);
        self.note_removed(slot);
    }
}
