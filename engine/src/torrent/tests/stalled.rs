//! Stalled peers: what they can hold up, and for how long.

use super::*;
use crate::peer::Hello;

const PIECE: u64 = 32_768;

impl Bench {
    fn large(pieces: u64) -> Self {
        let config = Config::new(InfoHash::new([1; 20]), OUR_ID);
        Self::sized(config, pieces, 1_000, Bitfield::none)
    }

    /// Time passes in steps of 10 ms in which `honest` sends all that it is asked for, and full pieces are valid.
    fn serve_for(&mut self, honest: PeerKey, time: Duration) {
        let end = self.now + time;
        while self.now < end && !self.engine.is_complete() {
            self.now += Duration::from_millis(10);
            self.engine.handle_timeout(self.now);
            self.drain();
            let blocks = self.requests(honest);
            self.deliver(honest, &blocks);
            for piece in std::mem::take(&mut self.verify) {
                self.engine.handle_verdict(self.now, piece, &Verdict::Valid);
            }
            self.drain();
        }
    }
}

#[test]
fn peers_that_stop_delay_the_end_by_seconds_not_by_a_timeout_each() {
    let mut bench = Bench::large(600);
    let start = bench.now;
    let stalling: Vec<_> = (2..22).map(|number| bench.seed(number)).collect();
    let held_up: usize = stalling.iter().map(|key| bench.requests(*key).len()).sum();
    assert_eq!(held_up, 20 * 16);
    let honest = bench.seed(1);
    bench.serve_for(honest, Duration::from_secs(60));
    assert!(bench.engine.is_complete());
    let took = bench.now - start;
    assert!(took < Duration::from_secs(4), "{took:?}");
}

/// Peers that deliver at first, and stop when there is nothing left but the end-game.
#[test]
fn peers_that_stop_in_the_end_game_are_not_asked_again() {
    let mut bench = Bench::large(60);
    let stalling: Vec<_> = (2..8).map(|number| bench.seed(number)).collect();
    for key in &stalling {
        let blocks = bench.requests(*key);
        bench.deliver(*key, &blocks[..4]);
    }
    let start = bench.now;
    let honest = bench.seed(1);
    bench.serve_for(honest, Duration::from_secs(60));
    assert!(bench.engine.is_complete());
    let took = bench.now - start;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_stopped_peer_is_as_good_as_before_when_it_delivers() {
    let mut bench = Bench::large(600);
    let slow = bench.seed(2);
    let asked = bench.requests(slow);
    let honest = bench.seed(1);
    bench.serve_for(honest, Duration::from_millis(100));
    bench.later(25);
    assert_eq!(
        bench.requests(slow),
        [],
        "nothing as long as it has stopped"
    );
    // What it sends now is a duplicate or not; either way it is there again.
    bench.deliver(slow, &asked[..1]);
    assert!(!bench.requests(slow).is_empty());
}

#[test]
fn a_stopped_peer_is_tried_again_with_one_block_after_a_rest() {
    let mut bench = Bench::large(600);
    let stalled = bench.seed(2);
    bench.requests(stalled);
    bench.later(21);
    assert_eq!(bench.requests(stalled), []);
    bench.later(7);
    assert_eq!(bench.requests(stalled), []);
    bench.later(5);
    assert_eq!(bench.requests(stalled).len(), 1);
    // It stops again, and rests twice as long.
    bench.later(20 + 15);
    assert_eq!(bench.requests(stalled), []);
    bench.later(8);
    assert_eq!(bench.requests(stalled).len(), 1);
}

/// Two copies of each block that a reader waits for are asked for at most: copies at peers that have stopped do not count.
#[test]
fn colluders_that_stop_do_not_hold_a_readers_block() {
    let config = Config {
        on_demand: true,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::sized(config, 1_000, 200, Bitfield::none);
    let colluders: Vec<_> = (2..10).map(|number| bench.seed(number)).collect();
    let film = ReaderKey::new(1);
    let reader = ReaderConfig {
        file: 0,
        bounds: 0..bench.geometry.total(),
        cursor: 0,
        lookbehind: Lookbehind::Share,
        duration: None,
    };
    bench.engine.handle_reader_opened(bench.now, film, reader);
    let waits = ReaderUpdate {
        cursor: 0,
        seeked: true,
        waiting: true,
        consumed: 0,
    };
    bench.engine.handle_reader(bench.now, film, waits);
    bench.drain();
    assert!(colluders.iter().any(|key| !bench.requests(*key).is_empty()));
    let start = bench.now;
    let honest = bench.seed(1);
    let mut worst = Duration::ZERO;
    for step in 0..100 {
        let goes_on = ReaderUpdate {
            cursor: step * PIECE,
            seeked: false,
            waiting: true,
            consumed: if step == 0 { 0 } else { PIECE },
        };
        bench.engine.handle_reader(bench.now, film, goes_on);
        bench.drain();
        let waits_since = bench.now;
        let piece = bench.geometry.piece(u32::try_from(step).unwrap()).unwrap();
        while bench.engine.piece_state(piece) != PieceState::Have {
            bench.serve_for(honest, Duration::from_millis(10));
            worst = worst.max(bench.now - waits_since);
            assert!(worst < Duration::from_secs(5), "piece {step}");
        }
    }
    let took = bench.now - start;
    assert!(worst < Duration::from_millis(1_200), "{worst:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_refused_allowed_fast_piece_is_not_asked_for_again() {
    let mut bench = Bench::large(8);
    let peer = bench.connect(1, Direction::Outgoing).unwrap();
    let all = Bitfield::all(&bench.geometry);
    let piece = bench.geometry.piece(3).unwrap();
    bench.tell(peer, [Fact::Bitfield(all), Fact::AllowedFast(piece)]);
    let asked = bench.requests(peer);
    assert_eq!(asked.len(), 2);
    bench.tell(peer, asked.into_iter().map(Fact::Rejected));
    assert_eq!(bench.requests(peer), []);
    bench.later(5);
    assert_eq!(bench.requests(peer), []);
}

#[test]
fn pausing_a_torrent_whose_storage_failed_forgets_neither() {
    let mut bench = Bench::large(8);
    let seed = bench.seed(1);
    let blocks = bench.requests(seed);
    bench.deliver(seed, &blocks[..2]);
    let piece = blocks[0].piece();
    assert_eq!(std::mem::take(&mut bench.verify), [piece]);
    // The storage fails and never answers; the user pauses, and goes on when the disk is there again.
    bench.engine.halt(Halt::Storage);
    bench.engine.halt(Halt::Paused);
    assert_eq!(bench.engine.halted(), Some(Halt::Paused));
    bench.engine.resume(bench.now);
    bench.drain();
    assert_eq!(bench.engine.halted(), None);
    assert_eq!(bench.verify, [piece], "it is verified after all");
}

#[test]
fn a_jump_to_what_is_held_leaves_no_peer_without_requests() {
    let mut bench = Bench::large(100);
    let seed = bench.seed(1);
    let film = ReaderKey::new(1);
    let reader = ReaderConfig {
        file: 0,
        bounds: 0..10 * PIECE,
        cursor: 0,
        lookbehind: Lookbehind::Share,
        duration: None,
    };
    bench.engine.handle_reader_opened(bench.now, film, reader);
    bench.drain();
    // All of the reader's file is there, and the rest of the torrent is on its way.
    while (0..10).any(|number| {
        let piece = bench.geometry.piece(number).unwrap();
        bench.engine.piece_state(piece) != PieceState::Have
    }) {
        bench.serve_for(seed, Duration::from_millis(10));
    }
    assert!(!bench.requests(seed).is_empty());
    let jump = ReaderUpdate {
        cursor: 5 * PIECE,
        seeked: true,
        waiting: false,
        consumed: 0,
    };
    bench.engine.handle_reader(bench.now, film, jump);
    bench.drain();
    assert!(!bench.requests(seed).is_empty(), "the download goes on");
}

#[test]
fn connections_give_room_back_once_when_a_reader_finds_none() {
    let config = Config {
        on_demand: true,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::sized(config, 100, 4, Bitfield::none);
    bench.seed(1);
    bench.engine.space.room = 0;
    let film = ReaderKey::new(1);
    let reader = ReaderConfig {
        file: 0,
        bounds: 0..bench.geometry.total(),
        cursor: 0,
        lookbehind: Lookbehind::Share,
        duration: None,
    };
    bench.engine.handle_reader_opened(bench.now, film, reader);
    bench.drain();
    assert_eq!(bench.room_needed, 1);
    bench.later(10);
    bench.seed(2);
    assert_eq!(bench.room_needed, 1, "not again until room has come");
    bench.engine.handle_space(bench.now);
    bench.drain();
    assert_eq!(bench.room_needed, 2);
}

#[test]
fn a_peer_that_hangs_up_on_a_paused_torrent_is_dialled_at_once_when_it_goes_on() {
    let mut bench = Bench::large(8);
    let named = [addr(1)];
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::Tracker, &named);
    bench.drain();
    assert_eq!(std::mem::take(&mut bench.dialled), named);
    let peer = bench.connect(1, Direction::Outgoing).unwrap();
    bench.engine.halt(Halt::Paused);
    bench.engine.handle_closed(bench.now, peer);
    // It connects now and then, and hangs up each time, as a seed does that is asked for nothing.
    for _ in 0..6 {
        bench.later(60);
        let peer = bench.connect(1, Direction::Incoming).unwrap();
        let hello = Hello {
            listen_port: Some(addr(1).port()),
            ..Hello::default()
        };
        bench.tell(peer, [Fact::Hello(hello)]);
        bench.later(60);
        bench.engine.handle_closed(bench.now, peer);
        bench.drain();
    }
    assert_eq!(bench.dialled, []);
    bench.engine.resume(bench.now);
    bench.drain();
    assert_eq!(bench.dialled, named);
}
