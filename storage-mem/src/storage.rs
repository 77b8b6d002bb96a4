//! [`MemoryStorage`]: every operation, built from the directory, the shards and the budget.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use tailwater_metainfo::{
    BLOCK_LEN, BlockRef, Expected, Geometry, PieceHasher, PieceHashes, PieceIndex, PieceMatch,
    hash_many, hashed_together,
};

use crate::budget::{BLOCK, Budget};
use crate::closing::{Closed, Countdown};
use crate::config::Config;
use crate::directory::{Directory, Entry, Generations};
use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::loom::{Arc, Mutex, MutexGuard, lock};
use crate::order::Order;
use crate::partial::{Judged, Partial, Written};
use crate::room::{Reservation, ReservationId, Victim};
use crate::shard::{Blocks, Held, Key, Piece, Shards, Verified};
use crate::stats::PieceState;
use tailwater_types::Verdict;

/// Pieces that wait to be verified together take at most one part in this many of the budget.
const UNVERIFIED_SHARE: u64 = 8;

/// A bounded storage: pieces of any number of torrents, in a fixed budget of memory. A clone is another handle to the
/// same storage.
///
/// No operation blocks on another for longer than bookkeeping takes; none waits for room. All may be called from any
/// thread; all but [`verify`](Self::verify), which hashes whole pieces, also from async code.
///
/// When the last clone is dropped without [`close`](Self::close), all memory is given back except what leases keep.
#[derive(Clone)]
pub struct MemoryStorage {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Random, so that handles of another storage are detected without state shared between storages.
    id: u64,
    config: Config,
    pub(crate) budget: Arc<Budget>,
    pub(crate) directory: Aside<Mutex<Directory>>,
    generations: Generations,
    pub(crate) shards: Shards,
    countdown: Arc<Countdown>,
}

impl Drop for Inner {
    /// No handle is left that could close it: the memory of its pieces, which are dropped after this, is not kept.
    fn drop(&mut self) {
        self.budget.close();
    }
}

/// Keeps a frequently written value on its own cache lines (avoids false sharing).
#[repr(align(128))]
pub(crate) struct Aside<T>(pub(crate) T);

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let countdown = Arc::new(Countdown::new());
        let order = Order::new(config.idle_after());
        Self {
            inner: Arc::new(Inner {
                id: RandomState::new().hash_one(0),
                budget: Arc::new(Budget::new(config.budget_bytes(), config.free_list_bytes())),
                directory: Aside(Mutex::new(Directory::new(order))),
                generations: Generations::new(config.max_torrents()),
                shards: Shards::new(Arc::clone(&countdown)),
                countdown,
                config,
            }),
        }
    }

    /// The configuration of the storage.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Adds a torrent, with the expected hash of each of its pieces; for a v1 torrent, a list of SHA-1. Takes nothing
    /// from the budget.
    ///
    /// # Errors
    ///
    /// [`Error::HashCount`], [`Error::TooManyTorrents`], [`Error::Closed`].
    pub fn add_torrent(
        &self,
        geometry: Geometry,
        piece_hashes: impl Into<PieceHashes>,
    ) -> Result<TorrentHandle, Error> {
        let pieces = geometry.piece_count();
        let piece_hashes = piece_hashes.into();
        if piece_hashes.piece_count() != pieces as usize {
            return Err(Error::HashCount {
                hashes: piece_hashes.piece_count(),
                pieces,
            });
        }
        let mut directory = self.directory()?;
        directory.insert(
            self.inner.id,
            geometry,
            piece_hashes,
            &self.inner.generations,
        )
    }

    /// Removes a torrent and its pieces. Its handle is stale from now on; writes that are under way end without effect,
    /// leases stay good.
    ///
    /// # Errors
    ///
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn remove_torrent(&self, handle: TorrentHandle) -> Result<(), Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let torrent = directory.remove(handle)?;
        let is_reusable = self.inner.generations.advance(handle.slot);
        let mut gone = Vec::with_capacity(torrent.held.len());
        for entry in torrent.held.values() {
            let key = Key::new(handle, entry.piece);
            gone.push(self.inner.shards.lock(key).remove(key));
        }
        // Only now is no piece left under the slot's keys.
        if is_reusable {
            directory.free_slot(handle.slot);
        }
        drop(directory);
        drop(gone);
        Ok(())
    }

    /// Reserves room for a whole piece, before any of its blocks is requested from a peer.
    ///
    /// With [`Eviction::LeastRecentlyRequested`](crate::Eviction) it may evict other pieces for it, and names them. It
    /// evicts nothing unless that makes enough room. A piece that is held already, reserved or verified, is left as it
    /// is.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::NoSuchPiece`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn reserve(&self, handle: TorrentHandle, piece: PieceIndex) -> Result<Reservation, Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let torrent = directory.torrent(handle)?;
        if torrent.geometry.piece(piece.get()).is_err() {
            return Err(torrent.no_such_piece(piece));
        }
        if torrent.held.contains_key(&piece.get()) {
            let mut shard = self.inner.shards.lock(Key::new(handle, piece));
            let id = match shard.get(Key::new(handle, piece)) {
                Some(Piece::Partial(partial)) => Some(partial.id()),
                _ => None,
            };
            return Ok(Reservation::existing(id));
        }
        let len = torrent.geometry.piece_len(piece);
        let hashes = torrent.hashes.clone();
        let needed = len.div_ceil(BLOCK_LEN);
        let full = |free| Error::Full {
            needed: u64::from(needed) * BLOCK,
            free: free * BLOCK,
        };

        let free = self.inner.budget.available();
        let lacking = u64::from(needed).saturating_sub(free);
        let victims = match lacking {
            0 => Vec::new(),
            _ if !self.may_evict_for(needed.into()) => return Err(full(free)),
            _ => directory
                .make_room(&self.inner.shards, lacking)
                .ok_or(full(free))?,
        };
        let evicted = victims.iter().map(|victim| victim.evicted).collect();
        let mut owned: Vec<_> = victims.into_iter().flat_map(Victim::into_blocks).collect();
        let excess = owned.split_off(owned.len().min(needed as usize));
        let Some(space) = Budget::take(&self.inner.budget, needed, owned) else {
            // Cannot fail: only reservations take from the budget, and this one holds the directory's lock.
            self.inner.budget.give_back(excess);
            return Err(full(free));
        };
        let id = ReservationId(self.inner.shards.clock.step());
        let partial = Arc::new(Partial::new(id, piece, len, hashes, space));
        let held = Held {
            generation: handle.generation,
            piece: Piece::Partial(partial),
        };
        let torrent = directory.torrent(handle)?;
        torrent.held.insert(piece.get(), Entry::reserved(piece));
        let key = Key::new(handle, piece);
        self.inner.shards.lock(key).insert(key, held);
        drop(directory);
        self.inner.budget.give_back(excess);
        Ok(Reservation::new(id, evicted))
    }

    /// Copies one block of the grid into a reserved piece.
    ///
    /// # Errors
    ///
    /// [`Error::NotReserved`], [`Error::OffGrid`], [`Error::BlockLength`], [`Error::NoSuchBlock`],
    /// [`Error::StaleHandle`], [`Error::Closed`]. Writing to a verified piece is a [`Written::Duplicate`], not an error.
    pub fn write_block(
        &self,
        handle: TorrentHandle,
        block: BlockRef,
        data: &[u8],
    ) -> Result<Written, Error> {
        self.write(handle, block, None, data)
    }

    /// As [`write_block`](Self::write_block), into one reservation of the piece: [`Error::NotReserved`] when that was
    /// given up, even if the piece has been reserved again since. So a block on its way to the old reservation never
    /// gets into the new one.
    ///
    /// # Errors
    ///
    /// Those of [`write_block`](Self::write_block).
    pub fn write_block_into(
        &self,
        handle: TorrentHandle,
        block: BlockRef,
        reservation: ReservationId,
        data: &[u8],
    ) -> Result<Written, Error> {
        self.write(handle, block, Some(reservation), data)
    }

    fn write(
        &self,
        handle: TorrentHandle,
        block: BlockRef,
        only: Option<ReservationId>,
        data: &[u8],
    ) -> Result<Written, Error> {
        self.check(handle)?;
        let piece = block.piece();
        match self.inner.shards.begin_partial(handle, piece)? {
            Some(running) if only.is_some_and(|id| id != running.subject.id()) => {
                Err(Error::NotReserved { piece: piece.get() })
            }
            Some(running) => running.subject.write(block, data),
            // It was whole and verified meanwhile.
            None => match self.piece_state(handle, piece)? {
                PieceState::Verified => Ok(Written::Duplicate),
                _ => Err(Error::NotReserved { piece: piece.get() }),
            },
        }
    }

    /// Verifies a full piece against its hashes. A valid piece can be read; an invalid one is empty again, and still
    /// reserved.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`], [`Error::Verifying`], [`Error::HashUnknown`], [`Error::HashesDisagree`]; [`Error::NotReserved`] also when the piece was given up meanwhile;
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn verify(&self, handle: TorrentHandle, piece: PieceIndex) -> Result<Verdict, Error> {
        let mut verdict = Err(Error::NotReserved { piece: piece.get() });
        self.verify_many(handle, &[piece], |_, found| verdict = found);
        verdict
    }

    /// [`verify`](Self::verify) for several pieces, side by side: cheaper than one by one where there are as many as
    /// [`verify_together`](Self::verify_together) says. Calls `tell` with each verdict.
    pub fn verify_many(
        &self,
        handle: TorrentHandle,
        pieces: &[PieceIndex],
        mut tell: impl FnMut(PieceIndex, Result<Verdict, Error>),
    ) {
        // SHA-1 of several pieces side by side; trees of v2 one by one.
        let (mut begun, mut trees) = (Vec::with_capacity(pieces.len()), Vec::new());
        for &piece in pieces {
            let claim = self.partial(handle, piece);
            match claim.and_then(|running| Ok((running.subject.begin_verify()?, running))) {
                Ok(((Expected::V1(hash), blocks, _), running)) => {
                    begun.push((piece, running, hash, blocks));
                }
                // Each block was found right by itself.
                Ok(((Expected::V2(_), blocks, true), running)) => {
                    tell(
                        piece,
                        self.judge_piece(handle, piece, &running.subject, blocks, true),
                    );
                }
                Ok(((expected, blocks, _), running)) => {
                    trees.push((piece, running, expected, blocks));
                }
                Err(error) => tell(piece, Err(error)),
            }
        }
        let parts: Vec<Vec<&[u8]>> = begun
            .iter()
            .map(|(.., blocks)| blocks.iter().map(|block| block.bytes()).collect())
            .collect();
        let parts: Vec<&[&[u8]]> = parts.iter().map(Vec::as_slice).collect();
        let hashes = hash_many(&parts);
        for ((piece, running, hash, blocks), found) in begun.into_iter().zip(hashes) {
            let judged = self.judge_piece(handle, piece, &running.subject, blocks, found == hash);
            tell(piece, judged);
        }
        for (piece, running, expected, blocks) in trees {
            let mut hasher = PieceHasher::new(expected);
            let parts: Vec<_> = blocks.iter().map(|block| block.bytes()).collect();
            hasher.update_all(&parts);
            let found = hasher.finish();
            let is_valid = found == PieceMatch::Right;
            let judged = self.judge_piece(handle, piece, &running.subject, blocks, is_valid);
            tell(
                piece,
                match found {
                    PieceMatch::Right | PieceMatch::Wrong => judged,
                    PieceMatch::Disagree => Err(Error::HashesDisagree { piece: piece.get() }),
                },
            );
        }
    }

    fn judge_piece(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
        partial: &Arc<Partial>,
        blocks: Blocks,
        is_valid: bool,
    ) -> Result<Verdict, Error> {
        match partial.settle(blocks, is_valid) {
            Some(block_digests) => Ok(Verdict::Invalid { block_digests }),
            None => self.promote(handle, piece, partial),
        }
    }

    /// Judges the blocks of a piece that are stored and have not been judged, by their own hashes, as far as those are known
    /// (BEP 52). A block that is written later is judged as it is written. Hashes blocks.
    ///
    /// # Errors
    ///
    /// [`Error::NotReserved`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn judge(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<(ReservationId, Judged), Error> {
        let running = self.partial(handle, piece)?;
        Ok((running.subject.id(), running.subject.judge()))
    }

    /// How many pieces of the torrent are best verified together: [`hashed_together`] where those are not too much of the
    /// budget, in which they can be neither read nor evicted until they are verified; else 1.
    ///
    /// # Errors
    ///
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn verify_together(&self, handle: TorrentHandle) -> Result<usize, Error> {
        let mut directory = self.directory()?;
        let torrent = directory.torrent(handle)?;
        // Of a tree, blocks of one piece are hashed side by side.
        let together = match torrent.hashes.has_trees() {
            true => 1,
            false => hashed_together(),
        };
        let bytes = u64::from(torrent.geometry.piece_length()) * together as u64;
        match bytes <= self.inner.config.budget_bytes() / UNVERIFIED_SHARE {
            true => Ok(together),
            false => Ok(1),
        }
    }

    /// Makes a piece that was found valid readable.
    fn promote(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
        partial: &Arc<Partial>,
    ) -> Result<Verdict, Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let key = Key::new(handle, piece);
        let mut shard = self.inner.shards.lock(key);
        let held = shard
            .get(key)
            .filter(|held| matches!(held, Piece::Partial(other) if Arc::ptr_eq(other, partial)));
        let Some(held) = held else {
            // Given up while we hashed, and maybe reserved again since.
            return Err(Error::NotReserved { piece: piece.get() });
        };
        let now = self.inner.shards.clock.step();
        *held = Piece::Verified(Verified {
            blocks: partial.take_blocks(),
            len: partial.len(),
            tally: Arc::clone(partial.tally()),
            requested: now,
        });
        drop(shard);
        directory.set_verified(key, now);
        drop(directory);
        // It may be evicted now, which makes room.
        self.inner.budget.waiters.wake();
        Ok(Verdict::Valid)
    }

    /// Cancels a reservation, and drops the blocks that were written.
    ///
    /// # Errors
    ///
    /// [`Error::NotReserved`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn release(&self, handle: TorrentHandle, piece: PieceIndex) -> Result<(), Error> {
        let error = Error::NotReserved { piece: piece.get() };
        self.give_up(handle, piece, error, |piece| {
            matches!(piece, Piece::Partial(_))
        })
    }

    /// Evicts a verified piece, protected or not. Leased bytes stay until their leases end.
    ///
    /// # Errors
    ///
    /// [`Error::NotVerified`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn evict(&self, handle: TorrentHandle, piece: PieceIndex) -> Result<(), Error> {
        let error = Error::NotVerified { piece: piece.get() };
        self.give_up(handle, piece, error, |piece| {
            matches!(piece, Piece::Verified(_))
        })
    }

    /// Closes the storage at once: every operation that begins later gets [`Error::Closed`], and all pieces are
    /// dropped. Await the result to know that running operations have ended. Leases stay valid. Closing twice is
    /// harmless.
    pub fn close(&self) -> Closed {
        let mut directory = lock(&self.inner.directory.0);
        if !directory.is_closed {
            directory.is_closed = true;
            directory.clear();
            drop(directory);
            self.inner.shards.close();
            self.inner.budget.close();
            self.inner.countdown.done();
        }
        self.closed()
    }

    /// Waits until the storage is [closed](Self::close) and its operations have ended.
    pub fn closed(&self) -> Closed {
        Closed::new(Arc::clone(&self.inner.countdown))
    }

    pub(crate) fn directory(&self) -> Result<MutexGuard<'_, Directory>, Error> {
        let directory = lock(&self.inner.directory.0);
        if directory.is_closed {
            return Err(Error::Closed);
        }
        Ok(directory)
    }

    /// Fails with `StaleHandle` unless storage and generation are current. Without the directory's lock the torrent may be
    /// removed right after.
    pub(crate) fn check(&self, handle: TorrentHandle) -> Result<(), Error> {
        let is_current = handle.storage == self.inner.id
            && handle.generation == self.inner.generations.get(handle.slot);
        is_current.then_some(()).ok_or(Error::StaleHandle)
    }

    /// The error for a piece that was not found: `error`, unless the torrent is gone.
    pub(crate) fn absent(&self, handle: TorrentHandle, error: Error) -> Error {
        self.check(handle).err().unwrap_or(error)
    }

    fn partial(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<crate::shard::Running<'_, Arc<Partial>>, Error> {
        self.check(handle)?;
        let error = Error::NotReserved { piece: piece.get() };
        self.inner
            .shards
            .begin_partial(handle, piece)?
            .ok_or_else(|| self.absent(handle, error))
    }

    fn give_up(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
        error: Error,
        is_meant: impl Fn(&Piece) -> bool,
    ) -> Result<(), Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let key = Key::new(handle, piece);
        let mut shard = self.inner.shards.lock(key);
        if !shard.get(key).is_some_and(|held| is_meant(held)) {
            return Err(error);
        }
        let held = shard.remove(key);
        drop(shard);
        directory.forget(key);
        drop(directory);
        // The buffers go back to the budget outside of any lock.
        drop(held);
        Ok(())
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage")
            .field("config", &self.inner.config)
            .field("taken", &self.inner.budget.taken())
            .finish_non_exhaustive()
    }
}
