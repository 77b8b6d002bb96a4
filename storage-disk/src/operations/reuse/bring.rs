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
            Linked::ToCopy(mut source, mut target, before) => {
                let mut left = before.len();
                while left > 0 {
                    let part = left.min(TURN);
                    let copied = disk.run(move |_| copy_part(source, target, part)).await?;
                    (source, target) =
                        copied.map_err(|error| errand.error(Operation::Write, &error))?;
                    left -= part;
                }
                disk.run(move |_| errand.name_copy(&source, &before))
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
        let target = below::open(
            &Spot {
                root: &self.root,
                below: &partial,
                links: Links::Refused,
                may_make: true,
                executable: self.executable,
            },
            Access::Write,
        )?;
        // An earlier attempt may have been cut off.
        target
            .set_len(0)
            .map_err(|error| self.error(Operation::Write, &error))?;
        if reflink(&source, &target) {
            let named = self.name_copy(&source, &before)?;
            return Ok(Linked::Done(named.map(|_| Brought::Reflink)));
        }
        if below::hard_link(&self.root, &self.below, &self.source).is_ok() {
            self.forget_partial();
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
        Ok(Linked::ToCopy(source, target, before))
    }

    /// The copy is whole: it gets its name, if its source is still what was hashed.
    fn name_copy(&self, source: &File, before: &Metadata) -> Result<Option<Brought>, StorageError> {
        if !source
            .metadata()
            .is_ok_and(|now| is_unchanged(&now, before))
        {
            self.forget_partial();
            return Ok(None);
        }
        let named = below::rename(&self.root, &self.partial(), &self.below);
        if named.is_err() {
            self.forget_partial();
        }
        named.map(|()| Some(Brought::Copy))
    }

    fn forget_partial(&self) {
        // What is left of it does no harm.
        let _ = fs::remove_file(self.root.join(self.partial()));
    }
}

enum Linked {
    Done(Option<Brought>),
    /// Source, target, and the state of the source.
    ToCopy(File, File, Metadata),
}

/// Whether a file is as it was.
fn is_unchanged(now: &Metadata, before: &Metadata) -> bool {
    file_state(now) == file_state(before)
}

fn copy_part(mut source: File, mut target: File, len: u64) -> io::Result<(File, File)> {
    let copied = io::copy(&mut (&mut source).take(len), &mut target)?;
    match copied == len {
        true => Ok((source, target)),
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
