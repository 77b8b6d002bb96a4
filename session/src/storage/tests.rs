//! Blocks that come when their piece has been given up and begun anew.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tailwater_metainfo::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceHash, PieceIndex};
use tailwater_storage_mem::{Config as Budget, MemoryStorage};
use tempfile::TempDir;

use super::*;
use crate::driver::mailbox::Mailbox;
use crate::peer::{Command, Direction, Fact};
use crate::testing::epoch;
use crate::torrent::{Config, Engine, NewPeer, Output, PeerKey, PieceState, Priority};
use tailwater_storage::Completion;
use tailwater_storage_disk::{FileSpan, IoConfig, IoPool, Layout, ResumeKey};

const LEN: u32 = 2 * BLOCK_LEN;

/// Two pieces of two blocks. The second is there so that something is wanted all the time.
fn geometry() -> Geometry {
    Geometry::new(2 * u64::from(LEN), LEN).unwrap()
}

fn piece() -> PieceIndex {
    geometry().piece(0).unwrap()
}

fn block(number: u32) -> BlockRef {
    geometry().nth_block(piece(), number).unwrap()
}

/// What one sender sends for a block.
fn copy(fill: u8) -> Bytes {
    vec![fill; BLOCK_LEN as usize].into()
}

const ALICE: SupplierKey = SupplierKey::new(1);
const BOB: SupplierKey = SupplierKey::new(2);

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A torrent of one file on the disk, with one I/O thread and room for one block in its queue.
struct OnDisk {
    store: Store,
    pool: IoPool,
    dir: TempDir,
}

impl OnDisk {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = IoConfig::default();
        (config.threads, config.queue_bytes) = (1, 1);
        let pool = IoPool::new(config).unwrap();
        let file = FileSpan {
            path: PathBuf::from("film"),
            offset: 0,
            length: geometry().total(),
            pad: false,
            link: None,
            is_part: false,
        };
        let options = DiskOptions {
            hold: Hold::none(),
            key: ResumeKey::new(InfoHash::new([7; 20]), dir.path()),
            layout: Layout::new(dir.path().into(), vec![file], geometry()).unwrap(),
            hashes: Arc::new([PieceHash::new([0; 20]); 2]),
            skipped: Vec::new(),
            links: Links::Refused,
            on_completion: Arc::new(|_| {}),
        };
        let torrent = DiskTorrent::open(pool.clone(), options).await.unwrap();
        let store = Store::Disk(DiskStore::new(torrent));
        Self { store, pool, dir }
    }

    /// Keeps the I/O thread busy until the sender is dropped.
    fn hold(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let wait = move |_: &mut [u8]| {
            let _ = held.recv();
        };
        self.pool.submit(0, Box::new(wait)).unwrap();
        release
    }

    async fn flushed(&self) {
        let Store::Disk(disk) = &self.store else {
            panic!("it is on the disk");
        };
        disk.torrent.flush().await.unwrap();
    }

    fn first_byte(&self) -> Option<u8> {
        let film = std::fs::read(self.dir.path().join("film")).ok()?;
        film.first().copied()
    }
}

#[tokio::test]
async fn a_copy_that_waits_for_room_while_its_piece_is_begun_anew_is_dropped() {
    let mut disk = OnDisk::new().await;
    disk.store.reserve(piece()).unwrap();
    let busy = disk.hold();
    // Takes all the room there is.
    assert!(
        disk.store
            .write(ALICE, vec![(block(1), copy(1))])
            .await
            .is_empty()
    );
    let (alice, bob) = (disk.store.clone(), disk.store.clone());
    let mut late = pin!(alice.write(ALICE, vec![(block(0), copy(66))]));
    assert!(poll_once(late.as_mut()).is_pending(), "no room");

    disk.store.release(piece());
    disk.store.reserve(piece()).unwrap();
    let mut good = pin!(bob.write(BOB, vec![(block(0), copy(7))]));
    assert!(poll_once(good.as_mut()).is_pending(), "behind Alice");
    drop(busy);
    // Whichever copy comes first, the block is Bob's and so are its bytes.
    assert!(late.await.is_empty());
    assert!(good.await.is_empty(), "Bob's copy is wanted");
    disk.flushed().await;
    assert_eq!(disk.first_byte(), Some(7));
    assert!(disk.store.is_stored(block(0), BOB));
    assert!(!disk.store.is_stored(block(0), ALICE));
    assert!(
        !disk.store.is_stored(block(1), ALICE),
        "of the attempt before"
    );
}

#[tokio::test]
async fn a_copy_of_a_piece_that_was_given_up_is_not_written() {
    let mut disk = OnDisk::new().await;
    disk.store.reserve(piece()).unwrap();
    let busy = disk.hold();
    assert!(
        disk.store
            .write(ALICE, vec![(block(0), copy(66))])
            .await
            .is_empty()
    );
    assert!(disk.store.is_stored(block(0), ALICE));
    disk.store.release(piece());
    disk.store.reserve(piece()).unwrap();
    drop(busy);
    disk.flushed().await;
    assert_eq!(disk.first_byte(), None);
}

fn in_memory(good: &[u8]) -> Store {
    let storage = MemoryStorage::new(Budget::new(geometry().total()));
    let hash = PieceHash::new(Sha1::digest(good).into());
    let hashes: Arc<[PieceHash]> = Arc::new([hash; 2]);
    let handle = storage.add_torrent(geometry(), hashes).unwrap();
    let completions = Arc::new(Mailbox::<Completion>::new(100));
    Store::Memory(MemoryStore::new(
        storage,
        handle,
        geometry(),
        &completions,
        &Arc::default(),
    ))
}

/// The torrent of a storage, with two peers that have everything.
fn engine(store: &Store) -> (Engine<Store>, [PeerKey; 2]) {
    let now = epoch();
    let config = Config {
        sequential: true,
        ..Config::new(InfoHash::new([1; 20]), PeerId::new([1; 20]))
    };
    let none = Bitfield::none(&geometry());
    let mut engine = Engine::new(config, geometry(), none, store.clone());
    let peers = [1_u8, 2].map(|number| {
        let new = NewPeer {
            addr: addr(number),
            id: PeerId::new([10 + number; 20]),
            direction: Direction::Outgoing,
            fast: true,
        };
        let key = engine.handle_connected(now, new).unwrap();
        let all = Fact::Bitfield(Bitfield::all(&geometry()));
        engine.handle_facts(now, key, addr(number).ip(), [all, Fact::Unchoked]);
        key
    });
    (engine, peers)
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 1))
}

/// The peer that the block was asked of last.
fn asked(engine: &mut Engine<Store>, wanted: BlockRef) -> Option<PeerKey> {
    let mut asked = None;
    while let Some(output) = engine.poll_output() {
        if let Output::Command { peer, command } = output
            && command == Command::Request(wanted)
        {
            asked = Some(peer);
        }
    }
    asked
}

#[tokio::test]
async fn what_was_stored_before_a_piece_was_given_up_counts_for_nothing_when_it_is_told_of_after() {
    let now = epoch();
    let good = [copy(7), copy(8)].concat();
    let store = in_memory(&good);
    let (mut engine, keys) = engine(&store);
    let first = asked(&mut engine, block(0)).unwrap();
    let second = keys.into_iter().find(|key| *key != first).unwrap();
    let ip = |key| addr(if key == keys[0] { 1 } else { 2 }).ip();

    // It is stored, but its connection has not told the torrent yet.
    assert!(
        store
            .write(first.into(), vec![(block(0), copy(66))])
            .await
            .is_empty()
    );
    engine.set_priorities(now, [(piece(), Priority::Skip)]);
    engine.set_priorities(now, [(piece(), Priority::Normal)]);
    assert_eq!(engine.piece_state(piece()), PieceState::Partial);
    engine.handle_facts(now, first, ip(first), [Fact::Block(block(0))]);
    engine.check_invariants();
    assert_eq!(engine.stats(now).wasted, u64::from(BLOCK_LEN));

    for (number, fill) in [(0, 7), (1, 8)] {
        let unwanted = store
            .write(second.into(), vec![(block(number), copy(fill))])
            .await;
        assert!(unwanted.is_empty(), "block {number} is missing");
        let told = [Fact::Block(block(number))];
        engine.handle_facts(now, second, ip(second), told);
    }
    assert_eq!(engine.piece_state(piece()), PieceState::Verifying);
    let Store::Memory(memory) = &store else {
        panic!("it is in memory");
    };
    let verdict = memory.storage.verify(memory.handle, piece());
    assert_eq!(verdict, Ok(tailwater_storage_mem::Verdict::Valid));
}
