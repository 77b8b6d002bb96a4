//! The files of one torrent, as blocking operations for the I/O threads.
//!
//! A piece at the border of a skipped file holds bytes of it. They go to a sidecar, the *parts file*, at the torrent's own
//! offsets (sparse), so that the skipped file itself does not appear. A skipped file that exists already is used as it
//! is.

use crate::claims::hold::{Hold, tops};
use crate::claims::paths::Use;
use crate::files::cursor::{Cursor, HeldLengths};
use crate::files::known::Known;
use crate::files::touched::Touched;
use crate::layout::names::{CurrentNames, Names, parts_name};
use crate::layout::slots::{PARTS, index_to_slot, slot_to_index};
use crate::layout::{FileSpan, Layout};
use crate::system::below::{Links, Spot, make_link, make_root};
use crate::system::file_system::{Access, DiskFile};
use crate::system::metadata::{FileState, file_state, inspect, look};
use crate::threads::pool::IoPool;
pub(crate) mod cursor;
pub(crate) mod known;
mod parts;
mod renaming;
mod touched;

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use tailwater_metainfo::{InfoHash, PieceIndex};
use tailwater_storage::{Operation, StorageError};

/// In a torrent with more files than this, the whole file system is synced at once: each file by itself costs a write
/// of the journal. A download of 2 000 small files took 0.6 s, and takes 0.16 s.
const SYNCED_ONE_BY_ONE: usize = 64;

/// The files of one torrent.
pub(crate) struct Store {
    pool: IoPool,
    torrent: u64,
    layout: Layout,
    links: Links,
    /// The parts file's name in the download folder.
    parts_name: PathBuf,
    homes: RwLock<Homes>,
    /// The files that have been opened.
    pub(crate) known: Known,
    pub(crate) touched: Touched,
    pub(crate) names: Names,
    hold: Mutex<Hold>,
    /// Nothing of ours writes to the files any more.
    only_reads: AtomicBool,
}

/// Which files are skipped, and which of those have their bytes in the parts file.
pub(crate) struct Homes {
    pub(crate) skipped: Vec<bool>,
    pub(crate) in_parts: Vec<bool>,
}

impl Store {
    /// A store for a torrent; nothing is touched yet. `skipped` holds indices of files that are not wanted.
    pub(crate) fn new(
        pool: IoPool,
        layout: Layout,
        info_hash: InfoHash,
        skipped: &[usize],
        links: Links,
        hold: Hold,
    ) -> Self {
        let mut flags = vec![false; layout.files().len()];
        for &file in skipped {
            if let Some(flag) = flags.get_mut(file) {
                *flag = true;
            }
        }
        Self {
            torrent: pool.number_torrent(),
            parts_name: parts_name(info_hash),
            links,
            known: Known::default(),
            touched: Touched::default(),
            names: Names::new(layout.files()),
            only_reads: AtomicBool::new(hold.usage() == Use::Read),
            hold: Mutex::new(hold),
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

    /// Makes the folder, the links, and the wanted files that are empty, and opens the first of the others, so that a
    /// folder that cannot be written to is found out now. Bytes in the parts file that belong to files which were
    /// skipped in an earlier run move to those files, as far as they are in a piece to `keep`.
    pub(crate) fn prepare(&self, keep: impl Fn(PieceIndex) -> bool) -> Result<(), StorageError> {
        let root = self.layout.root();
        make_root(root)?;
        self.lock_for_writing()?;
        self.empty_parts(keep)?;
        let homes = self.homes();
        let mut tried = false;
        for (index, file) in self.layout.files().iter().enumerate() {
            if file.pad || homes.skipped[index] || (tried && file.length > 0) {
                continue;
            }
            if let Some(target) = &file.link {
                make_link(root, &file.path, target)?;
                continue;
            }
            tried |= file.length > 0;
            self.open(index_to_slot(index), Access::Write)?;
        }
        Ok(())
    }

    /// Preallocates the wanted files. Where the file system cannot, they are sparse.
    pub(crate) fn preallocate(&self) -> Result<(), StorageError> {
        let skipped = self.homes().skipped.clone();
        for (index, file) in self.layout.files().iter().enumerate() {
            if file.pad || file.link.is_some() || skipped[index] || file.length == 0 {
                continue;
            }
            let slot = index_to_slot(index);
            let open = self.open_to_write(slot)?;
            let allocated = open.allocate(file.length);
            self.note_written(slot, &*open);
            let path = self.slot_path(slot);
            match allocated.map_err(|e| StorageError::io(Operation::Resize, &path, &e))? {
                true => {}
                false => {
                    let path = path.display();
                    tracing::info!("{path} is sparse: its file system cannot preallocate");
                }
            }
        }
        Ok(())
    }

    /// Begins a row of reads and writes. Moving files between homes waits until it is dropped.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// The length of each file as far as it can hold torrent data: 0 where it is missing.
    pub(crate) fn held_lengths(&self) -> Result<HeldLengths, StorageError> {
        let len = |slot| {
            self.inspect(slot)
                .map(|found| found.map_or(0, |it| it.len()))
        };
        let files = self.layout.files().iter().enumerate();
        let files = files.map(|(index, file)| {
            if file.pad {
                return Ok(0);
            }
            len(index_to_slot(index))
        });
        Ok(HeldLengths {
            files: files.collect::<Result<_, _>>()?,
            parts: len(PARTS)?,
            in_parts: self.homes().in_parts.clone(),
        })
    }

    /// The state of each file, pad files and links left out as `None`; the parts file comes last.
    pub(crate) fn states(&self) -> Result<Vec<Option<FileState>>, StorageError> {
        let files = self.layout.files().iter().enumerate();
        let files = files.map(|(index, file)| {
            let is_data = !file.pad && file.link.is_none();
            is_data.then(|| index_to_slot(index))
        });
        let state = |slot: Option<u32>| {
            let found = slot.map_or(Ok(None), |slot| self.inspect(slot));
            found.map(|found| found.map(|it| file_state(&it)))
        };
        files.chain([Some(PARTS)]).map(state).collect()
    }

    /// Syncs all files that exist: returns when the device holds what was written to them.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        let root = self.layout.root();
        if self.layout.files().len() > SYNCED_ONE_BY_ONE {
            let synced = self.pool.file_system().sync_all(root);
            if synced.map_err(|e| StorageError::io(Operation::Sync, root, &e))? {
                return Ok(());
            }
        }
        let slots = (0..self.layout.files().len()).map(index_to_slot);
        for slot in slots.chain([PARTS]) {
            let span = self.span(slot);
            let is_data = span.is_none_or(|span| !span.pad && span.link.is_none());
            if !is_data || self.inspect(slot)?.is_none() {
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

    /// Locks the files against other processes, before the first byte is written. A file or folder that does not exist
    /// yet is made to be locked.
    fn lock_for_writing(&self) -> Result<(), StorageError> {
        let mut hold = self.hold();
        if hold.check_writable()? {
            return Ok(());
        }
        let homes = self.homes();
        let is_made = |&(index, file): &(usize, &FileSpan)| {
            !file.pad && file.link.is_none() && !homes.skipped[index]
        };
        let Some((index, _)) = self.layout.files().iter().enumerate().find(is_made) else {
            return Ok(());
        };
        let path = self.slot_path(index_to_slot(index));
        let tops = tops(&self.layout);
        if tops.contains(&path) {
            let file = self.open_by_name(index_to_slot(index), Access::Write)?;
            hold.lock_made(&path)?;
            // It was not there when the storage was opened.
            let state = file.state();
            let state = state.map_err(|e| StorageError::io(Operation::Inspect, &path, &e))?;
            return match state.len {
                0 => Ok(()),
                _ => Err(StorageError::InUse { path }),
            };
        }
        for top in tops.iter().filter(|top| path.starts_with(top)) {
            match fs::create_dir(top) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(StorageError::io(Operation::Create, top, &error));
                }
                _ => hold.lock_made(top)?,
            }
        }
        Ok(())
    }

    /// The torrent is complete: nothing will be written any more.
    pub(crate) fn share(&self) {
        self.hold().share();
        self.only_reads.store(true, Ordering::Release);
    }

    pub(crate) fn only_reads(&self) -> bool {
        self.only_reads.load(Ordering::Acquire)
    }

    pub(crate) fn hold(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock()
    }

    /// Closes all files of the torrent, and releases their locks.
    pub(crate) fn close(&self) {
        self.pool.files().forget_torrent(self.torrent);
        self.hold().release();
    }

    pub(crate) fn homes(&self) -> RwLockReadGuard<'_, Homes> {
        self.homes.read()
    }

    /// The file of a slot; `None` for the parts file.
    pub(crate) fn span(&self, slot: u32) -> Option<&FileSpan> {
        self.layout.files().get(slot_to_index(slot))
    }

    /// The path of a slot's file below the download folder, as it is named now.
    fn below(&self, slot: u32, names: &CurrentNames<'_>) -> Cow<'_, Path> {
        match self.span(slot) {
            Some(span) => names.path(slot, span),
            None => Cow::Borrowed(&self.parts_name),
        }
    }

    pub(crate) fn slot_path(&self, slot: u32) -> PathBuf {
        let names = self.names.current();
        self.layout.root().join(self.below(slot, &names))
    }

    /// The metadata of a slot's file, `None` when there is none.
    pub(crate) fn inspect(&self, slot: u32) -> Result<Option<Metadata>, StorageError> {
        let names = self.names.current();
        let (root, below) = (self.layout.root(), &*self.below(slot, &names));
        match self.span(slot).is_some_and(|span| span.link.is_some()) {
            // It is meant to be a link.
            true => look(root, below, self.links),
            false => inspect(root, below, self.links),
        }
    }

    /// Opens a slot's file, or finds it open. A file that was opened before has to be the same one still, and to have its
    /// length.
    pub(crate) fn open(
        &self,
        slot: u32,
        access: Access,
    ) -> Result<Arc<dyn DiskFile>, StorageError> {
        let key = (self.torrent, slot);
        let file = self.pool.files().get(key, access, || {
            let opened = self.open_by_name(slot, access);
            let file = opened.map_err(|error| match self.known.has(slot) {
                true => self.known.note(error.of_verified()),
                false => error,
            })?;
            self.extend(slot, access, &*file)?;
            Ok(file)
        })?;
        self.check_open(slot, access, &*file)?;
        Ok(file)
    }

    /// Opens a slot's file to write to it: what another program wrote to it meanwhile is noticed.
    pub(crate) fn open_to_write(&self, slot: u32) -> Result<Arc<dyn DiskFile>, StorageError> {
        let file = self.open(slot, Access::Write)?;
        self.note_before_write(slot, &*file)?;
        Ok(file)
    }

    fn open_by_name(&self, slot: u32, access: Access) -> Result<Box<dyn DiskFile>, StorageError> {
        let names = self.names.current();
        let spot = Spot {
            root: self.layout.root(),
            below: &self.below(slot, &names),
            links: self.links,
            may_make: !self.known.has(slot),
            executable: self.span(slot).is_some_and(|span| span.executable),
        };
        self.pool.file_system().open(&spot, access)
    }

    /// Gives a file its length: sparse where the file system can, so that it is right from the beginning. A file that
    /// is too long is cut when all of it is there; see `known`.
    fn extend(&self, slot: u32, access: Access, file: &dyn DiskFile) -> Result<(), StorageError> {
        let due = self.due(slot);
        if access == Access::Read {
            return Ok(());
        }
        self.note_before_write(slot, file)?;
        if self.known.has_length(slot) {
            return Ok(());
        }
        let resize = |error| StorageError::io(Operation::Resize, &self.slot_path(slot), &error);
        if file.state().map_err(resize)?.len < due {
            file.set_len(due).map_err(resize)?;
        }
        self.note_written(slot, file);
        Ok(())
    }

    pub(crate) fn read(
        &self,
        file: &dyn DiskFile,
        slot: u32,
        buf: &mut [u8],
        at: u64,
    ) -> Result<(), StorageError> {
        file.read_exact_at(buf, at)
            .map_err(|error| StorageError::io(Operation::Read, &self.slot_path(slot), &error))
    }

    pub(crate) fn write(
        &self,
        file: &dyn DiskFile,
        slot: u32,
        parts: &mut [IoSlice<'_>],
        at: u64,
    ) -> Result<(), StorageError> {
        file.write_all_parts_at(parts, at)
            .map_err(|error| StorageError::io(Operation::Write, &self.slot_path(slot), &error))
    }
}

impl Drop for Store {
    /// A torrent that was dropped without being closed leaves no file open.
    fn drop(&mut self) {
        self.close();
    }
}
