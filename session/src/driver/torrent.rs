//! One task for one torrent: it drives the torrent's machine and owns it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tailwater_metainfo::{Bitfield, Geometry, InfoHash, PieceIndex};
use tailwater_wire::Reserved;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::buffers::ReceiveBuffers;
use super::connections::{Party, Places};
use super::dial::{self, Handshaken};
use super::discovery::dht::DhtHandle;
use super::discovery::own_port::OwnPort;
use super::incident::{BATCHES_IN_FLIGHT, End, Incident, Request};
use super::mailbox::Mailbox;
use super::peer::PeerTask;
use super::throttle::Throttle;
use crate::disk::{Completion, StorageError};
use crate::error::TorrentError;
use crate::events::{Event, EventSender};
use crate::peer::{self, Command, Connection, Consequence};
use crate::reader::board::Board;
use crate::status::{Phase, Status};
use crate::storage::Store;
use crate::torrent::{
    Config, Engine, Halt, NewPeer, Note, Output, PeerKey, PieceState, Priority, Source, Verdict,
};

/// Incidents taken from the queue at once.
const BATCH: usize = 64;
/// Facts handled before their outputs go out and other tasks get their turn.
const FACTS_A_TURN: usize = 1_024;
/// How often the status is published while something goes on.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// A torrent without peers has nothing to publish; it wakes when something happens.
const IDLE: Duration = Duration::from_secs(600);
/// A torrent that has more connections than its share lets go of one this often, while others wait.
const SHED_EVERY: Duration = Duration::from_secs(1);
/// Commands that may wait for one connection before it counts as stuck.
const COMMAND_LIMIT: usize = 1 << 17;

/// What all connections of a session share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) port: OwnPort,
    pub(crate) places: Places,
    pub(crate) down_limit: Arc<Throttle>,
    pub(crate) up_limit: Arc<Throttle>,
    pub(crate) events: EventSender,
    /// The session's DHT node, if it has one.
    pub(crate) dht: Option<DhtHandle>,
}

impl Shared {
    /// What we can do, as the handshake says.
    pub(crate) const fn reserved(&self) -> Reserved {
        dial::reserved(self.dht.is_some())
    }
}

/// What a torrent's task is made of.
pub(crate) struct TorrentTask {
    pub(crate) config: Config,
    /// Addresses that are not used from the start.
    pub(crate) banned: Vec<IpAddr>,
    pub(crate) geometry: Geometry,
    /// The info dictionary, for peers that have only a magnet link.
    pub(crate) metadata: Bytes,
    pub(crate) store: Store,
    pub(crate) completions: Arc<Mailbox<Completion>>,
    pub(crate) board: Arc<Board>,
    pub(crate) incidents: mpsc::Receiver<Incident>,
    pub(crate) incidents_in: mpsc::Sender<Incident>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) shared: Shared,
    pub(crate) closing: CancellationToken,
}

/// The torrent's end of one connection.
struct Link {
    mailbox: Arc<Mailbox<Command>>,
    /// Commands of this round, handed over together.
    commands: Vec<Command>,
}

/// A torrent that runs.
pub(crate) struct Running {
    task: TorrentTask,
    engine: Engine<Store>,
    links: HashMap<PeerKey, Link>,
    /// Links with commands to hand over.
    dirty: Vec<PeerKey>,
    tasks: TaskTracker,
    buffers: Arc<ReceiveBuffers>,
    /// Our share of the session's connections.
    party: Arc<Party>,
    shed_again_at: Instant,
    failure: Option<TorrentError>,
    /// All that is wanted is there, and the files have been looked at once more.
    is_finished: bool,
    published: Instant,
}

impl TorrentTask {
    fn info_hash(&self) -> InfoHash {
        self.config.info_hash
    }

    /// Waits for the end of a torrent that could not start; whoever asks for something hears that it is closed.
    pub(crate) async fn refuse_everything(mut self) {
        let closing = self.closing.clone();
        let failure = match &self.status.borrow().phase {
            Phase::Failed(error) => error.clone(),
            _ => TorrentError::Closed,
        };
        self.board.end(failure);
        let refuse = async { while self.incidents.recv().await.is_some() {} };
        tokio::select! {
            () = closing.cancelled() => {}
            () = refuse => {}
        }
    }

    /// Begins with the pieces that are there already, and the peers that the user named. Those do not come through the
    /// queue, which may be full by now.
    pub(crate) fn start(
        self,
        have: Bitfield,
        priorities: Vec<(PieceIndex, Priority)>,
        peers: &[SocketAddr],
    ) -> Running {
        let now = Instant::now();
        let config = Config {
            listen_port: self.shared.port.listened(),
            ..self.config
        };
        let mut engine = Engine::new(config, self.geometry, have, self.store.clone());
        // Whoever opened the storage has looked.
        let is_finished = engine.is_complete();
        engine.set_priorities(now, priorities);
        for &ip in &self.banned {
            engine.ban(now, ip);
        }
        engine.handle_candidates(now, Source::User, peers);
        let mut running = Running {
            engine,
            links: HashMap::new(),
            dirty: Vec::new(),
            tasks: TaskTracker::new(),
            buffers: Arc::default(),
            party: self.shared.places.join(),
            shed_again_at: now,
            failure: None,
            is_finished,
            published: now,
            task: self,
        };
        running.carry_out(now);
        running.publish(now);
        running
    }
}

impl Running {
    /// Runs until the torrent is closed; then its connections have ended.
    pub(crate) async fn run(mut self) -> TorrentTask {
        let closing = self.task.closing.clone();
        let mut incidents = VecDeque::with_capacity(BATCH);
        let mut received = Vec::with_capacity(BATCH);
        let mut completions = Vec::new();
        loop {
            let now = Instant::now();
            let wake = self.wake(now);
            tokio::select! {
                () = closing.cancelled() => break,
                // The rest of what came comes first, but not before other tasks of this thread had their turn.
                () = tokio::task::yield_now(), if !incidents.is_empty() => {}
                count = self.task.incidents.recv_many(&mut received, BATCH), if incidents.is_empty() => {
                    // The channel cannot close: we hold a sender ourselves.
                    debug_assert!(count > 0);
                    incidents.extend(received.drain(..));
                }
                () = self.task.completions.ready() => {}
                () = self.task.board.ready() => {}
                () = space_free(&self.task.store, self.engine.wanted_space()) => {
                    self.engine.handle_space(Instant::now());
                }
                () = sleep_until(wake.into()) => {}
            }
            let now = Instant::now();
            self.handle_some(now, &mut incidents).await;
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
        }
        // Connections wait for their facts to be handled, or for them to be dropped.
        drop(incidents);
        self.shut_down().await
    }

    fn wake(&mut self, now: Instant) -> Instant {
        let publish = match self.links.is_empty() {
            true => now + IDLE,
            false => self.published + PUBLISH_EVERY,
        };
        let machine = self.engine.poll_timeout(now).unwrap_or(publish);
        publish.min(machine)
    }

    /// Others get their share of the session's connections if we have more than ours.
    fn share_places(&mut self, now: Instant) {
        if now < self.shed_again_at {
            return;
        }
        self.shed_again_at = now + SHED_EVERY;
        if self.party.is_over_share() {
            self.engine.shed(now);
        }
        self.engine.shed_useless(now, self.party.shut_out());
    }

    /// Handles as many as make one turn.
    async fn handle_some(&mut self, now: Instant, incidents: &mut VecDeque<Incident>) {
        let mut facts = 0;
        while facts < FACTS_A_TURN
            && let Some(incident) = incidents.pop_front()
        {
            if let Incident::Facts(batch) = &incident {
                facts += batch.facts.len();
            }
            self.handle(now, incident).await;
        }
    }

    async fn handle(&mut self, now: Instant, incident: Incident) {
        match incident {
            Incident::Facts(batch) => {
                self.engine
                    .handle_facts(now, batch.key, batch.from, batch.facts);
            }
            Incident::Ended(key, end) => self.handle_ended(now, key, &end),
            Incident::Handshaken(peer) => self.take_in(now, peer),
            Incident::DialFailed(addr) => self.engine.handle_connect_failed(now, addr),
            Incident::Candidates(source, addrs) => {
                self.engine.handle_candidates(now, source, &addrs);
            }
            Incident::TrackerPeers(tracker, namer, addrs) => {
                self.engine
                    .handle_tracker_peers(now, &tracker, namer, &addrs);
            }
            Incident::ExternalIp(ip) => self.engine.handle_external_ip(ip),
            Incident::Request(request) => self.handle_request(now, request).await,
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
                let _ = answer.send(self.task.store.with_figures(self.engine.buffer_map(now)));
            }
            Request::Pause => self.engine.halt(Halt::Paused),
            Request::Resume(answer) => {
                let _ = answer.send(self.resume(now).await);
            }
            Request::Files(wanted, priorities) => {
                self.select_files(&wanted).await;
                self.engine.set_priorities(now, priorities);
            }
            Request::Priorities(priorities) => self.engine.set_priorities(now, priorities),
            Request::Sequential(sequential) => self.engine.set_sequential(sequential),
        }
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

    /// A file that is wanted again gets back what the disk keeps of it elsewhere.
    async fn select_files(&mut self, wanted: &[bool]) {
        let Store::Disk(disk) = self.task.store.clone() else {
            return;
        };
        for (file, &wanted) in wanted.iter().enumerate() {
            if let Err(error) = disk.torrent.set_skipped(file, !wanted).await {
                self.fail(error);
                return;
            }
        }
    }

    /// Tries again after a pause or a failure of the storage.
    async fn resume(&mut self, now: Instant) -> Result<(), TorrentError> {
        if let Store::Disk(disk) = &self.task.store {
            disk.torrent.resume().await?;
            // Losses from before the failure come ahead of whatever is fetched from now on.
            let mut completions = Vec::new();
            self.task.completions.take(&mut completions);
            for completion in completions {
                self.handle_completion(now, completion);
            }
        }
        self.failure = None;
        self.task.board.resume();
        self.engine.resume(now);
        if self.engine.is_complete() && !self.is_finished {
            self.finish();
        }
        Ok(())
    }

    fn handle_completion(&mut self, now: Instant, completion: Completion) {
        match completion {
            Completion::Verified {
                piece,
                valid,
                digests,
            } => {
                // The answer to an earlier attempt says nothing of the one under way.
                if self.engine.piece_state(piece) == PieceState::Verifying {
                    self.task.store.settle(piece);
                }
                let verdict = match valid {
                    true => Verdict::Valid,
                    false => Verdict::Invalid(digests),
                };
                self.engine.handle_verdict(now, piece, &verdict);
            }
            Completion::Digests {
                piece,
                digests: Ok(digests),
            } => {
                self.engine.handle_digests(now, piece, &digests);
            }
            // Without digests nobody can be convicted; the piece itself is fine.
            Completion::Digests {
                digests: Err(_), ..
            } => {}
            Completion::Finished(Ok(())) => self.finished(),
            Completion::Finished(Err(error)) | Completion::ReadFailed { error } => self.fail(error),
            Completion::Evicted { piece } => self.engine.handle_evicted(now, piece),
            Completion::VerifyFailed { error, .. } => self.fail(error),
            Completion::WriteFailed { error, lost } => {
                self.task.store.disclaim(&lost);
                self.engine.handle_lost(&lost);
                self.fail(error);
            }
        }
    }

    /// The storage does not work: everything waits until somebody has seen to it.
    fn fail(&mut self, error: StorageError) {
        if self.failure.is_some() || error.is_closed() {
            return;
        }
        self.engine.halt(Halt::Storage);
        let error = TorrentError::Storage(error);
        self.failure = Some(error.clone());
        self.task.board.end(error.clone());
        self.task.shared.events.send(Event::Failed {
            info_hash: self.task.info_hash(),
            error,
        });
    }

    fn handle_ended(&mut self, now: Instant, key: PeerKey, end: &End) {
        tracing::debug!(?key, "connection ended: {end}");
        self.links.remove(&key);
        if let End::Violation(violation) = end
            && violation.consequence() == Consequence::Ban
        {
            self.engine.handle_misbehaviour(now, key);
        }
        self.engine.handle_closed(now, key);
    }

    /// A peer has shaken hands: it gets a task of its own, unless the torrent does not want it.
    fn take_in(&mut self, now: Instant, mut peer: Handshaken) {
        self.party.adopt(&mut peer.place);
        let new = NewPeer {
            addr: peer.addr,
            id: peer.id,
            direction: peer.direction,
            fast: peer.agreed.fast(),
        };
        let key = match self.engine.handle_connected(now, new) {
            Ok(key) => key,
            Err(refusal) => {
                tracing::debug!(addr = %peer.addr, ?refusal, "peer refused");
                return;
            }
        };
        let mut connection = Connection::new(
            now,
            peer::Config {
                geometry: self.task.geometry,
                fast: peer.agreed.fast(),
                extensions: peer.agreed.extension_protocol(),
                listen_port: self.task.shared.port.seen_by(peer.addr.ip()),
                addr: Some(peer.addr.ip()),
                other_ip: self.engine.other_ip(peer.addr.ip()),
                upload_only: self.engine.is_complete(),
                metadata: self.task.metadata.clone(),
                private: self.task.config.private,
                dht_port: self.dht_port(peer.agreed),
            },
        );
        let early = connection.handle_bytes(now, &mut peer.received);
        let mailbox = Arc::new(Mailbox::new(COMMAND_LIMIT));
        self.links.insert(
            key,
            Link {
                mailbox: Arc::clone(&mailbox),
                commands: Vec::new(),
            },
        );
        let task = PeerTask {
            key,
            ip: peer.addr.ip(),
            stream: peer.stream,
            connection,
            store: self.task.store.clone(),
            mailbox,
            incidents: self.task.incidents_in.clone(),
            in_flight: Arc::new(Semaphore::new(BATCHES_IN_FLIGHT)),
            buffers: Arc::clone(&self.buffers),
            down_limit: Arc::clone(&self.task.shared.down_limit),
            up_limit: Arc::clone(&self.task.shared.up_limit),
            dht: self.task.shared.dht.clone(),
            _place: peer.place,
        };
        self.tasks.spawn(task.run(peer.received, early));
    }

    /// Where our DHT node is, for a peer that has one too. Those of a private torrent need not know (BEP 27).
    fn dht_port(&self, agreed: Reserved) -> Option<u16> {
        let dht = self.task.shared.dht.as_ref();
        let told = dht.filter(|_| agreed.dht() && !self.task.config.private);
        told.map(DhtHandle::port)
    }

    /// Does what the machine wants done.
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
                    tracing::debug!(?peer, ?reason, "letting a peer go");
                    if let Some(link) = self.links.remove(&peer) {
                        link.mailbox.close();
                    }
                }
                Output::Verify(pieces) => {
                    if let Err(error) = self.task.store.verify(pieces) {
                        self.fail(error);
                    }
                }
                Output::Digest(piece) => {
                    // Without digests nobody can be convicted; the piece itself is fine.
                    let _ = self.task.store.digest(piece);
                }
                Output::Starved(reader) => self.task.board.starve(reader),
                Output::RoomNeeded => self.yield_blocks(),
                Output::Note(Note::Completed) => self.finish(),
                Output::Note(note) => self.tell(&note),
            }
        }
        for key in std::mem::take(&mut self.dirty) {
            let stuck = self
                .links
                .get_mut(&key)
                .is_some_and(|link| link.mailbox.push(&mut link.commands).is_err());
            if stuck {
                if let Some(link) = self.links.remove(&key) {
                    link.mailbox.close();
                }
                self.engine.handle_closed(now, key);
            }
        }
    }

    /// Blocks that wait for sockets pin their pieces: connections are told to give them back.
    fn yield_blocks(&mut self) {
        for (&key, link) in &mut self.links {
            if link.commands.is_empty() {
                self.dirty.push(key);
            }
            link.commands.push(Command::YieldBlocks);
        }
    }

    fn connect(&self, addr: SocketAddr) {
        let ours = dial::Ours {
            info_hash: self.task.config.info_hash,
            peer_id: self.task.config.peer_id,
            reserved: self.task.shared.reserved(),
        };
        let incidents = self.task.incidents_in.clone();
        let closing = self.task.closing.clone();
        let party = Arc::clone(&self.party);
        self.tasks.spawn(async move {
            let dialling = async { dial::dial(addr, ours, party.place().await).await };
            let dialled = tokio::select! {
                () = closing.cancelled() => return,
                dialled = dialling => dialled,
            };
            let incident = match dialled {
                Ok(peer) => Incident::Handshaken(peer),
                Err(error) => {
                    tracing::debug!(%addr, "connecting: {error}");
                    Incident::DialFailed(addr)
                }
            };
            // A torrent that closes meanwhile needs no answer.
            let _ = incidents.send(incident).await;
        });
    }

    fn tell(&self, note: &Note) {
        let info_hash = self.task.info_hash();
        let event = match *note {
            Note::PieceVerified(piece) => {
                self.task.board.wake(piece);
                Event::PieceVerified {
                    info_hash,
                    piece: piece.get(),
                }
            }
            Note::PieceFailed(piece) => Event::PieceFailed {
                info_hash,
                piece: piece.get(),
            },
            Note::Banned(ip) => Event::Banned { info_hash, ip },
            Note::Completed | Note::PieceEvicted(_) => return,
        };
        self.task.shared.events.send(event);
    }

    /// All that is wanted is verified. It is said when the files have been looked at once more: another program may have
    /// deleted or cut them meanwhile.
    fn finish(&mut self) {
        self.is_finished = false;
        match &self.task.store {
            Store::Memory(_) => self.finished(),
            Store::Disk(disk) => {
                // A storage that is closed has no torrent to say it of.
                let _ = disk.torrent.finish();
            }
        }
    }

    fn finished(&mut self) {
        // Something more may be wanted by now.
        if self.engine.is_complete() && !self.is_finished {
            self.is_finished = true;
            let info_hash = self.task.info_hash();
            self.task.shared.events.send(Event::Completed { info_hash });
        }
    }

    fn phase(&self) -> Phase {
        match (&self.failure, self.engine.halted()) {
            (Some(error), _) => Phase::Failed(error.clone()),
            (None, Some(Halt::Paused)) => Phase::Paused,
            _ if self.engine.is_complete() && self.is_finished => Phase::Complete,
            _ => Phase::Downloading,
        }
    }

    /// Whether something changed that nobody should have to wait for.
    fn is_news(&self) -> bool {
        let status = self.task.status.borrow();
        let published = (status.stats.downloaded, status.stats.uploaded);
        // Without peers there is no regular publishing, so the last one has to be right.
        let left_alone = self.links.is_empty() && self.engine.transferred() != published;
        left_alone || self.phase() != status.phase
    }

    fn publish(&mut self, now: Instant) {
        self.published = now;
        self.task.status.send_replace(Status {
            phase: self.phase(),
            stats: self.engine.stats(now),
        });
    }

    /// Ends every connection and waits for it.
    async fn shut_down(mut self) -> TorrentTask {
        let now = Instant::now();
        self.engine.handle_closing();
        self.carry_out(now);
        self.publish(now);
        self.task.board.end(TorrentError::Closed);
        for (_, link) in self.links.drain() {
            link.mailbox.close();
        }
        // Whoever waits to tell us something finds the door closed and ends.
        self.task.incidents.close();
        while self.task.incidents.recv().await.is_some() {}
        self.tasks.close();
        self.tasks.wait().await;
        self.task
    }
}

/// Waits until the storage has so much room, if somebody needs it.
async fn space_free(store: &Store, wanted: Option<u64>) {
    match wanted {
        Some(bytes) => store.wait_for_space(bytes).await,
        None => std::future::pending().await,
    }
}
