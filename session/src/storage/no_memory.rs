//! In place of the storage in memory, without the feature `memory`: no torrent can be kept there.

use std::sync::Arc;

use tailwater_storage::{StorageError, StorageFactory};

/// No memory.
pub(crate) struct MemoryStorage;

impl MemoryStorage {
    pub(crate) const fn new(_: u64) -> Self {
        Self
    }

    /// # Errors
    ///
    /// Always.
    pub(crate) fn factory(&self) -> Result<Arc<dyn StorageFactory>, StorageError> {
        let operation = "keep pieces in memory: the program was built without the feature `memory`";
        Err(StorageError::Unsupported { operation })
    }

    pub(crate) const fn taken(&self) -> (u64, u64) {
        (0, 0)
    }

    pub(crate) async fn close(&self) {}
}
