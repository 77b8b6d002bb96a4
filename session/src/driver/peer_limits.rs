//! Limits on a torrent's peers that can change while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most peers of a torrent and its upload slots. The torrent's task looks at them once a second.
#[derive(Debug)]
pub(crate) struct PeerLimits {
    max_peers: AtomicUsize,
    upload_slots: AtomicUsize,
}

/// The value that stands for the session's limit.
const INHERITED: usize = 0;

/// A torrent's own limits, and those of its session, which hold where it has none.
#[derive(Clone, Debug)]
pub(crate) struct TorrentLimits {
    pub(crate) session: Arc<PeerLimits>,
    pub(crate) own: Arc<PeerLimits>,
}

impl PeerLimits {
    pub(crate) fn new(max_peers: Option<usize>, upload_slots: Option<usize>) -> Self {
        Self {
            max_peers: AtomicUsize::new(max_peers.unwrap_or(INHERITED)),
            upload_slots: AtomicUsize::new(upload_slots.unwrap_or(INHERITED)),
        }
    }

    pub(crate) fn max_peers(&self) -> Option<usize> {
        get(&self.max_peers)
    }

    pub(crate) fn upload_slots(&self) -> Option<usize> {
        get(&self.upload_slots)
    }

    pub(crate) fn set_max_peers(&self, peers: Option<usize>) {
        self.max_peers
            .store(peers.unwrap_or(INHERITED), Ordering::Relaxed);
    }

    pub(crate) fn set_upload_slots(&self, slots: Option<usize>) {
        self.upload_slots
            .store(slots.unwrap_or(INHERITED), Ordering::Relaxed);
    }
}

fn get(limit: &AtomicUsize) -> Option<usize> {
    Some(limit.load(Ordering::Relaxed)).filter(|&limit| limit != INHERITED)
}

impl TorrentLimits {
    /// The most connected peers; 1 if neither the torrent nor its session says.
    pub(crate) fn max_peers(&self) -> usize {
        let inherited = || self.session.max_peers();
        self.own.max_peers().or_else(inherited).unwrap_or(1)
    }

    /// How many peers are uploaded to at once; 1 if neither the torrent nor its session says.
    pub(crate) fn upload_slots(&self) -> usize {
        let inherited = || self.session.upload_slots();
        self.own.upload_slots().or_else(inherited).unwrap_or(1)
    }
}
