//! A torrent in the session's memory storage.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use bytes::Bytes;
use tailwater_metainfo::{BlockRef, Geometry, PieceIndex};
use tailwater_storage_mem::{
    Lease, MemoryStorage, ReaderId, ReservationId, TorrentHandle, Window, Written,
};

use super::BlockParts;
use crate::driver::mailbox::Mailbox;
use crate::torrent::{ByteWindow, Full, ReaderKey, SupplierKey};
use tailwater_storage::Claims;
use tailwater_storage::Completion;

/// A torrent in the session's memory storage; clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    pub(crate) storage: MemoryStorage,
    pub(crate) handle: TorrentHandle,
    pub(super) claims: Arc<Claims<ReservationId>>,
    completions: Arc<Mailbox<Completion>>,
    neighbours: Arc<Neighbours>,
}

/// What the torrents of one memory storage share.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    /// Who hears of a torrent's evicted pieces when another torrent needed their room.
    listeners: Mutex<Listeners>,
    /// From when the storage's time counts.
    epoch: OnceLock<Instant>,
}

type Listeners = HashMap<TorrentHandle, Weak<Mailbox<Completion>>>;

impl Neighbours {
    fn tell_evicted(&self, handle: TorrentHandle, piece: PieceIndex) {
        let listener = self.listeners().get(&handle).and_then(Weak::upgrade);
        if let Some(listener) = listener {
            complete(&listener, Completion::Evicted { piece });
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryStore {
    pub(crate) fn new(
        storage: MemoryStorage,
        handle: TorrentHandle,
        geometry: Geometry,
        completions: &Arc<Mailbox<Completion>>,
        neighbours: &Arc<Neighbours>,
    ) -> Self {
        let listener = Arc::downgrade(completions);
        neighbours.listeners().insert(handle, listener);
        Self {
            storage,
            handle,
            claims: Arc::new(Claims::new(geometry)),
            completions: Arc::clone(completions),
            neighbours: Arc::clone(neighbours),
        }
    }

    /// Gives everything back.
    pub(crate) fn remove(&self) {
        self.neighbours.listeners().remove(&self.handle);
        // A session that is closing may have closed the storage before.
        let _ = self.storage.remove_torrent(self.handle);
    }

    /// Takes a block; whether it is wanted.
    pub(super) fn write(&self, from: SupplierKey, block: BlockRef, data: &[u8]) -> bool {
        let Some(reservation) = self.claims.claim(block, from) else {
            return false;
        };
        let storage = &self.storage;
        let written = storage.write_block_into(self.handle, block, reservation, data);
        let is_stored = matches!(written, Ok(Written::Stored { .. }));
        match is_stored {
            true => self.claims.stored(block, from, reservation),
            false => self.claims.disclaim(block, from, reservation),
        }
        is_stored
    }

    /// A lease of a range that lies in one block.
    pub(crate) fn read_one(&self, range: BlockRef) -> Option<Bytes> {
        let lease = self.storage.read(self.handle, range).ok()?;
        Some(lease.into_bytes())
    }

    /// A lease for each block that the range lies in: one, but for the few peers that ask for odd ranges.
    pub(crate) fn read(&self, range: BlockRef) -> Option<BlockParts> {
        if let Some(bytes) = self.read_one(range) {
            return Some(BlockParts::from([bytes]));
        }
        let leases = self.storage.read_vectored(self.handle, range).ok()?;
        Some(leases.into_iter().map(Lease::into_bytes).collect())
    }

    /// Makes room for a piece; names the pieces of this torrent that went, and tells the others of theirs.
    pub(crate) fn reserve(&self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let reservation = self.storage.reserve(self.handle, piece).map_err(|_| Full)?;
        // There is one: only the torrent's task reserves, and nothing that is verified.
        if let Some(id) = reservation.id {
            self.claims.open(piece, id);
        }
        let mut ours = Vec::new();
        for evicted in reservation.evicted {
            if evicted.handle == self.handle {
                ours.push(evicted.piece);
            } else {
                self.neighbours.tell_evicted(evicted.handle, evicted.piece);
            }
        }
        Ok(ours)
    }

    pub(crate) fn release(&self, piece: PieceIndex) {
        self.claims.close(piece);
        // Nothing to give back when the storage is closed already.
        let _ = self.storage.release(self.handle, piece);
    }

    /// What one of all the readers of the session may fill, in bytes.
    pub(crate) fn share(&self) -> u64 {
        let readers = u64::try_from(self.storage.readers()).unwrap_or(u64::MAX);
        self.storage.config().budget_bytes() / readers.max(1)
    }

    pub(crate) fn set_window(&self, reader: ReaderKey, window: Option<&ByteWindow>) {
        let reader = ReaderId::new(reader.get());
        // A storage that is closed protects nothing and evicts nothing.
        let _ = match window {
            Some(window) => self.storage.set_window(
                self.handle,
                reader,
                &Window {
                    cursor: window.cursor,
                    ahead: window.span.end.saturating_sub(window.cursor),
                    behind: window.cursor.saturating_sub(window.span.start),
                    bounds: window.bounds.clone(),
                },
            ),
            None => self.storage.remove_window(self.handle, reader),
        };
    }

    pub(crate) fn set_pins(&self, pins: &[Range<u64>]) {
        let _ = self.storage.set_pins(self.handle, pins);
    }

    pub(crate) fn set_availability(&self, piece: PieceIndex, peers: u32) {
        let _ = self.storage.set_availability(self.handle, piece, peers);
    }

    /// By the time the storage tells which pieces have been idle for long.
    pub(crate) fn set_time(&self, now: Instant) {
        let epoch = *self.neighbours.epoch.get_or_init(|| now);
        self.storage.set_time(now.saturating_duration_since(epoch));
    }

    /// How many pieces are best verified at a time.
    pub(crate) fn verify_together(&self) -> usize {
        // A storage that is closed verifies nothing.
        self.storage.verify_together(self.handle).unwrap_or(1)
    }

    pub(super) fn verify(&self, pieces: &[PieceIndex]) {
        let tell = |piece, verdict| {
            // Of a torrent that has been removed: there is no receiver for the answer.
            let Ok(verdict) = verdict else { return };
            let completion = Completion::Verified { piece, verdict };
            complete(&self.completions, completion);
        };
        self.storage.verify_many(self.handle, pieces, tell);
    }

    pub(super) fn digest(&self, piece: PieceIndex) {
        if let Ok(digests) = self.storage.block_digests(self.handle, piece) {
            let completion = Completion::Digests {
                piece,
                digests: Ok(digests),
            };
            complete(&self.completions, completion);
        }
    }
}

fn complete(completions: &Mailbox<Completion>, completion: Completion) {
    if completions.push(&mut vec![completion]).is_err() {
        tracing::error!("a torrent does not take its storage's completions");
    }
}
