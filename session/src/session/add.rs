//! Adding a torrent: what its tasks are made of.

use std::sync::Arc;

use bytes::Bytes;
use tailwater_metainfo::{Info, InfoHash, Metainfo};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Inner, random};
use crate::driver::announce::{self, AnnounceControl, Announcer, Tally};
use crate::driver::discovery::search::Search;
use crate::driver::lifecycle::TorrentLifecycle;
use crate::driver::mailbox::Mailbox;
use crate::driver::message::{MESSAGE_QUEUE, TorrentMessage};
use crate::driver::peer_limits::{PeerLimits, TorrentLimits};
use crate::driver::registry::Reach;
use crate::driver::torrent::TorrentTask;
use crate::error::AddError;
use crate::events::Event;
use crate::handle::{Torrent, TorrentHandle};
use crate::options::{AddOptions, priorities};
use crate::reader;
use crate::settings::{Settings, TorrentSettings, first_priorities};
use crate::status::Status;
use crate::torrent::{Config, Priority};

/// Completions that may wait for a torrent: a verdict and digests for each piece at most.
const COMPLETION_LIMIT: usize = 1 << 22;

/// What the tasks that find a torrent's peers have of it.
struct Ends {
    info_hash: InfoHash,
    seed: u64,
    status: watch::Receiver<Status>,
    messages: mpsc::Sender<TorrentMessage>,
    closing: CancellationToken,
}

impl Inner {
    pub(super) async fn add(
        &self,
        metainfo: Arc<Metainfo>,
        options: AddOptions,
    ) -> Result<Torrent, AddError> {
        if self.closing.is_cancelled() {
            return Err(AddError::Closed);
        }
        let info = metainfo.info();
        let info_hash = info.info_hashes().v1.ok_or(AddError::V2Only)?;
        let files = first_priorities(info, &options)?;
        let (messages_in, messages) = mpsc::channel(MESSAGE_QUEUE);
        let reach = Reach::of(info);
        // From here on the name goes with whatever ends this: an error, or a caller that drops the future.
        let registration = self
            .registry
            .register(info_hash, reach, messages_in.clone())
            .ok_or(AddError::Duplicate(info_hash))?;
        let completions = Arc::new(Mailbox::new(COMPLETION_LIMIT));
        let priorities = priorities(info, &files);
        let wanted: Vec<bool> = files.iter().map(|file| *file > Priority::Skip).collect();
        let opened = self
            .storages
            .open(&metainfo, wanted, &options, &completions)
            .await?;
        let storage = opened.storage;
        if self.closing.is_cancelled() {
            // The caller of `close` may have waited for its tasks already: it is too late for another.
            storage.close().await;
            return Err(AddError::Closed);
        }
        let reading = Arc::new(reader::Shared::new(
            info.geometry().clone(),
            Arc::clone(&storage),
        ));
        let (status_in, status) = watch::channel(Status::default());
        let ends = Ends {
            info_hash,
            seed: u64::from_be_bytes(random()),
            status,
            messages: messages_in,
            closing: self.closing.child_token(),
        };
        let tiers = match (&options.trackers, options.announce) {
            (_, false) => Vec::new(),
            (Some(tiers), true) => tiers.clone(),
            (None, true) => metainfo.trackers().to_vec(),
        };
        let (trackers, control) = announce::control(tiers);
        let shared = self
            .shared
            .with_limits(options.download_limit, options.upload_limit);
        let limits = TorrentLimits {
            session: Arc::clone(&self.peer_limits),
            own: Arc::new(PeerLimits::new(options.max_peers, options.upload_slots)),
        };
        let (peers, banned) = (options.peers.clone(), options.banned.clone());
        let settings = Settings::new(TorrentSettings {
            options: AddOptions {
                peers: Vec::new(),
                banned: Vec::new(),
                ..options.clone()
            },
            priorities: files,
        });
        let torrent = Torrent {
            shared: Arc::new(TorrentHandle {
                info_hash,
                metainfo: Arc::clone(&metainfo),
                messages: ends.messages.clone(),
                closing: ends.closing.clone(),
                reading: Arc::clone(&reading),
                settings: settings.clone(),
                limits: limits.clone(),
                download_limit: shared.down_limit.clone(),
                upload_limit: shared.up_limit.clone(),
                trackers,
            }),
            status: ends.status.clone(),
        };
        let task = TorrentTask {
            config: self.config(info, &options, &limits, &ends),
            banned,
            geometry: info.geometry().clone(),
            metainfo: Arc::clone(&metainfo),
            wants_nothing: options.disk.seed_partial,
            metadata: Bytes::copy_from_slice(info.raw()),
            storage,
            completions,
            board: Arc::clone(&reading.board),
            messages,
            messages_in: ends.messages.clone(),
            status: status_in,
            shared,
            settings,
            limits,
            closing: ends.closing.clone(),
        };
        registration.add(torrent.clone());
        let lifecycle = TorrentLifecycle {
            task,
            announcer: self.announcer(&metainfo, &options, control, &ends),
            search: self.search(&metainfo, &ends),
            priorities,
            space: opened.space,
            choices: options.disk,
            peers,
            ended: Arc::clone(&self.ended),
            registration,
        };
        self.shared.events.send(Event::Added {
            info_hash,
            name: info.name().to_owned(),
        });
        // What is logged of it names it.
        let span = tracing::info_span!("torrent", message = %info.name().escape_debug());
        self.tasks.spawn(lifecycle.run().instrument(span));
        Ok(torrent)
    }

    fn config(
        &self,
        info: &Info,
        options: &AddOptions,
        limits: &TorrentLimits,
        ends: &Ends,
    ) -> Config {
        Config {
            max_peers: limits.max_peers(),
            upload_slots: limits.upload_slots(),
            sequential: options.sequential,
            on_demand: options.on_demand,
            private: info.is_private(),
            seed: ends.seed,
            ..Config::new(ends.info_hash, self.registry.peer_id())
        }
    }

    fn announcer(
        &self,
        metainfo: &Metainfo,
        options: &AddOptions,
        control: AnnounceControl,
        ends: &Ends,
    ) -> Announcer {
        Announcer {
            wants_nothing: options.disk.seed_partial,
            client: self.client.clone(),
            control,
            all_tiers: false,
            one_tracker: metainfo.info().is_private(),
            info_hash: ends.info_hash,
            peer_id: self.registry.peer_id(),
            port: self.shared.port.clone(),
            seed: ends.seed,
            status: ends.status.clone(),
            messages: ends.messages.clone(),
            events: self.shared.events.clone(),
            tally: watch::channel(Tally::default()).0,
            closing: ends.closing.clone(),
        }
    }

    /// What looks for a torrent's peers in the DHT; nothing does for a private one (BEP 27).
    fn search(&self, metainfo: &Metainfo, ends: &Ends) -> Option<Search> {
        let dht = self.shared.dht.clone();
        let dht = dht.filter(|_| !metainfo.info().is_private())?;
        if !metainfo.nodes().is_empty() {
            let (dht, nodes) = (dht.clone(), metainfo.nodes().to_vec());
            let closing = ends.closing.clone();
            self.tasks
                .spawn(async move { dht.add_named(&nodes, closing).await });
        }
        Some(Search {
            dht,
            info_hash: ends.info_hash,
            port: Some(self.shared.port.clone()),
            status: ends.status.clone(),
            messages: ends.messages.clone(),
            tally: None,
            closing: ends.closing.clone(),
        })
    }
}
