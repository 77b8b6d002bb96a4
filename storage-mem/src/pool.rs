//! The pool of free blocks, and the slabs that all blocks are carved from.
//!
//! No reservation fails for fragmentation: all blocks are interchangeable, slabs together never have more blocks than
//! the budget, and the last one is smaller if need be. A caller that takes a block has room for it in the budget
//! ([`Budget`](crate::budget::Budget)); so there is a free block, or a slab may be mapped.

use std::collections::BTreeSet;

use crate::loom::{Mutex, lock};
use crate::slab::{Block, carve};

/// Blocks of a slab: 1 MiB. Smaller mappings cost more per byte, and so do huge pages on a virtual machine whose host
/// has taken the memory back.
const MAX_SLAB_BLOCKS: u64 = 64;

/// A slab is at most this part of the budget, so that one leased block does not keep much of it.
const MIN_SLABS: u64 = if cfg!(loom) { 1 } else { 16 };

#[derive(Debug)]
pub(crate) struct Pool {
    limit: u64,
    slab_blocks: u64,
    state: Mutex<State>,
    /// Held while a slab is mapped or unmapped, so that no other thread sees it half done. Taken before `state`.
    mapping: Mutex<()>,
}

#[derive(Debug)]
struct State {
    slabs: Vec<Slab>,
    /// Numbers in `slabs` that no slab has.
    vacant: Vec<u32>,
    /// Slabs with some blocks free: they are used up first, so that others become wholly free.
    partly: BTreeSet<u32>,
    /// Slabs with all blocks free.
    wholly: BTreeSet<u32>,
    /// How many blocks are free.
    free: u64,
    /// How many blocks are mapped, free or not; never over the limit.
    mapped: u64,
    /// How many free blocks are kept when slabs could be given back.
    keep: u64,
}

#[derive(Debug)]
struct Slab {
    free: Vec<Block>,
    blocks: u64,
}

impl Pool {
    /// A pool of at most `limit` blocks, of which it keeps `keep` when they are free.
    pub(crate) fn new(limit: u64, keep: u64) -> Self {
        Self {
            limit,
            slab_blocks: (limit / MIN_SLABS).clamp(1, MAX_SLAB_BLOCKS),
            state: Mutex::new(State {
                slabs: Vec::new(),
                vacant: Vec::new(),
                partly: BTreeSet::new(),
                wholly: BTreeSet::new(),
                free: 0,
                mapped: 0,
                keep,
            }),
            mapping: Mutex::new(()),
        }
    }

    /// How many blocks are mapped.
    pub(crate) fn mapped(&self) -> u64 {
        lock(&self.state).mapped
    }

    /// Takes up to `count` free blocks.
    pub(crate) fn take(&self, count: usize, into: &mut Vec<Block>) {
        lock(&self.state).pop(count, into);
    }

    /// Takes a block and up to `more` others, from a new slab if need be. The budget must have room for them.
    pub(crate) fn obtain(&self, more: usize) -> (Block, Vec<Block>) {
        if let Some(blocks) = lock(&self.state).pop_some(more) {
            return blocks;
        }
        let _mapping = lock(&self.mapping);
        let mut state = lock(&self.state);
        if let Some(blocks) = state.pop_some(more) {
            return blocks;
        }
        // Fewer blocks are in use than the budget allows, none is free, and no other thread maps or unmaps: so fewer
        // are mapped than may be.
        debug_assert!(state.mapped < self.limit, "a block without room for it");
        let size = self.limit.saturating_sub(state.mapped);
        let size = size.clamp(1, self.slab_blocks);
        state.mapped += size;
        let number = state.next_number();
        drop(state);

        // Outside the `state` lock, as mapping takes long.
        let (block, mut rest) = carve(number, usize::try_from(size).unwrap_or(1));
        let free = rest.split_off(rest.len().min(more));
        lock(&self.state).insert(number, free, size);
        (block, rest)
    }

    /// Takes blocks back.
    pub(crate) fn give_back(&self, blocks: impl IntoIterator<Item = Block>) {
        let mut state = lock(&self.state);
        for block in blocks {
            state.push(block);
        }
        if state.spare_slab().is_some() {
            drop(state);
            self.unmap();
        }
    }

    /// Frees unused slabs, and keeps none from now on.
    pub(crate) fn close(&self) {
        lock(&self.state).keep = 0;
        self.unmap();
    }

    /// Unmaps slabs that are wholly free and not to be kept.
    fn unmap(&self) {
        let _mapping = lock(&self.mapping);
        let mut state = lock(&self.state);
        while let Some(number) = state.spare_slab() {
            let slab = state.remove(number);
            drop(state);
            let blocks = slab.len() as u64;
            // Outside the lock, as unmapping takes long. The slab counts as mapped until it is unmapped.
            drop(slab);
            state = lock(&self.state);
            state.mapped -= blocks;
            state.vacant.push(number);
        }
    }
}

impl State {
    fn next_number(&mut self) -> u32 {
        self.vacant.pop().unwrap_or_else(|| {
            self.slabs.push(Slab {
                free: Vec::new(),
                blocks: 0,
            });
            u32::try_from(self.slabs.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn insert(&mut self, number: u32, free: Vec<Block>, blocks: u64) {
        self.free += free.len() as u64;
        if let Some(slab) = self.slabs.get_mut(number as usize) {
            *slab = Slab { free, blocks };
            self.place(number);
        }
    }

    /// A free block, if there is one, and up to `more` others.
    fn pop_some(&mut self, more: usize) -> Option<(Block, Vec<Block>)> {
        let mut blocks = Vec::new();
        self.pop(more.saturating_add(1), &mut blocks);
        blocks.pop().map(|block| (block, blocks))
    }

    fn remove(&mut self, number: u32) -> Vec<Block> {
        self.wholly.remove(&number);
        let slab = self.slabs.get_mut(number as usize);
        let free = slab.map_or_else(Vec::new, |slab| std::mem::take(&mut slab.free));
        self.free -= free.len() as u64;
        free
    }

    /// Up to `count` free blocks.
    fn pop(&mut self, count: usize, into: &mut Vec<Block>) {
        let mut left = count;
        while left > 0 {
            let first = self.partly.first().or_else(|| self.wholly.first());
            let Some(&number) = first else {
                return;
            };
            let Some(slab) = self.slabs.get_mut(number as usize) else {
                return;
            };
            let taken = left.min(slab.free.len());
            let rest = slab.free.len() - taken;
            into.extend(slab.free.drain(rest..));
            left -= taken;
            self.free -= taken as u64;
            self.place(number);
        }
    }

    fn push(&mut self, block: Block) {
        let number = block.number();
        if let Some(slab) = self.slabs.get_mut(number as usize) {
            slab.free.push(block);
            self.free += 1;
            self.place(number);
        }
    }

    /// Puts a slab in the list that fits its number of free blocks.
    fn place(&mut self, number: u32) {
        let Some(slab) = self.slabs.get(number as usize) else {
            return;
        };
        let (free, blocks) = (slab.free.len() as u64, slab.blocks);
        let (is_partly, is_wholly) = (free > 0 && free < blocks, free == blocks);
        if is_partly {
            self.partly.insert(number);
        } else {
            self.partly.remove(&number);
        }
        if is_wholly {
            self.wholly.insert(number);
        } else {
            self.wholly.remove(&number);
        }
    }

    /// A slab that may be unmapped: without it, as many free blocks are left as are to be kept.
    fn spare_slab(&self) -> Option<u32> {
        let &number = self.wholly.last()?;
        let slab = self.slabs.get(number as usize)?;
        (self.free >= self.keep.saturating_add(slab.blocks)).then_some(number)
    }
}
