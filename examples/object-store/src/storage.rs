//! The storage of a torrent in a bucket: write-back and read-ahead in whole pieces, within bounded memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tailwater_storage::{
    BLOCK_LEN, Bitfield, BlockDigest, BlockParts, BlockRef, Claims, Completion, Figures, Full,
    Geometry, Held, OpenError, OpenRequest, Opened, PieceIndex, Progress, Refused, Reply, Space,
    Storage, StorageError, StorageFactory, SupplierKey, Verdict,
};
use tokio::runtime::Handle;

use crate::bucket::Bucket;
use crate::cache::{Cache, Load};
use crate::room::{Partial, Partials, Room, UnderWay};

/// Bytes of pieces that are being downloaded or put, over all torrents. Each block is copied into its piece, which is put
/// as a whole.
const DEFAULT_WRITE_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of pieces that were read or put lately, for each torrent.
const DEFAULT_READ_BYTES: u64 = 32 * 1024 * 1024;

/// Opens the storages of torrents that lie in a bucket.
#[derive(Clone)]
pub struct BucketFactory {
    bucket: Bucket,
    room: Arc<Room>,
    read_bytes: u64,
    runtime: Handle,
}

impl BucketFactory {
    /// A factory over `bucket`, which does its work on the runtime that this is called in.
    #[must_use]
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            room: Arc::new(Room::new(DEFAULT_WRITE_BYTES)),
            read_bytes: DEFAULT_READ_BYTES,
            runtime: Handle::current(),
        }
    }

    /// The most bytes of pieces that are being downloaded or put, over all torrents; one piece always has room. Default:
    /// 64 MiB.
    #[must_use]
    pub fn write_bytes(mut self, bytes: u64) -> Self {
        self.room = Arc::new(Room::new(bytes));
        self
    }

    /// The most bytes of pieces that are kept for reading, for each torrent; two pieces always are. Default: 32 MiB.
    #[must_use]
    pub const fn read_bytes(mut self, bytes: u64) -> Self {
        self.read_bytes = bytes;
        self
    }
}

impl fmt::Debug for BucketFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BucketFactory").field(&self.bucket).finish()
    }
}

impl StorageFactory for BucketFactory {
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>> {
        let geometry = request.geometry().clone();
        let pieces = self.read_bytes / u64::from(geometry.piece_length());
        let torrent = BucketTorrent {
            shared: Arc::new(Shared {
                bucket: self.bucket.clone(),
                room: Arc::clone(&self.room),
                runtime: self.runtime.clone(),
                claims: Claims::new(geometry.clone()),
                state: Mutex::new(State {
                    held: Bitfield::none(&geometry),
                    partials: Partials::new(),
                    cache: Cache::new(usize::try_from(pieces).unwrap_or(usize::MAX)),
                    attempts: 0,
                    is_closed: false,
                }),
                under_way: Arc::default(),
                geometry,
                request,
            }),
        };
        Reply::ready(Ok(Opened::new(torrent.clone(), torrent)))
    }
}

/// One torrent in a bucket; clones are handles to the same one.
#[derive(Clone)]
struct BucketTorrent {
    shared: Arc<Shared>,
}

struct Shared {
    request: OpenRequest,
    geometry: Geometry,
    bucket: Bucket,
    room: Arc<Room>,
    runtime: Handle,
    claims: Claims<u64>,
    state: Mutex<State>,
    under_way: Arc<UnderWay>,
}

struct State {
    held: Bitfield,
    partials: Partials,
    cache: Cache,
    attempts: u64,
    is_closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn piece_len(&self, piece: PieceIndex) -> u64 {
        self.geometry.piece_len(piece).into()
    }

    fn report(&self, completion: Completion) {
        (self.request.completions)(completion);
    }

    fn digests(&self, piece: PieceIndex, bytes: &Bytes) -> Vec<BlockDigest> {
        let blocks = self.geometry.blocks(piece);
        blocks.map(|block| digest(&slice(bytes, block))).collect()
    }

    /// Hashes a piece and puts it into the bucket. It is held when the bucket has it.
    async fn verify(self: Arc<Self>, piece: PieceIndex) {
        let (attempt, bytes) = match self.state().partials.get_mut(&piece) {
            Some(partial) => (partial.attempt, partial.freeze()),
            // Released meanwhile.
            None => return,
        };
        let (shared, hashed) = (Arc::clone(&self), bytes.clone());
        let hashed = self.runtime.spawn_blocking(move || {
            let is_valid = shared.request.hashes.is_valid(piece, [&hashed[..]])?;
            Some((!is_valid).then(|| shared.digests(piece, &hashed)))
        });
        match hashed.await {
            Ok(Some(None)) => {}
            Ok(Some(Some(block_digests))) => {
                let verdict = Verdict::Invalid { block_digests };
                self.report(Completion::Verified { piece, verdict });
                return;
            }
            Ok(None) => {
                let error = StorageError::HashUnknown(piece);
                self.report(Completion::VerifyFailed { piece, error });
                return;
            }
            Err(_) => return,
        }
        let put = self
            .bucket
            .put(self.request.info_hash, piece, bytes.clone());
        if let Err(error) = put.await {
            // The piece stays in memory, and is put again when the torrent is resumed.
            self.report(Completion::VerifyFailed { piece, error });
            return;
        }
        let mut state = self.state();
        let is_current = |partial: &Partial| partial.attempt == attempt;
        if !state.partials.get(&piece).is_some_and(is_current) {
            return;
        }
        state.partials.remove(&piece);
        state.held.set(piece);
        state.cache.insert(piece, bytes);
        drop(state);
        self.room.give_back(self.piece_len(piece));
        let verdict = Verdict::Valid;
        self.report(Completion::Verified { piece, verdict });
    }

    /// A held piece, from the cache or the bucket; `None` if it is not held. The one after it is read ahead.
    async fn piece(self: &Arc<Self>, piece: PieceIndex) -> Result<Option<Bytes>, StorageError> {
        let load = {
            let mut state = self.state();
            if !state.held.has(piece) {
                return Ok(None);
            }
            state.cache.get(piece).0
        };
        let loaded = self.load(piece, &load).await;
        self.read_ahead(piece);
        loaded
    }

    async fn load(
        self: &Arc<Self>,
        piece: PieceIndex,
        load: &Load,
    ) -> Result<Option<Bytes>, StorageError> {
        let loaded = load.get_or_init(|| self.fetch(piece)).await.clone();
        if !matches!(loaded, Ok(Some(_))) {
            // The next caller tries again.
            self.state().cache.remove(piece);
        }
        loaded
    }

    /// Gets a piece out of the bucket and hashes it: others may write to the bucket too. One that is wrong or gone is not
    /// held any more.
    async fn fetch(self: &Arc<Self>, piece: PieceIndex) -> Result<Option<Bytes>, StorageError> {
        let got = self.bucket.get(self.request.info_hash, piece).await;
        let bytes = match got {
            Ok(bytes) => Some(bytes),
            Err(error) if error.is_missing_data() => None,
            Err(error) => {
                let told = error.clone();
                self.report(Completion::ReadFailed { error: told });
                return Err(error);
            }
        };
        let hashes = self.request.hashes.clone();
        let checked = self.runtime.spawn_blocking(move || {
            bytes.filter(|bytes| hashes.is_valid(piece, [&bytes[..]]) == Some(true))
        });
        let checked = checked.await.map_err(|_| StorageError::Closed)?;
        if checked.is_none() {
            self.state().held.clear(piece);
            self.report(Completion::Evicted { piece });
        }
        Ok(checked)
    }

    fn read_ahead(self: &Arc<Self>, piece: PieceIndex) {
        let Ok(next) = self.geometry.piece(piece.get() + 1) else {
            return;
        };
        let mut state = self.state();
        if !state.held.has(next) || state.is_closed {
            return;
        }
        let (load, is_new) = state.cache.get(next);
        drop(state);
        if is_new {
            let shared = Arc::clone(self);
            self.spawn(async move { drop(shared.load(next, &load).await) });
        }
    }

    /// Begins work that closing waits for.
    fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let guard = self.under_way.begin();
        self.runtime.spawn(async move {
            work.await;
            drop(guard);
        });
    }
}

/// The part of a piece that a block is.
fn slice(piece: &Bytes, block: BlockRef) -> Bytes {
    let at = |offset: u32| usize::try_from(offset).map_or(piece.len(), |at| at.min(piece.len()));
    piece.slice(at(block.offset())..at(block.offset().saturating_add(block.len())))
}

fn digest(block: &[u8]) -> BlockDigest {
    let hash: [u8; 20] = Sha1::digest(block).into();
    BlockDigest::new(std::array::from_fn(|index| hash[index]))
}

impl Storage for BucketTorrent {
    fn start(&self, progress: Progress) -> Reply<Result<Bitfield, StorageError>> {
        let shared = Arc::clone(&self.shared);
        Reply::later(async move {
            let listed = shared
                .bucket
                .list(shared.request.info_hash, &shared.geometry);
            let listed = listed.await?;
            let mut state = shared.state();
            listed.into_iter().for_each(|piece| {
                state.held.set(piece);
            });
            let count = shared.geometry.piece_count();
            progress(count, count);
            Ok(state.held.clone())
        })
    }

    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
        let shared = &self.shared;
        let mut unwanted = Vec::new();
        for (block, data) in blocks {
            let Some(attempt) = shared.claims.claim(block, from) else {
                unwanted.push(block);
                continue;
            };
            let len = usize::try_from(shared.piece_len(block.piece())).unwrap_or(usize::MAX);
            let mut state = shared.state();
            match state.partials.get_mut(&block.piece()) {
                Some(partial) if partial.attempt == attempt && !data.is_empty() => {
                    partial.fill(len, block, &data);
                    shared.claims.stored(block, from, attempt);
                }
                _ => {
                    shared.claims.disclaim(block, from, attempt);
                    unwanted.push(block);
                }
            }
        }
        Reply::ready(unwanted.into())
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        let shared = Arc::clone(&self.shared);
        Reply::later(async move {
            let mut read = Vec::with_capacity(blocks.len());
            for block in blocks {
                let piece = shared.piece(block.piece()).await;
                let parts = |piece: Bytes| BlockParts::from([slice(&piece, block)]);
                read.push((block, piece.map(|piece| piece.map(parts))));
            }
            read
        })
    }

    fn read_one(&self, range: BlockRef) -> Reply<Result<Option<Bytes>, StorageError>> {
        if !self.shared.state().held.has(range.piece()) {
            return Reply::ready(Ok(None));
        }
        let shared = Arc::clone(&self.shared);
        Reply::later(async move {
            let piece = shared.piece(range.piece()).await?;
            Ok(piece.map(|piece| slice(&piece, range)))
        })
    }

    fn read_grain(&self) -> u32 {
        // A piece is one buffer; a player need not get more at a time.
        8 * BLOCK_LEN
    }

    fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        for piece in pieces {
            self.shared.spawn(Arc::clone(&self.shared).verify(piece));
        }
        Ok(())
    }

    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        let shared = Arc::clone(&self.shared);
        self.shared.spawn(async move {
            if let Ok(Some(bytes)) = shared.piece(piece).await {
                let digests = Ok(shared.digests(piece, &bytes));
                shared.report(Completion::Digests { piece, digests });
            }
        });
        Ok(())
    }

    fn settle(&self, piece: PieceIndex) {
        self.shared.claims.close(piece);
    }

    /// Pieces that failed are still in memory, and the torrent requests their verdict again.
    fn resume(&self) -> Reply<Result<(), StorageError>> {
        self.flush()
    }

    fn flush(&self) -> Reply<Result<(), StorageError>> {
        let under_way = Arc::clone(&self.shared.under_way);
        Reply::later(async move {
            under_way.ended().await;
            Ok(())
        })
    }

    fn wait_for_space(&self, bytes: u64) -> Reply<()> {
        let room = Arc::clone(&self.shared.room);
        Reply::later(async move { room.wait(bytes).await })
    }

    fn figures(&self) -> Figures {
        let (budget, used) = self.shared.room.figures();
        Figures {
            budget: Some(budget),
            used,
            evictions: 0,
        }
    }

    fn close(&self) -> Reply<()> {
        let shared = Arc::clone(&self.shared);
        Reply::later(async move {
            shared.state().is_closed = true;
            for piece in shared.geometry.pieces() {
                shared.claims.close(piece);
            }
            shared.under_way.ended().await;
            let mut state = shared.state();
            state.held = Bitfield::none(&shared.geometry);
            state.cache.clear();
            let partials = std::mem::take(&mut state.partials);
            drop(state);
            for piece in partials.into_keys() {
                shared.room.give_back(shared.piece_len(piece));
            }
        })
    }
}

impl Space for BucketTorrent {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let mut state = self.shared.state();
        let has_room = state.partials.contains_key(&piece);
        if state.is_closed || !(has_room || self.shared.room.take(self.shared.piece_len(piece))) {
            return Err(Full);
        }
        state.attempts += 1;
        let attempt = state.attempts;
        state.partials.insert(piece, Partial::new(attempt));
        self.shared.claims.open(piece, attempt);
        Ok(Vec::new())
    }

    fn release(&mut self, piece: PieceIndex) {
        self.shared.claims.close(piece);
        let released = self.shared.state().partials.remove(&piece);
        if released.is_some() {
            self.shared.room.give_back(self.shared.piece_len(piece));
        }
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.shared.claims.is_stored(block, supplier)
    }
}
