//! Files that are there already: those of the torrent whose hashes of pieces are not known yet, and those in other folders
//! that the user named, which are recognised by the root of their hash tree (BEP 52) instead of being downloaded.

mod bring;
mod library;

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;

use tailwater_metainfo::{MerkleHash, Metainfo};
use tailwater_storage::StorageError;
use tailwater_types::InfoHash;

use crate::layout::slots::index_to_slot;
use crate::torrent::DiskTorrent;
use bring::{Errand, below_root};
use library::{Library, tree_of};

/// A file of the torrent that is missing, or whose layer is.
struct Wanted {
    path: PathBuf,
    len: u64,
    root: MerkleHash,
    executable: bool,
}

impl DiskTorrent {
    /// Looks in `folders` for files of the torrent that are wanted and not there, by length and root, and links or copies
    /// them. Returns how many. What cannot be read or linked is told of, and downloaded.
    ///
    /// To be called before files are looked at: it makes some.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or the files of the torrent cannot be looked at.
    pub(crate) async fn reuse(
        &self,
        info_hash: InfoHash,
        metainfo: &Metainfo,
        folders: &[PathBuf],
    ) -> Result<usize, StorageError> {
        let wanted = self.with_roots(metainfo, false).await?;
        if wanted.is_empty() || folders.is_empty() {
            return Ok(0);
        }
        let piece_length = metainfo.info().geometry().piece_length();
        let lengths: HashSet<u64> = wanted.iter().map(|file| file.len).collect();
        let mut library = Library::search(self, folders, &lengths).await?;
        let root = self.shared.store.layout().root().to_path_buf();
        let mut reused = 0;
        for file in wanted {
            let Some(below) = below_root(&root, &file.path) else {
                continue;
            };
            for candidate in library.candidates(file.len, &file.path) {
                let tree = candidate.tree(self, file.len, piece_length).await?;
                let Some(tree) = tree.filter(|tree| tree.root == file.root) else {
                    continue;
                };
                // Of a magnet link: without it, the file could not be checked yet.
                let _ = metainfo.piece_layers().learn(&tree.root, &tree.layer);
                let errand = Errand {
                    info_hash,
                    source: candidate.path.clone(),
                    root: root.clone(),
                    below: below.clone(),
                    executable: file.executable,
                };
                match errand.run(self).await {
                    Ok(Some(how)) => {
                        let (source, path) = (candidate.path.display(), file.path.display());
                        tracing::info!("{path} is {source} ({how:?}), which is not downloaded");
                        reused += 1;
                        break;
                    }
                    Ok(None) => {}
                    Err(StorageError::Closed) => return Err(StorageError::Closed),
                    Err(error) => {
                        tracing::warn!("{} is not reused: {error}", candidate.path.display());
                    }
                }
            }
        }
        if reused > 0 {
            // What was not there when the torrent was opened is locked now.
            self.run(|shared| shared.store.hold().begin_later(shared.store.layout()))
                .await??;
        }
        Ok(reused)
    }

    /// Learns the layers of files that are whole at their places, where they are not known: the torrent came by a magnet
    /// link, and no peer has sent them yet.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or the files of the torrent cannot be looked at.
    pub(crate) async fn learn_layers(&self, metainfo: &Metainfo) -> Result<(), StorageError> {
        let layers = metainfo.piece_layers();
        let missing: HashSet<_> = layers
            .missing()
            .into_iter()
            .map(|chunk| chunk.root)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let piece_length = metainfo.info().geometry().piece_length();
        for file in self.with_roots(metainfo, true).await? {
            if !missing.contains(&file.root) {
                continue;
            }
            // One that cannot be read is told of by the check.
            let Ok(opened) = File::open(&file.path) else {
                continue;
            };
            if let Some(tree) = tree_of(self, opened, file.len, piece_length).await? {
                // One that is not whole, or not the torrent's, is not learned from.
                let _ = layers.learn(&file.root, &tree.layer);
            }
        }
        Ok(())
    }

    /// The wanted files that have a root and are at their places with their full lengths, or not there at all.
    async fn with_roots(
        &self,
        metainfo: &Metainfo,
        are_there: bool,
    ) -> Result<Vec<Wanted>, StorageError> {
        let files = metainfo.info().files().iter();
        let roots: Vec<_> = files
            .map(tailwater_metainfo::FileEntry::pieces_root)
            .collect();
        let find = self.run(move |shared| {
            let store = &shared.store;
            let skipped = store.homes().skipped.clone();
            let mut wanted = Vec::new();
            for (index, span) in store.layout().files().iter().enumerate() {
                let root = roots.get(index).copied().flatten();
                let Some(root) = root.filter(|_| !span.pad && span.link.is_none()) else {
                    continue;
                };
                let slot = index_to_slot(index);
                let is_right = match store.inspect(slot)? {
                    Some(found) => are_there && found.is_file() && found.len() == span.length,
                    None => !are_there && !skipped[index],
                };
                if is_right {
                    wanted.push(Wanted {
                        path: store.slot_path(slot),
                        len: span.length,
                        root,
                        executable: span.executable,
                    });
                }
            }
            Ok(wanted)
        });
        find.await?
    }
}
