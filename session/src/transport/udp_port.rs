//! The UDP port that all protocols of a session share: receives datagrams and dispatches them by protocol.
//!
//! | first byte | protocol | what happens today |
//! |---|---|---|
//! | `d`, which begins a bencoded dictionary | DHT (BEP 5) | goes to the node |
//! | type 0 to 4 in the upper half, version 1 in the lower | uTP (BEP 29) | counted and dropped: there is no uTP yet |
//! | anything else | UDP trackers (BEP 15) | counted and dropped: the tracker client has a connected socket for each tracker, which tells it of ICMP errors; it moves here with `Protocol::Tracker` when a firewall wants one port |
//!
//! One task receives for all. A protocol that does not keep up loses datagrams, as it would in the system's buffer; it
//! does not hold up the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use tailwater_dht::{DatagramBatch, Datagrams, Family, Sockets};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::Network;
#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryDatagrams;

/// Datagrams that wait for the DHT node: a second's worth of the queries that it answers, at 1500 bytes 1.5 MB at most.
const DHT_QUEUE: usize = 1_024;

/// The pause after a receive that brought errors (ICMP) and no datagram. The system keeps what arrives meanwhile.
const PAUSE_AFTER_ERRORS: Duration = Duration::from_millis(10);

/// The protocol of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Dht,
    Utp,
    Tracker,
}

impl Protocol {
    /// The protocol, by the first byte; `None` for a datagram without one.
    fn of(payload: &[u8]) -> Option<Self> {
        const UTP_VERSION: u8 = 1;
        /// `ST_SYN`, the last one that BEP 29 has.
        const UTP_LAST_TYPE: u8 = 4;
        let &first = payload.first()?;
        // `d` is 0x64: as a uTP header its version would be 4, so that the two never collide.
        Some(match first {
            b'd' => Self::Dht,
            _ if first & 0x0f == UTP_VERSION && first >> 4 <= UTP_LAST_TYPE => Self::Utp,
            _ => Self::Tracker,
        })
    }
}

/// Counts received datagrams by protocol.
#[derive(Debug, Default)]
struct Counters {
    dht: AtomicU64,
    /// Datagrams of the DHT that were lost because its queue had no room.
    dht_lost: AtomicU64,
    utp: AtomicU64,
    other: AtomicU64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (dht, lost) = (of(&self.dht), of(&self.dht_lost));
        let (utp, other) = (of(&self.utp), of(&self.other));
        write!(f, "DHT {dht} ({lost} lost), uTP {utp}, other {other}")
    }
}

/// The sockets of a port, or a test's network in memory.
#[derive(Debug)]
enum PortSockets {
    /// One for each address family.
    System(Sockets),
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryDatagrams),
}

impl PortSockets {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        match self {
            Self::System(sockets) => sockets.local_addr(family),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.local_addr(family),
        }
    }

    /// Errors of earlier datagrams (ICMP) are passed over.
    async fn receive(&self, batch: &mut DatagramBatch) {
        match self {
            Self::System(sockets) => sockets.receive(batch).await,
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.receive(batch).await,
        }
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
        match self {
            Self::System(sockets) => sockets.send(to, payload).await,
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.send(to, payload).await,
        }
    }
}

/// A UDP port that is bound. [`UdpPort::run`] receives.
#[derive(Debug)]
pub(crate) struct UdpPort {
    sockets: Arc<PortSockets>,
    counters: Counters,
    dht: mpsc::Sender<(SocketAddr, Bytes)>,
}

/// The DHT's share of a port.
#[derive(Debug)]
pub(crate) struct DhtDatagrams {
    sockets: Arc<PortSockets>,
    inbox: Mutex<mpsc::Receiver<(SocketAddr, Bytes)>>,
}

impl UdpPort {
    /// Binds a port: `addr`, or the one beside the listening port `beside` or else any other, or the first free one
    /// from 6881.
    ///
    /// # Errors
    ///
    /// When `addr` cannot be had.
    pub(crate) fn bind(
        network: &Network,
        addr: Option<SocketAddr>,
        beside: Option<SocketAddr>,
    ) -> io::Result<(Self, DhtDatagrams)> {
        let bind = |addr: Option<SocketAddr>| match network {
            Network::System => Sockets::bind(addr).map(PortSockets::System),
            #[cfg(any(test, feature = "memory-network"))]
            Network::Memory(host) => {
                let bound = host.datagrams(addr.map(|addr| addr.port()));
                bound.map(PortSockets::Memory)
            }
        };
        let sockets = match (addr, beside) {
            (Some(addr), _) => bind(Some(addr))?,
            // Another program has the datagrams of that port: any other is as good.
            (None, Some(beside)) => {
                let anywhere = SocketAddr::new(beside.ip(), 0);
                bind(Some(beside)).or_else(|_| bind(Some(anywhere)))?
            }
            (None, None) => bind(None)?,
        };
        let sockets = Arc::new(sockets);
        let (dht, inbox) = mpsc::channel(DHT_QUEUE);
        let port = Self {
            sockets: Arc::clone(&sockets),
            counters: Counters::default(),
            dht,
        };
        let inbox = Mutex::new(inbox);
        Ok((port, DhtDatagrams { sockets, inbox }))
    }

    /// The port's number; the same for both families, or that of the one there is.
    pub(crate) fn number(&self) -> Option<u16> {
        let mut addrs = Family::ALL
            .into_iter()
            .filter_map(|family| self.sockets.local_addr(family));
        addrs.next().map(|addr| addr.port())
    }

    /// Receives datagrams and hands them out until the session closes.
    pub(crate) async fn run(self, closing: CancellationToken) {
        let mut batch = DatagramBatch::new();
        loop {
            tokio::select! {
                () = closing.cancelled() => break,
                () = self.sockets.receive(&mut batch) => {}
            }
            if batch.is_empty() {
                // Nothing but errors came: one that lasts must not keep a processor busy.
                tokio::time::sleep(PAUSE_AFTER_ERRORS).await;
            }
            for (from, payload) in batch.iter() {
                self.hand_out(from, payload);
            }
            batch.clear();
        }
        tracing::debug!("UDP port, datagrams received: {}", self.counters);
    }

    fn hand_out(&self, from: SocketAddr, payload: &[u8]) {
        let counter = match Protocol::of(payload) {
            None => return,
            Some(Protocol::Dht) => {
                let datagram = (from, Bytes::copy_from_slice(payload));
                if self.dht.try_send(datagram).is_err() {
                    self.counters.dht_lost.fetch_add(1, Ordering::Relaxed);
                }
                &self.counters.dht
            }
            Some(Protocol::Utp) => &self.counters.utp,
            Some(Protocol::Tracker) => &self.counters.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Datagrams for DhtDatagrams {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        self.sockets.local_addr(family)
    }

    async fn receive(&self, batch: &mut DatagramBatch) {
        // There is one node, so no other task waits for this lock.
        let mut inbox = self.inbox.lock().await;
        let Some((from, payload)) = inbox.recv().await else {
            // The session closes, and the node with it.
            return std::future::pending().await;
        };
        batch.push(from, &payload);
        while !batch.is_full()
            && let Ok((from, payload)) = inbox.try_recv()
        {
            batch.push(from, &payload);
        }
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
        self.sockets.send(to, payload).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_network::MemoryNetwork;

    #[test]
    fn the_first_byte_tells_the_protocols_apart() {
        assert_eq!(Protocol::of(b""), None);
        assert_eq!(Protocol::of(b"d1:ad2:id20:"), Some(Protocol::Dht));
        for kind in 0..=4u8 {
            assert_eq!(Protocol::of(&[kind << 4 | 1, 0]), Some(Protocol::Utp));
        }
        // Another version, and a type that there is not.
        assert_eq!(Protocol::of(&[0x02]), Some(Protocol::Tracker));
        assert_eq!(Protocol::of(&[0x51]), Some(Protocol::Tracker));
        // The action of a tracker's answer is a number of four bytes.
        assert_eq!(Protocol::of(&[0, 0, 0, 1]), Some(Protocol::Tracker));
    }

    #[tokio::test]
    async fn the_node_gets_its_datagrams_and_no_others_and_a_full_queue_holds_up_nothing() {
        let network = MemoryNetwork::default();
        let ours = Network::Memory(network.host([10, 0, 0, 1]));
        let (port, dht) = UdpPort::bind(&ours, None, None).unwrap();
        assert_eq!(port.number(), Some(6881));
        let to = SocketAddr::from(([10, 0, 0, 1], 6881));
        let other = network.host([10, 0, 0, 2]).datagrams(None).unwrap();
        let closing = CancellationToken::new();
        let counted = async {
            let mut batch = DatagramBatch::new();
            while port.counters.other.load(Ordering::Relaxed) == 0 {
                port.sockets.receive(&mut batch).await;
                batch
                    .iter()
                    .for_each(|(from, payload)| port.hand_out(from, payload));
                batch.clear();
            }
        };
        let sending = async {
            other.send(to, &[0x41, 0, 0]).await;
            for number in 0..DHT_QUEUE + 10 {
                other.send(to, format!("d{number}").as_bytes()).await;
                tokio::task::yield_now().await;
            }
            other.send(to, b"\0\0\0\x03").await;
        };
        tokio::join!(counted, sending);
        assert_eq!(
            port.counters.to_string(),
            "DHT 1034 (10 lost), uTP 1, other 1"
        );
        let mut batch = DatagramBatch::new();
        dht.receive(&mut batch).await;
        let from = other.local_addr(Family::V4).unwrap();
        assert_eq!(batch.iter().next(), Some((from, &b"d0"[..])));
        assert!(batch.is_full());

        closing.cancel();
        port.run(closing).await;
    }
}
