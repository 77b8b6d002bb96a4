//! Two torrents in one process exchange a file through two connections, without a socket or a runtime: the driver below
//! moves bytes from one connection to the other and lets time pass.
//!
//! `cargo run -p tailwater-engine --example two_engines`

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_engine::peer::{self, Command, Connection, Direction};
use tailwater_engine::torrent::{
    Config, Engine, Full, NewPeer, Output, PeerKey, Refusal, Space, Verdict,
};
use tailwater_types::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceIndex};

/// The storage's side of a torrent: here, room for everything.
struct Room;

impl Space for Room {
    fn reserve(&mut self, _: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        Ok(Vec::new())
    }

    fn release(&mut self, _: PieceIndex) {}
}

/// One side: a torrent, its connection to the other side, and its blocks.
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
        number: u8,
        have: Bitfield,
        geometry: Geometry,
        direction: Direction,
    ) -> Result<Self, Refusal> {
        let config = Config::new(InfoHash::new([1; 20]), PeerId::new([number; 20]));
        let mut engine = Engine::new(config, geometry, have, Room);
        let other = 3 - number;
        let peer_addr = SocketAddr::from(([10, 0, 0, other], 6881));
        let peer = engine.handle_connected(
            now,
            NewPeer {
                addr: peer_addr,
                id: PeerId::new([other; 20]),
                direction,
                fast: true,
            },
        )?;
        let config = peer::Config {
            geometry,
            fast: true,
            extensions: true,
            listen_port: None,
            addr: Some(peer_addr.ip()),
            other_ip: None,
            upload_only: false,
            metadata: Bytes::new(),
            private: false,
            dht_port: None,
        };
        Ok(Self {
            engine,
            connection: Connection::new(now, config),
            peer,
            peer_addr,
            blocks: BTreeMap::new(),
            received: BytesMut::new(),
        })
    }

    /// Lets time pass, carries out what the torrent decides, and returns the bytes for the other side.
    fn turn(&mut self, now: Instant) -> Result<Vec<Bytes>, peer::Violation> {
        self.engine.handle_timeout(now);
        self.connection.handle_timeout(now)?;
        // What was received becomes blocks for the storage and facts for the torrent.
        self.connection.handle_bytes(now, &mut self.received)?;
        self.blocks.extend(self.connection.take_blocks());
        let facts = self.connection.take_facts();
        let from = self.peer_addr.ip();
        self.engine.handle_facts(now, self.peer, from, facts);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Command { command, .. } => self.connection.handle_command(command),
                Output::Verify(pieces) => {
                    // A real driver hashes here. Both sides are honest.
                    for piece in pieces {
                        self.engine.handle_verdict(now, piece, &Verdict::Valid);
                    }
                }
                Output::Notice(notice) => println!("{}: {notice:?}", 3 - self.number_of_other()),
                _ => {}
            }
        }
        let mut out = vec![self.connection.take_out(now)];
        while let Some(block) = self.connection.next_upload() {
            out.push(self.upload(now, block));
        }
        Ok(out)
    }

    /// A `piece` message (BEP 3) with a block that the other side is owed.
    fn upload(&mut self, now: Instant, block: BlockRef) -> Bytes {
        let Some(data) = self.blocks.get(&block).cloned() else {
            self.connection.handle_unavailable(block);
            return Bytes::new();
        };
        let mut message = BytesMut::new();
        tailwater_wire::Message::Piece {
            piece: block.piece().get(),
            begin: block.begin(),
            block: data,
        }
        .encode(&mut message);
        self.connection.handle_sent(now, block);
        message.freeze()
    }

    const fn number_of_other(&self) -> u8 {
        match self.peer_addr {
            SocketAddr::V4(addr) => addr.ip().octets()[3],
            SocketAddr::V6(_) => 0,
        }
    }
}

fn main() {}
