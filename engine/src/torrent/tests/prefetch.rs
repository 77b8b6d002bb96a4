//! What is fetched while no reader waits.

use super::readers::{FILM, PIECE, on_demand};
use super::*;

/// A film whose storage says how much room it has.
fn film(pieces: u64, room: usize) -> Bench {
    let mut bench = on_demand(pieces, room);
    bench.engine.space.tells_unused = true;
    bench
}

impl Bench {
    fn close(&mut self, key: ReaderKey) {
        self.engine.handle_reader_closed(self.now, key);
        self.drain();
    }

    fn prefetch(&mut self) {
        let file = 0..self.geometry.total();
        self.engine.prefetch(self.now, &file);
        self.drain();
    }
}

fn numbers(range: Range<u32>) -> Vec<u32> {
    range.collect()
}

#[test]
fn a_file_that_will_be_read_is_begun_at_both_ends_and_fills_what_is_unused() {
    let mut bench = film(1_000, 100);
    let seed = bench.seed(1);
    assert_eq!(bench.serve(seed), [], "nothing without being told");
    bench.prefetch();
    let came = bench.serve(seed);
    // The first piece, the whole pieces of a sixteenth of the budget at each end, then what follows the beginning.
    let tail: Vec<_> = (994..1_000).rev().collect();
    let order = [vec![0], tail, numbers(1..94)].concat();
    assert_eq!(came, order);
    assert_eq!(
        bench.engine.space.held.len(),
        100,
        "all there is, and no more"
    );
}

#[test]
fn a_reader_comes_before_what_is_prefetched() {
    let mut bench = film(1_000, 200);
    let seed = bench.seed(1);
    bench.prefetch();
    let asked = bench.requests(seed);
    assert!(!asked.is_empty());
    bench.open(FILM);
    let beginning = bench.requests(seed);
    assert!(!beginning.is_empty());
    bench.seek(FILM, 500);
    for block in &beginning {
        assert!(bench.has_sent(seed, &Command::Cancel(*block)));
    }
    assert_eq!(bench.numbers(seed)[..2], [500, 501]);
}

#[test]
fn what_surrounds_a_reader_is_fetched_after_its_window() {
    let mut bench = film(1_000, 400);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.seek(FILM, 500);
    let came = bench.serve(seed);
    let window = came
        .iter()
        .take_while(|piece| (500..900).contains(*piece))
        .count();
    assert!(window >= 4);
    let end = 500 + u32::try_from(window).unwrap();
    assert_eq!(came[..window], numbers(500..end), "the window comes first");
    let held = bench.held();
    let behind = held
        .iter()
        .filter(|piece| (400..500).contains(*piece))
        .count();
    let ahead = held
        .iter()
        .filter(|piece| (end..900).contains(*piece))
        .count();
    assert!(behind > 0 && held.contains(&499), "{held:?}");
    assert!(ahead > 0, "{held:?}");
    assert_eq!(bench.engine.space.held.len(), 400);
}

#[test]
fn what_a_closed_reader_wanted_still_comes_for_a_while() {
    let mut bench = film(1_000, 100);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.seek(FILM, 500);
    bench.close(FILM);
    let came = bench.serve(seed);
    assert_eq!(came[..4], [500, 501, 502, 503]);
    let before = bench.engine.space.held.len();
    bench.later(29);
    assert!(
        !bench.engine.space.windows.is_empty(),
        "its window is protected"
    );
    bench.later(2);
    assert!(bench.engine.space.windows.is_empty());
    bench.engine.space.room = 200;
    bench.engine.handle_space(bench.now);
    bench.drain();
    assert_eq!(bench.serve(seed), [], "nothing any more");
    assert_eq!(bench.engine.space.held.len(), before);
}

#[test]
fn requests_for_a_reader_that_stays_away_are_taken_back() {
    let mut bench = film(1_000, 100);
    bench.open(FILM);
    bench.close(FILM);
    bench.later(29);
    let seed = bench.seed(1);
    let asked = bench.requests(seed);
    assert!(!asked.is_empty());
    bench.later(2);
    assert!(bench.has_sent(seed, &Command::Cancel(asked[0])));
    assert_eq!(bench.requests(seed), []);
}

#[test]
fn the_window_of_a_closed_reader_gives_way_to_the_next_reader() {
    let mut bench = film(1_000, 64);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.serve(seed);
    bench.close(FILM);
    bench.serve(seed);
    let next = ReaderKey::new(2);
    bench.open(next);
    assert_eq!(bench.engine.space.windows.len(), 1, "it shares with none");
    bench.seek(next, 700);
    assert_eq!(bench.serve(seed)[..4], [700, 701, 702, 703]);
}

#[test]
fn a_full_storage_evicts_nothing_for_what_no_reader_wanted() {
    let mut bench = film(1_000, 64);
    let seed = bench.seed(1);
    bench.open(FILM);
    for piece in 0..40 {
        bench.serve(seed);
        bench.consume(FILM, piece);
    }
    bench.serve(seed);
    bench.later(5);
    bench.serve(seed);
    assert!(
        bench
            .notes
            .iter()
            .any(|note| matches!(note, Notice::PieceEvicted(_))),
        "the reader's own window made room for itself"
    );
    assert_eq!(bench.engine.space.displacing, []);
    assert!(bench.engine.space.held.len() <= 64);
}

#[test]
fn a_storage_that_does_not_say_what_is_unused_is_not_filled() {
    let mut bench = on_demand(1_000, 100);
    let seed = bench.seed(1);
    bench.prefetch();
    assert_eq!(bench.serve(seed), []);
    bench.open(FILM);
    bench.close(FILM);
    assert_eq!(bench.requests(seed), []);
}

#[test]
fn a_piece_is_fetched_again_when_it_was_wrong_or_its_peer_went() {
    let mut bench = film(100, 200);
    let first = bench.seed(1);
    bench.prefetch();
    let asked = bench.requests(first);
    bench.deliver(first, &asked[..2]);
    let piece = bench.verify.pop().unwrap();
    let block_digests = vec![BlockDigest::new([0; 8]); 2];
    bench.engine.space.settled.insert(piece);
    let verdict = Verdict::Invalid { block_digests };
    bench.engine.handle_verdict(bench.now, piece, &verdict);
    bench.drain();
    bench.engine.handle_closed(bench.now, first);
    bench.drain();
    let second = bench.seed(2);
    let mut came = bench.serve(second);
    came.sort_unstable();
    assert_eq!(came, numbers(0..100), "{PIECE} bytes each");
}
