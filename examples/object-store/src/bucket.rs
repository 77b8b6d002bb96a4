//! A bucket with torrents in it, and the objects of one torrent.
//!
//! One object holds one piece: `PREFIX/INFO-HASH/00000007`. It is put when the piece is verified, so what is there was
//! right; it is hashed again when it is read, as others may write to a bucket too.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tailwater_storage::{Geometry, InfoHash, Operation, PieceIndex, StorageError};
use url::Url;

/// A place in an object store.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// For messages, without its credentials.
    name: Arc<str>,
}

impl Bucket {
    /// The bucket of a URL: `memory:///`, `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `azure://container/prefix`. Credentials and endpoints come from the environment, as for the tools of each provider:
    /// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME` and so on.
    ///
    /// # Errors
    ///
    /// When the URL is of no known kind, or something of the configuration is missing.
    pub fn open(url: &Url) -> Result<Self, object_store::Error> {
        Self::open_with(url, std::env::vars())
    }

    /// As [`Bucket::open`], with other variables than those of the environment.
    ///
    /// # Errors
    ///
    /// As [`Bucket::open`].
    pub fn open_with(
        url: &Url,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, object_store::Error> {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, prefix) = object_store::parse_url_opts(url, variables)?;
        let mut name = url.clone();
        // A URL that has no place for a password has none.
        let _ = name.set_password(None);
        Ok(Self {
            store: Arc::from(store),
            prefix,
            name: name.as_str().trim_end_matches('/').into(),
        })
    }

    fn folder(&self, torrent: InfoHash) -> Path {
        self.prefix.clone().join(torrent.to_string())
    }

    fn key(&self, torrent: InfoHash, piece: PieceIndex) -> Path {
        self.folder(torrent).join(format!("{:08}", piece.get()))
    }

    /// The pieces of a torrent that are there with their whole length.
    pub(crate) async fn list(
        &self,
        torrent: InfoHash,
        geometry: &Geometry,
    ) -> Result<Vec<PieceIndex>, StorageError> {
        let folder = self.folder(torrent);
        let listed = self.store.list(Some(&folder)).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|error| self.failed(Operation::Inspect, &folder, &error))?;
        let pieces = listed.into_iter().filter_map(|object| {
            let number = object.location.filename()?.parse().ok()?;
            let piece = geometry.piece(number).ok()?;
            (object.size == u64::from(geometry.piece_len(piece))).then_some(piece)
        });
        Ok(pieces.collect())
    }

    pub(crate) async fn put(
        &self,
        torrent: InfoHash,
        piece: PieceIndex,
        bytes: Bytes,
    ) -> Result<(), StorageError> {
        let key = self.key(torrent, piece);
        let put = self.store.put(&key, bytes.into()).await;
        put.map(drop)
            .map_err(|error| self.failed(Operation::Write, &key, &error))
    }

    pub(crate) async fn get(
        &self,
        torrent: InfoHash,
        piece: PieceIndex,
    ) -> Result<Bytes, StorageError> {
        let key = self.key(torrent, piece);
        let got = async { self.store.get(&key).await?.bytes().await };
        got.await
            .map_err(|error| self.failed(Operation::Read, &key, &error))
    }

    /// Adds the operation and the key to an error.
    fn failed(
        &self,
        operation: Operation,
        key: &Path,
        error: &object_store::Error,
    ) -> StorageError {
        let kind = match error {
            object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        };
        let key = key.as_ref();
        let below = key.strip_prefix(self.prefix.as_ref()).unwrap_or(key);
        let path = PathBuf::from(format!("{}/{}", self.name, below.trim_start_matches('/')));
        StorageError::io(operation, &path, &io::Error::new(kind, error.to_string()))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}
