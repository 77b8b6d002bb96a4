//! The storage's interface for readers: windows and pins, availability, waiting for room.

use std::ops::Range;
use std::time::Duration;

use tailwater_metainfo::PieceIndex;

use crate::budget::BLOCK;
use crate::config::Eviction;
use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::shard::Key;
use crate::space::{SpaceAvailable, Waiters};
use crate::storage::MemoryStorage;
use crate::window::{Changed, LookbehindStats, Protection, ReaderId, Window, touched};

impl MemoryStorage {
    /// Sets a reader's window, or moves it. From when this returns, no reservation evicts a piece that it touches.
    ///
    /// The cost is proportional to the held pieces whose protection changes, times the readers of the torrent: almost
    /// none as long as the window touches the same pieces.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRange`] when the bounds are not bytes of the torrent, [`Error::TooManyReaders`],
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn set_window(
        &self,
        handle: TorrentHandle,
        reader: ReaderId,
        window: &Window,
    ) -> Result<(), Error> {
        self.protect(handle, |protection| protection.set_window(reader, window))
    }

    /// Removes a reader's window, with what was cleared of its lookbehind.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchReader`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn remove_window(&self, handle: TorrentHandle, reader: ReaderId) -> Result<(), Error> {
        self.protect(handle, |protection| protection.remove_window(reader))
    }

    /// Protects the pieces that these bytes of the torrent touch, instead of those pinned before: the head and the tail of
    /// a file, where players look for its index again and again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRange`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn set_pins(&self, handle: TorrentHandle, pins: &[Range<u64>]) -> Result<(), Error> {
        self.protect(handle, |protection| protection.set_pins(pins))
    }

    /// Protects at least this many whole pieces before the piece of each reader's cursor, inside its bounds, even where
    /// [`Window::behind`] reaches less far. 0 in the beginning.
    ///
    /// # Errors
    ///
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn set_lookbehind_pieces(&self, handle: TorrentHandle, pieces: u32) -> Result<(), Error> {
        self.protect(handle, |protection| {
            Ok(protection.set_lookbehind_pieces(pieces))
        })
    }

    /// Whether a rewind by `bytes`, or to the beginning of the reader's bounds if that is nearer, finds everything in
    /// memory.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchReader`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn is_lookbehind_available(
        &self,
        handle: TorrentHandle,
        reader: ReaderId,
        bytes: u64,
    ) -> Result<bool, Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let torrent = directory.torrent(handle)?;
        let (file, _) = torrent.protection.behind(reader)?;
        let wanted = bytes.min(file.end - file.start);
        Ok(torrent.verified_before(&file, wanted) >= wanted)
    }

    /// What lies behind a reader's cursor. The cost is proportional to the number of those pieces.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchReader`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn lookbehind_stats(
        &self,
        handle: TorrentHandle,
        reader: ReaderId,
    ) -> Result<LookbehindStats, Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let torrent = directory.torrent(handle)?;
        let (file, lookbehind) = torrent.protection.behind(reader)?;
        let pieces = touched(&torrent.geometry, &lookbehind);
        let available = torrent.held.range(pieces.clone());
        let available = available.filter(|(_, entry)| entry.is_verified).count();
        Ok(LookbehindStats {
            protected: pieces.end - pieces.start,
            available: u32::try_from(available).unwrap_or(u32::MAX),
            bytes: torrent.verified_before(&file, u64::MAX),
        })
    }

    /// Forgets what lies behind a reader's cursor: it is no longer protected for this reader, also when the window moves
    /// on, until the cursor goes back before where it is now. What is in memory stays until its room is needed.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchReader`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn clear_lookbehind(&self, handle: TorrentHandle, reader: ReaderId) -> Result<(), Error> {
        self.protect(handle, |protection| protection.clear_lookbehind(reader))
    }

    /// Whether some window or pin keeps reservations from evicting the piece.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPiece`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn is_protected(&self, handle: TorrentHandle, piece: PieceIndex) -> Result<bool, Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let torrent = directory.torrent(handle)?;
        if piece.get() >= torrent.geometry.piece_count() {
            return Err(torrent.no_such_piece(piece));
        }
        Ok(torrent.protection.covers(piece.get()))
    }

    /// How many readers have windows, in all torrents together.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.directory().map_or(0, |directory| directory.readers())
    }

    /// A hint: how many peers of the swarm have a piece. It is kept as long as the piece is held, reserved or verified;
    /// of other pieces nothing is noted. Without a hint it is 0: rare.
    ///
    /// # Errors
    ///
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn set_availability(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
        peers: u32,
    ) -> Result<(), Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        directory.set_availability(Key::new(handle, piece), peers);
        Ok(())
    }

    /// Tells the storage what time it is, on any clock that does not go back: it has no clock of its own. Once every
    /// few seconds is often enough. Without it no piece ever becomes idle.
    pub fn set_time(&self, now: Duration) {
        if let Ok(mut directory) = self.directory() {
            let stamp = self.inner.shards.clock.step();
            directory.order.set_time(now, stamp);
        }
    }

    /// Waits until a reservation of `bytes` could have the room.
    pub fn wait_for_space(&self, bytes: u64) -> SpaceAvailable {
        SpaceAvailable::new(self.clone(), bytes)
    }

    /// How many bytes could be reserved now without evicting anything.
    #[must_use]
    pub fn unused(&self) -> u64 {
        self.inner.budget.available() * BLOCK
    }

    /// Whether a reservation of `bytes` would find room now.
    pub(crate) fn has_space(&self, bytes: u64) -> Result<bool, Error> {
        let mut directory = self.directory()?;
        let needed = bytes.div_ceil(BLOCK);
        let free = self.inner.budget.available();
        if needed > self.inner.budget.limit() {
            return Err(Error::Full {
                needed: needed.saturating_mul(BLOCK),
                free: free * BLOCK,
            });
        }
        let lacking = needed.saturating_sub(free);
        Ok(lacking == 0
            || self.may_evict_for(needed) && directory.could_make_room(&self.inner.shards, lacking))
    }

    /// Whether evicting can help to get this many blocks: a request that can never fit evicts nothing.
    pub(crate) fn may_evict_for(&self, blocks: u64) -> bool {
        self.config().eviction() == Eviction::LeastRecentlyRequested
            && blocks <= self.inner.budget.limit()
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.inner.budget.waiters
    }

    fn protect(
        &self,
        handle: TorrentHandle,
        change: impl FnOnce(&mut Protection) -> Result<Changed, Error>,
    ) -> Result<(), Error> {
        let mut directory = self.directory()?;
        self.check(handle)?;
        let is_any_free = directory.protect(handle, change)?;
        self.inner.shards.clock.step();
        drop(directory);
        if is_any_free {
            self.waiters().wake();
        }
        Ok(())
    }
}
