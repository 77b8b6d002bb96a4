//! The content of `/stats`: the buffer, its readers and the transfer at one moment.

use serde::Serialize;
use tailwater_session::{
    MemoryUse, PieceState, PieceView, ReaderView, TransferStats, WebSeedStats,
};

use super::pace::TooSlow;
use super::program::Program;

/// A snapshot of the buffer, its readers and the transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Bytes of pieces that are kept.
    pub memory: MemoryUse,
    /// What is known of each piece.
    pub pieces: Pieces,
    /// All readers.
    pub readers: Vec<ReaderState>,
    /// Of all readers since the start.
    pub totals: Totals,
    /// Transfer rates and totals.
    pub transfer: TransferStats,
    /// The torrent's web seeds.
    pub web_seeds: Vec<WebSeedStats>,
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

/// One reader, and the program that reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReaderState {
    /// Its place.
    #[serde(flatten)]
    pub view: ReaderView,
    /// The program.
    pub program: Program,
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

impl<'a> FromIterator<&'a PieceView> for Pieces {
    fn from_iter<I: IntoIterator<Item = &'a PieceView>>(pieces: I) -> Self {
        let mut all = Self::default();
        for (index, piece) in pieces.into_iter().enumerate() {
            all.count = index + 1;
            match piece.state {
                PieceState::Partial => all.partial.push(index),
                PieceState::Verifying => all.verifying.push(index),
                PieceState::Have => all.have.push(index),
                PieceState::Evicted => all.evicted.push(index),
                // Missing, and any state that a later session may add.
                _ => {}
            }
            let flags = [
                (piece.is_protected, &mut all.protected),
                (piece.is_wanted, &mut all.wanted),
                (piece.in_flight, &mut all.in_flight),
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
    use tailwater_session::ReaderKey;

    fn piece(state: PieceState) -> PieceView {
        let mut piece = PieceView::default();
        piece.state = state;
        piece
    }

    #[test]
    fn pieces_are_told_in_runs() {
        let (have, missing) = (piece(PieceState::Have), PieceView::default());
        let mut flying = piece(PieceState::Partial);
        (flying.is_wanted, flying.in_flight) = (true, true);
        let pieces: Pieces = [have, have, missing, flying, have].iter().collect();
        let json = serde_json::to_value(&pieces).unwrap();
        let expected = serde_json::json!({
            "count": 5, "partial": [[3, 1]], "verifying": [], "have": [[0, 2], [4, 1]], "evicted": [],
            "protected": [], "wanted": [[3, 1]], "in_flight": [[3, 1]],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_snapshot_has_the_names_that_the_page_reads() {
        let mut view = ReaderView::new(ReaderKey::new(7));
        (view.file, view.cursor, view.ahead) = (1, 2, 3);
        let program = Program::default();
        let snapshot = Snapshot {
            readers: vec![ReaderState { view, program }],
            ..Snapshot::default()
        };
        let json = serde_json::to_value(&snapshot).unwrap();
        let expected = serde_json::json!({
            "memory": { "budget": null, "used": 0, "evictions": 0 },
            "pieces": {
                "count": 0, "partial": [], "verifying": [], "have": [], "evicted": [],
                "protected": [], "wanted": [], "in_flight": [],
            },
            "readers": [{
                "reader": 7, "program": Program::default(), "file": 1, "cursor": 2, "ahead": 3,
                "behind": 0, "rate": 0, "stalls": 0, "is_waiting": false,
            }],
            "totals": { "served": 0, "stalls": 0 },
            "transfer": {
                "down_rate": 0, "up_rate": 0, "downloaded": 0, "uploaded": 0, "wasted": 0,
                "peers": 0, "seeds": 0, "utp_peers": 0, "encrypted_peers": 0, "rc4_peers": 0,
            },
            "web_seeds": [],
            "needed": null,
            "too_slow": null,
        });
        assert_eq!(json, expected);
    }

    proptest! {
        #[test]
        fn runs_name_each_piece_once(flags in proptest::collection::vec(any::<bool>(), 0..100)) {
            let view = |&is_wanted: &bool| {
                let mut piece = PieceView::default();
                piece.is_wanted = is_wanted;
                piece
            };
            let views: Vec<_> = flags.iter().map(view).collect();
            let pieces: Pieces = views.iter().collect();
            let mut told = vec![false; pieces.count];
            for (first, count) in pieces.wanted.0 {
                prop_assert!(first == 0 || !told[first - 1], "neighbouring runs are one");
                told[first..first + count].fill(true);
            }
            prop_assert_eq!(told, flags);
        }
    }
}
