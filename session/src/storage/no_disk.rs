//! In place of the disk, without the feature `disk`: no folder can be opened.

use std::path::PathBuf;
use std::sync::Arc;

use tailwater_storage::{StorageError, StorageFactory};
use tokio_util::task::TaskTracker;

use crate::options::AddOptions;
use crate::state::MetadataStore;

/// The settings that there are not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IoConfig;

/// No disk.
pub(crate) struct DiskStorage;

impl DiskStorage {
    pub(crate) fn start(
        _: IoConfig,
        _: Option<PathBuf>,
        _: &TaskTracker,
    ) -> Result<(Self, Option<MetadataStore>), StorageError> {
        Ok((Self, None))
    }

    /// # Errors
    ///
    /// Always.
    pub(crate) fn folder(
        &self,
        _: PathBuf,
        _: &AddOptions,
    ) -> Result<Arc<dyn StorageFactory>, StorageError> {
        let operation = "keep files: the program was built without the feature `disk`";
        Err(StorageError::Unsupported { operation })
    }

    pub(crate) async fn close(&self) {}
}
