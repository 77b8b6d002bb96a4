//! The size of a reader's window, in whole pieces.

use std::time::Duration;

/// Seconds of a reader's own pace that are fetched ahead of it, if the budget gives as much.
const AHEAD: Duration = Duration::from_secs(30);
/// The fewest pieces fetched ahead, that of the cursor included.
const FEWEST_AHEAD: u64 = 4;
/// The fewest bytes fetched ahead: small pieces alone would not bridge a round trip.
const SMALLEST_AHEAD: u64 = 4 * 1024 * 1024;
/// The most bytes ahead where the storage has no budget.
const UNBOUNDED_AHEAD: u64 = 64 * 1024 * 1024;
/// With at least this many pieces to share out, one is left free: a piece that is still leased cannot make room at
/// once.
const ENOUGH_FOR_SLACK: u64 = 6;

/// How much a reader keeps behind its cursor, so that a rewind costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookbehind {
    /// Half of what the reader's share of the budget leaves beside the least read-ahead.
    #[default]
    Share,
    /// This many bytes, as far as the share of the budget goes.
    Bytes(u64),
    /// This many seconds of play: at the file's pace where its duration is known, else at the reader's.
    Seconds(Duration),
}

/// What the size of a window depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizing {
    /// The length of a piece in bytes.
    pub(crate) piece_length: u64,
    /// The bytes that the window may take; `None` where nothing bounds it.
    pub(crate) share: Option<u64>,
    pub(crate) lookbehind: Lookbehind,
    /// The reader's consumption, in bytes a second.
    pub(crate) pace: u64,
    /// Bytes a second of play, where the file's duration is known.
    pub(crate) play_rate: Option<u64>,
}

/// A window's size in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// All pieces of the window; at least 1, so that a reader whose share is less than a piece asks and is told `Full`.
    pub(crate) total: u64,
    /// Of these, how many lie before the cursor's piece.
    pub(crate) behind: u64,
    /// How many are wanted from the cursor's piece on.
    pub(crate) ahead: u64,
}

impl Sizing {
    pub(crate) fn size(&self) -> Size {
        let length = self.piece_length.max(1);
        let pieces = |bytes: u64| bytes.div_ceil(length);
        let by_pace = pieces(self.pace.saturating_mul(AHEAD.as_secs())) + 1;
        let fewest = FEWEST_AHEAD.max(pieces(SMALLEST_AHEAD));
        let Some(share) = self.share else {
            let most = pieces(UNBOUNDED_AHEAD).max(fewest);
            let ahead = by_pace.clamp(fewest, most);
            return Size {
                total: ahead,
                behind: 0,
                ahead,
            };
        };
        let whole = share / length;
        let total = match whole {
            0 => 1,
            few if few < ENOUGH_FOR_SLACK => few,
            many => many - 1,
        };
        let least_ahead = FEWEST_AHEAD.min(total);
        let spare = total - least_ahead;
        let rate = self.play_rate.or((self.pace > 0).then_some(self.pace));
        let behind = match (self.lookbehind, rate) {
            (Lookbehind::Bytes(bytes), _) => pieces(bytes),
            (Lookbehind::Seconds(time), Some(rate)) => pieces(bytes_in(time, rate)),
            (Lookbehind::Share, _) | (Lookbehind::Seconds(_), None) => spare / 2,
        };
        Size {
            total,
            behind: behind.min(spare),
            ahead: by_pace.max(fewest).min(total),
        }
    }
}

fn bytes_in(time: Duration, rate: u64) -> u64 {
    let bytes = u128::from(rate).saturating_mul(time.as_millis()) / 1_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn sizing(share: u64, piece_length: u64) -> Sizing {
        Sizing {
            piece_length,
            share: Some(share),
            lookbehind: Lookbehind::Share,
            pace: 0,
            play_rate: None,
        }
    }

    #[test]
    fn a_reader_of_unknown_pace_gets_a_few_pieces_ahead_and_half_of_the_rest_behind() {
        let size = sizing(64 * MIB, MIB).size();
        assert_eq!((size.total, size.behind, size.ahead), (63, 29, 4));
        let small_pieces = sizing(64 * MIB, 1 << 16).size();
        assert_eq!(small_pieces.ahead, 64);
    }

    #[test]
    fn a_fast_reader_gets_half_a_minute_ahead_as_far_as_its_share_goes() {
        let slow = Sizing {
            pace: MIB / 2,
            ..sizing(64 * MIB, MIB)
        };
        assert_eq!(slow.size().ahead, 16);
        let fast = Sizing {
            pace: 100 * MIB,
            ..sizing(64 * MIB, MIB)
        };
        assert_eq!(fast.size().ahead, 63);
    }

    #[test]
    fn a_lookbehind_is_in_bytes_or_seconds_and_leaves_room_ahead() {
        let with = |lookbehind, play_rate| {
            let sizing = Sizing {
                lookbehind,
                play_rate,
                ..sizing(64 * MIB, MIB)
            };
            sizing.size().behind
        };
        assert_eq!(with(Lookbehind::Bytes(10 * MIB), None), 10);
        assert_eq!(with(Lookbehind::Bytes(1), None), 1);
        assert_eq!(with(Lookbehind::Bytes(u64::MAX), None), 59);
        let ten = Lookbehind::Seconds(Duration::from_secs(10));
        assert_eq!(with(ten, Some(2 * MIB)), 20);
        assert_eq!(with(ten, None), 29, "as without, until a pace is known");
        assert_eq!(with(Lookbehind::Seconds(Duration::MAX), Some(u64::MAX)), 59);
    }

    #[test]
    fn a_tiny_share_is_all_ahead() {
        for (share, total) in [(0, 1), (MIB, 1), (2 * MIB, 2), (4 * MIB, 4)] {
            let size = sizing(share, MIB).size();
            assert_eq!((size.total, size.behind, size.ahead), (total, 0, total));
        }
        assert_eq!(sizing(5 * MIB, MIB).size().total, 5);
        assert_eq!(sizing(6 * MIB, MIB).size().total, 5, "one piece of slack");
    }

    #[test]
    fn a_disk_keeps_everything_and_needs_no_lookbehind() {
        let disk = Sizing {
            share: None,
            pace: 1_000 * MIB,
            ..sizing(0, MIB)
        };
        let size = disk.size();
        assert_eq!((size.behind, size.ahead), (0, 64));
    }
}
