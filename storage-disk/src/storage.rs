//! A torrent on the disk, behind the traits of [`tailwater_storage`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tailwater_metainfo::hashed_together;
use tailwater_storage::{
    BlockParts, Claims, Finish, Full, Held, MovedBytes, Progress, Reply, Space, Storage,
    StorageError, SupplierKey, Totals,
};
use tailwater_types::{BLOCK_LEN, Bitfield, BlockRef, PieceIndex};

use crate::operations::opening::Opening;
use crate::torrent::DiskTorrent;

/// How many bytes of a file a reader is handed at a time.
const READ_GRAIN: u32 = 8 * BLOCK_LEN;

/// A torrent on the disk; clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct DiskStorage {
    pub(crate) torrent: DiskTorrent,
    pub(crate) opening: Arc<Opening>,
    claims: Arc<Claims<u64>>,
    attempts: Arc<AtomicU64>,
}

impl DiskStorage {
    pub(crate) fn new(torrent: DiskTorrent, opening: Opening) -> Self {
        Self {
            claims: Arc::new(Claims::new(torrent.geometry().clone())),
            torrent,
            opening: Arc::new(opening),
            attempts: Arc::default(),
        }
    }

    async fn write_claimed(
        self,
        from: SupplierKey,
        blocks: Vec<(BlockRef, Bytes)>,
    ) -> Vec<BlockRef> {
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
        // Asked on the I/O thread. What a later attempt writes comes behind it, as a torrent has one thread.
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

/// A piece that is not verified is not held: that is no failure of the disk.
fn held(read: Result<Bytes, StorageError>) -> Result<Option<Bytes>, StorageError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StorageError::NotVerified(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Storage for DiskStorage {
    fn start(&self, progress: Progress) -> Reply<Result<Bitfield, StorageError>> {
        let this = self.clone();
        Reply::later(async move { this.opening.start(&this.torrent, progress).await })
    }

    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Vec<BlockRef>> {
        Reply::later(self.clone().write_claimed(from, blocks))
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        let torrent = self.torrent.clone();
        Reply::later(async move {
            let read = torrent.read(blocks.clone()).await;
            let read = read
                .into_iter()
                .map(|read| Ok(held(read)?.map(|bytes| BlockParts::from([bytes]))));
            blocks.into_iter().zip(read).collect()
        })
    }

    fn read_one(&self, range: BlockRef) -> Reply<Result<Option<Bytes>, StorageError>> {
        // A reader that waits for a piece asks again and again: not a matter for the I/O threads.
        if !self.torrent.has(range.piece()) {
            return Reply::ready(Ok(None));
        }
        let torrent = self.torrent.clone();
        Reply::later(async move {
            let read = torrent.read(vec![range]).await.pop();
            held(read.unwrap_or(Err(StorageError::Closed)))
        })
    }

    fn read_grain(&self) -> u32 {
        READ_GRAIN
    }

    fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        self.torrent.verify(pieces)
    }

    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        self.torrent.digests(piece)
    }

    fn settle(&self, piece: PieceIndex) {
        self.claims.close(piece);
    }

    fn disclaim(&self, blocks: &[BlockRef]) {
        blocks.iter().for_each(|&block| self.claims.lose(block));
    }

    /// A file that is wanted again gets back what the parts file keeps of it.
    fn set_wanted(&self, files: Vec<bool>) -> Reply<Result<(), StorageError>> {
        let torrent = self.torrent.clone();
        Reply::later(async move {
            for (file, wanted) in files.into_iter().enumerate() {
                torrent.set_skipped(file, !wanted).await?;
            }
            Ok(())
        })
    }

    /// Another program may have deleted or cut files meanwhile.
    fn finish(&self) -> Result<Finish, StorageError> {
        self.torrent.finish()?;
        Ok(Finish::Pending)
    }

    fn resume(&self) -> Reply<Result<(), StorageError>> {
        let torrent = self.torrent.clone();
        Reply::later(async move { torrent.resume().await })
    }

    fn flush(&self) -> Reply<Result<(), StorageError>> {
        let torrent = self.torrent.clone();
        Reply::later(async move { torrent.flush().await })
    }

    fn save(&self, totals: Totals, patience: Reply<()>) -> Reply<Result<(), StorageError>> {
        if self.opening.resume.is_none() {
            return Reply::ready(Ok(()));
        }
        let this = self.clone();
        Reply::later(async move { this.opening.save(&this.torrent, totals, patience).await })
    }

    fn can_change_unseen(&self) -> bool {
        true
    }

    fn relocate(&self, folder: PathBuf, moved: MovedBytes) -> Reply<Result<(), StorageError>> {
        let this = self.clone();
        Reply::later(async move { this.opening.relocate(&this.torrent, folder, moved).await })
    }

    fn delete(&self) -> Reply<Result<(), StorageError>> {
        let this = self.clone();
        Reply::later(async move { this.opening.delete(&this.torrent).await })
    }

    fn close(&self) -> Reply<()> {
        let torrent = self.torrent.clone();
        Reply::later(async move { torrent.close().await })
    }
}

/// A disk is taken to have room until a write fails.
impl Space for DiskStorage {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        self.claims.open(piece, attempt);
        Ok(Vec::new())
    }

    fn release(&mut self, piece: PieceIndex) {
        self.claims.close(piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.claims.is_stored(block, supplier)
    }

    fn verify_together(&self) -> usize {
        hashed_together()
    }
}
