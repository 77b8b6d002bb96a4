//! `/cache`: which pieces of a torrent are held, and where it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tailwater_metainfo::Geometry;
use tailwater_session::{BufferMap, PieceState, PieceView, ReaderView, Torrent};

use super::refused::Refused;
use super::server::Shared;
use super::status::Status;
use crate::control::{TorrentId, TorrentView};
use crate::stream::Fresh;

/// The most pieces that are listed: those near to readers come first.
const MAX_PIECES: usize = 4_096;
/// A picture is made anew no sooner than this: clients ask once a second or less often, and one of thousands of pieces takes
/// the torrent's time.
const KEPT_FOR: Duration = Duration::from_millis(250);
/// The most torrents of which the last picture is kept; at the limit, all are made anew when they are asked for.
const MAX_TORRENTS: usize = 32;
/// How wanted a piece is, as it is called there.
const NOW: u8 = 5;
const READAHEAD: u8 = 3;
const NORMAL: u8 = 1;

/// The last pictures, as JSON: all who ask at once get the same one.
#[derive(Default)]
pub(super) struct Caches {
    made: Mutex<HashMap<TorrentId, Arc<Fresh<Bytes>>>>,
}

impl Caches {
    /// The picture of a torrent in the session.
    pub(super) async fn get(
        &self,
        shared: &Shared,
        view: &TorrentView,
        torrent: &Torrent,
    ) -> Result<Bytes, Refused> {
        let made = {
            let mut made = self.made.lock();
            if made.len() >= MAX_TORRENTS && !made.contains_key(&view.id) {
                made.clear();
            }
            let fresh = made.entry(view.id);
            Arc::clone(fresh.or_insert_with(|| Arc::new(Fresh::new(KEPT_FOR))))
        };
        let make = async {
            let buffer = shared.control().buffer(view.id).await?;
            let json = serde_json::to_vec(&Cache::of(shared, view, torrent, &buffer));
            json.map(Bytes::from)
                .map_err(|error| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        };
        made.get(make).await
    }
}

/// What is held of a torrent.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Cache {
    hash: String,
    capacity: u64,
    filled: u64,
    pieces_length: u64,
    pieces_count: u32,
    torrent: Status,
    pieces: BTreeMap<u32, Piece>,
    readers: Vec<Reader>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Piece {
    id: u32,
    length: u64,
    size: u64,
    completed: bool,
    priority: u8,
}

/// Places of a reader, in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Reader {
    start: u32,
    end: u32,
    reader: u32,
}

impl Cache {
    /// That of a torrent in the session, whose pieces and readers are these.
    fn of(shared: &Shared, view: &TorrentView, torrent: &Torrent, buffer: &BufferMap) -> Self {
        let geometry = torrent.info().geometry();
        let readers = buffer.readers.iter();
        let readers: Vec<_> = readers.filter_map(|it| reader(torrent, it)).collect();
        Self {
            hash: view.id.to_string(),
            // On a disk there is room for all of it.
            capacity: buffer.memory.budget.unwrap_or(view.size),
            filled: filled(geometry, &buffer.pieces),
            pieces_length: geometry.piece_length().into(),
            pieces_count: geometry.piece_count(),
            torrent: Status::of(shared, view),
            pieces: pieces(geometry, &buffer.pieces, &readers),
            readers,
        }
    }
}

fn reader(torrent: &Torrent, view: &ReaderView) -> Option<Reader> {
    let geometry = torrent.info().geometry();
    let file = torrent.info().files().get(view.file)?;
    let last = geometry.piece_count().checked_sub(1)?;
    let begin = file.offset();
    let at = |position: u64| {
        let position = begin.saturating_add(position.min(file.length()));
        geometry
            .piece_at(position)
            .map_or(last, tailwater_metainfo::PieceIndex::get)
    };
    Some(Reader {
        start: at(view.cursor.saturating_sub(view.behind)),
        end: at(view.cursor.saturating_add(view.ahead)),
        reader: at(view.cursor),
    })
}

/// Bytes of the pieces that are held.
fn filled(geometry: &Geometry, views: &[PieceView]) -> u64 {
    let held = (0..)
        .zip(views)
        .filter(|(_, view)| view.state == PieceState::Have);
    let lengths = held.filter_map(|(id, _)| Some(geometry.piece_len(geometry.piece(id).ok()?)));
    lengths.map(u64::from).sum()
}

/// The pieces of which something is held or fetched.
fn pieces(geometry: &Geometry, views: &[PieceView], readers: &[Reader]) -> BTreeMap<u32, Piece> {
    let is_listed = |view: &PieceView| {
        view.in_flight
            || matches!(
                view.state,
                PieceState::Have | PieceState::Partial | PieceState::Verifying
            )
    };
    let held: Vec<u32> = (0..)
        .zip(views)
        .filter(|(_, view)| is_listed(view))
        .map(|(id, _)| id)
        .collect();
    let near: BTreeSet<u32> = match held.len() > MAX_PIECES {
        false => held.into_iter().collect(),
        true => nearest(&held, readers),
    };
    let piece = |id: u32| {
        let view = views.get(usize::try_from(id).ok()?)?;
        let length = u64::from(geometry.piece_len(geometry.piece(id).ok()?));
        let is_held = view.state == PieceState::Have;
        let priority = match view {
            _ if is_held => 0,
            _ if readers.iter().any(|reader| reader.reader == id) => NOW,
            PieceView {
                is_wanted: true, ..
            } => READAHEAD,
            _ => NORMAL,
        };
        let piece = Piece {
            id,
            length,
            size: if is_held { length } else { 0 },
            completed: is_held,
            priority,
        };
        Some((id, piece))
    };
    near.into_iter().filter_map(piece).collect()
}

/// Those of the pieces, which are sorted, that follow the readers; then the first ones.
fn nearest(held: &[u32], readers: &[Reader]) -> BTreeSet<u32> {
    let share = MAX_PIECES / (readers.len().min(MAX_PIECES / 2) + 1);
    let mut near = BTreeSet::new();
    for reader in readers {
        let from = held.partition_point(|id| *id < reader.start);
        near.extend(held[from..].iter().take(share));
        if near.len() + share > MAX_PIECES {
            return near;
        }
    }
    let missing = MAX_PIECES - near.len();
    near.extend(held.iter().take(missing));
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_more_is_held_than_is_listed_what_readers_come_to_is_in_it() {
        let held: Vec<u32> = (0..1_000_000).collect();
        let reader = |start| Reader {
            start,
            end: start + 9,
            reader: start + 2,
        };
        let near = nearest(&held, &[reader(500_000), reader(999_990)]);
        assert!(near.len() <= MAX_PIECES && near.len() > MAX_PIECES / 3);
        for id in [0, 500_000, 501_000, 999_990, 999_999] {
            assert!(near.contains(&id), "{id}");
        }
        assert_eq!(nearest(&held, &[]).len(), MAX_PIECES);
        let many: Vec<_> = (0..10_000).map(|at| reader(at * 90)).collect();
        assert!(nearest(&held, &many).len() <= MAX_PIECES);
    }
}
