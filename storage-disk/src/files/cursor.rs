//! Reads and writes a torrent's bytes at their offsets, across files.

use crate::files::{Homes, Store};
use crate::layout::slots::{PARTS, index_to_slot};
use crate::layout::{Layout, Segment};
use crate::system::file_system::{Access, DiskFile};
use std::io::IoSlice;
use std::sync::Arc;

use parking_lot::RwLockReadGuard;
use tailwater_metainfo::PieceIndex;
use tailwater_storage::StorageError;

/// A cursor for consecutive reads and writes, which mostly go to the same file.
pub(crate) struct Cursor<'a> {
    store: &'a Store,
    homes: RwLockReadGuard<'a, Homes>,
    last: Option<(u32, Access, Arc<dyn DiskFile>)>,
}

impl<'a> Cursor<'a> {
    /// Begins a row; no file is open yet.
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            homes: store.homes(),
            last: None,
        }
    }

    /// Writes the bytes of one segment, which are those of `parts`; those of padding go nowhere.
    pub(crate) fn write(
        &mut self,
        segment: &Segment,
        parts: &mut [IoSlice<'_>],
    ) -> Result<(), StorageError> {
        let Some((slot, at)) = self.place(segment) else {
            return Ok(());
        };
        let store = self.store;
        let file = self.file(slot, Access::Write)?;
        store.write(file, slot, parts, at)
    }

    /// Fills `buf` with the torrent's bytes at `offset`; padding is zeros. Positions without a byte are left alone.
    pub(crate) fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), StorageError> {
        let store = self.store;
        let (mut rest, mut at_rest) = (buf, offset);
        for segment in store.layout().segments(offset, rest.len()) {
            let gap = usize::try_from(segment.offset - at_rest).unwrap_or(usize::MAX);
            let (part, after) = rest.split_at_mut(gap).1.split_at_mut(segment.len);
            at_rest = segment.offset + u64::try_from(segment.len).unwrap_or(u64::MAX);
            match self.place(&segment) {
                Some((slot, at)) => {
                    let file = self.file(slot, Access::Read)?;
                    store.read(file, slot, part, at)?;
                }
                None => part.fill(0),
            }
            rest = after;
        }
        Ok(())
    }

    /// The torrent's bytes from `offset` on will be read soon, though not in order: the system may read them ahead.
    pub(crate) fn will_read(&mut self, offset: u64, len: usize) {
        let store = self.store;
        for segment in store.layout().segments(offset, len) {
            // What cannot be opened fails when it is read.
            if let Some((slot, at)) = self.place(&segment)
                && let Ok(file) = self.file(slot, Access::Read)
            {
                file.will_read(at, segment.len);
            }
        }
    }

    /// The file that holds a segment's bytes and where in it; `None` for padding.
    fn place(&self, segment: &Segment) -> Option<(u32, u64)> {
        let index = segment.file?;
        Some(if self.homes.in_parts[index] {
            (PARTS, segment.offset)
        } else {
            (index_to_slot(index), segment.file_offset)
        })
    }

    fn file(&mut self, slot: u32, access: Access) -> Result<&dyn DiskFile, StorageError> {
        let fits = |last: &(u32, Access, _)| {
            last.0 == slot && (last.1 == access || last.1 == Access::Write)
        };
        if !self.last.as_ref().is_some_and(fits) {
            self.leave();
        }
        let (_, _, file) = match &mut self.last {
            Some(last) => last,
            empty => {
                let file = match access {
                    Access::Read => self.store.open(slot, access)?,
                    Access::Write => self.store.open_to_write(slot)?,
                };
                empty.insert((slot, access, file))
            }
        };
        Ok(&**file)
    }

    /// Leaves the last file, and records the time that our last write gave it.
    fn leave(&mut self) {
        if let Some((slot, Access::Write, file)) = self.last.take() {
            self.store.note_written(slot, &*file);
        }
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Lengths of the files when a check began.
pub(crate) struct HeldLengths {
    pub(crate) files: Vec<u64>,
    pub(crate) parts: u64,
    pub(crate) in_parts: Vec<bool>,
}

impl HeldLengths {
    /// Whether the files are long enough to hold all bytes of a piece.
    pub(crate) fn cover(&self, layout: &Layout, piece: PieceIndex) -> bool {
        let geometry = layout.geometry();
        let len = usize::try_from(geometry.piece_len(piece)).unwrap_or(usize::MAX);
        layout
            .segments(geometry.piece_start(piece), len)
            .all(|segment| {
                let end = |at: u64| at + u64::try_from(segment.len).unwrap_or(u64::MAX);
                segment.file.is_none_or(|file| {
                    if self.in_parts[file] {
                        end(segment.offset) <= self.parts
                    } else {
                        end(segment.file_offset) <= self.files[file]
                    }
                })
            })
    }
}
