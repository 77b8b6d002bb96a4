//! File metadata: what the system says of the files below a folder.

use crate::system::below::Links;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tailwater_storage::{Operation, StorageError};

/// The length and time of a file, by which a change of another program is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// The length in bytes.
    pub len: u64,
    /// The time of the last change, in nanoseconds since 1970; negative before.
    pub mtime_ns: i64,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// `None` where the system does not say.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// Whether two paths lead to one folder, also by links and by mounts of one folder at two places. `false` where the system
/// does not say, or one of them is not there.
pub(crate) fn is_same_folder(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).ok().and_then(|it| FileId::of(&it));
    id(one).is_some_and(|one| Some(one) == id(other))
}

/// The metadata of the file at `below`, `None` when there is none. A link in its place is an error where links are
/// refused; so is one on the way to it.
pub(crate) fn inspect(
    root: &Path,
    below: &Path,
    links: Links,
) -> Result<Option<Metadata>, StorageError> {
    let found = look(root, below, links)?;
    match found {
        Some(found) if found.is_symlink() => Err(StorageError::Symlink {
            operation: Operation::Inspect,
            path: root.join(below),
        }),
        found => Ok(found),
    }
}

/// As [`inspect`], but where links are refused, the metadata of a link in the file's own place is that of the link
/// itself.
pub(crate) fn look(
    root: &Path,
    below: &Path,
    links: Links,
) -> Result<Option<Metadata>, StorageError> {
    let mut path = root.to_path_buf();
    let mut parts = below.components().peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        if links == Links::Refused && parts.peek().is_some() {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_symlink() => {
                    let operation = Operation::Inspect;
                    return Err(StorageError::Symlink { operation, path });
                }
                _ => {}
            }
        }
    }
    let found = match links {
        Links::Refused => fs::symlink_metadata(&path),
        Links::Followed => fs::metadata(&path),
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io(Operation::Inspect, &path, &error)),
    }
}

/// The length and time of a file.
pub(crate) fn file_state(metadata: &Metadata) -> FileState {
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
