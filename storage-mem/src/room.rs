//! Eviction: chooses and removes the pieces that make room for a reservation.

use tailwater_metainfo::PieceIndex;

use crate::budget::Buffer;
use crate::directory::Directory;
use crate::handle::TorrentHandle;
use crate::loom::Arc;
use crate::order::Rank;
use crate::shard::{Blocks, Held, Key, Piece, Shards};
use crate::slab::Block;

/// How often the search restarts because a chosen piece was leased in between. After that the reservation gets `Full`.
const MAX_SEARCHES: usize = 4;

/// The outcome of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "evicted pieces must be announced as gone"]
#[non_exhaustive]
pub struct Reservation {
    /// Whether the piece was not held before. If it was, nothing has changed.
    pub is_new: bool,
    /// The evicted pieces, of this torrent and of others, in the order of [`Eviction`](crate::Eviction). They cannot be
    /// read any more.
    pub evicted: Vec<Evicted>,
    /// Identifies this reservation among earlier and later ones of the same piece; `None` when the piece is verified.
    pub id: Option<ReservationId>,
}

impl Reservation {
    pub(crate) const fn existing(id: Option<ReservationId>) -> Self {
        Self {
            is_new: false,
            evicted: Vec::new(),
            id,
        }
    }

    pub(crate) const fn new(id: ReservationId, evicted: Vec<Evicted>) -> Self {
        Self {
            is_new: true,
            evicted,
            id: Some(id),
        }
    }
}

/// Identifies one reservation of one piece, uniquely in its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReservationId(pub(crate) u64);

/// A piece that was evicted for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evicted {
    /// Its torrent.
    pub handle: TorrentHandle,
    /// Which piece of it.
    pub piece: PieceIndex,
}

/// An evicted piece that has been removed, with its blocks.
#[derive(Debug)]
pub(crate) struct Victim {
    pub(crate) evicted: Evicted,
    pub(crate) held: Held,
}

impl Victim {
    /// The memory of its blocks, with the room in the budget that was taken for them.
    pub(crate) fn into_blocks(self) -> impl Iterator<Item = Block> {
        let blocks = match self.held.piece {
            Piece::Verified(mut verified) => std::mem::take(&mut verified.blocks),
            Piece::Partial(_) => Blocks::default(),
        };
        // It was not leased, so the buffers have no other owner.
        let buffers = blocks
            .into_iter()
            .filter_map(|buffer| Arc::try_unwrap(buffer).ok());
        buffers.filter_map(Buffer::into_block)
    }
}

impl Directory {
    /// Removes pieces of at least `blocks` blocks together; or removes none and returns `None`.
    pub(crate) fn make_room(&mut self, shards: &Shards, blocks: u64) -> Option<Vec<Victim>> {
        for _ in 0..MAX_SEARCHES {
            let chosen = self.choose(shards, blocks)?;
            if let Some(victims) = self.take_out(shards, chosen) {
                return Some(victims);
            }
        }
        None
    }

    /// Whether [`make_room`](Self::make_room) would find enough.
    pub(crate) fn could_make_room(&mut self, shards: &Shards, blocks: u64) -> bool {
        self.choose(shards, blocks).is_some()
    }

    /// The first unleased pieces in the eviction order that have `blocks` blocks together.
    fn choose(&mut self, shards: &Shards, blocks: u64) -> Option<Vec<Rank>> {
        self.rank_idle(shards);
        let mut chosen = Vec::new();
        let mut sum = 0;
        let mut after = None;
        while sum < blocks {
            let rank = self.order.next(after)?;
            after = Some(rank);
            let Some((requested, len, is_leased)) = self.look(shards, rank.key()) else {
                continue;
            };
            if self.relist(rank.key(), requested) {
                // It was read since: it now has a later rank, which the search will reach.
                continue;
            }
            if !is_leased {
                sum += len;
                chosen.push(rank);
            }
        }
        Some(chosen)
    }

    /// Re-ranks pieces that have become idle since the last search: each once, until it is requested again.
    fn rank_idle(&mut self, shards: &Shards) {
        while let Some(rank) = self.order.newly_idle() {
            let key = rank.key();
            let requested = self
                .look(shards, key)
                .map_or(0, |(requested, ..)| requested);
            let Some((_, entry)) = self.entry(key) else {
                self.order.remove(Some(rank));
                continue;
            };
            entry.stamp = entry.stamp.max(requested);
            let (stamp, availability) = (entry.stamp, entry.availability);
            self.rank(key, stamp, availability);
        }
    }

    /// When a verified piece was last requested, how many blocks it has, and whether any is leased.
    fn look(&mut self, shards: &Shards, key: Key) -> Option<(u64, u64, bool)> {
        let (handle, entry) = self.entry(key)?;
        let piece = entry.piece;
        let mut shard = shards.lock(key);
        let verified = shard.verified(handle, piece)?;
        let blocks = verified.blocks.len() as u64;
        Some((verified.requested, blocks, verified.is_leased()))
    }

    /// Re-ranks a piece that was requested after it was ranked. False when it was not.
    fn relist(&mut self, key: Key, requested: u64) -> bool {
        match self.entry(key) {
            Some((_, entry)) if requested > entry.stamp => {
                entry.stamp = requested;
                let availability = entry.availability;
                self.rank(key, requested, availability);
                true
            }
            _ => false,
        }
    }

    fn rank(&mut self, key: Key, stamp: u64, availability: u32) {
        let old = self.entry(key).and_then(|(_, entry)| entry.rank);
        self.order.remove(old);
        let rank = self.order.insert_aged(key, stamp, availability);
        if let Some((_, entry)) = self.entry(key) {
            entry.rank = Some(rank);
        }
    }

    /// Records how many peers have a held piece.
    pub(crate) fn set_availability(&mut self, key: Key, peers: u32) {
        let Some((_, entry)) = self.entry(key) else {
            return;
        };
        entry.availability = peers;
        if entry.rank.is_some_and(Rank::is_idle) {
            let stamp = entry.stamp;
            self.rank(key, stamp, peers);
        }
    }

    /// Removes all the chosen, or none when one has been leased since.
    fn take_out(&mut self, shards: &Shards, chosen: Vec<Rank>) -> Option<Vec<Victim>> {
        let mut victims: Vec<Victim> = Vec::with_capacity(chosen.len());
        for rank in chosen {
            match self.take(shards, rank.key()) {
                Some(victim) => victims.push(victim),
                None => {
                    put_back(shards, victims);
                    return None;
                }
            }
        }
        for victim in &victims {
            self.evictions += 1;
            self.forget(Key::new(victim.evicted.handle, victim.evicted.piece));
        }
        Some(victims)
    }

    fn take(&mut self, shards: &Shards, key: Key) -> Option<Victim> {
        let (handle, entry) = self.entry(key)?;
        let piece = entry.piece;
        let mut shard = shards.lock(key);
        if shard.verified(handle, piece)?.is_leased() {
            return None;
        }
        let held = shard.remove(key)?;
        Some(Victim {
            evicted: Evicted { handle, piece },
            held,
        })
    }
}

/// Undoes a removal. No other thread can have put the pieces there: that takes the directory's lock, which we hold.
fn put_back(shards: &Shards, victims: Vec<Victim>) {
    for Victim { evicted, held } in victims {
        let key = Key::new(evicted.handle, evicted.piece);
        shards.lock(key).insert(key, held);
    }
}
