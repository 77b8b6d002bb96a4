//! A session: the torrents of one process, or of a part of it, and what they share.

mod add;
mod builder;
#[cfg(feature = "dht")]
mod dht;
mod interface;
mod running;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tailwater_http::Proxy as HttpProxy;
#[cfg(doc)]
use tailwater_metainfo::Metainfo;
use tailwater_metainfo::{Magnet, PeerId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::announce::Client;
use crate::driver::metadata::FetchContext;
use crate::driver::peer_limits::PeerLimits;
use crate::driver::registry::Registry;
use crate::driver::torrent::Shared;
use crate::driver::totals::EndedTotals;
use crate::error::AddError;
use crate::events::Events;
use crate::handle::MetadataFetch;
use crate::handle::Torrent;
use crate::options::AddOptions;
use crate::source::{Found, Source};
use crate::state::MetadataStore;
use crate::storage::Storages;

pub use builder::SessionBuilder;
pub use running::SessionStats;

/// The torrents of one process, or of a part of it: two sessions know nothing of each other. Clones are handles to the
/// same one.
///
/// Close it with [`Session::close`] before it is dropped, or its torrents end without a word to their trackers.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    listen_addr: Option<SocketAddr>,
    registry: Arc<Registry>,
    closing: CancellationToken,
    tasks: TaskTracker,
    storages: Arc<Storages>,
    metadata: Option<MetadataStore>,
    client: Client,
    /// The proxy for .torrent files; `None` for that of the environment.
    http_proxy: Option<HttpProxy>,
    /// The most peers and the upload slots of torrents that have no limits of their own.
    peer_limits: Arc<PeerLimits>,
    /// What torrents that have ended have transferred.
    ended: Arc<EndedTotals>,
    shared: Shared,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Session {
    /// Settings with their defaults.
    #[must_use]
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// What we call ourselves.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.inner.registry.peer_id()
    }

    /// Where peers can connect to us.
    #[must_use]
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        self.inner.listen_addr
    }

    /// Everything that happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.inner.shared.events.subscribe()
    }

    /// The figures of the memory storage.
    #[cfg(feature = "memory")]
    #[must_use]
    pub fn memory_stats(&self) -> tailwater_storage_mem::Stats {
        self.inner.storages.memory.stats()
    }

    /// Adds a torrent, which starts at once. The data that is there already is checked first, in the background.
    ///
    /// The source is a [`Metainfo`], a [`Magnet`], the bytes of a .torrent file, a path, a URL of one, or text that names
    /// any of these; see [`Source`]. A URL is fetched within limits. Of a magnet link the metadata is fetched first, which
    /// takes as long as it takes to find a peer that has it: [`Session::fetch`] shows how far it is.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing has been added.
    ///
    /// # Errors
    ///
    /// When the source cannot be read or is no torrent, the session has the torrent already, it does not fit the memory, or
    /// its storage cannot be opened.
    pub async fn add(
        &self,
        source: impl Into<Source>,
        options: AddOptions,
    ) -> Result<Torrent, AddError> {
        let proxy = self.inner.http_proxy.clone();
        match source.into().open(proxy, &self.inner.shared.link).await? {
            Found::Metainfo(metainfo) => self.inner.add(Arc::from(metainfo), options).await,
            Found::Magnet(magnet) => {
                let mut fetch = self.fetch(&magnet);
                let metainfo = fetch.wait().await?;
                let options = options.peers(fetch.peers()).banned(fetch.banned());
                self.inner.add(Arc::new(metainfo), options).await
            }
        }
    }

    /// Begins to fetch a magnet link's metadata from peers (BEP 9), so that the torrent can be added: from those that the
    /// link and its trackers name, those that connect, and [`MetadataFetch::add_peers`]. With a
    /// [`SessionBuilder::state_dir`], the metadata is saved, and found there the next time without asking a peer.
    ///
    /// It goes on until it succeeds or the handle is dropped. [`MetadataFetch::wait`] returns an error if the link is
    /// wrong.
    ///
    /// ```no_run
    /// # async fn example(session: tailwater_session::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use tailwater_session::{AddOptions, StorageKind};
    ///
    /// let magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&x.pe=192.0.2.7:6881".parse()?;
    /// let mut fetch = session.fetch(&magnet);
    /// let metainfo = fetch.wait().await?;
    /// let options = AddOptions::new(StorageKind::Memory).peers(fetch.peers()).banned(fetch.banned());
    /// let torrent = session.add(&metainfo, options).await?;
    /// # drop(torrent);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fetch(&self, magnet: &Magnet) -> MetadataFetch {
        let inner = &self.inner;
        let context = FetchContext {
            registry: &inner.registry,
            client: &inner.client,
            shared: &inner.shared,
            saved: inner.metadata.as_ref(),
            tasks: &inner.tasks,
            closing: inner.closing.child_token(),
            seed: u64::from_be_bytes(random()),
        };
        context.begin(magnet).into()
    }

    /// Begins to close: connections end, trackers get `stopped`, resume data is saved. May be called again.
    pub fn begin_close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
    }

    /// Waits until everything has ended after [`Session::begin_close`]: every task is joined, every byte given back.
    pub async fn closed(&self) {
        self.inner.tasks.wait().await;
        self.inner.storages.memory.close().await;
        self.inner.storages.disk.close().await;
    }

    /// Closes and waits until it is done. May be called again.
    pub async fn close(&self) {
        self.begin_close();
        self.closed().await;
    }
}

/// Random bytes for names and seeds; no secret depends on them.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fastrand::fill(&mut bytes);
    bytes
}
