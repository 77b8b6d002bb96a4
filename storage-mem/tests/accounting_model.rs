//! Random operations on a storage and on a naive model of it, compared after each.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use common::Content;
use proptest::prelude::*;
use tailwater_storage_mem::{
    Config, Error, Evicted, Eviction, Lease, MemoryStorage, PieceState, TorrentHandle, Verdict,
    Written,
};

const TORRENTS: usize = 2;
const PIECES: u32 = 4;
const BLOCKS: u32 = 3;

/// The last piece is short, the others end with a short block.
static CONTENTS: LazyLock<[Content; TORRENTS]> =
    LazyLock::new(|| [1, 2].map(|salt| Content::new(3 * 40_000 + 20_001, 40_000, salt)));

#[derive(Clone, Debug)]
enum Op {
    Add(usize),
    Remove(usize),
    Reserve(usize, u32),
    Write(usize, u32, u32, bool),
    /// Reserve, write all, verify: else few pieces would ever become valid.
    Put(usize, u32),
    Verify(usize, u32),
    Read(usize, u32, u32),
    DropLease(prop::sample::Index),
    Evict(usize, u32),
    Release(usize, u32),
    Protect(usize, u32, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let place = || (0..TORRENTS, 0..PIECES);
    let block = || (0..TORRENTS, 0..PIECES, 0..BLOCKS);
    prop_oneof![
        1 => (0..TORRENTS).prop_map(Op::Add),
        1 => (0..TORRENTS).prop_map(Op::Remove),
        4 => place().prop_map(|(t, p)| Op::Reserve(t, p)),
        8 => (block(), prop::bool::weighted(0.9)).prop_map(|((t, p, b), good)| Op::Write(t, p, b, good)),
        8 => place().prop_map(|(t, p)| Op::Put(t, p)),
        4 => place().prop_map(|(t, p)| Op::Verify(t, p)),
        8 => block().prop_map(|(t, p, b)| Op::Read(t, p, b)),
        5 => any::<prop::sample::Index>().prop_map(Op::DropLease),
        2 => place().prop_map(|(t, p)| Op::Evict(t, p)),
        2 => place().prop_map(|(t, p)| Op::Release(t, p)),
        2 => (place(), any::<bool>()).prop_map(|((t, p), on)| Op::Protect(t, p, on)),
    ]
}

#[derive(Debug)]
enum Piece {
    /// Which blocks are there, and whether with the right bytes.
    Partial(BTreeMap<u32, bool>),
    /// When it was last requested.
    Verified(u64),
}

/// A lease, and which filling of which piece it is of.
struct Held {
    lease: Lease,
    filling: u64,
    block: u32,
    bytes: Vec<u8>,
}

struct World {
    storage: MemoryStorage,
    contents: [Content; TORRENTS],
    /// Current handles, and the last stale one.
    handles: [Option<TorrentHandle>; TORRENTS],
    stale: [Option<TorrentHandle>; TORRENTS],
    pieces: BTreeMap<(usize, u32), (u64, Piece)>,
    protected: BTreeMap<(usize, u32), bool>,
    leases: Vec<Held>,
    clock: u64,
    fillings: u64,
    limit: u64,
    evicts: bool,
}

impl World {
    fn new(limit: u64, evicts: bool, free_list: u64) -> Self {
        let eviction = if evicts {
            Eviction::LeastRecentlyRequested
        } else {
            Eviction::Never
        };
        let config = Config::new(limit)
            .with_eviction(eviction)
            .with_free_list_bytes(free_list);
        Self {
            storage: MemoryStorage::new(config),
            contents: CONTENTS.clone(),
            handles: [None; TORRENTS],
            stale: [None; TORRENTS],
            pieces: BTreeMap::new(),
            protected: BTreeMap::new(),
            leases: Vec::new(),
            clock: 0,
            fillings: 0,
            limit,
            evicts,
        }
    }

    /// The handle to use, and whether it is good.
    fn handle(&self, torrent: usize) -> Option<(TorrentHandle, bool)> {
        match (self.handles[torrent], self.stale[torrent]) {
            (Some(handle), _) => Some((handle, true)),
            (None, stale) => stale.map(|handle| (handle, false)),
        }
    }

    fn len(&self, piece: u32) -> u64 {
        let geometry = self.contents[0].geometry;
        u64::from(geometry.piece_len(geometry.piece(piece).unwrap()))
    }

    fn is_leased(&self, filling: u64) -> bool {
        self.leases.iter().any(|held| held.filling == filling)
    }

    /// The bytes of leased blocks: all, and those whose piece is gone.
    fn leased(&self) -> (u64, u64) {
        let blocks: BTreeMap<_, _> = self
            .leases
            .iter()
            .map(|held| ((held.filling, held.block), held.bytes.len() as u64))
            .collect();
        let is_gone = |filling| !self.pieces.values().any(|(other, _)| *other == filling);
        let detached = blocks.iter().filter(|((filling, _), _)| is_gone(*filling));
        (blocks.values().sum(), detached.map(|(_, len)| len).sum())
    }

    fn used(&self) -> u64 {
        let held: u64 = self.pieces.keys().map(|&(_, piece)| self.len(piece)).sum();
        held + self.leased().1
    }

    fn victims(&self, needed: u64) -> Option<Vec<(usize, u32)>> {
        let mut free = self.limit - self.used();
        let mut candidates: Vec<_> = self
            .pieces
            .iter()
            .filter_map(|(&place, (filling, piece))| match piece {
                Piece::Verified(requested) => Some((*requested, place, *filling)),
                Piece::Partial(_) => None,
            })
            .filter(|&(_, place, filling)| {
                !self.is_leased(filling) && !self.protected.get(&place).is_some_and(|&on| on)
            })
            .collect();
        candidates.sort_unstable();
        let mut candidates = candidates.into_iter();
        let mut victims = Vec::new();
        while free < needed {
            let (_, place, _) = candidates.next().filter(|_| self.evicts)?;
            free += self.len(place.1);
            victims.push(place);
        }
        Some(victims)
    }

    fn reserve(&mut self, torrent: usize, piece: u32) {
        let Some((handle, is_good)) = self.handle(torrent) else {
            return;
        };
        let result = self
            .storage
            .reserve(handle, self.contents[torrent].piece(piece));
        let needed = self.len(piece);
        if !is_good {
            assert_eq!(result, Err(Error::StaleHandle));
        } else if self.pieces.contains_key(&(torrent, piece)) {
            assert!(!result.unwrap().is_new);
        } else if let Some(victims) = self.victims(needed) {
            let evicted: Vec<_> = victims
                .iter()
                .map(|&(torrent, piece)| Evicted {
                    handle: self.handles[torrent].unwrap(),
                    piece: self.contents[torrent].piece(piece),
                })
                .collect();
            assert_eq!(result.unwrap().evicted, evicted);
            self.pieces.retain(|place, _| !victims.contains(place));
            self.fillings += 1;
            let partial = Piece::Partial(BTreeMap::new());
            self.pieces
                .insert((torrent, piece), (self.fillings, partial));
        } else {
            let free = self.limit - self.used();
            assert_eq!(result, Err(Error::Full { needed, free }));
        }
    }

    fn write(&mut self, torrent: usize, piece: u32, number: u32, is_right: bool) {
        let content = &self.contents[torrent];
        let blocks = content.geometry.block_count(content.piece(piece));
        let Some((handle, is_good)) = self.handle(torrent) else {
            return;
        };
        if number >= blocks {
            return;
        }
        let block = content.block(piece, number);
        let mut data = content.data(block).to_vec();
        data[0] ^= u8::from(!is_right);
        let result = self.storage.write_block(handle, block, &data);
        let expected = match self.pieces.get_mut(&(torrent, piece)) {
            _ if !is_good => Err(Error::StaleHandle),
            None => Err(Error::NotReserved { piece }),
            Some((_, Piece::Verified(_))) => Ok(Written::Duplicate),
            Some((_, Piece::Partial(there))) if there.contains_key(&number) => {
                Ok(Written::Duplicate)
            }
            Some((_, Piece::Partial(there))) => {
                there.insert(number, is_right);
                let piece_full = there.len() == blocks as usize;
                Ok(Written::Stored { piece_full })
            }
        };
        assert_eq!(result, expected);
    }

    fn verify(&mut self, torrent: usize, piece: u32) {
        let Some((handle, is_good)) = self.handle(torrent) else {
            return;
        };
        let content = &self.contents[torrent];
        let index = content.piece(piece);
        let blocks = content.geometry.block_count(index);
        let result = self.storage.verify(handle, index);
        match self.pieces.get_mut(&(torrent, piece)) {
            _ if !is_good => assert_eq!(result, Err(Error::StaleHandle)),
            Some((_, Piece::Partial(there))) if there.len() < blocks as usize => {
                let missing = blocks - u32::try_from(there.len()).unwrap();
                assert_eq!(result, Err(Error::Incomplete { piece, missing }));
            }
            Some((_, Piece::Partial(there))) if there.values().all(|&is_right| is_right) => {
                assert_eq!(result, Ok(Verdict::Valid));
                self.clock += 1;
                let filling = self.pieces[&(torrent, piece)].0;
                let verified = Piece::Verified(self.clock);
                self.pieces.insert((torrent, piece), (filling, verified));
            }
            Some((_, Piece::Partial(there))) => {
                assert!(matches!(result, Ok(Verdict::Invalid { .. })));
                there.clear();
            }
            None | Some((_, Piece::Verified(_))) => {
                assert_eq!(result, Err(Error::NotReserved { piece }));
            }
        }
    }

    fn read(&mut self, torrent: usize, piece: u32, number: u32) {
        let Some((handle, is_good)) = self.handle(torrent) else {
            return;
        };
        let content = &self.contents[torrent];
        let index = content.piece(piece);
        let Some(block) = content.geometry.nth_block(index, number) else {
            return;
        };
        let result = self.storage.read(handle, block);
        match self.pieces.get_mut(&(torrent, piece)) {
            _ if !is_good => assert_eq!(result.unwrap_err(), Error::StaleHandle),
            Some((filling, Piece::Verified(requested))) => {
                self.clock += 1;
                *requested = self.clock;
                self.leases.push(Held {
                    lease: result.unwrap(),
                    filling: *filling,
                    block: number,
                    bytes: content.data(block).to_vec(),
                });
            }
            _ => assert_eq!(result.unwrap_err(), Error::NotVerified { piece }),
        }
    }

    fn give_up(&mut self, torrent: usize, piece: u32, is_eviction: bool) {
        let Some((handle, is_good)) = self.handle(torrent) else {
            return;
        };
        let index = self.contents[torrent].piece(piece);
        let (result, error) = if is_eviction {
            let error = Error::NotVerified { piece };
            (self.storage.evict(handle, index), error)
        } else {
            let error = Error::NotReserved { piece };
            (self.storage.release(handle, index), error)
        };
        let is_verified = self
            .pieces
            .get(&(torrent, piece))
            .map(|(_, piece)| matches!(piece, Piece::Verified(_)));
        let expected = match is_verified {
            _ if !is_good => Err(Error::StaleHandle),
            Some(is_verified) if is_verified == is_eviction => Ok(()),
            _ => Err(error),
        };
        assert_eq!(result, expected);
        if result.is_ok() {
            self.pieces.remove(&(torrent, piece));
        }
    }

    fn remove(&mut self, torrent: usize) {
        let Some((handle, is_good)) = self.handle(torrent) else {
            return;
        };
        let expected = is_good.then_some(()).ok_or(Error::StaleHandle);
        assert_eq!(self.storage.remove_torrent(handle), expected);
        self.stale[torrent] = Some(handle);
        self.handles[torrent] = None;
        self.pieces.retain(|&(other, _), _| other != torrent);
        self.protected.retain(|&(other, _), _| other != torrent);
    }

    fn protect(&mut self, torrent: usize, piece: u32, on: bool) {
        if let Some((handle, true)) = self.handle(torrent) {
            let index = self.contents[torrent].piece(piece);
            self.storage.set_protected(handle, index, on).unwrap();
            self.protected.insert((torrent, piece), on);
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Add(torrent) => {
                if self.handles[torrent].is_none() {
                    self.handles[torrent] = Some(self.contents[torrent].add_to(&self.storage));
                }
            }
            Op::Remove(torrent) => self.remove(torrent),
            Op::Reserve(torrent, piece) => self.reserve(torrent, piece),
            Op::Write(torrent, piece, block, is_right) => {
                self.write(torrent, piece, block, is_right);
            }
            Op::Put(torrent, piece) => {
                self.reserve(torrent, piece);
                (0..BLOCKS).for_each(|block| self.write(torrent, piece, block, true));
                self.verify(torrent, piece);
            }
            Op::Verify(torrent, piece) => self.verify(torrent, piece),
            Op::Read(torrent, piece, block) => self.read(torrent, piece, block),
            Op::DropLease(index) => {
                if !self.leases.is_empty() {
                    let at = index.index(self.leases.len());
                    self.leases.swap_remove(at);
                }
            }
            Op::Evict(torrent, piece) => self.give_up(torrent, piece, true),
            Op::Release(torrent, piece) => self.give_up(torrent, piece, false),
            Op::Protect(torrent, piece, on) => self.protect(torrent, piece, on),
        }
    }

    fn compare(&self) {
        let stats = self.storage.stats();
        let sum = |is_verified| {
            let of_kind = self
                .pieces
                .iter()
                .filter(move |(_, (_, piece))| matches!(piece, Piece::Verified(_)) == is_verified);
            of_kind.map(|(&(_, piece), _)| self.len(piece)).sum::<u64>()
        };
        assert!(stats.used <= self.limit);
        assert_eq!(stats.used - stats.free_list, self.used());
        assert_eq!(stats.verified, sum(true));
        assert_eq!(stats.partial, sum(false));
        assert_eq!((stats.leased, stats.detached), self.leased());
        for held in &self.leases {
            assert_eq!(held.lease[..], held.bytes[..]);
        }
        for torrent in 0..TORRENTS {
            let Some(handle) = self.handles[torrent] else {
                continue;
            };
            for index in self.contents[torrent].geometry.pieces() {
                let state = self.storage.piece_state(handle, index).unwrap();
                let expected = match self.pieces.get(&(torrent, index.get())) {
                    None => PieceState::Absent,
                    Some((_, Piece::Verified(_))) => PieceState::Verified,
                    Some((_, Piece::Partial(there))) => PieceState::Partial {
                        missing: self.contents[torrent].geometry.block_count(index)
                            - u32::try_from(there.len()).unwrap(),
                    },
                };
                assert_eq!(state, expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn accounting_model(
        limit in 40_000u64..250_000,
        evicts in prop::bool::weighted(0.8),
        free_list in prop::sample::select(vec![0, 20_000, 60_000, 1 << 20]),
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut world = World::new(limit, evicts, free_list);
        world.apply(&Op::Add(0));
        for op in &ops {
            world.apply(op);
            world.compare();
        }
        let World { storage, leases, .. } = world;
        common::block_on(storage.close());
        drop(leases);
        prop_assert_eq!(storage.stats().used, 0);
    }
}
