//! The memory storage behind the traits of [`tailwater_storage`].

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use bytes::Bytes;
use futures_channel::oneshot;
use tailwater_storage::{
    Access, BlockParts, Blocking, ByteWindow, Claims, Completion, CompletionSink, Figures, Full,
    Held, LookbehindFigures, MerkleHash, OpenError, OpenRequest, Opened, Progress, ReaderKey,
    Refused, Reply, Space, Storage, StorageError, StorageFactory, SupplierKey,
};
use tailwater_types::{Bitfield, BlockRef, Geometry, PieceIndex};

use crate::budget::piece_memory;
use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::lease::Lease;
use crate::partial::Written;
use crate::room::ReservationId;
use crate::storage::MemoryStorage;
use crate::window::{ReaderId, Window};

/// Keeps torrents in one [`MemoryStorage`]: the factory of storages that share its budget.
///
/// A torrent that is downloaded has to fit the budget, and stays; one that is read on demand needs room for a piece.
#[derive(Clone)]
pub struct MemoryFactory {
    storage: MemoryStorage,
    neighbours: Arc<Neighbours>,
}

impl MemoryFactory {
    /// A factory over `storage`. Torrents of one factory are not told when a torrent of another factory over the same
    /// storage evicts their pieces, so make one and clone it.
    #[must_use]
    pub fn new(storage: MemoryStorage) -> Self {
        Self {
            storage,
            neighbours: Arc::default(),
        }
    }

    /// The storage that the torrents share.
    #[must_use]
    pub const fn storage(&self) -> &MemoryStorage {
        &self.storage
    }

    fn add(&self, request: OpenRequest) -> Result<Opened, OpenError> {
        let geometry = request.geometry().clone();
        self.check_size(&request, &geometry)?;
        let handle = self.storage.add_torrent(geometry.clone(), request.hashes);
        let handle = handle.map_err(storage_error)?;
        let torrent = MemoryTorrent {
            storage: self.storage.clone(),
            handle,
            claims: Arc::new(Claims::new(geometry.clone())),
            geometry,
            completions: request.completions,
            blocking: request.blocking,
            neighbours: Arc::clone(&self.neighbours),
        };
        self.neighbours.add(handle, &torrent.completions);
        if request.access != Access::OnDemand {
            // Downloaded pieces must stay, whatever readers of other torrents want.
            let all = 0..torrent.geometry.end();
            let pinned = self.storage.set_pins(handle, std::slice::from_ref(&all));
            pinned.map_err(|error| {
                torrent.remove();
                storage_error(error)
            })?;
        }
        Ok(Opened::new(torrent.clone(), torrent))
    }

    fn check_size(&self, request: &OpenRequest, geometry: &Geometry) -> Result<(), OpenError> {
        let budget = self.storage.config().budget_bytes();
        let needed = wanted_pieces(request, geometry)
            .map(|piece| piece_memory(geometry.piece_len(piece)))
            .sum();
        let piece = piece_memory(geometry.piece_length());
        match request.access {
            Access::OnDemand if piece.min(needed) > budget => {
                Err(OpenError::PieceTooLarge { piece, budget })
            }
            Access::Download | Access::Seed if needed > budget => {
                Err(OpenError::TooLarge { needed, budget })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for MemoryFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFactory").finish_non_exhaustive()
    }
}

impl StorageFactory for MemoryFactory {
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>> {
        Reply::ready(self.add(request))
    }
}

/// The pieces that hold bytes of wanted files.
fn wanted_pieces(request: &OpenRequest, geometry: &Geometry) -> impl Iterator<Item = PieceIndex> {
    let mut wanted = vec![false; geometry.pieces().len()];
    for (file, _) in request
        .info()
        .files()
        .iter()
        .zip(&request.wanted)
        .filter(|(file, wanted)| **wanted && !file.is_pad())
    {
        let range = file.range();
        for piece in geometry.pieces_in(range.start, range.end) {
            wanted[piece.as_usize()] = true;
        }
    }
    geometry
        .pieces()
        .filter(move |piece| wanted[piece.as_usize()])
}

/// State that the torrents of one memory storage share.
#[derive(Default)]
struct Neighbours {
    /// The listeners that are told when another torrent evicted a torrent's pieces.
    listeners: Mutex<Listeners>,
    /// The zero of the storage's time.
    epoch: OnceLock<Instant>,
}

type Listeners = HashMap<TorrentHandle, Weak<dyn Fn(Completion) + Send + Sync>>;

impl Neighbours {
    fn add(&self, handle: TorrentHandle, listener: &CompletionSink) {
        self.listeners().insert(handle, Arc::downgrade(listener));
    }

    fn tell_evicted(&self, handle: TorrentHandle, piece: PieceIndex) {
        let listener = self.listeners().get(&handle).and_then(Weak::upgrade);
        if let Some(listener) = listener {
            listener(Completion::Evicted { piece });
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One torrent in a [`MemoryStorage`]; clones are handles to the same one.
#[derive(Clone)]
struct MemoryTorrent {
    storage: MemoryStorage,
    handle: TorrentHandle,
    geometry: Geometry,
    claims: Arc<Claims<ReservationId>>,
    completions: CompletionSink,
    blocking: Blocking,
    neighbours: Arc<Neighbours>,
}

impl MemoryTorrent {
    /// Gives everything back.
    fn remove(&self) {
        self.neighbours.listeners().remove(&self.handle);
        // The storage may have been closed before.
        let _ = self.storage.remove_torrent(self.handle);
    }

    /// Writes a block; `None` when it was not wanted.
    fn take(&self, from: SupplierKey, block: BlockRef, data: &[u8]) -> Option<Written> {
        let reservation = self.claims.claim(block, from)?;
        let written = self
            .storage
            .write_block_into(self.handle, block, reservation, data);
        match written {
            Ok(written @ Written::Stored { .. }) => {
                self.claims.stored(block, from, reservation);
                Some(written)
            }
            other => {
                self.claims.disclaim(block, from, reservation);
                other.ok().filter(|written| *written == Written::Wrong)
            }
        }
    }

    /// Judges blocks that were stored before their hashes were known.
    fn judge_stored(&self, piece: PieceIndex) {
        let Ok((reservation, judged)) = self.storage.judge(self.handle, piece) else {
            // Given up, or verified as a whole meanwhile.
            return;
        };
        let block = |number: u32| self.geometry.nth_block(piece, number);
        let right: Vec<_> = judged.right.into_iter().filter_map(block).collect();
        let wrong = judged.wrong.into_iter().filter_map(block);
        let wrong: Vec<_> = wrong
            .filter_map(|block| Some((block, self.claims.withdraw(block, reservation)?)))
            .collect();
        if !right.is_empty() || !wrong.is_empty() {
            (self.completions)(Completion::Judged { right, wrong });
        }
    }

    /// A lease of a range that lies in one block of a verified piece.
    fn lease(&self, range: BlockRef) -> Option<Bytes> {
        let lease = self.storage.read(self.handle, range).ok()?;
        Some(lease.into_bytes())
    }

    /// A lease for each block that the range touches: one, except for the few peers that request unaligned ranges.
    fn leases(&self, range: BlockRef) -> Option<BlockParts> {
        if let Some(bytes) = self.lease(range) {
            return Some(BlockParts::from([bytes]));
        }
        let leases = self.storage.read_vectored(self.handle, range).ok()?;
        Some(leases.into_iter().map(Lease::into_bytes).collect())
    }

    fn hash(&self, pieces: &[PieceIndex]) {
        let tell = |piece, verdict| {
            (self.completions)(match verdict {
                Ok(verdict) => Completion::Verified { piece, verdict },
                Err(Error::HashesDisagree { .. }) => Completion::VerifyFailed {
                    piece,
                    error: StorageError::HashesDisagree(piece),
                },
                Err(Error::HashUnknown { .. }) => Completion::VerifyFailed {
                    piece,
                    error: StorageError::HashUnknown(piece),
                },
                // For a removed torrent or a released piece no verdict is reported: none is awaited.
                Err(_) => return,
            });
        };
        self.storage.verify_many(self.handle, pieces, tell);
    }
}

impl Storage for MemoryTorrent {
    fn start(&self, _: Progress) -> Reply<Result<Bitfield, StorageError>> {
        Reply::ready(Ok(Bitfield::none(&self.geometry)))
    }

    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
        let (mut refused, mut right) = (Refused::default(), Vec::new());
        for (block, data) in blocks {
            match self.take(from, block, &data) {
                Some(Written::Stored { is_right: true, .. }) => right.push(block),
                Some(Written::Stored { .. }) => {}
                Some(Written::Wrong) => refused.wrong.push(block),
                Some(Written::Duplicate) | None => refused.unwanted.push(block),
            }
        }
        if !right.is_empty() {
            let wrong = Vec::new();
            (self.completions)(Completion::Judged { right, wrong });
        }
        Reply::ready(refused)
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        let read = |block| (block, Ok(self.leases(block)));
        Reply::ready(blocks.into_iter().map(read).collect())
    }

    fn read_one(&self, range: BlockRef) -> Reply<Result<Option<Bytes>, StorageError>> {
        let lease = self.storage.read_judged(self.handle, range);
        Reply::ready(Ok(lease.ok().map(Lease::into_bytes)))
    }

    fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        let this = self.clone();
        (self.blocking)(Box::new(move || this.hash(&pieces)));
        Ok(())
    }

    fn judge(&self, piece: PieceIndex) {
        let this = self.clone();
        (self.blocking)(Box::new(move || this.judge_stored(piece)));
    }

    fn leaves(&self, piece: PieceIndex) -> Reply<Option<Vec<MerkleHash>>> {
        let (done, leaves) = oneshot::channel();
        let this = self.clone();
        (self.blocking)(Box::new(move || {
            // Its caller may have gone.
            let _ = done.send(this.storage.leaves(this.handle, piece).ok());
        }));
        Reply::later(async move { leaves.await.ok().flatten() })
    }

    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        let this = self.clone();
        (self.blocking)(Box::new(move || {
            if let Ok(digests) = this.storage.block_digests(this.handle, piece) {
                let digests = Ok(digests);
                (this.completions)(Completion::Digests { piece, digests });
            }
        }));
        Ok(())
    }

    fn settle(&self, piece: PieceIndex) {
        self.claims.close(piece);
    }

    fn wait_for_space(&self, bytes: u64) -> Reply<()> {
        let free = self.storage.wait_for_space(bytes);
        Reply::later(async move {
            if free.await.is_err() {
                // Closed, or more than the whole budget: room will never come.
                std::future::pending::<()>().await;
            }
        })
    }

    fn figures(&self) -> Figures {
        let stats = self.storage.stats();
        Figures {
            budget: Some(stats.budget),
            used: stats.used,
            evictions: stats.evictions,
        }
    }

    fn set_lookbehind(&self, pieces: u32) {
        // A storage that is closed protects nothing.
        let _ = self.storage.set_lookbehind_pieces(self.handle, pieces);
    }

    fn is_lookbehind_available(&self, reader: ReaderKey, bytes: u64) -> Option<bool> {
        let reader = ReaderId::new(reader.get());
        let storage = &self.storage;
        storage
            .is_lookbehind_available(self.handle, reader, bytes)
            .ok()
    }

    fn lookbehind(&self, reader: ReaderKey) -> Option<LookbehindFigures> {
        let reader = ReaderId::new(reader.get());
        let stats = self.storage.lookbehind_stats(self.handle, reader).ok()?;
        Some(LookbehindFigures {
            protected: stats.protected,
            available: stats.available,
            bytes: stats.bytes,
        })
    }

    fn clear_lookbehind(&self, reader: ReaderKey) {
        let reader = ReaderId::new(reader.get());
        let _ = self.storage.clear_lookbehind(self.handle, reader);
    }

    fn close(&self) -> Reply<()> {
        self.remove();
        Reply::ready(())
    }
}

impl Space for MemoryTorrent {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let reservation = self.storage.reserve(self.handle, piece).map_err(|_| Full)?;
        // There is an id: only the torrent's task reserves, and never a verified piece.
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

    fn release(&mut self, piece: PieceIndex) {
        self.claims.close(piece);
        // Nothing to give back when the storage is closed already.
        let _ = self.storage.release(self.handle, piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.claims.is_stored(block, supplier)
    }

    fn verify_together(&self) -> usize {
        // A storage that is closed verifies nothing.
        self.storage.verify_together(self.handle).unwrap_or(1)
    }

    /// Each reader's share of the storage, in bytes.
    fn share(&self) -> Option<u64> {
        let readers = u64::try_from(self.storage.readers()).unwrap_or(u64::MAX);
        Some(self.storage.config().budget_bytes() / readers.max(1))
    }

    fn unused(&self) -> Option<u64> {
        Some(self.storage.unused())
    }

    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        let reader = ReaderId::new(reader.get());
        // A storage that is closed protects nothing and evicts nothing.
        let _ = match window {
            Some(window) => self
                .storage
                .set_window(self.handle, reader, &Window::from(window)),
            None => self.storage.remove_window(self.handle, reader),
        };
    }

    fn set_pins(&mut self, pins: &[Range<u64>]) {
        let _ = self.storage.set_pins(self.handle, pins);
    }

    /// Sets the storage's time, by which it tells which pieces are idle.
    fn set_time(&mut self, now: Instant) {
        let epoch = *self.neighbours.epoch.get_or_init(|| now);
        self.storage.set_time(now.saturating_duration_since(epoch));
    }

    fn set_availability(&mut self, piece: PieceIndex, peers: u32) {
        let _ = self.storage.set_availability(self.handle, piece, peers);
    }
}

impl From<&ByteWindow> for Window {
    fn from(window: &ByteWindow) -> Self {
        Self {
            cursor: window.cursor,
            ahead: window.span.end.saturating_sub(window.cursor),
            behind: window.cursor.saturating_sub(window.span.start),
            bounds: window.bounds.clone(),
        }
    }
}

fn storage_error(error: Error) -> StorageError {
    match error {
        Error::Closed => StorageError::Closed,
        other => StorageError::Layout(other.to_string()),
    }
}
