//! Blocks of which a connection tells when their piece has been released and reserved again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tailwater_metainfo::Metainfo;
use tailwater_storage::{Completion, OpenRequest, Opened, Space, StorageFactory};
use tailwater_storage_mem::{Config as Budget, MemoryFactory, MemoryStorage};
use tailwater_types::{
    BLOCK_LEN, Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceHash, PieceIndex, Verdict,
};

use crate::peer::{Command, Direction, Fact};
use crate::testing::epoch;
use crate::torrent::{
    Config, ConnectionKind, Engine, NewPeer, Output, PeerKey, PieceState, Priority,
};

type Completions = Arc<Mutex<Vec<Completion>>>;
type Machine = Engine<Box<dyn Space + Send>>;

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

async fn in_memory(good: &[u8]) -> (Opened, Completions) {
    let hash = PieceHash::new(Sha1::digest(good).into());
    let mut torrent = format!("d6:lengthi{}e4:name1:t", geometry().total()).into_bytes();
    torrent.extend(format!("12:piece lengthi{LEN}e6:pieces40:").bytes());
    torrent.extend([*hash.as_bytes(); 2].concat());
    torrent.extend(b"e");
    let torrent = [b"d4:info".to_vec(), torrent, b"e".to_vec()].concat();
    let metainfo = Arc::new(Metainfo::from_bytes(&torrent).unwrap());
    let completions = Completions::default();
    let told = Arc::clone(&completions);
    let request = OpenRequest::new(
        metainfo,
        InfoHash::new([1; 20]),
        [hash; 2].into_iter().collect(),
        Arc::new(move |completion| told.lock().unwrap().push(completion)),
        Arc::new(|work| work()),
    );
    let factory = MemoryFactory::new(MemoryStorage::new(Budget::new(geometry().total())));
    (factory.open(request).await.unwrap(), completions)
}

/// The torrent of a storage, with two peers that have everything.
fn engine(space: Box<dyn Space + Send>) -> (Machine, [PeerKey; 2]) {
    let now = epoch();
    let config = Config {
        sequential: true,
        ..Config::new(InfoHash::new([1; 20]), PeerId::new([1; 20]))
    };
    let none = Bitfield::none(&geometry());
    let mut engine = Engine::new(config, geometry(), none, space);
    let peers = [1_u8, 2].map(|number| {
        let new = NewPeer {
            addr: addr(number),
            id: PeerId::new([10 + number; 20]),
            direction: Direction::Outgoing,
            fast: true,
            kind: ConnectionKind::default(),
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
fn asked(engine: &mut Machine, wanted: BlockRef) -> Option<PeerKey> {
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
    let (Opened { storage, space }, completions) = in_memory(&good).await;
    let (mut engine, keys) = engine(space);
    let first = asked(&mut engine, block(0)).unwrap();
    let second = keys.into_iter().find(|key| *key != first).unwrap();
    let ip = |key| addr(if key == keys[0] { 1 } else { 2 }).ip();

    // It is stored, but its connection has not told the torrent yet.
    assert!(
        storage
            .write(first.into(), vec![(block(0), copy(66))])
            .await
            .unwanted
            .is_empty()
    );
    engine.set_priorities(now, [(piece(), Priority::Skip)]);
    engine.set_priorities(now, [(piece(), Priority::Normal)]);
    assert_eq!(engine.piece_state(piece()), PieceState::Partial);
    engine.handle_facts(now, first, ip(first), [Fact::Block(block(0))]);
    engine.check_invariants();
    assert_eq!(engine.stats(now).wasted, u64::from(BLOCK_LEN));

    for (number, fill) in [(0, 7), (1, 8)] {
        let unwanted = storage
            .write(second.into(), vec![(block(number), copy(fill))])
            .await
            .unwanted;
        assert!(unwanted.is_empty(), "block {number} is missing");
        let told = [Fact::Block(block(number))];
        engine.handle_facts(now, second, ip(second), told);
    }
    assert_eq!(engine.piece_state(piece()), PieceState::Verifying);
    storage.verify(vec![piece()]).unwrap();
    let verdict = Verdict::Valid;
    let valid = Completion::Verified {
        piece: piece(),
        verdict,
    };
    assert_eq!(*completions.lock().unwrap(), [valid]);
}
