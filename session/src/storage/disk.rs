//! The session's disk: the folders of its torrents, its I/O threads, and its state folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tailwater_storage::{StorageError, StorageFactory};
use tailwater_storage_disk::{Disk, clean};
use tokio_util::task::TaskTracker;

pub(crate) use tailwater_storage_disk::IoConfig;

use crate::options::AddOptions;
use crate::state::MetadataStore;

/// Folders of torrents, and the I/O threads that work on them.
pub(crate) struct DiskStorage(Disk);

impl DiskStorage {
    /// Starts the I/O threads, and cleans the state folder in the background. Returns the store of metadata in that
    /// folder too.
    ///
    /// # Errors
    ///
    /// When the threads cannot be started.
    pub(crate) fn start(
        io: IoConfig,
        state_dir: Option<PathBuf>,
        tasks: &TaskTracker,
    ) -> Result<(Self, Option<MetadataStore>), StorageError> {
        let disk = Disk::new(io)?;
        let Some(dir) = state_dir else {
            return Ok((Self(disk), None));
        };
        let pool = disk.pool().clone();
        let metadata = MetadataStore::new(pool.clone(), dir.clone());
        let disk = disk.resume_dir(dir.clone());
        // A pool that is closed has nothing to clean for.
        tasks.spawn(async move { drop(pool.run(move || clean(&dir, now())).await) });
        Ok((Self(disk), Some(metadata)))
    }

    /// A folder for the files of a torrent.
    pub(crate) fn folder(
        &self,
        root: PathBuf,
        options: &AddOptions,
    ) -> Result<Arc<dyn StorageFactory>, StorageError> {
        let choices = &options.disk;
        let folder = self
            .0
            .folder(root)
            .recheck(choices.recheck)
            .overwrite(choices.overwrite)
            .part_names(choices.part_names)
            .preallocate(choices.preallocate)
            .replaces(options.replaced.clone())
            .reuse(options.reuse.clone())
            // No resume data is kept of an incomplete folder that is only shared.
            .remembers(!choices.seed_partial);
        Ok(Arc::new(folder))
    }

    /// The I/O threads.
    #[cfg(test)]
    pub(crate) fn pool(&self) -> &tailwater_storage_disk::IoPool {
        self.0.pool()
    }

    /// Waits until the I/O threads have ended.
    pub(crate) async fn close(&self) {
        self.0.pool().close().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "files carry the clock's time")]
fn now() -> SystemTime {
    SystemTime::now()
}
