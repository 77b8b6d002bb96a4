//! Two torrents in one process exchange a file through two connections, without a socket or a runtime: this driver moves
//! bytes from one connection to the other and lets time pass.
//!
//! `cargo run -p tailwater-engine --example two_engines`

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_engine::peer::{self, Connection, Direction, Violation};
use tailwater_engine::torrent::{
    Config, ConnectionKind, Engine, Full, NewPeer, Output, PeerKey, Refusal, Space, Verdict,
};
use tailwater_types::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceIndex};
use tailwater_wire::Message;

/// What a torrent needs of its storage: here, there is room for everything.
struct Room;

impl Space for Room {
    fn reserve(&mut self, _: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        Ok(Vec::new())
    }

    fn release(&mut self, _: PieceIndex) {}
}

/// One side: a torrent, its connection to the other side, and the blocks that it holds.
struct Node {
    engine: Engine<Room>,
    connection: Connection,
    peer: PeerKey,
    peer_addr: SocketAddr,
    blocks: BTreeMap<BlockRef, Bytes>,
    received: BytesMut,
}

impl Node {
    fn new(
        now: Instant,
        [own, other]: [u8; 2],
        direction: Direction,
        have: Bitfield,
        geometry: &Geometry,
    ) -> Result<Self, Refusal> {
        let config = Config::new(InfoHash::new([1; 20]), PeerId::new([own; 20]));
        let mut engine = Engine::new(config, geometry.clone(), have, Room);
        let peer_addr = SocketAddr::from(([10, 0, 0, other], 6881));
        let new = NewPeer {
            addr: peer_addr,
            id: PeerId::new([other; 20]),
            direction,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let config = peer::Config {
            geometry: geometry.clone(),
            fast: true,
            extensions: true,
            listen_port: None,
            addr: Some(peer_addr.ip()),
            other_ip: None,
            upload_only: false,
            metadata: Bytes::new(),
            private: false,
            dht_port: None,
            hashes: None,
        };
        Ok(Self {
            peer: engine.handle_connected(now, new)?,
            engine,
            connection: Connection::new(now, config),
            peer_addr,
            blocks: BTreeMap::new(),
            received: BytesMut::new(),
        })
    }

    /// Handles what was received, carries out what the torrent decides, and says what is to be sent.
    fn turn(&mut self, now: Instant) -> Result<BytesMut, Violation> {
        self.connection.handle_bytes(now, &mut self.received)?;
        self.connection.handle_timeout(now)?;
        // Blocks go to the storage; the torrent is told of them by facts.
        self.blocks.extend(self.connection.take_blocks());
        let facts = self.connection.take_facts();
        self.engine
            .handle_facts(now, self.peer, self.peer_addr.ip(), facts);
        self.engine.handle_timeout(now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Command { command, .. } => self.connection.handle_command(command),
                // A real driver checks the hashes here. Both sides are honest.
                Output::Verify(pieces) => {
                    for piece in pieces {
                        self.engine.handle_verdict(now, piece, &Verdict::Valid);
                    }
                }
                Output::Notice(notice) => println!("{notice:?}"),
                _ => {}
            }
        }
        let mut out = BytesMut::from(&self.connection.take_out(now)[..]);
        while let Some(block) = self.connection.next_upload() {
            match self.blocks.get(&block) {
                Some(data) => {
                    let message = Message::Piece {
                        index: block.piece().get(),
                        begin: block.offset(),
                        data: data.clone(),
                    };
                    message.encode(&mut out);
                    self.connection.handle_sent(now, block);
                }
                None => self.connection.handle_unavailable(block),
            }
        }
        Ok(out)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "machines only compare times: any beginning will do"
)]
fn beginning() -> Instant {
    Instant::now()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut now = beginning();
    let geometry = Geometry::new(1_000_000, 65_536)?;
    let (all, none) = (Bitfield::all(&geometry), Bitfield::none(&geometry));
    let mut seed = Node::new(now, [1, 2], Direction::Incoming, all, &geometry)
        .map_err(|refusal| refusal.to_string())?;
    let mut leech = Node::new(now, [2, 1], Direction::Outgoing, none, &geometry)
        .map_err(|refusal| refusal.to_string())?;
    for block in geometry.pieces().flat_map(|piece| geometry.blocks(piece)) {
        let data = vec![7; usize::try_from(block.len())?];
        seed.blocks.insert(block, data.into());
    }
    for _ in 0..1_000 {
        if leech.engine.is_complete() {
            println!("{:#?}", leech.engine.stats(now));
            return Ok(());
        }
        now += Duration::from_millis(10);
        let to_seed = leech.turn(now)?;
        let to_leech = seed.turn(now)?;
        seed.received.extend_from_slice(&to_seed);
        leech.received.extend_from_slice(&to_leech);
    }
    Err("the download did not end".into())
}
