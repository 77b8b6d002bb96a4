//! Moves a torrent's files to another folder, and deletes them.
//!
//! A move first makes every file anew at its destination: by a hard link where both folders are on one file system that
//! has them, else by a copy that is synced and compared. The old files are deleted only when all new ones are there,
//! and the resume data says so. So at any moment one of the two folders has all of it, whatever ends the process.

use crate::files::Store;
use crate::layout::slots::{PARTS, index_to_slot};
use crate::system::below::{Links, Spot, make_root, open};
use crate::system::file_system::Access;
use crate::system::metadata::{FileId, FileState, file_state, is_same_folder, look};
use crate::threads::pool::SCRATCH_LEN;
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tailwater_metainfo::PieceIndex;
use tailwater_storage::{Operation, StorageError};

/// Gets the number of bytes moved, and of all.
pub(crate) type MovedBytes<'a> = &'a dyn Fn(u64, u64);

/// A file that belongs to the torrent.
struct Own {
    slot: u32,
    /// Below the folder.
    path: PathBuf,
    len: u64,
    is_link: bool,
}

impl Store {
    /// The existing files that belong to the torrent. A file that is not wanted and has no verified piece may belong to
    /// another program.
    fn own_files(&self, verified: impl Fn(PieceIndex) -> bool) -> Result<Vec<Own>, StorageError> {
        let mut own = Vec::new();
        let names = self.names.current();
        for (index, file) in self.layout().files().iter().enumerate() {
            let is_ours = || {
                let homes = self.homes();
                let mut pieces = self.layout().pieces_of(index);
                !homes.skipped[index] || pieces.any(&verified)
            };
            let slot = index_to_slot(index);
            let path = names.path(slot, file).into_owned();
            let found = look(self.layout().root(), &path, Links::Refused)?;
            if let Some(found) = found.filter(|_| !file.pad && is_ours()) {
                own.push(Own {
                    slot,
                    path,
                    len: if file.link.is_some() { 0 } else { found.len() },
                    is_link: file.link.is_some(),
                });
            }
        }
        drop(names);
        if let Some(found) = self.inspect(PARTS)? {
            let path = self.slot_path(PARTS);
            let below = path.strip_prefix(self.layout().root());
            own.push(Own {
                slot: PARTS,
                path: below.unwrap_or(&path).to_path_buf(),
                len: found.len(),
                is_link: false,
            });
        }
        Ok(own)
    }

    /// Makes the torrent's files at `to` as they are here, which stay. Returns their states, in the order of
    /// [`Store::states`].
    ///
    /// # Errors
    ///
    /// [`StorageError::Foreign`] with what is there already; when a file cannot be read or made. Then nothing is left at
    /// `to`.
    pub(crate) fn copy_to(
        &self,
        to: &Path,
        verified: impl Fn(PieceIndex) -> bool,
        moved: MovedBytes<'_>,
    ) -> Result<Vec<Option<FileState>>, StorageError> {
        let own = self.own_files(verified)?;
        let mut taken = Vec::new();
        for file in &own {
            let there = look(to, &file.path, Links::Refused)?;
            let here = look(self.layout().root(), &file.path, Links::Refused)?;
            // An attempt that was cut off may have left a link to the same file.
            let is_same = match (&here, &there) {
                (Some(here), Some(there)) => {
                    let (here, there) = (FileId::of(here), FileId::of(there));
                    here.is_some() && here == there
                }
                _ => false,
            };
            // Where both are names in one folder, by a mount, there is one name, and deleting the old one would delete it.
            let (from, target) = (self.layout().root().join(&file.path), to.join(&file.path));
            let is_one_name = match (from.parent(), target.parent()) {
                (Some(from), Some(target)) => is_same_folder(from, target),
                _ => false,
            };
            if there.is_some() && (!is_same || is_one_name) {
                taken.push(target);
            }
        }
        if !taken.is_empty() {
            return Err(StorageError::Foreign { files: taken });
        }
        make_root(to)?;
        let total = own.iter().map(|file| file.len).sum();
        let mut done = 0;
        for (number, file) in own.iter().enumerate() {
            let base = done;
            let copied = self.copy_one(to, file, &|bytes| moved(base + bytes, total));
            if let Err(error) = copied {
                remove(to, own[..=number].iter().map(|file| &file.path));
                return Err(error);
            }
            done += file.len;
            moved(done, total);
        }
        // The new names have to reach the device before the old ones go.
        let synced = self.pool().file_system().sync_all(to);
        synced.map_err(|error| StorageError::io(Operation::Sync, to, &error))?;
        self.states_at(to, &own)
    }

    fn states_at(&self, to: &Path, own: &[Own]) -> Result<Vec<Option<FileState>>, StorageError> {
        let slots = (0..self.layout().files().len()).map(index_to_slot);
        let states = slots.chain([PARTS]).map(|slot| {
            let file = own.iter().find(|file| file.slot == slot && !file.is_link);
            let found = file.map_or(Ok(None), |file| look(to, &file.path, Links::Refused));
            found.map(|found| found.map(|it| file_state(&it)))
        });
        states.collect()
    }

    fn copy_one(&self, to: &Path, file: &Own, moved: &dyn Fn(u64)) -> Result<(), StorageError> {
        let (from, target) = (self.layout().root().join(&file.path), to.join(&file.path));
        if let Some(parent) = target.parent() {
            let made = fs::create_dir_all(parent);
            made.map_err(|error| StorageError::io(Operation::Create, parent, &error))?;
        }
        if file.is_link {
            return copy_link(&from, &target);
        }
        match fs::hard_link(&from, &target) {
            Ok(()) => return Ok(()),
            // The link of an earlier attempt.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            // Another file system, or one without hard links.
            Err(_) => {}
        }
        let spot = |root, may_make| Spot {
            root,
            below: &file.path,
            links: Links::Refused,
            may_make,
        };
        let mut source = open(&spot(self.layout().root(), false), Access::Read)?;
        let mut copy = open(&spot(to, true), Access::Write)?;
        let write = |error| StorageError::io(Operation::Write, &target, &error);
        copy.set_len(file.len).map_err(write)?;
        let (mut buf, mut other) = (vec![0; SCRATCH_LEN], vec![0; SCRATCH_LEN]);
        let read = |error| StorageError::io(Operation::Read, &from, &error);
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
        loop {
            let len = read_full(&mut source, &mut buf).map_err(read)?;
            let copied = read_full(&mut copy, &mut other).map_err(write)?;
            if buf[..len] != other[..copied] {
                let error = io::Error::other("the copy differs from what was written");
                return Err(write(error));
            }
            if len == 0 {
                break;
            }
        }
        // A user who sorts files by time is to find them where they were. It is no loss if that fails.
        if let Ok(time) = source.metadata().and_then(|found| found.modified()) {
            let _ = copy.set_times(FileTimes::new().set_modified(time));
        }
        Ok(())
    }

    /// Deletes the torrent's files, and the folders below the download folder that are empty then. If one cannot be
    /// deleted, the others are deleted all the same.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub(crate) fn delete(&self, verified: impl Fn(PieceIndex) -> bool) -> Result<(), StorageError> {
        let own = self.own_files(verified)?;
        self.pool().files().forget_torrent(self.torrent());
        let root = self.layout().root();
        let failure = remove(root, own.iter().map(|file| &file.path));
        failure.map_or(Ok(()), Err)
    }
}

/// Removes files below a folder, and the folders that are empty then. Returns the first failure.
fn remove<'a>(root: &Path, files: impl Iterator<Item = &'a PathBuf>) -> Option<StorageError> {
    let mut failure = None;
    let mut folders = BTreeSet::new();
    for file in files {
        let path = root.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                failure.get_or_insert(StorageError::io(Operation::Remove, &path, &error));
            }
            _ => {}
        }
        let above = file.ancestors().skip(1);
        folders.extend(
            above
                .filter(|it| !it.as_os_str().is_empty())
                .map(Path::to_path_buf),
        );
    }
    // Folders inside others come behind them in order, and are removed first. One that is not empty stays.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(root.join(folder));
    }
    failure
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

/// A link of the torrent's own (BEP 47).
#[cfg(unix)]
fn copy_link(from: &Path, to: &Path) -> Result<(), StorageError> {
    let read = fs::read_link(from);
    let target = read.map_err(|error| StorageError::io(Operation::Read, from, &error))?;
    match std::os::unix::fs::symlink(target, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StorageError::io(Operation::Create, to, &error))
        }
        _ => Ok(()),
    }
}

/// None are made here.
#[cfg(not(unix))]
fn copy_link(_: &Path, _: &Path) -> Result<(), StorageError> {
    Ok(())
}
