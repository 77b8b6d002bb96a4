//! The storage of one torrent on the disk, as an asynchronous handle.

use crate::claims::hold::Hold;
use crate::files::Store;
use crate::layout::Layout;
use crate::resume::{ResumeData, ResumeKey};
use crate::system::below::Links;
use crate::system::metadata::FileState;
use crate::threads::buffers::Buffers;
use crate::threads::pool::IoPool;
use crate::torrent::bitmap::AtomicBitmap;
use crate::torrent::hasher::Hashers;
use crate::torrent::health::{Health, Pending};
use crate::torrent::judging::JudgedBlocks;
pub(crate) use crate::torrent::judging::Mark;
use crate::torrent::leaf_hasher::LeafHashers;
mod bitmap;
mod finishing;
mod hasher;
mod health;
mod jobs;
mod judging;
mod leaf_hasher;
mod naming;
mod reading;
mod rechecking;

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tailwater_metainfo::PieceHashes;
use tailwater_storage::{Claims, CompletionSink, StorageError};
use tailwater_types::{Bitfield, BlockRef, Geometry, PieceIndex};
use tokio::sync::oneshot;

/// The cost of a queued block beside its bytes, so that tiny blocks are bounded in number too.
const BLOCK_COST: usize = 128;

/// The options of [`DiskTorrent::open`].
pub(crate) struct DiskOptions {
    /// The torrent's name, from which the parts file gets its own, and its folder's.
    pub key: ResumeKey,
    /// The files and the download folder.
    pub layout: Layout,
    /// What each piece has to hash to.
    pub hashes: PieceHashes,
    /// Indices of the files that are not wanted.
    pub skipped: Vec<usize>,
    /// Whether symbolic links below the folder are followed; only for a torrent that is never written.
    pub links: Links,
    /// The claim and the locks on the files.
    pub hold: Hold,
    /// Receives the completions.
    pub on_completion: CompletionSink,
}

/// The storage of one torrent on the disk; clones are handles to the same one.
///
/// A piece's writes and its verification happen in the order in which they were asked for. Verified pieces are never
/// written again.
#[derive(Clone)]
pub(crate) struct DiskTorrent {
    pub(crate) shared: Arc<Shared>,
}

/// What the handles and the jobs share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    key: ResumeKey,
    pub(crate) hashes: PieceHashes,
    pub(crate) on_completion: CompletionSink,
    pub(crate) verified: AtomicBitmap,
    /// Pieces in the verification queue, so that a piece is there once: what bounds that queue.
    pub(crate) verifying: AtomicBitmap,
    /// The same for digests.
    pub(crate) digesting: AtomicBitmap,
    /// Which supplier's copy of a block counts.
    pub(crate) claims: Claims<u64>,
    /// Blocks of pieces that are not whole, and whether they are right.
    pub(crate) judged: JudgedBlocks,
    /// Verified pieces of a hybrid torrent whose trees were not known then: their SHA-1 alone speaks for them.
    pub(crate) by_sha1: AtomicBitmap,
    /// Pieces that have been written to.
    pub(crate) touched: AtomicBitmap,
    /// Verified pieces of files that another program has touched since.
    pub(crate) doubted: AtomicBitmap,
    /// Locked by the torrent's I/O thread only, until it is closed.
    pub(crate) hashers: Mutex<Hashers>,
    pub(crate) leaves: Mutex<LeafHashers>,
    /// Whether pieces come many at a time. They are then read back and hashed side by side, which is cheaper than one
    /// by one as they are written.
    pub(crate) in_bulk: AtomicBool,
    /// Whether it has been reported that verified bytes cannot be read.
    pub(crate) is_unreadable: AtomicBool,
    pub(crate) health: Health,
    pub(crate) buffers: Arc<Buffers>,
    pending: Pending,
}

impl Shared {
    /// Whether the disk may hold bytes of a piece that are worth something.
    fn keeps(&self, piece: PieceIndex) -> bool {
        self.verified.has(piece) || self.touched.has(piece)
    }

    pub(crate) fn share_when_complete(&self) {
        if self
            .verified
            .snapshot(self.store.layout().geometry())
            .is_all()
        {
            self.store.share();
        }
    }

    /// A piece has been found right; `by_sha1` if the hash of its tree was not known when it was looked at.
    pub(crate) fn set_verified(&self, piece: PieceIndex, by_sha1: bool) {
        match by_sha1 {
            true => self.by_sha1.set(piece),
            false => self.by_sha1.clear(piece),
        };
        self.verified.set(piece);
    }

    /// Whether closing has begun, so that long work should end.
    pub(crate) fn is_closing(&self) -> bool {
        self.pending.is_closed()
    }
}

/// An operation under way; closing waits until it is dropped.
pub(crate) struct Ticket {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.shared.pending.leave();
    }
}

impl DiskTorrent {
    /// Opens the storage of a torrent. Nothing is made yet; see [`DiskTorrent::prepare`].
    ///
    /// # Errors
    ///
    /// When the number of hashes is not that of the pieces, another process uses the files, the pool is closed, or a
    /// skipped file cannot be looked at.
    pub(crate) async fn open(pool: IoPool, options: DiskOptions) -> Result<Self, StorageError> {
        let geometry = options.layout.geometry().clone();
        if options.hashes.piece_count() != geometry.pieces().len() {
            return Err(StorageError::Layout(format!(
                "{} hashes for {} pieces",
                options.hashes.piece_count(),
                geometry.piece_count()
            )));
        }
        let buffers = Arc::clone(pool.buffers());
        let store = Store::new(
            pool,
            options.layout,
            options.key.info_hash,
            &options.skipped,
            options.links,
            options.hold,
        );
        let torrent = Self {
            shared: Arc::new(Shared {
                store,
                key: options.key,
                hashes: options.hashes,
                on_completion: options.on_completion,
                verified: AtomicBitmap::new(&geometry),
                verifying: AtomicBitmap::new(&geometry),
                digesting: AtomicBitmap::new(&geometry),
                claims: Claims::new(geometry.clone()),
                judged: JudgedBlocks::default(),
                by_sha1: AtomicBitmap::new(&geometry),
                touched: AtomicBitmap::new(&geometry),
                doubted: AtomicBitmap::new(&geometry),
                hashers: Mutex::default(),
                leaves: Mutex::default(),
                in_bulk: AtomicBool::new(false),
                is_unreadable: AtomicBool::new(false),
                health: Health::default(),
                buffers,
                pending: Pending::default(),
            }),
        };
        let begin = |shared: &Shared| {
            shared.store.hold().begin(shared.store.layout())?;
            shared.store.find_homes()
        };
        torrent.run(begin).await??;
        Ok(torrent)
    }

    /// Makes the folders and the files of no bytes, and tries whether the folder can be written to. Bytes in the parts
    /// file that belong to files which are wanted now move to those files.
    ///
    /// To be called before the first write, and after [`DiskTorrent::adopt`] or [`DiskTorrent::check`]; not needed for a
    /// torrent that is only seeded.
    ///
    /// # Errors
    ///
    /// With the file or folder that could not be made.
    pub(crate) async fn prepare(&self) -> Result<(), StorageError> {
        self.run(|shared| shared.store.prepare(|piece| shared.keeps(piece)))
            .await?
    }

    /// Has the file system keep room for the wanted files, where it can.
    ///
    /// To be called after [`DiskTorrent::prepare`].
    ///
    /// # Errors
    ///
    /// When the disk is full, or a file cannot be opened.
    pub(crate) async fn preallocate(&self) -> Result<(), StorageError> {
        self.run(|shared| shared.store.preallocate()).await?
    }

    /// Queues blocks to be written. Waits while the queues are full (back-pressure); returns when the blocks are
    /// queued, not when they are on the disk.
    ///
    /// The bytes count until they are written; so does the whole buffer that they are slices of, which is not counted.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a part of the blocks may have been queued.
    ///
    /// # Errors
    ///
    /// When the storage is closed, has failed and not been resumed, or a block's data has the wrong length. Then none of
    /// the blocks is queued, except that some may be if it is closed meanwhile. Errors of the disk come later, as
    /// [`Completion::WriteFailed`].
    #[cfg(test)]
    pub(crate) async fn write(&self, blocks: Vec<(BlockRef, Bytes)>) -> Result<(), StorageError> {
        self.write_marked(blocks, Vec::new()).await
    }

    /// As `write`, of blocks that were claimed, each with its mark. When a block's turn comes it is not written if its
    /// attempt is over: the wait may have been long.
    pub(crate) async fn write_marked(
        &self,
        blocks: Vec<(BlockRef, Bytes)>,
        marks: Vec<Mark>,
    ) -> Result<(), StorageError> {
        for (block, data) in &blocks {
            if u32::try_from(data.len()) != Ok(block.len()) {
                return Err(StorageError::WrongLength {
                    expected: block.len(),
                    found: data.len(),
                });
            }
        }
        let epoch = self.shared.health.epoch()?;
        let thread = self.write_thread();
        let cost = blocks.iter().map(|(_, data)| data.len() + BLOCK_COST).sum();
        let ticket = self.enter()?;
        let permit = self.pool().write_room(cost).await?;
        self.pool().submit(
            thread,
            Box::new(move |_| ticket.shared.write(epoch, &blocks, &marks, permit)),
        )
    }

    /// Asks for pieces to be hashed, after all writes to them that were handed over before. The answer for each is
    /// [`Completion::Verified`] or [`Completion::VerifyFailed`]; one answer while the question is pending.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or has failed and not been resumed.
    pub(crate) fn verify(&self, mut pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        let epoch = self.shared.health.epoch()?;
        let ticket = self.enter()?;
        pieces.retain(|piece| self.shared.verifying.set(*piece));
        if pieces.is_empty() {
            return Ok(());
        }
        let thread = self.write_thread();
        self.pool().submit(
            thread,
            Box::new(move |scratch| ticket.shared.verify(epoch, &pieces, scratch)),
        )
    }

    /// Asks for a digest of each block of a verified piece, to compare with those of an earlier, invalid copy. The answer
    /// is [`Completion::Digests`].
    ///
    /// # Errors
    ///
    /// When the storage is closed.
    pub(crate) fn digests(&self, piece: PieceIndex) -> Result<(), StorageError> {
        let ticket = self.enter()?;
        if !self.shared.digesting.set(piece) {
            return Ok(());
        }
        self.pool().submit(
            self.write_thread(),
            Box::new(move |scratch| ticket.shared.answer_digests(piece, scratch)),
        )
    }

    /// Lets writes through again after a failure. When it returns, every loss from before has been reported; handle all of
    /// them before anything is verified.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or another program changed a file: that takes a new check.
    pub(crate) async fn resume(&self) -> Result<(), StorageError> {
        if let Some(change) = self.shared.store.known.change() {
            return Err(change.clone());
        }
        self.shared.health.resume();
        self.shared.is_unreadable.store(false, Ordering::Relaxed);
        self.flush().await
    }

    /// Waits until everything that was handed over before is written or reported as lost, and every verification asked for
    /// before is answered.
    ///
    /// # Errors
    ///
    /// When the storage is closed.
    pub(crate) async fn flush(&self) -> Result<(), StorageError> {
        let mut barriers = Vec::new();
        for thread in 0..self.pool().write_threads() {
            let ticket = self.enter()?;
            let (done, reached) = oneshot::channel();
            barriers.push(reached);
            self.pool().submit(
                thread,
                Box::new(move |_| {
                    drop(ticket);
                    let _ = done.send(());
                }),
            )?;
        }
        for barrier in barriers {
            barrier.await.map_err(|_| StorageError::Closed)?;
        }
        Ok(())
    }

    /// As [`DiskTorrent::flush`], and then waits until the device holds the data, so that resume data saved after it is
    /// true even if the power fails.
    ///
    /// # Errors
    ///
    /// When the storage is closed or the device fails.
    pub(crate) async fn sync(&self) -> Result<(), StorageError> {
        self.flush().await?;
        self.run(|shared| shared.store.sync()).await?
    }

    /// Waits for all operations under way, then closes the files. Every later operation is refused with
    /// [`StorageError::Closed`]. May be called again.
    pub(crate) async fn close(&self) {
        self.shared.pending.close().await;
        self.shared.hashers.lock().clear();
        self.shared.leaves.lock().clear_all();
        let shared = Arc::clone(&self.shared);
        // A pool that is closed has no threads that could use the files; closing them here blocks little.
        if self.pool().run(move || shared.store.close()).await.is_err() {
            self.shared.store.close();
        }
    }

    /// Whether the files may be written to: other processes may be reading them.
    ///
    /// # Errors
    ///
    /// [`StorageError::InUse`].
    pub(crate) fn check_lock(&self) -> Result<(), StorageError> {
        self.shared.store.hold().check_writable().map(drop)
    }

    /// When all is verified, nothing will be written any more: others may read the files too.
    pub(crate) fn share_when_complete(&self) {
        self.shared.share_when_complete();
    }

    /// Whether a piece is there and verified.
    pub(crate) fn has(&self, piece: PieceIndex) -> bool {
        self.shared.verified.has(piece)
    }

    /// The pieces that have been verified.
    pub(crate) fn verified(&self) -> Bitfield {
        self.shared.verified.snapshot(self.geometry())
    }

    /// A verified piece of a hybrid torrent is right by its tree too.
    pub(crate) fn confirm(&self, piece: PieceIndex) {
        self.shared.by_sha1.clear(piece);
    }

    /// The verified pieces of a hybrid torrent for which their SHA-1 alone speaks, as the payload of a `bitfield` message;
    /// empty if there are none.
    pub(crate) fn by_sha1(&self) -> Vec<u8> {
        let pieces = self.shared.by_sha1.snapshot(self.geometry());
        match pieces.is_none() {
            true => Vec::new(),
            false => pieces.as_bytes().to_vec(),
        }
    }

    /// The name of its resume data.
    pub(crate) fn key(&self) -> &ResumeKey {
        &self.shared.key
    }

    /// The first part of the paths of its files below the download folder, as the system encodes it.
    pub(crate) fn top(&self) -> Vec<u8> {
        let files = self.shared.store.layout().files();
        let first = files.iter().find(|file| !file.pad);
        let top = first.and_then(|file| file.path.components().next());
        top.map_or_else(Vec::new, |top| top.as_os_str().as_encoded_bytes().to_vec())
    }

    /// The torrent's geometry.
    pub(crate) fn geometry(&self) -> &Geometry {
        self.shared.store.layout().geometry()
    }

    /// The length and time of each file, by the last change of any program; pad files are `None`, the parts file comes last.
    ///
    /// # Errors
    ///
    /// When the storage is closed or a file cannot be looked at.
    pub(crate) async fn file_states(&self) -> Result<Vec<Option<FileState>>, StorageError> {
        self.run(|shared| shared.store.states()).await?
    }

    /// Takes the verified pieces from resume data, if each file is as it was when that was saved and long enough for them;
    /// says whether it did.
    /// Otherwise nothing is taken, and [`DiskTorrent::check`] has to find out.
    ///
    /// # Errors
    ///
    /// When the storage is closed or a file cannot be looked at.
    pub(crate) async fn adopt(&self, data: &ResumeData) -> Result<bool, StorageError> {
        let states = self.file_states().await?;
        let trusted = states == data.files;
        let held = self.run(|shared| shared.store.held_lengths()).await??;
        let layout = self.shared.store.layout();
        let by_sha1 = Bitfield::from_bytes(self.geometry(), &data.by_sha1);
        let by_sha1 = by_sha1.unwrap_or_else(|_| Bitfield::none(self.geometry()));
        // Trees that have become known since say more of a hybrid's pieces than what was saved.
        let is_proved = |piece| !by_sha1.has(piece) || self.shared.hashes.lacks_tree(piece);
        let is_there = |have: &Bitfield| {
            let mut pieces = self.geometry().pieces();
            let is_right = |piece| held.cover(layout, piece) && is_proved(piece);
            pieces.all(|piece| !have.has(piece) || is_right(piece))
        };
        let have = Bitfield::from_bytes(self.geometry(), &data.have).ok();
        match have.filter(|have| trusted && is_there(have)) {
            Some(have) => {
                self.shared.by_sha1.replace(&by_sha1);
                self.shared.verified.replace(&have);
                self.shared.store.touched.begin(states);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Skips a file or wants it again. When it is wanted, what the parts file holds of it moves to where it belongs;
    /// no byte has to be downloaded again.
    ///
    /// # Errors
    ///
    /// When the storage is closed or the bytes cannot be moved; the file then stays skipped.
    pub(crate) async fn set_skipped(&self, file: usize, skip: bool) -> Result<(), StorageError> {
        self.run(move |shared| {
            shared
                .store
                .set_skipped(file, skip, |piece| shared.keeps(piece))
        })
        .await?
    }

    pub(crate) fn pool(&self) -> &IoPool {
        self.shared.store.pool()
    }

    pub(crate) fn enter(&self) -> Result<Ticket, StorageError> {
        self.shared.pending.enter()?;
        Ok(Ticket {
            shared: Arc::clone(&self.shared),
        })
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, StorageError> {
        let ticket = self.enter()?;
        self.pool().run(move || work(&ticket.shared)).await
    }

    /// The I/O thread that writes this torrent, by its number. One thread a torrent: two that write to the same file
    /// wait for its lock in the kernel, and one can write and hash about 1 GB/s, or more of pieces that come in bulk.
    pub(crate) fn write_thread(&self) -> usize {
        let threads = u64::try_from(self.pool().write_threads()).unwrap_or(1);
        usize::try_from(self.shared.store.torrent() % threads).unwrap_or(0)
    }
}
