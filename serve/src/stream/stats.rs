//! The content of `/stats`: the buffer, its readers and the transfer at one moment.

use serde::Serialize;

use super::pace::TooSlow;
use super::program::Program;

/// A snapshot of the buffer, its readers and the transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Bytes of pieces that are kept.
    pub memory: Memory,
    /// What is known of each piece.
    pub pieces: Pieces,
    /// All readers.
    pub readers: Vec<ReaderState>,
    /// Of all readers since the start.
    pub totals: Totals,
    /// Transfer rates and totals.
    pub transfer: Transfer,
    /// Bytes a second that the film needs to play, if that is known.
    pub needed: Option<u64>,
    /// The download does not keep up with the film.
    pub too_slow: Option<TooSlow>,
}

/// Totals of all readers since the start, including those that have gone: these numbers never fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Bytes of files that were given to clients.
    pub served: u64,
    /// Times that a reader had to wait for a second or longer.
    pub stalls: u64,
}

/// Bytes of pieces that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// `None` for a disk.
    pub budget: Option<u64>,
    /// Bytes in use.
    pub used: u64,
    /// Pieces that were given up for others.
    pub evictions: u64,
}

/// One reader's place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReaderState {
    /// Which one it is: no other reader of the torrent has or had this number.
    pub reader: u64,
    /// The program that reads.
    pub program: Program,
    /// The file's index.
    pub file: usize,
    /// The byte of the file that is read next.
    pub cursor: u64,
    /// Bytes held from there on, without a gap.
    pub ahead: u64,
    /// Bytes held before it, without a gap.
    pub behind: u64,
    /// Bytes a second that it reads.
    pub rate: u64,
    /// How often it wanted bytes and had to wait for a second or longer, other than for its first ones.
    pub stalls: u64,
    /// It wants bytes that are not there.
    pub is_waiting: bool,
}

/// Transfer rates and totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// Bytes a second that arrive.
    pub down_rate: u64,
    /// Bytes a second that are sent.
    pub up_rate: u64,
    /// Bytes of blocks that arrived.
    pub downloaded: u64,
    /// Bytes of blocks that were sent.
    pub uploaded: u64,
    /// Bytes of blocks that were of no use.
    pub wasted: u64,
    /// Connected peers.
    pub peers: usize,
    /// Those of them that have all.
    pub seeds: usize,
}

/// The state of one piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// How far it is.
    pub state: PieceState,
    /// A reader's window or a pin covers it.
    pub is_protected: bool,
    /// It is to be fetched.
    pub is_wanted: bool,
    /// Blocks of it are asked for.
    pub is_in_flight: bool,
}

/// How far a piece is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PieceState {
    /// Nothing of it is there.
    #[default]
    Missing,
    /// Some blocks are there.
    Partial,
    /// All blocks are there, the hash is being computed.
    Verifying,
    /// Verified, and held.
    Have,
    /// Was held, and was given up for another.
    Evicted,
}

/// All pieces: for each thing that can be said of a piece, the runs of pieces of which it is true, as `[first, count]`.
/// A piece in none of the five states is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pieces {
    /// How many there are.
    pub count: usize,
    /// Some blocks are there.
    pub partial: Runs,
    /// All blocks are there, the hash is being computed.
    pub verifying: Runs,
    /// Verified, and held.
    pub have: Runs,
    /// Were held, and were given up for others.
    pub evicted: Runs,
    /// A reader's window or a pin covers them.
    pub protected: Runs,
    /// Are to be fetched.
    pub wanted: Runs,
    /// Blocks of them are asked for.
    pub in_flight: Runs,
}

/// Neighbours that have something in common: the first and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runs(pub Vec<(usize, usize)>);

impl Runs {
    /// Adds a piece; call it in ascending order.
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
