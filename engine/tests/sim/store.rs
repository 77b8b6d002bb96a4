//! The real memory storage as the simulated torrents' room for pieces, with a ledger of what happens to each block.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tailwater_engine::torrent::{ByteWindow, Full, PeerKey, ReaderKey, Space};
use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};
use tailwater_storage_mem::{
    self as mem, Error, MemoryStorage, PieceState, ReaderId, SpaceAvailable, TorrentHandle,
    Verdict, Window, Written,
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
pub(super) struct House {
    pub(super) storage: MemoryStorage,
    /// Evicted for another torrent: (whose, which).
    pub(super) foreign: Rc<RefCell<Vec<(TorrentHandle, PieceIndex)>>>,
}

impl House {
    pub(super) fn new(config: mem::Config) -> Self {
        Self {
            storage: MemoryStorage::new(config),
            foreign: Rc::default(),
        }
    }
}

/// A torrent in a storage.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) house: House,
    pub(super) handle: TorrentHandle,
    geometry: Geometry,
    pub(super) ledger: Rc<RefCell<Ledger>>,
}

impl Store {
    pub(super) fn new(house: House, payload: &Payload, have: &Bitfield) -> Self {
        let hashes = payload.hashes.clone();
        let geometry = &payload.geometry;
        let handle = house.storage.add_torrent(geometry.clone(), hashes).unwrap();
        let store = Self {
            house,
            handle,
            geometry: geometry.clone(),
            ledger: Rc::default(),
        };
        for piece in geometry.pieces().filter(|&piece| have.has(piece)) {
            assert!(store.storage().reserve(handle, piece).unwrap().is_new);
            for block in geometry.blocks(piece) {
                assert!(store.write(block, payload.block(block)));
            }
            assert_eq!(store.storage().verify(handle, piece), Ok(Verdict::Valid));
        }
        store
    }

    pub(super) const fn storage(&self) -> &MemoryStorage {
        &self.house.storage
    }

    /// Whether the storage wanted the block.
    pub(super) fn write(&self, block: BlockRef, data: &[u8]) -> bool {
        let written = self.storage().write_block(self.handle, block, data);
        let mut ledger = self.ledger.borrow_mut();
        match written {
            Ok(Written::Stored { .. }) => {
                ledger.counts.stored += 1;
                ledger.held.insert(block);
                true
            }
            Ok(Written::Duplicate) => {
                ledger.counts.faults.twice += 1;
                false
            }
            Err(Error::NotReserved { .. }) => {
                ledger.counts.homeless += 1;
                false
            }
            other => panic!("{block:?}: {other:?}"),
        }
    }

    pub(super) fn verify(&self, pieces: &[PieceIndex]) -> Vec<(PieceIndex, Verdict)> {
        let mut verdicts = Vec::new();
        self.storage()
            .verify_many(self.handle, pieces, |piece, verdict| {
                verdicts.push((piece, verdict.unwrap()));
            });
        let mut ledger = self.ledger.borrow_mut();
        for (piece, verdict) in &verdicts {
            match verdict {
                Verdict::Valid => drop(ledger.reserved.remove(piece)),
                Verdict::Invalid { .. } => ledger.forget(*piece),
            }
        }
        drop(ledger);
        verdicts
    }

    /// Nothing is asked for that has no room.
    pub(super) fn check_request(&self, block: BlockRef) {
        let state = self.storage().piece_state(self.handle, block.piece());
        let has_room = matches!(state, Ok(PieceState::Partial { .. }));
        assert!(has_room, "{block:?} was requested and is {state:?}");
    }

    /// Whether room is reserved for a piece of which nothing has come, and that no window covers.
    fn has_empty_parked(&self) -> bool {
        let ledger = self.ledger.borrow();
        let mut reserved = ledger.reserved.iter();
        reserved.any(|piece| {
            ledger.blocks_of(*piece) == 0
                && !self.storage().is_protected(self.handle, *piece).unwrap()
        })
    }

    /// A piece went to make room, for whichever torrent.
    pub(super) fn handle_evicted(&self, piece: PieceIndex) {
        let mut ledger = self.ledger.borrow_mut();
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
        let taken = stats.verified + stats.partial + stats.detached;
        let needed = mem::piece_memory(self.geometry.piece_len(piece));
        let is_hasty = taken + needed <= stats.budget && !reservation.evicted.is_empty();
        self.ledger.borrow_mut().counts.faults.hasty += u64::from(is_hasty);
        self.ledger.borrow_mut().reserved.insert(piece);
        let mut ours = Vec::new();
        if has_empty_parked {
            let evicted = reservation.evicted.len() as u64;
            self.ledger.borrow_mut().counts.evicted_for_nothing += evicted;
        }
        for evicted in reservation.evicted {
            if evicted.handle == self.handle {
                self.handle_evicted(evicted.piece);
                ours.push(evicted.piece);
            } else {
                let mut foreign = self.house.foreign.borrow_mut();
                foreign.push((evicted.handle, evicted.piece));
            }
        }
        Ok(ours)
    }

    fn release(&mut self, piece: PieceIndex) {
        let mut ledger = self.ledger.borrow_mut();
        ledger.counts.abandoned += 1;
        ledger.forget(piece);
        let _ = self.storage().release(self.handle, piece);
    }

    fn share(&self) -> Option<u64> {
        let storage = self.storage();
        let readers = storage.readers().max(1) as u64;
        let evicts = storage.config().eviction() == mem::Eviction::LeastRecentlyRequested;
        evicts.then(|| storage.config().budget_bytes() / readers)
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
