//! The bytes of a session, and the buffers that they are spent on.
//!
//! A [`Charge`] is a number of bytes that somebody has taken. It moves from a reservation into the buffer of each block
//! that is written, and ends exactly once, when its owner is dropped: nothing else ever lowers the count.

use tailwater_metainfo::BLOCK_LEN;

use crate::loom::{Arc, AtomicU64, Mutex, Ordering, lock};

const BLOCK: u64 = BLOCK_LEN as u64;

/// How many bytes may be taken, and how many are.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    /// Never over `limit`. Every buffer that exists is counted, the free ones too.
    used: AtomicU64,
    free: Mutex<FreeList>,
}

/// Buffers of one block each that are kept for reuse. Each is charged one block.
#[derive(Debug)]
struct FreeList {
    buffers: Vec<Vec<u8>>,
    max: usize,
}

/// There is not enough left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// What could have been taken, in bytes.
    pub(crate) free: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64, free_list_bytes: u64) -> Self {
        let max = usize::try_from(free_list_bytes / BLOCK).unwrap_or(usize::MAX);
        Self {
            limit,
            used: AtomicU64::new(0),
            free: Mutex::new(FreeList {
                buffers: Vec::new(),
                max,
            }),
        }
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    pub(crate) fn free_list_bytes(&self) -> u64 {
        lock(&self.free).buffers.len() as u64 * BLOCK
    }

    /// What could be taken now. Bytes given back meanwhile make it more, never less.
    pub(crate) fn available(&self) -> u64 {
        // In this order: a buffer that comes free in between is counted twice as used, not twice as free.
        let used = self.used();
        self.limit - used.min(self.limit) + self.free_list_bytes()
    }

    /// Takes room for `whole` full blocks and one of `tail` bytes, with free buffers for as many as there are.
    pub(crate) fn take(this: &Arc<Self>, whole: u32, tail: u32) -> Result<Space, Shortage> {
        let bytes = u64::from(whole) * BLOCK + u64::from(tail);
        let mut free = lock(&this.free);
        let reused = free.buffers.len().min(whole as usize);
        let fresh = bytes - reused as u64 * BLOCK;
        while !this.try_charge(fresh) {
            if free.buffers.len() <= reused {
                return Err(Shortage {
                    free: this.limit - this.used().min(this.limit) + reused as u64 * BLOCK,
                });
            }
            // One that this reservation has no use for makes room for what it needs.
            free.buffers.pop();
            this.release(BLOCK);
        }
        let rest = free.buffers.len() - reused;
        let spare = free.buffers.split_off(rest);
        drop(free);
        let budget = Arc::clone(this);
        Ok(Space {
            charge: Charge { budget, bytes },
            spare,
        })
    }

    /// Frees what is kept, and keeps nothing from now on.
    pub(crate) fn close(&self) {
        let mut free = lock(&self.free);
        free.max = 0;
        let buffers = std::mem::take(&mut free.buffers);
        drop(free);
        let bytes = buffers.len() as u64 * BLOCK;
        drop(buffers);
        self.release(bytes);
    }

    fn try_charge(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= self.limit)
            })
            .is_ok()
    }

    fn release(&self, bytes: u64) {
        if bytes > 0 {
            let before = self.used.fetch_sub(bytes, Ordering::AcqRel);
            debug_assert!(before >= bytes, "more bytes came back than were taken");
        }
    }

    /// Takes a buffer back, to keep or to free.
    fn recycle(&self, bytes: Vec<u8>, mut charge: Charge) {
        if charge.bytes == BLOCK && bytes.capacity() >= BLOCK_LEN as usize {
            let mut free = lock(&self.free);
            if free.buffers.len() < free.max {
                free.buffers.push(bytes);
                // The list is charged for it now.
                charge.bytes = 0;
                return;
            }
        }
        // The memory goes first, so that the count never says less than there is.
        drop(bytes);
        drop(charge);
    }
}

/// Bytes taken from the budget, given back on drop.
#[derive(Debug)]
struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Charge {
    /// Parts with `bytes` of it, which it must have.
    fn split(&mut self, bytes: u64) -> Self {
        debug_assert!(bytes <= self.bytes, "a reservation covers all its blocks");
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            budget: Arc::clone(&self.budget),
            bytes,
        }
    }

    fn merge(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// What a piece has been promised and not yet used: bytes, and buffers for some of them.
#[derive(Debug)]
pub(crate) struct Space {
    charge: Charge,
    spare: Vec<Vec<u8>>,
}

impl Space {
    /// Room for one block of `len` bytes.
    pub(crate) fn block(&mut self, len: u32) -> Room {
        let spare = (len == BLOCK_LEN).then(|| self.spare.pop()).flatten();
        Room {
            bytes: spare.unwrap_or_default(),
            charge: self.charge.split(u64::from(len)),
        }
    }

    /// Takes back what a block was made of.
    pub(crate) fn put_back(&mut self, mut buffer: Buffer) {
        let Some(charge) = buffer.charge.take() else {
            return;
        };
        let bytes = std::mem::take(&mut buffer.bytes);
        if charge.bytes == BLOCK && bytes.capacity() >= BLOCK_LEN as usize {
            self.spare.push(bytes);
        }
        self.charge.merge(charge);
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        for bytes in std::mem::take(&mut self.spare) {
            let charge = self.charge.split(BLOCK);
            self.charge.budget.recycle(bytes, charge);
        }
    }
}

/// Room for one block, before its bytes are there.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: Vec<u8>,
    charge: Charge,
}

impl Room {
    /// Copies `data` in: the one copy on a block's way down.
    pub(crate) fn fill(self, data: &[u8]) -> Buffer {
        let Self { mut bytes, charge } = self;
        bytes.clear();
        bytes.reserve_exact(data.len());
        bytes.extend_from_slice(data);
        Buffer {
            bytes,
            charge: Some(charge),
        }
    }
}

/// The bytes of one block, which never change. Its part of the budget comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// `None` only once the parts have been taken away.
    charge: Option<Charge>,
}

impl Buffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(charge) = self.charge.take() {
            let budget = Arc::clone(&charge.budget);
            budget.recycle(std::mem::take(&mut self.bytes), charge);
        }
    }
}
