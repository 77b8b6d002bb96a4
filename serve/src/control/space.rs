//! Where files go, and how much room there is.

use std::path::{Path, PathBuf};

use super::error::ControlError;
use super::service::Control;

/// The size of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSpace {
    /// What can still be written.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

impl Control {
    /// Where the files of torrents go if nothing else is said.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.inner.folders.data()
    }

    /// The room on the file system of a folder; `None` if there is no such folder, or the system does not say.
    ///
    /// # Errors
    ///
    /// When the folder is not below a configured one.
    pub async fn space(&self, folder: PathBuf) -> Result<Option<DiskSpace>, ControlError> {
        let folder = self.inner.folder(folder).await?;
        let asking = tokio::task::spawn_blocking(move || space(&folder));
        asking.await.map_err(|_| ControlError::Closed)
    }
}

#[cfg(unix)]
fn space(folder: &Path) -> Option<DiskSpace> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(DiskSpace {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

#[cfg(not(unix))]
const fn space(_: &Path) -> Option<DiskSpace> {
    None
}
