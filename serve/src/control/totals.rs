//! What was transferred ever, also by torrents that are not there any more.

use serde::{Deserialize, Serialize};
use tailwater_session::Torrent;

use super::entry::{Entry, Run};
use super::service::{Control, Inner};
use super::store::{Store, StoreError};

/// The name in the database of what the torrents that were removed had transferred.
pub(super) const OF_REMOVED: &str = "transferred_by_removed";

/// Payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transferred {
    /// Received.
    pub(crate) downloaded: u64,
    /// Sent.
    pub(crate) uploaded: u64,
}

impl Transferred {
    #[must_use]
    pub(super) const fn and(self, more: Self) -> Self {
        Self {
            downloaded: self.downloaded.saturating_add(more.downloaded),
            uploaded: self.uploaded.saturating_add(more.uploaded),
        }
    }

    #[must_use]
    fn or_more(self, other: Self) -> Self {
        Self {
            downloaded: self.downloaded.max(other.downloaded),
            uploaded: self.uploaded.max(other.uploaded),
        }
    }

    fn of(torrent: &Torrent) -> Self {
        let totals = torrent.status().totals;
        Self {
            downloaded: totals.downloaded,
            uploaded: totals.uploaded,
        }
    }
}

impl Control {
    /// What was transferred ever, over restarts and removals.
    pub(crate) fn transferred(&self) -> Transferred {
        let session = self.inner.session.stats();
        let since_start = Transferred {
            downloaded: session.downloaded,
            uploaded: session.uploaded,
        };
        let (entries, removed) = {
            let removed = self.inner.removed.lock();
            (self.inner.entries(), *removed)
        };
        let all = entries.iter().map(|entry| entry.transferred());
        // The session also knows what was transferred in vain, for torrents that could not be added.
        all.fold(removed, Transferred::and).or_more(since_start)
    }
}

impl Entry {
    /// What it has transferred ever.
    pub(super) fn transferred(&self) -> Transferred {
        let state = self.state();
        let saved = Transferred {
            downloaded: state.figures.downloaded,
            uploaded: state.figures.uploaded,
        };
        match &state.run {
            Run::Running(torrent) => saved.or_more(Transferred::of(torrent)),
            _ => saved,
        }
    }
}

impl Inner {
    /// Removes a torrent from the database and the list; what it had transferred stays in the totals.
    pub(super) async fn take_out(&self, entry: &Entry) -> Result<(), StoreError> {
        let gone = entry.transferred();
        self.store.remove_torrent(entry.number, gone).await?;
        // Who reads the totals meanwhile does not count it twice.
        let mut removed = self.removed.lock();
        self.forget(entry);
        *removed = removed.and(gone);
        drop(removed);
        Ok(())
    }
}

/// What the torrents that were removed had transferred.
pub(super) async fn saved(store: &Store) -> Result<Transferred, StoreError> {
    let text = store.setting(OF_REMOVED).await?;
    Ok(read(text.as_deref()))
}

/// Reads what is in the database; what cannot be read is nothing.
pub(super) fn read(text: Option<&str>) -> Transferred {
    let Some(text) = text else {
        return Transferred::default();
    };
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!("what was transferred cannot be read from the database: {error}");
        Transferred::default()
    })
}
