//! Checks files against a torrent without downloading anything.

use std::path::Path;
use std::sync::Arc;

use tailwater_metainfo::Metainfo;
use tailwater_storage::{Progress, StorageError};
use tailwater_types::{Bitfield, InfoHash};

use crate::claims::hold::Hold;
use crate::operations::place::Place;
use crate::system::below::Links;
use crate::threads::pool::{IoConfig, IoPool};
use crate::torrent::{DiskOptions, DiskTorrent};

/// Checks the files below `root` against the torrent's piece hashes, on all cores, and says which pieces are whole. Where the
/// hashes of pieces are not known, as of a v2 torrent that came by a link, a file is right as a whole by its own tree, or not.
/// `progress` gets the number of pieces done and the total, from the I/O threads.
///
/// # Cancel safety
///
/// Dropping the future stops the check.
///
/// # Errors
///
/// When a file exists and cannot be read. A missing file is no error: its pieces are missing.
pub async fn check_files(
    metainfo: &Metainfo,
    info_hash: InfoHash,
    root: &Path,
    progress: Progress,
) -> Result<Bitfield, StorageError> {
    let pool = IoPool::new(IoConfig::default())?;
    let checked = async {
        let place = Place::find_in(&pool, metainfo.info(), info_hash, root, false).await?;
        let hold = Hold::none();
        let options = DiskOptions {
            key: place.key,
            layout: place.layout,
            hashes: metainfo.piece_hashes(),
            skipped: Vec::new(),
            links: Links::Followed,
            hold,
            on_completion: Arc::new(|_| {}),
        };
        let disk = DiskTorrent::open(pool.clone(), options).await?;
        let check = async {
            disk.learn_layers(metainfo).await?;
            disk.check(move |done, total| progress(done, total)).await
        };
        let have = check.await;
        disk.close().await;
        have
    };
    let have = checked.await;
    pool.close().await;
    have
}
