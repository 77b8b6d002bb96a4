//! The effect of readers on a torrent's state machine.

use super::*;

pub(super) const PIECE: u64 = 32_768;
pub(super) const FILM: ReaderKey = ReaderKey::new(1);

pub(super) fn on_demand(pieces: u64, room: usize) -> Bench {
    let config = Config {
        on_demand: true,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    Bench::sized(config, pieces, room, Bitfield::none)
}

impl Bench {
    pub(super) fn open(&mut self, key: ReaderKey) {
        let config = ReaderConfig {
            file: 0,
            bounds: 0..self.geometry.total(),
            cursor: 0,
            lookbehind: Lookbehind::Share,
            duration: None,
        };
        self.engine.handle_reader_opened(self.now, key, config);
        self.drain();
    }

    pub(super) fn read(&mut self, key: ReaderKey, update: ReaderUpdate) {
        self.engine.handle_reader(self.now, key, update);
        self.drain();
    }

    pub(super) fn seek(&mut self, key: ReaderKey, piece: u64) {
        let update = ReaderUpdate {
            cursor: piece * PIECE,
            seeked: true,
            waiting: true,
            consumed: 0,
        };
        self.read(key, update);
    }

    /// The reader takes one whole piece and goes on to the next.
    pub(super) fn consume(&mut self, key: ReaderKey, piece: u64) {
        let update = ReaderUpdate {
            cursor: (piece + 1) * PIECE,
            consumed: PIECE,
            seeked: false,
            waiting: false,
        };
        self.read(key, update);
    }

    pub(super) fn numbers(&mut self, key: PeerKey) -> Vec<u32> {
        let mut pieces: Vec<_> = self.requests(key).iter().map(|b| b.piece().get()).collect();
        pieces.dedup();
        pieces
    }

    /// The peer sends everything it is asked for, until nothing is asked any more. Returns the pieces that came.
    pub(super) fn serve(&mut self, key: PeerKey) -> Vec<u32> {
        let mut came = Vec::new();
        loop {
            let blocks = self.requests(key);
            if blocks.is_empty() {
                return came;
            }
            self.now += Duration::from_millis(10);
            self.deliver(key, &blocks);
            for piece in std::mem::take(&mut self.verify) {
                came.push(piece.get());
                self.engine.space.settled.insert(piece);
                self.engine.handle_verdict(self.now, piece, &Verdict::Valid);
            }
            self.drain();
        }
    }

    pub(super) fn held(&self) -> Vec<u32> {
        let have = self.engine.have();
        let held = self.geometry.pieces().filter(|piece| have.has(*piece));
        held.map(PieceIndex::get).collect()
    }
}

#[test]
fn nothing_is_fetched_until_somebody_reads_and_then_the_window_in_order() {
    let mut bench = on_demand(1_000, 100);
    let seed = bench.seed(1);
    assert!(
        bench.has_sent(seed, &Command::Interested),
        "a reader may come at any time"
    );
    assert_eq!(bench.requests(seed), []);
    bench.open(FILM);
    let came = bench.serve(seed);
    assert_eq!(came[..5], [0, 1, 2, 3, 4]);
    assert!(came.len() < 100 && came.is_sorted(), "{came:?}");
}

#[test]
fn a_jump_takes_back_what_was_asked_for_and_asks_for_the_new_place_first() {
    let mut bench = on_demand(1_000, 100);
    let seed = bench.seed(1);
    bench.open(FILM);
    let asked = bench.requests(seed);
    assert!(asked.len() >= 8);
    bench.seek(FILM, 500);
    for block in &asked {
        assert!(bench.has_sent(seed, &Command::Cancel(*block)));
    }
    bench
        .commands
        .retain(|(_, command)| !matches!(command, Command::Cancel(_)));
    assert_eq!(bench.numbers(seed)[..3], [500, 501, 502]);
}

#[test]
fn a_reader_that_is_dropped_stops_its_requests() {
    let mut bench = on_demand(1_000, 100);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.engine.handle_reader_closed(bench.now, FILM);
    bench.drain();
    assert_eq!(bench.requests(seed), [], "everything was taken back");
    bench.later(30);
    assert_eq!(bench.requests(seed), []);
}

#[test]
fn the_budget_is_never_passed_and_what_lies_behind_stays_within_the_lookbehind() {
    let mut bench = on_demand(1_000, 64);
    let seed = bench.seed(1);
    bench.open(FILM);
    let mut fetched = bench.serve(seed);
    for piece in 0..300 {
        assert!(
            bench.held().contains(&u32::try_from(piece).unwrap()),
            "piece {piece}"
        );
        bench.consume(FILM, piece);
        fetched.extend(bench.serve(seed));
        assert!(bench.engine.space.held.len() <= 64);
    }
    let distinct: BTreeSet<_> = fetched.iter().collect();
    assert_eq!(distinct.len(), fetched.len(), "no piece twice");
    let held = bench.held();
    assert!((280..=300).all(|piece| held.contains(&piece)), "{held:?}");
    assert!(
        bench
            .notes
            .iter()
            .any(|note| matches!(note, Notice::PieceEvicted(_)))
    );
    // A rewind inside the lookbehind costs nothing, and going on from there costs nothing twice.
    bench.seek(FILM, 285);
    let mut after = bench.serve(seed);
    for piece in 285..320 {
        bench.consume(FILM, piece);
        after.extend(bench.serve(seed));
    }
    let last = *fetched.last().unwrap();
    assert!(after.iter().all(|piece| *piece > last), "{after:?}");
}

#[test]
fn an_evicted_piece_is_told_to_peers_and_fetched_again_on_a_jump_back() {
    let mut bench = on_demand(1_000, 32);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.serve(seed);
    bench.seek(FILM, 700);
    bench.serve(seed);
    bench.seek(FILM, 800);
    bench.serve(seed);
    let gone = bench.geometry.piece(5).unwrap();
    assert_eq!(bench.engine.piece_state(gone), PieceState::Evicted);
    assert!(bench.has_sent(seed, &Command::DontHave(gone)));
    bench.seek(FILM, 5);
    assert_eq!(bench.serve(seed)[0], 5);
}

#[test]
fn a_piece_that_is_evicted_before_its_verdict_is_heard_is_not_held() {
    let mut bench = on_demand(1_000, 64);
    let seed = bench.seed(1);
    bench.open(FILM);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked[..2]);
    let piece = bench.geometry.piece(0).unwrap();
    assert_eq!(bench.verify, [piece]);
    bench.engine.handle_evicted(bench.now, piece);
    bench
        .engine
        .handle_verdict(bench.now, piece, &Verdict::Valid);
    bench.drain();
    assert_eq!(bench.engine.piece_state(piece), PieceState::Missing);
    assert!(!bench.has_sent(seed, &Command::Have(piece)));
}

#[test]
fn blocks_of_a_piece_that_was_left_half_way_are_kept_while_there_is_room() {
    let mut bench = on_demand(1_000, 64);
    let seed = bench.seed(1);
    bench.open(FILM);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked[..1]);
    bench.seek(FILM, 500);
    bench.commands.clear();
    bench.seek(FILM, 0);
    let again: Vec<_> = bench
        .requests(seed)
        .into_iter()
        .filter(|b| b.piece().get() == 0)
        .collect();
    assert_eq!(again, asked[1..2], "only the block that is missing");
}

#[test]
fn room_of_pieces_left_half_way_is_given_to_what_is_read_now() {
    let mut bench = on_demand(1_000, 6);
    let seed = bench.seed(1);
    bench.open(FILM);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked[..3]);
    for place in [100, 200, 300, 400] {
        bench.seek(FILM, place);
        let first = u32::try_from(place).unwrap();
        assert_eq!(bench.numbers(seed).first(), Some(&first));
    }
    assert!(bench.starved.is_empty());
}

#[test]
fn a_reader_without_room_is_told_and_goes_on_when_room_comes() {
    let mut bench = on_demand(100, 4);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.serve(seed);
    // All that is there is leased.
    bench.engine.space.leased = bench.engine.space.held.clone();
    bench.seek(FILM, 50);
    assert_eq!(bench.starved.last(), Some(&FILM));
    assert_eq!(bench.engine.wanted_space(), Some(PIECE));
    assert_eq!(bench.requests(seed), []);
    bench.engine.space.leased.clear();
    bench.engine.handle_space(bench.now);
    bench.drain();
    assert_eq!(bench.engine.wanted_space(), None);
    assert_eq!(bench.serve(seed)[0], 50);
}

#[test]
fn several_readers_share_the_budget_and_none_starves() {
    let mut bench = on_demand(1_000, 64);
    let seed = bench.seed(1);
    let keys = [1, 2, 3].map(ReaderKey::new);
    for (key, place) in keys.into_iter().zip([0, 300, 600]) {
        bench.open(key);
        bench.seek(key, place);
        bench.serve(seed);
    }
    for step in 0..60 {
        for (key, place) in keys.into_iter().zip([0, 300, 600]) {
            let piece = place + step;
            assert!(
                bench.held().contains(&u32::try_from(piece).unwrap()),
                "{key:?} at {piece}"
            );
            bench.consume(key, piece);
            bench.serve(seed);
        }
    }
    assert!(bench.engine.space.held.len() <= 64);
}

#[test]
fn a_slow_peer_is_not_asked_for_what_a_reader_waits_for() {
    let mut bench = on_demand(1_000, 200);
    let (fast, slow) = (bench.seed(1), bench.seed(2));
    bench.open(FILM);
    // The fast one answers within 10 ms, the slow one within two seconds.
    for _ in 0..40 {
        let blocks = bench.requests(fast);
        bench.now += Duration::from_millis(10);
        bench.deliver(fast, &blocks);
    }
    for _ in 0..4 {
        let blocks = bench.requests(slow);
        for _ in 0..200 {
            bench.now += Duration::from_millis(10);
            let blocks = bench.requests(fast);
            bench.deliver(fast, &blocks);
        }
        bench.deliver(slow, &blocks[..blocks.len().min(2)]);
    }
    bench.seek(FILM, 500);
    bench.later(1);
    let (of_fast, of_slow) = (bench.numbers(fast), bench.numbers(slow));
    assert_eq!(of_fast[0], 500);
    assert!(!of_slow.contains(&500), "{of_slow:?}");
}

#[test]
fn what_a_stalled_peer_holds_up_is_asked_of_another() {
    let mut bench = on_demand(1_000, 200);
    let stalled = bench.seed(1);
    bench.open(FILM);
    let held_up = bench.requests(stalled);
    assert_eq!(held_up[0].piece().get(), 0);
    bench.seek(FILM, 0);
    let quick = bench.seed(2);
    for _ in 0..20 {
        bench.now += Duration::from_millis(20);
        bench.engine.handle_timeout(bench.now);
        bench.drain();
        let blocks = bench.requests(quick);
        if blocks.iter().any(|block| block.piece().get() == 0) {
            return;
        }
        bench.deliver(quick, &blocks);
        bench.verify.clear();
    }
    panic!("nobody else was asked for the piece that the reader waits for");
}

#[test]
fn thrashing_is_bounded() {
    let mut bench = on_demand(1_000, 8);
    let seed = bench.seed(1);
    bench.open(FILM);
    let mut fetched = 0;
    for _ in 0..200 {
        for place in [10, 500] {
            bench.seek(FILM, place);
            fetched += bench
                .serve(seed)
                .iter()
                .filter(|piece| **piece == 10)
                .count();
        }
    }
    assert!(fetched <= 13, "one piece was fetched {fetched} times");
    bench.seek(FILM, 10);
    bench.later(6);
    assert!(bench.serve(seed).contains(&10), "but not for long");
}

#[test]
fn a_reader_of_a_plain_download_comes_first_and_the_rest_goes_on() {
    let config = Config::new(InfoHash::new([1; 20]), OUR_ID);
    let mut bench = Bench::sized(config, 400, 1_000, Bitfield::none);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.seek(FILM, 200);
    let came = bench.serve(seed);
    assert_eq!(came[0], 200);
    assert_eq!(came.len(), 400);
    assert!(bench.engine.is_complete());
}

#[test]
fn a_long_wait_in_the_middle_is_a_stall_and_others_are_not() {
    let mut bench = on_demand(1_000, 100);
    let seed = bench.seed(1);
    bench.open(FILM);
    bench.seek(FILM, 10);
    bench.serve(seed);
    bench.consume(FILM, 10);
    let waits = |waiting| ReaderUpdate {
        cursor: 11 * PIECE,
        waiting,
        ..ReaderUpdate::default()
    };
    let stalls = |bench: &Bench| {
        let map = bench.engine.buffer_map(bench.now);
        (map.readers.first().map(|view| view.stalls), map.stalls)
    };
    // Opened and jumped, it waited for its first bytes.
    assert_eq!(stalls(&bench), (Some(0), 0));
    // A client that takes nothing meanwhile ends the wait; what it waits for then is no stall.
    bench.read(FILM, waits(true));
    assert_eq!(stalls(&bench), (Some(0), 0), "not yet");
    bench.read(FILM, waits(false));
    bench.later(5);
    assert_eq!(stalls(&bench), (Some(0), 0), "it did not want them");
    bench.read(FILM, waits(true));
    bench.later(2);
    assert!(bench.engine.buffer_map(bench.now).readers[0].is_waiting);
    assert_eq!(stalls(&bench), (Some(1), 1), "it has waited long enough");
    bench.later(5);
    assert_eq!(
        stalls(&bench),
        (Some(1), 1),
        "and it is still the same wait"
    );
    bench.consume(FILM, 11);
    assert_eq!(stalls(&bench), (Some(1), 1));
    bench.engine.handle_reader_closed(bench.now, FILM);
    assert_eq!(stalls(&bench), (None, 1), "the total does not fall");
}

#[test]
fn the_picture_shows_what_is_held_wanted_and_in_flight() {
    let mut bench = on_demand(1_000, 100);
    let seed = bench.seed(1);
    bench.open(FILM);
    let first = bench.requests(seed);
    let map = bench.engine.buffer_map(bench.now);
    assert!(map.pieces[0].in_flight && map.pieces[0].is_wanted && map.pieces[0].is_protected);
    assert!(!map.pieces[500].is_wanted && !map.pieces[500].is_protected);
    assert_eq!(map.pieces[500].peers, 1);
    bench.deliver(seed, &first);
    bench.serve(seed);
    let map = bench.engine.buffer_map(bench.now);
    assert_eq!(map.pieces[0].state, PieceState::Have);
    assert_eq!(map.readers[0].behind, 0);
    assert!(map.readers[0].ahead >= 32 * PIECE, "{:?}", map.readers[0]);
}

#[test]
fn the_storage_hears_the_time_and_how_rare_its_pieces_are() {
    let mut bench = on_demand(1_000, 100);
    let (seed, _) = (bench.seed(1), bench.seed(2));
    bench.open(FILM);
    bench.serve(seed);
    bench.later(3);
    let first = bench.geometry.piece(0).unwrap();
    assert_eq!(bench.engine.space.rarity.get(&first), Some(&2));
    let told = bench.engine.space.time.unwrap();
    assert!(bench.now - told <= Duration::from_secs(1));
}
