//! A limit on how often evicted pieces are fetched again: it bounds what thrashing can cost the swarm.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tailwater_metainfo::PieceIndex;

/// The period over which fetches are counted.
const PERIOD: Duration = Duration::from_secs(60);
/// How often one piece may be fetched again within [`PERIOD`]. A person who jumps back and forth stays below.
const MAX_REFETCHES: u32 = 12;

#[derive(Debug, Default)]
pub(crate) struct Refetches {
    /// When the period of a piece began, and how often it has been fetched again in it.
    counts: BTreeMap<PieceIndex, (Instant, u32)>,
    /// A piece had to wait since the last look.
    has_refused: bool,
}

impl Refetches {
    /// Whether an evicted piece may be fetched again now.
    pub(crate) fn may(&mut self, now: Instant, piece: PieceIndex) -> bool {
        let allowed = self
            .counts
            .get(&piece)
            .is_none_or(|(began, count)| is_over(now, *began) || *count < MAX_REFETCHES);
        self.has_refused |= !allowed;
        allowed
    }

    /// An evicted piece is being fetched again.
    pub(crate) fn count(&mut self, now: Instant, piece: PieceIndex) {
        let (began, count) = self.counts.entry(piece).or_insert((now, 0));
        if is_over(now, *began) {
            (*began, *count) = (now, 0);
        }
        *count += 1;
    }

    /// Forgets what no longer counts; says whether a piece was refused since the last time, and may be allowed now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.counts.retain(|_, (began, _)| !is_over(now, *began));
        std::mem::take(&mut self.has_refused)
    }
}

fn is_over(now: Instant, began: Instant) -> bool {
    now.saturating_duration_since(began) >= PERIOD
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_metainfo::Geometry;

    #[test]
    fn a_piece_is_fetched_again_only_so_often_a_minute() {
        let geometry = Geometry::new(2, 1).unwrap();
        let (piece, other) = (geometry.piece(0).unwrap(), geometry.piece(1).unwrap());
        let start = crate::testing::epoch();
        let mut refetches = Refetches::default();
        for _ in 0..MAX_REFETCHES {
            assert!(refetches.may(start, piece));
            refetches.count(start, piece);
        }
        assert!(!refetches.may(start, piece));
        assert!(refetches.may(start, other));
        assert!(refetches.handle_timeout(start), "somebody waits");
        assert!(!refetches.handle_timeout(start));
        assert!(refetches.may(start + PERIOD, piece));
        refetches.count(start + PERIOD, piece);
        assert!(refetches.may(start + PERIOD, piece));
    }
}
