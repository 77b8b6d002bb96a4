//! The parts file: what it holds of skipped files, and how that gets to where it belongs.

use std::fs;
use std::io;
use std::io::IoSlice;

use tailwater_metainfo::PieceIndex;
use tailwater_storage::{Operation, StorageError};

use crate::files::Store;
use crate::layout::slots::{PARTS, index_to_slot};
use crate::system::file_system::Access;
use crate::threads::pool::SCRATCH_LEN;

impl Store {
    /// Finds out which files have their bytes in the parts file: those that do not exist, if they are skipped, or were in
    /// an earlier run that left a parts file.
    pub(crate) fn find_homes(&self) -> Result<(), StorageError> {
        let mut homes = self.homes.write();
        let parts = self.inspect(PARTS)?.is_some();
        for (index, file) in self.layout.files().iter().enumerate() {
            if !file.pad && (homes.skipped[index] || parts) {
                homes.in_parts[index] = self.inspect(index_to_slot(index))?.is_none();
            }
        }
        Ok(())
    }

    /// Skips a file or wants it again. In the latter case its bytes in the parts file move to where they belong, as far as
    /// they are in a piece to `keep`.
    pub(crate) fn set_skipped(
        &self,
        file: usize,
        skip: bool,
        keep: impl Fn(PieceIndex) -> bool,
    ) -> Result<(), StorageError> {
        let span = self.layout.files().get(file);
        if span.is_none_or(|span| span.pad) {
            return Ok(());
        }
        let mut homes = self.homes.write();
        if homes.skipped[file] == skip {
            return Ok(());
        }
        homes.skipped[file] = skip;
        if skip {
            homes.in_parts[file] = self.inspect(index_to_slot(file))?.is_none();
            return Ok(());
        }
        drop(homes);
        self.empty_parts(keep).inspect_err(|_| {
            let mut homes = self.homes.write();
            homes.skipped[file] = homes.in_parts[file];
        })
    }

    /// Moves the bytes of wanted files out of the parts file, and removes it when it holds no file's bytes any longer.
    pub(super) fn empty_parts(
        &self,
        keep: impl Fn(PieceIndex) -> bool,
    ) -> Result<(), StorageError> {
        let mut homes = self.homes.write();
        for (index, span) in self.layout.files().iter().enumerate() {
            if homes.skipped[index] || !homes.in_parts[index] {
                continue;
            }
            for piece in self.layout.pieces_of(index).filter(|&piece| keep(piece)) {
                let geometry = self.layout.geometry();
                let start = geometry.piece_start(piece);
                let end = start + u64::from(geometry.piece_len(piece));
                let from = start.max(span.offset);
                self.move_out_of_parts(index, from, end.min(span.offset + span.length))?;
            }
            homes.in_parts[index] = false;
        }
        if !homes.in_parts.contains(&true) {
            self.remove_parts()?;
        }
        Ok(())
    }

    fn move_out_of_parts(&self, file: usize, from: u64, to: u64) -> Result<(), StorageError> {
        let mut buf = vec![0; SCRATCH_LEN];
        let mut at = from;
        while at < to {
            let len = usize::try_from(to - at).map_or(buf.len(), |left| left.min(buf.len()));
            let parts = self.open(PARTS, Access::Read);
            match parts.and_then(|parts| self.read(&*parts, PARTS, &mut buf[..len], at)) {
                Ok(()) => {
                    let slot = index_to_slot(file);
                    let target = self.open_to_write(slot)?;
                    self.write(
                        &*target,
                        slot,
                        &mut [IoSlice::new(&buf[..len])],
                        at - self.layout.files()[file].offset,
                    )?;
                    self.note_written(slot, &*target);
                }
                // A piece that is only begun need not have bytes there.
                Err(error) if error.is_missing_data() => {}
                Err(error) => return Err(error),
            }
            at += u64::try_from(len).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    fn remove_parts(&self) -> Result<(), StorageError> {
        self.pool.files().forget_file((self.torrent, PARTS));
        self.known.forget(PARTS);
        self.note_removed(PARTS);
        let path = self.slot_path(PARTS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io(Operation::Remove, &path, &error))
            }
            _ => Ok(()),
        }
    }
}
