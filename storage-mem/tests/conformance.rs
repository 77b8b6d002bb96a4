//! The memory storage behind the traits does what every storage has to do.

#![cfg(not(loom))]

use std::sync::Arc;

use tailwater_storage::StorageFactory;
use tailwater_storage::conformance::{Subject, block_on, check};
use tailwater_storage_mem::{Config, Eviction, MemoryFactory, MemoryStorage};

fn factory(budget: u64) -> Arc<dyn StorageFactory> {
    let config = Config::new(budget).with_eviction(Eviction::LeastRecentlyRequested);
    Arc::new(MemoryFactory::new(MemoryStorage::new(config)))
}

#[test]
fn it_does_what_every_storage_has_to_do() {
    let subject = Subject::new(|| factory(4 << 20)).evicts(factory).judges();
    block_on(check(&subject));
}
