//! How the fetcher treats peers of every kind, with a simulated clock.

mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sha1::{Digest, Sha1};
use tailwater_metainfo::InfoHash;

use super::{DropReason, Fetcher, LinkKey, MAX_METADATA_LEN, Output};
use crate::testing::epoch;

const BLOCK: usize = 16 * 1024;
const SECOND: Duration = Duration::from_secs(1);

const ANN: LinkKey = LinkKey(1);
const BOB: LinkKey = LinkKey(2);
const EVE: LinkKey = LinkKey(66);

/// Each peer has an address of its own.
fn ip(peer: LinkKey) -> IpAddr {
    let [.., high, low] = peer.0.to_be_bytes();
    IpAddr::from([10, 0, high, low])
}

/// A fetch of `truth`, and what it wants.
struct Scene {
    now: Instant,
    truth: Vec<u8>,
    fetcher: Fetcher,
    /// Asked for and not answered.
    asked: BTreeMap<LinkKey, BTreeSet<u32>>,
    dropped: BTreeMap<LinkKey, DropReason>,
    result: Option<Vec<u8>>,
}

impl Scene {
    fn new(len: usize) -> Self {
        let truth: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        Self {
            now: epoch(),
            fetcher: Fetcher::new(InfoHash::new(Sha1::digest(&truth).into()).into()),
            truth,
            asked: BTreeMap::new(),
            dropped: BTreeMap::new(),
            result: None,
        }
    }

    fn len(&self) -> u32 {
        u32::try_from(self.truth.len()).unwrap()
    }

    /// The block as it is in `bytes`.
    fn block(bytes: &[u8], block: u32) -> Vec<u8> {
        bytes.chunks(BLOCK).nth(block as usize).unwrap().to_vec()
    }

    fn settle(&mut self) {
        self.fetcher.check_invariants();
        while let Some(output) = self.fetcher.poll_output() {
            assert_eq!(self.result, None, "nothing comes after the metadata");
            match output {
                Output::Request { peer, block } => {
                    assert!(!self.dropped.contains_key(&peer));
                    let is_new = self.asked.entry(peer).or_default().insert(block);
                    assert!(is_new, "{peer:?} is asked twice for block {block}");
                }
                Output::Drop { peer, reason } => {
                    self.asked.remove(&peer);
                    let is_first = self.dropped.insert(peer, reason).is_none();
                    assert!(is_first, "{peer:?} is dropped twice");
                }
                Output::Complete(bytes) => self.result = Some(bytes),
            }
        }
    }

    fn offers(&mut self, peer: LinkKey, size: u32) {
        self.offers_from(peer, ip(peer), size);
    }

    fn offers_from(&mut self, peer: LinkKey, ip: IpAddr, size: u32) {
        self.fetcher.handle_size(self.now, peer, ip, size);
        self.settle();
    }

    fn sends(&mut self, peer: LinkKey, block: u32, data: &[u8]) {
        self.asked.entry(peer).or_default().remove(&block);
        self.fetcher.handle_data(self.now, peer, block, None, data);
        self.settle();
    }

    /// A peer answers a request with the truth.
    fn answers(&mut self, peer: LinkKey, block: u32) {
        assert!(self.asked[&peer].contains(&block), "{:?}", self.asked);
        self.sends(peer, block, &Self::block(&self.truth.clone(), block));
    }

    /// A peer answers a request with something else.
    fn lies(&mut self, peer: LinkKey, block: u32) {
        assert!(self.asked[&peer].contains(&block), "{:?}", self.asked);
        let len = Self::block(&self.truth, block).len();
        self.sends(peer, block, &vec![0xee; len]);
    }

    fn rejects(&mut self, peer: LinkKey, block: u32) {
        self.asked.entry(peer).or_default().remove(&block);
        self.fetcher.handle_reject(self.now, peer, block);
        self.settle();
    }

    fn hangs_up(&mut self, peer: LinkKey) {
        self.asked.remove(&peer);
        self.fetcher.handle_closed(self.now, peer);
        self.settle();
    }

    /// Time passes; the fetcher is called when it wants to be.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.fetcher.poll_timeout().filter(|at| *at <= end) {
            assert!(at > self.now, "time does not pass");
            self.now = at;
            self.fetcher.handle_timeout(at);
            self.settle();
        }
        self.now = end;
    }

    fn asked(&self, peer: LinkKey) -> Vec<u32> {
        let asked = self.asked.get(&peer).into_iter().flatten();
        asked.copied().collect()
    }

    /// A peer answers whatever it is asked for, until it is asked for nothing.
    fn answers_all(&mut self, peer: LinkKey) {
        while let Some(block) = self.asked(peer).first().copied() {
            self.answers(peer, block);
        }
    }

    fn assert_fetched(&self) {
        assert!(self.result.as_ref() == Some(&self.truth), "not fetched");
    }
}

#[test]
fn several_peers_send_a_part_each_and_no_block_is_asked_twice() {
    let mut scene = Scene::new(5 * BLOCK + 100);
    scene.offers(ANN, scene.len());
    scene.offers(BOB, scene.len());
    assert_eq!(scene.asked(ANN), [0, 1, 2, 3]);
    assert_eq!(scene.asked(BOB), [4, 5]);
    scene.answers_all(BOB);
    assert_eq!(scene.fetcher.state().have, 2);
    scene.answers_all(ANN);
    scene.assert_fetched();
    assert_eq!(scene.fetcher.state().have, 6);
}

#[test]
fn a_late_block_is_asked_of_another_and_the_first_answer_counts() {
    let mut scene = Scene::new(100);
    scene.offers(ANN, 100);
    scene.offers(BOB, 100);
    assert_eq!((scene.asked(ANN), scene.asked(BOB)), (vec![0], vec![]));
    scene.wait(3 * SECOND);
    assert_eq!(scene.asked(BOB), [0]);
    scene.answers(BOB, 0);
    scene.assert_fetched();
}

#[test]
fn a_peer_that_answers_nothing_is_dropped() {
    let mut scene = Scene::new(100);
    scene.offers(ANN, 100);
    scene.wait(14 * SECOND);
    assert!(scene.dropped.is_empty());
    scene.wait(2 * SECOND);
    assert_eq!(scene.dropped[&ANN], DropReason::Stalled);
    // The next one is asked at once.
    scene.offers(BOB, 100);
    scene.answers(BOB, 0);
    scene.assert_fetched();
}

#[test]
fn a_peer_that_rejects_is_left_alone_for_a_while_and_dropped_in_the_end() {
    let mut scene = Scene::new(100);
    scene.offers(ANN, 100);
    for _ in 0..2 {
        scene.rejects(ANN, 0);
        assert!(scene.asked(ANN).is_empty());
        scene.wait(19 * SECOND);
        assert!(scene.asked(ANN).is_empty());
        scene.wait(2 * SECOND);
        assert_eq!(scene.asked(ANN), [0]);
    }
    scene.rejects(ANN, 0);
    assert_eq!(scene.dropped[&ANN], DropReason::Rejects);
}

#[test]
fn what_one_peer_rejects_another_is_asked_for_at_once() {
    let mut scene = Scene::new(100);
    scene.offers(ANN, 100);
    scene.offers(BOB, 100);
    scene.rejects(ANN, 0);
    scene.answers(BOB, 0);
    scene.assert_fetched();
}

#[test]
fn a_lone_liar_is_dropped_and_the_rest_go_on() {
    let mut scene = Scene::new(2 * BLOCK);
    scene.offers(EVE, scene.len());
    scene.answers(EVE, 0);
    scene.lies(EVE, 1);
    assert_eq!(scene.dropped[&EVE], DropReason::Lied);
    scene.offers(ANN, scene.len());
    scene.answers_all(ANN);
    scene.assert_fetched();
}

#[test]
fn a_liar_among_honest_peers_is_found_out_by_asking_one_peer_at_a_time() {
    let mut scene = Scene::new(6 * BLOCK);
    scene.offers(EVE, scene.len());
    scene.offers(ANN, scene.len());
    for block in scene.asked(ANN) {
        scene.answers(ANN, block);
    }
    for block in scene.asked(EVE) {
        scene.lies(EVE, block);
    }
    assert_eq!(scene.result, None);
    assert!(scene.dropped.is_empty(), "nobody knows yet who lied");
    // Each of them is asked for the whole.
    for peer in [ANN, EVE] {
        assert_eq!(scene.asked(peer), [0, 1, 2, 3], "{peer:?}");
    }
    while scene.dropped.is_empty() {
        let block = scene.asked(EVE)[0];
        scene.lies(EVE, block);
    }
    assert_eq!(scene.dropped[&EVE], DropReason::Lied);
    scene.answers_all(ANN);
    scene.assert_fetched();
}

#[test]
fn a_liar_that_leaves_in_time_costs_one_draft() {
    let mut scene = Scene::new(6 * BLOCK);
    scene.offers(EVE, scene.len());
    scene.lies(EVE, 0);
    scene.hangs_up(EVE);
    scene.offers(ANN, scene.len());
    scene.answers_all(ANN);
    scene.assert_fetched();
    assert!(scene.dropped.is_empty());
}

#[test]
fn peers_that_disagree_on_the_size_are_tried_each() {
    let mut scene = Scene::new(2 * BLOCK);
    let sizes = [scene.len() - 1, scene.len() + 1, 1];
    for (number, size) in (10..).zip(sizes) {
        scene.offers(LinkKey(number), size);
        assert!(!scene.asked(LinkKey(number)).is_empty());
    }
    scene.offers(ANN, scene.len());
    scene.answers_all(ANN);
    scene.assert_fetched();
}

#[test]
fn sizes_that_come_to_nothing_make_room_for_others() {
    let mut scene = Scene::new(2 * BLOCK);
    let liars: Vec<_> = (10..14).map(LinkKey).collect();
    for (&liar, less) in liars.iter().zip(0..) {
        scene.offers(liar, MAX_METADATA_LEN - less);
    }
    scene.offers(ANN, scene.len());
    assert!(scene.asked(ANN).is_empty(), "there are drafts enough");
    // They send a block now and then, so that none of them counts as stalled.
    scene.wait(SECOND);
    liars.iter().for_each(|&liar| scene.lies_long(liar, 0));
    assert!(scene.asked(ANN).is_empty());
    scene.wait(SECOND);
    assert!(scene.dropped.is_empty());
    scene.answers_all(ANN);
    scene.assert_fetched();
}

impl Scene {
    /// A whole block of nonsense.
    fn lies_long(&mut self, peer: LinkKey, block: u32) {
        self.sends(peer, block, &[0xee; BLOCK]);
    }
}

#[test]
fn nobody_is_believed_who_claims_4_gb_or_nothing() {
    let mut scene = Scene::new(100);
    for (number, size) in (10..).zip([u32::MAX, MAX_METADATA_LEN + 1, 0]) {
        scene.offers(LinkKey(number), size);
        assert_eq!(scene.dropped[&LinkKey(number)], DropReason::Size(size));
    }
    scene.offers(ANN, MAX_METADATA_LEN);
    assert!(!scene.dropped.contains_key(&ANN));
    scene.offers(BOB, 100);
    scene.answers(BOB, 0);
    scene.assert_fetched();
}

#[test]
fn what_cannot_be_true_ends_the_connection() {
    type Deed = fn(&mut Scene);
    let cases: [(Deed, DropReason); 5] = [
        (
            |scene| scene.offers(EVE, 101),
            DropReason::Inconsistent {
                before: 100,
                now: 101,
            },
        ),
        (
            |scene| scene.sends(EVE, 1, &[0; 100]),
            DropReason::Unrequested(1),
        ),
        (|scene| scene.sends(EVE, 0, &[0; 99]), DropReason::Length(0)),
        (
            |scene| scene.sends(EVE, 0, &[0; 101]),
            DropReason::Length(0),
        ),
        (
            |scene| {
                scene
                    .fetcher
                    .handle_data(scene.now, EVE, 0, Some(200), &[0; 100]);
                scene.settle();
            },
            DropReason::Inconsistent {
                before: 100,
                now: 200,
            },
        ),
    ];
    for (deed, reason) in cases {
        let mut scene = Scene::new(100);
        scene.offers(EVE, 100);
        deed(&mut scene);
        assert_eq!(scene.dropped.get(&EVE), Some(&reason));
    }
}

#[test]
fn what_came_stays_when_its_sender_goes() {
    let mut scene = Scene::new(8 * BLOCK);
    scene.offers(ANN, scene.len());
    for block in 0..4 {
        scene.answers(ANN, block);
    }
    scene.hangs_up(ANN);
    scene.offers(BOB, scene.len());
    assert_eq!(scene.asked(BOB), [4, 5, 6, 7]);
    scene.answers_all(BOB);
    scene.assert_fetched();
}

/// How a simulated peer behaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Honest,
    /// Answers late, but in time.
    Slow,
    /// Rejects one request in this many, once.
    Busy,
    RejectsAll,
    Stalls,
    /// Sends some blocks wrong.
    Lies(u32),
    /// Claims a size that is off by this much.
    Misjudges(i32),
    /// Leaves after this many answers.
    Leaves(u32),
}

fn manners() -> impl Strategy<Value = Manner> {
    prop_oneof![
        Just(Manner::Honest),
        Just(Manner::Slow),
        Just(Manner::Busy),
        Just(Manner::RejectsAll),
        Just(Manner::Stalls),
        (1_u32..5).prop_map(Manner::Lies),
        (-20_000..20_000_i32).prop_map(Manner::Misjudges),
        (0_u32..4).prop_map(Manner::Leaves),
    ]
}

/// Lets peers of these manners come at these times, in tenths of a second.
fn play(len: usize, peers: &[(Manner, u64)]) -> Scene {
    let mut scene = Scene::new(len);
    let start = scene.now;
    let mut answered: BTreeMap<LinkKey, u32> = BTreeMap::new();
    for tenth in 0..6_000 {
        scene.wait(SECOND / 10);
        for (number, (manner, _)) in (0..).zip(peers).filter(|(_, (_, at))| *at == tenth) {
            let size = match manner {
                Manner::Misjudges(by) => scene.len().saturating_add_signed(*by).max(1),
                _ => scene.len(),
            };
            scene.offers(LinkKey(number), size);
        }
        for (number, (manner, _)) in (0..).zip(peers) {
            let key = LinkKey(number);
            let Some(block) = scene.asked(key).first().copied() else {
                continue;
            };
            let count = answered.entry(key).or_default();
            *count += 1;
            match manner {
                Manner::Stalls => {}
                Manner::Slow if !count.is_multiple_of(40) => {}
                Manner::RejectsAll => scene.rejects(key, block),
                Manner::Busy if *count == 2 => scene.rejects(key, block),
                Manner::Leaves(after) if *count > *after => scene.hangs_up(key),
                Manner::Lies(every) if block % every == 0 => scene.lies(key, block),
                Manner::Misjudges(by) => {
                    let size = scene.len().saturating_add_signed(*by).max(1);
                    let rest = size as usize - block as usize * BLOCK;
                    scene.sends(key, block, &vec![7; rest.min(BLOCK)]);
                }
                _ => scene.answers(key, block),
            }
            if scene.result.is_some() {
                assert!(scene.now > start);
                return scene;
            }
        }
    }
    scene
}

proptest! {
    #[test]
    fn one_honest_peer_is_enough_whoever_else_is_there(
        len in 1_usize..6 * BLOCK,
        mut peers in prop::collection::vec((manners(), 0_u64..300), 0..9),
        at in 0_u64..300,
    ) {
        peers.push((Manner::Honest, at));
        let scene = play(len, &peers);
        prop_assert!(scene.result.as_ref() == Some(&scene.truth), "not fetched");
        for (number, (manner, _)) in (0..).zip(&peers) {
            let dropped = scene.dropped.get(&LinkKey(number));
            if matches!(manner, Manner::Honest | Manner::Slow | Manner::Busy | Manner::Leaves(_)) {
                prop_assert_eq!(dropped, None, "{:?}", manner);
            }
        }
    }
}
