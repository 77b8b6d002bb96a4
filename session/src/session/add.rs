//! Adds a torrent: opens its storage and starts its tasks.

use std::sync::Arc;

use bytes::Bytes;
use tailwater_metainfo::{Info, Metainfo};
use tailwater_storage::{Completion, Space, Storage};
use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::{Inner, random};
use crate::driver::announce::{self, AnnounceControl, Announcer, Tally};
use crate::driver::discovery::search::Search;
use crate::driver::handle::{RunningTorrent, TorrentHandle};
use crate::driver::lifecycle::{Seeker, TorrentLifecycle};
use crate::driver::message::{MESSAGE_QUEUE, TorrentMessage};
use crate::driver::peer_limits::{PeerLimits, TorrentLimits};
use crate::driver::registry::{Reach, Registration};
use crate::driver::swarm::SwarmContext;
use crate::driver::torrent::TorrentTask;
use crate::driver::web_seed::status::WebSeeds;
use crate::error::AddError;
use crate::events::Event;
use crate::handle::Torrent;
use crate::mailbox::{COMPLETION_LIMIT, Mailbox};
use crate::options::AddOptions;
use crate::reader::Readers;
use crate::settings::{Settings, TorrentSettings, first_priorities};
use crate::status::Status;
use crate::torrent::{Config, Priority};

/// A torrent whose storage has been opened.
struct Begun {
    metainfo: Arc<Metainfo>,
    options: AddOptions,
    /// How much each file is wanted.
    files: Vec<Priority>,
    messages_in: mpsc::Sender<TorrentMessage>,
    messages: mpsc::Receiver<TorrentMessage>,
    registration: Registration,
    completions: Arc<Mailbox<Completion>>,
    storage: Arc<dyn Storage>,
    space: Box<dyn Space + Send>,
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
        let files = first_priorities(info, &options)?;
        let (messages_in, messages) = mpsc::channel(MESSAGE_QUEUE);
        let reach = Reach::of(info);
        // From here on the name goes with whatever ends this: an error, or a caller that drops the future.
        let registration = self
            .registry
            .register(info.info_hashes(), reach, messages_in.clone())
            .ok_or_else(|| AddError::Duplicate(info.info_hash()))?;
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
        let torrent = self.begin(Begun {
            metainfo: Arc::clone(&metainfo),
            options,
            files,
            messages_in,
            messages,
            registration,
            completions,
            storage,
            space: opened.space,
        });
        Ok(torrent.into())
    }

    /// Starts a torrent whose storage has been opened.
    fn begin(&self, begun: Begun) -> RunningTorrent {
        let Begun {
            metainfo,
            options,
            files,
            messages_in,
            messages,
            registration,
            completions,
            storage,
            space,
        } = begun;
        let info = metainfo.info();
        let readers = Readers::new(info.geometry().clone(), Arc::clone(&storage));
        let readers = Arc::new(readers);
        let (status_in, status) = watch::channel(Status::default());
        let context = self.context(info, status, messages_in);
        let (trackers, control) = announce::control(tiers(&metainfo, &options));
        let shared = self
            .shared
            .with_limits(options.download_limit, options.upload_limit);
        let limits = self.limits(&options);
        let (peers, banned) = (options.peers.clone(), options.banned.clone());
        let settings = settings(&options, files);
        let removal = Arc::default();
        let web_seeds = Arc::new(WebSeeds::new(&metainfo, &options));
        let torrent = RunningTorrent {
            shared: Arc::new(TorrentHandle {
                info_hash: context.info_hash,
                metainfo: Arc::clone(&metainfo),
                messages: context.messages.clone(),
                closing: context.closing.clone(),
                readers: Arc::clone(&readers),
                settings: settings.clone(),
                limits: limits.clone(),
                download_limit: shared.down_limit.clone(),
                upload_limit: shared.up_limit.clone(),
                trackers,
                web_seeds: Arc::clone(&web_seeds),
                removal: Arc::clone(&removal),
            }),
            status: context.status.clone(),
        };
        let task = TorrentTask {
            config: self.config(info, &options, &limits, &context),
            banned,
            geometry: info.geometry().clone(),
            metainfo: Arc::clone(&metainfo),
            saved: self.metadata.clone(),
            wants_nothing: options.disk.seed_partial,
            metadata: Bytes::copy_from_slice(info.raw()),
            storage,
            completions,
            board: Arc::clone(&readers.board),
            messages,
            messages_in: context.messages.clone(),
            status: status_in,
            shared,
            settings,
            limits,
            web_seeds,
            closing: context.closing.clone(),
        };
        registration.add(torrent.clone());
        let lifecycle = TorrentLifecycle {
            task,
            seekers: self.seekers(&metainfo, &options, control, &context),
            space,
            choices: options.disk,
            peers,
            storages: Arc::clone(&self.storages),
            readers,
            removal,
            ended: Arc::clone(&self.ended),
            registration,
        };
        self.launch(info, lifecycle);
        torrent
    }

    /// Tells that a torrent was added, and runs it.
    fn launch(&self, info: &Info, lifecycle: TorrentLifecycle) {
        let info_hash = lifecycle.task.config.info_hash;
        let name = info.name().to_owned();
        self.shared.events.send(Event::Added { info_hash, name });
        // What is logged of it names it.
        let span = tracing::info_span!("torrent", message = %info.name().escape_debug());
        let lifecycle = Box::new(lifecycle);
        self.tasks.spawn(lifecycle.run().instrument(span));
    }

    fn context(
        &self,
        info: &Info,
        status: watch::Receiver<Status>,
        messages: mpsc::Sender<TorrentMessage>,
    ) -> SwarmContext {
        SwarmContext {
            info_hash: info.info_hash(),
            hashes: info.info_hashes(),
            name: info.info_hash(),
            peer_id: self.registry.peer_id(),
            port: self.shared.port.clone(),
            handshakes: self.shared.handshakes.clone(),
            seed: u64::from_be_bytes(random()),
            status,
            messages,
            events: self.shared.events.clone(),
            link: self.shared.link.clone(),
            closing: self.closing.child_token(),
        }
    }

    fn limits(&self, options: &AddOptions) -> TorrentLimits {
        TorrentLimits {
            session: Arc::clone(&self.peer_limits),
            own: Arc::new(PeerLimits::new(options.max_peers, options.upload_slots)),
        }
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
            super_seeding: options.super_seeding,
            seed: context.seed,
            ..Config::new(context.info_hash, self.registry.peer_id())
        }
    }

    /// What looks for peers in each swarm of the torrent. Handles see the trackers of the first.
    ///
    /// The tracker of a private torrent is asked by the first name alone: announcers that left it for different ones would
    /// mix the peers of two trackers (BEP 27).
    fn seekers(
        &self,
        metainfo: &Metainfo,
        options: &AddOptions,
        control: AnnounceControl,
        context: &SwarmContext,
    ) -> Vec<Seeker> {
        let swarms = match metainfo.info().is_private() {
            true => 1,
            false => usize::MAX,
        };
        let unseen = control.unseen();
        let mut seen = Some(control);
        let seekers = context.swarms().take(swarms).map(|context| {
            let control = seen.take().unwrap_or_else(|| unseen.unseen());
            Seeker {
                announcer: self.announcer(metainfo, options, control, &context),
                search: self.search(metainfo, &context),
            }
        });
        seekers.collect()
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

    /// The DHT search for a torrent's peers; a private torrent has none (BEP 27).
    fn search(&self, metainfo: &Metainfo, context: &SwarmContext) -> Option<Search> {
        let dht = self.shared.dht.clone();
        let dht = dht.filter(|_| !metainfo.info().is_private())?;
        if !metainfo.nodes().is_empty() && context.name == context.info_hash {
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

/// The trackers that a torrent begins with, by tier.
fn tiers(metainfo: &Metainfo, options: &AddOptions) -> Vec<Vec<String>> {
    match (&options.trackers, options.announce) {
        (_, false) => Vec::new(),
        (Some(tiers), true) => tiers.clone(),
        (None, true) => metainfo.trackers().to_vec(),
    }
}

fn settings(options: &AddOptions, priorities: Vec<Priority>) -> Settings {
    Settings::new(TorrentSettings {
        options: AddOptions {
            peers: Vec::new(),
            banned: Vec::new(),
            ..options.clone()
        },
        priorities,
    })
}
