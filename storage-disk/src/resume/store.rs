//! The folder of resume data: saves, loads and removes it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailwater_storage::{Operation, StorageError};

use crate::resume::cleaning::UNFINISHED;
use crate::resume::data::{ResumeData, ResumeKey};
use crate::threads::pool::IoPool;

/// The largest resume file that is read, in bytes. Each file of a torrent takes about 35 bytes, so this is enough for
/// more files than a .torrent can list.
pub(crate) const MAX_RESUME_LEN: u64 = 32 * 1024 * 1024;

/// The folder of resume files. Clones are the same folder.
#[derive(Clone)]
pub(crate) struct ResumeStore {
    pool: IoPool,
    folder: Arc<Path>,
}

impl ResumeStore {
    /// Uses `folder`, which is made when something is saved.
    pub(crate) fn new(pool: IoPool, folder: PathBuf) -> Self {
        Self {
            pool,
            folder: folder.into(),
        }
    }

    /// Saves, replacing what was saved before: after a crash or power failure either the old or the new data is there.
    /// One save of a torrent at a time.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn save(&self, data: ResumeData) -> Result<(), StorageError> {
        let folder = Arc::clone(&self.folder);
        self.pool.run(move || save(&folder, &data)).await?
    }

    /// Loads what was saved for a torrent, if anything was.
    ///
    /// # Errors
    ///
    /// When the disk fails, the file is not a resume file of this torrent, or the pool is closed.
    pub(crate) async fn load(&self, key: &ResumeKey) -> Result<Option<ResumeData>, StorageError> {
        let (path, key) = (self.path(key), key.clone());
        self.pool.run(move || load(&path, &key)).await?
    }

    /// Forgets a torrent.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn remove(&self, key: &ResumeKey) -> Result<(), StorageError> {
        let path = self.path(key);
        let removed = self.pool.run(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io(Operation::Remove, &path, &error))
            }
            _ => Ok(()),
        });
        removed.await?
    }

    fn path(&self, key: &ResumeKey) -> PathBuf {
        self.folder.join(key.file_name())
    }
}

fn save(folder: &Path, data: &ResumeData) -> Result<(), StorageError> {
    let (path, bytes) = (folder.join(data.key.file_name()), data.to_bytes());
    // Most of thousands of torrents are as they were when they were saved. To read is cheap, to wait for the device is not.
    if is_saved(&path, &bytes) {
        return Ok(());
    }
    replace(folder, &path, &bytes)
}

/// Whether a file has these bytes. What another process wrote is not known to be on the device, but it is ours alone.
fn is_saved(path: &Path, bytes: &[u8]) -> bool {
    let is_as_long = fs::metadata(path).is_ok_and(|found| found.len() == bytes.len() as u64);
    is_as_long && fs::read(path).is_ok_and(|found| found == bytes)
}

/// Replaces a file of `folder`, which is made if need be, atomically: after a crash or power failure it is the old or
/// the new one. Two replacements at once do not mix: each writes a file of its own, which is renamed.
///
/// The names and contents tell what a user downloads, so they are for their owner alone: files have the mode 0600, and
/// folders that are made 0700. A folder that is there already keeps the mode that its owner gave it.
pub fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    make_private(folder).map_err(|e| StorageError::io(Operation::Create, folder, &e))?;
    let mut temporary = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)
        .map_err(|e| StorageError::io(Operation::Create, folder, &e))?;
    let written = temporary.write_all(bytes);
    written
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(|error| StorageError::io(Operation::Write, temporary.path(), &error))?;
    let renamed = temporary.persist(path);
    renamed.map_err(|e| StorageError::io(Operation::Rename, path, &e.error))?;
    // The new name has to reach the device too. Windows has no handles for folders and needs none.
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StorageError::io(Operation::Sync, folder, &error))?;
    Ok(())
}

/// Makes a folder that only its owner may enter, with the folders above it.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn load(path: &Path, key: &ResumeKey) -> Result<Option<ResumeData>, StorageError> {
    match read_resume(path) {
        Ok(data) if data.key == *key => Ok(Some(data)),
        Ok(_) => Err(refuse(path, "it belongs to another torrent or folder")),
        Err(error) if error.is_missing_data() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a resume file.
pub(crate) fn read_resume(path: &Path) -> Result<ResumeData, StorageError> {
    let file = File::open(path).map_err(|e| StorageError::io(Operation::Open, path, &e))?;
    let mut bytes = Vec::new();
    file.take(MAX_RESUME_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| StorageError::io(Operation::Read, path, &error))?;
    if u64::try_from(bytes.len()).map_or(true, |len| len > MAX_RESUME_LEN) {
        return Err(refuse(path, "too large"));
    }
    ResumeData::from_bytes(&bytes).map_err(|reason| refuse(path, &reason))
}

fn refuse(path: &Path, reason: &str) -> StorageError {
    StorageError::Resume {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}
