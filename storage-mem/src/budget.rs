//! The memory budget of a storage, counted in blocks.
//!
//! A piece takes room for all its blocks at once, in a [`Space`]. Each of those moves into the [`Buffer`] of a block that
//! is written, and comes back exactly once, when its owner is dropped: nothing else ever lowers the count. A block takes
//! 16 KiB whatever its length.
//!
//! Two counts, and the larger of them is what is used: blocks that have been *taken* (promised ones, for which there may
//! be no memory yet, too), and blocks that are *mapped* (free ones too). Neither passes the limit.

use tailwater_metainfo::BLOCK_LEN;

use crate::loom::{Arc, AtomicU32, AtomicU64, Ordering};
use crate::pool::Pool;
use crate::slab::Block;
use crate::space::Waiters;

/// The length of a block as `u64`, for sums.
pub(crate) const BLOCK: u64 = BLOCK_LEN as u64;

/// How much of the budget a piece of `len` bytes takes: its blocks' memory, also of the last, which may be shorter.
#[must_use]
pub const fn piece_memory(len: u32) -> u64 {
    len.div_ceil(BLOCK_LEN) as u64 * BLOCK
}

/// How many blocks may be taken, and how many are.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    taken: AtomicU64,
    pool: Pool,
    /// The tasks that wait for room.
    pub(crate) waiters: Waiters,
}

impl Budget {
    /// A budget of `bytes` bytes, rounded down to whole blocks.
    pub(crate) fn new(bytes: u64, keep_bytes: u64) -> Self {
        let limit = bytes / BLOCK;
        Self {
            limit,
            taken: AtomicU64::new(0),
            pool: Pool::new(limit, keep_bytes / BLOCK),
            waiters: Waiters::new(),
        }
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many blocks have been taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many blocks are mapped.
    pub(crate) fn mapped(&self) -> u64 {
        self.pool.mapped()
    }

    /// How many could be taken now. Blocks given back meanwhile make it more, never less.
    pub(crate) fn available(&self) -> u64 {
        self.limit.saturating_sub(self.taken())
    }

    /// Takes room for `count` blocks, of which `owned`, not more, have been taken already.
    pub(crate) fn take(this: &Arc<Self>, count: u32, mut owned: Vec<Block>) -> Option<Space> {
        let lacking = (count as usize).saturating_sub(owned.len());
        if !this.charge(lacking as u64) {
            this.give_back(owned);
            return None;
        }
        this.pool.take(lacking, &mut owned);
        Some(Space {
            tally: Arc::new(Tally {
                leases: AtomicU32::new(0),
                budget: Arc::clone(this),
            }),
            promised: count,
            spare: owned,
        })
    }

    fn charge(&self, blocks: u64) -> bool {
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                taken
                    .checked_add(blocks)
                    .filter(|&taken| taken <= self.limit)
            })
            .is_ok()
    }

    /// Takes blocks back.
    pub(crate) fn give_back<B>(&self, blocks: B)
    where
        B: IntoIterator<Item = Block, IntoIter: ExactSizeIterator>,
    {
        let blocks = blocks.into_iter();
        let count = blocks.len() as u64;
        if count > 0 {
            // The pool first: the count of taken blocks is never less than the blocks outside the pool.
            self.pool.give_back(blocks);
            self.release(count);
        }
    }

    fn release(&self, blocks: u64) {
        if blocks > 0 {
            let before = self.taken.fetch_sub(blocks, Ordering::AcqRel);
            debug_assert!(before >= blocks, "more came back than was taken");
            self.waiters.wake();
        }
    }

    /// Frees unused memory, and keeps none from now on.
    pub(crate) fn close(&self) {
        self.pool.close();
        self.waiters.wake();
    }
}

/// Shared by the blocks of one filling of a piece: the budget they belong to, and the number of leases.
///
/// Each piece has its own, on its own cache lines, so that reads of different pieces do not contend (avoids false
/// sharing).
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Tally {
    leases: AtomicU32,
    budget: Arc<Budget>,
}

impl Tally {
    /// Whether any lease exists. When none does, every lease has dropped its buffer.
    pub(crate) fn is_leased(&self) -> bool {
        self.leases.load(Ordering::Acquire) > 0
    }

    /// Takes blocks back that have been in use.
    pub(crate) fn give_back(&self, blocks: Vec<Block>) {
        self.budget.give_back(blocks);
    }

    /// Takes memory for a block, and for up to `more` others. Room for all of them must have been taken before.
    pub(crate) fn memory(&self, more: usize) -> (Block, Vec<Block>) {
        self.budget.pool.obtain(more)
    }
}

/// One lease of a piece. To be dropped after the buffer that it is for.
#[derive(Debug)]
pub(crate) struct Token(Arc<Tally>);

impl Token {
    pub(crate) fn new(tally: &Arc<Tally>) -> Self {
        tally.leases.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tally))
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Release: a thread that sees no lease may take the buffers, so ours must have been dropped before.
        if self.0.leases.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.budget.waiters.wake();
        }
    }
}

/// Room that a piece has reserved in the budget and not used yet.
#[derive(Debug)]
pub(crate) struct Space {
    tally: Arc<Tally>,
    /// For how many blocks there is room.
    promised: u32,
    /// Memory for some of them; the rest must still be fetched from the pool.
    spare: Vec<Block>,
}

impl Space {
    pub(crate) const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Uses room for one block. `None` if its memory must be fetched from the pool.
    pub(crate) fn block(&mut self) -> Option<Block> {
        debug_assert!(self.promised > 0, "there is room for every block");
        self.promised = self.promised.saturating_sub(1);
        self.spare.pop()
    }

    /// Memory for a block whose room has been used already.
    pub(crate) fn pop(&mut self) -> Option<Block> {
        self.spare.pop()
    }

    /// How many blocks of memory are still to be fetched.
    pub(crate) fn lacking(&self) -> usize {
        (self.promised as usize).saturating_sub(self.spare.len())
    }

    pub(crate) fn stock(&mut self, blocks: Vec<Block>) {
        self.spare.extend(blocks);
    }

    /// Takes back the memory and the room of a block.
    pub(crate) fn put_back(&mut self, buffer: Buffer) {
        self.promised += 1;
        self.spare.extend(buffer.into_block());
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let budget = &self.tally.budget;
        let spare = std::mem::take(&mut self.spare);
        let bare = u64::from(self.promised).saturating_sub(spare.len() as u64);
        budget.give_back(spare);
        budget.release(bare);
    }
}

/// The bytes of one block, immutable. Dropping it gives its room back.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// `None` only once it has been taken away.
    block: Option<Block>,
    len: usize,
    tally: Arc<Tally>,
}

impl Buffer {
    /// Copies `data`, at most a block, into memory: the only copy on the write path.
    pub(crate) fn fill(mut block: Block, data: &[u8], tally: Arc<Tally>) -> Self {
        let len = data.len().min(BLOCK_LEN as usize);
        block.bytes_mut()[..len].copy_from_slice(&data[..len]);
        Self {
            block: Some(block),
            len,
            tally,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let bytes = self.block.as_ref().map(Block::bytes);
        bytes.and_then(|bytes| bytes.get(..self.len)).unwrap_or(&[])
    }

    /// The memory, with the room in the budget that was taken for it.
    pub(crate) fn into_block(mut self) -> Option<Block> {
        self.block.take()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.tally.budget.give_back(self.block.take());
    }
}
