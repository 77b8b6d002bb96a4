//! The choice of blocks.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use tailwater_engine::peer::{Direction, Fact};
use tailwater_engine::torrent::{Config, ConnectionKind, Engine, Full, NewPeer, PeerKey, Space};
use tailwater_types::{Bitfield, Geometry, InfoHash, PeerId, PieceIndex};

use crate::Run;

const PIECES: u32 = 100_000;
const PEERS: u8 = 200;

/// There is room for everything.
struct Room;

impl Space for Room {
    fn reserve(&mut self, _: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        Ok(Vec::new())
    }

    fn release(&mut self, _: PieceIndex) {}
}

struct Torrent {
    now: Instant,
    geometry: Geometry,
    engine: Engine<Room>,
    peers: Vec<(PeerKey, SocketAddr)>,
}

impl Torrent {
    /// A torrent of 100 000 pieces of 1 MiB with 200 peers that choke us, each of which has a half of them.
    fn new() -> Self {
        let geometry =
            Geometry::new(u64::from(PIECES) << 20, 1 << 20).expect("the sizes are in range");
        let mut config = Config::new(InfoHash::new([1; 20]), PeerId::new([2; 20]));
        config.max_peers = usize::from(PEERS);
        let engine = Engine::new(config, geometry.clone(), Bitfield::none(&geometry), Room);
        let mut torrent = Self {
            now: Instant::now(),
            geometry,
            engine,
            peers: Vec::new(),
        };
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..PEERS {
            torrent.connect(number, &mut random);
        }
        torrent.drain();
        torrent
    }

    fn connect(&mut self, number: u8, random: &mut fastrand::Rng) {
        let addr = SocketAddr::from(([10, 0, number, 1], 6881));
        let new = NewPeer {
            addr,
            id: PeerId::new([number.wrapping_add(10); 20]),
            direction: Direction::Outgoing,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let key = self
            .engine
            .handle_connected(self.now, new)
            .expect("there is room");
        let bytes: Vec<u8> = (0..PIECES / 8).map(|_| random.u8(..)).collect();
        let bits = Bitfield::from_bytes(&self.geometry, &bytes).expect("it has the right length");
        self.engine
            .handle_facts(self.now, key, addr.ip(), [Fact::Bitfield(bits)]);
        self.peers.push((key, addr));
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            black_box(output);
        }
    }
}

/// 200 peers unchoke us one after the other, and each is asked for as many blocks as it gets at first.
pub(crate) fn pick() -> Run {
    let mut torrent = Torrent::new();
    Box::new(move || {
        for (key, addr) in torrent.peers.clone() {
            torrent
                .engine
                .handle_facts(torrent.now, key, addr.ip(), [Fact::Unchoked]);
        }
        torrent.drain();
        Box::new(torrent)
    })
}

/// Each of 200 peers says that it has ten pieces more.
pub(crate) fn have() -> Run {
    let mut torrent = Torrent::new();
    let mut random = fastrand::Rng::with_seed(2);
    let mut facts = Vec::new();
    for (key, addr) in torrent.peers.clone() {
        for _ in 0..10 {
            let piece = torrent
                .geometry
                .piece(random.u32(..PIECES))
                .expect("it is in range");
            facts.push((key, addr, Fact::Have(piece)));
        }
    }
    Box::new(move || {
        for (key, addr, fact) in facts {
            torrent
                .engine
                .handle_facts(torrent.now, key, addr.ip(), [fact]);
        }
        torrent.drain();
        Box::new(torrent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_engine::peer::Command;
    use tailwater_engine::torrent::Output;

    #[test]
    fn as_many_blocks_are_picked_as_the_case_says() {
        let mut torrent = Torrent::new();
        for (key, addr) in torrent.peers.clone() {
            let unchoked = [Fact::Unchoked];
            let now = torrent.now;
            torrent.engine.handle_facts(now, key, addr.ip(), unchoked);
        }
        let mut picked = 0;
        while let Some(output) = torrent.engine.poll_output() {
            let is_request = |command: &Command| matches!(command, Command::Request(_));
            if matches!(output, Output::Command { ref command, .. } if is_request(command)) {
                picked += 1;
            }
        }
        let mut cases = crate::cases().into_iter();
        let case = cases.find(|case| case.name() == "picker-pick");
        assert_eq!(case.map(|case| case.operations()), Some(picked));
    }
}
