//! Whom to upload to: the choking algorithm of BEP 3 with its optimistic slot.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::PeerKey;

/// How often the slots are dealt out anew (BEP 3).
pub(crate) const RECHOKE_EVERY: Duration = Duration::from_secs(10);
/// How many rounds an optimistic unchoke lasts.
const OPTIMISTIC_ROUNDS: u32 = 3;

/// What the choker needs to know of one peer that wants data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) key: PeerKey,
    /// Bytes a second it sends us while we download, or takes from us while we seed.
    pub(crate) rate: u64,
    pub(crate) unchoked: bool,
    pub(crate) snubbed: bool,
}

#[derive(Debug)]
pub(crate) struct Choker {
    slots: usize,
    round: u32,
    optimistic: Option<PeerKey>,
    next: Option<Instant>,
}

impl Choker {
    pub(crate) const fn new(slots: usize) -> Self {
        Self {
            slots,
            round: 0,
            optimistic: None,
            next: None,
        }
    }

    pub(crate) const fn slots(&self) -> usize {
        self.slots
    }

    pub(crate) fn poll_timeout(&mut self, now: Instant) -> Instant {
        *self.next.get_or_insert(now + RECHOKE_EVERY)
    }

    /// Whether the slots are to be dealt out now.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout(now) <= now;
        if due {
            self.next = Some(now + RECHOKE_EVERY);
        }
        due
    }

    /// Chooses who is unchoked until the next round. While seeding, those unchoked last keep their turn only by
    /// chance, so that every peer gets one; while downloading, the best uploaders keep it.
    pub(crate) fn choose(
        &mut self,
        contenders: &[Contender],
        seeding: bool,
        rng: &mut fastrand::Rng,
    ) -> Vec<PeerKey> {
        if contenders.len() <= self.slots {
            return contenders.iter().map(|contender| contender.key).collect();
        }
        if self.round.is_multiple_of(OPTIMISTIC_ROUNDS) {
            self.optimistic = None;
        }
        self.round = self.round.wrapping_add(1);
        let mut ranked = contenders.to_vec();
        rng.shuffle(&mut ranked);
        let rotate = seeding && self.optimistic.is_none();
        ranked.sort_by_key(|peer| {
            // While seeding, whoever had a slot lines up last in each optimistic round.
            let turn = rotate && peer.unchoked;
            (peer.snubbed && !seeding, turn, Reverse(peer.rate))
        });
        let mut chosen: Vec<_> = ranked
            .iter()
            .take(self.slots.saturating_sub(1))
            .map(|peer| peer.key)
            .collect();
        let still_there =
            |key: &PeerKey| contenders.iter().any(|peer| peer.key == *key) && !chosen.contains(key);
        self.optimistic = self.optimistic.filter(still_there).or_else(|| {
            let rest = contenders.iter().filter(|peer| !chosen.contains(&peer.key));
            let (unchoked, waiting) = rest.partition::<Vec<_>, _>(|peer| peer.unchoked);
            let lucky = if waiting.is_empty() {
                unchoked
            } else {
                waiting
            };
            rng.choice(lucky).map(|peer: &Contender| peer.key)
        });
        chosen.extend(self.optimistic);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn contenders(count: u32) -> Vec<Contender> {
        (0..count)
            .map(|n| Contender {
                key: PeerKey::new(n, 1),
                rate: u64::from(n),
                unchoked: false,
                snubbed: false,
            })
            .collect()
    }

    #[test]
    fn with_room_for_all_everybody_is_unchoked() {
        let mut choker = Choker::new(4);
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(choker.choose(&contenders(4), false, &mut rng).len(), 4);
    }

    #[test]
    fn the_best_uploaders_keep_their_slots_and_one_is_optimistic() {
        let mut choker = Choker::new(4);
        let mut rng = fastrand::Rng::with_seed(1);
        let mut lucky = BTreeSet::new();
        for _ in 0..60 {
            let chosen = choker.choose(&contenders(10), false, &mut rng);
            assert_eq!(chosen.len(), 4);
            for best in 7..10 {
                assert!(chosen.contains(&PeerKey::new(best, 1)));
            }
            lucky.extend(chosen);
        }
        assert!(
            lucky.len() > 7,
            "the optimistic slot never moved: {lucky:?}"
        );
    }

    #[test]
    fn a_snubbing_peer_loses_its_slot() {
        let mut peers = contenders(10);
        peers[9].snubbed = true;
        let mut choker = Choker::new(4);
        let mut rng = fastrand::Rng::with_seed(3);
        let chosen = choker.choose(&peers, false, &mut rng);
        assert!(!chosen[..3].contains(&PeerKey::new(9, 1)));
    }

    #[test]
    fn a_seed_serves_everybody_in_turn() {
        let mut peers = contenders(12);
        let mut choker = Choker::new(4);
        let mut rng = fastrand::Rng::with_seed(5);
        let mut served = BTreeSet::new();
        for _ in 0..60 {
            let chosen = choker.choose(&peers, true, &mut rng);
            for peer in &mut peers {
                peer.unchoked = chosen.contains(&peer.key);
            }
            served.extend(chosen);
        }
        assert_eq!(served.len(), 12);
    }
}
