//! Advisory locks, which keep other processes away from a torrent's files.
//!
//! An advisory lock (`flock`) on the torrent's file or top folder: exclusive for a torrent that may write, shared for one
//! that only reads. The system releases it when the process ends, however it ends. Torrents of one session that lie in
//! the same folder share one lock: [`ClaimedPaths`](crate::claims::paths::ClaimedPaths) keeps their files apart.
//!
//! Where the system has no such locks (some network file systems), files are used without.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::claims::paths::Use;
use tailwater_storage::{Operation, StorageError};

/// The locks that a session holds.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    held: Mutex<HashMap<PathBuf, Held>>,
}

/// A lock with the number of torrents that need it.
#[derive(Debug)]
struct Held {
    /// `None` where the file system has no locks.
    file: Option<File>,
    writers: usize,
    readers: usize,
}

/// The outcome of an attempt to take a lock.
#[derive(Debug)]
pub(crate) enum Taken {
    Locked(Lock),
    /// There is no file at the path yet.
    NothingThere,
    /// Another process holds the lock.
    InUse,
}

impl Locks {
    /// Locks what is at `path`, without waiting. A symbolic link there is followed.
    ///
    /// # Errors
    ///
    /// When what is there cannot be opened for another reason than its absence or its permissions.
    pub(crate) fn take(self: &Arc<Self>, path: &Path, usage: Use) -> Result<Taken, StorageError> {
        let key = match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Taken::NothingThere);
            }
            canonical => canonical.unwrap_or_else(|_| path.to_path_buf()),
        };
        let mut locks = self.lock();
        let is_new = !locks.contains_key(&key);
        if is_new {
            let opened = match sys::open(&key, usage) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Taken::NothingThere);
                }
                // A file that may not be opened is not locked: the operation that needs it reports the error better.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
                opened => Some(opened.map_err(|e| StorageError::io(Operation::Open, path, &e))?),
            };
            let held = Held {
                file: opened,
                writers: 0,
                readers: 0,
            };
            locks.insert(key.clone(), held);
        }
        let Some(held) = locks.get_mut(&key) else {
            return Ok(Taken::NothingThere);
        };
        let got = held.add(&key, usage);
        if !got {
            if held.is_idle() {
                locks.remove(&key);
            }
            return Ok(Taken::InUse);
        }
        Ok(Taken::Locked(Lock {
            locks: Arc::clone(self),
            key,
            path: path.to_path_buf(),
            usage,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Held>> {
        self.held.lock()
    }
}

impl Held {
    const fn is_idle(&self) -> bool {
        self.writers == 0 && self.readers == 0
    }

    /// Counts another torrent, if the lock can be had; says whether it can.
    fn add(&mut self, path: &Path, usage: Use) -> bool {
        let enough = match usage {
            Use::Write => self.writers > 0,
            Use::Read => !self.is_idle(),
        };
        if !enough && !self.convert(path, usage) {
            // A reader of this session goes on with what it had.
            if self.readers > 0 {
                self.convert(path, Use::Read);
            }
            return false;
        }
        match usage {
            Use::Write => self.writers += 1,
            Use::Read => self.readers += 1,
        }
        true
    }

    fn remove(&mut self, path: &Path, usage: Use) {
        match usage {
            Use::Write => self.writers -= 1,
            Use::Read => self.readers -= 1,
        }
        if usage == Use::Write && self.writers == 0 && self.readers > 0 {
            self.convert(path, Use::Read);
        }
    }

    /// Converts the lock, which the system does not do in one step; says whether that succeeded.
    fn convert(&self, path: &Path, usage: Use) -> bool {
        let Some(file) = &self.file else {
            return true;
        };
        if !self.is_idle()
            && let Err(error) = file.unlock()
        {
            tracing::debug!("unlocking {}: {error}", path.display());
        }
        let locked = match usage {
            Use::Write => file.try_lock(),
            Use::Read => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => {
                let path = path.display();
                tracing::info!(
                    "{path} is used without a lock, which its file system lacks: {error}"
                );
                true
            }
        }
    }
}

/// A torrent's share of a lock, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    locks: Arc<Locks>,
    key: PathBuf,
    /// The path as its owner names it.
    path: PathBuf,
    usage: Use,
}

impl Lock {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn usage(&self) -> Use {
        self.usage
    }

    /// The torrent will not write any more: other processes may read too.
    pub(crate) fn share(&mut self) {
        if self.usage == Use::Write {
            let mut locks = self.locks.lock();
            if let Some(held) = locks.get_mut(&self.key) {
                held.readers += 1;
                held.remove(&self.key, Use::Write);
            }
            self.usage = Use::Read;
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut locks = self.locks.lock();
        if let Some(held) = locks.get_mut(&self.key) {
            held.remove(&self.key, self.usage);
            if held.is_idle() {
                let _file = locks.remove(&self.key);
                sys::closed(&self.key);
            }
        }
    }
}

#[cfg(unix)]
mod sys {
    use super::{File, Path, Use, io};
    use rustix::fs::{Mode, OFlags, open as open_file};

    /// Opens a file or folder to lock it. Over NFS an exclusive lock needs a file that may be written to.
    pub(crate) fn open(path: &Path, usage: Use) -> io::Result<File> {
        let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |access| open_file(path, flags | access, Mode::empty()).map(File::from);
        if usage == Use::Write
            && path.is_file()
            && let Ok(file) = open(OFlags::RDWR)
        {
            return Ok(file);
        }
        Ok(open(OFlags::RDONLY)?)
    }

    pub(crate) const fn closed(_: &Path) {}
}

/// A lock of Windows keeps the bytes even from other handles of its owner, and folders have none. So a hidden file
/// beside the torrent's is locked in its place.
#[cfg(not(unix))]
mod sys {
    use super::{File, Path, PathBuf, Use, io};

    fn beside(path: &Path) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".lock");
        path.with_file_name(name)
    }

    pub(crate) fn open(path: &Path, _: Use) -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(path))
    }

    pub(crate) fn closed(path: &Path) {
        // Another process may have it open.
        let _ = std::fs::remove_file(beside(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(locks: &Arc<Locks>, path: &Path, usage: Use) -> Option<Lock> {
        match locks.take(path, usage).unwrap() {
            Taken::Locked(lock) => Some(lock),
            Taken::InUse => None,
            Taken::NothingThere => panic!("nothing is there"),
        }
    }

    #[test]
    fn files_and_folders_are_locked_against_other_sessions() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"x").unwrap();
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        let missing = Arc::new(Locks::default()).take(&dir.path().join("none"), Use::Write);
        assert!(matches!(missing, Ok(Taken::NothingThere)));
        for path in [file, folder] {
            let (ours, theirs) = (Arc::new(Locks::default()), Arc::new(Locks::default()));
            let mut lock = taken(&ours, &path, Use::Write).unwrap();
            assert!(taken(&theirs, &path, Use::Write).is_none());
            assert!(taken(&theirs, &path, Use::Read).is_none());
            lock.share();
            let reader = taken(&theirs, &path, Use::Read).unwrap();
            assert!(taken(&ours, &path, Use::Write).is_none());
            drop(lock);
            assert!(taken(&ours, &path, Use::Write).is_none());
            drop(reader);
            drop(taken(&ours, &path, Use::Write).unwrap());
            assert!(ours.lock().is_empty() && theirs.lock().is_empty());
        }
    }

    #[test]
    fn torrents_of_a_session_share_the_lock_of_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Arc::new(Locks::default()), Arc::new(Locks::default()));
        let reader = taken(&ours, dir.path(), Use::Read).unwrap();
        let writers = [(); 2].map(|()| taken(&ours, dir.path(), Use::Write).unwrap());
        assert!(taken(&theirs, dir.path(), Use::Read).is_none());
        drop(writers);
        let other = taken(&theirs, dir.path(), Use::Read).unwrap();
        assert!(taken(&ours, dir.path(), Use::Write).is_none());
        // The reader that was there before has its lock still.
        drop(other);
        assert!(taken(&theirs, dir.path(), Use::Write).is_none());
        drop(reader);
        assert!(taken(&theirs, dir.path(), Use::Write).is_some());
    }
}
