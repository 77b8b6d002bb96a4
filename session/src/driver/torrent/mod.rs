//! The torrent's task: owns the torrent's state machine and drives it.

mod files;
mod links;
mod rechecking;
mod storage;
mod suspending;
mod web_seeds;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tailwater_metainfo::{Bitfield, Geometry, InfoHash, Metainfo, PieceIndex};
use tailwater_wire::Reserved;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use files::Files;
use links::Link;
use suspending::Transferred;
pub(crate) use suspending::{Continued, Ended, Suspended};

use crate::driver::discovery::dht::DhtHandle;
use crate::driver::discovery::own_port::OwnPort;
use crate::driver::handshake::{self, HandshakeSettings, PeerDialer};
use crate::driver::message::{Request, TorrentMessage};
use crate::driver::peer::buffers::ReceiveBuffers;
use crate::driver::peer_limits::TorrentLimits;
use crate::driver::permits::{ConnectionPermits, PermitGroup};
use crate::driver::rate_limits::RateLimits;
use crate::driver::upkeep::Upkeep;
use crate::driver::web_seed::status::{WebSeedState, WebSeeds};
use crate::error::TorrentError;
use crate::events::{Event, EventSender};
use crate::ip_filter::SharedFilter;
use crate::mailbox::Mailbox;
use crate::options::priorities;
use crate::reader::board::ReaderBoard;
use crate::settings::Settings;
use crate::state::MetadataStore;
use crate::status::{Phase, Status};
use crate::torrent::{
    BufferMap, Config, Engine, Halt, Notice, Origin, Output, PeerKey, PeerSource, Priority,
};
use crate::transport::Uplink;
use tailwater_storage::{Completion, Space, Storage};

/// Messages taken from the queue at once.
const BATCH: usize = 64;
/// Facts handled before their outputs go out and other tasks get their turn.
const FACTS_A_TURN: usize = 1_024;
/// How often the status is published while something goes on.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// The longest sleep of a torrent without peers: it has nothing to publish, and wakes when something happens.
const IDLE: Duration = Duration::from_secs(600);
/// A torrent that holds more permits than its share disconnects one peer this often, while others wait.
const SHED_EVERY: Duration = Duration::from_secs(1);

/// The state that all connections of a session share, and the rate limits of a torrent.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) port: OwnPort,
    pub(crate) permits: ConnectionPermits,
    pub(crate) dialer: PeerDialer,
    pub(crate) handshakes: HandshakeSettings,
    pub(crate) filter: SharedFilter,
    pub(crate) down_limit: RateLimits,
    pub(crate) up_limit: RateLimits,
    pub(crate) events: EventSender,
    /// The session's DHT node, if it has one.
    pub(crate) dht: Option<DhtHandle>,
    /// The client that web seeds are asked with.
    pub(crate) http: tailwater_http::Client,
    /// What all sockets are bound to.
    pub(crate) link: Uplink,
}

impl Shared {
    /// The same for a torrent that has its own rate limits, in bytes a second.
    pub(crate) fn with_limits(&self, download: Option<u64>, upload: Option<u64>) -> Self {
        Self {
            down_limit: self.down_limit.with_torrent(download),
            up_limit: self.up_limit.with_torrent(upload),
            ..self.clone()
        }
    }

    /// The extensions that our handshake announces.
    pub(crate) const fn reserved(&self) -> Reserved {
        handshake::reserved(self.dht.is_some())
    }
}

/// Everything that a torrent's task needs.
pub(crate) struct TorrentTask {
    pub(crate) config: Config,
    /// Addresses that are not used from the start.
    pub(crate) banned: Vec<IpAddr>,
    pub(crate) geometry: Geometry,
    pub(crate) metainfo: Arc<Metainfo>,
    /// Where the hashes of a magnet link's pieces are saved.
    pub(crate) saved: Option<MetadataStore>,
    /// Whether nothing that is missing is fetched, whatever is asked for.
    pub(crate) wants_nothing: bool,
    /// The info dictionary, for peers that have only a magnet link.
    pub(crate) metadata: Bytes,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) completions: Arc<Mailbox<Completion>>,
    pub(crate) board: Arc<ReaderBoard>,
    pub(crate) messages: mpsc::Receiver<TorrentMessage>,
    pub(crate) messages_in: mpsc::Sender<TorrentMessage>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) shared: Shared,
    pub(crate) settings: Settings,
    pub(crate) limits: TorrentLimits,
    pub(crate) web_seeds: Arc<WebSeeds>,
    pub(crate) closing: CancellationToken,
}

/// A running torrent.
pub(crate) struct Running {
    task: TorrentTask,
    engine: Engine<Box<dyn Space + Send>>,
    files: Files,
    links: HashMap<PeerKey, Link>,
    /// Links with commands to hand over.
    dirty: Vec<PeerKey>,
    tasks: TaskTracker,
    buffers: Arc<ReceiveBuffers>,
    /// The right to have a piece's blocks hashed for a peer.
    hashing: Arc<Semaphore>,
    /// The torrent's share of the session's connections.
    group: Arc<PermitGroup>,
    shed_again_at: Instant,
    /// The most peers and the upload slots that the machine has been told.
    limits: (usize, usize),
    failure: Option<TorrentError>,
    /// Everything wanted is there, and the files have been looked at once more.
    is_finished: bool,
    published: Instant,
    /// Work on the files for which the torrent is suspended.
    upkeep: Option<Upkeep>,
    /// The transfer totals of the state machines before this one.
    before: Transferred,
    /// Peers that the user named.
    peers: Vec<SocketAddr>,
    /// Requests that came while the torrent did not run.
    deferred: Vec<Request>,
    /// Ends connections being made.
    ending: CancellationToken,
}

impl TorrentTask {
    fn info_hash(&self) -> InfoHash {
        self.config.info_hash
    }

    /// Waits for the end of a torrent that could not start; every request is answered that it is closed.
    pub(crate) async fn refuse_everything(mut self) {
        let closing = self.closing.clone();
        let failure = match &self.status.borrow().phase {
            Phase::Failed(error) => error.clone(),
            _ => TorrentError::Closed,
        };
        self.board.end(failure);
        let refuse = async { while self.messages.recv().await.is_some() {} };
        tokio::select! {
            () = closing.cancelled() => {}
            () = refuse => {}
        }
    }

    /// Starts with the pieces that are there already, and the peers that the user named. Those do not come through the
    /// queue, which may be full by now.
    pub(crate) fn start(
        self,
        space: Box<dyn Space + Send>,
        have: Bitfield,
        priorities: Vec<(PieceIndex, Priority)>,
        continued: Continued,
    ) -> Box<Running> {
        let now = Instant::now();
        let config = Config {
            listen_port: self.shared.port.listened(),
            ..self.config
        };
        let files = Files::new(Arc::clone(&self.metainfo), &have);
        let mut engine = Engine::new(config, self.geometry.clone(), have, space);
        storage::tell_hashes(&mut engine, &self.metainfo);
        // The files were looked at when the storage was opened.
        let is_finished = engine.is_complete() || self.wants_nothing;
        engine.set_priorities(now, priorities);
        for &ip in &self.banned {
            engine.ban(now, ip);
        }
        engine.handle_candidates(now, PeerSource::User, &continued.peers);
        // Those it was connected with, whatever source named them.
        engine.handle_candidates(now, PeerSource::Tracker, &continued.connected);
        let settings = self.settings.lock().options.clone();
        engine.set_sequential(settings.sequential);
        engine.set_super_seeding(now, settings.super_seeding);
        if settings.paused {
            engine.halt(Halt::Paused);
        }
        let mut running = Box::new(Running {
            engine,
            files,
            links: HashMap::new(),
            dirty: Vec::new(),
            tasks: TaskTracker::new(),
            buffers: Arc::default(),
            hashing: Arc::new(Semaphore::new(1)),
            group: self.shared.permits.new_group(),
            shed_again_at: now,
            limits: (config.max_peers, config.upload_slots),
            failure: None,
            is_finished,
            published: now,
            upkeep: None,
            before: continued.transferred,
            peers: continued.peers,
            deferred: continued.deferred,
            ending: self.closing.child_token(),
            task: self,
        });
        for (key, config, update) in continued.readers {
            running.engine.handle_reader_opened(now, key, config);
            running.engine.handle_reader(now, key, update);
        }
        running.start_web_seeds(now);
        running.carry_out(now);
        running.publish(now);
        running
    }
}

impl Running {
    /// Runs until the torrent is closed, or its files are worked on; then its connections have ended.
    pub(crate) async fn run(mut self: Box<Self>) -> Ended {
        let closing = self.task.closing.clone();
        let deferred = std::mem::take(&mut self.deferred);
        let mut messages: VecDeque<_> = deferred.into_iter().map(TorrentMessage::Request).collect();
        let mut received = Vec::new();
        let mut completions = Vec::new();
        loop {
            let now = Instant::now();
            let wake = self.wake(now);
            tokio::select! {
                () = closing.cancelled() => break,
                // The rest of what came comes first, but not before other tasks of this thread had their turn.
                () = tokio::task::yield_now(), if !messages.is_empty() => {}
                count = self.task.messages.recv_many(&mut received, BATCH), if messages.is_empty() => {
                    // The channel cannot close: we hold a sender ourselves.
                    debug_assert!(count > 0);
                    messages.extend(received.drain(..));
                }
                () = self.task.completions.ready() => {}
                () = self.task.board.ready() => {}
                () = space_free(&*self.task.storage, self.engine.wanted_space()) => {
                    self.engine.handle_space(Instant::now());
                }
                () = sleep_until(wake.into()) => {}
            }
            let now = Instant::now();
            self.handle_some(now, &mut messages).await;
            self.task.completions.take(&mut completions);
            for completion in completions.drain(..) {
                self.handle_completion(now, completion);
            }
            self.listen_to_readers(now);
            self.engine.handle_timeout(now);
            self.share_places(now);
            self.carry_out(now);
            if now >= self.published + PUBLISH_EVERY || self.is_news() {
                self.publish(now);
            }
            if let Some(upkeep) = self.upkeep.take() {
                // In boxes, as most torrents are idle for most of the time, in the loop above.
                let suspending = Box::pin(self.suspend(upkeep, messages));
                return Ended::Suspended(Box::new(suspending.await));
            }
        }
        // Connections wait for their facts to be handled, or for them to be dropped.
        drop(messages);
        Box::pin(self.shut_down()).await;
        Ended::Closed
    }

    fn wake(&mut self, now: Instant) -> Instant {
        let publish = match self.is_quiet() {
            true => now + IDLE,
            false => self.published + PUBLISH_EVERY,
        };
        let machine = self.engine.poll_timeout().unwrap_or(publish);
        publish.min(machine)
    }

    /// Disconnects a peer when other torrents wait for permits and we hold more than our share.
    fn share_places(&mut self, now: Instant) {
        if now < self.shed_again_at {
            return;
        }
        self.shed_again_at = now + SHED_EVERY;
        self.apply_limits(now);
        if self.group.is_over_share() {
            self.engine.shed(now);
        }
        self.engine.shed_useless(now, self.group.shut_out());
    }

    /// Applies limits that were changed meanwhile.
    fn apply_limits(&mut self, now: Instant) {
        let limits = &self.task.limits;
        let wanted = (limits.max_peers(), limits.upload_slots());
        let (peers, slots) = std::mem::replace(&mut self.limits, wanted);
        if wanted.0 != peers {
            self.engine.set_max_peers(now, wanted.0);
        }
        if wanted.1 != slots {
            self.engine.set_upload_slots(now, wanted.1);
        }
    }

    fn pause(&mut self) {
        self.engine.halt(Halt::Paused);
        self.task.settings.lock().options.paused = true;
        let info_hash = self.task.info_hash();
        self.task.shared.events.send(Event::Paused { info_hash });
    }

    /// Handles as many messages as make one turn.
    async fn handle_some(&mut self, now: Instant, messages: &mut VecDeque<TorrentMessage>) {
        let mut facts = 0;
        while facts < FACTS_A_TURN
            && self.upkeep.is_none()
            && let Some(message) = messages.pop_front()
        {
            if let TorrentMessage::Facts(batch) = &message {
                facts += batch.facts.len();
            }
            self.handle(now, message).await;
        }
    }

    async fn handle(&mut self, now: Instant, message: TorrentMessage) {
        match message {
            TorrentMessage::Facts(batch) => {
                self.engine
                    .handle_facts(now, batch.key, batch.from, batch.facts);
            }
            TorrentMessage::Ended(key, end) => self.handle_ended(now, key, &end),
            TorrentMessage::Handshaken(peer) => self.take_in(now, *peer),
            TorrentMessage::DialFailed(addr) => self.engine.handle_connect_failed(now, addr),
            TorrentMessage::Candidates(source, addrs) => {
                self.engine.handle_candidates(now, source, &addrs);
            }
            TorrentMessage::TrackerPeers(tracker, namer, addrs) => {
                self.engine
                    .handle_tracker_peers(now, &tracker, namer, &addrs);
            }
            TorrentMessage::ExternalIp(ip) => self.engine.handle_external_ip(ip),
            TorrentMessage::Request(request) => self.handle_request(now, request).await,
        }
    }

    async fn handle_request(&mut self, now: Instant, request: Request) {
        // A handle that no longer waits for its answer needs none.
        match request {
            Request::Peers(answer) => {
                let _ = answer.send(self.engine.peer_stats(now));
            }
            Request::Have(answer) => {
                let _ = answer.send(self.engine.have().clone());
            }
            Request::Buffer(answer) => {
                let _ = answer.send(self.buffer_map(now));
            }
            Request::Pause => self.pause(),
            Request::Resume(answer) => {
                let _ = answer.send(self.resume(now).await);
            }
            // Only shared: nothing is fetched or written.
            Request::Files | Request::Priorities(_) if self.task.wants_nothing => {}
            Request::Files => {
                let files = self.task.settings.priorities();
                let wanted: Vec<bool> = files.iter().map(|file| *file > Priority::Skip).collect();
                self.select_files(wanted).await;
                let priorities = priorities(self.task.metainfo.info(), &files);
                self.engine.set_priorities(now, priorities);
            }
            Request::Priorities(priorities) => self.engine.set_priorities(now, priorities),
            Request::Sequential(sequential) => self.engine.set_sequential(sequential),
            Request::Prefetch(file) => self.engine.prefetch(now, &file),
            Request::SuperSeeding(on) => self.engine.set_super_seeding(now, on),
            Request::Filter => self.disconnect_filtered(now),
            Request::Upkeep(upkeep) => self.upkeep = Some(upkeep),
        }
    }

    /// The state of the buffer, with the storage's own figures.
    fn buffer_map(&self, now: Instant) -> BufferMap {
        let mut map = self.engine.buffer_map(now);
        let figures = self.task.storage.figures();
        map.memory.budget = figures.budget;
        map.memory.used = figures.used;
        map.memory.evictions = figures.evictions;
        map
    }

    fn listen_to_readers(&mut self, now: Instant) {
        for (key, news) in self.task.board.take() {
            if let Some(config) = news.opened {
                self.engine.handle_reader_opened(now, key, config);
            }
            if let Some(update) = news.update {
                self.engine.handle_reader(now, key, update);
            }
            if news.closed {
                self.engine.handle_reader_closed(now, key);
            }
        }
    }

    /// Carries out the outputs of the state machine.
    fn carry_out(&mut self, now: Instant) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Command { peer, command } => {
                    if let Some(link) = self.links.get_mut(&peer) {
                        if link.commands.is_empty() {
                            self.dirty.push(peer);
                        }
                        link.commands.push(command);
                    }
                }
                Output::Connect(addr) => self.connect(addr),
                Output::Disconnect { peer, reason } => {
                    if let Some(link) = self.links.remove(&peer) {
                        tracing::info!("{} is let go: {reason}", link.who);
                        link.mailbox.close();
                    }
                }
                Output::Verify(pieces) => {
                    if let Err(error) = self.task.storage.verify(pieces) {
                        self.fail(error);
                    }
                }
                Output::Judge(piece) => self.task.storage.judge(piece),
                Output::Recheck(pieces) => self.recheck(pieces),
                Output::Digest(piece) => {
                    // Without digests no sender can be convicted; the piece itself is fine.
                    let _ = self.task.storage.digest(piece);
                }
                Output::Starved(reader) => self.task.board.starve(reader),
                Output::RoomNeeded => self.yield_blocks(),
                Output::Notice(Notice::Completed) => self.finish(),
                Output::Notice(note) => self.tell(&note),
            }
        }
        for key in std::mem::take(&mut self.dirty) {
            let stuck = self
                .links
                .get_mut(&key)
                .is_some_and(|link| link.mailbox.push(&mut link.commands).is_err());
            if stuck {
                if let Some(link) = self.links.remove(&key) {
                    tracing::info!("{} is let go: its connection is stuck", link.who);
                    link.mailbox.close();
                }
                self.engine.handle_closed(now, key);
            }
        }
    }

    fn tell(&mut self, note: &Notice) {
        let info_hash = self.task.info_hash();
        let event = match *note {
            Notice::PieceVerified(piece) => {
                self.task.board.wake(piece);
                for file in self.files.handle_verified(piece) {
                    tracing::info!("the file {} is complete", self.files.path(file));
                }
                Event::PieceVerified {
                    info_hash,
                    piece: piece.get(),
                }
            }
            Notice::PieceFailed(piece) => {
                let number = piece.get();
                tracing::info!("piece {number} does not match its hash, and is fetched again");
                Event::PieceFailed {
                    info_hash,
                    piece: number,
                }
            }
            Notice::Banned(origin) => {
                if let Origin::WebSeed(id) = origin {
                    let error = Some("it sent corrupt data");
                    let web_seeds = &self.task.web_seeds;
                    web_seeds.set_state(id, WebSeedState::Banned, error);
                }
                Event::Banned { info_hash, origin }
            }
            Notice::PieceEvicted(piece) => {
                self.files.handle_evicted(piece);
                Event::PieceEvicted {
                    info_hash,
                    piece: piece.get(),
                }
            }
            Notice::HashesKnown => return self.save_hashes(),
            Notice::Completed => return,
        };
        self.task.shared.events.send(event);
    }

    fn phase(&self) -> Phase {
        match (&self.failure, self.engine.halted()) {
            (Some(error), _) => Phase::Failed(error.clone()),
            (None, Some(Halt::Paused)) => Phase::Paused,
            _ if self.engine.is_complete() && self.is_finished => Phase::Complete,
            _ => Phase::Downloading,
        }
    }

    /// Whether something changed that has to be published at once.
    fn is_news(&self) -> bool {
        let status = self.task.status.borrow();
        let published = (status.stats.downloaded, status.stats.uploaded);
        // Without peers there is no regular publishing, so the last one has to be right.
        let left_alone =
            self.links.is_empty() && self.before.with(self.engine.transferred()) != published;
        left_alone || self.phase() != status.phase
    }

    /// Whether the last published status still holds for a torrent without peers: all rates are 0.
    fn is_still(&self) -> bool {
        let stats = self.task.status.borrow().stats;
        stats.peers == 0 && stats.down_rate == 0 && stats.up_rate == 0
    }

    fn publish(&mut self, now: Instant) {
        self.published = now;
        self.publish_web_seeds(now);
        let stats = self.before.plus(self.engine.stats(now));
        let before = self.task.settings.lock().options.totals;
        self.task.status.send_replace(Status {
            phase: self.phase(),
            stats,
            totals: before.plus(&stats),
        });
    }

    /// Ends every connection and waits for it.
    async fn shut_down(mut self: Box<Self>) {
        let now = Instant::now();
        self.engine.handle_closing();
        self.carry_out(now);
        self.publish(now);
        self.task.board.end(TorrentError::Closed);
        for (_, link) in self.links.drain() {
            link.mailbox.close();
        }
        // A task that waits to send us a message finds the channel closed and ends.
        self.task.messages.close();
        while self.task.messages.recv().await.is_some() {}
        self.tasks.close();
        self.tasks.wait().await;
        self.task.web_seeds.stop();
    }
}

/// Waits until the storage has room for `wanted` bytes, if any are wanted.
async fn space_free(storage: &dyn Storage, wanted: Option<u64>) {
    match wanted {
        Some(bytes) => storage.wait_for_space(bytes).await,
        None => std::future::pending().await,
    }
}
