//! Disk space: whether a download fits its disk, before anything is written.

use crate::layout::slots::index_to_slot;
use crate::torrent::{DiskTorrent, Shared};
use std::fs::Metadata;
use std::path::Path;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tailwater_storage::StorageError;

/// The torrents of a session that need disk space, by file system.
///
/// What each needs shrinks as it is written. To look at the files of all torrents whenever one is opened would take
/// minutes with thousands, so what they needed when they were last asked stands for it, which is never too little. They are
/// asked anew where that does not fit.
#[derive(Default)]
pub(crate) struct Rooms {
    torrents: Mutex<Vec<Promise>>,
}

/// Room that a torrent was promised.
struct Promise {
    device: u64,
    torrent: Weak<Shared>,
    /// Bytes that it needed when it was last asked.
    needed: u64,
}

impl Promise {
    /// Asks the torrent anew. One that is being closed needs nothing any more.
    fn renew(&mut self) {
        let torrent = self.torrent.upgrade();
        let torrent = torrent.filter(|torrent| !torrent.is_closing());
        // Another torrent whose files cannot be looked at will say so itself.
        self.needed = torrent.map_or(0, |torrent| torrent.needed().unwrap_or(0));
    }
}

impl DiskTorrent {
    /// Makes sure that the missing bytes of the wanted files fit the disk, beside those that other torrents of the
    /// session need there. Where the system does not say how much is free, they are taken to fit. The bytes that a
    /// piece at the border of an unwanted file takes in the parts file are not counted.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoRoom`]; when the storage is closed or a file cannot be looked at.
    pub(crate) async fn claim_room(&self, rooms: Arc<Rooms>) -> Result<(), StorageError> {
        let ticket = self.enter()?;
        let claim = move || rooms.claim(&ticket.shared);
        self.pool().run(claim).await?
    }
}

impl Rooms {
    fn claim(&self, shared: &Arc<Shared>) -> Result<(), StorageError> {
        let root = shared.store.layout().root();
        let Some(space) = sys::space(root) else {
            return Ok(());
        };
        let needed = shared.needed()?;
        // Two that ask at once must not be promised the same room.
        let mut torrents = self.torrents.lock();
        let this = Arc::downgrade(shared);
        torrents.retain(|other| {
            other.torrent.strong_count() > 0 && !Weak::ptr_eq(&other.torrent, &this)
        });
        let fits = check(needed, promised(&torrents, space.device), space.free, root);
        if fits.is_err() {
            let others = torrents.iter_mut();
            let others = others.filter(|other| other.device == space.device);
            others.for_each(Promise::renew);
            check(needed, promised(&torrents, space.device), space.free, root)?;
        }
        torrents.push(Promise {
            device: space.device,
            torrent: this,
            needed,
        });
        Ok(())
    }
}

/// What torrents were promised on a device.
fn promised(torrents: &[Promise], device: u64) -> u64 {
    let there = torrents.iter().filter(|other| other.device == device);
    there.fold(0, |sum, other| sum.saturating_add(other.needed))
}

fn check(needed: u64, promised: u64, free: u64, root: &Path) -> Result<(), StorageError> {
    match needed == 0 || needed.saturating_add(promised) <= free {
        true => Ok(()),
        false => Err(StorageError::NoRoom {
            path: root.to_path_buf(),
            needed,
            free,
            promised,
        }),
    }
}

impl Shared {
    /// Bytes that will be allocated for the wanted files: those of pieces that are not verified, as far as the file
    /// system has not allocated them yet.
    fn needed(&self) -> Result<u64, StorageError> {
        let store = &self.store;
        let layout = store.layout();
        let geometry = layout.geometry();
        let skipped = store.homes().skipped.clone();
        let mut needed = 0_u64;
        for (index, file) in layout.files().iter().enumerate() {
            if file.pad || file.link.is_some() || skipped[index] {
                continue;
            }
            let end = file.offset + file.length;
            let missing = layout.pieces_of(index).filter(|&it| !self.verified.has(it));
            let missing: u64 = missing
                .map(|piece| {
                    let start = geometry.piece_start(piece);
                    let piece_end = start + u64::from(geometry.piece_len(piece));
                    piece_end.min(end) - start.max(file.offset)
                })
                .sum();
            if missing > 0 {
                let found = store.inspect(index_to_slot(index))?;
                let allocated = found.as_ref().map_or(0, allocated);
                needed = needed.saturating_add(missing.min(file.length.saturating_sub(allocated)));
            }
        }
        Ok(needed)
    }
}

/// What a file takes on the device: less than its length if it is sparse.
#[cfg(unix)]
fn allocated(found: &Metadata) -> u64 {
    /// The unit of `st_blocks`, whatever the file system's own.
    const BLOCK: u64 = 512;
    std::os::unix::fs::MetadataExt::blocks(found).saturating_mul(BLOCK)
}

#[cfg(not(unix))]
fn allocated(found: &Metadata) -> u64 {
    found.len()
}

/// The free space of a file system.
struct FreeSpace {
    device: u64,
    free: u64,
}

#[cfg(unix)]
mod sys {
    use super::{FreeSpace, Path};
    use std::os::unix::fs::MetadataExt;

    /// The free space of the file system that a folder is on, or will be; `None` where the system does not say.
    pub(crate) fn space(folder: &Path) -> Option<FreeSpace> {
        let folder = std::path::absolute(folder).ok()?;
        let there = folder.ancestors().find(|folder| folder.exists())?;
        let found = rustix::fs::statvfs(there).ok()?;
        // Some file systems answer with zeros.
        (found.f_blocks > 0).then_some(FreeSpace {
            device: there.metadata().ok()?.dev(),
            free: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}

#[cfg(not(unix))]
mod sys {
    use super::{FreeSpace, Path};

    pub(crate) const fn space(_: &Path) -> Option<FreeSpace> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_counts_and_nothing_needs_no_room() {
        let root = Path::new("/down");
        assert_eq!(check(10, 5, 15, root), Ok(()));
        assert_eq!(check(0, 5, 0, root), Ok(()));
        assert_eq!(
            check(10, 6, 15, root),
            Err(StorageError::NoRoom {
                path: root.to_path_buf(),
                needed: 10,
                free: 15,
                promised: 6,
            })
        );
        assert!(check(u64::MAX, u64::MAX, u64::MAX - 1, root).is_err());
    }
}
