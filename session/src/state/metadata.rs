//! The store of info dictionaries that were fetched for magnet links: `<info-hash>.torrent` in the session's folder,
//! beside the resume data. There is nothing in it but the dictionary, and later the hashes of pieces that were fetched (BEP
//! 52).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tailwater_metainfo::limits::MAX_PIECES;
use tailwater_metainfo::{InfoHash, InfoHashes, Limits, Metainfo};

use tailwater_storage::{Operation, StorageError};
use tailwater_storage_disk::{IoPool, note_use, replace};

use tailwater_engine::metadata::{MAX_METADATA_LEN, is_metadata_of};

/// The longest file that is read, in bytes: a dictionary, and a hash for each of the most pieces that a torrent may have.
const MAX_SAVED_LEN: usize = MAX_METADATA_LEN as usize + 33 * MAX_PIECES as usize;
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

    /// Saves a torrent of a link, with the hashes of pieces that came from peers, under each of its names.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn save_hashes(&self, metainfo: &Metainfo) -> Result<(), StorageError> {
        let bytes = Bytes::from(metainfo.to_bytes());
        for name in metainfo.info().info_hashes().names() {
            let (folder, path) = (Arc::clone(&self.folder), self.path(name));
            let bytes = bytes.clone();
            let save = move || replace(&folder, &path, &bytes);
            self.pool.run(save).await??;
        }
        Ok(())
    }

    /// The saved torrent with these hashes, if there is one.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn load(&self, hashes: InfoHashes) -> Result<Option<Metainfo>, StorageError> {
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

fn load(path: &Path, hashes: InfoHashes) -> Result<Option<Metainfo>, StorageError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| StorageError::io(Operation::Open, path, &error))?,
    };
    let mut bytes = Vec::new();
    // What is cut off here is no torrent.
    file.take(u64::try_from(MAX_SAVED_LEN).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)
        .map_err(|error| StorageError::io(Operation::Read, path, &error))?;
    let mut limits = Limits::default();
    limits.len = MAX_SAVED_LEN;
    let found = Metainfo::from_bytes_with(&bytes, &limits).ok();
    let found = found.filter(|found| is_metadata_of(found.info().raw(), hashes));
    if found.is_some() {
        note_use(path, now());
    }
    Ok(found)
}

#[expect(clippy::disallowed_methods, reason = "files carry the clock's time")]
fn now() -> SystemTime {
    SystemTime::now()
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
        let info = b"d6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
        let info = Bytes::from_static(info);
        let hash = InfoHash::new(Sha1::digest(&info).into());
        assert_eq!(store.load(hash.into()).await, Ok(None));
        store.save(hash, info.clone()).await.unwrap();
        let loaded = store.load(hash.into()).await.unwrap().unwrap();
        assert_eq!(loaded.info().raw(), info);
        assert_eq!(store.load(InfoHash::new([1; 20]).into()).await, Ok(None));

        let path = dir.path().join(format!("state/{hash}.torrent"));
        assert_eq!(std::fs::read(&path).unwrap(), [HEAD, &info, TAIL].concat());
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
