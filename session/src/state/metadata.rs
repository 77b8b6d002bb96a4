//! The store of info dictionaries that were fetched for magnet links: `<info-hash>.torrent` in the session's folder,
//! beside the resume data, with nothing in it but the dictionary.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tailwater_metainfo::{InfoHash, InfoHashes};

use tailwater_storage::{Operation, StorageError};
use tailwater_storage_disk::{IoPool, note_use, replace};

use tailwater_engine::metadata::{MAX_METADATA_LEN, is_metadata_of};

/// The bytes before the dictionary: a .torrent file with the one key `info`.
const HEAD: &[u8] = b"d4:info";
const TAIL: &[u8] = b"e";

/// The folder of saved info dictionaries. Clones are the same folder.
#[derive(Clone)]
pub(crate) struct MetadataStore {
    pool: IoPool,
    folder: Arc<Path>,
}

impl MetadataStore {
    /// Uses `folder`, which is made when something is saved.
    pub(crate) fn new(pool: IoPool, folder: PathBuf) -> Self {
        Self {
            pool,
            folder: folder.into(),
        }
    }

    /// Saves an info dictionary.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn save(&self, info_hash: InfoHash, info: Bytes) -> Result<(), StorageError> {
        let (folder, path) = (Arc::clone(&self.folder), self.path(info_hash));
        let save = move || replace(&folder, &path, &[HEAD, &info, TAIL].concat());
        self.pool.run(save).await?
    }

    /// The saved info dictionary with this hash, if there is one.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn load(&self, hashes: InfoHashes) -> Result<Option<Bytes>, StorageError> {
        let Some(name) = hashes.wire() else {
            return Ok(None);
        };
        let path = self.path(name);
        self.pool.run(move || load(&path, hashes)).await?
    }

    fn path(&self, info_hash: InfoHash) -> PathBuf {
        self.folder.join(format!("{info_hash}.torrent"))
    }
}

fn load(path: &Path, hashes: InfoHashes) -> Result<Option<Bytes>, StorageError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| StorageError::io(Operation::Open, path, &error))?,
    };
    let mut bytes = Vec::new();
    // What is cut off here does not have the right hash.
    file.take(u64::from(MAX_METADATA_LEN) + 16)
        .read_to_end(&mut bytes)
        .map_err(|error| StorageError::io(Operation::Read, path, &error))?;
    let bytes = Bytes::from(bytes);
    let Some(info) = inside(&bytes) else {
        return Ok(None);
    };
    let is_right = is_metadata_of(&info, hashes);
    if is_right {
        note_use(path, now());
    }
    Ok(is_right.then_some(info))
}

#[expect(clippy::disallowed_methods, reason = "files carry the clock's time")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// The dictionary in a file as [`MetadataStore::save`] makes it.
fn inside(file: &Bytes) -> Option<Bytes> {
    let info = file.strip_prefix(HEAD)?.strip_suffix(TAIL)?;
    Some(file.slice_ref(info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha1::{Digest, Sha1};
    use tailwater_storage_disk::IoConfig;

    #[tokio::test]
    async fn what_was_saved_is_found_again_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let pool = IoPool::new(IoConfig::default()).unwrap();
        let store = MetadataStore::new(pool.clone(), dir.path().join("state"));
        let info = Bytes::from_static(b"d4:name1:xe");
        let hash = InfoHash::new(Sha1::digest(&info).into());
        assert_eq!(store.load(hash.into()).await, Ok(None));
        store.save(hash, info.clone()).await.unwrap();
        assert_eq!(store.load(hash.into()).await, Ok(Some(info)));

        let path = dir.path().join(format!("state/{hash}.torrent"));
        assert_eq!(std::fs::read(&path).unwrap(), b"d4:infod4:name1:xee");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "it is for its owner alone");
        }
        for damaged in [&b"d4:infod4:name1:yee"[..], b"d4:info", b""] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(store.load(hash.into()).await, Ok(None));
        }
        pool.close().await;
    }
}
