//! The files of one torrent, as blocking operations for the I/O threads.
//!
//! A piece at the border of a skipped file holds bytes of it. They go to a sidecar, the *parts file*, at the torrent's own
//! offsets (sparse), so that the skipped file itself does not appear. A skipped file that exists already is used as it
//! is.

use super::backend::{Access, DiskFile};
use super::cursor::{Cursor, HeldLengths};
use super::error::{Operation, StorageError};
use super::folders::{FileState, file_state, inspect, make_folders, make_link};
use super::layout::Layout;
use super::pool::{IoPool, SCRATCH_LEN};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tailwater_metainfo::{InfoHash, PieceIndex};

/// The parts file's number in the cache, which no file of a torrent has.
pub(super) const PARTS: u32 = u32::MAX;

/// The files of one torrent.
pub(crate) struct Store {
    pool: IoPool,
    torrent: u64,
    layout: Layout,
    parts_path: PathBuf,
    homes: RwLock<Homes>,
}

/// Which files are skipped, and which of those have their bytes in the parts file.
pub(super) struct Homes {
    pub(super) skipped: Vec<bool>,
    pub(super) in_parts: Vec<bool>,
}

impl Store {
    /// A store for a torrent; nothing is touched yet. `skipped` holds indices of files that are not wanted.
    pub(crate) fn new(
        pool: IoPool,
        layout: Layout,
        info_hash: InfoHash,
        skipped: &[usize],
    ) -> Self {
        let mut flags = vec![false; layout.files().len()];
        for &file in skipped {
            if let Some(flag) = flags.get_mut(file) {
                *flag = true;
            }
        }
        Self {
            torrent: pool.number_torrent(),
            parts_path: layout.root().join(format!(".{info_hash}.parts")),
            homes: RwLock::new(Homes {
                in_parts: vec![false; flags.len()],
                skipped: flags,
            }),
            pool,
            layout,
        }
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) const fn torrent(&self) -> u64 {
        self.torrent
    }

    pub(crate) const fn pool(&self) -> &IoPool {
        &self.pool
    }

    /// Finds out which files have their bytes in the parts file: those that do not exist, if they are skipped, or were in
    /// an earlier run that left a parts file.
    pub(crate) fn find_homes(&self) -> Result<(), StorageError> {
        let mut homes = self.homes.write().unwrap_or_else(PoisonError::into_inner);
        let parts = inspect(&self.parts_path)?.is_some();
        for (index, file) in self.layout.files().iter().enumerate() {
            if !file.pad && (homes.skipped[index] || parts) {
                homes.in_parts[index] = inspect(&self.path(index))?.is_none();
            }
        }
        Ok(())
    }

    /// Makes the folder, the links, and the wanted files that are empty, and opens the first of the others, so that a
    /// folder that cannot be written to is found out now. What the parts file holds of files that were skipped in an earlier run
    /// moves to where it belongs, as far as it is in a piece to `keep`.
    pub(crate) fn prepare(&self, keep: impl Fn(PieceIndex) -> bool) -> Result<(), StorageError> {
        let root = self.layout.root();
        fs::create_dir_all(root).map_err(|e| StorageError::io(Operation::Create, root, &e))?;
        self.empty_parts(keep)?;
        let homes = self.homes();
        let mut tried = false;
        for (index, file) in self.layout.files().iter().enumerate() {
            if file.pad || homes.skipped[index] || (tried && file.length > 0) {
                continue;
            }
            if let Some(target) = &file.link {
                make_link(root, &self.path(index), target)?;
                continue;
            }
            tried |= file.length > 0;
            self.open(index_to_slot(index), Access::Write)?;
        }
        Ok(())
    }

    /// Begins a row of reads and writes. Moving files between homes waits until it is dropped.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// How long each file is as far as it can hold torrent data: 0 where it is missing.
    pub(crate) fn held_lengths(&self) -> Result<HeldLengths, StorageError> {
        let len = |path: &Path| inspect(path).map(|found| found.map_or(0, |it| it.len()));
        let files = self.layout.files().iter().enumerate();
        let files = files.map(|(index, file)| {
            if file.pad {
                return Ok(0);
            }
            len(&self.path(index))
        });
        Ok(HeldLengths {
            files: files.collect::<Result<_, _>>()?,
            parts: len(&self.parts_path)?,
            in_parts: self.homes().in_parts.clone(),
        })
    }

    /// The state of each file, pad files left out as `None`; the parts file comes last.
    pub(crate) fn states(&self) -> Result<Vec<Option<FileState>>, StorageError> {
        let files = self.layout.files().iter().enumerate();
        let files = files.map(|(index, file)| (!file.pad).then(|| self.path(index)));
        files
            .chain([Some(self.parts_path.clone())])
            .map(|path| {
                path.map_or(Ok(None), |path| {
                    Ok(inspect(&path)?.map(|it| file_state(&it)))
                })
            })
            .collect()
    }

    /// Returns when the device holds all that was written to files that exist.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        let slots = (0..self.layout.files().len()).map(index_to_slot);
        for slot in slots.chain([PARTS]) {
            let pad = slot != PARTS && self.layout.files()[slot_to_index(slot)].pad;
            if pad || inspect(&self.slot_path(slot))?.is_none() {
                continue;
            }
            // Windows flushes only through a handle that may write.
            let access = if cfg!(windows) {
                Access::Write
            } else {
                Access::Read
            };
            let file = self.open(slot, access)?;
            file.sync()
                .map_err(|e| StorageError::io(Operation::Sync, &self.slot_path(slot), &e))?;
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
        let mut homes = self.homes.write().unwrap_or_else(PoisonError::into_inner);
        if homes.skipped[file] == skip {
            return Ok(());
        }
        homes.skipped[file] = skip;
        if skip {
            homes.in_parts[file] = inspect(&self.path(file))?.is_none();
            return Ok(());
        }
        drop(homes);
        self.empty_parts(keep).inspect_err(|_| {
            let mut homes = self.homes.write().unwrap_or_else(PoisonError::into_inner);
            homes.skipped[file] = homes.in_parts[file];
        })
    }

    /// Moves the bytes of wanted files out of the parts file, and removes it when it holds no file's bytes any longer.
    fn empty_parts(&self, keep: impl Fn(PieceIndex) -> bool) -> Result<(), StorageError> {
        let mut homes = self.homes.write().unwrap_or_else(PoisonError::into_inner);
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

    /// Closes all files of the torrent.
    pub(crate) fn close(&self) {
        self.pool.files().forget_torrent(self.torrent);
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
                    let target = self.open(slot, Access::Write)?;
                    self.write(
                        &*target,
                        slot,
                        &buf[..len],
                        at - self.layout.files()[file].offset,
                    )?;
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
        match fs::remove_file(&self.parts_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io(
                Operation::Remove,
                &self.parts_path,
                &error,
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn homes(&self) -> RwLockReadGuard<'_, Homes> {
        self.homes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, index: usize) -> PathBuf {
        self.layout.root().join(&self.layout.files()[index].path)
    }

    fn slot_path(&self, slot: u32) -> PathBuf {
        if slot == PARTS {
            self.parts_path.clone()
        } else {
            self.path(slot_to_index(slot))
        }
    }

    pub(super) fn open(
        &self,
        slot: u32,
        access: Access,
    ) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.pool.files().get((self.torrent, slot), access, || {
            let path = self.slot_path(slot);
            if access == Access::Write {
                make_folders(self.layout.root(), &path)?;
            }
            let file = self
                .pool
                .file_system()
                .open(&path, access)
                .map_err(|error| StorageError::io(Operation::Open, &path, &error))?;
            if access == Access::Write && slot != PARTS {
                // Sparse where the file system can: the length says from the beginning what the file will be.
                let due = self.layout.files()[slot_to_index(slot)].length;
                let resize = |error| StorageError::io(Operation::Resize, &path, &error);
                if file.len().map_err(resize)? < due {
                    file.set_len(due).map_err(resize)?;
                }
            }
            Ok(file)
        })
    }

    pub(super) fn read(
        &self,
        file: &dyn DiskFile,
        slot: u32,
        buf: &mut [u8],
        at: u64,
    ) -> Result<(), StorageError> {
        file.read_exact_at(buf, at)
            .map_err(|error| StorageError::io(Operation::Read, &self.slot_path(slot), &error))
    }

    pub(super) fn write(
        &self,
        file: &dyn DiskFile,
        slot: u32,
        data: &[u8],
        at: u64,
    ) -> Result<(), StorageError> {
        file.write_all_at(data, at)
            .map_err(|error| StorageError::io(Operation::Write, &self.slot_path(slot), &error))
    }
}

impl Drop for Store {
    /// A torrent that was dropped without being closed leaves no file open.
    fn drop(&mut self) {
        self.close();
    }
}

/// A torrent's file list fits into a .torrent of a few megabytes, so its indices fit a `u32`.
pub(super) fn index_to_slot(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(PARTS - 1)
}

fn slot_to_index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}
