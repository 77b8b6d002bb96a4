//! Opening a torrent's storage.

use std::sync::Arc;

use tailwater_metainfo::{Info, PieceIndex};
use tailwater_storage_mem::piece_memory;

use super::Inner;
use crate::driver::mailbox::Mailbox;
use crate::error::AddError;
use crate::options::{AddOptions, StorageKind};
use crate::storage::{DiskStore, MemoryStore, Store, disk_options, piece_hashes};
use crate::torrent::Priority;
use tailwater_storage::Completion;
use tailwater_storage_disk::{DiskTorrent, Hold, Place, Use};

impl Inner {
    pub(super) async fn open(
        &self,
        info: &Info,
        wanted: &[bool],
        priorities: &[(PieceIndex, Priority)],
        options: &AddOptions,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Store, AddError> {
        match &options.storage {
            StorageKind::Memory => self.open_memory(info, priorities, options, completions),
            StorageKind::Disk(root) => {
                let skipped = (0..wanted.len()).filter(|&file| !wanted[file]).collect();
                let usage = match options.disk.seed_only {
                    true => Use::Read,
                    false => Use::Write,
                };
                let part_names = options.disk.part_names;
                let info_hash = info.info_hashes().v1.ok_or(AddError::V2Only)?;
                let place = Place::find_in(&self.io, info, info_hash, root, part_names).await?;
                self.open_disk(info, place, skipped, usage, completions)
                    .await
            }
        }
    }

    fn open_memory(
        &self,
        info: &Info,
        priorities: &[(PieceIndex, Priority)],
        options: &AddOptions,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Store, AddError> {
        let geometry = info.geometry();
        let budget = self.settings.memory_budget;
        let wanted = priorities
            .iter()
            .filter(|(_, priority)| *priority > Priority::Skip);
        let needed = wanted
            .map(|(piece, _)| piece_memory(geometry.piece_len(*piece)))
            .sum();
        let piece = piece_memory(geometry.piece_length());
        if options.on_demand && piece.min(needed) > budget {
            return Err(AddError::PieceTooLargeForMemory { piece, budget });
        }
        if needed > budget && !options.on_demand {
            return Err(AddError::TooLargeForMemory { needed, budget });
        }
        let handle = self.memory.add_torrent(geometry, piece_hashes(info)?)?;
        let store = MemoryStore::new(
            self.memory.clone(),
            handle,
            geometry,
            completions,
            &self.neighbours,
        );
        if !options.on_demand {
            // What is downloaded is to stay, whoever reads something else.
            let all = 0..geometry.total();
            let pinned = self.memory.set_pins(handle, std::slice::from_ref(&all));
            pinned.inspect_err(|_| store.remove())?;
        }
        Ok(Store::Memory(store))
    }

    async fn open_disk(
        &self,
        info: &Info,
        place: Place,
        skipped: Vec<usize>,
        usage: Use,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Store, AddError> {
        let completions = Arc::clone(completions);
        let tell = move |completion| {
            if completions.push(&mut vec![completion]).is_err() {
                tracing::error!("a torrent does not take its storage's completions");
            }
        };
        // Two torrents of the same name are what mostly has the same paths.
        let owner = match info.info_hashes().wire() {
            Some(hash) => format!("{:?} (info-hash {hash})", info.name()),
            None => format!("{:?}", info.name()),
        };
        let claimed = self.paths.claim(&owner, usage, place.paths());
        let claim = claimed.map_err(|taken| AddError::PathInUse {
            path: taken.path,
            by: taken.by,
        })?;
        let hold = Hold::new(usage, Some(claim), Arc::clone(&self.locks));
        let options = disk_options(info, place, skipped, hold, Arc::new(tell))?;
        let disk = DiskTorrent::open(self.io.clone(), options).await?;
        Ok(Store::Disk(DiskStore::new(disk)))
    }
}
