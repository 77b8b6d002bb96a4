//! Judges single blocks by their own hashes (BEP 52), and reads those that are right before their piece is whole.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::Mutex;
use tailwater_metainfo::merkle;
use tailwater_storage::{Completion, StorageError, SupplierKey};
use tailwater_types::{BLOCK_LEN, BlockRef, Expected, MerkleHash, PieceIndex};
use tokio::sync::oneshot;

use crate::threads::pool::Permit;
use crate::torrent::jobs::{block_len, len_of};
use crate::torrent::{DiskTorrent, Shared};

/// What is known of a block that is about to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// The attempt at its piece for which it came.
    pub(crate) attempt: u64,
    /// It was found right by its own hash.
    pub(crate) is_right: bool,
}

/// A block that lies on the disk, as it was written last.
#[derive(Clone, Copy, Debug)]
struct Written {
    attempt: u64,
    is_right: bool,
}

/// The blocks of pieces that are not whole: which of them lie on the disk, and which of those are right. 24 bytes for each
/// block of a begun piece of a torrent with hash trees; nothing of other torrents.
#[derive(Debug, Default)]
pub(crate) struct JudgedBlocks(Mutex<HashMap<PieceIndex, Box<[Option<Written>]>>>);

impl JudgedBlocks {
    /// A block is about to be written over: nothing is known of what will be there if that fails.
    fn clear(&self, block: BlockRef) {
        if let Some(blocks) = self.0.lock().get_mut(&block.piece())
            && let Some(slot) = blocks.get_mut(number(block))
        {
            *slot = None;
        }
    }

    fn set(&self, block: BlockRef, count: u32, mark: Mark) {
        let Mark { attempt, is_right } = mark;
        let mut pieces = self.0.lock();
        let blocks = pieces
            .entry(block.piece())
            .or_insert_with(|| (0..count).map(|_| None).collect());
        if let Some(slot) = blocks.get_mut(number(block)) {
            *slot = Some(Written { attempt, is_right });
        }
    }

    /// The blocks of a piece that were written and not judged, by their numbers, with their attempts.
    fn unjudged(&self, piece: PieceIndex) -> Vec<(u32, u64)> {
        let pieces = self.0.lock();
        let blocks = pieces.get(&piece).into_iter().flatten();
        let unjudged = (0..).zip(blocks).filter_map(|(number, block)| {
            let written = (*block)?;
            (!written.is_right).then_some((number, written.attempt))
        });
        unjudged.collect()
    }

    fn is_right(&self, block: BlockRef) -> bool {
        let pieces = self.0.lock();
        let blocks = pieces.get(&block.piece());
        let written = blocks.and_then(|blocks| *blocks.get(number(block))?);
        written.is_some_and(|written| written.is_right)
    }

    /// Whether every block of a piece is right.
    fn are_all_right(&self, piece: PieceIndex) -> bool {
        let is_right = |block: &Option<Written>| block.is_some_and(|it| it.is_right);
        let pieces = self.0.lock();
        pieces
            .get(&piece)
            .is_some_and(|blocks| blocks.iter().all(is_right))
    }

    /// The piece is whole, or given up.
    pub(crate) fn forget(&self, piece: PieceIndex) {
        self.0.lock().remove(&piece);
    }
}

/// The outcome of judging blocks.
#[derive(Debug, Default)]
pub(crate) struct Found {
    right: Vec<BlockRef>,
    wrong: Vec<(BlockRef, SupplierKey)>,
}

impl Shared {
    /// Blocks are about to be written.
    pub(crate) fn note_overwritten(&self, run: &[(BlockRef, Bytes)]) {
        if self.hashes.has_trees() {
            run.iter().for_each(|(block, _)| self.judged.clear(*block));
        }
    }

    /// Blocks have been written. Judges those whose hashes have become known since they came.
    pub(crate) fn note_written(
        &self,
        run: &[(BlockRef, Bytes)],
        marks: &[Mark],
        found: &mut Found,
    ) {
        if !self.hashes.has_trees() {
            return;
        }
        for ((block, data), mark) in run.iter().zip(marks) {
            match mark.is_right {
                true => self.note_judged(*block, *mark, Some(true), found),
                false => {
                    let is_right = self.hashes.judge(block.piece(), block.number(), data);
                    self.note_judged(*block, *mark, is_right, found);
                }
            }
        }
    }

    fn note_judged(&self, block: BlockRef, mark: Mark, is_right: Option<bool>, found: &mut Found) {
        let count = self.store.layout().geometry().block_count(block.piece());
        let attempt = mark.attempt;
        match is_right {
            Some(false) => {
                self.judged.clear(block);
                // Of an attempt that is over, nobody is to blame any more.
                let supplier = self.claims.withdraw(block, attempt);
                found
                    .wrong
                    .extend(supplier.map(|supplier| (block, supplier)));
            }
            judgement => {
                let is_right = judgement == Some(true);
                self.judged.set(block, count, Mark { attempt, is_right });
                found.right.extend(is_right.then_some(block));
            }
        }
    }

    pub(crate) fn tell_found(&self, found: Found) {
        let Found { right, wrong } = found;
        if !right.is_empty() || !wrong.is_empty() {
            (self.on_completion)(Completion::Judged { right, wrong });
        }
    }

    /// Whether a piece is right because each of its blocks is. In a hybrid torrent its SHA-1 counts too.
    pub(crate) fn is_right_by_blocks(&self, piece: PieceIndex) -> bool {
        matches!(self.hashes.expected(piece), Some(Expected::V2(_)))
            && self.judged.are_all_right(piece)
    }

    /// Judges what was written of a piece before its hashes were known. On the torrent's I/O thread, so that what it reads
    /// was written by the attempt that is noted.
    fn judge_stored(&self, piece: PieceIndex, scratch: &mut [u8]) {
        let mut found = Found::default();
        let geometry = self.store.layout().geometry();
        let mut cursor = self.store.cursor();
        for (number, attempt) in self.judged.unjudged(piece) {
            let Some(block) = geometry.nth_block(piece, number) else {
                continue;
            };
            let Some(bytes) = scratch.get_mut(..len_of(block)) else {
                continue;
            };
            // What cannot be read is judged with its piece, or fails then.
            if cursor.read(geometry.block_start(block), bytes).is_err() {
                break;
            }
            let is_right = self.hashes.judge(piece, number, bytes);
            let mark = Mark {
                attempt,
                is_right: false,
            };
            self.note_judged(block, mark, is_right, &mut found);
        }
        self.tell_found(found);
    }

    /// Reads the right blocks at the beginning of a range whose piece is not whole. They are judged once more: another
    /// program may have written to the file.
    fn read_judged(&self, range: BlockRef) -> Result<Bytes, StorageError> {
        let not_there = || StorageError::NotVerified(range.piece());
        let geometry = self.store.layout().geometry();
        let last = (range.offset() + (range.len() - 1)) / BLOCK_LEN;
        let numbers = range.number()..=last;
        let blocks = numbers.map_while(|number| geometry.nth_block(range.piece(), number));
        let blocks: Vec<_> = blocks
            .take_while(|block| self.judged.is_right(*block))
            .collect();
        let first = *blocks.first().ok_or_else(not_there)?;
        let len = blocks.iter().map(|block| len_of(*block)).sum();
        let mut buffer = self.buffers.take(len);
        let mut cursor = self.store.cursor();
        cursor.read(geometry.block_start(first), buffer.as_mut_slice())?;
        let bytes = buffer.into_bytes();
        let mut end = 0;
        for block in blocks {
            let behind = end + len_of(block);
            let is_right = self
                .hashes
                .judge(block.piece(), block.number(), &bytes[end..behind]);
            if is_right != Some(true) {
                self.judged.clear(block);
                break;
            }
            end = behind;
        }
        let skipped = usize::try_from(range.offset() - first.offset()).unwrap_or(usize::MAX);
        let wanted = skipped.saturating_add(len_of(range));
        match end > skipped {
            true => Ok(bytes.slice(skipped..end.min(wanted))),
            false => Err(not_there()),
        }
    }

    /// The hashes of the blocks of a verified piece, as far as its tree covers it.
    fn leaves(&self, piece: PieceIndex, scratch: &mut [u8]) -> Option<Vec<MerkleHash>> {
        let mut left = usize::try_from(self.hashes.tree_len(piece)?).ok()?;
        let mut leaves = Vec::new();
        let read = self.for_each_part(piece, 0, scratch, |part| {
            // The scratch memory is a multiple of a block, so a block never lies in two parts.
            let part = &part[..part.len().min(left)];
            left -= part.len();
            let blocks: Vec<_> = part.chunks(block_len()).collect();
            leaves.extend(merkle::block_hashes(&blocks));
        });
        read.ok().map(|()| leaves)
    }
}

impl DiskTorrent {
    /// Whether a reader can have the beginning of a range although its piece is not whole.
    pub(crate) fn has_judged(&self, range: BlockRef) -> bool {
        self.shared.judged.is_right(range)
    }

    /// Asks for the blocks that are written to be judged. Without an answer, as when the storage is closed, they are judged
    /// with their piece.
    pub(crate) fn judge(&self, piece: PieceIndex) {
        if let Ok(ticket) = self.enter() {
            let judge = move |scratch: &mut [u8]| ticket.shared.judge_stored(piece, scratch);
            let _ = self.pool().submit(self.write_thread(), Box::new(judge));
        }
    }

    /// Reads the right blocks at the beginning of a range whose piece is not whole.
    pub(crate) async fn read_judged(&self, range: BlockRef) -> Result<Bytes, StorageError> {
        let ticket = self.enter()?;
        let len = len_of(range);
        let permit: Permit = self.pool().read_room(len).await?;
        let (done, result) = oneshot::channel();
        self.pool().submit_read(Box::new(move |_| {
            let read = ticket.shared.read_judged(range);
            drop((permit, ticket));
            // The caller may have dropped its future.
            let _ = done.send(read);
        }))?;
        result.await.map_err(|_| StorageError::Closed)?
    }

    /// The hashes of the blocks of a piece; `None` if it is not verified, or cannot be read.
    pub(crate) async fn leaves(&self, piece: PieceIndex) -> Option<Vec<MerkleHash>> {
        if !self.has(piece) {
            return None;
        }
        let ticket = self.enter().ok()?;
        let (done, result) = oneshot::channel();
        let job = self.pool().submit_read(Box::new(move |scratch| {
            let leaves = ticket.shared.leaves(piece, scratch);
            drop(ticket);
            let _ = done.send(leaves);
        }));
        job.ok()?;
        result.await.ok().flatten()
    }
}

fn number(block: BlockRef) -> usize {
    usize::try_from(block.number()).unwrap_or(usize::MAX)
}
