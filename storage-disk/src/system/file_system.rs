//! The file system behind a trait: the few operations that the storage needs, so that a test can play a full or broken
//! disk.

use crate::system::below::{self, Spot};
use crate::system::metadata::{FileId, FileState, file_state};
use std::fs::File;
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::path::Path;
use tailwater_storage::StorageError;

/// How much Linux reads ahead for one hint; it ignores what is beyond (`read_ahead_kb` of a device, by default).
#[cfg(target_os = "linux")]
const READ_AHEAD: NonZeroU64 = NonZeroU64::new(128 * 1024).unwrap();

/// The purpose for which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading; the file must exist.
    Read,
    /// Reading and writing; the file is made when it does not exist.
    Write,
}

/// Opens files.
pub(crate) trait FileSystem: Send + Sync {
    /// Opens a file below the download folder.
    fn open(&self, spot: &Spot<'_>, access: Access) -> Result<Box<dyn DiskFile>, StorageError>;
    /// Syncs the file system that `folder` lies in: returns when the device holds all its data. Says whether there is
    /// such a call.
    fn sync_all(&self, folder: &Path) -> io::Result<bool> {
        let _ = folder;
        Ok(false)
    }
}

/// The system's state of an open file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenState {
    /// The length in bytes.
    pub(crate) len: u64,
    /// The time of the last change, as in [`FileState`].
    pub(crate) mtime_ns: i64,
    /// Which file it is, where the system says so.
    pub(crate) id: Option<FileId>,
    /// It has no name any more: data written to it is gone when it is closed.
    pub(crate) is_deleted: bool,
}

impl OpenState {
    pub(crate) const fn file_state(&self) -> FileState {
        FileState {
            len: self.len,
            mtime_ns: self.mtime_ns,
        }
    }
}

/// An open file, read and written at positions, from several threads at once.
pub(crate) trait DiskFile: Send + Sync {
    /// Fills `buf` from `offset` on; a file that ends before is [`io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    /// A hint that `len` bytes from `offset` on will be read soon, in any order.
    fn will_read(&self, offset: u64, len: usize) {
        let _ = (offset, len);
    }
    /// Writes all of `data` at `offset`.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Writes all of `parts`, one after the other, at `offset`. The parts are consumed.
    fn write_all_parts_at(&self, parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        for part in parts {
            self.write_all_at(part, offset)?;
            offset += u64::try_from(part.len()).unwrap_or(u64::MAX);
        }
        Ok(())
    }
    /// The state of the file.
    fn state(&self) -> io::Result<OpenState>;
    /// Cuts the file or extends it, sparse where the file system can.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Preallocates the first `len` bytes; says whether the file system can.
    fn allocate(&self, len: u64) -> io::Result<bool> {
        let _ = len;
        Ok(false)
    }
    /// Syncs the file: returns when the device holds its data.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemFiles;

impl FileSystem for SystemFiles {
    fn open(&self, spot: &Spot<'_>, access: Access) -> Result<Box<dyn DiskFile>, StorageError> {
        Ok(Box::new(below::open(spot, access)?))
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self, folder: &Path) -> io::Result<bool> {
        rustix::fs::syncfs(File::open(folder)?)?;
        Ok(true)
    }
}

impl DiskFile for File {
    #[cfg(unix)]
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }

    #[cfg(target_os = "linux")]
    fn will_read(&self, offset: u64, len: usize) {
        use rustix::fs::{Advice, fadvise};
        let end = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let mut at = offset;
        while let Some(left) = NonZeroU64::new(end.saturating_sub(at)) {
            let step = left.min(READ_AHEAD);
            // A hint that is refused changes nothing.
            let _ = fadvise(self, at, Some(step), Advice::WillNeed);
            at = at.saturating_add(step.get());
        }
    }

    #[cfg(unix)]
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, data, offset)
    }

    /// One call to the system for all parts: a file system's work for a call costs about as much as the copy of a block.
    #[cfg(target_os = "linux")]
    fn write_all_parts_at(&self, mut parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        use rustix::io::{Errno, pwritev};
        // Parts of no bytes would look as if nothing could be written.
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match pwritev(self, parts, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut parts, written);
                    offset += u64::try_from(written).unwrap_or(u64::MAX);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        use std::os::windows::fs::FileExt;
        while !buf.is_empty() {
            match self.seek_read(buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buf = &mut buf[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_all_at(&self, mut data: &[u8], mut offset: u64) -> io::Result<()> {
        use std::os::windows::fs::FileExt;
        while !data.is_empty() {
            match self.seek_write(data, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    data = &data[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn state(&self) -> io::Result<OpenState> {
        let found = self.metadata()?;
        #[cfg(unix)]
        let is_deleted = std::os::unix::fs::MetadataExt::nlink(&found) == 0;
        #[cfg(not(unix))]
        let is_deleted = false;
        Ok(OpenState {
            len: found.len(),
            mtime_ns: file_state(&found).mtime_ns,
            id: FileId::of(&found),
            is_deleted,
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, len: u64) -> io::Result<bool> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(self, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
