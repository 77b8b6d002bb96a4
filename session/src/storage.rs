//! The storage that a torrent's options name: from a user's choice to the factory that opens it.
//!
//! Nothing else of the session knows what kinds of storage there are: it has an `Arc<dyn Storage>`.

use std::sync::Arc;

use tailwater_metainfo::Metainfo;
use tailwater_storage::{
    Access, Blocking, Completion, CompletionSink, OpenError, OpenRequest, Opened, StorageError,
    StorageFactory,
};

use crate::error::AddError;
use crate::mailbox::Mailbox;
use crate::options::{AddOptions, StorageKind};

#[cfg_attr(not(feature = "disk"), path = "storage/no_disk.rs")]
mod disk;
#[cfg_attr(not(feature = "memory"), path = "storage/no_memory.rs")]
mod memory;
#[cfg(test)]
mod tests;

pub(crate) use disk::{DiskStorage, IoConfig};
pub(crate) use memory::MemoryStorage;

/// The state that the session's own storages share between torrents.
pub(crate) struct Storages {
    pub(crate) disk: DiskStorage,
    pub(crate) memory: MemoryStorage,
}

impl Storages {
    /// Opens the storage that the options name.
    ///
    /// # Errors
    ///
    /// What the storage says.
    pub(crate) async fn open(
        &self,
        metainfo: &Arc<Metainfo>,
        wanted: Vec<bool>,
        options: &AddOptions,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Opened, AddError> {
        let info_hash = metainfo.info().info_hash();
        let mut request = OpenRequest::new(
            Arc::clone(metainfo),
            info_hash,
            metainfo.piece_hashes(),
            sink(completions),
            blocking(),
        );
        request.wanted = wanted;
        request.access = match (options.disk.seed_only, options.on_demand) {
            (true, _) => Access::Seed,
            (false, true) => Access::OnDemand,
            (false, false) => Access::Download,
        };
        let factory = match &options.factory {
            Some(own) => Arc::clone(own),
            None => self.factory(&options.storage, options)?,
        };
        Ok(factory.open(request).await?)
    }

    /// The session's own storages.
    fn factory(
        &self,
        kind: &StorageKind,
        options: &AddOptions,
    ) -> Result<Arc<dyn StorageFactory>, StorageError> {
        match kind {
            StorageKind::Memory => self.memory.factory(),
            StorageKind::Disk(root) => self.disk.folder(root.clone(), options),
        }
    }
}

fn sink(completions: &Arc<Mailbox<Completion>>) -> CompletionSink {
    let completions = Arc::clone(completions);
    Arc::new(move |completion| {
        if completions.push(&mut vec![completion]).is_err() {
            tracing::error!("a torrent does not take its storage's completions");
        }
    })
}

/// Hashing in memory holds up no task of the runtime.
fn blocking() -> Blocking {
    Arc::new(|work| drop(tokio::task::spawn_blocking(work)))
}

impl From<OpenError> for AddError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::PathInUse { path, by } => Self::PathInUse { path, by },
            OpenError::TooLarge { needed, budget } => Self::TooLargeForMemory { needed, budget },
            OpenError::PieceTooLarge { piece, budget } => {
                Self::PieceTooLargeForMemory { piece, budget }
            }
            OpenError::Storage(error) => Self::Storage(error),
            other => Self::Storage(StorageError::Layout(other.to_string())),
        }
    }
}
