//! Files that begin with a piece of their own each (BEP 52): what requests, priorities and readers do at their borders.

use super::*;

const PIECE: u32 = 32_768;
const FILM: ReaderKey = ReaderKey::new(1);

/// Lengths of files. Their last pieces have a part of a block, a byte, all blocks, and a block and a bit.
const FILES: [u64; 4] = [100_000, 1, 65_536, 50_000];

/// The pieces of each.
const PIECES: [Range<u32>; 4] = [0..4, 4..5, 5..7, 7..9];

/// Where a file lies in the torrent.
fn range(file: usize) -> Range<u64> {
    let start = u64::from(PIECES[file].start) * u64::from(PIECE);
    start..start + FILES[file]
}

fn bench(on_demand: bool) -> Bench {
    let config = Config {
        on_demand,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let geometry = Geometry::aligned(FILES, PIECE).unwrap();
    Bench::of(config, geometry, 100, Bitfield::none)
}

impl Bench {
    fn set_file_priority(&mut self, file: usize, priority: Priority) {
        let range = range(file);
        let pieces = self.geometry.pieces_in(range.start, range.end);
        let priorities = pieces.map(|piece| (piece, priority));
        self.engine.set_priorities(self.now, priorities);
        self.drain();
    }

    /// The peer sends everything it is asked for, until nothing is asked any more. Returns the blocks, as asked for.
    fn send_all(&mut self, key: PeerKey) -> Vec<BlockRef> {
        let mut sent = Vec::new();
        loop {
            let blocks = self.requests(key);
            if blocks.is_empty() {
                return sent;
            }
            self.now += Duration::from_millis(10);
            self.deliver(key, &blocks);
            sent.extend(blocks);
            for piece in std::mem::take(&mut self.verify) {
                self.engine.space.settled.insert(piece);
                self.engine.handle_verdict(self.now, piece, &Verdict::Valid);
            }
            self.drain();
        }
    }

    fn pieces_held(&self) -> Vec<u32> {
        let have = self.engine.have();
        let held = self.geometry.pieces().filter(|piece| have.has(*piece));
        held.map(PieceIndex::get).collect()
    }
}

fn numbers(blocks: &[BlockRef]) -> Vec<u32> {
    let mut pieces: Vec<_> = blocks.iter().map(|block| block.piece().get()).collect();
    pieces.dedup();
    pieces
}

#[test]
fn each_block_is_requested_as_long_as_its_piece_has_bytes() {
    let mut bench = bench(false);
    let seed = bench.seed(1);
    let mut sent = bench.send_all(seed);
    assert!(bench.engine.is_complete());
    assert_eq!(bench.notes.last(), Some(&Notice::Completed));
    sent.sort_by_key(|block| (block.piece(), block.offset()));
    let geometry = bench.geometry.clone();
    let all = geometry.pieces().flat_map(|piece| geometry.blocks(piece));
    assert_eq!(sent, all.collect::<Vec<_>>());
    let bytes: u64 = sent.iter().map(|block| u64::from(block.len())).sum();
    assert_eq!(bytes, FILES.iter().sum());
    let stats = bench.engine.stats(bench.now);
    assert_eq!((stats.bytes_total, stats.downloaded), (bytes, bytes));
}

#[test]
fn a_file_that_is_skipped_costs_its_neighbours_nothing() {
    for skipped in 0..FILES.len() {
        let mut bench = bench(false);
        bench.set_file_priority(skipped, Priority::Skip);
        let seed = bench.seed(1);
        let sent = bench.send_all(seed);
        let others: Vec<_> = (0..9).filter(|it| !PIECES[skipped].contains(it)).collect();
        assert_eq!(bench.pieces_held(), others);
        let bytes: u64 = sent.iter().map(|block| u64::from(block.len())).sum();
        assert_eq!(bytes, FILES.iter().sum::<u64>() - FILES[skipped]);
        // It is fetched when it is wanted again. The first seed had nothing more to give.
        bench.set_file_priority(skipped, Priority::Normal);
        let again = bench.seed(2);
        let mut sent = numbers(&bench.send_all(again));
        sent.sort_unstable();
        assert_eq!(sent, PIECES[skipped].clone().collect::<Vec<_>>());
        assert!(bench.engine.is_complete());
    }
}

#[test]
fn a_file_of_high_priority_is_requested_before_its_neighbours() {
    for (file, pieces) in PIECES.into_iter().enumerate() {
        let mut bench = bench(false);
        bench.set_file_priority(file, Priority::High);
        let seed = bench.seed(1);
        let mut first = numbers(&bench.requests(seed));
        first.truncate(pieces.len());
        first.sort_unstable();
        assert_eq!(first, pieces.collect::<Vec<_>>());
    }
}

#[test]
fn a_reader_fetches_its_file_in_order_and_nothing_beyond_its_borders() {
    for (file, pieces) in PIECES.into_iter().enumerate() {
        let mut bench = bench(true);
        let seed = bench.seed(1);
        let config = ReaderConfig {
            file,
            bounds: range(file),
            cursor: range(file).start,
            lookbehind: Lookbehind::Share,
            duration: None,
        };
        bench.engine.handle_reader_opened(bench.now, FILM, config);
        bench.drain();
        let came = numbers(&bench.send_all(seed));
        assert_eq!(came, pieces.clone().collect::<Vec<_>>());
        let window = bench.engine.space.windows[&FILM].clone();
        assert_eq!(
            window,
            range(file),
            "it ends with the file, not with the piece"
        );
        assert!(
            bench
                .engine
                .space
                .pins
                .iter()
                .all(|pin| { range(file).start <= pin.start && pin.end <= range(file).end })
        );
        // It reads to the end, which is no byte of a piece.
        let update = ReaderUpdate {
            cursor: range(file).end,
            consumed: FILES[file],
            seeked: false,
            waiting: false,
        };
        bench.engine.handle_reader(bench.now, FILM, update);
        bench.drain();
        assert_eq!(bench.send_all(seed), [], "nothing of the next file");
        let window = bench.engine.space.windows[&FILM].clone();
        assert!(range(file).start <= window.start && window.end == range(file).end);
        assert_eq!(bench.pieces_held(), pieces.collect::<Vec<_>>());
    }
}
