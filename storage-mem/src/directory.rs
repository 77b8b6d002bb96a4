//! The directory: which torrents there are, which pieces they hold, and which of those are protected.
//!
//! One lock for the storage, taken by everything that adds or removes a piece or a torrent or moves a window, and by no
//! read or write. It is taken before a shard's, never after.

use std::collections::BTreeMap;
use std::ops::Range;

use tailwater_metainfo::{Geometry, PieceHashes, PieceIndex};

use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::loom::{AtomicU32, Ordering};
use crate::order::{Order, Rank};
use crate::shard::Key;
use crate::window::{Changed, Protection};

#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) is_closed: bool,
    slots: Vec<Option<Torrent>>,
    free: Vec<u32>,
    /// The verified pieces that are not protected.
    pub(crate) order: Order,
    pub(crate) evictions: u64,
}

#[derive(Debug)]
pub(crate) struct Torrent {
    pub(crate) handle: TorrentHandle,
    pub(crate) geometry: Geometry,
    pub(crate) hashes: PieceHashes,
    pub(crate) held: BTreeMap<u32, Entry>,
    pub(crate) protection: Protection,
}

impl Torrent {
    /// How many bytes at the end of `bytes` are verified without a gap. Stops counting once there are `enough`.
    pub(crate) fn verified_before(&self, bytes: &Range<u64>, enough: u64) -> u64 {
        let mut from = bytes.end;
        let pieces = self.geometry.pieces_in(bytes.start, bytes.end);
        for piece in pieces.rev() {
            let entry = self.held.get(&piece.get());
            if bytes.end - from >= enough || !entry.is_some_and(|entry| entry.is_verified) {
                break;
            }
            from = self.geometry.piece_start(piece).max(bytes.start);
        }
        bytes.end - from
    }

    pub(crate) const fn no_such_piece(&self, piece: PieceIndex) -> Error {
        Error::NoSuchPiece {
            piece: piece.get(),
            count: self.geometry.piece_count(),
        }
    }
}

/// A piece that is held.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) piece: PieceIndex,
    pub(crate) is_verified: bool,
    /// The latest request that the directory knows of. Reads do not update it; the search for victims does.
    pub(crate) stamp: u64,
    /// How many peers are said to have the piece.
    pub(crate) availability: u32,
    /// Its rank in the eviction order; set for each verified piece that is not protected.
    pub(crate) rank: Option<Rank>,
}

impl Entry {
    pub(crate) const fn reserved(piece: PieceIndex) -> Self {
        Self {
            piece,
            is_verified: false,
            stamp: 0,
            availability: 0,
            rank: None,
        }
    }
}

impl Directory {
    pub(crate) fn new(order: Order) -> Self {
        Self {
            is_closed: false,
            slots: Vec::new(),
            free: Vec::new(),
            order,
            evictions: 0,
        }
    }

    /// Puts a torrent in a free slot.
    pub(crate) fn insert(
        &mut self,
        storage: u64,
        geometry: Geometry,
        hashes: PieceHashes,
        generations: &Generations,
    ) -> Result<TorrentHandle, Error> {
        let max = generations.slots();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => u32::try_from(self.slots.len())
                .ok()
                .filter(|&slot| slot < max)
                .ok_or(Error::TooManyTorrents { max })?,
        };
        let handle = TorrentHandle {
            storage,
            slot,
            generation: generations.get(slot),
        };
        let torrent = Torrent {
            handle,
            protection: Protection::new(geometry.clone()),
            geometry,
            hashes,
            held: BTreeMap::new(),
        };
        match self.slots.get_mut(slot as usize) {
            Some(entry) => *entry = Some(torrent),
            None => self.slots.push(Some(torrent)),
        }
        Ok(handle)
    }

    /// The torrent of a handle whose generation has been checked by `generations`.
    pub(crate) fn torrent(&mut self, handle: TorrentHandle) -> Result<&mut Torrent, Error> {
        self.in_slot(handle.slot).ok_or(Error::StaleHandle)
    }

    fn in_slot(&mut self, slot: u32) -> Option<&mut Torrent> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// The entry of a held piece, with its torrent's handle.
    pub(crate) fn entry(&mut self, key: Key) -> Option<(TorrentHandle, &mut Entry)> {
        let torrent = self.in_slot(key.slot())?;
        let entry = torrent.held.get_mut(&key.piece())?;
        Some((torrent.handle, entry))
    }

    /// Removes a torrent. Its slot must be freed once its pieces are gone.
    pub(crate) fn remove(&mut self, handle: TorrentHandle) -> Result<Torrent, Error> {
        let slot = self.slots.get_mut(handle.slot as usize);
        let torrent = slot.and_then(Option::take).ok_or(Error::StaleHandle)?;
        for entry in torrent.held.values() {
            self.order.remove(entry.rank);
        }
        Ok(torrent)
    }

    pub(crate) fn free_slot(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Marks a reserved piece as verified: it can be read, and may be evicted.
    pub(crate) fn set_verified(&mut self, key: Key, stamp: u64) {
        let Some(Some(torrent)) = self.slots.get_mut(key.slot() as usize) else {
            return;
        };
        if let Some(entry) = torrent.held.get_mut(&key.piece()) {
            entry.is_verified = true;
            entry.stamp = stamp;
            if !torrent.protection.covers(key.piece()) {
                entry.rank = Some(self.order.insert(key, stamp));
            }
        }
    }

    /// Removes the entry of a piece that is no longer held.
    pub(crate) fn forget(&mut self, key: Key) {
        if let Some(torrent) = self.in_slot(key.slot())
            && let Some(entry) = torrent.held.remove(&key.piece())
        {
            self.order.remove(entry.rank);
        }
    }

    /// Changes what is protected in a torrent, and moves the affected pieces in or out of the eviction order. True when
    /// any has come into it.
    pub(crate) fn protect(
        &mut self,
        handle: TorrentHandle,
        change: impl FnOnce(&mut Protection) -> Result<Changed, Error>,
    ) -> Result<bool, Error> {
        let slot = self.slots.get_mut(handle.slot as usize);
        let torrent = slot.and_then(Option::as_mut).ok_or(Error::StaleHandle)?;
        let mut is_any_free = false;
        for pieces in change(&mut torrent.protection)? {
            for (&piece, entry) in torrent.held.range_mut(pieces) {
                let is_listed = entry.is_verified && !torrent.protection.covers(piece);
                if is_listed && entry.rank.is_none() {
                    let key = Key::new(handle, entry.piece);
                    entry.rank = Some(self.order.insert(key, entry.stamp));
                    is_any_free = true;
                } else if !is_listed {
                    self.order.remove(entry.rank.take());
                }
            }
        }
        Ok(is_any_free)
    }

    /// How many readers have windows, in all torrents.
    pub(crate) fn readers(&self) -> usize {
        let torrents = self.slots.iter().flatten();
        torrents.map(|torrent| torrent.protection.readers()).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
        self.order.clear();
    }
}

/// The current generation of each slot, readable without a lock.
#[derive(Debug)]
pub(crate) struct Generations(Box<[AtomicU32]>);

impl Generations {
    pub(crate) fn new(slots: u32) -> Self {
        Self((0..slots).map(|_| AtomicU32::new(0)).collect())
    }

    fn slots(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, slot: u32) -> u32 {
        self.0
            .get(slot as usize)
            .map_or(u32::MAX, |generation| generation.load(Ordering::Acquire))
    }

    /// Makes every handle of the slot stale. False when its generations are used up: the slot must not be used again.
    pub(crate) fn advance(&self, slot: u32) -> bool {
        let Some(generation) = self.0.get(slot as usize) else {
            return false;
        };
        // Only ever changed under the directory's lock.
        let next = generation.load(Ordering::Acquire).saturating_add(1);
        generation.store(next, Ordering::Release);
        next < u32::MAX
    }
}
