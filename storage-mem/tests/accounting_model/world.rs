//! A storage and its model side by side.

use std::array;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tailwater_storage_mem::{
    Config, Error, Evicted, Eviction, Lease, MemoryStorage, SpaceAvailable, TorrentHandle, Verdict,
    Written,
};

use crate::common::{BLOCK, Content};
use crate::model::{IDLE_AFTER, Model, Piece, State, Torrent};
use crate::ops::{Op, TORRENTS};

/// The last piece is short, the others end with a short block; one torrent has pieces of one block.
pub(crate) static CONTENTS: LazyLock<[Content; TORRENTS]> = LazyLock::new(|| {
    [
        Content::new(3 * 40_000 + 20_001, 40_000, 1),
        Content::new(3 * 40_000 + 20_001, 40_000, 2),
        Content::new(5 * 10_000 + 1, 10_000, 3),
    ]
});

/// A lease, and the bytes that it had in the beginning.
pub(crate) struct Held {
    pub(crate) lease: Lease,
    pub(crate) bytes: Vec<u8>,
}

/// A task that found no room and has not been served yet.
pub(crate) struct Waiter {
    future: SpaceAvailable,
    pub(crate) blocks: u64,
    pub(crate) woken: Arc<Flag>,
}

#[derive(Default)]
pub(crate) struct Flag(pub(crate) AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Waiter {
    pub(crate) fn poll(&mut self) -> Poll<Result<(), Error>> {
        let waker = Waker::from(Arc::clone(&self.woken));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}

pub(crate) struct World {
    pub(crate) storage: MemoryStorage,
    pub(crate) model: Model,
    pub(crate) handles: [Option<TorrentHandle>; TORRENTS],
    /// The last handle of each torrent that was removed.
    pub(crate) stale: [Option<TorrentHandle>; TORRENTS],
    /// As many as the model has, in its order.
    pub(crate) leases: Vec<Held>,
    pub(crate) waiters: Vec<Waiter>,
}

impl World {
    pub(crate) fn new(limit: u64, evicts: bool, free_list: u64) -> Self {
        let eviction = if evicts {
            Eviction::LeastRecentlyRequested
        } else {
            Eviction::Never
        };
        let config = Config::new(limit)
            .with_eviction(eviction)
            .with_idle_after(Duration::from_secs(IDLE_AFTER))
            .with_free_list_bytes(free_list);
        let geometries = array::from_fn(|torrent| CONTENTS[torrent].geometry.clone());
        Self {
            storage: MemoryStorage::new(config),
            model: Model::new(limit / BLOCK, evicts, geometries),
            handles: [None; TORRENTS],
            stale: [None; TORRENTS],
            leases: Vec::new(),
            waiters: Vec::new(),
        }
    }

    /// The handle to use: a stale one if there is no other.
    fn handle(&self, torrent: usize) -> Option<TorrentHandle> {
        self.handles[torrent].or(self.stale[torrent])
    }

    fn is_good(&self, torrent: usize) -> bool {
        self.handles[torrent].is_some()
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match *op {
            Op::Add(torrent) => self.add(torrent),
            Op::Later(seconds) => {
                self.model.set_time(seconds);
                let now = Duration::from_secs(self.model.now());
                self.storage.set_time(now);
            }
            Op::CloneLease(index) if !self.leases.is_empty() => {
                let at = index.index(self.leases.len());
                let Held { lease, bytes } = &self.leases[at];
                let (lease, bytes) = (lease.clone(), bytes.clone());
                self.leases.push(Held { lease, bytes });
                self.model.leases.push(self.model.leases[at]);
            }
            Op::DropLease(index) if !self.leases.is_empty() => {
                let at = index.index(self.leases.len());
                self.leases.swap_remove(at);
                self.model.leases.swap_remove(at);
            }
            Op::Wait(bytes) => self.wait(bytes),
            Op::DropWaiter(index) if !self.waiters.is_empty() => {
                self.waiters.swap_remove(index.index(self.waiters.len()));
            }
            Op::CloneLease(_) | Op::DropLease(_) | Op::DropWaiter(_) => {}
            Op::Remove(torrent)
            | Op::Reserve(torrent, _)
            | Op::Write(torrent, ..)
            | Op::Put(torrent, _)
            | Op::Verify(torrent, _)
            | Op::Read(torrent, ..)
            | Op::Evict(torrent, _)
            | Op::Release(torrent, _)
            | Op::SetWindow(torrent, ..)
            | Op::RemoveWindow(torrent, _)
            | Op::SetPins(torrent, _)
            | Op::SetLookbehindPieces(torrent, _)
            | Op::ClearLookbehind(torrent, _)
            | Op::SetAvailability(torrent, ..) => {
                if let Some(handle) = self.handle(torrent) {
                    self.apply_to(torrent, handle, op);
                }
            }
        }
    }

    fn apply_to(&mut self, torrent: usize, handle: TorrentHandle, op: &Op) {
        let pieces = CONTENTS[torrent].geometry.piece_count();
        match *op {
            Op::Remove(_) => self.remove(torrent, handle),
            Op::Reserve(_, piece) if piece < pieces => self.reserve((torrent, piece), handle),
            Op::Write(_, piece, block, good) if piece < pieces => {
                self.write((torrent, piece), handle, block, good);
            }
            Op::Put(_, piece) if piece < pieces => {
                self.reserve((torrent, piece), handle);
                (0..3).for_each(|block| self.write((torrent, piece), handle, block, true));
                self.verify((torrent, piece), handle);
            }
            Op::Verify(_, piece) if piece < pieces => self.verify((torrent, piece), handle),
            Op::Read(_, piece, block) if piece < pieces => {
                self.read((torrent, piece), handle, block);
            }
            Op::Evict(_, piece) if piece < pieces => self.give_up((torrent, piece), handle, true),
            Op::Release(_, piece) if piece < pieces => {
                self.give_up((torrent, piece), handle, false);
            }
            Op::SetAvailability(_, piece, peers) if piece < pieces => {
                let index = CONTENTS[torrent].piece(piece);
                let result = self.storage.set_availability(handle, index, peers);
                assert_eq!(result.is_ok(), self.is_good(torrent));
                if self.is_good(torrent)
                    && let Some(piece) = self.model.pieces.get_mut(&(torrent, piece))
                {
                    piece.availability = peers;
                }
            }
            _ => self.protect(torrent, handle, op),
        }
    }

    fn add(&mut self, torrent: usize) {
        if self.handles[torrent].is_none() {
            self.handles[torrent] = Some(CONTENTS[torrent].add_to(&self.storage));
            let slot = self.model.free_slots.pop().unwrap();
            self.model.torrents[torrent] = Some(Torrent::new(slot));
        }
    }

    fn remove(&mut self, torrent: usize, handle: TorrentHandle) {
        let is_good = self.is_good(torrent);
        let expected = is_good.then_some(()).ok_or(Error::StaleHandle);
        assert_eq!(self.storage.remove_torrent(handle), expected);
        self.stale[torrent] = Some(handle);
        self.handles[torrent] = None;
        self.model.pieces.retain(|&(other, _), _| other != torrent);
        if let Some(gone) = self.model.torrents[torrent].take() {
            self.model.free_slots.push(gone.slot);
        }
    }

    fn reserve(&mut self, place: (usize, u32), handle: TorrentHandle) {
        let index = CONTENTS[place.0].piece(place.1);
        let result = self.storage.reserve(handle, index);
        let needed = self.model.blocks(place);
        if !self.is_good(place.0) {
            assert_eq!(result, Err(Error::StaleHandle));
        } else if self.model.pieces.contains_key(&place) {
            assert!(!result.unwrap().is_new);
        } else if let Some(victims) = self.model.victims(needed) {
            let evicted: Vec<_> = victims
                .iter()
                .map(|&(torrent, piece)| Evicted {
                    handle: self.handles[torrent].unwrap(),
                    piece: CONTENTS[torrent].piece(piece),
                })
                .collect();
            assert_eq!(result.unwrap().evicted, evicted);
            let model = &mut self.model;
            model.evictions += victims.len() as u64;
            model.pieces.retain(|place, _| !victims.contains(place));
            model.clock += 1;
            model.fillings += 1;
            let piece = Piece {
                filling: model.fillings,
                state: State::Partial(BTreeMap::new()),
                availability: 0,
            };
            model.pieces.insert(place, piece);
        } else {
            let free = (self.model.limit - self.model.used()) * BLOCK;
            let needed = needed * BLOCK;
            assert_eq!(result, Err(Error::Full { needed, free }));
        }
    }

    fn write(&mut self, place: (usize, u32), handle: TorrentHandle, number: u32, is_right: bool) {
        let content = &CONTENTS[place.0];
        let piece = place.1;
        let blocks = content.geometry.block_count(content.piece(piece));
        if number >= blocks {
            return;
        }
        let block = content.block(piece, number);
        let mut data = content.data(block).to_vec();
        data[0] ^= u8::from(!is_right);
        let result = self.storage.write_block(handle, block, &data);
        let is_good = self.is_good(place.0);
        let state = self.model.pieces.get_mut(&place);
        let expected = match state.map(|piece| &mut piece.state) {
            _ if !is_good => Err(Error::StaleHandle),
            None => Err(Error::NotReserved { piece }),
            Some(State::Verified(_)) => Ok(Written::Duplicate),
            Some(State::Partial(there)) if there.contains_key(&number) => Ok(Written::Duplicate),
            Some(State::Partial(there)) => {
                there.insert(number, is_right);
                let piece_full = there.len() == blocks as usize;
                Ok(Written::Stored {
                    is_right: false,
                    piece_full,
                })
            }
        };
        assert_eq!(result, expected);
    }

    fn verify(&mut self, place: (usize, u32), handle: TorrentHandle) {
        let content = &CONTENTS[place.0];
        let (piece, index) = (place.1, content.piece(place.1));
        let blocks = content.geometry.block_count(index);
        let result = self.storage.verify(handle, index);
        let is_good = self.is_good(place.0);
        let Model { pieces, clock, .. } = &mut self.model;
        match pieces.get_mut(&place).map(|piece| &mut piece.state) {
            _ if !is_good => assert_eq!(result, Err(Error::StaleHandle)),
            Some(State::Partial(there)) if there.len() < blocks as usize => {
                let missing = blocks - u32::try_from(there.len()).unwrap();
                assert_eq!(result, Err(Error::Incomplete { piece, missing }));
            }
            Some(State::Partial(there)) if there.values().any(|&is_right| !is_right) => {
                assert!(matches!(result, Ok(Verdict::Invalid { .. })));
                there.clear();
            }
            Some(state @ State::Partial(_)) => {
                assert_eq!(result, Ok(Verdict::Valid));
                *clock += 1;
                *state = State::Verified(*clock);
            }
            None | Some(State::Verified(_)) => {
                assert_eq!(result, Err(Error::NotReserved { piece }));
            }
        }
    }

    fn read(&mut self, place: (usize, u32), handle: TorrentHandle, number: u32) {
        let content = &CONTENTS[place.0];
        let piece = place.1;
        let Some(block) = content.geometry.nth_block(content.piece(piece), number) else {
            return;
        };
        let result = self.storage.read(handle, block);
        let is_good = self.is_good(place.0);
        let Model {
            pieces,
            clock,
            leases,
            ..
        } = &mut self.model;
        match pieces.get_mut(&place) {
            _ if !is_good => assert_eq!(result.unwrap_err(), Error::StaleHandle),
            Some(Piece {
                filling,
                state: State::Verified(requested),
                ..
            }) => {
                *requested = *clock;
                leases.push((*filling, number));
                self.leases.push(Held {
                    lease: result.unwrap(),
                    bytes: content.data(block).to_vec(),
                });
            }
            _ => assert_eq!(result.unwrap_err(), Error::NotVerified { piece }),
        }
    }

    fn give_up(&mut self, place: (usize, u32), handle: TorrentHandle, is_eviction: bool) {
        let (piece, index) = (place.1, CONTENTS[place.0].piece(place.1));
        let (result, error) = if is_eviction {
            let error = Error::NotVerified { piece };
            (self.storage.evict(handle, index), error)
        } else {
            let error = Error::NotReserved { piece };
            (self.storage.release(handle, index), error)
        };
        let held = self.model.pieces.get(&place);
        let is_verified = held.map(|piece| matches!(piece.state, State::Verified(_)));
        let expected = match is_verified {
            _ if !self.is_good(place.0) => Err(Error::StaleHandle),
            Some(is_verified) if is_verified == is_eviction => Ok(()),
            _ => Err(error),
        };
        assert_eq!(result, expected);
        if result.is_ok() {
            self.model.pieces.remove(&place);
        }
    }

    fn wait(&mut self, bytes: u64) {
        let blocks = bytes.div_ceil(BLOCK);
        let mut waiter = Waiter {
            future: self.storage.wait_for_space(bytes),
            blocks,
            woken: Arc::default(),
        };
        let free = (self.model.limit - self.model.used()) * BLOCK;
        let needed = blocks * BLOCK;
        let expected = if blocks > self.model.limit {
            Poll::Ready(Err(Error::Full { needed, free }))
        } else if self.model.victims(blocks).is_some() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        };
        assert_eq!(waiter.poll(), expected);
        if expected.is_pending() {
            self.waiters.push(waiter);
        }
    }
}
