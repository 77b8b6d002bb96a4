//! A torrent in a storage, and how the checks talk to it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use bytes::Bytes;
use tailwater_types::{Bitfield, BlockDigest, BlockRef, PieceIndex, Verdict};

use super::torrent::TestTorrent;
use crate::{
    Access, Completion, OpenRequest, Opened, Space, Storage, StorageError, StorageFactory,
    SupplierKey,
};

pub(super) const ALICE: SupplierKey = SupplierKey::new(1);
pub(super) const BOB: SupplierKey = SupplierKey::new(2);

/// Runs a future to its end on this thread, without a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// What a storage has reported, in order.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Pending>>);

#[derive(Default)]
struct Pending {
    completions: VecDeque<Completion>,
    waker: Option<Waker>,
}

impl Reports {
    fn push(&self, completion: Completion) {
        let mut pending = self.0.lock().unwrap();
        pending.completions.push_back(completion);
        let waker = pending.waker.take();
        drop(pending);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn next(&self) -> Completion {
        std::future::poll_fn(|context| {
            let mut pending = self.0.lock().unwrap();
            if let Some(completion) = pending.completions.pop_front() {
                return Poll::Ready(completion);
            }
            pending.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// A torrent in a storage.
pub(super) struct Rig {
    pub(super) torrent: TestTorrent,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) space: Box<dyn Space + Send>,
    /// The pieces that were there from the start.
    pub(super) have: Bitfield,
    reports: Reports,
    /// The place may go with its factory.
    _factory: Arc<dyn StorageFactory>,
}

impl Rig {
    /// Opens the torrent for a download of everything.
    pub(super) async fn open(factory: &Arc<dyn StorageFactory>, torrent: TestTorrent) -> Self {
        Self::open_for(factory, torrent, Access::Download).await
    }

    pub(super) async fn open_for(
        factory: &Arc<dyn StorageFactory>,
        torrent: TestTorrent,
        access: Access,
    ) -> Self {
        let reports = Reports::default();
        let told = reports.clone();
        let mut request = OpenRequest::new(
            Arc::clone(&torrent.metainfo),
            torrent.info_hash(),
            torrent.hashes.clone(),
            Arc::new(move |completion| told.push(completion)),
            Arc::new(|work| {
                let thread = std::thread::Builder::new().name("blocking".to_owned());
                drop(thread.spawn(work).unwrap());
            }),
        );
        request.access = access;
        let Opened { storage, space } = factory.open(request).await.unwrap();
        let have = storage.start(Arc::new(|_, _| {})).await.unwrap();
        Self {
            torrent,
            storage,
            space,
            have,
            reports,
            _factory: Arc::clone(factory),
        }
    }

    /// The next completion. What was found of single blocks is left aside: a file of one block has its hash from the start.
    pub(super) async fn next_completion(&self) -> Completion {
        loop {
            match self.reports.next().await {
                Completion::Judged { .. } => {}
                other => return other,
            }
        }
    }

    /// What is found next of single blocks: those that are right, and those that are not, with their suppliers.
    pub(super) async fn next_judged(&self) -> (Vec<BlockRef>, Vec<(BlockRef, SupplierKey)>) {
        match self.reports.next().await {
            Completion::Judged { right, wrong } => (right, wrong),
            other => panic!("{other:?} instead of what was found of blocks"),
        }
    }

    /// Reads the beginning of a range, as for a reader.
    pub(super) async fn read_one(&self, range: BlockRef) -> Option<Bytes> {
        self.storage.read_one(range).await.unwrap()
    }

    /// Reserves a piece and writes its right blocks; all have to be wanted.
    pub(super) async fn fetch(&mut self, piece: PieceIndex) -> Vec<PieceIndex> {
        let evicted = self.space.reserve(piece).unwrap();
        let mut blocks = self.torrent.blocks(piece);
        // Blocks seldom come in order.
        blocks.rotate_left(1);
        let unwanted = self.storage.write(ALICE, blocks).await.unwanted;
        assert_eq!(unwanted, [], "a block of a reserved piece was refused");
        evicted
    }

    /// Asks for a verdict, waits for it, and settles the piece as a torrent does.
    pub(super) async fn verify(&self, piece: PieceIndex) -> Verdict {
        self.storage.verify(vec![piece]).unwrap();
        match self.next_completion().await {
            Completion::Verified {
                piece: told,
                verdict,
            } => {
                assert_eq!(told, piece, "the verdict is of another piece");
                self.storage.settle(piece);
                verdict
            }
            other => panic!("{other:?} instead of a verdict on piece {piece:?}"),
        }
    }

    /// Fetches and verifies a piece; returns what was evicted for it.
    pub(super) async fn store(&mut self, piece: PieceIndex) -> Vec<PieceIndex> {
        let evicted = self.fetch(piece).await;
        assert_eq!(self.verify(piece).await, Verdict::Valid, "{piece:?}");
        evicted
    }

    pub(super) async fn store_all(&mut self) {
        for piece in self.torrent.geometry().pieces() {
            self.store(piece).await;
        }
    }

    pub(super) async fn digests(&self, piece: PieceIndex) -> Vec<BlockDigest> {
        self.storage.digest(piece).unwrap();
        match self.next_completion().await {
            Completion::Digests {
                piece: told,
                digests,
            } if told == piece => digests.unwrap(),
            other => panic!("{other:?} instead of digests of piece {piece:?}"),
        }
    }

    /// Reads one range, as for a peer; its parts joined.
    pub(super) async fn try_read(&self, range: BlockRef) -> Result<Option<Bytes>, StorageError> {
        let mut read = self.storage.read(vec![range]).await;
        assert_eq!(read.len(), 1, "one range was asked for");
        let (told, held) = read.remove(0);
        assert_eq!(told, range);
        Ok(held?.map(|parts| parts.into_iter().collect::<Vec<_>>().concat().into()))
    }

    pub(super) async fn read(&self, range: BlockRef) -> Option<Bytes> {
        self.try_read(range).await.unwrap()
    }

    /// Everything that is held is what it should be.
    pub(super) async fn assert_holds_all(&self) {
        for piece in self.torrent.geometry().pieces() {
            for block in self.torrent.geometry().blocks(piece) {
                let read = self.read(block).await;
                assert!(read == Some(self.torrent.bytes(block)), "{block:?} differs");
            }
        }
    }
}
