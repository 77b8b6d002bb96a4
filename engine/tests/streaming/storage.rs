//! The simulation's storage does what every storage has to do, so that the engine is tested against a true one.
//!
//! Here its operations are put behind the traits, which the simulation does not need: it answers at once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use tailwater_metainfo::{BlockRef, PieceIndex};
use tailwater_storage::conformance::{Subject, block_on, check};
use tailwater_storage::{
    Access, Bitfield, BlockParts, ByteWindow, Bytes, Completion, CompletionSink, Figures, Full,
    Held, LookbehindFigures, OpenError, OpenRequest, Opened, Progress, ReaderKey, Refused, Reply,
    Space, Storage, StorageError, StorageFactory, SupplierKey,
};
use tailwater_storage_mem::{Config, Error, Eviction, Lease, ReaderId, TorrentHandle};

use crate::sim::{House, Store, Taken};

/// The torrents of a simulated storage, to be told what they lost to each other.
type Neighbours = Arc<Mutex<HashMap<TorrentHandle, (Store, CompletionSink)>>>;

struct Factory {
    house: House,
    neighbours: Neighbours,
}

impl std::fmt::Debug for Factory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Factory")
    }
}

#[derive(Clone)]
struct Torrent {
    store: Store,
    completions: CompletionSink,
    neighbours: Neighbours,
}

impl StorageFactory for Factory {
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>> {
        let geometry = request.geometry().clone();
        let mut store = Store::empty(self.house.clone(), geometry, request.hashes);
        if request.access != Access::OnDemand {
            let all = 0..store.geometry.end();
            store.set_pins(std::slice::from_ref(&all));
        }
        let neighbour = (store.clone(), Arc::clone(&request.completions));
        let mut neighbours = self.neighbours.lock().unwrap();
        neighbours.insert(store.handle, neighbour);
        let torrent = Torrent {
            store,
            completions: request.completions,
            neighbours: Arc::clone(&self.neighbours),
        };
        Reply::ready(Ok(Opened::new(torrent.clone(), torrent)))
    }
}

impl Torrent {
    fn tell_judged(&self, wrong: Vec<(BlockRef, SupplierKey)>) {
        let right = self.store.take_right();
        if !right.is_empty() || !wrong.is_empty() {
            (self.completions)(Completion::Judged { right, wrong });
        }
    }

    fn parts(&self, range: BlockRef) -> Option<BlockParts> {
        let storage = self.store.storage();
        let leases = storage.read_vectored(self.store.handle, range).ok()?;
        Some(leases.into_iter().map(Lease::into_bytes).collect())
    }
}

impl Storage for Torrent {
    fn start(&self, _: Progress) -> Reply<Result<Bitfield, StorageError>> {
        Reply::ready(Ok(Bitfield::none(&self.store.geometry)))
    }

    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
        let mut refused = Refused::default();
        for (block, data) in blocks {
            match self.store.write(from, block, &data) {
                Taken::Stored => {}
                Taken::Unwanted => refused.unwanted.push(block),
                Taken::Wrong => refused.wrong.push(block),
            }
        }
        self.tell_judged(Vec::new());
        Reply::ready(refused)
    }

    fn judge(&self, piece: PieceIndex) {
        self.tell_judged(self.store.judge(piece));
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        let read = |block| (block, Ok(self.parts(block)));
        Reply::ready(blocks.into_iter().map(read).collect())
    }

    fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        for (piece, verdict) in self.store.verify(&pieces) {
            (self.completions)(match verdict {
                Ok(verdict) => Completion::Verified { piece, verdict },
                Err(Error::HashUnknown { .. }) => {
                    let error = StorageError::HashUnknown(piece);
                    Completion::VerifyFailed { piece, error }
                }
                Err(other) => panic!("{piece:?}: {other}"),
            });
        }
        Ok(())
    }

    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        let digests = self.store.storage().block_digests(self.store.handle, piece);
        let digests = Ok(digests.unwrap());
        (self.completions)(Completion::Digests { piece, digests });
        Ok(())
    }

    fn settle(&self, piece: PieceIndex) {
        self.store.settle(piece);
    }

    fn wait_for_space(&self, bytes: u64) -> Reply<()> {
        let space = self.store.storage().wait_for_space(bytes);
        Reply::later(async move { space.await.unwrap() })
    }

    fn figures(&self) -> Figures {
        let stats = self.store.storage().stats();
        Figures {
            budget: Some(stats.budget),
            used: stats.used,
            evictions: stats.evictions,
        }
    }

    fn set_lookbehind(&self, pieces: u32) {
        let storage = self.store.storage();
        storage
            .set_lookbehind_pieces(self.store.handle, pieces)
            .unwrap();
    }

    fn is_lookbehind_available(&self, reader: ReaderKey, bytes: u64) -> Option<bool> {
        let storage = self.store.storage();
        storage
            .is_lookbehind_available(self.store.handle, ReaderId::new(reader.get()), bytes)
            .ok()
    }

    fn lookbehind(&self, reader: ReaderKey) -> Option<LookbehindFigures> {
        let storage = self.store.storage();
        let stats = storage.lookbehind_stats(self.store.handle, ReaderId::new(reader.get()));
        stats.ok().map(|stats| LookbehindFigures {
            protected: stats.protected,
            available: stats.available,
            bytes: stats.bytes,
        })
    }

    fn clear_lookbehind(&self, reader: ReaderKey) {
        let storage = self.store.storage();
        storage
            .clear_lookbehind(self.store.handle, ReaderId::new(reader.get()))
            .unwrap();
    }

    fn close(&self) -> Reply<()> {
        self.neighbours.lock().unwrap().remove(&self.store.handle);
        self.store.close();
        Reply::ready(())
    }
}

impl Space for Torrent {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let ours = self.store.reserve(piece)?;
        for (handle, piece) in self.store.take_foreign() {
            let neighbours = self.neighbours.lock().unwrap();
            let (store, completions) = &neighbours[&handle];
            store.handle_evicted(piece);
            completions(Completion::Evicted { piece });
        }
        Ok(ours)
    }

    fn release(&mut self, piece: PieceIndex) {
        self.store.release(piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.store.is_stored(block, supplier)
    }

    fn verify_together(&self) -> usize {
        self.store.verify_together()
    }

    fn share(&self) -> Option<u64> {
        self.store.share()
    }

    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        self.store.set_window(reader, window);
    }

    fn set_pins(&mut self, pins: &[Range<u64>]) {
        self.store.set_pins(pins);
    }
}

fn factory(budget: u64) -> Arc<dyn StorageFactory> {
    let config = Config::new(budget).with_eviction(Eviction::LeastRecentlyRequested);
    Arc::new(Factory {
        house: House::new(config),
        neighbours: Arc::default(),
    })
}

#[test]
fn the_simulated_storage_does_what_every_storage_has_to_do() {
    let subject = Subject::new(|| factory(4 << 20)).evicts(factory);
    block_on(check(&subject));
}
