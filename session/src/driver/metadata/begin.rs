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
use crate::driver::lifecycle::Seeker;
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
        match self.refuse(magnet, &messages_in) {
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
                let context = SwarmContext {
                    info_hash,
                    hashes: magnet.hashes,
                    name: info_hash,
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
                let (search_tally_in, search_tally) = watch::channel(SearchTally::default());
                let seekers = self.seekers(magnet, &context, tally_in, search_tally_in);
                let task = FetchTask {
                    context,
                    trackers: magnet.trackers.clone(),
                    web_seeds: magnet.web_seeds.clone(),
                    peers: magnet.peers.clone(),
                    group: self.shared.permits.new_group(),
                    dialer: self.shared.dialer.clone(),
                    reserved: self.shared.reserved(),
                    messages,
                    seekers,
                    tally,
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
            registry: Arc::clone(self.registry),
            _ends_tasks: self.closing.drop_guard(),
        }
    }

    /// What looks for peers in each swarm of the link. What is shown of trackers and nodes is that of the first.
    fn seekers(
        &self,
        magnet: &Magnet,
        context: &SwarmContext,
        tally: watch::Sender<Tally>,
        search_tally: watch::Sender<SearchTally>,
    ) -> Vec<Seeker> {
        let asked = magnet.trackers.iter().take(MAX_TRACKERS);
        let trackers = asked.map(|tracker| vec![tracker.clone()]).collect();
        let control = announce::control(trackers).1;
        let (mut tally, mut search_tally) = (Some(tally), Some(search_tally));
        let seekers = context.swarms().map(|context| Seeker {
            search: self.shared.dht.clone().map(|dht| Search {
                dht,
                context: context.clone(),
                // A peer that lacks even the metadata is of no use to others.
                announces: false,
                tally: search_tally.take(),
            }),
            announcer: Announcer {
                context,
                wants_nothing: false,
                client: self.client.clone(),
                control: control.unseen(),
                all_tiers: true,
                one_tracker: false,
                tally: tally.take().unwrap_or_default(),
            },
        });
        seekers.collect()
    }

    fn refuse(
        &self,
        magnet: &Magnet,
        messages: &mpsc::Sender<TorrentMessage>,
    ) -> Option<FetchError> {
        let Some(info_hash) = magnet.hashes.wire() else {
            return Some(FetchError::NoHash);
        };
        if self.closing.is_cancelled() {
            return Some(FetchError::Closed);
        }
        // Whether it is private only its metadata can say.
        let is_free = self
            .registry
            .insert(magnet.hashes, Reach::Public, messages.clone());
        (!is_free).then_some(FetchError::Duplicate(info_hash))
    }
}
