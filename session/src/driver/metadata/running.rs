//! A fetch that runs: its connections, and whom to connect to next.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::known::Known;
use super::link::{self, LinkTask, News, Requests};
use super::{FetchTask, Found, names};
use crate::driver::dial::{self, Handshaken};
use crate::driver::incident::Incident;
use crate::metadata::handle::FetchProgress;
use crate::metadata::link::{Fact, LinkConfig};
use crate::metadata::{Fetcher, LinkKey, Output};
use crate::peer::Direction;
use crate::torrent::{Source, named_by_tracker};

/// Connections at once, with those being made. An info dictionary is small: a few peers would do, if they were all honest
/// and quick.
const MAX_CONNECTIONS: usize = 30;
/// Connections that others make to us, beyond that.
const MAX_INCOMING: usize = 10;
/// Facts that wait for the fetch; connections that have more wait themselves.
const NEWS_QUEUE: usize = 16;
/// Without anything to do, the task looks up now and then.
const IDLE: Duration = Duration::from_secs(600);

/// The fetch's end of one connection.
struct Link {
    addr: SocketAddr,
    /// Where the peer can be called, which for a caller is not where it called from.
    listens_at: Option<SocketAddr>,
    requests: Requests,
    token: CancellationToken,
    has_given: bool,
}

/// A fetch that runs.
pub(super) struct Fetching {
    task: FetchTask,
    fetcher: Fetcher,
    known: Known,
    links: BTreeMap<LinkKey, Link>,
    last_key: u64,
    /// In the DHT.
    is_searching: bool,
    news: mpsc::Receiver<News>,
    news_in: mpsc::Sender<News>,
    tasks: TaskTracker,
    /// Ends every task of this fetch but the announcer.
    ending: CancellationToken,
}

impl Fetching {
    pub(super) fn start(task: FetchTask) -> Self {
        let (news_in, news) = mpsc::channel(NEWS_QUEUE);
        Self {
            fetcher: Fetcher::new(task.info_hash),
            known: Known::default(),
            links: BTreeMap::new(),
            last_key: 0,
            is_searching: false,
            news,
            news_in,
            tasks: TaskTracker::new(),
            ending: task.closing.child_token(),
            task,
        }
    }

    /// Until everything has ended but, if there is nothing found, the goodbye to trackers.
    pub(super) async fn run(mut self) -> (Option<Found>, Option<JoinHandle<()>>) {
        self.look_up_names();
        self.search();
        let announcing = self.task.announcer.take();
        let announcing = announcing.map(|announcer| tokio::spawn(announcer.run()));
        let info = self.go_on().await;
        self.ending.cancel();
        self.task.incidents.close();
        self.news.close();
        self.tasks.close();
        self.tasks.wait().await;
        let Some(info) = info else {
            return (None, announcing);
        };
        // The torrent announces itself under the same name: a goodbye that comes late would take it off the lists.
        if let Some(announcing) = &announcing {
            announcing.abort();
        }
        let found = Found {
            info,
            known: self.known,
            is_saved: false,
        };
        (Some(found), announcing)
    }

    /// Until the metadata is there, or nobody wants it any more.
    async fn go_on(&mut self) -> Option<Bytes> {
        let closing = self.task.closing.clone();
        loop {
            let now = Instant::now();
            let found = self.carry_out(now);
            if found.is_some() {
                return found;
            }
            self.publish();
            let wake = self.wake(now);
            tokio::select! {
                () = closing.cancelled() => return None,
                Some(incident) = self.task.incidents.recv() => self.handle(incident),
                Some(news) = self.news.recv() => self.handle_news(news),
                Ok(()) = self.task.tally.changed() => {}
                Ok(()) = self.task.search_tally.changed() => {}
                () = sleep_until(wake.into()) => {}
            }
            self.fetcher.handle_timeout(Instant::now());
        }
    }

    fn wake(&self, now: Instant) -> Instant {
        let dial = match self.has_room() {
            true => self.known.next_attempt(),
            false => None,
        };
        let machine = self.fetcher.poll_timeout(now);
        [dial, machine]
            .into_iter()
            .flatten()
            .fold(now + IDLE, Instant::min)
    }

    fn has_room(&self) -> bool {
        self.links.len() + self.known.connecting() < MAX_CONNECTIONS
    }

    fn handle(&mut self, incident: Incident) {
        let now = Instant::now();
        match incident {
            Incident::Candidates(source, addrs) => self.known.add(now, source, &addrs),
            Incident::TrackerPeers(_, namer, addrs) => {
                let addrs = named_by_tracker(namer, &addrs);
                self.known.add(now, Source::Tracker, &addrs);
            }
            Incident::DialFailed(addr) => self.known.handle_failed(now, addr),
            Incident::Handshaken(peer) => self.take_in(now, peer),
            // Nobody has a handle of a torrent that is not there, nor a connection to it, and it ranks nobody.
            Incident::ExternalIp(_)
            | Incident::Facts(..)
            | Incident::Ended(..)
            | Incident::Request(_) => {}
        }
    }

    fn handle_news(&mut self, news: News) {
        let now = Instant::now();
        let key = news.link;
        let Some(link) = self.links.get_mut(&key) else {
            return;
        };
        let facts = match news.said {
            Ok(facts) => facts,
            Err(end) => {
                tracing::debug!(addr = %link.addr, "connection for metadata ended: {end}");
                self.fetcher.handle_closed(now, key);
                self.end(now, key);
                return;
            }
        };
        for fact in facts {
            match fact {
                Fact::Hello { listen_port } => {
                    let called = listen_port.map(|port| SocketAddr::new(link.addr.ip(), port));
                    link.listens_at = link.listens_at.or(called);
                }
                Fact::Size(size) => self.fetcher.handle_size(now, key, size),
                Fact::Data {
                    block,
                    total_size,
                    data,
                } => {
                    link.has_given = true;
                    let fetcher = &mut self.fetcher;
                    fetcher.handle_data(now, key, block, total_size, &data);
                }
                Fact::Reject { block } => self.fetcher.handle_reject(now, key, block),
            }
        }
    }

    /// Does what the machine wants done, and connects where there is room; the metadata, once it is there.
    fn carry_out(&mut self, now: Instant) -> Option<Bytes> {
        while let Some(output) = self.fetcher.poll_output() {
            match output {
                Output::Request { peer, block } => {
                    let link = self.links.get(&peer);
                    let is_stuck = link.is_some_and(|link| link.requests.try_send(block).is_err());
                    if is_stuck {
                        self.fetcher.handle_closed(now, peer);
                        self.end(now, peer);
                    }
                }
                Output::Drop { peer, reason } => {
                    let Some(link) = self.links.get(&peer) else {
                        continue;
                    };
                    tracing::debug!(addr = %link.addr, "dropping a peer: {reason}");
                    if reason.is_final() {
                        let addrs = [Some(link.addr), link.listens_at];
                        let addrs = addrs.into_iter().flatten();
                        addrs.for_each(|addr| self.known.shun(addr));
                    }
                    self.end(now, peer);
                }
                Output::Complete(info) => {
                    self.publish();
                    let links = std::mem::take(&mut self.links);
                    for link in links.into_values() {
                        if let Some(addr) = link.listens_at {
                            self.known.handle_present(addr, link.has_given);
                        }
                    }
                    return Some(info.into());
                }
            }
        }
        while self.has_room()
            && let Some(addr) = self.known.next(now)
        {
            self.connect(addr);
        }
        None
    }

    /// Forgets a connection, which ends if it has not.
    fn end(&mut self, now: Instant, key: LinkKey) {
        if let Some(link) = self.links.remove(&key) {
            link.token.cancel();
            self.known.handle_closed(now, link.addr, link.has_given);
        }
    }

    fn take_in(&mut self, now: Instant, mut peer: Handshaken) {
        self.task.party.adopt(&mut peer.place);
        let is_caller = peer.direction == Direction::Incoming;
        let most = MAX_CONNECTIONS + if is_caller { MAX_INCOMING } else { 0 };
        let can_help = peer.agreed.extension_protocol() && peer.id != self.task.registry.peer_id();
        if !can_help || self.known.is_shunned(peer.addr) {
            // It would say the same the next time.
            self.known.shun(peer.addr);
            return;
        }
        if self.links.len() >= most {
            self.known.handle_closed(now, peer.addr, false);
            return;
        }
        self.known.handle_connected(peer.addr);
        self.last_key += 1;
        let key = LinkKey(self.last_key);
        let (requests, asked) = link::requests();
        let token = self.ending.child_token();
        let config = LinkConfig {
            fast: peer.agreed.fast(),
            listen_port: self.task.port.seen_by(peer.addr.ip()),
        };
        let addr = peer.addr;
        let socket = link::Socket {
            stream: peer.stream,
            _place: peer.place,
        };
        let link = LinkTask::new(key, now, config, socket, asked, self.news_in.clone());
        self.tasks.spawn(link.run(peer.received, token.clone()));
        let link = Link {
            addr,
            listens_at: (!is_caller).then_some(addr),
            requests,
            token,
            has_given: false,
        };
        self.links.insert(key, link);
    }

    fn connect(&self, addr: SocketAddr) {
        let ours = dial::Ours {
            info_hash: self.task.info_hash,
            peer_id: self.task.registry.peer_id(),
            reserved: self.task.reserved,
        };
        let (incidents, ending) = (self.task.incidents_in.clone(), self.ending.clone());
        let party = Arc::clone(&self.task.party);
        self.tasks.spawn(async move {
            let dialling = async { dial::dial(addr, ours, party.place().await).await };
            let dialled = tokio::select! {
                () = ending.cancelled() => return,
                dialled = dialling => dialled,
            };
            let incident = match dialled {
                Ok(peer) => Incident::Handshaken(peer),
                Err(error) => {
                    tracing::debug!(%addr, "connecting for metadata: {error}");
                    Incident::DialFailed(addr)
                }
            };
            // A fetch that is over needs no answer.
            let _ = incidents.send(incident).await;
        });
    }

    /// Finds the addresses of the link's peers.
    fn look_up_names(&self) {
        let peers = self.task.peers.clone();
        let (incidents, ending) = (self.task.incidents_in.clone(), self.ending.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = names::keep_resolving(&peers, &incidents) => {}
            }
        });
    }

    /// Looks for peers in the DHT, if there is one.
    fn search(&mut self) {
        if let Some(mut search) = self.task.search.take() {
            search.closing = self.ending.clone();
            self.is_searching = true;
            self.tasks.spawn(search.run());
        }
    }

    fn publish(&mut self) {
        let search = *self.task.search_tally.borrow_and_update();
        let tally = *self.task.tally.borrow_and_update();
        let state = self.fetcher.state();
        let progress = FetchProgress {
            trackers: tally.trackers,
            trackers_asked: tally.asked,
            trackers_answered: tally.answered,
            trackers_failed: tally.failed,
            dht_nodes: self.is_searching.then_some(search.nodes),
            dht_peers: search.peers,
            peers_known: self.known.len(),
            peers_connecting: self.known.connecting(),
            peers_connected: self.links.len(),
            peers_with_metadata: state.holders,
            blocks_have: state.have,
            blocks_total: state.total,
            size: state.size,
        };
        let told = |told: &mut FetchProgress| std::mem::replace(told, progress) != progress;
        self.task.progress.send_if_modified(told);
        // The announcer asks earlier if there is nobody.
        let (peers, connecting) = (progress.peers_connected, progress.peers_connecting);
        self.task.status.send_if_modified(|status| {
            let stats = &mut status.stats;
            let before = (stats.peers, stats.connecting);
            (stats.peers, stats.connecting) = (peers, connecting);
            before != (peers, connecting)
        });
    }
}
