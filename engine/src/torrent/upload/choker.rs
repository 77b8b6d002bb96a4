//! The choker: which peers are uploaded to, by the algorithm of BEP 3 with its optimistic unchoke.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use crate::torrent::PeerKey;

/// How often the unchoke slots are dealt out anew (BEP 3).
pub(crate) const RECHOKE_EVERY: Duration = Duration::from_secs(10);
/// How many rounds an optimistic unchoke lasts.
const OPTIMISTIC_ROUNDS: u32 = 3;
/// A peer that takes this many bytes a second from a seed is well served. While nearly all are, the seed has more to
/// give.
const WELL_SERVED: u64 = 32 * 1024;
/// A seed with plenty to give has at most this many times its slots.
const MOST_SLOTS: usize = 4;

/// What the choker knows of one peer that wants data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) key: PeerKey,
    /// Bytes a second it sends us while we download, or takes from us while we seed.
    pub(crate) rate: u64,
    pub(crate) unchoked: bool,
    pub(crate) snubbed: bool,
    /// It had a slot and asked for nothing: it is ranked behind all others.
    pub(crate) in_vain: bool,
    /// It is one of many connections of its host: of those that send as little, it is ranked last.
    pub(crate) crowded: bool,
}

#[derive(Debug)]
pub(crate) struct Choker {
    /// The slots of a torrent that downloads, the fewest of one that seeds.
    least: usize,
    slots: usize,
    round: u32,
    optimistic: Option<PeerKey>,
    next: Option<Instant>,
}

impl Choker {
    pub(crate) const fn new(slots: usize) -> Self {
        Self {
            least: slots,
            slots,
            round: 0,
            optimistic: None,
            next: None,
        }
    }

    /// Changes the slots; the next choice deals them out.
    pub(crate) fn set_slots(&mut self, slots: usize) {
        self.least = slots;
        self.slots = slots;
    }

    /// How many peers are uploaded to at once now.
    pub(crate) const fn slots(&self) -> usize {
        self.slots
    }

    /// Changes a seed's number of slots: more while its peers take all they can get, fewer when they get too little
    /// each.
    pub(crate) fn fit_slots(&mut self, contenders: &[Contender], seeding: bool) {
        if !seeding {
            self.slots = self.least;
            return;
        }
        let well_served = |peer: &&Contender| peer.unchoked && peer.rate >= WELL_SERVED;
        let well_served = contenders.iter().filter(well_served).count();
        let step = self.slots.div_ceil(4);
        // The largest number there is means no limit.
        let quarters = |slots: usize, count| slots.saturating_mul(count);
        let fitting = match quarters(well_served, 4) {
            most if most >= quarters(self.slots, 3) => self.slots.saturating_add(step),
            few if few < quarters(self.slots, 2) => self.slots.saturating_sub(step),
            _ => self.slots,
        };
        self.slots = fitting.clamp(self.least, self.least.saturating_mul(MOST_SLOTS));
    }

    /// There is a peer: the rounds begin, if they have not.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next.get_or_insert(now + RECHOKE_EVERY);
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Whether the slots are to be dealt out now.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = Some(now + RECHOKE_EVERY);
        }
        due
    }

    /// Chooses the peers that are unchoked until the next round. While seeding, those unchoked last keep their turn
    /// only by chance, so that every peer gets one; while downloading, the best uploaders keep it.
    pub(crate) fn choose(
        &mut self,
        contenders: &[Contender],
        seeding: bool,
        rng: &mut fastrand::Rng,
    ) -> Vec<PeerKey> {
        self.fit_slots(contenders, seeding);
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
            // While seeding, peers that had a slot come last in each optimistic round.
            let turn = rotate && peer.unchoked;
            let is_snubbed = peer.snubbed && !seeding;
            (
                peer.in_vain,
                is_snubbed,
                turn,
                Reverse(peer.rate),
                peer.crowded,
            )
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
            let has_had_one = |peer: &&Contender| peer.unchoked || peer.in_vain;
            let (unchoked, waiting) = rest.partition::<Vec<_>, _>(has_had_one);
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
                in_vain: false,
                crowded: false,
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

    /// Deals out slots for some rounds, with `rate` bytes a second for each peer that has one.
    fn deal(choker: &mut Choker, rounds: u32, seeding: bool, rate: impl Fn(usize) -> u64) -> usize {
        let mut peers = contenders(100);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut chosen = Vec::new();
        for _ in 0..rounds {
            for peer in &mut peers {
                peer.unchoked = chosen.contains(&peer.key);
                peer.rate = match peer.unchoked {
                    true => rate(chosen.len()),
                    false => 0,
                };
            }
            chosen = choker.choose(&peers, seeding, &mut rng);
            assert_eq!(chosen.len(), choker.slots());
        }
        chosen.len()
    }

    #[test]
    fn a_seed_with_plenty_to_give_serves_more_peers() {
        let mut choker = Choker::new(8);
        // Each takes what it can, whichever others are served.
        assert_eq!(deal(&mut choker, 3, true, |_| 100_000), 13);
        assert_eq!(deal(&mut choker, 20, true, |_| 100_000), 8 * MOST_SLOTS);
        // The line is shared by others now.
        assert_eq!(deal(&mut choker, 20, true, |_| 1_000), 8);
    }

    #[test]
    fn a_seed_with_little_to_give_does_not_spread_it_thin() {
        let mut choker = Choker::new(8);
        // 600 KiB/s are enough to serve 18 peers well; up to four times 8 slots are allowed.
        for rounds in 1..30 {
            let served = deal(&mut choker, rounds, true, |slots| 600 * 1024 / slots as u64);
            assert!((8..=24).contains(&served), "{served} peers");
        }
    }

    #[test]
    fn any_number_of_slots_will_do() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut peers = contenders(10);
        for slots in [0, 1, usize::MAX / 2, usize::MAX] {
            let mut choker = Choker::new(slots);
            for seeding in [true, true, true, false] {
                let chosen = choker.choose(&peers, seeding, &mut rng);
                for peer in &mut peers {
                    peer.unchoked = chosen.contains(&peer.key);
                    peer.rate = 100_000;
                }
                let most = choker.slots().max(1).min(peers.len());
                assert!(chosen.len() <= most, "{} of {slots}", chosen.len());
            }
        }
    }

    #[test]
    fn who_downloads_has_no_more_slots_however_fast_peers_are() {
        let mut choker = Choker::new(8);
        assert_eq!(deal(&mut choker, 20, true, |_| 100_000), 8 * MOST_SLOTS);
        assert_eq!(deal(&mut choker, 1, false, |_| 100_000), 8);
        assert_eq!(deal(&mut choker, 20, false, |_| 100_000), 8);
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
