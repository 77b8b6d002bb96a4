//! The storage that a torrent's options name: from a user's choice to the factory that opens it.
//!
//! Nothing else of the session knows what kinds of storage there are: it has an `Arc<dyn Storage>`.

use std::path::PathBuf;
use std::sync::Arc;

use tailwater_metainfo::Metainfo;
use tailwater_storage::{
    Access, Blocking, Completion, CompletionSink, OpenError, OpenRequest, Opened, StorageFactory,
};
use tailwater_storage_disk::Disk;
use tailwater_storage_mem::MemoryFactory;

use crate::error::AddError;
use crate::mailbox::Mailbox;
use crate::options::{AddOptions, StorageKind};

#[cfg(test)]
mod tests;

/// The state that the session's own storages share between torrents.
pub(crate) struct Storages {
    pub(crate) disk: Disk,
    pub(crate) memory: MemoryFactory,
}

impl Storages {
    /// Opens the storage that the options name.
    ///
    /// # Errors
    ///
    /// [`AddError::V2Only`], or what the storage says.
    pub(crate) async fn open(
        &self,
        metainfo: &Arc<Metainfo>,
        wanted: Vec<bool>,
        options: &AddOptions,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Opened, AddError> {
        let info_hash = metainfo.info().info_hashes().v1.ok_or(AddError::V2Only)?;
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
        let factory = options.factory.clone();
        let factory = factory.unwrap_or_else(|| self.factory(&options.storage, options));
        Ok(factory.open(request).await?)
    }

    /// The session's own storages.
    fn factory(&self, kind: &StorageKind, options: &AddOptions) -> Arc<dyn StorageFactory> {
        match kind {
            StorageKind::Memory => Arc::new(self.memory.clone()),
            StorageKind::Disk(root) => Arc::new(self.folder(root.clone(), options)),
        }
    }

    fn folder(&self, root: PathBuf, options: &AddOptions) -> tailwater_storage_disk::DiskFolder {
        let choices = &options.disk;
        self.disk
            .folder(root)
            .recheck(choices.recheck)
            .overwrite(choices.overwrite)
            .part_names(choices.part_names)
            .preallocate(choices.preallocate)
            .replaces(options.replaced.clone())
            // No resume data is kept of an incomplete folder that is only shared.
            .remembers(!choices.seed_partial)
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
            other => Self::Storage(tailwater_storage::StorageError::Layout(other.to_string())),
        }
    }
}
