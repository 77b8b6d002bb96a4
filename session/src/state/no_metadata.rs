//! In place of the store of fetched metadata, without the feature `disk`: there is none.

use bytes::Bytes;
use tailwater_metainfo::{InfoHash, InfoHashes, Metainfo};
use tailwater_storage::StorageError;

/// There is no store.
#[derive(Clone)]
pub(crate) enum MetadataStore {}

impl MetadataStore {
    pub(crate) async fn save(&self, _: InfoHash, _: Bytes) -> Result<(), StorageError> {
        match *self {}
    }

    pub(crate) async fn save_hashes(&self, _: &Metainfo) -> Result<(), StorageError> {
        match *self {}
    }

    pub(crate) async fn load(&self, _: InfoHashes) -> Result<Option<Metainfo>, StorageError> {
        match *self {}
    }
}
