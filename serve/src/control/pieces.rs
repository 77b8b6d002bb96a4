//! The pieces of a torrent: what is held, what is fetched, what peers have.

use data_encoding::BASE64;
use serde::Serialize;
use tailwater_session::{PieceState, PieceView};
use utoipa::ToSchema;

use super::details::soon;
use super::error::ControlError;
use super::id::TorrentId;
use super::service::Control;

/// The pieces of a torrent at one moment. Bitfields have a bit for each piece, the highest of the first byte for the first
/// one, in base64.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct PiecesView {
    /// How many there are.
    pub count: usize,
    /// The length of each but the last, in bytes.
    pub piece_length: u32,
    /// Those that are held, as a bitfield.
    #[schema(example = "gA==")]
    pub have: String,
    /// Those of which something is held or asked for, as a bitfield.
    pub partial: String,
    /// How many connected peers have each, 255 for more, as one byte each in base64.
    pub availability: String,
    /// How many whole copies the connected peers have together, and the share of the pieces that are there once more.
    pub copies: f64,
}

impl Control {
    /// The pieces of a torrent.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, its metadata is not known, or its files are being checked or moved.
    pub async fn pieces(&self, id: TorrentId) -> Result<PiecesView, ControlError> {
        let entry = self.inner.entry(id)?;
        let untouched = {
            let state = entry.state();
            let facts = state.facts.clone();
            facts.filter(|_| state.is_untouched())
        };
        if let Some(facts) = untouched {
            let count = usize::try_from(facts.piece_count).unwrap_or(usize::MAX);
            return Ok(PiecesView {
                piece_length: facts.piece_length,
                ..PiecesView::of(&vec![PieceView::default(); count])
            });
        }
        let torrent = self.inner.awake(id).await?;
        let map = soon(torrent.buffer()).await?;
        let piece_length = torrent.info().geometry().piece_length();
        Ok(PiecesView {
            piece_length,
            ..PiecesView::of(&map.pieces)
        })
    }
}

impl PiecesView {
    fn of(pieces: &[PieceView]) -> Self {
        let begun = |piece: &PieceView| {
            piece.in_flight || matches!(piece.state, PieceState::Partial | PieceState::Verifying)
        };
        let peers = pieces.iter().map(|piece| piece.peers);
        let bytes: Vec<u8> = peers
            .map(|peers| u8::try_from(peers).unwrap_or(u8::MAX))
            .collect();
        Self {
            count: pieces.len(),
            piece_length: 0,
            have: bitfield(pieces, |piece| piece.state == PieceState::Have),
            partial: bitfield(pieces, begun),
            availability: BASE64.encode(&bytes),
            copies: copies(pieces),
        }
    }
}

/// As in libtorrent's "distributed copies".
fn copies(pieces: &[PieceView]) -> f64 {
    let Some(whole) = pieces.iter().map(|piece| piece.peers).min() else {
        return 0.0;
    };
    let more = pieces.iter().filter(|piece| piece.peers > whole).count();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a torrent has some millions of pieces at most"
    )]
    let share = more as f64 / pieces.len() as f64;
    f64::from(whole) + share
}

fn bitfield(pieces: &[PieceView], is_set: impl Fn(&PieceView) -> bool) -> String {
    let bytes = pieces.chunks(8).map(|eight| {
        let bits = eight.iter().zip([0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1]);
        let set = bits.filter(|(piece, _)| is_set(piece));
        set.fold(0_u8, |byte, (_, bit)| byte | bit)
    });
    BASE64.encode(&bytes.collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_copies_are_counted() {
        let piece = |state, peers, in_flight| {
            let mut piece = PieceView::default();
            (piece.state, piece.peers, piece.in_flight) = (state, peers, in_flight);
            piece
        };
        let mut pieces = vec![piece(PieceState::Missing, 2, false); 9];
        pieces[0] = piece(PieceState::Have, 300, false);
        pieces[1] = piece(PieceState::Partial, 3, false);
        pieces[2] = piece(PieceState::Missing, 3, true);
        pieces[8] = piece(PieceState::Have, 2, false);
        let view = PiecesView::of(&pieces);
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).unwrap();
        assert_eq!(view.count, 9);
        assert_eq!(bytes(&view.have), [0x80, 0x80]);
        assert_eq!(bytes(&view.partial), [0x60, 0]);
        assert_eq!(bytes(&view.availability), [255, 3, 3, 2, 2, 2, 2, 2, 2]);
        assert!((view.copies - (2.0 + 3.0 / 9.0)).abs() < 1e-9);
        assert!(PiecesView::of(&[]).copies.abs() < 1e-9);
    }
}
