//! The transfer totals of torrents that have ended, for the session's numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::status::Totals;
use crate::torrent::Stats;

/// The transfer totals of torrents that have ended.
#[derive(Debug, Default)]
pub(crate) struct EndedTotals {
    downloaded: AtomicU64,
    uploaded: AtomicU64,
}

impl EndedTotals {
    /// A torrent has ended.
    pub(crate) fn add(&self, stats: &Stats) {
        self.downloaded
            .fetch_add(stats.downloaded, Ordering::Relaxed);
        self.uploaded.fetch_add(stats.uploaded, Ordering::Relaxed);
    }

    /// Bytes of all of them together.
    pub(crate) fn get(&self) -> Totals {
        Totals {
            downloaded: self.downloaded.load(Ordering::Relaxed),
            uploaded: self.uploaded.load(Ordering::Relaxed),
        }
    }
}
