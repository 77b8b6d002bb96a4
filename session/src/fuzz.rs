//! What the fuzz targets run: bytes become a peer's messages, or a sequence of calls.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tailwater_metainfo::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceIndex};
use tailwater_wire::{Decoder, Limits};

use crate::disk::ResumeData;
use crate::peer::{self, Command, Connection, Direction, Fact};
use crate::torrent::{
    Config, Engine, Full, Halt, NewPeer, Output, PeerKey, Priority, Source, Space, Verdict,
};

/// 8 pieces of 2 blocks, the last one short.
fn geometry() -> Geometry {
    Geometry::new(8 * 32_768 - 100, 32_768)
        .unwrap_or_else(|_| unreachable!("the sizes are in range"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "machines only compare times: any beginning will do"
)]
fn epoch() -> Instant {
    Instant::now()
}

/// A connection is given commands and bytes. Only requested blocks may come out of it, each once, and what it sends must
/// be messages.
pub fn connection(data: &[u8]) {
    let Some((&head, mut rest)) = data.split_first() else {
        return;
    };
    let geometry = geometry();
    let now = epoch();
    let config = peer::Config {
        geometry,
        fast: head & 1 == 1,
        extensions: head & 2 == 2,
        listen_port: Some(6881),
    };
    let mut connection = Connection::new(now, config);
    let mut asked = BTreeSet::new();
    let mut received = BytesMut::new();
    // Each chunk of the input begins with a byte that gives a command and the length of the bytes that follow.
    while let Some((&step, after)) = rest.split_first() {
        let block = block(&geometry, step);
        match step >> 5 {
            0 => {
                asked.insert(block);
                connection.handle_command(Command::Request(block));
            }
            1 => connection.handle_command(Command::Cancel(block)),
            2 => connection.handle_command(Command::Unchoke),
            3 => connection.handle_command(Command::Choke),
            4 => connection.handle_command(Command::AllowFast(block.piece())),
            _ => {}
        }
        let (chunk, after) = after.split_at(after.len().min(usize::from(step)));
        rest = after;
        received.extend_from_slice(chunk);
        let outcome = connection.handle_bytes(now, &mut received);
        for (block, bytes) in connection.take_blocks() {
            assert!(asked.remove(&block), "{block:?} was not asked for");
            assert_eq!(u32::try_from(bytes.len()), Ok(block.len()));
        }
        for fact in connection.take_facts() {
            if let Fact::Rejected(block) | Fact::Returned(block) = fact {
                asked.remove(&block);
            }
        }
        while let Some(block) = connection.next_upload() {
            connection.handle_unavailable(block);
        }
        let mut sent = BytesMut::from(&connection.take_out(now)[..]);
        let mut decoder = Decoder::new(Limits::default());
        while decoder
            .decode(&mut sent)
            .is_ok_and(|message| message.is_some())
        {}
        assert!(sent.is_empty(), "what was sent is not messages");
        if outcome.is_err() {
            break;
        }
    }
}

fn block(geometry: &Geometry, byte: u8) -> BlockRef {
    let piece = u32::from(byte & 7);
    let number = u32::from(byte >> 3 & 1);
    let piece = geometry.piece(piece).ok();
    piece
        .and_then(|piece| geometry.nth_block(piece, number))
        .unwrap_or_else(|| unreachable!("every piece has two blocks"))
}

/// Room for five pieces.
#[derive(Debug, Default)]
struct Shelf(BTreeSet<PieceIndex>);

impl Space for Shelf {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        if self.0.len() >= 5 {
            return Err(Full);
        }
        self.0.insert(piece);
        Ok(Vec::new())
    }

    fn release(&mut self, piece: PieceIndex) {
        self.0.remove(&piece);
    }
}

/// A torrent is told anything in any order. Its tables must agree with each other after every step, and nobody may be
/// asked twice for a block that is on its way from it.
pub fn torrent(data: &[u8]) {
    let geometry = geometry();
    let mut now = epoch();
    let config = Config {
        max_peers: 5,
        upload_slots: 2,
        ..Config::new(InfoHash::new([1; 20]), PeerId::new([9; 20]))
    };
    let have = Bitfield::none(&geometry);
    let mut engine = Engine::new(config, geometry, have, Shelf::default());
    let mut keys: Vec<PeerKey> = Vec::new();
    let mut asked: BTreeSet<(PeerKey, BlockRef)> = BTreeSet::new();
    for pair in data.chunks_exact(2) {
        let (step, byte) = (pair[0], pair[1]);
        let block = block(&geometry, byte);
        let piece = block.piece();
        let key = keys
            .get(usize::from(step >> 5) % keys.len().max(1))
            .copied();
        match (step & 31, key) {
            (0, _) => {
                let new = NewPeer {
                    addr: SocketAddr::from(([10, 0, 0, byte], 6881)),
                    id: PeerId::new([byte; 20]),
                    direction: if step & 32 == 0 {
                        Direction::Incoming
                    } else {
                        Direction::Outgoing
                    },
                    fast: step & 64 == 0,
                };
                keys.extend(engine.handle_connected(now, new));
            }
            (1, _) => {
                now += Duration::from_millis(u64::from(byte) * 100);
                engine.handle_timeout(now);
            }
            (2, _) => engine.handle_verdict(now, piece, &Verdict::Valid),
            (3, _) => engine.handle_verdict(now, piece, &Verdict::Invalid(vec![0, 1])),
            (4, _) => engine.handle_evicted(now, piece),
            (5, _) => engine.halt(if byte & 1 == 0 {
                Halt::Paused
            } else {
                Halt::Storage
            }),
            (6, _) => engine.resume(now),
            (7, _) => engine.handle_lost(&[block]),
            (8, _) => {
                let priority = if byte & 64 == 0 {
                    Priority::Skip
                } else {
                    Priority::High
                };
                engine.set_priorities(now, [(piece, priority)]);
            }
            (9, _) => {
                let addr = SocketAddr::from(([10, 0, 1, byte], 6881));
                engine.handle_candidates(now, Source::Tracker, &[addr]);
            }
            (10, Some(key)) => engine.handle_closed(now, key),
            (11, Some(key)) => engine.handle_misbehaviour(now, key),
            (12, _) => engine.handle_digests(now, piece, &[0, u64::from(byte)]),
            (step, Some(key)) => {
                if let Fact::Block(block) | Fact::Returned(block) | Fact::Rejected(block) =
                    fact(step, block, &geometry)
                {
                    asked.remove(&(key, block));
                }
                engine.handle_facts(
                    now,
                    key,
                    [10, 0, 0, byte].into(),
                    [fact(step, block, &geometry)],
                );
            }
            _ => {}
        }
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Command {
                    peer,
                    command: Command::Request(block),
                } => {
                    assert!(asked.insert((peer, block)), "{block:?} is asked for twice");
                }
                Output::Command {
                    peer,
                    command: Command::Cancel(block),
                } => {
                    asked.remove(&(peer, block));
                }
                Output::Disconnect { peer, .. } => asked.retain(|(key, _)| *key != peer),
                _ => {}
            }
        }
        engine.check_invariants();
    }
}

fn fact(step: u8, block: BlockRef, geometry: &Geometry) -> Fact {
    let piece = block.piece();
    match step {
        13 => Fact::Unchoked,
        14 => Fact::Choked,
        15 => Fact::Bitfield(Bitfield::all(geometry)),
        16 => Fact::Have(piece),
        17 => Fact::DontHave(piece),
        18 => Fact::Interested,
        19 => Fact::NotInterested,
        20 => Fact::Returned(block),
        21 => Fact::Rejected(block),
        22 => Fact::AllowedFast(piece),
        23 => Fact::Uploaded(1),
        24 => Fact::Redundant(1),
        _ => Fact::Block(block),
    }
}

/// Resume data that is read is written the same.
pub fn resume(data: &[u8]) {
    if let Ok(read) = ResumeData::from_bytes(data) {
        assert_eq!(ResumeData::from_bytes(&read.to_bytes()), Ok(read));
    }
}
