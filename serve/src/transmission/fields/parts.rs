//! Parts of a torrent, which are asked for only where a field needs them. A torrent that cannot say has none.

use std::sync::Arc;

use data_encoding::BASE64;

use super::Need;
use crate::control::{
    FileView, PeerView, PiecesView, Standing, TorrentState, TorrentView, TrackerView, WebSeedView,
};
use crate::transmission::server::Shared;

/// The text that keeps a torrent's priority among others.
pub(in crate::transmission) const PRIORITY: &str = "transmission_priority";

/// Which parts the fields of a request need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of eight")]
pub(in crate::transmission) struct Needs {
    whole: bool,
    standing: bool,
    files: bool,
    peers: bool,
    trackers: bool,
    web_seeds: bool,
    pieces: bool,
}

impl Needs {
    pub(in crate::transmission) const fn add(&mut self, need: Need) {
        match need {
            Need::View => {}
            Need::Whole => self.whole = true,
            Need::Standing => self.standing = true,
            Need::Files => self.files = true,
            Need::Peers => self.peers = true,
            Need::Trackers => self.trackers = true,
            Need::WebSeeds => self.web_seeds = true,
            Need::Pieces => self.pieces = true,
        }
    }
}

/// The parts.
#[derive(Debug, Default)]
pub(in crate::transmission) struct Parts {
    pub(super) comment: String,
    pub(super) creator: String,
    pub(super) magnet: String,
    pub(super) standing: Option<Standing>,
    /// Its priority among others: -1, 0 or 1.
    pub(super) priority: i8,
    pub(super) files: Arc<Vec<FileView>>,
    pub(super) peers: Vec<PeerView>,
    pub(super) trackers: Vec<TrackerView>,
    pub(super) web_seeds: Vec<WebSeedView>,
    held: Arc<PiecesView>,
}

impl Parts {
    /// Asks for them.
    pub(in crate::transmission) async fn of(
        shared: &Shared,
        view: &TorrentView,
        needs: Needs,
    ) -> Self {
        let control = &shared.control;
        let mut parts = Self::default();
        let id = view.id;
        if needs.whole
            && let Ok(whole) = control.torrent(id)
        {
            parts.comment = whole.comment.unwrap_or_default();
            parts.creator = whole.created_by.unwrap_or_default();
            parts.magnet = whole.magnet;
        }
        if needs.standing {
            parts.standing = control.standing(id);
            let kept = control.attributes(id).unwrap_or_default();
            let priority = kept.get(PRIORITY).and_then(|text| text.parse().ok());
            parts.priority = priority.unwrap_or(0);
        }
        // A link has neither.
        let has_metadata = view.piece_count > 0;
        if needs.files && has_metadata {
            parts.files = files(shared, view).await;
        }
        if needs.pieces && has_metadata {
            parts.held = pieces(shared, view).await;
        }
        if needs.peers {
            parts.peers = control.peers(id).await.unwrap_or_default();
        }
        if needs.trackers {
            parts.trackers = control.trackers(id).unwrap_or_default();
        }
        if needs.web_seeds {
            parts.web_seeds = control.web_seeds(id).unwrap_or_default();
        }
        parts
    }

    /// The pieces that are held, as a bitfield in base64.
    pub(super) fn pieces(&self) -> &str {
        &self.held.have
    }

    /// How many peers have each piece; -1 for those that we have.
    pub(super) fn availability(&self) -> Vec<i16> {
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).unwrap_or_default();
        let have = bytes(&self.held.have);
        let is_held = |at: usize| {
            let byte = have.get(at / 8).copied().unwrap_or(0);
            byte & (0x80 >> (at % 8)) != 0
        };
        let counts = bytes(&self.held.availability).into_iter().enumerate();
        counts
            .map(|(at, count)| match is_held(at) {
                true => -1,
                false => i16::from(count),
            })
            .collect()
    }
}

/// Its files; those of a paused torrent are remembered.
async fn files(shared: &Shared, view: &TorrentView) -> Arc<Vec<FileView>> {
    let is_paused = view.state == TorrentState::Paused;
    if let Some(known) = shared.at_rest.files(view.id).filter(|_| is_paused) {
        return known;
    }
    let Ok(files) = shared.control.files(view.id).await else {
        return Arc::default();
    };
    let files = Arc::new(files);
    if is_paused {
        let log = shared.control.log();
        shared.at_rest.keep_files(view.id, &files, log);
    }
    files
}

/// Its pieces, likewise.
async fn pieces(shared: &Shared, view: &TorrentView) -> Arc<PiecesView> {
    let is_paused = view.state == TorrentState::Paused;
    if let Some(known) = shared.at_rest.pieces(view.id).filter(|_| is_paused) {
        return known;
    }
    let Ok(pieces) = shared.control.pieces(view.id).await else {
        return Arc::default();
    };
    let pieces = Arc::new(pieces);
    if is_paused {
        let log = shared.control.log();
        shared.at_rest.keep_pieces(view.id, &pieces, log);
    }
    pieces
}
