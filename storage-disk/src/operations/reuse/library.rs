//! Files elsewhere that may be those of a torrent: found by their length, known by the root of their tree.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use tailwater_metainfo::merkle::{FileTree, FileTreeHasher};
use tailwater_storage::StorageError;

use crate::threads::pool::SCRATCH_LEN;
use crate::torrent::DiskTorrent;

/// The most files and folders that are looked at below the folders that the user names.
const MAX_ENTRIES: usize = 1_000_000;
/// How deep folders are looked into.
const MAX_DEPTH: usize = 64;
/// Bytes that are hashed or copied in one job of a thread that reads, before others have their turn.
pub(super) const TURN: u64 = 8 * 1024 * 1024;

/// A file that has the length of one of the torrent's.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// Its tree, once it has been hashed; `None` inside if it could not be read or has changed meanwhile.
    tree: Option<Option<FileTree>>,
}

/// The candidates, by length.
#[derive(Debug, Default)]
pub(super) struct Library(HashMap<u64, Vec<Candidate>>);

/// A folder that is still to be looked into.
struct Folder {
    path: PathBuf,
    depth: usize,
}

impl Library {
    /// Looks for files of these lengths below `folders`. Symbolic links are not followed.
    ///
    /// # Errors
    ///
    /// When the storage is closed. A folder that cannot be read is told of and left out.
    pub(super) async fn search(
        disk: &DiskTorrent,
        folders: &[PathBuf],
        lengths: &HashSet<u64>,
    ) -> Result<Self, StorageError> {
        let mut library = Self::default();
        let mut open: Vec<_> = folders
            .iter()
            .map(|path| Folder {
                path: path.clone(),
                depth: 0,
            })
            .collect();
        let mut seen = 0_usize;
        while let Some(folder) = open.pop() {
            let listed = disk.run(move |_| list(&folder)).await?;
            for (path, found) in listed {
                seen += 1;
                match found {
                    Entry::Folder(depth) if depth < MAX_DEPTH => open.push(Folder { path, depth }),
                    Entry::File(len) if lengths.contains(&len) => {
                        let candidate = Candidate { path, tree: None };
                        library.0.entry(len).or_default().push(candidate);
                    }
                    _ => {}
                }
            }
            if seen > MAX_ENTRIES {
                tracing::warn!(
                    "more than {MAX_ENTRIES} files to reuse: the others are not looked at"
                );
                break;
            }
        }
        Ok(library)
    }

    /// The candidates for a file; those that have its name come first.
    pub(super) fn candidates(&mut self, len: u64, name: &Path) -> &mut [Candidate] {
        let candidates = self.0.entry(len).or_default();
        candidates.sort_by_key(|candidate| candidate.path.file_name() != name.file_name());
        candidates
    }
}

enum Entry {
    /// With its depth.
    Folder(usize),
    /// With its length.
    File(u64),
}

fn list(folder: &Folder) -> Vec<(PathBuf, Entry)> {
    let entries = match fs::read_dir(&folder.path) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!("no files of {} are reused: {error}", folder.path.display());
            return Vec::new();
        }
    };
    let known = entries.flatten().filter_map(|entry| {
        // What the entry itself is: a link is neither.
        let found = entry.metadata().ok()?;
        let kind = match (found.is_dir(), found.is_file()) {
            (true, _) => Entry::Folder(folder.depth + 1),
            (_, true) => Entry::File(found.len()),
            _ => return None,
        };
        Some((entry.path(), kind))
    });
    known.collect()
}

impl Candidate {
    /// The tree of its bytes. It is hashed once, in turns.
    ///
    /// # Errors
    ///
    /// When the storage is closed.
    pub(super) async fn tree(
        &mut self,
        disk: &DiskTorrent,
        len: u64,
        piece_length: u32,
    ) -> Result<Option<&FileTree>, StorageError> {
        if self.tree.is_none() {
            let opened = File::open(&self.path);
            self.tree = Some(match opened {
                Ok(file) => tree_of(disk, file, len, piece_length).await?,
                Err(error) => {
                    tracing::warn!("{} is not reused: {error}", self.path.display());
                    None
                }
            });
        }
        Ok(self.tree.as_ref().and_then(Option::as_ref))
    }
}

/// The tree of a file of this length; `None` if it cannot be read to its end.
pub(super) async fn tree_of(
    disk: &DiskTorrent,
    file: File,
    len: u64,
    piece_length: u32,
) -> Result<Option<FileTree>, StorageError> {
    let mut state = Some((file, FileTreeHasher::new(piece_length)));
    let mut left = len;
    while left > 0 {
        let Some((file, hasher)) = state.take() else {
            return Ok(None);
        };
        let part = left.min(TURN);
        state = disk.run(move |_| hash_part(file, hasher, part)).await?;
        left -= part;
    }
    Ok(state.and_then(|(_, hasher)| hasher.finish()))
}

fn hash_part(
    mut file: File,
    mut hasher: FileTreeHasher,
    len: u64,
) -> Option<(File, FileTreeHasher)> {
    let mut buffer = vec![0; SCRATCH_LEN];
    let mut left = usize::try_from(len).ok()?;
    while left > 0 {
        let part = &mut buffer[..left.min(SCRATCH_LEN)];
        file.read_exact(part).ok()?;
        hasher.update(part);
        left -= part.len();
    }
    Some((file, hasher))
}
