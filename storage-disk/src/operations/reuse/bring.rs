//! Gives a torrent a file that is elsewhere: as a copy that shares its blocks (reflink), as a hard link, or as a copy.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tailwater_storage::{Operation, StorageError};
use tailwater_types::InfoHash;

use super::library::TURN;
use crate::system::below::{self, Links, Spot};
use crate::system::file_system::Access;
use crate::system::metadata::file_state;
use crate::torrent::DiskTorrent;

/// How a file was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// The file system shares the blocks of both until one is changed.
    Reflink,
    /// It is the same file, under another name.
    HardLink,
    Copy,
}

/// Which file goes where.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) info_hash: InfoHash,
    pub(super) source: PathBuf,
    pub(super) root: PathBuf,
    /// Its path below that.
    pub(super) below: PathBuf,
    pub(super) executable: bool,
}

impl Errand {
    /// Does it. A file that has that name already is not replaced. `None` if the source has been changed meanwhile.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or the new file cannot be made.
    pub(super) async fn run(self, disk: &DiskTorrent) -> Result<Option<Brought>, StorageError> {
        let (errand, linked) = disk
            .run(move |_| {
                let linked = self.link();
                (self, linked)
            })
            .await?;
        match linked? {
            Linked::Done(brought) => Ok(brought),
            Linked::ToCopy(mut source, mut draft, before) => {
                let mut left = before.len();
                while left > 0 {
                    let part = left.min(TURN);
                    let copied = disk.run(move |_| copy_part(source, draft, part)).await?;
                    (source, draft) =
                        copied.map_err(|error| errand.error(Operation::Write, &error))?;
                    left -= part;
                }
                disk.run(move |_| errand.name_copy(&source, draft, &before))
                    .await?
            }
        }
    }

    /// What an unfinished copy is called.
    fn partial(&self) -> PathBuf {
        self.below
            .with_file_name(format!(".{}.reused", self.info_hash))
    }

    fn error(&self, operation: Operation, error: &io::Error) -> StorageError {
        StorageError::io(operation, &self.root.join(&self.below), error)
    }

    /// Links it if the file system can, and opens both files otherwise.
    fn link(&self) -> Result<Linked, StorageError> {
        let read = |error: io::Error| StorageError::io(Operation::Read, &self.source, &error);
        let source = File::open(&self.source).map_err(read)?;
        let before = source.metadata().map_err(read)?;
        let partial = self.partial();
        // This makes the folders too, and follows no link on the way.
        let file = below::open(
            &Spot {
                root: &self.root,
                below: &partial,
                links: Links::Refused,
                may_make: true,
                executable: self.executable,
            },
            Access::Write,
        )?;
        let draft = Draft {
            file,
            path: self.root.join(&partial),
            is_named: false,
        };
        // An earlier attempt may have been killed.
        draft
            .file
            .set_len(0)
            .map_err(|error| self.error(Operation::Write, &error))?;
        if reflink(&source, &draft.file) {
            let named = self.name_copy(&source, draft, &before)?;
            return Ok(Linked::Done(named.map(|_| Brought::Reflink)));
        }
        if below::hard_link(&self.root, &self.below, &self.source).is_ok() {
            let path = self.root.join(&self.below);
            let linked = fs::symlink_metadata(&path);
            let is_same = linked.is_ok_and(|linked| is_unchanged(&linked, &before));
            if is_same {
                return Ok(Linked::Done(Some(Brought::HardLink)));
            }
            // The name has another file now than the one that was hashed.
            fs::remove_file(&path).map_err(|error| self.error(Operation::Remove, &error))?;
            return Ok(Linked::Done(None));
        }
        Ok(Linked::ToCopy(source, draft, Box::new(before)))
    }

    /// The copy is whole: it gets its name, if its source is still what was hashed.
    fn name_copy(
        &self,
        source: &File,
        mut draft: Draft,
        before: &Metadata,
    ) -> Result<Option<Brought>, StorageError> {
        let is_same = source
            .metadata()
            .is_ok_and(|now| is_unchanged(&now, before));
        if !is_same {
            return Ok(None);
        }
        below::rename(&self.root, &self.partial(), &self.below)?;
        draft.is_named = true;
        Ok(Some(Brought::Copy))
    }
}

/// A copy that does not have its name yet. Dropped without it, because the disk is full or the torrent is closed, it is
/// removed; all that holds it runs on I/O threads.
struct Draft {
    file: File,
    path: PathBuf,
    is_named: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_named {
            // What is left of it does no harm, and the next attempt begins with it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

enum Linked {
    Done(Option<Brought>),
    /// The source, what it is copied to, and the state of the source.
    ToCopy(File, Draft, Box<Metadata>),
}

/// Whether a file is as it was.
fn is_unchanged(now: &Metadata, before: &Metadata) -> bool {
    file_state(now) == file_state(before)
}

fn copy_part(mut source: File, mut draft: Draft, len: u64) -> io::Result<(File, Draft)> {
    let copied = io::copy(&mut (&mut source).take(len), &mut draft.file)?;
    match copied == len {
        true => Ok((source, draft)),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(target_os = "linux")]
fn reflink(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn reflink(_: &File, _: &File) -> bool {
    false
}

/// The path below a folder.
pub(super) fn below_root(root: &Path, path: &Path) -> Option<PathBuf> {
    path.strip_prefix(root).ok().map(Path::to_path_buf)
}
