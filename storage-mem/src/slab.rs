//! Memory in slabs, carved into blocks.
//!
//! The one place with `unsafe` in this crate. Blocks of 16 KiB that are allocated one by one cost a page fault for each
//! 4 KiB that is touched first, and system calls while the allocator's arenas grow. A slab is mapped with all its pages
//! present.
//!
//! # Why it is sound
//!
//! 1. [`carve`] is the only place that makes a [`Block`], one for each range of [`BLOCK_LEN`] bytes of a slab that it
//!    has just made. The ranges lie inside the slab and are disjoint, and a block can be neither copied nor cloned. So no
//!    byte belongs to two blocks, ever.
//! 2. A block holds its slab by reference count. The slab is freed on drop of the last block, so the range of a block
//!    that exists is mapped.
//! 3. A slab never lends its own bytes: it has no reference into them and gives none out. Those that exist are made by
//!    [`Block::bytes`] and [`Block::bytes_mut`], which borrow the block; the borrow checker keeps the mutable one alone.
//! 4. The bytes are initialised: a new mapping is all zeros, and so is the fallback.

#![expect(
    unsafe_code,
    reason = "proved above; the tests below run with AddressSanitizer too, see the README"
)]

use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};
use tailwater_metainfo::BLOCK_LEN;

const BLOCK: usize = BLOCK_LEN as usize;

/// A region of memory that holds several blocks.
enum Slab {
    Mapped(MmapRaw),
    /// The fallback when the system refuses a mapping, and under Miri, which has no mappings.
    Heap(Box<[UnsafeCell<u8>]>),
}

// SAFETY: the cells are reached through blocks alone, and those are disjoint (1). What remains here is to free the
// memory, which any thread may do.
unsafe impl Send for Slab {}
// SAFETY: a shared slab gives out nothing but the address of its bytes (3).
unsafe impl Sync for Slab {}

impl Slab {
    fn new(len: usize) -> Self {
        Self::map(len).unwrap_or_else(|| Self::heap(len))
    }

    fn map(len: usize) -> Option<Self> {
        if cfg!(any(miri, loom)) {
            return None;
        }
        let map = MmapOptions::new().len(len).populate().map_anon();
        map.ok().map(|map| Self::Mapped(map.into()))
    }

    fn heap(len: usize) -> Self {
        Self::Heap((0..len).map(|_| UnsafeCell::new(0)).collect())
    }

    fn base(&self) -> NonNull<u8> {
        let base = match self {
            Self::Mapped(map) => map.as_mut_ptr(),
            Self::Heap(cells) => UnsafeCell::raw_get(cells.as_ptr()),
        };
        // SAFETY: neither a mapping nor a box of cells is at address 0.
        unsafe { NonNull::new_unchecked(base) }
    }
}

/// [`BLOCK_LEN`] bytes of a slab, exclusively owned.
pub(crate) struct Block {
    start: NonNull<u8>,
    /// The number of its slab in the pool.
    number: u32,
    /// Keeps the slab alive.
    _slab: Arc<Slab>,
}

// SAFETY: a block owns its bytes as a `Box<[u8]>` would (1, 2).
unsafe impl Send for Block {}
// SAFETY: the same; shared, it only lends them shared (3).
unsafe impl Sync for Block {}

impl Block {
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    pub(crate) const fn bytes(&self) -> &[u8] {
        // SAFETY: the range is mapped (2) and initialised (4), and nothing changes it while `self` is borrowed (1, 3).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), BLOCK) }
    }

    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed for this alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), BLOCK) }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block(of slab {})", self.number)
    }
}

/// A new slab, named `number`, as its blocks: the first, and the `blocks - 1` others.
pub(crate) fn carve(number: u32, blocks: usize) -> (Block, Vec<Block>) {
    let blocks = blocks.max(1);
    carve_up(Slab::new(blocks * BLOCK), number, blocks)
}

/// `slab` has the bytes of at least one block, and of `blocks` altogether.
fn carve_up(slab: Slab, number: u32, blocks: usize) -> (Block, Vec<Block>) {
    let slab = Arc::new(slab);
    let base = slab.base();
    let block = |index: usize| Block {
        // SAFETY: `index` is less than `blocks`, so this stays inside what was allocated; each is used once.
        start: unsafe { base.add(index * BLOCK) },
        number,
        _slab: Arc::clone(&slab),
    };
    (block(0), (1..blocks).map(block).collect())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BLOCK, Block, Slab, carve, carve_up};

    /// Three blocks of each kind of slab that there is here.
    fn slabs() -> impl Iterator<Item = Vec<Block>> {
        let kinds = [Slab::map(3 * BLOCK), Some(Slab::heap(3 * BLOCK))];
        kinds.into_iter().flatten().map(|slab| {
            let (first, mut rest) = carve_up(slab, 7, 3);
            rest.push(first);
            rest
        })
    }

    #[test]
    fn blocks_of_a_slab_are_disjoint() {
        for mut blocks in slabs() {
            assert_eq!(blocks.len(), 3);
            for (block, byte) in blocks.iter_mut().zip(1..) {
                assert_eq!(block.bytes(), [0; BLOCK]);
                block.bytes_mut().fill(byte);
            }
            for (block, byte) in blocks.iter().zip(1..) {
                assert_eq!((block.bytes(), block.number()), (&[byte; BLOCK][..], 7));
            }
        }
    }

    #[test]
    fn a_block_outlives_the_others_on_another_thread() {
        for mut blocks in slabs() {
            let mut last = blocks.pop().unwrap();
            last.bytes_mut().fill(9);
            let thread = std::thread::spawn(move || last.bytes().iter().all(|&byte| byte == 9));
            drop(blocks);
            assert!(thread.join().unwrap());
        }
    }

    #[test]
    fn blocks_are_written_at_the_same_time() {
        for mut blocks in slabs() {
            std::thread::scope(|scope| {
                for block in &mut blocks {
                    scope.spawn(|| block.bytes_mut().fill(5));
                }
            });
            assert!(blocks.iter().all(|block| block.bytes() == [5; BLOCK]));
        }
    }

    #[test]
    fn there_is_never_less_than_one_block() {
        let (mut block, rest) = carve(1, 0);
        block.bytes_mut().fill(1);
        assert!(rest.is_empty());
    }
}
