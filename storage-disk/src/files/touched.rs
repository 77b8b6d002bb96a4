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

use crate::files::Store;
use crate::layout::slots::{PARTS, index_to_slot, slot_to_index};
use crate::system::file_system::DiskFile;
use crate::system::metadata::FileState;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tailwater_storage::{Operation, StorageError};

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
    pub(crate) fn take_noticed(&self) -> BTreeSet<u32> {
        match self.has_noticed.swap(false, Ordering::Acquire) {
            true => std::mem::take(&mut self.lock().noticed),
            false => BTreeSet::new(),
        }
    }

    /// Takes the changed files, and expects them as they are now.
    pub(crate) fn take(&self, states: &[Option<FileState>]) -> BTreeSet<u32> {
        let mut inner = self.lock();
        inner.compare(states);
        for (expected, state) in inner.expected.iter_mut().zip(states) {
            *expected = *state;
        }
        std::mem::take(&mut inner.slots)
    }

    /// The first file that has changed.
    pub(crate) fn first(&self, states: &[Option<FileState>]) -> Option<u32> {
        let mut inner = self.lock();
        inner.compare(states);
        inner.slots.first().copied()
    }

    pub(crate) fn has(&self, slot: u32) -> bool {
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
