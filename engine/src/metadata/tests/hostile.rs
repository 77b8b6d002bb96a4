//! Many liars beside one honest peer.

use super::*;
use crate::metadata::{MAX_DRAFT_BYTES, MAX_DRAFTS};

/// What each of forty liars does with its requests.
#[derive(Clone, Copy, Debug)]
enum Liar {
    Silent,
    Rejects,
    /// A false block so many tenths of a second after it was asked.
    Dribbles(u64),
    /// A false block at once, and then nothing.
    SendsOne,
}

/// Forty liars that come first and claim what `claim` says, and an honest peer that answers within 100 ms. Says how long the fetch
/// took.
fn beside_forty(liar: Liar, len: usize, claim: impl Fn(u32, u32) -> u32) -> Duration {
    let mut scene = Scene::new(len);
    let start = scene.now;
    let liars: Vec<_> = (100..140).map(LinkKey).collect();
    for (number, &key) in (0..).zip(&liars) {
        scene.offers(key, claim(number, scene.len()));
    }
    scene.offers(ANN, scene.len());
    let mut last: BTreeMap<LinkKey, u64> = BTreeMap::new();
    for tenth in 0..600 {
        for &key in &liars {
            let asked = scene.asked(key);
            let Some(&block) = asked.first() else {
                last.insert(key, tenth);
                continue;
            };
            let since = tenth - *last.entry(key).or_insert(tenth);
            match liar {
                Liar::Silent => {}
                Liar::Rejects => scene.rejects(key, block),
                Liar::Dribbles(tenths) if since < tenths => {}
                Liar::SendsOne if block > 0 => {}
                Liar::Dribbles(_) | Liar::SendsOne => {
                    last.insert(key, tenth);
                    let size = claim(u32::try_from(key.0 - 100).unwrap(), scene.len());
                    let rest = size as usize - block as usize * BLOCK;
                    scene.sends(key, block, &vec![0xee; rest.min(BLOCK)]);
                }
            }
        }
        for block in scene.asked(ANN) {
            scene.answers(ANN, block);
            if scene.result.is_some() {
                scene.assert_fetched();
                return scene.now - start;
            }
        }
        scene.wait(SECOND / 10);
    }
    panic!("not fetched: {liar:?}");
}

#[test]
fn forty_slow_liars_cost_seconds_whatever_they_claim() {
    let liars = [
        Liar::Silent,
        Liar::Rejects,
        Liar::Dribbles(5),
        Liar::Dribbles(20),
        Liar::Dribbles(40),
        Liar::SendsOne,
    ];
    type Claim = fn(u32, u32) -> u32;
    let claims: [(&str, Claim); 4] = [
        ("the true size", |_, len| len),
        ("a size each", |number, len| len + 1 + number),
        ("a large size each", |number, _| MAX_METADATA_LEN - number),
        ("one false size", |_, len| len + 1),
    ];
    for liar in liars {
        for (name, claim) in claims {
            for len in [100, 5 * BLOCK + 1, 60 * BLOCK] {
                let took = beside_forty(liar, len, claim);
                // Alone, it sends four blocks in 100 ms.
                let alone = SECOND / 10 * u32::try_from(len.div_ceil(4 * BLOCK)).unwrap();
                let bound = 5 * SECOND / 2 + 2 * alone;
                assert!(took <= bound, "{took:?}: {liar:?}, {name}, {len}");
            }
        }
    }
}

#[test]
fn a_size_that_many_addresses_claim_comes_before_one_that_a_host_claims_often() {
    let mut scene = Scene::new(2 * BLOCK);
    // Of the largest size four drafts fit.
    let sizes: Vec<_> = (0..4).map(|less| MAX_METADATA_LEN - less).collect();
    for (key, &size) in (10..).map(LinkKey).zip(&sizes) {
        scene.offers(key, size);
    }
    // One host, by its /64, claims a small size many times over; the honest come from two.
    for number in 0..10 {
        let ip = format!("2001:db8::{number}").parse().unwrap();
        scene.offers_from(LinkKey(100 + number), ip, MAX_METADATA_LEN - 100);
    }
    scene.offers(ANN, MAX_METADATA_LEN - 200);
    scene.offers(BOB, MAX_METADATA_LEN - 200);
    scene.wait(2 * SECOND);
    assert!(!scene.asked(ANN).is_empty());
    // The sizes alternate: the others get their turn when it is over.
    scene.wait(SECOND);
    let is_asked = |scene: &Scene, key| scene.asked.contains_key(&LinkKey(key));
    assert!((100..110).any(|key| is_asked(&scene, key)));
    scene.fetcher.check_invariants();
}

#[test]
fn drafts_that_their_senders_left_do_not_pile_up() {
    let mut scene = Scene::new(100);
    let mut key = 1_000;
    for round in 0..500 {
        key += 1;
        scene.offers(LinkKey(key), 40_000 + round);
        if !scene.asked(LinkKey(key)).is_empty() {
            scene.lies_long(LinkKey(key), 0);
        }
        scene.hangs_up(LinkKey(key));
    }
    // The invariants are checked at each step; an honest peer finds room at once.
    scene.offers(ANN, 100);
    scene.answers(ANN, 0);
    scene.assert_fetched();
    assert!(MAX_DRAFT_BYTES >= 4 * u64::from(MAX_METADATA_LEN) && MAX_DRAFTS < 100);
}

#[test]
fn a_slow_honest_peer_is_done_in_the_end_beside_liars_with_large_sizes() {
    // Ten seconds for the whole, beside four liars that never finish.
    let len = 40 * BLOCK;
    let mut scene = Scene::new(len);
    let liars: Vec<_> = (10..16).map(LinkKey).collect();
    for (&liar, less) in liars.iter().zip(0..) {
        scene.offers(liar, MAX_METADATA_LEN - less);
    }
    scene.offers(ANN, scene.len());
    for _ in 0..2_000 {
        scene.wait(SECOND / 4);
        for &liar in &liars {
            if let Some(&block) = scene.asked(liar).first() {
                scene.lies_long(liar, block);
            }
        }
        if let Some(&block) = scene.asked(ANN).first() {
            scene.answers(ANN, block);
        }
        if scene.result.is_some() {
            break;
        }
    }
    scene.assert_fetched();
}
