//! Holds a torrent's files while its storage is open: the claim within the session, and locks against other processes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::claims::locks::{Lock, Locks, Taken};
use crate::claims::paths::{PathClaim, Use};
use crate::layout::Layout;
use crate::layout::names::part_name;
use tailwater_storage::StorageError;

/// A torrent's claim within the session, and its locks against other processes.
#[derive(Debug)]
pub(crate) struct Hold {
    usage: Use,
    claim: Option<PathClaim>,
    /// `None`: the files are only looked at, and nothing is locked.
    locks: Option<Arc<Locks>>,
    held: Vec<Lock>,
}

impl Hold {
    /// A hold without locks: they are taken when the storage is opened.
    pub(crate) const fn new(usage: Use, claim: Option<PathClaim>, locks: Arc<Locks>) -> Self {
        Self {
            usage,
            claim,
            locks: Some(locks),
            held: Vec::new(),
        }
    }

    /// A hold for files that are only looked at, whatever others do with them.
    pub(crate) const fn none() -> Self {
        Self {
            usage: Use::Read,
            claim: None,
            locks: None,
            held: Vec::new(),
        }
    }

    /// What the torrent does with its files.
    #[must_use]
    pub(crate) const fn usage(&self) -> Use {
        self.usage
    }

    /// Locks the files that are there. A torrent that may turn out complete is content to read where others read
    /// already.
    ///
    /// # Errors
    ///
    /// [`StorageError::InUse`] with the path that another process has.
    pub(crate) fn begin(&mut self, layout: &Layout) -> Result<(), StorageError> {
        let Some(locks) = self.locks.clone() else {
            return Ok(());
        };
        for path in tops(layout) {
            let mut taken = locks.take(&path, self.usage)?;
            if matches!(taken, Taken::InUse) && self.usage == Use::Write {
                taken = locks.take(&path, Use::Read)?;
            }
            self.keep(&path, taken)?;
        }
        Ok(())
    }

    /// Locks the files that were not there when the storage was opened, if nothing is locked yet.
    ///
    /// # Errors
    ///
    /// [`StorageError::InUse`] with the path that another process has.
    pub(crate) fn begin_later(&mut self, layout: &Layout) -> Result<(), StorageError> {
        match self.held.is_empty() {
            true => self.begin(layout),
            false => Ok(()),
        }
    }

    /// Whether all is locked as a torrent that writes needs it.
    ///
    /// # Errors
    ///
    /// [`StorageError::InUse`] when others read the files.
    pub(crate) fn check_writable(&self) -> Result<bool, StorageError> {
        if self.locks.is_none() {
            return Ok(true);
        }
        match self.held.iter().find(|lock| lock.usage() == Use::Read) {
            Some(lock) => Err(StorageError::InUse {
                path: lock.path().to_path_buf(),
            }),
            None => Ok(!self.held.is_empty()),
        }
    }

    /// Locks a file or folder that was just made.
    ///
    /// # Errors
    ///
    /// [`StorageError::InUse`] when another process made it at the same time.
    pub(crate) fn lock_made(&mut self, path: &Path) -> Result<(), StorageError> {
        match self.locks.clone() {
            Some(locks) => {
                let taken = locks.take(path, Use::Write)?;
                self.keep(path, taken)
            }
            None => Ok(()),
        }
    }

    /// Whether files may be written to and cut.
    pub(crate) fn may_write(&self) -> bool {
        self.usage == Use::Write && self.held.iter().all(|lock| lock.usage() == Use::Write)
    }

    /// The torrent is complete: nothing will be written any more, and others may read too.
    pub(crate) fn share(&mut self) {
        self.usage = Use::Read;
        self.held.iter_mut().for_each(Lock::share);
        if let Some(claim) = &self.claim {
            claim.share();
        }
    }

    /// Releases the claim and the locks.
    pub(crate) fn release(&mut self) {
        self.held.clear();
        self.claim = None;
    }

    fn keep(&mut self, path: &Path, taken: Taken) -> Result<(), StorageError> {
        match taken {
            Taken::Locked(lock) => self.held.push(lock),
            Taken::NothingThere => {}
            Taken::InUse => {
                self.held.clear();
                return Err(StorageError::InUse {
                    path: path.to_path_buf(),
                });
            }
        }
        Ok(())
    }
}

/// The torrent's file, or the folder that holds its files. There are two where some files have the folder's name as it
/// stands in the torrent, and some the name that is safe.
pub(crate) fn tops(layout: &Layout) -> Vec<PathBuf> {
    let mut tops: Vec<PathBuf> = Vec::new();
    let files = || layout.files().iter().filter(|file| !file.pad);
    for file in files() {
        let mut parts = file.path.components();
        if let (Some(first), Some(_)) = (parts.next(), parts.next()) {
            let top = layout.root().join(first);
            if !tops.contains(&top) {
                tops.push(top);
            }
        }
    }
    if tops.is_empty() {
        let first = files().next();
        tops.extend(first.map(|file| match file.is_part {
            true => layout.root().join(part_name(&file.path)),
            false => layout.root().join(&file.path),
        }));
    }
    tops
}
