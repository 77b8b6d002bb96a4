//! Opens files below the download folder, and nothing outside it.
//!
//! A symbolic link below that folder may have been planted to lead a torrent's bytes elsewhere: by another torrent (BEP
//! 47), or by another user who may write there. So each folder on the way is opened from the one before it, without
//! following a link (`O_NOFOLLOW`), and the file from the last: there is no moment between a check and its use. The
//! download folder itself may be a link: that is the user's own choice. Where the system has no such calls, each part of
//! the path is looked at first, which keeps out a link that was there before.

use crate::system::file_system::Access;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use tailwater_storage::{Operation, StorageError};

/// The treatment of symbolic links below the download folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// A link in the way is an error, for reading and writing.
    Refused,
    /// Links are followed. Only where nothing is ever written: a user who seeds may keep a folder of the torrent on
    /// another disk.
    Followed,
}

/// A file below the download folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot<'a> {
    /// The download folder.
    pub(crate) root: &'a Path,
    /// The path below it; only plain names, at least one.
    pub(crate) below: &'a Path,
    pub(crate) links: Links,
    /// Whether a missing file is made when it is opened to be written.
    pub(crate) may_make: bool,
    /// Whether it is made as a program that may be run.
    pub(crate) executable: bool,
}

/// Opens a file; folders that lead to one that may be made are made too.
///
/// # Errors
///
/// [`StorageError::Symlink`] when a link is in the way; something else than a file there is an error as well.
pub(crate) fn open(spot: &Spot<'_>, access: Access) -> Result<File, StorageError> {
    let path = spot.root.join(spot.below);
    let file = match spot.links {
        Links::Refused => imp::open(spot, access)?,
        Links::Followed => OpenOptions::new()
            .read(true)
            .open(&path)
            .map_err(|error| StorageError::io(Operation::Open, &path, &error))?,
    };
    let found = file.metadata();
    let found = found.map_err(|error| StorageError::io(Operation::Open, &path, &error))?;
    if found.is_file() {
        return Ok(file);
    }
    let kind = match found.is_dir() {
        true => io::ErrorKind::IsADirectory,
        false => io::ErrorKind::AlreadyExists,
    };
    let error = io::Error::new(kind, "it is not a file");
    Err(StorageError::io(Operation::Open, &path, &error))
}

/// Makes a symbolic link (BEP 47) with folders that lead to it; `target` is below the download folder, too. What is there
/// already stays. Where the system has no such links, nothing is made.
pub(crate) fn make_link(root: &Path, below: &Path, target: &Path) -> Result<(), StorageError> {
    match imp::make_link(root, below, &seen_from(below, target)) {
        Err(StorageError::Io {
            kind: io::ErrorKind::AlreadyExists,
            ..
        }) => Ok(()),
        made => made,
    }
}

/// The way from the folder of `below` to `target`. It is the shortest, so that the torrent's own folder can be renamed.
fn seen_from(below: &Path, target: &Path) -> PathBuf {
    let folder = below.parent().unwrap_or(Path::new(""));
    let shared = folder.components().zip(target.components());
    let shared = shared.take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared);
    let up = up.map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(target.components().skip(shared)).collect();
    match way.as_os_str().is_empty() {
        // The folder that it is in.
        true => PathBuf::from("."),
        false => way,
    }
}

/// Gives the file at `source` a second name below the download folder (a hard link). The folder of the new name exists.
///
/// # Errors
///
/// When the file system cannot, as between two of them, and when the name is taken.
pub(crate) fn hard_link(root: &Path, below: &Path, source: &Path) -> Result<(), StorageError> {
    imp::hard_link(root, below, source)
}

/// Renames a file in its folder. A file that has the new name is not replaced.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] with the other name.
pub(crate) fn rename(root: &Path, from: &Path, to: &Path) -> Result<(), StorageError> {
    imp::rename(root, from, to)
}

/// Makes the download folder, with the folders above it.
pub(crate) fn make_root(root: &Path) -> Result<(), StorageError> {
    if root.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(root).map_err(|error| StorageError::io(Operation::Create, root, &error))
}

/// The error of an operation on `path`; [`StorageError::Symlink`] if that is a link, for which systems report different
/// errors.
fn failed(operation: Operation, path: &Path, error: &io::Error) -> StorageError {
    match is_link(path) {
        true => StorageError::Symlink {
            operation,
            path: path.to_path_buf(),
        },
        false => StorageError::io(operation, path, error),
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

#[cfg(unix)]
mod imp {
    use super::{Access, File, Operation, Path, Spot, StorageError, failed, make_root};
    use rustix::fs::{
        AtFlags, CWD, Mode, OFlags, linkat, mkdirat, openat, renameat, statat, symlinkat,
    };
    #[cfg(target_os = "linux")]
    use rustix::fs::{RenameFlags, renameat_with};
    use rustix::io::Errno;
    use std::os::fd::OwnedFd;

    /// The flags to open a folder that others are opened from. Where the system can, it need not be readable.
    fn folder_flags() -> OFlags {
        let path = match cfg!(target_os = "linux") {
            #[cfg(target_os = "linux")]
            true => OFlags::PATH,
            _ => OFlags::RDONLY,
        };
        path | OFlags::DIRECTORY | OFlags::CLOEXEC
    }

    pub(crate) fn open(spot: &Spot<'_>, access: Access) -> Result<File, StorageError> {
        let path = spot.root.join(spot.below);
        let make = access == Access::Write && spot.may_make;
        let folder = folder_of(spot.root, spot.below, make)?;
        let mut flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        // A pipe in the file's place would wait for its other end; for files the flag means nothing.
        flags |= OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if make {
            flags |= OFlags::CREATE;
        }
        // What the user's umask takes away is the user's choice, as for every program.
        let mode = Mode::from_raw_mode(match spot.executable {
            true => 0o777,
            false => 0o666,
        });
        openat(&folder, name_of(spot.below), flags, mode)
            .map(File::from)
            .map_err(|error| failed(Operation::Open, &path, &error.into()))
    }

    pub(crate) fn make_link(root: &Path, below: &Path, target: &Path) -> Result<(), StorageError> {
        let folder = folder_of(root, below, true)?;
        symlinkat(target, &folder, name_of(below))
            .map_err(|error| StorageError::io(Operation::Create, &root.join(below), &error.into()))
    }

    pub(crate) fn hard_link(root: &Path, below: &Path, source: &Path) -> Result<(), StorageError> {
        let folder = folder_of(root, below, false)?;
        // A link in the place of the source is not followed.
        linkat(CWD, source, &folder, name_of(below), AtFlags::empty())
            .map_err(|error| StorageError::io(Operation::Create, &root.join(below), &error.into()))
    }

    pub(crate) fn rename(root: &Path, from: &Path, to: &Path) -> Result<(), StorageError> {
        let folder = folder_of(root, to, false)?;
        let (old, new) = (name_of(from), name_of(to));
        let failed =
            |error: Errno| StorageError::io(Operation::Rename, &root.join(to), &error.into());
        #[cfg(target_os = "linux")]
        match renameat_with(&folder, old, &folder, new, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            renamed => return renamed.map_err(failed),
        }
        match statat(&folder, new, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(failed(Errno::EXIST)),
            Err(_) => renameat(&folder, old, &folder, new).map_err(failed),
        }
    }

    /// Opens the folder that holds the file at `below`, part by part.
    fn folder_of(root: &Path, below: &Path, make: bool) -> Result<OwnedFd, StorageError> {
        let operation = match make {
            true => Operation::Create,
            false => Operation::Open,
        };
        if make {
            make_root(root)?;
        }
        let mut folder = rustix::fs::open(root, folder_flags(), Mode::empty())
            .map_err(|error| StorageError::io(operation, root, &error.into()))?;
        let mut path = root.to_path_buf();
        for part in below.parent().into_iter().flat_map(Path::components) {
            path.push(part);
            let name = part.as_os_str();
            let enter = || {
                let flags = folder_flags() | OFlags::NOFOLLOW;
                openat(&folder, name, flags, Mode::empty())
            };
            let entered = match enter() {
                Err(Errno::NOENT) if make => {
                    match mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
                        // Another I/O thread may have made it first.
                        Ok(()) | Err(Errno::EXIST) => enter(),
                        Err(error) => Err(error),
                    }
                }
                entered => entered,
            };
            folder = entered.map_err(|error| failed(operation, &path, &error.into()))?;
        }
        Ok(folder)
    }

    /// The last part of a path that was checked to be made of plain names.
    fn name_of(below: &Path) -> &std::ffi::OsStr {
        below.file_name().unwrap_or_default()
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{
        Access, File, OpenOptions, Operation, Path, Spot, StorageError, failed, fs, io, is_link,
        make_root,
    };

    pub(crate) fn open(spot: &Spot<'_>, access: Access) -> Result<File, StorageError> {
        let make = access == Access::Write && spot.may_make;
        look(spot.root, spot.below, make)?;
        let path = spot.root.join(spot.below);
        OpenOptions::new()
            .read(true)
            .write(access == Access::Write)
            .create(make)
            .truncate(false)
            .open(&path)
            .map_err(|error| StorageError::io(Operation::Open, &path, &error))
    }

    pub(crate) fn make_link(root: &Path, below: &Path, _: &Path) -> Result<(), StorageError> {
        look(root, below, true)
    }

    pub(crate) fn hard_link(root: &Path, below: &Path, source: &Path) -> Result<(), StorageError> {
        look(root, below, false)?;
        let path = root.join(below);
        fs::hard_link(source, &path)
            .map_err(|error| StorageError::io(Operation::Create, &path, &error))
    }

    pub(crate) fn rename(root: &Path, from: &Path, to: &Path) -> Result<(), StorageError> {
        look(root, to, false)?;
        let path = root.join(to);
        let renamed = match fs::symlink_metadata(&path) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(root.join(from), &path),
        };
        renamed.map_err(|error| StorageError::io(Operation::Rename, &path, &error))
    }

    /// Checks that there are no links on the way to the file at `below`, and makes the folders.
    fn look(root: &Path, below: &Path, make: bool) -> Result<(), StorageError> {
        if make {
            make_root(root)?;
        }
        let mut path = root.to_path_buf();
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            if is_link(&path) {
                let error = io::Error::from(io::ErrorKind::Other);
                return Err(failed(Operation::Open, &path, &error));
            }
            if make && parts.peek().is_some() && !path.is_dir() {
                fs::create_dir(&path)
                    .map_err(|error| StorageError::io(Operation::Create, &path, &error))?;
            }
        }
        Ok(())
    }
}
