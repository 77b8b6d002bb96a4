//! Moves a torrent's files to another folder, and deletes them.
//!
//! A move first makes every file anew at its destination: by a hard link where both folders are on one file system that
//! has them, else by a copy that is synced and compared. The old files are deleted only when all new ones are there,
//! and the resume data says so. So at any moment one of the two folders has all of it, whatever ends the process. A move
//! that was cut off goes on when it is asked for again: files that are there already, byte for byte, are taken over.

use super::copying::Copying;
use crate::files::Store;
use crate::layout::slots::{PARTS, index_to_slot};
use crate::system::below::{Links, make_root};
use crate::system::metadata::{FileId, FileState, file_state, is_same_folder, look};
use std::collections::{BTreeSet, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use tailwater_metainfo::PieceIndex;
use tailwater_storage::{Operation, StorageError};
use tailwater_types::InfoHash;

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

/// What is at the new place of a file.
enum Standing {
    Missing,
    /// The file itself, by an attempt that was cut off.
    There,
    /// Something else.
    Taken,
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
    /// [`StorageError::Foreign`] with what is there already; when a file cannot be read or made. Then what was made is
    /// removed again.
    pub(crate) fn copy_to(
        &self,
        to: &Path,
        info_hash: InfoHash,
        verified: impl Fn(PieceIndex) -> bool,
        moved: MovedBytes<'_>,
    ) -> Result<Vec<Option<FileState>>, StorageError> {
        let own = self.own_files(verified)?;
        let total = own.iter().map(|file| file.len).sum();
        let mut done = 0;
        let (mut missing, mut taken) = (Vec::new(), Vec::new());
        for file in &own {
            match self.standing(to, file)? {
                Standing::Missing => missing.push(file),
                Standing::Taken => taken.push(to.join(&file.path)),
                Standing::There => {
                    done += file.len;
                    moved(done, total);
                }
            }
        }
        if !taken.is_empty() {
            return Err(StorageError::Foreign { files: taken });
        }
        make_root(to)?;
        for (number, file) in missing.iter().enumerate() {
            let base = done;
            let copied = self.copy_one(to, info_hash, file, &|bytes| moved(base + bytes, total));
            if let Err(error) = copied {
                remove(to, missing[..number].iter().map(|file| &file.path));
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

    /// What is at a file's new place.
    fn standing(&self, to: &Path, file: &Own) -> Result<Standing, StorageError> {
        let Some(there) = look(to, &file.path, Links::Refused)? else {
            return Ok(Standing::Missing);
        };
        // Where both are names in one folder, by a mount, there is one name, and deleting the old one would delete it.
        let (from, target) = (self.layout().root().join(&file.path), to.join(&file.path));
        if let (Some(from), Some(target)) = (from.parent(), target.parent())
            && is_same_folder(from, target)
        {
            return Ok(Standing::Taken);
        }
        let is_own = match file.is_link {
            true => there.is_symlink() && fs::read_link(&from).ok() == fs::read_link(&target).ok(),
            false => self.is_link_to(&there, file)? || self.is_copy(to, &there, file)?,
        };
        Ok(match is_own {
            true => Standing::There,
            false => Standing::Taken,
        })
    }

    /// An attempt that was cut off may have left a hard link to the same file.
    fn is_link_to(&self, there: &Metadata, file: &Own) -> Result<bool, StorageError> {
        let here = look(self.layout().root(), &file.path, Links::Refused)?;
        let here = here.and_then(|here| FileId::of(&here));
        Ok(here.is_some() && here == FileId::of(there))
    }

    /// Or a copy.
    fn is_copy(&self, to: &Path, there: &Metadata, file: &Own) -> Result<bool, StorageError> {
        let may_be = there.is_file() && there.len() == file.len;
        Ok(may_be && self.copying(to, file).is_there()?)
    }

    fn copying<'a>(&'a self, to: &'a Path, file: &'a Own) -> Copying<'a> {
        Copying {
            from: self.layout().root(),
            to,
            below: &file.path,
            len: file.len,
        }
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

    fn copy_one(
        &self,
        to: &Path,
        info_hash: InfoHash,
        file: &Own,
        moved: &dyn Fn(u64),
    ) -> Result<(), StorageError> {
        let (from, target) = (self.layout().root().join(&file.path), to.join(&file.path));
        if let Some(parent) = target.parent() {
            let made = fs::create_dir_all(parent);
            made.map_err(|error| StorageError::io(Operation::Create, parent, &error))?;
        }
        if file.is_link {
            return copy_link(&from, &target);
        }
        let copying = self.copying(to, file);
        // What an attempt that was cut off left.
        copying.remove_partial(info_hash)?;
        match fs::hard_link(&from, &target) {
            Ok(()) => Ok(()),
            // Another file system, or one without hard links.
            Err(_) => copying.run(info_hash, moved),
        }
    }

    /// Deletes the torrent's files, and the folders below the download folder that are empty then. If one cannot be
    /// deleted, the others are deleted all the same. The files of the slots `foreign` stay.
    ///
    /// # Errors
    ///
    /// The first failure; [`StorageError::Foreign`] with wanted files that stay.
    pub(crate) fn delete(
        &self,
        verified: impl Fn(PieceIndex) -> bool,
        foreign: &HashSet<u32>,
    ) -> Result<(), StorageError> {
        let found = self.own_files(verified)?;
        let (left, own): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|file| foreign.contains(&file.slot));
        self.pool().files().forget_torrent(self.torrent());
        let root = self.layout().root();
        let failure = remove(root, own.iter().map(|file| &file.path));
        let files: Vec<_> = left.iter().map(|file| root.join(&file.path)).collect();
        match failure {
            Some(failure) => Err(failure),
            None if files.is_empty() => Ok(()),
            None => Err(StorageError::Foreign { files }),
        }
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

/// A link of the torrent's own (BEP 47).
#[cfg(unix)]
fn copy_link(from: &Path, to: &Path) -> Result<(), StorageError> {
    let read = fs::read_link(from);
    let target = read.map_err(|error| StorageError::io(Operation::Read, from, &error))?;
    let made = std::os::unix::fs::symlink(target, to);
    made.map_err(|error| StorageError::io(Operation::Create, to, &error))
}

/// None are made here.
#[cfg(not(unix))]
fn copy_link(_: &Path, _: &Path) -> Result<(), StorageError> {
    Ok(())
}
