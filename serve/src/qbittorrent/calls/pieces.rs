//! Pieces of a torrent.

use data_encoding::BASE64;
use serde_json::Value;

use super::{Answer, Outcome, torrent};
use crate::control::{ControlError, PiecesView};
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::has_metadata;

/// A piece that is not held, one that is fetched, and one that is held.
const STATES: [u8; 3] = [0, 1, 2];

pub(super) async fn states(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    if !has_metadata(&view) {
        return Ok(Answer::Json(Value::Array(Vec::new())));
    }
    let pieces = shared.control.pieces(view.id).await?;
    Ok(Answer::Json(states_of(&pieces).into()))
}

fn states_of(pieces: &PiecesView) -> Vec<u8> {
    let bits = |text: &str| BASE64.decode(text.as_bytes()).unwrap_or_default();
    let (have, partial) = (bits(&pieces.have), bits(&pieces.partial));
    let is_set = |bits: &[u8], at: usize| {
        bits.get(at / 8)
            .is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
    };
    let [missing, fetched, held] = STATES;
    let state = |at| match (is_set(&have, at), is_set(&partial, at)) {
        (true, _) => held,
        (_, true) => fetched,
        _ => missing,
    };
    (0..pieces.count).map(state).collect()
}

pub(super) async fn hashes(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    match shared.control.piece_hashes(view.id).await {
        Ok(hashes) => Ok(Answer::Json(hashes.into())),
        Err(ControlError::Conflict(_)) => Ok(Answer::Json(Value::Array(Vec::new()))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_missing_fetched_or_held() {
        let pieces = PiecesView {
            count: 10,
            have: BASE64.encode(&[0b1010_0000, 0b0100_0000]),
            partial: BASE64.encode(&[0b0100_0000, 0]),
            ..PiecesView::default()
        };
        assert_eq!(states_of(&pieces), [2, 1, 2, 0, 0, 0, 0, 0, 0, 2]);
    }
}
