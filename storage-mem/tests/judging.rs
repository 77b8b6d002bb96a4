//! Blocks that are judged one by one (BEP 52), against a naive model: what is stored, what can be read, and what the budget
//! counts, whatever is done in which order.

#![cfg(not(loom))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "there are few pieces and blocks; what cannot go wrong in a test ends it"
)]

use proptest::prelude::*;
use tailwater_storage::conformance::TestTorrent;
use tailwater_storage_mem::{Config, Error, Lease, MemoryStorage, TorrentHandle, Verdict, Written};
use tailwater_types::{BlockRef, PieceIndex};

/// Pieces of two blocks, in files that are longer than a piece.
const PIECES: [u32; 3] = [0, 1, 8];
/// Room for two of them.
const BUDGET: u64 = 4 * 16_384;

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    Write { block: usize, is_right: bool },
    Learn,
    Judge,
    Read { block: usize },
    Verify,
    Release,
    Evict,
    DropLeases,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        3 => Just(Step::Reserve),
        6 => (0..2usize, prop::bool::weighted(0.7))
            .prop_map(|(block, is_right)| Step::Write { block, is_right }),
        1 => Just(Step::Learn),
        2 => Just(Step::Judge),
        4 => (0..2usize).prop_map(|block| Step::Read { block }),
        3 => Just(Step::Verify),
        1 => Just(Step::Release),
        1 => Just(Step::Evict),
        1 => Just(Step::DropLeases),
    ];
    (0..PIECES.len(), step)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Missing,
    Unjudged { is_right: bool },
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Partial([Block; 2]),
    Verified,
}

struct World {
    torrent: TestTorrent,
    storage: MemoryStorage,
    handle: TorrentHandle,
    states: [State; 3],
    known: [bool; 3],
    leases: Vec<(BlockRef, Lease)>,
}

impl World {
    fn new(is_hybrid: bool) -> Self {
        let torrent = match is_hybrid {
            true => TestTorrent::hybrid(7),
            false => TestTorrent::aligned(7),
        };
        let storage = MemoryStorage::new(Config::new(BUDGET));
        let hashes = torrent.hashes.clone();
        let handle = storage.add_torrent(torrent.geometry(), hashes).unwrap();
        Self {
            torrent,
            storage,
            handle,
            states: [State::Absent; 3],
            known: [false; 3],
            leases: Vec::new(),
        }
    }

    fn piece(&self, at: usize) -> PieceIndex {
        self.torrent.piece(PIECES[at])
    }

    fn block(&self, at: usize, number: usize) -> BlockRef {
        self.torrent.block(PIECES[at], number as u32)
    }

    fn step(&mut self, at: usize, step: Step) {
        let piece = self.piece(at);
        match step {
            Step::Reserve => {
                let reserved = self.storage.reserve(self.handle, piece);
                match (reserved, self.states[at]) {
                    (Ok(_), State::Absent) => {
                        self.states[at] = State::Partial([Block::Missing; 2]);
                    }
                    (Ok(reservation), _) => assert!(!reservation.is_new),
                    (Err(Error::Full { .. }), State::Absent) => {}
                    (other, state) => panic!("{state:?}: {other:?}"),
                }
            }
            Step::Write { block, is_right } => self.write(at, block, is_right),
            Step::Learn if self.known[at] => {}
            Step::Learn => {
                self.torrent.learn_leaves(piece);
                self.known[at] = true;
            }
            Step::Judge => self.judge(at),
            Step::Read { block } => self.read(at, block),
            Step::Verify => self.verify(at),
            Step::Release => {
                let released = self.storage.release(self.handle, piece);
                assert_eq!(
                    released.is_ok(),
                    matches!(self.states[at], State::Partial(_))
                );
                if released.is_ok() {
                    self.states[at] = State::Absent;
                }
            }
            Step::Evict => {
                let evicted = self.storage.evict(self.handle, piece);
                assert_eq!(evicted.is_ok(), self.states[at] == State::Verified);
                if evicted.is_ok() {
                    self.states[at] = State::Absent;
                }
            }
            Step::DropLeases => self.leases.clear(),
        }
        self.check();
    }

    fn write(&mut self, at: usize, number: usize, is_right: bool) {
        let (block, is_known) = (self.block(at, number), self.known[at]);
        let mut data = self.torrent.bytes(block).to_vec();
        data[3] ^= u8::from(!is_right);
        let written = self.storage.write_block(self.handle, block, &data);
        let piece = block.piece().get();
        let expected = match &mut self.states[at] {
            State::Absent => Err(Error::NotReserved { piece }),
            State::Verified => Ok(Written::Duplicate),
            State::Partial(_) if is_known && !is_right => Ok(Written::Wrong),
            State::Partial(blocks) if blocks[number] != Block::Missing => Ok(Written::Duplicate),
            State::Partial(blocks) => {
                blocks[number] = match is_known {
                    true => Block::Right,
                    false => Block::Unjudged { is_right },
                };
                let piece_full = blocks.iter().all(|block| *block != Block::Missing);
                Ok(Written::Stored {
                    piece_full,
                    is_right: is_known,
                })
            }
        };
        assert_eq!(written, expected);
    }

    fn judge(&mut self, at: usize) {
        let judged = self.storage.judge(self.handle, self.piece(at));
        let State::Partial(blocks) = &mut self.states[at] else {
            assert!(judged.is_err());
            return;
        };
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for (number, block) in (0..).zip(blocks).filter(|_| self.known[at]) {
            match *block {
                Block::Unjudged { is_right: true } => {
                    *block = Block::Right;
                    right.push(number);
                }
                Block::Unjudged { is_right: false } => {
                    *block = Block::Missing;
                    wrong.push(number);
                }
                Block::Missing | Block::Right => {}
            }
        }
        let (_, judged) = judged.unwrap();
        assert_eq!((judged.right, judged.wrong), (right, wrong));
    }

    fn read(&mut self, at: usize, number: usize) {
        let block = self.block(at, number);
        let is_whole = self.states[at] == State::Verified;
        assert_eq!(self.storage.read(self.handle, block).is_ok(), is_whole);
        let is_there = match self.states[at] {
            State::Absent => false,
            State::Partial(blocks) => blocks[number] == Block::Right,
            State::Verified => true,
        };
        let read = self.storage.read_judged(self.handle, block);
        assert_eq!(read.is_ok(), is_there);
        self.leases.extend(read.ok().map(|lease| (block, lease)));
    }

    fn verify(&mut self, at: usize) {
        let verdict = self.storage.verify(self.handle, self.piece(at));
        let State::Partial(blocks) = &mut self.states[at] else {
            assert!(verdict.is_err());
            return;
        };
        let missing = blocks.iter().filter(|block| **block == Block::Missing);
        let missing = missing.count() as u32;
        let piece = PIECES[at];
        if missing > 0 {
            assert_eq!(verdict, Err(Error::Incomplete { piece, missing }));
            return;
        }
        let is_valid = !blocks.contains(&Block::Unjudged { is_right: false });
        if is_valid {
            assert_eq!(verdict, Ok(Verdict::Valid));
            self.states[at] = State::Verified;
            return;
        }
        assert!(
            matches!(verdict, Ok(Verdict::Invalid { .. })),
            "{verdict:?}"
        );
        // What was found right by itself stays.
        for block in blocks.iter_mut().filter(|block| **block != Block::Right) {
            *block = Block::Missing;
        }
    }

    /// Leases hold the right bytes whatever has become of their pieces, and the budget counts them once.
    fn check(&self) {
        for (block, lease) in &self.leases {
            assert!(lease[..] == self.torrent.bytes(*block)[..]);
        }
        let stats = self.storage.stats();
        assert!(stats.used <= BUDGET, "{stats:?}");
        let held = self.states.iter().filter(|state| **state != State::Absent);
        let held = held.count() as u64 * 2 * 16_384;
        assert_eq!(stats.verified + stats.partial, held);
    }

    fn end(mut self) {
        for at in 0..PIECES.len() {
            let piece = self.piece(at);
            let _ = self.storage.release(self.handle, piece);
            let _ = self.storage.evict(self.handle, piece);
        }
        let leased = self.storage.stats();
        assert_eq!(leased.detached, leased.leased);
        self.leases.clear();
        let stats = self.storage.stats();
        assert_eq!((stats.leased, stats.verified + stats.partial), (0, 0));
        assert_eq!(stats.used, stats.free_list, "room was lost: {stats:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn blocks_are_judged_as_a_naive_model_says(
        is_hybrid: bool,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(is_hybrid);
        for (at, step) in steps {
            world.step(at, step);
        }
        world.end();
    }
}

/// The other block is fetched again, and no reader of the right one waits for it.
#[test]
fn right_blocks_stay_when_their_piece_is_wrong() {
    for is_hybrid in [false, true] {
        let mut world = World::new(is_hybrid);
        let (wrong, right) = (1, 0);
        let steps = [
            Step::Reserve,
            Step::Write {
                block: wrong,
                is_right: false,
            },
            Step::Learn,
            Step::Write {
                block: right,
                is_right: true,
            },
            Step::Verify,
            Step::Read { block: right },
        ];
        for step in steps {
            world.step(0, step);
        }
        assert_eq!(
            world.states[0],
            State::Partial([Block::Right, Block::Missing])
        );
        assert_eq!(world.leases.len(), 1);
        world.end();
    }
}
