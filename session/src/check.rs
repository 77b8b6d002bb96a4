//! Checking files against a torrent without a session: nothing is written and nobody is asked.

use std::path::Path;
use std::sync::Arc;

use tailwater_metainfo::{Bitfield, Metainfo};

use crate::error::AddError;
use crate::storage::disk_options;
use tailwater_storage_disk::{DiskTorrent, Hold, IoConfig, IoPool, Place};

/// Hashes what lies below `root` on all cores and says which pieces are whole. `progress` gets the pieces done and in
/// all, from the I/O threads.
///
/// # Errors
///
/// When a file exists and cannot be read, or the torrent has no v1 hashes. A missing file is no error: its pieces are
/// missing.
pub async fn check(
    metainfo: &Metainfo,
    root: &Path,
    progress: impl Fn(u32, u32) + Send + Sync + 'static,
) -> Result<Bitfield, AddError> {
    let info = metainfo.info();
    let info_hash = info.info_hashes().v1.ok_or(AddError::V2Only)?;
    let pool = IoPool::new(IoConfig::default())?;
    let checked = async {
        let place = Place::find_in(&pool, info, info_hash, root, false).await?;
        let options = disk_options(info, place, Vec::new(), Hold::none(), Arc::new(|_| {}))?;
        let disk = DiskTorrent::open(pool.clone(), options).await?;
        let have = disk.check(progress).await;
        disk.close().await;
        Ok(have?)
    };
    let have = checked.await;
    pool.close().await;
    have
}
