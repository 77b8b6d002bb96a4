//! The task that owns the node.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Sockets;
use super::pending::Waiter;
use crate::{
    Announce, Config, Entry, Event, Family, Item, ItemKey, MAX_DATAGRAM_LEN, Node, NodeId,
    NodeStats, RequestId, RoutingTable, SavedTable,
};

/// Datagrams that are taken from a socket before others have their turn.
const MAX_DATAGRAMS_AT_ONCE: usize = 64;
/// How often requests are ended for which nobody waits any more.
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
    /// Whether it knows nobody who answers.
    IsAlone(oneshot::Sender<bool>),
}

pub(super) struct Task {
    sockets: Arc<Sockets>,
    node: Node,
    inbox: mpsc::Receiver<Command>,
    closing: CancellationToken,
    waiters: HashMap<RequestId, Waiter>,
}

fn now() -> Instant {
    // The clock that tests can stop.
    time::Instant::now().into_std()
}

impl Task {
    pub(super) fn new(
        sockets: Arc<Sockets>,
        config: Config,
        inbox: mpsc::Receiver<Command>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            sockets,
            node: Node::new(now(), config),
            inbox,
            closing,
            waiters: HashMap::new(),
        }
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.node.poll_transmit() {
            let socket = match Family::of(&transmit.to) {
                Family::V4 => self.sockets.v4.as_ref(),
                Family::V6 => self.sockets.v6.as_ref(),
            };
            if let Some(socket) = socket {
                // A datagram may be lost on its way, and may just as well be lost here.
                let _ = socket.send_to(&transmit.payload, transmit.to).await;
            }
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
            // Whoever has gone does not want to know.
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

    /// Ends what nobody waits for.
    fn sweep(&mut self) {
        let gone = self.waiters.iter().filter(|(_, waiter)| waiter.is_gone());
        let gone: Vec<_> = gone.map(|(request, _)| *request).collect();
        for request in gone {
            self.waiters.remove(&request);
            self.node.cancel(request);
        }
    }

    fn on_datagram(&mut self, received: &io::Result<(usize, SocketAddr)>, buffer: &[u8]) {
        // An error is an earlier datagram's that nobody took (ICMP): its question will time out.
        if let Ok((len, from)) = *received
            && let Some(bytes) = buffer.get(..len)
        {
            self.node.handle_datagram(now(), from, bytes);
        }
    }

    /// Takes what else has come, so that a burst does not go round the loop one by one.
    fn drain(&mut self, family: Family, buffer: &mut [u8]) {
        for _ in 0..MAX_DATAGRAMS_AT_ONCE {
            let socket = match family {
                Family::V4 => self.sockets.v4.as_ref(),
                Family::V6 => self.sockets.v6.as_ref(),
            };
            let Some(received) = socket.map(|socket| socket.try_recv_from(buffer)) else {
                return;
            };
            if received
                .as_ref()
                .is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
            {
                return;
            }
            self.on_datagram(&received, buffer);
        }
    }
}

pub(super) async fn run(mut task: Task) {
    // Whatever ends it, nobody should go on to look for bootstrap nodes.
    let _closing = task.closing.clone().drop_guard();
    // One byte more than is allowed: a longer datagram is cut, and must not pass for a shorter one.
    let mut buffers = [[0; MAX_DATAGRAM_LEN + 1]; 2];
    let [buffer4, buffer6] = &mut buffers;
    let sockets = Arc::clone(&task.sockets);
    let mut sweep = time::interval(SWEEP);
    loop {
        task.flush().await;
        let wake = task.node.poll_timeout().map(time::Instant::from_std);
        tokio::select! {
            () = task.closing.cancelled() => return,
            received = receive(sockets.v4.as_ref(), buffer4) => {
                task.on_datagram(&received, buffer4);
                task.drain(Family::V4, buffer4);
            }
            received = receive(sockets.v6.as_ref(), buffer6) => {
                task.on_datagram(&received, buffer6);
                task.drain(Family::V6, buffer6);
            }
            command = task.inbox.recv() => match command {
                Some(command) => task.on_command(command),
                // The last handle is gone.
                None => return,
            },
            () = sleep_until(wake) => task.node.handle_timeout(now()),
            _ = sweep.tick() => task.sweep(),
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<time::Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
