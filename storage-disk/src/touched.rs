//! Notices that another program writes to a torrent's files.
//!
//! Of each file it is remembered which length and time of change it had when it was checked, or after our own last write
//! to it. Before the next write, when resume data is saved and when the torrent is complete it has to have the same: if
//! not, another program has written to it. No clock is compared with another, so neither coarse kernel clocks nor those
//! of a file server matter. Where a file system sets the time only later (some over a network), a file seems touched
//! that is not: that costs one check of the file, nothing else. A write of another program between our write and the look
//! that follows it, or in the same tick of the clock (4 ms) as our last one, goes unnoticed.
//!
//! A torrent that only reads compares a file each time it takes it up. When it is another, its pieces are doubted: each is
//! hashed again before anything of it is handed out, so that a program that only sets the time costs no more than that.
//!
//! All writes of a torrent are made on one thread, so the comparison before a write, and that of a save, come between
//! writes and not in the middle of one.

use super::backend::DiskFile;
use super::folders::FileState;
use super::pool::SCRATCH_LEN;
use super::store::{PARTS, Store, index_to_slot, slot_to_index};
use super::torrent::{DiskTorrent, Shared};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{BlockRef, PieceIndex};
use tailwater_storage::{Completion, FileChange, Operation, StorageError};
use tokio::sync::oneshot;

/// The expected lengths and times of a torrent's files.
#[derive(Default)]
pub(crate) struct Touched {
    inner: Mutex<Inner>,
    /// There are files in `noticed`: looked at by each read, without the lock.
    has_noticed: AtomicBool,
}

#[derive(Default)]
struct Inner {
    /// In the order of [`Store::states`]; empty until the files have been looked at.
    expected: Vec<Option<FileState>>,
    /// Files that another program has written to since, by their slots.
    slots: BTreeSet<u32>,
    /// The changed files that were found when they were read, and whose pieces are not doubted yet.
    noticed: BTreeSet<u32>,
}

impl Inner {
    fn place(&mut self, slot: u32) -> Option<&mut Option<FileState>> {
        match slot {
            PARTS => self.expected.last_mut(),
            slot => self.expected.get_mut(slot_to_index(slot)),
        }
    }
}

impl Touched {
    /// The files are about to be checked, or are as resume data says: their states now are the expected ones.
    pub(crate) fn begin(&self, states: Vec<Option<FileState>>) {
        let mut inner = self.lock();
        inner.expected = states;
        inner.slots.clear();
    }

    /// Compares a file with its expected state before we write to it. A new one is empty.
    fn before_write(&self, slot: u32, found: FileState) {
        let mut inner = self.lock();
        let is_same = match inner.place(slot) {
            Some(Some(expected)) => *expected == found,
            Some(None) => found.len == 0,
            None => true,
        };
        if !is_same {
            inner.slots.insert(slot);
        }
    }

    /// Records the state of a file after we wrote to it.
    fn after_write(&self, slot: u32, found: Option<FileState>) {
        if let Some(place) = self.lock().place(slot) {
            *place = found;
        }
    }

    /// Compares a file with its expected state before we read it, while nothing of ours writes to it.
    pub(crate) fn before_read(&self, slot: u32, found: FileState) {
        let mut inner = self.lock();
        let Some(place) = inner.place(slot).filter(|place| **place != Some(found)) else {
            return;
        };
        // A later change is noticed again.
        *place = Some(found);
        inner.slots.insert(slot);
        inner.noticed.insert(slot);
        self.has_noticed.store(true, Ordering::Release);
    }

    /// Takes the files that were found changed when they were read.
    fn take_noticed(&self) -> BTreeSet<u32> {
        match self.has_noticed.swap(false, Ordering::Acquire) {
            true => std::mem::take(&mut self.lock().noticed),
            false => BTreeSet::new(),
        }
    }

    /// Takes the changed files, and expects them as they are now.
    fn take(&self, states: &[Option<FileState>]) -> BTreeSet<u32> {
        let mut inner = self.lock();
        inner.compare(states);
        for (expected, state) in inner.expected.iter_mut().zip(states) {
            *expected = *state;
        }
        std::mem::take(&mut inner.slots)
    }

    /// The first file that has changed.
    fn first(&self, states: &[Option<FileState>]) -> Option<u32> {
        let mut inner = self.lock();
        inner.compare(states);
        inner.slots.first().copied()
    }

    fn has(&self, slot: u32) -> bool {
        self.lock().slots.contains(&slot)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    fn compare(&mut self, states: &[Option<FileState>]) {
        let last = self.expected.len().saturating_sub(1);
        let pairs = self.expected.iter().zip(states).enumerate();
        let different = pairs.filter(|(_, (expected, state))| expected != state);
        let slots = different.map(|(index, _)| match index == last {
            true => PARTS,
            false => index_to_slot(index),
        });
        self.slots.extend(slots);
    }
}

impl Store {
    /// Records a file that we are going to write to.
    pub(crate) fn note_before_write(
        &self,
        slot: u32,
        file: &dyn DiskFile,
    ) -> Result<(), StorageError> {
        let state = file.state();
        let state = state
            .map_err(|error| StorageError::io(Operation::Inspect, &self.slot_path(slot), &error))?;
        self.touched.before_write(slot, state.file_state());
        Ok(())
    }

    /// Records a file that we have written to. Where the system does not say what it is now, it will seem to have been
    /// touched.
    pub(crate) fn note_written(&self, slot: u32, file: &dyn DiskFile) {
        if let Ok(state) = file.state() {
            self.touched.after_write(slot, Some(state.file_state()));
        }
    }

    pub(crate) fn note_removed(&self, slot: u32) {
        self.touched.after_write(slot, None);
    }
}

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
            let is_right = match self.is_right(piece, &mut scratch) {
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
            if !self.is_right(piece, &mut scratch)? {
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
            self.lane(),
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn state(len: u64, mtime_ns: i64) -> FileState {
        FileState { len, mtime_ns }
    }

    #[test]
    fn a_file_is_touched_when_it_is_not_what_it_was_after_our_last_write() {
        let touched = Touched::default();
        // Nothing is known yet.
        touched.before_write(0, state(5, 5));
        assert_eq!(touched.first(&[]), None);

        touched.begin(vec![Some(state(5, 5)), None, None]);
        touched.before_write(0, state(5, 5));
        touched.after_write(0, Some(state(5, 6)));
        touched.before_write(1, state(0, 9));
        touched.after_write(1, Some(state(7, 9)));
        let now = [Some(state(5, 6)), Some(state(7, 9)), None];
        assert_eq!(touched.first(&now), None);

        // Between two of our writes.
        touched.before_write(1, state(7, 10));
        touched.after_write(1, Some(state(7, 11)));
        let now = [Some(state(5, 6)), Some(state(7, 11)), None];
        assert_eq!(touched.first(&now), Some(1));
        assert_eq!(touched.take(&now), BTreeSet::from([1]));
        assert_eq!(touched.first(&now), None);

        // After the last.
        let now = [Some(state(5, 7)), Some(state(7, 11)), Some(state(1, 1))];
        assert_eq!(touched.take(&now), BTreeSet::from([0, PARTS]));
        assert_eq!(touched.take(&now), BTreeSet::new());
        // A file that appears where there was none is not ours.
        touched.begin(vec![None, None]);
        touched.before_write(0, state(3, 1));
        assert_eq!(touched.first(&[None, None]), Some(0));
    }
}
