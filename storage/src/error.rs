//! Errors of a storage: the operation, the file, the cause.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use tailwater_metainfo::PieceIndex;

/// An operation on the disk that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The operating system refused.
    #[error("{operation} {}: {message}", path.display())]
    Io {
        /// What was tried.
        operation: Operation,
        /// On which file or directory.
        path: PathBuf,
        /// The kind of failure.
        kind: io::ErrorKind,
        /// The system's own words.
        message: String,
        /// The system's error number, if the error is the system's.
        code: Option<i32>,
    },
    /// A symbolic link stands where the torrent's file or folder should be. Writing through it could change files
    /// outside the download folder.
    #[error("{operation} {}: it is a symbolic link, which might lead out of the download folder", path.display())]
    Symlink {
        /// What was tried.
        operation: Operation,
        /// The link.
        path: PathBuf,
    },
    /// Another program deleted, replaced or cut a file while the torrent was running. Data that was verified in it is
    /// not there any more; add the torrent again to have its files checked.
    #[error("{}: the file was {change} by another program while it was in use", path.display())]
    FileChanged {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        change: FileChange,
    },
    /// Files that were there before the download, and hold nothing of the torrent: they are not overwritten unless
    /// the user says so.
    #[error("{}", say_foreign(files))]
    Foreign {
        /// The files, at least one.
        files: Vec<PathBuf>,
    },
    /// The wanted files do not fit the disk. Nothing was written.
    #[error(
        "{needed} bytes more are needed, and {free} are free in {}{}", path.display(), say_promised(*promised)
    )]
    NoRoom {
        /// The download folder.
        path: PathBuf,
        /// Bytes that are still to be allocated for the torrent.
        needed: u64,
        /// Bytes that are free on its file system.
        free: u64,
        /// Bytes of those that other torrents of the session need.
        promised: u64,
    },
    /// Another process has locked a file or folder of the torrent: it writes to it, or reads what the torrent would write
    /// to.
    #[error("{} is in use by another tailwater (or another program that locks it)", path.display())]
    InUse {
        /// The torrent's file, or the folder that holds its files.
        path: PathBuf,
    },
    /// The storage does not support the operation.
    #[error("this storage cannot {operation}")]
    Unsupported {
        /// What was asked for, to be read after "cannot".
        operation: &'static str,
    },
    /// The torrent's storage or the whole I/O pool is closed.
    #[error("the storage is closed")]
    Closed,
    /// Bytes were asked for that have not been verified.
    #[error("piece {0} is not verified")]
    NotVerified(PieceIndex),
    /// A piece of a v2 torrent cannot be verified, as the torrent came without its piece layers (BEP 52).
    #[error("the hash of piece {0} is not known: the torrent came without its piece layers")]
    HashUnknown(PieceIndex),
    /// A piece of a hybrid torrent matches one of its two hashes and not the other (BEP 52).
    #[error(
        "the torrent contradicts itself: piece {0} is right by one of its two hashes and wrong by the other"
    )]
    HashesDisagree(PieceIndex),
    /// More bytes were asked for at once than one read may return.
    #[error("a read of {len} bytes is longer than {max}")]
    ReadTooLong {
        /// Bytes asked for.
        len: u32,
        /// Bytes allowed.
        max: u32,
    },
    /// The data handed over for a block is not as long as the block.
    #[error("{found} bytes for a block of {expected}")]
    WrongLength {
        /// Bytes that the block has.
        expected: u32,
        /// Bytes that came.
        found: usize,
    },
    /// The files or hashes do not fit the torrent's geometry.
    #[error("the file list does not fit the torrent: {0}")]
    Layout(String),
    /// A saved resume file does not have the expected form.
    #[error("{}: not a resume file: {reason}", path.display())]
    Resume {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What another program did to a torrent's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileChange {
    /// It was deleted or moved away.
    Gone,
    /// Another file is in its place.
    Replaced,
    /// It is shorter than it was.
    Cut,
    /// It was written to, or its time was set.
    Modified,
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "deleted or moved away",
            Self::Replaced => "replaced",
            Self::Cut => "cut short",
            Self::Modified => "changed",
        })
    }
}

/// What was being done when a [`StorageError`] happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Making a file or directory.
    Create,
    /// Opening a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Giving a file its length.
    Resize,
    /// Asking for a file's length and time.
    Inspect,
    /// Waiting for the device to hold the data.
    Sync,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Starting an I/O thread; the path is its name.
    StartThread,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "creating",
            Self::Open => "opening",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Resize => "resizing",
            Self::Inspect => "inspecting",
            Self::Sync => "syncing",
            Self::Rename => "renaming",
            Self::Remove => "removing",
            Self::StartThread => "starting thread",
        })
    }
}

impl StorageError {
    /// An error of the operating system, with what was tried and on which file.
    #[must_use]
    pub fn io(operation: Operation, path: &Path, source: &io::Error) -> Self {
        Self::Io {
            operation,
            path: path.to_path_buf(),
            kind: source.kind(),
            message: tailwater_types::system::message(source),
            code: source.raw_os_error(),
        }
    }

    /// Whether the device or the user's quota is full: freeing space and resuming will help.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Io {
                kind: io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded,
                ..
            }
        )
    }

    /// Whether the storage has been closed, by its owner, so that nothing is wrong with the disk.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Whether a file is missing or shorter than it should be.
    pub const fn is_missing_data(&self) -> bool {
        matches!(
            self,
            Self::Io {
                kind: io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof,
                ..
            } | Self::FileChanged { .. }
        )
    }

    /// Whether another program interfered with the torrent's files, so that nothing vouches for what was verified.
    #[must_use]
    pub const fn is_changed_file(&self) -> bool {
        matches!(self, Self::FileChanged { .. })
    }

    /// The error of an operation on bytes that were there and verified.
    pub fn of_verified(self) -> Self {
        match self {
            Self::Io {
                kind: io::ErrorKind::NotFound,
                path,
                ..
            } => Self::FileChanged {
                path,
                change: FileChange::Gone,
            },
            Self::Io {
                kind: io::ErrorKind::UnexpectedEof,
                path,
                ..
            } => Self::FileChanged {
                path,
                change: FileChange::Cut,
            },
            other => other,
        }
    }
}

fn say_promised(promised: u64) -> String {
    match promised {
        0 => String::new(),
        _ => format!(", of which other torrents need {promised}"),
    }
}

/// The most paths that a message names; the rest is counted.
const PATHS_SHOWN: usize = 3;

fn say_foreign(files: &[PathBuf]) -> String {
    let shown = files.iter().take(PATHS_SHOWN);
    let mut paths: Vec<_> = shown.map(|path| path.display().to_string()).collect();
    if let Some(more) = files
        .len()
        .checked_sub(PATHS_SHOWN)
        .filter(|&more| more > 0)
    {
        paths.push(format!("{more} more"));
    }
    let last = paths.pop().unwrap_or_default();
    match paths.is_empty() {
        true => format!("{last} is another file: not one piece of it belongs to the torrent"),
        false => format!(
            "{} and {last} are other files: not one piece of them belongs to the torrent",
            paths.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_said_in_one_line() {
        let error = StorageError::io(
            Operation::Write,
            Path::new("/x/y"),
            &io::Error::from_raw_os_error(28),
        );
        assert_eq!(error.to_string(), "writing /x/y: no space left on device");
        assert!(error.is_full());
        assert!(!error.is_closed());
    }
}
