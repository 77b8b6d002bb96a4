//! The session's memory: one budget for the pieces of all torrents that are kept there.

use std::sync::Arc;

use tailwater_storage::{StorageError, StorageFactory};
use tailwater_storage_mem::{Config, Eviction, MemoryFactory, Stats};

/// The pieces of all torrents in memory.
pub(crate) struct MemoryStorage(MemoryFactory);

impl MemoryStorage {
    /// At most `budget` bytes.
    pub(crate) fn new(budget: u64) -> Self {
        let config = Config::new(budget).with_eviction(Eviction::LeastRecentlyRequested);
        let storage = tailwater_storage_mem::MemoryStorage::new(config);
        Self(MemoryFactory::new(storage))
    }

    /// Opens torrents in the budget.
    pub(crate) fn factory(&self) -> Result<Arc<dyn StorageFactory>, StorageError> {
        Ok(Arc::new(self.0.clone()))
    }

    /// The figures of the storage.
    pub(crate) fn stats(&self) -> Stats {
        self.0.storage().stats()
    }

    /// Bytes of the budget that are taken, and the budget.
    pub(crate) fn taken(&self) -> (u64, u64) {
        let stats = self.stats();
        (stats.used, stats.budget)
    }

    /// Waits until every byte has been given back.
    pub(crate) async fn close(&self) {
        self.0.storage().close().await;
    }
}
