//! The bodies of the fuzz targets: bytes become a peer's messages, or a sequence of calls.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use sha1::{Digest, Sha1};
use tailwater_metainfo::merkle::PieceLayers;
use tailwater_metainfo::{
    Bitfield, BlockRef, Geometry, Info, InfoHash, Metainfo, PeerId, PieceIndex,
};
use tailwater_wire::{Decoder, Holepunch, HolepunchError, Limits, PexFlags, PexMessage, PexPeer};

use crate::metadata::link::{Fact as LinkFact, Link, LinkConfig};
use crate::metadata::{self, Fetcher, LinkKey};
use crate::peer::{self, Command, Connection, Direction, Fact, HashQuery, Hello};
use crate::torrent::{
    BlockDigest, Config, ConnectionKind, Engine, Full, Halt, NewPeer, Output, PeerKey, PeerSource,
    Priority, Space, Verdict, WebSeedId,
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

/// Gives a connection commands and bytes. Only requested blocks may come out of it, each once, and what it sends must
/// be messages.
pub fn connection(data: &[u8]) {
    let Some((&head, mut rest)) = data.split_first() else {
        return;
    };
    let geometry = geometry();
    let now = epoch();
    let config = peer::Config {
        geometry: geometry.clone(),
        fast: head & 1 == 1,
        extensions: head & 2 == 2,
        listen_port: Some(6881),
        addr: None,
        other_ip: None,
        upload_only: false,
        metadata: bytes::Bytes::new(),
        private: false,
        dht_port: None,
        hashes: (head & 4 == 4).then(layers),
    };
    let missing = config.hashes.iter().flat_map(PieceLayers::missing).next();
    let query = missing.map(|chunk| HashQuery {
        root: chunk.root,
        range: chunk.range,
    });
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
            5 => query.into_iter().for_each(|query| {
                connection.handle_command(Command::RequestHashes(query));
            }),
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
            match fact {
                Fact::Rejected(block) | Fact::Returned(block) => {
                    asked.remove(&block);
                }
                // No fuzzer finds hashes with this root.
                Fact::Hashes(..) | Fact::Leaves(..) => unreachable!("false hashes were taken"),
                _ => {}
            }
        }
        while let Some(block) = connection.next_upload() {
            connection.handle_unavailable(block);
        }
        while connection.next_leaves().is_some() {
            connection.handle_leaves(None);
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

/// Nothing is known of the hashes of a file of 600 pieces.
fn layers() -> PieceLayers {
    let mut info = b"d9:file treed1:fd0:d6:lengthi9830400e11:pieces root32:".to_vec();
    info.extend_from_slice(&[7; 32]);
    info.extend_from_slice(b"eee12:meta versioni2e4:name1:f12:piece lengthi16384ee");
    let Ok(info) = Info::from_bytes(&info) else {
        unreachable!("it is an info dictionary");
    };
    let metainfo = Metainfo::from_info(info, Vec::new(), Vec::new());
    metainfo.piece_layers().clone()
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

    fn verify_together(&self) -> usize {
        4
    }
}

/// Calls a torrent's state machine in any order. Its tables must agree with each other after every step, and no peer
/// may be asked twice for a block that is on its way from it.
pub fn torrent(data: &[u8]) {
    let geometry = geometry();
    let config = Config {
        max_peers: 5,
        upload_slots: 2,
        super_seeding: true,
        ..Config::new(InfoHash::new([1; 20]), PeerId::new([9; 20]))
    };
    // Super-seeding begins with everything.
    let have = match data.len() % 2 {
        0 => Bitfield::none(&geometry),
        _ => Bitfield::all(&geometry),
    };
    let mut trial = Trial {
        now: epoch(),
        geometry: geometry.clone(),
        engine: Engine::new(config, geometry, have, Shelf::default()),
        keys: Vec::new(),
        asked: BTreeSet::new(),
    };
    for pair in data.chunks_exact(2) {
        trial.step(pair[0], pair[1]);
        trial.drain();
        trial.engine.check_invariants();
    }
}

struct Trial {
    now: Instant,
    geometry: Geometry,
    engine: Engine<Shelf>,
    keys: Vec<PeerKey>,
    asked: BTreeSet<(PeerKey, BlockRef)>,
}

impl Trial {
    /// Five bits of `step` choose the call, three the peer; `byte` is its argument.
    fn step(&mut self, step: u8, byte: u8) {
        let (now, engine) = (self.now, &mut self.engine);
        let block = block(&self.geometry, byte);
        let piece = block.piece();
        let key = self
            .keys
            .get(usize::from(step >> 5) % self.keys.len().max(1))
            .copied();
        match (step & 31, key) {
            (0, _) => {
                let direction = match step & 32 {
                    0 => Direction::Incoming,
                    _ => Direction::Outgoing,
                };
                let new = NewPeer {
                    addr: SocketAddr::from(([10, 0, 0, byte], 6881)),
                    id: PeerId::new([byte; 20]),
                    direction,
                    fast: step & 64 == 0,
                    kind: ConnectionKind::default(),
                };
                self.keys.extend(engine.handle_connected(now, new));
            }
            (1, _) => {
                self.now += Duration::from_millis(u64::from(byte) * 100);
                engine.handle_timeout(self.now);
            }
            (2, _) => engine.handle_verdict(now, piece, &Verdict::Valid),
            (3, _) => engine.handle_verdict(now, piece, &invalid()),
            (4, _) => engine.handle_evicted(now, piece),
            (5, _) if byte & 1 == 0 => engine.halt(Halt::Paused),
            (5, _) => engine.halt(Halt::Storage),
            (6, _) => engine.resume(now),
            (7, _) => engine.handle_lost(&[block]),
            (8, _) if byte & 64 == 0 => engine.set_priorities(now, [(piece, Priority::Skip)]),
            (8, _) => engine.set_priorities(now, [(piece, Priority::High)]),
            (9, _) => {
                let addr = SocketAddr::from(([10, 0, 0, byte], 6881));
                engine.handle_candidates(now, PeerSource::Tracker, &[addr]);
            }
            (29, _) => {
                let id = WebSeedId::new(u32::from(byte & 3));
                self.keys.extend(engine.handle_web_seed(now, id));
            }
            (10, Some(key)) => engine.handle_closed(now, key),
            (11, Some(key)) => engine.handle_misbehaviour(now, key),
            (12, _) if byte & 1 == 1 => {
                engine.handle_connect_failed(now, SocketAddr::from(([10, 0, 0, byte], 6881)));
            }
            (12, _) => engine.handle_digests(now, piece, &[digest(0), digest(byte)]),
            (30, _) => engine.set_super_seeding(now, byte & 1 == 1),
            (step, Some(key)) => {
                let fact = match step {
                    25..29 => neighbourly(step, byte),
                    _ => fact(step, block, &self.geometry),
                };
                if let Fact::Block(block) | Fact::Returned(block) | Fact::Rejected(block) = fact {
                    self.asked.remove(&(key, block));
                }
                engine.handle_facts(now, key, IpAddr::from([10, 0, 0, byte]), [fact]);
            }
            (_, None) => {}
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Command {
                    peer,
                    command: Command::Request(block),
                } => {
                    let first = self.asked.insert((peer, block));
                    assert!(first, "{block:?} is asked for twice");
                }
                Output::Command {
                    peer,
                    command: Command::Cancel(block),
                } => {
                    self.asked.remove(&(peer, block));
                }
                Output::Disconnect { peer, .. } => self.asked.retain(|(key, _)| *key != peer),
                _ => {}
            }
        }
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

/// What peers say of themselves and of each other.
fn neighbourly(step: u8, byte: u8) -> Fact {
    let addr = SocketAddr::from(([10, 0, 0, byte], 6881));
    match step {
        25 => Fact::UploadOnly(byte & 1 == 1),
        26 => Fact::Hello(Hello {
            listen_port: (byte & 1 == 1).then_some(6881),
            upload_only: (byte & 2 == 2).then_some(byte & 4 == 4),
            holepunch: byte & 8 == 0,
            your_ip: (byte & 16 == 16).then_some([9, 9, 9, byte & 1].into()),
            ..Hello::default()
        }),
        27 => Fact::Pex(PexMessage {
            added: vec![PexPeer {
                addr,
                flags: PexFlags::HOLEPUNCH,
            }],
            dropped: Vec::new(),
        }),
        _ => Fact::Holepunch(match byte & 3 {
            0 => Holepunch::Rendezvous(addr),
            1 => Holepunch::Error {
                addr,
                error: HolepunchError::NotConnected,
            },
            _ => Holepunch::Connect(addr),
        }),
    }
}

/// Calls a metadata fetcher in any order (odd first byte), or gives a fetch's connection any bytes (even).
pub fn metadata(data: &[u8]) {
    match data.split_first() {
        Some((head, rest)) if head & 1 == 1 => fetcher(rest),
        Some((_, rest)) => metadata_link(rest),
        None => {}
    }
}

/// No peer is asked twice for a block that it owes, nor after it was dropped, and only the truth is ever the result.
fn fetcher(data: &[u8]) {
    // Three blocks, the last one short. What a liar sends has the right length.
    let truth = [vec![1; 16_384], vec![2; 16_384], vec![3; 99]];
    let len = 2 * 16_384 + 99;
    let mut now = epoch();
    let mut fetcher = Fetcher::new(InfoHash::new(Sha1::digest(truth.concat()).into()).into());
    let mut owed = BTreeSet::new();
    let mut is_complete = false;
    for pair in data.chunks_exact(2) {
        let (step, byte) = (pair[0], pair[1]);
        let (key, block) = (LinkKey(u64::from(step >> 3)), u32::from(byte & 3));
        let honest = truth.get(block as usize);
        let ip = IpAddr::from([10, 0, 0, step >> 4]);
        match step & 7 {
            0 => fetcher.handle_size(now, key, ip, len),
            1 => fetcher.handle_size(now, key, ip, u32::from(byte) << 17 | 7),
            2 | 3 => {
                owed.remove(&(key, block));
                let honest = honest.map_or(&[][..], |block| block);
                fetcher.handle_data(now, key, block, None, honest);
            }
            4 => {
                owed.remove(&(key, block));
                let lie = vec![byte; honest.map_or(1, Vec::len)];
                fetcher.handle_data(now, key, block, Some(len), &lie);
            }
            5 => {
                owed.remove(&(key, block));
                fetcher.handle_reject(now, key, block);
            }
            6 => {
                owed.retain(|(of, _)| *of != key);
                fetcher.handle_closed(now, key);
            }
            _ => {
                now += Duration::from_millis(u64::from(byte) * 100);
                fetcher.handle_timeout(now);
            }
        }
        fetcher.check_invariants();
        while let Some(output) = fetcher.poll_output() {
            assert!(!is_complete, "something comes after the metadata");
            match output {
                metadata::Output::Request { peer, block } => {
                    assert!(owed.insert((peer, block)), "{block} is asked for twice");
                }
                metadata::Output::Drop { peer, .. } => {
                    owed.retain(|(of, _)| *of != peer);
                }
                metadata::Output::Complete(bytes) => {
                    assert!(bytes == truth.concat(), "something else has its hash");
                    is_complete = true;
                }
            }
        }
    }
}

/// What a connection sends are messages, and what it reports fits the limits of the wire.
fn metadata_link(data: &[u8]) {
    let now = epoch();
    let config = LinkConfig {
        fast: true,
        listen_port: Some(6881),
    };
    let mut link = Link::new(now, config);
    let mut received = BytesMut::new();
    for chunk in data.chunks(97) {
        received.extend_from_slice(chunk);
        let outcome = link.handle_bytes(now, &mut received);
        for fact in link.take_facts() {
            if let LinkFact::Data { data, .. } = fact {
                assert!(data.len() <= 16_384);
            }
        }
        link.request(7);
        let mut sent = link.take_out(now);
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

fn digest(byte: u8) -> BlockDigest {
    BlockDigest::new([byte; 8])
}

fn invalid() -> Verdict {
    Verdict::Invalid {
        block_digests: vec![digest(0), digest(1)],
    }
}
