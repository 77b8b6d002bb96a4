//! A partial piece: reserved, filled block by block, then hashed.

use tailwater_metainfo::block_digest;
use tailwater_types::{BLOCK_LEN, BlockDigest, BlockRef, Expected, PieceIndex};

use crate::budget::{Buffer, Space, Tally};
use crate::error::Error;
use crate::loom::{Arc, Mutex, lock};
use crate::room::ReservationId;
use crate::shard::Blocks;
use crate::slab::Block;

/// The outcome of writing a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was copied into the storage.
    Stored {
        /// Whether the piece now has all its blocks. True for exactly one write of each round; the piece is to be
        /// verified then.
        piece_full: bool,
    },
    /// The block was there already, or another call is writing it. The bytes were ignored.
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
    id: ReservationId,
    piece: PieceIndex,
    len: u32,
    expected: Option<Expected>,
    tally: Arc<Tally>,
    state: Mutex<State>,
    /// Held by the write that fetches memory for the piece, so that others wait for that memory. Taken before `state`.
    fetching: Mutex<()>,
}

#[derive(Debug)]
struct State {
    slots: Box<[Slot]>,
    /// Covers exactly the blocks that are `Missing`.
    space: Space,
    /// How many slots are not `Held`.
    missing: u32,
    is_verifying: bool,
}

impl Drop for State {
    /// Gives all blocks back at once, with the room that was not used.
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
    pub(crate) fn new(
        id: ReservationId,
        piece: PieceIndex,
        len: u32,
        expected: Option<Expected>,
        space: Space,
    ) -> Self {
        let blocks = len.div_ceil(BLOCK_LEN);
        Self {
            id,
            piece,
            len,
            expected,
            tally: Arc::clone(space.tally()),
            fetching: Mutex::new(()),
            state: Mutex::new(State {
                slots: (0..blocks).map(|_| Slot::Missing).collect(),
                space,
                missing: blocks,
                is_verifying: false,
            }),
        }
    }

    /// Which reservation of the piece it is.
    pub(crate) const fn id(&self) -> ReservationId {
        self.id
    }

    /// How many blocks the piece has.
    pub(crate) const fn blocks(&self) -> u32 {
        self.len.div_ceil(BLOCK_LEN)
    }

    /// The tally that the blocks belong to.
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

    pub(crate) fn write(&self, block: BlockRef, data: &[u8]) -> Result<Written, Error> {
        self.check(block, data)?;
        let Some(memory) = self.begin_write(block) else {
            return Ok(Written::Duplicate);
        };
        let memory = memory.unwrap_or_else(|| self.fetch());
        let buffer = Arc::new(Buffer::fill(memory, data, Arc::clone(&self.tally)));

        let mut state = lock(&self.state);
        if let Some(slot) = state.slots.get_mut(block.number() as usize) {
            *slot = Slot::Held(buffer);
            state.missing -= 1;
        }
        Ok(Written::Stored {
            piece_full: state.missing == 0,
        })
    }

    fn check(&self, block: BlockRef, data: &[u8]) -> Result<(), Error> {
        let (piece, offset, len) = (self.piece.get(), block.offset(), block.len());
        // In 64 bits the sum cannot overflow; the block may come from another torrent's geometry.
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

    /// Claims a block for writing, with room for it and maybe its memory. `None` when the block is there already.
    fn begin_write(&self, block: BlockRef) -> Option<Option<Block>> {
        let mut state = lock(&self.state);
        // After the verdict the blocks have been moved away, and there is no slot here.
        let slot = state.slots.get_mut(block.number() as usize)?;
        if !matches!(slot, Slot::Missing) {
            return None;
        }
        *slot = Slot::Arriving;
        Some(state.space.block())
    }

    /// Fetches memory for a claimed block, and some for the next ones.
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

    /// Claims a full piece for hashing, and returns its expected hash: no other call may hash the piece until
    /// [`settle`](Self::settle).
    pub(crate) fn begin_verify(&self) -> Result<(Expected, Blocks), Error> {
        let piece = self.piece.get();
        let expected = self.expected.ok_or(Error::HashUnknown { piece })?;
        let mut state = lock(&self.state);
        if state.is_verifying {
            return Err(Error::Verifying { piece });
        }
        if state.missing > 0 {
            let missing = state.missing;
            return Err(Error::Incomplete { piece, missing });
        }
        state.is_verifying = true;
        let blocks = state.slots.iter().filter_map(Slot::buffer);
        Ok((expected, blocks.map(Arc::clone).collect()))
    }

    /// Takes the verdict on the blocks that [`begin_verify`](Self::begin_verify) gave out. `None` when the piece is
    /// valid; it then stays in the verifying state, for [`take_blocks`](Self::take_blocks). Else the digests of its
    /// blocks, and it is empty again.
    pub(crate) fn settle(&self, blocks: Blocks, is_valid: bool) -> Option<Vec<BlockDigest>> {
        if is_valid {
            return None;
        }
        let digests = blocks.iter().map(|block| block_digest(block.bytes()));
        let digests = digests.collect();
        // Then the piece is the only owner again, and can give them back.
        drop(blocks);
        self.start_over();
        Some(digests)
    }

    fn start_over(&self) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        for slot in &mut state.slots {
            if let Slot::Held(buffer) = std::mem::replace(slot, Slot::Missing)
                && let Ok(buffer) = Arc::try_unwrap(buffer)
            {
                // No other owner: blocks are leased only once their piece is verified.
                state.space.put_back(buffer);
            }
            state.missing += 1;
        }
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
