//! Names of incomplete files: they may be called parts; each gets its own name when all its pieces are verified.

use super::below::rename;
use super::layout::FileSpan;
use super::store::{Store, index_to_slot, slot_to_index};
use super::torrent::{DiskTorrent, Shared};
use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tailwater_metainfo::PieceIndex;
use tailwater_storage::{Operation, StorageError};

/// The suffix of an incomplete file's name.
const PART_SUFFIX: &str = ".part";

/// Which files have the name of a part at the moment. Locked while a file is opened or looked at by its name, so that it
/// is not renamed meanwhile.
pub(crate) struct Names {
    parts: RwLock<Box<[bool]>>,
}

/// The names as they are, until this is dropped. Not to be taken twice by one thread.
pub(crate) struct CurrentNames<'a>(RwLockReadGuard<'a, Box<[bool]>>);

impl Names {
    pub(crate) fn new(files: &[FileSpan]) -> Self {
        Self {
            parts: RwLock::new(files.iter().map(|file| file.is_part).collect()),
        }
    }

    pub(crate) fn current(&self) -> CurrentNames<'_> {
        CurrentNames(self.parts.read())
    }

    fn change(&self) -> RwLockWriteGuard<'_, Box<[bool]>> {
        self.parts.write()
    }
}

impl CurrentNames<'_> {
    pub(crate) fn path<'a>(&self, slot: u32, file: &'a FileSpan) -> Cow<'a, Path> {
        match self.0.get(slot_to_index(slot)) {
            Some(true) => part_name(&file.path).into(),
            _ => Cow::Borrowed(&file.path),
        }
    }

    pub(crate) fn is_part(&self, index: usize) -> bool {
        self.0.get(index) == Some(&true)
    }
}

/// The name of an incomplete file.
pub(crate) fn part_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(PART_SUFFIX);
    name.into()
}

impl Store {
    /// Gives a file its own name, if it has the name of a part.
    fn rename_part(&self, index: usize) -> Result<(), StorageError> {
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
