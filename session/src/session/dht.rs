//! The session's DHT node, and what is followed through it.

use tailwater_dht::{Dht, MutableTorrent};

use super::Session;
use crate::driver::discovery::follow::Follow;

impl Session {
    /// The session's DHT node, once it runs; `None` if it has none or closes.
    pub async fn dht(&self) -> Option<Dht> {
        self.inner.shared.dht.as_ref()?.node().await
    }

    /// Follows a torrent that its publisher replaces (BEP 46): each version as it is found in the DHT.
    ///
    /// ```no_run
    /// # async fn example(session: tailwater_session::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use tailwater_metainfo::{InfoHashes, Magnet};
    ///
    /// let link = "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";
    /// let mut publication = session.follow(link.parse()?);
    /// while let Some(version) = publication.next().await {
    ///     let hashes = InfoHashes { v1: Some(version.info_hash), v2: None };
    ///     let metainfo = session.fetch(&Magnet::new(hashes)).wait().await?;
    ///     println!("version {}: {}", version.version, metainfo.info().name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn follow(&self, torrent: MutableTorrent) -> Follow {
        Follow::new(self.inner.shared.dht.clone(), torrent)
    }
}
