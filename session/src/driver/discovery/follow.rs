//! Follows torrents that their publisher replaces, through mutable DHT items (BEP 46).

use std::time::Duration;

use tailwater_dht::{Dht, Item, MutableTorrent};
use tailwater_metainfo::InfoHash;
use tailwater_types::pacing::Backoff;
use tokio::time::sleep;

use super::dht::DhtHandle;

/// The back-off between lookups until the first version has been found.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(5 * 60));
/// A publication that was found is looked up again, and stored again, this often. Nodes forget items after two hours
/// (BEP 44).
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// One version of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Publication {
    /// Its number: later ones are higher.
    pub version: i64,
    /// The torrent.
    pub info_hash: InfoHash,
}

/// Follows a publication through the DHT; see [`Session::follow`](crate::Session::follow).
#[derive(Debug)]
pub struct Follow {
    dht: Option<DhtHandle>,
    torrent: MutableTorrent,
    version: Option<i64>,
    /// How long to wait before the next look; `None` before the first.
    rest: Option<Duration>,
    backoff: Backoff,
}

impl Follow {
    pub(crate) const fn new(dht: Option<DhtHandle>, torrent: MutableTorrent) -> Self {
        Self {
            dht,
            torrent,
            version: None,
            rest: None,
            backoff: BACKOFF,
        }
    }

    /// What is followed.
    #[must_use]
    pub const fn torrent(&self) -> &MutableTorrent {
        &self.torrent
    }

    /// Whether any version has been found yet.
    #[must_use]
    pub const fn has_found(&self) -> bool {
        self.version.is_some()
    }

    /// Waits for a version that is newer than those that came before: the first time for any. `None` when there is no DHT
    /// to look in, or the session has closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; a look that was under way is begun anew.
    pub async fn next(&mut self) -> Option<Publication> {
        let handle = self.dht.clone()?;
        let dht = handle.node().await?;
        loop {
            if let Some(rest) = self.rest {
                tokio::select! {
                    () = handle.ended() => return None,
                    () = sleep(rest) => {}
                }
            }
            let found = self.look(&dht).await?;
            self.rest = Some(match self.version {
                Some(_) => LOOK_EVERY,
                None => self.backoff.next_pause(),
            });
            if let Some(publication) = found {
                return Some(publication);
            }
        }
    }

    /// A newer version, if there is one; outside, `None` when the node has ended.
    async fn look(&mut self, dht: &Dht) -> Option<Option<Publication>> {
        let item = dht.get(self.torrent.item_key()).await.ok()?;
        let Some(item) = item else {
            return Some(None);
        };
        let Item::Mutable(signed) = &item else {
            return Some(None);
        };
        let version = signed.seq();
        let Some(info_hash) = MutableTorrent::info_hash(item.value()) else {
            tracing::debug!(target = %self.torrent.target(), "the published item names no torrent");
            return Some(None);
        };
        let is_news = self.version.is_none_or(|known| version > known);
        if is_news {
            self.version = Some(version);
            return Some(Some(Publication { version, info_hash }));
        }
        // Without its followers' puts it would be gone two hours after its publisher.
        if let Err(error) = dht.put(item, None).await {
            tracing::debug!("keeping a publication alive: {error}");
        }
        Some(None)
    }
}
