//! The task that owns the node.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;
use tokio::sync::{mpsc, oneshot};
use tokio::time;

use super::datagrams::{DatagramBatch, Datagrams};
use super::pending::Waiter;
use crate::{
    Announce, Config, Entry, Event, Family, Item, ItemKey, Node, NodeId, NodeStats, RequestId,
    RoutingTable, SavedTable,
};

/// How often requests without a receiver are cancelled.
const SWEEP: Duration = Duration::from_secs(1);

pub(super) enum Command {
    GetPeers(InfoHash, Waiter),
    Announce(InfoHash, Announce, Waiter),
    Scrape(InfoHash, Waiter),
    Get(ItemKey, Waiter),
    Put(Box<Item>, Option<i64>, Waiter),
    Sample(NodeId, Waiter),
    FindNode(NodeId, Waiter),
    Ping(SocketAddr, Waiter),
    AddNode(SocketAddr),
    AddBootstrap(Vec<SocketAddr>),
    Stats(oneshot::Sender<NodeStats>),
    Table(Family, oneshot::Sender<Vec<Entry>>),
    Saved(oneshot::Sender<SavedTable>),
    /// Whether it knows no node that answers.
    IsAlone(oneshot::Sender<bool>),
}

pub(super) struct Task<D> {
    datagrams: D,
    node: Node,
    inbox: mpsc::Receiver<Command>,
    waiters: HashMap<RequestId, Waiter>,
}

fn now() -> Instant {
    // The clock that tests can stop.
    time::Instant::now().into_std()
}

impl<D: Datagrams> Task<D> {
    pub(super) fn new(datagrams: D, config: Config, inbox: mpsc::Receiver<Command>) -> Self {
        Self {
            datagrams,
            node: Node::new(now(), config),
            inbox,
            waiters: HashMap::new(),
        }
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.node.poll_transmit() {
            self.datagrams.send(transmit.to, &transmit.payload).await;
        }
        while let Some(event) = self.node.poll_event() {
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: Event) {
        let request = match &event {
            Event::Peers { request, .. }
            | Event::Item { request, .. }
            | Event::Samples { request, .. }
            | Event::Pong { request, .. }
            | Event::Stored { request, .. }
            | Event::Finished { request, .. } => *request,
            Event::Bootstrapped { .. } | Event::ExternalIp { .. } | Event::NewId { .. } => return,
        };
        if let Event::Finished { report, .. } = event {
            if let Some(waiter) = self.waiters.remove(&request) {
                waiter.on_finished(*report);
            }
        } else if let Some(waiter) = self.waiters.get_mut(&request) {
            waiter.on_event(event);
        }
    }

    fn on_command(&mut self, command: Command) {
        let (node, now) = (&mut self.node, now());
        let (request, waiter) = match command {
            Command::GetPeers(info_hash, waiter) => (node.get_peers(now, &info_hash), waiter),
            Command::Announce(info_hash, how, waiter) => {
                (node.announce(now, &info_hash, how), waiter)
            }
            Command::Scrape(info_hash, waiter) => (node.scrape(now, &info_hash), waiter),
            Command::Get(key, waiter) => (node.get(now, &key), waiter),
            Command::Put(item, cas, waiter) => (node.put(now, &item, cas), waiter),
            Command::Sample(target, waiter) => (node.sample(now, &target), waiter),
            Command::FindNode(target, waiter) => (node.find_node(now, &target), waiter),
            Command::Ping(addr, waiter) => (node.ping(now, addr), waiter),
            Command::AddNode(addr) => return node.add_node(now, addr),
            Command::AddBootstrap(addrs) => {
                return addrs
                    .into_iter()
                    .for_each(|addr| node.add_bootstrap(now, addr));
            }
            // A receiver that is gone is no error.
            Command::Stats(reply) => {
                let _ = reply.send(node.stats());
                return;
            }
            Command::Table(family, reply) => {
                let entries = node.table(family).into_iter().flat_map(RoutingTable::iter);
                let _ = reply.send(entries.cloned().collect());
                return;
            }
            Command::Saved(reply) => {
                let ids = Family::ALL.map(|family| node.own_id(family));
                let nodes = node.saved_nodes();
                let _ = reply.send(SavedTable { ids, nodes });
                return;
            }
            Command::IsAlone(reply) => {
                let entries = Family::ALL.map(|family| node.table(family));
                let mut entries = entries.into_iter().flatten().flat_map(RoutingTable::iter);
                let _ = reply.send(entries.all(Entry::is_bad));
                return;
            }
        };
        self.waiters.insert(request, waiter);
    }

    /// Cancels requests whose receivers are gone.
    fn sweep(&mut self) {
        let gone = self.waiters.iter().filter(|(_, waiter)| waiter.is_gone());
        let gone: Vec<_> = gone.map(|(request, _)| *request).collect();
        for request in gone {
            self.waiters.remove(&request);
            self.node.cancel(request);
        }
    }

    fn on_datagrams(&mut self, batch: &mut DatagramBatch) {
        for (from, payload) in batch.iter() {
            self.node.handle_datagram(now(), from, payload);
        }
        batch.clear();
    }

    /// Until the last handle is dropped.
    pub(super) async fn run(mut self) {
        let mut batch = DatagramBatch::new();
        let mut sweep = time::interval(SWEEP);
        loop {
            self.flush().await;
            let wake = self.node.poll_timeout().map(time::Instant::from_std);
            tokio::select! {
                () = self.datagrams.receive(&mut batch) => {}
                command = self.inbox.recv() => match command {
                    Some(command) => self.on_command(command),
                    // The last handle is gone.
                    None => return,
                },
                () = sleep_until(wake) => self.node.handle_timeout(now()),
                _ = sweep.tick() => self.sweep(),
            }
            // Whichever branch was first: a receive that was cancelled may have appended some.
            self.on_datagrams(&mut batch);
        }
    }
}

async fn sleep_until(at: Option<time::Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
