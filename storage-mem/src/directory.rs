//! Which torrents there are, which pieces they hold, and in which order pieces were requested.
//!
//! One lock for the storage, taken by everything that adds or removes a piece or a torrent, and by no read or write.
//! It is taken before a shard's, never after.

use std::collections::{BTreeMap, BTreeSet};

use tailwater_metainfo::{Geometry, PieceHash, PieceIndex};

use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::loom::{AtomicU32, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) is_closed: bool,
    slots: Vec<Option<Torrent>>,
    free: Vec<u32>,
    /// Verified pieces by when they were listed. A read does not move its piece here: whoever looks for a victim does.
    pub(crate) recency: BTreeMap<u64, (TorrentHandle, PieceIndex)>,
    pub(crate) evictions: u64,
}

#[derive(Debug)]
pub(crate) struct Torrent {
    pub(crate) geometry: Geometry,
    pub(crate) hashes: std::sync::Arc<[PieceHash]>,
    pub(crate) held: BTreeSet<PieceIndex>,
    pub(crate) protected: BTreeSet<PieceIndex>,
}

impl Directory {
    /// Puts a torrent in a free slot.
    pub(crate) fn insert(
        &mut self,
        torrent: Torrent,
        generations: &Generations,
    ) -> Result<(u32, u32), Error> {
        let max = generations.slots();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => u32::try_from(self.slots.len())
                .ok()
                .filter(|&slot| slot < max)
                .ok_or(Error::TooManyTorrents { max })?,
        };
        match self.slots.get_mut(slot as usize) {
            Some(entry) => *entry = Some(torrent),
            None => self.slots.push(Some(torrent)),
        }
        Ok((slot, generations.get(slot)))
    }

    /// The torrent of a handle that `generations` has found current.
    pub(crate) fn torrent(&mut self, handle: TorrentHandle) -> Result<&mut Torrent, Error> {
        self.slots
            .get_mut(handle.slot as usize)
            .and_then(Option::as_mut)
            .ok_or(Error::StaleHandle)
    }

    /// Takes a torrent out. Its slot must be freed once its pieces are gone.
    pub(crate) fn remove(&mut self, handle: TorrentHandle) -> Result<Torrent, Error> {
        self.slots
            .get_mut(handle.slot as usize)
            .and_then(Option::take)
            .ok_or(Error::StaleHandle)
    }

    pub(crate) fn free_slot(&mut self, slot: u32) {
        self.free.push(slot);
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
        self.recency.clear();
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

    /// Makes every handle of the slot stale. False when its generations are used up: it must not be used again.
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
