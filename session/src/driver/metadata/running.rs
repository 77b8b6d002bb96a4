//! A running fetch: handles its messages, and carries out what its state machine decides.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::known::Known;
use super::link::{News, Requests, What};
use super::progress::FetchProgress;
use super::{FetchTask, Found};
use crate::driver::handshake::Handshaken;
use crate::driver::lifecycle::Seeker;
use crate::driver::message::TorrentMessage;
use crate::torrent::{PeerSource, named_by_tracker};
use tailwater_engine::metadata::link::Fact;
use tailwater_engine::metadata::slots::{Slots, Way};
use tailwater_engine::metadata::{DropReason, Fetcher, LinkKey, Output};

/// Facts that may be queued for the fetch; then its connections wait (back-pressure).
const NEWS_QUEUE: usize = 16;
/// The longest sleep of the task while there is nothing to do.
const IDLE: Duration = Duration::from_secs(600);

/// The fetch's end of one connection.
pub(super) struct Link {
    pub(super) addr: SocketAddr,
    /// The address at which the peer listens, which for a caller is not the one it called from.
    pub(super) listens_at: Option<SocketAddr>,
    pub(super) requests: Requests,
    pub(super) token: CancellationToken,
    pub(super) has_given: bool,
}

/// A caller that waits for a slot.
pub(super) struct Caller {
    pub(super) since: Instant,
    pub(super) peer: Handshaken,
}

/// A fetch that runs.
pub(super) struct Fetching {
    pub(super) task: FetchTask,
    pub(super) fetcher: Fetcher,
    pub(super) known: Known,
    pub(super) slots: Slots,
    pub(super) links: BTreeMap<LinkKey, Link>,
    /// Connections that are being made, and what ends them.
    pub(super) dials: BTreeMap<LinkKey, (SocketAddr, CancellationToken)>,
    /// The callers that wait for a slot, in the order in which they called.
    pub(super) callers: VecDeque<Caller>,
    pub(super) last_key: u64,
    /// Whether it searches the DHT.
    is_searching: bool,
    news: mpsc::Receiver<News>,
    pub(super) news_in: mpsc::Sender<News>,
    pub(super) tasks: TaskTracker,
    /// Ends every task of this fetch but the announcer.
    pub(super) ending: CancellationToken,
}

impl Fetching {
    pub(super) fn start(task: FetchTask) -> Self {
        let (news_in, news) = mpsc::channel(NEWS_QUEUE);
        Self {
            fetcher: Fetcher::new(task.context.hashes),
            known: Known::default(),
            slots: Slots::default(),
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            callers: VecDeque::new(),
            last_key: 0,
            is_searching: false,
            news,
            news_in,
            tasks: TaskTracker::new(),
            ending: task.context.closing.child_token(),
            task,
        }
    }

    /// Runs until everything has ended but, if nothing is found, the `stopped` announces.
    pub(super) async fn run(mut self) -> (Option<Found>, Vec<JoinHandle<()>>) {
        self.look_up_names();
        let announcing = self.seek();
        let info = self.go_on().await;
        self.ending.cancel();
        self.callers.clear();
        self.task.messages.close();
        self.news.close();
        self.tasks.close();
        self.tasks.wait().await;
        let Some(info) = info else {
            return (None, announcing);
        };
        // The torrent announces itself under the same name: a `stopped` that comes late would take it off the lists.
        for announcing in &announcing {
            announcing.abort();
        }
        let found = Found {
            info,
            known: self.known,
            saved: None,
        };
        (Some(found), announcing)
    }

    /// Runs until the metadata is there, or the fetch is cancelled.
    async fn go_on(&mut self) -> Option<Bytes> {
        let closing = self.task.context.closing.clone();
        loop {
            let now = Instant::now();
            let found = self.carry_out(now);
            if found.is_some() {
                return found;
            }
            self.admit_callers(now);
            self.connect_more(now);
            self.publish();
            let wake = self.wake(now);
            tokio::select! {
                () = closing.cancelled() => return None,
                Some(message) = self.task.messages.recv() => self.handle(message),
                Some(news) = self.news.recv() => self.handle_news(news),
                Ok(()) = self.task.tally.changed() => {}
                Ok(()) = self.task.search_tally.changed() => {}
                () = sleep_until(wake.into()) => {}
            }
            self.fetcher.handle_timeout(Instant::now());
        }
    }

    fn wake(&self, now: Instant) -> Instant {
        let next = self.known.next_attempt();
        let dial = next.map(|next| next.max(self.slots.opens(now, Way::Dialled)));
        let machine = self.fetcher.poll_timeout();
        let late = match self.has_others() {
            true => self.slots.next_late_dial(),
            false => None,
        };
        [dial, machine, late, self.callers_wake(now)]
            .into_iter()
            .flatten()
            .fold(now + IDLE, Instant::min)
    }

    fn handle(&mut self, message: TorrentMessage) {
        let now = Instant::now();
        match message {
            TorrentMessage::Candidates(source, addrs) => self.known.add(now, source, &addrs),
            TorrentMessage::TrackerPeers(_, namer, addrs) => {
                let addrs = named_by_tracker(namer, &addrs);
                self.known.add(now, PeerSource::Tracker, &addrs);
            }
            TorrentMessage::DialFailed(addr) => self.handle_dial_failed(now, addr),
            TorrentMessage::Handshaken(peer) => self.take_in(now, *peer),
            // A torrent that is not there has neither handles nor connections, and ranks no peers.
            TorrentMessage::ExternalIp(_)
            | TorrentMessage::Facts(..)
            | TorrentMessage::Ended(..)
            | TorrentMessage::Request(_) => {}
        }
    }

    fn handle_news(&mut self, news: News) {
        let now = Instant::now();
        let key = news.link;
        match news.what {
            What::Dialling => self.slots.dial(now, key),
            What::Facts(facts) => facts
                .into_iter()
                .for_each(|fact| self.handle_fact(now, key, fact)),
            What::Ended(end) => {
                if let Some(link) = self.links.get(&key) {
                    tracing::debug!(addr = %link.addr, "connection for metadata ended: {end}");
                    self.end(now, key);
                }
            }
        }
    }

    fn handle_fact(&mut self, now: Instant, key: LinkKey, fact: Fact) {
        let Some(link) = self.links.get_mut(&key) else {
            return;
        };
        match fact {
            Fact::Hello { listen_port } => {
                let called = listen_port.map(|port| SocketAddr::new(link.addr.ip(), port));
                link.listens_at = link.listens_at.or(called);
            }
            Fact::Size(size) => {
                let ip = link.addr.ip();
                self.fetcher.handle_size(now, key, ip, size);
            }
            Fact::Data {
                block,
                total_size,
                data,
            } => {
                link.has_given = true;
                if let Some(addr) = link.listens_at {
                    self.known.handle_sender(key, addr);
                }
                self.slots.answered(now, key, data.len());
                let fetcher = &mut self.fetcher;
                fetcher.handle_data(now, key, block, total_size, &data);
            }
            Fact::Reject { block } => {
                self.slots.answered(now, key, 0);
                self.fetcher.handle_reject(now, key, block);
            }
        }
    }

    /// Carries out the state machine's outputs; returns the metadata, once it is complete.
    fn carry_out(&mut self, now: Instant) -> Option<Bytes> {
        while let Some(output) = self.fetcher.poll_output() {
            match output {
                Output::Request { peer, block } => {
                    self.slots.asked(now, peer);
                    let link = self.links.get(&peer);
                    if link.is_some_and(|link| link.requests.try_send(block).is_err()) {
                        self.end(now, peer);
                    }
                }
                Output::Drop { peer, reason } => self.drop_link(now, peer, reason),
                Output::Complete(info) => {
                    self.publish();
                    let links = std::mem::take(&mut self.links);
                    for addr in links.into_values().filter_map(|link| link.listens_at) {
                        self.known.handle_present(addr);
                    }
                    self.known.handle_complete(self.fetcher.senders());
                    return Some(info.into());
                }
            }
        }
        None
    }

    fn drop_link(&mut self, now: Instant, key: LinkKey, reason: DropReason) {
        let Some(link) = self.links.get(&key) else {
            return;
        };
        let addr = link.addr;
        tracing::debug!(%addr, "dropping a peer: {reason}");
        // The address of the connection, not the one at which a caller says that it listens: that may be the port of an
        // honest peer beside it.
        if reason == DropReason::Lied {
            self.known.ban(addr);
        } else if reason.is_final() {
            self.known.shun(addr);
        }
        self.end(now, key);
        // Its other connections are worth no more.
        let known = &self.known;
        let same = self
            .links
            .iter()
            .filter(|(_, link)| known.is_shunned(link.addr));
        let same: Vec<_> = same.map(|(key, _)| *key).collect();
        same.into_iter().for_each(|key| self.end(now, key));
    }

    /// Forgets a connection, which ends if it has not.
    pub(super) fn end(&mut self, now: Instant, key: LinkKey) {
        self.slots.remove(key);
        self.fetcher.handle_closed(now, key);
        if let Some(link) = self.links.remove(&key) {
            link.token.cancel();
            self.known.handle_closed(now, link.addr, link.has_given);
        }
    }

    /// Looks for peers in each swarm: asks trackers, and the DHT if there is one. Returns the announcers, which end by
    /// themselves.
    fn seek(&mut self) -> Vec<JoinHandle<()>> {
        let mut announcing = Vec::new();
        for Seeker { announcer, search } in std::mem::take(&mut self.task.seekers) {
            announcing.push(tokio::spawn(announcer.run()));
            if let Some(mut search) = search {
                search.context.closing = self.ending.clone();
                self.is_searching = true;
                self.tasks.spawn(search.run());
            }
        }
        announcing
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
            peers_connecting: self.slots.count_dialling(),
            peers_connected: self.links.len(),
            peers_with_metadata: state.holders,
            blocks_have: state.have,
            blocks_total: state.total,
            size: state.size,
        };
        let told = |told: &mut FetchProgress| std::mem::replace(told, progress) != progress;
        self.task.progress.send_if_modified(told);
        // The announcer asks earlier if there are no peers.
        let (peers, connecting) = (progress.peers_connected, progress.peers_connecting);
        self.task.status.send_if_modified(|status| {
            let stats = &mut status.stats;
            let before = (stats.peers, stats.connecting);
            (stats.peers, stats.connecting) = (peers, connecting);
            before != (peers, connecting)
        });
    }
}
