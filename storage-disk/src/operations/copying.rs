//! Copies one file to another folder, for a move between file systems.
//!
//! A copy has a name of its own until it is complete, synced and compared. So whatever ends the process, what has the
//! file's name at the new place is the whole file, and a partial copy is found and replaced by the next attempt.

use crate::system::below::{Links, Spot, open, rename};
use crate::system::file_system::Access;
use crate::threads::pool::SCRATCH_LEN;
use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tailwater_storage::{Operation, StorageError};
use tailwater_types::InfoHash;

/// A file that is copied.
pub(super) struct Copying<'a> {
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
    /// Below both folders.
    pub(super) below: &'a Path,
    pub(super) len: u64,
}

impl Copying<'_> {
    /// Copies it. What has its name already stays, and is an error.
    pub(super) fn run(&self, info_hash: InfoHash, moved: &dyn Fn(u64)) -> Result<(), StorageError> {
        let partial = self.partial(info_hash);
        let copied = self
            .copy(&partial, moved)
            .and_then(|()| rename(self.to, &partial, self.below));
        if copied.is_err() {
            // The first failure is told.
            let _ = self.remove_partial(info_hash);
        }
        copied
    }

    /// Removes a partial copy, if there is one.
    pub(super) fn remove_partial(&self, info_hash: InfoHash) -> Result<(), StorageError> {
        let path = self.to.join(self.partial(info_hash));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io(Operation::Remove, &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Below the new folder, what a copy that is not complete is called.
    fn partial(&self, info_hash: InfoHash) -> PathBuf {
        self.below.with_file_name(format!(".{info_hash}.moving"))
    }

    fn copy(&self, partial: &Path, moved: &dyn Fn(u64)) -> Result<(), StorageError> {
        let target = self.to.join(partial);
        let read = |error| self.read_error(&error);
        let write = |error| StorageError::io(Operation::Write, &target, &error);
        let mut source = self.open(self.from, self.below, Access::Read)?;
        let mut copy = self.open(self.to, partial, Access::Write)?;
        copy.set_len(self.len).map_err(write)?;
        let mut buf = vec![0; SCRATCH_LEN];
        let mut at = 0;
        loop {
            let len = read_full(&mut source, &mut buf).map_err(read)?;
            if len == 0 {
                break;
            }
            // What was never written stays a hole.
            match buf[..len].iter().any(|&byte| byte != 0) {
                true => copy.write_all(&buf[..len]).map_err(write)?,
                false => {
                    let len = i64::try_from(len).unwrap_or(i64::MAX);
                    copy.seek(SeekFrom::Current(len)).map_err(write)?;
                }
            }
            at += u64::try_from(len).unwrap_or(u64::MAX);
            moved(at);
        }
        copy.sync_all().map_err(write)?;
        source.rewind().map_err(read)?;
        copy.rewind().map_err(write)?;
        if !self.are_equal(&mut source, &mut copy, &target)? {
            let error = io::Error::other("the copy differs from what was written");
            return Err(write(error));
        }
        // A user who sorts files by time is to find them where they were, and may run what could be run. It is no loss if
        // that fails.
        if let Ok(found) = source.metadata() {
            let _ = copy.set_permissions(found.permissions());
            if let Ok(time) = found.modified() {
                let _ = copy.set_times(FileTimes::new().set_modified(time));
            }
        }
        Ok(())
    }

    /// Whether what has the file's name at the new place has the same bytes: the copy of an earlier attempt.
    pub(super) fn is_there(&self) -> Result<bool, StorageError> {
        let mut source = self.open(self.from, self.below, Access::Read)?;
        let mut copy = self.open(self.to, self.below, Access::Read)?;
        self.are_equal(&mut source, &mut copy, &self.to.join(self.below))
    }

    fn are_equal(
        &self,
        source: &mut File,
        copy: &mut File,
        target: &Path,
    ) -> Result<bool, StorageError> {
        let (mut buf, mut other) = (vec![0; SCRATCH_LEN], vec![0; SCRATCH_LEN]);
        loop {
            let len = read_full(source, &mut buf).map_err(|error| self.read_error(&error))?;
            let copied = read_full(copy, &mut other)
                .map_err(|error| StorageError::io(Operation::Read, target, &error))?;
            if buf[..len] != other[..copied] {
                return Ok(false);
            }
            if len == 0 {
                return Ok(true);
            }
        }
    }

    fn open(&self, root: &Path, below: &Path, access: Access) -> Result<File, StorageError> {
        let spot = Spot {
            root,
            below,
            links: Links::Refused,
            may_make: access == Access::Write,
            executable: false,
        };
        open(&spot, access)
    }

    fn read_error(&self, error: &io::Error) -> StorageError {
        StorageError::io(Operation::Read, &self.from.join(self.below), error)
    }
}

fn read_full(file: &mut File, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buf.len() {
        match file.read(&mut buf[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash = InfoHash::new([7; 20]);

    #[test]
    fn a_copy_has_its_name_when_it_is_whole_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for folder in [&from, &to] {
            fs::create_dir_all(folder.join("t")).unwrap();
        }
        // With a hole, and an end that is no whole buffer.
        let mut bytes = vec![0; SCRATCH_LEN * 2 + 5];
        bytes[..3].fill(9);
        bytes[SCRATCH_LEN * 2..].fill(8);
        fs::write(from.join("t/a"), &bytes).unwrap();
        let copying = Copying {
            from: &from,
            to: &to,
            below: Path::new("t/a"),
            len: bytes.len() as u64,
        };
        let partial = to.join(copying.partial(HASH));
        let seen = std::cell::Cell::new(0);
        copying
            .run(HASH, &|at| {
                // Not under its own name yet.
                assert!(partial.exists() && !to.join("t/a").exists());
                seen.set(at);
            })
            .unwrap();
        assert_eq!(seen.get(), bytes.len() as u64);
        assert!(!partial.exists());
        assert_eq!(fs::read(to.join("t/a")).unwrap(), bytes);
        assert!(copying.is_there().unwrap());

        fs::write(to.join("t/a"), b"another one's").unwrap();
        assert!(!copying.is_there().unwrap());
        let refused = copying.run(HASH, &|_| {});
        assert!(
            matches!(&refused, Err(StorageError::Io { kind, .. }) if *kind == io::ErrorKind::AlreadyExists),
            "{refused:?}"
        );
        assert_eq!(fs::read(to.join("t/a")).unwrap(), b"another one's");
        assert!(!partial.exists());
    }
}
