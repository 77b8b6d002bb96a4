//! When full pieces are verified.

use super::*;

/// A torrent of 64 pieces of two blocks, in a storage that verifies eight at a time.
fn bench() -> (Bench, PeerKey) {
    let config = Config {
        sequential: true,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::sized(config, 64, 100, Bitfield::none);
    bench.engine.space.together = 8;
    let key = bench.seed(1);
    (bench, key)
}

/// All blocks of pieces come, each so long after the one before.
fn fill(bench: &mut Bench, key: PeerKey, pieces: Range<u32>, after: Duration) {
    for piece in pieces {
        bench.now += after;
        bench.engine.handle_timeout(bench.now);
        let piece = bench.geometry.piece(piece).unwrap();
        let blocks: Vec<_> = bench.geometry.blocks(piece).map(Fact::Block).collect();
        bench.tell(key, blocks);
    }
}

const FAST: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(60);

#[test]
fn pieces_that_come_slowly_are_verified_as_they_come() {
    let (mut bench, key) = bench();
    for piece in 0..20 {
        fill(&mut bench, key, piece..piece + 1, SLOW);
        assert_eq!(bench.verify.len(), piece as usize + 1);
        assert_eq!(bench.verify_calls, bench.verify.len());
    }
}

#[test]
fn pieces_that_come_fast_are_verified_together() {
    let (mut bench, key) = bench();
    fill(&mut bench, key, 0..35, FAST);
    // The first three show how fast they come.
    assert_eq!((bench.verify.len(), bench.verify_calls), (35, 3 + 4));
}

#[test]
fn nobody_waits_longer_than_a_moment() {
    let (mut bench, key) = bench();
    fill(&mut bench, key, 0..6, FAST);
    assert_eq!(bench.verify.len(), 3);
    let due = bench.engine.poll_timeout().unwrap();
    assert_eq!(due - bench.now, Duration::from_millis(148));
    bench.now = due;
    bench.engine.handle_timeout(due);
    bench.drain();
    assert_eq!((bench.verify.len(), bench.verify_calls), (6, 4));
    assert!(bench.engine.poll_timeout().unwrap() > due);
}

#[test]
fn the_last_piece_waits_for_no_other() {
    let (mut bench, key) = bench();
    fill(&mut bench, key, 0..64, FAST);
    assert_eq!(bench.verify.len(), 64);
}

#[test]
fn a_reader_does_not_wait_for_other_pieces() {
    let (mut bench, key) = bench();
    fill(&mut bench, key, 0..5, FAST);
    assert_eq!(bench.verify.len(), 3);
    let reader = ReaderConfig {
        file: 0,
        bounds: 0..bench.geometry.total(),
        cursor: 0,
        lookbehind: Lookbehind::Share,
        duration: None,
    };
    bench
        .engine
        .handle_reader_opened(bench.now, ReaderKey::new(1), reader);
    bench.drain();
    assert_eq!((bench.verify.len(), bench.verify_calls), (5, 4));
    for piece in 5..9 {
        fill(&mut bench, key, piece..piece + 1, FAST);
        assert_eq!(bench.verify.len(), piece as usize + 1);
    }
}

#[test]
fn what_is_there_at_the_end_is_verified() {
    let (mut bench, key) = bench();
    fill(&mut bench, key, 0..8, FAST);
    assert_eq!(bench.verify.len(), 3);
    bench.engine.handle_closing();
    bench.drain();
    assert_eq!(bench.verify.len(), 8);
}

#[test]
fn after_a_failure_of_the_storage_all_are_verified_again() {
    let (mut bench, key) = bench();
    fill(&mut bench, key, 0..13, FAST);
    bench.verify.clear();
    bench.engine.halt(Halt::Storage);
    bench.engine.resume(bench.now);
    bench.drain();
    bench.later(1);
    // Those that waited are not named twice.
    let numbers: Vec<_> = bench.verify.iter().map(|piece| piece.get()).collect();
    assert_eq!(numbers, (0..13).collect::<Vec<_>>());
}
