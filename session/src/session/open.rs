//! Opening a torrent's storage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailwater_metainfo::{Info, PieceIndex};
use tailwater_storage_mem::piece_memory;

use super::Inner;
use crate::disk::{Completion, DiskTorrent, Hold, PathClaim, Use, canonical, parts_name};
use crate::driver::mailbox::Mailbox;
use crate::error::AddError;
use crate::options::{AddOptions, StorageKind};
use crate::storage::{DiskStore, MemoryStore, Store, disk_options, piece_hashes};
use crate::torrent::Priority;

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
                let usage = match options.seed_only {
                    true => Use::Read,
                    false => Use::Write,
                };
                self.open_disk(info, root, skipped, usage, completions)
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
        root: &Path,
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
        let claim = self.claim(info, root, usage).await?;
        let hold = Hold::new(usage, Some(claim), Arc::clone(&self.locks));
        let options = disk_options(info, root, skipped, hold, Arc::new(tell))?;
        let disk = DiskTorrent::open(self.io.clone(), options).await?;
        Ok(Store::Disk(DiskStore::new(disk)))
    }

    /// Claims the paths of a torrent's files, so that no other torrent of the session writes to them.
    async fn claim(&self, info: &Info, root: &Path, usage: Use) -> Result<PathClaim, AddError> {
        let (its, root) = (info.clone(), root.to_path_buf());
        let files = self.io.run(move || file_paths(&its, &canonical(&root)));
        let claimed = self.paths.claim(info.name(), usage, files.await?);
        claimed.map_err(|taken| AddError::PathInUse {
            path: taken.path,
            by: taken.by,
        })
    }
}

/// Everything that a torrent may write below its folder.
fn file_paths(info: &Info, root: &Path) -> Vec<PathBuf> {
    let files = info.files().iter().filter(|file| !file.is_pad());
    let parts = info
        .info_hashes()
        .v1
        .map(|hash| root.join(parts_name(hash)));
    files
        .map(|file| file.path().under(root))
        .chain(parts)
        .collect()
}
