//! The held pieces in a sharded hash map, through which all reads and writes go.
//!
//! Neighbouring pieces lie in different shards, and a shard is locked for a lookup and some reference counts, never
//! while bytes are copied or hashed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use tailwater_metainfo::{BLOCK_LEN, BlockRef, PieceIndex};

use crate::budget::{BLOCK, Buffer, Tally, Token};
use crate::closing::Countdown;
use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::lease::Lease;
use crate::loom::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::partial::Partial;

/// Many more shards than threads, so that two threads seldom contend. One under loom, which explores every lock.
const SHARDS: u64 = if cfg!(all(test, loom)) { 1 } else { 64 };

/// A piece of a torrent: the torrent's slot above, the piece's index below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

impl Key {
    /// The lowest key.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn new(handle: TorrentHandle, piece: PieceIndex) -> Self {
        Self(u64::from(handle.slot) << 32 | u64::from(piece.get()))
    }

    pub(crate) fn slot(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    pub(crate) fn piece(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    /// Hashes a key: spreads dense indexes over all bits. Peers choose neither slots nor which pieces exist, so no
    /// keyed hash is needed.
    const fn mix(self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn shard(self) -> usize {
        // Not by `mix`, which would let neighbouring pieces collide.
        usize::try_from((self.0 ^ self.0 >> 32) % SHARDS).unwrap_or(0)
    }
}

/// A hasher that returns what [`Key::mix`] computed.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = Key(self.0 ^ word).mix();
        self.0 = mixed ^ mixed >> 32;
    }
}

/// A piece that is held.
#[derive(Debug)]
pub(crate) struct Held {
    /// The generation of its torrent. A slot is emptied before it is used again, so this detects stale handles.
    pub(crate) generation: u32,
    pub(crate) piece: Piece,
}

#[derive(Debug)]
pub(crate) enum Piece {
    Partial(Arc<Partial>),
    Verified(Verified),
}

/// The blocks of a piece, all of them.
pub(crate) type Blocks = Box<[Arc<Buffer>]>;

/// A piece that can be read.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) len: u32,
    pub(crate) blocks: Blocks,
    pub(crate) tally: Arc<Tally>,
    /// When it was last requested, by the storage's clock.
    pub(crate) requested: u64,
}

impl Drop for Verified {
    /// Gives all unleased blocks back at once.
    fn drop(&mut self) {
        let blocks = std::mem::take(&mut self.blocks).into_iter();
        let buffers = blocks.filter_map(|buffer| Arc::try_unwrap(buffer).ok());
        self.tally
            .give_back(buffers.filter_map(Buffer::into_block).collect());
    }
}

impl Verified {
    /// Whether any lease of it exists. Under the shard's lock a `false` stays valid: outside the lock only an existing
    /// lease can be cloned.
    pub(crate) fn is_leased(&self) -> bool {
        self.tally.is_leased()
    }

    pub(crate) fn leased_bytes(&self) -> u64 {
        if !self.is_leased() {
            return 0;
        }
        let leased = self
            .blocks
            .iter()
            .filter(|block| Arc::strong_count(block) > 1);
        leased.count() as u64 * BLOCK
    }
}

/// A coarse logical clock that orders requests: it steps when a piece is reserved or verified, or a window or the time
/// is set, and all requests between two steps count as simultaneous. So reads only load it, and do not contend for its
/// cache line, which holds nothing else.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn step(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(crate) struct Shards {
    shards: Box<[Shard]>,
    pub(crate) clock: Clock,
    countdown: Arc<Countdown>,
}

/// On its own cache lines, so that threads in neighbouring shards do not slow each other (avoids false sharing).
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<ShardState>);

#[derive(Debug, Default)]
pub(crate) struct ShardState {
    held: HashMap<Key, Held, BuildHasherDefault<KeyHasher>>,
    /// How many operations began here and still run without the lock.
    running: usize,
    is_closed: bool,
}

impl ShardState {
    pub(crate) fn get(&mut self, key: Key) -> Option<&mut Piece> {
        self.held.get_mut(&key).map(|held| &mut held.piece)
    }

    pub(crate) fn insert(&mut self, key: Key, held: Held) {
        self.held.insert(key, held);
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Held> {
        self.held.remove(&key)
    }

    /// The piece, if it is verified and of this handle's torrent.
    pub(crate) fn verified(
        &mut self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Option<&mut Verified> {
        match self.held.get_mut(&Key::new(handle, piece)) {
            Some(Held {
                generation,
                piece: Piece::Verified(verified),
            }) if *generation == handle.generation => Some(verified),
            _ => None,
        }
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.held.values().map(|held| &held.piece)
    }
}

impl Shards {
    pub(crate) fn new(countdown: Arc<Countdown>) -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| Shard(Mutex::new(ShardState::default())))
                .collect(),
            clock: Clock(AtomicU64::new(0)),
            countdown,
        }
    }

    /// The shard of a piece, also when the storage is closed; it is empty then.
    pub(crate) fn lock(&self, key: Key) -> MutexGuard<'_, ShardState> {
        lock(&self.shards[key.shard()].0)
    }

    /// Every shard, one locked at a time.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&ShardState)) {
        for shard in &self.shards {
            visit(&lock(&shard.0));
        }
    }

    /// Finds a piece. `Ok(None)` when it is not held; its torrent may be stale then.
    fn find(
        state: &mut ShardState,
        handle: TorrentHandle,
        key: Key,
    ) -> Result<Option<&mut Piece>, Error> {
        if state.is_closed {
            return Err(Error::Closed);
        }
        match state.held.get_mut(&key) {
            Some(held) if held.generation != handle.generation => Err(Error::StaleHandle),
            Some(held) => Ok(Some(&mut held.piece)),
            None => Ok(None),
        }
    }

    /// Begins an operation on a partial piece that outlives the lock. `Ok(None)` when it is not one.
    pub(crate) fn begin_partial(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<Option<Running<'_, Arc<Partial>>>, Error> {
        let key = Key::new(handle, piece);
        let mut state = self.lock(key);
        let Some(Piece::Partial(partial)) = Self::find(&mut state, handle, key)? else {
            return Ok(None);
        };
        let partial = Arc::clone(partial);
        Ok(Some(self.begin(&mut state, key, partial)))
    }

    /// Begins an operation on the blocks of a verified piece that outlives the lock. `Ok(None)` when it is not one.
    pub(crate) fn begin_verified(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<Option<Running<'_, (Blocks, Token)>>, Error> {
        let key = Key::new(handle, piece);
        let mut state = self.lock(key);
        let Some(Piece::Verified(verified)) = Self::find(&mut state, handle, key)? else {
            return Ok(None);
        };
        let subject = (verified.blocks.clone(), Token::new(&verified.tally));
        Ok(Some(self.begin(&mut state, key, subject)))
    }

    fn begin<T>(&self, state: &mut ShardState, key: Key, subject: T) -> Running<'_, T> {
        state.running += 1;
        let shards = self;
        Running {
            subject,
            _begun: Begun { key, shards },
        }
    }

    /// Hands leases of `block` to `take`, one for each block of the grid that it touches. With `also_partial` its piece need
    /// not be verified, if the blocks were found right.
    pub(crate) fn read(
        &self,
        handle: TorrentHandle,
        block: BlockRef,
        also_partial: bool,
        mut take: impl FnMut(Lease),
    ) -> Result<bool, Error> {
        let key = Key::new(handle, block.piece());
        let mut state = self.lock(key);
        let piece = match Self::find(&mut state, handle, key)? {
            Some(Piece::Verified(piece)) => piece,
            Some(Piece::Partial(partial)) if also_partial => {
                let partial = Arc::clone(partial);
                // Its own lock is below this one.
                return partial.lease_range(block, take);
            }
            _ => return Ok(false),
        };
        check_range(block, piece.len)?;
        // The last byte is inside the piece, so it fits.
        let last = block.offset() + (block.len() - 1);
        for number in block.number()..=last / BLOCK_LEN {
            let Some(buffer) = piece.blocks.get(number as usize) else {
                break;
            };
            take(Lease::of_block(buffer, &piece.tally, number, block));
        }
        // Most reads find it up to date, and do not write, so that the cache line stays shared.
        let now = self.clock.now();
        if piece.requested != now {
            piece.requested = now;
        }
        Ok(true)
    }

    /// Empties every shard for good, and adds those with operations running to the countdown.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            let mut state = lock(&shard.0);
            state.is_closed = true;
            if state.running > 0 {
                self.countdown.add();
            }
            let held = std::mem::take(&mut state.held);
            drop(state);
            drop(held);
        }
    }
}

/// Fails for a range that reaches past the end of its piece.
pub(crate) fn check_range(range: BlockRef, piece_len: u32) -> Result<(), Error> {
    let end = u64::from(range.offset()) + u64::from(range.len());
    match end <= u64::from(piece_len) {
        true => Ok(()),
        false => Err(Error::NoSuchBlock {
            piece: range.piece().get(),
            offset: range.offset(),
            len: range.len(),
        }),
    }
}

/// An operation that `close` waits for, and what it works on.
#[derive(Debug)]
pub(crate) struct Running<'a, T> {
    // Fields are dropped in this order: when the wait for the close ends, the memory has been given back.
    pub(crate) subject: T,
    _begun: Begun<'a>,
}

/// Counts an operation as running in a shard.
#[derive(Debug)]
struct Begun<'a> {
    key: Key,
    shards: &'a Shards,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut state = self.shards.lock(self.key);
        state.running -= 1;
        let is_last = state.is_closed && state.running == 0;
        drop(state);
        if is_last {
            self.shards.countdown.done();
        }
    }
}
