//! Where a torrent's pieces are kept: in memory or on the disk, behind one face.

mod claims;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tailwater_metainfo::{BlockRef, Info, PieceHash, PieceIndex};
use tailwater_storage_mem::{BlockDigest, MemoryStorage, TorrentHandle, Verdict, Written};

use crate::disk::{
    Completion, DiskOptions, DiskTorrent, FileSpan, Layout, OnCompletion, StorageError,
};
use crate::driver::mailbox::Mailbox;
use crate::error::AddError;
use crate::torrent::{Full, Space};

use claims::Claims;

/// A torrent's storage; clones are handles to the same one.
#[derive(Clone)]
pub(crate) enum Store {
    Memory(MemoryStore),
    Disk(DiskStore),
}

/// A torrent in the session's memory storage.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    pub(crate) storage: MemoryStorage,
    pub(crate) handle: TorrentHandle,
    pub(crate) completions: Arc<Mailbox<Completion>>,
}

/// A torrent on the disk.
#[derive(Clone)]
pub(crate) struct DiskStore {
    pub(crate) torrent: DiskTorrent,
    claims: Arc<Claims>,
}

impl DiskStore {
    pub(crate) fn new(torrent: DiskTorrent) -> Self {
        let claims = Arc::new(Claims::new(*torrent.geometry()));
        Self { torrent, claims }
    }
}

impl Store {
    /// Takes blocks that peers sent; waits while the storage is busy. Returns those that are not wanted: somebody was
    /// first, or their piece is not being fetched.
    pub(crate) async fn write(&self, blocks: Vec<(BlockRef, Bytes)>) -> Vec<BlockRef> {
        match self {
            Self::Memory(memory) => {
                let unwanted = blocks.iter().filter(|(block, data)| {
                    let written = memory.storage.write_block(memory.handle, *block, data);
                    !matches!(written, Ok(Written::Stored { .. }))
                });
                unwanted.map(|(block, _)| *block).collect()
            }
            Self::Disk(disk) => {
                let (mine, others) = blocks
                    .into_iter()
                    .partition::<Vec<_>, _>(|(block, _)| disk.claims.claim(*block));
                let mut unwanted: Vec<_> = others.into_iter().map(|(block, _)| block).collect();
                let refs: Vec<_> = mine.iter().map(|(block, _)| *block).collect();
                if disk.torrent.write(mine).await.is_err() {
                    // The torrent hears of the reason as a completion.
                    for block in refs {
                        disk.claims.disclaim(block);
                        unwanted.push(block);
                    }
                }
                unwanted
            }
        }
    }

    /// Reads blocks of verified pieces; `None` for one that is not held.
    pub(crate) async fn read(&self, blocks: Vec<BlockRef>) -> Vec<(BlockRef, Option<Bytes>)> {
        match self {
            Self::Memory(memory) => {
                let read = |block| (block, memory.read(block));
                blocks.into_iter().map(read).collect()
            }
            Self::Disk(disk) => {
                let data = disk.torrent.read(blocks.clone()).await;
                let data = data.into_iter().map(|result| {
                    result
                        .inspect_err(|error| tracing::debug!("reading for a peer: {error}"))
                        .ok()
                });
                blocks.into_iter().zip(data).collect()
            }
        }
    }

    /// Asks for a piece's hash to be checked; the answer is a [`Completion`].
    pub(crate) fn verify(&self, piece: PieceIndex) -> Result<(), StorageError> {
        match self {
            Self::Memory(memory) => {
                let memory = memory.clone();
                tokio::task::spawn_blocking(move || memory.verify(piece));
                Ok(())
            }
            Self::Disk(disk) => disk.torrent.verify(piece),
        }
    }

    /// Asks for the digests of a verified piece's blocks; the answer is a [`Completion`].
    pub(crate) fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        match self {
            Self::Memory(memory) => {
                let memory = memory.clone();
                tokio::task::spawn_blocking(move || memory.digest(piece));
                Ok(())
            }
            Self::Disk(disk) => disk.torrent.digests(piece),
        }
    }

    /// A piece's verdict is known: no more of its blocks are taken.
    pub(crate) fn settle(&self, piece: PieceIndex) {
        if let Self::Disk(disk) = self {
            disk.claims.close(piece);
        }
    }

    /// Blocks were lost on the way to the disk and may come again.
    pub(crate) fn disclaim(&self, blocks: &[BlockRef]) {
        if let Self::Disk(disk) = self {
            for &block in blocks {
                disk.claims.disclaim(block);
            }
        }
    }

    /// Waits for what is under way, then gives everything back.
    pub(crate) async fn close(&self) {
        match self {
            Self::Memory(memory) => {
                // A session that is closing may have closed the storage before.
                let _ = memory.storage.remove_torrent(memory.handle);
            }
            Self::Disk(disk) => disk.torrent.close().await,
        }
    }
}

impl MemoryStore {
    /// A lease where the range lies in one block; else a copy, for the few peers that ask for odd ranges.
    fn read(&self, block: BlockRef) -> Option<Bytes> {
        match self.storage.read(self.handle, block) {
            Ok(lease) => Some(lease.into_bytes()),
            Err(tailwater_storage_mem::Error::SpansBlocks { .. }) => {
                let leases = self.storage.read_vectored(self.handle, block).ok()?;
                let mut bytes = Vec::with_capacity(block.len() as usize);
                for lease in leases {
                    bytes.extend_from_slice(&lease);
                }
                Some(bytes.into())
            }
            Err(_) => None,
        }
    }

    fn verify(&self, piece: PieceIndex) {
        let completion = match self.storage.verify(self.handle, piece) {
            Ok(Verdict::Valid) => Completion::Verified {
                piece,
                valid: true,
                digests: Vec::new(),
            },
            Ok(Verdict::Invalid { block_digests }) => Completion::Verified {
                piece,
                valid: false,
                digests: numbers(&block_digests),
            },
            // The torrent has been removed: nobody waits for the answer.
            Err(_) => return,
        };
        self.complete(completion);
    }

    fn digest(&self, piece: PieceIndex) {
        if let Ok(digests) = self.storage.block_digests(self.handle, piece) {
            self.complete(Completion::Digests {
                piece,
                digests: Ok(numbers(&digests)),
            });
        }
    }

    fn complete(&self, completion: Completion) {
        if self.completions.push(&mut vec![completion]).is_err() {
            tracing::error!("a torrent does not take its storage's completions");
        }
    }
}

fn numbers(digests: &[BlockDigest]) -> Vec<u64> {
    digests
        .iter()
        .map(|digest| u64::from_be_bytes(*digest.as_bytes()))
        .collect()
}

/// A torrent's files below `root`, for the disk storage.
///
/// # Errors
///
/// When the torrent has no v1 hashes or its files do not fit together.
pub(crate) fn disk_options(
    info: &Info,
    root: &Path,
    skipped: Vec<usize>,
    on_completion: OnCompletion,
) -> Result<DiskOptions, AddError> {
    let files = info.files().iter().map(|file| FileSpan {
        path: file.path().under(Path::new("")),
        offset: file.offset(),
        length: file.length(),
        pad: file.is_pad(),
    });
    Ok(DiskOptions {
        info_hash: info.info_hashes().v1.ok_or(AddError::V2Only)?,
        layout: Layout::new(root.to_path_buf(), files.collect(), info.geometry())?,
        hashes: piece_hashes(info)?,
        skipped,
        on_completion,
    })
}

/// The hashes of all pieces.
///
/// # Errors
///
/// When the torrent is v2 only.
pub(crate) fn piece_hashes(info: &Info) -> Result<Arc<[PieceHash]>, AddError> {
    let pieces = info.geometry().pieces();
    let hashes: Option<_> = pieces.map(|piece| info.piece_hash(piece)).collect();
    hashes.ok_or(AddError::V2Only)
}

/// Space is reserved before a block is requested; a disk is taken to have room until a write fails.
impl Space for Store {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        match self {
            Self::Memory(memory) => {
                let reservation = memory
                    .storage
                    .reserve(memory.handle, piece)
                    .map_err(|_| Full)?;
                let ours =
                    |evicted: &&tailwater_storage_mem::Evicted| evicted.handle == memory.handle;
                let evicted = reservation.evicted.iter().filter(ours);
                Ok(evicted.map(|evicted| evicted.piece).collect())
            }
            Self::Disk(disk) => {
                disk.claims.open(piece);
                Ok(Vec::new())
            }
        }
    }

    fn release(&mut self, piece: PieceIndex) {
        match self {
            Self::Memory(memory) => {
                // Nothing to give back when the storage is closed already.
                let _ = memory.storage.release(memory.handle, piece);
            }
            Self::Disk(disk) => disk.claims.close(piece),
        }
    }
}
