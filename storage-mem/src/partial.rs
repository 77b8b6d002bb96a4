//! A partial piece: reserved, filled block by block, then hashed. A block whose own hash is known is judged by itself.

use tailwater_metainfo::{PieceHashes, block_digest};
use tailwater_types::{BLOCK_LEN, BlockDigest, BlockRef, Expected, PieceIndex};

use crate::budget::{Buffer, Space, Tally};
use crate::error::Error;
use crate::lease::Lease;
use crate::loom::{Arc, Mutex, lock};
use crate::room::ReservationId;
use crate::shard::{Blocks, check_range};
use crate::slab::Block;

/// The outcome of writing a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was copied into the storage.
    Stored {
        /// Whether the piece now has all its blocks. True for exactly one write of each round; the piece is to be
        /// verified then.
        piece_full: bool,
        /// Whether it was found right by its own hash: then it can be read.
        is_right: bool,
    },
    /// It is not what its own hash promises (BEP 52). The bytes were ignored.
    Wrong,
    /// The block was there already, or another call is writing it. The bytes were ignored.
    Duplicate,
}

/// The outcome of judging the blocks of a piece, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judged {
    /// They can be read now.
    pub right: Vec<u32>,
    /// They are missing now.
    pub wrong: Vec<u32>,
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
    hashes: PieceHashes,
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
            if let Slot::Held { buffer, .. } = slot
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
    Held {
        buffer: Arc<Buffer>,
        /// It was found right by its own hash, and may be leased.
        is_right: bool,
    },
}

impl Slot {
    const fn buffer(&self) -> Option<&Arc<Buffer>> {
        match self {
            Self::Held { buffer, .. } => Some(buffer),
            Self::Missing | Self::Arriving => None,
        }
    }

    const fn is_right(&self) -> bool {
        matches!(self, Self::Held { is_right: true, .. })
    }
}

impl Partial {
    /// `space` must cover the whole piece.
    pub(crate) fn new(
        id: ReservationId,
        piece: PieceIndex,
        len: u32,
        hashes: PieceHashes,
        space: Space,
    ) -> Self {
        let blocks = len.div_ceil(BLOCK_LEN);
        Self {
            id,
            piece,
            len,
            expected: hashes.expected(piece),
            hashes,
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
        let mut judgement = self.judge_bytes(block.number(), data);
        if judgement == Some(false) {
            return Ok(Written::Wrong);
        }
        let Some(memory) = self.begin_write(block) else {
            return Ok(Written::Duplicate);
        };
        let memory = memory.unwrap_or_else(|| self.fetch());
        let buffer = Arc::new(Buffer::fill(memory, data, Arc::clone(&self.tally)));

        let is_right = judgement == Some(true);
        let piece_full = {
            let mut state = lock(&self.state);
            if let Some(slot) = state.slots.get_mut(block.number() as usize) {
                *slot = Slot::Held { buffer, is_right };
                state.missing -= 1;
            }
            state.missing == 0
        };
        if judgement.is_none() {
            // Its hash may have become known just now: who judges the piece then did not see this block.
            judgement = self.judge_bytes(block.number(), data);
            if let Some(is_right) = judgement {
                lock(&self.state).settle(block.number() as usize, is_right);
            }
        }
        Ok(match judgement {
            Some(false) => Written::Wrong,
            _ => Written::Stored {
                piece_full,
                is_right: judgement == Some(true),
            },
        })
    }

    fn judge_bytes(&self, number: u32, data: &[u8]) -> Option<bool> {
        self.hashes.judge(self.piece, number, data)
    }

    /// Judges the blocks that are there and have not been judged, as far as their hashes are known.
    pub(crate) fn judge(&self) -> Judged {
        let unjudged: Vec<_> = {
            let state = lock(&self.state);
            let held = (0..).zip(&state.slots).filter(|(_, slot)| !slot.is_right());
            held.filter_map(|(number, slot)| Some((number, Arc::clone(slot.buffer()?))))
                .collect()
        };
        let mut judged = Judged::default();
        for (number, buffer) in unjudged {
            let Some(is_right) = self.judge_bytes(number, buffer.bytes()) else {
                continue;
            };
            drop(buffer);
            let is_settled = lock(&self.state).settle(number as usize, is_right);
            match is_right {
                _ if !is_settled => {}
                true => judged.right.push(number),
                false => judged.wrong.push(number),
            }
        }
        judged
    }

    /// Hands leases of a range to `take`, one for each block that it touches, if all of those were found right.
    pub(crate) fn lease_range(
        &self,
        range: BlockRef,
        mut take: impl FnMut(Lease),
    ) -> Result<bool, Error> {
        check_range(range, self.len)?;
        let last = (range.offset() + (range.len() - 1)) / BLOCK_LEN;
        let state = lock(&self.state);
        let slots = state.slots.get(range.number() as usize..=last as usize);
        let slots = slots.unwrap_or_default();
        if slots.is_empty() || !slots.iter().all(Slot::is_right) {
            return Ok(false);
        }
        let buffers = slots.iter().filter_map(Slot::buffer);
        for (number, buffer) in (range.number()..).zip(buffers) {
            take(Lease::of_block(buffer, &self.tally, number, range));
        }
        Ok(true)
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
    /// Also says whether all blocks were found right already, each by its own hash.
    pub(crate) fn begin_verify(&self) -> Result<(Expected, Blocks, bool), Error> {
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
        let are_right = state.slots.iter().all(Slot::is_right);
        let blocks = state.slots.iter().filter_map(Slot::buffer);
        Ok((expected, blocks.map(Arc::clone).collect(), are_right))
    }

    /// Takes the verdict on the blocks that [`begin_verify`](Self::begin_verify) gave out. `None` when the piece is
    /// valid; it then stays in the verifying state, for [`take_blocks`](Self::take_blocks). Else the digests of its
    /// blocks, and it is empty again, but for blocks that were found right by their own hashes.
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
        state.is_verifying = false;
        for number in 0..state.slots.len() {
            if !state.slots.get(number).is_some_and(Slot::is_right) {
                state.take_out(number);
            }
        }
    }

    /// The blocks of a piece that has been found valid.
    pub(crate) fn take_blocks(&self) -> Blocks {
        let slots = std::mem::take(&mut lock(&self.state).slots);
        slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Held { buffer, .. } => Some(buffer),
                Slot::Missing | Slot::Arriving => None,
            })
            .collect()
    }
}

impl State {
    /// A block was judged: it can be read, or is missing again. Says whether that changed anything: not while the piece is
    /// being hashed, as its verdict will tell, and not twice.
    fn settle(&mut self, number: usize, found_right: bool) -> bool {
        match self.slots.get_mut(number) {
            Some(Slot::Held { is_right, .. }) if !*is_right && found_right => {
                *is_right = true;
                true
            }
            Some(Slot::Held {
                is_right: false, ..
            }) if !found_right && !self.is_verifying => self.take_out(number),
            _ => false,
        }
    }

    /// A held block is missing again. It stays while it has another owner, who judges it just now.
    fn take_out(&mut self, number: usize) -> bool {
        let Some(slot) = self.slots.get_mut(number) else {
            return false;
        };
        match std::mem::replace(slot, Slot::Missing) {
            Slot::Held { buffer, is_right } => match Arc::try_unwrap(buffer) {
                Ok(buffer) => {
                    self.space.put_back(buffer);
                    self.missing += 1;
                    true
                }
                Err(buffer) => {
                    *slot = Slot::Held { buffer, is_right };
                    false
                }
            },
            other => {
                *slot = other;
                false
            }
        }
    }
}
