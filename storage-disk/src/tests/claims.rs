//! Blocks that arrive when their piece has been released and reserved again.

use super::*;
use crate::operations::opening::Choices;
use crate::operations::opening::Opening;
use crate::storage::DiskStorage;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc as sync_mpsc;
use std::task::{Context, Poll, Waker};
use tailwater_storage::{Access, Space, Storage, SupplierKey};
use tailwater_types::BLOCK_LEN;

const ALICE: SupplierKey = SupplierKey::new(1);
const BOB: SupplierKey = SupplierKey::new(2);

/// What one sender sends for a block.
fn copy(fill: u8) -> Bytes {
    vec![fill; BLOCK_LEN as usize].into()
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A torrent of two pieces of two blocks, with one I/O thread and room for one block in its queue.
struct Crowded {
    storage: DiskStorage,
    pool: IoPool,
    payload: Payload,
    dir: TempDir,
}

impl Crowded {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let payload = Payload::new(
            &[("film", 4 * u64::from(BLOCK_LEN), false)],
            2 * BLOCK_LEN,
            1,
        );
        let config = IoConfig {
            threads: 1,
            queue_bytes: 1,
            ..IoConfig::default()
        };
        let pool = IoPool::new(config).unwrap();
        let options = DiskOptions {
            hold: Hold::none(),
            key: key(dir.path()),
            layout: payload.layout(dir.path()).unwrap(),
            hashes: Arc::clone(&payload.hashes).into(),
            skipped: Vec::new(),
            links: Links::Refused,
            on_completion: Arc::new(|_| {}),
        };
        let torrent = DiskTorrent::open(pool.clone(), options).await.unwrap();
        let opening = Opening {
            access: Access::Download,
            choices: Choices::default(),
            resume: None,
            rooms: Arc::default(),
            relocation: None,
            owns_files: std::sync::atomic::AtomicBool::default(),
        };
        Self {
            storage: DiskStorage::new(torrent, opening),
            pool,
            payload,
            dir,
        }
    }

    fn piece(&self) -> PieceIndex {
        self.payload.piece(0)
    }

    fn block(&self, number: u32) -> BlockRef {
        let geometry = &self.payload.geometry;
        geometry.nth_block(self.piece(), number).unwrap()
    }

    /// Keeps the I/O thread busy until the sender is dropped.
    fn hold(&self) -> sync_mpsc::Sender<()> {
        let (release, held) = sync_mpsc::channel::<()>();
        let wait = move |_: &mut [u8]| {
            let _ = held.recv();
        };
        self.pool.submit(0, Box::new(wait)).unwrap();
        release
    }

    fn first_byte(&self) -> Option<u8> {
        let film = std::fs::read(self.dir.path().join("film")).ok()?;
        film.first().copied()
    }
}

#[tokio::test]
async fn a_copy_that_waits_for_room_while_its_piece_is_begun_anew_is_dropped() {
    let mut disk = Crowded::new().await;
    let (piece, zero, one) = (disk.piece(), disk.block(0), disk.block(1));
    disk.storage.reserve(piece).unwrap();
    let busy = disk.hold();
    // Takes all the room there is.
    let unwanted = disk.storage.write(ALICE, vec![(one, copy(1))]).await;
    assert!(unwanted.unwanted.is_empty());
    let mut late = pin!(disk.storage.write(ALICE, vec![(zero, copy(66))]));
    assert!(poll_once(late.as_mut()).is_pending(), "no room");

    disk.storage.release(piece);
    disk.storage.reserve(piece).unwrap();
    let mut good = pin!(disk.storage.write(BOB, vec![(zero, copy(7))]));
    assert!(poll_once(good.as_mut()).is_pending(), "behind Alice");
    drop(busy);
    // Whichever copy comes first, the block is Bob's and so are its bytes.
    assert!(late.await.unwanted.is_empty());
    assert!(good.await.unwanted.is_empty(), "Bob's copy is wanted");
    disk.storage.flush().await.unwrap();
    assert_eq!(disk.first_byte(), Some(7));
    assert!(disk.storage.is_stored(zero, BOB));
    assert!(!disk.storage.is_stored(zero, ALICE));
    assert!(!disk.storage.is_stored(one, ALICE), "of the attempt before");
}

#[tokio::test]
async fn a_copy_of_a_piece_that_was_given_up_is_not_written() {
    let mut disk = Crowded::new().await;
    let (piece, zero) = (disk.piece(), disk.block(0));
    disk.storage.reserve(piece).unwrap();
    let busy = disk.hold();
    let unwanted = disk.storage.write(ALICE, vec![(zero, copy(66))]).await;
    assert!(unwanted.unwanted.is_empty());
    assert!(disk.storage.is_stored(zero, ALICE));
    disk.storage.release(piece);
    disk.storage.reserve(piece).unwrap();
    drop(busy);
    disk.storage.flush().await.unwrap();
    assert_eq!(disk.first_byte(), None);
}
