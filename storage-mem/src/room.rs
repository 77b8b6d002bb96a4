//! Making room: which pieces go when a reservation needs their bytes.

use tailwater_metainfo::PieceIndex;

use crate::directory::Directory;
use crate::handle::TorrentHandle;
use crate::shard::{Held, Key, Shards};

/// How often a search begins anew because a chosen piece was leased in between. Giving up is only a `Full`.
const MAX_SEARCHES: usize = 4;

/// What a reservation did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "evicted pieces must be announced as gone"]
#[non_exhaustive]
pub struct Reservation {
    /// Whether the piece was not held before. If it was, nothing has changed.
    pub is_new: bool,
    /// What had to go, least recently requested first. It cannot be read any more.
    pub evicted: Vec<Evicted>,
}

impl Reservation {
    pub(crate) const fn existing() -> Self {
        Self {
            is_new: false,
            evicted: Vec::new(),
        }
    }

    pub(crate) const fn new(evicted: Vec<Evicted>) -> Self {
        Self {
            is_new: true,
            evicted,
        }
    }
}

/// A piece that was given up for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evicted {
    /// Its torrent.
    pub handle: TorrentHandle,
    /// Which piece of it.
    pub piece: PieceIndex,
}

/// A candidate, by the time under which it is listed.
type Candidate = (u64, TorrentHandle, PieceIndex);

impl Directory {
    /// Evicts pieces of at least `bytes` bytes together, or none at all and returns `None`.
    pub(crate) fn make_room(&mut self, shards: &Shards, bytes: u64) -> Option<Vec<Evicted>> {
        for _ in 0..MAX_SEARCHES {
            let chosen = self.choose(shards, bytes)?;
            if let Some(evicted) = self.take_out(shards, &chosen) {
                return Some(evicted);
            }
        }
        None
    }

    /// The least recently requested pieces that nobody needs and that have `bytes` bytes together.
    fn choose(&mut self, shards: &Shards, bytes: u64) -> Option<Vec<Candidate>> {
        let mut chosen = Vec::new();
        let mut sum = 0;
        let mut after = 0;
        while sum < bytes {
            let (&listed, &(handle, piece)) = self.recency.range(after..).next()?;
            after = listed + 1;
            let mut shard = shards.lock(Key::new(handle, piece));
            let Some(verified) = shard.verified(handle, piece) else {
                continue;
            };
            if verified.requested != listed {
                // It was read since: it goes where it belongs now, and the search will come by there.
                verified.listed = verified.requested;
                self.recency.remove(&listed);
                self.recency.insert(verified.listed, (handle, piece));
                continue;
            }
            let (len, is_leased) = (verified.len, verified.is_leased());
            drop(shard);
            if !is_leased && !self.is_protected(handle, piece) {
                sum += u64::from(len);
                chosen.push((listed, handle, piece));
            }
        }
        Some(chosen)
    }

    /// Removes all the chosen, or none when one has been leased since.
    fn take_out(&mut self, shards: &Shards, chosen: &[Candidate]) -> Option<Vec<Evicted>> {
        let mut out: Vec<Held> = Vec::with_capacity(chosen.len());
        for &(_, handle, piece) in chosen {
            let key = Key::new(handle, piece);
            let mut shard = shards.lock(key);
            let is_free = shard
                .verified(handle, piece)
                .is_some_and(|verified| !verified.is_leased());
            if !is_free {
                drop(shard);
                self.put_back(shards, chosen, out);
                return None;
            }
            out.extend(shard.remove(key));
        }
        for &(listed, handle, piece) in chosen {
            self.recency.remove(&listed);
            self.evictions += 1;
            if let Ok(torrent) = self.torrent(handle) {
                torrent.held.remove(&piece);
            }
        }
        let evicted = chosen
            .iter()
            .map(|&(_, handle, piece)| Evicted { handle, piece })
            .collect();
        Some(evicted)
    }

    /// Undoes a removal. Nobody else can have put the pieces there: that takes the directory, which we have.
    fn put_back(&self, shards: &Shards, chosen: &[Candidate], out: Vec<Held>) {
        for (&(_, handle, piece), held) in chosen.iter().zip(out) {
            let key = Key::new(handle, piece);
            shards.lock(key).insert(key, held);
        }
    }

    fn is_protected(&mut self, handle: TorrentHandle, piece: PieceIndex) -> bool {
        self.torrent(handle)
            .is_ok_and(|torrent| torrent.protected.contains(&piece))
    }
}
