//! Making folders safely, and asking what is there.

use super::error::{Operation, StorageError};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What the system says about a file, by which a change behind our back is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// The length in bytes.
    pub(crate) len: u64,
    /// The time of the last change, in nanoseconds since 1970; negative before.
    pub(crate) mtime_ns: i64,
}

/// Makes the folders between `root` and the file at `path`.
///
/// A symbolic link among them, or in the place of the file, may have been planted to lead a torrent's bytes elsewhere.
/// The check is made once at opening: it keeps out a link that was there before, not a race.
pub(super) fn make_folders(root: &Path, path: &Path) -> Result<(), StorageError> {
    let operation = Operation::Create;
    let refuse_link = |path: &Path| match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(StorageError::Symlink {
            operation,
            path: path.to_path_buf(),
        }),
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io(operation, path, &error)),
    };
    let below = path.strip_prefix(root).unwrap_or(path);
    let mut folder = root.to_path_buf();
    if !folder.is_dir() {
        fs::create_dir_all(root).map_err(|error| StorageError::io(operation, root, &error))?;
    }
    for part in below.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        if refuse_link(&folder)?.is_none() {
            match fs::create_dir(&folder) {
                // Another I/O thread may have been faster.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(StorageError::io(operation, &folder, &error));
                }
                _ => {}
            }
        }
    }
    refuse_link(path).map(|_| ())
}

/// Makes a symbolic link (BEP 47) to a target below `root`, by a relative path, so that the folder can be moved. What is
/// there already stays. Where the system has no such links, nothing is made.
pub(super) fn make_link(root: &Path, path: &Path, target: &Path) -> Result<(), StorageError> {
    let error = |error| StorageError::io(Operation::Create, path, &error);
    match fs::symlink_metadata(path) {
        Ok(_) => return Ok(()),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
        Err(other) => return Err(error(other)),
    }
    make_folders(root, path)?;
    let below = path.strip_prefix(root).unwrap_or(path);
    let up = below.components().skip(1).map(|_| "..");
    let relative: PathBuf = up.map(Path::new).chain([target]).collect();
    link(&relative, path).map_err(error)
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// What the system knows of a file, `None` when there is none.
pub(super) fn inspect(path: &Path) -> Result<Option<Metadata>, StorageError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io(Operation::Inspect, path, &error)),
    }
}

/// The part of it by which a change is noticed.
pub(super) fn file_state(metadata: &Metadata) -> FileState {
    let mtime_ns = metadata.modified().map_or(i64::MIN, |time| {
        let signed = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => signed(after.as_nanos()),
            Err(before) => -signed(before.duration().as_nanos()),
        }
    });
    FileState {
        len: metadata.len(),
        mtime_ns,
    }
}
