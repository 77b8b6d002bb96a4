//! Fetches the metadata of a magnet link from peers (BEP 9): one task for each link.
//!
//! ```text
//! announce ─┐
//! names ────┼─▶ fetch: one task ◀─ facts ── link: one task a connection
//! dial ─────┤        ▲   └── requests ─────────▶
//! listen ───┘        └─ candidates from handles and other sources
//! ```

mod admitting;
mod begin;
mod known;
mod link;
mod names;
pub(crate) mod progress;
mod running;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tailwater_metainfo::merkle::PieceLayers;
use tailwater_metainfo::{HostPort, Info, InfoHashes, Metainfo};
use tailwater_wire::Reserved;
use tailwater_wire::limits::METADATA_BLOCK_LEN;
use tokio::sync::{mpsc, watch};

pub(crate) use self::begin::FetchContext;
use self::known::Known;
use self::running::Fetching;
use super::announce::Tally;
use super::discovery::search::SearchTally;
use super::handshake::PeerDialer;
use super::lifecycle::Seeker;
use super::message::TorrentMessage;
use super::permits::PermitGroup;
use super::registry::Registry;
use super::swarm::SwarmContext;
use crate::error::FetchError;
use crate::events::{Event, EventSender};
use crate::state::MetadataStore;
use crate::status::Status;
use progress::{FetchProgress, Fetched, Outcome};
use tailwater_engine::metadata::named::NamedPeers;

/// How long saved metadata waits for the names of the link's peers to be resolved.
const NAMES_WITHIN: Duration = Duration::from_secs(5);

/// Everything that a fetch needs.
pub(crate) struct FetchTask {
    pub(crate) context: SwarmContext,
    /// `tr`, `ws` and `x.pe` of the link.
    pub(crate) trackers: Vec<String>,
    pub(crate) web_seeds: Vec<String>,
    pub(crate) peers: Vec<HostPort>,
    /// Its share of the session's connections. It never gives one up for others: none of them lasts long.
    pub(crate) group: Arc<PermitGroup>,
    pub(crate) dialer: PeerDialer,
    pub(crate) reserved: Reserved,
    pub(crate) messages: mpsc::Receiver<TorrentMessage>,
    /// What looks for peers in each swarm; taken when it starts.
    pub(crate) seekers: Vec<Seeker>,
    pub(crate) tally: watch::Receiver<Tally>,
    pub(crate) search_tally: watch::Receiver<SearchTally>,
    /// Our status, as the announcer reports it.
    pub(crate) status: watch::Sender<Status>,
    pub(crate) progress: watch::Sender<FetchProgress>,
    pub(crate) outcome: watch::Sender<Outcome>,
    pub(crate) events: EventSender,
    pub(crate) saved: Option<MetadataStore>,
    pub(crate) registry: Arc<Registry>,
}

/// The info dictionary, and the peers that the download can begin with.
struct Found {
    info: Bytes,
    known: Known,
    /// The hashes of pieces that were saved with it; `None` if it was not saved.
    saved: Option<PieceLayers>,
}

impl FetchTask {
    /// Fetches, and reports the outcome. By then nothing of it is left in the session but the `stopped` announces.
    pub(crate) async fn run(mut self) {
        let (info_hash, hashes) = (self.context.info_hash, self.context.hashes);
        let (trackers, web_seeds) = (self.trackers.clone(), self.web_seeds.clone());
        let (saved, registry) = (self.saved.clone(), Arc::clone(&self.registry));
        let messages = self.context.messages.clone();
        let (outcome, events) = (self.outcome.clone(), self.events.clone());
        let (found, goodbyes) = match self.recall().await {
            Some(found) => (Some(found), Vec::new()),
            None => Fetching::start(self).run().await,
        };
        let result = match found {
            None => Err(FetchError::Closed),
            Some(found) => {
                let fetched = make(&found, hashes, trackers, web_seeds);
                if let (Some(saved), true, false) = (saved, fetched.is_ok(), found.saved.is_some())
                {
                    // Failing to save costs a fetch at the next start, nothing else.
                    if let Err(error) = saved.save(info_hash, found.info).await {
                        tracing::warn!("saving metadata: {error}");
                    }
                }
                fetched
            }
        };
        registry.remove_same(info_hash, &messages);
        if let Ok(fetched) = &result {
            events.send(Event::MetadataFetched {
                info_hash,
                name: fetched.metainfo.info().name().to_owned(),
            });
        }
        outcome.send_replace(Some(result));
        for goodbye in goodbyes {
            // Each has a deadline of its own.
            let _ = goodbye.await;
        }
    }

    /// Loads the metadata that an earlier run saved.
    async fn recall(&mut self) -> Option<Found> {
        let loaded = self.saved.as_ref()?.load(self.context.hashes).await;
        let metainfo = loaded
            .inspect_err(|error| tracing::warn!("saved metadata is of no use: {error}"))
            .ok()??;
        let info = Bytes::copy_from_slice(metainfo.info().raw());
        let blocks = info.len().div_ceil(METADATA_BLOCK_LEN as usize);
        self.progress.send_modify(|progress| {
            (progress.blocks_have, progress.blocks_total) = (blocks, blocks);
            progress.size = u32::try_from(info.len()).ok();
        });
        let mut known = Known::default();
        // The link's peers are asked for nothing now, but they are where the download can begin.
        let mut named = NamedPeers::new(&self.trackers, &self.peers);
        let found = |addrs| known.add_named(addrs);
        let resolver = (self.dialer.names(), &self.context.link);
        let resolving = names::resolve(&self.peers, resolver, &mut named, found);
        // Callers are of no use to a fetch that has all it wants, and do not wait for that either.
        let draining = async { while self.messages.recv().await.is_some() {} };
        tokio::select! {
            () = self.context.closing.cancelled() => return None,
            // Those that have no address yet may get one later; the trackers may know more.
            _ = tokio::time::timeout(NAMES_WITHIN, resolving) => {}
            () = draining => {}
        }
        Some(Found {
            info,
            known,
            saved: Some(metainfo.piece_layers().clone()),
        })
    }
}

fn make(
    found: &Found,
    hashes: InfoHashes,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
) -> Result<Fetched, FetchError> {
    let info = Info::from_bytes(&found.info)?;
    if hashes.v2.is_some() && info.info_hashes().v2 != hashes.v2 {
        return Err(match hashes.v1 {
            Some(_) => FetchError::TwoTorrents,
            None => FetchError::NotV2,
        });
    }
    let peers = found.known.hand_on(info.is_private());
    let banned = found.known.banned();
    // Each tracker of a link is a tier of its own.
    let tiers = trackers.into_iter().map(|tracker| vec![tracker]).collect();
    let mut metainfo = Metainfo::from_info(info, tiers, web_seeds);
    if let Some(layers) = &found.saved {
        metainfo = metainfo.with_piece_layers(layers);
    }
    Ok(Fetched {
        metainfo,
        peers,
        banned,
    })
}
