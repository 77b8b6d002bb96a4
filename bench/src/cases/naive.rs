//! What is obvious to write, for the same inputs: the yardstick of the cases beside it.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use crate::Run;

const PIECES: usize = 100_000;
const PEERS: usize = 200;
/// Blocks of a piece, and how many of them a peer is asked for when it unchokes us.
const BLOCKS: usize = 64;
const ASKED: usize = 16;
const BLOCK: usize = 16 * 1024;

/// A picker that looks at every piece whenever it needs a new one, and the pieces that each peer has.
struct Picker {
    availability: Vec<u32>,
    begun: Vec<bool>,
    /// The pieces with blocks that no peer was asked for, and how many those are.
    open: Vec<(usize, usize)>,
    peers: Vec<Vec<bool>>,
}

impl Picker {
    fn new() -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let mut picker = Self {
            availability: vec![0; PIECES],
            begun: vec![false; PIECES],
            open: Vec::new(),
            peers: Vec::new(),
        };
        for _ in 0..PEERS {
            let has: Vec<bool> = (0..PIECES).map(|_| random.bool()).collect();
            for (count, has) in picker.availability.iter_mut().zip(&has) {
                *count += u32::from(*has);
            }
            picker.peers.push(has);
        }
        picker
    }

    /// The piece of the next block that a peer is asked for: one that is begun, or else the rarest.
    fn next_block(&mut self, peer: usize) -> Option<usize> {
        let has = &self.peers[peer];
        if let Some(at) = self.open.iter().position(|(piece, _)| has[*piece]) {
            let (piece, left) = &mut self.open[at];
            let piece = *piece;
            *left -= 1;
            if *left == 0 {
                self.open.swap_remove(at);
            }
            return Some(piece);
        }
        let fits = |piece: &usize| has[*piece] && !self.begun[*piece];
        let rarest = (0..PIECES)
            .filter(fits)
            .min_by_key(|piece| self.availability[*piece])?;
        self.begun[rarest] = true;
        self.open.push((rarest, BLOCKS - 1));
        Some(rarest)
    }
}

/// As `picker-pick`, by a full scan for each new piece.
pub(crate) fn pick() -> Run {
    let mut picker = Picker::new();
    Box::new(move || {
        for peer in 0..PEERS {
            for _ in 0..ASKED {
                black_box(picker.next_block(peer)).expect("there are pieces left");
            }
        }
        Box::new(picker)
    })
}

/// As `picker-have`, where nothing is kept in order.
pub(crate) fn have() -> Run {
    let mut picker = Picker::new();
    let mut random = fastrand::Rng::with_seed(2);
    let facts: Vec<_> = (0..PEERS)
        .flat_map(|peer| std::iter::repeat_n(peer, 10))
        .map(|peer| (peer, random.usize(..PIECES)))
        .collect();
    Box::new(move || {
        for (peer, piece) in facts {
            if !std::mem::replace(&mut picker.peers[peer][piece], true) {
                picker.availability[piece] += 1;
            }
        }
        Box::new(picker)
    })
}

/// A storage that is a map of blocks.
type Map = HashMap<(usize, usize), Arc<[u8]>>;

fn filled() -> Map {
    let block: Arc<[u8]> = Arc::from(vec![0x5a; BLOCK]);
    let places = (0..8).flat_map(|piece| (0..BLOCKS).map(move |number| (piece, number)));
    places.map(|place| (place, Arc::from(&block[..]))).collect()
}

/// As `storage-write`: the blocks of one piece go, and those of another come.
pub(crate) fn write() -> Run {
    let mut map = filled();
    let data = vec![0x5a; BLOCK];
    Box::new(move || {
        for number in 0..BLOCKS {
            black_box(map.remove(&(0, number)));
        }
        for number in 0..BLOCKS {
            map.insert((8, number), Arc::from(&data[..]));
        }
        Box::new(map)
    })
}

/// As `storage-read`.
pub(crate) fn read() -> Run {
    let map = filled();
    Box::new(move || {
        for number in 0..BLOCKS {
            black_box(map.get(&(0, number)).cloned());
        }
        Box::new(map)
    })
}
