//! What `/stats` says: the buffer, its readers and the transfer at one moment.

use serde::Serialize;

use super::pace::TooSlow;
use super::program::Program;

/// What is there now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) memory: Memory,
    pub(crate) pieces: Pieces,
    pub(crate) readers: Vec<ReaderState>,
    pub(crate) totals: Totals,
    pub(crate) transfer: Transfer,
    /// Bytes a second that the film needs to play, if that is known.
    pub(crate) needed: Option<u64>,
    /// The download does not keep up with the film.
    pub(crate) too_slow: Option<TooSlow>,
}

/// Of all readers since the start, also of those that have gone: these numbers never fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Bytes of files that were given to clients.
    pub(crate) served: u64,
    pub(crate) stalls: u64,
}

/// Bytes of pieces that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// `None` for a disk.
    pub(crate) budget: Option<u64>,
    pub(crate) used: u64,
    pub(crate) evictions: u64,
}

/// One reader's place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ReaderState {
    /// Which one it is: no other reader of the torrent has or had this number.
    pub(crate) reader: u64,
    /// Whose it is.
    pub(crate) program: Program,
    pub(crate) file: usize,
    /// The byte of the file that is read next.
    pub(crate) cursor: u64,
    /// Bytes held from there on, without a gap.
    pub(crate) ahead: u64,
    /// Bytes held before it, without a gap.
    pub(crate) behind: u64,
    /// Bytes a second that it reads.
    pub(crate) rate: u64,
    /// How often it wanted bytes and had to wait for a second or longer, other than for its first ones.
    pub(crate) stalls: u64,
    pub(crate) is_waiting: bool,
}

/// What goes over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Transfer {
    pub(crate) down_rate: u64,
    pub(crate) up_rate: u64,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) wasted: u64,
    pub(crate) peers: usize,
    pub(crate) seeds: usize,
}

/// What is known of one piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) state: PieceState,
    pub(crate) is_protected: bool,
    pub(crate) is_wanted: bool,
    pub(crate) is_in_flight: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PieceState {
    #[default]
    Missing,
    Partial,
    Verifying,
    Have,
    Evicted,
}

/// All pieces: for each thing that can be said of a piece, the runs of pieces of which it is true, as `[first, count]`.
/// A piece in none of the five states is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pieces {
    pub(crate) count: usize,
    pub(crate) partial: Runs,
    pub(crate) verifying: Runs,
    pub(crate) have: Runs,
    pub(crate) evicted: Runs,
    pub(crate) protected: Runs,
    pub(crate) wanted: Runs,
    pub(crate) in_flight: Runs,
}

/// Neighbours that have something in common: the first and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Runs(pub(crate) Vec<(usize, usize)>);

impl Runs {
    /// In ascending order.
    fn push(&mut self, piece: usize) {
        match self.0.last_mut() {
            Some((first, count)) if *first + *count == piece => *count += 1,
            _ => self.0.push((piece, 1)),
        }
    }
}

impl FromIterator<Piece> for Pieces {
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        let mut all = Self::default();
        for (index, piece) in pieces.into_iter().enumerate() {
            all.count = index + 1;
            match piece.state {
                PieceState::Missing => {}
                PieceState::Partial => all.partial.push(index),
                PieceState::Verifying => all.verifying.push(index),
                PieceState::Have => all.have.push(index),
                PieceState::Evicted => all.evicted.push(index),
            }
            let flags = [
                (piece.is_protected, &mut all.protected),
                (piece.is_wanted, &mut all.wanted),
                (piece.is_in_flight, &mut all.in_flight),
            ];
            for (is_set, runs) in flags {
                if is_set {
                    runs.push(index);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pieces_are_told_in_runs() {
        let have = Piece {
            state: PieceState::Have,
            ..Piece::default()
        };
        let flying = Piece {
            state: PieceState::Partial,
            is_wanted: true,
            is_in_flight: true,
            ..Piece::default()
        };
        let pieces: Pieces = [have, have, Piece::default(), flying, have]
            .into_iter()
            .collect();
        let json = serde_json::to_value(&pieces).unwrap();
        let expected = serde_json::json!({
            "count": 5, "partial": [[3, 1]], "verifying": [], "have": [[0, 2], [4, 1]], "evicted": [],
            "protected": [], "wanted": [[3, 1]], "in_flight": [[3, 1]],
        });
        assert_eq!(json, expected);
    }

    proptest! {
        #[test]
        fn runs_name_each_piece_once(flags in proptest::collection::vec(any::<bool>(), 0..100)) {
            let pieces: Pieces = flags
                .iter()
                .map(|&is_wanted| Piece { is_wanted, ..Piece::default() })
                .collect();
            let mut told = vec![false; pieces.count];
            for (first, count) in pieces.wanted.0 {
                prop_assert!(first == 0 || !told[first - 1], "neighbouring runs are one");
                told[first..first + count].fill(true);
            }
            prop_assert_eq!(told, flags);
        }
    }
}
