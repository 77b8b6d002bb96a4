//! A piece on its way: reserved, filled block by block, hashed.

use sha1::{Digest, Sha1};
use tailwater_metainfo::{BLOCK_LEN, BlockRef, PieceHash, PieceIndex};

use crate::budget::{Buffer, Space, Tally};
use crate::error::Error;
use crate::hash::BlockDigest;
use crate::loom::{Arc, Mutex, MutexGuard, lock};
use crate::shard::Blocks;
use crate::slab::Block;

/// How many blocks one write hashes at most. Its own, while it is in cache; after a gap was filled, some of those that
/// came before, so that the rest does not fall on one write all at once.
const MAX_HASHED_BY_WRITE: u32 = 4;

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was copied into the storage.
    Stored {
        /// Whether the piece now has all its blocks. True for exactly one write of each round; the piece is to be
        /// verified then.
        piece_full: bool,
    },
    /// It was there already, or another call is just writing it. The bytes were not looked at.
    Duplicate,
}

/// A reserved piece. The lock of its state is held for bookkeeping only, never while bytes are copied or hashed, or
/// memory is fetched.
///
/// ```text
/// reserve ──► Filling ──(all blocks there)──► Verifying ──► verified, and no longer here
///                ▲                                │
///                └──────────── wrong hash ────────┘
/// ```
#[derive(Debug)]
pub(crate) struct Partial {
    piece: PieceIndex,
    len: u32,
    hash: PieceHash,
    tally: Arc<Tally>,
    state: Mutex<State>,
    /// Held by the write that fetches memory for the piece; the others need it too. Taken before `state`.
    fetching: Mutex<()>,
}

#[derive(Debug)]
struct State {
    slots: Box<[Slot]>,
    /// Covers exactly the blocks that are `Missing`.
    space: Space,
    /// How many slots are not `Held`.
    missing: u32,
    /// How many writes are under way. Their blocks may be `Held` already while they hash.
    writes: u32,
    /// The hash of the first `hashed` blocks; `None` while somebody is at it.
    hasher: Option<Sha1>,
    hashed: u32,
    is_verifying: bool,
}

impl Drop for State {
    /// All blocks go back at once, with the room that was not used.
    fn drop(&mut self) {
        for slot in std::mem::take(&mut self.slots) {
            if let Slot::Held(buffer) = slot
                && let Ok(buffer) = Arc::try_unwrap(buffer)
            {
                self.space.put_back(buffer);
            }
        }
    }
}

#[derive(Debug)]
enum Slot {
    Missing,
    Arriving,
    Held(Arc<Buffer>),
}

impl Slot {
    const fn buffer(&self) -> Option<&Arc<Buffer>> {
        match self {
            Self::Held(buffer) => Some(buffer),
            Self::Missing | Self::Arriving => None,
        }
    }
}

impl Partial {
    /// `space` must cover the whole piece.
    pub(crate) fn new(piece: PieceIndex, len: u32, hash: PieceHash, space: Space) -> Self {
        let blocks = len.div_ceil(BLOCK_LEN);
        Self {
            piece,
            len,
            hash,
            tally: Arc::clone(space.tally()),
            fetching: Mutex::new(()),
            state: Mutex::new(State {
                slots: (0..blocks).map(|_| Slot::Missing).collect(),
                space,
                missing: blocks,
                writes: 0,
                hasher: Some(Sha1::new()),
                hashed: 0,
                is_verifying: false,
            }),
        }
    }

    /// How many blocks the piece has.
    pub(crate) const fn blocks(&self) -> u32 {
        self.len.div_ceil(BLOCK_LEN)
    }

    /// Who the blocks belong to.
    pub(crate) const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    /// How many blocks are missing or being written.
    pub(crate) fn missing(&self) -> u32 {
        lock(&self.state).missing
    }

    /// How many bytes of the piece the hash does not cover yet.
    pub(crate) fn unhashed(&self) -> u32 {
        let hashed = lock(&self.state).hashed;
        self.len.saturating_sub(hashed.saturating_mul(BLOCK_LEN))
    }

    pub(crate) fn write(&self, block: BlockRef, data: &[u8]) -> Result<Written, Error> {
        self.check(block, data)?;
        let Some(memory) = self.begin_write(block) else {
            return Ok(Written::Duplicate);
        };
        let memory = memory.unwrap_or_else(|| self.fetch());
        let buffer = Arc::new(Buffer::fill(memory, data, Arc::clone(&self.tally)));

        let number = block.number();
        let mut state = lock(&self.state);
        if let Some(slot) = state.slots.get_mut(number as usize) {
            *slot = Slot::Held(buffer);
            state.missing -= 1;
        }
        if state.hashed == number {
            state = self.hash_ahead(state);
        }
        state.writes -= 1;
        Ok(Written::Stored {
            piece_full: state.missing == 0 && state.writes == 0,
        })
    }

    fn check(&self, block: BlockRef, data: &[u8]) -> Result<(), Error> {
        let (piece, offset, len) = (self.piece.get(), block.offset(), block.len());
        // Both are under 2^32, and offset + len is what the block's own geometry allowed.
        if u64::from(offset) + u64::from(len) > u64::from(self.len) {
            return Err(Error::NoSuchBlock { piece, offset, len });
        }
        let is_whole = len == BLOCK_LEN.min(self.len - offset);
        if !offset.is_multiple_of(BLOCK_LEN) || !is_whole {
            return Err(Error::OffGrid { piece, offset, len });
        }
        if data.len() != len as usize {
            return Err(Error::BlockLength {
                expected: len,
                got: data.len(),
            });
        }
        Ok(())
    }

    /// Claims a block, with room for it and maybe the memory. `None` when it is there already.
    fn begin_write(&self, block: BlockRef) -> Option<Option<Block>> {
        let mut state = lock(&self.state);
        // After the verdict the blocks have moved on, and there is none here.
        let slot = state.slots.get_mut(block.number() as usize)?;
        if !matches!(slot, Slot::Missing) {
            return None;
        }
        *slot = Slot::Arriving;
        state.writes += 1;
        Some(state.space.block())
    }

    /// Memory for a claimed block, and some for the next.
    fn fetch(&self) -> Block {
        let _fetching = lock(&self.fetching);
        let lacking = {
            let mut state = lock(&self.state);
            if let Some(memory) = state.space.pop() {
                return memory;
            }
            state.space.lacking()
        };
        let (memory, rest) = self.tally.memory(lacking);
        lock(&self.state).space.stock(rest);
        memory
    }

    /// Hashes blocks that follow those already hashed, if nobody else is at it, with the lock open.
    fn hash_ahead<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let Some(mut hasher) = state.hasher.take() else {
            return state;
        };
        for _ in 0..MAX_HASHED_BY_WRITE {
            let next = state.slots.get(state.hashed as usize);
            let Some(buffer) = next.and_then(Slot::buffer).map(Arc::clone) else {
                break;
            };
            drop(state);
            hasher.update(buffer.bytes());
            drop(buffer);
            state = lock(&self.state);
            state.hashed += 1;
        }
        state.hasher = Some(hasher);
        state
    }

    /// Hashes what is left and compares. `Ok(None)` when the piece is valid; it then stays in the verifying state,
    /// for [`take_blocks`](Self::take_blocks). Else the digests of its blocks, and it is empty again.
    pub(crate) fn verify(&self) -> Result<Option<Vec<BlockDigest>>, Error> {
        let (mut hasher, hashed) = self.begin_verify()?;
        for number in hashed.. {
            let Some(buffer) = self.buffer(number) else {
                break;
            };
            hasher.update(buffer.bytes());
        }
        if hasher.finalize().as_slice() == self.hash.as_bytes() {
            return Ok(None);
        }
        let digests = (0..)
            .map_while(|number| self.buffer(number))
            .map(|buffer| BlockDigest::of(buffer.bytes()))
            .collect();
        self.start_over();
        Ok(Some(digests))
    }

    fn begin_verify(&self) -> Result<(Sha1, u32), Error> {
        let piece = self.piece.get();
        let mut state = lock(&self.state);
        if state.is_verifying {
            return Err(Error::Verifying { piece });
        }
        // A write that is still hashing counts as one whose block is not there yet.
        let missing = state.missing.max(state.writes);
        match state.hasher.take() {
            Some(hasher) if missing == 0 => {
                state.is_verifying = true;
                Ok((hasher, state.hashed))
            }
            hasher => {
                state.hasher = hasher;
                Err(Error::Incomplete { piece, missing })
            }
        }
    }

    fn buffer(&self, number: u32) -> Option<Arc<Buffer>> {
        let state = lock(&self.state);
        let slot = state.slots.get(number as usize)?;
        slot.buffer().map(Arc::clone)
    }

    fn start_over(&self) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        for slot in &mut state.slots {
            if let Slot::Held(buffer) = std::mem::replace(slot, Slot::Missing)
                && let Ok(buffer) = Arc::try_unwrap(buffer)
            {
                // Nobody else has it: blocks are leased only once their piece is verified.
                state.space.put_back(buffer);
            }
            state.missing += 1;
        }
        state.hasher = Some(Sha1::new());
        state.hashed = 0;
        state.is_verifying = false;
    }

    /// The blocks of a piece that has been found valid.
    pub(crate) fn take_blocks(&self) -> Blocks {
        let slots = std::mem::take(&mut lock(&self.state).slots);
        slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Held(buffer) => Some(buffer),
                Slot::Missing | Slot::Arriving => None,
            })
            .collect()
    }
}
