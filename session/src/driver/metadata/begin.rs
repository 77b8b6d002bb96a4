//! Starts the fetch of a magnet link's metadata.

use std::sync::Arc;

use tailwater_metainfo::{InfoHash, Magnet};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::FetchTask;
use super::progress::{FetchHandle, FetchProgress};
use crate::driver::announce::{self, Announcer, Client, Tally};
use crate::driver::discovery::search::{Search, SearchTally};
use crate::driver::message::{MESSAGE_QUEUE, TorrentMessage};
use crate::driver::registry::{Reach, Registry};
use crate::driver::swarm::SwarmContext;
use crate::driver::torrent::Shared;
use crate::error::FetchError;
use crate::state::MetadataStore;
use crate::status::Status;
use crate::torrent::Stats;

/// Trackers of a link that are asked while its metadata is missing; all at once, as any of them may be the one that works.
const MAX_TRACKERS: usize = 32;
/// What trackers are told is left to download, before that is known: anything but 0, which would be a seeder's.
const UNKNOWN_LEFT: u64 = 16 * 1024;

/// The parts of a session that a fetch needs.
pub(crate) struct FetchContext<'a> {
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) client: &'a Client,
    pub(crate) shared: &'a Shared,
    pub(crate) saved: Option<&'a MetadataStore>,
    pub(crate) tasks: &'a TaskTracker,
    /// This fetch's own.
    pub(crate) closing: CancellationToken,
    pub(crate) seed: u64,
}

impl FetchContext<'_> {
    /// Starts the task, unless there is something wrong, which the handle then tells.
    pub(crate) fn begin(self, magnet: &Magnet) -> FetchHandle {
        let (messages_in, messages) = mpsc::channel(MESSAGE_QUEUE);
        let (progress_in, progress) = watch::channel(FetchProgress::default());
        let (outcome_in, outcome) = watch::channel(None);
        let (tally_in, tally) = watch::channel(Tally::default());
        let info_hash = magnet.hashes.wire().unwrap_or(InfoHash::new([0; 20]));
        match self.refuse(magnet, info_hash, &messages_in) {
            Some(error) => {
                outcome_in.send_replace(Some(Err(error)));
            }
            None => {
                let mut stats = Stats::default();
                stats.bytes_left = UNKNOWN_LEFT;
                let (status_in, status) = watch::channel(Status {
                    stats,
                    ..Status::default()
                });
                let asked = magnet.trackers.iter().take(MAX_TRACKERS);
                let context = SwarmContext {
                    info_hash,
                    peer_id: self.registry.peer_id(),
                    port: self.shared.port.clone(),
                    handshakes: self.shared.handshakes.clone(),
                    seed: self.seed,
                    status,
                    messages: messages_in.clone(),
                    events: self.shared.events.clone(),
                    link: self.shared.link.clone(),
                    closing: self.closing.clone(),
                };
                let announcer = Announcer {
                    context: context.clone(),
                    wants_nothing: false,
                    client: self.client.clone(),
                    control: announce::control(
                        asked.map(|tracker| vec![tracker.clone()]).collect(),
                    )
                    .1,
                    all_tiers: true,
                    one_tracker: false,
                    tally: tally_in,
                };
                let (search_tally_in, search_tally) = watch::channel(SearchTally::default());
                let search = self.shared.dht.clone().map(|dht| Search {
                    dht,
                    context: context.clone(),
                    // A peer that lacks even the metadata is of no use to others.
                    announces: false,
                    tally: Some(search_tally_in),
                });
                let task = FetchTask {
                    context,
                    v2: magnet.hashes.v2,
                    trackers: magnet.trackers.clone(),
                    web_seeds: magnet.web_seeds.clone(),
                    peers: magnet.peers.clone(),
                    group: self.shared.permits.new_group(),
                    dialer: self.shared.dialer.clone(),
                    reserved: self.shared.reserved(),
                    messages,
                    announcer: Some(announcer),
                    tally,
                    search,
                    search_tally,
                    status: status_in,
                    progress: progress_in,
                    outcome: outcome_in,
                    events: self.shared.events.clone(),
                    saved: self.saved.cloned(),
                    registry: Arc::clone(self.registry),
                };
                self.tasks.spawn(task.run());
            }
        }
        FetchHandle {
            info_hash,
            progress,
            outcome,
            messages: messages_in,
            _ends_tasks: self.closing.drop_guard(),
        }
    }

    fn refuse(
        &self,
        magnet: &Magnet,
        info_hash: InfoHash,
        messages: &mpsc::Sender<TorrentMessage>,
    ) -> Option<FetchError> {
        if magnet.hashes.v1.is_none() {
            return Some(FetchError::V2Only);
        }
        if self.closing.is_cancelled() {
            return Some(FetchError::Closed);
        }
        // Whether it is private only its metadata can say.
        let is_free = self
            .registry
            .insert(info_hash, Reach::Public, messages.clone());
        (!is_free).then_some(FetchError::Duplicate(info_hash))
    }
}
