//! A torrent on the disk, behind the traits of [`tailwater_storage`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tailwater_metainfo::hashed_together;
use tailwater_storage::{
    BlockParts, Claims, Finish, Full, Held, MerkleHash, MovedBytes, Progress, Refused, Reply,
    Space, Storage, StorageError, SupplierKey, Totals,
};
use tailwater_types::{BLOCK_LEN, Bitfield, BlockRef, PieceIndex};

use crate::operations::opening::Opening;
use crate::torrent::{DiskTorrent, Mark};

/// How many bytes of a file a reader is handed at a time.
const READ_GRAIN: u32 = 8 * BLOCK_LEN;

/// A torrent on the disk; clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct DiskStorage {
    pub(crate) torrent: DiskTorrent,
    pub(crate) opening: Arc<Opening>,
    attempts: Arc<AtomicU64>,
}

impl DiskStorage {
    pub(crate) fn new(torrent: DiskTorrent, opening: Opening) -> Self {
        Self {
            torrent,
            opening: Arc::new(opening),
            attempts: Arc::default(),
        }
    }

    async fn write_claimed(self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Refused {
        let shared = Arc::clone(&self.torrent.shared);
        let mut refused = Refused::default();
        let (mut mine, mut marks) = (Vec::new(), Vec::new());
        for (block, data) in blocks {
            let Some(attempt) = shared.claims.claim(block, from) else {
                refused.unwanted.push(block);
                continue;
            };
            // It is in the cache of this processor now.
            let judgement = shared.hashes.judge(block.piece(), block.number(), &data);
            if judgement == Some(false) {
                shared.claims.disclaim(block, from, attempt);
                refused.wrong.push(block);
                continue;
            }
            let is_right = judgement == Some(true);
            marks.push(Mark { attempt, is_right });
            mine.push((block, data));
        }
        if mine.is_empty() {
            return refused;
        }
        let mut claimed = Vec::with_capacity(mine.len());
        claimed.extend(
            mine.iter()
                .zip(&marks)
                .map(|((block, _), mark)| (*block, *mark)),
        );
        let written = self.torrent.write_marked(mine, marks).await;
        for (block, mark) in claimed {
            match written {
                Ok(()) => shared.claims.stored(block, from, mark.attempt),
                // The torrent is told the reason by a completion.
                Err(_) => {
                    shared.claims.disclaim(block, from, mark.attempt);
                    refused.unwanted.push(block);
                }
            }
        }
        refused
    }

    fn claims(&self) -> &Claims<u64> {
        &self.torrent.shared.claims
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

    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
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
        let torrent = self.torrent.clone();
        // A reader that waits for a piece asks again and again: not a matter for the I/O threads.
        if !torrent.has(range.piece()) {
            return match torrent.has_judged(range) {
                true => Reply::later(async move { held(torrent.read_judged(range).await) }),
                false => Reply::ready(Ok(None)),
            };
        }
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

    fn judge(&self, piece: PieceIndex) {
        self.torrent.judge(piece);
    }

    fn leaves(&self, piece: PieceIndex) -> Reply<Option<Vec<MerkleHash>>> {
        let torrent = self.torrent.clone();
        Reply::later(async move { torrent.leaves(piece).await })
    }

    fn confirm(&self, piece: PieceIndex) {
        self.torrent.confirm(piece);
    }

    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        self.torrent.digests(piece)
    }

    fn settle(&self, piece: PieceIndex) {
        self.claims().close(piece);
    }

    fn disclaim(&self, blocks: &[BlockRef]) {
        blocks.iter().for_each(|&block| self.claims().lose(block));
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
        self.claims().open(piece, attempt);
        Ok(Vec::new())
    }

    fn release(&mut self, piece: PieceIndex) {
        self.claims().close(piece);
        self.torrent.shared.judged.forget(piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.claims().is_stored(block, supplier)
    }

    fn verify_together(&self) -> usize {
        // Of a tree, blocks of one piece are hashed side by side.
        match self.torrent.shared.hashes.has_trees() {
            true => 1,
            false => hashed_together(),
        }
    }
}
