//! The real memory storage as the simulated torrents' room for pieces, with a ledger of what happens to each block.
//!
//! `engine/tests/streaming/storage.rs` checks that it keeps the promises of every storage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use tailwater_engine::torrent::{ByteWindow, Full, PeerKey, ReaderKey, Space, SupplierKey};
use tailwater_metainfo::{
    Bitfield, BlockRef, Geometry, PieceHasher, PieceHashes, PieceIndex, PieceMatch,
};
use tailwater_storage::Claims;
use tailwater_storage_mem::{
    self as mem, Error, MemoryStorage, PieceState, ReaderId, ReservationId, SpaceAvailable,
    TorrentHandle, Verdict, Window, Written,
};

use super::payload::Payload;

/// Waste that only a ledger shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Requests for a block that the storage has.
    pub(crate) needless: u64,
    /// Blocks that came although the storage had them.
    pub(crate) twice: u64,
    /// Pieces that were evicted although there was room.
    pub(crate) hasty: u64,
}

/// What has happened how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) faults: Faults,
    /// Requests for a block that another peer was asked for already.
    pub(crate) copies: u64,
    pub(crate) requests: u64,
    /// Blocks that the storage took.
    pub(crate) stored: u64,
    /// Pieces that were given up half way.
    pub(crate) abandoned: u64,
    pub(crate) evicted: u64,
    /// Pieces that were evicted while another held room that no window covers and that has no block yet.
    pub(crate) evicted_for_nothing: u64,
    /// Blocks that were taken back too late: they came for a piece which had been given up meanwhile.
    pub(crate) homeless: u64,
}

/// What has become of each block.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    counts: Counts,
    held: BTreeSet<BlockRef>,
    /// Pieces that have room and are not verified.
    reserved: BTreeSet<PieceIndex>,
    asked: BTreeMap<BlockRef, BTreeSet<PeerKey>>,
}

impl Ledger {
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn handle_request(&mut self, peer: PeerKey, block: BlockRef) {
        self.counts.requests += 1;
        self.counts.faults.needless += u64::from(self.held.contains(&block));
        let asked = self.asked.entry(block).or_default();
        self.counts.copies += u64::from(!asked.is_empty());
        assert!(asked.insert(peer), "{block:?} was asked of {peer:?} twice");
    }

    /// The peer answered, refused, or is not asked any more.
    pub(super) fn handle_answer(&mut self, peer: PeerKey, block: BlockRef) {
        if let Some(asked) = self.asked.get_mut(&block) {
            asked.remove(&peer);
            if asked.is_empty() {
                self.asked.remove(&block);
            }
        }
    }

    pub(super) fn handle_closed(&mut self, peer: PeerKey) {
        self.asked.retain(|_, asked| {
            asked.remove(&peer);
            !asked.is_empty()
        });
    }

    /// Blocks that were requested and have not come.
    pub(crate) fn outstanding(&self) -> usize {
        self.asked.len()
    }

    /// The blocks of a piece that the storage has.
    pub(crate) fn blocks_of(&self, piece: PieceIndex) -> usize {
        self.held.iter().filter(|b| b.piece() == piece).count()
    }

    fn forget(&mut self, piece: PieceIndex) {
        self.reserved.remove(&piece);
        self.held.retain(|block| block.piece() != piece);
    }
}

/// A storage that several torrents may share.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) storage: MemoryStorage,
    foreign: Arc<Mutex<Vec<(TorrentHandle, PieceIndex)>>>,
}

impl House {
    pub(crate) fn new(config: mem::Config) -> Self {
        Self {
            storage: MemoryStorage::new(config),
            foreign: Arc::default(),
        }
    }
}

/// A torrent in a storage.
#[derive(Clone)]
pub(crate) struct Store {
    pub(super) house: House,
    pub(crate) handle: TorrentHandle,
    pub(crate) geometry: Geometry,
    claims: Arc<Claims<ReservationId>>,
    ledger: Arc<Mutex<Ledger>>,
    /// Blocks that were found right by themselves, and that no player has been told of.
    right: Arc<Mutex<Vec<BlockRef>>>,
}

/// What became of a block that a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Stored,
    Unwanted,
    /// It is not what its hash promises.
    Wrong,
}

impl Store {
    pub(super) fn new(
        house: House,
        payload: &Payload,
        hashes: PieceHashes,
        have: &Bitfield,
    ) -> Self {
        /// No peer sent what a torrent has from the start.
        const NO_PEER: SupplierKey = SupplierKey::new(u64::MAX);

        let geometry = &payload.geometry;
        let mut store = Self::empty(house, geometry.clone(), hashes);
        for piece in geometry.pieces().filter(|&piece| have.has(piece)) {
            store.reserve(piece).unwrap();
            for block in geometry.blocks(piece) {
                let taken = store.write(NO_PEER, block, payload.block(block));
                assert_eq!(taken, Taken::Stored);
            }
            assert_eq!(store.verify(&[piece]), [(piece, Ok(Verdict::Valid))]);
            store.settle(piece);
        }
        store
    }

    pub(crate) fn empty(house: House, geometry: Geometry, hashes: impl Into<PieceHashes>) -> Self {
        let handle = house.storage.add_torrent(geometry.clone(), hashes).unwrap();
        Self {
            house,
            handle,
            claims: Arc::new(Claims::new(geometry.clone())),
            geometry,
            ledger: Arc::default(),
            right: Arc::default(),
        }
    }

    pub(crate) const fn storage(&self) -> &MemoryStorage {
        &self.house.storage
    }

    /// What was evicted for torrents of this storage out of others, once: whose, and which.
    pub(crate) fn take_foreign(&self) -> Vec<(TorrentHandle, PieceIndex)> {
        std::mem::take(&mut *self.house.foreign.lock().unwrap())
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// Takes a block, if it is wanted and not wrong.
    pub(crate) fn write(&self, from: SupplierKey, block: BlockRef, data: &[u8]) -> Taken {
        let Some(attempt) = self.claims.claim(block, from) else {
            let mut ledger = self.ledger();
            match ledger.held.contains(&block) {
                true => ledger.counts.faults.twice += 1,
                false => ledger.counts.homeless += 1,
            }
            return Taken::Unwanted;
        };
        let written = self.storage().write_block(self.handle, block, data);
        match written {
            Ok(Written::Stored { is_right, .. }) => {
                self.right().extend(is_right.then_some(block));
            }
            Ok(Written::Wrong) => {
                self.claims.disclaim(block, from, attempt);
                return Taken::Wrong;
            }
            other => panic!("{block:?}: {other:?}"),
        }
        self.claims.stored(block, from, attempt);
        let mut ledger = self.ledger();
        ledger.counts.stored += 1;
        ledger.held.insert(block);
        Taken::Stored
    }

    /// Judges what was stored before its hashes were known; returns what was wrong, and whose it was.
    pub(crate) fn judge(&self, piece: PieceIndex) -> Vec<(BlockRef, SupplierKey)> {
        let Ok((attempt, judged)) = self.storage().judge(self.handle, piece) else {
            return Vec::new();
        };
        let block = |number: u32| self.geometry.nth_block(piece, number).unwrap();
        self.right().extend(judged.right.into_iter().map(block));
        let mut ledger = self.ledger();
        let wrong = judged.wrong.into_iter().map(block).map(|block| {
            ledger.held.remove(&block);
            (block, self.claims.withdraw(block, attempt).unwrap())
        });
        wrong.collect()
    }

    /// The blocks that were found right since the last time.
    pub(crate) fn take_right(&self) -> Vec<BlockRef> {
        std::mem::take(&mut *self.right())
    }

    fn right(&self) -> MutexGuard<'_, Vec<BlockRef>> {
        self.right.lock().unwrap()
    }

    pub(crate) fn verify(
        &self,
        pieces: &[PieceIndex],
    ) -> Vec<(PieceIndex, Result<Verdict, Error>)> {
        let mut verdicts = Vec::new();
        self.storage()
            .verify_many(self.handle, pieces, |piece, verdict| {
                verdicts.push((piece, verdict));
            });
        let mut ledger = self.ledger();
        for (piece, verdict) in &verdicts {
            match verdict {
                Ok(Verdict::Valid) => drop(ledger.reserved.remove(piece)),
                Ok(Verdict::Invalid { .. }) => ledger.forget(*piece),
                Err(_) => {}
            }
        }
        drop(ledger);
        verdicts
    }

    /// Compares a piece that is held with its hashes once more.
    pub(crate) fn compare(&self, hashes: &PieceHashes, piece: PieceIndex) -> PieceMatch {
        let mut hasher = PieceHasher::new(hashes.expected(piece).unwrap());
        for block in self.geometry.blocks(piece) {
            hasher.update(&self.storage().read(self.handle, block).unwrap());
        }
        hasher.finish()
    }

    /// The torrent knows the verdict: no more of its blocks are taken.
    pub(crate) fn settle(&self, piece: PieceIndex) {
        self.claims.close(piece);
    }

    /// Nothing is taken or held any more.
    pub(crate) fn close(&self) {
        self.geometry.pieces().for_each(|piece| self.settle(piece));
        // It may have been removed before.
        let _ = self.storage().remove_torrent(self.handle);
    }

    /// Nothing is asked for that has no room.
    pub(super) fn check_request(&self, block: BlockRef) {
        let state = self.storage().piece_state(self.handle, block.piece());
        let has_room = matches!(state, Ok(PieceState::Partial { .. }));
        assert!(has_room, "{block:?} was requested and is {state:?}");
    }

    /// Whether room is reserved for a piece of which nothing has come, and that no window covers.
    fn has_empty_parked(&self) -> bool {
        let ledger = self.ledger();
        let mut reserved = ledger.reserved.iter();
        reserved.any(|piece| {
            ledger.blocks_of(*piece) == 0
                && !self.storage().is_protected(self.handle, *piece).unwrap()
        })
    }

    /// A piece went to make room, for whichever torrent.
    pub(crate) fn handle_evicted(&self, piece: PieceIndex) {
        let mut ledger = self.ledger();
        ledger.counts.evicted += 1;
        ledger.forget(piece);
        let has_window = self.storage().is_protected(self.handle, piece).unwrap();
        assert!(!has_window, "{piece} was evicted out of a window");
    }
}

impl Space for Store {
    fn verify_together(&self) -> usize {
        self.storage().verify_together(self.handle).unwrap()
    }

    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let storage = self.storage().clone();
        let stats = storage.stats();
        let has_empty_parked = self.has_empty_parked();
        let reservation = storage.reserve(self.handle, piece).map_err(|_| Full)?;
        assert!(reservation.is_new, "{piece} was reserved already");
        self.claims.open(piece, reservation.id.unwrap());
        let taken = stats.verified + stats.partial + stats.detached;
        let needed = mem::piece_memory(self.geometry.piece_len(piece));
        let is_hasty = taken + needed <= stats.budget && !reservation.evicted.is_empty();
        self.ledger().counts.faults.hasty += u64::from(is_hasty);
        self.ledger().reserved.insert(piece);
        let mut ours = Vec::new();
        if has_empty_parked {
            let evicted = reservation.evicted.len() as u64;
            self.ledger().counts.evicted_for_nothing += evicted;
        }
        for evicted in reservation.evicted {
            if evicted.handle == self.handle {
                self.handle_evicted(evicted.piece);
                ours.push(evicted.piece);
            } else {
                let mut foreign = self.house.foreign.lock().unwrap();
                foreign.push((evicted.handle, evicted.piece));
            }
        }
        Ok(ours)
    }

    fn release(&mut self, piece: PieceIndex) {
        self.claims.close(piece);
        let mut ledger = self.ledger();
        ledger.counts.abandoned += 1;
        ledger.forget(piece);
        let _ = self.storage().release(self.handle, piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.claims.is_stored(block, supplier)
    }

    fn share(&self) -> Option<u64> {
        let storage = self.storage();
        let readers = storage.readers().max(1) as u64;
        let evicts = storage.config().eviction() == mem::Eviction::LeastRecentlyRequested;
        evicts.then(|| storage.config().budget_bytes() / readers)
    }

    fn unused(&self) -> Option<u64> {
        Some(self.storage().unused())
    }

    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        let reader = ReaderId::new(reader.get());
        let storage = self.storage();
        let moved = match window {
            Some(window) => storage.set_window(
                self.handle,
                reader,
                &Window {
                    cursor: window.cursor,
                    ahead: window.span.end.saturating_sub(window.cursor),
                    behind: window.cursor.saturating_sub(window.span.start),
                    bounds: window.bounds.clone(),
                },
            ),
            None => storage.remove_window(self.handle, reader),
        };
        moved.unwrap();
    }

    fn set_pins(&mut self, pins: &[Range<u64>]) {
        self.storage().set_pins(self.handle, pins).unwrap();
    }

    fn set_availability(&mut self, piece: PieceIndex, peers: u32) {
        let storage = self.storage();
        storage.set_availability(self.handle, piece, peers).unwrap();
    }
}

/// Waits for room as the torrent's task does, and never by polling.
#[derive(Default)]
pub(super) struct SpaceWait {
    wait: Option<(u64, SpaceAvailable)>,
    flag: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl SpaceWait {
    /// Whether the room that the torrent waits for is there, so that the torrent is to be told.
    pub(super) fn is_over(&mut self, storage: &MemoryStorage, wanted: Option<u64>) -> bool {
        let Some(bytes) = wanted else {
            self.wait = None;
            return false;
        };
        if self.wait.as_ref().is_none_or(|(old, _)| *old != bytes) {
            self.wait = Some((bytes, storage.wait_for_space(bytes)));
            self.flag.0.store(true, Ordering::Relaxed);
        }
        if !self.flag.0.swap(false, Ordering::Relaxed) {
            return false;
        }
        let waker = Waker::from(Arc::clone(&self.flag));
        let mut context = Context::from_waker(&waker);
        let Some((_, wait)) = &mut self.wait else {
            return false;
        };
        match std::pin::Pin::new(wait).poll(&mut context) {
            Poll::Pending => false,
            Poll::Ready(result) => {
                self.wait = None;
                result.is_ok()
            }
        }
    }
}
