//! Where a torrent's pieces are kept: in memory or on the disk, behind one face.

mod memory;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use tailwater_metainfo::{BLOCK_LEN, BlockRef, Info, PieceHash, PieceIndex, hashed_together};

use crate::error::AddError;
use crate::torrent::{BufferMap, ByteWindow, Full, ReaderKey, Space, SupplierKey};
use tailwater_storage::{CompletionSink, StorageError};
use tailwater_storage_disk::{DiskOptions, DiskTorrent, Hold, Links, Place, Use};

pub(crate) use memory::{MemoryStore, Neighbours};
use tailwater_storage::Claims;

/// A block's bytes in order: in one part for each place where the storage has them.
pub(crate) type BlockParts = VecDeque<Bytes>;

/// How many bytes of a file on the disk a reader is handed at a time.
const DISK_GRAIN: u32 = 8 * BLOCK_LEN;

/// A torrent's storage; clones are handles to the same one.
#[derive(Clone)]
pub(crate) enum Store {
    Memory(MemoryStore),
    Disk(DiskStore),
}

/// A torrent on the disk.
#[derive(Clone)]
pub(crate) struct DiskStore {
    pub(crate) torrent: DiskTorrent,
    claims: Arc<Claims<u64>>,
    attempts: Arc<AtomicU64>,
}

impl DiskStore {
    pub(crate) fn new(torrent: DiskTorrent) -> Self {
        let claims = Arc::new(Claims::new(*torrent.geometry()));
        Self {
            torrent,
            claims,
            attempts: Arc::default(),
        }
    }

    async fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Vec<BlockRef> {
        let mut unwanted = Vec::new();
        let (mut mine, mut claimed) = (Vec::new(), Vec::new());
        for (block, data) in blocks {
            match self.claims.claim(block, from) {
                Some(attempt) => {
                    claimed.push((block, attempt));
                    mine.push((block, data));
                }
                None => unwanted.push(block),
            }
        }
        let (claims, attempts) = (Arc::clone(&self.claims), claimed.clone());
        // Asked on the I/O thread. Whatever a later attempt writes comes behind it, as a torrent has one.
        let is_wanted = move |number: usize| {
            let claim = attempts.get(number);
            claim.is_some_and(|&(block, attempt)| claims.is_current(block, attempt))
        };
        let written = self.torrent.write_if(mine, is_wanted).await;
        for (block, attempt) in claimed {
            match written {
                Ok(()) => self.claims.stored(block, from, attempt),
                // The torrent is told the reason by a completion.
                Err(_) => {
                    self.claims.disclaim(block, from, attempt);
                    unwanted.push(block);
                }
            }
        }
        unwanted
    }
}

impl Store {
    /// Takes blocks that a peer sent; waits while the storage is busy. Returns those that are not wanted: another was
    /// first, or their piece is not being fetched. Of the others [`Space::is_stored`] says when the torrent is told of
    /// them whether they still count.
    pub(crate) async fn write(
        &self,
        from: SupplierKey,
        blocks: Vec<(BlockRef, Bytes)>,
    ) -> Vec<BlockRef> {
        match self {
            Self::Memory(memory) => {
                let unwanted = blocks
                    .iter()
                    .filter(|(block, data)| !memory.write(from, *block, data));
                unwanted.map(|(block, _)| *block).collect()
            }
            Self::Disk(disk) => disk.write(from, blocks).await,
        }
    }

    /// Reads blocks of verified pieces; `None` for one that is not held.
    pub(crate) async fn read(&self, blocks: Vec<BlockRef>) -> Vec<(BlockRef, Option<BlockParts>)> {
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
                        .map(|bytes| BlockParts::from([bytes]))
                        .ok()
                });
                blocks.into_iter().zip(data).collect()
            }
        }
    }

    /// Asks for the hashes of pieces to be checked; the answers are [`Completion`]s.
    pub(crate) fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        match self {
            Self::Memory(memory) => {
                let memory = memory.clone();
                tokio::task::spawn_blocking(move || memory.verify(&pieces));
                Ok(())
            }
            Self::Disk(disk) => disk.torrent.verify(pieces),
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
        match self {
            Self::Memory(memory) => memory.claims.close(piece),
            Self::Disk(disk) => disk.claims.close(piece),
        }
    }

    /// Blocks were lost on the way to the disk and may come again.
    pub(crate) fn disclaim(&self, blocks: &[BlockRef]) {
        if let Self::Disk(disk) = self {
            for &block in blocks {
                disk.claims.lose(block);
            }
        }
    }

    /// How many bytes a reader is handed at a time: reads never cross a multiple of it.
    pub(crate) const fn read_grain(&self) -> u32 {
        match self {
            // A lease lies in one block.
            Self::Memory(_) => BLOCK_LEN,
            Self::Disk(_) => DISK_GRAIN,
        }
    }

    /// Waits until a reservation of so many bytes would find room.
    pub(crate) async fn wait_for_space(&self, bytes: u64) {
        match self {
            Self::Memory(memory) => {
                if memory.storage.wait_for_space(bytes).await.is_err() {
                    // Closed, or more than the whole budget: it will never come.
                    std::future::pending::<()>().await;
                }
            }
            Self::Disk(_) => std::future::pending().await,
        }
    }

    /// Adds the storage's own figures to the picture.
    pub(crate) fn with_figures(&self, mut map: BufferMap) -> BufferMap {
        if let Self::Memory(memory) = self {
            let stats = memory.storage.stats();
            map.budget = Some(stats.budget);
            map.used = stats.used;
            map.evictions = stats.evictions;
        }
        map
    }

    /// Waits for what is under way, then gives everything back.
    pub(crate) async fn close(&self) {
        match self {
            Self::Memory(memory) => {
                memory.remove();
            }
            Self::Disk(disk) => disk.torrent.close().await,
        }
    }
}

/// A torrent's files, for the disk storage.
///
/// # Errors
///
/// When the torrent has no v1 hashes.
pub(crate) fn disk_options(
    info: &Info,
    place: Place,
    skipped: Vec<usize>,
    hold: Hold,
    on_completion: CompletionSink,
) -> Result<DiskOptions, AddError> {
    Ok(DiskOptions {
        key: place.key,
        layout: place.layout,
        hashes: piece_hashes(info)?,
        skipped,
        // What is only read may lie elsewhere.
        links: match hold.usage() {
            Use::Write => Links::Refused,
            Use::Read => Links::Followed,
        },
        hold,
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
            Self::Memory(memory) => memory.reserve(piece),
            Self::Disk(disk) => {
                let attempt = disk.attempts.fetch_add(1, Ordering::Relaxed);
                disk.claims.open(piece, attempt);
                Ok(Vec::new())
            }
        }
    }

    fn release(&mut self, piece: PieceIndex) {
        match self {
            Self::Memory(memory) => memory.release(piece),
            Self::Disk(disk) => disk.claims.close(piece),
        }
    }

    fn is_stored(&self, block: BlockRef, peer: SupplierKey) -> bool {
        match self {
            Self::Memory(memory) => memory.claims.is_stored(block, peer),
            Self::Disk(disk) => disk.claims.is_stored(block, peer),
        }
    }

    fn verify_together(&self) -> usize {
        match self {
            Self::Memory(memory) => memory.verify_together(),
            Self::Disk(_) => hashed_together(),
        }
    }

    fn share(&self) -> Option<u64> {
        match self {
            Self::Memory(memory) => Some(memory.share()),
            Self::Disk(_) => None,
        }
    }

    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        if let Self::Memory(memory) = self {
            memory.set_window(reader, window);
        }
    }

    fn set_pins(&mut self, pins: &[Range<u64>]) {
        if let Self::Memory(memory) = self {
            memory.set_pins(pins);
        }
    }

    fn set_time(&mut self, now: Instant) {
        if let Self::Memory(memory) = self {
            memory.set_time(now);
        }
    }

    fn set_availability(&mut self, piece: PieceIndex, peers: u32) {
        if let Self::Memory(memory) = self {
            memory.set_availability(piece, peers);
        }
    }
}
