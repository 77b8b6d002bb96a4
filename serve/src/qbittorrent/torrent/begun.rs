//! What torrents had transferred when the listener began: what is above it is of this session.

use std::collections::HashMap;

use crate::control::{Control, TorrentId, TorrentView};

/// Totals at the start. A torrent that was added later had none.
#[derive(Debug, Default)]
pub(in crate::qbittorrent) struct Begun {
    totals: HashMap<TorrentId, Totals>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    /// When the torrent was added. The same one that was added again is another one.
    added: u64,
    downloaded: u64,
    uploaded: u64,
}

impl Begun {
    /// How it is now.
    pub(in crate::qbittorrent) fn now(control: &Control) -> Self {
        Self::of(&control.torrents())
    }

    fn of(views: &[TorrentView]) -> Self {
        let had_some = |view: &&TorrentView| view.downloaded > 0 || view.uploaded > 0;
        let totals = views.iter().filter(had_some).map(|view| {
            let totals = Totals {
                added: view.added,
                downloaded: view.downloaded,
                uploaded: view.uploaded,
            };
            (view.id, totals)
        });
        Self {
            totals: totals.collect(),
        }
    }

    fn before(&self, view: &TorrentView) -> Totals {
        let known = self.totals.get(&view.id).copied();
        known
            .filter(|totals| totals.added == view.added)
            .unwrap_or_default()
    }

    pub(in crate::qbittorrent) fn downloaded(&self, view: &TorrentView) -> u64 {
        view.downloaded.saturating_sub(self.before(view).downloaded)
    }

    pub(in crate::qbittorrent) fn uploaded(&self, view: &TorrentView) -> u64 {
        view.uploaded.saturating_sub(self.before(view).uploaded)
    }
}
