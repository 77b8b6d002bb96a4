//! Checking files against a torrent without a session: nothing is written and no peer is asked.

use std::path::Path;
use std::sync::Arc;

use tailwater_metainfo::{Bitfield, Metainfo};
use tailwater_storage_disk::check_files;

use crate::error::AddError;

/// Checks the files below `root` against the torrent's piece hashes, on all cores, and says which pieces are whole.
/// `progress` gets the number of pieces done and the total, from the I/O threads.
///
/// # Cancel safety
///
/// Dropping the future stops the check.
///
/// # Errors
///
/// When a file exists and cannot be read. A missing file is no error: its pieces are
/// missing.
pub async fn check(
    metainfo: &Metainfo,
    root: &Path,
    progress: impl Fn(u32, u32) + Send + Sync + 'static,
) -> Result<Bitfield, AddError> {
    let info_hash = metainfo.info().info_hash();
    Ok(check_files(metainfo, info_hash, root, Arc::new(progress)).await?)
}
