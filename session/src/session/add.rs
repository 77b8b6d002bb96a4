//! Adding a torrent: what its tasks are made of.

use std::sync::Arc;

use bytes::Bytes;
use tailwater_metainfo::{Info, Metainfo};
use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::{Inner, random};
use crate::driver::announce::{self, AnnounceControl, Announcer, Tally};
use crate::driver::discovery::search::Search;
use crate::driver::handle::{RunningTorrent, TorrentHandle};
use crate::driver::lifecycle::TorrentLifecycle;
use crate::driver::message::MESSAGE_QUEUE;
use crate::driver::peer_limits::{PeerLimits, TorrentLimits};
use crate::driver::registry::Reach;
use crate::driver::swarm::SwarmContext;
use crate::driver::torrent::TorrentTask;
use crate::error::AddError;
use crate::events::Event;
use crate::handle::Torrent;
use crate::mailbox::{COMPLETION_LIMIT, Mailbox};
use crate::options::AddOptions;
use crate::reader;
use crate::settings::{Settings, TorrentSettings, first_priorities};
use crate::status::Status;
use crate::torrent::{Config, Priority};

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
        let context = SwarmContext {
            info_hash,
            peer_id: self.registry.peer_id(),
            port: self.shared.port.clone(),
            seed: u64::from_be_bytes(random()),
            status,
            messages: messages_in,
            events: self.shared.events.clone(),
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
        let removal = Arc::default();
        let torrent = RunningTorrent {
            shared: Arc::new(TorrentHandle {
                info_hash,
                metainfo: Arc::clone(&metainfo),
                messages: context.messages.clone(),
                closing: context.closing.clone(),
                reading: Arc::clone(&reading),
                settings: settings.clone(),
                limits: limits.clone(),
                download_limit: shared.down_limit.clone(),
                upload_limit: shared.up_limit.clone(),
                trackers,
                removal: Arc::clone(&removal),
            }),
            status: context.status.clone(),
        };
        let task = TorrentTask {
            config: self.config(info, &options, &limits, &context),
            banned,
            geometry: info.geometry().clone(),
            metainfo: Arc::clone(&metainfo),
            wants_nothing: options.disk.seed_partial,
            metadata: Bytes::copy_from_slice(info.raw()),
            storage,
            completions,
            board: Arc::clone(&reading.board),
            messages,
            messages_in: context.messages.clone(),
            status: status_in,
            shared,
            settings,
            limits,
            closing: context.closing.clone(),
        };
        registration.add(torrent.clone());
        let lifecycle = TorrentLifecycle {
            task,
            announcer: self.announcer(&metainfo, &options, control, &context),
            search: self.search(&metainfo, &context),
            space: opened.space,
            choices: options.disk,
            peers,
            storages: Arc::clone(&self.storages),
            reading,
            removal,
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
        Ok(torrent.into())
    }

    fn config(
        &self,
        info: &Info,
        options: &AddOptions,
        limits: &TorrentLimits,
        context: &SwarmContext,
    ) -> Config {
        Config {
            max_peers: limits.max_peers(),
            upload_slots: limits.upload_slots(),
            sequential: options.sequential,
            on_demand: options.on_demand,
            private: info.is_private(),
            seed: context.seed,
            ..Config::new(context.info_hash, self.registry.peer_id())
        }
    }

    fn announcer(
        &self,
        metainfo: &Metainfo,
        options: &AddOptions,
        control: AnnounceControl,
        context: &SwarmContext,
    ) -> Announcer {
        Announcer {
            context: context.clone(),
            wants_nothing: options.disk.seed_partial,
            client: self.client.clone(),
            control,
            all_tiers: false,
            one_tracker: metainfo.info().is_private(),
            tally: watch::channel(Tally::default()).0,
        }
    }

    /// What looks for a torrent's peers in the DHT; nothing does for a private one (BEP 27).
    fn search(&self, metainfo: &Metainfo, context: &SwarmContext) -> Option<Search> {
        let dht = self.shared.dht.clone();
        let dht = dht.filter(|_| !metainfo.info().is_private())?;
        if !metainfo.nodes().is_empty() {
            let (dht, nodes) = (dht.clone(), metainfo.nodes().to_vec());
            let closing = context.closing.clone();
            self.tasks
                .spawn(async move { dht.add_named(&nodes, closing).await });
        }
        Some(Search {
            dht,
            context: context.clone(),
            announces: true,
            tally: None,
        })
    }
}
