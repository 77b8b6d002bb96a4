//! A limit on how often evicted pieces are fetched again: it bounds what thrashing can cost the swarm.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tailwater_metainfo::PieceIndex;
use tailwater_types::pacing::{Rate, TokenBucket};

/// How often one piece may be fetched again: so often at once, then once every 5 s. A person who jumps back and forth stays
/// below; a player that opens a file anew for each jump, and reads its end each time, waits no longer than that.
const RATE: Rate = Rate::every(Duration::from_secs(5), 12);

#[derive(Debug, Default)]
pub(crate) struct Refetches {
    /// Of pieces that were fetched again of late.
    buckets: BTreeMap<PieceIndex, TokenBucket>,
    /// A piece had to wait since the last look.
    has_refused: bool,
}

impl Refetches {
    /// Whether an evicted piece may be fetched again now.
    pub(crate) fn may(&mut self, now: Instant, piece: PieceIndex) -> bool {
        let bucket = self.buckets.get(&piece);
        let allowed = bucket.is_none_or(|bucket| bucket.has(now, RATE, 1));
        self.has_refused |= !allowed;
        allowed
    }

    /// An evicted piece is being fetched again.
    pub(crate) fn count(&mut self, now: Instant, piece: PieceIndex) {
        let bucket = self.buckets.entry(piece).or_default();
        bucket.spend(now, RATE, 1);
    }

    /// Forgets what no longer counts; says whether a piece was refused since the last time, and may be allowed now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        std::mem::take(&mut self.has_refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_metainfo::Geometry;

    #[test]
    fn a_piece_is_fetched_again_a_dozen_times_and_then_once_every_five_seconds() {
        let geometry = Geometry::new(2, 1).unwrap();
        let (piece, other) = (geometry.piece(0).unwrap(), geometry.piece(1).unwrap());
        let start = crate::testing::epoch();
        let mut refetches = Refetches::default();
        for _ in 0..12 {
            assert!(refetches.may(start, piece));
            refetches.count(start, piece);
        }
        assert!(!refetches.may(start, piece));
        assert!(refetches.may(start, other));
        assert!(refetches.handle_timeout(start), "somebody waits");
        assert!(!refetches.handle_timeout(start));
        let mut now = start;
        for _ in 0..3 {
            now += Duration::from_secs(5);
            assert!(!refetches.may(now - Duration::from_millis(1), piece));
            assert!(refetches.may(now, piece));
            refetches.count(now, piece);
        }
        refetches.handle_timeout(start + Duration::from_secs(76));
        assert!(refetches.buckets.is_empty());
    }
}
